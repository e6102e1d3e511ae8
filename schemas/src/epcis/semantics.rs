//! What must hold between the members of one object (EPCIS 2.0 sections 7.3.3, 7.3.7 and 7.4).
//!
//! Each rule sees an object whose members have been judged one by one, and reports the member that
//! is to blame. A member of the wrong form counts as absent: that has been reported already.

use serde_json::{Map, Value};

use super::facts::decimal;
use super::rule::parse_event_time;
use super::unit::{self, Property};
use super::violation::Problem;
use super::vocabulary::{DISPOSITIONS, MEASUREMENTS};
use crate::gs1;

type Object = Map<String, Value>;

/// Reports the member that breaks it (empty for the object itself) and why.
pub(super) type Rule = fn(&Object) -> Option<(&'static str, Problem)>;

type Broken = Option<(&'static str, Problem)>;

/// Something wrong with a member of an entry of a list of the object.
pub(super) struct Inner {
    pub(super) list: &'static str,
    pub(super) index: usize,
    pub(super) member: &'static str,
    pub(super) problem: Problem,
}

/// Reports what breaks it in the entries of the object's lists.
pub(super) type InnerRule = fn(&Object) -> Vec<Inner>;

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
        return sentence("", "must set or unset something");
    }
    let words = |name| {
        object
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let bare = |word: &Value| Some(DISPOSITIONS.bare(word.as_str()?).to_owned());
    let set: Vec<_> = words("set").filter_map(bare).collect();
    if words("unset")
        .filter_map(bare)
        .any(|word| set.contains(&word))
    {
        return sentence("unset", "names a disposition that is set at once");
    }
    None
}

pub(super) fn sensor_metadata(metadata: &Object) -> Broken {
    let time =
        |name| parse_event_time(text(metadata, name)?).map(|time| (time.seconds, time.nanos));
    if time("startTime")? > time("endTime")? {
        return sentence("startTime", "is after endTime");
    }
    None
}

/// What metadata and report may both say, but only one of them (EPCIS 2.0 section 7.3.7.1: an
/// attribute is either in the metadata, for all reports, or in the reports).
const ORIGIN: [&str; 6] = [
    "time",
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
    "bizRules",
];

/// The five of [`ORIGIN`] that make a report's origin whole; `bizRules` is about the measuring as
/// such.
const WHOLE_ORIGIN: usize = 5;

/// Reports what stands in the metadata and in a report.
///
/// One exception: a report that repeats all of time, device, its metadata, raw data and method
/// inherits nothing, so that no reader can be in doubt about it. GS1's own examples of all fields
/// do that.
pub(super) fn sensor_element(element: &Object) -> Vec<Inner> {
    let Some(metadata) = element.get("sensorMetadata").and_then(Value::as_object) else {
        return Vec::new();
    };
    let reports = element.get("sensorReport").and_then(Value::as_array);
    let mut found = Vec::new();
    for (index, report) in reports.into_iter().flatten().enumerate() {
        let both =
            |name: &&'static str| metadata.contains_key(*name) && report.get(*name).is_some();
        if ORIGIN[..WHOLE_ORIGIN].iter().all(both) {
            continue;
        }
        found.extend(ORIGIN.into_iter().filter(both).map(|member| Inner {
            list: "sensorReport",
            index,
            member,
            problem: Problem::Semantics(
                "stands in the metadata too, where it holds for all reports",
            ),
        }));
    }
    found
}

/// A number's unit measures what the type says.
fn unit_of_type(report: &Object) -> Broken {
    let word = MEASUREMENTS.bare(text(report, "type")?);
    let unit = unit::find(text(report, "uom")?)?;
    let (kind, asked) = MEASUREMENTS
        .word(word)
        .and_then(|kind| Some((kind, Property::of_measurement(kind)?)))?;
    (unit.property != asked).then_some((
        "uom",
        Problem::Unit {
            kind,
            asked: asked.name(),
            found: unit.property.name(),
        },
    ))
}

pub(super) fn sensor_report(report: &Object) -> Broken {
    unit_of_type(report).or_else(|| statistics(report))
}

/// What must hold between the numbers of a report.
fn statistics(report: &Object) -> Broken {
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
