//! The running agent: sources, outbox, heartbeat and uplink, and the order in which they end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::event::Source as Origin;
use schemas::ids::DeviceAddress;
use schemas::time::{Clock, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, SensorRule, SourceConfig};
use crate::follow::Follower;
use crate::identity::{self, IdentityError};
use crate::inquiry::Inquiry;
use crate::outbox::{self, Opening, Outbox, OutboxError};
use crate::peers::{Checkpoints, Peers};
use crate::source::modbus::ModbusSource;
use crate::source::scan::ScanSource;
use crate::source::{CatchUp, Source, SourceContext};
use crate::status::Status;
use crate::tls::TlsError;
use crate::trust::{Enrolment, Trust, TrustError};
use crate::uplink::Uplink;

/// Why the agent does not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No key or no enrolment in the state directory.
    #[error("this device is not enrolled: run `edge-agent enrol` with a claim of its organisation")]
    NotEnrolled,
    /// The key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The enrolment.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The CA.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address for other gateways.
    #[error("cannot listen for other gateways")]
    Peers(#[source] std::io::Error),
    /// No HTTP client for the platform.
    #[error("the platform cannot be asked: {0}")]
    Platform(String),
    /// The configuration asks for what the device's record does not allow.
    #[error("source {number}: the device's record does not allow {what}")]
    NotAllowed {
        /// Number of the source, from 1.
        number: usize,
        /// The place, step or kind.
        what: String,
    },
    /// A task of the agent has panicked.
    #[error("a task of the agent has failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// A running agent. Dropping it does not end the agent; its shutdown token does.
pub struct Handle {
    device: DeviceAddress,
    outbox: Outbox,
    connected: watch::Receiver<bool>,
    status: watch::Receiver<Status>,
    catch_up: Vec<mpsc::Sender<CatchUp>>,
    supervisor: JoinHandle<Result<(), RunError>>,
}

impl Handle {
    /// The device's address.
    #[must_use]
    pub const fn device(&self) -> &DeviceAddress {
        &self.device
    }

    /// The agent's picture of itself, as it changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The agent's picture of itself now.
    #[must_use]
    pub fn snapshot(&self) -> Status {
        let status = self.outbox.status().borrow().clone();
        Status {
            connected: *self.connected.borrow(),
            ..status
        }
    }

    /// Makes every source hand on what it has (a scan file to its end, a reading that is due); all
    /// of it is durable when this returns, and the clock may be moved on. The open statement stays
    /// open.
    pub async fn settle(&self) {
        for source in &self.catch_up {
            let (done, answer) = oneshot::channel();
            if source.send(done).await.is_ok() {
                // A source that ends instead has nothing more to hand on.
                let _ = answer.await;
            }
        }
    }

    /// [`Handle::settle`], then closes the open statement, so that it can be sent.
    ///
    /// # Errors
    /// [`OutboxError`] if the outbox cannot write or the agent has ended.
    pub async fn flush(&self) -> Result<(), OutboxError> {
        self.settle().await;
        self.outbox.flush().await
    }

    /// [`Handle::flush`], and readings that wait for more of their kind become events now: the end
    /// of a shift, of a lot, of a run.
    ///
    /// # Errors
    /// As [`Handle::flush`].
    pub async fn drain(&self) -> Result<(), OutboxError> {
        self.flush().await?;
        self.outbox.drain().await
    }

    /// Waits until everything said has its receipt and its verified inclusion; the caller sets the
    /// deadline. False if the agent ends before.
    pub async fn taken_over(&self) -> bool {
        let mut status = self.outbox.status();
        status.wait_for(Status::is_drained).await.is_ok()
    }

    /// Waits for the agent's end, after its shutdown token has been cancelled.
    ///
    /// # Errors
    /// [`RunError::Task`] if one of its tasks has panicked.
    pub async fn join(self) -> Result<(), RunError> {
        let Self {
            outbox,
            catch_up,
            supervisor,
            ..
        } = self;
        drop((outbox, catch_up));
        supervisor.await?
    }
}

/// Starts the agent. It runs until `shutdown`: then sources stop, waiting readings become events,
/// the open statement is closed and stored, and the connection ends.
///
/// # Errors
/// [`RunError`]; nothing runs then.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<Handle, RunError> {
    let key = identity::load(&config.state)?.ok_or(RunError::NotEnrolled)?;
    let enrolment = Enrolment::load(&config.state)?.ok_or(RunError::NotEnrolled)?;
    let trust = enrolment.trust(&key.public())?;
    check_allowed(&config, &trust)?;
    let (outbox, writer) = outbox::open(Opening {
        state: config.state.clone(),
        key,
        trust: trust.clone(),
        clock: clock.clone(),
        clock_state: config.device.clock,
        rules: rules(&config),
        time_zone_minutes: config.device.time_zone_minutes,
    })
    .await?;
    let (connected, is_connected) = watch::channel(false);
    let uplink_shutdown = CancellationToken::new();
    let uplink = Uplink::new(
        config.uplink.clone(),
        &enrolment,
        &trust,
        outbox.clone(),
        connected,
        uplink_shutdown.clone(),
    )?;
    let follower = Follower {
        policies: trust.policies.clone(),
        state: config.state.clone(),
        enrolment: enrolment.clone(),
    };
    let inquiry = Inquiry::new(&enrolment.platform, &enrolment.ca, outbox.clone())
        .map_err(RunError::Platform)?;
    let (sources, catch_up) = start_sources(&config, &outbox, &clock, &shutdown);
    let heartbeat = heartbeat_interval(&config, &trust)
        .map(|interval| Heartbeat::new(outbox.clone(), clock, interval))
        .map(|heartbeat| tokio::spawn(heartbeat.run(shutdown.clone())));
    let inquiry = tokio::spawn(inquiry.run(shutdown.clone()));
    let follower = tokio::spawn(follower.run(shutdown.clone()));
    let (found, other_logs) = watch::channel(0);
    let peers = start_peers(&config, &enrolment, &trust, &outbox, found, &shutdown).await?;
    let (status, seen) = watch::channel(Status::default());
    let heard = (is_connected.clone(), other_logs);
    let reporter = tokio::spawn(report(outbox.status(), heard, status));
    let tasks = Tasks {
        sources: sources
            .into_iter()
            .chain(heartbeat)
            .chain([inquiry, follower])
            .chain(peers)
            .collect(),
        uplink: tokio::spawn(uplink.run()),
        uplink_shutdown,
        reporter,
        writer,
        outbox: outbox.clone(),
    };
    Ok(Handle {
        device: trust.device,
        outbox,
        connected: is_connected,
        status: seen,
        catch_up,
        supervisor: tokio::spawn(tasks.supervise(shutdown)),
    })
}

/// Shows other gateways what this one has seen, where the configuration names them.
async fn start_peers(
    config: &Config,
    enrolment: &Enrolment,
    trust: &Trust,
    outbox: &Outbox,
    found: watch::Sender<u64>,
    shutdown: &CancellationToken,
) -> Result<Option<JoinHandle<()>>, RunError> {
    let Some(section) = config.peers.clone() else {
        return Ok(None);
    };
    let own = Arc::new(outbox.clone());
    let platform = (enrolment.platform.as_str(), enrolment.ca.as_str());
    let policies = trust.policies.clone();
    let peers = Peers::new(section, own, policies, platform, &config.state, found);
    let peers = peers.map_err(RunError::Platform)?;
    let listener = peers.bind().await.map_err(RunError::Peers)?;
    Ok(Some(tokio::spawn(peers.run(listener, shutdown.clone()))))
}

#[async_trait]
impl Checkpoints for Outbox {
    async fn newest(&self) -> Option<Vec<u8>> {
        let note = self.checkpoint().await;
        note.inspect_err(|error| tracing::warn!(%error, "the newest checkpoint cannot be read"))
            .ok()?
    }
}

fn rules(config: &Config) -> Vec<SensorRule> {
    let rule = |source: &SourceConfig| match source {
        SourceConfig::Modbus(modbus) => Some(modbus.rule.clone()),
        SourceConfig::Lines(_) => None,
    };
    config.sources.iter().filter_map(rule).collect()
}

/// What the platform would refuse event by event is refused here at once.
fn check_allowed(config: &Config, trust: &Trust) -> Result<(), RunError> {
    let record = &trust.record;
    for (index, source) in config.sources.iter().enumerate() {
        let refuse = |what: String| {
            Err(RunError::NotAllowed {
                number: index + 1,
                what,
            })
        };
        let (place, step, origin) = match source {
            SourceConfig::Modbus(modbus) => {
                (&modbus.rule.place, Some(&modbus.rule.step), Origin::Sensor)
            }
            SourceConfig::Lines(lines) => (&lines.place, None, lines.source),
        };
        if !record.places.contains(place) {
            return refuse(format!("the place {place}"));
        }
        if let Some(step) = step.filter(|step| !record.steps.contains(step)) {
            return refuse(format!("the step {step}"));
        }
        if !record.sources.contains(&origin.number()) {
            return refuse(format!("the source {}", origin.word()));
        }
    }
    Ok(())
}

type Started = (Vec<JoinHandle<()>>, Vec<mpsc::Sender<CatchUp>>);

fn start_sources(
    config: &Config,
    outbox: &Outbox,
    clock: &Arc<dyn Clock>,
    shutdown: &CancellationToken,
) -> Started {
    let start = |source: &SourceConfig| {
        let (ask, catch_up) = mpsc::channel(1);
        let context = SourceContext {
            outbox: outbox.clone(),
            clock: clock.clone(),
            started: clock.now(),
            shutdown: shutdown.clone(),
            catch_up,
        };
        let source: Box<dyn Source> = match source {
            SourceConfig::Modbus(modbus) => Box::new(ModbusSource::new(modbus.clone())),
            SourceConfig::Lines(lines) => Box::new(ScanSource::new(
                lines.clone(),
                config.device.time_zone_minutes,
            )),
        };
        (tokio::spawn(source.run(context)), ask)
    };
    config.sources.iter().map(start).unzip()
}

/// The shorter of what the configuration and what the device's record ask for.
fn heartbeat_interval(config: &Config, trust: &Trust) -> Option<Duration> {
    let recorded = Some(Duration::from_secs(trust.record.heartbeat)).filter(|time| !time.is_zero());
    [config.device.heartbeat, recorded]
        .into_iter()
        .flatten()
        .min()
}

/// Speaks when nothing was said for half a heartbeat.
struct Heartbeat {
    outbox: Outbox,
    status: watch::Receiver<Status>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    started: Instant,
}

impl Heartbeat {
    /// Counts from now, before its task first runs: moved time must not overtake it.
    fn new(outbox: Outbox, clock: Arc<dyn Clock>, interval: Duration) -> Self {
        let (status, started) = (outbox.status(), clock.now());
        Self {
            outbox,
            status,
            clock,
            interval,
            started,
        }
    }

    async fn run(self, shutdown: CancellationToken) {
        let half = self.interval / 2;
        // A little after sources that are due at the same instant, so that they speak for it.
        let grace = (half / 8).min(Duration::from_secs(1));
        loop {
            let last = self.last();
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.clock.sleep_until(last + half + grace) => {}
            }
            if self.last() == last {
                self.speak(last).await;
            }
        }
    }

    fn last(&self) -> Instant {
        self.status
            .borrow()
            .last_said
            .unwrap_or(self.started)
            .max(self.started)
    }

    async fn speak(&self, since: Instant) {
        if let Err(error) = self.outbox.heartbeat(since).await {
            tracing::warn!(%error, "no heartbeat");
            // An outbox that cannot write is tried again, not hammered.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Joins the outbox's counts with the uplink's state.
async fn report(
    mut counts: watch::Receiver<Status>,
    (mut connected, mut other_logs): (watch::Receiver<bool>, watch::Receiver<u64>),
    status: watch::Sender<Status>,
) {
    // Without a task that compares, nobody ever speaks here.
    let mut compares = true;
    loop {
        let joined = Status {
            connected: *connected.borrow_and_update(),
            other_logs: *other_logs.borrow_and_update(),
            ..counts.borrow_and_update().clone()
        };
        status.send_replace(joined);
        let more = tokio::select! {
            more = counts.changed() => more,
            more = connected.changed() => more,
            more = other_logs.changed(), if compares => {
                compares = more.is_ok();
                Ok(())
            }
        };
        if more.is_err() {
            return;
        }
    }
}

struct Tasks {
    sources: Vec<JoinHandle<()>>,
    uplink: JoinHandle<()>,
    uplink_shutdown: CancellationToken,
    reporter: JoinHandle<()>,
    writer: JoinHandle<()>,
    outbox: Outbox,
}

impl Tasks {
    async fn supervise(self, shutdown: CancellationToken) -> Result<(), RunError> {
        shutdown.cancelled().await;
        let mut failed = None;
        for source in self.sources {
            failed = source.await.err().or(failed);
        }
        if let Err(error) = self.outbox.drain().await {
            tracing::error!(%error, "the open statement is not stored; its events are");
        }
        self.uplink_shutdown.cancel();
        failed = self.uplink.await.err().or(failed);
        drop(self.outbox);
        failed = self.writer.await.err().or(failed);
        self.reporter.abort();
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}
