//! A chain that cannot go on as it is: a statement whose events were damaged on disk, or a state
//! directory that is an older copy of what the platform has seen. A new epoch begins, and what has
//! never left this device is said again in it.

use schemas::merkle;
use schemas::statement::{Statement, statement_id};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::chain::{self, signed};
use super::events::{self, whole_event};
use super::state::{State, hash_column};
use super::{Opening, OutboxError, answers, rotation};
use crate::status::Head;

/// Why an epoch begins behind what the platform has and this state directory does not know.
pub const COPY_STARTED: &str = "an older copy of the outbox, or of the key, was started";

const COLUMNS: &str = "position, first, last, bytes, id, events";

/// Takes a statement back that cannot be delivered: its whole events are unsigned again.
pub(super) async fn unmake(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    position: i64,
) -> Result<(), OutboxError> {
    events::store_new(db, state).await?;
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS}, epoch, seq FROM statements WHERE position = $1 AND receipt IS NULL"
    )))
    .bind(position)
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(()) };
    if is_whole(db, &row).await? {
        return Ok(());
    }
    let (epoch, seq): (i64, i64) = (row.try_get(6)?, row.try_get(7)?);
    let lost = take_back(db, state, &row).await?;
    state.counts.events_damaged += lost;
    state.counts.alarms += 1;
    state.counts.damages += 1;
    let text = format!("statement {epoch}/{seq} was damaged on disk; {lost} events are lost");
    tracing::error!(epoch, seq, lost, "a statement was damaged on disk");
    let Some(last) = state.head else {
        return Ok(());
    };
    rotation::begin_epoch(opening, db, state, last, &text).await
}

/// The events of a statement lead to its root, and its bytes to its id.
async fn is_whole(db: &mut SqliteConnection, row: &SqliteRow) -> Result<bool, OutboxError> {
    let bytes: Vec<u8> = row.try_get(3)?;
    if statement_id(&bytes) != hash_column(row, 4)? {
        return Ok(false);
    }
    let Ok(statement) = Statement::parse(bytes) else {
        return Ok(false);
    };
    let rows = events(db, row).await?;
    let leaves: Option<Vec<_>> = rows
        .iter()
        .map(|row| Some(whole_event(row, row.try_get(4).ok()?)?.0))
        .collect();
    let payload = &statement.payload;
    Ok(leaves.is_some_and(|leaves| {
        leaves.len() as u64 == payload.count
            && (payload.note.is_some() || merkle::root(&leaves) == Some(payload.root))
    }))
}

async fn events(db: &mut SqliteConnection, row: &SqliteRow) -> Result<Vec<SqliteRow>, OutboxError> {
    let rows = sqlx::query(
        "SELECT source, salt, bytes, number, mark FROM events
         WHERE number BETWEEN $1 AND $2 ORDER BY number",
    )
    .bind(row.try_get::<i64, _>(1)?)
    .bind(row.try_get::<i64, _>(2)?)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// Deletes a statement; its whole events go behind all others, so that they are unsigned, with
/// their salts, so that their leaves stay what they were. How many were not whole.
async fn take_back(
    db: &mut SqliteConnection,
    state: &mut State,
    row: &SqliteRow,
) -> Result<u64, OutboxError> {
    let expected: i64 = row.try_get(5)?;
    let mut kept = 0;
    for event in events(db, row).await? {
        let (number, mark): (i64, i64) = (event.try_get(3)?, event.try_get(4)?);
        if whole_event(&event, mark).is_none() {
            sqlx::query("DELETE FROM events WHERE number = $1")
                .bind(number)
                .execute(&mut *db)
                .await?;
            continue;
        }
        state.newest_event += 1;
        sqlx::query("UPDATE events SET number = $2 WHERE number = $1")
            .bind(number)
            .bind(state.newest_event)
            .execute(&mut *db)
            .await?;
        kept += 1;
        state.beyond += 1;
    }
    // A note that says more than that the device is alive is said again.
    let bytes: Vec<u8> = row.try_get(3)?;
    let note = Statement::parse(bytes).ok().and_then(|s| s.payload.note);
    if let Some(note) = note {
        chain::hold_note(db, &note).await?;
    }
    sqlx::query("DELETE FROM statements WHERE position = $1")
        .bind(row.try_get::<i64, _>(0)?)
        .execute(&mut *db)
        .await?;
    let lost = expected.unsigned_abs().saturating_sub(kept);
    state.queues.bodies = state.queues.bodies.saturating_sub(lost);
    state.queues.receipts = state.queues.receipts.saturating_sub(1);
    state.queues.inclusions = state.queues.inclusions.saturating_sub(1);
    state.changed = true;
    Ok(lost)
}

/// Compares the end of the chain with the newest statement that the platform has of this device.
///
/// Where the platform knows more, or something else, this state directory is an older copy of
/// itself (a restored card), or another agent has the key. What was signed here and is not known
/// there has never been accepted: it is taken back and said again in a new epoch behind theirs. The
/// caller has asked for the receipts of everything that waits before.
pub(super) async fn compare(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    theirs: Head,
) -> Result<(), OutboxError> {
    if follows(db, state.head, &theirs).await? {
        return Ok(());
    }
    events::store_new(db, state).await?;
    answers::meet_stranger(
        state,
        "the platform has more of this device than is known here",
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM statements WHERE receipt IS NULL ORDER BY position"
    )))
    .fetch_all(&mut *db)
    .await?;
    for row in &rows {
        let lost = take_back(db, state, row).await?;
        state.counts.events_damaged += lost;
    }
    rotation::begin_epoch(opening, db, state, theirs, COPY_STARTED).await?;
    if state.last_word.is_none() {
        chain::say_held(opening, db, state).await?;
    }
    chain::close(opening, db, state).await
}

/// True if this chain goes on from the platform's newest statement, or is at it.
pub(super) async fn follows(
    db: &mut SqliteConnection,
    mine: Option<Head>,
    theirs: &Head,
) -> Result<bool, OutboxError> {
    let Some(mine) = mine else {
        return Ok(false);
    };
    if mine.position() <= theirs.position() {
        return Ok(mine == *theirs);
    }
    // Behind the end: what is not kept any more was included, and so was theirs.
    let kept = sqlx::query("SELECT id FROM statements WHERE epoch = $1 AND seq = $2")
        .bind(signed(theirs.epoch))
        .bind(signed(theirs.seq))
        .fetch_optional(db)
        .await?;
    match kept {
        Some(row) => Ok(hash_column(&row, 0)? == theirs.id),
        None => Ok(true),
    }
}
