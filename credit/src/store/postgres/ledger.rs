//! The ledger's rows.

mod reading;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::{Connection as _, PgConnection};

use super::{Postgres, at, retried};
use crate::ledger::chain::{End, Lane, Page, book_head};
use crate::ledger::{Balances, Entry, EntryKey, LoanId, Posting, TrialBalance};
use crate::store::StoreError;
use crate::store::ledger::batch::{Batch, Row};
use crate::store::ledger::check::check;
use crate::store::ledger::rows::{
    self, ClassRow, EndRow, EntryRow, PostingRow, SumRow, all_kept, by_lane,
};
use crate::store::ledger::{Checked, Kept, LIST_MAX, Ledger, Posted};

/// Most times that one call looks for a place. Whoever loses a place loses it to somebody who has
/// added something, so many tries mean that rows stand where no page leads.
const TRIES: u32 = 1_000;

/// One instant for everything that a check reads.
const ONE_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Adds entries inside a caller's transaction, as one page. Whoever adds to the same lane at the same
/// time takes the same place: the second waits on the key of the page until the first has committed
/// or not, and then looks again. Behind the transaction's other rows, before its row in the trail.
///
/// # Errors
/// [`StoreError::Ledger`] if an entry is refused; drop the transaction then, and after any other
/// error.
pub(in crate::store) async fn append(
    connection: &mut PgConnection,
    book: &Slug,
    entries: &[Entry],
    now: Instant,
) -> Result<Posted, StoreError> {
    let batch = Batch::new(entries)?;
    for _ in 0..TRIES {
        // A savepoint, so that what the caller has done outlives a try.
        let mut inner = connection.begin().await?;
        if let Some(posted) = tried(add(&mut inner, book, &batch, now).await)? {
            inner.commit().await?;
            return Ok(posted);
        }
        inner.rollback().await?;
    }
    Err(rows::wrong("ledger page"))
}

/// None, and nothing more, if somebody else was quicker.
fn tried(outcome: Result<Option<Posted>, StoreError>) -> Result<Option<Posted>, StoreError> {
    match outcome {
        Err(error) if is_taken(&error) => Ok(None),
        outcome => outcome,
    }
}

/// Adds what is new of a batch. None, or an error of a key, if somebody else has taken its place
/// meanwhile, or the key of one of its entries, or has taken the same entry back: roll back then and
/// look again.
async fn add(
    connection: &mut PgConnection,
    book: &Slug,
    batch: &Batch<'_>,
    now: Instant,
) -> Result<Option<Posted>, StoreError> {
    let Some(guess) = batch.lane() else {
        return Ok(Some(batch.posted()));
    };
    let (kept, end) = before(connection, book, batch, guess).await?;
    let new = batch.without(&kept)?;
    let Some(lane) = new.lane() else {
        return Ok(Some(new.posted()));
    };
    let end = if lane == guess {
        end
    } else {
        end_of(connection, book, lane).await?
    };
    check_corrections(connection, book, &new).await?;
    let page = new.page(book, lane, end, now);
    let added = insert(connection, book, &page, &new.rows(&page)).await?;
    Ok(added.then(|| new.posted()))
}

/// Adds a page and what stands on it. False if its place is taken.
async fn insert(
    connection: &mut PgConnection,
    book: &Slug,
    page: &Page,
    rows: &[Row<'_>],
) -> Result<bool, StoreError> {
    if !insert_page(connection, book, page).await? {
        return Ok(false);
    }
    insert_entries(connection, book, page, rows).await?;
    insert_postings(connection, book, page, rows).await?;
    Ok(true)
}

/// True if a key was taken.
fn is_taken(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else {
        return false;
    };
    let error = error.as_database_error();
    error.is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// False if its place is taken.
async fn insert_page(
    connection: &mut PgConnection,
    book: &Slug,
    page: &Page,
) -> Result<bool, StoreError> {
    let added: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO ledger_pages (book, lane, first_number, entries, at, prev, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (book, lane, first_number) DO NOTHING RETURNING lane",
    )
    .bind(book.as_str())
    .bind(page.lane.number())
    .bind(page.first)
    .bind(page.entries)
    .bind(at(page.at))
    .bind(&page.prev.0[..])
    .bind(&page.hash.0[..])
    .fetch_optional(connection)
    .await?;
    Ok(added.is_some())
}

async fn insert_entries(
    connection: &mut PgConnection,
    book: &Slug,
    page: &Page,
    rows: &[Row<'_>],
) -> Result<(), StoreError> {
    let texts = |of: for<'e> fn(&'e Entry) -> &'e str| -> Vec<&str> {
        rows.iter().map(|row| of(row.entry)).collect()
    };
    let options = |of: for<'e> fn(&'e Entry) -> Option<&'e str>| -> Vec<Option<&str>> {
        rows.iter().map(|row| of(row.entry)).collect()
    };
    let booked = rows.iter().map(|row| row.entry.booked().to_string());
    sqlx::query(
        "INSERT INTO ledger_entries
         (book, lane, number, entry_key, booked, kind, loan, corrects, hash)
         SELECT $1, $2, e.number, e.entry_key, e.booked, e.kind, e.loan, e.corrects, e.hash
         FROM UNNEST($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::bytea[])
              AS e(number, entry_key, booked, kind, loan, corrects, hash)",
    )
    .bind(book.as_str())
    .bind(page.lane.number())
    .bind(rows.iter().map(|row| row.number).collect::<Vec<_>>())
    .bind(texts(|entry| entry.key().as_str()))
    .bind(booked.collect::<Vec<_>>())
    .bind(texts(|entry| entry.kind().word()))
    .bind(options(|entry| entry.loan().map(LoanId::as_str)))
    .bind(options(|entry| entry.corrects().map(EntryKey::as_str)))
    .bind(rows.iter().map(|row| &row.hash.0[..]).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_postings(
    connection: &mut PgConnection,
    book: &Slug,
    page: &Page,
    rows: &[Row<'_>],
) -> Result<(), StoreError> {
    let each = rows.iter().flat_map(|row| {
        let lines = (0i64..).zip(row.entry.postings());
        lines.map(|(line, posting)| (row.number, line, posting))
    });
    let postings: Vec<_> = each.collect();
    let column =
        |of: fn(&(i64, i64, &Posting)) -> i64| -> Vec<i64> { postings.iter().map(of).collect() };
    let loans = postings.iter().map(|(.., p)| p.account.loan());
    let currencies = postings.iter().map(|(.., p)| p.amount.currency());
    sqlx::query(
        "INSERT INTO ledger_postings
         (book, lane, number, line, class, loan, side, currency, amount_fen)
         SELECT $1, $2, p.number, p.line, p.class, p.loan, p.side, p.currency, p.amount_fen
         FROM UNNEST($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::bigint[])
              AS p(number, line, class, loan, side, currency, amount_fen)",
    )
    .bind(book.as_str())
    .bind(page.lane.number())
    .bind(column(|(number, ..)| *number))
    .bind(column(|(_, line, _)| *line))
    .bind(
        postings
            .iter()
            .map(|(.., p)| p.account.class().word())
            .collect::<Vec<_>>(),
    )
    .bind(
        loans
            .map(|loan| loan.map(LoanId::as_str))
            .collect::<Vec<_>>(),
    )
    .bind(
        postings
            .iter()
            .map(|(.., p)| p.side.word())
            .collect::<Vec<_>>(),
    )
    .bind(
        currencies
            .map(|currency| currency.to_string())
            .collect::<Vec<_>>(),
    )
    .bind(column(|(.., posting)| posting.amount.fen()))
    .execute(connection)
    .await?;
    Ok(())
}

async fn end_of(connection: &mut PgConnection, book: &Slug, lane: Lane) -> Result<End, StoreError> {
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

/// Which of these entries are kept, with their hashes, and where a lane ends: in one statement,
/// since each costs a way to the server and back.
async fn before(
    connection: &mut PgConnection,
    book: &Slug,
    batch: &Batch<'_>,
    lane: Lane,
) -> Result<(BTreeMap<String, Hash>, End), StoreError> {
    let found: Vec<(Option<String>, i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT entry_key, 0::bigint, 0::bigint, hash FROM ledger_entries
         WHERE book = $1 AND entry_key = ANY($2)
         UNION ALL
         (SELECT NULL, first_number, entries, hash FROM ledger_pages
          WHERE book = $1 AND lane = $3 ORDER BY first_number DESC LIMIT 1)",
    )
    .bind(book.as_str())
    .bind(batch.keys())
    .bind(lane.number())
    .fetch_all(connection)
    .await?;
    let (mut kept, mut end) = (Vec::new(), None);
    for (key, first, entries, hash) in found {
        match key {
            Some(key) => kept.push((key, hash)),
            None => end = Some((first, entries, hash)),
        }
    }
    Ok((rows::hashes(kept)?, rows::end(end)?))
}

async fn check_corrections(
    connection: &mut PgConnection,
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
         WHERE book = $1 AND kind = 'reversal' AND corrects = ANY($2)",
    )
    .bind(book.as_str())
    .bind(corrected)
    .fetch_all(connection)
    .await?;
    let reversed: BTreeSet<String> = reversed.into_iter().map(|(key,)| key).collect();
    Ok(batch.check_corrections(&kept, &reversed)?)
}

async fn read_entry(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
    book: &Slug,
    entries: Vec<EntryRow>,
) -> Result<Vec<Kept>, StoreError> {
    let mut found = Vec::with_capacity(entries.len());
    for (lane, entries) in by_lane(entries) {
        let numbers: Vec<i64> = entries.iter().map(|(_, number, ..)| *number).collect();
        let postings: Vec<PostingRow> = sqlx::query_as(
            "SELECT number, line, class, loan, side, currency, amount_fen FROM ledger_postings
             WHERE book = $1 AND lane = $2 AND number = ANY($3) ORDER BY number, line",
        )
        .bind(book.as_str())
        .bind(lane)
        .bind(numbers)
        .fetch_all(&mut *connection)
        .await?;
        found.extend(all_kept(&entries, postings)?);
    }
    found.sort_by_key(Kept::place);
    Ok(found)
}

impl Postgres {
    /// None if somebody else was quicker.
    async fn post_once(
        &self,
        book: &Slug,
        batch: &Batch<'_>,
        now: Instant,
    ) -> Result<Option<Posted>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let posted = tried(add(&mut transaction, book, batch, now).await)?;
        if posted.is_some() {
            transaction.commit().await?;
        }
        Ok(posted)
    }

    /// As a caller's own transaction does it: waits for its place instead of giving up.
    async fn post_in_place(
        &self,
        book: &Slug,
        entries: &[Entry],
        now: Instant,
    ) -> Result<Posted, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let posted = append(&mut transaction, book, entries, now).await?;
        transaction.commit().await?;
        Ok(posted)
    }
}

#[async_trait]
impl Ledger for Postgres {
    async fn post(
        &self,
        book: &Slug,
        entries: &[Entry],
        now: Instant,
    ) -> Result<Posted, StoreError> {
        // Without a savepoint first: it costs two ways to the server and back.
        let batch = Batch::new(entries)?;
        match retried(|| self.post_once(book, &batch, now)).await? {
            Some(posted) => Ok(posted),
            None => retried(|| self.post_in_place(book, entries, now)).await,
        }
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
        .bind(i64::from(take.min(LIST_MAX)))
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
                    SUM(p.amount_fen / 1000000000)::bigint, SUM(p.amount_fen % 1000000000)::bigint
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
                    SUM(amount_fen / 1000000000)::bigint, SUM(amount_fen % 1000000000)::bigint
             FROM ledger_postings WHERE book = $1 GROUP BY class, side, currency",
        )
        .bind(book.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows::trial_balance(&sums)
    }

    async fn ledger_head(&self, book: &Slug) -> Result<Hash, StoreError> {
        let mut transaction = self.pool.begin_with(ONE_SNAPSHOT).await?;
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
        let mut transaction = self.pool.begin_with(ONE_SNAPSHOT).await?;
        let connection = &mut *transaction;
        check(book, &mut reading::Reading { connection, book }).await
    }
}
