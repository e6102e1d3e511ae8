//! PostgreSQL 15 or later. What SQLite has by its one writer is had here by guarded statements:
//! the room of a sandbox by one UPDATE that checks and counts, the trail by the key of its rows.
//! Every transaction can be tried again as a whole.

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

use async_trait::async_trait;
use kit::postgres::{Attempts, DatabaseUrl, Timestamp, text};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::de::DeserializeOwned;
use sqlx::migrate::Migrator;
use sqlx::{FromRow, PgConnection, PgPool};

use super::tables::PRIVILEGES;
use super::{PAGE_MAX, Recorded, Refusal, Store, StoreError};
use crate::loan::application::ApplicationId;
use crate::loan::{Beside, Decision, Outcome, Record};
use crate::money::{Currency, Money};
use crate::sandbox::{Limits, Sandbox};

/// Credit's tables in a PostgreSQL database.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: PgPool,
}

fn migrator() -> Migrator {
    sqlx::migrate!("migrations/postgres")
}

impl Postgres {
    /// Enters the database. Where the role owns the tables they are brought up to date; else they
    /// must be this program's already.
    ///
    /// # Errors
    /// [`StoreError::Connect`], [`StoreError::Schema`], [`StoreError::Database`].
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let pool = kit::postgres::open(url, &migrator()).await?;
        Ok(Self { pool })
    }

    /// Brings the tables up to date as their owner, and gives `role` what a service needs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn migrate(owner: &DatabaseUrl, role: Option<&str>) -> Result<(), StoreError> {
        let role = role.map(|role| (role, &PRIVILEGES));
        Ok(kit::postgres::migrate(owner, &migrator(), role).await?)
    }
}

/// Tries a transaction again as long as the database asks for it.
async fn retried<T, F: Future<Output = Result<T, StoreError>>>(
    attempt: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut attempts = Attempts::default();
    loop {
        match attempt().await {
            Err(StoreError::Database(error)) if attempts.again(&error) => {
                metrics::counter!("credit_database_retries_total").increment(1);
            }
            outcome => return outcome,
        }
    }
}

const fn at(instant: Instant) -> Timestamp {
    Timestamp(instant)
}

#[async_trait]
impl Store for Postgres {
    async fn close(&self) {
        self.pool.close().await;
    }

    async fn declare(&self, limits: &Limits, now: Instant) -> Result<(), StoreError> {
        // False only if another process has just declared something: then that is looked at.
        while !retried(|| self.declare_once(limits, now)).await? {}
        Ok(())
    }

    async fn sandbox(&self, id: &Slug) -> Result<Sandbox, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let sandbox = read_sandbox(&mut connection, id).await?;
        sandbox.ok_or_else(|| StoreError::NoLimits(id.clone()))
    }

    async fn record(&self, sandbox: &Slug, record: &Record) -> Result<Recorded, StoreError> {
        retried(|| self.record_once(sandbox, record)).await
    }

    async fn lookup(&self, decision_id: &str) -> Result<Option<Record>, StoreError> {
        let row: Option<RecordRow> =
            sqlx::query_as("SELECT inputs, facts, decision FROM decisions WHERE decision_id = $1")
                .bind(text(decision_id))
                .fetch_optional(&self.pool)
                .await?;
        row.map(RecordRow::record).transpose()
    }

    async fn of_application(&self, id: &ApplicationId) -> Result<Option<Record>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        read_application(&mut connection, id).await
    }

    async fn list(&self, skip: u32, take: u32) -> Result<Vec<Decision>, StoreError> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT decision FROM decisions ORDER BY decided_at DESC, decision_id LIMIT $1 OFFSET $2",
        )
        .bind(i64::from(take.min(PAGE_MAX)))
        .bind(i64::from(skip))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|(decision,)| json(decision)).collect()
    }

    async fn refuse(&self, refusal: &Refusal) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO refusals (application_id, refused_at, supplier, class, detail)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (application_id, refused_at) DO NOTHING",
        )
        .bind(refusal.application_id.as_str())
        .bind(at(refusal.refused_at))
        .bind(refusal.supplier.as_str())
        .bind(text(&refusal.class))
        .bind(text(&refusal.detail))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn refusals(&self, id: &ApplicationId) -> Result<Vec<Refusal>, StoreError> {
        let rows: Vec<RefusalRow> = sqlx::query_as(
            "SELECT application_id, refused_at, supplier, class, detail FROM refusals
             WHERE application_id = $1 ORDER BY refused_at",
        )
        .bind(id.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(RefusalRow::refusal).collect()
    }
}

impl Postgres {
    /// False if another process declared this version meanwhile.
    async fn declare_once(&self, limits: &Limits, now: Instant) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        if let Some(kept) = read_sandbox(&mut transaction, &limits.id).await? {
            if kept.limits == *limits {
                return Ok(true);
            }
            check_follows(&kept.limits, limits)?;
        }
        let both = insert_limits(&mut transaction, limits, now).await?
            && put_in_force(&mut transaction, limits).await?;
        if both {
            transaction.commit().await?;
        }
        Ok(both)
    }

    async fn record_once(&self, sandbox: &Slug, record: &Record) -> Result<Recorded, StoreError> {
        let mut transaction = self.pool.begin().await?;
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
}

fn check_follows(kept: &Limits, limits: &Limits) -> Result<(), StoreError> {
    let currency = kept.outstanding.currency() != limits.outstanding.currency();
    if limits.version <= kept.version || currency {
        let (id, given) = (limits.id.clone(), limits.version);
        return Err(StoreError::LimitsVersion {
            id,
            kept: kept.version,
            given,
        });
    }
    Ok(())
}

/// False if this version is declared already.
async fn insert_limits(
    connection: &mut PgConnection,
    limits: &Limits,
    now: Instant,
) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO sandbox_limits
         (sandbox_id, version, currency, per_loan_fen, outstanding_fen, declared_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (sandbox_id, version) DO NOTHING RETURNING version",
    )
    .bind(limits.id.as_str())
    .bind(i64::from(limits.version))
    .bind(limits.outstanding.currency().as_str())
    .bind(limits.per_loan.fen())
    .bind(limits.outstanding.fen())
    .bind(at(now))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// False if a version that is not lower came into force meanwhile.
async fn put_in_force(connection: &mut PgConnection, limits: &Limits) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO sandbox_use
         (sandbox_id, version, currency, per_loan_fen, outstanding_fen, used_fen)
         VALUES ($1, $2, $3, $4, $5, 0)
         ON CONFLICT (sandbox_id) DO UPDATE
           SET version = excluded.version, per_loan_fen = excluded.per_loan_fen,
               outstanding_fen = excluded.outstanding_fen
           WHERE sandbox_use.version < excluded.version
             AND sandbox_use.currency = excluded.currency
         RETURNING version",
    )
    .bind(limits.id.as_str())
    .bind(i64::from(limits.version))
    .bind(limits.outstanding.currency().as_str())
    .bind(limits.per_loan.fen())
    .bind(limits.outstanding.fen())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// False if the application has a decision already: its id is made from the application's.
async fn insert_decision(
    connection: &mut PgConnection,
    record: &Record,
) -> Result<bool, StoreError> {
    let decision = &record.decision;
    let body = serde_json::to_vec(decision).map_err(|_| StoreError::Row { what: "decision" })?;
    let row: Option<(String,)> = sqlx::query_as(
        "INSERT INTO decisions (decision_id, application_id, supplier, decided_at, inputs_sha256,
         inputs, facts, decision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (decision_id) DO NOTHING RETURNING decision_id",
    )
    .bind(&decision.decision_id)
    .bind(decision.application.application_id.as_str())
    .bind(decision.application.supplier.as_str())
    .bind(at(decision.decided_at))
    .bind(decision.inputs.as_bytes().as_slice())
    .bind(&record.inputs)
    .bind(&record.facts)
    .bind(body)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// The guard: under both limits, of the version and currency that the decision was made with, in
/// the one statement that also counts. It waits for whoever counts at the same time and looks at
/// the row as that one left it. False changes nothing.
async fn reserve(
    connection: &mut PgConnection,
    sandbox: &Slug,
    version: u32,
    amount: Money,
) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = sqlx::query_as(
        "UPDATE sandbox_use SET used_fen = used_fen + $1
         WHERE sandbox_id = $2 AND version = $3 AND currency = $4
           AND $1 <= per_loan_fen AND $1 <= outstanding_fen - used_fen
         RETURNING used_fen",
    )
    .bind(amount.fen())
    .bind(sandbox.as_str())
    .bind(i64::from(version))
    .bind(amount.currency().as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

async fn insert_reservation(
    connection: &mut PgConnection,
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
    .bind(i64::from(decision.sandbox_version))
    .bind(amount.currency().as_str())
    .bind(amount.fen())
    .execute(connection)
    .await?;
    Ok(())
}

async fn read_application(
    connection: &mut PgConnection,
    id: &ApplicationId,
) -> Result<Option<Record>, StoreError> {
    let row: Option<RecordRow> =
        sqlx::query_as("SELECT inputs, facts, decision FROM decisions WHERE application_id = $1")
            .bind(id.as_str())
            .fetch_optional(connection)
            .await?;
    row.map(RecordRow::record).transpose()
}

async fn read_sandbox(
    connection: &mut PgConnection,
    id: &Slug,
) -> Result<Option<Sandbox>, StoreError> {
    let row: Option<SandboxRow> = sqlx::query_as(
        "SELECT version, currency, per_loan_fen, outstanding_fen, used_fen
         FROM sandbox_use WHERE sandbox_id = $1",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.sandbox(id)).transpose()
}

#[derive(FromRow)]
struct SandboxRow {
    version: i64,
    currency: String,
    per_loan_fen: i64,
    outstanding_fen: i64,
    used_fen: i64,
}

impl SandboxRow {
    fn sandbox(self, id: &Slug) -> Result<Sandbox, StoreError> {
        let wrong = || StoreError::Row { what: "sandbox" };
        let currency: Currency = self.currency.parse().map_err(|_| wrong())?;
        let money = |fen| Money::from_fen(fen, currency).map_err(|_| wrong());
        let limits = Limits {
            id: id.clone(),
            version: u32::try_from(self.version).map_err(|_| wrong())?,
            per_loan: money(self.per_loan_fen)?,
            outstanding: money(self.outstanding_fen)?,
        };
        Ok(Sandbox {
            limits,
            used: money(self.used_fen)?,
            room: None,
        })
    }
}

#[derive(FromRow)]
struct RecordRow {
    inputs: Vec<u8>,
    facts: Vec<u8>,
    decision: Vec<u8>,
}

impl RecordRow {
    fn record(self) -> Result<Record, StoreError> {
        Ok(Record {
            decision: json(&self.decision)?,
            inputs: self.inputs,
            facts: self.facts,
            beside: Beside::default(),
        })
    }
}

#[derive(FromRow)]
struct RefusalRow {
    application_id: String,
    refused_at: Timestamp,
    supplier: String,
    class: String,
    detail: String,
}

impl RefusalRow {
    fn refusal(self) -> Result<Refusal, StoreError> {
        let wrong = || StoreError::Row { what: "refusal" };
        Ok(Refusal {
            application_id: self.application_id.parse().map_err(|_| wrong())?,
            supplier: self.supplier.parse().map_err(|_| wrong())?,
            refused_at: self.refused_at.0,
            class: self.class,
            detail: self.detail,
        })
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::Row { what: "decision" })
}
