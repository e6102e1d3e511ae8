//! What is read of the outbox for the way to the platform. What leaves is checked once more: a disk
//! may have changed it since it was written, and the platform would only put it into quarantine.

use std::collections::BTreeSet;

use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::merkle;
use schemas::statement::{Statement, encode_message, statement_id};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};

use super::events::events_of;
use super::state::hash_column;
use super::work::Work;
use super::{Outbox, OutboxError};
use crate::compose::desk::Kept;

/// A statement that waits for its receipt, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Place in the outbox, rising.
    pub position: i64,
    /// Statement id.
    pub id: Hash,
    /// The message of `statement.md` section 4.
    pub message: Vec<u8>,
}

impl Outbox {
    /// Statements and notes without a receipt after `position`, oldest first, at most `limit`; empty
    /// only where there are none. One that is not what was signed any more is reported and left
    /// out; its events that are whole are in a later one.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn waiting(
        &self,
        mut position: i64,
        limit: u32,
    ) -> Result<Vec<Waiting>, OutboxError> {
        loop {
            let (list, damaged) = waiting_in(&self.readers, position, limit).await?;
            for position in &damaged {
                let position = *position;
                self.hand_over(Work::Damaged { position }).await?;
            }
            // Nothing but damage says nothing of what is behind it. It is gone now, or the writer
            // finds it whole, which asking once more would not change.
            match damaged.last() {
                Some(last) if list.is_empty() => position = *last,
                _ => return Ok(list),
            }
        }
    }

    /// Positions in `from..=to` that have no receipt.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn waiting_positions(
        &self,
        from: i64,
        to: i64,
    ) -> Result<BTreeSet<i64>, OutboxError> {
        let positions: Vec<i64> = sqlx::query_scalar(
            "SELECT position FROM statements
             WHERE receipt IS NULL AND position BETWEEN $1 AND $2",
        )
        .bind(from)
        .bind(to)
        .fetch_all(&self.readers)
        .await?;
        Ok(positions.into_iter().collect())
    }

    /// Ids of statements past their anchor deadline whose inclusion has not come, oldest first.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn late(&self, limit: u32) -> Result<Vec<Hash>, OutboxError> {
        let rows = sqlx::query(
            "SELECT id FROM statements
             WHERE receipt IN (SELECT number FROM receipts WHERE late = 1)
             ORDER BY position LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| hash_column(row, 0)).collect()
    }

    /// Ids of statements without a receipt behind `position`, each with its own, oldest first.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn unreceipted(
        &self,
        position: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Hash)>, OutboxError> {
        let rows = sqlx::query(
            "SELECT position, id FROM statements
             WHERE receipt IS NULL AND position > $1 ORDER BY position LIMIT $2",
        )
        .bind(position)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let column = |row: &SqliteRow| Ok((row.try_get(0)?, hash_column(row, 1)?));
        rows.iter().map(column).collect()
    }

    /// Scanned codes of a source that wait for more of their packing or recipe, as of the position
    /// that [`Outbox::scan_position`] gives.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn kept_codes(&self, path: &str) -> Result<Vec<Kept>, OutboxError> {
        super::state::kept_codes(&self.readers, path).await
    }
}

/// Statements and notes without a receipt after `position`, oldest first, at most `limit`, and the
/// positions of those that are not what was signed any more.
pub(super) async fn waiting_in(
    readers: &SqlitePool,
    position: i64,
    limit: u32,
) -> Result<(Vec<Waiting>, Vec<i64>), OutboxError> {
    // One snapshot: a receipt may take the bodies between two queries.
    let mut snapshot = readers.begin().await?;
    let rows = sqlx::query(
        "SELECT position, id, bytes, first, last FROM statements
         WHERE receipt IS NULL AND position > $1 ORDER BY position LIMIT $2",
    )
    .bind(position)
    .bind(limit)
    .fetch_all(&mut *snapshot)
    .await?;
    let (mut list, mut damaged) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let position = row.try_get(0)?;
        match message(&mut snapshot, &row).await? {
            Some((id, message)) => list.push(Waiting {
                position,
                id,
                message,
            }),
            None => damaged.push(position),
        }
    }
    Ok((list, damaged))
}

/// Id and message of a statement; `None` where it is not what was signed.
async fn message(
    db: &mut SqliteConnection,
    row: &SqliteRow,
) -> Result<Option<(Hash, Vec<u8>)>, OutboxError> {
    let (id, bytes): (Hash, Vec<u8>) = (hash_column(row, 1)?, row.try_get(2)?);
    if statement_id(&bytes) != id {
        return Ok(None);
    }
    let events = match events_of(db, row.try_get(3)?, row.try_get(4)?).await {
        Err(OutboxError::Damaged(_)) => return Ok(None),
        events => events?,
    };
    let Ok(statement) = Statement::parse(bytes) else {
        return Ok(None);
    };
    if !leads_to_root(&events, &statement) {
        return Ok(None);
    }
    let parts: Vec<_> = events
        .iter()
        .map(|(source, salt, bytes)| (*source, *salt, &bytes[..]))
        .collect();
    Ok(Some((id, encode_message(statement.bytes(), &parts))))
}

fn leads_to_root(events: &[(Source, Salt, Vec<u8>)], statement: &Statement) -> bool {
    let payload = &statement.payload;
    if payload.note.is_some() {
        return events.is_empty();
    }
    let leaf = |(source, salt, bytes): &(Source, Salt, Vec<u8>)| {
        let event = Event::parse(bytes.clone()).ok()?;
        Some(event.leaf(*source, salt))
    };
    let leaves: Option<Vec<Hash>> = events.iter().map(leaf).collect();
    leaves.is_some_and(|leaves| merkle::root(&leaves) == Some(payload.root))
}
