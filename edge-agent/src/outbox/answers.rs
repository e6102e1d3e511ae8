//! What the platform says: receipts, inclusions, checkpoints. All of it was verified before.

use schemas::hash::Hash;
use schemas::receipt::Receipt;
use schemas::statement::Position;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::OutboxError;
use super::chain::signed;
use super::state::{State, number_column};
use super::work::Answer;

/// Most refusals that are kept; how many there were at all is counted.
const REFUSED_MAX: i64 = 4_096;

pub(super) async fn take(
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
            take_checkpoint(db, state, *size, *root, note).await
        }
        Answer::Alarm => {
            state.counts.doubt();
            state.changed = true;
            Ok(())
        }
    }
}

/// Somebody else speaks with this device's key, or this outbox is a copy.
pub(super) fn meet_stranger(state: &mut State, problem: &'static str) {
    state.counts.strangers += 1;
    state.counts.alarms += 1;
    state.changed = true;
    tracing::error!(
        problem,
        "somebody else has this device's key, or this state directory is a copy"
    );
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
            "SELECT position, first, last, included, receipt IS NULL FROM statements WHERE id = $1",
        )
        .bind(&id.0[..])
        .fetch_optional(&mut *db)
        .await?;
        let Some(row) = row else {
            let epoch = receipt.epoch;
            suspect(db, state, Position { epoch, seq }).await?;
            continue;
        };
        // Receipted before.
        if !row.try_get::<bool, _>(4)? {
            continue;
        }
        let included: bool = row.try_get(3)?;
        if stored.is_none() && !included {
            stored = Some(store_receipt(db, receipt, bytes).await?);
        }
        let range = (row.try_get(1)?, row.try_get(2)?);
        let number = stored.filter(|_| !included);
        release(db, state, row.try_get(0)?, range, number).await?;
    }
    take_refusals(db, state, receipt).await?;
    let newest = state.counts.last_receipt.max(Some(receipt.time));
    if state.counts.last_receipt != newest {
        state.counts.last_receipt = newest;
        state.changed = true;
    }
    Ok(())
}

/// A receipt for a statement that is not here: it was forgotten after its inclusion, or made by
/// somebody else.
async fn suspect(
    db: &mut SqliteConnection,
    state: &mut State,
    at: Position,
) -> Result<(), OutboxError> {
    if state.head.is_none_or(|head| at > head.position()) {
        meet_stranger(state, "the platform has statements that were not made here");
        return Ok(());
    }
    let oldest = sqlx::query("SELECT epoch, seq FROM statements ORDER BY position LIMIT 1")
        .fetch_optional(&mut *db)
        .await?;
    let Some(oldest) = oldest else { return Ok(()) };
    let (epoch, seq) = (number_column(&oldest, 0)?, number_column(&oldest, 1)?);
    if at < (Position { epoch, seq }) {
        return Ok(());
    }
    let other: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM statements WHERE epoch = $1 AND seq = $2)",
    )
    .bind(signed(at.epoch))
    .bind(signed(at.seq))
    .fetch_one(&mut *db)
    .await?;
    if other {
        meet_stranger(
            state,
            "the platform has another statement in a place of the chain",
        );
    }
    Ok(())
}

/// The number of the stored receipt; nobody waits under it yet.
async fn store_receipt(
    db: &mut SqliteConnection,
    receipt: &Receipt,
    bytes: &[u8],
) -> Result<i64, OutboxError> {
    Ok(sqlx::query_scalar(
        "INSERT INTO receipts (time, deadline, waiting, bytes) VALUES ($1, $2, 0, $3)
         RETURNING number",
    )
    .bind(receipt.time.as_micros())
    .bind(receipt.deadline.as_micros())
    .bind(bytes)
    .fetch_one(&mut *db)
    .await?)
}

/// The platform has the events of this statement: the device may forget their bodies, and the
/// statement too where its inclusion came first.
async fn release(
    db: &mut SqliteConnection,
    state: &mut State,
    position: i64,
    (first, last): (i64, i64),
    receipt: Option<i64>,
) -> Result<(), OutboxError> {
    let gone = sqlx::query("DELETE FROM events WHERE number BETWEEN $1 AND $2")
        .bind(first)
        .bind(last)
        .execute(&mut *db)
        .await?
        .rows_affected();
    state.queues.bodies = state.queues.bodies.saturating_sub(gone);
    state.queues.receipts = state.queues.receipts.saturating_sub(1);
    let Some(number) = receipt else {
        sqlx::query("DELETE FROM statements WHERE position = $1")
            .bind(position)
            .execute(&mut *db)
            .await?;
        return Ok(());
    };
    sqlx::query("UPDATE statements SET receipt = $2 WHERE position = $1")
        .bind(position)
        .bind(number)
        .execute(&mut *db)
        .await?;
    sqlx::query("UPDATE receipts SET waiting = waiting + 1 WHERE number = $1")
        .bind(number)
        .execute(&mut *db)
        .await?;
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
            state.changed = true;
            tracing::warn!(
                epoch = receipt.epoch,
                seq,
                event,
                code,
                "the platform refused an event"
            );
        }
    }
    // They count against the quota, and no receipt ever frees them: the newest are kept.
    sqlx::query("DELETE FROM refused WHERE rowid <= (SELECT max(rowid) FROM refused) - $1")
        .bind(REFUSED_MAX)
        .execute(db)
        .await?;
    Ok(())
}

async fn take_inclusion(
    db: &mut SqliteConnection,
    state: &mut State,
    id: &Hash,
) -> Result<(), OutboxError> {
    let row = sqlx::query(
        "SELECT s.position, s.receipt, coalesce(r.late, 0) FROM statements s
         LEFT JOIN receipts r ON r.number = s.receipt WHERE s.id = $1 AND s.included = 0",
    )
    .bind(&id.0[..])
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let (position, receipt): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    state.queues.inclusions = state.queues.inclusions.saturating_sub(1);
    let Some(receipt) = receipt else {
        // Bodies go on the signed receipt only.
        sqlx::query("UPDATE statements SET included = 1 WHERE position = $1")
            .bind(position)
            .execute(&mut *db)
            .await?;
        return Ok(());
    };
    sqlx::query("DELETE FROM statements WHERE position = $1")
        .bind(position)
        .execute(&mut *db)
        .await?;
    sqlx::query("UPDATE receipts SET waiting = waiting - 1 WHERE number = $1")
        .bind(receipt)
        .execute(&mut *db)
        .await?;
    if row.try_get::<bool, _>(2)? {
        state.queues.late = state.queues.late.saturating_sub(1);
        tracing::info!(%id, "anchored after its deadline");
    }
    forget_receipts(db).await
}

async fn forget_receipts(db: &mut SqliteConnection) -> Result<(), OutboxError> {
    sqlx::query("DELETE FROM receipts WHERE waiting <= 0")
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
            state.counts.doubt();
            state.changed = true;
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
