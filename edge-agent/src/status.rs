//! What the agent says of itself, for people, tests and the simulator.

use schemas::hash::Hash;
use schemas::statement::Position;
use schemas::time::Instant;
use serde::Serialize;

/// A picture of the agent. Counts are of this state directory since its enrolment, not of the
/// process, so that they survive a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// Events that are durable in the outbox.
    pub events_made: u64,
    /// Statements signed, notes not counted.
    pub statements_made: u64,
    /// Notes signed.
    pub notes_made: u64,
    /// Events that no receipt covers yet: in the open statement or in one that waits.
    pub bodies_waiting: u64,
    /// Statements and notes that no receipt covers yet.
    pub receipts_waiting: u64,
    /// Statements and notes whose inclusion in a witnessed checkpoint is not verified yet.
    pub inclusions_waiting: u64,
    /// True while the broker has this client.
    pub connected: bool,
    /// Readings taken, good and suspect.
    pub readings: u64,
    /// Readings beyond their alarm limits.
    pub readings_beyond_limits: u64,
    /// Scan lines that were refused.
    pub bad_lines: u64,
    /// Events that the platform's receipts name as refused.
    pub events_refused: u64,
    /// What needs a person: statements past their anchor deadline, receipts and checkpoints that
    /// do not verify.
    pub alarms: u64,
    /// Time of the newest verified receipt, by the platform's clock.
    pub last_receipt: Option<Instant>,
    /// When something was signed last, by the agent's clock.
    pub last_said: Option<Instant>,
    /// Newest statement or note.
    pub head: Option<Head>,
    /// Newest checkpoint that this device has verified: its size.
    pub seen_size: Option<u64>,
    /// Contradictions between what this gateway and another one have seen of the log; the notes
    /// are in the state directory.
    pub other_logs: u64,
    /// Why the outbox cannot write at the moment; empty while all is well.
    pub trouble: String,
}

impl Status {
    /// True when everything that was said has its receipt and its verified inclusion.
    #[must_use]
    pub const fn is_drained(&self) -> bool {
        self.bodies_waiting == 0 && self.receipts_waiting == 0 && self.inclusions_waiting == 0
    }
}

/// End of the device's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Epoch.
    pub epoch: u64,
    /// Number within the epoch.
    pub seq: u64,
    /// Statement id.
    pub id: Hash,
}

impl Head {
    /// Epoch and number.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            seq: self.seq,
        }
    }
}
