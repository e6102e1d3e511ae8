//! Measurements: `cargo run --release -p simulators --bin bench -- way|evidence [--json]`.

use clap::{Parser, Subcommand};
use simulators::evidence;
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
    /// What evidence costs: trees, proofs, a bundle in a large log, the public log.
    Evidence {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    kit::telemetry::init(kit::telemetry::Lines::Human, "error")?;
    match Arguments::parse().command {
        Command::Way { json, real } => {
            let engines = if real {
                Engines::debian()
            } else {
                Engines::default()
            };
            let mut progress = Progress::new(json);
            let measured = way::measure(&engines, &mut progress).await?;
            drop(progress);
            print(&measured, json)
        }
        Command::Evidence { json } => {
            let mut progress = Progress::new(json);
            let measured = evidence::measure(&mut progress)?;
            drop(progress);
            print(&measured, json)
        }
    }
}

fn print<M: serde::Serialize + std::fmt::Display>(measured: &M, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(measured)?);
    } else {
        println!("{measured}");
    }
    Ok(())
}
