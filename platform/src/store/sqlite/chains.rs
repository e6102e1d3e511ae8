use async_trait::async_trait;
use schemas::ids::DeviceAddress;
use sqlx::sqlite::SqliteConnection;

use super::{BEGIN, SqliteStore, address, json_list, signed, unsigned};
use crate::store::chains::{ChainAdvance, ChainHead, ChainStore, LoggedLink, MISSING};
use crate::store::shape::{ChainEventRow, ChainHeadRow, LoggedRow};
use crate::store::{ChainEvent, Stored};

/// Name of the follower's cursor.
const FOLLOWER: &str = "follower";

fn texts(devices: &[DeviceAddress]) -> String {
    let texts: Vec<String> = devices.iter().map(ToString::to_string).collect();
    json_list(&texts)
}

#[async_trait]
impl ChainStore for SqliteStore {
    async fn chains_read(&self) -> Stored<Option<u64>> {
        let row: Option<(i64,)> =
            sqlx::query_as("SELECT log_index FROM chain_cursors WHERE name = $1")
                .bind(FOLLOWER)
                .fetch_optional(&self.reader)
                .await?;
        row.map(|(index,)| unsigned(index)).transpose()
    }

    async fn links_logged(&self, from: u64, batches: u32) -> Stored<Vec<LoggedLink>> {
        let rows: Vec<LoggedRow> = sqlx::query_as(
            "SELECT b.log_index, s.device, s.epoch, s.seq, s.id, s.prev, s.received, s.bytes
             FROM (SELECT log_index, shard, seq FROM batches WHERE log_index >= $1
                   ORDER BY log_index LIMIT $2) b
             JOIN batch_statements p ON p.shard = b.shard AND p.seq = b.seq
             JOIN statements s ON s.id = p.statement
             ORDER BY b.log_index, p.position",
        )
        .bind(signed(from))
        .bind(batches)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(LoggedRow::logged).collect()
    }

    async fn chain_heads(&self, devices: &[DeviceAddress]) -> Stored<Vec<ChainHead>> {
        let rows: Vec<ChainHeadRow> = sqlx::query_as(
            "SELECT h.device, h.epoch, h.seq, h.id, h.heard,
                    EXISTS (SELECT 1 FROM chain_events e WHERE e.device = h.device
                      AND e.kind = 'silent' AND e.epoch = h.epoch AND e.from_seq = h.seq) AS silent,
                    EXISTS (SELECT 1 FROM chain_events e WHERE e.device = h.device
                      AND e.kind = 'silence-ended' AND e.epoch = h.epoch
                      AND e.from_seq = h.seq) AS ended
             FROM json_each($1) d JOIN chain_heads h ON h.device = d.value",
        )
        .bind(texts(devices))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(ChainHeadRow::head).collect()
    }

    async fn heads_after(
        &self,
        after: Option<&DeviceAddress>,
        limit: u32,
    ) -> Stored<Vec<ChainHead>> {
        let rows: Vec<ChainHeadRow> = sqlx::query_as(
            "SELECT h.device, h.epoch, h.seq, h.id, h.heard,
                    EXISTS (SELECT 1 FROM chain_events e WHERE e.device = h.device
                      AND e.kind = 'silent' AND e.epoch = h.epoch AND e.from_seq = h.seq) AS silent,
                    EXISTS (SELECT 1 FROM chain_events e WHERE e.device = h.device
                      AND e.kind = 'silence-ended' AND e.epoch = h.epoch
                      AND e.from_seq = h.seq) AS ended
             FROM chain_heads h WHERE h.device > $1 ORDER BY h.device LIMIT $2",
        )
        .bind(after.map_or_else(String::new, ToString::to_string))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(ChainHeadRow::head).collect()
    }

    async fn behind(&self, devices: &[DeviceAddress]) -> Stored<Vec<DeviceAddress>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT d.value FROM json_each($1) d LEFT JOIN chain_heads h ON h.device = d.value
             WHERE EXISTS (SELECT 1 FROM statements s WHERE s.device = d.value
               AND (s.epoch, s.seq) > (coalesce(h.epoch, -1), coalesce(h.seq, -1)))",
        )
        .bind(texts(devices))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|(device,)| address(device)).collect()
    }

    async fn open_gaps(
        &self,
        device: &DeviceAddress,
        epoch: u64,
        from: u64,
        to: u64,
    ) -> Stored<Vec<(u64, u64)>> {
        // Gaps of one chain do not overlap: the last one that begins below `from` is the only one
        // of those that can reach it.
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT o.from_seq, o.to_seq FROM chain_events o
             WHERE o.device = $1 AND o.kind = 'gap-opened' AND o.epoch = $2
               AND o.from_seq >= coalesce(
                 (SELECT max(b.from_seq) FROM chain_events b WHERE b.device = $1
                    AND b.kind = 'gap-opened' AND b.epoch = $2 AND b.from_seq <= $3), 0)
               AND o.from_seq <= $4 AND o.to_seq >= $3 AND o.detail = $5
               AND NOT EXISTS (SELECT 1 FROM chain_events c WHERE c.device = o.device
                 AND c.kind = 'gap-closed' AND c.epoch = o.epoch
                 AND c.from_seq = o.from_seq AND c.to_seq = o.to_seq)
             ORDER BY o.from_seq",
        )
        .bind(device.to_string())
        .bind(signed(epoch))
        .bind(signed(from))
        .bind(signed(to))
        .bind(MISSING)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter()
            .map(|(from, to)| Ok((unsigned(from)?, unsigned(to)?)))
            .collect()
    }

    async fn open_gaps_after(
        &self,
        after: Option<&ChainEvent>,
        limit: u32,
    ) -> Stored<Vec<ChainEvent>> {
        let (epoch, from) = after.map_or((-1, -1), |e| (signed(e.epoch), signed(e.from_seq)));
        let rows: Vec<ChainEventRow> = sqlx::query_as(
            "SELECT o.device, o.kind, o.epoch, o.from_seq, o.to_seq, o.at, o.detail
             FROM chain_events o
             WHERE o.kind = 'gap-opened' AND o.detail = $1
               AND (o.device, o.epoch, o.from_seq) > ($2, $3, $4)
               AND NOT EXISTS (SELECT 1 FROM chain_events c WHERE c.device = o.device
                 AND c.kind = 'gap-closed' AND c.epoch = o.epoch
                 AND c.from_seq = o.from_seq AND c.to_seq = o.to_seq)
             ORDER BY o.device, o.epoch, o.from_seq LIMIT $5",
        )
        .bind(MISSING)
        .bind(after.map_or_else(String::new, |event| event.device.to_string()))
        .bind(epoch)
        .bind(from)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(ChainEventRow::event).collect()
    }

    async fn advance_chains(&self, advance: &ChainAdvance) -> Stored<()> {
        let mut transaction = self.writer.begin_with(BEGIN).await?;
        for event in &advance.events {
            super::trace::insert_chain_event(&mut transaction, event).await?;
        }
        for head in &advance.heads {
            put_head(&mut transaction, head).await?;
        }
        if let Some(read) = advance.read {
            sqlx::query(
                "INSERT INTO chain_cursors (name, log_index) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET log_index = excluded.log_index
                 WHERE chain_cursors.log_index < excluded.log_index",
            )
            .bind(FOLLOWER)
            .bind(signed(read))
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

async fn put_head(connection: &mut SqliteConnection, head: &ChainHead) -> Stored<()> {
    sqlx::query(
        "INSERT INTO chain_heads (device, epoch, seq, id, heard) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (device) DO UPDATE
         SET epoch = excluded.epoch, seq = excluded.seq, id = excluded.id, heard = excluded.heard
         WHERE (chain_heads.epoch, chain_heads.seq) <= (excluded.epoch, excluded.seq)",
    )
    .bind(head.device.to_string())
    .bind(signed(head.position.epoch))
    .bind(signed(head.position.seq))
    .bind(head.id.0.to_vec())
    .bind(head.heard.map(schemas::time::Instant::to_rfc3339))
    .execute(connection)
    .await?;
    Ok(())
}
