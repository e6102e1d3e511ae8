//! Chains of statements as bundles prove them, read together.

use std::collections::{BTreeMap, BTreeSet};

use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::proof::{Report, VerifiedEvent};
use schemas::time::Instant;
use serde_json::Value;

use crate::series::Row;

/// Where an event stands: device, epoch, seq, index in the statement.
pub type Place = (DeviceAddress, u64, u64, u64);

/// A stretch of a chain that is missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Whose chain.
    pub device: DeviceAddress,
    /// Epoch of the statements around it.
    pub epoch: u64,
    /// First missing seq.
    pub from: u64,
    /// Last missing seq.
    pub until: u64,
}

/// Every statement and event that was proven, without regard to which bundle showed it.
#[derive(Debug, Default)]
pub struct Chains {
    statements: BTreeMap<DeviceAddress, BTreeSet<(u64, u64)>>,
    places: BTreeMap<Hash, BTreeSet<Place>>,
    readings: BTreeMap<Place, Vec<Row>>,
}

impl Chains {
    /// Adds what a bundle proves.
    pub fn add(&mut self, report: &Report) {
        for statement in &report.statements {
            let payload = &statement.statement.payload;
            let position = (payload.position.epoch, payload.position.seq);
            self.statements
                .entry(payload.device.clone())
                .or_default()
                .insert(position);
        }
        for event in &report.events {
            let Some(statement) = report.statements.get(event.statement) else {
                continue;
            };
            let payload = &statement.statement.payload;
            let (epoch, seq) = (payload.position.epoch, payload.position.seq);
            let place = (payload.device.clone(), epoch, seq, event.index);
            self.places
                .entry(event.leaf)
                .or_default()
                .insert(place.clone());
            self.readings.insert(place, readings(event));
        }
    }

    /// Every leaf with all its places.
    pub fn places(&self) -> &BTreeMap<Hash, BTreeSet<Place>> {
        &self.places
    }

    /// What is missing between the first statement of each chain and its last that was proven. An
    /// epoch after the first counts as a gap of its own.
    pub fn gaps(&self) -> Vec<Missing> {
        let of =
            |(device, positions): (&DeviceAddress, &BTreeSet<(u64, u64)>)| gaps(device, positions);
        self.statements.iter().flat_map(of).collect()
    }

    /// All readings, chain by chain in their order.
    pub fn rows(&self) -> Vec<Row> {
        self.readings.values().flatten().copied().collect()
    }
}

fn gaps(device: &DeviceAddress, positions: &BTreeSet<(u64, u64)>) -> Vec<Missing> {
    let (mut gaps, mut expected) = (Vec::new(), (0, 0));
    let missing = |epoch, from, until| Missing {
        device: device.clone(),
        epoch,
        from,
        until,
    };
    for &(epoch, seq) in positions {
        if epoch != expected.0 {
            gaps.push(missing(epoch, 0, 0));
            expected = (epoch, 0);
        }
        if seq > expected.1 {
            gaps.push(missing(epoch, expected.1, seq - 1));
        }
        expected = (epoch, seq + 1);
    }
    gaps
}

/// The readings of an event. A report without a value is none.
fn readings(event: &VerifiedEvent) -> Vec<Row> {
    let list = |value: &Value, name: &str| {
        let list = value.get(name).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let elements = event.value("sensorElementList").unwrap_or_default();
    let elements = elements.as_array().cloned().unwrap_or_default();
    let reports = elements
        .iter()
        .flat_map(|element| list(element, "sensorReport"));
    let row = |report: Value| {
        let time = Instant::parse_rfc3339(report.get("time")?.as_str()?)?;
        Some(Row {
            time,
            value: report.get("value")?.as_f64()?,
        })
    };
    reports.filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_new_epochs_are_gaps() {
        let device: DeviceAddress = "nanshan/cold".parse().unwrap();
        let found = |positions: &[(u64, u64)]| {
            let gaps = gaps(&device, &positions.iter().copied().collect());
            gaps.iter()
                .map(|gap| (gap.epoch, gap.from, gap.until))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(&[(0, 0), (0, 1), (0, 2)]), []);
        assert_eq!(found(&[(0, 0), (0, 4)]), [(0, 1, 3)]);
        assert_eq!(found(&[(0, 2)]), [(0, 0, 1)]);
        assert_eq!(found(&[(0, 0), (1, 0), (1, 1)]), [(1, 0, 0)]);
    }
}
