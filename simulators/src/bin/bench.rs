//! Measurements: `cargo run --release -p simulators --bin bench -- way [--json]`.

use clap::{Parser, Subcommand};
use simulators::progress::Progress;
use simulators::stack::engines::Engines;
use simulators::way;

/// Measures this machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The way from a gateway to the witnessed log.
    Way {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// On PostgreSQL and Mosquitto from Debian, beside COPY of the same rows.
        #[arg(long)]
        real: bool,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Command::Way { json, real } = Arguments::parse().command;
    let engines = if real {
        Engines::debian()
    } else {
        Engines::default()
    };
    kit::telemetry::init(kit::telemetry::Lines::Human, "error")?;
    let mut progress = Progress::new(json);
    let measured = way::measure(&engines, &mut progress).await?;
    drop(progress);
    if json {
        println!("{}", serde_json::to_string(&measured)?);
    } else {
        println!("{measured}");
    }
    Ok(())
}
