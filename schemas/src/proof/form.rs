//! The bundle as JSON: strict form in, one spelling out (`proof-bundle.md` section 1).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::b64;
use crate::cbor::UINT_MAX;
use crate::event::{MEMBERS_MAX, NAME_MAX};
use crate::hash::Hash;
use crate::proof::{Class, Refusal};
use crate::tlog::PATH_MAX;

/// Longest bundle in bytes.
pub const BUNDLE_MAX: usize = 33_554_432;
/// Most rows of each table.
pub const ROWS_MAX: usize = 65_536;
/// Longest chain from a statement to its retired key's last one.
pub const LATER_MAX: usize = 4_096;
/// Deepest nesting of objects and arrays.
const DEPTH_MAX: usize = 8;

/// Bytes as canonical base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(#[serde(with = "crate::b64")] pub Vec<u8>);

/// Exactly `N` bytes as canonical base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed<const N: usize>(pub [u8; N]);

impl<const N: usize> Serialize for Fixed<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&b64::encode(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Fixed<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Bytes::deserialize(deserializer)?.0;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| D::Error::custom("wrong number of bytes"))
    }
}

/// A 32-byte hash in base64.
pub type Digest = Fixed<32>;

impl From<Hash> for Digest {
    fn from(hash: Hash) -> Self {
        Self(hash.0)
    }
}

/// A Merkle path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Path(pub Vec<Digest>);

impl Path {
    /// As hashes.
    #[must_use]
    pub fn hashes(&self) -> Vec<Hash> {
        self.0.iter().map(|digest| Hash(digest.0)).collect()
    }
}

impl From<Vec<Hash>> for Path {
    fn from(path: Vec<Hash>) -> Self {
        Self(path.into_iter().map(Digest::from).collect())
    }
}

/// The policy entry and its place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRow {
    /// Log entry of type 2.
    pub entry: Bytes,
    /// Place in the log.
    pub index: u64,
    /// Path in the log.
    pub path: Path,
}

/// A batch header and its place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderRow {
    /// Log entry of type 1.
    pub entry: Bytes,
    /// Place in the log.
    pub index: u64,
    /// Position of the checkpoint that it is shown at.
    pub checkpoint: usize,
    /// Path in the log.
    pub path: Path,
    /// List of refused events, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Bytes>,
}

/// A record and its place in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRow {
    /// COSE bytes.
    pub record: Bytes,
    /// Salt of the leaf.
    pub salt: Fixed<16>,
    /// Position of the header whose registry it is proven against.
    pub header: usize,
    /// Place in the registry.
    pub index: u64,
    /// Path in the registry.
    pub path: Path,
}

/// A statement and its place in a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementRow {
    /// COSE bytes.
    pub statement: Bytes,
    /// Position of its batch header.
    pub header: usize,
    /// Place in the batch.
    pub index: u64,
    /// Path in the batch.
    pub path: Path,
    /// Position of the device's record.
    pub device: usize,
    /// Position of the organisation's record.
    pub organisation: usize,
    /// Chain to a retired key's last statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<Vec<Bytes>>,
}

/// A member of an event, shown or withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRow {
    /// Always known.
    pub name: String,
    /// Field salt of a shown member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Fixed<16>>,
    /// Value of a shown member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Bytes>,
    /// Value hash of a withheld member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Digest>,
}

/// An event and its place in a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRow {
    /// Position of its statement.
    pub statement: usize,
    /// Place in the statement.
    pub index: u64,
    /// Path in the statement.
    pub path: Path,
    /// Leaf of a wholly withheld event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<Digest>,
    /// Source of a shown event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<u64>,
    /// Members of a shown event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<MemberRow>>,
}

/// A proof bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// `bundle/v1`.
    pub tracebond: String,
    /// Whom to trust.
    pub policy: PolicyRow,
    /// Signed notes, by size.
    pub checkpoints: Vec<Bytes>,
    /// Batch headers, by log index.
    pub headers: Vec<HeaderRow>,
    /// Records, by (header, index).
    pub keys: Vec<KeyRow>,
    /// Statements, by (header, index).
    pub statements: Vec<StatementRow>,
    /// Events, by (statement, index).
    pub events: Vec<EventRow>,
}

impl Bundle {
    /// The one spelling: compact JSON.
    ///
    /// # Errors
    /// Never for rows that this crate made.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a bundle by section 1.
    ///
    /// # Errors
    /// Class `format`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        check_spelling(bytes)?;
        let bundle: Self =
            serde_json::from_slice(bytes).map_err(|error| format(&error.to_string()))?;
        bundle.check_limits()?;
        bundle.check_order()?;
        Ok(bundle)
    }

    fn check_limits(&self) -> Result<(), Refusal> {
        require(self.tracebond == "bundle/v1", "tracebond is bundle/v1")?;
        require(
            (1..=ROWS_MAX).contains(&self.checkpoints.len()),
            "1 to 65536 checkpoints",
        )?;
        require(
            (1..=ROWS_MAX).contains(&self.headers.len()),
            "1 to 65536 headers",
        )?;
        require((2..=ROWS_MAX).contains(&self.keys.len()), "2 to 65536 keys")?;
        require(
            (1..=ROWS_MAX).contains(&self.statements.len()),
            "1 to 65536 statements",
        )?;
        require(self.events.len() <= ROWS_MAX, "at most 65536 events")?;
        let paths = std::iter::once(&self.policy.path)
            .chain(self.headers.iter().map(|row| &row.path))
            .chain(self.keys.iter().map(|row| &row.path))
            .chain(self.statements.iter().map(|row| &row.path))
            .chain(self.events.iter().map(|row| &row.path));
        require(
            paths.into_iter().all(|path| path.0.len() <= PATH_MAX),
            "a path has at most 64 hashes",
        )?;
        let later = |row: &StatementRow| {
            row.later
                .as_ref()
                .is_none_or(|later| (1..=LATER_MAX).contains(&later.len()))
        };
        require(
            self.statements.iter().all(later),
            "later has 1 to 4096 rows",
        )?;
        self.events.iter().try_for_each(check_event)
    }

    fn check_order(&self) -> Result<(), Refusal> {
        let rising = |fits, table: &str| require(fits, &format!("{table} are not in order"));
        rising(
            self.headers.is_sorted_by(|a, b| a.index < b.index),
            "headers",
        )?;
        rising(
            self.keys
                .is_sorted_by(|a, b| (a.header, a.index) < (b.header, b.index)),
            "keys",
        )?;
        let by = |a: &StatementRow, b: &StatementRow| (a.header, a.index) < (b.header, b.index);
        rising(self.statements.is_sorted_by(by), "statements")?;
        let by = |a: &EventRow, b: &EventRow| (a.statement, a.index) < (b.statement, b.index);
        rising(self.events.is_sorted_by(by), "events")?;
        self.check_positions()
    }

    fn check_positions(&self) -> Result<(), Refusal> {
        let (headers, keys) = (self.headers.len(), self.keys.len());
        let mut used = (vec![false; headers], vec![false; keys]);
        self.check_checkpoints()?;
        for row in &self.statements {
            let fits = row.header < headers && row.device < keys && row.organisation < keys;
            require(fits, "a position is out of range")?;
            used.0[row.header] = true;
            used.1[row.device] = true;
            used.1[row.organisation] = true;
        }
        require(
            self.keys.iter().all(|row| row.header < headers),
            "a position is out of range",
        )?;
        let in_range = self
            .events
            .iter()
            .all(|row| row.statement < self.statements.len());
        require(in_range, "a position is out of range")?;
        require(
            used.0.iter().chain(&used.1).all(|&used| used),
            "a header or key is not used",
        )
    }
}

impl Bundle {
    fn check_checkpoints(&self) -> Result<(), Refusal> {
        let mut used = vec![false; self.checkpoints.len()];
        for row in &self.headers {
            let used = used.get_mut(row.checkpoint);
            *used.ok_or_else(|| format("a position is out of range"))? = true;
        }
        let climbs = self
            .headers
            .is_sorted_by(|a, b| a.checkpoint <= b.checkpoint);
        require(climbs, "a later header is shown at an earlier checkpoint")?;
        let but_last = used.len().saturating_sub(1);
        require(
            used[..but_last].iter().all(|&used| used),
            "a checkpoint is not used",
        )
    }
}

fn check_event(row: &EventRow) -> Result<(), Refusal> {
    match (&row.leaf, row.source, &row.members) {
        (Some(_), None, None) => Ok(()),
        (None, Some(source), Some(members)) => {
            require(source <= 3, "source is 0 to 3")?;
            require(
                (1..=MEMBERS_MAX).contains(&members.len()),
                "1 to 64 members",
            )?;
            members.iter().try_for_each(check_member)
        }
        _ => Err(format("an event has either a leaf or source and members")),
    }
}

fn check_member(row: &MemberRow) -> Result<(), Refusal> {
    require(
        (1..=NAME_MAX).contains(&row.name.len()),
        "a name has 1 to 128 bytes",
    )?;
    let shown = row.salt.is_some() && row.value.is_some() && row.hash.is_none();
    let withheld = row.salt.is_none() && row.value.is_none() && row.hash.is_some();
    require(
        shown || withheld,
        "a member has either salt and value or a hash",
    )
}

fn format(detail: &str) -> Refusal {
    Refusal::new(Class::Format, detail)
}

fn require(holds: bool, detail: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(format(detail)) }
}

/// Outside strings only `{}[],:` and digits; no backslash; numbers within their limit; nothing
/// nested deeper than 8, and no array directly in an array: a row is an object, which serde would
/// also read from an array of its members.
fn check_spelling(bytes: &[u8]) -> Result<(), Refusal> {
    require(
        bytes.len() <= BUNDLE_MAX,
        "a bundle has at most 33554432 bytes",
    )?;
    let (mut in_string, mut number) = (false, 0u64);
    let mut open = Vec::with_capacity(DEPTH_MAX);
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'\\' {
            return Err(format(&format!("a backslash at byte {at}")));
        }
        if byte == b'"' {
            in_string = !in_string;
        }
        if in_string || byte == b'"' {
            number = 0;
            continue;
        }
        if byte.is_ascii_digit() {
            number = number
                .saturating_mul(10)
                .saturating_add(u64::from(byte - b'0'));
            require(number <= UINT_MAX, "a number is above 2^53 - 1")?;
            continue;
        }
        number = 0;
        match byte {
            b'{' | b'[' => check_opening(&mut open, byte)?,
            b'}' | b']' => drop(open.pop()),
            b',' | b':' => {}
            _ => {
                return Err(format(&format!(
                    "an unexpected byte outside strings at {at}"
                )));
            }
        }
    }
    Ok(())
}

fn check_opening(open: &mut Vec<u8>, byte: u8) -> Result<(), Refusal> {
    let in_array = open.last() == Some(&b'[');
    require(
        !(byte == b'[' && in_array),
        "an array stands directly in an array",
    )?;
    open.push(byte);
    require(open.len() <= DEPTH_MAX, "nested deeper than 8")
}
