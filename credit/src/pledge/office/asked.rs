//! What people and machines ask for.

use std::time::Duration;

use rust_decimal::Decimal;
use schemas::ids::Slug;

use crate::money::Money;
use crate::pledge::ids::{Key, PledgeId};
use crate::pledge::invoice::Typed;
use crate::pledge::quantity::Quantity;
use crate::pledge::shown::Wanted;
use crate::pledge::value::PriceSource;

/// What is to be pledged.
#[derive(Clone, Debug)]
pub enum Collateral {
    /// An invoice as somebody typed it.
    Invoice(Typed),
    /// Goods that evidence shows.
    Goods(Wanted),
}

/// A pledge that somebody wants to offer.
#[derive(Clone, Debug)]
pub struct Asked {
    /// By which request: the same one again is the same pledge.
    pub request: Key,
    /// Whose goods.
    pub borrower: Slug,
    /// The loan that they secure: a decision's or an offer's id.
    pub loan: Key,
    /// In words, for officers.
    pub what: String,
    /// What is pledged.
    pub collateral: Collateral,
    /// Category of the table of haircuts.
    pub category: Slug,
    /// Price of `per`; an invoice's is its total.
    pub price: Option<Money>,
    /// For how much the price is; for all of it if nothing is said.
    pub per: Option<Quantity>,
    /// By whose word.
    pub price_source: PriceSource,
}

/// What a person does with a pledge.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Puts it in force; another person than who offered it.
    Accept,
    /// Gives it up before it is in force, and why.
    Withdraw(String),
    /// Lets it be drawn on again, and why.
    Thaw(String),
    /// Calls the loan, and why.
    Call(String),
    /// Proposes to end it.
    Propose(Ending),
    /// Takes a proposal back, and why.
    Retract(String),
    /// Ends it as another person has proposed.
    Confirm,
}

impl Deed {
    /// Its word in kept refusals: that of the trail.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Accept => "pledge-accept",
            Self::Withdraw(_) => "pledge-withdraw",
            Self::Thaw(_) => "pledge-thaw",
            Self::Call(_) => "pledge-call",
            Self::Propose(_) => "pledge-propose",
            Self::Retract(_) => "pledge-retract",
            Self::Confirm => "pledge-confirm",
        }
    }
}

/// How a pledge is to end.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The loan is settled: the book has to say so.
    Paid,
    /// Another pledge of the loan covers it.
    Substituted(PledgeId),
    /// The goods were sold or the invoice was collected, for so much.
    Realised(Money),
}

/// Within what a sensor may read.
#[derive(Clone, Debug)]
pub enum Within {
    /// A contract says so.
    Declared {
        /// Least allowed.
        low: Decimal,
        /// Greatest allowed.
        high: Decimal,
        /// Longest allowed silence.
        silence: Duration,
    },
    /// Fitted on the first 5 days of its readings.
    Fitted,
}
