//! What loans have told the indicators.

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;

use super::{Sqlite, trail};
use crate::audit;
use crate::ledger::LoanId;
use crate::sandbox::indicators::Row;
use crate::store::StoreError;
use crate::store::lending::rows::{told, told_body};
use crate::store::lending::{Place, Placed, ROWS_MAX, Told};

/// Adds rows at a place of the trail.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    (book, place): (&Slug, i64),
    rows: &[(&LoanId, &Row)],
) -> Result<(), StoreError> {
    let mut list = Vec::new();
    for (part, (loan, row)) in rows.iter().enumerate() {
        let (name, at) = (row.id.as_str(), row.at.to_rfc3339());
        list.push(json!([part, name, loan.as_str(), at, told_body(row)?]));
    }
    if list.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO loan_rows (book, place, part, name, loan, at, body)
         SELECT $1, $2, r.value ->> 0, r.value ->> 1, r.value ->> 2, r.value ->> 3, r.value ->> 4
         FROM json_each($3) r",
    )
    .bind(book.as_str())
    .bind(place)
    .bind(Value::Array(list).to_string())
    .execute(connection)
    .await?;
    Ok(())
}

#[async_trait]
impl Told for Sqlite {
    async fn told(&self, book: &Slug, after: Place, take: u32) -> Result<Vec<Placed>, StoreError> {
        let rows: Vec<(i64, i64, String, String, String)> = sqlx::query_as(
            "SELECT place, part, name, at, body FROM loan_rows
             WHERE book = $1 AND (place, part) > ($2, $3) ORDER BY place, part LIMIT $4",
        )
        .bind(book.as_str())
        .bind(after.number)
        .bind(after.part)
        .bind(take.min(ROWS_MAX))
        .fetch_all(&self.pool)
        .await?;
        let read = |(number, part, name, at, body): (i64, i64, String, String, String)| {
            let at = Instant::parse_rfc3339(&at).ok_or(StoreError::Row { what: "row" })?;
            told(Place { number, part }, &name, at, &body)
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
        let mut transaction = self.begin().await?;
        let there: Option<(i64,)> =
            sqlx::query_as("SELECT place FROM loan_rows WHERE book = $1 AND loan = $2 LIMIT 1")
                .bind(book.as_str())
                .bind(loan.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        if there.is_some() {
            return Ok(false);
        }
        let place = trail::append(&mut transaction, note).await?;
        let rows: Vec<_> = rows.iter().map(|row| (loan, row)).collect();
        add(&mut transaction, (book, place), &rows).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn is_all_told(&self, book: &Slug) -> Result<bool, StoreError> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT book FROM loan_rows_told WHERE book = $1")
                .bind(book.as_str())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.is_some())
    }

    async fn all_told(&self, book: &Slug, at: Instant) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO loan_rows_told (book, at) VALUES ($1, $2) ON CONFLICT (book) DO NOTHING",
        )
        .bind(book.as_str())
        .bind(at.to_rfc3339())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
