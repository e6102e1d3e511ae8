//! Following the log: its checkpoint, and the entries that lead there.

use std::io;

use schemas::hash::Hash;
use schemas::log::entry_hash;
use schemas::note::Note;

use super::{Found, Monitor, MonitorError};
use crate::monitor::alarm::{Alarm, Code};
use crate::monitor::core::{Step, WIDTH};
use crate::monitor::trust::{Counted, Trust};

fn place(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

impl Monitor {
    pub(super) async fn follow_log(&mut self, found: &mut Found) -> Result<(), MonitorError> {
        let Some(bytes) = found.take(self.fetcher.checkpoint().await) else {
            return Ok(());
        };
        let Ok(note) = Note::parse(&bytes) else {
            let words = "what is served as checkpoint is none";
            found
                .alarms
                .push(Alarm::new(Code::Log, "checkpoint", words));
            return Ok(());
        };
        let counted = match self.check(&note).await {
            Ok(counted) => Some(counted),
            Err(alarm) => {
                let signed = alarm.code == Code::Quorum;
                found.alarms.push(alarm);
                if !signed {
                    return Ok(());
                }
                None
            }
        };
        match self.core.compare(&note) {
            Step::Wrong(alarm) => found.alarms.push(alarm),
            Step::Same => self.look_at_age(counted, found),
            // Nothing is taken that only the log itself has signed.
            Step::Forward if counted.is_none() => {}
            Step::Forward => {
                if self.advance(&note, found).await? {
                    self.look_at_age(counted, found);
                }
            }
        }
        Ok(())
    }

    /// Under the policy that is trusted, or the one to which the log's hand-overs lead from it.
    async fn check(&mut self, note: &Note) -> Result<Counted, Alarm> {
        let first = match self.config.trust.check(note) {
            Ok(counted) => return Ok(counted),
            Err(alarm) => alarm,
        };
        let chain = self.fetcher.policies().await.ok();
        let Some(next) = chain.and_then(|chain| self.config.trust.followed(&chain)) else {
            return Err(first);
        };
        let counted = next.check(note)?;
        self.config.trust = next;
        Ok(counted)
    }

    fn look_at_age(&mut self, counted: Option<Counted>, found: &mut Found) {
        let Some(anchored) = counted.and_then(|counted| counted.anchored) else {
            return;
        };
        self.anchored = Some(anchored);
        if self.clock.now().since(anchored) > self.config.stale {
            let size = self.core.size();
            let words = format!("the newest checkpoint (size {size}) is of {anchored}");
            found
                .alarms
                .push(Alarm::new(Code::Stale, size.to_string(), words));
        }
    }

    /// Takes a checkpoint once the entries lead to it; false while they are not all read.
    async fn advance(&mut self, note: &Note, found: &mut Found) -> Result<bool, MonitorError> {
        if !self.read_ahead(note, found).await? {
            return Ok(false);
        }
        let new = std::mem::take(&mut self.ahead);
        if let Err(alarm) = self.core.leads_to(note, &new) {
            found.alarms.push(alarm);
            return self.forget_ahead().map(|()| false);
        }
        let entries = self.kept.ahead().map_err(|error| self.failed(error))?;
        let (alarms, whole) = self.core.take(note, entries, new.len());
        if !whole {
            let error = io::Error::other("entries that were written are not there");
            return Err(self.failed(error));
        }
        found.alarms.extend(alarms);
        found.alarms.extend(self.another_log());
        // Before the checkpoint: what was read below it is not looked at again.
        self.raise(found)?;
        let accepted = self.kept.accept(note);
        accepted.map_err(|error| self.failed(error))?;
        Ok(true)
    }

    /// Reads entries behind those of the last checkpoint into the file, not all at once; true when
    /// there are as many as a checkpoint says.
    async fn read_ahead(&mut self, note: &Note, found: &mut Found) -> Result<bool, MonitorError> {
        let size = note.checkpoint.size;
        if self.read() > size {
            self.forget_ahead()?;
        }
        let until = size.min(self.read().saturating_add(self.config.at_once));
        while self.read() < until {
            let number = self.read() / WIDTH;
            let first = number * WIDTH;
            let Some(mut bundle) = found.take(self.fetcher.bundle(number, size).await) else {
                return Ok(false);
            };
            bundle.truncate(place(until - first));
            let new = bundle.split_off(place(self.read() - first).min(bundle.len()));
            let is_known =
                |(index, entry): (u64, &Vec<u8>)| self.leaf(index) == Some(entry_hash(entry));
            let repeats = (first..).zip(&bundle).all(is_known);
            if new.is_empty() || !repeats {
                found.alarms.push(self.core.does_not_follow(note));
                return self.forget_ahead().map(|()| false);
            }
            let written = self.kept.write_ahead(&new);
            written.map_err(|error| self.failed(error))?;
            self.ahead.extend(new.iter().map(|entry| entry_hash(entry)));
        }
        found.behind = size - until;
        Ok(found.behind == 0)
    }

    /// Entries that were read, under a checkpoint or not yet.
    fn read(&self) -> u64 {
        self.core.size() + self.ahead.len() as u64
    }

    fn leaf(&self, index: u64) -> Option<Hash> {
        match index.checked_sub(self.core.size()) {
            None => self.core.leaf(index),
            Some(ahead) => self.ahead.get(place(ahead)).copied(),
        }
    }

    /// What was read and leads to no checkpoint is read again.
    fn forget_ahead(&mut self) -> Result<(), MonitorError> {
        self.ahead.clear();
        let cut = self.kept.forget_ahead();
        cut.map_err(|error| self.failed(error))
    }

    /// The log's own policy must be of the log that is trusted.
    fn another_log(&self) -> Option<Alarm> {
        let (Trust::Policy(trusted), Some(own)) = (&self.config.trust, self.core.policy()) else {
            return None;
        };
        let words = "the log's own policy is of another log id than the trusted one";
        (own.log != trusted.log).then(|| Alarm::new(Code::Log, "log id", words))
    }
}
