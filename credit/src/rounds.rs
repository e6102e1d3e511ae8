//! What the service does by itself, every minute of the injected clock.
//!
//! Whether a minute is over is asked once a second of real time, so that a replay whose clock runs
//! through years is not held up at each of its minutes: it is done as often as a second allows.

use std::sync::Arc;
use std::time::Duration;

use schemas::time::Clock;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Between two rounds, by the injected clock.
pub const EVERY: Duration = Duration::from_secs(60);
/// Between two questions whether that time is over.
const ASKED: Duration = Duration::from_secs(1);

/// Does it at once and then each minute until the token is cancelled; a round that has begun is
/// ended first.
#[must_use]
pub fn spawn<F, R>(clock: Arc<dyn Clock>, shutdown: CancellationToken, round: F) -> JoinHandle<()>
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    tokio::spawn(async move {
        let mut next = clock.now();
        let mut ticks = tokio::time::interval(ASKED);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let now = clock.now();
            // A clock that was put back stops no rounds.
            if now < next && next.since(now) <= EVERY {
                continue;
            }
            next = now + EVERY;
            round().await;
        }
    })
}
