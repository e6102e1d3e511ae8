//! What readings of a sensor mean and where they are taken.

use std::ops::Range;

use schemas::time::Instant;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{Fields, places};
use crate::compose::presence::Presence;
use crate::compose::sensor::{self, Reading};
use crate::config::place::Place;
use crate::config::{ConfigError, ExcursionRule, READINGS_PER_EVENT_MAX, Telemetry};
use crate::names;

/// How readings of one sensor become events.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorRule {
    /// Canonical GIAI Digital Link of the sensor: `deviceID`.
    pub sensor: String,
    /// GS1 measurement type, for example `Temperature`.
    pub measurement: String,
    /// UN/ECE unit code, for example `CEL`.
    pub uom: String,
    /// Which part of a measurement this is, for example `latitude` (CBV 2.0 section 7.6).
    pub component: Option<String>,
    /// Coordinate reference system of the component, a URI.
    pub reference_system: Option<String>,
    /// A value below it is an alarm condition.
    pub alarm_min: Option<f64>,
    /// A value above it is an alarm condition.
    pub alarm_max: Option<f64>,
    /// Readings that make one event, 1 to [`READINGS_PER_EVENT_MAX`].
    pub readings_per_event: usize,
    /// Canonical Digital Link of the read point.
    pub place: String,
    /// Canonical Digital Link of the business location.
    pub biz_location: Option<String>,
    /// CBV business step, bare.
    pub step: String,
    /// What the data does not state and this file assumes: `tb:assumption`.
    pub assumption: Option<String>,
    /// Time between readings, where the source has one: how many a window should have.
    pub interval: Option<Duration>,
    /// How the readings are told.
    pub telemetry: Telemetry,
    /// Readings beyond the alarm limits as one happening.
    pub excursion: Option<ExcursionRule>,
}

impl SensorRule {
    /// Names the sensor's series in the outbox: it survives a change of address.
    #[must_use]
    pub fn series(&self) -> String {
        format!("{} {}", self.sensor, self.what())
    }

    /// What is measured: `Temperature`, or `Angle latitude` where it is a component.
    #[must_use]
    pub fn what(&self) -> String {
        match &self.component {
            Some(component) => format!("{} {component}", self.measurement),
            None => self.measurement.clone(),
        }
    }
}

/// What a driver knows by itself of what it measures.
pub(super) struct Given {
    pub measurement: &'static str,
    pub uom: &'static str,
    pub component: &'static str,
    pub reference_system: &'static str,
}

/// The fields of a rule as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    sensor: Option<Spanned<String>>,
    measurement: Option<Spanned<String>>,
    uom: Option<Spanned<String>>,
    alarm_min: Option<Spanned<f64>>,
    alarm_max: Option<Spanned<f64>>,
    readings_per_event: Option<Spanned<u64>>,
    place: Option<Spanned<String>>,
    biz_location: Option<Spanned<String>>,
    step: Option<Spanned<String>>,
    assumption: Option<Spanned<String>>,
}

/// Their names.
const FIELDS: [&str; 10] = [
    "sensor",
    "measurement",
    "uom",
    "alarm_min",
    "alarm_max",
    "readings_per_event",
    "place",
    "biz_location",
    "step",
    "assumption",
];

/// Fields that a driver with [`Given`] has no use for.
const NOT_GIVEN: [&str; 4] = ["measurement", "uom", "alarm_min", "alarm_max"];

/// A rule as it is written: fields that a source does not know are named before those that it lacks.
pub(super) struct Written {
    raw: RawRule,
    given: Option<Given>,
}

/// Takes a rule out of a source's fields.
pub(super) fn take(
    at: &Place<'_>,
    fields: &mut Fields<'_>,
    given: Option<Given>,
) -> Result<Written, ConfigError> {
    if given.is_some() {
        fields.refuse(at, &NOT_GIVEN)?;
    }
    let raw = fields.take(at, &FIELDS)?;
    Ok(Written { raw, given })
}

impl Written {
    /// The rule of the source that stands at `table`.
    pub(super) fn check(
        self,
        at: &Place<'_>,
        table: &Range<usize>,
    ) -> Result<SensorRule, ConfigError> {
        let Self { raw, given } = self;
        let text = |field: &str, value: &Option<Spanned<String>>, given: Option<&str>| match given {
            Some(given) => Ok(given.to_owned()),
            None => at
                .required(table, field, value)
                .and_then(|value| at.text(field, value)),
        };
        let known = given.as_ref();
        let sensor = at.required(table, "source.sensor", &raw.sensor)?;
        let (alarm_min, alarm_max) = alarms(at, &raw)?;
        let readings_per_event = match &raw.readings_per_event {
            Some(value) => at.within(
                "source.readings_per_event",
                value,
                1..=READINGS_PER_EVENT_MAX as u64,
            )?,
            None => 1,
        };
        let (place, biz_location) = places(at, table, &raw.place, raw.biz_location.as_ref())?;
        let rule = SensorRule {
            sensor: at.key("source.sensor", sensor, names::sensor)?,
            measurement: text(
                "source.measurement",
                &raw.measurement,
                known.map(|given| given.measurement),
            )?,
            uom: text("source.uom", &raw.uom, known.map(|given| given.uom))?,
            component: known.map(|given| given.component.to_owned()),
            reference_system: known.map(|given| given.reference_system.to_owned()),
            alarm_min,
            alarm_max,
            readings_per_event: usize::try_from(readings_per_event).unwrap_or(1),
            place,
            biz_location,
            step: at
                .optional_key("source.step", raw.step.as_ref(), names::step)?
                .unwrap_or_else(|| "sensor_reporting".to_owned()),
            assumption: match &raw.assumption {
                Some(value) => Some(at.text("source.assumption", value)?),
                None => None,
            },
            // The driver says it, which takes its sampling next.
            interval: None,
            telemetry: Telemetry::Batch,
            excursion: None,
        };
        check_event(at, table, &rule)?;
        Ok(rule)
    }
}

/// A rule whose events nobody would accept is found out now, by making one.
fn check_event(at: &Place<'_>, table: &Range<usize>, rule: &SensorRule) -> Result<(), ConfigError> {
    let reading = Reading {
        time: Instant::from_seconds(1_600_000_000),
        value: Some(1.0),
        suspect: false,
    };
    match sensor::events(rule, 0, &[reading], &Presence::default()) {
        Ok(_) => Ok(()),
        Err(error) => Err(at.error(table.clone(), "source", error.to_string())),
    }
}

fn alarms(at: &Place<'_>, raw: &RawRule) -> Result<(Option<f64>, Option<f64>), ConfigError> {
    let limit = |field: &str, value: &Option<Spanned<f64>>| {
        value
            .as_ref()
            .map(|value| at.finite(field, value))
            .transpose()
    };
    let min = limit("source.alarm_min", &raw.alarm_min)?;
    let max = limit("source.alarm_max", &raw.alarm_max)?;
    match (min, max, &raw.alarm_max) {
        (Some(min), Some(max), Some(value)) if max < min => {
            Err(at.error(value.span(), "source.alarm_max", "is below alarm_min"))
        }
        _ => Ok((min, max)),
    }
}
