//! Debts of many loans, added up row by row: what the stop-loss reads each minute without reading
//! every row again.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemas::ids::Slug;

use super::row::{Fact, Principal, Row, RowsError};
use crate::money::{Currency, Money, MoneyError};

/// What the rows of loans have come to.
#[derive(Clone, Debug)]
pub struct Tally {
    currency: Currency,
    loans: BTreeMap<Slug, Debt>,
}

/// One loan, in fen.
#[derive(Clone, Debug, Default)]
struct Debt {
    lent: i64,
    /// Repaid and written off.
    settled: i64,
    written_off: i64,
    recovered: i64,
    /// Whether anything was ever written off, be it nothing.
    is_lost: bool,
    due: Vec<(NaiveDate, i64)>,
}

/// Debts as of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debts {
    /// What is owed.
    pub outstanding: Money,
    /// What of it was due before the day.
    pub overdue: Money,
    /// What was given up and has not come back.
    pub loss: Money,
}

impl Debts {
    /// None.
    #[must_use]
    pub const fn none(currency: Currency) -> Self {
        let nothing = Money::zero(currency);
        Self {
            outstanding: nothing,
            overdue: nothing,
            loss: nothing,
        }
    }
}

impl Tally {
    /// Of no loans.
    #[must_use]
    pub const fn new(currency: Currency) -> Self {
        let loans = BTreeMap::new();
        Self { currency, loans }
    }

    /// Adds a row behind those of its loan. Rows that are of no loan change nothing.
    ///
    /// # Errors
    /// [`RowsError`] for a row that does not fit; nothing was added then.
    pub fn add(&mut self, row: &Row) -> Result<(), RowsError> {
        match &row.fact {
            Fact::Disbursed { loan, amount, .. } => self.open(row, loan, *amount),
            Fact::Scheduled { loan, due } => self.schedule(row, loan, due),
            Fact::Repaid { loan, amount } => self.debt(row, loan, *amount)?.settle(loan, *amount),
            Fact::Unpaid { loan, amount } => {
                let debt = self.debt(row, loan, *amount)?;
                let settled = debt.settled - amount.fen();
                if settled < debt.written_off {
                    return Err(RowsError::Unpaid(loan.clone()));
                }
                debt.settled = settled;
                Ok(())
            }
            Fact::WrittenOff { loan, amount } => {
                let debt = self.debt(row, loan, *amount)?;
                debt.settle(loan, *amount)?;
                debt.written_off = debt.written_off.saturating_add(amount.fen());
                debt.is_lost = true;
                Ok(())
            }
            Fact::Recovered { loan, amount } => self.recover(row, loan, *amount, amount.fen()),
            Fact::Unrecovered { loan, amount } => self.recover(row, loan, *amount, -amount.fen()),
            _ => Ok(()),
        }
    }

    fn open(&mut self, row: &Row, loan: &Slug, amount: Money) -> Result<(), RowsError> {
        amount.common(Money::zero(self.currency))?;
        if self.loans.contains_key(loan) {
            let (row, loan) = (row.id.clone(), loan.clone());
            return Err(RowsError::Twice { row, loan });
        }
        let debt = Debt {
            lent: amount.fen(),
            ..Debt::default()
        };
        self.loans.insert(loan.clone(), debt);
        Ok(())
    }

    fn schedule(&mut self, row: &Row, loan: &Slug, due: &[Principal]) -> Result<(), RowsError> {
        let nothing = Money::zero(self.currency);
        for one in due {
            one.amount.common(nothing)?;
        }
        let debt = self.debt(row, loan, nothing)?;
        debt.due = due.iter().map(|one| (one.on, one.amount.fen())).collect();
        Ok(())
    }

    fn recover(
        &mut self,
        row: &Row,
        loan: &Slug,
        amount: Money,
        fen: i64,
    ) -> Result<(), RowsError> {
        let debt = self.debt(row, loan, amount)?;
        if !debt.is_lost {
            let (row, loan) = (row.id.clone(), loan.clone());
            return Err(RowsError::NoLoss { row, loan });
        }
        debt.recovered = debt.recovered.saturating_add(fen);
        Ok(())
    }

    fn debt(&mut self, row: &Row, loan: &Slug, amount: Money) -> Result<&mut Debt, RowsError> {
        amount.common(Money::zero(self.currency))?;
        let none = || RowsError::Loan {
            row: row.id.clone(),
            loan: loan.clone(),
        };
        self.loans.get_mut(loan).ok_or_else(none)
    }

    /// Debts as of a day. Looks at every loan, and reads nothing.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if amounts together do not fit.
    pub fn debts(&self, day: NaiveDate) -> Result<Debts, MoneyError> {
        let (mut owed, mut overdue, mut loss) = (0i128, 0i128, 0i128);
        for debt in self.loans.values() {
            owed += i128::from(debt.owed());
            overdue += i128::from(debt.overdue(day));
            loss += i128::from(debt.loss());
        }
        let money = |fen: i128| {
            let fen = i64::try_from(fen).map_err(|_| MoneyError::Overflow)?;
            Money::from_fen(fen, self.currency)
        };
        Ok(Debts {
            outstanding: money(owed)?,
            overdue: money(overdue)?,
            loss: money(loss)?,
        })
    }

    /// What a loan owes, in fen; none if it was never paid out.
    #[must_use]
    pub fn owed(&self, loan: &Slug) -> Option<i64> {
        self.loans.get(loan).map(Debt::owed)
    }

    /// What of a loan was due before a day and is owed, in fen; none if it was never paid out.
    #[must_use]
    pub fn overdue(&self, loan: &Slug, day: NaiveDate) -> Option<i64> {
        self.loans.get(loan).map(|debt| debt.overdue(day))
    }
}

impl Debt {
    fn settle(&mut self, loan: &Slug, amount: Money) -> Result<(), RowsError> {
        let settled = self.settled.saturating_add(amount.fen());
        if settled > self.lent {
            return Err(RowsError::Settled(loan.clone()));
        }
        self.settled = settled;
        Ok(())
    }

    const fn owed(&self) -> i64 {
        self.lent.saturating_sub(self.settled)
    }

    fn overdue(&self, before: NaiveDate) -> i64 {
        let due = self.due.iter().filter(|(on, _)| *on < before);
        let due = due.fold(0i64, |sum, (_, fen)| sum.saturating_add(*fen));
        due.saturating_sub(self.settled).max(0)
    }

    fn loss(&self) -> i64 {
        net(self.written_off, self.recovered)
    }
}

/// What is lost of what was given up, once so much came back of it: never less than nothing.
pub(super) fn net(written_off: i64, recovered: i64) -> i64 {
    written_off.saturating_sub(recovered).max(0)
}
