//! Honest bundles drawn from a seed: logs with a past of their own (several organisations, policies
//! that follow each other, keys whose state changes), and what readers ask of them.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use schemas::event::{Salt, Source, value_hash};
use schemas::hash::Hash;
use schemas::proof::{Bundle, EventRow, MemberRow, Version};
use schemas::registry::State;
use schemas::time::Instant;

use super::past::bundle::Shown;
use super::past::log::{FIRST, Past, Terms};
use crate::forge::leaf_of;

/// A bundle that holds.
pub struct Honest {
    /// What a reader asked for: `event`, `product`, `chain` or `score`.
    pub shape: &'static str,
    /// More of it, for people.
    pub how: String,
    /// The bundle.
    pub bytes: Vec<u8>,
}

/// Organisations and their devices; `qinghe/store-1` is there in every past.
const DEVICES: [&str; 6] = [
    "qinghe/store-1",
    "qinghe/store-2",
    "northroad/truck-1",
    "northroad/truck-2",
    "harbour/gate-1",
    "harbour/scale-1",
];
const NOW: &str = "2026-11-22T08:00:00+08:00";
/// Times of events, most of them not late.
const TIMES: [&str; 8] = [
    NOW,
    NOW,
    NOW,
    "2026-11-22T00:00:00.123456789Z",
    "2026-11-19T23:59:59+08:00",
    "2026-11-20T00:00:05Z",
    "0070-01-01T00:00:00-14:00",
    "1969-12-31T23:59:59.999999999Z",
];
/// Terms that a log may come to, in turn.
const TERMS: [Terms; 3] = [
    Terms {
        witnesses: &["witness-2", "witness-4"],
        ..FIRST
    },
    Terms {
        log: "log-2",
        witnesses: &["witness-2", "witness-4", "witness-5", "witness-6"],
        quorum: 3,
        registrars: &["association", "chamber"],
    },
    Terms {
        log: "log-3",
        witnesses: &["witness-5", "witness-7"],
        quorum: 1,
        registrars: &["association", "chamber"],
    },
];

/// A statement of a past, with what choosing needs.
struct Told {
    id: Hash,
    device: &'static str,
    batch: usize,
}

/// A past and what was said in it.
pub struct Life {
    past: Past,
    told: Vec<Told>,
    silent: Vec<&'static str>,
    successions: usize,
}

impl Life {
    /// Draws a past.
    pub fn draw(chance: &mut StdRng) -> Self {
        let mut life = Self {
            past: Past::new(),
            told: Vec::new(),
            silent: Vec::new(),
            successions: 0,
        };
        let devices = chance.random_range(1..=DEVICES.len());
        for (place, device) in DEVICES[..devices].iter().enumerate().skip(1) {
            let organisation = device.split('/').next().unwrap();
            if place % 2 == 0 {
                life.past.admit(organisation, "association");
            }
            life.past.enrol(device);
        }
        let follows = chance.random_bool(0.6);
        for _ in 0..chance.random_range(2..6) {
            life.past.wait(chance.random_range(1..90_000));
            if follows && life.successions < TERMS.len() && chance.random_bool(0.5) {
                life.past.succeed(TERMS[life.successions]);
                life.successions += 1;
            }
            life.batch(chance, &DEVICES[..devices]);
            life.change(chance);
        }
        let witnessed = life.past.notes.last();
        if witnessed.is_none_or(|last| last.note.checkpoint.size < life.past.tree.size()) {
            life.past.witness();
        }
        life
    }

    /// The policy entry that every past begins with.
    pub fn first_policy(&self) -> Vec<u8> {
        self.past.policy_entry(0)
    }

    fn say(&mut self, chance: &mut StdRng, device: &'static str) {
        let notes = &self.past.notes;
        let seen = notes.choose(chance).map(|noted| {
            let checkpoint = &noted.note.checkpoint;
            (checkpoint.size, checkpoint.root)
        });
        let seen = seen.filter(|_| chance.random_bool(0.5));
        let id = self.past.say(device, TIMES.choose(chance).unwrap(), seen);
        let batch = self.past.batches.len();
        self.told.push(Told { id, device, batch });
    }

    /// Some devices speak; all of it is anchored, and mostly witnessed.
    fn batch(&mut self, chance: &mut StdRng, devices: &[&'static str]) {
        let (past, before) = (self.past.batches.len(), self.told.len());
        let speaking: Vec<&'static str> = (devices.iter().copied())
            .filter(|device| !self.silent.contains(device))
            .collect();
        if speaking.is_empty() {
            return;
        }
        for _ in 0..chance.random_range(1..5) {
            let device = *speaking.choose(chance).unwrap();
            self.say(chance, device);
        }
        // A key may be retired while its last statements wait: the batch's registry knows it already.
        if chance.random_bool(0.3) {
            let device = self.told.last().unwrap().device;
            self.retire(device);
        }
        self.past.anchor();
        assert!(self.told.len() > before && self.past.batches.len() == past + 1);
        if chance.random_bool(0.7) {
            self.past.witness();
        }
    }

    fn retire(&mut self, device: &'static str) {
        let last = Some(self.past.last_of(device));
        self.end(device, State::Retired { last });
    }

    fn end(&mut self, device: &'static str, state: State) {
        let organisation = device.split('/').next().unwrap();
        self.past.set_state(device, state, organisation);
        self.silent.push(device);
    }

    /// A key's state may change.
    fn change(&mut self, chance: &mut StdRng) {
        let open = self.told.iter().map(|told| told.device);
        let open: Vec<_> = open
            .filter(|device| !self.silent.contains(device))
            .collect();
        let Some(device) = open.choose(chance).copied() else {
            return;
        };
        let now = self.past.now.as_micros();
        let since = Instant::from_micros(now - chance.random_range(-1..3) * 50_000_000_000);
        let revoked = |compromised_since| State::Revoked { compromised_since };
        match chance.random_range(0..8) {
            0 => self.retire(device),
            1 => self.end(device, State::Suspended),
            2 => self.end(device, revoked(None)),
            3 => self.end(device, revoked(Some(since))),
            _ => {}
        }
    }

    /// A bundle of some of it; `None` where this past has nothing of the shape.
    pub fn bundle(&self, chance: &mut StdRng, shape: &'static str) -> Option<Honest> {
        let chosen = self.choose(chance, shape)?;
        let shown = Shown {
            fresh: chance.random_bool(0.6),
            seen: chance.random_bool(0.6),
        };
        let mut bundle = self.past.bundle(&chosen, shown);
        // Version 1 knows one policy, and nothing of what was seen or is recent.
        if self.successions == 0 && chance.random_bool(0.6) {
            bundle.version = Version::V1;
            bundle.fresh = None;
            bundle.statements.iter_mut().for_each(|row| row.seen = None);
        }
        let withheld = withhold(chance, &mut bundle);
        let (version, statements) = (bundle.version, chosen.len());
        Some(Honest {
            shape,
            how: format!(
                "{shape} of {statements} statements, {version:?}, {} policies, {withheld} withheld",
                bundle.policies.len()
            ),
            bytes: bundle.to_json().unwrap(),
        })
    }

    fn choose(&self, chance: &mut StdRng, shape: &str) -> Option<Vec<Hash>> {
        let ids = |told: Vec<&Told>| told.iter().map(|told| told.id).collect::<Vec<_>>();
        let some = self.told.choose(chance)?;
        let all = self.told.iter();
        let chosen = match shape {
            "event" => vec![some.id],
            // Whatever happened to a thing, at whoever's.
            "product" => ids(all.filter(|_| chance.random_bool(0.6)).collect()),
            // Everything that a device said between two sizes of the log.
            "chain" => {
                let from = chance.random_range(0..=some.batch);
                let until = chance.random_range(some.batch..self.past.batches.len());
                let between = |told: &&Told| {
                    told.device == some.device && (from..=until).contains(&told.batch)
                };
                ids(all.filter(between).collect())
            }
            // Everything of several devices, shared parts once.
            _ => ids(all.collect()),
        };
        let mut devices = BTreeMap::new();
        for told in self.told.iter().filter(|told| chosen.contains(&told.id)) {
            *devices.entry(told.device).or_insert(0) += 1;
        }
        let fits = !chosen.is_empty() && (shape != "score" || devices.len() > 1);
        fits.then_some(chosen)
    }
}

/// Some members of some events, or whole events; how many.
fn withhold(chance: &mut StdRng, bundle: &mut Bundle) -> usize {
    let mut withheld = 0;
    for event in &mut bundle.events {
        if chance.random_bool(0.1) {
            withhold_all(event);
            withheld += 1;
        }
        for member in event.members.iter_mut().flatten() {
            if chance.random_bool(0.05) {
                withhold_one(member);
                withheld += 1;
            }
        }
    }
    withheld
}

fn withhold_all(event: &mut EventRow) {
    let (source, members) = (event.source.take().unwrap(), event.members.take().unwrap());
    let source = Source::from_number(source).unwrap();
    event.leaf = Some(leaf_of(source, &members).into());
}

fn withhold_one(row: &mut MemberRow) {
    let (salt, value) = (row.salt.take().unwrap(), row.value.take().unwrap());
    row.hash = Some(value_hash(&Salt(salt.0), &value.0).into());
}
