//! The life of loans: accepted offers become loans, loans are drawn, run, repaid and closed.
//!
//! The rules are those of the pure core, [`crate::loan::life`]; here are the order of things, what is
//! kept of them, and what is asked of others ([`ports`]).
//!
//! Every request is made the same way ([`Lending::act`]): the loan is folded from its acts, brought to
//! today, the act is tried, and everything that follows from it is written in one transaction that
//! names how many acts the loan had. Whoever was overtaken looks again. A request has a key of its own:
//! the same one again answers as before. What is refused is kept with who asked, and explained
//! ([`Lending::denials`]).
//!
//! Absences: no money goes out without an act that intended it; no act of two people without two
//! people; no day is run twice; no loan is opened from an offer that the bank's people have not
//! accepted.

mod accept;
mod act;
pub mod bank;
pub mod catalogue;
pub mod daily;
mod draw;
mod error;
mod motion;
pub mod plan;
pub mod ports;
pub(crate) mod rows;
pub mod settings;
mod taking;
mod told;
pub mod view;

use std::sync::Arc;
use std::time::Duration;

use schemas::ids::Slug;
use schemas::time::Clock;

pub use accept::Acceptance;
pub use act::{Done, LOAN_CHANGED, Request, TOKEN_CHANGED, row_of};
pub use catalogue::{Catalogue, CatalogueError, SourceFile};
pub use daily::{DailyError, Day};
pub use draw::{ACCOUNT_MAX, Draw, NewToken, Paid, Seen};
pub use error::LendingError;
pub use motion::{Proposal, What};
pub use settings::Settings;

use crate::ledger::LoanId;
use crate::loan::ReviewRules;
use crate::loan::life::{Act, Loan};
use crate::store::Tables;
use crate::store::lending::{Denial, Head, LOANS_MAX, Which};
use ports::{Bank, Cover, Room};

/// How often a request looks again because others were quicker.
const TRIES: usize = 64;

/// By which rules a bank lends, beside its products.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The book of the ledger: the slug of the sandbox.
    pub book: Slug,
    /// By which rules offers are decided and how long they are valid.
    pub review: ReviewRules,
    /// How long after its acceptance the money of a loan can be drawn.
    pub drawn_within: Duration,
}

/// Whom lending asks.
#[derive(Clone)]
pub struct Ports {
    /// What stands behind draws.
    pub cover: Arc<dyn Cover>,
    /// The trial's limits.
    pub room: Arc<dyn Room>,
    /// The bank's core system.
    pub bank: Arc<dyn Bank>,
}

/// Everything that is done with loans.
pub struct Lending {
    store: Arc<dyn Tables>,
    catalogue: Catalogue,
    rules: Rules,
    ports: Ports,
    clock: Arc<dyn Clock>,
}

/// A loan with the row that lists have of it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The loan, folded from its acts.
    pub loan: Loan,
    /// Its row.
    pub head: Head,
    /// All its acts in their order, those of the daily run among them.
    pub acts: Vec<Act>,
}

impl Lending {
    /// Over a store, a catalogue that is kept there, and the ports.
    #[must_use]
    pub fn new(
        store: Arc<dyn Tables>,
        catalogue: Catalogue,
        rules: Rules,
        ports: Ports,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            catalogue,
            rules,
            ports,
            clock,
        }
    }

    /// What it keeps.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Tables> {
        &self.store
    }

    /// Its products and calendars.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The book of the ledger that it books in.
    #[must_use]
    pub const fn book(&self) -> &Slug {
        &self.rules.book
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// A loan as its acts give it, on the day to which it was run.
    ///
    /// # Errors
    /// [`LendingError::Unknown`], [`LendingError::Store`].
    pub async fn loan(&self, id: &LoanId) -> Result<Loaded, LendingError> {
        let loaded = self.load(id).await?;
        loaded.ok_or_else(|| LendingError::Unknown(id.clone()))
    }

    /// Rows of a list, by the names of loans, behind `after`, at most `take` (at most [`LOANS_MAX`]).
    ///
    /// # Errors
    /// [`LendingError::Store`].
    pub async fn list(
        &self,
        which: &Which,
        after: Option<&LoanId>,
        take: u32,
    ) -> Result<Vec<Head>, LendingError> {
        Ok(self.store.heads(which, after, take).await?)
    }

    /// Rows of a borrower's loans, at most [`LOANS_MAX`].
    ///
    /// # Errors
    /// [`LendingError::Store`].
    pub async fn loans_of(&self, borrower: &Slug) -> Result<Vec<Head>, LendingError> {
        let which = Which::Of(borrower.clone());
        self.list(&which, None, LOANS_MAX).await
    }

    /// What was asked for about a loan and refused, newest first.
    ///
    /// # Errors
    /// [`LendingError::Store`].
    pub async fn denials(&self, id: &LoanId) -> Result<Vec<Denial>, LendingError> {
        Ok(self.store.denials(id, LOANS_MAX).await?)
    }
}
