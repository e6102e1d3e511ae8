//! `edge-agent`: the gateway program. Everything it does is in the library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use edge_agent::config::TEMPLATE;
use edge_agent::trust::Enrolment;
use edge_agent::{Config, SystemClock, enrol, identity, outbox};
use schemas::ids::Slug;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Reads sensors and scans, signs what they state and keeps it until the platform has it.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run until SIGINT or SIGTERM.
    Run {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Enrol this device with a claim of its organisation.
    Enrol {
        /// File of the claim, or its JSON.
        claim: String,
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Name asked for; default is the configuration's `device.name`.
        #[arg(long)]
        name: Option<Slug>,
    },
    /// Write a commented configuration file.
    Init {
        /// Where; never overwritten.
        #[arg(long, default_value = "edge-agent.toml")]
        config: PathBuf,
    },
    /// Verify the outbox again: chain, signatures, roots, receipts. Needs no network.
    Audit {
        /// Configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match execute(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line with its causes: a person reads this, not a debugger.
            eprintln!("edge-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> Result<()> {
    match command {
        Command::Run { config } => run(&config).await,
        Command::Enrol {
            claim,
            config,
            name,
        } => enrol_device(&claim, &config, name).await,
        Command::Init { config } => init(&config),
        Command::Audit { config, json } => audit(&config, json).await,
    }
}

fn load(path: &Path) -> Result<Config> {
    let config = Config::load(path)?;
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(&config.log_level))
        .context("log level")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    Ok(config)
}

async fn run(path: &Path) -> Result<()> {
    let config = load(path)?;
    let shutdown = CancellationToken::new();
    let handle = edge_agent::run(config, Arc::new(SystemClock), shutdown.clone()).await?;
    tracing::info!(device = %handle.device(), "running");
    stopped().await?;
    tracing::info!("stopping: what is open is closed and stored");
    shutdown.cancel();
    let status = handle.snapshot();
    handle.join().await?;
    tracing::info!(
        bodies_waiting = status.bodies_waiting,
        inclusions_waiting = status.inclusions_waiting,
        "stopped"
    );
    Ok(())
}

async fn stopped() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn enrol_device(claim: &str, path: &Path, name: Option<Slug>) -> Result<()> {
    let config = load(path)?;
    let claim = enrol::read_claim(claim)?;
    let name = name
        .or(config.device.name)
        .context("no name: give --name or set device.name")?;
    let tell = |stage: &str| println!("{stage}");
    tokio::select! {
        enrolled = enrol::enrol(&config.state, &name, &claim, tell) => { enrolled?; }
        () = interrupted() => bail!("interrupted; run it again with the same claim to go on"),
    }
    Ok(())
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn init(path: &Path) -> Result<()> {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| format!("{} is not written", path.display()))?;
    file.write_all(TEMPLATE.as_bytes())?;
    println!("wrote {}", path.display());
    Ok(())
}

async fn audit(path: &Path, json: bool) -> Result<()> {
    let config = load(path)?;
    let key = identity::load(&config.state)?.context("no device key")?;
    let enrolment = Enrolment::load(&config.state)?.context("not enrolled")?;
    let trust = enrolment.trust(&key.public())?;
    let audit = outbox::audit::audit(&config.state, &key.public(), &trust).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&audit)?);
    } else {
        println!(
            "{} statements, {} notes, {} events, {} receipts verified",
            audit.statements, audit.notes, audit.events, audit.receipts
        );
        for problem in &audit.problems {
            println!("problem: {problem}");
        }
    }
    if audit.problems.is_empty() {
        Ok(())
    } else {
        bail!("{} problems", audit.problems.len())
    }
}
