//! Instants as RFC 3339 text in what credit keeps and answers; for `#[serde(with = ...)]`.

use schemas::time::Instant;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes `2026-11-22T01:02:03.000000Z`.
pub fn serialize<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339())
}

/// Reads what [`serialize`] wrote.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
    let text = String::deserialize(deserializer)?;
    Instant::parse_rfc3339(&text)
        .ok_or_else(|| serde::de::Error::custom("expected an RFC 3339 instant"))
}
