//! What stands behind a step: who signed what, where it is in the log, who witnessed it.

use std::collections::BTreeSet;

use schemas::hash::Hash;
use schemas::time::Instant;

use super::{Scene, Verifier};
use crate::store::Anchor;
use crate::trace::{Entry, Stated, Step, Witness};
use crate::web::format::{local_exact, short, utc};

/// Most statements that are named; the rest is counted.
const MAX_STATEMENTS: usize = 3;

/// A value of the evidence.
pub(super) enum Value {
    /// Text.
    Text(String),
    /// A hash, short to see and whole to copy.
    Hash { short: String, full: String },
}

/// A label with one or more values.
pub(super) struct Row {
    pub(super) label: &'static str,
    pub(super) values: Vec<Value>,
}

impl<'v> Scene<'v> {
    pub(super) fn evidence(&self, step: &Step) -> Vec<Row> {
        let text = &self.text;
        let row = |key, values| Row {
            label: text.get(key),
            values,
        };
        let one = |key, value: String| row(key, vec![Value::Text(value)]);
        let mut rows = vec![
            row("evidence.statement", self.statements(&step.entries)),
            row("evidence.device", signers(&step.entries)),
            one("evidence.source", self.source(step.source).1.to_owned()),
            one("evidence.happened", self.both(step.time.instant, step)),
            one("evidence.anchored", self.anchored(step)),
            row("evidence.witnesses", self.witnesses()),
        ];
        match &step.entries[..] {
            [entry] if entry.clock < 2 => {
                rows.insert(4, one("evidence.made", self.both(entry.made, step)))
            }
            [_] => {}
            many => rows.insert(1, one("evidence.records", many.len().to_string())),
        }
        let anchors = step
            .entries
            .iter()
            .filter_map(|entry| entry.anchor.as_ref());
        if let Some(first) = anchors.clone().min_by_key(|anchor| anchor.log_index) {
            let last = anchors
                .map(|anchor| anchor.log_index)
                .max()
                .unwrap_or(first.log_index);
            rows.insert(rows.len() - 2, one("evidence.batch", self.batch(first)));
            rows.insert(
                rows.len() - 2,
                one("evidence.log", self.log_index(first, last)),
            );
        }
        rows
    }

    fn statements(&self, entries: &[Entry]) -> Vec<Value> {
        let ids: BTreeSet<Hash> = entries.iter().map(|entry| entry.statement).collect();
        let show = |id: &Hash| Value::Hash {
            short: short(id),
            full: id.to_string(),
        };
        let mut values: Vec<Value> = ids.iter().take(MAX_STATEMENTS).map(show).collect();
        if let Some(more) = ids
            .len()
            .checked_sub(MAX_STATEMENTS)
            .filter(|more| *more > 0)
        {
            values.push(Value::Text(
                self.text.count("evidence.statement.more", more),
            ));
        }
        values
    }

    fn batch(&self, anchor: &Anchor) -> String {
        let (shard, seq) = (anchor.shard.to_string(), anchor.batch_seq.to_string());
        let index = anchor.batch_index.to_string();
        let values = [("shard", &*shard), ("seq", &seq), ("index", &index)];
        self.text.fill("evidence.batch.value", &values)
    }

    fn log_index(&self, first: &Anchor, last: u64) -> String {
        let (from, until) = (first.log_index.to_string(), last.to_string());
        if from == until {
            return from;
        }
        self.text
            .fill("evidence.log.range", &[("from", &from), ("until", &until)])
    }

    /// The anchored time that covers every record of the step.
    fn anchored(&self, step: &Step) -> String {
        let of = |entry: &Entry| entry.anchor.as_ref().and_then(|anchor| anchor.anchored);
        let all: Option<Vec<Instant>> = step.entries.iter().map(of).collect();
        match all.and_then(|times| times.into_iter().max()) {
            Some(at) => self.both(at, step),
            None => self.text.get("evidence.anchored.none").to_owned(),
        }
    }

    /// Local to the step's place, and UTC.
    fn both(&self, instant: Instant, step: &Step) -> String {
        let local = local_exact(Stated {
            instant,
            offset_minutes: step.time.offset_minutes,
        });
        self.text
            .fill("evidence.utc", &[("local", &local), ("utc", &utc(instant))])
    }

    fn witnesses(&self) -> Vec<Value> {
        let witnesses = self
            .view
            .proof
            .as_ref()
            .map(|proof| proof.witnesses.as_slice());
        let shown: Vec<Value> = witnesses
            .unwrap_or_default()
            .iter()
            .map(|one| Value::Text(self.witness(one)))
            .collect();
        if shown.is_empty() {
            return vec![Value::Text(
                self.text.get("evidence.witnesses.none").to_owned(),
            )];
        }
        shown
    }

    /// Where the same verifier stands, by who runs it.
    pub(super) fn verifiers(&self) -> Vec<Verifier<'v>> {
        let mut rows = Vec::new();
        for one in &self.view.verifiers {
            rows.push(Verifier {
                href: &one.href,
                text: self.witness(&one.witness),
            });
        }
        rows
    }

    fn witness(&self, witness: &Witness) -> String {
        let name = ("name", witness.name.as_str());
        match &witness.owner {
            _ if witness.is_operators_own => self.text.fill("evidence.witness.own", &[name]),
            Some(owner) => self
                .text
                .fill("evidence.witness.owner", &[name, ("owner", owner)]),
            None => self.text.fill("evidence.witness.unknown", &[name]),
        }
    }
}

fn signers(entries: &[Entry]) -> Vec<Value> {
    let devices: BTreeSet<String> = entries
        .iter()
        .map(|entry| entry.device.to_string())
        .collect();
    devices.into_iter().map(Value::Text).collect()
}
