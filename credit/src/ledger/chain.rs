//! The hash chain over entries, as `docs/ledger.md` has it.

use std::collections::BTreeMap;

use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::account::{LoanId, Side};
use super::entry::{Entry, Posting};

/// Chains of a book.
pub const LANES: u8 = 64;

const LANE_DOMAIN: &[u8] = b"tracebond/credit/ledger/lane/v1\n";
const ENTRY_DOMAIN: &[u8] = b"tracebond/credit/ledger/entry/v1\n";
const PAGE_DOMAIN: &[u8] = b"tracebond/credit/ledger/page/v1\n";
const HEAD_DOMAIN: &[u8] = b"tracebond/credit/ledger/head/v1\n";

/// One of the chains of a book, below [`LANES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(u8);

impl Lane {
    /// The lane of a loan, or of entries that are of none: a page stands in the lane of its first
    /// entry (section 1).
    #[must_use]
    pub fn of(loan: Option<&LoanId>) -> Self {
        loan.map_or(Self(0), |loan| {
            let hash = sha256_parts(&[LANE_DOMAIN, loan.as_str().as_bytes()]);
            Self(hash.as_bytes()[0] % LANES)
        })
    }

    /// Every lane, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..LANES).map(Self)
    }

    /// The lane of a number, if there is one.
    #[must_use]
    pub fn of_number(number: i64) -> Option<Self> {
        Self::all().find(|lane| lane.number() == number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0 as i64
    }
}

/// Length and bytes. All texts here are ids of a bounded length.
fn text(into: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(text.as_bytes());
}

/// What is hashed of an entry, and its hash (section 3).
#[must_use]
pub fn entry_bytes(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(ENTRY_DOMAIN);
    text(&mut bytes, entry.key().as_str());
    text(&mut bytes, &entry.booked().to_string());
    text(&mut bytes, entry.kind().word());
    text(&mut bytes, entry.loan().map_or("", LoanId::as_str));
    text(&mut bytes, entry.corrects().map_or("", |key| key.as_str()));
    text(&mut bytes, entry.currency().as_str());
    let count = u16::try_from(entry.postings().len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&count.to_be_bytes());
    for posting in entry.postings() {
        posting_bytes(&mut bytes, posting);
    }
    bytes
}

fn posting_bytes(into: &mut Vec<u8>, posting: &Posting) {
    text(into, posting.account.class().word());
    into.push(u8::from(posting.account.loan().is_some()));
    into.push(match posting.side {
        Side::Debit => 0,
        Side::Credit => 1,
    });
    into.extend_from_slice(&posting.amount.fen().to_be_bytes());
}

/// The hash of an entry (section 3).
#[must_use]
pub fn entry_hash(entry: &Entry) -> Hash {
    sha256(&entry_bytes(entry))
}

/// Where a lane ends: the next page stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Number of the last entry; 0 if there is none.
    pub last: i64,
    /// Hash of the last page; zero if there is none.
    pub hash: Hash,
}

impl End {
    /// The end of a lane that has no page.
    pub const EMPTY: Self = Self {
        last: 0,
        hash: Hash::ZERO,
    };
}

/// What one transaction added to one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The lane.
    pub lane: Lane,
    /// Number of its first entry, from 1.
    pub first: i64,
    /// Number of its entries, from 1.
    pub entries: i64,
    /// When it was kept.
    pub at: Instant,
    /// Hash of the lane's page before; zero in the first.
    pub prev: Hash,
    /// Its own hash.
    pub hash: Hash,
}

impl Page {
    /// The page of these entries behind the end of their lane.
    #[must_use]
    pub fn after(end: End, book: &Slug, lane: Lane, entries: &[Hash], at: Instant) -> Self {
        let mut page = Self {
            lane,
            first: end.last.saturating_add(1),
            entries: i64::try_from(entries.len()).unwrap_or(i64::MAX),
            at,
            prev: end.hash,
            hash: Hash::ZERO,
        };
        page.hash = page.computed(book, entries);
        page
    }

    /// Its hash as it must be over these entries (section 4).
    #[must_use]
    pub fn computed(&self, book: &Slug, entries: &[Hash]) -> Hash {
        let mut bytes = Vec::with_capacity(PAGE_DOMAIN.len() + 96 + entries.len() * 32);
        bytes.extend_from_slice(PAGE_DOMAIN);
        text(&mut bytes, book.as_str());
        bytes.push(self.lane.0);
        bytes.extend_from_slice(&self.first.to_be_bytes());
        let count = u32::try_from(self.entries).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes.extend_from_slice(&self.at.as_micros().to_be_bytes());
        bytes.extend_from_slice(self.prev.as_bytes());
        for entry in entries {
            bytes.extend_from_slice(entry.as_bytes());
        }
        sha256(&bytes)
    }

    /// Number of its last entry.
    #[must_use]
    pub const fn last(&self) -> i64 {
        self.first.saturating_add(self.entries).saturating_sub(1)
    }

    /// Where the lane ends with this page.
    #[must_use]
    pub const fn end(&self) -> End {
        End {
            last: self.last(),
            hash: self.hash,
        }
    }
}

/// The hash that stands for a whole book (section 5): write it down elsewhere.
#[must_use]
pub fn book_head(book: &Slug, ends: &BTreeMap<Lane, End>) -> Hash {
    let mut bytes = HEAD_DOMAIN.to_vec();
    text(&mut bytes, book.as_str());
    for (lane, end) in ends {
        bytes.push(lane.0);
        bytes.extend_from_slice(&end.last.to_be_bytes());
        bytes.extend_from_slice(end.hash.as_bytes());
    }
    sha256(&bytes)
}

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A page does not begin where the one before ends, or has no entry.
    #[error("lane {lane}: a page begins at entry {found}, not at {expected}")]
    Page {
        /// The lane.
        lane: i64,
        /// Where it should begin.
        expected: i64,
        /// Where it does.
        found: i64,
    },
    /// A page does not carry the hash of the one before.
    #[error("lane {lane}: the page at entry {first} does not carry the hash of the page before it")]
    Link {
        /// The lane.
        lane: i64,
        /// First entry of the page.
        first: i64,
    },
    /// A page's own hash is not that of what stands on it.
    #[error("lane {lane}: the page at entry {first} is not what was hashed")]
    PageHash {
        /// The lane.
        lane: i64,
        /// First entry of the page.
        first: i64,
    },
    /// An entry is missing, or is another one than its number says.
    #[error("lane {lane}: entry {number} is missing")]
    Missing {
        /// The lane.
        lane: i64,
        /// Its number.
        number: i64,
    },
    /// An entry that no one could have booked.
    #[error("lane {lane}: entry {number} cannot be: {why}")]
    Entry {
        /// The lane.
        lane: i64,
        /// Its number.
        number: i64,
        /// What is wrong with it.
        why: String,
    },
    /// An entry's hash is not that of its rows.
    #[error("lane {lane}: entry {number} is not what was hashed")]
    EntryHash {
        /// The lane.
        lane: i64,
        /// Its number.
        number: i64,
    },
    /// A page stands in another lane than that of its first entry.
    #[error("lane {lane}: the page at entry {first} belongs to another lane")]
    Lane {
        /// The lane.
        lane: i64,
        /// First entry of the page.
        first: i64,
    },
    /// There are rows that belong to nothing.
    #[error("{beside} rows of {table} belong to no page")]
    Beside {
        /// The table.
        table: &'static str,
        /// How many there are more than the chains account for.
        beside: i64,
    },
    /// The book is not zero in the end.
    #[error("the trial balance is not zero: {0}")]
    Sums(#[from] super::Imbalance),
}

/// Reads one lane page by page, in order, and adds its entries up elsewhere.
#[derive(Debug)]
pub struct LaneCheck<'b> {
    book: &'b Slug,
    lane: Lane,
    end: End,
}

impl<'b> LaneCheck<'b> {
    /// At the beginning of a lane.
    #[must_use]
    pub const fn new(book: &'b Slug, lane: Lane) -> Self {
        Self {
            book,
            lane,
            end: End::EMPTY,
        }
    }

    /// Takes the next page and the entries on it, each with the hash that is kept beside it.
    ///
    /// # Errors
    /// [`Broken`] where it does not follow.
    pub fn take(&mut self, page: &Page, entries: &[(Entry, Hash)]) -> Result<(), Broken> {
        let (lane, first) = (self.lane.number(), page.first);
        let expected = self.end.last.saturating_add(1);
        if first != expected || page.entries < 1 {
            return Err(Broken::Page {
                lane,
                expected,
                found: first,
            });
        }
        if page.prev != self.end.hash {
            return Err(Broken::Link { lane, first });
        }
        let of_first = entries.first().map(|(entry, _)| Lane::of(entry.loan()));
        if of_first != Some(self.lane) {
            return Err(Broken::Lane { lane, first });
        }
        for (number, (entry, kept)) in (first..).zip(entries) {
            if entry_hash(entry) != *kept {
                return Err(Broken::EntryHash { lane, number });
            }
        }
        let hashes: Vec<Hash> = entries.iter().map(|(_, hash)| *hash).collect();
        if page.hash != page.computed(self.book, &hashes) {
            return Err(Broken::PageHash { lane, first });
        }
        self.end = page.end();
        Ok(())
    }

    /// Where the lane ends, as far as it was read.
    #[must_use]
    pub const fn end(&self) -> End {
        self.end
    }
}

#[cfg(test)]
mod tests;
