//! Measurements: `cargo run --release -p simulators --bin bench --
//! way|gateway|evidence|ingest|store|credit [--json]`.

use std::process::ExitCode;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use simulators::chain_storm;
use simulators::credit_bench;
use simulators::evidence;
use simulators::gateway_bench;
use simulators::ingest;
use simulators::progress::Progress;
use simulators::registry_bench;
use simulators::site::part::Part;
use simulators::stack::engines::Engines;
use simulators::volume;
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
    /// One gateway's program as it is packaged: memory, sizes, processor, starts, catching up, what
    /// goes to the disk; over TLS, on PostgreSQL and Mosquitto from Debian.
    Gateway {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// Only a session of so many events on embedded parts, checked to its end; the environment
        /// variable TRACEBOND_EDGE_AGENT may name the command that runs the agent.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        session: Option<u32>,
    },
    /// A registry of very many devices: from a change to its root, memory, a start.
    Registry {
        /// How many devices.
        #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        devices: u64,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// Only makes the registry in this file.
        #[arg(long, hide = true, value_name = "FILE")]
        make: Option<PathBuf>,
    },
    /// The follower of chains over reordered statements: what it writes down is what was made.
    Chains {
        /// How many statements.
        #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        statements: u64,
        /// Where the numbers that look random begin.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// What evidence costs: trees, proofs, a bundle in a large log, the public log.
    Evidence {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// The write path beside COPY of the same rows, on PostgreSQL and Mosquitto from Debian: rates
    /// by size of statements, CPU time by process, what anchoring costs, time to the witnessed
    /// checkpoint, an outage.
    Ingest {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// Events of each run, instead of what gives steady figures.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=2_000_000))]
        events: Option<u64>,
        /// Only the ratio for statements of this many events; may be repeated.
        #[arg(long, value_name = "SIZE", value_parser = clap::value_parser!(u32).range(1..=256))]
        only: Vec<u32>,
    },
    /// Rate, memory and queries while much is stored, on PostgreSQL and Mosquitto from Debian.
    Store {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// Events, down to a multiple of 10,000.
        #[arg(
            long,
            value_name = "N",
            default_value_t = 10_000_000,
            value_parser = clap::value_parser!(u64).range(volume::STEP..=1_000_000_000)
        )]
        events: u64,
    },
    /// Lending: scores with and without proofs, decisions, schedules, fits of scorecards.
    Credit {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// Where the data of others is.
        #[arg(long, env = "TRACEBOND_FIXTURES", default_value = "../shared/fixtures")]
        fixtures: PathBuf,
        /// How many loans the daily run has.
        #[arg(long, value_name = "N", default_value_t = 150_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        loans: u64,
        /// Only the daily run.
        #[arg(long)]
        only_daily: bool,
    },
    /// A part of a measurement, which calls this program again.
    #[command(hide = true, subcommand)]
    Part(Part),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let command = match Arguments::parse().command {
        // It writes lines of its own kind.
        Command::Part(part) => return part.run().await,
        command => command,
    };
    kit::telemetry::init(kit::telemetry::Lines::Human, "error")?;
    measure(command).await?;
    Ok(ExitCode::SUCCESS)
}

async fn measure(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Part(_) => Ok(()),
        Command::Credit {
            json,
            loans,
            only_daily: true,
            ..
        } => {
            let mut progress = Progress::new(json);
            let measured = credit_bench::days(loans, &mut progress).await?;
            drop(progress);
            print(&measured, json)
        }
        Command::Credit {
            json,
            fixtures,
            loans,
            only_daily: false,
        } => {
            let mut progress = Progress::new(json);
            let measured = credit_bench::measure(&fixtures, loans, &mut progress).await?;
            drop(progress);
            print(&measured, json)
        }
        Command::Store { json, events } => {
            let mut progress = Progress::new(json);
            let events = events / volume::STEP * volume::STEP;
            let measured = volume::measure(events, &mut progress).await?;
            drop(progress);
            print(&measured, json)
        }
        Command::Ingest { json, events, only } => {
            let mut progress = Progress::new(json);
            let wish = ingest::Wish { events, only };
            let measured = ingest::measure(&wish, &mut progress).await?;
            drop(progress);
            print(&measured, json)
        }
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
        Command::Gateway { json, session } => {
            if let Some(events) = session {
                return print(&gateway_bench::session::deliver(events).await?, json);
            }
            let mut progress = Progress::new(json);
            let measured = gateway_bench::measure(&mut progress).await?;
            drop(progress);
            print(&measured, json)
        }
        Command::Registry {
            devices,
            json,
            make,
        } => {
            let mut progress = Progress::new(json);
            if let Some(file) = make {
                return registry_bench::make(devices, &file, &mut progress).await;
            }
            let measured = registry_bench::measure(devices, true, &mut progress).await?;
            drop(progress);
            print(&measured, json)
        }
        Command::Chains {
            statements,
            seed,
            json,
        } => {
            let mut progress = Progress::new(json);
            let measured = chain_storm::run(statements, seed, &mut progress).await?;
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
