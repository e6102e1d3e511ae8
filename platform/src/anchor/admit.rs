//! Admitting registry records: one new head for all that wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::log::Entry;

use super::{Admission, Notary, NotaryError, kept_going};
use crate::registry::{AdmitError, Snapshot};
use crate::store::Append;

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
            return kept_going("records were not admitted", error);
        }
        let mut next: Snapshot = (*self.gate.snapshot()).clone();
        let mut records = BTreeMap::new();
        let in_force = self.in_force();
        let mut answers = Vec::new();
        for (bytes, reply) in waiting {
            let outcome = next.admit(bytes, &in_force);
            if let Ok(Some(kept)) = &outcome {
                records.insert((kept.kid, kept.version), kept.clone());
            }
            answers.push((reply, outcome.map(|_| ())));
        }
        let version = if records.is_empty() {
            next.head.map_or(0, |head| head.version)
        } else {
            let head = next.next_head().ok_or(NotaryError::Broken("registry"))?;
            let made = self.clock.now();
            let entry = Entry::Registry { head, time: made }.encode();
            let registry = Some((records.into_values().collect(), head, made));
            let append = Append {
                entries: vec![entry],
                registry,
                ..Append::default()
            };
            if let Err(error) = self.append(append).await {
                return kept_going("records were not admitted", error);
            }
            next.head = Some(head);
            self.gate.set(Arc::new(next));
            head.version
        };
        for (reply, outcome) in answers {
            let _ = reply.send(outcome.map(|()| version));
        }
        Ok(())
    }
}

/// Answers those who ask a process that does not lead.
pub(super) fn refuse(waiting: Vec<Admission>) {
    for (_, reply) in waiting {
        let _ = reply.send(Err(AdmitError::Standby));
    }
}
