//! The trail's rows.

use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use sqlx::{FromRow, PgConnection, PgPool};

use super::at;
use crate::audit::{Entry, Row};
use crate::store::StoreError;
use crate::store::reviews::TRAIL_MAX;

/// Adds a row behind the last one. Whoever adds at the same time takes the same number: the second
/// waits on the key until the first has committed or not, and then looks again. Last in each
/// transaction, so that nobody waits for a lock while holding the end of the trail: what follows it
/// may only add rows that nobody else adds. Gives the number, and numbers are in the order of commits.
pub(super) async fn append(
    connection: &mut PgConnection,
    entry: &Entry,
) -> Result<i64, StoreError> {
    let entry = Entry {
        actor: text(&entry.actor).into_owned(),
        subject: text(&entry.subject).into_owned(),
        detail: text(&entry.detail).into_owned(),
        ..entry.clone()
    };
    loop {
        let last: Option<AuditRow> = sqlx::query_as(
            "SELECT seq, at, actor, action, subject, detail, prev FROM audit
             ORDER BY seq DESC LIMIT 1",
        )
        .fetch_optional(&mut *connection)
        .await?;
        let last = last.map(AuditRow::row).transpose()?;
        let row = Row::after(last.as_ref(), &entry);
        if insert(&mut *connection, &row).await? {
            return Ok(row.seq);
        }
    }
}

/// False if the number is taken.
async fn insert(connection: &mut PgConnection, row: &Row) -> Result<bool, StoreError> {
    let added: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO audit (seq, at, actor, action, subject, detail, prev)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (seq) DO NOTHING RETURNING seq",
    )
    .bind(row.seq)
    .bind(at(row.at))
    .bind(&row.actor)
    .bind(&row.action)
    .bind(&row.subject)
    .bind(&row.detail)
    .bind(row.prev.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    Ok(added.is_some())
}

pub(super) async fn behind(pool: &PgPool, after: i64, take: u32) -> Result<Vec<Row>, StoreError> {
    let rows: Vec<AuditRow> = sqlx::query_as(
        "SELECT seq, at, actor, action, subject, detail, prev FROM audit
         WHERE seq > $1 ORDER BY seq LIMIT $2",
    )
    .bind(after)
    .bind(i64::from(take.min(TRAIL_MAX)))
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(AuditRow::row).collect()
}

pub(super) async fn newest(
    pool: &PgPool,
    before: Option<i64>,
    subject: Option<&str>,
    take: u32,
) -> Result<Vec<Row>, StoreError> {
    let rows: Vec<AuditRow> = sqlx::query_as(
        "SELECT seq, at, actor, action, subject, detail, prev FROM audit
         WHERE seq < $1 AND ($2::text IS NULL OR subject = $2) ORDER BY seq DESC LIMIT $3",
    )
    .bind(before.unwrap_or(i64::MAX))
    .bind(subject.map(text))
    .bind(i64::from(take.min(TRAIL_MAX)))
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(AuditRow::row).collect()
}

#[derive(FromRow)]
struct AuditRow {
    seq: i64,
    at: Timestamp,
    actor: String,
    action: String,
    subject: String,
    detail: String,
    prev: Vec<u8>,
}

impl AuditRow {
    fn row(self) -> Result<Row, StoreError> {
        Ok(Row {
            seq: self.seq,
            at: self.at.0,
            actor: self.actor,
            action: self.action,
            subject: self.subject,
            detail: self.detail,
            prev: Hash::from_slice(&self.prev).ok_or(StoreError::Row { what: "audit row" })?,
        })
    }
}
