//! Names: organisations, devices, logs. Parsed once at the edge, never checked again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::{Hash, sha256_parts};

/// Longest slug in characters.
pub const SLUG_MAX: usize = 32;

/// A name that cannot be taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// Not 1 to 32 characters of `a-z 0-9 -`, or it begins with `-`.
    #[error("`{0}` is not a slug (1 to 32 of a-z 0-9 -, not beginning with -)")]
    Slug(String),
    /// No `organisation/device`.
    #[error("`{0}` is not a device address (organisation/device)")]
    Address(String),
    /// Not a log origin.
    #[error("`{0}` is not a log origin (1 to 255 printable ASCII characters without space or +)")]
    Origin(String),
}

/// 1 to 32 characters of `a-z 0-9 -`, the first not `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=SLUG_MAX).contains(&text.len())
            && text.bytes().all(right)
            && !text.starts_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Slug(clip(text)))
        }
    }
}

impl TryFrom<String> for Slug {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `organisation/device`, the holder of a chain of statements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceAddress {
    /// Who answers for the device.
    pub organisation: Slug,
    /// The device's name within it.
    pub device: Slug,
}

impl DeviceAddress {
    /// Topic that the device publishes statements on.
    #[must_use]
    pub fn capture_topic(&self) -> String {
        format!("tracebond/v1/{}/{}/capture", self.organisation, self.device)
    }

    /// Topic that the device reads receipts from.
    #[must_use]
    pub fn receipt_topic(&self) -> String {
        format!("tracebond/v1/{}/{}/receipt", self.organisation, self.device)
    }

    /// The address in a capture topic, if it is one.
    #[must_use]
    pub fn of_capture_topic(topic: &str) -> Option<Self> {
        topic
            .strip_prefix("tracebond/v1/")?
            .strip_suffix("/capture")?
            .parse()
            .ok()
    }
}

impl FromStr for DeviceAddress {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (organisation, device) = text
            .split_once('/')
            .ok_or_else(|| NameError::Address(clip(text)))?;
        Ok(Self {
            organisation: organisation.parse()?,
            device: device.parse()?,
        })
    }
}

impl TryFrom<String> for DeviceAddress {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<DeviceAddress> for String {
    fn from(address: DeviceAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.organisation, self.device)
    }
}

/// A log's name: the first line of its checkpoints (`log.md` section 1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl Origin {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if the log runs on a replayed clock.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.0.ends_with("/replay")
    }

    /// Log id = SHA-256(origin || 0x0A || genesis log key).
    #[must_use]
    pub fn log_id(&self, genesis_log_key: &[u8; 32]) -> Hash {
        sha256_parts(&[self.0.as_bytes(), b"\n", genesis_log_key])
    }
}

impl FromStr for Origin {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_printable(text, 255) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Origin(clip(text)))
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 1 to `max` printable ASCII characters without space and `+`: names in notes.
#[must_use]
pub fn is_printable(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'+')
}

/// An excerpt for an error message, so that a stranger's megabyte stays out of the log.
fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}
