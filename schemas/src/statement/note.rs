//! The note: a signed fact that is no event (`statement.md` section 3.1).

use super::{Position, instant};
use crate::cbor::{CborError, Reader, Writer};
use crate::hash::Hash;
use crate::time::Instant;

/// A signed fact that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A new epoch begins; it stands for a gap after `last`.
    EpochStart {
        /// Why.
        text: String,
        /// Last statement that the device knows.
        last: Position,
        /// Its id.
        id: Hash,
    },
    /// Nothing happened, and the device is alive.
    Heartbeat {
        /// Remark, may be empty.
        text: String,
    },
    /// A sensor gave no usable reading.
    SensorFault {
        /// What was wrong.
        text: String,
        /// Name of the sensor.
        sensor: String,
        /// From when until when.
        range: Option<(Instant, Instant)>,
    },
    /// Old telemetry was dropped for room.
    Thinned {
        /// Remark.
        text: String,
        /// Event times that were dropped.
        range: (Instant, Instant),
        /// How many events.
        dropped: u64,
    },
}

const NOTE_TEXT_MAX: usize = 256;
/// How the remark of a last word begins.
const NEXT_KEY: &str = "the next key is ";

impl Note {
    /// The last word of a device's key before another takes its place: a heartbeat whose remark
    /// names the next key. Signed by the old key, it is what the organisation can name as that
    /// key's last statement without asking anybody whom it would have to believe
    /// (`platform/docs/decisions/0017`).
    #[must_use]
    pub fn last_word(next: &Hash) -> Self {
        Self::Heartbeat {
            text: format!("{NEXT_KEY}{next}"),
        }
    }

    /// kid of the next key, if this is a last word.
    #[must_use]
    pub fn next_key(&self) -> Option<Hash> {
        match self {
            Self::Heartbeat { text } => text.strip_prefix(NEXT_KEY)?.parse().ok(),
            _ => None,
        }
    }

    const fn kind(&self) -> u64 {
        match self {
            Self::EpochStart { .. } => 0,
            Self::Heartbeat { .. } => 1,
            Self::SensorFault { .. } => 2,
            Self::Thinned { .. } => 3,
        }
    }

    /// Remark of the device.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::EpochStart { text, .. }
            | Self::Heartbeat { text }
            | Self::SensorFault { text, .. }
            | Self::Thinned { text, .. } => text,
        }
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        let range = |w: &mut Writer, (from, until): &(Instant, Instant)| {
            w.uint(4)
                .array(2)
                .uint(from.as_unsigned())
                .uint(until.as_unsigned());
        };
        let members = match self {
            Self::EpochStart { .. } => 3,
            Self::Heartbeat { .. } => 2,
            Self::SensorFault { range, .. } => 3 + usize::from(range.is_some()),
            Self::Thinned { .. } => 4,
        };
        w.map(members)
            .uint(0)
            .uint(self.kind())
            .uint(1)
            .text(self.text());
        match self {
            Self::EpochStart { last, id, .. } => {
                w.uint(2)
                    .array(3)
                    .uint(last.epoch)
                    .uint(last.seq)
                    .bytes(&id.0);
            }
            Self::Heartbeat { .. } => {}
            Self::SensorFault {
                sensor,
                range: span,
                ..
            } => {
                w.uint(3).text(sensor);
                if let Some(span) = span {
                    range(w, span);
                }
            }
            Self::Thinned {
                range: span,
                dropped,
                ..
            } => {
                range(w, span);
                w.uint(5).uint(*dropped);
            }
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut keys = r.map("note")?;
        keys.required(r, 0)?;
        let kind = r.uint("note kind")?;
        keys.required(r, 1)?;
        let text = r.text("note text", NOTE_TEXT_MAX)?.to_owned();
        let note = match kind {
            0 => {
                keys.required(r, 2)?;
                r.array_of("last", 3)?;
                let last = Position {
                    epoch: r.uint("last epoch")?,
                    seq: r.uint("last seq")?,
                };
                Self::EpochStart {
                    text,
                    last,
                    id: r.hash("last id")?,
                }
            }
            1 => Self::Heartbeat { text },
            2 => {
                keys.required(r, 3)?;
                let sensor = r.text("sensor", 64)?.to_owned();
                if sensor.is_empty() {
                    return Err(CborError::Limit("sensor"));
                }
                let range = if keys.optional(r, 4)? {
                    Some(decode_range(r)?)
                } else {
                    None
                };
                Self::SensorFault {
                    text,
                    sensor,
                    range,
                }
            }
            3 => {
                keys.required(r, 4)?;
                let range = decode_range(r)?;
                keys.required(r, 5)?;
                let dropped = r.uint("dropped")?;
                if dropped == 0 {
                    return Err(CborError::Limit("dropped"));
                }
                Self::Thinned {
                    text,
                    range,
                    dropped,
                }
            }
            _ => return Err(CborError::Limit("note kind")),
        };
        keys.end()?;
        Ok(note)
    }
}

fn decode_range(r: &mut Reader<'_>) -> Result<(Instant, Instant), CborError> {
    r.array_of("range", 2)?;
    let (from, until) = (instant(r, "from")?, instant(r, "until")?);
    if from <= until {
        Ok((from, until))
    } else {
        Err(CborError::Limit("range"))
    }
}
