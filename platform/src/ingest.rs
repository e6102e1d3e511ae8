//! The write path: verify, make durable, answer (`statement.md` sections 5 and 6).
//!
//! One path for MQTT and HTTPS. Nothing is acknowledged before its transaction is on disk, and a
//! redelivery changes nothing: it is answered again. The path holds no state of its own, so any
//! number of workers may run it, in one process and in several (decision 0013). Messages are decoded
//! and verified on the threads for long work, many at once; the store makes them durable in
//! transactions of at most a thousand events.

pub mod check;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::key::SecretKey;
use schemas::receipt::{Receipt, Reply};
use schemas::time::{Clock, Instant};
use tokio::sync::Notify;

use crate::metrics::timed;
use crate::registry::{Gate, Snapshot};
use crate::standing::Standing;
use crate::store::{KeptStatement, NewQuarantine, NewStatement, Store, StoreError};

pub use check::{Derived, Rejection, derived};
pub use worker::run;

/// Wakes those who go on with what was stored.
#[derive(Debug, Default)]
pub struct Wake {
    /// There is something to anchor.
    pub notary: Notify,
    /// There are chains to follow.
    pub follower: Notify,
    /// Credentials or the registry have changed.
    pub credentials: Notify,
    /// The registry has moved on in the database.
    pub registry: Notify,
    /// There is something to tell devices.
    pub teller: Notify,
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Topic or route.
    pub topic: String,
    /// The address in the topic, where there is one.
    pub sender: Option<DeviceAddress>,
    /// The bytes.
    pub payload: Bytes,
}

/// What became of a message.
#[derive(Debug)]
pub enum Outcome {
    /// Stored; false if it had been stored before.
    Stored {
        /// Whose.
        device: DeviceAddress,
        /// Statement id.
        id: Hash,
        /// True the first time.
        fresh: bool,
    },
    /// In quarantine.
    Quarantined(Rejection),
}

/// The write path.
pub struct Ingest {
    /// Where it goes.
    pub store: Arc<dyn Store>,
    /// The registry in force.
    pub gate: Arc<Gate>,
    /// Log id.
    pub log: Hash,
    /// Signs receipts.
    pub receipt_key: SecretKey,
    /// Receipts promise a witnessed checkpoint within this.
    pub deadline: Duration,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Whom to wake.
    pub wake: Arc<Wake>,
    /// Whether this process may write.
    pub standing: Standing,
    /// This process's own series of batches.
    pub shard: u64,
}

/// Most events of one transaction, unless a single statement has more.
const EVENTS_MOST: usize = 1_000;
/// How often messages are checked again because the registry has moved on meanwhile.
const STALE_TRIES: usize = 20;

/// Messages after their checks.
#[derive(Debug, Default)]
struct Checked {
    outcomes: Vec<Outcome>,
    statements: Vec<NewStatement>,
    quarantine: Vec<NewQuarantine>,
}

/// Outcomes in the order of the messages, and replies for devices.
#[derive(Debug, Default)]
pub struct Processed {
    /// One for each message.
    pub outcomes: Vec<Outcome>,
    /// (device, reply), receipts grouped.
    pub replies: Vec<(DeviceAddress, Vec<u8>)>,
}

impl Ingest {
    /// Checks messages, makes them durable, and makes the receipts.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may be acknowledged; what was stored of it is found again when the
    /// messages come again. [`StoreError::Fenced`] where nobody leads or another process does.
    pub async fn process(&self, messages: &[Incoming]) -> Result<Processed, StoreError> {
        let now = self.clock.now();
        for _ in 0..STALE_TRIES {
            let snapshot = self.gate.snapshot();
            let version = snapshot.head.map_or(0, |head| head.version);
            let mut checked = self.check(messages, snapshot, now).await;
            match self.commit(version, &checked, now).await {
                Ok(fresh) => {
                    self.wake.notary.notify_one();
                    self.wake.follower.notify_one();
                    mark_fresh(&mut checked.outcomes, &fresh);
                    report(&checked.outcomes);
                    report_events(&checked.statements, &fresh, now);
                    return Ok(Processed {
                        outcomes: checked.outcomes,
                        replies: self.receipts(&checked.statements, now),
                    });
                }
                Err(StoreError::Stale) => {
                    self.gate.catch_up(version, &self.wake.registry).await;
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Stale)
    }

    /// Decodes and verifies, beside the tasks that must not wait.
    async fn check(&self, messages: &[Incoming], snapshot: Arc<Snapshot>, now: Instant) -> Checked {
        let (messages, log) = (messages.to_vec(), self.log);
        let check = move || {
            let started = std::time::Instant::now();
            let checked = check_all(&messages, &log, &snapshot, now);
            metrics::histogram!("tracebond_check_seconds").record(started.elapsed().as_secs_f64());
            checked
        };
        match tokio::task::spawn_blocking(check).await {
            Ok(checked) => checked,
            // Only a panic of the check itself; there is none at shutdown before the tasks' end.
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// Makes what was checked durable, in as many transactions as it needs.
    async fn commit(
        &self,
        version: u64,
        checked: &Checked,
        now: Instant,
    ) -> Result<Vec<bool>, StoreError> {
        let mut fresh = Vec::with_capacity(checked.statements.len());
        let mut quarantine = checked.quarantine.as_slice();
        let mut parts = parts(&checked.statements);
        if parts.is_empty() {
            parts.push(&[]);
        }
        for part in parts {
            let pass = self.standing.pass(version, now, self.shard);
            let pass = pass.ok_or(StoreError::Fenced)?;
            let commit = self.store.commit_behind(&pass, part, quarantine);
            let committed = timed("commit", commit).await;
            if matches!(committed, Err(StoreError::Fenced)) {
                self.standing.refused(&pass);
            }
            fresh.extend(committed?);
            quarantine = &[];
        }
        Ok(fresh)
    }

    fn receipts(&self, statements: &[NewStatement], now: Instant) -> Vec<(DeviceAddress, Vec<u8>)> {
        let mut groups: BTreeMap<(&DeviceAddress, u64), BTreeMap<u64, &NewStatement>> =
            BTreeMap::new();
        let mut replies = Vec::new();
        for statement in statements {
            let key = (&statement.device, statement.position.epoch);
            let group = groups.entry(key).or_default();
            // Two ids on one seq are a fork: each gets a receipt that names it.
            if group.contains_key(&statement.position.seq) || is_full(group, statement) {
                let (device, epoch) = key;
                replies.push(self.receipt(device, epoch, &std::mem::take(group), now));
            }
            group.insert(statement.position.seq, statement);
        }
        for ((device, epoch), group) in &groups {
            replies.push(self.receipt(device, *epoch, group, now));
        }
        replies
    }

    /// The receipt for a statement that is stored, with its (seq, event, code) of refused events.
    #[must_use]
    pub fn receipt_again(&self, kept: &KeptStatement, refused: Vec<(u64, u64, String)>) -> Vec<u8> {
        let (seq, now) = (kept.position.seq, self.clock.now());
        let receipt = Receipt {
            log: self.log,
            device: kept.device.clone(),
            epoch: kept.position.epoch,
            ranges: vec![(seq, seq)],
            last: kept.id,
            time: now,
            // What was promised when it came.
            deadline: kept.received + self.deadline,
            refused,
            ids: vec![kept.id],
        };
        Reply::Receipt(receipt.sign(&self.receipt_key)).encode()
    }

    fn receipt(
        &self,
        device: &DeviceAddress,
        epoch: u64,
        group: &BTreeMap<u64, &NewStatement>,
        now: Instant,
    ) -> (DeviceAddress, Vec<u8>) {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for &seq in group.keys() {
            match ranges.last_mut() {
                Some((_, to)) if *to + 1 == seq => *to = seq,
                _ => ranges.push((seq, seq)),
            }
        }
        let ids: Vec<Hash> = group.values().map(|statement| statement.id).collect();
        for statement in &ids {
            tracing::debug!(target: "tracebond::way", %statement, %device, "receipt signed");
        }
        let refused = |(seq, statement): (&u64, &&NewStatement)| {
            let seq = *seq;
            let code = move |(index, event): (usize, &crate::store::NewEvent)| {
                event.refused.clone().map(|code| (seq, index as u64, code))
            };
            statement
                .events
                .iter()
                .enumerate()
                .filter_map(code)
                .collect::<Vec<_>>()
        };
        let receipt = Receipt {
            log: self.log,
            device: device.clone(),
            epoch,
            ranges,
            last: ids.last().copied().unwrap_or(Hash::ZERO),
            time: now,
            deadline: now + self.deadline,
            refused: group.iter().flat_map(refused).collect(),
            ids,
        };
        (
            device.clone(),
            Reply::Receipt(receipt.sign(&self.receipt_key)).encode(),
        )
    }
}

/// Most statements of one receipt: each could be a range of its own, and 256 ranges are allowed.
const RECEIPT_STATEMENTS: usize = 200;
/// Most refused events of one receipt: with their codes they stay far below its 65,536 bytes.
const RECEIPT_REFUSALS: usize = 768;

fn refusals(statement: &NewStatement) -> usize {
    statement
        .events
        .iter()
        .filter(|event| event.refused.is_some())
        .count()
}

/// True if a receipt of the group has no room for another statement.
fn is_full(group: &BTreeMap<u64, &NewStatement>, next: &NewStatement) -> bool {
    let refused: usize = group.values().map(|statement| refusals(statement)).sum();
    !group.is_empty()
        && (group.len() == RECEIPT_STATEMENTS || refused + refusals(next) > RECEIPT_REFUSALS)
}

fn check_all(messages: &[Incoming], log: &Hash, snapshot: &Snapshot, now: Instant) -> Checked {
    let mut checked = Checked::default();
    for message in messages {
        let (bytes, sender) = (&message.payload, message.sender.as_ref());
        match check::check(bytes, sender, log, snapshot, now) {
            Ok(statement) => {
                let (device, id) = (statement.device.clone(), statement.id);
                checked.outcomes.push(Outcome::Stored {
                    device,
                    id,
                    fresh: false,
                });
                checked.statements.push(statement);
            }
            Err(rejection) => {
                let kept = check::quarantined(bytes, &message.topic, &rejection, now);
                checked.quarantine.push(kept);
                checked.outcomes.push(Outcome::Quarantined(rejection));
            }
        }
    }
    checked
}

/// Statements in parts of at most [`EVENTS_MOST`] events.
fn parts(statements: &[NewStatement]) -> Vec<&[NewStatement]> {
    let mut events = 0;
    let mut groups = Vec::new();
    let mut from = 0;
    for (place, statement) in statements.iter().enumerate() {
        // A note has no events and is a row all the same.
        let more = statement.events.len().max(1);
        if events > 0 && events + more > EVENTS_MOST {
            groups.push(&statements[from..place]);
            (from, events) = (place, 0);
        }
        events += more;
    }
    if from < statements.len() {
        groups.push(&statements[from..]);
    }
    groups
}

fn mark_fresh(outcomes: &mut [Outcome], flags: &[bool]) {
    let mut flags = flags.iter();
    for outcome in outcomes {
        if let Outcome::Stored { fresh, .. } = outcome {
            *fresh = flags.next().copied().unwrap_or(false);
        }
    }
}

/// Counts events, and writes the way of each new statement down by its id, which the batch's line
/// has too.
fn report_events(statements: &[NewStatement], fresh: &[bool], now: Instant) {
    let new = statements.iter().zip(fresh).filter(|(_, fresh)| **fresh);
    for (statement, _) in new {
        let refused = refusals(statement);
        let accepted = statement.events.len() - refused;
        let count = |outcome, events| {
            metrics::counter!("tracebond_events_total", "outcome" => outcome).increment(events);
        };
        count("accepted", accepted as u64);
        count("refused", refused as u64);
        let times = statement.events.iter().filter_map(|one| one.event_time);
        if let Some(oldest) = times.min() {
            let age = now.since(oldest).as_secs_f64();
            metrics::histogram!("tracebond_event_age_seconds").record(age);
        }
        tracing::debug!(
            target: "tracebond::way",
            statement = %statement.id,
            device = %statement.device,
            epoch = statement.position.epoch,
            seq = statement.position.seq,
            accepted,
            refused,
            "statement stored"
        );
    }
}

fn report(outcomes: &[Outcome]) {
    for outcome in outcomes {
        match outcome {
            Outcome::Stored { fresh: true, .. } => {
                metrics::counter!("tracebond_statements_total").increment(1)
            }
            Outcome::Stored { .. } => {
                metrics::counter!("tracebond_redeliveries_total").increment(1)
            }
            Outcome::Quarantined(rejection) => {
                metrics::counter!("tracebond_quarantined_total", "code" => rejection.code)
                    .increment(1);
                tracing::warn!(
                    code = rejection.code,
                    detail = rejection.detail,
                    "message quarantined"
                );
            }
        }
    }
}
