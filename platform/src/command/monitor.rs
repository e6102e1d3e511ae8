//! `platform monitor`: arguments in, lines and exit code out.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use schemas::ids::Slug;
use schemas::time::Clock;
use tokio_util::sync::CancellationToken;

use crate::monitor::own::Own;
use crate::monitor::trust::Trust;
use crate::monitor::{AT_ONCE, Monitor, MonitorConfig, Raised, Round, listen};

/// What `platform monitor` is told.
#[derive(Args)]
pub struct Arguments {
    /// Address of the platform; its log is below `/log`.
    #[arg(long)]
    log: String,
    /// Authority behind its HTTPS certificate (PEM), where that is no public one.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Whom you trust: a policy file, or a C2SP tlog-policy.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Folder of what it keeps.
    #[arg(long, value_name = "FOLDER")]
    state: PathBuf,
    /// A device of your own and its key: `ORGANISATION/DEVICE=KID`; may be repeated.
    #[arg(long)]
    own: Vec<String>,
    /// A file of such lines.
    #[arg(long, value_name = "FILE")]
    own_file: Option<PathBuf>,
    /// An organisation that you know; may be repeated. Any other is an alarm.
    #[arg(long = "organisation")]
    organisations: Vec<Slug>,
    /// File with the token of a reader to whom your organisation is open, to read its records.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Address of a witness to ask what it has cosigned; may be repeated. Those of a tlog-policy
    /// are asked too.
    #[arg(long = "witness")]
    witnesses: Vec<String>,
    /// Seconds after which the newest checkpoint is too old.
    #[arg(long, default_value_t = 86_400)]
    stale: u64,
    /// Seconds between rounds.
    #[arg(long, default_value_t = 60)]
    every: u64,
    /// One round only.
    #[arg(long)]
    once: bool,
    /// One JSON object a line instead of words.
    #[arg(long)]
    json: bool,
    /// Listener of `GET /status` and `/metrics`, plain HTTP.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

fn text(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| file.display().to_string())
}

impl Arguments {
    fn config(&self) -> anyhow::Result<MonitorConfig> {
        let file = std::fs::read(&self.policy);
        let file = file.with_context(|| self.policy.display().to_string())?;
        let trust = Trust::parse(&file).with_context(|| self.policy.display().to_string())?;
        let mut own = self.own.join("\n");
        if let Some(file) = &self.own_file {
            own = format!("{own}\n{}", text(file)?);
        }
        let mut witnesses = self.witnesses.clone();
        if let Trust::Tlog(policy) = &trust {
            let urls = policy.witnesses().iter().filter_map(|one| one.url.as_ref());
            witnesses.extend(urls.map(ToString::to_string));
        }
        let known: BTreeSet<Slug> = self.organisations.iter().cloned().collect();
        let token = self.token_file.as_deref().map(text).transpose()?;
        Ok(MonitorConfig {
            log: self.log.clone(),
            ca: self.ca.as_deref().map(text).transpose()?,
            trust,
            state: self.state.clone(),
            own: Own::parse(&own).context("own devices")?,
            organisations: (!known.is_empty()).then_some(known),
            token: token.map(|token| token.trim().to_owned()),
            witnesses,
            stale: Duration::from_secs(self.stale),
            at_once: AT_ONCE,
        })
    }
}

/// Follows the log until `shutdown`, or once.
///
/// # Errors
/// Arguments that cannot be used, and a folder that fails.
pub async fn run(
    arguments: Arguments,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let mut monitor = Monitor::open(arguments.config()?, clock)?;
    if let Some(address) = arguments.listen {
        let served = listen(address, monitor.shared(), shutdown.clone()).await?;
        println!("listening {}", served.url());
    }
    loop {
        let round = monitor.round().await?;
        say(&round, arguments.json);
        if round.behind > 0 && !shutdown.is_cancelled() {
            continue;
        }
        if arguments.once {
            return Ok(exit_code(&round, !monitor.alarms().is_empty()));
        }
        let pause = Duration::from_secs(arguments.every.max(1));
        if tokio::time::timeout(pause, shutdown.cancelled())
            .await
            .is_ok()
        {
            return Ok(exit_code(&round, !monitor.alarms().is_empty()));
        }
    }
}

/// 1 where there ever was an alarm, 2 where something could not be read.
fn exit_code(round: &Round, alarmed: bool) -> ExitCode {
    if alarmed {
        ExitCode::FAILURE
    } else if round.trouble.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    }
}

fn say(round: &Round, json: bool) {
    if json {
        for raised in &round.alarms {
            println!("{}", serde_json::json!({ "alarm": raised }));
        }
        let (size, trouble) = (round.size, &round.trouble);
        println!(
            "{}",
            serde_json::json!({ "size": size, "behind": round.behind, "trouble": trouble })
        );
        return;
    }
    for Raised { time, alarm } in &round.alarms {
        println!("ALARM {time} {}: {}", alarm.code.word(), alarm.words);
    }
    for trouble in &round.trouble {
        println!("not read: {trouble}");
    }
    if round.behind > 0 {
        println!("{} entries are still to be read", round.behind);
    }
    println!("{} entries read and whole", round.size);
}
