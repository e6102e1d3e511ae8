//! `credit daily`: brings every loan to a day.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use chrono::NaiveDate;
use clap::Args;
use credit::store;
use kit::clock::TokioClock;

/// Which day, of which service.
#[derive(Args)]
pub struct Daily {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    /// The day, YYYY-MM-DD in China; today if none is said. Days that were missed are run first.
    #[arg(long)]
    day: Option<NaiveDate>,
}

/// Does it. What was run before is not run again; Ctrl-C stops it after a write, and the next run
/// goes on.
///
/// # Errors
/// When the configuration or the database is refused, another process runs the day, or a loan could
/// not be run.
pub async fn daily(what: Daily) -> anyhow::Result<()> {
    let config = super::load(&what.config)?;
    let clock: Arc<dyn schemas::time::Clock> = Arc::new(TokioClock);
    let tables = store::open(&config.database).await?;
    let room = credit::room(&config, &tables, &clock).await?;
    let lending = credit::lending(&config, tables, room, clock).await?;
    let lending = lending.context("lending: it is not configured")?;
    let stop = kit::shutdown::on_signals()?;
    let holder = format!("command-{}", std::process::id());
    let done = lending.run_day(what.day, &holder, &stop).await?;
    println!(
        "{} loans were run: {} acts, {} entries",
        done.loans, done.acts, done.entries
    );
    for (loan, reason) in &done.failed {
        println!("loan {loan} was not run: {reason}");
    }
    ensure!(!done.stopped, "the run was stopped; the next one goes on");
    ensure!(
        done.failed.is_empty(),
        "{} loans were not run",
        done.failed.len()
    );
    Ok(())
}
