//! Why a store did not answer.

use kit::postgres::{OpenError, SchemaError};

/// The store could not answer; nothing was changed by the call. Only where the connection was lost
/// while a commit was answered may it have been made all the same: calls can be repeated, and the
/// notary reads the log again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed or refused.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the schema could not be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row does not hold what this program writes.
    #[error("a stored {0} is not readable")]
    Corrupt(&'static str),
    /// The database cannot be entered.
    #[error(transparent)]
    Connect(#[from] kit::postgres::ConnectError),
    /// The schema is not this program's, or cannot be made so.
    #[error(transparent)]
    Schema(SchemaError),
    /// Another process has taken over the log, or nobody leads.
    #[error("the lease on the log is lost")]
    Fenced,
    /// Another registry version is in force than the one that the statements were checked against.
    #[error("the registry has moved on")]
    Stale,
}

/// Result of a store call.
pub type Stored<T> = Result<T, StoreError>;

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Connect(error) => Self::Connect(error),
            OpenError::Schema(SchemaError::Database(error)) => Self::Database(error),
            OpenError::Schema(other) => Self::Schema(other),
        }
    }
}
