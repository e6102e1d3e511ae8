//! Why an act is refused. A refusal changes nothing; whoever asked keeps it with the act.

use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::time::Instant;

use super::act::{FreezeCause, Key, NotAKey};
use super::actor::{ActorKind, SamePerson};
use super::disbursement::TokenError;
use super::grading::Grade;
use crate::ledger::{AccountError, EntryError};
use crate::money::{Money, MoneyError};
use crate::product::ProductError;
use crate::schedule::ScheduleError;

/// Why an act is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The state of the loan has no such transition.
    #[error("a loan that is {state} cannot be {deed}")]
    State {
        /// Where it stands.
        state: &'static str,
        /// What was tried.
        deed: &'static str,
    },
    /// The first act of a loan is its opening, and no later one is.
    #[error("the first act of a loan is that it is opened, and no other one")]
    Opening,
    /// The key has another act already.
    #[error("{0} is the key of another act")]
    KeyReused(Key),
    /// The key has the form of the daily run's, or the run's act another one.
    #[error("{0}: keys of the daily run are its own")]
    RunKey(Key),
    /// This actor does not do this.
    #[error("{actor} cannot do this: {deed}")]
    Actor {
        /// Who.
        actor: ActorKind,
        /// What.
        deed: &'static str,
    },
    /// Somebody else's loan.
    #[error("the loan is another borrower's")]
    Borrower,
    /// Who accepted the offer does not release its money.
    #[error("{0} accepted the offer and does not release its money")]
    Officer(schemas::ids::Slug),
    /// Who borrows does not act for the bank.
    #[error("{0} borrows and does not act for the bank")]
    OwnLoan(schemas::ids::Slug),
    /// Maker and checker are one.
    #[error("two people are needed")]
    SamePerson(#[from] SamePerson),
    /// The clock went back.
    #[error("booked at {booked}, before the act before it ({last}): was the clock moved back?")]
    ClockBack {
        /// Of this act.
        booked: Instant,
        /// Of the one before.
        last: Instant,
    },
    /// A day that did not begin yet.
    #[error("value date {value} is after the business day {day}: run the day first")]
    Future {
        /// Of the act.
        value: NaiveDate,
        /// The loan's day.
        day: NaiveDate,
    },
    /// A day that is over, for something that cannot be back-dated.
    #[error("value date {value} is before the business day {day}: this is not back-dated")]
    Past {
        /// Of the act.
        value: NaiveDate,
        /// The loan's day.
        day: NaiveDate,
    },
    /// Before the money was paid out.
    #[error("value date {value} is before the disbursement on {disbursed}")]
    BeforeDisbursement {
        /// Of the act.
        value: NaiveDate,
        /// When the money went.
        disbursed: NaiveDate,
    },
    /// The daily run has not finished its day.
    #[error("the daily run of {0} is not finished")]
    RunUnfinished(NaiveDate),
    /// Not what the daily run does next.
    #[error("the daily run does not do this next")]
    RunOrder,
    /// The product's file or the bank's rules are others than the loan names.
    #[error("the loan was opened under {expected}, not under {found}")]
    Conditions {
        /// Named in its opening.
        expected: Hash,
        /// As given.
        found: Hash,
    },
    /// Nothing is no amount.
    #[error("an amount above zero is needed")]
    Nothing,
    /// A reason is needed.
    #[error("a reason is needed")]
    Reason,
    /// More than what there is.
    #[error("{asked} is more than {most}")]
    TooMuch {
        /// Asked for.
        asked: Money,
        /// The most.
        most: Money,
    },
    /// The money is refused by the token.
    #[error("the token is refused")]
    Token(#[from] TokenError),
    /// The loan is frozen.
    #[error("the loan is frozen ({0}): only repayment is possible")]
    Frozen(FreezeCause),
    /// It is not frozen by this.
    #[error("the loan is not frozen by this")]
    NotFrozen,
    /// There is no such payment, or it was reversed.
    #[error("there is no payment {0}")]
    NoPayment(Key),
    /// The periods of new terms begin on another day.
    #[error("the first period begins on {expected}, not on {found:?}")]
    FirstPeriod {
        /// Value date of the act.
        expected: NaiveDate,
        /// As given.
        found: Option<NaiveDate>,
    },
    /// The watch goes on.
    #[error("the watch lasts until {0:?} at least, and until its instalments are paid in time")]
    Watched(Option<NaiveDate>),
    /// Only a loss is written off.
    #[error("the loan is {0}, only a loss is written off")]
    NoLoss(Grade),
    /// Only what is fully provided for is written off.
    #[error("{provided} is set aside for {exposure}: only what is fully set aside is written off")]
    Unprovided {
        /// Set aside.
        provided: Money,
        /// What would be lost.
        exposure: Money,
    },
    /// A later act would not have been possible.
    #[error("{act} of {value} would not have been possible then: {why}")]
    Later {
        /// Which.
        act: Key,
        /// Of which day.
        value: NaiveDate,
        /// Why.
        why: Box<Self>,
    },
    /// Something is still owed by one or the other.
    #[error("{0} of the borrower's money is here")]
    CreditLeft(Money),
    /// Beyond the end of all dates.
    #[error("there is no such date")]
    Date,
    /// Amounts that cannot be calculated.
    #[error("the amounts are refused: {0}")]
    Money(#[from] MoneyError),
    /// No schedule.
    #[error("there is no schedule: {0}")]
    Schedule(#[from] ScheduleError),
    /// The product refuses it.
    #[error("the product refuses it: {0}")]
    Product(#[from] ProductError),
    /// No ledger entry.
    #[error("there is no ledger entry: {0}")]
    Entry(#[from] EntryError),
    /// No ledger account.
    #[error("there is no ledger account: {0}")]
    Account(#[from] AccountError),
    /// No key.
    #[error("the key is refused: {0}")]
    Key(#[from] NotAKey),
}

impl Refused {
    /// A short name of what refused, for machines and lists.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::State { .. } => "state",
            Self::Opening => "opening",
            Self::KeyReused(_) => "key-reused",
            Self::RunKey(_) => "run-key",
            Self::Actor { .. } => "actor",
            Self::Borrower => "another-borrower",
            Self::Officer(_) => "officer-releases",
            Self::OwnLoan(_) => "own-loan",
            Self::SamePerson(_) => "same-person",
            Self::ClockBack { .. } => "clock-back",
            Self::Future { .. } => "future-day",
            Self::Past { .. } => "past-day",
            Self::BeforeDisbursement { .. } => "before-disbursement",
            Self::RunUnfinished(_) | Self::RunOrder => "daily-run",
            Self::Conditions { .. } => "conditions",
            Self::Nothing => "no-amount",
            Self::Reason => "no-reason",
            Self::TooMuch { .. } => "too-much",
            Self::Token(_) => "token",
            Self::Frozen(_) => "frozen",
            Self::NotFrozen => "not-frozen",
            Self::NoPayment(_) => "no-payment",
            Self::FirstPeriod { .. } => "first-period",
            Self::Watched(_) => "watched",
            Self::NoLoss(_) => "no-loss",
            Self::Unprovided { .. } => "unprovided",
            Self::Later { .. } => "later-act",
            Self::CreditLeft(_) => "credit-left",
            Self::Date => "date",
            Self::Money(_) => "amount",
            Self::Schedule(_) => "schedule",
            Self::Product(_) => "product",
            Self::Entry(_) | Self::Account(_) => "ledger",
            Self::Key(_) => "key",
        }
    }
}
