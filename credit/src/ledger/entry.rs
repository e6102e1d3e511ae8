//! Entries: what was booked, balanced from the moment it exists.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};

use super::account::{Account, Class, Group, LoanId, Side};
use crate::money::{Currency, MAX_AMOUNT_FEN, Money};

/// Longest key of an entry in characters.
pub const ENTRY_KEY_MAX: usize = 128;

/// Most postings of one entry: a write-off of every receivable needs about a dozen.
pub const POSTINGS_MAX: usize = 64;

/// The years that a value date is in, so that it is written with four digits.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// An entry that is refused; each message begins with the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not a key.
    #[error("key: 1 to {ENTRY_KEY_MAX} of A-Z a-z 0-9 - _ . : /")]
    Key,
    /// A date that has no four digits.
    #[error("booked: {0} is not in the years 1 to 9999")]
    Booked(NaiveDate),
    /// No postings, or one, or more than [`POSTINGS_MAX`].
    #[error("postings: 2 to {POSTINGS_MAX} are expected, not {0}")]
    Count(usize),
    /// A posting of nothing.
    #[error("postings[{0}].amount: an entry books no zero")]
    Zero(usize),
    /// A posting beyond [`MAX_AMOUNT_FEN`].
    #[error("postings[{0}].amount: the amount is too large")]
    TooLarge(usize),
    /// A second currency.
    #[error("postings[{line}].amount: {found} beside {expected}")]
    Currency {
        /// The posting, from 0.
        line: usize,
        /// Currency of the first posting.
        expected: Currency,
        /// Currency of this one.
        found: Currency,
    },
    /// An account of another loan than the entry's.
    #[error("postings[{0}].account: it belongs to another loan than the entry")]
    Loan(usize),
    /// Debits and credits differ.
    #[error("postings: debits are {debit} fen and credits {credit} fen")]
    Unbalanced {
        /// Sum of the debits.
        debit: i128,
        /// Sum of the credits.
        credit: i128,
    },
    /// Debits and credits of the memo accounts differ.
    #[error("postings: memo debits are {debit} fen and memo credits {credit} fen")]
    MemoUnbalanced {
        /// Sum of the debits.
        debit: i128,
        /// Sum of the credits.
        credit: i128,
    },
    /// A reversal that names no entry, or an entry that names itself.
    #[error("corrects: a reversal names the entry that it takes back, and no entry names itself")]
    Corrects,
    /// A reversal of a reversal: book the entry again instead, under a key of its own.
    #[error("corrects: a reversal is not reversed")]
    Reversal,
}

/// The name that an entry is known by, chosen by whoever books it: the same key is the same entry.
/// 1 to 128 of `A-Z a-z 0-9 - _ . : /`, such as `L-1/accrual/2026-07-31`. Unique within a book.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(String);

impl EntryKey {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntryKey {
    type Err = EntryError;
    fn from_str(text: &str) -> Result<Self, EntryError> {
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        let fits = (1..=ENTRY_KEY_MAX).contains(&text.len()) && text.bytes().all(right);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(EntryError::Key)
        }
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an entry was booked. The list is closed; [`EntryKind::word`] of each is part of what is
/// hashed and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// Money went to the payee.
    Disbursement,
    /// Interest of a day or a period.
    InterestAccrual,
    /// A fee became due.
    FeeCharge,
    /// A penalty became due.
    PenaltyCharge,
    /// Money came from the borrower or from a pledge.
    Repayment,
    /// What was paid too much pays what has become due.
    CreditUse,
    /// What was paid too much went back.
    Refund,
    /// Something is not asked for any more.
    Waiver,
    /// What is owed is put on new terms.
    Rescheduling,
    /// Interest is no longer counted as earned.
    InterestSuspension,
    /// Interest is counted as earned again.
    InterestResumption,
    /// Set aside for losses.
    Provision,
    /// No longer needed for losses.
    ProvisionRelease,
    /// Given up.
    WriteOff,
    /// Paid after it was given up.
    Recovery,
    /// Takes another entry back.
    Reversal,
}

impl EntryKind {
    /// Every kind, for texts and tests.
    pub const ALL: [Self; 16] = [
        Self::Disbursement,
        Self::InterestAccrual,
        Self::FeeCharge,
        Self::PenaltyCharge,
        Self::Repayment,
        Self::CreditUse,
        Self::Refund,
        Self::Waiver,
        Self::Rescheduling,
        Self::InterestSuspension,
        Self::InterestResumption,
        Self::Provision,
        Self::ProvisionRelease,
        Self::WriteOff,
        Self::Recovery,
        Self::Reversal,
    ];

    /// Its word in rows and in what is hashed.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disbursement => "disbursement",
            Self::InterestAccrual => "interest-accrual",
            Self::FeeCharge => "fee-charge",
            Self::PenaltyCharge => "penalty-charge",
            Self::Repayment => "repayment",
            Self::CreditUse => "credit-use",
            Self::Refund => "refund",
            Self::Waiver => "waiver",
            Self::Rescheduling => "rescheduling",
            Self::InterestSuspension => "interest-suspension",
            Self::InterestResumption => "interest-resumption",
            Self::Provision => "provision",
            Self::ProvisionRelease => "provision-release",
            Self::WriteOff => "write-off",
            Self::Recovery => "recovery",
            Self::Reversal => "reversal",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One side of an entry: an amount above zero on one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// The side.
    pub side: Side,
    /// How much; above zero.
    pub amount: Money,
}

impl Posting {
    /// On the debit side.
    #[must_use]
    pub const fn debit(account: Account, amount: Money) -> Self {
        Self {
            account,
            side: Side::Debit,
            amount,
        }
    }

    /// On the credit side.
    #[must_use]
    pub const fn credit(account: Account, amount: Money) -> Self {
        Self {
            account,
            side: Side::Credit,
            amount,
        }
    }

    /// The same on the other side.
    #[must_use]
    pub fn swapped(&self) -> Self {
        Self {
            side: self.side.other(),
            ..self.clone()
        }
    }
}

/// An entry before it is looked at: [`Entry::new`] makes an entry of it or says why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its name.
    pub key: EntryKey,
    /// Value date: the day from which it counts. An entry that is booked late names an earlier day.
    pub booked: NaiveDate,
    /// Why.
    pub kind: EntryKind,
    /// The loan that it is about; every account of a loan in it is of this one.
    pub loan: Option<LoanId>,
    /// The entry that it takes back (a reversal must) or replaces.
    pub corrects: Option<EntryKey>,
    /// 2 to [`POSTINGS_MAX`] postings in one currency; their order is kept.
    pub postings: Vec<Posting>,
}

/// An entry: balanced, in one currency, of at most one loan. Nothing of it can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry(Draft);

impl Entry {
    /// Looks at a draft.
    ///
    /// # Errors
    /// [`EntryError`] for the first field that is refused.
    pub fn new(draft: Draft) -> Result<Self, EntryError> {
        if !YEARS.contains(&draft.booked.year()) {
            return Err(EntryError::Booked(draft.booked));
        }
        let is_reversal = draft.kind == EntryKind::Reversal;
        let names_itself = draft.corrects.as_ref() == Some(&draft.key);
        if names_itself || (is_reversal && draft.corrects.is_none()) {
            return Err(EntryError::Corrects);
        }
        if !(2..=POSTINGS_MAX).contains(&draft.postings.len()) {
            return Err(EntryError::Count(draft.postings.len()));
        }
        check_each(&draft)?;
        check_sums(&draft.postings)?;
        Ok(Self(draft))
    }

    /// The entry that takes this one back: the same postings with their sides swapped, counted from
    /// `booked`. Correcting is booking this and then, under another key, what is right.
    ///
    /// # Errors
    /// [`EntryError::Reversal`] for a reversal, [`EntryError::Corrects`] for this entry's own key,
    /// [`EntryError::Booked`].
    pub fn reversal(&self, key: EntryKey, booked: NaiveDate) -> Result<Self, EntryError> {
        if self.0.kind == EntryKind::Reversal {
            return Err(EntryError::Reversal);
        }
        Self::new(Draft {
            key,
            booked,
            kind: EntryKind::Reversal,
            loan: self.0.loan.clone(),
            corrects: Some(self.0.key.clone()),
            postings: self.0.postings.iter().map(Posting::swapped).collect(),
        })
    }

    /// True if this entry takes exactly that one back.
    #[must_use]
    pub fn takes_back(&self, other: &Self) -> bool {
        let swapped = other.0.postings.iter().map(Posting::swapped);
        self.0.kind == EntryKind::Reversal
            && other.0.kind != EntryKind::Reversal
            && self.0.corrects.as_ref() == Some(&other.0.key)
            && self.0.loan == other.0.loan
            && swapped.eq(self.0.postings.iter().cloned())
    }

    /// Its name.
    #[must_use]
    pub const fn key(&self) -> &EntryKey {
        &self.0.key
    }

    /// The day from which it counts.
    #[must_use]
    pub const fn booked(&self) -> NaiveDate {
        self.0.booked
    }

    /// Why.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        self.0.kind
    }

    /// The loan that it is about.
    #[must_use]
    pub const fn loan(&self) -> Option<&LoanId> {
        self.0.loan.as_ref()
    }

    /// The entry that it takes back or replaces.
    #[must_use]
    pub const fn corrects(&self) -> Option<&EntryKey> {
        self.0.corrects.as_ref()
    }

    /// Its postings, in their order.
    #[must_use]
    pub fn postings(&self) -> &[Posting] {
        &self.0.postings
    }

    /// The currency of every posting.
    #[must_use]
    pub fn currency(&self) -> Currency {
        let first = self.0.postings.first();
        first.map_or(Currency::CNY, |posting| posting.amount.currency())
    }
}

/// Every posting for itself: an amount, the entry's currency, the entry's loan.
fn check_each(draft: &Draft) -> Result<(), EntryError> {
    let mut expected = None;
    for (line, posting) in draft.postings.iter().enumerate() {
        let found = posting.amount.currency();
        let expected = *expected.get_or_insert(found);
        match posting.amount.fen() {
            0 => return Err(EntryError::Zero(line)),
            fen if fen > MAX_AMOUNT_FEN => return Err(EntryError::TooLarge(line)),
            _ if found != expected => {
                return Err(EntryError::Currency {
                    line,
                    expected,
                    found,
                });
            }
            _ => {}
        }
        let loan = posting.account.loan();
        if loan.is_some() && loan != draft.loan.as_ref() {
            return Err(EntryError::Loan(line));
        }
    }
    Ok(())
}

/// Debits equal credits, with the memo accounts and among them.
fn check_sums(postings: &[Posting]) -> Result<(), EntryError> {
    let (debit, credit) = sums(postings, |_| true);
    if debit != credit {
        return Err(EntryError::Unbalanced { debit, credit });
    }
    let (debit, credit) = sums(postings, |class| class.group() == Group::Memo);
    if debit != credit {
        return Err(EntryError::MemoUnbalanced { debit, credit });
    }
    Ok(())
}

/// Debits and credits of some classes. At most [`POSTINGS_MAX`] numbers of 64 bits: 128 hold them.
fn sums(postings: &[Posting], of: impl Fn(Class) -> bool) -> (i128, i128) {
    let sum = |side: Side| {
        let those = postings
            .iter()
            .filter(|posting| posting.side == side && of(posting.account.class()));
        those
            .map(|posting| i128::from(posting.amount.fen()))
            .sum::<i128>()
    };
    (sum(Side::Debit), sum(Side::Credit))
}

#[cfg(test)]
mod tests;
