//! Sensor series of a journey: readings in the order in which the device stated them.
//!
//! A series is never sorted, joined over a break or thinned here. Times that repeat or jump back
//! are what the device said; they are marked and kept (DESIGN.md section 11).

use schemas::hash::Hash;
use schemas::time::Instant;
use serde_json::Value;

use super::event::{Stated, canonical, clip, text};

/// An interval longer than this many times the median is a break.
pub const BREAK_FACTOR: f64 = 2.5;

/// Most readings of one event that are kept (an event has at most 64 KiB).
pub const MAX_READINGS: usize = 4_096;

/// Temperature limits in degrees Celsius that the maker declared for the goods.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Lowest allowed.
    pub min: Option<f64>,
    /// Highest allowed.
    pub max: Option<f64>,
}

impl Limits {
    /// Limits of an `ilmd`, if it states any.
    pub fn of_ilmd(ilmd: &Value) -> Option<Self> {
        let number = |name| {
            ilmd.get(name)
                .and_then(Value::as_f64)
                .filter(|value| value.is_finite())
        };
        let limits = Self {
            min: number("tb:minTemperature"),
            max: number("tb:maxTemperature"),
        };
        (limits != Self::default()).then_some(limits)
    }

    /// True if a temperature in degrees Celsius is within the limits, bounds included.
    pub fn hold(&self, celsius: f64) -> bool {
        self.min.is_none_or(|min| celsius >= min) && self.max.is_none_or(|max| celsius <= max)
    }

    /// How far a temperature is outside, in degrees; 0 within.
    fn beyond(&self, celsius: f64) -> f64 {
        let below = self.min.map_or(0.0, |min| min - celsius);
        let above = self.max.map_or(0.0, |max| celsius - max);
        below.max(above).max(0.0)
    }
}

/// What is odd about a reading's time, seen from the reading before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The same time as the reading before.
    Repeats,
    /// An earlier time than the reading before.
    JumpsBack,
}

/// One reading of one sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// When, as the device states it.
    pub time: Stated,
    /// The value; `None` is "no reading", never 0. Of a report over a stretch of time its mean,
    /// in a [`Curve`] with limits the extreme that is furthest outside them, if one is.
    pub value: Option<f64>,
    /// Lowest and highest of a report over a stretch of time.
    pub extremes: Option<(f64, f64)>,
    /// UN/CEFACT unit code as stated (`CEL`), or empty.
    pub uom: String,
    /// What was measured: `Temperature`, `RelativeHumidity`, ...
    pub kind: String,
    /// The sensor's own id, if stated.
    pub sensor: Option<String>,
    /// The driver doubted it (`tb:quality` is `suspect`).
    pub suspect: bool,
    /// Outside the driver's own alarm limits (`exception`).
    pub alarm: bool,
    /// The event that holds it.
    pub leaf: Hash,
    /// Set by [`Curve::new`].
    pub mark: Option<Mark>,
}

impl Reading {
    /// The temperature in degrees Celsius, if it is one in a unit that is known.
    pub fn celsius(&self) -> Option<f64> {
        self.to_celsius(self.value?)
    }

    fn to_celsius(&self, value: f64) -> Option<f64> {
        if self.kind != "Temperature" {
            return None;
        }
        match self.uom.as_str() {
            "CEL" => Some(value),
            "FAH" => Some((value - 32.0) / 1.8),
            "KEL" => Some(value - 273.15),
            _ => None,
        }
    }

    /// An excursion within a stretch of time must not hide behind its mean.
    fn show_furthest(&mut self, limits: &Limits) {
        let Some((low, high)) = self.extremes else {
            return;
        };
        let beyond = |value| self.to_celsius(value).map_or(0.0, |one| limits.beyond(one));
        let furthest = if beyond(low) > beyond(high) {
            low
        } else {
            high
        };
        if beyond(furthest) > 0.0 {
            self.value = Some(furthest);
        }
    }
}

/// A degree Celsius value in the unit of a curve.
pub fn from_celsius(celsius: f64, uom: &str) -> f64 {
    match uom {
        "FAH" => celsius * 1.8 + 32.0,
        "KEL" => celsius + 273.15,
        _ => celsius,
    }
}

/// Consecutive readings outside the limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Excursion {
    /// First and last of its readings, as indices into [`Curve::readings`].
    pub first: usize,
    /// Last reading outside.
    pub last: usize,
    /// The reading furthest outside.
    pub peak: usize,
}

/// One series: one sensor, one measured property, one unit, one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Where the sensor read.
    pub place: Option<String>,
    /// The sensor's own id, if stated.
    pub sensor: Option<String>,
    /// What was measured.
    pub kind: String,
    /// UN/CEFACT unit code.
    pub uom: String,
    /// In the order in which the device stated them.
    pub readings: Vec<Reading>,
    /// The limits that hold for the goods, if this is a temperature in a known unit.
    pub limits: Option<Limits>,
    /// Episodes outside the limits, in order.
    pub excursions: Vec<Excursion>,
    /// Indices of readings before which the series is interrupted, in order.
    pub breaks: Vec<usize>,
}

impl Curve {
    /// A curve over `readings` (at least one), which share sensor, property and unit.
    pub fn new(place: Option<String>, mut readings: Vec<Reading>, limits: Option<Limits>) -> Self {
        set_marks(&mut readings);
        let breaks = breaks(&readings);
        let limits = limits.filter(|_| readings.iter().any(|one| one.celsius().is_some()));
        if let Some(limits) = &limits {
            readings
                .iter_mut()
                .for_each(|one| one.show_furthest(limits));
        }
        let excursions =
            limits.map_or_else(Vec::new, |limits| excursions(&readings, &limits, &breaks));
        let head = readings.first();
        Self {
            place,
            sensor: head.and_then(|one| one.sensor.clone()),
            kind: head.map(|one| one.kind.clone()).unwrap_or_default(),
            uom: head.map(|one| one.uom.clone()).unwrap_or_default(),
            readings,
            limits,
            excursions,
            breaks,
        }
    }

    /// How long an excursion lasted: from its first to its last reading outside.
    pub fn length(&self, excursion: &Excursion) -> std::time::Duration {
        let at = |index: usize| self.readings[index].time.instant;
        at(excursion.last).since(at(excursion.first))
    }

    /// True if the series cannot be drawn as joined between `index - 1` and `index`.
    pub fn is_broken_before(&self, index: usize) -> bool {
        self.breaks.binary_search(&index).is_ok()
            || self.readings[index].mark == Some(Mark::JumpsBack)
    }

    /// How many readings carry a mark of this kind.
    pub fn marked(&self, mark: Mark) -> usize {
        self.readings
            .iter()
            .filter(|one| one.mark == Some(mark))
            .count()
    }

    /// Lowest and highest value, `None` when nothing was read.
    pub fn range(&self) -> Option<(f64, f64)> {
        let values = || self.readings.iter().filter_map(|one| one.value);
        let low = values().min_by(f64::total_cmp)?;
        Some((low, values().max_by(f64::total_cmp)?))
    }
}

/// Sorts readings of one device into curves, by sensor, property and unit, in order of appearance.
pub fn curves(place: Option<&str>, readings: Vec<Reading>, limits: Option<Limits>) -> Vec<Curve> {
    let mut series: Vec<Vec<Reading>> = Vec::new();
    for reading in readings {
        let same = |one: &Vec<Reading>| {
            let head = &one[0];
            (&head.sensor, &head.kind, &head.uom) == (&reading.sensor, &reading.kind, &reading.uom)
        };
        match series.iter().position(same) {
            Some(at) => series[at].push(reading),
            None => series.push(vec![reading]),
        }
    }
    let place = place.map(str::to_owned);
    series
        .into_iter()
        .map(|readings| Curve::new(place.clone(), readings, limits))
        .collect()
}

/// Readings of an event's `sensorElementList` (EPCIS 2.0 §7.3.7). The time of a reading is that of
/// its report, else of its element, else the end of the element's stretch, else of the event. What
/// sums up an excursion (`tb:excursion`) is no reading: these are told elsewhere. Nor are further
/// percentiles of one stretch.
pub fn readings(event: &Value, time: Stated, leaf: Hash) -> Vec<Reading> {
    let elements = event
        .get("sensorElementList")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let mut out = Vec::new();
    for element in elements {
        let metadata = element.get("sensorMetadata").unwrap_or(&Value::Null);
        let reports = element
            .get("sensorReport")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let told = reports.enumerate().filter(|(place, report)| {
            let further = *place > 0 && statistics(report).all(|name| name == "percValue");
            report.get("tb:excursion").is_none() && !(further && report.get("percValue").is_some())
        });
        out.extend(told.filter_map(|(_, report)| reading(report, metadata, time, leaf)));
    }
    out.truncate(MAX_READINGS);
    out
}

/// Names of the values that a report states, in the order in which one stands for the report.
fn statistics(report: &Value) -> impl Iterator<Item = &'static str> {
    let names = ["value", "meanValue", "percValue", "maxValue", "minValue"];
    let stated = move |name: &&str| report.get(*name).is_some();
    names.into_iter().filter(stated)
}

fn reading(report: &Value, metadata: &Value, time: Stated, leaf: Hash) -> Option<Reading> {
    let kind = text(report, "type")?;
    let kind = kind.rsplit(['/', ':']).next().unwrap_or(&kind);
    let stated = |value: &Value, name| text(value, name).and_then(|at| Instant::parse_rfc3339(&at));
    let instant = stated(report, "time")
        .or_else(|| stated(metadata, "time"))
        .or_else(|| stated(metadata, "endTime"))
        .unwrap_or(time.instant);
    let number = |name| report.get(name).and_then(Value::as_f64);
    let value = statistics(report).next().and_then(number);
    let sensor = text(report, "deviceID").or_else(|| text(metadata, "deviceID"));
    Some(Reading {
        time: Stated { instant, ..time },
        value: value.filter(|value| value.is_finite()),
        extremes: number("minValue").zip(number("maxValue")),
        uom: text(report, "uom")
            .map(|uom| clip(&uom))
            .unwrap_or_default(),
        kind: clip(kind),
        sensor: sensor.map(|id| clip(&canonical(&id))),
        suspect: text(report, "tb:quality").as_deref() == Some("suspect"),
        alarm: report.get("exception").is_some(),
        leaf,
        mark: None,
    })
}

fn set_marks(readings: &mut [Reading]) {
    for index in 1..readings.len() {
        let (before, now) = (
            readings[index - 1].time.instant,
            readings[index].time.instant,
        );
        readings[index].mark = match now.cmp(&before) {
            std::cmp::Ordering::Less => Some(Mark::JumpsBack),
            std::cmp::Ordering::Equal => Some(Mark::Repeats),
            std::cmp::Ordering::Greater => None,
        };
    }
}

/// Where an interval is longer than [`BREAK_FACTOR`] times the median of the forward intervals,
/// or a reading has no value.
fn breaks(readings: &[Reading]) -> Vec<usize> {
    let interval = |index: usize| {
        let (before, now) = (
            readings[index - 1].time.instant,
            readings[index].time.instant,
        );
        now.as_micros().saturating_sub(before.as_micros())
    };
    let mut forward: Vec<i64> = (1..readings.len())
        .map(interval)
        .filter(|long| *long > 0)
        .collect();
    forward.sort_unstable();
    let median = forward.get(forward.len() / 2).copied().unwrap_or(i64::MAX);
    let silent =
        |index: usize| readings[index].value.is_none() != readings[index - 1].value.is_none();
    let long = |index: usize| interval(index) as f64 > BREAK_FACTOR * median as f64;
    (1..readings.len())
        .filter(|&index| silent(index) || long(index))
        .collect()
}

fn excursions(readings: &[Reading], limits: &Limits, breaks: &[usize]) -> Vec<Excursion> {
    let mut episodes: Vec<Excursion> = Vec::new();
    let mut open = false;
    for (index, reading) in readings.iter().enumerate() {
        let Some(beyond) = reading.celsius().map(|value| limits.beyond(value)) else {
            open = false;
            continue;
        };
        let joined =
            open && breaks.binary_search(&index).is_err() && reading.mark != Some(Mark::JumpsBack);
        open = beyond > 0.0;
        match episodes.last_mut() {
            _ if !open => {}
            Some(episode) if joined => {
                episode.last = index;
                let peak = readings[episode.peak]
                    .celsius()
                    .map_or(0.0, |value| limits.beyond(value));
                if beyond > peak {
                    episode.peak = index;
                }
            }
            _ => episodes.push(Excursion {
                first: index,
                last: index,
                peak: index,
            }),
        }
    }
    episodes
}
