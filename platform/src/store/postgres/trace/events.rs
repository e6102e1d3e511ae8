//! Events and statements with their places in the log: one query for each level, since items,
//! statements and batches are spread by different columns.

use std::collections::BTreeMap;

use kit::postgres::Timestamp;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::statement::Statement;
use schemas::time::Instant;
use sqlx::postgres::PgConnection;
use sqlx::{FromRow, Postgres, Transaction};

use super::texts;
use crate::store::convert::slug;
use crate::store::postgres::{PostgresStore, address, hash, narrow, source, unsigned};
use crate::store::shape::position;
use crate::store::{Anchor, BatchPlace, KeptStatement, StoreError, Stored, StoredEvent};

/// All levels see one state. The plans are made once for all values: they are the same for every
/// item, and planning with the values would cost more than reading (a table has a part for each
/// month, each of which would be looked at).
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                    SET LOCAL plan_cache_mode = force_generic_plan";

type Reading = Transaction<'static, Postgres>;

#[derive(FromRow)]
struct StatementRow {
    device: String,
    epoch: i64,
    seq: i64,
    kid: Vec<u8>,
    bytes: Vec<u8>,
    received: Timestamp,
    registry_version: i64,
}

#[derive(FromRow)]
struct EventRow {
    leaf: Vec<u8>,
    statement: Vec<u8>,
    position: i64,
    source: i64,
    refused: Option<String>,
    bytes: Vec<u8>,
    signed: Vec<u8>,
    received: Timestamp,
}

#[derive(FromRow)]
struct BatchRow {
    shard: i64,
    seq: i64,
    log_index: i64,
    size: Option<i64>,
    anchored: Option<Timestamp>,
}

/// A place in a batch, and the earliest witnessed checkpoint that covers it.
#[derive(Clone, Copy)]
struct Standing {
    place: BatchPlace,
    checkpoint: Option<(u64, Instant)>,
}

impl Standing {
    fn anchor(self) -> Stored<Anchor> {
        Ok(Anchor {
            log_index: self.place.log_index,
            shard: narrow(self.place.shard)?,
            batch_seq: self.place.seq,
            batch_index: narrow(self.place.position)?,
            anchored: self.checkpoint.map(|(_, anchored)| anchored),
            checkpoint_size: self.checkpoint.map(|(size, _)| size),
        })
    }
}

impl EventRow {
    fn stored(
        self,
        standings: &BTreeMap<Hash, Standing>,
        declarers: &BTreeMap<Hash, Slug>,
    ) -> Stored<StoredEvent> {
        let statement =
            Statement::parse(self.signed).map_err(|_| StoreError::Corrupt("statement"))?;
        let id = hash(&self.statement)?;
        let standing = standings.get(&id).copied();
        Ok(StoredEvent {
            leaf: hash(&self.leaf)?,
            statement: id,
            index: narrow(unsigned(self.position)?)?,
            source: source(self.source)?,
            bytes: self.bytes,
            device: statement.payload.device.clone(),
            captured_for: declarers.get(&id).cloned(),
            kid: statement.kid,
            made: statement.payload.made,
            clock: statement.payload.clock as u64,
            received: self.received.0,
            refused: self.refused,
            anchor: standing.map(Standing::anchor).transpose()?,
        })
    }
}

impl PostgresStore {
    pub(super) async fn events_naming(
        &self,
        items: &[String],
        limit: u32,
    ) -> Stored<Vec<StoredEvent>> {
        let mut reading: Reading = self.pool.begin_with(READ).await?;
        let named: Vec<(Timestamp, Vec<u8>, i64, Timestamp)> = sqlx::query_as(
            "SELECT DISTINCT event_time, statement, position, made FROM event_items
             WHERE item = ANY($1) ORDER BY event_time, statement, position LIMIT $2",
        )
        .bind(texts(items))
        .bind(i64::from(limit))
        .fetch_all(&mut *reading)
        .await?;
        let statements: Vec<&[u8]> = named.iter().map(|(_, id, ..)| &id[..]).collect();
        let positions: Vec<i64> = named.iter().map(|(_, _, position, _)| *position).collect();
        let made: Vec<Timestamp> = named.iter().map(|(.., made)| *made).collect();
        let mut rows = event_rows(&mut reading, &statements, &positions, &made).await?;
        let standings = standings(&mut reading, &statements).await?;
        let declarers = declarers(&mut reading, &statements).await?;
        reading.rollback().await?;
        // In the order in which they were named; erased content is left out.
        let each = named.iter().filter_map(|(_, id, position, _)| {
            rows.remove(&(id.clone(), *position))
                .map(|row| row.stored(&standings, &declarers))
        });
        each.collect()
    }

    /// Places of statements that are in a batch.
    pub(in crate::store::postgres) async fn places_of(
        &self,
        statements: &[&[u8]],
    ) -> Stored<BTreeMap<Hash, BatchPlace>> {
        let standings = standings(&mut *self.pool.acquire().await?, statements).await?;
        let place = |(id, standing): (Hash, Standing)| (id, standing.place);
        Ok(standings.into_iter().map(place).collect())
    }

    pub(super) async fn statement_with_place(&self, id: &Hash) -> Stored<Option<KeptStatement>> {
        let row: Option<StatementRow> = sqlx::query_as(
            "SELECT device, epoch, seq, kid, bytes, received, registry_version
             FROM statements WHERE id = $1",
        )
        .bind(&id.0[..])
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let standings = standings(&mut *self.pool.acquire().await?, &[&id.0[..]]).await?;
        Ok(Some(KeptStatement {
            id: *id,
            device: address(&row.device)?,
            position: position(row.epoch, row.seq)?,
            kid: hash(&row.kid)?,
            bytes: row.bytes,
            received: row.received.0,
            registry_version: unsigned(row.registry_version)?,
            batch: standings.get(id).map(|standing| standing.place),
        }))
    }
}

/// Rows of events by statement and position.
async fn event_rows(
    reading: &mut PgConnection,
    statements: &[&[u8]],
    positions: &[i64],
    made: &[Timestamp],
) -> Stored<BTreeMap<(Vec<u8>, i64), EventRow>> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT l.leaf, l.statement, l.position, l.source, l.refused, c.bytes,
                s.bytes AS signed, s.received
         FROM unnest($1::bytea[], $2::bigint[], $3::timestamptz[])
              AS n (statement, position, made)
         JOIN event_leaves l ON l.statement = n.statement AND l.position = n.position
         JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
           AND c.made = n.made AND c.made BETWEEN $4 AND $5
         JOIN statements s ON s.id = l.statement",
    )
    .bind(statements)
    .bind(positions)
    .bind(made)
    .bind(made.iter().min().copied())
    .bind(made.iter().max().copied())
    .fetch_all(reading)
    .await?;
    let key = |row: EventRow| ((row.statement.clone(), row.position), row);
    Ok(rows.into_iter().map(key).collect())
}

/// For whom the platform has signed statements, those of the capture interface.
async fn declarers(
    reading: &mut PgConnection,
    statements: &[&[u8]],
) -> Stored<BTreeMap<Hash, Slug>> {
    let rows: Vec<(Vec<u8>, String)> = sqlx::query_as(
        "SELECT statement, organisation FROM capture_statements WHERE statement = ANY($1)",
    )
    .bind(statements)
    .fetch_all(reading)
    .await?;
    rows.iter()
        .map(|(id, organisation)| Ok((hash(id)?, slug(organisation)?)))
        .collect()
}

/// Where statements stand, those that are in a batch; of two batches the earlier.
async fn standings(
    reading: &mut PgConnection,
    statements: &[&[u8]],
) -> Stored<BTreeMap<Hash, Standing>> {
    let places: Vec<(Vec<u8>, i64, i64, i64)> = sqlx::query_as(
        "SELECT statement, shard, seq, position FROM batch_statements
         WHERE statement = ANY($1)",
    )
    .bind(statements)
    .fetch_all(&mut *reading)
    .await?;
    let batches = batches_of(reading, &places).await?;
    let mut standings: BTreeMap<Hash, Standing> = BTreeMap::new();
    for (statement, shard, seq, position) in places {
        // A batch that waits for its place in the log is none yet.
        let Some(batch) = batches.get(&(shard, seq)) else {
            continue;
        };
        let standing = batch.standing(position)?;
        let kept = standings.entry(hash(&statement)?).or_insert(standing);
        if standing.place < kept.place {
            *kept = standing;
        }
    }
    Ok(standings)
}

async fn batches_of(
    reading: &mut PgConnection,
    places: &[(Vec<u8>, i64, i64, i64)],
) -> Stored<BTreeMap<(i64, i64), BatchRow>> {
    let mut wanted: Vec<(i64, i64)> = places.iter().map(|row| (row.1, row.2)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let (shards, seqs): (Vec<i64>, Vec<i64>) = wanted.into_iter().unzip();
    let rows: Vec<BatchRow> = sqlx::query_as(
        "SELECT b.shard, b.seq, b.log_index, k.size, k.anchored
         FROM unnest($1::bigint[], $2::bigint[]) AS n (shard, seq)
         JOIN batches b ON b.shard = n.shard AND b.seq = n.seq
         LEFT JOIN LATERAL (SELECT size, anchored FROM log_checkpoints
                            WHERE size > b.log_index ORDER BY size LIMIT 1) k ON true",
    )
    .bind(shards)
    .bind(seqs)
    .fetch_all(reading)
    .await?;
    let key = |row: BatchRow| ((row.shard, row.seq), row);
    Ok(rows.into_iter().map(key).collect())
}

impl BatchRow {
    fn standing(&self, position: i64) -> Stored<Standing> {
        let checkpoint = match (self.size, self.anchored) {
            (Some(size), Some(anchored)) => Some((unsigned(size)?, anchored.0)),
            _ => None,
        };
        let place = BatchPlace {
            log_index: unsigned(self.log_index)?,
            shard: unsigned(self.shard)?,
            seq: unsigned(self.seq)?,
            position: unsigned(position)?,
        };
        Ok(Standing { place, checkpoint })
    }
}
