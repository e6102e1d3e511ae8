//! What verified evidence shows of goods: where they are packed, how much there is of a lot, who has
//! them. From it come the claims of a pledge (`docs/pledge.md`, "What one pledge takes").
//!
//! Events are taken in the order of their times. Goods that somebody else has received, or that were
//! destroyed, are not the borrower's to pledge; what is in a warehouse of somebody else is pledged by
//! its receipt.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use schemas::event::Source;
use schemas::gs1::{Identifier, Key};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::claim::{CLAIMS_MAX, Goods, Part, Shown};
use super::quantity::Quantity;
use super::value::Evidence;
use super::written::Refused;
use crate::facts::event::{Item, Observation};

/// What somebody wants to pledge, beside invoices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One thing or one logistic unit with everything in it.
    Thing(Identifier),
    /// A quantity of a lot.
    Lot(Identifier, Quantity),
}

/// Goods as evidence shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// With what they are packed in and what is in them.
    pub goods: Goods,
    /// How many: pieces, or the lots' measure.
    pub quantity: Quantity,
    /// How well they are known: the weakest of all parts.
    pub evidence: Evidence,
    /// When the oldest part was made or came.
    pub since: Instant,
}

/// How much there is of a lot; `None` once it was measured in two ways.
type Amount = Option<(Decimal, Option<String>)>;

/// Everything that one organisation's evidence shows, at a size of the log.
#[derive(Debug)]
pub struct Stock {
    borrower: Slug,
    log_size: u64,
    /// What is in each container: a quantity for lots, none for single things.
    inside: BTreeMap<String, BTreeMap<String, Item>>,
    /// Who has a thing, since when, and how that is known.
    held: BTreeMap<String, (Slug, Instant, Source)>,
    /// How much the borrower has of a lot.
    lots: BTreeMap<String, Amount>,
    /// Lots that single things belong to.
    lot_of: BTreeMap<String, Identifier>,
}

impl Stock {
    /// Reads observations in the order of their times, as [`crate::facts::event::observe`] gives them.
    #[must_use]
    pub fn read(observations: &[Observation], borrower: &Slug, log_size: u64) -> Self {
        let mut stock = Self {
            borrower: borrower.clone(),
            log_size,
            inside: BTreeMap::new(),
            held: BTreeMap::new(),
            lots: BTreeMap::new(),
            lot_of: BTreeMap::new(),
        };
        for seen in observations.iter().filter(|seen| !seen.withdrawn) {
            stock.take(seen);
        }
        stock
    }

    fn take(&mut self, seen: &Observation) {
        self.pack(seen);
        match seen.step.as_str() {
            "commissioning" => self.come(seen),
            _ if !seen.outputs.is_empty() => self.come(seen),
            "receiving" | "accepting" => self.come(seen),
            "destroying" | "decommissioning" => self.go(seen),
            _ => {}
        }
    }

    fn pack(&mut self, seen: &Observation) {
        let Some(parent) = &seen.parent else { return };
        let content = self.inside.entry(parent.clone()).or_default();
        match seen.action.as_str() {
            "ADD" => {
                for item in &seen.children {
                    add(content, item);
                }
                // A logistic unit begins to be by being packed.
                let who = seen.device.organisation.clone();
                let begun = self.held.entry(parent.clone());
                begun.or_insert((who, seen.time, seen.source));
            }
            "DELETE" if seen.children.is_empty() => content.clear(),
            "DELETE" => {
                for item in &seen.children {
                    take_out(content, item);
                }
            }
            _ => {}
        }
    }

    /// Things, with what is in them, are with whoever says so.
    fn come(&mut self, seen: &Observation) {
        let who = seen.device.organisation.clone();
        let own = who == self.borrower;
        for item in self.all_of(seen) {
            let before = self.held.get(&item.key);
            let had = before.is_some_and(|(holder, ..)| *holder == self.borrower);
            if is_lot(&item.key) {
                let sign = match (own, had) {
                    (true, _) => Decimal::ONE,
                    (false, true) => Decimal::NEGATIVE_ONE,
                    (false, false) => continue,
                };
                // A lot that was shared stays with both.
                self.count(&item, sign);
                if !own {
                    continue;
                }
            }
            if let Some(lot) = lot_of(seen, &item.key) {
                self.lot_of.insert(item.key.clone(), lot);
            }
            self.held
                .insert(item.key.clone(), (who.clone(), seen.time, seen.source));
        }
    }

    fn go(&mut self, seen: &Observation) {
        for item in self.all_of(seen) {
            if is_lot(&item.key) {
                self.count(&item, Decimal::NEGATIVE_ONE);
            } else {
                self.held.remove(&item.key);
            }
        }
    }

    /// What an event names, and everything in it.
    fn all_of(&self, seen: &Observation) -> Vec<Item> {
        let mut all: Vec<Item> = seen.items.iter().chain(&seen.outputs).cloned().collect();
        if let Some(parent) = &seen.parent {
            all.push(single(parent));
        }
        let named: Vec<String> = all.iter().map(|item| item.key.clone()).collect();
        for key in named {
            all.extend(self.contents(&key));
        }
        all.truncate(CLAIMS_MAX * 2);
        all
    }

    /// Everything in a thing, however deep, once each.
    fn contents(&self, key: &str) -> Vec<Item> {
        let (mut found, mut met) = (Vec::new(), BTreeSet::from([key.to_owned()]));
        let mut open = vec![key.to_owned()];
        while let Some(parent) = open.pop() {
            for item in self
                .inside
                .get(&parent)
                .into_iter()
                .flat_map(BTreeMap::values)
            {
                found.push(item.clone());
                if found.len() > CLAIMS_MAX {
                    return found;
                }
                if !is_lot(&item.key) && met.insert(item.key.clone()) {
                    open.push(item.key.clone());
                }
            }
        }
        found
    }

    fn count(&mut self, item: &Item, sign: Decimal) {
        let quantity = item.quantity.unwrap_or(Decimal::ONE);
        let Some(change) = quantity.checked_mul(sign) else {
            return;
        };
        let unit = item.unit.clone();
        let first = || Some((Decimal::ZERO, unit.clone()));
        let amount = self.lots.entry(item.key.clone()).or_insert_with(first);
        *amount = amount
            .take()
            .filter(|(_, had)| *had == unit)
            .map(|(had, unit)| {
                let sum = had.saturating_add(change).max(Decimal::ZERO);
                (sum, unit)
            });
    }

    /// Goods to pledge, with everything that has to be taken with them.
    ///
    /// # Errors
    /// [`Refused`]: evidence does not show that the borrower has them, or not how much.
    pub fn find(&self, wanted: &Wanted) -> Result<Found, Refused> {
        match wanted {
            Wanted::Lot(lot, taken) => self.find_lot(lot, *taken),
            Wanted::Thing(thing) if thing.key() == Key::Sscc => self.find_unit(thing),
            Wanted::Thing(thing) => self.find_thing(thing),
        }
    }

    fn find_lot(&self, lot: &Identifier, taken: Quantity) -> Result<Found, Refused> {
        let (since, source) = self.holding("lot", &lot.canonical())?;
        Ok(Found {
            goods: Goods::Lot {
                lot: lot.clone(),
                taken,
                shown: self.shown(lot)?,
            },
            quantity: taken,
            evidence: level(source),
            since,
        })
    }

    fn find_thing(&self, thing: &Identifier) -> Result<Found, Refused> {
        let key = thing.canonical();
        let (since, source) = self.holding("thing", &key)?;
        if self
            .inside
            .get(&key)
            .is_some_and(|content| !content.is_empty())
        {
            let problem =
                "evidence shows something in it: only a logistic unit is pledged with its content";
            return Err(Refused::new("thing", problem));
        }
        Ok(Found {
            goods: Goods::Thing {
                thing: thing.clone(),
                lot: self.lot_with_shown(&key)?,
                around: self.around(&key)?,
            },
            quantity: Quantity::PIECE,
            evidence: level(source),
            since,
        })
    }

    fn find_unit(&self, unit: &Identifier) -> Result<Found, Refused> {
        let key = unit.canonical();
        let (mut since, mut source) = self.holding("unit", &key)?;
        let (mut parts, mut quantity) = (Vec::new(), None);
        for item in self.contents(&key) {
            let (from, by) = self.holding("unit", &item.key)?;
            (since, source) = (since.min(from), source.min(by));
            let part = self.part(&item)?;
            if let Some(more) = piece_of(&part, self.inside.contains_key(&item.key)) {
                quantity = Some(quantity.map_or(Ok(more), |sum: Quantity| sum.plus(more))?);
            }
            parts.push(part);
        }
        Ok(Found {
            quantity: quantity.ok_or(Refused::new("unit", "evidence shows nothing in it"))?,
            goods: Goods::Unit {
                unit: unit.clone(),
                parts,
                around: self.around(&key)?,
            },
            evidence: level(source),
            since,
        })
    }

    fn part(&self, item: &Item) -> Result<Part, Refused> {
        let id = identifier("unit", &item.key)?;
        if !is_lot(&item.key) {
            return Ok(Part::Thing(id, self.lot_with_shown(&item.key)?));
        }
        let number = item.quantity.unwrap_or(Decimal::ONE);
        let quantity = Quantity::read(number, item.unit.as_deref())?;
        let shown = self.shown(&id)?;
        Ok(Part::Lot(id, quantity, shown))
    }

    fn lot_with_shown(&self, key: &str) -> Result<Option<(Identifier, Shown)>, Refused> {
        let Some(lot) = self.lot_of.get(key) else {
            return Ok(None);
        };
        let shown = match self.lots.get(&lot.canonical()) {
            Some(_) => self.shown(lot)?,
            // Only its single things are shown: so many pieces.
            None => {
                let all = self
                    .lot_of
                    .iter()
                    .filter(|(thing, of)| *of == lot && self.has(thing));
                let count = i64::try_from(all.count()).unwrap_or(i64::MAX);
                let quantity = Quantity::new(super::quantity::Measure::Pieces, count)?;
                Shown {
                    quantity,
                    log_size: self.log_size,
                }
            }
        };
        Ok(Some((lot.clone(), shown)))
    }

    fn has(&self, key: &str) -> bool {
        self.held
            .get(key)
            .is_some_and(|(who, ..)| *who == self.borrower)
    }

    fn shown(&self, lot: &Identifier) -> Result<Shown, Refused> {
        let missing = Refused::new(
            "quantity",
            "evidence does not show how much there is of the lot",
        );
        let amount = self.lots.get(&lot.canonical()).ok_or(missing)?;
        let mixed = Refused::new("quantity", "evidence measures the lot in two ways");
        let (number, unit) = amount.as_ref().ok_or(mixed)?;
        Ok(Shown {
            quantity: Quantity::read(*number, unit.as_deref())?,
            log_size: self.log_size,
        })
    }

    /// Since when the borrower has it, and how that is known.
    fn holding(&self, field: &'static str, key: &str) -> Result<(Instant, Source), Refused> {
        match self.held.get(key) {
            None => Err(Refused::new(
                field,
                "evidence does not show that the borrower has it",
            )),
            Some((who, ..)) if *who != self.borrower => Err(Refused::new(
                field,
                "evidence shows that somebody else has received it",
            )),
            Some((_, since, source)) => Ok((*since, *source)),
        }
    }

    /// Every container around a thing, however deep.
    fn around(&self, key: &str) -> Result<Vec<Identifier>, Refused> {
        let (mut found, mut open) = (BTreeSet::new(), vec![key.to_owned()]);
        while let Some(inner) = open.pop() {
            for (parent, content) in &self.inside {
                if content.contains_key(&inner) && found.insert(parent.clone()) {
                    open.push(parent.clone());
                }
            }
        }
        found.iter().map(|key| identifier("around", key)).collect()
    }
}

/// What a part counts as goods: a container in a unit counts by what is in it.
fn piece_of(part: &Part, is_container: bool) -> Option<Quantity> {
    match part {
        Part::Thing(..) if is_container => None,
        Part::Thing(..) => Some(Quantity::PIECE),
        Part::Lot(_, quantity, _) => Some(*quantity),
    }
}

fn add(content: &mut BTreeMap<String, Item>, item: &Item) {
    let there = content.entry(item.key.clone()).or_insert_with(|| Item {
        quantity: item.quantity.map(|_| Decimal::ZERO),
        ..item.clone()
    });
    if let (Some(had), Some(more)) = (there.quantity, item.quantity) {
        there.quantity = Some(had.saturating_add(more));
    }
}

fn take_out(content: &mut BTreeMap<String, Item>, item: &Item) {
    let Some(there) = content.get_mut(&item.key) else {
        return;
    };
    match (there.quantity, item.quantity) {
        (Some(had), Some(less)) if had > less => there.quantity = Some(had.saturating_sub(less)),
        _ => drop(content.remove(&item.key)),
    }
}

fn single(key: &str) -> Item {
    Item {
        key: key.to_owned(),
        quantity: None,
        unit: None,
    }
}

fn identifier(field: &'static str, key: &str) -> Result<Identifier, Refused> {
    let wrong = "evidence names something in it that is no GS1 key";
    Identifier::parse_any(key).map_err(|_| Refused::new(field, wrong))
}

/// Whether a key names a class and not one thing.
fn is_lot(key: &str) -> bool {
    Identifier::parse_any(key).is_ok_and(|id| id.is_class_level())
}

/// The lot that an event names for the single things that it makes.
fn lot_of(seen: &Observation, key: &str) -> Option<Identifier> {
    let ilmd = seen.value("ilmd")?;
    let names = ["cbvmda:lotNumber", "lotNumber"];
    let lot = names.iter().find_map(|name| ilmd.get(*name)?.as_str())?;
    let thing = Identifier::parse_any(key)
        .ok()
        .filter(|id| id.serial().is_some())?;
    Identifier::from_lot(thing.gtin()?, lot).ok()
}

const fn level(source: Source) -> Evidence {
    match source {
        Source::Sensor => Evidence::Measured,
        Source::Scan => Evidence::Scanned,
        Source::Declared | Source::File => Evidence::Declared,
    }
}

#[cfg(test)]
mod tests;
