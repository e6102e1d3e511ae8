//! Sensor data of an event, flattened: one [`Reading`] for each report.

use serde_json::Value;

use super::rule::parse_event_time;
use crate::time::Instant;

/// One sensor report with what its element's metadata says of it (EPCIS 2.0 section 7.3.7).
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Index in `sensorElementList`.
    pub element: usize,
    /// Index in the element's `sensorReport`.
    pub report: usize,
    /// Measurement type, for example `Temperature`.
    pub kind: String,
    /// When it was measured: the report's time, else the metadata's, else the end of its span, else
    /// the event's own.
    pub at: Instant,
    /// Where the report stands for a span: when that began.
    pub since: Option<Instant>,
    /// `deviceID` of the report, else of the metadata, as it stands.
    pub device: Option<String>,
    /// Unit of the values, for example `CEL`.
    pub uom: Option<String>,
    /// `value`.
    pub value: Option<f64>,
    /// `minValue`.
    pub min: Option<f64>,
    /// `maxValue`.
    pub max: Option<f64>,
    /// `meanValue`.
    pub mean: Option<f64>,
    /// `exception`, for example `ALARM_CONDITION`.
    pub exception: Option<String>,
}

/// The readings of an event in its order; nothing of one without sensor data. What cannot be read
/// (in an event that was never validated) is passed over.
#[must_use]
pub fn readings(event: &Value) -> Vec<Reading> {
    let Some(event_time) = time(event, "eventTime") else {
        return Vec::new();
    };
    let mut readings = Vec::new();
    for (element, entry) in list(event, "sensorElementList") {
        let metadata = entry.get("sensorMetadata").unwrap_or(&Value::Null);
        for (report, values) in list(entry, "sensorReport") {
            readings.extend(reading((element, report), metadata, values, event_time));
        }
    }
    readings
}

fn reading(
    (element, report): (usize, usize),
    metadata: &Value,
    values: &Value,
    event_time: Instant,
) -> Option<Reading> {
    let number = |name: &str| values.get(name).and_then(Value::as_f64);
    let measured = time(values, "time").or_else(|| time(metadata, "time"));
    Some(Reading {
        element,
        report,
        kind: text(values, "type")?,
        at: measured
            .or_else(|| time(metadata, "endTime"))
            .unwrap_or(event_time),
        since: time(metadata, "startTime").filter(|_| measured.is_none()),
        device: text(values, "deviceID").or_else(|| text(metadata, "deviceID")),
        uom: text(values, "uom"),
        value: number("value"),
        min: number("minValue"),
        max: number("maxValue"),
        mean: number("meanValue"),
        exception: text(values, "exception"),
    })
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

fn time(value: &Value, name: &str) -> Option<Instant> {
    Some(parse_event_time(value.get(name)?.as_str()?)?.instant())
}
