//! Whether a checkpoint is valid under a policy file.

use super::{Member, TlogPolicy};
use crate::note::open::OpenNote;
use crate::note::{Note, NoteError};
use crate::time::Instant;

/// A checkpoint that is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    /// Place of the log that signed it.
    pub log: usize,
    /// Places of the witnesses whose cosignatures verify, with the seconds that they state.
    pub witnesses: Vec<(usize, u64)>,
    /// The earliest instant by which a quorum had cosigned; none without a quorum.
    pub anchored: Option<Instant>,
}

/// A checkpoint that is not.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum Unmet {
    /// Not the form of a checkpoint.
    #[error(transparent)]
    Form(#[from] NoteError),
    /// No log of the policy signed it.
    #[error("no log of the policy has signed it")]
    Log,
    /// The quorum is not met.
    #[error("{0} witnesses of the policy have cosigned it, which is not the quorum")]
    Quorum(usize),
}

impl TlogPolicy {
    /// Judges a checkpoint: any one log, and the quorum.
    ///
    /// # Errors
    /// [`Unmet`].
    pub fn check(&self, note: &[u8]) -> Result<Valid, Unmet> {
        let note = OpenNote::parse(note)?;
        let signed = |log: &super::KnownLog| {
            log.key.name == note.origin
                && note.check_log(std::slice::from_ref(&log.key.key)).is_ok()
        };
        let log = self.logs().iter().position(signed).ok_or(Unmet::Log)?;
        let mut witnesses = Vec::new();
        for (place, witness) in self.witnesses().iter().enumerate() {
            let key = &witness.key;
            if let Some(seconds) = note.cosigned_by(&key.name, &key.key) {
                witnesses.push((place, seconds));
            }
        }
        let anchored = self.anchored(&witnesses);
        if anchored.is_none() && self.quorum().is_some() {
            return Err(Unmet::Quorum(witnesses.len()));
        }
        Ok(Valid {
            log,
            witnesses,
            anchored,
        })
    }

    /// Whether the quorum is met by these witnesses (by their places).
    #[must_use]
    pub fn is_met(&self, cosigned: &[usize]) -> bool {
        let Some(quorum) = self.quorum() else {
            return true;
        };
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups().len());
        for group in self.groups() {
            let has = |member: &&Member| has(**member, cosigned, &groups);
            let count = group.members.iter().filter(has).count();
            groups.push(count >= group.needed);
        }
        has(quorum, cosigned, &groups)
    }

    /// The smallest time by which those who had cosigned met the quorum.
    fn anchored(&self, witnesses: &[(usize, u64)]) -> Option<Instant> {
        self.quorum()?;
        let mut by_time = witnesses.to_vec();
        by_time.sort_by_key(|(_, seconds)| *seconds);
        let mut there = Vec::new();
        for (place, seconds) in by_time {
            there.push(place);
            if self.is_met(&there) {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                return Some(Instant::from_seconds(seconds));
            }
        }
        None
    }

    /// The same for a note of ours.
    ///
    /// # Errors
    /// [`Unmet`].
    pub fn check_note(&self, note: &Note) -> Result<Valid, Unmet> {
        self.check(&note.encode())
    }
}

fn has(member: Member, cosigned: &[usize], groups: &[bool]) -> bool {
    match member {
        Member::Witness(place) => cosigned.contains(&place),
        Member::Group(place) => groups.get(place).copied().unwrap_or(false),
    }
}
