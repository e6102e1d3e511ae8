//! The counters of a trial.

use std::collections::{BTreeMap, BTreeSet};

use schemas::ids::Slug;
use sqlx::PgConnection;

use crate::sandbox::limits::{Charge, Request, Reservation};
use crate::store::StoreError;
use crate::store::sandbox::rows::reservation;
use crate::store::sandbox::{Recount, counter_name};

/// True if the borrower has no loan of this trial yet. Whoever brings in the same one at the same
/// time waits here.
pub(super) async fn new_borrower(
    connection: &mut PgConnection,
    trial: &Slug,
    request: &Request,
) -> Result<bool, StoreError> {
    let row: Option<(String,)> = sqlx::query_as(
        "INSERT INTO trial_borrowers (trial, borrower, reservation) VALUES ($1, $2, $3)
         ON CONFLICT (trial, borrower) DO NOTHING RETURNING borrower",
    )
    .bind(trial.as_str())
    .bind(request.borrower.as_str())
    .bind(request.id.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Adds every charge to its counter where it fits, in their order, and opens the counter of what is
/// left of the loan. Those that did not fit: if there is one, the transaction must not commit.
pub(super) async fn add_charges(
    connection: &mut PgConnection,
    trial: &Slug,
    reservation: &Reservation,
) -> Result<Vec<Charge>, StoreError> {
    let charges = &reservation.charges;
    if charges.iter().any(|charge| charge.add > charge.cap) {
        return Ok(charges.clone());
    }
    let (mut kinds, mut names): (Vec<&str>, Vec<String>) = charges
        .iter()
        .map(|charge| counter_name(&charge.key))
        .unzip();
    let mut adds: Vec<i64> = charges.iter().map(|charge| charge.add).collect();
    let mut caps: Vec<i64> = charges.iter().map(|charge| charge.cap).collect();
    let amount = reservation.request.amount.fen();
    kinds.push("loan");
    names.push(reservation.request.id.to_string());
    adds.push(amount);
    caps.push(amount);
    let added: Vec<(String, String)> = sqlx::query_as(
        "INSERT INTO trial_counters (trial, kind, name, used, cap)
         SELECT $1, kind, name, units, cap
         FROM UNNEST($2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[])
              AS charge (kind, name, units, cap)
         ON CONFLICT (trial, kind, name) DO UPDATE
           SET used = trial_counters.used + excluded.used, cap = excluded.cap
           WHERE trial_counters.used <= excluded.cap - excluded.used
         RETURNING kind, name",
    )
    .bind(trial.as_str())
    .bind(kinds)
    .bind(names)
    .bind(adds)
    .bind(caps)
    .fetch_all(connection)
    .await?;
    let added: BTreeSet<(String, String)> = added.into_iter().collect();
    let fits = |charge: &&Charge| {
        let (kind, name) = counter_name(&charge.key);
        added.contains(&(kind.to_owned(), name))
    };
    Ok(charges
        .iter()
        .filter(|charge| !fits(charge))
        .cloned()
        .collect())
}

/// The first of these charges that does not fit, with what is used.
pub(super) async fn first_full(
    connection: &mut PgConnection,
    trial: &Slug,
    charges: Vec<Charge>,
) -> Result<(Charge, i64), StoreError> {
    for charge in charges {
        let (kind, name) = counter_name(&charge.key);
        let used = used(connection, trial, kind, &name).await?;
        if used
            .checked_add(charge.add)
            .is_none_or(|sum| sum > charge.cap)
        {
            return Ok((charge, used));
        }
    }
    Err(StoreError::Row { what: "counter" })
}

/// What is used of a counter.
pub(super) async fn used(
    connection: &mut PgConnection,
    trial: &Slug,
    kind: &str,
    name: &str,
) -> Result<i64, StoreError> {
    let row: Option<(i64,)> = sqlx::query_as(
        "SELECT used FROM trial_counters WHERE trial = $1 AND kind = $2 AND name = $3",
    )
    .bind(trial.as_str())
    .bind(kind)
    .bind(name)
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or(0, |(used,)| used))
}

/// Takes an amount off the loan and then off every counter that it is returned to, in their order;
/// what is left of the loan if that is less.
pub(in crate::store::postgres) async fn subtract(
    connection: &mut PgConnection,
    trial: &Slug,
    reservation: &Reservation,
    fen: i64,
) -> Result<Option<i64>, StoreError> {
    let id = reservation.request.id.as_str();
    if !lower(connection, trial, ("loan", id), fen).await? {
        return Ok(Some(used(connection, trial, "loan", id).await?));
    }
    let charged = reservation.charges.iter();
    for charge in charged.filter(|charge| charge.key.is_returned()) {
        let (kind, name) = counter_name(&charge.key);
        if !lower(connection, trial, (kind, &name), fen).await? {
            return Err(StoreError::Row { what: "counter" });
        }
    }
    Ok(None)
}

async fn lower(
    connection: &mut PgConnection,
    trial: &Slug,
    (kind, name): (&str, &str),
    fen: i64,
) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = sqlx::query_as(
        "UPDATE trial_counters SET used = used - $4
         WHERE trial = $1 AND kind = $2 AND name = $3 AND used >= $4 RETURNING used",
    )
    .bind(trial.as_str())
    .bind(kind)
    .bind(name)
    .bind(fen)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

pub(super) async fn read_counters(
    connection: &mut PgConnection,
    trial: &Slug,
) -> Result<BTreeMap<(String, String), i64>, StoreError> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT kind, name, used FROM trial_counters WHERE trial = $1")
            .bind(trial.as_str())
            .fetch_all(connection)
            .await?;
    let pairs = rows.into_iter();
    Ok(pairs
        .map(|(kind, name, used)| ((kind, name), used))
        .collect())
}

pub(super) async fn recount(
    connection: &mut PgConnection,
    trial: &Slug,
) -> Result<Recount, StoreError> {
    let mut recount = Recount {
        counted: read_counters(connection, trial).await?,
        ..Recount::default()
    };
    let rows: Vec<(Vec<u8>,)> =
        sqlx::query_as("SELECT body FROM trial_reservations WHERE trial = $1")
            .bind(trial.as_str())
            .fetch_all(&mut *connection)
            .await?;
    let mut kept = BTreeMap::new();
    for (body,) in rows {
        let reservation = reservation(&body)?;
        recount.add(&reservation);
        kept.insert(reservation.request.id.to_string(), reservation);
    }
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT reservation, amount_fen FROM trial_releases WHERE trial = $1")
            .bind(trial.as_str())
            .fetch_all(&mut *connection)
            .await?;
    for (id, fen) in rows {
        let reservation = kept.get(&id).ok_or(StoreError::Row { what: "release" })?;
        recount.take(reservation, fen);
    }
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT reservation, amount_fen FROM trial_retakes WHERE trial = $1")
            .bind(trial.as_str())
            .fetch_all(connection)
            .await?;
    for (id, fen) in rows {
        let reservation = kept.get(&id).ok_or(StoreError::Row { what: "retake" })?;
        recount.take(reservation, -fen);
    }
    Ok(recount)
}
