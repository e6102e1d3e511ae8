//! How far watched streams were read, and what was refused around pledges.

use schemas::time::Instant;
use sqlx::Row as _;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use super::BROKEN;
use crate::pledge::ids::PledgeId;
use crate::pledge::stream::{Progress, Stream};
use crate::store::StoreError;
use crate::store::pledge::{Followed, PLEDGES_MAX, Refusal, STREAMS_MAX, Stepped};

/// Streams of pledges in force.
pub(super) async fn followed(pool: &SqlitePool, take: u32) -> Result<Vec<Followed>, StoreError> {
    let rows = sqlx::query(
        "SELECT s.pledge_id, s.stream, s.version, s.progress
         FROM pledge_streams s JOIN pledge_heads h ON h.pledge_id = s.pledge_id
         WHERE h.state IN ('pledged', 'frozen', 'called')
         ORDER BY s.pledge_id, s.stream LIMIT $1",
    )
    .bind(take.min(STREAMS_MAX))
    .fetch_all(pool)
    .await?;
    rows.iter().map(followed_row).collect()
}

/// Streams of one pledge.
pub(super) async fn followed_of(
    pool: &SqlitePool,
    id: &PledgeId,
) -> Result<Vec<Followed>, StoreError> {
    let rows = sqlx::query(
        "SELECT pledge_id, stream, version, progress FROM pledge_streams
         WHERE pledge_id = $1 ORDER BY stream LIMIT $2",
    )
    .bind(id.as_bytes().as_slice())
    .bind(STREAMS_MAX)
    .fetch_all(pool)
    .await?;
    rows.iter().map(followed_row).collect()
}

/// Keeps how far a stream was read behind its version before.
pub(super) async fn keep(
    pool: &SqlitePool,
    id: &PledgeId,
    before: i64,
    stream: &Stream,
    progress: &Progress,
) -> Result<Stepped, StoreError> {
    let body = serde_json::to_vec(progress).map_err(|_| BROKEN)?;
    let query = if before == 0 {
        sqlx::query(
            "INSERT INTO pledge_streams (pledge_id, stream, version, progress)
             VALUES ($1, $2, $3, $4) ON CONFLICT (pledge_id, stream) DO NOTHING
             RETURNING version",
        )
    } else {
        sqlx::query(
            "UPDATE pledge_streams SET version = $3, progress = $4
             WHERE pledge_id = $1 AND stream = $2 AND version = $3 - 1 RETURNING version",
        )
    };
    let row = query
        .bind(id.as_bytes().as_slice())
        .bind(stream.name())
        .bind(before.saturating_add(1))
        .bind(body)
        .fetch_optional(pool)
        .await?;
    Ok(row.map_or(Stepped::Overtaken, |_| Stepped::Kept))
}

/// Keeps a refusal.
pub(super) async fn refuse(pool: &SqlitePool, refusal: &Refusal) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pledge_refusals (pledge_id, at, request, class, person, act, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (pledge_id, at, request, class) DO NOTHING",
    )
    .bind(refusal.pledge.as_bytes().as_slice())
    .bind(refusal.at.to_rfc3339())
    .bind(refusal.request.as_str())
    .bind(&refusal.class)
    .bind(&refusal.person)
    .bind(&refusal.act)
    .bind(&refusal.detail)
    .execute(pool)
    .await?;
    Ok(())
}

/// Refusals of one pledge or of all, newest first.
pub(super) async fn refusals(
    pool: &SqlitePool,
    pledge: Option<&PledgeId>,
    take: u32,
) -> Result<Vec<Refusal>, StoreError> {
    let rows = sqlx::query(
        "SELECT pledge_id, at, request, class, person, act, detail FROM pledge_refusals
         WHERE $1 IS NULL OR pledge_id = $1 ORDER BY at DESC, pledge_id LIMIT $2",
    )
    .bind(pledge.map(|id| id.as_bytes().as_slice()))
    .bind(take.min(PLEDGES_MAX))
    .fetch_all(pool)
    .await?;
    rows.iter().map(refusal_row).collect()
}

fn followed_row(row: &SqliteRow) -> Result<Followed, StoreError> {
    let id: Vec<u8> = row.try_get("pledge_id")?;
    let stream: String = row.try_get("stream")?;
    let progress: Vec<u8> = row.try_get("progress")?;
    Ok(Followed {
        pledge: PledgeId::from_slice(&id).ok_or(BROKEN)?,
        stream: stream.parse().map_err(|_| BROKEN)?,
        version: row.try_get("version")?,
        progress: serde_json::from_slice(&progress).map_err(|_| BROKEN)?,
    })
}

fn refusal_row(row: &SqliteRow) -> Result<Refusal, StoreError> {
    let id: Vec<u8> = row.try_get("pledge_id")?;
    let at: String = row.try_get("at")?;
    let request: String = row.try_get("request")?;
    Ok(Refusal {
        pledge: PledgeId::from_slice(&id).ok_or(BROKEN)?,
        at: Instant::parse_rfc3339(&at).ok_or(BROKEN)?,
        request: request.parse().map_err(|_| BROKEN)?,
        person: row.try_get("person")?,
        act: row.try_get("act")?,
        class: row.try_get("class")?,
        detail: row.try_get("detail")?,
    })
}
