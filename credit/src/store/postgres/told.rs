//! What loans have told the indicators.

use async_trait::async_trait;
use kit::postgres::Timestamp;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::PgConnection;

use super::{Postgres, at, retried, trail};
use crate::audit;
use crate::ledger::LoanId;
use crate::sandbox::indicators::Row;
use crate::store::StoreError;
use crate::store::lending::rows::{told, told_body};
use crate::store::lending::{Place, Placed, ROWS_MAX, Told};

/// Adds rows at a place of the trail, which nobody else has.
pub(super) async fn add(
    connection: &mut PgConnection,
    (book, place): (&Slug, i64),
    rows: &[(&LoanId, &Row)],
) -> Result<(), StoreError> {
    let (mut parts, mut names, mut loans) = (vec![], vec![], vec![]);
    let (mut instants, mut bodies) = (vec![], vec![]);
    for (part, (loan, row)) in (0i64..).zip(rows) {
        parts.push(part);
        names.push(row.id.as_str());
        loans.push(loan.as_str());
        instants.push(at(row.at));
        bodies.push(told_body(row)?);
    }
    if parts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO loan_rows (book, place, part, name, loan, at, body)
         SELECT $1, $2, r.part, r.name, r.loan, r.at, r.body
         FROM UNNEST($3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
              AS r(part, name, loan, at, body)",
    )
    .bind(book.as_str())
    .bind(place)
    .bind(parts)
    .bind(names)
    .bind(loans)
    .bind(instants)
    .bind(bodies)
    .execute(connection)
    .await?;
    Ok(())
}

impl Postgres {
    async fn tell_all_once(
        &self,
        book: &Slug,
        loan: &LoanId,
        rows: &[Row],
        note: &audit::Entry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        // The trail first: whoever tells at the same time waits there, and then finds the rows.
        let place = trail::append(&mut transaction, note).await?;
        let there: Option<(i64,)> =
            sqlx::query_as("SELECT place FROM loan_rows WHERE book = $1 AND loan = $2 LIMIT 1")
                .bind(book.as_str())
                .bind(loan.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        if there.is_some() {
            return Ok(false);
        }
        let rows: Vec<_> = rows.iter().map(|row| (loan, row)).collect();
        add(&mut transaction, (book, place), &rows).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

#[async_trait]
impl Told for Postgres {
    async fn told(&self, book: &Slug, after: Place, take: u32) -> Result<Vec<Placed>, StoreError> {
        let rows: Vec<(i64, i64, String, Timestamp, String)> = sqlx::query_as(
            "SELECT place, part, name, at, body FROM loan_rows
             WHERE book = $1 AND (place, part) > ($2, $3) ORDER BY place, part LIMIT $4",
        )
        .bind(book.as_str())
        .bind(after.number)
        .bind(after.part)
        .bind(i64::from(take.min(ROWS_MAX)))
        .fetch_all(&self.pool)
        .await?;
        let read = |(number, part, name, at, body): (i64, i64, String, Timestamp, String)| {
            told(Place { number, part }, &name, at.0, &body)
        };
        rows.into_iter().map(read).collect()
    }

    async fn tell_all(
        &self,
        book: &Slug,
        loan: &LoanId,
        rows: &[Row],
        note: &audit::Entry,
    ) -> Result<bool, StoreError> {
        retried(|| self.tell_all_once(book, loan, rows, note)).await
    }

    async fn is_all_told(&self, book: &Slug) -> Result<bool, StoreError> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT book FROM loan_rows_told WHERE book = $1")
                .bind(book.as_str())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.is_some())
    }

    async fn all_told(&self, book: &Slug, now: Instant) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO loan_rows_told (book, at) VALUES ($1, $2) ON CONFLICT (book) DO NOTHING",
        )
        .bind(book.as_str())
        .bind(at(now))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
