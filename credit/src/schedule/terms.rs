//! What a schedule is calculated from.

use serde::Deserialize;

use super::calendar::ShiftRule;
use super::day_count::DayCount;
use super::fees::{Fee, FeeBase, FeeTime};
use super::frequency::{EVERY_MAX, Frequency, Unit};
use super::rate::Rate;
use super::rounding::Rounding;

/// The most instalments of one loan: a hundred years of months, three years of days.
pub const INSTALMENTS_MAX: u32 = 1_200;

/// The largest rounding unit: ten thousand in whole units of a currency.
pub const UNIT_MAX_FEN: u32 = 1_000_000;

/// The most fees of one loan.
pub const FEES_MAX: usize = 16;

/// A term that cannot be, by the name that product files give it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct TermsError {
    /// The field.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl TermsError {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { field, problem }
    }
}

/// What interest is calculated on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterestMethod {
    /// On what is still owed.
    DecliningBalance,
    /// On the whole amount throughout.
    Flat,
}

/// How long a period is for interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accrual {
    /// As long as the day count finds it between its dates.
    ByDays,
    /// As long as every other: a month is a twelfth of a year, whatever its days.
    EqualPeriods,
}

/// How principal is repaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amortisation {
    /// Principal and interest together are the same each time (an annuity).
    EqualInstalments,
    /// Principal is the same each time.
    EqualPrincipal,
    /// All principal with the last instalment.
    Bullet,
}

/// What is not asked for at the beginning, in instalments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// No principal with the first so many.
    pub principal: u32,
    /// Interest of the first so many is due, without interest on it, with the one after them.
    pub interest: u32,
    /// The first so many bear no interest at all.
    pub interest_free: u32,
}

/// What happens to due dates that are no business days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Where they go.
    pub rule: ShiftRule,
    /// Whether interest runs to the moved date (adjusted) or to the regular one (unadjusted).
    pub interest_follows: bool,
}

/// The terms of a loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Interest of a year.
    pub annual_rate: Rate,
    /// On what.
    pub interest: InterestMethod,
    /// Days of a year.
    pub day_count: DayCount,
    /// Length of a period.
    pub accrual: Accrual,
    /// How principal is repaid.
    pub amortisation: Amortisation,
    /// How many instalments, 1 to [`INSTALMENTS_MAX`].
    pub instalments: u32,
    /// How often.
    pub frequency: Frequency,
    /// What is not asked for at the beginning.
    pub grace: Grace,
    /// Holidays.
    pub shift: Shift,
    /// Rounding.
    pub rounding: Rounding,
    /// Fees, at most [`FEES_MAX`].
    pub fees: Vec<Fee>,
}

impl Terms {
    /// Whether a schedule can be calculated from these terms.
    ///
    /// # Errors
    /// [`TermsError`] with the field and what it may be.
    pub fn check(&self) -> Result<(), TermsError> {
        let wrong = |field, problem: &str| Err(TermsError::new(field, problem));
        if !(1..=INSTALMENTS_MAX).contains(&self.instalments) {
            return wrong("repayment.instalments", "1 to 1200 are possible");
        }
        if !(1..=EVERY_MAX).contains(&self.frequency.every) {
            return wrong("repayment.every", "1 to 366 is possible");
        }
        if self.frequency.month_end && self.frequency.unit != Unit::Months {
            return wrong("repayment.month_end", "only months have ends");
        }
        self.check_accrual()?;
        self.check_grace()?;
        let unit = |unit: u32| (1..=UNIT_MAX_FEN).contains(&unit);
        if !unit(self.rounding.interest_unit_fen) {
            return wrong("rounding.interest_unit_fen", "1 to 1000000 is possible");
        }
        if !unit(self.rounding.instalment_unit_fen) {
            return wrong("rounding.instalment_unit_fen", "1 to 1000000 is possible");
        }
        if self.rounding.evened && self.amortisation != Amortisation::EqualInstalments {
            return wrong("rounding.evened", "only equal instalments can be evened");
        }
        self.check_fees()
    }

    fn check_accrual(&self) -> Result<(), TermsError> {
        let counted = self.frequency.whole_period(self.day_count).is_some();
        if self.accrual == Accrual::EqualPeriods && !counted {
            let problem = "equal periods of days or weeks need a year of fixed length, not act/act";
            return Err(TermsError::new("interest.accrual", problem));
        }
        if self.interest == InterestMethod::Flat && self.amortisation == Amortisation::Bullet {
            let problem = "of a bullet it is declining-balance: nothing is repaid before the end";
            return Err(TermsError::new("interest.method", problem));
        }
        Ok(())
    }

    fn check_grace(&self) -> Result<(), TermsError> {
        let fewer = |field, count: u32| {
            if count < self.instalments {
                Ok(())
            } else {
                let problem = format!("fewer than the {} instalments", self.instalments);
                Err(TermsError::new(field, problem))
            }
        };
        fewer("grace.principal", self.grace.principal)?;
        fewer("grace.interest", self.grace.interest)?;
        fewer("grace.interest_free", self.grace.interest_free)?;
        if self.amortisation == Amortisation::Bullet && self.grace.principal > 0 {
            let problem = "a bullet asks for no principal before its end anyway";
            return Err(TermsError::new("grace.principal", problem));
        }
        Ok(())
    }

    fn check_fees(&self) -> Result<(), TermsError> {
        if self.fees.len() > FEES_MAX {
            return Err(TermsError::new("fees", "at most 16"));
        }
        let on_balance = |fee: &&Fee| {
            matches!(fee.base, FeeBase::OfBalance(_)) && fee.when != FeeTime::EachInstalment
        };
        match self.fees.iter().find(on_balance) {
            None => Ok(()),
            Some(fee) => Err(TermsError::new(
                "fees.of",
                format!(
                    "`{}`: a share of the balance is for each-instalment only",
                    fee.name
                ),
            )),
        }
    }
}
