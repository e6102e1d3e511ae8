//! The write path: verify, make durable, answer (`statement.md` sections 5 and 6).
//!
//! One path for MQTT and HTTPS. Nothing is acknowledged before its transaction is on disk, and a
//! redelivery changes nothing: it is answered again. The path holds no state of its own, so any
//! number of workers may run it.

pub mod check;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::key::SecretKey;
use schemas::receipt::{Receipt, Reply};
use schemas::time::{Clock, Instant};
use tokio::sync::Notify;

use crate::metrics::timed;
use crate::registry::Gate;
use crate::standing::Standing;
use crate::store::{NewStatement, Store, StoreError};

pub use check::Rejection;
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
}

/// A message as it came.
#[derive(Debug)]
pub struct Incoming {
    /// Topic or route.
    pub topic: String,
    /// The address in the topic, where there is one.
    pub sender: Option<DeviceAddress>,
    /// The bytes.
    pub payload: Vec<u8>,
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
    /// Checks messages, makes them durable in one transaction, and makes the receipts.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was stored, nothing may be acknowledged. [`StoreError::Fenced`]
    /// where another process leads: the messages are that one's.
    pub async fn process(&self, messages: &[Incoming]) -> Result<Processed, StoreError> {
        let now = self.clock.now();
        let snapshot = self.gate.enter().await;
        // Read behind the gate: the registry in force is the one of this fence.
        let fence = self.standing.fence().ok_or(StoreError::Fenced)?;
        let mut statements = Vec::new();
        let mut quarantine = Vec::new();
        let mut outcomes = Vec::with_capacity(messages.len());
        for message in messages {
            let sender = message.sender.as_ref();
            match check::check(&message.payload, sender, &self.log, &snapshot, now) {
                Ok(statement) => {
                    let (device, id) = (statement.device.clone(), statement.id);
                    outcomes.push(Outcome::Stored {
                        device,
                        id,
                        fresh: false,
                    });
                    statements.push(statement);
                }
                Err(rejection) => {
                    quarantine.push(check::quarantined(
                        &message.payload,
                        &message.topic,
                        &rejection,
                        now,
                    ));
                    outcomes.push(Outcome::Quarantined(rejection));
                }
            }
        }
        let commit = self.store.commit_under(fence, &statements, &quarantine);
        let fresh = timed("commit", commit).await;
        if matches!(fresh, Err(StoreError::Fenced)) {
            self.standing.refused(fence);
        }
        let fresh = fresh?;
        drop(snapshot);
        self.wake.notary.notify_one();
        self.wake.follower.notify_one();
        mark_fresh(&mut outcomes, &fresh);
        report(&outcomes);
        report_events(&statements, &fresh, now);
        Ok(Processed {
            outcomes,
            replies: self.receipts(&statements, now),
        })
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
