//! SQLite: one file, WAL, every write in its own immediate transaction.

mod borrowers;
mod cases;
mod desk;
mod ledger;
mod lending;
mod models;
mod papers;
mod people;
mod pledge;
mod reviews;
mod sandbox;
mod takings;
mod told;
mod trail;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{Row, Sqlite as Engine, Transaction};

use super::{PAGE_MAX, Recorded, Refusal, Store, StoreError};
use crate::loan::application::ApplicationId;
use crate::loan::{Beside, Decision, Outcome, Record};
use crate::money::{Currency, Money};
use crate::sandbox::{Limits, Sandbox};

/// Connections of one pool: a writer and readers beside it.
const CONNECTIONS: u32 = 4;

/// How long a write waits for another process's write.
const BUSY: Duration = Duration::from_secs(30);

/// Takes the write lock at once, so that what a transaction reads stays true until it commits.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// Credit's tables in a SQLite file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    pool: SqlitePool,
}

impl Sqlite {
    /// Opens or makes the file and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Migration`].
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let pool = kit::sqlite::recovering(SqlitePoolOptions::new())
            .max_connections(CONNECTIONS)
            .connect_with(options)
            .await?;
        sqlx::migrate!("migrations/sqlite").run(&pool).await?;
        Ok(Self { pool })
    }

    async fn begin(&self) -> Result<Transaction<'_, Engine>, StoreError> {
        Ok(self.pool.begin_with(BEGIN).await?)
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn close(&self) {
        self.pool.close().await;
    }

    async fn declare(&self, limits: &Limits, at: Instant) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if let Some(kept) = read_sandbox(&mut transaction, &limits.id)
            .await?
            .map(|kept| kept.limits)
        {
            if kept == *limits {
                return Ok(());
            }
            let currency = kept.outstanding.currency() != limits.outstanding.currency();
            if limits.version <= kept.version || currency {
                let (id, given) = (limits.id.clone(), limits.version);
                return Err(StoreError::LimitsVersion {
                    id,
                    kept: kept.version,
                    given,
                });
            }
        }
        insert_limits(&mut transaction, limits, at).await?;
        put_in_force(&mut transaction, limits).await?;
        Ok(transaction.commit().await?)
    }

    async fn sandbox(&self, id: &Slug) -> Result<Sandbox, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let sandbox = read_sandbox(&mut connection, id).await?;
        sandbox.ok_or_else(|| StoreError::NoLimits(id.clone()))
    }

    async fn record(&self, sandbox: &Slug, record: &Record) -> Result<Recorded, StoreError> {
        let mut transaction = self.begin().await?;
        let decision = &record.decision;
        if !insert_decision(&mut transaction, record).await? {
            let id = &decision.application.application_id;
            let before = read_application(&mut transaction, id).await?;
            let before = before.ok_or(StoreError::Row { what: "decision" })?;
            return Ok(Recorded::Before(Box::new(before)));
        }
        if let Outcome::Offer { amount } = decision.outcome {
            let version = decision.sandbox_version;
            if !reserve(&mut transaction, sandbox, version, amount).await? {
                return Ok(Recorded::OverLimit);
            }
            insert_reservation(&mut transaction, sandbox, decision, amount).await?;
        }
        if !cases::keep_beside(&mut transaction, record).await? {
            return Ok(Recorded::Overtaken);
        }
        transaction.commit().await?;
        Ok(Recorded::New)
    }

    async fn lookup(&self, decision_id: &str) -> Result<Option<Record>, StoreError> {
        let row =
            sqlx::query("SELECT inputs, facts, decision FROM decisions WHERE decision_id = $1")
                .bind(decision_id)
                .fetch_optional(&self.pool)
                .await?;
        row.map(|row| record_of(&row)).transpose()
    }

    async fn of_application(&self, id: &ApplicationId) -> Result<Option<Record>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        read_application(&mut connection, id).await
    }

    async fn list(&self, skip: u32, take: u32) -> Result<Vec<Decision>, StoreError> {
        let rows = sqlx::query(
            "SELECT decision FROM decisions ORDER BY decided_at DESC, decision_id LIMIT $1 OFFSET $2",
        )
        .bind(take.min(PAGE_MAX))
        .bind(skip)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| json(&row.try_get::<Vec<u8>, _>("decision")?))
            .collect()
    }

    async fn refuse(&self, refusal: &Refusal) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO refusals (application_id, refused_at, supplier, class, detail)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (application_id, refused_at) DO NOTHING",
        )
        .bind(refusal.application_id.as_str())
        .bind(refusal.refused_at.to_rfc3339())
        .bind(refusal.supplier.as_str())
        .bind(&refusal.class)
        .bind(&refusal.detail)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn refusals(&self, id: &ApplicationId) -> Result<Vec<Refusal>, StoreError> {
        let rows = sqlx::query(
            "SELECT refused_at, supplier, class, detail FROM refusals
             WHERE application_id = $1 ORDER BY refused_at",
        )
        .bind(id.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| refusal_of(id, row)).collect()
    }
}

async fn insert_limits(
    connection: &mut SqliteConnection,
    limits: &Limits,
    at: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sandbox_limits
         (sandbox_id, version, currency, per_loan_fen, outstanding_fen, declared_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(limits.id.as_str())
    .bind(limits.version)
    .bind(limits.outstanding.currency().as_str())
    .bind(limits.per_loan.fen())
    .bind(limits.outstanding.fen())
    .bind(at.to_rfc3339())
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_in_force(
    connection: &mut SqliteConnection,
    limits: &Limits,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sandbox_use
         (sandbox_id, version, currency, per_loan_fen, outstanding_fen, used_fen)
         VALUES ($1, $2, $3, $4, $5, 0)
         ON CONFLICT (sandbox_id) DO UPDATE SET version = $2, per_loan_fen = $4, outstanding_fen = $5",
    )
    .bind(limits.id.as_str())
    .bind(limits.version)
    .bind(limits.outstanding.currency().as_str())
    .bind(limits.per_loan.fen())
    .bind(limits.outstanding.fen())
    .execute(connection)
    .await?;
    Ok(())
}

/// False if the application has a decision already.
async fn insert_decision(
    connection: &mut SqliteConnection,
    record: &Record,
) -> Result<bool, StoreError> {
    let decision = &record.decision;
    let body = serde_json::to_vec(decision).map_err(|_| StoreError::Row { what: "decision" })?;
    let row = sqlx::query(
        "INSERT INTO decisions (decision_id, application_id, supplier, decided_at, inputs_sha256,
         inputs, facts, decision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (application_id) DO NOTHING RETURNING decision_id",
    )
    .bind(&decision.decision_id)
    .bind(decision.application.application_id.as_str())
    .bind(decision.application.supplier.as_str())
    .bind(decision.decided_at.to_rfc3339())
    .bind(decision.inputs.as_bytes().as_slice())
    .bind(&record.inputs)
    .bind(&record.facts)
    .bind(body)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// The guard: under both limits, of the version and currency that the decision was made with, in
/// the one statement that also counts. False changes nothing.
async fn reserve(
    connection: &mut SqliteConnection,
    sandbox: &Slug,
    version: u32,
    amount: Money,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "UPDATE sandbox_use SET used_fen = used_fen + $1
         WHERE sandbox_id = $2 AND version = $3 AND currency = $4
           AND $1 <= per_loan_fen AND $1 <= outstanding_fen - used_fen
         RETURNING used_fen",
    )
    .bind(amount.fen())
    .bind(sandbox.as_str())
    .bind(version)
    .bind(amount.currency().as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

async fn insert_reservation(
    connection: &mut SqliteConnection,
    sandbox: &Slug,
    decision: &Decision,
    amount: Money,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO reservations (decision_id, sandbox_id, version, currency, amount_fen)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&decision.decision_id)
    .bind(sandbox.as_str())
    .bind(decision.sandbox_version)
    .bind(amount.currency().as_str())
    .bind(amount.fen())
    .execute(connection)
    .await?;
    Ok(())
}

async fn read_application(
    connection: &mut SqliteConnection,
    id: &ApplicationId,
) -> Result<Option<Record>, StoreError> {
    let row =
        sqlx::query("SELECT inputs, facts, decision FROM decisions WHERE application_id = $1")
            .bind(id.as_str())
            .fetch_optional(connection)
            .await?;
    row.map(|row| record_of(&row)).transpose()
}

async fn read_sandbox(
    connection: &mut SqliteConnection,
    id: &Slug,
) -> Result<Option<Sandbox>, StoreError> {
    let row = sqlx::query(
        "SELECT version, currency, per_loan_fen, outstanding_fen, used_fen
         FROM sandbox_use WHERE sandbox_id = $1",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| sandbox_of(id, &row)).transpose()
}

fn sandbox_of(id: &Slug, row: &SqliteRow) -> Result<Sandbox, StoreError> {
    let wrong = |_| StoreError::Row { what: "sandbox" };
    let currency: Currency = row
        .try_get::<String, _>("currency")?
        .parse()
        .map_err(wrong)?;
    let money = |column: &str| {
        Money::from_fen(row.try_get(column)?, currency)
            .map_err(|_| StoreError::Row { what: "sandbox" })
    };
    let limits = Limits {
        id: id.clone(),
        version: row.try_get("version")?,
        per_loan: money("per_loan_fen")?,
        outstanding: money("outstanding_fen")?,
    };
    Ok(Sandbox {
        limits,
        used: money("used_fen")?,
        room: None,
    })
}

fn record_of(row: &SqliteRow) -> Result<Record, StoreError> {
    Ok(Record {
        decision: json(&row.try_get::<Vec<u8>, _>("decision")?)?,
        inputs: row.try_get("inputs")?,
        facts: row.try_get("facts")?,
        beside: Beside::default(),
    })
}

fn refusal_of(id: &ApplicationId, row: &SqliteRow) -> Result<Refusal, StoreError> {
    let wrong = || StoreError::Row { what: "refusal" };
    let at: String = row.try_get("refused_at")?;
    let supplier: String = row.try_get("supplier")?;
    Ok(Refusal {
        application_id: id.clone(),
        supplier: supplier.parse().map_err(|_| wrong())?,
        refused_at: Instant::parse_rfc3339(&at).ok_or_else(wrong)?,
        class: row.try_get("class")?,
        detail: row.try_get("detail")?,
    })
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::Row { what: "decision" })
}

#[cfg(test)]
mod tests;
