//! Who must have signed a checkpoint.

use schemas::log::{Entry, EntryError, Policy, PolicyChain, PolicyFile};
use schemas::note::{Note, NoteError};
use schemas::time::Instant;
use schemas::tlog_policy::{LineError, TlogPolicy, Unmet};

use super::alarm::{Alarm, Code};

/// A policy file of ours, or a C2SP `tlog-policy`.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Log, witnesses, quorum, registrars.
    Policy(Box<Policy>),
    /// Logs, witnesses and nested groups; the registrars are those of the log's first entry.
    Tlog(Box<TlogPolicy>),
}

/// A file that is neither.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TrustError {
    /// It begins like JSON.
    #[error("not a policy file")]
    Policy(#[from] EntryError),
    /// It does not.
    #[error("not a tlog-policy")]
    Tlog(#[from] LineError),
    /// It names no log, or several.
    #[error("a monitor follows one log, and this policy names {0}")]
    Logs(usize),
}

/// What was found of a checkpoint that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many witnesses cosigned it.
    pub witnesses: usize,
    /// Since when it is certain; none where no quorum is asked for.
    pub anchored: Option<Instant>,
}

impl Trust {
    /// Reads either kind of file.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn parse(file: &[u8]) -> Result<Self, TrustError> {
        if file.trim_ascii_start().starts_with(b"{") {
            let (_, policy) = PolicyFile::parse(file)?;
            return Ok(Self::Policy(Box::new(policy)));
        }
        let policy = TlogPolicy::parse(file)?;
        match policy.logs().len() {
            1 => Ok(Self::Tlog(Box::new(policy))),
            several => Err(TrustError::Logs(several)),
        }
    }

    /// The newest policy to which the log's hand-overs lead from this one; none for a tlog-policy,
    /// and where there is no newer one.
    #[must_use]
    pub fn followed(&self, chain: &PolicyChain) -> Option<Self> {
        let Self::Policy(policy) = self else {
            return None;
        };
        let entry = Entry::Policy(policy.as_ref().clone()).encode();
        let (newest, policy) = chain.follow(&entry).ok()?;
        (newest != entry).then(|| Self::Policy(Box::new(policy)))
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        match self {
            Self::Policy(policy) => policy.origin.as_str(),
            Self::Tlog(policy) => policy.logs().first().map_or("", |log| &log.key.name),
        }
    }

    /// Whether the log itself signed the note, and whether the quorum did.
    ///
    /// # Errors
    /// The alarm that this is: [`Code::Signature`] or [`Code::Quorum`]. A note with the first is
    /// nobody's; one with the second is the log's word, though nobody else's.
    pub fn check(&self, note: &Note) -> Result<Counted, Alarm> {
        let size = note.checkpoint.size;
        let signature = || {
            let words = format!("the checkpoint at size {size} is not signed by the log's key");
            Alarm::new(Code::Signature, size.to_string(), words)
        };
        let quorum = |found: String| {
            let words = format!("the checkpoint at size {size} has {found}");
            Alarm::new(Code::Quorum, size.to_string(), words)
        };
        match self {
            Self::Policy(policy) => match note.check_served(policy) {
                Ok(witnessed) => Ok(Counted {
                    witnesses: witnessed.witnesses.len(),
                    anchored: Some(witnessed.anchored),
                }),
                Err(error @ NoteError::Quorum { .. }) => Err(quorum(error.to_string())),
                Err(_) => Err(signature()),
            },
            Self::Tlog(policy) => match policy.check_note(note) {
                Ok(valid) => Ok(Counted {
                    witnesses: valid.witnesses.len(),
                    anchored: valid.anchored,
                }),
                Err(Unmet::Quorum(found)) => {
                    Err(quorum(format!("{found} witnesses, which is no quorum")))
                }
                Err(_) => Err(signature()),
            },
        }
    }
}
