//! What a bank lends on: product definitions, each a file that is read and checked once.
//!
//! The kinds are those of the Global Supply Chain Finance Forum's standard definitions: payables
//! finance (confirming), factoring, pre-shipment finance (purchase order) and inventory finance
//! (pledged stock). What a kind requires stands in [`kind`]; how a file is written in [`mod@file`], with
//! an example of each kind in `credit/products`. A definition gives [`Terms`], and
//! [`Definition::schedule`] the schedule of a loan.

pub mod file;
pub mod kind;

use chrono::NaiveDate;
use schemas::config::ConfigError;
use schemas::hash::Hash;
use schemas::ids::Slug;

pub use kind::{Kind, Recourse};

use crate::money::{Money, MoneyError};
use crate::schedule::{
    self, AllocationRule, Calendar, PenaltyTerms, Schedule, ScheduleError, Terms,
};

/// Why a product lends nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductError {
    /// Less or more than it lends.
    #[error("{amount} is not between {minimum} and {maximum}")]
    Amount {
        /// What was asked for.
        amount: Money,
        /// The least.
        minimum: Money,
        /// The most.
        maximum: Money,
    },
    /// Fewer or more instalments than it has: asked for, fewest, most.
    #[error("{0} instalments: {1} to {2} are possible")]
    Instalments(u32, u32, u32),
    /// The calendar is another one than the product names.
    #[error("the calendar `{0}` is needed")]
    Calendar(String),
    /// The amount is in another currency.
    #[error("the amount is refused")]
    Money(#[from] MoneyError),
    /// There is no schedule.
    #[error("there is no schedule")]
    Schedule(#[from] ScheduleError),
}

/// A product as its file defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub id: Slug,
    /// Its version, from 1; a change is a new one.
    pub version: u32,
    /// SHA-256 of its file, which decisions name.
    pub hash: Hash,
    /// What it lends on, and what that requires.
    pub kind: Kind,
    /// The least that it lends.
    pub minimum: Money,
    /// The most that it lends.
    pub maximum: Money,
    /// The fewest instalments.
    pub instalments_min: u32,
    /// The most instalments; the number in `terms`.
    pub instalments_max: u32,
    /// Name of the calendar that due dates are shifted by; none where they are not.
    pub calendar: Option<String>,
    /// Its terms with the most instalments; [`Definition::terms`] has those of a loan.
    pub longest: Terms,
    /// What lateness costs.
    pub penalty: PenaltyTerms,
    /// What a payment pays first.
    pub allocation: AllocationRule,
}

impl Definition {
    /// Reads and checks a definition; its form is that of [`mod@file`].
    ///
    /// # Errors
    /// [`ConfigError`] with line, field and what was expected.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        file::parse(file, text)
    }

    /// The terms of a loan in so many instalments.
    ///
    /// # Errors
    /// [`ProductError::Instalments`]; [`ProductError::Schedule`] if they are too few for the grace.
    pub fn terms(&self, instalments: u32) -> Result<Terms, ProductError> {
        let (min, max) = (self.instalments_min, self.instalments_max);
        if !(min..=max).contains(&instalments) {
            return Err(ProductError::Instalments(instalments, min, max));
        }
        let terms = Terms {
            instalments,
            ..self.longest.clone()
        };
        terms.check().map_err(ScheduleError::from)?;
        Ok(terms)
    }

    /// The schedule of a loan of this product.
    ///
    /// # Errors
    /// [`ProductError`]; nothing is lent on it.
    pub fn schedule(
        &self,
        amount: Money,
        instalments: u32,
        disbursed: NaiveDate,
        calendar: &Calendar,
    ) -> Result<Schedule, ProductError> {
        amount.common(self.maximum)?;
        if !(self.minimum.fen()..=self.maximum.fen()).contains(&amount.fen()) {
            return Err(ProductError::Amount {
                amount,
                minimum: self.minimum,
                maximum: self.maximum,
            });
        }
        if let Some(named) = self
            .calendar
            .as_ref()
            .filter(|named| **named != calendar.id)
        {
            return Err(ProductError::Calendar(named.clone()));
        }
        let terms = self.terms(instalments)?;
        Ok(schedule::calculate(&terms, amount, disbursed, calendar)?)
    }
}

#[cfg(test)]
mod tests;
