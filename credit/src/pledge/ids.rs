//! Names of pledges, requests, loans and disbursements.

use std::fmt;
use std::str::FromStr;

use schemas::hash::{Hash, NotAHash, sha256_parts};
use serde::{Deserialize, Serialize};

/// Longest [`Key`] in characters.
pub const KEY_MAX: usize = 64;

/// A text that names nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no key: 1 to 64 letters, digits, `-`, `_`, `.` or `:`")]
pub struct NotAKey(String);

/// What somebody else's system calls a request, a loan or a disbursement: 1 to 64 ASCII letters,
/// digits, `-`, `_`, `.` or `:`. Compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A word of at most 15 letters, and 48 digits of a hash behind it.
    pub(super) fn of_hash(word: &'static str, hash: &Hash) -> Self {
        Self(format!("{word}:{}", &hash.to_string()[..48]))
    }
}

impl FromStr for Key {
    type Err = NotAKey;
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(right) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAKey(text.chars().take(32).collect()))
        }
    }
}

impl TryFrom<String> for Key {
    type Error = NotAKey;
    fn try_from(text: String) -> Result<Self, NotAKey> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a pledge; made from the request that asked for it, so that one request has one pledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PledgeId(Hash);

impl PledgeId {
    /// The pledge of a request (`docs/pledge.md`, "History").
    #[must_use]
    pub fn of(request: &Key) -> Self {
        let parts = [b"tracebond/pledge-id/v1\n", request.as_str().as_bytes()];
        Self(sha256_parts(&parts))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// From a row.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Hash::from_slice(bytes).map(Self)
    }
}

impl FromStr for PledgeId {
    type Err = NotAHash;
    fn from_str(text: &str) -> Result<Self, NotAHash> {
        text.parse().map(Self)
    }
}

impl fmt::Display for PledgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
