//! What must hold between the members of one object (EPCIS 2.0 sections 7.3.3, 7.3.7 and 7.4).
//!
//! Each rule sees an object whose members have been judged one by one, and reports the member that
//! is to blame. A member of the wrong form counts as absent: that has been reported already.

use serde_json::{Map, Value};

use super::facts::decimal;
use super::rule::parse_event_time;
use super::violation::Problem;
use crate::gs1;

type Object = Map<String, Value>;

/// Reports the member that breaks it (empty for the object itself) and why.
pub(super) type Rule = fn(&Object) -> Option<(&'static str, Problem)>;

type Broken = Option<(&'static str, Problem)>;

fn sentence(member: &'static str, sentence: &'static str) -> Broken {
    Some((member, Problem::Semantics(sentence)))
}

/// Whether one of these lists has an entry.
fn has_some(object: &Object, lists: &[&str]) -> bool {
    let entries = |name: &&str| object.get(*name)?.as_array();
    lists
        .iter()
        .filter_map(entries)
        .any(|list| !list.is_empty())
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

fn is_action(object: &Object, action: &str) -> bool {
    text(object, "action") == Some(action)
}

pub(super) fn object_event(event: &Object) -> Broken {
    let sensed = has_some(event, &["sensorElementList"]) && event.contains_key("readPoint");
    if !sensed && !has_some(event, &["epcList", "quantityList"]) {
        return sentence(
            "",
            "names nothing: neither things nor quantities nor sensor data with a read point",
        );
    }
    if event.contains_key("ilmd") && !is_action(event, "ADD") {
        return sentence("ilmd", "may only stand where the action is ADD");
    }
    None
}

pub(super) fn aggregation_event(event: &Object) -> Broken {
    let needed = !is_action(event, "OBSERVE") && !event.contains_key("parentID");
    needed.then_some(("parentID", Problem::Missing))
}

pub(super) fn association_event(event: &Object) -> Broken {
    (!event.contains_key("parentID")).then_some(("parentID", Problem::Missing))
}

/// DELETE without children takes everything out of the parent.
pub(super) fn children(event: &Object) -> Broken {
    if is_action(event, "DELETE") || has_some(event, &["childEPCs", "childQuantityList"]) {
        return None;
    }
    sentence("", "has no children, which only the action DELETE allows")
}

pub(super) fn not_its_own_parent(event: &Object) -> Broken {
    let name = |uri: &str| gs1::normalise(uri).unwrap_or_else(|_| uri.to_owned());
    let parent = name(text(event, "parentID")?);
    let children = event.get("childEPCs")?.as_array()?;
    let contains_itself = children
        .iter()
        .filter_map(Value::as_str)
        .any(|child| name(child) == parent);
    if contains_itself {
        sentence("parentID", "is among its own children")
    } else {
        None
    }
}

pub(super) fn transaction_event(event: &Object) -> Broken {
    if !has_some(event, &["bizTransactionList"]) {
        let problem = if event.contains_key("bizTransactionList") {
            Problem::Empty
        } else {
            Problem::Missing
        };
        return Some(("bizTransactionList", problem));
    }
    if is_action(event, "DELETE") || has_some(event, &["epcList", "quantityList"]) {
        return None;
    }
    sentence("", "names no things, which only the action DELETE allows")
}

pub(super) fn transformation_event(event: &Object) -> Broken {
    let inputs = has_some(event, &["inputEPCList", "inputQuantityList"]);
    let outputs = has_some(event, &["outputEPCList", "outputQuantityList"]);
    match (inputs, outputs, event.contains_key("transformationID")) {
        (true, true, _) | (true, false, true) | (false, true, true) => None,
        (false, false, _) => sentence("", "has neither inputs nor outputs"),
        (true, false, false) => {
            sentence("", "has no outputs, which only a transformationID allows")
        }
        (false, true, false) => sentence("", "has no inputs, which only a transformationID allows"),
    }
}

/// Without a unit things are counted; with one they are measured.
pub(super) fn quantity(element: &Object) -> Broken {
    let Some(value) = element.get("quantity").filter(|value| value.is_number()) else {
        let stray = element.contains_key("uom") && !element.contains_key("quantity");
        return if stray {
            sentence("uom", "stands without a quantity")
        } else {
            None
        };
    };
    let Some(amount) = decimal(value) else {
        return sentence("quantity", "has more digits than can be reckoned with");
    };
    if amount <= rust_decimal::Decimal::ZERO {
        return sentence("quantity", "must be above zero");
    }
    if !element.contains_key("uom") && !amount.is_integer() {
        return sentence(
            "quantity",
            "without a unit of measure must be a whole number",
        );
    }
    None
}

pub(super) fn persistent_disposition(object: &Object) -> Broken {
    if object.is_empty() {
        sentence("", "must set or unset something")
    } else {
        None
    }
}

pub(super) fn sensor_metadata(metadata: &Object) -> Broken {
    let time =
        |name| parse_event_time(text(metadata, name)?).map(|time| (time.seconds, time.nanos));
    if time("startTime")? > time("endTime")? {
        return sentence("startTime", "is after endTime");
    }
    None
}

pub(super) fn sensor_report(report: &Object) -> Broken {
    if report.contains_key("percRank") != report.contains_key("percValue") {
        return sentence("", "must have percRank and percValue together");
    }
    let number = |name| report.get(name)?.as_f64();
    if number("percRank").is_some_and(|rank| !(0.0..=100.0).contains(&rank)) {
        return sentence("percRank", "must be between 0 and 100");
    }
    if number("sDev").is_some_and(|deviation| deviation < 0.0) {
        return sentence("sDev", "must not be negative");
    }
    if number("minValue")? > number("maxValue")? {
        return sentence("minValue", "is above maxValue");
    }
    None
}
