//! Where facts come from. Each kind of source is a module; the agent knows only [`Source`].
//!
//! A source waits on the agent's clock, hands on what it has read and waits until that is durable
//! before it waits again. So moved time never outruns the disk, and nothing is read twice as
//! fast as it can be kept.
//!
//! | what it is | modules |
//! |---|---|
//! | asked at an interval ([`poll::Device`]) | [`modbus`], [`sysfs`], [`gpsd`] |
//! | speaks by itself: scanners | [`scanner`] with its readers [`serial`] and [`evdev`] |
//! | files | [`scan`] (lines that grow), [`folder`] (whole files) |
//!
//! Scan files and scanners with rules put bare codes on a [`crate::compose::desk::Desk`] and keep
//! what waits there in the outbox (`desk`).
//!
//! [`Source`] says nothing about asking: a source that is told (OPC UA subscriptions, LLRP reports,
//! Sparkplug B) implements it directly, as scanners do.

mod desk;
pub mod evdev;
pub mod folder;
pub mod gpsd;
pub mod judge;
pub mod modbus;
pub mod poll;
pub mod probe;
mod rejects;
pub(crate) mod remedy;
pub mod scan;
pub mod scanner;
pub mod serial;
mod state;
pub mod sysfs;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::time::{Clock, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::compose::desk::KeptCodes;
use crate::compose::line::Composed;
use crate::config::{Config, SourceConfig};
use crate::outbox::{Fault, Outbox, OutboxError, ScanBatch, ScanPosition};
use crate::state::Text;

pub use probe::{Probed, probe};
pub use state::{Board, Counts, Last, Quality, Standing, State};

/// Wait before the outbox is tried again after it could not write.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Asks a source to hand on what it has; answered when that is durable.
pub type CatchUp = oneshot::Sender<()>;

/// What a source runs with.
pub struct SourceContext {
    /// Takes readings and lines over.
    pub outbox: Outbox,
    /// Domain time.
    pub clock: Arc<dyn Clock>,
    /// When the agent started: what is due from then on is due, however late this task first runs.
    pub started: Instant,
    /// Ends the source.
    pub shutdown: CancellationToken,
    /// Requests to catch up now.
    pub catch_up: mpsc::Receiver<CatchUp>,
    /// Where the source shows how it is.
    pub board: Board,
}

/// A sensor, a scanner, anything that states facts.
#[async_trait]
pub trait Source: Send {
    /// Runs until `shutdown`; troubles of the outside world are its own to report and survive.
    async fn run(self: Box<Self>, context: SourceContext);
}

/// Why a source gives nothing, and what a person can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Trouble {
    /// What is wrong, in words.
    pub cause: String,
    /// What to do about it.
    pub remedy: Text,
}

impl Trouble {
    pub(crate) fn new(cause: impl Into<String>, remedy: Text) -> Self {
        Self {
            cause: cause.into(),
            remedy,
        }
    }
}

/// The configured sources, in their order, ready to run.
#[must_use]
pub fn build(config: &Config) -> Vec<Box<dyn Source>> {
    let mut ports = modbus::Ports::default();
    let zone = config.device.time_zone_minutes;
    let one = |source: &SourceConfig| -> Box<dyn Source> {
        match source {
            SourceConfig::Modbus(modbus) => Box::new(modbus::source(modbus, &mut ports)),
            SourceConfig::Sysfs(sysfs) => Box::new(sysfs::source(sysfs)),
            SourceConfig::Gpsd(gpsd) => Box::new(gpsd::source(gpsd)),
            SourceConfig::Scanner(scanner) => Box::new(scanner::ScannerSource::new(
                scanner.clone(),
                zone,
                &config.state,
            )),
            SourceConfig::Lines(lines) => Box::new(scan::ScanSource::new(lines.clone(), zone)),
            SourceConfig::Folder(folder) => {
                Box::new(folder::FolderSource::new(folder.clone(), zone))
            }
        }
    };
    config.sources.iter().map(one).collect()
}

/// A source's trouble: a signed note when it begins, and one with its range when it is over.
struct Faults {
    /// The sensor, port or path, as the notes name it.
    name: String,
    since: Option<Instant>,
}

impl Faults {
    const fn new(name: String) -> Self {
        Self { name, since: None }
    }

    /// Says a trouble once, however often it is met; the state shows the newest.
    async fn begins(&mut self, context: &SourceContext, now: Instant, trouble: &Trouble) {
        context.board.fault(self.since.unwrap_or(now), trouble);
        if self.since.is_some() {
            tracing::debug!(source = self.name, %trouble, "still in trouble");
            return;
        }
        tracing::warn!(source = self.name, %trouble, remedy = trouble.remedy.en, "in trouble");
        self.since = Some(now);
        self.say(context, &trouble.cause, None).await;
    }

    /// Says that the trouble is over, if there was one.
    async fn over(&mut self, context: &SourceContext, now: Instant) {
        if let Some(since) = self.since.take() {
            context.board.well();
            tracing::info!(source = self.name, "well again");
            self.say(context, "readings again", Some((since, now)))
                .await;
        }
    }

    async fn say(&self, context: &SourceContext, text: &str, range: Option<(Instant, Instant)>) {
        let fault = Fault {
            sensor: self.name.clone(),
            text: text.to_owned(),
            range,
        };
        until_stored(&context.shutdown, || context.outbox.fault(fault.clone())).await;
    }
}

/// Rounds of a source that looks at somebody else's files.
#[derive(Default)]
struct Rounds {
    /// Who asked for the round that goes on.
    asked: Option<CatchUp>,
}

impl Rounds {
    /// Tells whoever asked for a round that it is over, and waits for the next one: for `wait`, or
    /// until somebody asks. False where the agent stops.
    async fn next(&mut self, context: &mut SourceContext, wait: Duration) -> bool {
        if let Some(done) = self.asked.take() {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
        tokio::select! {
            () = context.shutdown.cancelled() => return false,
            Some(request) = context.catch_up.recv() => self.asked = Some(request),
            () = tokio::time::sleep(wait) => {}
        }
        true
    }
}

/// What came of lines or codes between two positions.
struct Batch<'b> {
    /// The source, as the outbox names its position.
    name: &'b str,
    from: &'b ScanPosition,
    to: &'b ScanPosition,
    /// What the events are worth.
    worth: schemas::event::Source,
    events: &'b [Composed],
    bad_lines: u64,
    kept: Option<KeptCodes>,
    /// What was read last, to be shown.
    newest: Option<&'b str>,
}

impl Batch<'_> {
    /// Into the outbox, then onto the board; false if the agent stops before.
    async fn hand_over(&self, context: &SourceContext) -> bool {
        let make = || ScanBatch {
            path: self.name.to_owned(),
            from: self.from.clone(),
            to: self.to.clone(),
            source: self.worth,
            events: self.events.to_vec(),
            bad_lines: self.bad_lines,
            kept: self.kept.clone(),
        };
        let stored = until_stored(&context.shutdown, || context.outbox.scan(make())).await;
        if stored {
            let (now, good) = (context.clock.now(), self.events.len() as u64);
            context
                .board
                .scanned(now, good, self.bad_lines, self.newest);
        }
        stored
    }
}

/// Repeats `hand_over` until the outbox has stored it; false if the agent stops before.
///
/// A full disk delays a source, it does not make it lose what it holds.
async fn until_stored<F>(shutdown: &CancellationToken, mut hand_over: impl FnMut() -> F) -> bool
where
    F: Future<Output = Result<(), OutboxError>>,
{
    loop {
        match hand_over().await {
            Ok(()) => return true,
            Err(OutboxError::Closed) => return false,
            Err(error) => tracing::warn!(%error, "not stored, trying again"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return false,
            () = tokio::time::sleep(RETRY_AFTER) => {}
        }
    }
}
