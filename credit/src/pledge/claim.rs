//! What one pledge takes, all of it or nothing (`docs/pledge.md`, "What one pledge takes").
//!
//! [`Claims`] is a set by fingerprint, so that every process takes in the same order and no two wait
//! for each other.

use std::collections::BTreeMap;

use schemas::gs1::Identifier;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;
use super::invoice::Invoice;
use super::quantity::Quantity;
use super::written::{CreditCode, ReceiptNumber, Refused};

/// Most claims of one pledge: a lorry of cartons; each is a statement of one transaction.
pub const CLAIMS_MAX: usize = 2_048;

/// What verified evidence shows of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// How much there is.
    pub quantity: Quantity,
    /// Size of the log that the evidence was proven against.
    pub log_size: u64,
}

/// How a thing is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Claim {
    /// The thing as a whole, alone.
    Whole {
        /// Whether it stays taken when the pledge is realised: an invoice that was collected.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_good: bool,
    },
    /// Something in it: nobody may take it as a whole.
    Inside,
    /// A quantity of a lot.
    Lot {
        /// How much is taken.
        taken: Quantity,
        /// How much there is.
        shown: Shown,
    },
}

/// Something that is in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A thing or a smaller container, with its lot where evidence names one.
    Thing(Identifier, Option<(Identifier, Shown)>),
    /// A quantity of a lot.
    Lot(Identifier, Quantity, Shown),
}

/// What is to be pledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goods {
    /// A receivable.
    Invoice(Invoice),
    /// One thing that holds nothing, and every container that it is in.
    Thing {
        /// The thing.
        thing: Identifier,
        /// Its lot, where evidence names it.
        lot: Option<(Identifier, Shown)>,
        /// Every container around it, inmost first or in any order.
        around: Vec<Identifier>,
    },
    /// A quantity of a lot.
    Lot {
        /// The lot.
        lot: Identifier,
        /// How much of it.
        taken: Quantity,
        /// How much there is.
        shown: Shown,
    },
    /// A logistic unit with everything in it, however deep.
    Unit {
        /// Its SSCC.
        unit: Identifier,
        /// Everything in it.
        parts: Vec<Part>,
        /// Every container around it.
        around: Vec<Identifier>,
    },
    /// A warehouse receipt with everything that it stands for.
    Receipt {
        /// The warehouse.
        warehouse: CreditCode,
        /// The receipt's number.
        number: ReceiptNumber,
        /// Everything that it stands for.
        parts: Vec<Part>,
        /// Every container around all of it.
        around: Vec<Identifier>,
    },
}

/// Everything that one pledge takes, in the order in which it is taken. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claims(BTreeMap<Fingerprint, Claim>);

impl Claims {
    /// The claims of these goods.
    ///
    /// # Errors
    /// [`Refused`]: a container that holds nothing or itself, a thing named twice, a class without
    /// lot, a lot measured in two ways or taken beyond what is shown, more than [`CLAIMS_MAX`].
    pub fn of(goods: &Goods) -> Result<Self, Refused> {
        let mut claims = Self(BTreeMap::new());
        match goods {
            Goods::Invoice(invoice) => {
                for name in invoice.fingerprints() {
                    claims.whole(name, true)?;
                }
            }
            Goods::Thing { thing, lot, around } => {
                if thing.key() == schemas::gs1::Key::Sscc {
                    let problem = "a logistic unit is pledged with what is in it";
                    return Err(Refused::new("thing", problem));
                }
                let part = Part::Thing(thing.clone(), lot.clone());
                claims.parts(&[part])?;
                claims.around(around)?;
            }
            Goods::Lot { lot, taken, shown } => claims.lot(lot, *taken, *shown)?,
            Goods::Unit {
                unit,
                parts,
                around,
            } => {
                if unit.key() != schemas::gs1::Key::Sscc {
                    return Err(Refused::new("unit", "an SSCC was expected"));
                }
                claims.whole(Fingerprint::of_thing(unit)?, false)?;
                claims.parts(parts)?;
                claims.around(around)?;
            }
            Goods::Receipt {
                warehouse,
                number,
                parts,
                around,
            } => {
                claims.whole(Fingerprint::of_receipt(warehouse, number), false)?;
                claims.parts(parts)?;
                claims.around(around)?;
            }
        }
        if claims.0.len() > CLAIMS_MAX {
            return Err(Refused::new("parts", "there are more than 2,048"));
        }
        Ok(claims)
    }

    /// Each claim, by fingerprint.
    pub fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &Claim)> {
        self.0.iter()
    }

    /// What is freed: everything, or when the pledge was realised all but what is taken for good.
    pub fn freed(&self, realised: bool) -> impl Iterator<Item = (&Fingerprint, &Claim)> {
        let for_good = Claim::Whole { for_good: true };
        let stays = move |claim: &Claim| realised && *claim == for_good;
        self.0.iter().filter(move |(_, claim)| !stays(claim))
    }

    fn parts(&mut self, parts: &[Part]) -> Result<(), Refused> {
        if parts.is_empty() {
            return Err(Refused::new("parts", "evidence shows nothing in it"));
        }
        for part in parts {
            match part {
                Part::Thing(thing, lot) => {
                    self.whole(Fingerprint::of_thing(thing)?, false)?;
                    if let Some((lot, shown)) = lot {
                        self.lot(lot, Quantity::PIECE, *shown)?;
                    }
                }
                Part::Lot(lot, taken, shown) => self.lot(lot, *taken, *shown)?,
            }
        }
        Ok(())
    }

    fn whole(&mut self, name: Fingerprint, for_good: bool) -> Result<(), Refused> {
        match self.0.insert(name, Claim::Whole { for_good }) {
            None => Ok(()),
            Some(_) => Err(Refused::new("parts", "a thing is named twice")),
        }
    }

    fn around(&mut self, around: &[Identifier]) -> Result<(), Refused> {
        for container in around {
            let name = Fingerprint::of_thing(container)?;
            match self.0.insert(name, Claim::Inside) {
                None | Some(Claim::Inside) => {}
                Some(_) => return Err(Refused::new("around", "a thing would be in itself")),
            }
        }
        Ok(())
    }

    /// Quantities of one lot add up.
    fn lot(&mut self, lot: &Identifier, taken: Quantity, shown: Shown) -> Result<(), Refused> {
        let name = Fingerprint::of_lot(lot)?;
        let taken = match self.0.get(&name) {
            None => taken,
            Some(Claim::Lot {
                taken: before,
                shown: same,
            }) if *same == shown => before.plus(taken)?,
            Some(_) => return Err(Refused::new("lot", "one lot is shown in two ways")),
        };
        if taken.measure() != shown.quantity.measure() {
            return Err(Refused::new(
                "quantity",
                "evidence measures the lot otherwise",
            ));
        }
        if taken.smallest() > shown.quantity.smallest() {
            return Err(Refused::new("quantity", "it is more than evidence shows"));
        }
        self.0.insert(name, Claim::Lot { taken, shown });
        Ok(())
    }
}
