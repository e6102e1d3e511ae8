//! One step as a card.

use std::collections::{BTreeMap, BTreeSet};

use schemas::hash::Hash;

use super::{Fact, Scene, Sign, curve, evidence, page_of};
use crate::trace::Source;
use crate::trace::event::{Action, Kind};
use crate::trace::{Correction, Standing, Stated, Step, Thing};
use crate::web::format::{clock, day, identifier, iso, local, quantity};
use crate::web::text::choose;

/// Most things that are listed by name; the rest is counted.
pub(super) const MAX_LISTED: usize = 6;

/// Most statements whose places a card names: a long run of readings would outweigh the page.
const MAX_PLACES: usize = 64;

/// What the template shows of a step.
pub(super) struct Card {
    /// Where its records are signed, for the reader's own check.
    pub(super) places: String,
    /// Further records of the same device, which the check finds by their time.
    pub(super) more: usize,
    pub(super) word: String,
    pub(super) badge: &'static str,
    pub(super) source: &'static str,
    pub(super) when: String,
    pub(super) datetime: String,
    pub(super) facts: Vec<Fact>,
    pub(super) signs: Vec<Sign>,
    pub(super) check: Sign,
    pub(super) curves: Vec<curve::Card>,
    pub(super) evidence: Vec<evidence::Row>,
    pub(super) is_wrong: bool,
}

impl Scene<'_> {
    pub(super) fn card(&self, index: usize, step: &Step) -> Card {
        let (badge, source) = self.source(step.source);
        let (places, more) = places(step);
        Card {
            places,
            more,
            word: self.word(step),
            badge,
            source,
            when: step
                .until
                .map_or_else(|| local(step.time), |until| self.span(step.time, until)),
            datetime: iso(step.time.instant),
            facts: self.facts(step),
            signs: self.signs(step),
            check: self.check(step),
            curves: self.curves(index, step),
            evidence: self.evidence(step),
            is_wrong: matches!(step.correction, Some(Correction::DeclaredWrong)),
        }
    }

    /// The step's word: its business step, else what kind of event it is. A word that is not known
    /// is shown as it was sent.
    fn word(&self, step: &Step) -> String {
        let measured = step.source == Source::Sensor && !step.curves.is_empty();
        let kind = match step.kind {
            Kind::Object if measured => "sensor_reporting",
            Kind::Object => "object",
            Kind::Aggregation => "aggregation",
            Kind::Transaction => "transaction",
            Kind::Transformation => "transformation",
            Kind::Association => "association",
        };
        let key = step.step.as_deref().unwrap_or(kind);
        kit::text::steps(self.text.language).get(key).to_owned()
    }

    pub(super) fn source(&self, source: Source) -> (&'static str, &'static str) {
        match source {
            Source::Declared => ("declared", self.text.get("source.declared")),
            Source::File => ("declared", self.text.get("source.file")),
            Source::Scan => ("scan", self.text.get("source.scan")),
            Source::Sensor => ("sensor", self.text.get("source.sensor")),
        }
    }

    fn facts(&self, step: &Step) -> Vec<Fact> {
        let text = &self.text;
        let mut facts = Vec::new();
        if let Some(place) = &step.place {
            let fact = Fact::new(text.get("step.place"), self.place(Some(place)));
            facts.push(fact.compared("place", place));
        }
        let slug = step.organisation();
        let fact = Fact::new(text.get("step.organisation"), self.organisation(slug));
        facts.push(fact.compared("organisation", slug.as_str()));
        if let Some(word) = &step.disposition {
            let shown = text.find(&format!("disposition.{word}")).unwrap_or(word);
            facts.push(Fact::new(text.get("step.disposition"), shown.to_owned()));
        }
        if let Some(amount) = step.thing.as_ref().and_then(|thing| quantity(text, thing)) {
            facts.push(Fact::new(text.get("step.quantity"), amount));
        }
        if let Some(parent) = &step.parent {
            let out = step.action == Some(Action::Delete);
            let label = text.get(if out {
                "step.parent.out"
            } else {
                "step.parent"
            });
            facts.push(self.identified(label, parent));
        }
        if let Some(container) = &step.container {
            facts.push(self.identified(text.get("step.container"), container));
        }
        facts.extend(self.things(text.get("step.inputs"), &step.inputs));
        facts.extend(self.things(text.get("step.outputs"), &step.outputs));
        facts
    }

    /// The first few things by name, the rest as a number.
    fn things(&self, label: &str, things: &[Thing]) -> Vec<Fact> {
        let one = |thing: &Thing| {
            let value = [quantity(&self.text, thing), self.known_as(&thing.item)];
            let value: Vec<String> = value.into_iter().flatten().collect();
            let fact = self.identified(label, &thing.item);
            Fact {
                value: value.join(" · "),
                href: page_of(&thing.item),
                ..fact
            }
        };
        let mut facts: Vec<Fact> = things.iter().take(MAX_LISTED).map(one).collect();
        if things.len() > MAX_LISTED {
            let more = self.text.count("step.more", things.len() - MAX_LISTED);
            facts.push(Fact::new(label, more));
        }
        facts
    }

    /// A thing by its identifier only.
    fn identified(&self, label: &str, uri: &str) -> Fact {
        Fact {
            id: Some(identifier(&self.text, uri)),
            ..Fact::new(label, String::new())
        }
    }

    /// What an input is called, if its maker said so.
    fn known_as(&self, uri: &str) -> Option<String> {
        let mut ancestors = self.view.journey.ancestors.iter();
        let ancestor = ancestors.find(|one| one.thing.item == uri)?;
        choose(&ancestor.names, self.text.language).map(str::to_owned)
    }

    fn signs(&self, step: &Step) -> Vec<Sign> {
        let warn = |text: String| Sign { tone: "warn", text };
        let mut signs = Vec::new();
        if let Some(declarer) = &step.captured_for {
            let values = [("name", &*self.organisation(declarer))];
            let text = self.text.fill("step.captured", &values);
            signs.push(Sign { tone: "none", text });
        }
        if step.is_late() {
            signs.push(warn(self.late(step)));
        }
        match &step.correction {
            Some(Correction::Declares { reason, .. }) => signs.push(warn(self.declares(reason))),
            Some(Correction::DeclaredWrong) => {
                signs.push(warn(self.text.get("step.declared_wrong").to_owned()));
            }
            None => {}
        }
        if step.entries.iter().any(|entry| entry.clock > 0) {
            signs.push(warn(self.text.get("step.clock").to_owned()));
        }
        let assumed = |text: &String| self.text.fill("step.assumption", &[("text", text)]);
        signs.extend(step.assumptions.iter().map(|text| Sign {
            tone: "none",
            text: assumed(text),
        }));
        signs
    }

    fn late(&self, step: &Step) -> String {
        let anchored = step.entries.iter().filter(|entry| entry.late);
        let anchored = anchored
            .filter_map(|entry| entry.anchor.as_ref()?.anchored)
            .max();
        let long = anchored.map_or(crate::trace::journey::LATE_AFTER, |at| {
            at.since(step.time.instant)
        });
        self.text
            .fill("step.late", &[("length", &self.length(long))])
    }

    fn declares(&self, reason: &Option<String>) -> String {
        let Some(reason) = reason else {
            return self.text.get("step.declares").to_owned();
        };
        let shown = self
            .text
            .find(&format!("error_reason.{reason}"))
            .unwrap_or(reason);
        self.text.fill("step.declares.reason", &[("reason", shown)])
    }

    /// A stretch of time: the day is named once where it is the same.
    pub(super) fn span(&self, from: Stated, until: Stated) -> String {
        if from == until {
            return local(from);
        }
        let (begin, end) = if day(from) == day(until) {
            (
                format!("{} {}", day(from), clock(from)),
                clock_with_offset(until),
            )
        } else {
            (local(from), local(until))
        };
        self.text
            .fill("step.lookback", &[("from", &begin), ("until", &end)])
    }

    /// The proof of the step: the worst of its records.
    fn check(&self, step: &Step) -> Sign {
        let standings = self.view.proof.as_ref().map(|proof| &proof.standings);
        let of = |leaf| standings.and_then(|all| all.get(leaf));
        let worst = step
            .entries
            .iter()
            .map(|entry| of(&entry.leaf))
            .max_by_key(|one| weight(*one));
        let text = &self.text;
        let (tone, shown) = match worst.flatten() {
            None => ("none", text.get("check.none").to_owned()),
            Some(Standing::Verified) => ("ok", self.holds(step.entries.len())),
            Some(Standing::Incomplete) => ("none", text.get("check.withheld").to_owned()),
            Some(Standing::NotAnchored) => ("none", text.get("check.unwitnessed").to_owned()),
            Some(Standing::Refused(class)) => (
                "bad",
                text.fill("check.refused", &[("class", &self.class(class))]),
            ),
        };
        Sign { tone, text: shown }
    }

    fn holds(&self, entries: usize) -> String {
        match entries {
            0 | 1 => self.text.get("check.verified").to_owned(),
            many => self
                .text
                .fill("check.verified.many", &[("count", &many.to_string())]),
        }
    }
}

/// The records of a step as `kit::verifier` reads them: the first twelve digits of a statement's id
/// with the places of events in it, `0a1b2c3d4e5f:0-3,7`; and how many are not named.
fn places(step: &Step) -> (String, usize) {
    let mut statements: BTreeMap<Hash, BTreeSet<u32>> = BTreeMap::new();
    for entry in &step.entries {
        let places = statements.entry(entry.statement).or_default();
        places.insert(entry.index);
    }
    let of = |(id, places): (&Hash, &BTreeSet<u32>)| {
        let id: String = id.to_string().chars().take(12).collect();
        format!("{id}:{}", ranges(places))
    };
    let all: Vec<String> = statements.iter().take(MAX_PLACES).map(of).collect();
    let rest = statements.values().skip(MAX_PLACES).map(BTreeSet::len);
    (all.join(" "), rest.sum())
}

/// `0-3,7` of 0, 1, 2, 3 and 7.
fn ranges(places: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &place in places {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == place => *last = place,
            _ => ranges.push((place, place)),
        }
    }
    let of = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let all: Vec<String> = ranges.iter().map(of).collect();
    all.join(",")
}

fn weight(standing: Option<&Standing>) -> u8 {
    match standing {
        Some(Standing::Refused(_)) => 4,
        None => 3,
        Some(Standing::Incomplete) => 2,
        Some(Standing::NotAnchored) => 1,
        Some(Standing::Verified) => 0,
    }
}

fn clock_with_offset(at: Stated) -> String {
    local(at)
        .split_once(' ')
        .map(|(_, rest)| rest.to_owned())
        .unwrap_or_default()
}
