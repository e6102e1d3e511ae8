//! What happens to a loan: dated acts that are only ever added.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::actor::{Actor, ActorKind, Person};
use super::grading::Grade;
use super::written::rate_text;
use crate::money::Money;
use crate::schedule::{Amortisation, Period, Rate};

/// Longest key in characters; with a loan's id before it and what it booked behind it, it is the key
/// of a ledger entry.
pub const KEY_MAX: usize = 32;

/// A key that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has 1 to 32 of A-Z a-z 0-9 - _ . /")]
pub struct NotAKey;

/// Name of an act within its loan, chosen by whoever sends it: the same one is the same act.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Key of a day of the daily run.
    pub(super) fn day(day: NaiveDate) -> Self {
        Self(format!("day/{day}"))
    }

    /// Key of an instalment that falls due.
    pub(super) fn due(number: u32) -> Self {
        Self(format!("due/{number}"))
    }

    /// Whether the daily run alone may use it.
    pub(super) fn is_of_the_run(&self) -> bool {
        self.0.starts_with("day/") || self.0.starts_with("due/")
    }
}

impl FromStr for Key {
    type Err = NotAKey;
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        let fits = (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(right);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAKey)
        }
    }
}

impl TryFrom<String> for Key {
    type Error = NotAKey;
    fn try_from(text: String) -> Result<Self, NotAKey> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An act. Acts of one loan are kept in the order in which they were booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// Its name.
    pub key: Key,
    /// The day that it counts from.
    pub value: NaiveDate,
    /// When it was booked; never before the act before it.
    #[serde(with = "crate::rfc3339")]
    pub booked: Instant,
    /// Who.
    pub by: Actor,
    /// What.
    pub deed: Deed,
}

/// A period as acts keep it: schedules of old acts never depend on a calendar of today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// First day, counted.
    pub start: NaiveDate,
    /// End, not counted.
    pub end: NaiveDate,
    /// When it is paid for.
    pub due: NaiveDate,
}

impl From<Period> for Span {
    fn from(period: Period) -> Self {
        let Period { start, end, due } = period;
        Self { start, end, due }
    }
}

impl From<Span> for Period {
    fn from(span: Span) -> Self {
        let Span { start, end, due } = span;
        Self { start, end, due }
    }
}

/// The offer that was accepted, and by which conditions it is lent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The decision that offered.
    pub decision_id: String,
    /// Who borrows.
    pub supplier: Slug,
    /// The most that is lent.
    pub approved: Money,
    /// In how many instalments.
    pub instalments: u32,
    /// Nothing is paid out after this instant.
    #[serde(with = "crate::rfc3339")]
    pub valid_until: Instant,
    /// Who accepted the offer for the bank; nobody where it went straight through.
    pub officers: Vec<Person>,
    /// SHA-256 of the product's file.
    pub product: Hash,
    /// Hash of the bank's rules for a loan's life, see
    /// [`Rules::hash`](super::conditions::Rules::hash).
    pub rules: Hash,
}

/// What a restructuring agrees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTerms {
    /// New periods, the first one from the day of the agreement.
    pub periods: Vec<Span>,
    /// New interest of a year.
    #[serde(with = "rate_text")]
    pub annual_rate: Rate,
    /// How the principal is repaid.
    pub repaid: Repaid,
    /// Why the borrower is in difficulty, and what was agreed.
    pub reason: String,
}

/// [`Amortisation`] as acts keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repaid {
    /// Principal and interest together are the same each time.
    EqualInstalments,
    /// Principal is the same each time.
    EqualPrincipal,
    /// All principal with the last instalment.
    Bullet,
}

impl From<Repaid> for Amortisation {
    fn from(repaid: Repaid) -> Self {
        match repaid {
            Repaid::EqualInstalments => Self::EqualInstalments,
            Repaid::EqualPrincipal => Self::EqualPrincipal,
            Repaid::Bullet => Self::Bullet,
        }
    }
}

/// Why a loan is frozen.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum FreezeCause {
    /// An alarm about its collateral.
    #[error("an alarm about its collateral")]
    Collateral,
    /// The stop-loss of the trial.
    #[error("the stop-loss of the trial")]
    StopLoss,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Deed {
    /// The loan begins, from an accepted offer.
    Opened(Opened),
    /// A token to draw the money was issued.
    TokenIssued {
        /// SHA-256 of its secret.
        token: Hash,
        /// SHA-256 of the payee's account.
        payee: Hash,
        /// The most that it draws.
        amount: Money,
        /// Not used at or after this instant.
        #[serde(with = "crate::rfc3339")]
        expires: Instant,
    },
    /// The borrower lowered what it draws.
    TokenLimited {
        /// The new most.
        amount: Money,
    },
    /// It draws nothing any more.
    TokenRevoked,
    /// It was used, once: the intent to pay out, before the bank is told.
    TokenUsed {
        /// SHA-256 of its secret.
        token: Hash,
        /// SHA-256 of the payee's account.
        payee: Hash,
        /// How much.
        amount: Money,
    },
    /// The bank has paid out.
    Disbursed {
        /// The bank's own name for it.
        reference: String,
        /// Periods of the loan, from the day of the money.
        periods: Vec<Span>,
    },
    /// The bank has not paid out and will not.
    DisbursementRefused {
        /// Why.
        reason: String,
    },
    /// A business day began: interest and penalty up to it, class, provision.
    DayOpened,
    /// An instalment falls due.
    InstalmentDue {
        /// Which.
        number: u32,
    },
    /// Money came; value-dated back if the day is over.
    Paid {
        /// How much.
        amount: Money,
    },
    /// Money came to end the loan before its time, or a part of it.
    RepaidEarly {
        /// How much.
        amount: Money,
    },
    /// A payment was none.
    PaymentReversed {
        /// Its key.
        payment: Key,
        /// Why.
        reason: String,
    },
    /// A payment was of another amount or of another day.
    PaymentCorrected {
        /// Its key.
        payment: Key,
        /// The right amount.
        amount: Money,
        /// The right day.
        on: NaiveDate,
        /// Why.
        reason: String,
    },
    /// New terms for a borrower in difficulty.
    Restructured(NewTerms),
    /// People see more than the calendar: the class is this one at least, until they say otherwise.
    Graded {
        /// The least class.
        at_least: Grade,
        /// What they saw.
        reason: String,
    },
    /// The watch over a restructured loan ended well.
    WatchEnded {
        /// Why the difficulty is over.
        reason: String,
    },
    /// The debt is not expected back any more. It is still owed.
    WrittenOff {
        /// Why.
        reason: String,
    },
    /// Money came for a debt that was written off.
    Recovered {
        /// How much.
        amount: Money,
    },
    /// What was paid too much goes back.
    Refunded {
        /// How much.
        amount: Money,
    },
    /// Nothing more is lent on it.
    Frozen {
        /// Why.
        cause: FreezeCause,
    },
    /// That cause is gone.
    Thawed {
        /// Which.
        cause: FreezeCause,
    },
    /// Nothing is owed by anybody: the file is closed.
    Closed,
}

impl Deed {
    /// Its word, as it is serialised.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::TokenIssued { .. } => "token_issued",
            Self::TokenLimited { .. } => "token_limited",
            Self::TokenRevoked => "token_revoked",
            Self::TokenUsed { .. } => "token_used",
            Self::Disbursed { .. } => "disbursed",
            Self::DisbursementRefused { .. } => "disbursement_refused",
            Self::DayOpened => "day_opened",
            Self::InstalmentDue { .. } => "instalment_due",
            Self::Paid { .. } => "paid",
            Self::RepaidEarly { .. } => "repaid_early",
            Self::PaymentReversed { .. } => "payment_reversed",
            Self::PaymentCorrected { .. } => "payment_corrected",
            Self::Restructured(_) => "restructured",
            Self::Graded { .. } => "graded",
            Self::WatchEnded { .. } => "watch_ended",
            Self::WrittenOff { .. } => "written_off",
            Self::Recovered { .. } => "recovered",
            Self::Refunded { .. } => "refunded",
            Self::Frozen { .. } => "frozen",
            Self::Thawed { .. } => "thawed",
            Self::Closed => "closed",
        }
    }

    /// Whether two people can do it, and of the bank's people only two.
    #[must_use]
    pub fn is_of_two(&self) -> bool {
        self.by().contains(&ActorKind::Two) && !self.by().contains(&ActorKind::One)
    }

    /// The amount in it.
    #[must_use]
    pub const fn amount(&self) -> Option<Money> {
        match self {
            Self::Opened(Opened {
                approved: amount, ..
            })
            | Self::TokenIssued { amount, .. }
            | Self::TokenLimited { amount }
            | Self::TokenUsed { amount, .. }
            | Self::Paid { amount }
            | Self::RepaidEarly { amount }
            | Self::PaymentCorrected { amount, .. }
            | Self::Recovered { amount }
            | Self::Refunded { amount } => Some(*amount),
            _ => None,
        }
    }

    /// Whether the daily run alone does it.
    #[must_use]
    pub const fn is_of_the_run(&self) -> bool {
        matches!(self, Self::DayOpened | Self::InstalmentDue { .. })
    }

    /// Who may do it.
    #[must_use]
    pub const fn by(&self) -> &'static [ActorKind] {
        use ActorKind::{Bank, Borrower, Machine, One, Two};
        match self {
            Self::Opened(_) => &[Machine, One, Two],
            Self::TokenIssued { .. } => &[Machine, One],
            Self::TokenLimited { .. } | Self::TokenUsed { .. } => &[Borrower],
            Self::TokenRevoked => &[Borrower, One, Two],
            Self::Disbursed { .. } | Self::DisbursementRefused { .. } => &[Bank],
            Self::DayOpened | Self::InstalmentDue { .. } => &[Machine],
            Self::Paid { .. } | Self::RepaidEarly { .. } | Self::Recovered { .. } => &[Bank, Two],
            Self::Frozen { .. } => &[Machine, One, Two],
            Self::Closed => &[Machine, One, Two],
            Self::PaymentReversed { .. }
            | Self::PaymentCorrected { .. }
            | Self::Restructured(_)
            | Self::Graded { .. }
            | Self::WatchEnded { .. }
            | Self::WrittenOff { .. }
            | Self::Refunded { .. }
            | Self::Thawed { .. } => &[Two],
        }
    }
}
