//! What the auditor of a run knows by itself: what every outbox has accepted, every statement that
//! it made of that, when the platform had each, and what was lost with a disk.

use std::collections::{BTreeMap, BTreeSet};

use schemas::hash::Hash;
use schemas::statement::Position;
use schemas::time::Instant;
use serde_json::Value;

/// A statement as its gateway made it.
#[derive(Debug, Clone)]
pub struct Made {
    /// Whose disk.
    pub gateway: usize,
    /// Whose key.
    pub device: usize,
    /// Place in the chain.
    pub place: Position,
    /// Statement before it.
    pub prev: Hash,
    /// Its id.
    pub id: Hash,
    /// How many events it has.
    pub events: usize,
    /// What it says, by name.
    pub contents: Vec<String>,
    /// Its disk was damaged while nobody else was known to have it.
    pub lost: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What commits of outboxes have taken over, how often each.
    pub accepted: BTreeMap<String, u64>,
    /// Of these, what may have gone with a disk before it was signed, by gateway.
    pub damaged: BTreeSet<usize>,
    /// Statements by id.
    pub made: BTreeMap<Hash, Made>,
    /// When the platform's commit of each was first known.
    pub stored: BTreeMap<Hash, Instant>,
    /// Devices with two agents, and the first place that both may have filled.
    pub forked: BTreeMap<usize, Position>,
    /// Messages that went to quarantine.
    pub quarantined: u64,
}

impl Ledger {
    /// An outbox has said that it has these.
    pub fn accept(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            *self.accepted.entry(name).or_default() += 1;
        }
    }

    /// Statements of a disk that nobody is known to have are lost with it, perhaps.
    pub fn damage(&mut self, gateway: usize) {
        self.damaged.insert(gateway);
        let stored = &self.stored;
        for made in self.made.values_mut() {
            made.lost |= made.gateway == gateway && !stored.contains_key(&made.id);
        }
    }

    /// True where the disk that accepted this was damaged.
    #[must_use]
    pub fn is_of_damaged(&self, name: &str) -> bool {
        let of = |gateway: &usize| {
            let (reading, thing) = (format!("reading {gateway} "), format!("/21/A{gateway}-"));
            name.starts_with(&reading) || name.contains(&thing)
        };
        self.damaged.iter().any(of)
    }

    /// Label of a statement in traces: the same in every run of a seed.
    #[must_use]
    pub fn label(&self, id: &Hash) -> String {
        match self.made.get(id) {
            Some(made) => format!("a{}:{}/{}", made.gateway, made.place.epoch, made.place.seq),
            None => "unknown".to_owned(),
        }
    }
}

/// Name of a reading.
#[must_use]
pub fn reading_name(gateway: usize, number: u64) -> String {
    format!("reading {gateway} {number}")
}

/// Name of a scanned thing.
#[must_use]
pub fn item_name(gateway: usize, line: u64) -> String {
    format!("https://id.gs1.org/01/09521001000017/21/A{gateway}-{line}")
}

/// What an event says, by the names above.
#[must_use]
pub fn names_in(event: &[u8]) -> Vec<String> {
    let event: Value = serde_json::from_slice(event).unwrap_or_default();
    let things = event["epcList"].as_array().into_iter().flatten();
    let mut names: Vec<String> = things
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect();
    for element in event["sensorElementList"].as_array().into_iter().flatten() {
        let sensor = element["sensorMetadata"]["deviceID"].as_str();
        let gateway = sensor.and_then(|one| one.rsplit_once("COLD"));
        let gateway = gateway.and_then(|(_, number)| number.parse().ok());
        let values = element["sensorReport"].as_array().into_iter().flatten();
        let values = values.filter_map(|report| report["value"].as_f64());
        names.extend(values.map(|value| reading_name(gateway.unwrap_or(0), value as u64)));
    }
    names
}
