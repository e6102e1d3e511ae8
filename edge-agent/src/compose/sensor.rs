//! Readings to sensor events: EPCIS 2.0 section 7.3.7 (`sensorElementList`).

use schemas::time::Instant;
use serde_json::{Map, Value, json};

use super::presence::{Item, Presence};
use super::{
    ComposeError, Made, Weight, finish, head, offset_text, put_items, put_places, time_text,
};
use crate::config::SensorRule;

/// Goods named in one event; more are named in further events with the same readings, so that no
/// event outgrows its 64 KiB.
pub const GOODS_PER_EVENT_MAX: usize = 256;

/// One reading as its driver gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// When, by the device where it states it, else by the agent's clock.
    pub time: Instant,
    /// Scaled; `None` where the register held no number (never made up).
    pub value: Option<f64>,
    /// The driver does not trust it.
    pub suspect: bool,
}

impl Reading {
    /// True if the value is beyond the rule's alarm limits.
    #[must_use]
    pub fn is_alarm(&self, rule: &SensorRule) -> bool {
        self.value.is_some_and(|value| {
            rule.alarm_min.is_some_and(|min| value < min)
                || rule.alarm_max.is_some_and(|max| value > max)
        })
    }

    /// The value, if it is a number that nobody doubts: what figures are made from.
    #[must_use]
    pub fn good(&self) -> Option<f64> {
        self.value
            .filter(|value| value.is_finite() && !self.suspect)
    }
}

/// What one event says of a sensor.
pub(super) struct Said {
    /// The event's time.
    pub time: Instant,
    /// `sensorElementList`.
    pub elements: Vec<Value>,
    /// Whether it may be thinned.
    pub weight: Weight,
}

/// What a list of readings says one by one, in the order in which they were taken; `None` of none.
pub(super) fn said(rule: &SensorRule, readings: &[Reading]) -> Option<Said> {
    let last = readings.last()?;
    // Only a reading that is believed is part of the goods' life.
    let alarm = |reading: &Reading| reading.good().is_some() && reading.is_alarm(rule);
    Some(Said {
        time: last.time,
        elements: vec![element(rule, readings)],
        weight: if readings.iter().any(alarm) {
            Weight::LifeCycle
        } else {
            Weight::Telemetry
        },
    })
}

/// Events over `readings` (in the order in which they were taken, at least one), one for each
/// [`GOODS_PER_EVENT_MAX`] goods that are here. The event's time is that of the last reading.
///
/// # Errors
/// [`ComposeError`] for a rule or reading that makes no valid event.
pub fn events(
    rule: &SensorRule,
    time_zone_minutes: i32,
    readings: &[Reading],
    presence: &Presence,
) -> Result<Vec<Made>, ComposeError> {
    match said(rule, readings) {
        Some(said) => tell(rule, time_zone_minutes, &said, presence),
        None => Ok(Vec::new()),
    }
}

/// The events that say it of the goods that are here.
pub(super) fn tell(
    rule: &SensorRule,
    time_zone_minutes: i32,
    said: &Said,
    presence: &Presence,
) -> Result<Vec<Made>, ComposeError> {
    let goods: Vec<Item> = presence.items().collect();
    let build = |goods: &[Item]| {
        let mut event = head(
            "ObjectEvent",
            time_text(said.time),
            offset_text(time_zone_minutes),
        );
        event.insert("action".to_owned(), "OBSERVE".into());
        event.insert("bizStep".to_owned(), rule.step.as_str().into());
        put_places(&mut event, &rule.place, rule.biz_location.as_deref());
        put_items(&mut event, "epcList", "quantityList", goods);
        event.insert("sensorElementList".to_owned(), json!(said.elements));
        if let Some(assumption) = &rule.assumption {
            event.insert("tb:assumption".to_owned(), assumption.as_str().into());
        }
        let weight = said.weight;
        finish(event).map(|event| Made { event, weight })
    };
    if goods.is_empty() {
        return Ok(vec![build(&[])?]);
    }
    goods.chunks(GOODS_PER_EVENT_MAX).map(build).collect()
}

/// What holds for all readings is said once, in the metadata; when each was taken, by itself: EPCIS
/// 2.0 section 7.3.7.1 lets nothing stand in both.
fn element(rule: &SensorRule, readings: &[Reading]) -> Value {
    let reports: Vec<Value> = readings
        .iter()
        .map(|reading| report(rule, reading))
        .collect();
    json!({
        "sensorMetadata": { "deviceID": rule.sensor },
        "sensorReport": reports,
    })
}

/// Which part of a position a number is, and by which system of coordinates.
pub(super) fn put_axis(report: &mut Map<String, Value>, rule: &SensorRule) {
    let parts = [
        ("component", &rule.component),
        ("coordinateReferenceSystem", &rule.reference_system),
    ];
    for (name, part) in parts {
        if let Some(part) = part {
            report.insert(name.to_owned(), part.as_str().into());
        }
    }
}

fn report(rule: &SensorRule, reading: &Reading) -> Value {
    let mut report = Map::new();
    report.insert("type".to_owned(), rule.measurement.as_str().into());
    put_axis(&mut report, rule);
    // A number that is not finite is no number: it is left out, and the reading is suspect.
    let value = reading.value.and_then(serde_json::Number::from_f64);
    let is_missing = value.is_none();
    if let Some(value) = value {
        report.insert("value".to_owned(), Value::Number(value));
    }
    report.insert("uom".to_owned(), rule.uom.as_str().into());
    report.insert("time".to_owned(), time_text(reading.time).into());
    if reading.is_alarm(rule) {
        report.insert("exception".to_owned(), "ALARM_CONDITION".into());
    }
    if reading.suspect || is_missing {
        report.insert("tb:quality".to_owned(), "suspect".into());
    }
    Value::Object(report)
}
