//! What was offered before the trial was declared, and room that is taken again: counted without
//! asking, since the debt is there.

use kit::postgres::Timestamp;
use schemas::ids::Slug;
use sqlx::PgConnection;

use crate::money::Money;
use crate::sandbox::limits::Reservation;
use crate::store::StoreError;
use crate::store::sandbox::{Carried, counter_name};

/// Nothing is offered or counted under the configured limits any more; false if none were declared.
/// Whoever gives room back there waits here and then finds it in the trial.
pub(super) async fn close(connection: &mut PgConnection, trial: &Slug) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = sqlx::query_as(
        "UPDATE sandbox_use SET per_loan_fen = 0, outstanding_fen = 0, used_fen = 0
         WHERE sandbox_id = $1 RETURNING used_fen",
    )
    .bind(trial.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Offers under the configured limits that nobody has given back, oldest first.
pub(super) async fn open(
    connection: &mut PgConnection,
    trial: &Slug,
) -> Result<Vec<Carried>, StoreError> {
    let rows: Vec<(String, String, String, i64, Timestamp)> = sqlx::query_as(
        "SELECT r.decision_id, d.supplier, r.currency, r.amount_fen, d.decided_at
         FROM reservations r JOIN decisions d ON d.decision_id = r.decision_id
         WHERE r.sandbox_id = $1
           AND NOT EXISTS (SELECT 1 FROM releases g WHERE g.decision_id = r.decision_id)
         ORDER BY d.decided_at, r.decision_id",
    )
    .bind(trial.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(carried).collect()
}

fn carried(
    (decision, supplier, currency, fen, at): (String, String, String, i64, Timestamp),
) -> Result<Carried, StoreError> {
    let wrong = || StoreError::Row {
        what: "reservation",
    };
    let currency = currency.parse().map_err(|_| wrong())?;
    Ok(Carried {
        decision: decision.parse().map_err(|_| wrong())?,
        supplier: supplier.parse().map_err(|_| wrong())?,
        amount: Money::from_fen(fen, currency).map_err(|_| wrong())?,
        decided_at: at.0,
    })
}

/// Counts a reservation as it is.
pub(super) async fn count(
    connection: &mut PgConnection,
    trial: &Slug,
    reservation: &Reservation,
) -> Result<(), StoreError> {
    for charge in &reservation.charges {
        let (kind, name) = counter_name(&charge.key);
        add(connection, trial, (kind, &name), charge.add).await?;
    }
    let request = &reservation.request;
    let loan = ("loan", request.id.as_str());
    add(connection, trial, loan, request.amount.fen()).await
}

/// Adds to the loan and then to every counter that a repayment had taken from, in their order.
pub(super) async fn raise(
    connection: &mut PgConnection,
    trial: &Slug,
    reservation: &Reservation,
    fen: i64,
) -> Result<(), StoreError> {
    let loan = ("loan", reservation.request.id.as_str());
    add(connection, trial, loan, fen).await?;
    let charged = reservation.charges.iter();
    for charge in charged.filter(|charge| charge.key.is_returned()) {
        let (kind, name) = counter_name(&charge.key);
        add(connection, trial, (kind, &name), fen).await?;
    }
    Ok(())
}

/// Adds without a limit; the cap follows where it was lower.
async fn add(
    connection: &mut PgConnection,
    trial: &Slug,
    (kind, name): (&str, &str),
    units: i64,
) -> Result<(), StoreError> {
    let row: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO trial_counters (trial, kind, name, used, cap) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (trial, kind, name) DO UPDATE
           SET used = trial_counters.used + excluded.used,
               cap = GREATEST(trial_counters.cap, trial_counters.used + excluded.used)
         RETURNING used",
    )
    .bind(trial.as_str())
    .bind(kind)
    .bind(name)
    .bind(units)
    .fetch_optional(connection)
    .await?;
    row.map(drop).ok_or(StoreError::Row { what: "counter" })
}
