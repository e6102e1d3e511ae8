//! Pledges, their claims and their watches.

mod streams;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::time::Instant;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Sqlite, trail};
use crate::audit::Entry;
use crate::pledge::claim::{Claim, Shown};
use crate::pledge::fingerprint::Fingerprint;
use crate::pledge::ids::PledgeId;
use crate::pledge::quantity::{Measure, Quantity};
use crate::pledge::stage::{Act, State};
use crate::pledge::step::{Chain, Next, Row, Step};
use crate::pledge::stream::{Progress, Stream};
use crate::pledge::watch::Watch;
use crate::store::StoreError;
use crate::store::pledge::{
    Followed, Line, LotUse, PLEDGES_MAX, Pledges, Refusal, Stepped, Taken, Watching, Which,
};

const BROKEN: StoreError = StoreError::Row { what: "pledge" };

#[async_trait]
impl Pledges for Sqlite {
    async fn offer_pledge(&self, next: &Next) -> Result<Taken, StoreError> {
        let Act::Offer(offer) = &next.step.said.act else {
            return Err(BROKEN);
        };
        let mut transaction = self.begin().await?;
        if !insert_head(&mut transaction, next, offer.loan.as_str()).await? {
            return Ok(Taken::Before);
        }
        insert_step(&mut transaction, &next.step).await?;
        for (name, claim) in offer.claims.iter() {
            if !take(&mut transaction, &next.step.pledge, name, claim).await? {
                let lot = matches!(claim, Claim::Lot { .. });
                return Ok(if lot {
                    Taken::NotShown(*name)
                } else {
                    Taken::Held(*name)
                });
            }
        }
        trail::append(&mut transaction, &Entry::of_pledge(&next.step)).await?;
        transaction.commit().await?;
        Ok(Taken::Kept)
    }

    async fn step_pledge(&self, next: &Next) -> Result<Stepped, StoreError> {
        let mut transaction = self.begin().await?;
        if !advance(&mut transaction, next).await? {
            return Ok(Stepped::Overtaken);
        }
        trail::append(&mut transaction, &Entry::of_pledge(&next.step)).await?;
        transaction.commit().await?;
        Ok(Stepped::Kept)
    }

    async fn substitute_pledge(&self, cover: &Next, release: &Next) -> Result<Stepped, StoreError> {
        let mut transaction = self.begin().await?;
        for next in [cover, release] {
            if !advance(&mut transaction, next).await? {
                return Ok(Stepped::Overtaken);
            }
        }
        for next in [cover, release] {
            trail::append(&mut transaction, &Entry::of_pledge(&next.step)).await?;
        }
        transaction.commit().await?;
        Ok(Stepped::Kept)
    }

    async fn pledge(&self, id: &PledgeId) -> Result<Option<Chain>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let head = sqlx::query("SELECT step, hash FROM pledge_heads WHERE pledge_id = $1")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&mut *transaction)
            .await?;
        let rows = sqlx::query(
            "SELECT step, prev, at, body FROM pledge_steps WHERE pledge_id = $1 ORDER BY step",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(&mut *transaction)
        .await?;
        let Some(head) = head else {
            return if rows.is_empty() {
                Ok(None)
            } else {
                Err(BROKEN)
            };
        };
        let hash: Vec<u8> = head.try_get("hash")?;
        let head = (
            head.try_get("step")?,
            Hash::from_slice(&hash).ok_or(BROKEN)?,
        );
        let rows: Result<Vec<Row>, _> = rows.iter().map(row_of).collect();
        Chain::read(*id, rows?, head).map(Some).map_err(|_| BROKEN)
    }

    async fn pledges(&self, which: &Which, take: u32) -> Result<Vec<Line>, StoreError> {
        let (sql, key) = match which {
            Which::In(state) => (
                "SELECT pledge_id, state FROM pledge_heads WHERE state = $1
                 ORDER BY changed_at, pledge_id LIMIT $2",
                state.word(),
            ),
            Which::OfLoan(loan) => (
                "SELECT pledge_id, state FROM pledge_heads WHERE loan = $1
                 ORDER BY pledge_id LIMIT $2",
                loan.as_str(),
            ),
        };
        let rows = sqlx::query(sql)
            .bind(key)
            .bind(take.min(PLEDGES_MAX))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(line_of).collect()
    }

    async fn pledge_holder(&self, name: &Fingerprint) -> Result<Option<PledgeId>, StoreError> {
        let row = sqlx::query("SELECT holder FROM pledge_slots WHERE fingerprint = $1")
            .bind(name.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let holder: Option<Vec<u8>> = row.try_get("holder")?;
        let id = |bytes: Vec<u8>| PledgeId::from_slice(&bytes).ok_or(BROKEN);
        holder.map(id).transpose()
    }

    async fn pledged_lot(&self, name: &Fingerprint) -> Result<Option<LotUse>, StoreError> {
        let row = sqlx::query(
            "SELECT measure, shown, log_size, pledged FROM pledge_lots WHERE fingerprint = $1",
        )
        .bind(name.as_bytes().as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| lot_of(&row)).transpose()
    }

    async fn watching(&self, id: &PledgeId, stream: &str) -> Result<Option<Watching>, StoreError> {
        let row = sqlx::query(
            "SELECT version, watch FROM pledge_watches WHERE pledge_id = $1 AND stream = $2",
        )
        .bind(id.as_bytes().as_slice())
        .bind(stream)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let watch: Vec<u8> = row.try_get("watch")?;
        let watch = serde_json::from_slice(&watch).map_err(|_| BROKEN)?;
        let version = row.try_get("version")?;
        Ok(Some(Watching { version, watch }))
    }

    async fn watched_streams(&self, id: &PledgeId) -> Result<Vec<String>, StoreError> {
        let rows =
            sqlx::query("SELECT stream FROM pledge_watches WHERE pledge_id = $1 ORDER BY stream")
                .bind(id.as_bytes().as_slice())
                .fetch_all(&self.pool)
                .await?;
        let stream = |row: &SqliteRow| Ok(row.try_get("stream")?);
        rows.iter().map(stream).collect()
    }

    async fn keep_watch(
        &self,
        id: &PledgeId,
        before: i64,
        watch: &Watch,
        alarm: Option<&Next>,
    ) -> Result<Stepped, StoreError> {
        let mut transaction = self.begin().await?;
        if !put_watch(&mut transaction, id, before, watch).await? {
            return Ok(Stepped::Overtaken);
        }
        if let Some(alarm) = alarm {
            if !advance(&mut transaction, alarm).await? {
                return Ok(Stepped::Overtaken);
            }
            trail::append(&mut transaction, &Entry::of_pledge(&alarm.step)).await?;
        }
        transaction.commit().await?;
        Ok(Stepped::Kept)
    }

    async fn followed(&self, take: u32) -> Result<Vec<Followed>, StoreError> {
        streams::followed(&self.pool, take).await
    }

    async fn followed_of(&self, id: &PledgeId) -> Result<Vec<Followed>, StoreError> {
        streams::followed_of(&self.pool, id).await
    }

    async fn keep_progress(
        &self,
        id: &PledgeId,
        before: i64,
        stream: &Stream,
        progress: &Progress,
    ) -> Result<Stepped, StoreError> {
        streams::keep(&self.pool, id, before, stream, progress).await
    }

    async fn refuse_pledge(&self, refusal: &Refusal) -> Result<(), StoreError> {
        streams::refuse(&self.pool, refusal).await
    }

    async fn pledge_refusals(
        &self,
        pledge: Option<&PledgeId>,
        take: u32,
    ) -> Result<Vec<Refusal>, StoreError> {
        streams::refusals(&self.pool, pledge, take).await
    }
}

/// False if the request has a pledge already.
async fn insert_head(
    connection: &mut SqliteConnection,
    next: &Next,
    loan: &str,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "INSERT INTO pledge_heads (pledge_id, step, hash, state, loan, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (pledge_id) DO NOTHING RETURNING step",
    )
    .bind(next.step.pledge.as_bytes().as_slice())
    .bind(next.step.number)
    .bind(next.step.hash().as_bytes().as_slice())
    .bind(next.step.state.word())
    .bind(loan)
    .bind(next.step.at.to_rfc3339())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

async fn insert_step(connection: &mut SqliteConnection, step: &Step) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pledge_steps (pledge_id, step, request, prev, at, body)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(step.pledge.as_bytes().as_slice())
    .bind(step.number)
    .bind(step.said.request.as_str())
    .bind(step.prev.as_bytes().as_slice())
    .bind(step.at.to_rfc3339())
    .bind(&step.body)
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the head from exactly the step before, keeps the step, gives back what it frees. False if the
/// head is somewhere else.
async fn advance(connection: &mut SqliteConnection, next: &Next) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "UPDATE pledge_heads SET step = $2, hash = $3, state = $4, changed_at = $5
         WHERE pledge_id = $1 AND step = $6 AND hash = $7 RETURNING step",
    )
    .bind(next.step.pledge.as_bytes().as_slice())
    .bind(next.step.number)
    .bind(next.step.hash().as_bytes().as_slice())
    .bind(next.step.state.word())
    .bind(next.step.at.to_rfc3339())
    .bind(next.step.number.saturating_sub(1))
    .bind(next.step.prev.as_bytes().as_slice())
    .fetch_optional(&mut *connection)
    .await?;
    if row.is_none() {
        return Ok(false);
    }
    insert_step(connection, &next.step).await?;
    for (name, claim) in &next.freed {
        give_back(connection, &next.step.pledge, name, claim).await?;
    }
    Ok(true)
}

/// Takes one claim by one guarded statement. False if it is not to be had.
async fn take(
    connection: &mut SqliteConnection,
    pledge: &PledgeId,
    name: &Fingerprint,
    claim: &Claim,
) -> Result<bool, StoreError> {
    let row = match claim {
        Claim::Whole { .. } => {
            sqlx::query(
                "INSERT INTO pledge_slots (fingerprint, holder, inside) VALUES ($1, $2, 0)
                 ON CONFLICT (fingerprint) DO UPDATE SET holder = excluded.holder
                 WHERE pledge_slots.holder IS NULL AND pledge_slots.inside = 0
                 RETURNING inside",
            )
            .bind(name.as_bytes().as_slice())
            .bind(pledge.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?
        }
        Claim::Inside => {
            sqlx::query(
                "INSERT INTO pledge_slots (fingerprint, holder, inside) VALUES ($1, NULL, 1)
                 ON CONFLICT (fingerprint) DO UPDATE SET inside = pledge_slots.inside + 1
                 WHERE pledge_slots.holder IS NULL
                 RETURNING inside",
            )
            .bind(name.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?
        }
        Claim::Lot { taken, shown } => take_lot(connection, name, *taken, *shown).await?,
    };
    Ok(row.is_some())
}

/// The guard of a lot: the sum stays within what the newest evidence shows, and within the smaller
/// figure of two at one log size.
async fn take_lot(
    connection: &mut SqliteConnection,
    name: &Fingerprint,
    taken: Quantity,
    shown: Shown,
) -> Result<Option<SqliteRow>, StoreError> {
    Ok(sqlx::query(
        "INSERT INTO pledge_lots (fingerprint, measure, shown, log_size, pledged)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (fingerprint) DO UPDATE SET
           pledged = pledge_lots.pledged + excluded.pledged,
           shown = CASE WHEN pledge_lots.log_size < excluded.log_size
                          OR excluded.shown < pledge_lots.shown
                        THEN excluded.shown ELSE pledge_lots.shown END,
           log_size = excluded.log_size
         WHERE pledge_lots.measure = excluded.measure
           AND pledge_lots.log_size <= excluded.log_size
           AND pledge_lots.pledged + excluded.pledged <= excluded.shown
           AND (pledge_lots.log_size < excluded.log_size
                OR pledge_lots.pledged + excluded.pledged <= pledge_lots.shown)
         RETURNING pledged",
    )
    .bind(name.as_bytes().as_slice())
    .bind(taken.measure().word())
    .bind(shown.quantity.smallest())
    .bind(i64::try_from(shown.log_size).map_err(|_| BROKEN)?)
    .bind(taken.smallest())
    .fetch_optional(connection)
    .await?)
}

/// Gives one claim back, which this pledge must have.
async fn give_back(
    connection: &mut SqliteConnection,
    pledge: &PledgeId,
    name: &Fingerprint,
    claim: &Claim,
) -> Result<(), StoreError> {
    let query = match claim {
        Claim::Whole { .. } => sqlx::query(
            "UPDATE pledge_slots SET holder = NULL WHERE fingerprint = $1 AND holder = $2
             RETURNING inside",
        )
        .bind(name.as_bytes().as_slice())
        .bind(pledge.as_bytes().as_slice()),
        Claim::Inside => sqlx::query(
            "UPDATE pledge_slots SET inside = inside - 1 WHERE fingerprint = $1 AND inside > 0
             RETURNING inside",
        )
        .bind(name.as_bytes().as_slice()),
        Claim::Lot { taken, .. } => sqlx::query(
            "UPDATE pledge_lots SET pledged = pledged - $2
             WHERE fingerprint = $1 AND pledged >= $2 AND measure = $3 RETURNING pledged",
        )
        .bind(name.as_bytes().as_slice())
        .bind(taken.smallest())
        .bind(taken.measure().word()),
    };
    let row = query.fetch_optional(connection).await?;
    row.map(drop).ok_or(BROKEN)
}

/// Keeps a watch behind its version before. False if that is another one.
async fn put_watch(
    connection: &mut SqliteConnection,
    id: &PledgeId,
    before: i64,
    watch: &Watch,
) -> Result<bool, StoreError> {
    let body = serde_json::to_vec(watch).map_err(|_| BROKEN)?;
    let query = if before == 0 {
        sqlx::query(
            "INSERT INTO pledge_watches (pledge_id, stream, version, watch)
             VALUES ($1, $2, $3, $4) ON CONFLICT (pledge_id, stream) DO NOTHING
             RETURNING version",
        )
    } else {
        sqlx::query(
            "UPDATE pledge_watches SET version = $3, watch = $4
             WHERE pledge_id = $1 AND stream = $2 AND version = $3 - 1 RETURNING version",
        )
    };
    let row = query
        .bind(id.as_bytes().as_slice())
        .bind(watch.stream())
        .bind(before.saturating_add(1))
        .bind(body)
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

fn row_of(row: &SqliteRow) -> Result<Row, StoreError> {
    let at: String = row.try_get("at")?;
    Ok(Row {
        number: row.try_get("step")?,
        prev: row.try_get("prev")?,
        at: Instant::parse_rfc3339(&at).ok_or(BROKEN)?,
        body: row.try_get("body")?,
    })
}

fn line_of(row: &SqliteRow) -> Result<Line, StoreError> {
    let id: Vec<u8> = row.try_get("pledge_id")?;
    let state: String = row.try_get("state")?;
    Ok(Line {
        pledge: PledgeId::from_slice(&id).ok_or(BROKEN)?,
        state: State::of_word(&state).ok_or(BROKEN)?,
    })
}

fn lot_of(row: &SqliteRow) -> Result<LotUse, StoreError> {
    let measure: String = row.try_get("measure")?;
    let measure = Measure::of_word(&measure).ok_or(BROKEN)?;
    let log_size: i64 = row.try_get("log_size")?;
    Ok(LotUse {
        shown: Quantity::new(measure, row.try_get("shown")?).map_err(|_| BROKEN)?,
        pledged: row.try_get("pledged")?,
        log_size: u64::try_from(log_size).map_err(|_| BROKEN)?,
    })
}
