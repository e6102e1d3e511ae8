//! What can be done with a trial, by whom, and what must be shown for it.

use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use crate::sandbox::codes::CreditCode;

/// In what capacity somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capacity {
    /// The person of the applicant who answers for the project.
    Project,
    /// The person of the applicant who answers for its risks.
    Risk,
    /// Whoever enters what the authority decided, with its document.
    Authority,
    /// The program itself, by a rule that two people set.
    Rule,
}

/// One step in the life of a trial, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// Who does it.
    pub by: Slug,
    /// As what.
    pub capacity: Capacity,
    /// Who agrees, where two are needed: somebody else.
    pub second: Option<Slug>,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub at: Instant,
}

/// What must be ready before the first loan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Hash of the version of limits that is in force.
    pub limits: Option<Hash>,
    /// Hash of the rule of the stop-loss.
    pub stop_loss: Option<Hash>,
    /// Indicators are calculated and somebody looks at them.
    pub monitoring: bool,
    /// Every declared way to complain was tried.
    pub complaints: bool,
    /// Each source of compensation is at its floor or above.
    pub compensation: bool,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// Every loan is settled and nothing goes on.
    RunOff,
    /// It goes on as business of a licensed operator.
    Promoted {
        /// Who.
        operator: CreditCode,
        /// Its licence.
        licence: String,
    },
}

/// What is done with a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// The declaration is put out for comment.
    Publish {
        /// Which version.
        declaration: Hash,
        /// The last day for comments.
        comments_until: NaiveDate,
    },
    /// Another version of the declaration takes the place of the one in force. Until registration the
    /// public is asked again; later the authority agrees, and the time of the trial stays.
    Amend {
        /// The new version.
        declaration: Hash,
        /// When the trial begins by it.
        start: NaiveDate,
        /// When it ends by it.
        end: Option<NaiveDate>,
        /// Hash of the authority's document.
        document: Option<Hash>,
    },
    /// The authority registers it.
    Register {
        /// Its number there.
        number: String,
        /// Hash of the authority's document.
        document: Option<Hash>,
        /// Comments that nobody has answered.
        comments_open: u32,
    },
    /// The first loan may be made.
    Begin(Ready),
    /// It goes on longer than declared.
    Extend {
        /// The new last day.
        until: NaiveDate,
        /// The new version of the declaration.
        declaration: Hash,
        /// Hash of the authority's document.
        document: Option<Hash>,
    },
    /// No new loans for now.
    Suspend {
        /// Why.
        reason: String,
    },
    /// Loans again.
    Resume {
        /// How the cause was removed.
        remedy: String,
        /// Whether the stop-loss is tripped.
        tripped: bool,
    },
    /// No new loans for ever.
    Stop {
        /// Why.
        reason: String,
    },
    /// The end.
    Exit {
        /// How.
        end: End,
        /// Hash of the evaluation.
        evaluation: Option<Hash>,
        /// What is still owed, in fen.
        outstanding_fen: i64,
        /// Complaints that are still open.
        complaints_open: u32,
    },
    /// It is given up before it began.
    Withdraw {
        /// Why.
        reason: String,
    },
}

impl Act {
    /// Its word in rows and messages.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Publish { .. } => "publish",
            Self::Amend { .. } => "amend",
            Self::Register { .. } => "register",
            Self::Begin(_) => "begin",
            Self::Extend { .. } => "extend",
            Self::Suspend { .. } => "suspend",
            Self::Resume { .. } => "resume",
            Self::Stop { .. } => "stop",
            Self::Exit { .. } => "exit",
            Self::Withdraw { .. } => "withdraw",
        }
    }

    /// Who may do it. Whoever may lend may stop lending; a rule only ever makes less possible.
    #[must_use]
    pub const fn may(&self) -> &'static [Capacity] {
        use Capacity::{Authority, Project, Risk, Rule};
        match self {
            Self::Publish { .. } | Self::Amend { .. } | Self::Begin(_) | Self::Withdraw { .. } => {
                &[Project]
            }
            Self::Register { .. } | Self::Extend { .. } => &[Authority],
            Self::Suspend { .. } => &[Project, Risk, Authority, Rule],
            Self::Resume { .. } => &[Risk, Authority],
            Self::Stop { .. } => &[Risk, Authority, Rule],
            Self::Exit { .. } => &[Project, Authority],
        }
    }

    /// Whether a second person must agree: for everything that makes more possible, and for the end.
    #[must_use]
    pub const fn needs_two(&self) -> bool {
        match self {
            Self::Amend { .. }
            | Self::Begin(_)
            | Self::Extend { .. }
            | Self::Resume { .. }
            | Self::Exit { .. } => true,
            Self::Publish { .. }
            | Self::Register { .. }
            | Self::Suspend { .. }
            | Self::Stop { .. }
            | Self::Withdraw { .. } => false,
        }
    }
}
