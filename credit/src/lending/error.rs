//! Why something was not done with a loan.

use crate::ledger::LoanId;
use crate::loan::life::Refused;
use crate::loan::review::NoStage;
use crate::store::StoreError;

/// Why something was not done. Nothing was changed, and a refusal is kept with who asked.
#[derive(Debug, thiserror::Error)]
pub enum LendingError {
    /// There is no such loan.
    #[error("there is no loan `{0}`")]
    Unknown(LoanId),
    /// There is no such offer.
    #[error("there is no offer `{0}`")]
    NoOffer(String),
    /// There is no such motion.
    #[error("there is no open motion with this id")]
    NoMotion,
    /// The life of a loan does not allow it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A rule around it does not allow it.
    #[error("{reason}")]
    Denied {
        /// Name of the rule, lower case with hyphens.
        rule: &'static str,
        /// One sentence.
        reason: String,
    },
    /// Somebody whose word is needed does not answer. Try again.
    #[error("{0} does not answer: nothing was done, try again")]
    Unavailable(
        &'static str,
        #[source] Box<dyn std::error::Error + Send + Sync>,
    ),
    /// The offer's steps cannot be read.
    #[error(transparent)]
    NoStage(#[from] NoStage),
    /// Others were quicker each time. Try again.
    #[error("the loan is in great demand; try again")]
    Busy,
    /// The operating system has no randomness.
    #[error("there is no randomness for a token")]
    Randomness,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LendingError {
    pub(super) fn denied(rule: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Denied { rule, reason }
    }

    /// Name of the rule and the sentence of what is kept as a refusal; none for what is none.
    #[must_use]
    pub fn refusal(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Refused(refused) => Some((refused.rule(), refused.to_string())),
            Self::Denied { rule, reason } => Some((rule, reason.clone())),
            _ => None,
        }
    }
}
