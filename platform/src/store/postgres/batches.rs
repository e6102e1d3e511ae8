//! The way of a statement from the queue into a batch, and of a batch into the log.

use schemas::hash::Hash;
use sqlx::{PgPool, Postgres, Transaction};

use super::{ROWS, at, column, signed, unsigned};
use crate::store::shape::{MadeRow, QueuedRow};
use crate::store::{MadeBatch, NewBatch, Queued, Stored, Whose};

/// PostgreSQL's code of a key that is taken.
const UNIQUE_VIOLATION: &str = "23505";

pub(super) async fn queued(pool: &PgPool, whose: &Whose, limit: u32) -> Stored<Vec<Queued>> {
    let rows: Vec<QueuedRow> = sqlx::query_as(
        "SELECT registry_version, received, statement, accepted, refused FROM batch_queue
         WHERE (shard = $1 OR received < $2 OR registry_version < $3)
           AND registry_version =
               (SELECT min(registry_version) FROM batch_queue
                WHERE shard = $1 OR received < $2 OR registry_version < $3)
         ORDER BY registry_version, received, statement LIMIT $4",
    )
    .bind(signed(whose.shard))
    .bind(at(whose.before))
    .bind(signed(whose.below))
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(QueuedRow::queued).collect()
}

pub(super) async fn make(pool: &PgPool, batch: &MadeBatch) -> Stored<bool> {
    let mut transaction = pool.begin().await?;
    if !take(&mut transaction, &batch.statements).await? {
        return Ok(false);
    }
    let made = sqlx::query(
        "INSERT INTO made_batches (shard, seq, registry_version, header, refused)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(signed(batch.shard))
    .bind(signed(batch.seq))
    .bind(signed(batch.registry_version))
    .bind(&batch.header)
    .bind(&batch.refused)
    .execute(&mut *transaction)
    .await;
    match made {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNIQUE_VIOLATION) => {
            return Ok(false);
        }
        made => made.map(|_| ())?,
    }
    // Looked at behind the insert, which has waited for a leader that placed a batch of this number.
    if is_placed(&mut transaction, batch).await? {
        return Ok(false);
    }
    insert_places(&mut transaction, batch).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Takes statements out of the queue; false if one was not in it.
async fn take(transaction: &mut Transaction<'_, Postgres>, statements: &[Hash]) -> Stored<bool> {
    let mut taken = 0;
    for part in statements.chunks(ROWS) {
        let ids: Vec<(Vec<u8>,)> =
            sqlx::query_as("DELETE FROM batch_queue WHERE statement = ANY($1) RETURNING statement")
                .bind(column(part, |id| &id.0[..]))
                .fetch_all(&mut **transaction)
                .await?;
        taken += ids.len();
    }
    Ok(taken == statements.len())
}

async fn is_placed(transaction: &mut Transaction<'_, Postgres>, batch: &MadeBatch) -> Stored<bool> {
    let row: Option<(i64,)> =
        sqlx::query_as("SELECT log_index FROM batches WHERE shard = $1 AND seq = $2")
            .bind(signed(batch.shard))
            .bind(signed(batch.seq))
            .fetch_optional(&mut **transaction)
            .await?;
    Ok(row.is_some())
}

async fn insert_places(
    transaction: &mut Transaction<'_, Postgres>,
    batch: &MadeBatch,
) -> Stored<()> {
    let places: Vec<(&[u8], i64)> = batch
        .statements
        .iter()
        .map(|id| &id.0[..])
        .zip(0..)
        .collect();
    for part in places.chunks(ROWS) {
        sqlx::query(
            "INSERT INTO batch_statements (statement, shard, seq, position)
             SELECT statement, $2, $3, position
             FROM unnest($1::bytea[], $4::bigint[]) AS n (statement, position)",
        )
        .bind(column(part, |(id, _)| *id))
        .bind(signed(batch.shard))
        .bind(signed(batch.seq))
        .bind(column(part, |(_, position)| *position))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

pub(super) async fn last(pool: &PgPool, shard: u64) -> Stored<Option<(u64, Vec<u8>)>> {
    // In this order: a batch moves from the first table to the second.
    for sql in [
        "SELECT seq, header FROM made_batches WHERE shard = $1 ORDER BY seq DESC LIMIT 1",
        "SELECT b.seq, e.bytes FROM batches b JOIN log_entries e ON e.position = b.log_index
         WHERE b.shard = $1 ORDER BY b.seq DESC LIMIT 1",
    ] {
        let row: Option<(i64, Vec<u8>)> = sqlx::query_as(sql)
            .bind(signed(shard))
            .fetch_optional(pool)
            .await?;
        if let Some((seq, header)) = row {
            return Ok(Some((unsigned(seq)?, header)));
        }
    }
    Ok(None)
}

pub(super) async fn made(pool: &PgPool, limit: u32) -> Stored<Vec<MadeBatch>> {
    let rows: Vec<MadeRow> = sqlx::query_as(
        "SELECT shard, seq, registry_version, header, refused FROM made_batches
         WHERE registry_version <=
               coalesce((SELECT min(registry_version) FROM batch_queue), registry_version)
         ORDER BY registry_version, shard, seq LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(MadeRow::made).collect()
}

/// A made batch gets its place in the log; its devices are to be told.
pub(super) async fn place(
    transaction: &mut Transaction<'_, Postgres>,
    batch: &NewBatch,
) -> Stored<()> {
    let (shard, seq) = (signed(batch.shard), signed(batch.seq));
    sqlx::query("INSERT INTO batches (shard, seq, log_index, refused) VALUES ($1, $2, $3, $4)")
        .bind(shard)
        .bind(seq)
        .bind(signed(batch.log_index))
        .bind(&batch.refused)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("INSERT INTO inclusions_due (log_index, shard, seq) VALUES ($1, $2, $3)")
        .bind(signed(batch.log_index))
        .bind(shard)
        .bind(seq)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("DELETE FROM made_batches WHERE shard = $1 AND seq = $2")
        .bind(shard)
        .bind(seq)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
