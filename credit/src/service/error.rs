//! Why an application has no decision.

use crate::evidence::EvidenceError;
use crate::evidence::verify::Refused;
use crate::facts::FactsError;
use crate::loan::ApplicationError;
use crate::loan::decision::DecideError;
use crate::store::StoreError;
use crate::store::sandbox::LendError;

/// Why an application has no decision.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It cannot be looked at.
    #[error(transparent)]
    Application(#[from] ApplicationError),
    /// The same id was used for another application.
    #[error("application `{0}` was decided with other contents")]
    Conflict(String),
    /// No evidence came; try again. That none came is kept.
    #[error("no evidence came")]
    Evidence(#[from] EvidenceError),
    /// The evidence does not hold. The refusal is kept.
    #[error("the evidence is refused")]
    Refused(#[from] Refused),
    /// The evidence holds, but no facts can be read from it.
    #[error("no facts can be read from the evidence")]
    Facts(#[from] FactsError),
    /// The record cannot be written.
    #[error("nothing could be decided")]
    Decide(#[from] DecideError),
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Others kept taking the room under the limit; try again.
    #[error("the sandbox is too busy")]
    Busy,
    /// The trial of the sandbox stands against it; why is kept. The same application may be sent
    /// again once that has changed.
    #[error("the trial does not lend this")]
    Trial(#[source] Box<LendError>),
    /// Verification was cut short by shutdown.
    #[error("the service is stopping")]
    Stopping,
}

impl From<LendError> for ApplyError {
    fn from(error: LendError) -> Self {
        match error {
            LendError::Store(error) => Self::Store(error),
            LendError::Contended => Self::Busy,
            other => Self::Trial(Box::new(other)),
        }
    }
}
