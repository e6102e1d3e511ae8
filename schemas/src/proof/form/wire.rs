//! The two written forms and the one in memory.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::rules::{format, require};
use super::{
    Bundle, Bytes, CheckpointRow, EventRow, Fresh, HeaderRow, KeyRow, PolicyRow, StatementRow,
    Version,
};
use crate::b64;
use crate::proof::Refusal;

const V1: &str = "bundle/v1";
const V2: &str = "bundle/v2";

/// The members of both versions; which of them may stand together is decided afterwards, so that a
/// bundle is read once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Either {
    tracebond: String,
    policy: Option<PolicyRow>,
    policies: Option<Vec<PolicyRow>>,
    checkpoints: Vec<Checkpoint>,
    headers: Vec<HeaderRow>,
    keys: Vec<KeyRow>,
    fresh: Option<Fresh>,
    statements: Vec<StatementRow>,
    events: Vec<EventRow>,
}

/// A note as version 1 writes it, or a row.
enum Checkpoint {
    Note(Vec<u8>),
    Row(CheckpointRow),
}

impl<'de> Deserialize<'de> for Checkpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckpointVisitor)
    }
}

struct CheckpointVisitor;

impl<'de> Visitor<'de> for CheckpointVisitor {
    type Value = Checkpoint;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a checkpoint")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Checkpoint, E> {
        let note = b64::decode(text).ok_or_else(|| E::custom("not canonical base64"))?;
        Ok(Checkpoint::Note(note))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Checkpoint, A::Error> {
        CheckpointRow::deserialize(MapAccessDeserializer::new(map)).map(Checkpoint::Row)
    }
}

/// Reads either form, and refuses members that its version does not have.
pub(super) fn read(bytes: &[u8]) -> Result<Bundle, Refusal> {
    let read: Either = serde_json::from_slice(bytes).map_err(|error| format(&error.to_string()))?;
    let (version, policies) = match (read.tracebond.as_str(), read.policy, read.policies) {
        (V1, Some(policy), None) => (Version::V1, vec![policy]),
        (V2, None, Some(policies)) => (Version::V2, policies),
        (V1 | V2, _, _) => return Err(format("bundle/v1 has policy, bundle/v2 has policies")),
        _ => return Err(format("tracebond is bundle/v1 or bundle/v2")),
    };
    if version == Version::V1 {
        let seen = read.statements.iter().any(|row| row.seen.is_some());
        require(
            read.fresh.is_none() && !seen,
            "bundle/v1 has neither fresh nor seen",
        )?;
    }
    let checkpoint = |row| match (version, row) {
        (Version::V1, Checkpoint::Note(note)) => Ok(CheckpointRow::only(note)),
        (Version::V2, Checkpoint::Row(row)) => Ok(row),
        _ => Err(format("a checkpoint of the other version")),
    };
    let checkpoints = read.checkpoints.into_iter().map(checkpoint);
    Ok(Bundle {
        version,
        policies,
        checkpoints: checkpoints.collect::<Result<_, _>>()?,
        headers: read.headers,
        keys: read.keys,
        fresh: read.fresh,
        statements: read.statements,
        events: read.events,
    })
}

#[derive(Serialize)]
struct WrittenV1<'a> {
    tracebond: &'static str,
    policy: Option<&'a PolicyRow>,
    checkpoints: Vec<&'a Bytes>,
    headers: &'a [HeaderRow],
    keys: &'a [KeyRow],
    statements: &'a [StatementRow],
    events: &'a [EventRow],
}

#[derive(Serialize)]
struct WrittenV2<'a> {
    tracebond: &'static str,
    policies: &'a [PolicyRow],
    checkpoints: &'a [CheckpointRow],
    headers: &'a [HeaderRow],
    keys: &'a [KeyRow],
    #[serde(skip_serializing_if = "Option::is_none")]
    fresh: Option<&'a Fresh>,
    statements: &'a [StatementRow],
    events: &'a [EventRow],
}

/// Writes a bundle as its version says.
pub(super) fn write(bundle: &Bundle) -> Result<Vec<u8>, serde_json::Error> {
    let (headers, keys) = (&bundle.headers[..], &bundle.keys[..]);
    let (statements, events) = (&bundle.statements[..], &bundle.events[..]);
    match bundle.version {
        Version::V1 => serde_json::to_vec(&WrittenV1 {
            tracebond: V1,
            policy: bundle.policies.first(),
            checkpoints: bundle.checkpoints.iter().map(|row| &row.note).collect(),
            headers,
            keys,
            statements,
            events,
        }),
        Version::V2 => serde_json::to_vec(&WrittenV2 {
            tracebond: V2,
            policies: &bundle.policies,
            checkpoints: &bundle.checkpoints,
            headers,
            keys,
            fresh: bundle.fresh.as_ref(),
            statements,
            events,
        }),
    }
}
