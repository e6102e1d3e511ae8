use async_trait::async_trait;
use kit::postgres::Timestamp;
use schemas::hash::Hash;
use schemas::registry::Head;
use schemas::time::Instant;
use sqlx::{Postgres, Transaction};

use super::batches;
use super::{PostgresStore, ROWS, at, column, hash, retried, signed, unsigned};
use crate::store::shape::{BatchRow, CheckpointRow};
use crate::store::{
    Append, KeptBatch, KeptCheckpoint, KeptRecord, LogStore, MadeBatch, Pass, Queued, StoreError,
    Stored, Whose,
};

type Writing<'t> = Transaction<'t, Postgres>;

impl PostgresStore {
    async fn with_statements(&self, row: Option<BatchRow>) -> Stored<Option<KeptBatch>> {
        let Some(row) = row else { return Ok(None) };
        let ids: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT statement FROM batch_statements WHERE shard = $1 AND seq = $2 ORDER BY position",
        )
        .bind(row.shard)
        .bind(row.seq)
        .fetch_all(&self.pool)
        .await?;
        row.kept(&ids).map(Some)
    }

    async fn append_once(&self, append: &Append) -> Stored<()> {
        let mut transaction = self.pool.begin().await?;
        share_fence(&mut transaction, append.fence).await?;
        if let Some((_, head, _)) = &append.registry {
            move_gate(&mut transaction, append.fence, head.version).await?;
        }
        insert_entries(&mut transaction, append).await?;
        if let Some((records, head, made)) = &append.registry {
            insert_head(&mut transaction, head, *made).await?;
            for part in records.chunks(ROWS) {
                insert_records(&mut transaction, part).await?;
            }
        }
        for batch in &append.batches {
            batches::place(&mut transaction, batch).await?;
        }
        super::erasure::insert_logged(&mut transaction, append).await?;
        Ok(transaction.commit().await?)
    }
}

#[async_trait]
impl LogStore for PostgresStore {
    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Instant,
        until: Instant,
    ) -> Stored<Option<u64>> {
        let row: Option<(i64,)> = retried(|| async {
            Ok(sqlx::query_as(
                "INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $4)
                 ON CONFLICT (name) DO UPDATE
                   SET fence = leases.fence
                         + CASE WHEN leases.holder <> excluded.holder THEN 1 ELSE 0 END,
                       holder = excluded.holder, until = excluded.until
                   WHERE leases.holder = excluded.holder OR leases.until < $3
                 RETURNING fence",
            )
            .bind(name)
            .bind(holder)
            .bind(at(now))
            .bind(at(until))
            .fetch_optional(&self.pool)
            .await?)
        })
        .await?;
        row.map(|(fence,)| unsigned(fence)).transpose()
    }

    async fn release_lease(&self, name: &str, holder: &str) -> Stored<()> {
        retried(|| async {
            sqlx::query("UPDATE leases SET until = $3 WHERE name = $1 AND holder = $2")
                .bind(name)
                .bind(holder)
                .bind(at(Instant::default()))
                .execute(&self.pool)
                .await?;
            Ok(())
        })
        .await
    }

    async fn release_leases(&self, holder: &str) -> Stored<()> {
        retried(|| async {
            sqlx::query("UPDATE leases SET until = $2 WHERE holder = $1")
                .bind(holder)
                .bind(at(Instant::default()))
                .execute(&self.pool)
                .await?;
            Ok(())
        })
        .await
    }

    async fn leases(&self) -> Stored<Vec<(String, Instant)>> {
        let rows: Vec<(String, Timestamp)> = sqlx::query_as("SELECT name, until FROM leases")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(name, until)| (name, until.0))
            .collect())
    }

    async fn is_led(&self, now: Instant) -> Stored<bool> {
        let until: Option<(Timestamp,)> = sqlx::query_as(
            "SELECT l.until FROM ingest_gate g
             JOIN leases l ON l.name = 'log' AND l.fence = g.fence WHERE g.name = 'registry'",
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(until.is_some_and(|(until,)| now < until.0))
    }

    async fn open_gate(&self, fence: u64, version: u64) -> Stored<()> {
        retried(|| async {
            let mut transaction = self.pool.begin().await?;
            share_fence(&mut transaction, fence).await?;
            move_gate(&mut transaction, fence, version).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn queued(&self, whose: &Whose, limit: u32) -> Stored<Vec<Queued>> {
        batches::queued(&self.pool, whose, limit).await
    }

    async fn make_batch(&self, batch: &MadeBatch) -> Stored<bool> {
        retried(|| batches::make(&self.pool, batch)).await
    }

    async fn last_made(&self, shard: u64) -> Stored<Option<(u64, Vec<u8>)>> {
        batches::last(&self.pool, shard).await
    }

    async fn made_batches(&self, limit: u32) -> Stored<Vec<MadeBatch>> {
        batches::made(&self.pool, limit).await
    }

    async fn append(&self, append: &Append) -> Stored<()> {
        retried(|| self.append_once(append)).await
    }

    async fn entries(&self, from: u64, limit: u32) -> Stored<Vec<Vec<u8>>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT bytes FROM log_entries WHERE position >= $1 ORDER BY position LIMIT $2",
        )
        .bind(signed(from))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(bytes,)| bytes).collect())
    }

    async fn log_head(&self) -> Stored<Option<(u64, Hash)>> {
        let row: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT size, root FROM log_heads ORDER BY size DESC LIMIT 1")
                .fetch_optional(&self.pool)
                .await?;
        row.map(|(size, root)| Ok((unsigned(size)?, hash(&root)?)))
            .transpose()
    }

    async fn root_at(&self, size: u64) -> Stored<Option<Hash>> {
        let row: Option<(Vec<u8>,)> = sqlx::query_as("SELECT root FROM log_heads WHERE size = $1")
            .bind(signed(size))
            .fetch_optional(&self.pool)
            .await?;
        row.map(|(root,)| hash(&root)).transpose()
    }

    async fn batch(&self, shard: u64, seq: u64) -> Stored<Option<KeptBatch>> {
        let row = sqlx::query_as(
            "SELECT b.shard, b.seq, b.log_index, b.refused, e.bytes AS header
             FROM batches b JOIN log_entries e ON e.position = b.log_index
             WHERE b.shard = $1 AND b.seq = $2",
        )
        .bind(signed(shard))
        .bind(signed(seq))
        .fetch_optional(&self.pool)
        .await?;
        self.with_statements(row).await
    }

    async fn put_checkpoint(&self, checkpoint: &KeptCheckpoint) -> Stored<()> {
        sqlx::query(
            "INSERT INTO log_checkpoints (size, note, anchored) VALUES ($1, $2, $3)
             ON CONFLICT (size) DO NOTHING",
        )
        .bind(signed(checkpoint.size))
        .bind(&checkpoint.note)
        .bind(at(checkpoint.anchored))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn newest_checkpoint(&self) -> Stored<Option<KeptCheckpoint>> {
        let row: Option<CheckpointRow> = sqlx::query_as(
            "SELECT size, note, anchored FROM log_checkpoints ORDER BY size DESC LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(CheckpointRow::kept).transpose()
    }

    async fn checkpoint_covering(&self, position: u64) -> Stored<Option<KeptCheckpoint>> {
        let row: Option<CheckpointRow> = sqlx::query_as(
            "SELECT size, note, anchored FROM log_checkpoints WHERE size > $1 ORDER BY size LIMIT 1",
        )
        .bind(signed(position))
        .fetch_optional(&self.pool)
        .await?;
        row.map(CheckpointRow::kept).transpose()
    }

    async fn put_handover(&self, position: u64, note: &[u8]) -> Stored<()> {
        sqlx::query(
            "INSERT INTO log_handovers (position, note) VALUES ($1, $2)
             ON CONFLICT (position) DO NOTHING",
        )
        .bind(signed(position))
        .bind(note)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn handover(&self, position: u64) -> Stored<Option<Vec<u8>>> {
        let row: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT note FROM log_handovers WHERE position = $1")
                .bind(signed(position))
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(note,)| note))
    }

    async fn inclusions_due(&self, below: u64, limit: u32) -> Stored<Vec<(u64, u64)>> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT shard, seq FROM inclusions_due WHERE log_index < $1 ORDER BY log_index LIMIT $2",
        )
        .bind(signed(below))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(shard, seq)| Ok((unsigned(shard)?, unsigned(seq)?)))
            .collect()
    }

    async fn inclusion_sent(&self, shard: u64, seq: u64) -> Stored<()> {
        sqlx::query("DELETE FROM inclusions_due WHERE shard = $1 AND seq = $2")
            .bind(signed(shard))
            .bind(signed(seq))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// A stale writer fails here: its fence is no longer the lease's. The row stays locked until the
/// commit, so a take-over waits for whoever writes; they share it, and do not wait for each other.
/// Sessions of a paused process that hold it are therefore all ended by the server at once, before
/// the lease runs out (`idle_in_transaction_session_timeout`), not one after the other. That of two
/// appends at one position only one counts rests on the keys of the rows.
pub(super) async fn share_fence(transaction: &mut Writing<'_>, fence: u64) -> Stored<()> {
    let row: Option<(i64,)> =
        sqlx::query_as("SELECT fence FROM leases WHERE name = 'log' FOR SHARE")
            .fetch_optional(&mut **transaction)
            .await?;
    match row {
        Some((held,)) if held == signed(fence) => Ok(()),
        _ => Err(StoreError::Fenced),
    }
}

/// The registry version that statements are let in with, said by this leader. It waits for every
/// transaction that shares the row.
async fn move_gate(transaction: &mut Writing<'_>, fence: u64, version: u64) -> Stored<()> {
    sqlx::query(
        "INSERT INTO ingest_gate (name, version, fence) VALUES ('registry', $1, $2)
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, fence = excluded.fence",
    )
    .bind(signed(version))
    .bind(signed(fence))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// What is stored after this is committed before the registry moves on: the gate is shared until
/// the commit. Sessions of a paused process are ended as those of a writer of the log.
pub(super) async fn share_gate(transaction: &mut Writing<'_>, pass: &Pass) -> Stored<()> {
    let row: Option<(i64, i64, Timestamp)> = sqlx::query_as(
        "SELECT g.version, l.fence, l.until FROM ingest_gate g
         JOIN leases l ON l.name = 'log' AND l.fence = g.fence
         WHERE g.name = 'registry' FOR SHARE OF g",
    )
    .fetch_optional(&mut **transaction)
    .await?;
    let (version, fence, until) = row.ok_or(StoreError::Fenced)?;
    pass.check(unsigned(version)?, unsigned(fence)?, until.0)
}

async fn insert_entries(transaction: &mut Writing<'_>, append: &Append) -> Stored<()> {
    let entries: Vec<(i64, &[u8])> = (append.first..)
        .map(signed)
        .zip(append.entries.iter().map(Vec::as_slice))
        .collect();
    for part in entries.chunks(ROWS) {
        sqlx::query(
            "INSERT INTO log_entries (position, fence, bytes)
             SELECT position, $2, bytes FROM unnest($1::bigint[], $3::bytea[]) AS n (position, bytes)",
        )
        .bind(column(part, |(position, _)| *position))
        .bind(signed(append.fence))
        .bind(column(part, |(_, bytes)| *bytes))
        .execute(&mut **transaction)
        .await?;
    }
    sqlx::query("INSERT INTO log_heads (size, root, fence) VALUES ($1, $2, $3)")
        .bind(signed(append.first + append.entries.len() as u64))
        .bind(&append.root.0[..])
        .bind(signed(append.fence))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn insert_head(transaction: &mut Writing<'_>, head: &Head, made: Instant) -> Stored<()> {
    sqlx::query("INSERT INTO registry_heads (version, count, root, made) VALUES ($1, $2, $3, $4)")
        .bind(signed(head.version))
        .bind(signed(head.count))
        .bind(&head.root.0[..])
        .bind(at(made))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn insert_records(transaction: &mut Writing<'_>, rows: &[KeptRecord]) -> Stored<()> {
    sqlx::query(
        "INSERT INTO registry_records (kid, version, organisation, device, role, bytes, salt, hash,
                                       head)
         SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::text[], $5::bigint[],
                              $6::bytea[], $7::bytea[], $8::bytea[], $9::bigint[])",
    )
    .bind(column(rows, |r| &r.kid.0[..]))
    .bind(column(rows, |r| signed(r.version)))
    .bind(column(rows, |r| r.organisation.as_str()))
    .bind(column(rows, |r| &*r.device))
    .bind(column(rows, |r| signed(r.role)))
    .bind(column(rows, |r| &r.bytes[..]))
    .bind(column(rows, |r| &r.salt.0[..]))
    .bind(column(rows, |r| &r.hash.0[..]))
    .bind(column(rows, |r| signed(r.head)))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
