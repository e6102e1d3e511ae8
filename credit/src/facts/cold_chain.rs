//! Temperatures of a supplier's goods against the limits that it declared for them.
//!
//! A reading counts for the goods that its event names and for what is packed in them at that
//! time, until somebody else has received them; what the supplier's own devices measure counts
//! always. An **episode** is a run of consecutive readings of one sensor outside the limits; it
//! lasts from its first to its last such reading, rounded up to whole minutes, at least one. What
//! lies between readings is not invented.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::time::Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::delivery::Delivery;
use super::event::{Observation, decimal};
use super::goods::{Goods, Limits};

/// Consecutive readings of one sensor outside the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// The device that measured.
    pub device: DeviceAddress,
    /// Its sensor as the readings name it; empty if they do not.
    pub sensor: String,
    /// Time of the first reading outside.
    #[serde(with = "crate::rfc3339")]
    pub from: Instant,
    /// Time of the last reading outside.
    #[serde(with = "crate::rfc3339")]
    pub until: Instant,
    /// From first to last, rounded up, at least 1.
    pub minutes: u64,
    /// Readings outside.
    pub readings: u64,
    /// The reading farthest outside, degrees Celsius.
    pub extreme: Decimal,
    /// Events that the readings are in.
    pub leaves: BTreeSet<Hash>,
}

/// What the readings show.
#[derive(Debug, Default)]
pub struct ColdChain {
    /// Readings that were held against limits.
    pub readings: u64,
    /// Readings that the driver itself marked as suspect: shown, not judged.
    pub suspect: u64,
    /// Readings in a unit that is not known.
    pub unreadable: u64,
    /// Runs outside the limits, by device, sensor and time.
    pub episodes: Vec<Episode>,
    /// Events that declared limits and events with readings.
    pub leaves: BTreeSet<Hash>,
}

/// Holds every temperature of the supplier's goods against their limits.
#[must_use]
pub fn cold_chain(
    observations: &[Observation],
    supplier: &Slug,
    goods: &Goods,
    deliveries: &[Delivery<'_>],
) -> ColdChain {
    let handed_over = handed_over(deliveries, goods);
    let mut found = ColdChain::default();
    let mut series: BTreeMap<(DeviceAddress, String), Vec<Reading>> = BTreeMap::new();
    for seen in observations {
        for raw in raw_readings(seen) {
            let responsible = |key: &str| {
                let over = handed_over.get(key).is_some_and(|at| raw.at > *at);
                seen.is_of(supplier) || !over
            };
            let Some((limits, declared)) = limits(seen, goods, raw.at, responsible) else {
                continue;
            };
            found.leaves.extend(declared);
            found.leaves.insert(seen.leaf);
            if let Some(reading) = judge(&raw, limits, seen.leaf, &mut found) {
                series
                    .entry((seen.device.clone(), raw.sensor))
                    .or_default()
                    .push(reading);
            }
        }
    }
    for ((device, sensor), readings) in series {
        found.episodes.extend(episodes(&device, &sensor, readings));
    }
    found
}

/// When each thing, and what was packed in it, first reached somebody else.
fn handed_over(deliveries: &[Delivery<'_>], goods: &Goods) -> BTreeMap<String, Instant> {
    let mut times = BTreeMap::new();
    for delivery in deliveries {
        let Some((_, at)) = delivery.arrival else {
            continue;
        };
        let key = &delivery.item.key;
        let inside = goods
            .inside(key, delivery.shipment.time)
            .into_iter()
            .map(|item| &item.key);
        for key in std::iter::once(key).chain(inside) {
            let first = times.entry(key.clone()).or_insert(at);
            *first = at.min(*first);
        }
    }
    times
}

fn limits(
    seen: &Observation,
    goods: &Goods,
    at: Instant,
    responsible: impl Fn(&str) -> bool,
) -> Option<(Limits, BTreeSet<Hash>)> {
    let named = seen.named().filter(|key| responsible(key));
    let mut all = named.filter_map(|key| goods.limits_of(key, at));
    let (mut limits, mut leaves) = all.next()?;
    for (more, of) in all {
        limits = limits.and(more);
        leaves.extend(of);
    }
    Some((limits, leaves))
}

/// A temperature as an event states it.
pub(crate) struct Raw {
    /// When it was measured.
    pub(crate) at: Instant,
    /// The sensor as the reading names it; empty if it does not.
    pub(crate) sensor: String,
    /// Whether the driver itself doubts it.
    pub(crate) suspect: bool,
    /// Lowest and highest value in degrees Celsius; `None` where the unit is not known.
    pub(crate) range: Option<(Decimal, Decimal)>,
}

/// Every temperature of an event.
pub(crate) fn raw_readings(seen: &Observation) -> Vec<Raw> {
    let elements = seen.value("sensorElementList").and_then(Value::as_array);
    let mut found = Vec::new();
    for element in elements.map_or(&[][..], Vec::as_slice) {
        let reports = element.get("sensorReport").and_then(Value::as_array);
        let reports = reports.map_or(&[][..], Vec::as_slice);
        let temperatures = reports.iter().filter(|report| is_told(report));
        found.extend(temperatures.map(|report| raw(report, element, seen.time)));
    }
    found
}

/// What sums up an excursion (`tb:excursion`) is of readings that are told elsewhere, and a report of
/// nothing but a percentile is a further figure of the one before it.
fn is_told(report: &Value) -> bool {
    let has = |name: &&str| report.get(*name).is_some();
    let figures = ["value", "meanValue", "minValue", "maxValue"];
    let is_further = report.get("percValue").is_some() && !figures.iter().any(has);
    is_temperature(report) && !is_further && report.get("tb:excursion").is_none()
}

fn is_temperature(report: &Value) -> bool {
    let kind = report
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    kind.rsplit(['/', ':']).next() == Some("Temperature")
}

fn raw(report: &Value, element: &Value, event_time: Instant) -> Raw {
    let metadata = element.get("sensorMetadata").unwrap_or(&Value::Null);
    let text = |name: &str| {
        let value = report.get(name).or_else(|| metadata.get(name));
        value.and_then(Value::as_str)
    };
    Raw {
        at: text("time")
            .or_else(|| text("endTime"))
            .and_then(Instant::parse_rfc3339)
            .unwrap_or(event_time),
        sensor: text("deviceID").unwrap_or_default().to_owned(),
        suspect: report.get("tb:quality").and_then(Value::as_str) == Some("suspect"),
        range: range(report),
    }
}

fn range(report: &Value) -> Option<(Decimal, Decimal)> {
    let unit = report.get("uom").and_then(Value::as_str);
    let names = ["value", "meanValue", "minValue", "maxValue"];
    let numbers = names
        .iter()
        .filter_map(|name| report.get(*name).and_then(decimal));
    let celsius: Option<Vec<Decimal>> = numbers.map(|number| to_celsius(number, unit)).collect();
    let celsius = celsius?;
    Some((*celsius.iter().min()?, *celsius.iter().max()?))
}

/// UN/ECE codes: CEL, FAH, KEL. A reading without a unit is read as none: no reading.
fn to_celsius(number: Decimal, unit: Option<&str>) -> Option<Decimal> {
    match unit? {
        "CEL" => Some(number),
        "KEL" => number.checked_sub(Decimal::new(27_315, 2)),
        "FAH" => number
            .checked_sub(Decimal::from(32))?
            .checked_mul(Decimal::from(5))?
            .checked_div(Decimal::from(9)),
        _ => None,
    }
}

/// A temperature held against limits.
struct Reading {
    at: Instant,
    leaf: Hash,
    outside: bool,
    extreme: Decimal,
    distance: Decimal,
}

fn judge(raw: &Raw, limits: Limits, leaf: Hash, found: &mut ColdChain) -> Option<Reading> {
    if raw.suspect {
        found.suspect += 1;
        return None;
    }
    let Some((low, high)) = raw.range else {
        found.unreadable += 1;
        return None;
    };
    found.readings += 1;
    let below = limits
        .min
        .map_or(Decimal::ZERO, |min| min.saturating_sub(low));
    let above = limits
        .max
        .map_or(Decimal::ZERO, |max| high.saturating_sub(max));
    let extreme = if below > above { low } else { high };
    let outside = limits.broken_by(low, high);
    Some(Reading {
        at: raw.at,
        leaf,
        outside,
        extreme,
        distance: below.max(above),
    })
}

fn episodes(device: &DeviceAddress, sensor: &str, mut readings: Vec<Reading>) -> Vec<Episode> {
    readings.sort_by_key(|reading| (reading.at, reading.leaf));
    let runs = readings.chunk_by(|a, b| a.outside == b.outside);
    let outside = runs.filter(|run| run.first().is_some_and(|reading| reading.outside));
    outside
        .filter_map(|run| episode(device, sensor, run))
        .collect()
}

fn episode(device: &DeviceAddress, sensor: &str, run: &[Reading]) -> Option<Episode> {
    let (first, last) = (run.first()?, run.last()?);
    let seconds = last.at.since(first.at).as_secs();
    let farthest = run.iter().max_by_key(|reading| reading.distance)?;
    Some(Episode {
        device: device.clone(),
        sensor: sensor.to_owned(),
        from: first.at,
        until: last.at,
        minutes: seconds.div_ceil(60).max(1),
        readings: run.len() as u64,
        extreme: farthest.extreme.normalize(),
        leaves: run.iter().map(|reading| reading.leaf).collect(),
    })
}
