//! Room that is given back, and room that is taken again.

use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::PgConnection;

use super::super::at;
use crate::sandbox::limits::Reservation;
use crate::store::StoreError;
use crate::store::sandbox::Repayment;
use crate::store::sandbox::rows::{ReleaseRow, reservation};

/// False if the id is taken.
pub(in crate::store::postgres) async fn insert_release(
    connection: &mut PgConnection,
    trial: &Slug,
    repayment: &Repayment,
    now: Instant,
) -> Result<bool, StoreError> {
    let row: Option<(String,)> = sqlx::query_as(
        "INSERT INTO trial_releases
         (trial, release, reservation, currency, amount_fen, released_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (trial, release) DO NOTHING RETURNING release",
    )
    .bind(trial.as_str())
    .bind(repayment.id.as_str())
    .bind(repayment.reservation.as_str())
    .bind(repayment.amount.currency().as_str())
    .bind(repayment.amount.fen())
    .bind(at(now))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

pub(super) async fn read_release(
    connection: &mut PgConnection,
    trial: &Slug,
    id: &Slug,
) -> Result<Repayment, StoreError> {
    let row: Option<ReleaseRow> = sqlx::query_as(
        "SELECT release, reservation, currency, amount_fen FROM trial_releases
         WHERE trial = $1 AND release = $2",
    )
    .bind(trial.as_str())
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    row.ok_or(StoreError::Row { what: "release" })?.repayment()
}

/// False if the id is taken.
pub(super) async fn insert_retake(
    connection: &mut PgConnection,
    trial: &Slug,
    repayment: &Repayment,
    now: Instant,
) -> Result<bool, StoreError> {
    let row: Option<(String,)> = sqlx::query_as(
        "INSERT INTO trial_retakes
         (trial, retake, reservation, currency, amount_fen, taken_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (trial, retake) DO NOTHING RETURNING retake",
    )
    .bind(trial.as_str())
    .bind(repayment.id.as_str())
    .bind(repayment.reservation.as_str())
    .bind(repayment.amount.currency().as_str())
    .bind(repayment.amount.fen())
    .bind(at(now))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

pub(super) async fn read_retake(
    connection: &mut PgConnection,
    trial: &Slug,
    id: &Slug,
) -> Result<Repayment, StoreError> {
    let row: Option<ReleaseRow> = sqlx::query_as(
        "SELECT retake AS release, reservation, currency, amount_fen FROM trial_retakes
         WHERE trial = $1 AND retake = $2",
    )
    .bind(trial.as_str())
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    row.ok_or(StoreError::Row { what: "release" })?.repayment()
}

/// The reservation that room is given back of.
pub(in crate::store::postgres) async fn read_reservation(
    connection: &mut PgConnection,
    trial: &Slug,
    id: &Slug,
) -> Result<Option<Reservation>, StoreError> {
    let row: Option<(Vec<u8>,)> =
        sqlx::query_as("SELECT body FROM trial_reservations WHERE trial = $1 AND reservation = $2")
            .bind(trial.as_str())
            .bind(id.as_str())
            .fetch_optional(connection)
            .await?;
    row.map(|(body,)| reservation(&body)).transpose()
}
