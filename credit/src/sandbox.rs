//! The sandbox that a trial runs in.
//!
//! [`Sandbox`] here is what a decision reads of the trial that it is made under: the size of one loan,
//! what may be outstanding, and the [`Headroom`] that the other limits leave. All of them are enforced
//! where the offer is kept ([`crate::store::sandbox`]), in the transaction of its decision. A bank that
//! has declared no trial has the two limits of its configuration ([`Limits`]) and nothing else.
//!
//! The modules are the pure core of the whole sandbox, without clock and I/O: the [`declaration`] as
//! a checked file with versions, the [`stage`] of a trial and who may move it, all [`limits`] with
//! their counting, the automatic [`stop_loss`], and the monthly [`report`] from the rows of
//! [`indicators`]. [`codes`] reads the identifiers of institutions and regions. What the authorities'
//! own standards of the sandbox ask for is known here from public descriptions only: nothing here
//! claims to conform to them.

pub mod codes;
pub mod declaration;
pub mod indicators;
pub mod limits;
pub mod report;
pub mod stage;
pub mod stop_loss;

use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

use crate::money::{Money, MoneyError};

/// The declared limits of a sandbox trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The trial.
    pub id: Slug,
    /// Version of the declaration, from 1; other numbers need a higher one.
    pub version: u32,
    /// The most that one loan may be.
    pub per_loan: Money,
    /// The most that may be outstanding at once; same currency.
    pub outstanding: Money,
}

/// Limits and how much of them is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The limits.
    pub limits: Limits,
    /// Offered and not yet returned.
    pub used: Money,
    /// What the other limits of a declared trial leave; absent where only the two above are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<Headroom>,
}

/// What the limits of a trial leave for one loan, beside its size and what may be outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headroom {
    /// Of the borrower.
    pub borrower: Money,
    /// Of the buyer who pays in the end.
    pub buyer: Money,
    /// Of the day.
    pub day: Money,
}

impl Sandbox {
    /// What may still be offered in all; nothing if the limits were lowered below the use.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] if limits and use speak of different currencies.
    pub fn free(&self) -> Result<Money, MoneyError> {
        match self.limits.outstanding.minus(self.used) {
            Err(MoneyError::Negative) => Ok(Money::zero(self.used.currency())),
            other => other,
        }
    }
}
