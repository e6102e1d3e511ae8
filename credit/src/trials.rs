//! The trial of the sandbox at work: what the rules of [`crate::sandbox`] and the tables of
//! [`crate::store::sandbox`] are used for in the service.
//!
//! - [`Lender`]: what a decision reads of the trial, and its offer with its room.
//! - [`Office`]: what people decide about the trial, two of them where two are needed; problems,
//!   complaints and incidents that they write down; what the regulator may do.
//! - [`watch`]: the stop-loss, every minute.
//! - [`month`]: the monthly report with its sheet.
//!
//! Hashes of the declaration, limits, rules and reports are named for the log by
//! [`Trials::log_entries`](crate::store::sandbox::Trials::log_entries) and served at `/v1/trial/log`;
//! [`Logged`](crate::logged::Logged) hands over those that are not there yet.
//!
//! Everything is by the injected clock. A trial is named by `[trial]` in the configuration, which
//! names the file of its declaration; without it a bank has two limits of its configuration and no
//! trial.

pub mod act;
pub mod lender;
pub mod month;
pub mod office;
mod room;
pub mod rows;
pub mod sheet;
pub mod start;
pub mod state;
pub mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;
use schemas::ids::Slug;

pub use act::ActError;
pub use lender::Lender;
pub use office::Office;
pub use rows::{LentLoans, Loans};
pub use start::{StartTrialError, start};
pub use state::{Gauge, Proposed, State};

use crate::money::{Currency, Money};
use crate::sandbox::codes::RegionCode;
use crate::sandbox::limits::Request;

/// Who pays, where nobody has said who: all such loans count as one buyer's, so that the limit of
/// concentration holds whoever it is.
pub const UNNAMED: &str = "unnamed";

/// What the configuration says of a trial.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Its name, which is the declaration's project.
    pub trial: Slug,
    /// Its currency.
    pub currency: Currency,
    /// The file of its declaration.
    pub declaration: PathBuf,
    /// For how long an offer is made, in days: what the limit of the tenor is held against.
    pub tenor_days: u32,
    /// Where a borrower is that is not in the list, and of which group.
    pub usual: Place,
    /// Borrowers of whom more is known.
    pub borrowers: BTreeMap<Slug, Place>,
}

/// Where a borrower is, of which group, and who pays for its deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Region.
    pub region: RegionCode,
    /// Group, such as `micro-enterprise`.
    pub group: Slug,
    /// Who pays in the end; [`UNNAMED`] if nobody has said.
    pub buyer: Option<Slug>,
}

impl Terms {
    /// What a loan asks of the limits.
    #[must_use]
    pub fn request(&self, id: Slug, borrower: &Slug, amount: Money, day: NaiveDate) -> Request {
        let place = self.borrowers.get(borrower).unwrap_or(&self.usual);
        Request {
            id,
            borrower: borrower.clone(),
            buyer: self.buyer(borrower),
            region: place.region.clone(),
            group: place.group.clone(),
            amount,
            tenor_days: self.tenor_days,
            day,
        }
    }

    /// Who pays for a borrower's deliveries.
    #[must_use]
    pub fn buyer(&self, borrower: &Slug) -> Slug {
        let place = self.borrowers.get(borrower).unwrap_or(&self.usual);
        // The constant is a slug; a borrower's own name would be the next best thing to count by.
        let unnamed = || UNNAMED.parse().unwrap_or_else(|_| borrower.clone());
        place.buyer.clone().unwrap_or_else(unnamed)
    }
}

#[cfg(test)]
pub(crate) mod tests;
