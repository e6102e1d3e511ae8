use std::collections::BTreeMap;

use async_trait::async_trait;
use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::statement::Position;
use schemas::time::Instant;

use super::{PostgresStore, ROWS, address, at, column, hash, retried, signed, texts, unsigned};
use crate::store::shape::{ChainEventRow, LeafRow, LinkRow};
use crate::store::{
    ChainEvent, ChainLink, KeptEvent, KeptStatement, Quarantined, ScanCount, Stored, StoredEvent,
    Totals, TraceStore, Waiting,
};

mod events;

fn hashes(rows: &[(Vec<u8>,)]) -> Stored<Vec<Hash>> {
    rows.iter().map(|(id,)| hash(id)).collect()
}

fn first_column(rows: Vec<(String,)>) -> Vec<String> {
    rows.into_iter().map(|(text,)| text).collect()
}

#[async_trait]
impl TraceStore for PostgresStore {
    async fn events_of_items(&self, items: &[String], limit: u32) -> Stored<Vec<StoredEvent>> {
        self.events_naming(items, limit).await
    }

    async fn statement(&self, id: &Hash) -> Stored<Option<KeptStatement>> {
        self.statement_with_place(id).await
    }

    async fn devices_of(&self, statements: &[Hash]) -> Stored<BTreeMap<Hash, DeviceAddress>> {
        let mut devices = BTreeMap::new();
        for part in statements.chunks(ROWS) {
            let rows: Vec<(Vec<u8>, String)> =
                sqlx::query_as("SELECT id, device FROM statements WHERE id = ANY($1)")
                    .bind(column(part, |id| &id.0[..]))
                    .fetch_all(&self.pool)
                    .await?;
            for (id, device) in rows {
                devices.insert(hash(&id)?, address(&device)?);
            }
        }
        Ok(devices)
    }

    async fn events_of_statement(&self, id: &Hash) -> Stored<Vec<KeptEvent>> {
        let rows: Vec<LeafRow> = sqlx::query_as(
            "SELECT l.position, l.leaf, l.source, l.refused, c.bytes, c.salt
             FROM event_leaves l
             LEFT JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
               AND c.made = (SELECT coalesce(s.made, s.received) FROM statements s WHERE s.id = $1)
             WHERE l.statement = $1 ORDER BY l.position",
        )
        .bind(&id.0[..])
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(LeafRow::kept).collect()
    }

    async fn chain(&self, device: &DeviceAddress) -> Stored<Vec<Hash>> {
        let rows: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT id FROM statements WHERE device = $1 ORDER BY epoch, seq, id")
                .bind(device.to_string())
                .fetch_all(&self.pool)
                .await?;
        hashes(&rows)
    }

    async fn devices(&self, organisation: Option<&Slug>) -> Stored<Vec<DeviceAddress>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT DISTINCT device FROM statements
             WHERE $1::text IS NULL OR organisation = $1 ORDER BY device",
        )
        .bind(organisation.map(Slug::as_str))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|(device,)| address(device)).collect()
    }

    async fn items_of(&self, organisation: &Slug, limit: u32) -> Stored<Vec<String>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT DISTINCT item FROM event_items WHERE organisation = $1
             ORDER BY item LIMIT $2",
        )
        .bind(organisation.as_str())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(first_column(rows))
    }

    async fn statements_naming(&self, items: &[String], not_of: &Slug) -> Stored<Vec<Hash>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT DISTINCT statement FROM event_items
             WHERE item = ANY($1) AND organisation <> $2 ORDER BY statement",
        )
        .bind(texts(items))
        .bind(not_of.as_str())
        .fetch_all(&self.pool)
        .await?;
        hashes(&rows)
    }

    async fn products(&self, limit: u32) -> Stored<Vec<String>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT item FROM event_items
             WHERE step = 'commissioning' AND item LIKE 'https://id.gs1.org/01/%'
             GROUP BY item ORDER BY min(event_time) DESC, item LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(first_column(rows))
    }

    async fn count_scan(&self, item: &str, now: Instant) -> Stored<ScanCount> {
        let (first, total): (Timestamp, i64) = retried(|| async {
            Ok(sqlx::query_as(
                "INSERT INTO scans (item, first, total) VALUES ($1, $2, 1)
                 ON CONFLICT (item) DO UPDATE SET total = scans.total + 1
                 RETURNING first, total",
            )
            .bind(text(item))
            .bind(at(now))
            .fetch_one(&self.pool)
            .await?)
        })
        .await?;
        Ok(ScanCount {
            first: first.0,
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
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(LinkRow::link).collect()
    }

    async fn newest_of(&self, device: &DeviceAddress) -> Stored<Option<Hash>> {
        let row: Option<(Vec<u8>,)> = sqlx::query_as(
            "SELECT id FROM statements WHERE device = $1
             ORDER BY epoch DESC, seq DESC, id LIMIT 1",
        )
        .bind(device.to_string())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|(id,)| hash(&id)).transpose()
    }

    async fn ids_at(&self, device: &DeviceAddress, place: Position) -> Stored<Vec<Hash>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT id FROM statements WHERE device = $1 AND epoch = $2 AND seq = $3 ORDER BY id",
        )
        .bind(device.to_string())
        .bind(signed(place.epoch))
        .bind(signed(place.seq))
        .fetch_all(&self.pool)
        .await?;
        hashes(&rows)
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
        .fetch_one(&self.pool)
        .await?;
        unsigned(count)
    }

    async fn add_chain_event(&self, event: &ChainEvent) -> Stored<()> {
        retried(|| async {
            sqlx::query(
                "INSERT INTO chain_events (device, kind, epoch, from_seq, to_seq, at, detail)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (device, kind, epoch, from_seq, to_seq) DO NOTHING",
            )
            .bind(event.device.to_string())
            .bind(text(&event.kind))
            .bind(signed(event.epoch))
            .bind(signed(event.from_seq))
            .bind(signed(event.to_seq))
            .bind(at(event.at))
            .bind(text(&event.detail))
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    async fn chain_events(&self, device: Option<&DeviceAddress>) -> Stored<Vec<ChainEvent>> {
        let rows: Vec<ChainEventRow> = sqlx::query_as(
            "SELECT device, kind, epoch, from_seq, to_seq, at, detail FROM chain_events
             WHERE $1::text IS NULL OR device = $1 ORDER BY at, device, kind, epoch, from_seq",
        )
        .bind(device.map(ToString::to_string))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(ChainEventRow::event).collect()
    }

    async fn last_heard(&self, device: &DeviceAddress) -> Stored<Option<Instant>> {
        let (last,): (Option<Timestamp>,) = sqlx::query_as(
            "SELECT max(received) FROM (SELECT received FROM statements WHERE device = $1
                                            ORDER BY epoch DESC, seq DESC LIMIT 100) AS last",
        )
        .bind(device.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(last.map(|last| last.0))
    }

    async fn waiting(&self) -> Stored<Waiting> {
        let (statements, oldest): (i64, Option<Timestamp>) =
            sqlx::query_as("SELECT count(*), min(received) FROM batch_queue")
                .fetch_one(&self.pool)
                .await?;
        let (gaps,): (i64,) = sqlx::query_as(
            "SELECT count(*) FROM chain_events o WHERE o.kind = 'gap-opened'
               AND NOT EXISTS (SELECT 1 FROM chain_events c WHERE c.device = o.device
                 AND c.kind = 'gap-closed' AND c.epoch = o.epoch
                 AND c.from_seq = o.from_seq AND c.to_seq = o.to_seq)",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Waiting {
            statements: unsigned(statements)?,
            oldest: oldest.map(|at| at.0),
            gaps: unsigned(gaps)?,
        })
    }

    async fn totals(&self) -> Stored<Totals> {
        // A batch that waits for its place in the log anchors nothing yet.
        let made: Vec<(i64, i64)> = sqlx::query_as("SELECT shard, seq FROM made_batches")
            .fetch_all(&self.pool)
            .await?;
        let row: (i64, i64, i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM statements),
                    (SELECT count(*) FROM event_leaves WHERE refused IS NULL),
                    (SELECT count(*) FROM event_leaves WHERE refused IS NOT NULL),
                    (SELECT count(*) FROM event_leaves l WHERE l.refused IS NULL AND EXISTS
                       (SELECT 1 FROM batch_statements p WHERE p.statement = l.statement
                        AND NOT EXISTS (SELECT 1 FROM unnest($1::bigint[], $2::bigint[])
                                          AS m (shard, seq)
                                        WHERE m.shard = p.shard AND m.seq = p.seq))),
                    (SELECT count(*) FROM quarantine),
                    (SELECT count(*) FROM chain_events WHERE kind = 'gap-opened'),
                    (SELECT coalesce(max(size), 0) FROM log_heads)",
        )
        .bind(column(&made, |one| one.0))
        .bind(column(&made, |one| one.1))
        .fetch_one(&self.pool)
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
        let rows: Vec<(Vec<u8>, Timestamp, String, String, String, i32)> = sqlx::query_as(
            "SELECT id, received, topic, code, detail, length(bytes) FROM quarantine
             WHERE topic LIKE 'tracebond/v1/' || $1 || '/%'
             ORDER BY received DESC, id LIMIT $2",
        )
        .bind(organisation.as_str())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(id, received, topic, code, detail, size)| {
                Ok(Quarantined {
                    id: hash(&id)?,
                    received: received.0,
                    topic,
                    code,
                    detail,
                    size: unsigned(i64::from(size))?,
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
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(bytes,)| bytes))
    }

    async fn quarantine_by_code(&self) -> Stored<Vec<(String, u64)>> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT code, count(*) FROM quarantine GROUP BY code ORDER BY code")
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter()
            .map(|(code, count)| Ok((code, unsigned(count)?)))
            .collect()
    }
}
