//! Steps in time order and what follows from them: maker, names, limits, recall, custody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::time::Instant;

use super::collect::{Followed, Found, Gathered, wrong_leaves};
use super::curve::{Curve, Limits};
use super::event::{Action, Kind, Stated, Thing, View};
use super::item::Item;
use crate::store::{Anchor, StoredEvent};

mod steps;

/// An event anchored this long after its own time counts as late.
pub const LATE_AFTER: Duration = Duration::from_secs(48 * 3600);

/// Steps after which nobody holds the goods any more (CBV 2.0 §7.1).
const LAST_STEPS: [&str; 5] = [
    "retail_selling",
    "dispensing",
    "destroying",
    "decommissioning",
    "killing",
];

/// One signed event behind a step.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Identity of the event.
    pub leaf: Hash,
    /// Statement that carries it.
    pub statement: Hash,
    /// Its place in the statement.
    pub index: u32,
    /// Who signed.
    pub device: DeviceAddress,
    /// How it came about.
    pub source: Source,
    /// The device's clock when it signed.
    pub made: Instant,
    /// State of that clock: 0 synced, 1 unsynced, 2 unknown.
    pub clock: u64,
    /// Where it is in the log; `None` while it waits.
    pub anchor: Option<Anchor>,
    /// Anchored more than [`LATE_AFTER`] after its event time.
    pub late: bool,
}

/// How a step stands to a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correction {
    /// This step declares an earlier one wrong.
    Declares {
        /// When that was declared, if stated.
        at: Option<Instant>,
        /// Reason, if stated.
        reason: Option<String>,
    },
    /// This step was declared wrong by its own organisation.
    DeclaredWrong,
}

/// One step of the journey: one event, or a run of sensor events of one device.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which kind of event.
    pub kind: Kind,
    /// Bare business step, if stated.
    pub step: Option<String>,
    /// `action`, if any.
    pub action: Option<Action>,
    /// Where: read point, else business location.
    pub place: Option<String>,
    /// When it happened, or began.
    pub time: Stated,
    /// When a run of sensor events ended.
    pub until: Option<Stated>,
    /// Who signed (the device behind the strongest source).
    pub device: DeviceAddress,
    /// Who declared it, where the platform only signed it for them.
    pub captured_for: Option<Slug>,
    /// The strongest source.
    pub source: Source,
    /// Bare disposition, if stated.
    pub disposition: Option<String>,
    /// The followed thing as the event names it, with its quantity.
    pub thing: Option<Thing>,
    /// The container that the item was in, when the event names only that.
    pub container: Option<String>,
    /// Parent of an aggregation of the item itself.
    pub parent: Option<String>,
    /// Inputs, where the item is an output.
    pub inputs: Vec<Thing>,
    /// Outputs, where the item is an input.
    pub outputs: Vec<Thing>,
    /// Sensor series.
    pub curves: Vec<Curve>,
    /// Correction, if any.
    pub correction: Option<Correction>,
    /// What the data did not state and the configuration assumed.
    pub assumptions: BTreeSet<String>,
    /// The signed events behind the step, at least one; a device's own order in a run.
    pub entries: Vec<Entry>,
}

impl Step {
    /// Who answers for the step.
    pub fn organisation(&self) -> &Slug {
        self.captured_for
            .as_ref()
            .unwrap_or(&self.device.organisation)
    }

    /// True if any entry was anchored late.
    pub fn is_late(&self) -> bool {
        self.entries.iter().any(|entry| entry.late)
    }
}

/// What the item was made from, one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// The input with its quantity.
    pub thing: Thing,
    /// Its name by language, when its own maker stated one.
    pub names: BTreeMap<String, String>,
    /// Who stated the name.
    pub organisation: Option<Slug>,
}

/// Who held the goods, and when: from an organisation's first step to the next one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub organisation: Slug,
    /// Its first step.
    pub from: Instant,
    /// The next organisation's first step, or the goods' last one; `None` for who holds them still.
    pub until: Option<Instant>,
}

/// A recall by the maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// Who recalled.
    pub organisation: Slug,
    /// When.
    pub at: Stated,
    /// The event.
    pub leaf: Hash,
}

/// The life of one item.
#[derive(Debug, Clone)]
pub struct Journey {
    /// The item.
    pub item: Item,
    /// Product name by language tag, as the maker states it.
    pub names: BTreeMap<String, String>,
    /// Temperature limits, as the maker states them.
    pub limits: Option<Limits>,
    /// Organisations that say they made it, the first in the log first.
    pub makers: Vec<Slug>,
    /// In time order, at least one.
    pub steps: Vec<Step>,
    /// Inputs of the transformation that made it.
    pub ancestors: Vec<Ancestor>,
    /// Containers it was in, with the time.
    pub containers: Vec<Followed>,
    /// Who held it, in time order.
    pub holders: Vec<Holder>,
    /// Recalled by its maker.
    pub recall: Option<Recall>,
    /// A limit of the walk was reached: there may be more.
    pub truncated: bool,
}

impl Journey {
    /// Every signed event of the journey, in step order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.steps.iter().flat_map(|step| &step.entries)
    }

    /// Every organisation that signed a step, for reading its gaps.
    pub fn organisations(&self) -> BTreeSet<Slug> {
        self.holders
            .iter()
            .map(|holder| holder.organisation.clone())
            .collect()
    }
}

/// Builds the journey; `gathered` holds at least one event.
pub fn build(item: &Item, gathered: Gathered) -> Journey {
    let mut found: Vec<Found> = gathered.events.into_values().collect();
    found.sort_by_key(|one| (one.view.time.instant, log_order(&one.stored)));
    let pairs: Vec<(&StoredEvent, &View)> =
        found.iter().map(|one| (&one.stored, &one.view)).collect();
    let wrong = wrong_leaves(&pairs);
    let sound: Vec<&Found> = found
        .iter()
        .filter(|one| !wrong.contains(&one.stored.leaf))
        .collect();

    let making = making(item, &sound);
    let makers = distinct(making.iter().map(|one| one.stored.organisation()));
    let own: Vec<&View> = making
        .iter()
        .filter(|one| makers.first() == Some(one.stored.organisation()))
        .map(|one| &one.view)
        .collect();
    let limits = own.iter().find_map(|view| view.limits);
    let names = own.iter().find(|view| !view.names.is_empty());
    let names = names.map(|view| view.names.clone()).unwrap_or_default();
    let ancestors = ancestors(item, &own);
    let recall = recall(item, &sound, makers.first());
    let steps = steps::build(
        &steps::Ground {
            item,
            wrong: &wrong,
            positions: &gathered.positions,
            limits,
        },
        &found,
    );
    Journey {
        item: item.clone(),
        names,
        limits,
        makers,
        holders: holders(&steps),
        steps,
        ancestors,
        containers: gathered.containers,
        recall,
        truncated: gathered.truncated,
    }
}

/// Log order: what is anchored first, then by index; what still waits comes last.
fn log_order(stored: &StoredEvent) -> (u64, u32, u32, Hash) {
    let (log, batch) = stored
        .anchor
        .as_ref()
        .map_or((u64::MAX, u32::MAX), |at| (at.log_index, at.batch_index));
    (log, batch, stored.index, stored.leaf)
}

/// The events by which the item came to be, in log order: an event's own time is only a claim.
fn making<'f>(item: &Item, sound: &[&'f Found]) -> Vec<&'f Found> {
    let makes = |one: &&&Found| {
        let view = &one.view;
        let named = |list: &[Thing]| list.iter().any(|thing| thing.item == item.key());
        let commissioned =
            view.kind == Kind::Object && view.action == Some(Action::Add) && named(&view.things);
        commissioned || (view.kind == Kind::Transformation && named(&view.outputs))
    };
    let mut making: Vec<&Found> = sound.iter().filter(makes).copied().collect();
    making.sort_by_key(|one| log_order(&one.stored));
    making
}

fn distinct<'a>(organisations: impl Iterator<Item = &'a Slug>) -> Vec<Slug> {
    let mut out: Vec<Slug> = Vec::new();
    for organisation in organisations {
        if !out.contains(organisation) {
            out.push(organisation.clone());
        }
    }
    out
}

fn ancestors(item: &Item, making: &[&View]) -> Vec<Ancestor> {
    let inputs = making
        .iter()
        .filter(|view| view.outputs.iter().any(|thing| thing.item == item.key()))
        .flat_map(|view| &view.inputs);
    let mut out: Vec<Ancestor> = Vec::new();
    for thing in inputs {
        if !out.iter().any(|one| one.thing == *thing) {
            out.push(Ancestor {
                thing: thing.clone(),
                names: BTreeMap::new(),
                organisation: None,
            });
        }
    }
    out
}

/// The latest event of the item itself with disposition `recalled`, by the maker's organisation.
fn recall(item: &Item, sound: &[&Found], maker: Option<&Slug>) -> Option<Recall> {
    let recalls = |one: &&&Found| {
        one.view.disposition.as_deref() == Some("recalled")
            && one.via == item.key()
            && Some(one.stored.organisation()) == maker
    };
    let one = sound.iter().rfind(recalls)?;
    Some(Recall {
        organisation: one.stored.organisation().clone(),
        at: one.view.time,
        leaf: one.stored.leaf,
    })
}

fn holders(steps: &[Step]) -> Vec<Holder> {
    let mut out: Vec<Holder> = Vec::new();
    for step in steps {
        let from = step.time.instant;
        if out
            .last()
            .is_some_and(|last| last.organisation == *step.organisation())
        {
            continue;
        }
        if let Some(last) = out.last_mut() {
            last.until = Some(from);
        }
        out.push(Holder {
            organisation: step.organisation().clone(),
            from,
            until: None,
        });
    }
    if let (Some(holder), Some(step)) = (out.last_mut(), steps.last()) {
        let ends = step
            .step
            .as_deref()
            .is_some_and(|word| LAST_STEPS.contains(&word));
        holder.until = ends.then_some(step.time.instant);
    }
    out
}

/// Marks of a step by correction, seen among all events.
fn correction(one: &Found, wrong: &BTreeSet<Hash>) -> Option<Correction> {
    match &one.view.error {
        Some(error) => Some(Correction::Declares {
            at: error.declared,
            reason: error.reason.clone(),
        }),
        None => wrong
            .contains(&one.stored.leaf)
            .then_some(Correction::DeclaredWrong),
    }
}

/// True if two signers of one organisation recorded the same event: by its id as sent, else by all
/// that it says. Readings are never joined: a repeated reading is a reading.
fn is_same(first: &Found, second: &Found) -> bool {
    let (a, b) = (&first.stored.device, &second.stored.device);
    let both_say = |one: &Found| one.view.readings.is_empty();
    a.organisation == b.organisation
        && first.stored.captured_for == second.stored.captured_for
        && a.device != b.device
        && both_say(first)
        && both_say(second)
        && first.view.error == second.view.error
        && match (&first.view.id, &second.view.id) {
            (Some(a), Some(b)) => a == b,
            _ => first.view.fingerprint == second.view.fingerprint,
        }
}
