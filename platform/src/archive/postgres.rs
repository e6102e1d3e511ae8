//! Content in PostgreSQL, as the owner of the tables: a month whose every statement is in a file goes
//! as whole partitions.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kit::postgres::{Attempts, DatabaseUrl, Timestamp, text};
use schemas::hash::Hash;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction};

use super::holder::{Holder, NewArchive, Removed, Returning};
use super::sqlite::part;
use super::{Part, Tombstones};
use crate::partition::{TABLES, default_of, exists, name_of};
use crate::store::convert::{hash, signed};
use crate::store::{Month, StoreError, Stored};

/// The content of one database.
pub struct PostgresHolder {
    connection: PgConnection,
}

impl PostgresHolder {
    /// Enters the database; `None` where the role does not own the tables.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be entered.
    pub async fn open(url: &DatabaseUrl) -> Stored<Option<Self>> {
        let mut connection = kit::postgres::connect_once(url).await?;
        let owns = kit::postgres::is_owner(&mut connection).await;
        let owns = owns.map_err(StoreError::Schema)?;
        Ok(owns.then_some(Self { connection }))
    }
}

/// First instant of a month and of the one behind it.
fn bounds(month: Month) -> (Timestamp, Timestamp) {
    (Timestamp(month.first()), Timestamp(month.next().first()))
}

/// All erased events.
pub(crate) async fn tombstones(connection: &mut PgConnection) -> Stored<Tombstones> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT leaf, list FROM tombstones ORDER BY leaf, list DESC")
            .fetch_all(connection)
            .await?;
    rows.iter()
        .map(|(leaf, list)| Ok((hash(leaf)?, hash(list)?)))
        .collect()
}

/// Files that the database was told of.
pub(crate) async fn archives(connection: &mut PgConnection) -> Stored<BTreeSet<Part>> {
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT DISTINCT month, part FROM archives")
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(part).collect()
}

/// Tells the database of a file.
pub(crate) async fn add(connection: &mut PgConnection, archive: &NewArchive) -> Stored<()> {
    sqlx::query(
        "INSERT INTO archives (hash, month, part, events, made) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (hash) DO NOTHING",
    )
    .bind(&archive.hash.0[..])
    .bind(archive.part.month.to_string())
    .bind(signed(archive.part.number))
    .bind(signed(archive.events))
    .bind(Timestamp(archive.made))
    .execute(connection)
    .await?;
    Ok(())
}

type Writing<'t> = Transaction<'t, Postgres>;

async fn erased_since(transaction: &mut Writing<'_>, known: usize) -> Stored<bool> {
    let (count,): (i64,) = sqlx::query_as("SELECT count(DISTINCT leaf) FROM tombstones")
        .fetch_one(&mut **transaction)
        .await?;
    Ok(count != signed(known as u64))
}

async fn run(transaction: &mut Writing<'_>, sql: String) -> Stored<()> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[async_trait]
impl Holder for PostgresHolder {
    async fn months(&mut self, before: Month) -> Stored<Vec<Month>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT DISTINCT to_char(made, 'YYYY-MM') AS month FROM event_contents
             WHERE made < $1 ORDER BY month",
        )
        .bind(Timestamp(before.first()))
        .fetch_all(&mut self.connection)
        .await?;
        let month = |(text,): &(String,)| text.parse().map_err(|_| StoreError::Corrupt("month"));
        rows.iter().map(month).collect()
    }

    async fn statements(&mut self, month: Month) -> Stored<BTreeSet<Hash>> {
        let (from, to) = bounds(month);
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT DISTINCT statement FROM event_contents WHERE made >= $1 AND made < $2",
        )
        .bind(from)
        .bind(to)
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter().map(|(id,)| hash(id)).collect()
    }

    async fn tombstones(&mut self) -> Stored<Tombstones> {
        tombstones(&mut self.connection).await
    }

    async fn archives(&mut self) -> Stored<BTreeSet<Part>> {
        archives(&mut self.connection).await
    }

    async fn add(&mut self, archive: &NewArchive) -> Stored<()> {
        add(&mut self.connection, archive).await
    }

    async fn remove(
        &mut self,
        month: Month,
        statements: &BTreeSet<Hash>,
        tombstones: usize,
    ) -> Stored<Option<Removed>> {
        // A writer of this month that holds the whole table, as all do that write, waits for this
        // one, which waits for it as it drops a partition: the database ends either.
        let mut attempts = Attempts::default();
        loop {
            match self.remove_once(month, statements, tombstones).await {
                Err(StoreError::Database(error)) if attempts.again(&error) => {}
                outcome => return outcome,
            }
        }
    }

    async fn put_back(&mut self, events: &[Returning], tombstones: usize) -> Stored<Option<u64>> {
        let mut transaction = self.connection.begin().await?;
        let mut count = 0;
        for event in events {
            count += put_one(&mut transaction, event).await?;
        }
        // As on the write path: whoever erases later waits for this transaction and removes it.
        if erased_since(&mut transaction, tombstones).await? {
            return Ok(None);
        }
        transaction.commit().await?;
        Ok(Some(count))
    }

    async fn clean(&mut self) -> Stored<()> {
        for table in TABLES {
            let default = default_of(table);
            sqlx::raw_sql(AssertSqlSafe(format!("VACUUM {default}")))
                .execute(&mut self.connection)
                .await?;
        }
        Ok(())
    }
}

impl PostgresHolder {
    async fn remove_once(
        &mut self,
        month: Month,
        statements: &BTreeSet<Hash>,
        tombstones: usize,
    ) -> Stored<Option<Removed>> {
        let mut transaction = self.connection.begin().await?;
        // Writers of this month and erasers wait from here on; readers and other months do not.
        lock(&mut transaction, month).await?;
        if erased_since(&mut transaction, tombstones).await? {
            return Ok(None);
        }
        let ids: Vec<&[u8]> = statements.iter().map(|id| &id.0[..]).collect();
        remember(&mut transaction, month, &ids).await?;
        let events = count(&mut transaction, month, &ids, true).await?;
        let whole = count(&mut transaction, month, &ids, false).await? == 0;
        for table in TABLES {
            let name = name_of(table, month);
            if whole && exists(&mut transaction, &name).await? {
                run(&mut transaction, format!("DROP TABLE {name}")).await?;
            }
        }
        let (from, to) = bounds(month);
        for sql in [
            "DELETE FROM event_contents WHERE made >= $1 AND made < $2 AND statement = ANY($3)",
            "DELETE FROM event_items WHERE made >= $1 AND made < $2 AND statement = ANY($3)",
        ] {
            sqlx::query(sql)
                .bind(from)
                .bind(to)
                .bind(&ids)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(Some(Removed { events, whole }))
    }
}

async fn lock(transaction: &mut Writing<'_>, month: Month) -> Stored<()> {
    let mut names = Vec::new();
    for table in TABLES {
        let name = name_of(table, month);
        if exists(transaction, &name).await? {
            names.push(name);
        }
        names.push(default_of(table));
    }
    let names = names.join(", ");
    run(
        transaction,
        format!("LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"),
    )
    .await
}

/// What the events named that leave.
async fn remember(transaction: &mut Writing<'_>, month: Month, ids: &[&[u8]]) -> Stored<()> {
    let (from, to) = bounds(month);
    sqlx::query(
        "INSERT INTO archived_items (item, statement, position, leaf, month)
         WITH named AS MATERIALIZED (
           SELECT DISTINCT item, statement, position FROM event_items
           WHERE made >= $1 AND made < $2 AND statement = ANY($3))
         SELECT n.item, n.statement, n.position, l.leaf, $4 FROM named n
         JOIN event_leaves l ON l.statement = n.statement AND l.position = n.position
         ON CONFLICT (item, statement, position) DO NOTHING",
    )
    .bind(from)
    .bind(to)
    .bind(ids)
    .bind(month.to_string())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Events of a month that are of these statements, or that are not.
async fn count(
    transaction: &mut Writing<'_>,
    month: Month,
    ids: &[&[u8]],
    of_them: bool,
) -> Stored<u64> {
    let (from, to) = bounds(month);
    let (count,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM event_contents
         WHERE made >= $1 AND made < $2 AND (statement = ANY($3)) = $4",
    )
    .bind(from)
    .bind(to)
    .bind(ids)
    .bind(of_them)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(count.unsigned_abs())
}

async fn put_one(transaction: &mut Writing<'_>, event: &Returning) -> Stored<u64> {
    let time = event.event_time.map(Timestamp);
    let put: Option<(i64,)> = sqlx::query_as(
        "INSERT INTO event_contents (statement, position, bytes, salt, event_time, step, made)
         SELECT s.id, $2, $3, $4, $5, $6, coalesce(s.made, s.received)
         FROM statements s WHERE s.id = $1
         ON CONFLICT (statement, position, made) DO NOTHING RETURNING position",
    )
    .bind(&event.statement.0[..])
    .bind(signed(event.position))
    .bind(&event.bytes)
    .bind(&event.salt.0[..])
    .bind(time)
    .bind(event.step.as_deref().map(text))
    .fetch_optional(&mut **transaction)
    .await?;
    for (item, role) in &event.items {
        sqlx::query(
            "INSERT INTO event_items (item, event_time, statement, position, role, organisation,
                                      step, made)
             SELECT $2, $3, s.id, $4, $5, $6, $7, coalesce(s.made, s.received)
             FROM statements s WHERE s.id = $1
             ON CONFLICT (item, event_time, statement, position, role, made) DO NOTHING",
        )
        .bind(&event.statement.0[..])
        .bind(text(item))
        .bind(time)
        .bind(signed(event.position))
        .bind(*role)
        .bind(&event.organisation)
        .bind(event.step.as_deref().map(text))
        .execute(&mut **transaction)
        .await?;
    }
    sqlx::query("DELETE FROM archived_items WHERE statement = $1 AND position = $2")
        .bind(&event.statement.0[..])
        .bind(signed(event.position))
        .execute(&mut **transaction)
        .await?;
    Ok(u64::from(put.is_some()))
}
