use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::time::Instant;
use sqlx::{Sqlite, Transaction};

use super::{BEGIN, SqliteStore, batches, hash, instant, signed, unsigned};
use crate::store::shape::{BatchRow, CheckpointRow};
use crate::store::{
    Append, KeptBatch, KeptCheckpoint, KeptRecord, LogStore, MadeBatch, Pass, Queued, StoreError,
    Stored, Whose,
};

impl SqliteStore {
    async fn with_statements(&self, row: Option<BatchRow>) -> Stored<Option<KeptBatch>> {
        let Some(row) = row else { return Ok(None) };
        let ids: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT statement FROM batch_statements WHERE shard = $1 AND seq = $2 ORDER BY position",
        )
        .bind(row.shard)
        .bind(row.seq)
        .fetch_all(&self.reader)
        .await?;
        row.kept(&ids).map(Some)
    }
}

#[async_trait]
impl LogStore for SqliteStore {
    async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Instant,
        until: Instant,
    ) -> Stored<Option<u64>> {
        let row: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $4)
             ON CONFLICT (name) DO UPDATE
               SET fence = leases.fence + (leases.holder <> excluded.holder),
                   holder = excluded.holder, until = excluded.until
               WHERE leases.holder = excluded.holder OR leases.until < $3
             RETURNING fence",
        )
        .bind(name)
        .bind(holder)
        .bind(now.to_rfc3339())
        .bind(until.to_rfc3339())
        .fetch_optional(&self.writer)
        .await?;
        row.map(|(fence,)| unsigned(fence)).transpose()
    }

    async fn release_lease(&self, name: &str, holder: &str) -> Stored<()> {
        sqlx::query("UPDATE leases SET until = $3 WHERE name = $1 AND holder = $2")
            .bind(name)
            .bind(holder)
            .bind(Instant::default().to_rfc3339())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn release_leases(&self, holder: &str) -> Stored<()> {
        sqlx::query("UPDATE leases SET until = $2 WHERE holder = $1")
            .bind(holder)
            .bind(Instant::default().to_rfc3339())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn leases(&self) -> Stored<Vec<(String, Instant)>> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT name, until FROM leases")
            .fetch_all(&self.reader)
            .await?;
        let lease = |(name, until): (String, String)| Ok((name, instant(&until)?));
        rows.into_iter().map(lease).collect()
    }

    async fn is_led(&self, now: Instant) -> Stored<bool> {
        let until: Option<(String,)> = sqlx::query_as(
            "SELECT l.until FROM ingest_gate g
             JOIN leases l ON l.name = 'log' AND l.fence = g.fence WHERE g.name = 'registry'",
        )
        .fetch_optional(&self.reader)
        .await?;
        until.map_or(Ok(false), |(until,)| Ok(now < instant(&until)?))
    }

    async fn open_gate(&self, fence: u64, version: u64) -> Stored<()> {
        let mut transaction = self.writer.begin_with(BEGIN).await?;
        check_fence(&mut transaction, fence).await?;
        move_gate(&mut transaction, fence, version).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn queued(&self, whose: &Whose, limit: u32) -> Stored<Vec<Queued>> {
        batches::queued(&self.reader, whose, limit).await
    }

    async fn make_batch(&self, batch: &MadeBatch) -> Stored<bool> {
        batches::make(&self.writer, batch).await
    }

    async fn last_made(&self, shard: u64) -> Stored<Option<(u64, Vec<u8>)>> {
        batches::last(&self.reader, shard).await
    }

    async fn made_batches(&self, limit: u32) -> Stored<Vec<MadeBatch>> {
        batches::made(&self.reader, limit).await
    }

    async fn append(&self, append: &Append) -> Stored<()> {
        let mut transaction = self.writer.begin_with(BEGIN).await?;
        check_fence(&mut transaction, append.fence).await?;
        if let Some((_, head, _)) = &append.registry {
            move_gate(&mut transaction, append.fence, head.version).await?;
        }
        for (position, bytes) in (append.first..).zip(&append.entries) {
            sqlx::query("INSERT INTO log_entries (position, fence, bytes) VALUES ($1, $2, $3)")
                .bind(signed(position))
                .bind(signed(append.fence))
                .bind(bytes)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query("INSERT INTO log_heads (size, root, fence) VALUES ($1, $2, $3)")
            .bind(signed(append.first + append.entries.len() as u64))
            .bind(append.root.0.to_vec())
            .bind(signed(append.fence))
            .execute(&mut *transaction)
            .await?;
        if let Some((records, head, made)) = &append.registry {
            insert_head(&mut transaction, head, *made).await?;
            for record in records {
                insert_record(&mut transaction, record).await?;
            }
        }
        for batch in &append.batches {
            batches::place(&mut transaction, batch).await?;
        }
        super::erasure::insert_logged(&mut transaction, append).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn entries(&self, from: u64, limit: u32) -> Stored<Vec<Vec<u8>>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT bytes FROM log_entries WHERE position >= $1 ORDER BY position LIMIT $2",
        )
        .bind(signed(from))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(|(bytes,)| bytes).collect())
    }

    async fn log_head(&self) -> Stored<Option<(u64, Hash)>> {
        let row: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT size, root FROM log_heads ORDER BY size DESC LIMIT 1")
                .fetch_optional(&self.reader)
                .await?;
        row.map(|(size, root)| Ok((unsigned(size)?, hash(&root)?)))
            .transpose()
    }

    async fn root_at(&self, size: u64) -> Stored<Option<Hash>> {
        let row: Option<(Vec<u8>,)> = sqlx::query_as("SELECT root FROM log_heads WHERE size = $1")
            .bind(signed(size))
            .fetch_optional(&self.reader)
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
        .fetch_optional(&self.reader)
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
        .bind(checkpoint.anchored.to_rfc3339())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn newest_checkpoint(&self) -> Stored<Option<KeptCheckpoint>> {
        let row: Option<CheckpointRow> = sqlx::query_as(
            "SELECT size, note, anchored FROM log_checkpoints ORDER BY size DESC LIMIT 1",
        )
        .fetch_optional(&self.reader)
        .await?;
        row.map(CheckpointRow::kept).transpose()
    }

    async fn checkpoint_covering(&self, position: u64) -> Stored<Option<KeptCheckpoint>> {
        let row: Option<CheckpointRow> = sqlx::query_as(
            "SELECT size, note, anchored FROM log_checkpoints WHERE size > $1 ORDER BY size LIMIT 1",
        )
        .bind(signed(position))
        .fetch_optional(&self.reader)
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
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn handover(&self, position: u64) -> Stored<Option<Vec<u8>>> {
        let row: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT note FROM log_handovers WHERE position = $1")
                .bind(signed(position))
                .fetch_optional(&self.reader)
                .await?;
        Ok(row.map(|(note,)| note))
    }

    async fn inclusions_due(&self, below: u64, limit: u32) -> Stored<Vec<(u64, u64)>> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT shard, seq FROM inclusions_due WHERE log_index < $1 ORDER BY log_index LIMIT $2",
        )
        .bind(signed(below))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter()
            .map(|(shard, seq)| Ok((unsigned(shard)?, unsigned(seq)?)))
            .collect()
    }

    async fn inclusion_sent(&self, shard: u64, seq: u64) -> Stored<()> {
        sqlx::query("DELETE FROM inclusions_due WHERE shard = $1 AND seq = $2")
            .bind(signed(shard))
            .bind(signed(seq))
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

/// A stale writer fails here: its fence is no longer the lease's.
pub(super) async fn check_fence(
    transaction: &mut Transaction<'_, Sqlite>,
    fence: u64,
) -> Stored<()> {
    let row: Option<(i64,)> = sqlx::query_as("SELECT fence FROM leases WHERE name = 'log'")
        .fetch_optional(&mut **transaction)
        .await?;
    match row {
        Some((held,)) if held == signed(fence) => Ok(()),
        _ => Err(StoreError::Fenced),
    }
}

/// The registry version that statements are let in with, said by this leader.
async fn move_gate(
    transaction: &mut Transaction<'_, Sqlite>,
    fence: u64,
    version: u64,
) -> Stored<()> {
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

/// What is stored in this transaction was checked against the registry version in force.
pub(super) async fn check_pass(
    transaction: &mut Transaction<'_, Sqlite>,
    pass: &Pass,
) -> Stored<()> {
    let row: Option<(i64, i64, String)> = sqlx::query_as(
        "SELECT g.version, l.fence, l.until FROM ingest_gate g
         JOIN leases l ON l.name = 'log' AND l.fence = g.fence WHERE g.name = 'registry'",
    )
    .fetch_optional(&mut **transaction)
    .await?;
    let (version, fence, until) = row.ok_or(StoreError::Fenced)?;
    pass.check(unsigned(version)?, unsigned(fence)?, instant(&until)?)
}

async fn insert_head(
    transaction: &mut Transaction<'_, Sqlite>,
    head: &schemas::registry::Head,
    made: Instant,
) -> Stored<()> {
    sqlx::query("INSERT INTO registry_heads (version, count, root, made) VALUES ($1, $2, $3, $4)")
        .bind(signed(head.version))
        .bind(signed(head.count))
        .bind(head.root.0.to_vec())
        .bind(made.to_rfc3339())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn insert_record(
    transaction: &mut Transaction<'_, Sqlite>,
    record: &KeptRecord,
) -> Stored<()> {
    sqlx::query(
        "INSERT INTO registry_records (kid, version, organisation, device, role, bytes, salt, hash, head)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(record.kid.0.to_vec())
    .bind(signed(record.version))
    .bind(record.organisation.as_str())
    .bind(&record.device)
    .bind(signed(record.role))
    .bind(&record.bytes)
    .bind(record.salt.0.to_vec())
    .bind(record.hash.0.to_vec())
    .bind(signed(record.head))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
