//! `credit serve --config FILE`: the bank's lending service, with evidence over HTTP.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use credit::config::Config;
use credit::evidence::Http;

#[derive(Parser)]
#[command(
    name = "credit",
    version,
    about = "Lends against evidence that it has verified itself"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the service until Ctrl-C.
    Serve {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Command::Serve { config } = Arguments::parse().command;
    kit::telemetry::init(kit::telemetry::Lines::Human, "info")?;
    serve(Config::load(&config)?).await
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let source = &config.evidence;
    let base = source.base.as_deref();
    let base = base.context("evidence.base: the address of the evidence service is needed")?;
    let evidence = Http::new(base, source.timeout, source.max_bytes)?;
    let shutdown = kit::shutdown::on_signals()?;
    let clock = Arc::new(kit::clock::TokioClock);
    let handle = credit::run(config, Arc::new(evidence), clock, shutdown).await?;
    tracing::info!(address = %handle.address, "credit listens");
    handle.join.await.context("the service broke off")
}
