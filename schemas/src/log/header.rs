//! The batch header and its list of refused events (`log.md` section 3).

use super::{BATCH_MAX, EntryError, REFUSAL_CODES, REFUSED_MAX, check_head};
use crate::cbor::{Reader, Writer};
use crate::hash::{Hash, sha256};
use crate::registry::Head;
use crate::statement::instant;
use crate::time::Instant;

/// Type 1: what anchors a batch of statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Log id.
    pub log: Hash,
    /// The worker's own series of batches.
    pub shard: u64,
    /// Number within the shard.
    pub seq: u64,
    /// Leaves of the batch.
    pub statements: u64,
    /// Accepted events.
    pub events: u64,
    /// Root over the statement ids.
    pub root: Hash,
    /// SHA-256 of the list of refused events, zero if there are none.
    pub refused: Hash,
    /// The registry that ingest checked against.
    pub registry: Head,
    /// Record time of the first statement.
    pub first: Instant,
    /// Record time of the last.
    pub last: Instant,
    /// RFC 6962 leaf hash of the shard's header before.
    pub prev: Hash,
}

impl BatchHeader {
    pub(super) fn write(&self, w: &mut Writer) {
        w.map(13)
            .uint(0)
            .uint(1)
            .uint(1)
            .bytes(&self.log.0)
            .uint(2)
            .uint(self.shard);
        w.uint(3)
            .uint(self.seq)
            .uint(4)
            .uint(self.statements)
            .uint(5)
            .uint(self.events);
        w.uint(6).bytes(&self.root.0).uint(7).bytes(&self.refused.0);
        w.uint(8)
            .array(3)
            .uint(self.registry.version)
            .uint(self.registry.count);
        w.bytes(&self.registry.root.0).uint(9).bytes(&[0; 32]);
        w.uint(10)
            .uint(self.first.as_unsigned())
            .uint(11)
            .uint(self.last.as_unsigned());
        w.uint(12).bytes(&self.prev.0);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, EntryError> {
        let mut keys = r.map("header")?;
        keys.required(r, 0)?;
        let version = r.uint("version")?;
        keys.required(r, 1)?;
        let log = r.hash("log")?;
        keys.required(r, 2)?;
        let shard = r.uint("shard")?;
        keys.required(r, 3)?;
        let seq = r.uint("seq")?;
        keys.required(r, 4)?;
        let statements = r.uint("statements")?;
        keys.required(r, 5)?;
        let events = r.uint("events")?;
        keys.required(r, 6)?;
        let root = r.hash("root")?;
        keys.required(r, 7)?;
        let refused = r.hash("refused")?;
        keys.required(r, 8)?;
        r.array_of("registry", 3)?;
        let head = Head {
            version: r.uint("registry version")?,
            count: r.uint("registry count")?,
            root: r.hash("registry root")?,
        };
        let registry = check_head(head)?;
        keys.required(r, 9)?;
        let index = r.hash("index")?;
        keys.required(r, 10)?;
        let first = instant(r, "first")?;
        keys.required(r, 11)?;
        let last = instant(r, "last")?;
        keys.required(r, 12)?;
        let prev = r.hash("prev")?;
        keys.end()?;
        let rule = |holds, text| {
            if holds {
                Ok(())
            } else {
                Err(EntryError::Rule(text))
            }
        };
        rule(version == 1, "header version is 1")?;
        rule(shard <= 65_535, "shard is at most 65535")?;
        rule(
            (1..=BATCH_MAX).contains(&statements),
            "a batch has 1 to 65536 statements",
        )?;
        rule(index.is_zero(), "index is zero in version 1")?;
        rule(first <= last, "first is not after last")?;
        rule(
            prev.is_zero() == (seq == 0),
            "prev is zero exactly at seq 0",
        )?;
        Ok(Self {
            log,
            shard,
            seq,
            statements,
            events,
            root,
            refused,
            registry,
            first,
            last,
            prev,
        })
    }
}

/// One event of a batch that ingest refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// Place of the statement in the batch.
    pub statement: u64,
    /// Place of the event in the statement.
    pub event: u64,
    /// Reason code.
    pub code: String,
}

/// Encodes the list of refused events (sorted by the caller).
#[must_use]
pub fn encode_refused(list: &[Refused]) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(list.len());
    for row in list {
        w.array(3)
            .uint(row.statement)
            .uint(row.event)
            .text(&row.code);
    }
    w.finish()
}

/// Hash for the header: zero for an empty list.
#[must_use]
pub fn hash_of_refused(list: &[Refused]) -> Hash {
    if list.is_empty() {
        Hash::ZERO
    } else {
        sha256(&encode_refused(list))
    }
}

/// Reads a list of refused events.
///
/// # Errors
/// [`EntryError`].
pub fn parse_refused(bytes: &[u8]) -> Result<Vec<Refused>, EntryError> {
    if bytes.len() > REFUSED_MAX {
        return Err(EntryError::Length(bytes.len()));
    }
    let mut r = Reader::new(bytes);
    let count = r.array("refused", REFUSED_MAX)?;
    let mut list: Vec<Refused> = Vec::new();
    for _ in 0..count {
        r.array_of("refused row", 3)?;
        let (statement, event) = (r.uint("statement index")?, r.uint("event index")?);
        let code = r.text("code", 32)?.to_owned();
        if event > 255 || !REFUSAL_CODES.contains(&code.as_str()) {
            return Err(EntryError::Rule("a refused row is outside its limits"));
        }
        if list
            .last()
            .is_some_and(|last| (last.statement, last.event) >= (statement, event))
        {
            return Err(EntryError::Rule("refused rows do not increase"));
        }
        list.push(Refused {
            statement,
            event,
            code,
        });
    }
    r.end()?;
    if list.is_empty() {
        Err(EntryError::Rule("the list of refused events is empty"))
    } else {
        Ok(list)
    }
}
