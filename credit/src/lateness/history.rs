//! Promises of orders and what became of them.
//!
//! An **order** is something that a supplier's own event promised by `tb:promisedDelivery` in any
//! step but shipping (a shipment's promise is read by [`crate::facts::delivery`]). Its receipt is the
//! first receiving or accepting event, by anchored time, of a device of another organisation that
//! names the same thing and happened after the promise was in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rust_decimal::Decimal;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::model::{Artefact, Known, PLACES};
use crate::evidence::VerifiedEvidence;
use crate::facts::event::{self, Observation};
use crate::loan::decision::ModelUsed;
use crate::money::{Currency, Money, MoneyError};

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

/// A thing that was promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The thing: a canonical GS1 Digital Link URI.
    pub goods: String,
    /// The promising event.
    pub leaf: Hash,
    /// Until when it was promised.
    #[serde(with = "crate::rfc3339")]
    pub due: Instant,
    /// What it is worth by the promise, in fen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// Its receipt, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// That somebody else received it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The receiving event.
    pub leaf: Hash,
    /// Who received.
    pub by: Slug,
    /// When, as the receiver says.
    #[serde(with = "crate::rfc3339")]
    pub delivered: Instant,
    /// From when on it is known: its anchored time.
    #[serde(with = "crate::rfc3339")]
    pub known: Instant,
}

impl Order {
    /// Whether it came late, if that was known at an instant.
    #[must_use]
    pub fn late_as_of(&self, as_of: Instant) -> Option<bool> {
        let receipt = self.receipt.as_ref()?;
        (receipt.known <= as_of).then_some(receipt.delivered > self.due)
    }

    /// As the model sees it at an instant; `None` if it was not known then.
    #[must_use]
    pub fn known_as_of(&self, as_of: Instant) -> Option<Known> {
        let late = self.late_as_of(as_of)?;
        let known = self.receipt.as_ref()?.known;
        let age_days = as_of.since(known).as_secs() / DAY_SECONDS;
        Some(Known {
            age_days: u32::try_from(age_days).unwrap_or(u32::MAX),
            late,
        })
    }
}

/// Every order of a supplier in evidence, as it was anchored by an instant.
#[must_use]
pub fn read(evidence: &VerifiedEvidence, supplier: &Slug, as_of: Instant) -> Vec<Order> {
    // How an event weighs plays no part here: see the module on late records.
    orders(&event::observe(evidence, as_of, Duration::MAX), supplier)
}

/// Every order of a supplier, by due time and thing.
#[must_use]
pub fn orders(observations: &[Observation], supplier: &Slug) -> Vec<Order> {
    let mut promises: BTreeMap<String, (&Observation, Order)> = BTreeMap::new();
    for seen in observations
        .iter()
        .filter(|seen| promises_an_order(seen, supplier))
    {
        for order in promised(seen) {
            let earlier = |(before, _): &(&Observation, Order)| {
                (before.anchored, before.leaf) <= (seen.anchored, seen.leaf)
            };
            if !promises.get(&order.goods).is_some_and(earlier) {
                promises.insert(order.goods.clone(), (seen, order));
            }
        }
    }
    let receipts = receipts(observations, supplier);
    let mut all: Vec<Order> = promises
        .into_values()
        .map(|(seen, order)| Order {
            receipt: receipt(&receipts, &order.goods, seen.anchored),
            ..order
        })
        .collect();
    all.sort_by(|one, other| (one.due, &one.goods).cmp(&(other.due, &other.goods)));
    all
}

fn promises_an_order(seen: &Observation, supplier: &Slug) -> bool {
    seen.is_of(supplier)
        && !seen.withdrawn
        && seen.step != "shipping"
        && seen.value("tb:promisedDelivery").is_some()
}

/// The orders of an event. Its value belongs to its only thing; how it would be split among several
/// is not stated.
fn promised(seen: &Observation) -> Vec<Order> {
    let Some(due) = seen
        .text("tb:promisedDelivery")
        .and_then(Instant::parse_rfc3339)
    else {
        return Vec::new();
    };
    let things: BTreeSet<&str> = seen.named().collect();
    let value = value(seen).filter(|_| things.len() == 1);
    let order = |goods: &str| Order {
        goods: goods.to_owned(),
        leaf: seen.leaf,
        due,
        value,
        receipt: None,
    };
    things.into_iter().map(order).collect()
}

fn value(seen: &Observation) -> Option<Money> {
    let currency = seen.text("tb:orderCurrency")?.parse().ok()?;
    Money::parse(seen.text("tb:orderAmount")?, currency).ok()
}

/// Receiving events of others by thing, by anchored time.
type Receipts<'a> = BTreeMap<&'a str, Vec<&'a Observation>>;

fn receipts<'a>(observations: &'a [Observation], supplier: &Slug) -> Receipts<'a> {
    let confirms = |seen: &&Observation| {
        let step = matches!(seen.step.as_str(), "receiving" | "accepting");
        step && !seen.is_of(supplier) && !seen.withdrawn
    };
    let mut receipts = Receipts::new();
    for seen in observations.iter().filter(confirms) {
        for key in seen.named().collect::<BTreeSet<_>>() {
            receipts.entry(key).or_default().push(seen);
        }
    }
    for waiting in receipts.values_mut() {
        waiting.sort_by_key(|seen| (seen.anchored, seen.time, seen.leaf));
    }
    receipts
}

fn receipt(receipts: &Receipts<'_>, goods: &str, promised: Instant) -> Option<Receipt> {
    let after = |seen: &&&Observation| seen.time >= promised;
    let seen = receipts.get(goods)?.iter().find(after)?;
    Some(Receipt {
        leaf: seen.leaf,
        by: seen.device.organisation.clone(),
        delivered: seen.time,
        known: seen.anchored,
    })
}

/// What is known of a supplier's orders at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promises {
    /// Deliveries that were known.
    pub known: u64,
    /// Of these, late ones.
    pub late: u64,
    /// Promises that were due and had no known receipt: not in the figure.
    pub overdue: u64,
    /// Probability of late delivery, to four places; absent with too few known deliveries.
    pub probability: Option<Decimal>,
    /// The model that it is from.
    pub model: ModelUsed,
    /// Value of what was confirmed within the model's time, in fen by currency.
    pub confirmed_fen: BTreeMap<Currency, i64>,
    /// The known deliveries, by due time and thing.
    pub orders: Vec<Order>,
}

impl Promises {
    /// Reads what is known at an instant; `None` if the supplier promised no order.
    ///
    /// # Errors
    /// [`MoneyError`] if the values of one currency do not fit together.
    pub fn read(
        all: &[Order],
        artefact: &Artefact,
        as_of: Instant,
    ) -> Result<Option<Self>, MoneyError> {
        if all.is_empty() {
            return Ok(None);
        }
        let orders: Vec<Order> = all
            .iter()
            .filter(|order| order.late_as_of(as_of).is_some())
            .cloned()
            .collect();
        let known: Vec<Known> = orders
            .iter()
            .filter_map(|order| order.known_as_of(as_of))
            .collect();
        let overdue = all
            .iter()
            .filter(|order| order.due < as_of && order.late_as_of(as_of).is_none());
        Ok(Some(Self {
            known: known.len() as u64,
            late: known.iter().filter(|one| one.late).count() as u64,
            overdue: overdue.count() as u64,
            probability: artefact.figure(&known),
            model: artefact.used(),
            confirmed_fen: confirmed(&orders, artefact, as_of)?,
            orders,
        }))
    }

    /// Every event that the figures came from.
    #[must_use]
    pub fn leaves(&self) -> BTreeSet<Hash> {
        let both = |order: &Order| {
            [
                Some(order.leaf),
                order.receipt.as_ref().map(|receipt| receipt.leaf),
            ]
        };
        self.orders.iter().flat_map(both).flatten().collect()
    }
}

/// The value of deliveries that became known within the model's time.
fn confirmed(
    orders: &[Order],
    artefact: &Artefact,
    as_of: Instant,
) -> Result<BTreeMap<Currency, i64>, MoneyError> {
    let window = Duration::from_secs(u64::from(artefact.value_window_days) * DAY_SECONDS);
    let mut sums: BTreeMap<Currency, Money> = BTreeMap::new();
    for order in orders {
        let recent = order
            .receipt
            .as_ref()
            .is_some_and(|receipt| as_of.since(receipt.known) <= window);
        let Some(value) = order.value.filter(|_| recent) else {
            continue;
        };
        let sum = sums
            .entry(value.currency())
            .or_insert(Money::zero(value.currency()));
        *sum = sum.plus(value)?;
    }
    Ok(sums
        .into_iter()
        .map(|(currency, sum)| (currency, sum.fen()))
        .collect())
}

/// A probability as it is shown and kept.
#[must_use]
pub fn rounded(probability: f64) -> Option<Decimal> {
    Decimal::try_from(probability)
        .ok()
        .map(|exact| exact.round_dp(PLACES).normalize())
}
