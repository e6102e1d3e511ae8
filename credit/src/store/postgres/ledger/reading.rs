//! What a check of the ledger reads, in one snapshot.

use async_trait::async_trait;
use kit::postgres::Timestamp;
use schemas::ids::Slug;
use sqlx::PgConnection;

use crate::ledger::chain::Lane;
use crate::store::StoreError;
use crate::store::ledger::check::{Counts, Snapshot};
use crate::store::ledger::rows::{EntryRow, PageRow, PostingRow};

/// Pages that one read takes.
const PAGES: i64 = 256;

/// What a check reads.
pub(super) struct Reading<'c> {
    pub(super) connection: &'c mut PgConnection,
    pub(super) book: &'c Slug,
}

#[async_trait]
impl Snapshot for Reading<'_> {
    async fn pages(&mut self, lane: Lane, after: i64) -> Result<Vec<PageRow>, StoreError> {
        let found: Vec<(i64, i64, Timestamp, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT first_number, entries, at, prev, hash FROM ledger_pages
             WHERE book = $1 AND lane = $2 AND first_number > $3 ORDER BY first_number LIMIT $4",
        )
        .bind(self.book.as_str())
        .bind(lane.number())
        .bind(after)
        .bind(PAGES)
        .fetch_all(&mut *self.connection)
        .await?;
        let page = |(first, entries, at, prev, hash): (_, _, Timestamp, _, _)| PageRow {
            first,
            entries,
            at: Some(at.0),
            prev,
            hash,
        };
        Ok(found.into_iter().map(page).collect())
    }

    async fn entries(
        &mut self,
        lane: Lane,
        first: i64,
        last: i64,
    ) -> Result<Vec<EntryRow>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT lane, number, entry_key, booked, kind, loan, corrects, hash FROM ledger_entries
             WHERE book = $1 AND lane = $2 AND number BETWEEN $3 AND $4 ORDER BY number",
        )
        .bind(self.book.as_str())
        .bind(lane.number())
        .bind(first)
        .bind(last)
        .fetch_all(&mut *self.connection)
        .await?)
    }

    async fn postings(
        &mut self,
        lane: Lane,
        first: i64,
        last: i64,
    ) -> Result<Vec<PostingRow>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT number, line, class, loan, side, currency, amount_fen FROM ledger_postings
             WHERE book = $1 AND lane = $2 AND number BETWEEN $3 AND $4 ORDER BY number, line",
        )
        .bind(self.book.as_str())
        .bind(lane.number())
        .bind(first)
        .bind(last)
        .fetch_all(&mut *self.connection)
        .await?)
    }

    async fn counts(&mut self) -> Result<Counts, StoreError> {
        let (pages, entries, postings) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM ledger_pages WHERE book = $1),
                    (SELECT COUNT(*) FROM ledger_entries WHERE book = $1),
                    (SELECT COUNT(*) FROM ledger_postings WHERE book = $1)",
        )
        .bind(self.book.as_str())
        .fetch_one(&mut *self.connection)
        .await?;
        Ok(Counts {
            pages,
            entries,
            postings,
        })
    }
}
