//! What loans have told the indicators, as a trait beside [`Loans`](super::Loans).
//!
//! Rows are only ever added, in the transaction of their acts or, for loans of before there were rows,
//! all of a loan's at once. Each stands at the **place** of its transaction in the trail, whose numbers
//! are taken in the order of the commits: whoever has read up to a place has read everything before it
//! for ever, and reads on from there.

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;

use crate::audit;
use crate::ledger::LoanId;
use crate::sandbox::indicators::Row;
use crate::store::StoreError;

/// Most rows that one read hands out.
pub const ROWS_MAX: u32 = 10_000;

/// Where a row stands: the number of the trail's row that was written with it, and which of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Number in the trail; 0 is before everything.
    pub number: i64,
    /// Which of its rows, from 0.
    pub part: i64,
}

/// A row with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub row: Row,
}

/// Rows of loans.
#[async_trait]
pub trait Told: Send + Sync {
    /// Rows of a book behind a place, in their order, at most `take` (at most [`ROWS_MAX`]).
    async fn told(&self, book: &Slug, after: Place, take: u32) -> Result<Vec<Placed>, StoreError>;

    /// Adds all rows of a loan with a row of the trail, unless it has rows: then nothing is written,
    /// and the answer is false.
    async fn tell_all(
        &self,
        book: &Slug,
        loan: &LoanId,
        rows: &[Row],
        note: &audit::Entry,
    ) -> Result<bool, StoreError>;

    /// Whether every loan of a book has its rows.
    async fn is_all_told(&self, book: &Slug) -> Result<bool, StoreError>;

    /// Notes that every loan of a book has its rows, from now on.
    async fn all_told(&self, book: &Slug, at: Instant) -> Result<(), StoreError>;
}
