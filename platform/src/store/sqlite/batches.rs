//! The way of a statement from the queue into a batch, and of a batch into the log.

use schemas::hash::Hash;
use sqlx::{Sqlite, SqlitePool, Transaction};

use super::{BEGIN, signed, unsigned};
use crate::store::shape::{MadeRow, QueuedRow};
use crate::store::{MadeBatch, NewBatch, Queued, Stored, Whose};

pub(super) async fn queued(reader: &SqlitePool, whose: &Whose, limit: u32) -> Stored<Vec<Queued>> {
    let rows: Vec<QueuedRow> = sqlx::query_as(
        "SELECT registry_version, received, statement, accepted, refused FROM batch_queue
         WHERE (shard = $1 OR received < $2 OR registry_version < $3)
           AND registry_version =
               (SELECT min(registry_version) FROM batch_queue
                WHERE shard = $1 OR received < $2 OR registry_version < $3)
         ORDER BY registry_version, received, statement LIMIT $4",
    )
    .bind(signed(whose.shard))
    .bind(whose.before.to_rfc3339())
    .bind(signed(whose.below))
    .bind(limit)
    .fetch_all(reader)
    .await?;
    rows.into_iter().map(QueuedRow::queued).collect()
}

pub(super) async fn make(writer: &SqlitePool, batch: &MadeBatch) -> Stored<bool> {
    let mut transaction = writer.begin_with(BEGIN).await?;
    if !take(&mut transaction, &batch.statements).await? {
        return Ok(false);
    }
    let made: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO made_batches (shard, seq, registry_version, header, refused)
         SELECT $1, $2, $3, $4, $5
         WHERE NOT EXISTS (SELECT 1 FROM batches WHERE shard = $1 AND seq = $2)
         ON CONFLICT (shard, seq) DO NOTHING RETURNING seq",
    )
    .bind(signed(batch.shard))
    .bind(signed(batch.seq))
    .bind(signed(batch.registry_version))
    .bind(&batch.header)
    .bind(&batch.refused)
    .fetch_optional(&mut *transaction)
    .await?;
    if made.is_none() {
        return Ok(false);
    }
    for (position, id) in batch.statements.iter().enumerate() {
        sqlx::query(
            "INSERT INTO batch_statements (statement, shard, seq, position) VALUES ($1, $2, $3, $4)",
        )
        .bind(id.0.to_vec())
        .bind(signed(batch.shard))
        .bind(signed(batch.seq))
        .bind(signed(position as u64))
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Takes statements out of the queue; false if one was not in it.
async fn take(transaction: &mut Transaction<'_, Sqlite>, statements: &[Hash]) -> Stored<bool> {
    for id in statements {
        let taken: Option<(i64,)> = sqlx::query_as(
            "DELETE FROM batch_queue WHERE statement = $1 RETURNING registry_version",
        )
        .bind(id.0.to_vec())
        .fetch_optional(&mut **transaction)
        .await?;
        if taken.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) async fn last(reader: &SqlitePool, shard: u64) -> Stored<Option<(u64, Vec<u8>)>> {
    // In this order: a batch moves from the first table to the second.
    for sql in [
        "SELECT seq, header FROM made_batches WHERE shard = $1 ORDER BY seq DESC LIMIT 1",
        "SELECT b.seq, e.bytes FROM batches b JOIN log_entries e ON e.position = b.log_index
         WHERE b.shard = $1 ORDER BY b.seq DESC LIMIT 1",
    ] {
        let row: Option<(i64, Vec<u8>)> = sqlx::query_as(sql)
            .bind(signed(shard))
            .fetch_optional(reader)
            .await?;
        if let Some((seq, header)) = row {
            return Ok(Some((unsigned(seq)?, header)));
        }
    }
    Ok(None)
}

pub(super) async fn made(reader: &SqlitePool, limit: u32) -> Stored<Vec<MadeBatch>> {
    let rows: Vec<MadeRow> = sqlx::query_as(
        "SELECT shard, seq, registry_version, header, refused FROM made_batches
         WHERE registry_version <=
               coalesce((SELECT min(registry_version) FROM batch_queue), registry_version)
         ORDER BY registry_version, shard, seq LIMIT $1",
    )
    .bind(limit)
    .fetch_all(reader)
    .await?;
    rows.into_iter().map(MadeRow::made).collect()
}

/// A made batch gets its place in the log; its devices are to be told.
pub(super) async fn place(
    transaction: &mut Transaction<'_, Sqlite>,
    batch: &NewBatch,
) -> Stored<()> {
    sqlx::query("INSERT INTO batches (shard, seq, log_index, refused) VALUES ($1, $2, $3, $4)")
        .bind(signed(batch.shard))
        .bind(signed(batch.seq))
        .bind(signed(batch.log_index))
        .bind(&batch.refused)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("INSERT INTO inclusions_due (log_index, shard, seq) VALUES ($1, $2, $3)")
        .bind(signed(batch.log_index))
        .bind(signed(batch.shard))
        .bind(signed(batch.seq))
        .execute(&mut **transaction)
        .await?;
    sqlx::query("DELETE FROM made_batches WHERE shard = $1 AND seq = $2")
        .bind(signed(batch.shard))
        .bind(signed(batch.seq))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
