//! The signed statement and the device note (`statement.md` sections 3 and 4).

mod message;
mod note;

pub use message::{Message, MessageError, WireEvent, encode_message};
pub use note::Note;

use crate::cbor::{CborError, Reader, Writer};
use crate::cose::{self, Sign1};
use crate::hash::{Hash, sha256_parts};
use crate::ids::DeviceAddress;
use crate::key::{KeyError, PublicKey, SecretKey, Signer, SignerError};
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
        Self {
            bytes: cose::sign(key, payload.typ(), &payload.encode()),
            kid: key.kid(),
            alg: crate::key::ALG_ED25519,
            payload,
        }
    }

    /// The same by whoever holds the device's key, of either algorithm.
    ///
    /// # Errors
    /// [`SignerError`]: nothing was signed.
    pub fn sign_by(signer: &dyn Signer, payload: Payload) -> Result<Self, SignerError> {
        let public = signer.public();
        Ok(Self {
            bytes: cose::sign_by(signer, payload.typ(), &payload.encode())?,
            kid: public.kid(),
            alg: public.alg(),
            payload,
        })
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
    const fn typ(&self) -> &'static str {
        if self.note.is_some() {
            TYP_NOTE
        } else {
            TYP_STATEMENT
        }
    }

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
