//! What becomes of offers that the bank has accepted.

use std::collections::BTreeMap;

use async_trait::async_trait;
use kit::postgres::Timestamp;
use schemas::time::Instant;
use sqlx::PgConnection;

use super::{Postgres, retried, reviews, trail};
use crate::audit::Entry;
use crate::loan::taking::End;
use crate::store::StoreError;
use crate::store::takings::{Fate, LOAN, Takings, UNTAKEN, UNTAKEN_MAX, end, fate};

#[async_trait]
impl Takings for Postgres {
    async fn end_offer(&self, end: &End, note: &Entry) -> Result<bool, StoreError> {
        retried(|| self.end_offer_once(end, note)).await
    }

    async fn offer_end(&self, decision_id: &str) -> Result<Option<End>, StoreError> {
        let row: Option<(String, Timestamp)> =
            sqlx::query_as("SELECT how, ended_at FROM offer_ends WHERE decision_id = $1")
                .bind(decision_id)
                .fetch_optional(&self.pool)
                .await?;
        let Some((how, at)) = row else {
            return Ok(None);
        };
        end(decision_id, &how, at.0)
    }

    async fn fates(&self, decision_ids: &[&str]) -> Result<BTreeMap<String, Fate>, StoreError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT decision_id, how FROM offer_ends WHERE decision_id = ANY($1)")
                .bind(decision_ids)
                .fetch_all(&self.pool)
                .await?;
        let pair = |(id, how): (String, String)| Ok((id, fate(&how)?));
        let mut fates: BTreeMap<_, _> = rows
            .into_iter()
            .map(pair)
            .collect::<Result<_, StoreError>>()?;
        // A loan of before that table has no row there.
        let loans: Vec<(String,)> =
            sqlx::query_as("SELECT loan FROM loan_heads WHERE loan = ANY($1)")
                .bind(decision_ids)
                .fetch_all(&self.pool)
                .await?;
        fates.extend(loans.into_iter().map(|(loan,)| (loan, Fate::Loan)));
        Ok(fates)
    }

    async fn untaken(&self, until: Instant, take: u32) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = sqlx::query_as(UNTAKEN)
            .bind(Timestamp(until))
            .bind(i64::from(take.min(UNTAKEN_MAX)))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

impl Postgres {
    async fn end_offer_once(&self, end: &End, note: &Entry) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        // A loan of before this table has no row here.
        let loan: Option<(String,)> = sqlx::query_as("SELECT loan FROM loan_heads WHERE loan = $1")
            .bind(&end.decision_id)
            .fetch_optional(&mut *transaction)
            .await?;
        let (id, how) = (&*end.decision_id, end.how.word());
        if loan.is_some() || !insert(&mut transaction, (id, how), end.at).await? {
            return Ok(false);
        }
        reviews::release(&mut transaction, id, end.at).await?;
        trail::append(&mut transaction, note).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Keeps that an offer becomes a loan; false if it ended before.
pub(super) async fn begin_loan(
    connection: &mut PgConnection,
    decision_id: &str,
    at: Instant,
) -> Result<bool, StoreError> {
    insert(connection, (decision_id, LOAN), at).await
}

async fn insert(
    connection: &mut PgConnection,
    (decision_id, how): (&str, &str),
    at: Instant,
) -> Result<bool, StoreError> {
    let row: Option<(String,)> = sqlx::query_as(
        "INSERT INTO offer_ends (decision_id, how, ended_at) VALUES ($1, $2, $3)
         ON CONFLICT (decision_id) DO NOTHING RETURNING decision_id",
    )
    .bind(decision_id)
    .bind(how)
    .bind(Timestamp(at))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}
