//! The trail's rows.

use schemas::hash::Hash;
use schemas::time::Instant;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};

use crate::audit::{Entry, Row};
use crate::store::StoreError;
use crate::store::reviews::TRAIL_MAX;

/// Adds a row behind the last one, inside a transaction that has the write lock; its number.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    entry: &Entry,
) -> Result<i64, StoreError> {
    let last = sqlx::query(
        "SELECT seq, at, actor, action, subject, detail, prev FROM audit ORDER BY seq DESC LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let last = last.map(|row| row_of(&row)).transpose()?;
    let row = Row::after(last.as_ref(), entry);
    sqlx::query(
        "INSERT INTO audit (seq, at, actor, action, subject, detail, prev)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(row.seq)
    .bind(row.at.to_rfc3339())
    .bind(&row.actor)
    .bind(&row.action)
    .bind(&row.subject)
    .bind(&row.detail)
    .bind(row.prev.as_bytes().as_slice())
    .execute(connection)
    .await?;
    Ok(row.seq)
}

pub(super) async fn behind(
    pool: &SqlitePool,
    after: i64,
    take: u32,
) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, at, actor, action, subject, detail, prev FROM audit
         WHERE seq > $1 ORDER BY seq LIMIT $2",
    )
    .bind(after)
    .bind(take.min(TRAIL_MAX))
    .fetch_all(pool)
    .await?;
    rows.iter().map(row_of).collect()
}

pub(super) async fn newest(
    pool: &SqlitePool,
    before: Option<i64>,
    subject: Option<&str>,
    take: u32,
) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, at, actor, action, subject, detail, prev FROM audit
         WHERE seq < $1 AND ($2 IS NULL OR subject = $2) ORDER BY seq DESC LIMIT $3",
    )
    .bind(before.unwrap_or(i64::MAX))
    .bind(subject)
    .bind(take.min(TRAIL_MAX))
    .fetch_all(pool)
    .await?;
    rows.iter().map(row_of).collect()
}

fn row_of(row: &SqliteRow) -> Result<Row, StoreError> {
    let wrong = || StoreError::Row { what: "audit row" };
    let at: String = row.try_get("at")?;
    let prev: Vec<u8> = row.try_get("prev")?;
    Ok(Row {
        seq: row.try_get("seq")?,
        at: Instant::parse_rfc3339(&at).ok_or_else(wrong)?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        detail: row.try_get("detail")?,
        prev: Hash::from_slice(&prev).ok_or_else(wrong)?,
    })
}
