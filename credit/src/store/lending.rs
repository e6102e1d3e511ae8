//! What credit keeps of loans, as a trait beside [`Store`](super::Store).
//!
//! **Acts** are only ever added, numbered from 1 in each loan. A write names how many acts each of its
//! loans had when it was decided; if one of them has another number by now, nothing is written and
//! whoever wrote looks again. Acts, what they book in the ledger, what they change of the trial's room,
//! and the row of the trail are one transaction, in that order.
//!
//! A **head** is one row a loan: where it stands, for lists and for the daily run. It is a copy; its
//! position can be folded from the acts at any time.
//!
//! **Rows** of the indicators are written with the acts that they are read off, behind the place that
//! the write has in the trail ([`Told`]).
//!
//! No method updates or deletes an act, a payee, a motion or a refusal.

pub(super) mod rows;
mod told;

use async_trait::async_trait;
use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

pub use told::{Place, Placed, ROWS_MAX, Told};

use super::StoreError;
use crate::audit;
use crate::ledger::{Entry, LoanId};
use crate::loan::life::Act;
use crate::money::Money;
use crate::sandbox::indicators::Row;

/// Most loans that one list hands out.
pub const LOANS_MAX: u32 = 1_000;

/// Most acts that one read hands out: more than a loan of ten years has.
pub const ACTS_MAX: u32 = 100_000;

/// One row a loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The loan.
    pub loan: LoanId,
    /// How many acts it has.
    pub acts: u32,
    /// Word of its state.
    pub state: String,
    /// Who borrows.
    pub supplier: Slug,
    /// Hash of the product's file that it was opened under.
    pub product: Hash,
    /// Hash of the bank's rules that it was opened under.
    pub rules: Hash,
    /// In how many instalments.
    pub instalments: u32,
    /// The most that was approved.
    pub approved: Money,
    /// The day to which the daily run has brought it; none if days do nothing to it.
    pub run_day: Option<NaiveDate>,
    /// When its oldest unpaid or its next instalment is due, if there is one.
    pub due_day: Option<NaiveDate>,
    /// When its last act was booked.
    pub last_booked: Instant,
    /// A copy of its position ([`crate::loan::life::Position::keep`]), once money was paid out.
    pub position: Option<String>,
}

/// A new act with its number in the loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// From 1.
    pub number: u32,
    /// The act.
    pub act: Act,
}

/// What is written of one loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How many acts the loan had when this was decided; 0 for a new one.
    pub before: u32,
    /// Its head after it.
    pub head: Head,
    /// New acts, in their order.
    pub acts: Vec<Act>,
    /// By which of them the trial's room changed: number of the act, and fen given back (above zero)
    /// or taken again (below).
    pub room: Vec<(u32, i64)>,
    /// What its acts tell the indicators.
    pub rows: Vec<Row>,
    /// A payee's account and its name in acts.
    pub payee: Option<(Hash, String)>,
    /// The motion that ends with it.
    pub ends: Option<Ended>,
}

/// All that one transaction writes.
#[derive(Clone, Debug)]
pub struct Write {
    /// The book of the ledger.
    pub book: Slug,
    /// Loans, each once, in the order of their names.
    pub changes: Vec<Change>,
    /// What their acts book.
    pub entries: Vec<Entry>,
    /// The row of the trail; its instant is that of everything here.
    pub note: audit::Entry,
}

impl Write {
    /// Rows of the indicators with their loans, in the order of loans and acts.
    pub(super) fn told(&self) -> Vec<(&LoanId, &Row)> {
        let mut rows = Vec::new();
        for change in &self.changes {
            rows.extend(change.rows.iter().map(|row| (&change.head.loan, row)));
        }
        rows
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// All of it is kept.
    Kept,
    /// A loan has other acts than it had: nothing was written, look again.
    Overtaken,
}

/// Which loans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// In a state, by its word.
    In(String),
    /// Of a borrower.
    Of(Slug),
    /// With an instalment that is due on this day or was due before and is unpaid.
    DueBy(NaiveDate),
}

/// A product's file or the bank's rules, by hash: loans need those that they were opened under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptTerms {
    /// SHA-256 of the body.
    pub hash: Hash,
    /// `product` or `rules`.
    pub kind: String,
    /// The file's text, or the rules' JSON.
    pub body: String,
}

/// Room of a trial that was not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// The loan.
    pub loan: LoanId,
    /// Number of the act.
    pub act: u32,
    /// Fen given back (above zero) or taken again (below).
    pub fen: i64,
    /// When the act was booked.
    pub at: Instant,
}

/// What somebody asked for and did not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The loan, as it was named.
    pub loan: LoanId,
    /// When.
    pub at: Instant,
    /// Who: `machine`, `bank`, `borrower`, or names.
    pub who: String,
    /// What was asked for: the word of a deed.
    pub deed: String,
    /// Under which key, empty if none.
    pub key: String,
    /// Name of the rule that refused.
    pub rule: String,
    /// In a sentence.
    pub reason: String,
}

/// What one person proposes and another one has to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Motion {
    /// The loan.
    pub loan: LoanId,
    /// Its name: a hash of all of it.
    pub id: Hash,
    /// Who proposes.
    pub by: Slug,
    /// When.
    pub at: Instant,
    /// What is proposed: value date and deed as JSON.
    pub body: String,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
}

/// How a motion ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub motion: Hash,
    /// `agreed`, `refused` or `withdrawn`.
    pub how: String,
    /// By whom.
    pub by: Slug,
    /// When.
    pub at: Instant,
}

/// Loans, their acts, what is asked for them.
#[async_trait]
pub trait Loans: Send + Sync {
    /// Keeps products and rules that are not kept yet.
    async fn keep_terms(&self, terms: &[KeptTerms], at: Instant) -> Result<(), StoreError>;

    /// Every product and all rules that were ever kept.
    async fn kept_terms(&self) -> Result<Vec<KeptTerms>, StoreError>;

    /// Writes, or changes nothing. [`StoreError::Ledger`] if the ledger refuses an entry.
    async fn write_loans(&self, write: &Write) -> Result<Wrote, StoreError>;

    /// Head of a loan.
    async fn head(&self, loan: &LoanId) -> Result<Option<Head>, StoreError>;

    /// Acts of a loan in their order, behind number `after`, at most `take` (at most [`ACTS_MAX`]).
    async fn acts(&self, loan: &LoanId, after: u32, take: u32)
    -> Result<Vec<Numbered>, StoreError>;

    /// Heads of a list by name, behind `after`, at most `take` (at most [`LOANS_MAX`]).
    async fn heads(
        &self,
        which: &Which,
        after: Option<&LoanId>,
        take: u32,
    ) -> Result<Vec<Head>, StoreError>;

    /// Heads that the daily run has not brought to this day, by the day where they are and by name,
    /// behind `after`, at most `take` (at most [`LOANS_MAX`]).
    async fn behind(
        &self,
        day: NaiveDate,
        after: Option<(NaiveDate, &LoanId)>,
        take: u32,
    ) -> Result<Vec<Head>, StoreError>;

    /// Account of a payee.
    async fn payee(&self, loan: &LoanId, payee: &Hash) -> Result<Option<String>, StoreError>;

    /// Changes of room that nobody was told of, by loan and act, at most `take`.
    async fn untold_room(&self, take: u32) -> Result<Vec<Untold>, StoreError>;

    /// Notes that one was told.
    async fn room_told(&self, loan: &LoanId, act: u32) -> Result<(), StoreError>;

    /// Keeps a denial; the same one again changes nothing.
    async fn deny(&self, denial: &Denial) -> Result<(), StoreError>;

    /// Denials about a loan, newest first, at most `take` (at most [`LOANS_MAX`]).
    async fn denials(&self, loan: &LoanId, take: u32) -> Result<Vec<Denial>, StoreError>;

    /// Keeps a motion with its row in the trail; the same one again changes nothing.
    async fn propose(&self, motion: &Motion, note: &audit::Entry) -> Result<(), StoreError>;

    /// A motion.
    async fn motion(&self, loan: &LoanId, id: &Hash) -> Result<Option<Motion>, StoreError>;

    /// Motions that nobody has ended, oldest first, at most `take` (at most [`LOANS_MAX`]).
    async fn open_motions(&self, take: u32) -> Result<Vec<Motion>, StoreError>;

    /// Motions about a loan, open and ended, newest first, at most `take` (at most [`LOANS_MAX`]).
    async fn motions_of(&self, loan: &LoanId, take: u32) -> Result<Vec<Motion>, StoreError>;

    /// Ends a motion without an act, with its row in the trail. False, and nothing changed, if it
    /// ended before.
    async fn end_motion(
        &self,
        loan: &LoanId,
        end: &Ended,
        note: &audit::Entry,
    ) -> Result<bool, StoreError>;

    /// Takes a task, or keeps it, for one holder until an instant; none if somebody else has it. The
    /// number rises with each take.
    async fn hold_lease(
        &self,
        task: &str,
        holder: &str,
        now: Instant,
        until: Instant,
    ) -> Result<Option<i64>, StoreError>;
}
