//! Entries of the log: batch headers, policies, hashes, registry heads (`log.md` sections 1 to 4).

mod chain;
mod header;
mod policy;

pub use chain::{CHAIN_MAX, ChainError, PolicyChain, PolicyHandover, PolicyLink};
pub use header::{BatchHeader, Refused, encode_refused, hash_of_refused, parse_refused};
pub use policy::{POLICY_FILE_MAX, Party, Policy, PolicyFile};

use crate::cbor::{CborError, Reader, Writer};
use crate::hash::{Hash, sha256_parts};
use crate::key::KeyError;
use crate::merkle::LEAVES_MAX;
use crate::registry::Head;
use crate::statement::instant;
use crate::time::Instant;

/// Longest entry in bytes.
pub const ENTRY_MAX: usize = 65_535;
/// Most statements of a batch.
pub const BATCH_MAX: u64 = 65_536;
/// Longest list of refused events in bytes.
pub const REFUSED_MAX: usize = 1_048_576;
/// Most witnesses, and most registrars, of a policy.
pub const PARTIES_MAX: usize = 32;

/// Codes that may stand in a list of refused events.
pub const REFUSAL_CODES: [&str; 8] = [
    "source-not-allowed",
    "event-type",
    "event-time",
    "time-zone-offset",
    "action",
    "step-not-allowed",
    "place-not-allowed",
    "epcis",
];

/// Bytes that are no entry.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum EntryError {
    /// The form is broken.
    #[error("not the form of a log entry")]
    Form(#[from] CborError),
    /// Longer than [`ENTRY_MAX`], or empty.
    #[error("an entry of {0} bytes")]
    Length(usize),
    /// A type that version 1 does not know.
    #[error("unknown entry type {0}")]
    Type(u8),
    /// A key of the policy.
    #[error("a key of the policy is refused")]
    Key(#[from] KeyError),
    /// A rule between members is broken.
    #[error("{0}")]
    Rule(&'static str),
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "entries are handled one at a time, never in bulk"
)]
pub enum Entry {
    /// Type 1.
    Header(BatchHeader),
    /// Type 2.
    Policy(Policy),
    /// Type 3: the hash of a report, a declaration, a model, a script.
    Document {
        /// What it is.
        kind: String,
        /// Its SHA-256.
        hash: Hash,
        /// When it was logged.
        time: Instant,
    },
    /// Type 4.
    Tombstones {
        /// SHA-256 of the list.
        hash: Hash,
        /// Its length.
        count: u64,
        /// When it was logged.
        time: Instant,
    },
    /// Type 5.
    Registry {
        /// The head.
        head: Head,
        /// When it was made.
        time: Instant,
    },
}

/// RFC 6962 leaf hash of an entry.
#[must_use]
pub fn entry_hash(entry: &[u8]) -> Hash {
    sha256_parts(&[&[0], entry])
}

impl Entry {
    /// Type byte and deterministic CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        let kind = match self {
            Self::Header(header) => {
                header.write(&mut w);
                1
            }
            Self::Policy(policy) => {
                policy.write(&mut w);
                2
            }
            Self::Document { kind, hash, time } => {
                w.map(3)
                    .uint(0)
                    .text(kind)
                    .uint(1)
                    .bytes(&hash.0)
                    .uint(2)
                    .uint(time.as_unsigned());
                3
            }
            Self::Tombstones { hash, count, time } => {
                w.map(3)
                    .uint(0)
                    .bytes(&hash.0)
                    .uint(1)
                    .uint(*count)
                    .uint(2)
                    .uint(time.as_unsigned());
                4
            }
            Self::Registry { head, time } => {
                w.map(4).uint(0).uint(head.version).uint(1).uint(head.count);
                w.uint(2)
                    .bytes(&head.root.0)
                    .uint(3)
                    .uint(time.as_unsigned());
                5
            }
        };
        let mut bytes = vec![kind];
        bytes.extend(w.finish());
        bytes
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let (&kind, body) = bytes.split_first().ok_or(EntryError::Length(0))?;
        if bytes.len() > ENTRY_MAX {
            return Err(EntryError::Length(bytes.len()));
        }
        let mut r = Reader::new(body);
        let entry = match kind {
            1 => Self::Header(BatchHeader::read(&mut r)?),
            2 => Self::Policy(Policy::read(&mut r)?),
            3 => read_document(&mut r)?,
            4 => read_tombstones(&mut r)?,
            5 => read_registry(&mut r)?,
            other => return Err(EntryError::Type(other)),
        };
        r.end()?;
        Ok(entry)
    }
}

fn read_document(r: &mut Reader<'_>) -> Result<Entry, EntryError> {
    let mut keys = r.map("document")?;
    keys.required(r, 0)?;
    let kind = r.text("kind", 64)?.to_owned();
    keys.required(r, 1)?;
    let hash = r.hash("hash")?;
    keys.required(r, 2)?;
    let time = instant(r, "time")?;
    keys.end()?;
    if kind.is_empty() {
        Err(EntryError::Rule("kind is empty"))
    } else {
        Ok(Entry::Document { kind, hash, time })
    }
}

fn read_tombstones(r: &mut Reader<'_>) -> Result<Entry, EntryError> {
    let mut keys = r.map("tombstones")?;
    keys.required(r, 0)?;
    let hash = r.hash("hash")?;
    keys.required(r, 1)?;
    let count = r.uint("count")?;
    keys.required(r, 2)?;
    let time = instant(r, "time")?;
    keys.end()?;
    Ok(Entry::Tombstones { hash, count, time })
}

fn read_registry(r: &mut Reader<'_>) -> Result<Entry, EntryError> {
    let mut keys = r.map("registry head")?;
    keys.required(r, 0)?;
    let version = r.uint("version")?;
    keys.required(r, 1)?;
    let count = r.uint("count")?;
    keys.required(r, 2)?;
    let root = r.hash("root")?;
    keys.required(r, 3)?;
    let time = instant(r, "time")?;
    keys.end()?;
    let head = check_head(Head {
        version,
        count,
        root,
    })?;
    Ok(Entry::Registry { head, time })
}

const fn check_head(head: Head) -> Result<Head, EntryError> {
    if head.version >= 1 && head.count >= 1 && head.count <= LEAVES_MAX {
        Ok(head)
    } else {
        Err(EntryError::Rule(
            "a registry head has version and count from 1",
        ))
    }
}
