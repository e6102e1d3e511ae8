//! How often a device is asked, and what its answers can be.

use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::Fields;
use crate::config::ConfigError;
use crate::config::place::Place;
use crate::source::judge::Limits;

/// Longest interval between readings: a day.
const INTERVAL_MAX_S: f64 = 86_400.0;
/// Longest time without a change that can be configured, in seconds: a year.
const STUCK_MAX_S: u64 = 31_536_000;

/// How a device is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Time between readings; readings fall on whole multiples of it since 1970.
    pub interval: Duration,
    /// What its answers can physically be.
    pub limits: Limits,
}

/// The same as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    interval_s: Option<Spanned<f64>>,
    plausible_min: Option<Spanned<f64>>,
    plausible_max: Option<Spanned<f64>>,
    implausible: Option<Spanned<String>>,
    stuck_s: Option<Spanned<u64>>,
}

const FIELDS: [&str; 5] = [
    "interval_s",
    "plausible_min",
    "plausible_max",
    "implausible",
    "stuck_s",
];

/// Takes them out of a source's fields.
pub(super) fn take(at: &Place<'_>, fields: &mut Fields<'_>) -> Result<Written, ConfigError> {
    fields.take(at, &FIELDS)
}

impl Written {
    /// The sampling of the source that stands at `table`.
    pub(super) fn check(
        self,
        at: &Place<'_>,
        table: &Range<usize>,
    ) -> Result<Sampling, ConfigError> {
        let raw = self;
        let limit = |field: &str, value: &Option<Spanned<f64>>| {
            value
                .as_ref()
                .map(|value| at.finite(field, value))
                .transpose()
        };
        let min = limit("source.plausible_min", &raw.plausible_min)?;
        let max = limit("source.plausible_max", &raw.plausible_max)?;
        if let (Some(min), Some(max), Some(value)) = (min, max, &raw.plausible_max)
            && max <= min
        {
            let problem = "is not above plausible_min";
            return Err(at.error(value.span(), "source.plausible_max", problem));
        }
        let refuse =
            at.optional_key("source.implausible", raw.implausible.as_ref(), implausible)?;
        let stuck = raw
            .stuck_s
            .as_ref()
            .map(|value| at.within("source.stuck_s", value, 1..=STUCK_MAX_S))
            .transpose()?;
        Ok(Sampling {
            interval: interval(at, table, &raw.interval_s)?,
            limits: Limits {
                min,
                max,
                refuse: refuse.unwrap_or(false),
                stuck: stuck.map(Duration::from_secs),
            },
        })
    }
}

fn implausible(text: &str) -> Result<bool, String> {
    match text {
        "suspect" => Ok(false),
        "refuse" => Ok(true),
        _ => Err("is neither \"suspect\" nor \"refuse\"".to_owned()),
    }
}

/// Required: whole microseconds, like every instant.
fn interval(
    at: &Place<'_>,
    table: &Range<usize>,
    value: &Option<Spanned<f64>>,
) -> Result<Duration, ConfigError> {
    let value = at.required(table, "source.interval_s", value)?;
    let seconds = at.finite("source.interval_s", value)?;
    if !(0.001..=INTERVAL_MAX_S).contains(&seconds) {
        let problem = format!("{seconds} is not between 0.001 and {INTERVAL_MAX_S}");
        return Err(at.error(value.span(), "source.interval_s", problem));
    }
    Ok(Duration::from_micros(
        Duration::from_secs_f64(seconds).as_micros() as u64,
    ))
}
