//! What happens to a pledge, in words that rows keep.

use schemas::hash::Hash;
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

use super::claim::Claims;
use super::fingerprint::Fingerprint;
use super::ids::{Key, PledgeId};
use super::value::Value;
use super::watch::Alarm;
use crate::money::{Money, MoneyError};

/// Longest text of a person in bytes.
pub const WHY_MAX: usize = 500;

/// Where a pledge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its claims are taken, a second person has to accept it.
    Offered,
    /// In force.
    Pledged,
    /// In force, and nothing is drawn.
    Frozen,
    /// The loan was called: the goods may be sold.
    Called,
    /// It ended because the loan was paid or something else covers it.
    Released,
    /// It ended because it was turned into money.
    Realised,
    /// It never came into force.
    Withdrawn,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Offered,
        Self::Pledged,
        Self::Frozen,
        Self::Called,
        Self::Released,
        Self::Realised,
        Self::Withdrawn,
    ];

    /// Its word in rows and texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Pledged => "pledged",
            Self::Frozen => "frozen",
            Self::Called => "called",
            Self::Released => "released",
            Self::Realised => "realised",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Whose goods.
    pub borrower: Slug,
    /// The loan that they secure.
    pub loan: Key,
    /// In words, for officers; at most [`WHY_MAX`] bytes.
    pub what: String,
    /// The most that may be drawn on it.
    pub lending_value: Money,
    /// Everything that an invoice says beside its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Fingerprint>,
    /// How the lending value came about; pledges of before this was kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<Worth>,
    /// SHA-256 of the kept evidence that the goods were read from; an invoice has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Hash>,
    /// What it takes.
    pub claims: Claims,
}

/// A value and the table that it was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worth {
    /// Market value, value, lending value.
    pub value: Value,
    /// SHA-256 of the table of haircuts.
    pub table: Hash,
}

/// A loan on which nothing is owed any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    loan: Key,
    posting: Hash,
}

impl Settled {
    /// By what the ledger says is outstanding after a posting; `None` while anything is.
    #[must_use]
    pub fn of(loan: Key, outstanding: Money, posting: Hash) -> Option<Self> {
        (outstanding.fen() == 0).then_some(Self { loan, posting })
    }

    /// The ledger's posting that settled it.
    #[must_use]
    pub fn posting(&self) -> Hash {
        self.posting
    }

    /// The loan.
    #[must_use]
    pub fn loan(&self) -> &Key {
        &self.loan
    }
}

/// How a pledge ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Way {
    /// The loan is settled.
    Paid(Settled),
    /// Another pledge covers it.
    Substituted {
        /// Which.
        by: PledgeId,
    },
    /// The goods were sold or the invoice was collected.
    Realised {
        /// For how much.
        proceeds: Money,
    },
}

impl Way {
    /// How, in one line for the trail.
    fn in_words(&self) -> String {
        match self {
            Self::Paid(settled) => format!("loan {} is settled", settled.loan()),
            Self::Substituted { by } => format!("{by} covers the loan"),
            Self::Realised { proceeds } => format!("realised for {proceeds}"),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", content = "of", rename_all = "snake_case")]
pub enum Act {
    /// It was offered, and its claims were taken.
    Offer(Box<Offer>),
    /// A second person put it in force.
    Accept,
    /// It was given up before it was in force.
    Withdraw(String),
    /// Money was drawn on it.
    Draw {
        /// The disbursement.
        disbursement: Key,
        /// How much.
        amount: Money,
    },
    /// A sensor of its goods spoke, or did not.
    Alarm(Alarm),
    /// A person let it be drawn on again, and why.
    Thaw(String),
    /// The loan was called, and why.
    Call(String),
    /// A person wants to end it.
    Propose(Way),
    /// It was thought better of.
    Retract(String),
    /// A second person ends it.
    Confirm(Way),
    /// It took over what was drawn on another one.
    Cover {
        /// On which.
        instead_of: PledgeId,
        /// How much.
        drawn: Money,
    },
}

impl Act {
    /// What it says in one line, for the trail: a person's words as they are, else what and how much.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Offer(offer) => {
                format!("{} for {}: {}", offer.lending_value, offer.loan, offer.what)
            }
            Self::Accept => String::new(),
            Self::Withdraw(why) | Self::Thaw(why) | Self::Call(why) | Self::Retract(why) => {
                why.clone()
            }
            Self::Draw {
                disbursement,
                amount,
            } => format!("{amount} by {disbursement}"),
            Self::Alarm(alarm) => alarm.in_words(),
            Self::Propose(way) | Self::Confirm(way) => way.in_words(),
            Self::Cover { instead_of, drawn } => format!("{drawn} instead of {instead_of}"),
        }
    }
}

/// Who said what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// By which request.
    pub request: Key,
    /// Who; nobody raises an alarm but the watch.
    pub person: Option<Slug>,
    /// What.
    pub act: Act,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing of the kind follows this stage.
    #[error("a pledge that is {} cannot do this", .0.word())]
    Stage(State),
    /// Maker is never checker.
    #[error("a second person has to confirm it")]
    SamePerson,
    /// Only people do this.
    #[error("a person has to do this")]
    Nobody,
    /// Only the watch does this.
    #[error("people do not raise alarms of sensors")]
    NotTheWatch,
    /// It was not proposed, or something else was.
    #[error("this was not proposed")]
    NotProposed,
    /// The settled loan, or the other pledge's loan, is another one.
    #[error("it is about another loan")]
    OtherLoan,
    /// What may be drawn is less.
    #[error("the pledge does not cover {wanted}; {room} is left")]
    NotCovered {
        /// How much was wanted.
        wanted: Money,
        /// How much is left.
        room: Money,
    },
    /// Amounts do not fit together.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// Its history has no room left.
    #[error("the pledge has too many steps")]
    Full,
    /// A text is empty or longer than [`WHY_MAX`].
    #[error("a text of 1 to 500 bytes was expected")]
    Text,
}
