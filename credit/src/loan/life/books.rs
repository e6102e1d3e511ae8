//! What a loan has on each account, and what each step of it books.
//!
//! Every step moves amounts from an account to another, so that the books of a loan always sum to
//! zero; what a step moved in all is its booking, and a booking becomes a ledger entry.

use chrono::NaiveDate;

use super::act::Key;
use super::refused::Refused;
use crate::ledger::{self, Account, Class, Entry, EntryKey, EntryKind, LoanId, Posting, Side};
use crate::money::{Currency, Money, MoneyError};

/// How many classes there are.
const CLASSES: usize = Class::ALL.len();

/// What a booking is about; with its kind it is the booking's name within the loan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A day of the daily run.
    Day(NaiveDate),
    /// An instalment that fell due.
    Due(u32),
    /// An act of somebody.
    Act(Key),
}

impl Cause {
    fn key(&self) -> Key {
        match self {
            Self::Day(day) => Key::day(*day),
            Self::Due(number) => Key::due(*number),
            Self::Act(key) => key.clone(),
        }
    }
}

/// What a step books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// What it is about.
    pub cause: Cause,
    /// What kind of entry it is.
    pub kind: EntryKind,
    /// The day that it counts from.
    pub value: NaiveDate,
    /// Accounts in the order of [`Class::ALL`], each once, with its side and what it moved.
    pub lines: Vec<(Class, Side, Money)>,
}

impl Booking {
    /// Its ledger entry: the first one of its cause and kind, or the one of a correction.
    pub(super) fn entry(&self, loan: &LoanId, by: Option<Correction>) -> Result<Entry, Refused> {
        let postings = self.lines.iter().map(|(class, side, amount)| Posting {
            account: Account::of(*class, loan),
            side: *side,
            amount: *amount,
        });
        let corrects = by.filter(|by| by.replaces).map(|by| by.before);
        let corrects = corrects.map(|before| self.key(loan, before)).transpose()?;
        Ok(Entry::new(ledger::Draft {
            key: self.key(loan, by.map_or(0, |by| by.number))?,
            booked: self.value,
            kind: self.kind,
            loan: Some(loan.clone()),
            corrects,
            postings: postings.collect(),
        })?)
    }

    /// The entry that takes back what correction `before` (0: none) had booked.
    pub(super) fn reversal(
        &self,
        loan: &LoanId,
        before: u32,
        number: u32,
    ) -> Result<Entry, Refused> {
        let first = Correction {
            number: before,
            before: 0,
            replaces: false,
        };
        let entry = self.entry(loan, Some(first))?;
        let key = format!("{}/r{number}", self.text(loan));
        Ok(entry.reversal(key.parse()?, self.value)?)
    }

    fn text(&self, loan: &LoanId) -> String {
        format!("{loan}/{}/{}", self.cause.key(), self.kind.word())
    }

    fn key(&self, loan: &LoanId, number: u32) -> Result<EntryKey, Refused> {
        let text = self.text(loan);
        Ok(match number {
            0 => text.parse(),
            number => format!("{text}/{number}").parse(),
        }?)
    }
}

/// A correction of what was booked: the acts of a loan are numbered from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Correction {
    /// Number of the act that corrects.
    pub(super) number: u32,
    /// Number of the act that booked it last; 0 for the first time.
    pub(super) before: u32,
    /// Whether something was booked before.
    pub(super) replaces: bool,
}

/// Balances of one loan in fen, debits above zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    currency: Currency,
    fen: [i64; CLASSES],
}

impl Books {
    pub(super) const fn new(currency: Currency) -> Self {
        Self {
            currency,
            fen: [0; CLASSES],
        }
    }

    /// Balances as they were kept, in the order of [`Class::ALL`].
    pub(super) fn of_fen(currency: Currency, fen: &[i64]) -> Option<Self> {
        let fen = fen.try_into().ok()?;
        Some(Self { currency, fen })
    }

    /// Fen on an account, debits above zero and credits below.
    #[must_use]
    pub const fn fen(&self, class: Class) -> i64 {
        self.fen[class as usize]
    }

    /// The balance on the account's normal side.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] if it stands on the other side.
    pub fn amount(&self, class: Class) -> Result<Money, MoneyError> {
        let fen = match class.normal_side() {
            Side::Debit => self.fen(class),
            Side::Credit => -self.fen(class),
        };
        Money::from_fen(fen, self.currency)
    }

    /// The currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// Takes a draft in, and gives its booking if it moved anything.
    pub(super) fn book(
        &mut self,
        draft: &Draft,
        cause: Cause,
        kind: EntryKind,
        value: NaiveDate,
        out: &mut Vec<Booking>,
    ) -> Result<(), MoneyError> {
        let mut lines = Vec::new();
        for (class, net) in Class::ALL.into_iter().zip(draft.net) {
            let fen = &mut self.fen[class as usize];
            *fen = fen.checked_add(net).ok_or(MoneyError::Overflow)?;
            let side = if net > 0 { Side::Debit } else { Side::Credit };
            if net != 0 {
                let amount = Money::from_fen(net.saturating_abs(), self.currency)?;
                lines.push((class, side, amount));
            }
        }
        if !lines.is_empty() {
            out.push(Booking {
                cause,
                kind,
                value,
                lines,
            });
        }
        Ok(())
    }
}

/// What a step moves, before it is booked.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    net: [i64; CLASSES],
}

impl Draft {
    /// Moves an amount: a debit here, a credit there.
    pub(super) fn move_to(
        &mut self,
        debit: Class,
        credit: Class,
        amount: Money,
    ) -> Result<&mut Self, MoneyError> {
        let (to, from) = (debit as usize, credit as usize);
        let sum = self.net[to].checked_add(amount.fen());
        self.net[to] = sum.ok_or(MoneyError::Overflow)?;
        let rest = self.net[from].checked_sub(amount.fen());
        self.net[from] = rest.ok_or(MoneyError::Overflow)?;
        Ok(self)
    }
}
