//! All limits of a trial, and the counting that never overshoots.
//!
//! [`decide`] is pure: limits, what is counted, and a request give a [`Reservation`] or the limit that
//! is [`Exceeded`]. [`Counters`] is the model that a store must behave like. A store does the same
//! without reading first: [`charges`] gives what a request adds to which counter and how far that
//! counter may go; in one transaction, in the order given (so that two transactions never wait for
//! each other), it adds each where `used + add <= cap` and takes nothing if one does not fit. The
//! store's part is [`crate::store::sandbox`]; its contract test runs it beside [`Counters`].
//!
//! Every share is counted in whole numbers: a buyer's part is compared as
//! `exposure * 10000 <= basis points * outstanding limit`, so no rounding can pass a limit. It is a
//! share of what *may* be outstanding: a share of what *is* would be broken by somebody else's
//! repayment, with no request to refuse.

mod charge;
mod counters;
pub mod version;

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

pub use charge::{Charge, CounterKey, charges};
pub use counters::{Counters, ReleaseError, Reservation, decide};
pub use version::{LimitsVersion, Proposal, VersionError, in_force};

use super::codes::RegionCode;
use crate::money::{MAX_AMOUNT_FEN, Money, MoneyError};

/// Basis points in a whole.
pub const WHOLE_BP: u32 = 10_000;

/// Names of the limits, as rows and pages have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    /// How many borrowers take part in all.
    Users,
    /// In which regions.
    Regions,
    /// Of which groups.
    Groups,
    /// The size of one loan.
    PerLoan,
    /// What one borrower owes at once.
    PerBorrower,
    /// What is lent on one day.
    PerDay,
    /// What is owed at once by all.
    Outstanding,
    /// What rests on one buyer at once, as a share of [`LimitName::Outstanding`].
    Concentration,
    /// How long a loan takes.
    Tenor,
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// All limits of a trial. All amounts are of one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The most borrowers that ever take part; one who has repaid stays counted.
    pub users: u32,
    /// Where borrowers may be; a province holds its cities.
    pub regions: BTreeSet<RegionCode>,
    /// Which groups may borrow, such as `micro-enterprise`.
    pub groups: BTreeSet<Slug>,
    /// The most that one loan may be.
    pub per_loan: Money,
    /// The most that one borrower may owe at once.
    pub per_borrower: Money,
    /// The most that may be lent on one day; a repayment gives nothing of it back.
    pub per_day: Money,
    /// The most that may be owed at once.
    pub outstanding: Money,
    /// The most that may rest on one buyer, in basis points of `outstanding`; 0 to 10,000.
    pub concentration_bp: u32,
    /// The longest loan in days.
    pub tenor_days: u32,
}

/// Limits that contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{limit}: {problem}")]
pub struct LimitsError {
    /// Which.
    pub limit: LimitName,
    /// What is wrong.
    pub problem: &'static str,
}

impl Limits {
    /// Whether one currency is used and no limit is out of its range. A limit of zero is possible: it
    /// stops what it is about. None is above [`MAX_AMOUNT_FEN`]: it could be written down and not read
    /// again, and sums of what is below it overflow nothing.
    ///
    /// # Errors
    /// [`LimitsError`] for the first one that is wrong.
    pub fn check(&self) -> Result<(), LimitsError> {
        let wrong = |limit, problem| Err(LimitsError { limit, problem });
        let amounts = [
            (LimitName::PerLoan, self.per_loan),
            (LimitName::PerBorrower, self.per_borrower),
            (LimitName::PerDay, self.per_day),
            (LimitName::Outstanding, self.outstanding),
        ];
        for (limit, amount) in amounts {
            if amount.common(self.outstanding).is_err() {
                return wrong(limit, "the currency is that of `outstanding`");
            }
            if amount.fen() > MAX_AMOUNT_FEN {
                return wrong(limit, "more than an amount may be");
            }
        }
        if self.concentration_bp > WHOLE_BP {
            return wrong(LimitName::Concentration, "at most 10000 basis points");
        }
        Ok(())
    }

    /// The most that may rest on one buyer: the largest whole fen within the share.
    #[must_use]
    pub fn per_buyer_fen(&self) -> i64 {
        let share = i128::from(self.outstanding.fen()) * i128::from(self.concentration_bp);
        // A share of an i64 that is at most the whole fits.
        i64::try_from(share / i128::from(WHOLE_BP)).unwrap_or(i64::MAX)
    }
}

/// A loan that somebody wants to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its reservation's id: the same id is the same loan.
    pub id: Slug,
    /// Who borrows.
    pub borrower: Slug,
    /// Who pays in the end.
    pub buyer: Slug,
    /// Where the borrower is.
    pub region: RegionCode,
    /// Of which group.
    pub group: Slug,
    /// How much.
    pub amount: Money,
    /// How long, in days.
    pub tenor_days: u32,
    /// On which day it is lent.
    pub day: NaiveDate,
}

/// Why nothing is reserved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// An amount of money would go beyond its limit.
    #[error("{limit}: {asked} is asked for, {used} of {value} is used")]
    Amount {
        /// Which.
        limit: LimitName,
        /// The limit.
        value: Money,
        /// What is used of it.
        used: Money,
        /// What was asked for.
        asked: Money,
    },
    /// A number would go beyond its limit.
    #[error("{limit}: {asked} more is asked for, {used} of {value} is used")]
    Number {
        /// Which.
        limit: LimitName,
        /// The limit.
        value: u32,
        /// What is used of it.
        used: u32,
        /// What was asked for.
        asked: u32,
    },
    /// A region or group that does not take part.
    #[error("{limit}: `{asked}` does not take part")]
    NotIncluded {
        /// Which.
        limit: LimitName,
        /// What was asked for.
        asked: String,
    },
    /// Nothing, or an amount in another currency.
    #[error("the amount is refused")]
    Money(#[from] MoneyError),
    /// A loan of nothing.
    #[error("a loan of nothing is none")]
    Nothing,
    /// The id was used for another request.
    #[error("`{0}` is the id of another request")]
    Id(Slug),
}

impl Exceeded {
    /// The limit; none where the request itself was wrong.
    #[must_use]
    pub const fn limit(&self) -> Option<LimitName> {
        match self {
            Self::Amount { limit, .. }
            | Self::Number { limit, .. }
            | Self::NotIncluded { limit, .. } => Some(*limit),
            Self::Money(_) | Self::Nothing | Self::Id(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
