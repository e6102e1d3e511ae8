//! How a source is, for the status page, `edge-agent doctor` and tests.

use std::sync::Arc;

use schemas::time::Instant;
use serde::Serialize;
use tokio::sync::watch;

use super::Trouble;
use crate::state::Text;

/// How far a reading can be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "quality", content = "reason")]
pub enum Quality {
    /// Nothing speaks against it.
    Good,
    /// Taken, and marked in its event: why.
    Suspect(String),
    /// Not taken: why.
    Refused(String),
}

/// The newest thing that a source said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Last {
    /// When, by the device where it states it, else by the agent's clock.
    pub time: Instant,
    /// The value in its unit; none for a scan, and where there was no number.
    pub value: Option<f64>,
    /// UN/ECE unit code of the value, empty for a scan.
    pub uom: String,
    /// What was measured (`Temperature`), or the code that was scanned, cut to 128 characters.
    pub what: String,
    /// How far it can be believed.
    #[serde(flatten)]
    pub quality: Quality,
}

/// A trouble that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Since when.
    pub since: Instant,
    /// What is wrong.
    pub cause: String,
    /// What to do about it; the English words in a serialized picture.
    #[serde(serialize_with = "english")]
    pub remedy: Text,
}

fn english<S: serde::Serializer>(text: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text.en)
}

/// Counts of one source since the agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Readings handed to the outbox, suspect ones among them.
    pub readings: u64,
    /// Of these, suspect ones.
    pub suspect: u64,
    /// Readings that were not taken because they cannot be.
    pub refused: u64,
    /// Events made of scans, lines and rows; what is packed is one event of many scans.
    pub scans: u64,
    /// Scans, lines and rows that were refused; they are in the rejects file.
    pub rejected: u64,
    /// Scans of one code within its window, which count as the one before.
    pub repeated: u64,
    /// Troubles that began.
    pub faults: u64,
}

/// A picture of one source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    /// Its series of readings, its port or its path.
    pub name: String,
    /// The `type` of its configuration.
    pub kind: &'static str,
    /// The newest values, one for each thing that the source measures, in its order.
    pub last: Vec<Last>,
    /// The trouble that stands, if one does.
    pub fault: Option<Standing>,
    /// Codes that lie in an open packing or recipe.
    pub open_codes: u64,
    /// Counts since the agent started.
    pub counts: Counts,
}

/// Where a source shows its state. Cheap to clone; written by the source alone.
#[derive(Clone, Debug)]
pub struct Board(Arc<watch::Sender<State>>);

/// Longest code that a state shows, in characters.
const SHOWN_MAX: usize = 128;

impl Board {
    /// An empty board.
    #[must_use]
    pub fn new(name: String, kind: &'static str) -> Self {
        Self(Arc::new(watch::Sender::new(State {
            name,
            kind,
            last: Vec::new(),
            fault: None,
            open_codes: 0,
            counts: Counts::default(),
        })))
    }

    /// The state as it changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }

    /// A reading of the source's measurement `index`.
    pub(super) fn reading(&self, index: usize, last: Last) {
        self.0.send_modify(|state| {
            let counts = &mut state.counts;
            match last.quality {
                Quality::Good => counts.readings += 1,
                Quality::Suspect(_) => {
                    counts.readings += 1;
                    counts.suspect += 1;
                }
                Quality::Refused(_) => counts.refused += 1,
            }
            match state.last.get_mut(index) {
                Some(place) => *place = last,
                None => state.last.push(last),
            }
        });
    }

    /// Lines or scans, of which `good` events were made; the newest one in words.
    pub(super) fn scanned(&self, time: Instant, good: u64, rejected: u64, newest: Option<&str>) {
        self.0.send_modify(|state| {
            state.counts.scans += good;
            state.counts.rejected += rejected;
            if let Some(newest) = newest {
                state.last = vec![Last {
                    time,
                    value: None,
                    uom: String::new(),
                    what: newest.chars().take(SHOWN_MAX).collect(),
                    quality: Quality::Good,
                }];
            }
        });
    }

    /// How many codes lie in an open packing or recipe.
    pub(super) fn open_codes(&self, count: u64) {
        self.0.send_if_modified(|state| {
            let before = std::mem::replace(&mut state.open_codes, count);
            before != count
        });
    }

    /// A code that was scanned once more within its window.
    pub(super) fn repeated(&self) {
        self.0.send_modify(|state| state.counts.repeated += 1);
    }

    pub(super) fn fault(&self, since: Instant, trouble: &Trouble) {
        self.0.send_modify(|state| {
            state.counts.faults += u64::from(state.fault.is_none());
            state.fault = Some(Standing {
                since,
                cause: trouble.cause.clone(),
                remedy: trouble.remedy,
            });
        });
    }

    pub(super) fn well(&self) {
        self.0.send_modify(|state| state.fault = None);
    }
}
