//! What lending asks of others: what stands behind a draw ([`Cover`]), what a trial allows
//! ([`Room`]), and the bank's core system, which pays ([`Bank`]).
//!
//! Each is asked outside of a transaction. What is said may be old by the time that it is used, so
//! the order of things makes that harmless:
//!
//! 1. [`Cover::draw`] and [`Room::draw`] are asked before the intent to pay is kept, and **again
//!    before each time that the instruction is sent**. If one of them refuses in between, the intent
//!    stays and nothing is sent until both agree.
//! 2. A loan that is frozen by an act (`Lending::freeze`) takes no intent and sends nothing,
//!    whatever a port had said: freezing adds an act, and an intent that was judged without it is
//!    refused by the store and judged anew.
//!
//! What was sent to the bank before a freeze cannot be called back.

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;

pub use crate::loan::life::disbursement::{Answer, BankPort as Bank, Instruction, Receipt};

use crate::ledger::LoanId;
use crate::money::Money;
use crate::product::Kind;
use crate::product::kind::KindName;
use crate::trials::UNNAMED;

/// Money that is about to go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The loan, which is named as the decision that offered it.
    pub loan: LoanId,
    /// Who borrows.
    pub supplier: Slug,
    /// Name of the product.
    pub product: Slug,
    /// What the product lends on, and what that requires.
    pub kind: Kind,
    /// The most that was approved, for which room was reserved.
    pub approved: Money,
    /// How much is drawn.
    pub amount: Money,
    /// When, by the service's clock.
    pub at: Instant,
}

/// Why a port does not agree.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// It refuses, for this reason: one sentence for whoever asked, without names of people or
    /// account numbers. It is kept with the refusal.
    #[error("{reason}")]
    Refused {
        /// Name of the rule, such as `pledge-frozen`, `stop-loss`: lower case with hyphens.
        rule: &'static str,
        /// The sentence.
        reason: String,
    },
    /// It does not answer now. Nothing is done; ask again.
    #[error("what is asked before money moves does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PortError {
    /// A refusal.
    #[must_use]
    pub fn refused(rule: &'static str, reason: impl Into<String>) -> Self {
        Self::Refused {
            rule,
            reason: reason.into(),
        }
    }

    /// No answer.
    #[must_use]
    pub fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// What stands behind a draw: pledged goods, an assigned receivable.
#[async_trait]
pub trait Cover: Send + Sync {
    /// Whether the draw is covered now. Asked for every draw of every product; one that needs no
    /// cover is agreed to.
    ///
    /// # Errors
    /// [`PortError::Refused`] while a pledge is frozen, short or missing.
    async fn draw(&self, draw: &Draw) -> Result<(), PortError>;
}

/// No cover: for a bank that lends on nothing that has to be pledged.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCover;

#[async_trait]
impl Cover for NoCover {
    /// Agrees to products without a pledge, refuses pledged stock: nobody here could see the goods.
    async fn draw(&self, draw: &Draw) -> Result<(), PortError> {
        if draw.kind.name() == KindName::PledgedStock {
            let why = "this product lends on pledged goods, and no pledges are kept here";
            return Err(PortError::refused("no-cover", why));
        }
        Ok(())
    }
}

/// What happened to the principal for which room was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// So much is not owed any more, or will never be drawn: room is free again.
    GivenBack(Money),
    /// So much is owed again, since a payment was none. It is owed whatever a limit says: it cannot
    /// be refused, and what goes beyond a limit by it stops new loans, not this one.
    TakenAgain(Money),
}

impl Change {
    /// How much.
    #[must_use]
    pub const fn amount(&self) -> Money {
        match self {
            Self::GivenBack(amount) | Self::TakenAgain(amount) => *amount,
        }
    }
}

/// A change of the room of a loan. It is told at least once: `loan` and `act` name it, and the same
/// one again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The loan, which is named as the decision that reserved the room.
    pub loan: LoanId,
    /// Number of the loan's act that moved it, from 1.
    pub act: u32,
    /// What changed.
    pub change: Change,
    /// When the act was booked.
    pub at: Instant,
}

/// The trial's limits. Room was reserved with the offer, in the transaction of its decision.
#[async_trait]
pub trait Room: Send + Sync {
    /// Whether the trial lets money go out now: its stage, its stop-loss.
    ///
    /// # Errors
    /// [`PortError::Refused`], for example after a stop-loss.
    async fn draw(&self, draw: &Draw) -> Result<(), PortError>;

    /// Who pays for a loan in the end, as its room was counted: rows of indicators keep it.
    ///
    /// # Errors
    /// [`PortError::Unavailable`].
    async fn buyer(&self, _loan: &LoanId, borrower: &Slug) -> Result<Slug, PortError> {
        // A constant that is a name; the borrower is the next best thing to count by.
        Ok(UNNAMED.parse().unwrap_or_else(|_| borrower.clone()))
    }

    /// Takes a change in. Goes on whatever has stopped lending. Changes of one loan are told in the
    /// order of their acts, none before the one before it was taken in.
    ///
    /// # Errors
    /// [`PortError`]: it is told again later.
    async fn moved(&self, moved: &Moved) -> Result<(), PortError>;
}

/// No trial: every draw may go out, and nobody counts. For tests and measurements.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrial;

#[async_trait]
impl Room for NoTrial {
    async fn draw(&self, _draw: &Draw) -> Result<(), PortError> {
        Ok(())
    }

    async fn moved(&self, _moved: &Moved) -> Result<(), PortError> {
        Ok(())
    }
}

/// No bank: it never answers, so that an intent waits until a bank is configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBank;

#[async_trait]
impl Bank for NoBank {
    async fn pay(&self, _instruction: &Instruction, _account: &str) -> Answer {
        Answer::Unknown
    }

    async fn look_up(&self, _key: &schemas::hash::Hash) -> Answer {
        Answer::Unknown
    }
}
