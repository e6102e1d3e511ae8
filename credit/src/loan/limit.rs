//! How much may be lent: the smallest of the product's cap, a multiple of confirmed turnover, and
//! what the sandbox leaves.

use serde::{Deserialize, Serialize};

use super::application::Product;
use crate::facts::Facts;
use crate::money::{Money, MoneyError};
use crate::sandbox::Sandbox;

/// How the turnover's multiple becomes an amount: see [`Money::times_floor`].
pub const ROUNDING: &str = "floor to a whole fen";

/// What a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The product's cap.
    ProductCap,
    /// The multiple of verified confirmed turnover.
    ConfirmedTurnover,
    /// The sandbox's limit for one loan.
    SandboxPerLoan,
    /// What is free under the sandbox's outstanding limit.
    SandboxFree,
    /// What the sandbox leaves for this borrower.
    SandboxBorrower,
    /// What the sandbox leaves for the buyer who pays in the end.
    SandboxBuyer,
    /// What the sandbox leaves for this day.
    SandboxDay,
}

/// A limit with everything that it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The smallest part.
    pub amount: Money,
    /// Which part that is, the first of [`Limit::parts`] if several are equal.
    pub bound: Bound,
    /// Every part.
    pub parts: Vec<Part>,
    /// How the turnover's multiple was rounded.
    pub rounding: String,
}

/// One part of a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it comes from.
    pub bound: Bound,
    /// How much it allows.
    pub amount: Money,
}

/// The limit of a supplier for a product.
///
/// # Errors
/// [`MoneyError`] if the product and the sandbox speak of different currencies, or an amount does
/// not fit.
pub fn limit(facts: &Facts, product: &Product, sandbox: &Sandbox) -> Result<Limit, MoneyError> {
    let currency = product.cap.currency();
    let turnover_fen = facts.confirmed_fen(currency).unwrap_or(0);
    let turnover =
        Money::from_fen(turnover_fen, currency)?.times_floor(product.turnover_multiple)?;
    let mut parts = vec![
        Part {
            bound: Bound::ProductCap,
            amount: product.cap,
        },
        Part {
            bound: Bound::ConfirmedTurnover,
            amount: turnover,
        },
        Part {
            bound: Bound::SandboxPerLoan,
            amount: sandbox.limits.per_loan,
        },
        Part {
            bound: Bound::SandboxFree,
            amount: sandbox.free()?,
        },
    ];
    if let Some(room) = sandbox.room {
        let part = |bound, amount| Part { bound, amount };
        parts.extend([
            part(Bound::SandboxBorrower, room.borrower),
            part(Bound::SandboxBuyer, room.buyer),
            part(Bound::SandboxDay, room.day),
        ]);
    }
    let (mut amount, mut bound) = (product.cap, Bound::ProductCap);
    for part in &parts {
        if part.amount.min(amount)? != amount {
            (amount, bound) = (part.amount, part.bound);
        }
    }
    Ok(Limit {
        amount,
        bound,
        parts,
        rounding: ROUNDING.to_owned(),
    })
}
