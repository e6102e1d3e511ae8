//! The ledger's rows. Many rows go in as one JSON text a table: a statement for each row costs
//! several times as much.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use crate::ledger::chain::{End, Lane, Page, book_head};
use crate::ledger::{Balances, Entry, EntryKey, LoanId, TrialBalance};
use crate::store::StoreError;
use crate::store::ledger::batch::{Batch, Row};
use crate::store::ledger::check::{Counts, Snapshot, check};
use crate::store::ledger::rows::{
    self, ClassRow, EndRow, EntryRow, PageRow, PostingRow, SumRow, all_kept, by_lane,
};
use crate::store::ledger::{Checked, Kept, LIST_MAX, Ledger, Posted};

/// Pages that one read of a check takes.
const PAGES: i64 = 256;

/// Adds entries inside a caller's transaction, which has the write lock: nobody else moves the ends
/// of the lanes meanwhile.
///
/// # Errors
/// [`StoreError::Ledger`] if an entry is refused; drop the transaction then, and after any other
/// error.
pub(in crate::store) async fn append(
    connection: &mut SqliteConnection,
    book: &Slug,
    entries: &[Entry],
    now: Instant,
) -> Result<Posted, StoreError> {
    let batch = Batch::new(entries)?;
    let kept = hashes_of(connection, book, &batch.keys()).await?;
    let new = batch.without(&kept)?;
    let Some(lane) = new.lane() else {
        return Ok(new.posted());
    };
    check_corrections(connection, book, &new).await?;
    let end = end_of(connection, book, lane).await?;
    let page = new.page(book, lane, end, now);
    let rows = new.rows(&page);
    insert_page(connection, book, &page).await?;
    insert_entries(connection, book, &page, &rows).await?;
    insert_postings(connection, book, &page, &rows).await?;
    Ok(new.posted())
}

/// Texts and numbers always have a JSON form.
fn list(values: impl Iterator<Item = Value>) -> String {
    Value::Array(values.collect()).to_string()
}

async fn insert_page(
    connection: &mut SqliteConnection,
    book: &Slug,
    page: &Page,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ledger_pages (book, lane, first_number, entries, at, prev, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(book.as_str())
    .bind(page.lane.number())
    .bind(page.first)
    .bind(page.entries)
    .bind(page.at.to_rfc3339())
    .bind(&page.prev.0[..])
    .bind(&page.hash.0[..])
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_entries(
    connection: &mut SqliteConnection,
    book: &Slug,
    page: &Page,
    rows: &[Row<'_>],
) -> Result<(), StoreError> {
    let entries = rows.iter().map(|row| {
        let entry = row.entry;
        json!([
            row.number,
            entry.key().as_str(),
            entry.booked().to_string(),
            entry.kind().word(),
            entry.loan().map(LoanId::as_str),
            entry.corrects().map(EntryKey::as_str),
            row.hash.to_string(),
        ])
    });
    sqlx::query(
        "INSERT INTO ledger_entries
         (book, lane, number, entry_key, booked, kind, loan, corrects, hash)
         SELECT $1, $2, e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4,
                e.value ->> 5, unhex(e.value ->> 6)
         FROM json_each($3) e",
    )
    .bind(book.as_str())
    .bind(page.lane.number())
    .bind(list(entries))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_postings(
    connection: &mut SqliteConnection,
    book: &Slug,
    page: &Page,
    rows: &[Row<'_>],
) -> Result<(), StoreError> {
    let postings = rows.iter().flat_map(|row| {
        (0i64..).zip(row.entry.postings()).map(|(line, posting)| {
            json!([
                row.number,
                line,
                posting.account.class().word(),
                posting.account.loan().map(LoanId::as_str),
                posting.side.word(),
                posting.amount.currency().as_str(),
                posting.amount.fen(),
            ])
        })
    });
    sqlx::query(
        "INSERT INTO ledger_postings
         (book, lane, number, line, class, loan, side, currency, amount_fen)
         SELECT $1, $2, p.value ->> 0, p.value ->> 1, p.value ->> 2, p.value ->> 3, p.value ->> 4,
                p.value ->> 5, p.value ->> 6
         FROM json_each($3) p",
    )
    .bind(book.as_str())
    .bind(page.lane.number())
    .bind(list(postings))
    .execute(connection)
    .await?;
    Ok(())
}

async fn end_of(
    connection: &mut SqliteConnection,
    book: &Slug,
    lane: Lane,
) -> Result<End, StoreError> {
    let found: Option<EndRow> = sqlx::query_as(
        "SELECT first_number, entries, hash FROM ledger_pages
         WHERE book = $1 AND lane = $2 ORDER BY first_number DESC LIMIT 1",
    )
    .bind(book.as_str())
    .bind(lane.number())
    .fetch_optional(connection)
    .await?;
    rows::end(found)
}

async fn hashes_of(
    connection: &mut SqliteConnection,
    book: &Slug,
    keys: &[&str],
) -> Result<BTreeMap<String, Hash>, StoreError> {
    let found: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT entry_key, hash FROM ledger_entries
         WHERE book = $1 AND entry_key IN (SELECT value FROM json_each($2))",
    )
    .bind(book.as_str())
    .bind(list(keys.iter().map(|key| json!(key))))
    .fetch_all(connection)
    .await?;
    rows::hashes(found)
}

async fn check_corrections(
    connection: &mut SqliteConnection,
    book: &Slug,
    batch: &Batch<'_>,
) -> Result<(), StoreError> {
    let corrected = batch.corrected();
    if corrected.is_empty() {
        return Ok(());
    }
    let mut kept = BTreeMap::new();
    for key in &corrected {
        if let Some(found) = read_entry(connection, book, key).await? {
            kept.insert((*key).to_owned(), found);
        }
    }
    let reversed: Vec<(String,)> = sqlx::query_as(
        "SELECT corrects FROM ledger_entries
         WHERE book = $1 AND kind = 'reversal'
           AND corrects IN (SELECT value FROM json_each($2))",
    )
    .bind(book.as_str())
    .bind(list(corrected.iter().map(|key| json!(key))))
    .fetch_all(connection)
    .await?;
    let reversed: BTreeSet<String> = reversed.into_iter().map(|(key,)| key).collect();
    Ok(batch.check_corrections(&kept, &reversed)?)
}

async fn read_entry(
    connection: &mut SqliteConnection,
    book: &Slug,
    key: &str,
) -> Result<Option<Kept>, StoreError> {
    let found: Vec<EntryRow> = sqlx::query_as(
        "SELECT lane, number, entry_key, booked, kind, loan, corrects, hash FROM ledger_entries
         WHERE book = $1 AND entry_key = $2",
    )
    .bind(book.as_str())
    .bind(key)
    .fetch_all(&mut *connection)
    .await?;
    Ok(with_postings(connection, book, found).await?.pop())
}

/// Entries with their postings, lane by lane and then in their order. What is read later than they
/// are is there already.
async fn with_postings(
    connection: &mut SqliteConnection,
    book: &Slug,
    entries: Vec<EntryRow>,
) -> Result<Vec<Kept>, StoreError> {
    let mut found = Vec::with_capacity(entries.len());
    for (lane, entries) in by_lane(entries) {
        let numbers = entries.iter().map(|(_, number, ..)| json!(number));
        let postings: Vec<PostingRow> = sqlx::query_as(
            "SELECT number, line, class, loan, side, currency, amount_fen FROM ledger_postings
             WHERE book = $1 AND lane = $2 AND number IN (SELECT value FROM json_each($3))
             ORDER BY number, line",
        )
        .bind(book.as_str())
        .bind(lane)
        .bind(list(numbers))
        .fetch_all(&mut *connection)
        .await?;
        found.extend(all_kept(&entries, postings)?);
    }
    found.sort_by_key(Kept::place);
    Ok(found)
}

#[async_trait]
impl Ledger for Sqlite {
    async fn post(
        &self,
        book: &Slug,
        entries: &[Entry],
        now: Instant,
    ) -> Result<Posted, StoreError> {
        let mut transaction = self.begin().await?;
        let posted = append(&mut transaction, book, entries, now).await?;
        transaction.commit().await?;
        Ok(posted)
    }

    async fn entry(&self, book: &Slug, key: &EntryKey) -> Result<Option<Kept>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        read_entry(&mut connection, book, key.as_str()).await
    }

    async fn entries_of(
        &self,
        book: &Slug,
        loan: &LoanId,
        after: Option<&Kept>,
        take: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        let (booked, lane, number) = after.map(Kept::place).unwrap_or_default();
        let mut connection = self.pool.acquire().await?;
        let found: Vec<EntryRow> = sqlx::query_as(
            "SELECT lane, number, entry_key, booked, kind, loan, corrects, hash FROM ledger_entries
             WHERE book = $1 AND loan = $2 AND (booked, lane, number) > ($3, $4, $5)
             ORDER BY booked, lane, number LIMIT $6",
        )
        .bind(book.as_str())
        .bind(loan.as_str())
        .bind(booked)
        .bind(lane)
        .bind(number)
        .bind(take.min(LIST_MAX))
        .fetch_all(&mut *connection)
        .await?;
        with_postings(&mut connection, book, found).await
    }

    async fn balances_of(
        &self,
        book: &Slug,
        loan: &LoanId,
        until: NaiveDate,
    ) -> Result<Balances, StoreError> {
        let sums: Vec<SumRow> = sqlx::query_as(
            "SELECT p.class, p.loan, p.side, p.currency,
                    SUM(p.amount_fen / 1000000000), SUM(p.amount_fen % 1000000000)
             FROM ledger_entries e
             JOIN ledger_postings p ON p.book = e.book AND p.lane = e.lane AND p.number = e.number
             WHERE e.book = $1 AND e.loan = $2 AND p.loan = $2 AND e.booked <= $3
             GROUP BY p.class, p.loan, p.side, p.currency",
        )
        .bind(book.as_str())
        .bind(loan.as_str())
        .bind(until.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows::balances(&sums)
    }

    async fn trial_balance(&self, book: &Slug) -> Result<TrialBalance, StoreError> {
        let sums: Vec<ClassRow> = sqlx::query_as(
            "SELECT class, side, currency,
                    SUM(amount_fen / 1000000000), SUM(amount_fen % 1000000000)
             FROM ledger_postings WHERE book = $1 GROUP BY class, side, currency",
        )
        .bind(book.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows::trial_balance(&sums)
    }

    async fn ledger_head(&self, book: &Slug) -> Result<Hash, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let mut ends = BTreeMap::new();
        for lane in Lane::all() {
            let end = end_of(&mut transaction, book, lane).await?;
            if end != End::EMPTY {
                ends.insert(lane, end);
            }
        }
        Ok(book_head(book, &ends))
    }

    async fn check_ledger(&self, book: &Slug) -> Result<Checked, StoreError> {
        // Reads only: in WAL that is one snapshot from the first read on.
        let mut transaction = self.pool.begin().await?;
        let connection = &mut *transaction;
        check(book, &mut Reading { connection, book }).await
    }
}

/// What a check reads.
struct Reading<'c> {
    connection: &'c mut SqliteConnection,
    book: &'c Slug,
}

#[async_trait]
impl Snapshot for Reading<'_> {
    async fn pages(&mut self, lane: Lane, after: i64) -> Result<Vec<PageRow>, StoreError> {
        let found: Vec<(i64, i64, String, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT first_number, entries, at, prev, hash FROM ledger_pages
             WHERE book = $1 AND lane = $2 AND first_number > $3 ORDER BY first_number LIMIT $4",
        )
        .bind(self.book.as_str())
        .bind(lane.number())
        .bind(after)
        .bind(PAGES)
        .fetch_all(&mut *self.connection)
        .await?;
        let page = |(first, entries, at, prev, hash): (_, _, String, _, _)| PageRow {
            first,
            entries,
            at: Instant::parse_rfc3339(&at).filter(|instant| instant.to_rfc3339() == at),
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
