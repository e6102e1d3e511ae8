use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use sqlx::{Postgres, Transaction};

use super::copy::Copy;
use super::erasure::erased_among;
use super::log::share_gate;
use super::{PostgresStore, ROWS, at, column, hash, retried, signed};
use crate::store::{
    ChainEvent, IngestStore, NewEvent, NewQuarantine, NewStatement, Pass, QUARANTINE_ROWS, Stored,
};

pub(super) type Writing<'t> = Transaction<'t, Postgres>;

#[async_trait]
impl IngestStore for PostgresStore {
    async fn commit(
        &self,
        statements: &[NewStatement],
        quarantine: &[NewQuarantine],
    ) -> Stored<Vec<bool>> {
        self.commit_in(None, statements, quarantine).await
    }

    async fn commit_behind(
        &self,
        pass: &Pass,
        statements: &[NewStatement],
        quarantine: &[NewQuarantine],
    ) -> Stored<Vec<bool>> {
        self.commit_in(Some(pass), statements, quarantine).await
    }
}

impl PostgresStore {
    async fn commit_in(
        &self,
        pass: Option<&Pass>,
        statements: &[NewStatement],
        quarantine: &[NewQuarantine],
    ) -> Stored<Vec<bool>> {
        let fresh = retried(|| self.commit_once(pass, statements, quarantine)).await?;
        retried(|| self.record_forks(statements)).await?;
        Ok(fresh)
    }

    async fn commit_once(
        &self,
        pass: Option<&Pass>,
        statements: &[NewStatement],
        quarantine: &[NewQuarantine],
    ) -> Stored<Vec<bool>> {
        let mut erased = BTreeSet::new();
        loop {
            let mut transaction = self.pool.begin().await?;
            if let Some(pass) = pass {
                share_gate(&mut transaction, pass).await?;
            }
            let shard = pass.map_or(0, |pass| pass.shard);
            let fresh = insert_all(&mut transaction, statements, &erased, shard).await?;
            let found = erased_among(&mut transaction, statements).await?;
            if !found.is_subset(&erased) {
                // Dropped, so nothing of it stays; the next one leaves their content out.
                erased.extend(found);
                continue;
            }
            insert_quarantine(&mut transaction, quarantine).await?;
            transaction.commit().await?;
            return Ok(fresh);
        }
    }

    /// Two statements in one place of a chain: both stay, and so does a row that says so.
    ///
    /// Looked for after the commit, since two transactions that bring the two do not see each
    /// other; whichever commits second sees both here. A process that dies in between has not
    /// acknowledged, and the redelivery looks again: so known statements are looked at too.
    pub(super) async fn record_forks(&self, statements: &[NewStatement]) -> Stored<()> {
        for part in statements.chunks(ROWS) {
            for fork in self.forks(part).await? {
                crate::store::TraceStore::add_chain_event(self, &fork).await?;
            }
        }
        Ok(())
    }

    async fn forks(&self, statements: &[NewStatement]) -> Stored<Vec<ChainEvent>> {
        let found: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT DISTINCT n.id
             FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[])
                  AS n (device, epoch, seq, id)
             JOIN statements s ON s.device = n.device AND s.epoch = n.epoch AND s.seq = n.seq
             WHERE s.id <> n.id",
        )
        .bind(column(statements, |s| s.device.to_string()))
        .bind(column(statements, |s| signed(s.position.epoch)))
        .bind(column(statements, |s| signed(s.position.seq)))
        .bind(column(statements, |s| &s.id.0[..]))
        .fetch_all(&self.pool)
        .await?;
        let forked: BTreeSet<Hash> = found.iter().map(|(id,)| hash(id)).collect::<Stored<_>>()?;
        let forked = statements
            .iter()
            .filter(|statement| forked.contains(&statement.id));
        let by_place: BTreeMap<_, _> = forked
            .map(|s| ((&s.device, s.position.epoch, s.position.seq), s.received))
            .collect();
        let event = |((device, epoch, seq), at): ((&_, _, _), _)| ChainEvent {
            device: Clone::clone(device),
            kind: "fork".to_owned(),
            epoch,
            from_seq: seq,
            to_seq: seq,
            at,
            detail: "two statements in one place".to_owned(),
        };
        Ok(by_place.into_iter().map(event).collect())
    }
}

/// Statements with their events, in the queue for their batches; true for each that was not there.
/// Of erased events only the leaf is kept. What hangs on a new statement is new, so it is copied in;
/// only the statements themselves can be there already.
pub(super) async fn insert_all(
    transaction: &mut Writing<'_>,
    statements: &[NewStatement],
    erased: &BTreeSet<Hash>,
    shard: u64,
) -> Stored<Vec<bool>> {
    let mut new = BTreeSet::new();
    for part in in_order(statements).chunks(ROWS) {
        new.extend(insert_statements(transaction, part).await?);
    }
    // Of two equal ones in a call the first is the new one.
    let fresh: Vec<bool> = statements.iter().map(|s| new.remove(&s.id)).collect();
    let kept = statements.iter().zip(&fresh).filter(|(_, fresh)| **fresh);
    let kept: Vec<&NewStatement> = kept.map(|(statement, _)| statement).collect();
    for part in kept.chunks(ROWS) {
        queue(transaction, part, shard).await?;
    }
    let places: Vec<Place> = kept.iter().copied().flat_map(places).collect();
    insert_leaves(transaction, &places).await?;
    let is_erased = |place: &Place<'_>| erased.contains(&place.event.leaf);
    let places: Vec<Place> = places.into_iter().filter(|one| !is_erased(one)).collect();
    insert_contents(transaction, &places).await?;
    insert_items(transaction, &places).await?;
    Ok(fresh)
}

/// In the order of the key: transactions that bring the same ones do not wait for each other in a
/// circle.
fn in_order(statements: &[NewStatement]) -> Vec<&NewStatement> {
    let mut ordered: Vec<&NewStatement> = statements.iter().collect();
    ordered.sort_by_key(|s| (s.device.to_string(), s.position, s.id));
    ordered
}

/// Ids of those that were not there.
async fn insert_statements(
    transaction: &mut Writing<'_>,
    rows: &[&NewStatement],
) -> Stored<Vec<Hash>> {
    let new: Vec<(Vec<u8>,)> = sqlx::query_as(
        "INSERT INTO statements (device, epoch, seq, id, organisation, kid, prev, events, bytes,
                                 received, registry_version, made)
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::text[],
                              $6::bytea[], $7::bytea[], $8::bigint[], $9::bytea[],
                              $10::timestamptz[], $11::bigint[], $12::timestamptz[])
         ON CONFLICT (device, epoch, seq, id) DO NOTHING RETURNING id",
    )
    .bind(column(rows, |s| s.device.to_string()))
    .bind(column(rows, |s| signed(s.position.epoch)))
    .bind(column(rows, |s| signed(s.position.seq)))
    .bind(column(rows, |s| &s.id.0[..]))
    .bind(column(rows, |s| s.device.organisation.as_str()))
    .bind(column(rows, |s| &s.kid.0[..]))
    .bind(column(rows, |s| &s.prev.0[..]))
    .bind(column(rows, |s| signed(s.events.len() as u64)))
    .bind(column(rows, |s| &s.bytes[..]))
    .bind(column(rows, |s| at(s.received)))
    .bind(column(rows, |s| signed(s.registry_version)))
    .bind(column(rows, |s| at(s.made)))
    .fetch_all(&mut **transaction)
    .await?;
    new.iter().map(|(id,)| hash(id)).collect()
}

async fn queue(transaction: &mut Writing<'_>, rows: &[&NewStatement], shard: u64) -> Stored<()> {
    let count = |statement: &NewStatement, refused: bool| {
        let events = statement.events.iter();
        signed(events.filter(|e| e.refused.is_some() == refused).count() as u64)
    };
    sqlx::query(
        "INSERT INTO batch_queue (registry_version, received, statement, accepted, refused, shard)
         SELECT n.*, $6::bigint FROM unnest($1::bigint[], $2::timestamptz[], $3::bytea[],
                                            $4::bigint[], $5::bigint[]) AS n",
    )
    .bind(column(rows, |s| signed(s.registry_version)))
    .bind(column(rows, |s| at(s.received)))
    .bind(column(rows, |s| &s.id.0[..]))
    .bind(column(rows, |s| count(s, false)))
    .bind(column(rows, |s| count(s, true)))
    .bind(signed(shard))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// An event where it stands.
struct Place<'s> {
    statement: &'s NewStatement,
    position: i64,
    event: &'s NewEvent,
}

fn places(statement: &NewStatement) -> impl Iterator<Item = Place<'_>> {
    let place = move |(position, event)| Place {
        statement,
        position: signed(position as u64),
        event,
    };
    statement.events.iter().enumerate().map(place)
}

async fn insert_leaves(transaction: &mut Writing<'_>, rows: &[Place<'_>]) -> Stored<()> {
    let mut copy = Copy::with_room(rows.len() * 112);
    for place in rows {
        let refused = place.event.refused.as_deref().map(text);
        copy.row(5)
            .value(&place.statement.id.0)
            .number(place.position)
            .value(&place.event.leaf.0)
            .number(i64::from(place.event.source.number()))
            .optional(refused.as_deref().map(str::as_bytes));
    }
    let table = "event_leaves (statement, position, leaf, source, refused)";
    copy.into(table, transaction).await
}

async fn insert_contents(transaction: &mut Writing<'_>, rows: &[Place<'_>]) -> Stored<()> {
    let bytes: usize = rows.iter().map(|place| place.event.bytes.len() + 128).sum();
    let mut copy = Copy::with_room(bytes);
    for place in rows {
        let event = place.event;
        let time = event.event_time.map(|time| Timestamp(time).since_2000());
        let step = event.step.as_deref().map(text);
        copy.row(7)
            .value(&place.statement.id.0)
            .number(place.position)
            .value(&event.bytes)
            .value(&event.salt.0)
            .optional(time.map(i64::to_be_bytes).as_ref().map(|time| &time[..]))
            .optional(step.as_deref().map(str::as_bytes))
            .time(place.statement.made);
    }
    let table = "event_contents (statement, position, bytes, salt, event_time, step, made)";
    copy.into(table, transaction).await
}

/// The things that accepted events name, each once for each event and role.
async fn insert_items(transaction: &mut Writing<'_>, rows: &[Place<'_>]) -> Stored<()> {
    let mut copy = Copy::with_room(rows.len() * 256);
    for place in rows {
        let event = place.event;
        let Some(time) = event.event_time.filter(|_| event.refused.is_none()) else {
            continue;
        };
        let step = event.step.as_deref().map(text);
        let item = |(item, role): &'_ (String, &'static str)| (text(item).into_owned(), *role);
        let named: BTreeSet<(String, &str)> = event.items.iter().map(item).collect();
        for (item, role) in named {
            copy.row(8)
                .value(item.as_bytes())
                .time(time)
                .value(&place.statement.id.0)
                .number(place.position)
                .value(role.as_bytes())
                .value(place.statement.device.organisation.as_str().as_bytes())
                .optional(step.as_deref().map(str::as_bytes))
                .time(place.statement.made);
        }
    }
    let table =
        "event_items (item, event_time, statement, position, role, organisation, step, made)";
    copy.into(table, transaction).await
}

/// Within the limit; transactions at the same time may each fill it up once.
async fn insert_quarantine(
    transaction: &mut Writing<'_>,
    messages: &[NewQuarantine],
) -> Stored<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let (kept,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM (SELECT 1 FROM quarantine LIMIT $1) AS kept")
            .bind(signed(QUARANTINE_ROWS))
            .fetch_one(&mut **transaction)
            .await?;
    let room = QUARANTINE_ROWS.saturating_sub(kept.unsigned_abs());
    let mut distinct: BTreeMap<Hash, &NewQuarantine> = BTreeMap::new();
    for message in messages {
        distinct.entry(message.id).or_insert(message);
    }
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let rows: Vec<&NewQuarantine> = distinct.into_values().take(room).collect();
    let erased = erased_messages(transaction, &rows).await?;
    let rows: Vec<&NewQuarantine> = rows
        .into_iter()
        .filter(|m| !erased.contains(&m.id))
        .collect();
    for part in rows.chunks(ROWS) {
        insert_messages(transaction, part).await?;
    }
    Ok(())
}

/// Those of the messages that were erased from quarantine.
async fn erased_messages(
    transaction: &mut Writing<'_>,
    rows: &[&NewQuarantine],
) -> Stored<BTreeSet<Hash>> {
    let found: Vec<(Vec<u8>,)> =
        sqlx::query_as("SELECT id FROM erased_messages WHERE id = ANY($1)")
            .bind(column(rows, |m| &m.id.0[..]))
            .fetch_all(&mut **transaction)
            .await?;
    found.iter().map(|(id,)| hash(id)).collect()
}

async fn insert_messages(transaction: &mut Writing<'_>, rows: &[&NewQuarantine]) -> Stored<()> {
    sqlx::query(
        "INSERT INTO quarantine (id, received, topic, code, detail, bytes)
         SELECT * FROM unnest($1::bytea[], $2::timestamptz[], $3::text[], $4::text[], $5::text[],
                              $6::bytea[])
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(column(rows, |m| &m.id.0[..]))
    .bind(column(rows, |m| at(m.received)))
    .bind(column(rows, |m| text(&m.topic)))
    .bind(column(rows, |m| text(&m.code)))
    .bind(column(rows, |m| text(&m.detail)))
    .bind(column(rows, |m| &m.bytes[..]))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
