//! Reads a whole book and hashes it again.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;

use super::rows::{EntryRow, PageRow, PostingRow, by_number, kept};
use super::{Checked, Whole};
use crate::ledger::chain::{Broken, End, Lane, LaneCheck, Page, book_head};
use crate::ledger::{Entry, TrialBalance};
use crate::store::StoreError;

/// Numbers of rows of a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) pages: i64,
    pub(crate) entries: i64,
    pub(crate) postings: i64,
}

/// One snapshot of a book, in one of the databases.
#[async_trait]
pub(crate) trait Snapshot: Send {
    /// The next pages of a lane behind the one that begins at `after`, in order; none at the end.
    async fn pages(&mut self, lane: Lane, after: i64) -> Result<Vec<PageRow>, StoreError>;
    /// Entries with the numbers `first` to `last`, in order.
    async fn entries(
        &mut self,
        lane: Lane,
        first: i64,
        last: i64,
    ) -> Result<Vec<EntryRow>, StoreError>;
    /// Postings of the entries with the numbers `first` to `last`, in order.
    async fn postings(
        &mut self,
        lane: Lane,
        first: i64,
        last: i64,
    ) -> Result<Vec<PostingRow>, StoreError>;
    /// All rows of the book.
    async fn counts(&mut self) -> Result<Counts, StoreError>;
}

/// Why reading ended.
enum Stop {
    Store(StoreError),
    Broken(Broken),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Checks a book.
pub(crate) async fn check(
    book: &Slug,
    snapshot: &mut (dyn Snapshot + '_),
) -> Result<Checked, StoreError> {
    let mut reading = Reading {
        book,
        seen: Counts::default(),
        ends: BTreeMap::new(),
        sums: TrialBalance::default(),
    };
    match reading.all(snapshot).await {
        Ok(head) => Ok(Checked::Whole(Box::new(Whole {
            pages: reading.seen.pages,
            entries: reading.seen.entries,
            postings: reading.seen.postings,
            head,
            trial_balance: reading.sums,
        }))),
        Err(Stop::Broken(broken)) => Ok(Checked::Broken(broken)),
        Err(Stop::Store(error)) => Err(error),
    }
}

struct Reading<'b> {
    book: &'b Slug,
    seen: Counts,
    ends: BTreeMap<Lane, End>,
    sums: TrialBalance,
}

impl Reading<'_> {
    async fn all(&mut self, snapshot: &mut (dyn Snapshot + '_)) -> Result<Hash, Stop> {
        for lane in Lane::all() {
            self.lane(lane, snapshot).await?;
        }
        let there = snapshot.counts().await?;
        beside("ledger_pages", there.pages, self.seen.pages)?;
        beside("ledger_entries", there.entries, self.seen.entries)?;
        beside("ledger_postings", there.postings, self.seen.postings)?;
        self.sums.check().map_err(Broken::from)?;
        Ok(book_head(self.book, &self.ends))
    }

    async fn lane(&mut self, lane: Lane, snapshot: &mut (dyn Snapshot + '_)) -> Result<(), Stop> {
        let (mut check, mut after) = (LaneCheck::new(self.book, lane), 0);
        loop {
            let rows = snapshot.pages(lane, after).await?;
            let Some(last) = rows.last() else {
                break;
            };
            after = last.first;
            for row in rows {
                let (first, number) = (row.first, lane.number());
                let page = row.page(lane).ok_or(Broken::PageHash {
                    lane: number,
                    first,
                })?;
                self.page(&page, snapshot, &mut check).await?;
            }
            self.ends.insert(lane, check.end());
        }
        Ok(())
    }

    async fn page(
        &mut self,
        page: &Page,
        snapshot: &mut (dyn Snapshot + '_),
        check: &mut LaneCheck<'_>,
    ) -> Result<(), Stop> {
        let (first, last) = (page.first, page.last());
        let rows = snapshot.entries(page.lane, first, last).await?;
        let postings = snapshot.postings(page.lane, first, last).await?;
        self.seen.postings += count(postings.len());
        let entries = entries_on(page, &rows, postings)?;
        check.take(page, &entries)?;
        self.seen.pages += 1;
        self.seen.entries += page.entries;
        for (entry, _) in &entries {
            self.add(page.lane, entry)?;
        }
        Ok(())
    }

    fn add(&mut self, lane: Lane, entry: &Entry) -> Result<(), Broken> {
        for posting in entry.postings() {
            let fen = i128::from(posting.amount.fen());
            let (class, currency) = (posting.account.class(), posting.amount.currency());
            let added = self.sums.add(currency, class, posting.side, fen);
            added.map_err(|error| Broken::Entry {
                lane: lane.number(),
                number: 0,
                why: error.to_string(),
            })?;
        }
        Ok(())
    }
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn beside(table: &'static str, there: i64, seen: i64) -> Result<(), Broken> {
    match there - seen {
        0 => Ok(()),
        beside => Err(Broken::Beside { table, beside }),
    }
}

/// The entries of a page, each number once.
fn entries_on(
    page: &Page,
    rows: &[EntryRow],
    postings: Vec<PostingRow>,
) -> Result<Vec<(Entry, Hash)>, Broken> {
    let lane = page.lane.number();
    let mut postings = by_number(postings);
    let mut entries = Vec::with_capacity(rows.len());
    for (number, row) in (page.first..).zip(rows) {
        if row.1 != number {
            return Err(Broken::Missing { lane, number });
        }
        let lines = postings.remove(&number).unwrap_or_default();
        let read = kept(row, &lines).map_err(|why| Broken::Entry { lane, number, why })?;
        entries.push((read.entry, read.hash));
    }
    let missing = page.first.saturating_add(count(rows.len()));
    if missing <= page.last() {
        return Err(Broken::Missing {
            lane,
            number: missing,
        });
    }
    Ok(entries)
}
