//! The signed statement and the device note (`statement.md` sections 3 and 4).

use crate::cbor::{CborError, Reader, Writer};
use crate::cose::{self, Sign1};
use crate::event::{EVENT_MAX, Event, EventError, Salt, Source};
use crate::hash::{Hash, sha256_parts};
use crate::ids::DeviceAddress;
use crate::key::{KeyError, PublicKey, SecretKey};
use crate::merkle;
use crate::time::Instant;

/// Media type of a statement.
pub const TYP_STATEMENT: &str = "application/vnd.tracebond.statement.v1+cbor";
/// Media type of a note.
pub const TYP_NOTE: &str = "application/vnd.tracebond.note.v1+cbor";
/// Longest statement in bytes.
pub const STATEMENT_MAX: usize = 2_048;
/// Most events of a statement.
pub const EVENTS_MAX: usize = 256;
/// Longest message on the wire in bytes.
pub const MESSAGE_MAX: usize = 262_144;
/// Agents close a statement at this many events.
pub const CLOSE_EVENTS: usize = 64;
/// Agents close a statement at this many bytes of events.
pub const CLOSE_BYTES: usize = 49_152;

/// What the device knows of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockState {
    /// Synchronised.
    Synced = 0,
    /// Set, but not synchronised.
    Unsynced = 1,
    /// Not set: `made` counts from the device's start.
    Unknown = 2,
}

impl ClockState {
    /// From its number.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Synced),
            1 => Some(Self::Unsynced),
            2 => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// A place in a device's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Epoch of the device.
    pub epoch: u64,
    /// Number within the epoch.
    pub seq: u64,
}

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

/// What a statement or note says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Log id.
    pub log: Hash,
    /// The chain that it belongs to.
    pub device: DeviceAddress,
    /// Place in the chain.
    pub position: Position,
    /// Id of the statement before.
    pub prev: Hash,
    /// Device's clock.
    pub made: Instant,
    /// What the device knows of its clock.
    pub clock: ClockState,
    /// Newest witnessed checkpoint that the device has verified: (size, root).
    pub seen: Option<(u64, Hash)>,
    /// Program and version.
    pub agent: String,
    /// Number of events, 0 for a note.
    pub count: u64,
    /// Root over the events' leaves, zero for a note.
    pub root: Hash,
    /// The note, if it is one.
    pub note: Option<Note>,
}

/// A statement that is not one.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum StatementError {
    /// The form is broken.
    #[error("not the form of a statement")]
    Form(#[from] CborError),
    /// Another kind of signed object.
    #[error("the object is a `{0}`")]
    Typ(String),
    /// A rule between members is broken.
    #[error("{0}")]
    Rule(&'static str),
    /// The signature does not count.
    #[error("the signature does not count")]
    Signature(#[from] KeyError),
}

/// A statement or note as signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    bytes: Vec<u8>,
    /// kid of the device's key.
    pub kid: Hash,
    /// COSE algorithm.
    pub alg: i64,
    /// What it says.
    pub payload: Payload,
}

impl Statement {
    /// Signs a payload; its `note` decides the media type.
    #[must_use]
    pub fn sign(key: &SecretKey, payload: Payload) -> Self {
        let typ = if payload.note.is_some() {
            TYP_NOTE
        } else {
            TYP_STATEMENT
        };
        let bytes = cose::sign(key, typ, &payload.encode());
        Self {
            bytes,
            kid: key.kid(),
            alg: crate::key::ALG_ED25519,
            payload,
        }
    }

    /// Reads a statement or note; the signature is checked by [`Statement::verify`].
    ///
    /// # Errors
    /// [`StatementError`] for whatever sections 1.1, 1.2 and 3 refuse.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, StatementError> {
        let cose = Sign1::parse(&bytes, STATEMENT_MAX)?;
        let is_note = match cose.typ {
            TYP_STATEMENT => false,
            TYP_NOTE => true,
            other => return Err(StatementError::Typ(other.to_owned())),
        };
        let payload = Payload::decode(cose.payload, is_note)?;
        payload.check()?;
        let (kid, alg) = (cose.kid, cose.alg);
        Ok(Self {
            bytes,
            kid,
            alg,
            payload,
        })
    }

    /// The COSE bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Statement id = SHA-256(0x00 || COSE bytes).
    #[must_use]
    pub fn id(&self) -> Hash {
        statement_id(&self.bytes)
    }

    /// # Errors
    /// [`KeyError`] unless `key` signed it.
    pub fn verify(&self, key: &PublicKey) -> Result<(), KeyError> {
        Sign1::parse(&self.bytes, STATEMENT_MAX)
            .map_err(|_| KeyError::Mismatch)?
            .verify(key)
    }
}

/// Statement id of COSE bytes.
#[must_use]
pub fn statement_id(bytes: &[u8]) -> Hash {
    sha256_parts(&[&[0], bytes])
}

impl Payload {
    /// Deterministic CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(10 + usize::from(self.seen.is_some()) + usize::from(self.note.is_some()));
        w.uint(0)
            .bytes(&self.log.0)
            .uint(1)
            .text(&self.device.to_string());
        w.uint(2)
            .uint(self.position.epoch)
            .uint(3)
            .uint(self.position.seq);
        w.uint(4)
            .bytes(&self.prev.0)
            .uint(5)
            .uint(self.made.as_unsigned());
        w.uint(6).uint(self.clock as u64);
        if let Some((size, root)) = &self.seen {
            w.uint(7).array(2).uint(*size).bytes(&root.0);
        }
        w.uint(8)
            .text(&self.agent)
            .uint(9)
            .uint(self.count)
            .uint(10)
            .bytes(&self.root.0);
        if let Some(note) = &self.note {
            w.uint(11);
            note.encode(&mut w);
        }
        w.finish()
    }

    fn decode(bytes: &[u8], is_note: bool) -> Result<Self, StatementError> {
        let mut r = Reader::new(bytes);
        let mut keys = r.map("payload")?;
        keys.required(&mut r, 0)?;
        let log = r.hash("log")?;
        keys.required(&mut r, 1)?;
        let device = r
            .text("device", 65)?
            .parse()
            .map_err(|_| CborError::Limit("device"))?;
        keys.required(&mut r, 2)?;
        let epoch = r.uint("epoch")?;
        keys.required(&mut r, 3)?;
        let seq = r.uint("seq")?;
        keys.required(&mut r, 4)?;
        let prev = r.hash("prev")?;
        keys.required(&mut r, 5)?;
        let made = instant(&mut r, "made")?;
        keys.required(&mut r, 6)?;
        let clock = ClockState::from_number(r.uint("clock")?).ok_or(CborError::Limit("clock"))?;
        let seen = if keys.optional(&mut r, 7)? {
            Some(decode_seen(&mut r)?)
        } else {
            None
        };
        keys.required(&mut r, 8)?;
        let agent = r.text("agent", 64)?.to_owned();
        keys.required(&mut r, 9)?;
        let count = r.uint("count")?;
        keys.required(&mut r, 10)?;
        let root = r.hash("root")?;
        let note = if is_note {
            keys.required(&mut r, 11)?;
            Some(Note::decode(&mut r)?)
        } else {
            None
        };
        keys.end()?;
        r.end()?;
        let position = Position { epoch, seq };
        Ok(Self {
            log,
            device,
            position,
            prev,
            made,
            clock,
            seen,
            agent,
            count,
            root,
            note,
        })
    }

    /// Rules between the members.
    fn check(&self) -> Result<(), StatementError> {
        let rule = |holds, text| {
            if holds {
                Ok(())
            } else {
                Err(StatementError::Rule(text))
            }
        };
        let first = self.position == Position { epoch: 0, seq: 0 };
        let printable =
            !self.agent.is_empty() && self.agent.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        rule(printable, "agent is not 1 to 64 printable ASCII characters")?;
        rule(
            first == self.prev.is_zero(),
            "prev is zero exactly at epoch 0, seq 0",
        )?;
        let starts_epoch = self.position.seq == 0 && self.position.epoch > 0;
        let start_note = matches!(&self.note, Some(Note::EpochStart { .. }));
        rule(
            starts_epoch == start_note,
            "an epoch after 0 begins with its note, which stands nowhere else",
        )?;
        if let Some(Note::EpochStart { id, last, .. }) = &self.note {
            rule(
                *id == self.prev,
                "the epoch's note names another id than prev",
            )?;
            rule(last.epoch < self.position.epoch, "epochs increase")?;
        }
        if self.note.is_some() {
            rule(
                self.count == 0 && self.root.is_zero(),
                "a note has count 0 and a zero root",
            )
        } else {
            rule(
                (1..=EVENTS_MAX as u64).contains(&self.count),
                "count is 1 to 256",
            )
        }
    }
}

fn decode_seen(r: &mut Reader<'_>) -> Result<(u64, Hash), CborError> {
    r.array_of("seen", 2)?;
    let size = r.uint("seen size")?;
    if size == 0 {
        return Err(CborError::Limit("seen size"));
    }
    Ok((size, r.hash("seen root")?))
}

/// Reads an instant.
pub(crate) fn instant(r: &mut Reader<'_>, field: &'static str) -> Result<Instant, CborError> {
    let micros = i64::try_from(r.uint(field)?).map_err(|_| CborError::Limit(field))?;
    Ok(Instant::from_micros(micros))
}

const NOTE_TEXT_MAX: usize = 256;

impl Note {
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

    fn encode(&self, w: &mut Writer) {
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

    fn decode(r: &mut Reader<'_>) -> Result<Self, CborError> {
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

/// One event on its way: source, salt, exact bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireEvent {
    /// What the device claims of its origin.
    pub source: Source,
    /// Never leaves device and platform.
    pub salt: Salt,
    /// The event.
    pub event: Event,
}

impl WireEvent {
    /// The event's identity.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        self.event.leaf(self.source, &self.salt)
    }
}

/// One MQTT message: a statement and its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Signed.
    pub statement: Statement,
    /// As many as the statement's `count`.
    pub events: Vec<WireEvent>,
}

/// A message that is refused whole.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MessageError {
    /// Longer than [`MESSAGE_MAX`].
    #[error("a message of {0} bytes, at most 262144 are allowed")]
    TooLarge(usize),
    /// Not the form of section 4.
    #[error("not the form of a message")]
    Form(#[from] CborError),
    /// Its statement is none.
    #[error("its statement is refused")]
    Statement(#[from] StatementError),
    /// An event breaks section 2.1.
    #[error("event {index} is refused")]
    Event {
        /// Place in the statement.
        index: usize,
        /// Why.
        source: EventError,
    },
    /// Leaves and root do not fit.
    #[error("the events do not lead to the statement's root")]
    Root,
}

impl MessageError {
    /// Reason code of `statement.md` section 5.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too-large",
            Self::Form(_) | Self::Statement(_) => "malformed",
            Self::Event { .. } => "event-form",
            Self::Root => "root-mismatch",
        }
    }
}

impl Message {
    /// Wire form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let events: Vec<_> = self
            .events
            .iter()
            .map(|e| (e.source, e.salt, e.event.bytes()))
            .collect();
        encode_message(self.statement.bytes(), &events)
    }

    /// Reads a message: form, events, number of events; the root by [`Message::check_root`].
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MESSAGE_MAX {
            return Err(MessageError::TooLarge(bytes.len()));
        }
        let mut r = Reader::new(bytes);
        r.array_of("message", 2)?;
        let statement = Statement::parse(r.bytes("statement", STATEMENT_MAX)?.to_vec())?;
        let count = r.array("events", EVENTS_MAX)?;
        if count as u64 != statement.payload.count {
            return Err(CborError::Limit("events").into());
        }
        let mut raw = Vec::with_capacity(count);
        for _ in 0..count {
            r.array_of("event", 3)?;
            let source =
                Source::from_number(r.uint("source")?).ok_or(CborError::Limit("source"))?;
            raw.push((source, Salt(r.fixed("salt")?), r.bytes("event", EVENT_MAX)?));
        }
        r.end()?;
        let parse = |(index, (source, salt, bytes)): (usize, (Source, Salt, &[u8]))| {
            Event::parse(bytes.to_vec())
                .map(|event| WireEvent {
                    source,
                    salt,
                    event,
                })
                .map_err(|source| MessageError::Event { index, source })
        };
        let events = raw
            .into_iter()
            .enumerate()
            .map(parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { statement, events })
    }

    /// Recomputes leaves and root; the leaves in order.
    ///
    /// # Errors
    /// [`MessageError::Root`].
    pub fn check_root(&self) -> Result<Vec<Hash>, MessageError> {
        let leaves: Vec<Hash> = self.events.iter().map(WireEvent::leaf).collect();
        let root = merkle::root(&leaves).unwrap_or(Hash::ZERO);
        if root == self.statement.payload.root {
            Ok(leaves)
        } else {
            Err(MessageError::Root)
        }
    }
}

/// Wire form from stored parts.
#[must_use]
pub fn encode_message(statement: &[u8], events: &[(Source, Salt, &[u8])]) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(2).bytes(statement).array(events.len());
    for (source, salt, bytes) in events {
        w.array(3)
            .uint(u64::from(source.number()))
            .bytes(&salt.0)
            .bytes(bytes);
    }
    w.finish()
}
