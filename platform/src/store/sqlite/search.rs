use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::statement::Position;
use sqlx::FromRow;

use super::{SqliteStore, address, hash, instant, signed, source, unsigned};
use crate::store::Stored;
use crate::store::search::{ChainPlace, FoundEvent, NamedPlace, SearchStore, Span};

#[derive(FromRow)]
struct FoundRow {
    statement: Vec<u8>,
    position: i64,
    leaf: Vec<u8>,
    source: i64,
    device: String,
    event_time: Option<String>,
    step: Option<String>,
    is_kept: bool,
    has_tombstone: bool,
}

impl FoundRow {
    fn found(self) -> Stored<FoundEvent> {
        Ok(FoundEvent {
            leaf: hash(&self.leaf)?,
            statement: hash(&self.statement)?,
            place: unsigned(self.position)?,
            source: source(self.source)?,
            device: address(&self.device)?,
            time: self.event_time.as_deref().map(instant).transpose()?,
            step: self.step,
            is_erased: !self.is_kept && self.has_tombstone,
            is_archived: !self.is_kept && !self.has_tombstone,
        })
    }
}

#[async_trait]
impl SearchStore for SqliteStore {
    async fn places_naming(
        &self,
        item: &str,
        span: &Span,
        after: Option<&NamedPlace>,
        limit: u32,
    ) -> Stored<Vec<NamedPlace>> {
        let rows: Vec<(String, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT DISTINCT event_time, statement, position FROM event_items
             WHERE item = $1
               AND ($2 IS NULL OR event_time >= $2) AND ($3 IS NULL OR event_time < $3)
               AND ($4 IS NULL OR (event_time, statement, position) > ($4, $5, $6))
             ORDER BY event_time, statement, position LIMIT $7",
        )
        .bind(item)
        .bind(span.from.map(schemas::time::Instant::to_rfc3339))
        .bind(span.until.map(schemas::time::Instant::to_rfc3339))
        .bind(after.map(|after| after.time.to_rfc3339()))
        .bind(after.map(|after| after.statement.0.to_vec()))
        .bind(after.map(|after| signed(after.place)))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let place = |(time, statement, place): (String, Vec<u8>, i64)| {
            Ok(NamedPlace {
                time: instant(&time)?,
                statement: hash(&statement)?,
                place: unsigned(place)?,
            })
        };
        rows.into_iter().map(place).collect()
    }

    async fn chain_after(
        &self,
        device: &DeviceAddress,
        after: Option<&ChainPlace>,
        limit: u32,
    ) -> Stored<Vec<ChainPlace>> {
        let (epoch, seq) = after.map_or((-1, -1), |after| {
            (signed(after.position.epoch), signed(after.position.seq))
        });
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT epoch, seq, id FROM statements
             WHERE device = $1 AND (epoch, seq, id) > ($2, $3, $4)
             ORDER BY epoch, seq, id LIMIT $5",
        )
        .bind(device.to_string())
        .bind(epoch)
        .bind(seq)
        .bind(after.map_or_else(Vec::new, |after| after.statement.0.to_vec()))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let place = |(epoch, seq, id): (i64, i64, Vec<u8>)| {
            let (epoch, seq) = (unsigned(epoch)?, unsigned(seq)?);
            Ok(ChainPlace {
                position: Position { epoch, seq },
                statement: hash(&id)?,
            })
        };
        rows.into_iter().map(place).collect()
    }

    async fn log_indices(&self, statements: &[Hash]) -> Stored<BTreeMap<Hash, u64>> {
        let mut indices = BTreeMap::new();
        for id in statements {
            let (index,): (Option<i64>,) = sqlx::query_as(
                "SELECT min(b.log_index) FROM batch_statements p
                 JOIN batches b ON b.shard = p.shard AND b.seq = p.seq WHERE p.statement = $1",
            )
            .bind(id.0.to_vec())
            .fetch_one(&self.reader)
            .await?;
            if let Some(index) = index {
                indices.insert(*id, unsigned(index)?);
            }
        }
        Ok(indices)
    }

    async fn events_in(&self, statements: &[Hash]) -> Stored<Vec<FoundEvent>> {
        let mut wanted = statements.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = Vec::new();
        for id in wanted {
            let rows: Vec<FoundRow> = sqlx::query_as(
                "SELECT l.statement, l.position, l.leaf, l.source, s.device, c.event_time, c.step,
                        c.statement IS NOT NULL AS is_kept,
                        EXISTS (SELECT 1 FROM tombstones t WHERE t.statement = l.statement
                                AND t.position = l.position) AS has_tombstone
                 FROM event_leaves l JOIN statements s ON s.id = l.statement
                 LEFT JOIN event_contents c
                   ON c.statement = l.statement AND c.position = l.position
                 WHERE l.statement = $1 AND l.refused IS NULL ORDER BY l.position",
            )
            .bind(id.0.to_vec())
            .fetch_all(&self.reader)
            .await?;
            for row in rows {
                found.push(row.found()?);
            }
        }
        Ok(found)
    }
}
