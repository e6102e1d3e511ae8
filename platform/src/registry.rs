//! Keys and who answers for them, as ingest sees them.
//!
//! One [`Snapshot`] is in force at a time. Ingest holds [`Gate::enter`] from its first look at the
//! snapshot until its commit; the notary closes the gate, appends the new head to the log, and only
//! then swaps the snapshot. So every statement is checked against the very head that its batch
//! header will carry, and versions never fall in log order.
//!
//! - `snapshot`: the registry at one version
//! - `admit`: what a record must be before it comes in

mod admit;
mod snapshot;

use std::sync::Arc;

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use admit::AdmitError;
pub use snapshot::{Entry, Snapshot};

/// The snapshot in force, and the gate that keeps ingest and a new head apart.
#[derive(Debug)]
pub struct Gate(RwLock<Arc<Snapshot>>);

impl Gate {
    /// A gate with this snapshot in force.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self(RwLock::new(Arc::new(snapshot)))
    }

    /// Held by ingest from its first look until its commit.
    pub async fn enter(&self) -> RwLockReadGuard<'_, Arc<Snapshot>> {
        self.0.read().await
    }

    /// The snapshot, for readers that write nothing.
    pub async fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&*self.0.read().await)
    }

    /// Waits until no ingest is inside and keeps it out.
    pub(crate) async fn close(&self) -> RwLockWriteGuard<'_, Arc<Snapshot>> {
        self.0.write().await
    }
}
