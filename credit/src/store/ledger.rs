//! The ledger's rows, as a trait beside [`Store`](super::Store); `docs/ledger.md` says what is
//! hashed and why.
//!
//! No method updates or deletes a page, an entry or a posting. Sums are made of the postings each
//! time; there is no second place where a balance is kept.
//!
//! What must be kept together with an entry is kept in one transaction with it: the adapters'
//! `ledger::append` takes the connection of whoever has begun one. Call it behind the other rows and
//! before the row of the trail, since it holds the end of a chain until the transaction ends, and
//! drop the transaction if it refuses.

pub(super) mod batch;
pub(super) mod check;
pub(super) mod rows;

use async_trait::async_trait;
use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::StoreError;
use crate::ledger::chain::{Broken, Lane};
use crate::ledger::{Balances, Entry, EntryKey, LoanId, TrialBalance};

/// Most entries that one call appends.
pub const ENTRIES_MAX: usize = 4_096;

/// Most entries that one list hands out.
pub const LIST_MAX: u32 = 500;

/// What became of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// How many were added.
    pub added: usize,
    /// How many were kept before, as the same bytes; nothing was changed by them.
    pub repeated: usize,
}

/// Why entries were not appended. None of them was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many for one call.
    #[error("{0} entries are more than the {ENTRIES_MAX} of one call")]
    TooMany(usize),
    /// The key is that of an entry with other bytes.
    #[error("entry `{0}`: its key is that of another entry")]
    KeyTaken(EntryKey),
    /// What it corrects is not in the book, or not of the same loan.
    #[error("entry `{key}`: `{corrects}`, which it corrects, is not an entry of the same loan")]
    NotThere {
        /// The entry.
        key: EntryKey,
        /// What it names.
        corrects: EntryKey,
    },
    /// It does not take back what it names, posting by posting.
    #[error("entry `{key}`: it does not take `{corrects}` back")]
    NotItsReversal {
        /// The entry.
        key: EntryKey,
        /// What it names.
        corrects: EntryKey,
    },
    /// What it names was taken back before.
    #[error("entry `{key}`: `{corrects}` was taken back before")]
    ReversedBefore {
        /// The entry.
        key: EntryKey,
        /// What it names.
        corrects: EntryKey,
    },
}

impl Kept {
    /// Its place in the list of a loan: value date, lane, number.
    #[must_use]
    pub fn place(&self) -> (String, i64, i64) {
        let booked = self.entry.booked().to_string();
        (booked, self.lane.number(), self.number)
    }
}

/// An entry and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its chain.
    pub lane: Lane,
    /// Its number in the chain, from 1.
    pub number: i64,
    /// The entry.
    pub entry: Entry,
    /// Its hash.
    pub hash: Hash,
}

/// A book that holds from its first row to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Number of its pages.
    pub pages: i64,
    /// Number of its entries.
    pub entries: i64,
    /// Number of its postings.
    pub postings: i64,
    /// The hash that stands for it: write it down elsewhere.
    pub head: Hash,
    /// Its sums, which are zero in the end.
    pub trial_balance: TrialBalance,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// All of it holds.
    Whole(Box<Whole>),
    /// It ends here.
    Broken(Broken),
}

/// The ledger's tables.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Appends entries to a book, all of them or none, as kept at `at`. An entry that is kept
    /// already, with the same bytes, changes nothing.
    ///
    /// [`StoreError::Ledger`] if one is refused.
    async fn post(&self, book: &Slug, entries: &[Entry], at: Instant)
    -> Result<Posted, StoreError>;

    /// The entry of a key.
    async fn entry(&self, book: &Slug, key: &EntryKey) -> Result<Option<Kept>, StoreError>;

    /// Entries of a loan by value date, then by their place in the chains, behind `after` (`None`
    /// for the first), at most `take` (at most [`LIST_MAX`]).
    async fn entries_of(
        &self,
        book: &Slug,
        loan: &LoanId,
        after: Option<&Kept>,
        take: u32,
    ) -> Result<Vec<Kept>, StoreError>;

    /// Balances of a loan's own accounts, of entries whose value date is `until` or earlier.
    async fn balances_of(
        &self,
        book: &Slug,
        loan: &LoanId,
        until: NaiveDate,
    ) -> Result<Balances, StoreError>;

    /// Sums of a whole book by currency and class. Reads every posting.
    async fn trial_balance(&self, book: &Slug) -> Result<TrialBalance, StoreError>;

    /// The hash that stands for a book as it is now.
    async fn ledger_head(&self, book: &Slug) -> Result<Hash, StoreError>;

    /// Reads a whole book in one snapshot and hashes all of it again.
    async fn check_ledger(&self, book: &Slug) -> Result<Checked, StoreError>;
}
