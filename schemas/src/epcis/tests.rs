//! Events that are built here and broken in one place each.

mod beside;
mod facts;
mod invalid;

use serde_json::{Value, json};

use super::{Problem, first_violation};

const ITEM: &str = "https://id.gs1.org/01/09521001000017/21/S1";
const LOT: &str = "https://id.gs1.org/01/09521001000017/10/L1";
const PALLET: &str = "https://id.gs1.org/00/095210010000000017";
const PLACE: &str = "https://id.gs1.org/414/9521001000000";

fn event(event_type: &str, members: Value) -> Value {
    let mut event = json!({
        "type": event_type,
        "eventTime": "2026-11-22T01:02:03Z",
        "eventTimeZoneOffset": "+08:00",
    });
    merge(&mut event, members);
    event
}

/// Adds members; null takes one out.
fn merge(event: &mut Value, members: Value) {
    let (Some(event), Value::Object(members)) = (event.as_object_mut(), members) else {
        return;
    };
    for (name, value) in members {
        if value.is_null() {
            event.shift_remove(&name);
        } else {
            event.insert(name, value);
        }
    }
}

fn object() -> Value {
    event(
        "ObjectEvent",
        json!({"action": "OBSERVE", "epcList": [ITEM], "bizStep": "packing"}),
    )
}

fn aggregation() -> Value {
    event(
        "AggregationEvent",
        json!({"action": "ADD", "parentID": PALLET, "childEPCs": [ITEM]}),
    )
}

fn sensing(report: Value) -> Value {
    let element = json!({"sensorReport": [{"type": "Humidity:x", "value": 1}, report]});
    event(
        "ObjectEvent",
        json!({"action": "OBSERVE", "readPoint": {"id": PLACE}, "sensorElementList": [element]}),
    )
}

#[track_caller]
fn breaks(event: &Value, path: &str, code: &str) -> Problem {
    let violation = first_violation(event).unwrap_or_else(|| panic!("accepted: {event}"));
    assert_eq!(
        (&*violation.path, violation.code()),
        (path, code),
        "{violation}\n{event}"
    );
    violation.problem
}

#[track_caller]
fn object_breaks(members: Value, path: &str) -> Problem {
    let mut event = object();
    merge(&mut event, members);
    breaks(&event, path, "epcis")
}
