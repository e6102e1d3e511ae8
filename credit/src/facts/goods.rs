//! Which goods are a supplier's, how they must be kept, and what they are packed in.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde_json::Value;

use super::event::{Item, Observation, decimal};

/// Steps that looking into containers may take for one supplier: four times what a reading every
/// five minutes of a store with fifty pallets needs in a year, some seconds of work at most, and a
/// bound on what a made-up pack can cost.
pub const WORK_MAX: u64 = 20_000_000;

/// Temperatures in degrees Celsius that goods must be kept within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Not colder than this.
    pub min: Option<Decimal>,
    /// Not warmer than this.
    pub max: Option<Decimal>,
}

impl Limits {
    /// Both limits at once: the stricter of each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let stricter = |a: Option<Decimal>, b: Option<Decimal>, pick: fn(Decimal, Decimal) -> _| {
            match (a, b) {
                (Some(a), Some(b)) => Some(pick(a, b)),
                (one, other) => one.or(other),
            }
        };
        Self {
            min: stricter(self.min, other.min, Ord::max),
            max: stricter(self.max, other.max, Ord::min),
        }
    }

    /// True if a range of temperatures leaves the limits.
    #[must_use]
    pub fn broken_by(self, low: Decimal, high: Decimal) -> bool {
        self.min.is_some_and(|min| low < min) || self.max.is_some_and(|max| high > max)
    }
}

/// A thing within another for a while.
#[derive(Debug)]
struct Stay {
    item: Item,
    from: Instant,
    until: Option<Instant>,
}

impl Stay {
    fn holds_at(&self, at: Instant) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// The goods of one supplier as its events describe them.
#[derive(Debug, Default)]
pub struct Goods {
    limits: BTreeMap<String, (Limits, BTreeSet<Hash>)>,
    known: BTreeSet<String>,
    packed: BTreeMap<String, Vec<Stay>>,
    work: Cell<u64>,
    work_max: u64,
}

impl Goods {
    /// Reads observations in order of time; `work_max` is usually [`WORK_MAX`].
    #[must_use]
    pub fn read(observations: &[Observation], supplier: &Slug, work_max: u64) -> Self {
        let mut goods = Self {
            work_max,
            ..Self::default()
        };
        for seen in observations {
            if seen.is_of(supplier) && is_beginning(seen) {
                goods.commission(seen);
            }
            if seen.is_of(supplier) && seen.step == "shipping" {
                goods.known.extend(seen.named().map(str::to_owned));
            }
            goods.pack(seen);
        }
        goods
    }

    fn commission(&mut self, seen: &Observation) {
        let limits = declared_limits(seen);
        for item in seen.items.iter().chain(&seen.outputs) {
            self.known.insert(item.key.clone());
            let Some(limits) = limits else { continue };
            let leaves = BTreeSet::from([seen.leaf]);
            let entry = self
                .limits
                .entry(item.key.clone())
                .or_insert((limits, leaves));
            entry.0 = entry.0.and(limits);
            entry.1.insert(seen.leaf);
        }
    }

    fn pack(&mut self, seen: &Observation) {
        let Some(parent) = &seen.parent else { return };
        let there = self.packed.get(parent).map_or(0, Vec::len);
        if !self.spend(there) {
            return;
        }
        let stays = self.packed.entry(parent.clone()).or_default();
        match seen.action.as_str() {
            "ADD" => stays.extend(seen.children.iter().map(|item| Stay {
                item: item.clone(),
                from: seen.time,
                until: None,
            })),
            "DELETE" => end(stays, &seen.children, seen.time),
            _ => {}
        }
    }

    /// Counts steps; false once there were too many, and then nothing more is looked at.
    fn spend(&self, steps: usize) -> bool {
        let work = self.work.get().saturating_add(steps as u64 + 1);
        self.work.set(work);
        work <= self.work_max
    }

    /// True if there was more to look at than was allowed: what was found is then not the whole.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        self.work.get() > self.work_max
    }

    /// True if the supplier made, packed or shipped one of these things, or holds one inside.
    #[must_use]
    pub fn includes<'a>(&self, mut named: impl Iterator<Item = &'a str>, at: Instant) -> bool {
        named.any(|key| {
            self.known.contains(key)
                || self
                    .inside(key, at)
                    .iter()
                    .any(|item| self.known.contains(&item.key))
        })
    }

    /// Everything within a thing at an instant, at any depth; nothing once [`Goods::is_too_much`].
    #[must_use]
    pub fn inside(&self, key: &str, at: Instant) -> Vec<&Item> {
        let mut found: Vec<&Item> = Vec::new();
        let mut seen = BTreeSet::from([key]);
        let mut open = vec![key];
        while let Some(parent) = open.pop() {
            let stays = self.packed.get(parent).map_or(&[][..], Vec::as_slice);
            if !self.spend(stays.len()) {
                return Vec::new();
            }
            for stay in stays.iter().filter(|stay| stay.holds_at(at)) {
                found.push(&stay.item);
                if seen.insert(&stay.item.key) {
                    open.push(&stay.item.key);
                }
            }
        }
        found
    }

    /// True if something was ever packed into this thing.
    #[must_use]
    pub fn is_container(&self, key: &str) -> bool {
        self.packed.get(key).is_some_and(|stays| !stays.is_empty())
    }

    /// The limits of a thing and of all that is in it, with the events that declared them.
    #[must_use]
    pub fn limits_of(&self, key: &str, at: Instant) -> Option<(Limits, BTreeSet<Hash>)> {
        let inside = self
            .inside(key, at)
            .into_iter()
            .map(|item| item.key.as_str());
        let mut all = std::iter::once(key).chain(inside).filter_map(|key| {
            let found = self.limits.get(key)?;
            self.spend(found.1.len()).then_some(found)
        });
        let (mut limits, mut leaves) = all.next()?.clone();
        for (more, of) in all {
            limits = limits.and(*more);
            leaves.extend(of);
        }
        Some((limits, leaves))
    }
}

fn is_beginning(seen: &Observation) -> bool {
    seen.step == "commissioning" || !seen.outputs.is_empty()
}

fn end(stays: &mut [Stay], children: &[Item], at: Instant) {
    let named: BTreeSet<&str> = children.iter().map(|child| child.key.as_str()).collect();
    let meant = |stay: &Stay| named.is_empty() || named.contains(stay.item.key.as_str());
    for stay in stays
        .iter_mut()
        .filter(|stay| stay.until.is_none() && meant(stay))
    {
        stay.until = Some(at);
    }
}

fn declared_limits(seen: &Observation) -> Option<Limits> {
    let ilmd = seen.value("ilmd")?;
    let read = |name: &str| ilmd.get(name).and_then(number);
    let limits = Limits {
        min: read("tb:minTemperature"),
        max: read("tb:maxTemperature"),
    };
    (limits.min.is_some() || limits.max.is_some()).then_some(limits)
}

/// A number, also where it was written as text.
fn number(value: &Value) -> Option<Decimal> {
    decimal(value).or_else(|| value.as_str()?.parse().ok())
}
