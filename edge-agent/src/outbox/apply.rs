//! What each job does inside the writer's transaction. What the platform says is in `answers`, what
//! concerns the chain's own soundness in `repair`.

use schemas::statement::Note;
use sqlx::sqlite::SqliteConnection;

use super::chain::{self, signed};
use super::series::{cut_all, expire, take_reading};
use super::state::State;
use super::work::{ScanBatch, Work};
use super::{Opening, OutboxError, answers, repair, rotation};
use crate::compose::desk::KeptCodes;
use crate::compose::presence::Change;
use crate::compose::series::Cut;

/// Applies one job; an error undoes the whole transaction.
pub(super) async fn apply(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    work: &Work,
) -> Result<(), OutboxError> {
    match work {
        Work::Reading { series, reading } => {
            take_reading(opening, db, state, series, reading).await
        }
        Work::Scan(batch) => take_scan(opening, db, state, batch).await,
        Work::Fault(fault) => {
            let note = chain::fault_note(&fault.sensor, &fault.text, fault.range);
            chain::say(opening, db, state, note).await
        }
        Work::Heartbeat { since } if state.last_said <= *since || state.head.is_none() => {
            heartbeat(opening, db, state).await
        }
        Work::Heartbeat { .. } | Work::Touch => Ok(()),
        Work::Expire => expire(opening, db, state).await,
        Work::Flush => chain::close(opening, db, state).await,
        Work::Drain(why) => {
            cut_all(opening, db, state, *why).await?;
            chain::close(opening, db, state).await
        }
        Work::Answer(answer) => answers::take(db, state, answer).await,
        Work::Stranger(problem) => {
            answers::meet_stranger(state, problem);
            Ok(())
        }
        Work::Damaged { position } => repair::unmake(opening, db, state, *position).await,
        Work::Known(theirs) => repair::compare(opening, db, state, *theirs).await,
        Work::LastWord { next } => rotation::say_last(opening, db, state, *next).await,
        Work::NextKey(_) => rotation::go_on_with_next(opening, db, state).await,
        Work::PresentKey => rotation::go_on(opening, db, state).await,
    }
}

async fn heartbeat(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    if state.last_word.is_some() {
        return Ok(());
    }
    if state.unsigned() > 0 && state.held().is_empty() {
        return chain::close(opening, db, state).await;
    }
    let text = String::new();
    chain::say(opening, db, state, Note::Heartbeat { text }).await
}

async fn take_scan(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    batch: &ScanBatch,
) -> Result<(), OutboxError> {
    let known = state.scans.get(&batch.path).cloned().unwrap_or_default();
    // Read from elsewhere than the outbox stands: its lines may be in already.
    if known != batch.from || is_in(db, batch).await? {
        return Ok(());
    }
    for composed in &batch.events {
        if !composed.changes.is_empty() {
            // What was read before the goods came or went is said with the goods of then.
            cut_all(opening, db, state, Cut::Goods).await?;
        }
        chain::add_event(opening, db, state, batch.source, &composed.made).await?;
        for change in &composed.changes {
            change_presence(db, state, change).await?;
        }
    }
    state.counts.bad_lines += batch.bad_lines;
    state.changed = true;
    if let Some(kept) = &batch.kept {
        store_kept(db, &batch.path, kept).await?;
    }
    sqlx::query(
        "INSERT INTO scans (path, offset, line, prefix, prefix_hash) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (path) DO UPDATE SET offset = $2, line = $3, prefix = $4, prefix_hash = $5",
    )
    .bind(&batch.path)
    .bind(signed(batch.to.offset))
    .bind(signed(batch.to.line))
    .bind(signed(batch.to.prefix))
    .bind(&batch.to.prefix_hash.0[..])
    .execute(&mut *db)
    .await?;
    state.scans.insert(batch.path.clone(), batch.to.clone());
    Ok(())
}

/// True if a batch that moves no position, such as of a packing that timed out, is in: its codes wait no
/// more. A commit can last although its answer was a failure, and is then asked for again.
async fn is_in(db: &mut SqliteConnection, batch: &ScanBatch) -> Result<bool, OutboxError> {
    let gone = batch.kept.as_ref().and_then(|kept| kept.gone.first());
    let Some(number) = gone.filter(|_| batch.from == batch.to) else {
        return Ok(false);
    };
    let waits: Option<i64> =
        sqlx::query_scalar("SELECT number FROM scanned WHERE path = $1 AND number = $2")
            .bind(&batch.path)
            .bind(number)
            .fetch_optional(db)
            .await?;
    Ok(waits.is_none())
}

/// Codes that wait for more of their packing or recipe, in place of those that waited before.
async fn store_kept(
    db: &mut SqliteConnection,
    path: &str,
    kept: &KeptCodes,
) -> Result<(), OutboxError> {
    for number in &kept.gone {
        sqlx::query("DELETE FROM scanned WHERE path = $1 AND number = $2")
            .bind(path)
            .bind(number)
            .execute(&mut *db)
            .await?;
    }
    for code in &kept.new {
        sqlx::query(
            "INSERT INTO scanned (path, number, line, time, text) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(path)
        .bind(code.number)
        .bind(signed(code.line))
        .bind(code.time.as_micros())
        .bind(&code.text)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn change_presence(
    db: &mut SqliteConnection,
    state: &mut State,
    change: &Change,
) -> Result<(), OutboxError> {
    let query = match state.presence.apply(change) {
        Some(item) => {
            let amount = item.amount.clone().unwrap_or_default();
            sqlx::query(
                "INSERT INTO presence (uri, is_class, quantity, uom) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (uri) DO UPDATE SET is_class = $2, quantity = $3, uom = $4",
            )
            .bind(item.uri)
            .bind(item.amount.is_some())
            .bind(amount.quantity.map(|quantity| quantity.to_string()))
            .bind(amount.uom)
        }
        None => sqlx::query("DELETE FROM presence WHERE uri = $1").bind(&change.item.uri),
    };
    query.execute(&mut *db).await?;
    Ok(())
}
