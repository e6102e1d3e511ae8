//! What a monitor says.

use serde::{Deserialize, Serialize};

/// What is wrong, as a word that does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Two checkpoints of one log that do not fit.
    SplitView,
    /// A checkpoint of fewer entries than one before.
    WentBack,
    /// A witness has cosigned more than is shown here.
    HeldBack,
    /// A witness keeps evidence of a fork.
    WitnessFork,
    /// The log's own signature is missing or wrong.
    Signature,
    /// Fewer cosignatures than the quorum.
    Quorum,
    /// The newest checkpoint is older than the limit.
    Stale,
    /// A rule of the log is broken.
    Log,
    /// A rule of the registry is broken.
    Registry,
    /// A new policy stands in the log.
    Policy,
    /// An organisation that is not on the list of known ones.
    UnknownOrganisation,
    /// A record of an organisation that no registrar of the policy signed.
    BadOrganisation,
    /// One of one's own devices has a key that is not on the list.
    ForeignKey,
    /// The record of one's own key has changed.
    OwnRecord,
    /// One's own key is missing from the registry.
    OwnKeyMissing,
    /// One's own device was silent for longer than its heartbeat.
    Silent,
    /// Statements of one's own device are missing.
    Gap,
    /// One's own device has signed two statements for one place.
    DeviceFork,
    /// One's own device has seen another log.
    SeenAnother,
}

impl Code {
    /// As it stands in files and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SplitView => "split-view",
            Self::WentBack => "went-back",
            Self::HeldBack => "held-back",
            Self::WitnessFork => "witness-fork",
            Self::Signature => "signature",
            Self::Quorum => "quorum",
            Self::Stale => "stale",
            Self::Log => "log",
            Self::Registry => "registry",
            Self::Policy => "policy",
            Self::UnknownOrganisation => "unknown-organisation",
            Self::BadOrganisation => "bad-organisation",
            Self::ForeignKey => "foreign-key",
            Self::OwnRecord => "own-record",
            Self::OwnKeyMissing => "own-key-missing",
            Self::Silent => "silent",
            Self::Gap => "gap",
            Self::DeviceFork => "device-fork",
            Self::SeenAnother => "seen-another",
        }
    }
}

/// Something to look at. The same alarm (by code and subject) is raised once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What kind.
    pub code: Code,
    /// What it is about; with the code it names the alarm.
    pub subject: String,
    /// For people.
    pub words: String,
    /// The notes that contradict each other, where there are two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Alarm {
    /// An alarm without notes.
    #[must_use]
    pub fn new(code: Code, subject: impl Into<String>, words: impl Into<String>) -> Self {
        Self {
            code,
            subject: subject.into(),
            words: words.into(),
            notes: Vec::new(),
        }
    }

    /// The same with the notes that prove it.
    #[must_use]
    pub fn with_notes(mut self, notes: &[&[u8]]) -> Self {
        let text = |note: &&[u8]| String::from_utf8_lossy(note).into_owned();
        self.notes = notes.iter().map(text).collect();
        self
    }
}
