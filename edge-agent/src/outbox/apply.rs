//! What each job does inside the writer's transaction.

use schemas::event::Source;
use schemas::hash::Hash;
use schemas::receipt::Receipt;
use schemas::statement::Note;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::chain::{self, signed};
use super::state::{State, hash_column};
use super::{Answer, Opening, OutboxError, ScanBatch, Work};
use crate::compose::presence::Change;
use crate::compose::sensor::{self, Reading};

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
            if state.open.is_empty() {
                chain::say(
                    opening,
                    db,
                    state,
                    Note::Heartbeat {
                        text: String::new(),
                    },
                )
                .await
            } else {
                chain::close(opening, db, state).await
            }
        }
        Work::Heartbeat { .. } => Ok(()),
        Work::Flush => chain::close(opening, db, state).await,
        Work::Drain => {
            compose_all(opening, db, state).await?;
            chain::close(opening, db, state).await
        }
        Work::Answer(answer) => take_answer(db, state, answer).await,
    }
}

async fn take_reading(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    series: &str,
    reading: &Reading,
) -> Result<(), OutboxError> {
    sqlx::query("INSERT INTO readings (series, time, value, suspect) VALUES ($1, $2, $3, $4)")
        .bind(series)
        .bind(reading.time.as_micros())
        .bind(reading.value)
        .bind(reading.suspect)
        .execute(&mut *db)
        .await?;
    let rule = opening.rules.iter().find(|rule| rule.series() == series);
    state.counts.readings += 1;
    state.counts.readings_beyond_limits +=
        u64::from(rule.is_some_and(|rule| reading.is_alarm(rule)));
    let buffer = state.readings.entry(series.to_owned()).or_default();
    buffer.push(reading.clone());
    if rule.is_some_and(|rule| buffer.len() >= rule.readings_per_event) {
        compose_series(opening, db, state, series).await?;
    }
    Ok(())
}

/// Makes events of all readings that wait: goods come or go, or the agent stops.
async fn compose_all(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    let waiting: Vec<String> = state.readings.keys().cloned().collect();
    for series in waiting {
        compose_series(opening, db, state, &series).await?;
    }
    Ok(())
}

async fn compose_series(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    series: &str,
) -> Result<(), OutboxError> {
    // Readings of a series that is no longer configured stay until it is again.
    let Some(rule) = opening.rules.iter().find(|rule| rule.series() == series) else {
        return Ok(());
    };
    let readings = state.readings.remove(series).unwrap_or_default();
    // A configuration that now asks for fewer readings an event finds more than it wants.
    for readings in readings.chunks(rule.readings_per_event) {
        match sensor::events(rule, opening.time_zone_minutes, readings, &state.presence) {
            Ok(events) => {
                for event in &events {
                    chain::add_event(opening, db, state, Source::Sensor, event).await?;
                }
            }
            Err(error) => {
                state.counts.alarms += 1;
                tracing::error!(%error, series, "readings make no valid event and are left out");
            }
        }
    }
    sqlx::query("DELETE FROM readings WHERE series = $1")
        .bind(series)
        .execute(&mut *db)
        .await?;
    Ok(())
}

async fn take_scan(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    batch: &ScanBatch,
) -> Result<(), OutboxError> {
    let known = state.scans.get(&batch.path).cloned().unwrap_or_default();
    // Read from elsewhere than the outbox stands: its lines may be in already.
    if known != batch.from {
        return Ok(());
    }
    for composed in &batch.events {
        if !composed.changes.is_empty() {
            // What was read before the goods came or went is said with the goods of then.
            compose_all(opening, db, state).await?;
        }
        chain::add_event(opening, db, state, batch.source, &composed.event).await?;
        for change in &composed.changes {
            change_presence(db, state, change).await?;
        }
    }
    state.counts.bad_lines += batch.bad_lines;
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

async fn take_answer(
    db: &mut SqliteConnection,
    state: &mut State,
    answer: &Answer,
) -> Result<(), OutboxError> {
    match answer {
        Answer::Receipt { receipt, bytes } => take_receipt(db, state, receipt, bytes).await,
        Answer::Inclusion {
            ids,
            size,
            root,
            note,
        } => {
            for id in ids {
                take_inclusion(db, state, id).await?;
            }
            forget_receipts(db).await?;
            take_checkpoint(db, state, *size, *root, note).await
        }
        Answer::Alarm => {
            state.counts.alarms += 1;
            Ok(())
        }
    }
}

async fn take_receipt(
    db: &mut SqliteConnection,
    state: &mut State,
    receipt: &Receipt,
    bytes: &[u8],
) -> Result<(), OutboxError> {
    let seqs = receipt.ranges.iter().flat_map(|(from, to)| *from..=*to);
    let mut stored = None;
    for (seq, id) in seqs.zip(&receipt.ids) {
        let row = sqlx::query(
            "SELECT position, id, included FROM statements
             WHERE epoch = $1 AND seq = $2 AND receipt IS NULL",
        )
        .bind(signed(receipt.epoch))
        .bind(signed(seq))
        .fetch_optional(&mut *db)
        .await?;
        // Receipted before, or forgotten since.
        let Some(row) = row else { continue };
        if hash_column(&row, 1)? != *id {
            state.counts.alarms += 1;
            tracing::error!(
                epoch = receipt.epoch,
                seq,
                theirs = %id,
                "the platform has another statement in this place: somebody else has this key, \
                 or this outbox is a copy"
            );
            continue;
        }
        let number = match stored {
            Some(number) => number,
            None => *stored.insert(store_receipt(db, receipt, bytes).await?),
        };
        release_bodies(db, state, row.try_get(0)?, number, receipt, row.try_get(2)?).await?;
    }
    take_refusals(db, state, receipt).await?;
    state.counts.last_receipt = state.counts.last_receipt.max(Some(receipt.time));
    Ok(())
}

async fn store_receipt(
    db: &mut SqliteConnection,
    receipt: &Receipt,
    bytes: &[u8],
) -> Result<i64, OutboxError> {
    Ok(
        sqlx::query_scalar("INSERT INTO receipts (time, bytes) VALUES ($1, $2) RETURNING number")
            .bind(receipt.time.as_micros())
            .bind(bytes)
            .fetch_one(&mut *db)
            .await?,
    )
}

/// The platform has the events of this statement: the device may forget their bodies.
async fn release_bodies(
    db: &mut SqliteConnection,
    state: &mut State,
    position: i64,
    number: i64,
    receipt: &Receipt,
    included: bool,
) -> Result<(), OutboxError> {
    let gone = sqlx::query("DELETE FROM events WHERE statement = $1")
        .bind(position)
        .execute(&mut *db)
        .await?
        .rows_affected();
    state.queues.bodies = state.queues.bodies.saturating_sub(gone);
    state.queues.receipts = state.queues.receipts.saturating_sub(1);
    let query = if included {
        sqlx::query("DELETE FROM statements WHERE position = $1").bind(position)
    } else {
        sqlx::query("UPDATE statements SET receipt = $2, deadline = $3 WHERE position = $1")
            .bind(position)
            .bind(number)
            .bind(receipt.deadline.as_micros())
    };
    query.execute(&mut *db).await?;
    Ok(())
}

async fn take_refusals(
    db: &mut SqliteConnection,
    state: &mut State,
    receipt: &Receipt,
) -> Result<(), OutboxError> {
    for (seq, event, code) in &receipt.refused {
        let new = sqlx::query(
            "INSERT INTO refused (epoch, seq, event, code) VALUES ($1, $2, $3, $4)
             ON CONFLICT (epoch, seq, event) DO NOTHING RETURNING 1",
        )
        .bind(signed(receipt.epoch))
        .bind(signed(*seq))
        .bind(signed(*event))
        .bind(code)
        .fetch_optional(&mut *db)
        .await?;
        if new.is_some() {
            state.counts.events_refused += 1;
            tracing::warn!(
                epoch = receipt.epoch,
                seq,
                event,
                code,
                "the platform refused an event"
            );
        }
    }
    Ok(())
}

async fn take_inclusion(
    db: &mut SqliteConnection,
    state: &mut State,
    id: &Hash,
) -> Result<(), OutboxError> {
    let row = sqlx::query(
        "SELECT position, receipt IS NULL, late FROM statements WHERE id = $1 AND included = 0",
    )
    .bind(&id.0[..])
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let (position, without_receipt, late): (i64, bool, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let query = if without_receipt {
        // Bodies go on the signed receipt only.
        sqlx::query("UPDATE statements SET included = 1 WHERE position = $1")
    } else {
        sqlx::query("DELETE FROM statements WHERE position = $1")
    };
    query.bind(position).execute(&mut *db).await?;
    state.queues.inclusions = state.queues.inclusions.saturating_sub(1);
    if late {
        state.queues.late = state.queues.late.saturating_sub(1);
        tracing::info!(%id, "anchored after its deadline");
    }
    Ok(())
}

async fn forget_receipts(db: &mut SqliteConnection) -> Result<(), OutboxError> {
    sqlx::query(
        "DELETE FROM receipts WHERE NOT EXISTS
         (SELECT 1 FROM statements WHERE statements.receipt = receipts.number)",
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

async fn take_checkpoint(
    db: &mut SqliteConnection,
    state: &mut State,
    size: u64,
    root: Hash,
    note: &[u8],
) -> Result<(), OutboxError> {
    match state.seen {
        Some((seen, seen_root)) if seen == size && seen_root != root => {
            state.counts.alarms += 1;
            tracing::error!(
                size,
                "two witnessed checkpoints of one size have different roots"
            );
            return Ok(());
        }
        Some((seen, _)) if seen >= size => return Ok(()),
        _ => {}
    }
    sqlx::query(
        "INSERT INTO checkpoint (one, size, root, note) VALUES (1, $1, $2, $3)
         ON CONFLICT (one) DO UPDATE SET size = $1, root = $2, note = $3",
    )
    .bind(signed(size))
    .bind(&root.0[..])
    .bind(note)
    .execute(&mut *db)
    .await?;
    state.seen = Some((size, root));
    Ok(())
}
