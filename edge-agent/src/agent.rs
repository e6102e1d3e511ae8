//! The running agent: what it is asked and told, and what it ends with. Who the device is stands in
//! `who`, how its parts are put together in `start`.

mod heartbeat;
mod sources;
mod start;
mod who;

use std::sync::Arc;
use std::time::Duration;

use schemas::ids::DeviceAddress;
use schemas::time::Clock;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::start::{Time, start};
use self::who::Identity;
use crate::clock::{DeviceClock, Machine};
use crate::config::Config;
use crate::identity::IdentityError;
use crate::outbox::{Outbox, OutboxError};
use crate::picture::Parts;
use crate::source::{self, Board, CatchUp};
use crate::status::Status;
use crate::tls::TlsError;
use crate::trust::TrustError;

pub(crate) use self::sources::{rules, settle, start_sources};
pub(crate) use self::who::{first_not_allowed, first_rule_not_allowed};

/// How long the outbox may take to answer: a disk that is busy is no reason to restart.
const ALIVE_WITHIN: Duration = Duration::from_secs(10);

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
    /// A rule asks for what the device's record does not allow.
    #[error("rule \"{rule}\": the device's record does not allow {what}")]
    RuleNotAllowed {
        /// Name of the rule.
        rule: String,
        /// The place or step.
        what: String,
    },
    /// The configuration is another device's.
    #[error(
        "device.name is `{name}`, but this state directory is enrolled as `{enrolled}`: the \
         configuration or the directory is another device's"
    )]
    OtherDevice {
        /// By the configuration.
        name: String,
        /// By the enrolment.
        enrolled: String,
    },
    /// A task of the agent has panicked.
    #[error("a task of the agent has failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// A running agent. Dropping it does not end the agent; its shutdown token does.
pub struct Handle {
    device: DeviceAddress,
    clock: Arc<dyn Clock>,
    outbox: Outbox,
    parts: Parts,
    status: watch::Receiver<Status>,
    catch_up: Vec<mpsc::Sender<CatchUp>>,
    boards: Vec<Board>,
    supervisor: JoinHandle<Result<(), RunError>>,
}

impl Handle {
    /// The device's address.
    #[must_use]
    pub const fn device(&self) -> &DeviceAddress {
        &self.device
    }

    /// The clock that the agent runs on: what it says of times is counted by it.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The agent's picture of itself, as it changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The agent's picture of itself now.
    #[must_use]
    pub fn snapshot(&self) -> Status {
        self.parts.join(&self.status.borrow())
    }

    /// True if the outbox's writer takes a job and answers it within ten seconds: what a watchdog
    /// wants to know.
    pub async fn is_alive(&self) -> bool {
        matches!(
            tokio::time::timeout(ALIVE_WITHIN, self.outbox.touch()).await,
            Ok(Ok(()))
        )
    }

    /// How each source is, as it changes, in the order of the configuration.
    #[must_use]
    pub fn sources(&self) -> Vec<watch::Receiver<source::State>> {
        self.boards.iter().map(Board::watch).collect()
    }

    /// Makes every source hand on what it has (a scan file to its end, a reading that is due); all
    /// of it is durable when this returns, and the clock may be moved on. The open statement stays
    /// open.
    pub async fn settle(&self) {
        settle(&self.catch_up).await;
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

    /// Ends the agent: hands on what sources have, closes and stores what is open, and gives the
    /// platform a moment to take it over, for `patience` at most in all. Where the outbox is full,
    /// sources hold what they have and are read again from there at the next start. The last picture.
    ///
    /// # Errors
    /// As [`Handle::join`].
    pub async fn stop(
        self,
        shutdown: &CancellationToken,
        patience: Duration,
    ) -> Result<Status, RunError> {
        let taking_over = async {
            let mut status = self.status();
            if self.snapshot().connected && self.drain().await.is_ok() {
                let receipted = status.wait_for(|now| now.receipts_waiting == 0 || !now.connected);
                // Whatever has no receipt is sent again at the next start.
                let _ = receipted.await;
            }
        };
        // A source that a full outbox keeps waiting answers to nothing but the end.
        let _ = tokio::time::timeout(patience, taking_over).await;
        shutdown.cancel();
        let left = self.snapshot();
        self.join().await?;
        Ok(left)
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

/// Starts the agent on a clock that somebody else moves; what statements say of it is the
/// configuration's word. It runs until `shutdown`: then sources stop, waiting readings become
/// events, the open statement is closed and stored, and the connection ends.
///
/// # Errors
/// [`RunError`]; nothing runs then.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<Handle, RunError> {
    let identity = Identity::load(&config)?;
    let time = Time {
        clock,
        known: crate::clock::fixed(config.device.clock.stated()),
        floor: identity.floor(),
        device: None,
    };
    start(config, identity, time, shutdown).await
}

/// Starts the agent on a device's own clock, which may be wrong, unknown, or set while it runs.
///
/// # Errors
/// As [`run`].
pub async fn run_on_device(
    config: Config,
    machine: Arc<dyn Machine>,
    shutdown: CancellationToken,
) -> Result<Handle, RunError> {
    let identity = Identity::load(&config)?;
    let floor = identity.floor();
    let clock = DeviceClock::new(machine, floor.clone(), config.device.clock);
    let clock = Arc::new(clock);
    let time = Time {
        known: clock.known(),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        floor,
        device: Some(clock),
    };
    start(config, identity, time, shutdown).await
}
