//! `credit serve --config FILE`: the bank's lending service, with evidence over HTTP.
//! `credit verify-decision FILE`: does a kept decision follow from what it was made from?
//! `credit migrate --config FILE`: the tables, as their owner.
//! `credit score export|verify|replay`: decisions made again from their evidence.
//! `credit scorecard fit|refit|card|show|list|export`: scorecards from labelled rows.
//! `credit ledger check`: does the ledger hold?
//! `credit daily --day YYYY-MM-DD`: brings every loan to a day.
//! `credit export-key`: the key that exports are signed with.
//! `credit user ...`: accounts of the bank's people. `credit client ...`: machines with tokens of
//! their own. `credit audit`: does the trail hold?

mod command;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use credit::config::Config;
use credit::evidence::Http;
use credit::facts::Facts;
use credit::loan::{Decision, Inputs, Record};
use credit::score::Model;
use serde::Deserialize;

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
    /// Brings the tables up to date as their owner and, on PostgreSQL, lets the service's role do
    /// no more than it needs.
    ///
    /// The service's role is the user of `database` in the configuration (or of DATABASE_URL); it
    /// must exist. The owner's address is read from DATABASE_OWNER_URL; without it the service's
    /// own role migrates, and owns the tables.
    Migrate {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Tests a configuration before the start; changes nothing.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// One JSON array instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// Decides again from what a decision was made from, and compares. FILE is the answer of
    /// `GET /v1/decisions/{id}`.
    VerifyDecision {
        /// The file.
        file: PathBuf,
        /// The bank's own points table, if it does not use the built-in one.
        #[arg(long)]
        table: Option<PathBuf>,
    },
    /// Kept decisions, made again from their evidence.
    Score {
        #[command(subcommand)]
        what: command::Score,
    },
    /// Scorecards from labelled rows: drafts, cards, the identical table again.
    Scorecard {
        #[command(subcommand)]
        what: command::Scorecard,
    },
    /// The ledger.
    Ledger {
        #[command(subcommand)]
        what: command::Ledger,
    },
    /// Brings every loan to a day; a day that was run is not run again.
    Daily(command::Daily),
    /// Accounts of the bank's people.
    User {
        #[command(subcommand)]
        what: command::User,
    },
    /// Accounts of people of a supplier, who see their own loans.
    Borrower {
        #[command(subcommand)]
        what: command::Borrower,
    },
    /// Machines that fetch their own tokens.
    Client {
        #[command(subcommand)]
        what: command::Client,
    },
    /// Makes the key that exports are signed with, unless its file is there, and prints the public
    /// half for whoever checks exports. `desk.export_key` in the configuration names the file.
    ExportKey {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Reads the whole trail of what people did and says whether it holds, and what its head is.
    Audit {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// A head that was written down before, `NUMBER:HASH`: the trail must still contain it.
        #[arg(long)]
        head: Option<command::Head>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Serve { config } => {
            let config = command::load(&config)?;
            kit::telemetry::init(config.logs, "info")?;
            serve(config).await
        }
        Command::Migrate { config } => command::migrate(&config).await,
        Command::Check { config, json } => {
            let now = schemas::time::Clock::now(&kit::clock::TokioClock);
            let report = credit::check::check(&config, now).await;
            print!("{}", report.text(json));
            anyhow::ensure!(report.holds(), "the configuration would not work");
            Ok(())
        }
        Command::VerifyDecision { file, table } => verify_decision(&file, table.as_deref()),
        Command::Score { what } => command::score(what).await,
        Command::Scorecard { what } => command::scorecard(what).await,
        Command::Ledger { what } => command::ledger(what).await,
        Command::Daily(what) => command::daily(what).await,
        Command::User { what } => command::user(what).await,
        Command::Borrower { what } => command::borrower(what).await,
        Command::Client { what } => command::client(what).await,
        Command::ExportKey { config } => command::export_key(&config),
        Command::Audit { config, head } => command::audit(&config, head).await,
    }
}

/// A decision with what it was made from, as the service answers it.
#[derive(Deserialize)]
struct Kept {
    decision: Decision,
    inputs: Inputs,
    facts: Facts,
}

fn verify_decision(file: &Path, table: Option<&Path>) -> anyhow::Result<()> {
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let kept: Kept = serde_json::from_slice(&text).context("this is no kept decision")?;
    let record = Record {
        decision: kept.decision,
        inputs: serde_json::to_vec(&kept.inputs)?,
        facts: kept.facts.to_bytes()?,
        beside: credit::loan::Beside::default(),
    };
    let model = match table {
        Some(table) => Model::parse(
            &table.display().to_string(),
            &std::fs::read_to_string(table)?,
        )?,
        None => Model::built_in()?,
    };
    record.explain(&model)?;
    println!(
        "decision {} follows from its inputs and facts",
        record.decision.decision_id
    );
    Ok(())
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let source = &config.evidence;
    let base = source.base.as_deref();
    let base = base.context("evidence.base: the address of the evidence service is needed")?;
    let mut evidence = Http::new(base, source.timeout, source.max_bytes)?;
    if let Some(file) = &source.token_file {
        let token = std::fs::read_to_string(file).context("evidence.token_file cannot be read")?;
        evidence = evidence.with_token(token.trim().to_owned());
    }
    let shutdown = kit::shutdown::on_signals()?;
    let clock = Arc::new(kit::clock::TokioClock);
    let handle = credit::run(config, Arc::new(evidence), clock, shutdown).await?;
    tracing::info!(address = %handle.address, "credit listens");
    handle.join.await.context("the service broke off")
}
