//! Sums of entries: what stands on each account, and whether all of it is zero in the end.

use std::collections::BTreeMap;

use super::account::{Account, Class, Group, Side};
use super::entry::{Entry, Posting};
use crate::money::{Currency, Money, MoneyError};

/// A sum that cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BalanceError {
    /// It does not fit; nothing was added.
    #[error("the sum is too large")]
    Overflow,
    /// The balance stands on the other side of the one asked for.
    #[error("the balance is {0} on the other side")]
    Contrary(Money),
}

/// What was booked on both sides of an account or a class, in fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Sum of the debits.
    pub debit: i128,
    /// Sum of the credits.
    pub credit: i128,
}

impl Balance {
    /// What this side has more than the other, in fen; below zero if it has less.
    ///
    /// # Errors
    /// [`BalanceError::Overflow`].
    pub fn on(self, side: Side) -> Result<i128, BalanceError> {
        let (one, other) = match side {
            Side::Debit => (self.debit, self.credit),
            Side::Credit => (self.credit, self.debit),
        };
        one.checked_sub(other).ok_or(BalanceError::Overflow)
    }

    /// The balance as an amount on a side.
    ///
    /// # Errors
    /// [`BalanceError::Contrary`] if it stands on the other side, [`BalanceError::Overflow`].
    pub fn amount(self, side: Side, currency: Currency) -> Result<Money, BalanceError> {
        let money = |fen: i128| {
            let fen = i64::try_from(fen).map_err(|_| BalanceError::Overflow)?;
            Money::from_fen(fen, currency).map_err(|_: MoneyError| BalanceError::Overflow)
        };
        let fen = self.on(side)?;
        if fen < 0 {
            return Err(BalanceError::Contrary(money(self.on(side.other())?)?));
        }
        money(fen)
    }

    /// Adds to a side.
    ///
    /// # Errors
    /// [`BalanceError::Overflow`]; nothing was added.
    pub fn add(&mut self, side: Side, fen: i128) -> Result<(), BalanceError> {
        let sum = match side {
            Side::Debit => &mut self.debit,
            Side::Credit => &mut self.credit,
        };
        *sum = sum.checked_add(fen).ok_or(BalanceError::Overflow)?;
        Ok(())
    }
}

/// Balances by account and currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances(BTreeMap<(Account, Currency), Balance>);

impl Balances {
    /// Adds an entry.
    ///
    /// # Errors
    /// [`BalanceError::Overflow`].
    pub fn post(&mut self, entry: &Entry) -> Result<(), BalanceError> {
        for Posting {
            account,
            side,
            amount,
        } in entry.postings()
        {
            let fen = i128::from(amount.fen());
            self.add(account.clone(), amount.currency(), *side, fen)?;
        }
        Ok(())
    }

    /// Adds to one account, as a store that has summed postings does.
    ///
    /// # Errors
    /// [`BalanceError::Overflow`].
    pub fn add(
        &mut self,
        account: Account,
        currency: Currency,
        side: Side,
        fen: i128,
    ) -> Result<(), BalanceError> {
        self.0
            .entry((account, currency))
            .or_default()
            .add(side, fen)
    }

    /// What was booked on an account; nothing if it was never used.
    #[must_use]
    pub fn of(&self, account: &Account, currency: Currency) -> Balance {
        let found = self.0.get(&(account.clone(), currency));
        found.copied().unwrap_or_default()
    }

    /// The account's balance as an amount on the normal side of its class.
    ///
    /// # Errors
    /// [`BalanceError::Contrary`] if it stands on the other side, [`BalanceError::Overflow`].
    pub fn amount(&self, account: &Account, currency: Currency) -> Result<Money, BalanceError> {
        let side = account.class().normal_side();
        self.of(account, currency).amount(side, currency)
    }

    /// Every account that was used, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Account, Currency, Balance)> {
        let rows = self.0.iter();
        rows.map(|((account, currency), balance)| (account, *currency, *balance))
    }

    /// The same by class.
    ///
    /// # Errors
    /// [`BalanceError::Overflow`].
    pub fn trial_balance(&self) -> Result<TrialBalance, BalanceError> {
        let mut trial = TrialBalance::default();
        for (account, currency, balance) in self.iter() {
            trial.add(currency, account.class(), Side::Debit, balance.debit)?;
            trial.add(currency, account.class(), Side::Credit, balance.credit)?;
        }
        Ok(trial)
    }
}

/// A book that is not zero in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{currency}: debits are {debit} fen and credits {credit} fen")]
pub struct Imbalance {
    /// In which currency.
    pub currency: Currency,
    /// Sum of the debits.
    pub debit: i128,
    /// Sum of the credits.
    pub credit: i128,
}

/// Sums by currency and class. Debits equal credits in every currency, and among the memo classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrialBalance(BTreeMap<(Currency, Class), Balance>);

impl TrialBalance {
    /// Adds to a class.
    ///
    /// # Errors
    /// [`BalanceError::Overflow`].
    pub fn add(
        &mut self,
        currency: Currency,
        class: Class,
        side: Side,
        fen: i128,
    ) -> Result<(), BalanceError> {
        self.0.entry((currency, class)).or_default().add(side, fen)
    }

    /// What was booked on a class; nothing if it was never used.
    #[must_use]
    pub fn of(&self, currency: Currency, class: Class) -> Balance {
        let found = self.0.get(&(currency, class));
        found.copied().unwrap_or_default()
    }

    /// Every class that was used, by currency and then in the order of statements.
    pub fn iter(&self) -> impl Iterator<Item = (Currency, Class, Balance)> {
        let rows = self.0.iter();
        rows.map(|((currency, class), balance)| (*currency, *class, *balance))
    }

    /// Whether all of it is zero in the end.
    ///
    /// # Errors
    /// [`Imbalance`] of the first currency in which it is not, with the memo classes or among them.
    pub fn check(&self) -> Result<(), Imbalance> {
        let mut sums: BTreeMap<(Currency, bool), Balance> = BTreeMap::new();
        for (currency, class, balance) in self.iter() {
            let sum = sums.entry((currency, class.group() == Group::Memo));
            let sum = sum.or_default();
            sum.debit = sum.debit.saturating_add(balance.debit);
            sum.credit = sum.credit.saturating_add(balance.credit);
        }
        let wrong = sums.into_iter().find(|(_, sum)| sum.debit != sum.credit);
        wrong.map_or(Ok(()), |((currency, _), Balance { debit, credit })| {
            Err(Imbalance {
                currency,
                debit,
                credit,
            })
        })
    }
}
