//! Roles of the bank's people.

/// What a person may do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Decides on offers.
    Officer,
    /// Keeps the list of reasons, reads the trail; decides on nothing.
    Supervisor,
    /// Reads everything, changes nothing.
    Auditor,
    /// Of the authority: reads the trial of the sandbox, its limits, use and reports, and may stop it
    /// with a reason. Nothing else.
    Regulator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [
        Self::Officer,
        Self::Supervisor,
        Self::Auditor,
        Self::Regulator,
    ];

    /// Its word in accounts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Supervisor => "supervisor",
            Self::Auditor => "auditor",
            Self::Regulator => "regulator",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// True if this role decides on offers.
    #[must_use]
    pub fn decides(self) -> bool {
        self == Self::Officer
    }

    /// True if this role works beside decisions: assigns, writes notes and tasks, adds documents.
    #[must_use]
    pub fn works(self) -> bool {
        matches!(self, Self::Officer | Self::Supervisor)
    }

    /// True if this role keeps the list of reasons.
    #[must_use]
    pub fn keeps_reasons(self) -> bool {
        self == Self::Supervisor
    }

    /// True if this role reads the whole trail.
    #[must_use]
    pub fn reads_trail(self) -> bool {
        matches!(self, Self::Supervisor | Self::Auditor)
    }

    /// True if this role sees offers, evidence and what belongs to them.
    #[must_use]
    pub fn reads_desk(self) -> bool {
        self != Self::Regulator
    }

    /// True if this role proposes and agrees to limits, rules and steps of the trial.
    #[must_use]
    pub fn keeps_trial(self) -> bool {
        self == Self::Supervisor
    }

    /// True if this role reviews, promotes, tries and retires scorecards.
    #[must_use]
    pub fn keeps_models(self) -> bool {
        self == Self::Supervisor
    }

    /// True if this role writes down complaints, incidents and problems of the trial.
    #[must_use]
    pub fn writes_trial(self) -> bool {
        matches!(self, Self::Officer | Self::Supervisor)
    }
}
