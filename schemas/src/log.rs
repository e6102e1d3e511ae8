//! Entries of the log: batch headers, policies, hashes, registry heads (`log.md` sections 1 to 4).

use crate::cbor::{CborError, Reader, Writer};
use crate::hash::{Hash, sha256, sha256_parts};
use crate::ids::{Origin, is_printable};
use crate::key::{KeyError, PublicKey};
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
    fn write(&self, w: &mut Writer) {
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

    fn read(r: &mut Reader<'_>) -> Result<Self, EntryError> {
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

/// A named key of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// 1 to 64 printable ASCII characters.
    pub name: String,
    /// Ed25519.
    pub key: PublicKey,
}

/// Type 2: whom a reader trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Log id.
    pub log: Hash,
    /// The log's name.
    pub origin: Origin,
    /// Signs checkpoints.
    pub log_key: PublicKey,
    /// Cosign checkpoints; by name.
    pub witnesses: Vec<Party>,
    /// How many witnesses a checkpoint needs.
    pub quorum: u64,
    /// Admit organisations; by name.
    pub registrars: Vec<Party>,
    /// Policy before: (hash, size, root) of its end.
    pub prev: Option<(Hash, u64, Hash)>,
    /// When it was made.
    pub time: Instant,
}

impl Policy {
    /// Checks what [`Entry::parse`] would refuse, for a policy that is being made.
    ///
    /// # Errors
    /// [`EntryError::Rule`].
    pub fn check(&self) -> Result<(), EntryError> {
        let rule = |holds, text| {
            if holds {
                Ok(())
            } else {
                Err(EntryError::Rule(text))
            }
        };
        let log_key = self.log_key.ed25519_bytes().ok_or(KeyError::Algorithm)?;
        for list in [&self.witnesses, &self.registrars] {
            rule(
                (1..=PARTIES_MAX).contains(&list.len()),
                "1 to 32 witnesses, 1 to 32 registrars",
            )?;
            let ordered = list.windows(2).all(|pair| pair[0].name < pair[1].name);
            rule(ordered, "names strictly increase")?;
            rule(
                list.iter().all(|party| is_printable(&party.name, 64)),
                "a name is not printable",
            )?;
        }
        let unlike = self
            .witnesses
            .iter()
            .all(|party| party.name != self.origin.as_str());
        rule(unlike, "a witness is named like the log")?;
        let keys = self.keys();
        let mut distinct: Vec<Hash> = keys.iter().map(PublicKey::kid).collect();
        distinct.sort_unstable();
        distinct.dedup();
        rule(distinct.len() == keys.len(), "a key stands in two places")?;
        let quorum = 1..=self.witnesses.len() as u64;
        rule(
            quorum.contains(&self.quorum),
            "quorum is 1 to the number of witnesses",
        )?;
        match self.prev {
            None => rule(
                self.log == self.origin.log_id(&log_key),
                "the log id is not of origin and key",
            ),
            Some((_, size, _)) => rule(size >= 1, "prev size is at least 1"),
        }
    }

    fn keys(&self) -> Vec<PublicKey> {
        let parties = self
            .witnesses
            .iter()
            .chain(&self.registrars)
            .map(|party| party.key.clone());
        std::iter::once(self.log_key.clone())
            .chain(parties)
            .collect()
    }

    /// True if `kid` is of a key that stands in the policy.
    #[must_use]
    pub fn names_kid(&self, kid: &Hash) -> bool {
        self.keys().iter().any(|key| key.kid() == *kid)
    }

    /// Registrar with this kid.
    #[must_use]
    pub fn registrar(&self, kid: &Hash) -> Option<&PublicKey> {
        self.registrars
            .iter()
            .map(|party| &party.key)
            .find(|key| key.kid() == *kid)
    }

    /// Policy hash = SHA-256 of the entry.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&Entry::Policy(self.clone()).encode())
    }

    fn write(&self, w: &mut Writer) {
        let raw = |key: &PublicKey| key.ed25519_bytes().unwrap_or([0; 32]);
        w.map(8 + usize::from(self.prev.is_some()))
            .uint(0)
            .uint(1)
            .uint(1)
            .bytes(&self.log.0);
        w.uint(2)
            .text(self.origin.as_str())
            .uint(3)
            .bytes(&raw(&self.log_key));
        for (number, list) in [(4, &self.witnesses), (6, &self.registrars)] {
            w.uint(number).array(list.len());
            for party in list {
                w.array(2).text(&party.name).bytes(&raw(&party.key));
            }
            if number == 4 {
                w.uint(5).uint(self.quorum);
            }
        }
        if let Some((hash, size, root)) = &self.prev {
            w.uint(7).array(3).bytes(&hash.0).uint(*size).bytes(&root.0);
        }
        w.uint(8).uint(self.time.as_unsigned());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, EntryError> {
        let mut keys = r.map("policy")?;
        keys.required(r, 0)?;
        if r.uint("version")? != 1 {
            return Err(EntryError::Rule("policy version is 1"));
        }
        keys.required(r, 1)?;
        let log = r.hash("log")?;
        keys.required(r, 2)?;
        let origin = r
            .text("origin", 255)?
            .parse()
            .map_err(|_| CborError::Limit("origin"))?;
        keys.required(r, 3)?;
        let log_key = PublicKey::ed25519(r.bytes("log_key", 32)?)?;
        keys.required(r, 4)?;
        let witnesses = read_parties(r)?;
        keys.required(r, 5)?;
        let quorum = r.uint("quorum")?;
        keys.required(r, 6)?;
        let registrars = read_parties(r)?;
        let prev = if keys.optional(r, 7)? {
            r.array_of("prev", 3)?;
            Some((
                r.hash("prev hash")?,
                r.uint("prev size")?,
                r.hash("prev root")?,
            ))
        } else {
            None
        };
        keys.required(r, 8)?;
        let time = instant(r, "time")?;
        keys.end()?;
        let policy = Self {
            log,
            origin,
            log_key,
            witnesses,
            quorum,
            registrars,
            prev,
            time,
        };
        policy.check()?;
        Ok(policy)
    }
}

fn read_parties(r: &mut Reader<'_>) -> Result<Vec<Party>, EntryError> {
    let count = r.array("parties", PARTIES_MAX)?;
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        r.array_of("party", 2)?;
        let name = r.text("name", 64)?.to_owned();
        list.push(Party {
            name,
            key: PublicKey::ed25519(r.bytes("key", 32)?)?,
        });
    }
    Ok(list)
}

/// Content of a policy file: `{"tracebond":"policy/v1","entry":"base64"}`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// `policy/v1`.
    pub tracebond: String,
    /// The log entry.
    #[serde(with = "crate::b64")]
    pub entry: Vec<u8>,
}

impl PolicyFile {
    /// The file of an entry.
    #[must_use]
    pub fn new(entry: Vec<u8>) -> Self {
        Self {
            tracebond: "policy/v1".into(),
            entry,
        }
    }

    /// Reads a policy file: the entry and what it says.
    ///
    /// # Errors
    /// [`EntryError`]; a file that is no such JSON object counts as a broken rule.
    pub fn parse(text: &[u8]) -> Result<(Vec<u8>, Policy), EntryError> {
        let file: Self =
            serde_json::from_slice(text).map_err(|_| EntryError::Rule("not a policy file"))?;
        if file.tracebond != "policy/v1" {
            return Err(EntryError::Rule("not a policy/v1 file"));
        }
        match Entry::parse(&file.entry)? {
            Entry::Policy(policy) => Ok((file.entry, policy)),
            _ => Err(EntryError::Rule("the entry is no policy")),
        }
    }
}
