//! Who sold what to whom, on which devices, and who received it: what the rules before an offer
//! ([`crate::loan::warning`], [`crate::law`]) read of verified events.
//!
//! **Sales.** A shipping or receiving event with an owning party as source and another as destination
//! (EPCIS 2.0 sections 7.4.6.3 and 7.4.6.4, CBV `owning_party`) is a sale of everything that it names
//! and of what is packed in it. A shipment of the supplier that names an order or an invoice
//! (`bizTransactionList` with `po` or `inv`, or `tb:invoiceAmount`) and no such parties is one to the
//! organisation whose device received it. Goods that only change hands, such as into a warehouse, are
//! not sold.
//!
//! **Parties.** An event names a party by a GS1 key, a rule by the name of its organisation. A key
//! is that of the organisation whose own devices ship with it as source or receive with it as
//! destination, where that is one organisation, or the supplier; any other key stands for itself.
//!
//! **Devices.** Those of the supplier, those of others that ship as its goods' carrier (with the
//! supplier as owning source), and sensors that its events name by a URI. A buyer that receives signs
//! for itself.
//!
//! Where a member that this is read from is withheld, there are no sales: fewer would be a guess.

use std::collections::{BTreeMap, BTreeSet};

use schemas::hash::sha256;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::delivery::Delivery;
use super::event::{Observation, canonical};
use super::goods::Goods;
use crate::evidence::VerifiedEvidence;
use crate::law::acceptance::china_day;
use crate::loan::warning::{DeviceUse, ROWS_MAX, Sale};

/// Longest name of a device, a thing or a paper that is taken over, in bytes; what is longer is none.
pub const NAME_MAX: usize = 256;

/// Members that sales and papers are read from.
const TRADE_MEMBERS: [&str; 3] = ["sourceList", "destinationList", "bizTransactionList"];

/// What happened to goods at somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// They came.
    Received,
    /// They were accepted, or passed an inspection.
    Accepted,
}

/// A thing that the supplier shipped, at somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Arrival {
    /// Canonical key of the thing.
    pub goods: String,
    /// What happened.
    pub taken: Taken,
    /// Whose device says so.
    pub by: Slug,
    /// True if nobody measured or scanned it.
    pub declared: bool,
    /// When, by the device.
    #[serde(with = "crate::rfc3339")]
    pub at: Instant,
    /// When it was in the log at the latest.
    #[serde(with = "crate::rfc3339")]
    pub anchored: Instant,
}

/// What verified events show of a supplier's trade. Every list is sorted and holds at most
/// [`ROWS_MAX`] rows and one more, which says that there are more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// Sales, whoever made them; absent if a member that they are read from is withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sales: Option<BTreeSet<Sale>>,
    /// Devices that sign for the supplier.
    pub devices: BTreeSet<DeviceUse>,
    /// What others took of the things that the supplier shipped.
    pub arrivals: BTreeSet<Arrival>,
    /// Things that the supplier's shipments name, by the number of the invoice that they name.
    pub invoiced: BTreeMap<String, BTreeSet<String>>,
}

impl Trade {
    /// Reads the trade of a supplier from observations in order of time.
    #[must_use]
    pub fn read(
        evidence: &VerifiedEvidence,
        observations: &[Observation],
        supplier: &Slug,
        goods: &Goods,
        deliveries: &[Delivery<'_>],
    ) -> Self {
        let parties = Parties::read(observations, supplier);
        let shown = !withholds(evidence);
        Self {
            sales: shown.then(|| sales(observations, &parties, goods, deliveries)),
            devices: devices(evidence, observations, supplier, &parties),
            arrivals: arrivals(observations, supplier, deliveries),
            invoiced: invoiced(observations, supplier),
        }
    }
}

/// True if a shown event holds back who owns the goods or which papers go with them.
fn withholds(evidence: &VerifiedEvidence) -> bool {
    let hidden = |name: &&str, members: &BTreeMap<String, Option<Vec<u8>>>| {
        members.get(*name).is_some_and(Option::is_none)
    };
    let mut events = evidence.events.iter();
    events.any(|event| {
        TRADE_MEMBERS
            .iter()
            .any(|name| hidden(name, &event.members))
    })
}

/// The entry of a list whose `type` is this one, such as `owning_party`.
fn entry<'v>(seen: &'v Observation, list: &str, kind: &str, member: &str) -> Option<&'v str> {
    let list = seen.value(list)?.as_array()?;
    let is_it = |one: &&Value| {
        let found = one.get("type").and_then(Value::as_str).unwrap_or_default();
        found.rsplit(['/', ':', '-']).next() == Some(kind)
    };
    list.iter().find(is_it)?.get(member)?.as_str()
}

fn source(seen: &Observation) -> Option<String> {
    party(entry(seen, "sourceList", "owning_party", "source")?)
}

fn destination(seen: &Observation) -> Option<String> {
    party(entry(
        seen,
        "destinationList",
        "owning_party",
        "destination",
    )?)
}

fn party(text: &str) -> Option<String> {
    (text.len() <= NAME_MAX).then(|| canonical(text))
}

/// Whose keys the keys of parties are.
struct Parties<'a> {
    supplier: &'a Slug,
    claims: BTreeMap<String, BTreeSet<&'a Slug>>,
}

impl<'a> Parties<'a> {
    fn read(observations: &'a [Observation], supplier: &'a Slug) -> Self {
        let mut claims: BTreeMap<String, BTreeSet<&Slug>> = BTreeMap::new();
        for seen in observations.iter().filter(|seen| !seen.declared) {
            let own = match seen.step.as_str() {
                "shipping" => source(seen),
                "receiving" | "accepting" => destination(seen),
                _ => None,
            };
            if let Some(own) = own {
                claims
                    .entry(own)
                    .or_default()
                    .insert(&seen.device.organisation);
            }
        }
        Self { supplier, claims }
    }

    /// The organisation of a key, or a name made of the key.
    fn name(&self, key: &str) -> Option<Slug> {
        let claims = self.claims.get(key);
        match claims.map(|all| (all.contains(self.supplier), all.len(), all.first())) {
            Some((true, _, _)) => Some(self.supplier.clone()),
            Some((_, 1, Some(only))) => Some((*only).clone()),
            _ => of_key(key),
        }
    }
}

/// `party-` and sixteen hex digits of the key's SHA-256: what is nobody's known key is still one
/// party's.
fn of_key(key: &str) -> Option<Slug> {
    let hash = sha256(key.as_bytes()).to_string();
    format!("party-{}", hash.get(..16)?).parse().ok()
}

fn sales(
    observations: &[Observation],
    parties: &Parties<'_>,
    goods: &Goods,
    deliveries: &[Delivery<'_>],
) -> BTreeSet<Sale> {
    let mut found = BTreeSet::new();
    let moved = |seen: &&Observation| {
        let step = matches!(seen.step.as_str(), "shipping" | "receiving" | "accepting");
        step && !seen.withdrawn
    };
    for seen in observations.iter().filter(moved) {
        let between = source(seen).zip(destination(seen));
        let named = between.and_then(|(from, to)| parties.name(&from).zip(parties.name(&to)));
        if let Some((seller, buyer)) = named {
            sold(&mut found, seen, (&seller, &buyer), goods);
        }
    }
    for delivery in deliveries {
        let seen = delivery.shipment;
        let Some((receipt, _)) = delivery.arrival.filter(|_| is_sold(seen)) else {
            continue;
        };
        let buyer = &receipt.device.organisation;
        sold(&mut found, seen, (parties.supplier, buyer), goods);
    }
    found
}

/// A shipment with papers of a sale that does not say between whom.
fn is_sold(seen: &Observation) -> bool {
    let parties = source(seen).is_some() && destination(seen).is_some();
    let paper = |kind| entry(seen, "bizTransactionList", kind, "bizTransaction").is_some();
    !parties && (paper("po") || paper("inv") || seen.text("tb:invoiceAmount").is_some())
}

/// Adds a row for each thing that an event names and for what is packed in it.
fn sold(
    found: &mut BTreeSet<Sale>,
    seen: &Observation,
    (seller, buyer): (&Slug, &Slug),
    goods: &Goods,
) {
    let on = china_day(seen.time);
    for key in seen.named() {
        let inside = goods.inside(key, seen.time);
        let inside = inside.into_iter().map(|item| item.key.as_str());
        for goods in std::iter::once(key).chain(inside) {
            if found.len() > ROWS_MAX {
                return;
            }
            if goods.len() <= NAME_MAX {
                found.insert(Sale {
                    seller: seller.clone(),
                    buyer: buyer.clone(),
                    goods: goods.to_owned(),
                    on,
                });
            }
        }
    }
}

fn devices(
    evidence: &VerifiedEvidence,
    observations: &[Observation],
    supplier: &Slug,
    parties: &Parties<'_>,
) -> BTreeSet<DeviceUse> {
    let mut found = BTreeSet::new();
    let used = |device: String, owner: Option<&Slug>| DeviceUse {
        device,
        supplier: supplier.clone(),
        owner: owner.cloned(),
    };
    for statement in &evidence.statements {
        if statement.device.organisation == *supplier {
            let device = statement.device.to_string();
            found.insert(used(device, Some(supplier)));
        }
    }
    for seen in observations {
        if seen.is_of(supplier) {
            found.extend(sensors(seen).map(|sensor| used(sensor, None)));
        } else if is_carried(seen, supplier, parties) {
            let device = seen.device.to_string();
            found.insert(used(device, Some(&seen.device.organisation)));
        }
        if found.len() > ROWS_MAX {
            break;
        }
    }
    found
}

/// Somebody else's device ships what is the supplier's.
fn is_carried(seen: &Observation, supplier: &Slug, parties: &Parties<'_>) -> bool {
    let is_supplier = |key: String| parties.name(&key).as_ref() == Some(supplier);
    seen.step == "shipping" && source(seen).is_some_and(is_supplier)
}

/// Sensors that an event names for the whole world: a name without a scheme is one of many.
fn sensors(seen: &Observation) -> impl Iterator<Item = String> {
    let elements = seen.value("sensorElementList").and_then(Value::as_array);
    let named = elements.into_iter().flatten().filter_map(|element| {
        let id = element.get("sensorMetadata")?.get("deviceID")?.as_str()?;
        (id.contains(':') && id.len() <= NAME_MAX).then(|| canonical(id))
    });
    named.collect::<BTreeSet<_>>().into_iter()
}

fn arrivals(
    observations: &[Observation],
    supplier: &Slug,
    deliveries: &[Delivery<'_>],
) -> BTreeSet<Arrival> {
    let shipped: BTreeSet<&str> = deliveries.iter().map(|one| &*one.item.key).collect();
    let mut found = BTreeSet::new();
    for seen in observations {
        let Some(taken) = taken(seen).filter(|_| !seen.is_of(supplier) && !seen.withdrawn) else {
            continue;
        };
        for key in seen.named().filter(|key| shipped.contains(key)) {
            if found.len() > ROWS_MAX {
                return found;
            }
            found.insert(Arrival {
                goods: key.to_owned(),
                taken,
                by: seen.device.organisation.clone(),
                declared: seen.declared,
                at: seen.time,
                anchored: seen.anchored,
            });
        }
    }
    found
}

fn taken(seen: &Observation) -> Option<Taken> {
    match (seen.step.as_str(), seen.disposition.as_str()) {
        ("receiving", _) => Some(Taken::Received),
        ("accepting", _) | ("inspecting", "conformant") => Some(Taken::Accepted),
        _ => None,
    }
}

/// Things by the number at the end of the invoice's identifier, as the CBV has it
/// (`urn:epcglobal:cbv:bt:GLN:NUMBER`, or a web address).
fn invoiced(observations: &[Observation], supplier: &Slug) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let shipped = observations
        .iter()
        .filter(|seen| seen.is_of(supplier) && seen.step == "shipping" && !seen.withdrawn);
    for seen in shipped.take(ROWS_MAX) {
        let paper = entry(seen, "bizTransactionList", "inv", "bizTransaction");
        let number = paper.and_then(|paper| paper.rsplit([':', '/']).next());
        let Some(number) = number.filter(|number| (1..=NAME_MAX).contains(&number.len())) else {
            continue;
        };
        let named = seen.items.iter().map(|item| item.key.clone());
        let named = named.chain(seen.parent.clone());
        found.entry(number.to_owned()).or_default().extend(named);
    }
    found
}

#[cfg(test)]
mod tests;
