//! Content in one SQLite file. The platform may run meanwhile: each change is one transaction of the
//! writer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use schemas::hash::Hash;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, Transaction};

use super::holder::{Holder, NewArchive, Removed, Returning};
use super::{Part, Tombstones};
use crate::erase::{Eraser as _, SqliteEraser};
use crate::store::convert::{hash, signed, unsigned};
use crate::store::{Month, StoreError, Stored};

/// How long a call waits for the running platform's writer.
const BUSY: Duration = Duration::from_secs(30);
/// Statements that are removed together.
const SCRATCH: &str = "CREATE TEMP TABLE IF NOT EXISTS leaving (statement BLOB PRIMARY KEY);
                       DELETE FROM temp.leaving";

/// The content of one file.
pub struct SqliteHolder {
    connection: SqliteConnection,
    file: PathBuf,
}

impl SqliteHolder {
    /// Opens the file.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be opened.
    pub async fn open(file: &Path) -> Stored<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .pragma("temp_store", "MEMORY");
        Ok(Self {
            connection: options.connect().await?,
            file: file.to_owned(),
        })
    }
}

/// All erased events.
pub(crate) async fn tombstones(connection: &mut SqliteConnection) -> Stored<Tombstones> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT leaf, min(list) FROM tombstones GROUP BY leaf")
            .fetch_all(connection)
            .await?;
    rows.iter()
        .map(|(leaf, list)| Ok((hash(leaf)?, hash(list)?)))
        .collect()
}

/// Files that the database was told of.
pub(crate) async fn archives(connection: &mut SqliteConnection) -> Stored<BTreeSet<Part>> {
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT DISTINCT month, part FROM archives")
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(part).collect()
}

/// A row of `archives`.
pub(super) fn part((month, number): (String, i64)) -> Stored<Part> {
    Ok(Part {
        month: month.parse().map_err(|_| StoreError::Corrupt("month"))?,
        number: unsigned(number)?,
    })
}

/// Tells the database of a file.
pub(crate) async fn add(connection: &mut SqliteConnection, archive: &NewArchive) -> Stored<()> {
    sqlx::query(
        "INSERT INTO archives (hash, month, part, events, made) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (hash) DO NOTHING",
    )
    .bind(archive.hash.0.to_vec())
    .bind(archive.part.month.to_string())
    .bind(signed(archive.part.number))
    .bind(signed(archive.events))
    .bind(archive.made.to_rfc3339())
    .execute(connection)
    .await?;
    Ok(())
}

type Writing<'t> = Transaction<'t, Sqlite>;

async fn erased_since(transaction: &mut Writing<'_>, known: usize) -> Stored<bool> {
    let (count,): (i64,) = sqlx::query_as("SELECT count(DISTINCT leaf) FROM tombstones")
        .fetch_one(&mut **transaction)
        .await?;
    Ok(count != signed(known as u64))
}

#[async_trait]
impl Holder for SqliteHolder {
    async fn months(&mut self, before: Month) -> Stored<Vec<Month>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT DISTINCT substr(coalesce(s.made, s.received), 1, 7) AS month
             FROM statements s WHERE coalesce(s.made, s.received) < $1
               AND EXISTS (SELECT 1 FROM event_contents c WHERE c.statement = s.id)
             ORDER BY month",
        )
        .bind(before.first().to_rfc3339())
        .fetch_all(&mut self.connection)
        .await?;
        let month = |(text,): &(String,)| text.parse().map_err(|_| StoreError::Corrupt("month"));
        rows.iter().map(month).collect()
    }

    async fn statements(&mut self, month: Month) -> Stored<BTreeSet<Hash>> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
            "SELECT DISTINCT c.statement FROM statements s
             JOIN event_contents c ON c.statement = s.id
             WHERE coalesce(s.made, s.received) >= $1 AND coalesce(s.made, s.received) < $2",
        )
        .bind(month.first().to_rfc3339())
        .bind(month.next().first().to_rfc3339())
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
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        if erased_since(&mut transaction, tombstones).await? {
            return Ok(None);
        }
        sqlx::raw_sql(SCRATCH).execute(&mut *transaction).await?;
        for id in statements {
            sqlx::query("INSERT INTO temp.leaving (statement) VALUES ($1)")
                .bind(id.0.to_vec())
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(
            "INSERT INTO archived_items (item, statement, position, leaf, month)
             SELECT DISTINCT i.item, i.statement, i.position, l.leaf, $1
             FROM event_items i JOIN temp.leaving g ON g.statement = i.statement
             JOIN event_leaves l ON l.statement = i.statement AND l.position = i.position
             WHERE true ON CONFLICT DO NOTHING",
        )
        .bind(month.to_string())
        .execute(&mut *transaction)
        .await?;
        let items = "DELETE FROM event_items
                     WHERE statement IN (SELECT statement FROM temp.leaving)";
        sqlx::query(items).execute(&mut *transaction).await?;
        let contents = "DELETE FROM event_contents
                        WHERE statement IN (SELECT statement FROM temp.leaving)";
        let removed = sqlx::query(contents).execute(&mut *transaction).await?;
        sqlx::raw_sql(SCRATCH).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Some(Removed {
            events: removed.rows_affected(),
            whole: false,
        }))
    }

    async fn put_back(&mut self, events: &[Returning], tombstones: usize) -> Stored<Option<u64>> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        if erased_since(&mut transaction, tombstones).await? {
            return Ok(None);
        }
        let mut count = 0;
        for event in events {
            count += put_one(&mut transaction, event).await?;
        }
        transaction.commit().await?;
        Ok(Some(count))
    }

    async fn clean(&mut self) -> Stored<()> {
        let mut eraser = SqliteEraser::open(&self.file, "").await?;
        eraser.clean().await.map(drop)
    }
}

async fn put_one(transaction: &mut Writing<'_>, event: &Returning) -> Stored<u64> {
    let (id, position) = (event.statement.0.to_vec(), signed(event.position));
    let time = event.event_time.map(schemas::time::Instant::to_rfc3339);
    let done = sqlx::query(
        "INSERT INTO event_contents (statement, position, bytes, salt, event_time, step)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(&id)
    .bind(position)
    .bind(&event.bytes)
    .bind(event.salt.0.to_vec())
    .bind(&time)
    .bind(&event.step)
    .execute(&mut **transaction)
    .await?;
    for (item, role) in &event.items {
        sqlx::query(
            "INSERT INTO event_items (item, event_time, statement, position, role)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(item)
        .bind(&time)
        .bind(&id)
        .bind(position)
        .bind(*role)
        .execute(&mut **transaction)
        .await?;
    }
    sqlx::query("DELETE FROM archived_items WHERE statement = $1 AND position = $2")
        .bind(&id)
        .bind(position)
        .execute(&mut **transaction)
        .await?;
    Ok(done.rows_affected())
}
