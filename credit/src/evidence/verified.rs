//! What is left of a proof bundle after every check held: the only thing that facts are made of.

use std::collections::BTreeMap;

use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::time::Instant;

/// Statements and events of one bundle whose proofs all held, in the bundle's order.
#[derive(Clone, Debug)]
pub struct VerifiedEvidence {
    /// Log origin; one that ends in `/replay` says so on every page.
    pub origin: String,
    /// Hash of the policy under which it was verified: the bank's own, or one that it is linked to.
    pub policy: Hash,
    /// Size of the log at the bundle's newest checkpoint.
    pub log_size: u64,
    /// Root of the log at that size.
    pub root: Hash,
    /// When that checkpoint was witnessed: everything here was in the log by then.
    pub anchored: Instant,
    /// Statements and notes.
    pub statements: Vec<VerifiedStatement>,
    /// Shown and withheld events.
    pub events: Vec<VerifiedEvent>,
}

/// One link of a device's chain.
#[derive(Clone, Debug)]
pub struct VerifiedStatement {
    /// Statement id.
    pub id: Hash,
    /// Who signed.
    pub device: DeviceAddress,
    /// The device's epoch.
    pub epoch: u64,
    /// Place within the epoch.
    pub seq: u64,
    /// Id of the statement before.
    pub prev: Hash,
    /// When the checkpoint that it is shown at was witnessed: it was in the log by then.
    pub anchored: Instant,
    /// Within how many seconds its device promises to speak again; 0 for no promise.
    pub heartbeat_s: u64,
    /// The last place that counts, if the device is retired.
    pub retired_at: Option<(u64, u64)>,
    /// Events thinned away, if this is a note that says so.
    pub thinned: Option<u64>,
    /// Events in it less those that ingest refused and listed.
    pub accepted: u32,
}

/// One event, shown or withheld.
#[derive(Clone, Debug)]
pub struct VerifiedEvent {
    /// Position in [`VerifiedEvidence::statements`].
    pub statement: usize,
    /// Its place within the statement.
    pub index: u64,
    /// The event's identity.
    pub leaf: Hash,
    /// How the device came by it; `None` if the whole event is withheld.
    pub source: Option<Source>,
    /// True if it was anchored when its key was no longer its device's alone, as far as the bundle's
    /// records of the key say (`proof-bundle-v2.md` section 5).
    pub compromised: bool,
    /// Members by name: their value bytes, or `None` for a withheld one.
    pub members: BTreeMap<String, Option<Vec<u8>>>,
}

impl VerifiedEvidence {
    /// The statement that an event stands in.
    #[must_use]
    pub fn statement_of(&self, event: &VerifiedEvent) -> Option<&VerifiedStatement> {
        self.statements.get(event.statement)
    }

    /// Statements of one organisation's devices that were anchored by `as_of`.
    pub fn of<'a>(
        &'a self,
        organisation: &'a Slug,
        as_of: Instant,
    ) -> impl Iterator<Item = &'a VerifiedStatement> {
        self.statements.iter().filter(move |statement| {
            statement.device.organisation == *organisation && statement.anchored <= as_of
        })
    }
}
