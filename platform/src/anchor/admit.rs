//! Admitting registry records: one new head for all that wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::hash::Hash;
use schemas::log::{Entry, Policy};
use schemas::registry::Head;
use tokio::sync::oneshot;

use super::{Admission, Notary, NotaryError, kept_going};
use crate::registry::{AdmitError, Snapshot};
use crate::store::{Append, KeptRecord};

/// Records after their checks, and the snapshot that they lead to.
struct Judged {
    next: Snapshot,
    /// Over the new records by kid and version; `None` where there are none.
    head: Option<Head>,
    records: BTreeMap<(Hash, u64), KeptRecord>,
    answers: Vec<(Answer, Result<(), AdmitError>)>,
}

type Answer = oneshot::Sender<Result<u64, AdmitError>>;

/// Checks records one after the other, each against those before. A signature for each and, with a
/// new key, a tree over all keys: with a million of them not for the task that keeps the lease.
fn judge(mut next: Snapshot, waiting: Vec<Admission>, policy: &Policy) -> Judged {
    let (mut records, mut answers) = (BTreeMap::new(), Vec::new());
    for (bytes, reply) in waiting {
        let outcome = next.admit(bytes, policy);
        if let Ok(Some(kept)) = &outcome {
            records.insert((kept.kid, kept.version), kept.clone());
        }
        answers.push((reply, outcome.map(|_| ())));
    }
    let head = match records.is_empty() {
        true => None,
        false => next.next_head(),
    };
    Judged {
        next,
        head,
        records,
        answers,
    }
}

impl Notary {
    /// Admits records under one new head, which ingest checks against from the commit on. Each is
    /// answered.
    ///
    /// # Errors
    /// [`NotaryError`] when the lease is lost.
    pub async fn admit(&self, waiting: Vec<Admission>) -> Result<(), NotaryError> {
        if waiting.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.settle().await {
            answer_all(waiting, || AdmitError::Again);
            return kept_going("records were not admitted", error);
        }
        let known = Snapshot::clone(&self.gate.snapshot());
        let in_force = self.in_force();
        let judged = tokio::task::spawn_blocking(move || judge(known, waiting, &in_force)).await;
        let Judged {
            mut next,
            head,
            records,
            answers,
        } = judged.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
        if let Some(head) = head {
            let made = self.clock.now();
            let entry = Entry::Registry { head, time: made }.encode();
            let registry = Some((records.into_values().collect(), head, made));
            let append = Append {
                entries: vec![entry],
                registry,
                ..Append::default()
            };
            if let Err(error) = self.append(append).await {
                for (reply, outcome) in answers {
                    let _ = reply.send(outcome.and(Err(AdmitError::Again)));
                }
                return kept_going("records were not admitted", error);
            }
            next.head = Some(head);
            self.gate.set(Arc::new(next));
        }
        let version = self.gate.snapshot().head.map_or(0, |head| head.version);
        for (reply, outcome) in answers {
            let _ = reply.send(outcome.map(|()| version));
        }
        Ok(())
    }
}

/// Answers those who ask a process that does not lead.
pub(super) fn refuse(waiting: Vec<Admission>) {
    answer_all(waiting, || AdmitError::Standby);
}

fn answer_all(waiting: Vec<Admission>, answer: impl Fn() -> AdmitError) {
    for (_, reply) in waiting {
        let _ = reply.send(Err(answer()));
    }
}
