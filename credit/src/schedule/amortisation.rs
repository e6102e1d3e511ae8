//! Principal and interest of each instalment, in whole fen.
//!
//! Interest is rounded once from exact whole numbers. Only the annuity's factor is a decimal, of 28
//! places: an instalment is not exact anyway, and the last one takes what it leaves.

use rust_decimal::Decimal;

use super::ScheduleError;
use super::day_count::YearFraction;
use super::rate::PER_ONE;
use super::terms::{Amortisation, InterestMethod, Terms};

/// How often an equal instalment is moved at most; one or two moves are usual.
const EVENING_MAX: u32 = 8;

/// Principal and interest of an instalment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) principal: i64,
    pub(super) interest: i64,
}

impl Row {
    fn total(self) -> Result<i64, ScheduleError> {
        let total = self.principal.checked_add(self.interest);
        total.ok_or(ScheduleError::Overflow)
    }
}

/// A loan while it is split: all fractions have one `per_year`, and there is one at least.
pub(super) struct Split<'a> {
    pub(super) terms: &'a Terms,
    pub(super) principal: i64,
    pub(super) fractions: &'a [YearFraction],
}

impl Split<'_> {
    /// One row for each fraction; principal sums to the whole.
    pub(super) fn rows(&self) -> Result<Vec<Row>, ScheduleError> {
        let mut rows = match self.terms.amortisation {
            Amortisation::Bullet => self.walk(|_, _| 0)?,
            Amortisation::EqualPrincipal => {
                let share = self.equal_share()?;
                self.walk(|_, _| share)?
            }
            Amortisation::EqualInstalments => self.equal_instalments()?,
        };
        self.defer_interest(&mut rows)?;
        Ok(rows)
    }

    /// Goes through the periods; `part` says the principal of an instalment from its interest and
    /// the number of fen still owed.
    fn walk(&self, part: impl Fn(i64, i64) -> i64) -> Result<Vec<Row>, ScheduleError> {
        let last = self.fractions.len() - 1;
        let mut balance = self.principal;
        let mut charged: i64 = 0;
        let mut rows = Vec::with_capacity(self.fractions.len());
        for number in 0..=last {
            let interest = if number == last && self.terms.interest == InterestMethod::Flat {
                self.flat_interest()?.saturating_sub(charged).max(0)
            } else {
                self.interest_of(number, balance)?
            };
            let principal = if number == last {
                balance
            } else if number < self.terms.grace.principal as usize {
                0
            } else {
                part(interest, balance).clamp(0, balance)
            };
            balance -= principal;
            charged = charged
                .checked_add(interest)
                .ok_or(ScheduleError::Overflow)?;
            rows.push(Row {
                principal,
                interest,
            });
        }
        Ok(rows)
    }

    fn interest_of(&self, number: usize, balance: i64) -> Result<i64, ScheduleError> {
        if number < self.terms.grace.interest_free as usize {
            return Ok(0);
        }
        let owed = match self.terms.interest {
            InterestMethod::DecliningBalance => balance,
            InterestMethod::Flat => self.principal,
        };
        self.accrued(owed, self.fractions[number].units)
    }

    /// Flat interest of the whole loan, rounded once.
    fn flat_interest(&self) -> Result<i64, ScheduleError> {
        self.accrued(self.principal, self.units_from(0)?)
    }

    /// Units of the periods from a number on that bear interest.
    fn units_from(&self, first: usize) -> Result<i64, ScheduleError> {
        let first = first.max(self.terms.grace.interest_free as usize);
        let mut units = self.fractions.iter().skip(first).map(|part| part.units);
        units
            .try_fold(0i64, i64::checked_add)
            .ok_or(ScheduleError::Overflow)
    }

    fn accrued(&self, owed: i64, units: i64) -> Result<i64, ScheduleError> {
        let product = i128::from(owed)
            .checked_mul(self.rate())
            .and_then(|product| product.checked_mul(units.into()));
        let numerator = product.ok_or(ScheduleError::Overflow)?;
        self.terms.rounding.interest(numerator, self.denominator())
    }

    fn rate(&self) -> i128 {
        self.terms.annual_rate.hundred_millionths().into()
    }

    /// What `rate * units` is held against.
    fn denominator(&self) -> i128 {
        i128::from(PER_ONE) * i128::from(self.fractions[0].per_year)
    }

    /// How many instalments repay principal.
    fn repaying(&self) -> i128 {
        (self.fractions.len() - self.terms.grace.principal as usize) as i128
    }

    fn equal_share(&self) -> Result<i64, ScheduleError> {
        let rounding = &self.terms.rounding;
        rounding.instalment(self.principal.into(), self.repaying())
    }

    fn equal_instalments(&self) -> Result<Vec<Row>, ScheduleError> {
        let mut level = match self.terms.interest {
            InterestMethod::DecliningBalance => self.annuity()?,
            InterestMethod::Flat => self.flat_instalment()?,
        };
        let with = |level: i64| self.walk(|interest, _| level.saturating_sub(interest));
        let mut rows = with(level)?;
        if !self.terms.rounding.evened {
            return Ok(rows);
        }
        for _ in 0..EVENING_MAX {
            let off = self.off(&rows, level)?;
            let moved = level.checked_add(self.share_of(off)?);
            let moved = moved.ok_or(ScheduleError::Overflow)?;
            let other = with(moved)?;
            if moved == level || self.off(&other, moved)?.unsigned_abs() >= off.unsigned_abs() {
                break;
            }
            (level, rows) = (moved, other);
        }
        Ok(rows)
    }

    /// By how much the last instalment is above the others.
    fn off(&self, rows: &[Row], level: i64) -> Result<i64, ScheduleError> {
        let last = rows.last().map_or(Ok(level), |row| row.total())?;
        last.checked_sub(level).ok_or(ScheduleError::Overflow)
    }

    /// A deviation shared among the repaying instalments, in units, with its sign.
    fn share_of(&self, off: i64) -> Result<i64, ScheduleError> {
        let size = i128::from(off.unsigned_abs());
        let share = self.terms.rounding.instalment(size, self.repaying())?;
        Ok(if off < 0 { -share } else { share })
    }

    /// The amount which, discounted over the repaying periods, is worth the principal.
    fn annuity(&self) -> Result<i64, ScheduleError> {
        let whole = |number: i128| {
            Decimal::try_from_i128_with_scale(number, 0).map_err(|_| ScheduleError::Overflow)
        };
        let base = whole(self.denominator())?;
        let mut worth = Decimal::ONE;
        let mut sum = Decimal::ZERO;
        let first = self.terms.grace.principal as usize;
        for (number, fraction) in self.fractions.iter().enumerate().skip(first) {
            let free = number < self.terms.grace.interest_free as usize;
            let units = if free { 0 } else { fraction.units };
            let grown = base + whole(self.rate() * i128::from(units))?;
            worth = worth
                .checked_mul(base)
                .and_then(|product| product.checked_div(grown))
                .ok_or(ScheduleError::Overflow)?;
            sum += worth;
        }
        let level = Decimal::from(self.principal).checked_div(sum);
        let level = level.ok_or(ScheduleError::Overflow)?;
        self.terms.rounding.instalment_of(level)
    }

    /// An equal share of principal and of the flat interest of the repaying periods.
    fn flat_instalment(&self) -> Result<i64, ScheduleError> {
        let units = self.units_from(self.terms.grace.principal as usize)?;
        let grown = self
            .rate()
            .checked_mul(units.into())
            .and_then(|part| part.checked_add(self.denominator()))
            .and_then(|factor| factor.checked_mul(self.principal.into()));
        let numerator = grown.ok_or(ScheduleError::Overflow)?;
        let denominator = self.denominator() * self.repaying();
        self.terms.rounding.instalment(numerator, denominator)
    }

    fn defer_interest(&self, rows: &mut [Row]) -> Result<(), ScheduleError> {
        let grace = self.terms.grace.interest as usize;
        let mut deferred: i64 = 0;
        for row in rows.iter_mut().take(grace) {
            deferred = deferred
                .checked_add(std::mem::take(&mut row.interest))
                .ok_or(ScheduleError::Overflow)?;
        }
        if let Some(row) = rows.get_mut(grace) {
            row.interest = row
                .interest
                .checked_add(deferred)
                .ok_or(ScheduleError::Overflow)?;
        }
        Ok(())
    }
}
