//! The bundle as JSON: strict form in, one spelling out (`proof-bundle.md` section 1,
//! `proof-bundle-v2.md` section 1).

mod rules;
mod spelling;
mod wire;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::b64;
use crate::hash::Hash;
use crate::proof::Refusal;

/// Longest bundle in bytes.
pub const BUNDLE_MAX: usize = 33_554_432;
/// Most rows of each table.
pub const ROWS_MAX: usize = 65_536;
/// Most policies of a bundle of version 2.
pub const POLICIES_MAX: usize = 32;
/// Longest chain from a statement to its retired key's last one.
pub const LATER_MAX: usize = 4_096;

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

/// Which of the two forms a bundle has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// One policy, no more than `proof-bundle.md` says.
    V1,
    /// Policies in succession, a recent head, lower bounds (`proof-bundle-v2.md`).
    V2,
}

/// A policy entry and its place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRow {
    /// Log entry of type 2.
    pub entry: Bytes,
    /// Place in the log.
    pub index: u64,
    /// Path in the log.
    pub path: Path,
    /// Consistency path from the size in its `prev` to the last checkpoint: there in every row but
    /// the first of a bundle of version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Path>,
    /// The predecessor's last word: there where `prefix` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<Handover>,
}

impl PolicyRow {
    /// The first policy of a bundle.
    #[must_use]
    pub const fn first(entry: Bytes, index: u64, path: Path) -> Self {
        Self {
            entry,
            index,
            path,
            prefix: None,
            handover: None,
        }
    }
}

/// One note under the predecessor that covers the new policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// Signed note of size `prev` size + 1.
    pub note: Bytes,
    /// Path of the policy in the tree of that note.
    pub path: Path,
}

/// A checkpoint under one of the policies; version 1 writes only its note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointRow {
    /// Signed note.
    pub note: Bytes,
    /// Position of its policy.
    pub policy: usize,
    /// Consistency path to the end of its policy; empty under the last one.
    pub prefix: Path,
}

impl CheckpointRow {
    /// A checkpoint under the only policy.
    #[must_use]
    pub fn only(note: Vec<u8>) -> Self {
        Self {
            note: Bytes(note),
            policy: 0,
            prefix: Path::default(),
        }
    }
}

/// Keys at a recent registry head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fresh {
    /// Log entry of type 5.
    pub entry: Bytes,
    /// Place in the log.
    pub index: u64,
    /// Path in the log.
    pub path: Path,
    /// Records, by place in the registry.
    pub keys: Vec<FreshKey>,
}

/// A record and its place in the recent registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshKey {
    /// COSE bytes.
    pub record: Bytes,
    /// Salt of the leaf.
    pub salt: Fixed<16>,
    /// Place in the registry.
    pub index: u64,
    /// Path in the registry.
    pub path: Path,
}

/// The checkpoint that a device had seen when it made a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Signed note of the size and root that the statement names.
    pub note: Bytes,
    /// Position of its policy.
    pub policy: usize,
    /// Consistency path to the last checkpoint.
    pub prefix: Path,
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
    /// The checkpoint that it has seen (version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
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

/// A proof bundle of either version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// How it is written.
    pub version: Version,
    /// Whom to trust, by index; version 1 has exactly one.
    pub policies: Vec<PolicyRow>,
    /// Checkpoints, by size.
    pub checkpoints: Vec<CheckpointRow>,
    /// Batch headers, by log index.
    pub headers: Vec<HeaderRow>,
    /// Records, by (header, index).
    pub keys: Vec<KeyRow>,
    /// Keys at a recent registry head (version 2).
    pub fresh: Option<Fresh>,
    /// Statements, by (header, index).
    pub statements: Vec<StatementRow>,
    /// Events, by (statement, index).
    pub events: Vec<EventRow>,
}

impl Bundle {
    /// The one spelling: compact JSON. What the version cannot say is left out.
    ///
    /// # Errors
    /// Never for rows that this crate made.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        wire::write(self)
    }

    /// Reads a bundle by section 1.
    ///
    /// # Errors
    /// Class `format`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        spelling::check(bytes)?;
        let bundle = wire::read(bytes)?;
        rules::check(&bundle)?;
        Ok(bundle)
    }
}
