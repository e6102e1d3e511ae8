//! What the agent says of itself, for people, tests and the simulator.

use schemas::hash::Hash;
use schemas::statement::{ClockState, Position};
use schemas::time::Instant;
use serde::Serialize;

use crate::state::FILLING_PERCENT;

/// A picture of the agent. Counts are of this state directory since its enrolment, not of the
/// process, so that they survive a restart.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// Readings that were dropped for room; signed notes say when.
    pub events_thinned: u64,
    /// Events that the disk has damaged before the platform had them.
    pub events_damaged: u64,
    /// How often the outbox was found damaged, with or without loss.
    pub damages: u64,
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
    /// Of the alarms: what came as the platform's word and does not verify.
    pub unverified: u64,
    /// Signs that somebody else speaks with this device's key, or that this state directory is a
    /// copy: statements at the platform that were not made here, a session that was taken over.
    pub strangers: u64,
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
    /// Why events are not signed at the moment: `rotation`, `backlog`; empty while they are.
    pub held: String,
    /// Why the outbox cannot write at the moment; empty while all is well.
    pub trouble: String,
    /// Of the alarms: statements past their anchor deadline.
    pub late: u64,
    /// The way to the broker.
    pub link: Link,
    /// What the device knows of its clock.
    #[serde(serialize_with = "clock_word")]
    pub clock: ClockState,
    /// How often the device's clock was set to another time while the agent ran.
    pub clock_steps: u64,
    /// Somebody else speaks with the key that this device uses now, by `strangers`.
    pub copied_key: bool,
    /// Sources without usable readings.
    pub faulty_sources: u64,
    /// Bytes of the outbox that hold something: what the quota counts.
    pub outbox_bytes: u64,
    /// Most bytes that they may have, where there is a limit.
    pub outbox_quota: Option<u64>,
    /// Connected, statements wait, and no receipt has come for long.
    pub platform_silent: bool,
    /// Nothing has been signed for long, since the change of the key has not come to an end.
    pub rotation_waits: bool,
    /// The agent is ending.
    pub stopping: bool,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            events_made: 0,
            statements_made: 0,
            notes_made: 0,
            bodies_waiting: 0,
            receipts_waiting: 0,
            inclusions_waiting: 0,
            events_thinned: 0,
            events_damaged: 0,
            damages: 0,
            connected: false,
            readings: 0,
            readings_beyond_limits: 0,
            bad_lines: 0,
            events_refused: 0,
            alarms: 0,
            unverified: 0,
            strangers: 0,
            last_receipt: None,
            last_said: None,
            head: None,
            seen_size: None,
            other_logs: 0,
            held: String::new(),
            trouble: String::new(),
            late: 0,
            link: Link::default(),
            clock: ClockState::Unsynced,
            clock_steps: 0,
            copied_key: false,
            faulty_sources: 0,
            outbox_bytes: 0,
            outbox_quota: None,
            platform_silent: false,
            rotation_waits: false,
            stopping: false,
        }
    }
}

/// The way to the broker, as the uplink last saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Link {
    /// True while the broker has this client.
    pub connected: bool,
    /// The address that is used or tried.
    pub broker: String,
    /// True where it is not the first one.
    pub is_second: bool,
    /// What stands in the way, or what a broker that has let us in objects to.
    pub trouble: Option<Trouble>,
    /// The same in words, as the other side or the operating system says it; never a secret.
    pub detail: String,
    /// Connections made since the agent started.
    pub connections: u64,
    /// Attempts that failed and connections that ended since then.
    pub failures: u64,
    /// Statements that the broker did not take since then, by its own word.
    pub not_taken: u64,
}

/// What is wrong with the way to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Nothing answers, or what answers is no MQTT broker.
    Network,
    /// The certificate does not lead to the platform's CA or is out of its time.
    Certificate,
    /// User name or password are not good, or this client may not come.
    LogIn,
    /// The device's own topics are refused.
    Topic,
    /// The broker takes less than a device may send.
    Limit,
    /// The broker asks to come later.
    Busy,
    /// Somebody else has logged in as this device.
    TakenOver,
}

impl Trouble {
    /// Name in logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Certificate => "certificate",
            Self::LogIn => "log-in",
            Self::Topic => "topic",
            Self::Limit => "limit",
            Self::Busy => "busy",
            Self::TakenOver => "taken-over",
        }
    }
}

/// Name of a clock's state, as `statement.md` has it.
#[must_use]
pub const fn clock_name(state: ClockState) -> &'static str {
    match state {
        ClockState::Synced => "synced",
        ClockState::Unsynced => "unsynced",
        ClockState::Unknown => "unknown",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn clock_word<S: serde::Serializer>(state: &ClockState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(clock_name(*state))
}

impl Status {
    /// True when everything that was said has its receipt and its verified inclusion.
    #[must_use]
    pub const fn is_drained(&self) -> bool {
        self.bodies_waiting == 0 && self.receipts_waiting == 0 && self.inclusions_waiting == 0
    }

    /// True when much of the outbox's room is taken.
    #[must_use]
    pub fn fills(&self) -> bool {
        let share = |quota| self.outbox_bytes.saturating_mul(100) / u64::max(quota, 1);
        self.outbox_quota
            .is_some_and(|quota| share(quota) >= FILLING_PERCENT)
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
