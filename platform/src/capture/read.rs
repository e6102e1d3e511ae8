//! What was captured, read back.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use schemas::epcis;
use schemas::hash::Hash;
use schemas::time::Instant;
use serde_json::{Value, json};

use super::Captures;
use crate::store::captures::KeptCapture;
use crate::store::{KeptEvent, StoreError};

/// `@context` of what the platform itself writes.
const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";
/// How an event id that claims to be a CBV event hash begins and ends.
const NI: (&str, &str) = ("ni:///sha-256;", "?ver=CBV2.0");

/// What the caller's own `eventID` is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventIdState {
    /// There is none.
    Absent,
    /// It is the CBV 2.0 hash of the event.
    Right,
    /// It claims to be, and is not: kept as sent, never relied upon.
    Wrong,
    /// Another kind of id.
    Other,
}

impl EventIdState {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Other => "other",
        }
    }

    fn of(event: &Value) -> Self {
        let Some(id) = event.get("eventID").and_then(Value::as_str) else {
            return Self::Absent;
        };
        if !(id.starts_with(NI.0) && id.ends_with(NI.1)) {
            return Self::Other;
        }
        if epcis::cbv_hash(event) == id {
            Self::Right
        } else {
            Self::Wrong
        }
    }
}

/// A captured event.
#[derive(Clone, Debug)]
pub struct CapturedAs {
    /// Place in the document's list, from 0.
    pub place: u64,
    /// Identity.
    pub leaf: Hash,
    /// Statement that carries it.
    pub statement: Hash,
    /// The event as signed; none once it was erased.
    pub event: Option<Value>,
    /// What its own id is worth; none once it was erased.
    pub event_id: Option<EventIdState>,
}

impl Captures {
    /// The events of a capture, in the order of the document.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(&self, kept: &KeptCapture) -> Result<Vec<CapturedAs>, StoreError> {
        let mut statements: BTreeMap<Hash, Vec<KeptEvent>> = BTreeMap::new();
        let mut found = Vec::new();
        for row in self.store.capture_events(&kept.capturer, &kept.id).await? {
            let all = match statements.entry(row.statement) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(self.store.events_of_statement(&row.statement).await?)
                }
            };
            let kept = all.iter().find(|one| one.position == row.position);
            let Some(kept) = kept else {
                return Err(StoreError::Corrupt("captured event"));
            };
            found.push(captured_as(row.place, row.statement, kept));
        }
        Ok(found)
    }
}

fn captured_as(place: u64, statement: Hash, kept: &KeptEvent) -> CapturedAs {
    let bytes = kept.content.as_ref().map(|(bytes, _)| bytes);
    let event: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(bytes).ok());
    CapturedAs {
        place,
        leaf: kept.leaf,
        statement,
        event_id: event.as_ref().map(EventIdState::of),
        event,
    }
}

/// An `EPCISQueryDocument` of events as signed with `recordTime` added (EPCIS 2.0 section 7.4.1:
/// the time at which a repository had the event; what the caller wrote there does not count).
#[must_use]
pub fn query_document(events: Vec<CapturedAs>, recorded: Instant) -> Value {
    let time = recorded.to_rfc3339();
    let with_time = |one: CapturedAs| {
        let mut event = one.event?;
        event["recordTime"] = time.clone().into();
        Some(event)
    };
    let list: Vec<Value> = events.into_iter().filter_map(with_time).collect();
    json!({
        "@context": [CONTEXT],
        "type": "EPCISQueryDocument",
        "schemaVersion": "2.0",
        "creationDate": time,
        "epcisBody": {"queryResults": {
            "queryName": "capture",
            "resultsBody": {"eventList": list},
        }},
    })
}
