//! One verified event as facts see it: typed, its source weighed, nothing else than what is shown.
//!
//! What cannot be read is absent, never guessed. Names are those of EPCIS 2.0, the CBV and
//! `schemas/docs/vocabulary.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;
use schemas::event::Source;
use schemas::gs1::ItemKey;
use schemas::hash::{Hash, sha256};
use schemas::ids::{DeviceAddress, Slug};
use schemas::time::Instant;
use serde_json::Value;

use crate::evidence::{VerifiedEvent, VerifiedEvidence, VerifiedStatement};

/// Members that facts are read from: withholding one hides something, so it counts as a gap. What
/// can only help the supplier (an invoice's amount) may be withheld freely.
const FACT_MEMBERS: [&str; 20] = [
    "type",
    "eventTime",
    "action",
    "bizStep",
    "disposition",
    "readPoint",
    "errorDeclaration",
    "epcList",
    "quantityList",
    "parentID",
    "childEPCs",
    "childQuantityList",
    "inputEPCList",
    "inputQuantityList",
    "outputEPCList",
    "outputQuantityList",
    "ilmd",
    "sensorElementList",
    "tb:promisedDelivery",
    "eventID",
];

/// True for a member whose absence from sight hides something that facts need.
#[must_use]
pub fn hides_a_fact(name: &str) -> bool {
    FACT_MEMBERS.contains(&name)
}

/// Things named by an event: a canonical key, and how many if the event says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Canonical GS1 Digital Link URI, or the text as it stands if it is none.
    pub key: String,
    /// Quantity; `None` for a single thing.
    pub quantity: Option<Decimal>,
    /// Unit of measure (UN/ECE recommendation 20); `None` for pieces.
    pub unit: Option<String>,
}

/// One event, read.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The event's identity in proofs.
    pub leaf: Hash,
    /// Who signed it.
    pub device: DeviceAddress,
    /// How it came about; declared if it was anchored too long after its own time, or when its key
    /// was compromised.
    pub source: Source,
    /// True if nobody measured, scanned or read it from a file, or nobody knows who: its signer only
    /// says so.
    pub declared: bool,
    /// True if it was anchored too long after its own time.
    pub late: bool,
    /// It was in the log by then.
    pub anchored: Instant,
    /// `eventTime`.
    pub time: Instant,
    /// `bizStep` by its bare name, empty if there is none.
    pub step: String,
    /// `disposition` by its bare name, empty if there is none.
    pub disposition: String,
    /// `action`, empty if there is none.
    pub action: String,
    /// `epcList` and `quantityList`.
    pub items: Vec<Item>,
    /// `parentID`.
    pub parent: Option<String>,
    /// `childEPCs` and `childQuantityList`.
    pub children: Vec<Item>,
    /// Outputs of a transformation.
    pub outputs: Vec<Item>,
    /// True if its own organisation has declared it an error.
    pub withdrawn: bool,
    values: BTreeMap<String, Value>,
    join: (Slug, Hash),
}

impl Observation {
    /// A shown member's value.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// A shown member's text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    /// Every thing that the event names.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let lists = [&self.items, &self.children, &self.outputs];
        let items = lists.into_iter().flatten().map(|item| item.key.as_str());
        items.chain(self.parent.as_deref())
    }

    /// True if a device of this organisation signed it.
    #[must_use]
    pub fn is_of(&self, organisation: &Slug) -> bool {
        self.device.organisation == *organisation
    }
}

/// All readable events anchored by `as_of`, each counted once, in order of time and leaf.
///
/// The same event from several signers of one organisation (same `eventID` and same content) is one
/// observation with the strongest source and the earliest anchored time. One `eventID` with two contents
/// stays two: joining them would let a supplier hide the worse one. An event that its organisation
/// declared an error is marked withdrawn and its declaration left out.
#[must_use]
pub fn observe(
    evidence: &VerifiedEvidence,
    as_of: Instant,
    late_after: Duration,
) -> Vec<Observation> {
    let mut joined: BTreeMap<(Slug, Hash), Observation> = BTreeMap::new();
    let mut withdrawn = BTreeSet::new();
    for event in &evidence.events {
        let statement = evidence
            .statement_of(event)
            .filter(|of| of.anchored <= as_of);
        let Some(seen) = statement.and_then(|of| read(event, of, late_after)) else {
            continue;
        };
        if seen.values.contains_key("errorDeclaration") {
            withdrawn.insert(seen.join);
        } else {
            join(&mut joined, seen);
        }
    }
    let mut all: Vec<_> = joined.into_values().collect();
    for seen in &mut all {
        seen.withdrawn = withdrawn.contains(&seen.join);
    }
    all.sort_by_key(|seen| (seen.time, seen.leaf));
    all
}

fn join(joined: &mut BTreeMap<(Slug, Hash), Observation>, seen: Observation) {
    use std::collections::btree_map::Entry;
    match joined.entry(seen.join.clone()) {
        Entry::Vacant(place) => {
            place.insert(seen);
        }
        Entry::Occupied(mut place) => {
            let kept = place.get_mut();
            let anchored = kept.anchored.min(seen.anchored);
            let rank = |seen: &Observation| (seen.source, std::cmp::Reverse(seen.leaf));
            if rank(&seen) > rank(kept) {
                *kept = seen;
            }
            kept.anchored = anchored;
        }
    }
}

fn read(
    event: &VerifiedEvent,
    statement: &VerifiedStatement,
    late_after: Duration,
) -> Option<Observation> {
    let values = values(event);
    let time = Instant::parse_rfc3339(values.get("eventTime")?.as_str()?)?;
    let late = statement.anchored.since(time) > late_after;
    let source = if late || event.compromised {
        Source::Declared
    } else {
        event.source?
    };
    let text = |name: &str| values.get(name).and_then(Value::as_str).unwrap_or_default();
    Some(Observation {
        leaf: event.leaf,
        device: statement.device.clone(),
        source,
        declared: event.compromised || event.source == Some(Source::Declared),
        late,
        anchored: statement.anchored,
        time,
        step: bare(text("bizStep"), "BizStep-", "bizstep:"),
        disposition: bare(text("disposition"), "Disp-", "disp:"),
        action: text("action").to_owned(),
        items: items(&values, "epcList", "quantityList"),
        parent: values
            .get("parentID")
            .and_then(Value::as_str)
            .map(canonical),
        children: items(&values, "childEPCs", "childQuantityList"),
        outputs: items(&values, "outputEPCList", "outputQuantityList"),
        withdrawn: false,
        join: (statement.device.organisation.clone(), content(event)),
        values,
    })
}

fn values(event: &VerifiedEvent) -> BTreeMap<String, Value> {
    let parse = |bytes: &Vec<u8>| serde_json::from_slice(bytes).ok();
    let shown = event
        .members
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), parse(value.as_ref()?)?)));
    shown.collect()
}

/// Everything that the event says but when it was recorded and whether it was an error.
fn content(event: &VerifiedEvent) -> Hash {
    let mut bytes = Vec::new();
    let about = |name: &str| !matches!(name, "recordTime" | "errorDeclaration" | "@context");
    for (name, value) in event.members.iter().filter(|(name, _)| about(name)) {
        // A withheld value is no reason to think two events the same: its leaf keeps them apart.
        let value = value.as_deref().unwrap_or(event.leaf.as_bytes());
        for part in [name.as_bytes(), value] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
    }
    sha256(&bytes)
}

/// A CBV value by its bare name: `shipping` for `https://ref.gs1.org/cbv/BizStep-shipping`.
fn bare(value: &str, web: &str, urn: &str) -> String {
    let web = value
        .strip_prefix("https://ref.gs1.org/cbv/")
        .and_then(|rest| rest.strip_prefix(web));
    let urn = value
        .strip_prefix("urn:epcglobal:cbv:")
        .and_then(|rest| rest.strip_prefix(urn));
    web.or(urn).unwrap_or(value).to_owned()
}

fn items(values: &BTreeMap<String, Value>, single: &str, quantities: &str) -> Vec<Item> {
    let list = |name: &str| {
        values
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
    };
    let mut items: Vec<Item> = list(single)
        .iter()
        .filter_map(|value| Some(canonical(value.as_str()?)))
        .map(|key| Item {
            key,
            quantity: None,
            unit: None,
        })
        .collect();
    items.extend(list(quantities).iter().filter_map(|value| {
        let unit = value.get("uom").and_then(Value::as_str).map(str::to_owned);
        let quantity = value.get("quantity").and_then(decimal);
        Some(Item {
            key: canonical(value.get("epcClass")?.as_str()?),
            quantity,
            unit,
        })
    }));
    items
}

/// The canonical GS1 Digital Link URI of a thing, so that a URN and a link meet; the text as it
/// stands if it is neither.
#[must_use]
pub fn canonical(text: &str) -> String {
    ItemKey::read(text).map_or_else(|_| text.to_owned(), |key| key.to_string())
}

/// A JSON number as a decimal; `None` for anything else and for what a decimal cannot hold.
#[must_use]
pub fn decimal(value: &Value) -> Option<Decimal> {
    let Value::Number(number) = value else {
        return None;
    };
    let text = number.to_string();
    Decimal::from_str(&text)
        .or_else(|_| Decimal::from_scientific(&text))
        .ok()
}
