use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::statement::Position;
use sqlx::FromRow;

use super::{PostgresStore, address, at, hash, signed, source, unsigned};
use crate::store::search::{ChainPlace, FoundEvent, NamedPlace, SearchStore, Span};
use crate::store::{BatchPlace, Stored};

#[derive(FromRow)]
struct FoundRow {
    statement: Vec<u8>,
    position: i64,
    leaf: Vec<u8>,
    source: i64,
    device: String,
    event_time: Option<Timestamp>,
    step: Option<String>,
    is_kept: bool,
}

impl FoundRow {
    /// `erased`: places that have a tombstone.
    fn found(self, erased: &BTreeSet<(Vec<u8>, i64)>) -> Stored<FoundEvent> {
        let has_tombstone = erased.contains(&(self.statement.clone(), self.position));
        Ok(FoundEvent {
            leaf: hash(&self.leaf)?,
            statement: hash(&self.statement)?,
            place: unsigned(self.position)?,
            source: source(self.source)?,
            device: address(&self.device)?,
            time: self.event_time.map(|time| time.0),
            step: self.step,
            is_erased: !self.is_kept && has_tombstone,
            is_archived: !self.is_kept && !has_tombstone,
        })
    }
}

#[async_trait]
impl SearchStore for PostgresStore {
    async fn places_naming(
        &self,
        item: &str,
        span: &Span,
        after: Option<&NamedPlace>,
        limit: u32,
    ) -> Stored<Vec<NamedPlace>> {
        let rows: Vec<(Timestamp, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT DISTINCT event_time, statement, position FROM event_items
             WHERE item = $1
               AND ($2::timestamptz IS NULL OR event_time >= $2)
               AND ($3::timestamptz IS NULL OR event_time < $3)
               AND ($4::timestamptz IS NULL
                    OR (event_time, statement, position) > ($4, $5::bytea, $6::bigint))
             ORDER BY event_time, statement, position LIMIT $7",
        )
        .bind(text(item))
        .bind(span.from.map(at))
        .bind(span.until.map(at))
        .bind(after.map(|after| at(after.time)))
        .bind(after.map(|after| after.statement.0.to_vec()))
        .bind(after.map(|after| signed(after.place)))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let place = |(time, statement, place): (Timestamp, Vec<u8>, i64)| {
            Ok(NamedPlace {
                time: time.0,
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
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
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
        let wanted: Vec<&[u8]> = statements.iter().map(|id| &id.0[..]).collect();
        let places = self.places_of(&wanted).await?;
        let index = |(id, place): (Hash, BatchPlace)| (id, place.log_index);
        Ok(places.into_iter().map(index).collect())
    }

    async fn events_in(&self, statements: &[Hash]) -> Stored<Vec<FoundEvent>> {
        let wanted: Vec<&[u8]> = statements.iter().map(|id| &id.0[..]).collect();
        // Asked for before, so that only the months in question are looked into.
        let made: Vec<(Timestamp,)> = sqlx::query_as(
            "SELECT DISTINCT coalesce(made, received) FROM statements WHERE id = ANY($1)",
        )
        .bind(&wanted)
        .fetch_all(&self.pool)
        .await?;
        let made: Vec<Timestamp> = made.into_iter().map(|(made,)| made).collect();
        let rows: Vec<FoundRow> = sqlx::query_as(
            "SELECT l.statement, l.position, l.leaf, l.source, s.device, c.event_time, c.step,
                    c.statement IS NOT NULL AS is_kept
             FROM event_leaves l JOIN statements s ON s.id = l.statement
             LEFT JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
               AND c.made = coalesce(s.made, s.received) AND c.made = ANY($2)
             WHERE l.statement = ANY($1) AND l.refused IS NULL
             ORDER BY l.statement, l.position",
        )
        .bind(wanted)
        .bind(made)
        .fetch_all(&self.pool)
        .await?;
        // Tombstones are spread by leaf, so they are asked for apart, and only where something is
        // missing.
        let gone = rows.iter().filter(|row| !row.is_kept);
        let gone: Vec<&[u8]> = gone.map(|row| &row.statement[..]).collect();
        let mut erased = BTreeSet::new();
        if !gone.is_empty() {
            let places: Vec<(Vec<u8>, i64)> = sqlx::query_as(
                "SELECT DISTINCT statement, position FROM tombstones WHERE statement = ANY($1)",
            )
            .bind(gone)
            .fetch_all(&self.pool)
            .await?;
            erased.extend(places);
        }
        let found = rows.into_iter().map(|row| row.found(&erased));
        found.collect()
    }
}
