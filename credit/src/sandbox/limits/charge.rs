//! What a request adds to which counter: the part that a store and the model share.

use chrono::NaiveDate;
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

use super::{Exceeded, LimitName, Limits, Request};
use crate::money::Money;

/// A counter. The order is that in which a store locks them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CounterKey {
    /// How many borrowers have taken part.
    Users,
    /// What a borrower owes, in fen.
    Borrower(Slug),
    /// What rests on a buyer, in fen.
    Buyer(Slug),
    /// What was lent on a day, in fen.
    Day(NaiveDate),
    /// What is owed by all, in fen.
    Outstanding,
}

impl CounterKey {
    /// The limit that the counter is held to.
    #[must_use]
    pub const fn limit(&self) -> LimitName {
        match self {
            Self::Users => LimitName::Users,
            Self::Borrower(_) => LimitName::PerBorrower,
            Self::Buyer(_) => LimitName::Concentration,
            Self::Day(_) => LimitName::PerDay,
            Self::Outstanding => LimitName::Outstanding,
        }
    }

    /// Whether a repayment takes from it.
    #[must_use]
    pub const fn is_returned(&self) -> bool {
        match self {
            Self::Borrower(_) | Self::Buyer(_) | Self::Outstanding => true,
            Self::Users | Self::Day(_) => false,
        }
    }
}

/// What is added to a counter, and how far it may go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Which.
    pub key: CounterKey,
    /// One user, or the amount in fen.
    pub add: i64,
    /// The counter is never above this after an addition.
    pub cap: i64,
}

/// What a request adds, in the order of [`CounterKey`]. The charge of [`CounterKey::Users`] counts for
/// a borrower's first loan only: a store adds it where its own row of the borrower is new.
///
/// # Errors
/// [`Exceeded`] for what no counter is needed for: amount, region, group, size, tenor.
pub fn charges(limits: &Limits, request: &Request) -> Result<Vec<Charge>, Exceeded> {
    alone(limits, request)?;
    let fen = request.amount.fen();
    let charge = |key, add, cap| Charge { key, add, cap };
    Ok(vec![
        charge(CounterKey::Users, 1, i64::from(limits.users)),
        charge(
            CounterKey::Borrower(request.borrower.clone()),
            fen,
            limits.per_borrower.fen(),
        ),
        charge(
            CounterKey::Buyer(request.buyer.clone()),
            fen,
            limits.per_buyer_fen(),
        ),
        charge(CounterKey::Day(request.day), fen, limits.per_day.fen()),
        charge(CounterKey::Outstanding, fen, limits.outstanding.fen()),
    ])
}

/// The limits that look at the request alone.
fn alone(limits: &Limits, request: &Request) -> Result<(), Exceeded> {
    for limit in [
        limits.per_loan,
        limits.per_borrower,
        limits.per_day,
        limits.outstanding,
    ] {
        request.amount.common(limit)?;
    }
    if request.amount.fen() == 0 {
        return Err(Exceeded::Nothing);
    }
    if !limits
        .regions
        .iter()
        .any(|one| one.contains(&request.region))
    {
        return Err(Exceeded::NotIncluded {
            limit: LimitName::Regions,
            asked: request.region.to_string(),
        });
    }
    if !limits.groups.contains(&request.group) {
        return Err(Exceeded::NotIncluded {
            limit: LimitName::Groups,
            asked: request.group.to_string(),
        });
    }
    if request.amount.fen() > limits.per_loan.fen() {
        return Err(Exceeded::Amount {
            limit: LimitName::PerLoan,
            value: limits.per_loan,
            used: Money::zero(limits.per_loan.currency()),
            asked: request.amount,
        });
    }
    if request.tenor_days > limits.tenor_days {
        return Err(Exceeded::Number {
            limit: LimitName::Tenor,
            value: limits.tenor_days,
            used: 0,
            asked: request.tenor_days,
        });
    }
    Ok(())
}
