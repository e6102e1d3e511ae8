use async_trait::async_trait;
use sqlx::{Sqlite, Transaction};

use super::log::check_pass;
use super::{BEGIN, SqliteStore, signed};
use crate::store::{
    IngestStore, NewEvent, NewQuarantine, NewStatement, Pass, QUARANTINE_ROWS, Stored,
};

#[async_trait]
impl IngestStore for SqliteStore {
    async fn commit(
        &self,
        statements: &[NewStatement],
        quarantine: &[NewQuarantine],
    ) -> Stored<Vec<bool>> {
        self.commit_in(None, statements, quarantine).await
    }

    async fn commit_behind(
        &self,
        pass: &Pass,
        statements: &[NewStatement],
        quarantine: &[NewQuarantine],
    ) -> Stored<Vec<bool>> {
        self.commit_in(Some(pass), statements, quarantine).await
    }
}

impl SqliteStore {
    async fn commit_in(
        &self,
        pass: Option<&Pass>,
        statements: &[NewStatement],
        quarantine: &[NewQuarantine],
    ) -> Stored<Vec<bool>> {
        let mut transaction = self.writer.begin_with(BEGIN).await?;
        if let Some(pass) = pass {
            check_pass(&mut transaction, pass).await?;
        }
        let shard = pass.map_or(0, |pass| pass.shard);
        let mut fresh = Vec::with_capacity(statements.len());
        for statement in statements {
            fresh.push(insert_statement(&mut transaction, statement, shard).await?);
        }
        for message in quarantine {
            insert_quarantine(&mut transaction, message).await?;
        }
        transaction.commit().await?;
        Ok(fresh)
    }
}

/// A statement with its events, in the queue for its batch; false if it was there.
pub(super) async fn insert_statement(
    transaction: &mut Transaction<'_, Sqlite>,
    statement: &NewStatement,
    shard: u64,
) -> Stored<bool> {
    let new: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO statements (device, epoch, seq, id, organisation, kid, prev, events, bytes,
                                 received, registry_version, made)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (device, epoch, seq, id) DO NOTHING RETURNING epoch",
    )
    .bind(statement.device.to_string())
    .bind(signed(statement.position.epoch))
    .bind(signed(statement.position.seq))
    .bind(statement.id.0.to_vec())
    .bind(statement.device.organisation.as_str())
    .bind(statement.kid.0.to_vec())
    .bind(statement.prev.0.to_vec())
    .bind(signed(statement.events.len() as u64))
    .bind(&statement.bytes)
    .bind(statement.received.to_rfc3339())
    .bind(signed(statement.registry_version))
    .bind(statement.made.to_rfc3339())
    .fetch_optional(&mut **transaction)
    .await?;
    if new.is_none() {
        return Ok(false);
    }
    record_fork(transaction, statement).await?;
    insert_events(transaction, statement).await?;
    let refused = statement
        .events
        .iter()
        .filter(|event| event.refused.is_some())
        .count();
    sqlx::query(
        "INSERT INTO batch_queue (registry_version, received, statement, accepted, refused, shard)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(signed(statement.registry_version))
    .bind(statement.received.to_rfc3339())
    .bind(statement.id.0.to_vec())
    .bind(signed((statement.events.len() - refused) as u64))
    .bind(signed(refused as u64))
    .bind(signed(shard))
    .execute(&mut **transaction)
    .await?;
    Ok(true)
}

/// Two statements in one place of a chain: both stay, and so does this row.
async fn record_fork(
    transaction: &mut Transaction<'_, Sqlite>,
    statement: &NewStatement,
) -> Stored<()> {
    sqlx::query(
        "INSERT INTO chain_events (device, kind, epoch, from_seq, to_seq, at, detail)
         SELECT $1, 'fork', $2, $3, $3, $5, 'two statements in one place'
         WHERE EXISTS (SELECT 1 FROM statements
                       WHERE device = $1 AND epoch = $2 AND seq = $3 AND id <> $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(statement.device.to_string())
    .bind(signed(statement.position.epoch))
    .bind(signed(statement.position.seq))
    .bind(statement.id.0.to_vec())
    .bind(statement.received.to_rfc3339())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn insert_events(
    transaction: &mut Transaction<'_, Sqlite>,
    statement: &NewStatement,
) -> Stored<()> {
    let id = statement.id.0.to_vec();
    for (position, event) in statement.events.iter().enumerate() {
        let position = signed(position as u64);
        sqlx::query(
            "INSERT INTO event_leaves (statement, position, leaf, source, refused)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&id)
        .bind(position)
        .bind(event.leaf.0.to_vec())
        .bind(i64::from(event.source.number()))
        .bind(&event.refused)
        .execute(&mut **transaction)
        .await?;
        insert_content(transaction, &id, position, event).await?;
    }
    Ok(())
}

async fn insert_content(
    transaction: &mut Transaction<'_, Sqlite>,
    statement: &[u8],
    position: i64,
    event: &NewEvent,
) -> Stored<()> {
    let time = event.event_time.map(schemas::time::Instant::to_rfc3339);
    // An erased event does not come back: whoever sends it again adds a leaf and nothing else.
    let kept: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO event_contents (statement, position, bytes, salt, event_time, step)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE leaf = $7) RETURNING position",
    )
    .bind(statement)
    .bind(position)
    .bind(&event.bytes)
    .bind(event.salt.0.to_vec())
    .bind(&time)
    .bind(&event.step)
    .bind(event.leaf.0.to_vec())
    .fetch_optional(&mut **transaction)
    .await?;
    let Some(time) = time.filter(|_| kept.is_some() && event.refused.is_none()) else {
        return Ok(());
    };
    for (item, role) in &event.items {
        sqlx::query(
            "INSERT INTO event_items (item, event_time, statement, position, role)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(item)
        .bind(&time)
        .bind(statement)
        .bind(position)
        .bind(*role)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

async fn insert_quarantine(
    transaction: &mut Transaction<'_, Sqlite>,
    message: &NewQuarantine,
) -> Stored<()> {
    // The newest row number stands for the number of rows, or is above it where some were erased.
    sqlx::query(
        "INSERT INTO quarantine (id, received, topic, code, detail, bytes)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE (SELECT coalesce(max(rowid), 0) FROM quarantine) < $7
           AND NOT EXISTS (SELECT 1 FROM erased_messages WHERE id = $1)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(message.id.0.to_vec())
    .bind(message.received.to_rfc3339())
    .bind(&message.topic)
    .bind(&message.code)
    .bind(&message.detail)
    .bind(&message.bytes)
    .bind(signed(QUARANTINE_ROWS))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
