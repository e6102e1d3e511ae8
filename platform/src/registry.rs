//! Keys and who answers for them, as ingest sees them.
//!
//! One [`Snapshot`] is in force at a time, and the database knows its version. Ingest checks against
//! the snapshot and hands its version to the store, which compares it in the transaction that keeps
//! the statements; the notary appends a new head in a transaction that waits for those, and only
//! then swaps the snapshot. So every statement is checked against the very head that its batch
//! header will carry, and versions never fall in log order, whichever process took it.
//!
//! - `snapshot`: the registry at one version, over a million keys (`sorted`: what copies share)
//! - `admit`: what a record must be before it comes in
//! - `load`: from the store, whole or what has changed
//! - `past`: the registry as older headers carry it

mod admit;
mod entry;
mod load;
mod past;
mod snapshot;
mod sorted;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

pub use admit::AdmitError;
pub use entry::Entry;
pub use past::{Past, Registries};
pub use snapshot::Snapshot;

/// How long to wait for the registry that is in force.
const BEHIND: Duration = Duration::from_millis(500);

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

    /// The store says that this version is in force no more: whoever reads the registry is asked to
    /// do so now, and another version is waited for; not for long, and then it is not there.
    pub async fn catch_up(&self, version: u64, reader: &Notify) {
        reader.notify_one();
        let _ = tokio::time::timeout(BEHIND, self.moved_from(version)).await;
    }

    pub(crate) fn set(&self, snapshot: Arc<Snapshot>) {
        self.0.send_replace(snapshot);
    }
}
