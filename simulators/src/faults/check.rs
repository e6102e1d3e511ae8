//! The verdict over a run: what the platform has in the end, beside what the ledger knows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use platform::store::{ChainEvent, LogStore as _, TraceStore as _};
use schemas::hash::Hash;
use schemas::proof;
use schemas::statement::Position;

use super::gaps::Gap;
use super::ledger::names_in;
use super::operator::Operator;
use super::world::World;

/// Statements that are proven in one bundle.
const PROVEN: usize = 12;
/// Problems that are said; the others are of the same kind.
const SAID: usize = 20;

const MISSING: &str = "statements are missing";
const EPOCH: &str = "the device began a new epoch";

impl World<'_> {
    /// Everything that is wrong, in words.
    ///
    /// # Errors
    /// When something cannot be read.
    pub async fn verdict(&mut self) -> Result<Vec<String>> {
        let operator = self.operator.take().context("no platform")?;
        operator.tamper(self.treason.at_the_end()).await?;
        let mut problems = Vec::new();
        self.check_stored(&operator, &mut problems).await?;
        self.check_anchored(&operator, &mut problems).await?;
        self.check_made(&mut problems);
        self.check_chains(&operator, &mut problems).await?;
        self.check_agents(&mut problems).await?;
        problems.extend(operator.fsck().await?.problems);
        self.check_proofs(&operator, &mut problems).await;
        self.operator = Some(operator);
        problems.truncate(SAID);
        Ok(problems)
    }

    /// Every statement of every disk is stored once, with what it says, and nothing else is.
    async fn check_stored(&self, operator: &Operator, problems: &mut Vec<String>) -> Result<()> {
        let store = operator.store();
        let mut found = BTreeSet::new();
        for device in 0..self.ground.devices.len() {
            for id in store.chain(&self.address(device)).await? {
                if !found.insert(id) {
                    problems.push(format!("{} is stored twice", self.ledger.label(&id)));
                }
                let Some(made) = self.ledger.made.get(&id) else {
                    problems.push("a statement is stored that nobody has made".to_owned());
                    continue;
                };
                let events = store.events_of_statement(&id).await?;
                if events.iter().any(|event| event.refused.is_some()) {
                    problems.push(format!("{}: refused", self.ledger.label(&id)));
                }
                let contents = events.iter().filter_map(|event| event.content.as_ref());
                let names: Vec<String> = contents.flat_map(|(bytes, _)| names_in(bytes)).collect();
                if names != made.contents {
                    let label = self.ledger.label(&id);
                    problems.push(format!("{label} says {names:?}, not {:?}", made.contents));
                }
            }
        }
        for made in self.ledger.made.values() {
            let label = self.ledger.label(&made.id);
            if !made.lost && !found.contains(&made.id) {
                problems.push(format!("{label} is lost"));
            }
        }
        for id in self.ledger.stored.keys().filter(|id| !found.contains(id)) {
            problems.push(format!("{} was stored and is gone", self.ledger.label(id)));
        }
        if self.ledger.quarantined > 0 {
            problems.push(format!("{} in quarantine", self.ledger.quarantined));
        }
        Ok(())
    }

    /// Every stored statement is in one batch.
    async fn check_anchored(&self, operator: &Operator, problems: &mut Vec<String>) -> Result<()> {
        let store = operator.store();
        let mut batches: BTreeMap<Hash, u64> = BTreeMap::new();
        for seq in 0.. {
            let Some(batch) = store.batch(0, seq).await? else {
                break;
            };
            for id in batch.statements {
                *batches.entry(id).or_default() += 1;
            }
        }
        for id in self.ledger.stored.keys() {
            let count = batches.get(id).copied().unwrap_or_default();
            if count != 1 {
                problems.push(format!("{} is in {count} batches", self.ledger.label(id)));
            }
            if operator.inclusion(id).await?.is_none() {
                problems.push(format!("{} is not witnessed", self.ledger.label(id)));
            }
        }
        Ok(())
    }

    /// What an outbox has accepted stands in its statements, once each time that it was accepted.
    fn check_made(&self, problems: &mut Vec<String>) {
        let mut said: BTreeMap<&str, u64> = BTreeMap::new();
        for made in self.ledger.made.values() {
            for name in &made.contents {
                *said.entry(name).or_default() += 1;
            }
        }
        for (name, accepted) in &self.ledger.accepted {
            let said = said.remove(name.as_str()).unwrap_or_default();
            // A damaged disk may forget, and may read again what it had read.
            if said != *accepted && !self.ledger.is_of_damaged(name) {
                problems.push(format!(
                    "{name} was accepted {accepted} times and said {said} times"
                ));
            }
        }
        let damaged = |name: &&str| !self.ledger.is_of_damaged(name);
        for name in said.keys().copied().filter(damaged) {
            problems.push(format!("{name} was said and never accepted"));
        }
    }

    /// Gaps that were recorded are the gaps that were made, and so are forks.
    async fn check_chains(&self, operator: &Operator, problems: &mut Vec<String>) -> Result<()> {
        let rows = operator.store().chain_events(None).await?;
        let all = |kind: &str, detail: Option<&str>| -> BTreeSet<Gap> {
            let of_kind = rows.iter().filter(|row| row.kind == kind);
            let of_detail = of_kind.filter(|row| detail.is_none_or(|detail| row.detail == detail));
            of_detail.filter_map(|row| self.gap_of(row)).collect()
        };
        let (opened, closed) = (all("gap-opened", Some(MISSING)), all("gap-closed", None));
        let forked = |gap: &Gap| self.ledger.forked.contains_key(&gap.0);
        let mut differ = |what: &str, found: &BTreeSet<Gap>, made: &BTreeSet<Gap>| {
            // Of two statements in one place either may count as the first.
            for gap in found.symmetric_difference(made).filter(|gap| !forked(gap)) {
                let there = if found.contains(gap) {
                    "invented"
                } else {
                    "not recorded"
                };
                problems.push(format!("{what} {gap:?} is {there}"));
            }
        };
        differ("gap", &opened, &self.gaps.opened);
        differ("filled gap", &closed, &self.gaps.closed);
        let epochs = all("gap-opened", Some(EPOCH));
        differ("epoch", &epochs, &self.gaps.epochs);
        let still: BTreeSet<Gap> = opened.difference(&closed).copied().collect();
        self.check_missing(&still, &epochs, problems);
        self.check_forks(&all("fork", None), problems);
        for row in rows
            .iter()
            .filter(|row| row.kind == "seen-another" || row.kind == "silent")
        {
            problems.push(format!("a false alarm: {row:?}"));
        }
        Ok(())
    }

    fn gap_of(&self, row: &ChainEvent) -> Option<Gap> {
        let device = self.device_of(&row.device)?;
        Some((device, row.epoch, row.from_seq, row.to_seq))
    }

    /// What is missing in the end stands in gaps that are open, and in no others.
    fn check_missing(
        &self,
        open: &BTreeSet<Gap>,
        epochs: &BTreeSet<Gap>,
        problems: &mut Vec<String>,
    ) {
        let places = self.stored_places();
        let holds = |device: usize, at: &Position| {
            places
                .get(&device)
                .is_some_and(|places| places.contains_key(at))
        };
        for (device, epoch, from, to) in open {
            let (device, epoch) = (*device, *epoch);
            if (*from..=*to).all(|seq| holds(device, &Position { epoch, seq })) {
                problems.push(format!(
                    "gap {from} to {to} of device {device} is filled and open"
                ));
            }
        }
        for made in self.ledger.made.values() {
            if holds(made.device, &made.place) {
                continue;
            }
            let Position { epoch, seq } = made.place;
            let in_gap = |gap: &Gap| {
                gap.0 == made.device && gap.1 == epoch && (gap.2..=gap.3).contains(&seq)
            };
            let later = places
                .get(&made.device)
                .and_then(|places| places.keys().last().copied());
            // The end of an epoch: the epoch after it is the gap.
            let ended = later.is_some_and(|last| last.epoch > epoch)
                && !is_followed(made.place, &places[&made.device]);
            if !ended && !open.union(epochs).any(in_gap) {
                problems.push(format!(
                    "{} is missing and no gap says so",
                    self.ledger.label(&made.id)
                ));
            }
        }
    }

    /// Two statements in one place are a fork, and a fork is at or behind such a place.
    fn check_forks(&self, rows: &BTreeSet<Gap>, problems: &mut Vec<String>) {
        let mut ids: BTreeMap<(usize, Position), u64> = BTreeMap::new();
        for id in self.ledger.stored.keys() {
            if let Some(made) = self.ledger.made.get(id) {
                *ids.entry((made.device, made.place)).or_default() += 1;
            }
        }
        for ((device, at), _) in ids.iter().filter(|(_, count)| **count > 1) {
            if !rows.contains(&(*device, at.epoch, at.seq, at.seq)) {
                problems.push(format!(
                    "a fork of device {device} at {at:?} is not recorded"
                ));
            }
        }
        for (device, epoch, seq, _) in rows {
            let at = Position {
                epoch: *epoch,
                seq: *seq,
            };
            let made = self
                .ledger
                .forked
                .get(device)
                .is_some_and(|first| at >= *first);
            if !made {
                problems.push(format!(
                    "a fork of device {device} at {at:?} that nobody made"
                ));
            }
        }
    }

    /// Every outbox is empty and in order.
    async fn check_agents(&self, problems: &mut Vec<String>) -> Result<()> {
        for gateway in &self.gateways {
            let status = gateway.outbox()?.status().borrow().clone();
            if !status.is_drained() {
                problems.push(format!("{} is not drained: {status:?}", gateway.name));
            }
            for problem in gateway.audit().await? {
                problems.push(format!("{}: {problem}", gateway.name));
            }
        }
        Ok(())
    }

    /// Some statements in a bundle, checked as any reader would; which of them is drawn.
    async fn check_proofs(&mut self, operator: &Operator, problems: &mut Vec<String>) {
        // By place, not by id: ids differ between two runs of a seed.
        let mut stored: Vec<(Position, usize, Hash)> = (self.ledger.made.values())
            .filter(|made| self.ledger.stored.contains_key(&made.id))
            .map(|made| (made.place, made.gateway, made.id))
            .collect();
        stored.sort();
        let sample = self.dice.take(&mut stored, PROVEN);
        let ids: Vec<Hash> = sample.into_iter().map(|(_, _, id)| id).collect();
        if ids.is_empty() {
            return;
        }
        let bundle = match operator.bundle(&ids).await {
            Ok(bundle) => bundle,
            Err(error) => return problems.push(format!("no bundle: {error:#}")),
        };
        match proof::verify(&bundle, Some(&self.ground.policy_entry())) {
            Err(refusal) => problems.push(format!("a bundle is refused: {refusal}")),
            Ok(report) => {
                let made = ids.iter().filter_map(|id| self.ledger.made.get(id));
                let events: usize = made.map(|made| made.events).sum();
                if report.events.len() != events {
                    let shown = report.events.len();
                    problems.push(format!("a bundle shows {shown} of {events} events"));
                }
            }
        }
    }
}

/// A later place of the same epoch is stored.
fn is_followed<T>(at: Position, places: &BTreeMap<Position, T>) -> bool {
    let mut places = places.keys();
    places.any(|other| other.epoch == at.epoch && other.seq > at.seq)
}
