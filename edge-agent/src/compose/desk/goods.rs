//! What lies in an open packing or recipe.

use rust_decimal::Decimal;
use schemas::time::Instant;

use super::{Kept, Refused};
use crate::clock::differ_in_count;
use crate::compose::code::Code;
use crate::compose::line::Parts;
use crate::compose::presence::{Amount, Item};
use crate::config::{Part, ScanKind};

/// A code and what it is to the event.
#[derive(Clone, Debug)]
struct Scan {
    kept: Kept,
    uri: String,
    role: Role,
    item: Item,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Parent,
    Child,
    Input,
    Output,
}

/// Codes in the order in which they were scanned.
#[derive(Clone, Debug, Default)]
pub(super) struct Open(Vec<Scan>);

/// One piece, as one scan counts.
fn piece() -> Amount {
    Amount {
        quantity: Some(Decimal::ONE),
        uom: None,
    }
}

impl Open {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn codes(&self) -> usize {
        self.0.len()
    }

    pub fn outputs(&self) -> usize {
        let outputs = self.0.iter().filter(|scan| scan.role == Role::Output);
        outputs.count()
    }

    pub fn name_bytes(&self) -> usize {
        self.0.iter().map(|scan| scan.uri.len()).sum()
    }

    /// When its newest code was scanned.
    pub fn newest(&self) -> Option<Instant> {
        self.0.last().map(|scan| scan.kept.time)
    }

    /// Codes that were scanned before the clock became known, was lost or was set back count from now on:
    /// no event mixes two counts, and nothing times out by such a step, or never.
    pub fn settle(&mut self, now: Instant) {
        for scan in &mut self.0 {
            if differ_in_count(scan.kept.time, now) || scan.kept.time > now {
                scan.kept.time = now;
            }
        }
    }

    pub fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.0.iter().map(|scan| &scan.kept)
    }

    /// Takes a code out again.
    pub fn undo(&mut self, kept: &Kept) {
        self.0.retain(|scan| scan.kept.number != kept.number);
    }

    /// Empties it; its codes go to the rejects file.
    pub fn refuse(&mut self, reason: &str) -> Vec<Refused> {
        let all = std::mem::take(&mut self.0);
        let refused = all.iter().map(|scan| Refused::new(&scan.kept, reason));
        refused.collect()
    }

    /// The parent first, then its children.
    pub fn pack(&mut self, kept: &Kept, code: Code) -> Result<(), String> {
        let role = if self.0.is_empty() {
            Role::Parent
        } else {
            Role::Child
        };
        if role == Role::Parent && code.is_class() {
            return Err("is a class of things, a parent is one thing".to_owned());
        }
        self.push(kept, &code, role, piece())
    }

    /// Inputs and outputs in any order.
    pub fn mix(
        &mut self,
        kept: &Kept,
        code: Code,
        inputs: &[Part],
        outputs: &[Part],
    ) -> Result<(), String> {
        let find = |parts: &[Part]| parts.iter().find(|part| code.is_of(part)).cloned();
        let (role, part) = match (find(inputs), find(outputs)) {
            (Some(part), _) => (Role::Input, part),
            (None, Some(part)) => (Role::Output, part),
            (None, None) => return Err("is neither input nor output of the recipe".to_owned()),
        };
        let amount = match part.quantity {
            Some(_) => Amount {
                quantity: part.quantity,
                uom: part.uom,
            },
            None => piece(),
        };
        self.push(kept, &code, role, amount)
    }

    fn push(
        &mut self,
        kept: &Kept,
        code: &Code,
        role: Role,
        otherwise: Amount,
    ) -> Result<(), String> {
        let uri = code.uri();
        if !code.is_class() && self.0.iter().any(|scan| scan.uri == uri) {
            return Err("was scanned already".to_owned());
        }
        self.0.push(Scan {
            kept: kept.clone(),
            item: code.item(otherwise),
            uri,
            role,
        });
        Ok(())
    }

    /// What the event is about; why it is not whole yet.
    pub fn parts(&self, kind: &ScanKind) -> Result<Parts, String> {
        match kind {
            ScanKind::Object { .. } => Err("nothing is packed here".to_owned()),
            ScanKind::Packing { .. } => Ok(Parts::Aggregation {
                parent: self
                    .0
                    .first()
                    .map_or_else(String::new, |scan| scan.uri.clone()),
                children: self.sum(Role::Child)?,
            }),
            ScanKind::Recipe {
                inputs, outputs, ..
            } => {
                self.has_all("input", Role::Input, inputs)?;
                self.has_all("output", Role::Output, outputs)?;
                Ok(Parts::Transformation {
                    inputs: self.sum(Role::Input)?,
                    outputs: self.sum(Role::Output)?,
                })
            }
        }
    }

    fn has_all(&self, word: &str, role: Role, parts: &[Part]) -> Result<(), String> {
        let scanned = |part: &Part| {
            let stem = format!("https://id.gs1.org/01/{}", part.gtin);
            self.0
                .iter()
                .any(|scan| scan.role == role && scan.uri.starts_with(&stem))
        };
        match parts.iter().find(|part| part.required && !scanned(part)) {
            Some(part) => Err(format!("the {word} (01){} was not scanned", part.gtin)),
            None => Ok(()),
        }
    }

    /// Things in their order; amounts of one class and unit add up.
    fn sum(&self, role: Role) -> Result<Vec<Item>, String> {
        let mut items: Vec<Item> = Vec::new();
        for scan in self.0.iter().filter(|scan| scan.role == role) {
            let unit = |item: &Item| item.amount.as_ref().map(|amount| amount.uom.clone());
            let same = items
                .iter()
                .position(|item| item.uri == scan.uri && unit(item) == unit(&scan.item));
            let known = same.and_then(|index| items.get_mut(index)?.amount.as_mut());
            let (Some(sum), Some(more)) = (known, &scan.item.amount) else {
                items.push(scan.item.clone());
                continue;
            };
            let more = more.quantity.unwrap_or_default();
            let total = sum.quantity.unwrap_or_default().checked_add(more);
            sum.quantity = Some(total.ok_or("a quantity beyond what can be reckoned")?);
        }
        Ok(items)
    }
}
