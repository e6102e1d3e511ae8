//! Which goods are at the agent's place, so that sensor curves attach to them.
//!
//! A pure value: the outbox stores every change in the transaction that stores the event which
//! caused it.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

/// How much of a class of goods.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Amount {
    /// Number or measure; `None` where nobody counted.
    pub quantity: Option<Decimal>,
    /// UN/ECE unit code; `None` where the quantity counts pieces.
    pub uom: Option<String>,
}

/// A thing as an event names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Canonical Digital Link.
    pub uri: String,
    /// `Some` for a class (a lot, a GTIN), `None` for one thing.
    pub amount: Option<Amount>,
}

impl Item {
    /// One element of a quantity list; `None` for one thing.
    #[must_use]
    pub fn quantity_element(&self) -> Option<Value> {
        let amount = self.amount.as_ref()?;
        let mut element = json!({ "epcClass": self.uri });
        if let (Some(quantity), Some(element)) = (number(amount.quantity), element.as_object_mut())
        {
            element.insert("quantity".to_owned(), quantity);
            if let Some(uom) = &amount.uom {
                element.insert("uom".to_owned(), uom.as_str().into());
            }
        }
        Some(element)
    }
}

/// A decimal as the JSON number that reads the same.
fn number(quantity: Option<Decimal>) -> Option<Value> {
    serde_json::from_str(&quantity?.normalize().to_string()).ok()
}

/// What a scan does to presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The goods are here from now on.
    In,
    /// They are gone.
    Out,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Coming or going.
    pub direction: Direction,
    /// What.
    pub item: Item,
}

/// The goods that are here, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence(BTreeMap<String, Option<Amount>>);

impl Presence {
    /// Applies a change; what the item is now: `Some` to be stored, `None` to be forgotten.
    ///
    /// Amounts of one class and unit add up and are subtracted; going without an amount, or with
    /// as much as there is, takes all.
    pub fn apply(&mut self, change: &Change) -> Option<Item> {
        let uri = &change.item.uri;
        let left = match change.direction {
            Direction::In => Some(added(self.0.get(uri), &change.item)),
            Direction::Out => self.0.get(uri).and_then(|here| left(here, &change.item)),
        };
        match left {
            Some(amount) => {
                self.0.insert(uri.clone(), amount.clone());
                Some(Item {
                    uri: uri.clone(),
                    amount,
                })
            }
            None => {
                self.0.remove(uri);
                None
            }
        }
    }

    /// Puts back what was stored.
    pub fn restore(&mut self, item: Item) {
        self.0.insert(item.uri, item.amount);
    }

    /// The goods, by name.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        self.0.iter().map(|(uri, amount)| Item {
            uri: uri.clone(),
            amount: amount.clone(),
        })
    }

    /// True if nothing is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn added(here: Option<&Option<Amount>>, item: &Item) -> Option<Amount> {
    let coming = item.amount.as_ref()?;
    let Some(Some(here)) = here else {
        return Some(coming.clone());
    };
    let sum = match (here.quantity, coming.quantity) {
        (Some(a), Some(b)) if here.uom == coming.uom => a.checked_add(b),
        _ => coming.quantity,
    };
    Some(Amount {
        quantity: sum,
        uom: coming.uom.clone(),
    })
}

/// What is left of `here`; outer `None` when nothing is.
fn left(here: &Option<Amount>, going: &Item) -> Option<Option<Amount>> {
    let (here, going) = (here.as_ref()?, going.amount.as_ref()?);
    let (Some(a), Some(b)) = (here.quantity, going.quantity) else {
        return None;
    };
    if here.uom != going.uom || b >= a {
        return None;
    }
    Some(Some(Amount {
        quantity: a.checked_sub(b),
        uom: here.uom.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lot(quantity: Option<i64>) -> Item {
        let amount = Amount {
            quantity: quantity.map(Decimal::from),
            uom: None,
        };
        Item {
            uri: "https://id.gs1.org/01/1/10/A".to_owned(),
            amount: Some(amount),
        }
    }

    fn change(direction: Direction, item: Item) -> Change {
        Change { direction, item }
    }

    #[test]
    fn amounts_add_up_and_go_out_again() {
        let mut presence = Presence::default();
        presence.apply(&change(Direction::In, lot(Some(5))));
        presence.apply(&change(Direction::In, lot(Some(5))));
        assert_eq!(presence.items().next(), Some(lot(Some(10))));
        assert_eq!(
            presence.apply(&change(Direction::Out, lot(Some(4)))),
            Some(lot(Some(6)))
        );
        assert_eq!(presence.apply(&change(Direction::Out, lot(Some(6)))), None);
        assert!(presence.is_empty());
    }

    #[test]
    fn going_out_without_an_amount_takes_all() {
        let mut presence = Presence::default();
        presence.apply(&change(Direction::In, lot(Some(5))));
        assert_eq!(presence.apply(&change(Direction::Out, lot(None))), None);
        assert!(presence.is_empty());
        let case = Item {
            uri: "https://id.gs1.org/00/1".to_owned(),
            amount: None,
        };
        presence.apply(&change(Direction::In, case.clone()));
        presence.apply(&change(Direction::In, case.clone()));
        assert_eq!(presence.items().count(), 1);
        assert_eq!(presence.apply(&change(Direction::Out, case)), None);
    }

    #[test]
    fn a_quantity_element_keeps_its_number() {
        let amount = Amount {
            quantity: Some(Decimal::new(1250, 2)),
            uom: Some("KGM".to_owned()),
        };
        let item = Item {
            amount: Some(amount),
            ..lot(None)
        };
        let element = item.quantity_element().expect("a class").to_string();
        assert_eq!(
            element,
            r#"{"epcClass":"https://id.gs1.org/01/1/10/A","quantity":12.5,"uom":"KGM"}"#
        );
    }
}
