//! Where facts come from. Each kind of source is a module; the agent knows only [`Source`].
//!
//! A source waits on the agent's clock, hands on what it has read and waits until that is durable
//! before it waits again. So moved time never outruns the disk, and nothing is read twice as
//! fast as it can be kept.

pub mod modbus;
pub mod scan;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::time::{Clock, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::outbox::{Outbox, OutboxError};

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
}

/// A sensor, a scanner, anything that states facts.
#[async_trait]
pub trait Source: Send {
    /// Runs until `shutdown`; troubles of the outside world are its own to report and survive.
    async fn run(self: Box<Self>, context: SourceContext);
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
