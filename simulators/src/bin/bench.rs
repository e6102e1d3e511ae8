//! Measurements: `cargo run --release -p simulators --bin bench -- way [--json]`.

use clap::{Parser, Subcommand};
use simulators::progress::Progress;
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
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Command::Way { json } = Arguments::parse().command;
    kit::telemetry::init(kit::telemetry::Lines::Human, "error")?;
    let mut progress = Progress::new(json);
    let measured = way::measure(&mut progress).await?;
    drop(progress);
    if json {
        println!("{}", serde_json::to_string(&measured)?);
    } else {
        println!("{measured}");
    }
    Ok(())
}
