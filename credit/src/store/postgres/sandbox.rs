//! Trials: records, guards, counters. The last statement of a reservation locks its guard; every
//! other transaction takes the guard first or not at all, so that nobody waits in a circle.

mod carried;
mod counters;
mod releases;

use std::collections::BTreeMap;

use async_trait::async_trait;
use kit::postgres::text;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::PgConnection;

use super::{Postgres, at, cases, retried};
use crate::loan;
use crate::sandbox::limits::{Charge, CounterKey, Reservation};
use crate::store::StoreError;
use crate::store::sandbox::rows::{GuardRow, RecordRow, RefusalRow, body};
use crate::store::sandbox::{
    Added, Carry, Counted, Guard, Kind, Offered, PAGE, Plan, Record, Recount, Released, Repayment,
    TrialRefusal, TrialStore,
};
pub(super) use counters::subtract;
use counters::{add_charges, first_full, new_borrower, read_counters};
pub(super) use releases::{insert_release, read_reservation};
use releases::{insert_retake, read_release, read_retake};

#[async_trait]
impl TrialStore for Postgres {
    async fn trial_guard(&self, trial: &Slug) -> Result<Option<Guard>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        read_guard(&mut connection, trial).await
    }

    async fn open_trial(&self, trial: &Slug, first: &Record) -> Result<Added, StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            insert_guard(&mut transaction, trial, &Guard::new(first.made_at)).await?;
            let added = add(&mut transaction, trial, first).await?;
            transaction.commit().await?;
            Ok(added)
        })
        .await
    }

    async fn add_record(&self, trial: &Slug, record: &Record) -> Result<Added, StoreError> {
        retried(|| async {
            let mut connection = self.pool.acquire().await?;
            add(&mut connection, trial, record).await
        })
        .await
    }

    async fn advance(
        &self,
        trial: &Slug,
        from: &Guard,
        to: &Guard,
        record: &Record,
        outstanding: Option<i64>,
    ) -> Result<bool, StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            if !move_guard(&mut transaction, trial, from, to).await? {
                return Ok(false);
            }
            // Whoever counts commits behind the guard that is held here, or before it.
            if let Some(amount) = outstanding
                && counters::used(&mut transaction, trial, "outstanding", "").await? != amount
            {
                return Ok(false);
            }
            if !insert_record(&mut transaction, trial, record).await? {
                return Ok(false);
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn records(
        &self,
        trial: &Slug,
        kind: Kind,
        after: &str,
        take: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let rows: Vec<RecordRow> = sqlx::query_as(
            "SELECT name, sha256, body, made_by, agreed_by, made_at FROM trial_records
             WHERE trial = $1 AND kind = $2 AND name > $3 ORDER BY name LIMIT $4",
        )
        .bind(trial.as_str())
        .bind(kind.word())
        .bind(text(after))
        .bind(i64::from(take.min(PAGE)))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| row.record(kind)).collect()
    }

    async fn take_room(&self, trial: &Slug, plan: &Plan) -> Result<Counted, StoreError> {
        retried(|| self.take_room_once(trial, plan)).await
    }

    async fn give_back(
        &self,
        trial: &Slug,
        reservation: &Reservation,
        repayment: &Repayment,
        now: Instant,
    ) -> Result<Released, StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            if !insert_release(&mut transaction, trial, repayment, now).await? {
                let before = read_release(&mut transaction, trial, &repayment.id).await?;
                return Ok(Released::Before(before));
            }
            let fen = repayment.amount.fen();
            if let Some(left) = subtract(&mut transaction, trial, reservation, fen).await? {
                return Ok(Released::TooMuch(left));
            }
            transaction.commit().await?;
            Ok(Released::New)
        })
        .await
    }

    async fn keep_offer(
        &self,
        trial: &Slug,
        plan: &Plan,
        record: &loan::Record,
    ) -> Result<Offered, StoreError> {
        retried(|| self.keep_offer_once(trial, plan, record)).await
    }

    async fn take_again(
        &self,
        trial: &Slug,
        reservation: &Reservation,
        repayment: &Repayment,
        now: Instant,
    ) -> Result<Released, StoreError> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            if !insert_retake(&mut transaction, trial, repayment, now).await? {
                let before = read_retake(&mut transaction, trial, &repayment.id).await?;
                return Ok(Released::Before(before));
            }
            let fen = repayment.amount.fen();
            carried::raise(&mut transaction, trial, reservation, fen).await?;
            transaction.commit().await?;
            Ok(Released::New)
        })
        .await
    }

    async fn carry_over(
        &self,
        trial: &Slug,
        carry: Carry<'_>,
        now: Instant,
    ) -> Result<u32, StoreError> {
        retried(|| self.carry_over_once(trial, carry, now)).await
    }

    async fn reservation(
        &self,
        trial: &Slug,
        id: &Slug,
    ) -> Result<Option<Reservation>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        read_reservation(&mut connection, trial, id).await
    }

    async fn keep_refusal(&self, trial: &Slug, refusal: &TrialRefusal) -> Result<(), StoreError> {
        let [cap, used, asked] = refusal.numbers.map_or([None; 3], |all| all.map(Some));
        sqlx::query(
            "INSERT INTO trial_refusals
             (trial, reservation, refused_at, reason, cap, used, asked, detail, request)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (trial, reservation, refused_at, reason) DO NOTHING",
        )
        .bind(trial.as_str())
        .bind(refusal.request.id.as_str())
        .bind(at(refusal.refused_at))
        .bind(&refusal.reason)
        .bind(cap)
        .bind(used)
        .bind(asked)
        .bind(&refusal.detail)
        .bind(body(&refusal.request)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn refusals_of(&self, trial: &Slug, id: &Slug) -> Result<Vec<TrialRefusal>, StoreError> {
        let rows: Vec<RefusalRow> = sqlx::query_as(
            "SELECT refused_at, reason, cap, used, asked, detail, request FROM trial_refusals
             WHERE trial = $1 AND reservation = $2 ORDER BY refused_at, reason",
        )
        .bind(trial.as_str())
        .bind(id.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(RefusalRow::refusal).collect()
    }

    async fn counter(&self, trial: &Slug, kind: &str, name: &str) -> Result<i64, StoreError> {
        let mut connection = self.pool.acquire().await?;
        counters::used(&mut connection, trial, kind, name).await
    }

    async fn counters(&self, trial: &Slug) -> Result<BTreeMap<(String, String), i64>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        read_counters(&mut connection, trial).await
    }

    async fn recount(&self, trial: &Slug) -> Result<Recount, StoreError> {
        // One snapshot for all three.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut transaction = self.pool.begin_with(begin).await?;
        counters::recount(&mut transaction, trial).await
    }
}

impl Postgres {
    async fn take_room_once(&self, trial: &Slug, plan: &Plan) -> Result<Counted, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let counted = count(&mut transaction, trial, plan).await?;
        match counted {
            Counted::New(_) => transaction.commit().await?,
            _ => transaction.rollback().await?,
        }
        Ok(counted)
    }

    async fn keep_offer_once(
        &self,
        trial: &Slug,
        plan: &Plan,
        record: &loan::Record,
    ) -> Result<Offered, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let decision = &record.decision;
        if !super::insert_decision(&mut transaction, record).await? {
            let id = &decision.application.application_id;
            let before = super::read_application(&mut transaction, id).await?;
            let before = before.ok_or(StoreError::Row { what: "decision" })?;
            return Ok(Offered::Decided(Box::new(before)));
        }
        let amount = plan.request.amount;
        super::insert_reservation(&mut transaction, trial, decision, amount).await?;
        let mut counted = count(&mut transaction, trial, plan).await?;
        if let Counted::New(_) = counted
            && !cases::keep_beside(&mut transaction, record).await?
        {
            counted = Counted::Moved;
        }
        match counted {
            Counted::New(_) => transaction.commit().await?,
            _ => transaction.rollback().await?,
        }
        Ok(Offered::Room(Box::new(counted)))
    }

    async fn carry_over_once(
        &self,
        trial: &Slug,
        carry: Carry<'_>,
        now: Instant,
    ) -> Result<u32, StoreError> {
        let mut transaction = self.pool.begin().await?;
        if !carried::close(&mut transaction, trial).await? {
            return Ok(0);
        }
        let mut count = 0;
        for offer in carried::open(&mut transaction, trial).await? {
            let mut reservation = carry(&offer);
            let request = &reservation.request;
            if !new_borrower(&mut transaction, trial, request).await? {
                let known = |charge: &Charge| charge.key != CounterKey::Users;
                reservation.charges.retain(known);
            }
            if insert_reservation(&mut transaction, trial, &reservation, 0, now).await? {
                carried::count(&mut transaction, trial, &reservation).await?;
                count += 1;
            }
        }
        transaction.commit().await?;
        Ok(count)
    }
}

/// Counts a plan. Only with [`Counted::New`] may the transaction commit.
async fn count(
    transaction: &mut PgConnection,
    trial: &Slug,
    plan: &Plan,
) -> Result<Counted, StoreError> {
    let new = new_borrower(transaction, trial, &plan.request).await?;
    let reservation = plan.reservation(new);
    let version = plan.guard.limits;
    if !insert_reservation(transaction, trial, &reservation, version, plan.at).await? {
        let id = &plan.request.id;
        let before = read_reservation(transaction, trial, id).await?;
        let what = "reservation";
        return Ok(Counted::Before(before.ok_or(StoreError::Row { what })?));
    }
    let left = add_charges(transaction, trial, &reservation).await?;
    if !left.is_empty() {
        // What did not fit is locked, so its use is read as it was compared.
        let now = read_guard(transaction, trial).await?;
        let (charge, used) = first_full(transaction, trial, left).await?;
        let stands = now.is_some_and(|now| plan.stands(&now));
        return Ok(if stands {
            Counted::Full { charge, used }
        } else {
            Counted::Moved
        });
    }
    if !hold_guard(transaction, trial, plan).await? {
        return Ok(Counted::Moved);
    }
    Ok(Counted::New(reservation))
}

async fn read_guard(
    connection: &mut PgConnection,
    trial: &Slug,
) -> Result<Option<Guard>, StoreError> {
    let row: Option<GuardRow> = sqlx::query_as(
        "SELECT limits, steps, trips, lifts, seen FROM trial_guards WHERE trial = $1",
    )
    .bind(trial.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row.map(GuardRow::guard))
}

/// Changes nothing if there is one.
async fn insert_guard(
    connection: &mut PgConnection,
    trial: &Slug,
    guard: &Guard,
) -> Result<(), StoreError> {
    let [limits, steps, trips, lifts] = guard.numbers();
    sqlx::query(
        "INSERT INTO trial_guards (trial, limits, steps, trips, lifts, seen)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (trial) DO NOTHING",
    )
    .bind(trial.as_str())
    .bind(limits)
    .bind(steps)
    .bind(trips)
    .bind(lifts)
    .bind(at(guard.seen))
    .execute(connection)
    .await?;
    Ok(())
}

/// Compare and set; false changes nothing.
async fn move_guard(
    connection: &mut PgConnection,
    trial: &Slug,
    from: &Guard,
    to: &Guard,
) -> Result<bool, StoreError> {
    let [limits, steps, trips, lifts] = from.numbers();
    let [limits_to, steps_to, trips_to, lifts_to] = to.numbers();
    let row: Option<(i64,)> = sqlx::query_as(
        "UPDATE trial_guards
         SET limits = $6, steps = $7, trips = $8, lifts = $9, seen = GREATEST(seen, $10)
         WHERE trial = $1 AND limits = $2 AND steps = $3 AND trips = $4 AND lifts = $5
         RETURNING limits",
    )
    .bind(trial.as_str())
    .bind(limits)
    .bind(steps)
    .bind(trips)
    .bind(lifts)
    .bind(limits_to)
    .bind(steps_to)
    .bind(trips_to)
    .bind(lifts_to)
    .bind(at(to.seen))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// The guard of a reservation stands, and stands still until the commit.
async fn hold_guard(
    connection: &mut PgConnection,
    trial: &Slug,
    plan: &Plan,
) -> Result<bool, StoreError> {
    let [limits, steps, trips, lifts] = plan.guard.numbers();
    let row: Option<(i64,)> = sqlx::query_as(
        "UPDATE trial_guards SET seen = GREATEST(seen, $6)
         WHERE trial = $1 AND limits = $2 AND steps = $3 AND trips = $4 AND lifts = $5
           AND trips = lifts AND seen < $7
         RETURNING limits",
    )
    .bind(trial.as_str())
    .bind(limits)
    .bind(steps)
    .bind(trips)
    .bind(lifts)
    .bind(at(plan.at))
    .bind(at(plan.until))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

async fn add(
    connection: &mut PgConnection,
    trial: &Slug,
    record: &Record,
) -> Result<Added, StoreError> {
    if insert_record(connection, trial, record).await? {
        return Ok(Added::New);
    }
    let row: Option<RecordRow> = sqlx::query_as(
        "SELECT name, sha256, body, made_by, agreed_by, made_at FROM trial_records
         WHERE trial = $1 AND kind = $2 AND name = $3",
    )
    .bind(trial.as_str())
    .bind(record.kind.word())
    .bind(text(&record.name))
    .fetch_optional(connection)
    .await?;
    let what = record.kind.word();
    let before = row.ok_or(StoreError::Row { what })?.record(record.kind)?;
    Ok(Added::Before(Box::new(before)))
}

/// False if the name is taken.
async fn insert_record(
    connection: &mut PgConnection,
    trial: &Slug,
    record: &Record,
) -> Result<bool, StoreError> {
    let row: Option<(String,)> = sqlx::query_as(
        "INSERT INTO trial_records
         (trial, kind, name, sha256, body, made_by, agreed_by, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (trial, kind, name) DO NOTHING RETURNING name",
    )
    .bind(trial.as_str())
    .bind(record.kind.word())
    .bind(text(&record.name))
    .bind(record.hash.as_bytes().as_slice())
    .bind(&record.body)
    .bind(record.made_by.as_str())
    .bind(record.agreed_by.as_ref().map(Slug::as_str))
    .bind(at(record.made_at))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// False if the id is taken.
async fn insert_reservation(
    connection: &mut PgConnection,
    trial: &Slug,
    reservation: &Reservation,
    limits: i64,
    now: Instant,
) -> Result<bool, StoreError> {
    let request = &reservation.request;
    let row: Option<(String,)> = sqlx::query_as(
        "INSERT INTO trial_reservations
         (trial, reservation, limits, currency, amount_fen, body, reserved_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (trial, reservation) DO NOTHING RETURNING reservation",
    )
    .bind(trial.as_str())
    .bind(request.id.as_str())
    .bind(limits)
    .bind(request.amount.currency().as_str())
    .bind(request.amount.fen())
    .bind(body(reservation)?)
    .bind(at(now))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}
