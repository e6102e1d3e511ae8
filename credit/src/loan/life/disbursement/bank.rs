//! The bank's core system, which pays, and how an instruction reaches it exactly once.
//!
//! The intent is recorded before anything is sent (the act `token_used`), the outcome after it was
//! heard (`disbursed` or `disbursement_refused`). Between the two a process may die at any point: it
//! then does not know what the bank has, looks the key up, and sends under that key only if the
//! bank never saw it. An unknown answer is asked again, for as long as it takes.

use async_trait::async_trait;
use chrono::NaiveDate;
use schemas::hash::Hash;

use super::Instruction;

/// What the bank says about an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was paid.
    Accepted(Receipt),
    /// It was not paid and never will be.
    Refused(String),
    /// The bank never saw the key; an answer to [`BankPort::look_up`] only.
    NotSeen,
    /// Nobody knows: no connection, no answer in time, still being worked on.
    Unknown,
}

/// What a payment is known by at the bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The bank's name for it.
    pub reference: String,
    /// Its value date.
    pub on: NaiveDate,
}

/// The bank's core system. It keeps one payment for a key, however often it is sent.
#[async_trait]
pub trait BankPort: Send + Sync {
    /// Pays an instruction to an account, whose [`payee`](super::payee) the instruction names.
    async fn pay(&self, instruction: &Instruction, account: &str) -> Answer;
    /// What became of a key.
    async fn look_up(&self, key: &Hash) -> Answer;
}

/// How an instruction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Paid.
    Paid(Receipt),
    /// Not paid, for this reason.
    NotPaid(String),
}

/// What is done next for an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it.
    Send,
    /// Ask what became of it.
    LookUp,
    /// Record its outcome.
    Record,
}

/// An instruction on its way. A value that was read back after a stop is [`Payout::resumed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    instruction: Instruction,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The bank has not seen it.
    Unsent,
    /// The bank may have seen it.
    Unsure,
    /// It is over.
    Over(Outcome),
}

impl Payout {
    /// Of an intent that this very process has just recorded.
    #[must_use]
    pub const fn intended(instruction: Instruction) -> Self {
        Self {
            instruction,
            stage: Stage::Unsent,
        }
    }

    /// Of an intent that was found recorded: it may have been sent.
    #[must_use]
    pub const fn resumed(instruction: Instruction) -> Self {
        Self {
            instruction,
            stage: Stage::Unsure,
        }
    }

    /// What is done next.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self.stage {
            Stage::Unsent => Step::Send,
            Stage::Unsure => Step::LookUp,
            Stage::Over(_) => Step::Record,
        }
    }

    /// The instruction.
    #[must_use]
    pub const fn instruction(&self) -> &Instruction {
        &self.instruction
    }

    /// How it ended, if it did.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Over(outcome) => Some(outcome),
            Stage::Unsent | Stage::Unsure => None,
        }
    }

    /// After an answer to [`Payout::step`]. What is over stays as it is.
    #[must_use]
    pub fn heard(self, answer: Answer) -> Self {
        let stage = match (self.stage, answer) {
            (Stage::Over(outcome), _) => Stage::Over(outcome),
            (_, Answer::Accepted(receipt)) => Stage::Over(Outcome::Paid(receipt)),
            (_, Answer::Refused(reason)) => Stage::Over(Outcome::NotPaid(reason)),
            (Stage::Unsure, Answer::NotSeen) => Stage::Unsent,
            (_, Answer::NotSeen | Answer::Unknown) => Stage::Unsure,
        };
        Self { stage, ..self }
    }
}

/// Takes so many steps at most towards the outcome; whoever calls waits between two calls.
pub async fn drive(port: &dyn BankPort, payout: Payout, account: &str, steps: u32) -> Payout {
    let mut payout = payout;
    for _ in 0..steps {
        let answer = match payout.step() {
            Step::Send => port.pay(&payout.instruction, account).await,
            Step::LookUp => port.look_up(&payout.instruction.key).await,
            Step::Record => break,
        };
        payout = payout.heard(answer);
    }
    payout
}
