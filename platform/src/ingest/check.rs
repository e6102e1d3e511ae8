//! The checks of `statement.md` section 5, in their order. Pure: a message and a snapshot in, a
//! statement that can be stored or a reason out.

use schemas::causes::causes;
use schemas::epcis::{self, EventFacts, rule};
use schemas::event::Source;
use schemas::hash::{Hash, sha256};
use schemas::ids::DeviceAddress;
use schemas::registry::{Record, Role, SignedRecord, State};
use schemas::statement::{MESSAGE_MAX, Message, Payload, WireEvent};
use schemas::time::Instant;
use serde_json::Value;

use crate::registry::Snapshot;
use crate::store::{NewEvent, NewQuarantine, NewStatement, filed};

/// Most bytes of a message that quarantine keeps.
pub const QUARANTINE_BYTES: usize = 65_536;

/// Why a message cannot be verified.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Reason code.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

fn reject<T>(code: &'static str, detail: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection {
        code,
        detail: detail.into(),
    })
}

/// Checks a message; `sender` is the address in the topic, where there is one.
///
/// # Errors
/// [`Rejection`]: the message goes to quarantine.
pub fn check(
    bytes: &[u8],
    sender: Option<&DeviceAddress>,
    log: &Hash,
    snapshot: &Snapshot,
    now: Instant,
) -> Result<NewStatement, Rejection> {
    if bytes.len() > MESSAGE_MAX {
        return reject("too-large", format!("{} bytes", bytes.len()));
    }
    let message = Message::decode(bytes).map_err(|error| Rejection {
        code: error.code(),
        detail: causes(&error),
    })?;
    let payload = &message.statement.payload;
    if payload.log != *log {
        return reject("foreign-log", payload.log.to_string());
    }
    let signed = key_of(&message, sender, snapshot)?;
    message
        .statement
        .verify(&signed.record.key)
        .map_err(|error| Rejection {
            code: "bad-signature",
            detail: causes(&error),
        })?;
    let leaves = message.check_root().map_err(|error| Rejection {
        code: error.code(),
        detail: causes(&error),
    })?;
    let id = message.statement.id();
    // Where a statement's way begins: until here nobody knows whose it is.
    tracing::debug!(
        target: "tracebond::way",
        statement = %id,
        device = %payload.device,
        bytes = bytes.len(),
        events = message.events.len(),
        "message received"
    );
    let version = snapshot.head.map_or(0, |head| head.version);
    let accept = |(event, leaf): (&WireEvent, Hash)| accept(event, leaf, &signed.record);
    Ok(NewStatement {
        id,
        device: payload.device.clone(),
        position: payload.position,
        kid: message.statement.kid,
        prev: payload.prev,
        bytes: message.statement.bytes().to_vec(),
        received: now,
        made: filed(payload.made, payload.clock, now),
        registry_version: version,
        events: message.events.iter().zip(leaves).map(accept).collect(),
    })
}

fn key_of<'s>(
    message: &Message,
    sender: Option<&DeviceAddress>,
    snapshot: &'s Snapshot,
) -> Result<&'s SignedRecord, Rejection> {
    let payload = &message.statement.payload;
    let capture = snapshot
        .key(&message.statement.kid)
        .filter(|s| s.record.role == Role::Capture);
    let Some(signed) = capture else {
        return reject("unknown-key", message.statement.kid.to_string());
    };
    let same = signed.record.address().as_ref() == Some(&payload.device)
        && sender.is_none_or(|sender| *sender == payload.device);
    if !same {
        return reject(
            "wrong-device",
            format!("the statement speaks for {}", payload.device),
        );
    }
    check_state(&signed.record, payload, message.statement.id())?;
    if snapshot.organisation_of(signed).is_none() {
        return reject(
            "organisation-state",
            payload.device.organisation.to_string(),
        );
    }
    Ok(signed)
}

fn check_state(record: &Record, payload: &Payload, id: Hash) -> Result<(), Rejection> {
    match &record.state {
        State::Active => Ok(()),
        State::Retired {
            last: Some((last, last_id)),
        } => {
            let before = payload.position < *last;
            if before || (payload.position == *last && id == *last_id) {
                Ok(())
            } else {
                reject("key-state", "the key was retired before this statement")
            }
        }
        State::Suspended => reject("key-state", "the key is suspended"),
        State::Retired { .. } | State::Revoked { .. } => reject("key-state", "the key is revoked"),
    }
}

/// Judges one event and derives its columns.
fn accept(event: &WireEvent, leaf: Hash, record: &Record) -> NewEvent {
    let value: Value = serde_json::from_slice(event.event.bytes()).unwrap_or(Value::Null);
    let refused = judge(event.source, &value, record).err();
    let derived = derived(&value);
    NewEvent {
        leaf,
        source: event.source,
        salt: event.salt,
        bytes: event.event.bytes().to_vec(),
        refused: refused.map(str::to_owned),
        event_time: derived.event_time,
        step: derived.step,
        items: derived.items,
    }
}

/// Columns that are made from what an event says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// Event time.
    pub event_time: Option<Instant>,
    /// Business step.
    pub step: Option<String>,
    /// Things that it names, canonical, with role.
    pub items: Vec<(String, &'static str)>,
}

/// The columns of an event; none of what is no event.
#[must_use]
pub fn derived(event: &Value) -> Derived {
    let Ok(facts) = EventFacts::read(event) else {
        return Derived::default();
    };
    let name = |item: &epcis::Item| (item.key.as_str().to_owned(), item.role.name());
    Derived {
        event_time: Some(facts.event_time),
        items: facts.items.iter().map(name).collect(),
        step: facts.biz_step,
    }
}

/// Rule set 1, then the further rules of EPCIS.
fn judge(source: Source, event: &Value, record: &Record) -> Result<(), &'static str> {
    if !record.sources.contains(&source.number()) {
        return Err("source-not-allowed");
    }
    let member = |name| event.get(name).unwrap_or(&Value::Null);
    rule::event_type(member("type"))?;
    rule::event_time(member("eventTime"))?;
    rule::time_zone_offset(member("eventTimeZoneOffset"))?;
    rule::action(member("type").as_str(), event.get("action"))?;
    event
        .get("bizStep")
        .map_or(Ok(()), |step| rule::step(step, &record.steps))?;
    event
        .get("readPoint")
        .map_or(Ok(()), |place| rule::place(place, &record.places))?;
    match epcis::first_violation(event) {
        None => Ok(()),
        Some(_) => Err(rule::EPCIS),
    }
}

/// A message for quarantine.
#[must_use]
pub fn quarantined(
    bytes: &[u8],
    topic: &str,
    rejection: &Rejection,
    now: Instant,
) -> NewQuarantine {
    NewQuarantine {
        id: sha256(bytes),
        received: now,
        topic: topic.chars().take(256).collect(),
        code: rejection.code.to_owned(),
        detail: rejection.detail.chars().take(512).collect(),
        bytes: bytes[..bytes.len().min(QUARANTINE_BYTES)].to_vec(),
    }
}
