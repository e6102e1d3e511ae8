mod rows;

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::statement::Position;
use schemas::time::Instant;
use sqlx::sqlite::SqliteConnection;

use super::{SqliteStore, address, hash, instant, json_list, signed, unsigned};
use crate::store::shape::{ChainEventRow, LeafRow, LinkRow};
use crate::store::{
    ChainEvent, ChainLink, KeptEvent, KeptStatement, Quarantined, ScanCount, Stored, StoredEvent,
    Totals, TraceStore, Waiting,
};
use rows::{EventRow, StatementRow};

#[async_trait]
impl TraceStore for SqliteStore {
    async fn events_of_items(&self, items: &[String], limit: u32) -> Stored<Vec<StoredEvent>> {
        let mut rows: Vec<EventRow> = sqlx::query_as(
            "WITH named AS (
               SELECT DISTINCT event_time, statement, position FROM event_items
               WHERE item IN (SELECT value FROM json_each($1))
               ORDER BY event_time, statement, position LIMIT $2)
             SELECT l.leaf, l.statement, l.position, l.source, l.refused, c.bytes,
                    s.bytes AS signed, s.received, b.log_index, b.shard, b.seq AS batch_seq,
                    p.position AS batch_position, k.size AS checkpoint_size, k.anchored,
                    o.organisation AS captured_for
             FROM named n
             JOIN event_leaves l ON l.statement = n.statement AND l.position = n.position
             JOIN event_contents c ON c.statement = n.statement AND c.position = n.position
             JOIN statements s ON s.id = n.statement
             LEFT JOIN capture_statements o ON o.statement = n.statement
             LEFT JOIN batch_statements p ON p.statement = n.statement
             LEFT JOIN batches b ON b.shard = p.shard AND b.seq = p.seq
             LEFT JOIN log_checkpoints k
               ON k.size = (SELECT min(size) FROM log_checkpoints WHERE size > b.log_index)
             ORDER BY n.event_time, n.statement, n.position, b.log_index IS NULL, b.log_index",
        )
        .bind(json_list(items))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        // A statement in two batches counts at the earlier.
        rows.dedup_by(|a, b| (&a.statement, a.position) == (&b.statement, b.position));
        rows.into_iter().map(EventRow::stored).collect()
    }

    async fn statement(&self, id: &Hash) -> Stored<Option<KeptStatement>> {
        let row: Option<StatementRow> = sqlx::query_as(
            "SELECT s.device, s.epoch, s.seq, s.id, s.kid, s.bytes, s.received, s.registry_version,
                    b.log_index, b.shard, b.seq AS batch_seq, p.position
             FROM statements s
             LEFT JOIN batch_statements p ON p.statement = s.id
             LEFT JOIN batches b ON b.shard = p.shard AND b.seq = p.seq
             WHERE s.id = $1 ORDER BY b.log_index IS NULL, b.log_index LIMIT 1",
        )
        .bind(id.0.to_vec())
        .fetch_optional(&self.reader)
        .await?;
        row.map(StatementRow::kept).transpose()
    }

    async fn devices_of(&self, statements: &[Hash]) -> Stored<BTreeMap<Hash, DeviceAddress>> {
        let mut devices = BTreeMap::new();
        for id in statements {
            let row: Option<(String,)> =
                sqlx::query_as("SELECT device FROM statements WHERE id = $1")
                    .bind(id.0.to_vec())
                    .fetch_optional(&self.reader)
                    .await?;
            if let Some((device,)) = row {
                devices.insert(*id, address(&device)?);
            }
        }
        Ok(devices)
    }

    async fn events_of_statement(&self, id: &Hash) -> Stored<Vec<KeptEvent>> {
        let rows: Vec<LeafRow> = sqlx::query_as(
            "SELECT l.position, l.leaf, l.source, l.refused, c.bytes, c.salt
             FROM event_leaves l
             LEFT JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
             WHERE l.statement = $1 ORDER BY l.position",
        )
        .bind(id.0.to_vec())
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(LeafRow::kept).collect()
    }

    async fn chain(&self, device: &DeviceAddress) -> Stored<Vec<Hash>> {
        let rows: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT id FROM statements WHERE device = $1 ORDER BY epoch, seq, id")
                .bind(device.to_string())
                .fetch_all(&self.reader)
                .await?;
        rows.iter().map(|(id,)| hash(id)).collect()
    }

    async fn devices(&self, organisation: Option<&Slug>) -> Stored<Vec<DeviceAddress>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT DISTINCT device FROM statements
             WHERE $1 IS NULL OR organisation = $1 ORDER BY device",
        )
        .bind(organisation.map(Slug::as_str))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|(device,)| address(device)).collect()
    }

    async fn items_of(&self, organisation: &Slug, limit: u32) -> Stored<Vec<String>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT DISTINCT i.item FROM event_items i JOIN statements s ON s.id = i.statement
             WHERE s.organisation = $1 ORDER BY i.item LIMIT $2",
        )
        .bind(organisation.as_str())
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(|(item,)| item).collect())
    }

    async fn statements_naming(&self, items: &[String], not_of: &Slug) -> Stored<Vec<Hash>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT DISTINCT s.id FROM event_items i JOIN statements s ON s.id = i.statement
             WHERE i.item IN (SELECT value FROM json_each($1)) AND s.organisation <> $2
             ORDER BY s.id",
        )
        .bind(json_list(items))
        .bind(not_of.as_str())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|(id,)| hash(id)).collect()
    }

    async fn products(&self, limit: u32) -> Stored<Vec<String>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT i.item FROM event_items i
             JOIN event_contents c ON c.statement = i.statement AND c.position = i.position
             WHERE c.step = 'commissioning' AND i.item LIKE 'https://id.gs1.org/01/%'
             GROUP BY i.item ORDER BY min(i.event_time) DESC, i.item LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(|(item,)| item).collect())
    }

    async fn count_scan(&self, item: &str, at: Instant) -> Stored<ScanCount> {
        let (first, total): (String, i64) = sqlx::query_as(
            "INSERT INTO scans (item, first, total) VALUES ($1, $2, 1)
             ON CONFLICT (item) DO UPDATE SET total = scans.total + 1
             RETURNING first, total",
        )
        .bind(item)
        .bind(at.to_rfc3339())
        .fetch_one(&self.writer)
        .await?;
        Ok(ScanCount {
            first: instant(&first)?,
            total: unsigned(total)?,
        })
    }

    async fn links_after(
        &self,
        device: &DeviceAddress,
        after: Option<Position>,
        limit: u32,
    ) -> Stored<Vec<ChainLink>> {
        let (epoch, seq) = after.map_or((-1, -1), |at| (signed(at.epoch), signed(at.seq)));
        let rows: Vec<LinkRow> = sqlx::query_as(
            "SELECT epoch, seq, id, prev, received, bytes FROM statements
             WHERE device = $1 AND (epoch, seq) > ($2, $3) ORDER BY epoch, seq, id LIMIT $4",
        )
        .bind(device.to_string())
        .bind(epoch)
        .bind(seq)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(LinkRow::link).collect()
    }

    async fn newest_of(&self, device: &DeviceAddress) -> Stored<Option<Hash>> {
        let row: Option<(Vec<u8>,)> = sqlx::query_as(
            "SELECT id FROM statements WHERE device = $1
             ORDER BY epoch DESC, seq DESC, id LIMIT 1",
        )
        .bind(device.to_string())
        .fetch_optional(&self.reader)
        .await?;
        row.map(|(id,)| hash(&id)).transpose()
    }

    async fn ids_at(&self, device: &DeviceAddress, at: Position) -> Stored<Vec<Hash>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT id FROM statements WHERE device = $1 AND epoch = $2 AND seq = $3 ORDER BY id",
        )
        .bind(device.to_string())
        .bind(signed(at.epoch))
        .bind(signed(at.seq))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|(id,)| hash(id)).collect()
    }

    async fn present(&self, device: &DeviceAddress, epoch: u64, from: u64, to: u64) -> Stored<u64> {
        let (count,): (i64,) = sqlx::query_as(
            "SELECT count(DISTINCT seq) FROM statements
             WHERE device = $1 AND epoch = $2 AND seq BETWEEN $3 AND $4",
        )
        .bind(device.to_string())
        .bind(signed(epoch))
        .bind(signed(from))
        .bind(signed(to))
        .fetch_one(&self.reader)
        .await?;
        unsigned(count)
    }

    async fn add_chain_event(&self, event: &ChainEvent) -> Stored<()> {
        let mut connection = self.writer.acquire().await?;
        insert_chain_event(&mut connection, event).await
    }

    async fn chain_events(&self, device: Option<&DeviceAddress>) -> Stored<Vec<ChainEvent>> {
        let rows: Vec<ChainEventRow> = sqlx::query_as(
            "SELECT device, kind, epoch, from_seq, to_seq, at, detail FROM chain_events
             WHERE $1 IS NULL OR device = $1 ORDER BY at, device, kind, epoch, from_seq",
        )
        .bind(device.map(ToString::to_string))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(ChainEventRow::event).collect()
    }

    async fn last_heard(&self, device: &DeviceAddress) -> Stored<Option<Instant>> {
        let (last,): (Option<String>,) = sqlx::query_as(
            "SELECT max(received) FROM (SELECT received FROM statements WHERE device = $1
                                            ORDER BY epoch DESC, seq DESC LIMIT 100)",
        )
        .bind(device.to_string())
        .fetch_one(&self.reader)
        .await?;
        last.as_deref().map(instant).transpose()
    }

    async fn waiting(&self) -> Stored<Waiting> {
        let (statements, oldest, gaps): (i64, Option<String>, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM batch_queue), (SELECT min(received) FROM batch_queue),
                    (SELECT count(*) FROM chain_events o WHERE o.kind = 'gap-opened'
                       AND NOT EXISTS (SELECT 1 FROM chain_events c WHERE c.device = o.device
                         AND c.kind = 'gap-closed' AND c.epoch = o.epoch
                         AND c.from_seq = o.from_seq AND c.to_seq = o.to_seq))",
        )
        .fetch_one(&self.reader)
        .await?;
        Ok(Waiting {
            statements: unsigned(statements)?,
            oldest: oldest.as_deref().map(instant).transpose()?,
            gaps: unsigned(gaps)?,
        })
    }

    async fn totals(&self) -> Stored<Totals> {
        let row: (i64, i64, i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM statements),
                    (SELECT count(*) FROM event_leaves WHERE refused IS NULL),
                    (SELECT count(*) FROM event_leaves WHERE refused IS NOT NULL),
                    (SELECT count(*) FROM event_leaves l WHERE l.refused IS NULL AND EXISTS
                       (SELECT 1 FROM batch_statements p JOIN batches b ON b.shard = p.shard AND b.seq = p.seq
                        WHERE p.statement = l.statement)),
                    (SELECT count(*) FROM quarantine),
                    (SELECT count(*) FROM chain_events WHERE kind = 'gap-opened'),
                    (SELECT coalesce(max(size), 0) FROM log_heads)",
        )
        .fetch_one(&self.reader)
        .await?;
        Ok(Totals {
            statements: unsigned(row.0)?,
            events: unsigned(row.1)?,
            refused: unsigned(row.2)?,
            anchored: unsigned(row.3)?,
            quarantined: unsigned(row.4)?,
            gaps: unsigned(row.5)?,
            log_size: unsigned(row.6)?,
        })
    }

    async fn quarantine_of(&self, organisation: &Slug, limit: u32) -> Stored<Vec<Quarantined>> {
        let rows: Vec<(Vec<u8>, String, String, String, String, i64)> = sqlx::query_as(
            "SELECT id, received, topic, code, detail, length(bytes) FROM quarantine
             WHERE topic LIKE 'tracebond/v1/' || $1 || '/%'
             ORDER BY received DESC, id LIMIT $2",
        )
        .bind(organisation.as_str())
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter()
            .map(|(id, received, topic, code, detail, size)| {
                Ok(Quarantined {
                    id: hash(&id)?,
                    received: instant(&received)?,
                    topic,
                    code,
                    detail,
                    size: unsigned(size)?,
                })
            })
            .collect()
    }

    async fn quarantined_bytes(&self, organisation: &Slug, id: &Hash) -> Stored<Option<Vec<u8>>> {
        let row: Option<(Vec<u8>,)> = sqlx::query_as(
            "SELECT bytes FROM quarantine
             WHERE id = $1 AND topic LIKE 'tracebond/v1/' || $2 || '/%'",
        )
        .bind(id.0.to_vec())
        .bind(organisation.as_str())
        .fetch_optional(&self.reader)
        .await?;
        Ok(row.map(|(bytes,)| bytes))
    }

    async fn quarantine_by_code(&self) -> Stored<Vec<(String, u64)>> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT code, count(*) FROM quarantine GROUP BY code ORDER BY code")
                .fetch_all(&self.reader)
                .await?;
        rows.into_iter()
            .map(|(code, count)| Ok((code, unsigned(count)?)))
            .collect()
    }
}

/// Adds a row about a chain; one that is there changes nothing.
pub(super) async fn insert_chain_event(
    connection: &mut SqliteConnection,
    event: &ChainEvent,
) -> Stored<()> {
    sqlx::query(
        "INSERT INTO chain_events (device, kind, epoch, from_seq, to_seq, at, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(event.device.to_string())
    .bind(&event.kind)
    .bind(signed(event.epoch))
    .bind(signed(event.from_seq))
    .bind(signed(event.to_seq))
    .bind(event.at.to_rfc3339())
    .bind(&event.detail)
    .execute(connection)
    .await?;
    Ok(())
}
