//! What credit keeps, as a trait; [`sqlite`] is the embedded adapter, [`postgres`] the one for a
//! server, and [`open`] opens the one that the configuration names. One contract suite
//! (`tests/contract/credit.rs`) runs on both.
//!
//! No method updates or deletes a decision, a reservation, a declared limit or a refusal. The
//! sandbox's limits are enforced in [`Store::record`] and nowhere else.

pub mod borrowers;
pub mod cases;
pub mod desk;
pub mod ledger;
pub mod lending;
pub mod models;
mod open;
pub mod papers;
pub mod pledge;
pub mod postgres;
pub mod reviews;
pub mod sandbox;
pub mod sqlite;
pub mod tables;
pub mod takings;

use async_trait::async_trait;
use kit::postgres::{OpenError, SchemaError};
use schemas::ids::Slug;
use schemas::time::Instant;

use crate::loan::application::ApplicationId;
use crate::loan::{Decision, Record};
use crate::sandbox::{Limits, Sandbox};

pub use borrowers::Borrowers;
pub use cases::CaseStore;
pub use desk::DeskStore;
pub use ledger::{Checked, Kept, Ledger, Posted, Refused};
pub use lending::{Loans, Told};
pub use models::ModelStore;
pub use open::{Database, migrate, open};
pub use postgres::Postgres;
pub use reviews::{Reviewed, Reviews, Shelf, Step, Tables};
pub use sqlite::Sqlite;
pub use takings::{Fate, Takings};

/// Most decisions that one page lists.
pub const PAGE_MAX: u32 = 200;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed; nothing was changed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The tables could not be made.
    #[error("the tables could not be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database cannot be entered.
    #[error(transparent)]
    Connect(#[from] kit::postgres::ConnectError),
    /// The schema is not this program's, or cannot be made so.
    #[error(transparent)]
    Schema(kit::postgres::SchemaError),
    /// A row does not have the form that this program writes.
    #[error("a stored {what} cannot be read")]
    Row {
        /// What kind of row.
        what: &'static str,
    },
    /// The same version of a sandbox's limits with other numbers, or a version that went back.
    #[error(
        "sandbox `{id}` has version {kept} of its limits; version {given} with these numbers cannot follow"
    )]
    LimitsVersion {
        /// The sandbox.
        id: Slug,
        /// Version in force.
        kept: u32,
        /// Version given.
        given: u32,
    },
    /// No limits were declared for this sandbox.
    #[error("no limits are declared for sandbox `{0}`")]
    NoLimits(Slug),
    /// An entry does not go into the ledger; nothing was changed.
    #[error(transparent)]
    Ledger(#[from] ledger::Refused),
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Connect(error) => Self::Connect(error),
            OpenError::Schema(SchemaError::Database(error)) => Self::Database(error),
            OpenError::Schema(other) => Self::Schema(other),
        }
    }
}

/// What became of a record.
#[derive(Debug)]
pub enum Recorded {
    /// It is kept, and its amount is reserved if it is an offer.
    New,
    /// The application was decided before; this is that decision. Nothing was changed.
    Before(Box<Record>),
    /// The offer does not fit under the limits as they stand now. Nothing was changed.
    OverLimit,
    /// Somebody else has used an invoice or a device meanwhile that this case uses, too: look at the
    /// books again. Nothing was changed.
    Overtaken,
}

/// Evidence that was refused, kept for whoever asks why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The application.
    pub application_id: ApplicationId,
    /// The supplier.
    pub supplier: Slug,
    /// When.
    pub refused_at: Instant,
    /// Class of the refusal: of the proof such as `batch-path`, or `not-permitted` or
    /// `unreachable` if no evidence came.
    pub class: String,
    /// In words.
    pub detail: String,
}

/// Credit's tables.
#[async_trait]
pub trait Store: Send + Sync {
    /// Closes every connection; what was answered is on disk already.
    async fn close(&self);

    /// Puts limits in force. The same declaration again changes nothing.
    async fn declare(&self, limits: &Limits, at: Instant) -> Result<(), StoreError>;

    /// Limits in force and their use.
    async fn sandbox(&self, id: &Slug) -> Result<Sandbox, StoreError>;

    /// Keeps a decision with what stands beside it, and reserves its amount, all or nothing, under the
    /// limits of `sandbox`.
    async fn record(&self, sandbox: &Slug, record: &Record) -> Result<Recorded, StoreError>;

    /// The record of a decision.
    async fn lookup(&self, decision_id: &str) -> Result<Option<Record>, StoreError>;

    /// The record of an application.
    async fn of_application(&self, id: &ApplicationId) -> Result<Option<Record>, StoreError>;

    /// Decisions, newest first, `skip` left out, at most `take` (at most [`PAGE_MAX`]).
    async fn list(&self, skip: u32, take: u32) -> Result<Vec<Decision>, StoreError>;

    /// Keeps a refusal of evidence.
    async fn refuse(&self, refusal: &Refusal) -> Result<(), StoreError>;

    /// Refusals of an application, oldest first.
    async fn refusals(&self, id: &ApplicationId) -> Result<Vec<Refusal>, StoreError>;
}
