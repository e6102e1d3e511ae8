//! `cargo run --release`: the whole of Tracebond in one process. See the README of the crate.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use simulators::check::check;
use simulators::folder::RunFolder;
use simulators::load;
use simulators::scenario::DEFAULT_SEED;
use simulators::script::Script;
use simulators::site::part::Part;
use simulators::stack::door::{Door, Lan};
use simulators::stack::engines::{Engines, Source};
use simulators::summary;
use simulators::tour::{self, Wish};

/// What is logged unless `RUST_LOG` says otherwise: gaps and lost connections are part of the
/// story.
const LOG: &str = "error";

/// Everything of Tracebond in one process, with simulated suppliers.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Args)]
struct Run {
    /// Play to the end, check everything from files in a fresh process, and end.
    #[arg(long)]
    once: bool,
    /// Print one JSON object instead of a summary.
    #[arg(long, requires = "once")]
    json: bool,
    /// Leave every bundle, the checkpoint and the policy in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Another story; the same seed repeats facts, counts, scores and offers.
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Where the pages listen; a loopback address, since they are plain HTTP.
    #[arg(long, default_value = "127.0.0.1:0", value_parser = loopback)]
    listen: SocketAddr,
    /// Serve HTTPS on this address of this machine instead, so that a phone in the same network
    /// can scan the printed code; with a port or on 8443.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "listen")]
    lan: Option<Lan>,
    /// Where facts are kept: `embedded` (SQLite), `debian` (a private PostgreSQL for this run) or
    /// postgres://USER@HOST/DATABASE of a role that may make databases.
    #[arg(long, value_name = "WHICH", default_value = "embedded")]
    database: Source,
    /// What gateways publish to: `embedded`, `debian` (a private Mosquitto for this run) or
    /// mqtt://HOST:PORT of a broker that lets everybody in.
    #[arg(long, value_name = "WHICH", default_value = "embedded")]
    broker: Source,
    /// The same as `--database debian --broker debian`.
    #[arg(long, conflicts_with_all = ["database", "broker"])]
    real: bool,
    /// Replay a measured series (`timestamp,value` rows) instead of the story.
    #[arg(long, value_name = "FILE.csv")]
    series: Option<PathBuf>,
    /// Replay real deliveries (USAID's SCMS delivery history) instead of the story.
    #[arg(long, value_name = "FILE.csv", conflicts_with = "series")]
    deliveries: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Check what a run has left in a folder: files only, no database, no network.
    VerifyRun {
        /// The folder.
        folder: PathBuf,
        /// Print one JSON object instead of a summary.
        #[arg(long)]
        json: bool,
    },
    /// Many devices with keys of their own speak to a platform that runs somewhere, or to one that
    /// is started for it: rates, times to receipt and to verified inclusion, losses.
    Load(Box<load::Wish>),
    /// A part of a load's own platform, which calls this program again.
    #[command(hide = true, subcommand)]
    Part(Part),
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "expected an address with a port, such as 127.0.0.1:8080".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("plain HTTP is for loopback only; use --lan for other addresses".to_owned())
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::VerifyRun { folder, json }) => verify_run(&RunFolder::open(&folder), json),
        Some(Command::Load(wish)) => run_load(&wish),
        Some(Command::Part(part)) => run_part(part),
        None => run(arguments.run),
    }
}

#[tokio::main]
async fn run_part(part: Part) -> anyhow::Result<ExitCode> {
    part.run().await
}

/// Fails when anything was lost or refused.
#[tokio::main]
async fn run_load(wish: &load::Wish) -> anyhow::Result<ExitCode> {
    kit::telemetry::init(kit::telemetry::Lines::Human, "warn")?;
    let report = load::run(wish).await?;
    if wish.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report}");
    }
    let fine = report.lost() == 0 && report.refused_events == 0;
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[tokio::main]
async fn run(run: Run) -> anyhow::Result<ExitCode> {
    kit::telemetry::init(kit::telemetry::Lines::Human, LOG)?;
    let shutdown = kit::shutdown::on_signals()?;
    let script = match (&run.series, &run.deliveries) {
        (Some(file), _) => Script::series(file)?,
        (None, Some(file)) => Script::deliveries(file)?,
        (None, None) => Script::story(run.seed),
    };
    let wish = Wish {
        keep: run.keep,
        door: run.lan.map_or(Door::Loopback(run.listen), Door::Lan),
        engines: if run.real {
            Engines::debian()
        } else {
            Engines {
                database: run.database,
                broker: run.broker,
            }
        },
        json: run.json,
    };
    if !run.once {
        tour::live(&script, &wish, shutdown).await?;
        return Ok(ExitCode::SUCCESS);
    }
    match tour::once(&script, &wish, shutdown).await {
        Ok(status) if status.success() => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::FAILURE),
        Err(error) if wish.json => {
            println!(
                "{}",
                serde_json::json!({ "ok": false, "error": format!("{error:#}") })
            );
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error),
    }
}

fn verify_run(folder: &RunFolder, json: bool) -> anyhow::Result<ExitCode> {
    let outcome = check(folder)?;
    if json {
        println!("{}", serde_json::to_string(&outcome)?);
    } else {
        println!(
            "{}",
            summary::text(
                &outcome,
                std::io::IsTerminal::is_terminal(&std::io::stdout())
            )
        );
    }
    Ok(if outcome.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
