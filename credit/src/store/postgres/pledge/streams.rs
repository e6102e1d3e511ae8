//! How far watched streams were read, and what was refused around pledges.

use kit::postgres::{Timestamp, text};
use sqlx::{FromRow, PgPool};

use super::BROKEN;
use crate::pledge::ids::PledgeId;
use crate::pledge::stream::{Progress, Stream};
use crate::store::StoreError;
use crate::store::pledge::{Followed, PLEDGES_MAX, Refusal, STREAMS_MAX, Stepped};
use crate::store::postgres::at;

/// Streams of pledges in force.
pub(super) async fn followed(pool: &PgPool, take: u32) -> Result<Vec<Followed>, StoreError> {
    let rows: Vec<FollowedRow> = sqlx::query_as(
        "SELECT s.pledge_id, s.stream, s.version, s.progress
         FROM pledge_streams s JOIN pledge_heads h ON h.pledge_id = s.pledge_id
         WHERE h.state IN ('pledged', 'frozen', 'called')
         ORDER BY s.pledge_id, s.stream LIMIT $1",
    )
    .bind(i64::from(take.min(STREAMS_MAX)))
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(FollowedRow::read).collect()
}

/// Streams of one pledge.
pub(super) async fn followed_of(pool: &PgPool, id: &PledgeId) -> Result<Vec<Followed>, StoreError> {
    let rows: Vec<FollowedRow> = sqlx::query_as(
        "SELECT pledge_id, stream, version, progress FROM pledge_streams
         WHERE pledge_id = $1 ORDER BY stream LIMIT $2",
    )
    .bind(id.as_bytes().as_slice())
    .bind(i64::from(STREAMS_MAX))
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(FollowedRow::read).collect()
}

/// Keeps how far a stream was read behind its version before.
pub(super) async fn keep(
    pool: &PgPool,
    id: &PledgeId,
    before: i64,
    stream: &Stream,
    progress: &Progress,
) -> Result<Stepped, StoreError> {
    let body = serde_json::to_vec(progress).map_err(|_| BROKEN)?;
    let query = if before == 0 {
        sqlx::query_as(
            "INSERT INTO pledge_streams (pledge_id, stream, version, progress)
             VALUES ($1, $2, $3, $4) ON CONFLICT (pledge_id, stream) DO NOTHING
             RETURNING version",
        )
    } else {
        sqlx::query_as(
            "UPDATE pledge_streams SET version = $3, progress = $4
             WHERE pledge_id = $1 AND stream = $2 AND version = $3 - 1 RETURNING version",
        )
    };
    let row: Option<(i64,)> = query
        .bind(id.as_bytes().as_slice())
        .bind(stream.name())
        .bind(before.saturating_add(1))
        .bind(body)
        .fetch_optional(pool)
        .await?;
    Ok(row.map_or(Stepped::Overtaken, |_| Stepped::Kept))
}

/// Keeps a refusal.
pub(super) async fn refuse(pool: &PgPool, refusal: &Refusal) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pledge_refusals (pledge_id, at, request, class, person, act, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (pledge_id, at, request, class) DO NOTHING",
    )
    .bind(refusal.pledge.as_bytes().as_slice())
    .bind(at(refusal.at))
    .bind(refusal.request.as_str())
    .bind(text(&refusal.class))
    .bind(text(&refusal.person))
    .bind(text(&refusal.act))
    .bind(text(&refusal.detail))
    .execute(pool)
    .await?;
    Ok(())
}

/// Refusals of one pledge or of all, newest first.
pub(super) async fn refusals(
    pool: &PgPool,
    pledge: Option<&PledgeId>,
    take: u32,
) -> Result<Vec<Refusal>, StoreError> {
    let rows: Vec<RefusalRow> = sqlx::query_as(
        "SELECT pledge_id, at, request, class, person, act, detail FROM pledge_refusals
         WHERE $1::bytea IS NULL OR pledge_id = $1 ORDER BY at DESC, pledge_id LIMIT $2",
    )
    .bind(pledge.map(|id| id.as_bytes().as_slice()))
    .bind(i64::from(take.min(PLEDGES_MAX)))
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(RefusalRow::read).collect()
}

#[derive(FromRow)]
struct FollowedRow {
    pledge_id: Vec<u8>,
    stream: String,
    version: i64,
    progress: Vec<u8>,
}

impl FollowedRow {
    fn read(self) -> Result<Followed, StoreError> {
        Ok(Followed {
            pledge: PledgeId::from_slice(&self.pledge_id).ok_or(BROKEN)?,
            stream: self.stream.parse().map_err(|_| BROKEN)?,
            version: self.version,
            progress: serde_json::from_slice(&self.progress).map_err(|_| BROKEN)?,
        })
    }
}

#[derive(FromRow)]
struct RefusalRow {
    pledge_id: Vec<u8>,
    at: Timestamp,
    request: String,
    class: String,
    person: String,
    act: String,
    detail: String,
}

impl RefusalRow {
    fn read(self) -> Result<Refusal, StoreError> {
        Ok(Refusal {
            pledge: PledgeId::from_slice(&self.pledge_id).ok_or(BROKEN)?,
            at: self.at.0,
            request: self.request.parse().map_err(|_| BROKEN)?,
            person: self.person,
            act: self.act,
            class: self.class,
            detail: self.detail,
        })
    }
}
