//! Keys and who answers for them, as ingest sees them.
//!
//! One [`Snapshot`] is in force at a time, and the database knows its version. Ingest checks against
//! the snapshot and hands its version to the store, which compares it in the transaction that keeps
//! the statements; the notary appends a new head in a transaction that waits for those, and only
//! then swaps the snapshot. So every statement is checked against the very head that its batch
//! header will carry, and versions never fall in log order, whichever process took it.
//!
//! - `snapshot`: the registry at one version
//! - `admit`: what a record must be before it comes in

mod admit;
mod snapshot;

use std::sync::Arc;

use tokio::sync::watch;

pub use admit::AdmitError;
pub use snapshot::{Entry, Snapshot};

/// The snapshot in force in this process.
#[derive(Debug)]
pub struct Gate(watch::Sender<Arc<Snapshot>>);

impl Gate {
    /// A gate with this snapshot in force.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self(watch::Sender::new(Arc::new(snapshot)))
    }

    /// The snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.borrow())
    }

    /// Waits until another version than this is in force.
    pub async fn moved_from(&self, version: u64) {
        let mut seen = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = seen
            .wait_for(|snapshot| snapshot.head.map_or(0, |head| head.version) != version)
            .await;
    }

    pub(crate) fn set(&self, snapshot: Arc<Snapshot>) {
        self.0.send_replace(snapshot);
    }
}
