//! Penalty interest on what is overdue.

use chrono::NaiveDate;
use serde::Deserialize;

use super::ScheduleError;
use super::allocation::Due;
use super::day_count::DayCount;
use super::rate::{PER_ONE, Rate};
use super::rounding::Rounding;
use crate::money::{Currency, Money, MoneyError};

/// What of an overdue instalment bears penalty interest. Fees and penalties never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PenaltyBase {
    /// Its principal.
    Principal,
    /// Its principal and interest.
    PrincipalAndInterest,
}

/// How lateness is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PenaltyTerms {
    /// Of a year; in place of the loan's own rate or beside it is for the product to say.
    pub annual_rate: Rate,
    /// How days are counted.
    pub day_count: DayCount,
    /// Paid within so many days after the due date, nothing is charged; later, all days are.
    pub grace_days: u32,
    /// On what.
    pub on: PenaltyBase,
}

/// An overdue amount that stayed the same from one day to another, the last one not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// What was not paid.
    pub amount: Money,
    /// From this day, the due date or the day of a payment.
    pub from: NaiveDate,
    /// To this day, that of the next payment or the one that is calculated for.
    pub until: NaiveDate,
}

impl PenaltyTerms {
    /// What of an unpaid instalment bears penalty interest.
    ///
    /// # Errors
    /// [`MoneyError`] for two currencies and an overflow.
    pub fn base(&self, unpaid: &Due) -> Result<Money, MoneyError> {
        match self.on {
            PenaltyBase::Principal => Ok(unpaid.principal),
            PenaltyBase::PrincipalAndInterest => unpaid.principal.plus(unpaid.interest),
        }
    }

    /// Penalty interest of one instalment over the spans in which it was overdue. It is rounded
    /// once, at the end: by actual days, spans may be split anywhere without changing it.
    ///
    /// # Errors
    /// [`ScheduleError::Span`] for a span that begins before the due date or within the one before
    /// it or ends before it begins, [`ScheduleError::Money`] for another currency,
    /// [`ScheduleError::Overflow`].
    pub fn penalty(
        &self,
        rounding: &Rounding,
        currency: Currency,
        due: NaiveDate,
        spans: &[Overdue],
    ) -> Result<Money, ScheduleError> {
        let mut until = due;
        let mut numerator: i128 = 0;
        for span in spans {
            span.amount.common(Money::zero(currency))?;
            if span.from < until || span.until < span.from {
                return Err(ScheduleError::Span(span.from));
            }
            until = span.until;
            let units = self.day_count.fraction(span.from, span.until).units;
            numerator = i128::from(span.amount.fen())
                .checked_mul(units.into())
                .and_then(|part| numerator.checked_add(part))
                .ok_or(ScheduleError::Overflow)?;
        }
        if until.signed_duration_since(due).num_days() <= i64::from(self.grace_days) {
            return Ok(Money::zero(currency));
        }
        let rate = i128::from(self.annual_rate.hundred_millionths());
        let product = numerator.checked_mul(rate).ok_or(ScheduleError::Overflow)?;
        let year = i128::from(PER_ONE) * i128::from(self.day_count.per_year());
        let fen = rounding.interest(product, year)?;
        Ok(Money::from_fen(fen, currency)?)
    }
}
