//! Deliveries: what a supplier shipped and what somebody else's device received.
//!
//! Each thing that a shipping event names is one delivery. It is confirmed by the first receiving
//! or accepting event of a device of **another organisation** that names the same thing, not before
//! the shipment, and that confirms no other delivery. A declared one confirms nothing: whoever has a
//! token of the capture interface could declare it, the supplier too. A confirmation that was anchored late counts
//! from when it was anchored: nobody makes a delivery punctual afterwards.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::event::{Item, Observation};
use super::goods::Goods;
use crate::money::{Currency, Money, MoneyError};

/// One thing on its way.
#[derive(Debug)]
pub struct Delivery<'a> {
    /// The supplier's shipping event.
    pub shipment: &'a Observation,
    /// What was shipped.
    pub item: Item,
    /// When it was promised, if the shipment says so.
    pub promised: Option<Instant>,
    /// The confirming event, and when it counts from.
    pub arrival: Option<(&'a Observation, Instant)>,
}

/// What deliveries show about punctuality.
#[derive(Debug, Default)]
pub struct Punctuality {
    /// Promises that were due.
    pub due: u64,
    /// Of these, kept.
    pub kept: u64,
    /// Events that this came from.
    pub leaves: BTreeSet<Hash>,
}

/// What others received.
#[derive(Debug, Default)]
pub struct Volume {
    /// Confirmed deliveries.
    pub deliveries: u64,
    /// Pieces in them.
    pub units: Decimal,
    /// Quantities with a unit of measure, by unit.
    pub measured: BTreeMap<String, Decimal>,
    /// Amounts invoiced for shipments all of which was confirmed, in fen by currency.
    pub turnover: BTreeMap<Currency, Money>,
    /// Events that this came from.
    pub leaves: BTreeSet<Hash>,
}

/// Pairs shipments and confirmations.
#[must_use]
pub fn deliveries<'a>(observations: &'a [Observation], supplier: &Slug) -> Vec<Delivery<'a>> {
    let mut receipts = receipts(observations, supplier);
    let shipped = observations
        .iter()
        .filter(|seen| seen.is_of(supplier) && seen.step == "shipping" && !seen.withdrawn);
    let mut all = Vec::new();
    for shipment in shipped {
        let promised = shipment
            .text("tb:promisedDelivery")
            .and_then(Instant::parse_rfc3339);
        for item in shipped_items(shipment) {
            let arrival = take(&mut receipts, &item.key, shipment.time);
            all.push(Delivery {
                shipment,
                item,
                promised,
                arrival,
            });
        }
    }
    all
}

/// Waiting confirmations by thing, in order of time.
type Receipts<'a> = BTreeMap<&'a str, Vec<&'a Observation>>;

fn receipts<'a>(observations: &'a [Observation], supplier: &Slug) -> Receipts<'a> {
    let mut receipts = Receipts::new();
    let confirms = |seen: &&Observation| {
        let step = matches!(seen.step.as_str(), "receiving" | "accepting");
        step && !seen.declared && !seen.is_of(supplier) && !seen.withdrawn
    };
    for seen in observations.iter().filter(confirms) {
        for key in seen.named().collect::<BTreeSet<_>>() {
            receipts.entry(key).or_default().push(seen);
        }
    }
    receipts
}

fn shipped_items(shipment: &Observation) -> Vec<Item> {
    let parent = shipment.parent.iter().map(|key| Item {
        key: key.clone(),
        quantity: None,
        unit: None,
    });
    let mut items: Vec<Item> = shipment.items.iter().cloned().chain(parent).collect();
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items.dedup_by(|a, b| a.key == b.key);
    items
}

fn take<'a>(
    receipts: &mut Receipts<'a>,
    key: &str,
    shipped: Instant,
) -> Option<(&'a Observation, Instant)> {
    let waiting = receipts.get_mut(key)?;
    let place = waiting.iter().position(|seen| seen.time >= shipped)?;
    let seen = waiting.remove(place);
    Some((seen, if seen.late { seen.anchored } else { seen.time }))
}

/// Punctuality of the promises that were due by `as_of`.
#[must_use]
pub fn punctuality(deliveries: &[Delivery<'_>], as_of: Instant) -> Punctuality {
    let mut found = Punctuality::default();
    for delivery in deliveries {
        let Some(promised) = delivery.promised.filter(|promised| *promised <= as_of) else {
            continue;
        };
        found.due += 1;
        found.leaves.insert(delivery.shipment.leaf);
        if let Some((receipt, at)) = delivery.arrival {
            found.kept += u64::from(at <= promised);
            found.leaves.insert(receipt.leaf);
        }
    }
    found
}

/// What was confirmed, in pieces, units of measure and money.
///
/// # Errors
/// [`MoneyError::Overflow`] if the amounts of one currency do not fit together.
pub fn volume(deliveries: &[Delivery<'_>], goods: &Goods) -> Result<Volume, MoneyError> {
    let mut found = Volume::default();
    for delivery in deliveries {
        let Some((receipt, _)) = delivery.arrival else {
            continue;
        };
        found.deliveries += 1;
        found.leaves.extend([delivery.shipment.leaf, receipt.leaf]);
        count(&mut found, delivery, goods);
    }
    invoice(&mut found, deliveries)?;
    Ok(found)
}

fn count(found: &mut Volume, delivery: &Delivery<'_>, goods: &Goods) {
    let (item, shipment) = (&delivery.item, delivery.shipment);
    let inside = goods.inside(&item.key, shipment.time);
    if !inside.is_empty() {
        // A lot that is listed beside the pallet that holds it is counted with the pallet.
        inside
            .into_iter()
            .filter(|item| !goods.is_container(&item.key))
            .for_each(|item| add(found, item));
    } else if !is_packed_beside(delivery, goods) {
        add(found, item);
    }
}

/// True if the same shipment names a container that holds this thing.
fn is_packed_beside(delivery: &Delivery<'_>, goods: &Goods) -> bool {
    let others = delivery
        .shipment
        .named()
        .filter(|key| *key != delivery.item.key);
    let holds = |key: &str| {
        let inside = goods.inside(key, delivery.shipment.time);
        inside.iter().any(|item| item.key == delivery.item.key)
    };
    others.into_iter().any(holds)
}

fn add(found: &mut Volume, item: &Item) {
    let quantity = item.quantity.unwrap_or(Decimal::ONE);
    if quantity.is_sign_negative() {
        return;
    }
    let sum = match &item.unit {
        Some(unit) => found.measured.entry(unit.clone()).or_default(),
        None => &mut found.units,
    };
    *sum = sum.saturating_add(quantity);
}

/// Adds the invoiced amount of each shipment all of whose things were confirmed. Part of a shipment
/// counts nothing: how the amount would be split is not stated.
fn invoice(found: &mut Volume, deliveries: &[Delivery<'_>]) -> Result<(), MoneyError> {
    for group in deliveries.chunk_by(|a, b| a.shipment.leaf == b.shipment.leaf) {
        let whole = group.iter().all(|delivery| delivery.arrival.is_some());
        let Some(amount) = group.first().and_then(|one| invoiced(one.shipment)) else {
            continue;
        };
        if whole {
            let sum = found
                .turnover
                .entry(amount.currency())
                .or_insert(Money::zero(amount.currency()));
            *sum = sum.plus(amount)?;
        }
    }
    Ok(())
}

fn invoiced(shipment: &Observation) -> Option<Money> {
    let currency = shipment.text("tb:invoiceCurrency")?.parse().ok()?;
    Money::parse(shipment.text("tb:invoiceAmount")?, currency).ok()
}
