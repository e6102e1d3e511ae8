//! The watch over pledged goods: once a second it asks for what is new in the chains of watched
//! sensors' devices, verifies it, and freezes what was breached or fell silent.
//!
//! Three rules (`docs/pledge.md`, "How readings reach the watch"):
//!
//! - **Bad news from anybody, good news from a sensor.** A reading outside the limits freezes whatever
//!   its source; one inside says that the sensor lives only if a sensor measured it and no statement
//!   before it is missing.
//! - **No answer is silence.** A platform that is away, a bundle that does not verify and a statement
//!   that is left out all end as silence, raised by the service's own clock.
//! - **Slow ones hold nobody up.** Each device is asked for itself; a stream is looked at every second
//!   whether its device's answer is there or not.
//!
//! How often it asks is real time: waiting for another computer is. What it judges by is the clock that
//! it was given.

mod chain;
mod round;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemas::time::Clock;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::evidence::EvidencePort;
use crate::evidence::verify::TrustedPolicy;
use crate::store::Tables;

pub use chain::{Proven, Temperature};
pub use round::{Heeded, Round};

/// How often devices are asked and streams are looked at.
pub const EVERY: Duration = Duration::from_secs(1);

/// Devices that are asked, and bundles that are verified, at once; one may have 32 MiB.
const AT_ONCE: usize = 8;

/// What the watch needs.
pub struct Watcher {
    store: Arc<dyn Tables>,
    evidence: Arc<dyn EvidencePort>,
    policy: TrustedPolicy,
    late_after: Duration,
    clock: Arc<dyn Clock>,
    room: Semaphore,
    /// Questions whose answer is awaited. Held for a moment only, never over an await.
    busy: Mutex<BTreeSet<round::Question>>,
}

impl Watcher {
    /// A watch over a store, a source of chains and the policy that these must be proven under. An event
    /// anchored later than `late_after` after its own time counts as declared.
    #[must_use]
    pub fn new(
        store: Arc<dyn Tables>,
        evidence: Arc<dyn EvidencePort>,
        policy: TrustedPolicy,
        late_after: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            evidence,
            policy,
            late_after,
            clock,
            room: Semaphore::new(AT_ONCE),
            busy: Mutex::default(),
        }
    }

    /// Watches until it is cancelled. What was not kept by then is asked for again at the next start.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut rounds = tokio::time::interval(EVERY);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut asked = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = rounds.tick() => self.turn(&mut asked).await,
                Some(_) = asked.join_next() => {}
            }
        }
        asked.shutdown().await;
    }

    /// Asks what is not being asked already, without waiting, and looks at every stream.
    async fn turn(self: &Arc<Self>, asked: &mut JoinSet<()>) {
        let followed = match self.followed().await {
            Ok(followed) => followed,
            Err(error) => {
                let error = schemas::causes::causes(&error);
                tracing::error!(error, "watched streams cannot be read");
                return;
            }
        };
        for chain in round::chains(&followed) {
            if !self.is_taken_up(chain.question()) {
                continue;
            }
            let watch = Arc::clone(self);
            asked.spawn(async move {
                watch.hear(&chain).await;
                watch.is_done(chain.question());
            });
        }
        self.look_at(&followed).await;
    }

    /// True for whoever comes first, until it is done.
    fn is_taken_up(&self, question: &round::Question) -> bool {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.insert(question.clone())
    }

    fn is_done(&self, question: &round::Question) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(question);
    }
}

#[cfg(test)]
mod tests;
