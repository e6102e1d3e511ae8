//! Events to steps: several signers of one event joined, runs of sensor events collapsed.

use std::collections::{BTreeMap, BTreeSet};

use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::statement::Position;

use super::{Entry, LATE_AFTER, Step, correction, is_same};
use crate::store::StoredEvent;
use crate::trace::collect::Found;
use crate::trace::curve::{Limits, Reading, curves};
use crate::trace::item::Item;

/// A step in the making: the events behind it.
struct Draft<'f> {
    events: Vec<&'f Found>,
    is_run: bool,
}

/// What all steps of a journey share.
pub(super) struct Ground<'g> {
    pub(super) item: &'g Item,
    pub(super) wrong: &'g BTreeSet<Hash>,
    pub(super) positions: &'g BTreeMap<Hash, Position>,
    pub(super) limits: Option<Limits>,
}

impl Ground<'_> {
    /// The order in which a device spoke: the places of its statements in its chain, not its clock.
    fn order(&self, stored: &StoredEvent) -> impl Ord + use<> {
        let place = self
            .positions
            .get(&stored.statement)
            .map(|place| (place.epoch, place.seq));
        (place, stored.made, stored.statement, stored.index)
    }
}

/// Steps of events that are sorted by time.
pub(super) fn build(ground: &Ground<'_>, found: &[Found]) -> Vec<Step> {
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    let mut runs: BTreeMap<&DeviceAddress, usize> = BTreeMap::new();
    for one in found {
        if is_measured(one) {
            add_measured(&mut drafts, &mut runs, one);
        } else if let Some(at) = same(&drafts, one) {
            drafts[at].events.push(one);
        } else {
            runs.retain(|_, at| stays(drafts[*at].events[0], one));
            drafts.push(Draft {
                events: vec![one],
                is_run: false,
            });
        }
    }
    drafts
        .into_iter()
        .map(|draft| step(ground, draft))
        .collect()
}

/// A pure measurement: it may join a run.
fn is_measured(one: &Found) -> bool {
    one.stored.source == Source::Sensor
        && !one.view.readings.is_empty()
        && one.view.error.is_none()
        && one
            .view
            .step
            .as_deref()
            .is_none_or(|step| step == "sensor_reporting")
}

fn add_measured<'f>(
    drafts: &mut Vec<Draft<'f>>,
    runs: &mut BTreeMap<&'f DeviceAddress, usize>,
    one: &'f Found,
) {
    match runs.get(&one.stored.device) {
        Some(&at) if drafts[at].events[0].view.place == one.view.place => {
            drafts[at].events.push(one);
        }
        _ => {
            runs.insert(&one.stored.device, drafts.len());
            drafts.push(Draft {
                events: vec![one],
                is_run: true,
            });
        }
    }
}

/// A run goes on over a step at the same place: goods that are inspected in the cold store stay in
/// it. It ends with a step elsewhere.
fn stays(run: &Found, step: &Found) -> bool {
    step.view.place.is_none() || step.view.place == run.view.place
}

/// The draft that holds the same event by another signer; only near ones can (same event time).
fn same(drafts: &[Draft<'_>], one: &Found) -> Option<usize> {
    let near = |draft: &Draft<'_>| draft.events[0].view.time.instant == one.view.time.instant;
    let holds = |draft: &Draft<'_>| draft.events.iter().any(|other| is_same(other, one));
    drafts
        .iter()
        .rposition(|draft| !draft.is_run && near(draft) && holds(draft))
}

fn step(ground: &Ground<'_>, draft: Draft<'_>) -> Step {
    let Ground {
        item,
        wrong,
        limits,
        ..
    } = *ground;
    let mut events = draft.events;
    if draft.is_run {
        events.sort_by_key(|one| ground.order(&one.stored));
    }
    let shown = events
        .iter()
        .max_by_key(|one| one.stored.source)
        .copied()
        .unwrap_or(events[0]);
    let view = &shown.view;
    let times = || events.iter().map(|one| one.view.time);
    let readings: Vec<Reading> = events
        .iter()
        .flat_map(|one| one.view.readings.iter().cloned())
        .collect();
    let is_child = view.children.iter().any(|thing| thing.item == shown.via);
    let is_output = view.outputs.iter().any(|thing| thing.item == item.key());
    let is_input = view.inputs.iter().any(|thing| thing.item == item.key());
    Step {
        kind: view.kind,
        step: view.step.clone(),
        action: view.action,
        place: view.place.clone(),
        time: times().min().unwrap_or(view.time),
        until: times().max().filter(|_| draft.is_run && events.len() > 1),
        device: shown.stored.device.clone(),
        captured_for: shown.stored.captured_for.clone(),
        source: shown.stored.source,
        disposition: view.disposition.clone(),
        thing: view.thing(&shown.via).cloned(),
        container: (shown.via != item.key()).then(|| shown.via.clone()),
        parent: view.parent.clone().filter(|_| is_child),
        inputs: if is_output {
            view.inputs.clone()
        } else {
            Vec::new()
        },
        outputs: if is_input {
            view.outputs.clone()
        } else {
            Vec::new()
        },
        curves: curves(view.place.as_deref(), readings, limits),
        correction: correction(shown, wrong),
        assumptions: events
            .iter()
            .filter_map(|one| one.view.assumption.clone())
            .collect(),
        entries: events.iter().map(|one| entry(one)).collect(),
    }
}

fn entry(one: &Found) -> Entry {
    let stored = &one.stored;
    let anchored = stored.anchor.as_ref().and_then(|anchor| anchor.anchored);
    Entry {
        leaf: stored.leaf,
        statement: stored.statement,
        index: stored.index,
        device: stored.device.clone(),
        source: stored.source,
        made: stored.made,
        clock: stored.clock,
        anchor: stored.anchor.clone(),
        late: anchored.is_some_and(|at| at.since(one.view.time.instant) > LATE_AFTER),
    }
}
