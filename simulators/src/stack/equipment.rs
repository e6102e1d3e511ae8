//! What stands where: the gateways of a story, and the one of a replayed series.

use std::sync::Arc;

use schemas::ids::DeviceAddress;
use schemas::time::Instant;

use super::post::Equipment;
use crate::device::{Curve, Shown};
use crate::gateway::{Probe, READING_SECONDS, READINGS_PER_EVENT};
use crate::scenario::{Gateway, Scenario, Sensor};
use crate::series::{ASSUMPTION, SLOT, Series};

/// Readings of a series in one event: an hour. A year of single readings would not fit into one
/// bundle of evidence.
const SERIES_READINGS_PER_EVENT: u32 = 12;

/// The gateways of a story.
pub fn of_story(scenario: &Scenario) -> Vec<Equipment> {
    let gateways = scenario.gateways().into_iter();
    gateways
        .map(|(address, gateway)| {
            let prefix = scenario
                .organisation(&address.organisation)
                .map_or("", |one| one.prefix.as_ref());
            let sensor = gateway.sensor.as_ref().map(|sensor| fitted(sensor, prefix));
            Equipment {
                address,
                gateway: gateway.clone(),
                sensor,
            }
        })
        .collect()
}

/// The gateway of a series: it reads value and time from the device, as exactly as that has them.
pub fn of_series(
    address: DeviceAddress,
    gateway: &Gateway,
    prefix: &str,
    series: &Series,
) -> Equipment {
    let probe = Probe {
        giai: giai(prefix, "machine"),
        // Degrees Fahrenheit: see `ASSUMPTION`.
        uom: "FAH",
        alarm: None,
        interval_seconds: SLOT.as_secs(),
        readings_per_event: SERIES_READINGS_PER_EVENT,
        exact: true,
        assumption: Some(ASSUMPTION),
    };
    Equipment {
        address,
        gateway: gateway.clone(),
        sensor: Some((probe, series.curve())),
    }
}

fn fitted(sensor: &Sensor, prefix: &str) -> (Probe, Curve) {
    let climate = sensor.climate.clone();
    let curve: Curve = Arc::new(move |now: Instant| Shown {
        value: climate.at(now),
        time: now,
    });
    let probe = Probe {
        giai: giai(prefix, sensor.name),
        uom: "CEL",
        alarm: Some(sensor.alarm),
        interval_seconds: READING_SECONDS,
        readings_per_event: READINGS_PER_EVENT,
        exact: false,
        assumption: None,
    };
    (probe, curve)
}

/// A sensor's identifier: a GIAI of its owner's prefix.
fn giai(prefix: &str, name: &str) -> String {
    format!("https://id.gs1.org/8004/{prefix}{}", name.to_uppercase())
}
