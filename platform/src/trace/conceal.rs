//! What a reader may not see is not in the journey that it is shown: members that the organisation
//! of an event withholds from its audience (`disclosure.md`) are taken out after the walk, which
//! goes over everything, and before anything is made of it.
//!
//! Three things stay. The reader's own key: they hold it. A recall and a correction: they are for
//! the reader's safety, and an organisation cannot withhold them from a page. And that there is an
//! event: names of members are always shown, and the page says that some are withheld.

use std::collections::BTreeSet;

use super::collect::{Found, Gathered};
use super::event::{Stated, Thing, View};
use super::item::Item;
use crate::disclosure::Rules;

/// Disposition of goods that are called back.
const RECALLED: &str = "recalled";

/// Takes out what the audience of the rules may not see.
pub fn conceal(gathered: &mut Gathered, item: &Item, rules: &Rules) {
    let mut hidden = BTreeSet::new();
    let mut shown = BTreeSet::new();
    for found in gathered.events.values_mut() {
        let before = found.view.parent.clone();
        veil(found, item.key(), rules);
        if let Some(parent) = before {
            let to = match &found.view.parent {
                Some(_) => &mut shown,
                None => &mut hidden,
            };
            to.insert(parent);
        }
    }
    let is_hidden = |key: &String| hidden.contains(key) && !shown.contains(key);
    gathered.containers.retain(|one| !is_hidden(&one.key));
}

fn veil(found: &mut Found, own: &str, rules: &Rules) {
    let Found { stored, view, .. } = found;
    let step = view.step.clone();
    let organisation = stored.organisation().clone();
    let hides = |member: &str| rules.hide(&organisation, step.as_deref(), member);
    words(view, &hides);
    for (epcs, quantities, list) in [
        ("epcList", "quantityList", &mut view.things),
        ("childEPCs", "childQuantityList", &mut view.children),
        ("inputEPCList", "inputQuantityList", &mut view.inputs),
        ("outputEPCList", "outputQuantityList", &mut view.outputs),
    ] {
        things(list, own, hides(epcs), hides(quantities));
    }
    if hides("parentID") && view.parent.as_deref() != Some(own) {
        view.parent = None;
    }
    if hides("eventTime") {
        // Of an event without a time the page can still say when it came.
        view.time = Stated {
            instant: stored.received,
            offset_minutes: 0,
        };
    }
}

fn words(view: &mut View, hides: &impl Fn(&str) -> bool) {
    if hides("bizStep") {
        view.step = None;
    }
    if hides("disposition") && view.disposition.as_deref() != Some(RECALLED) {
        view.disposition = None;
    }
    // The view does not say which of the two it took the place from.
    if hides("readPoint") || hides("bizLocation") {
        view.place = None;
    }
    if hides("ilmd") {
        view.names.clear();
        view.limits = None;
    }
    if hides("sensorElementList") {
        view.readings.clear();
    }
    if hides("tb:assumption") {
        view.assumption = None;
    }
}

/// Of a hidden list only the reader's own thing is left, without its quantity.
fn things(list: &mut Vec<Thing>, own: &str, epcs: bool, quantities: bool) {
    let hidden = |thing: &Thing| match thing.quantity {
        Some(_) => quantities,
        None => epcs,
    };
    list.retain(|thing| thing.item == own || !hidden(thing));
    for thing in list.iter_mut().filter(|thing| thing.item == own) {
        if quantities {
            (thing.quantity, thing.uom) = (None, None);
        }
    }
}
