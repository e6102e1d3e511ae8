//! What the writer is asked to do.

use std::sync::Arc;

use schemas::event::Source;
use schemas::hash::Hash;
use schemas::key::Signer;
use schemas::receipt::Receipt;
use schemas::time::Instant;
use tokio::sync::oneshot;

use super::OutboxError;
use crate::compose::desk::KeptCodes;
use crate::compose::line::Composed;
use crate::compose::sensor::Reading;
use crate::compose::series::Cut;
use crate::status::Head;

/// How far a scan file has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanPosition {
    /// Bytes, always at the beginning of a line.
    pub offset: u64,
    /// Lines before it.
    pub line: u64,
    /// Bytes of the file's beginning that `prefix_hash` is over.
    pub prefix: u64,
    /// Tells this file from another one of the same name.
    pub prefix_hash: Hash,
}

impl Default for ScanPosition {
    fn default() -> Self {
        Self {
            offset: 0,
            line: 0,
            prefix: 0,
            prefix_hash: schemas::hash::sha256(b""),
        }
    }
}

/// Lines of one file, taken over together with the new position.
#[derive(Debug)]
pub struct ScanBatch {
    /// The file as configured.
    pub path: String,
    /// Where the outbox stood when the batch was read; a batch read from elsewhere changes
    /// nothing, so that no line counts twice.
    pub from: ScanPosition,
    /// Where the outbox stands after it (also in another file of the same name).
    pub to: ScanPosition,
    /// What its events are worth.
    pub source: Source,
    /// Events of the good lines, in their order.
    pub events: Vec<Composed>,
    /// How many lines were refused.
    pub bad_lines: u64,
    /// What changed among the codes that wait for more of theirs.
    pub kept: Option<KeptCodes>,
}

/// A sensor that gave no usable reading.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The sensor's name.
    pub sensor: String,
    /// What was wrong.
    pub text: String,
    /// From when until when, once it is over.
    pub range: Option<(Instant, Instant)>,
}

/// Verified words of the platform.
#[derive(Debug)]
pub(super) enum Answer {
    Receipt {
        receipt: Receipt,
        bytes: Vec<u8>,
    },
    Inclusion {
        ids: Vec<Hash>,
        size: u64,
        root: Hash,
        note: Vec<u8>,
    },
    /// Something that did not verify.
    Alarm,
}

pub(super) enum Work {
    Reading {
        series: String,
        reading: Reading,
    },
    Scan(Box<ScanBatch>),
    Fault(Fault),
    /// Speak if nothing was said since then.
    Heartbeat {
        since: Instant,
    },
    /// Make events of windows whose end has passed.
    Expire,
    /// Close the open statement.
    Flush,
    /// Compose what readings there are, then close.
    Drain(Cut),
    Answer(Box<Answer>),
    /// A sign that somebody else speaks with this device's key.
    Stranger(&'static str),
    /// A statement whose events are not what it says.
    Damaged {
        position: i64,
    },
    /// The newest statement that the platform has of this device.
    Known(Head),
    /// The present key's last word, which names the next key.
    LastWord {
        next: Hash,
    },
    /// The next key is in force.
    NextKey(Arc<dyn Signer>),
    /// There will be no next key.
    PresentKey,
    /// Nothing.
    Touch,
}

impl Work {
    /// How many events it brings.
    pub fn events(&self) -> usize {
        match self {
            Self::Reading { .. } => 1,
            Self::Scan(batch) => batch.events.len(),
            _ => 0,
        }
    }

    /// True for what has to wait while the outbox is full.
    pub const fn is_input(&self) -> bool {
        matches!(self, Self::Reading { .. } | Self::Scan(_))
    }
}

pub(super) struct Job {
    pub work: Work,
    /// Somebody waits for it who would wait for the next commit in vain.
    pub urgent: bool,
    pub done: oneshot::Sender<Result<(), OutboxError>>,
}
