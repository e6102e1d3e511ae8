//! The eraser of the embedded engine: one transaction, what is removed is overwritten, then the
//! file is written anew and its log emptied.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use schemas::event::Salt;
use schemas::hash::Hash;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, Transaction};

use super::{Eraser, NewList, Place, Removed, What, holds};
use crate::archive::{NewArchive, Part, Tombstones, sqlite as archives};
use crate::store::convert::unsigned;
use crate::store::{Month, StoreError, Stored};

/// How long a call waits for the running platform's writer.
const BUSY: Duration = Duration::from_secs(30);
/// How long the log file may stay in use by readers before this is said.
const EMPTIED: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Messages in quarantine that are looked at together.
const PAGE: i64 = 64;

/// What is chosen, what it names, whose documents hold it: leaves and places only, in memory.
const SCRATCH: &str = "
CREATE TEMP TABLE IF NOT EXISTS chosen (leaf BLOB PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS gone (
  statement BLOB, position INTEGER, leaf BLOB, PRIMARY KEY (statement, position));
CREATE TEMP TABLE IF NOT EXISTS named (
  item TEXT, statement BLOB, position INTEGER, leaf BLOB,
  PRIMARY KEY (item, statement, position));
CREATE TEMP TABLE IF NOT EXISTS sent (capturer TEXT, hash BLOB, PRIMARY KEY (capturer, hash));
DELETE FROM temp.chosen; DELETE FROM temp.gone; DELETE FROM temp.named; DELETE FROM temp.sent;
";

/// An eraser of one SQLite file; the platform may run meanwhile.
pub struct SqliteEraser {
    connection: SqliteConnection,
    name: String,
}

impl SqliteEraser {
    /// Opens the file. What this session removes is overwritten with zeros.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be opened.
    pub async fn open(file: &Path, name: &str) -> Stored<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .pragma("secure_delete", "ON")
            .pragma("temp_store", "MEMORY");
        let name = name.to_owned();
        let connection = options.connect().await?;
        Ok(Self { connection, name })
    }
}

type Writing<'t> = Transaction<'t, Sqlite>;

fn place((leaf, statement, position): (Vec<u8>, Vec<u8>, i64)) -> Stored<Place> {
    let hash = |bytes: &[u8]| Hash::from_slice(bytes).ok_or(StoreError::Corrupt("hash"));
    Ok(Place {
        leaf: hash(&leaf)?,
        statement: hash(&statement)?,
        position: unsigned(position)?,
    })
}

#[async_trait]
impl Eraser for SqliteEraser {
    fn name(&self) -> &str {
        &self.name
    }

    async fn find(&mut self, what: &What) -> Stored<Vec<Place>> {
        let mut transaction = self.connection.begin().await?;
        let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = match what {
            What::Leaves(leaves) => {
                choose(&mut transaction, leaves.iter()).await?;
                sqlx::query_as(
                    "SELECT l.leaf, l.statement, l.position
                     FROM event_leaves l JOIN temp.chosen c ON c.leaf = l.leaf",
                )
            }
            What::Item(item) => sqlx::query_as(
                "SELECT l.leaf, l.statement, l.position
                 FROM (SELECT DISTINCT statement, position FROM event_items WHERE item = $1) i
                 JOIN event_leaves l ON l.statement = i.statement AND l.position = i.position
                 UNION
                 SELECT l.leaf, l.statement, l.position FROM event_leaves l
                 JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
                 WHERE l.refused IS NOT NULL AND instr(c.bytes, CAST($1 AS BLOB)) > 0",
            )
            .bind(item.as_str()),
            What::Device { device, from, to } => sqlx::query_as(
                "SELECT l.leaf, l.statement, l.position FROM statements s
                 JOIN event_leaves l ON l.statement = s.id
                 JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
                 WHERE s.device = $1 AND coalesce(c.event_time, s.received) BETWEEN $2 AND $3",
            )
            .bind(device.to_string())
            .bind(from.to_rfc3339())
            .bind(to.to_rfc3339()),
        }
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        rows.into_iter().map(place).collect()
    }

    async fn erased(&mut self, leaves: &BTreeSet<Hash>) -> Stored<BTreeSet<Hash>> {
        let mut found = BTreeSet::new();
        for leaf in leaves {
            let row: Option<(i64,)> =
                sqlx::query_as("SELECT 1 FROM tombstones WHERE leaf = $1 LIMIT 1")
                    .bind(leaf.0.to_vec())
                    .fetch_optional(&mut self.connection)
                    .await?;
            found.extend(row.map(|_| *leaf));
        }
        Ok(found)
    }

    async fn apply(&mut self, list: &NewList, spellings: &[String]) -> Stored<Removed> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        choose(&mut transaction, list.list.leaves.iter()).await?;
        keep(&mut transaction, list).await?;
        let messages = remove_messages(&mut transaction, spellings).await?;
        run(&mut transaction, NAMES).await?;
        run(&mut transaction, ARCHIVED_NAMES).await?;
        run(&mut transaction, ARCHIVED_ITEMS).await?;
        let items = run(&mut transaction, ITEMS).await?;
        let events = run(&mut transaction, CONTENTS).await?;
        let documents = remove_documents(&mut transaction, spellings).await?;
        settle_items(&mut transaction, list).await?;
        transaction.commit().await?;
        Ok(Removed {
            events,
            items,
            documents,
            messages,
        })
    }

    async fn tombstones(&mut self) -> Stored<Tombstones> {
        archives::tombstones(&mut self.connection).await
    }

    async fn archives(&mut self) -> Stored<BTreeSet<Part>> {
        archives::archives(&mut self.connection).await
    }

    async fn add_archive(&mut self, archive: &NewArchive) -> Stored<()> {
        archives::add(&mut self.connection, archive).await
    }

    async fn months(&mut self, statements: &BTreeSet<Hash>) -> Stored<BTreeSet<Month>> {
        let mut months = BTreeSet::new();
        for id in statements {
            let (month,): (String,) = sqlx::query_as(
                "SELECT substr(coalesce(made, received), 1, 7) FROM statements WHERE id = $1",
            )
            .bind(id.0.to_vec())
            .fetch_one(&mut self.connection)
            .await?;
            months.insert(month.parse().map_err(|_| StoreError::Corrupt("month"))?);
        }
        Ok(months)
    }

    async fn clean(&mut self) -> Stored<String> {
        sqlx::raw_sql("VACUUM")
            .execute(&mut self.connection)
            .await?;
        let end = tokio::time::Instant::now() + EMPTIED;
        loop {
            let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_one(&mut self.connection)
                .await?;
            if busy == 0 {
                return Ok(
                    "the database file was written anew and its write-ahead log emptied; \
                           erase copies and backups of the file of before, or let them be \
                           restored only under this platform, which erases again at its start"
                        .to_owned(),
                );
            }
            if tokio::time::Instant::now() > end {
                return Ok(
                    "the database file was written anew, but somebody reads it: its write-ahead \
                     log (-wal) still holds pages of before until the platform is restarted"
                        .to_owned(),
                );
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

async fn run(transaction: &mut Writing<'_>, sql: &'static str) -> Stored<u64> {
    let done = sqlx::query(sql).execute(&mut **transaction).await?;
    Ok(done.rows_affected())
}

async fn choose(transaction: &mut Writing<'_>, leaves: impl Iterator<Item = &Hash>) -> Stored<()> {
    sqlx::raw_sql(SCRATCH).execute(&mut **transaction).await?;
    for leaf in leaves {
        sqlx::query("INSERT OR IGNORE INTO temp.chosen (leaf) VALUES ($1)")
            .bind(leaf.0.to_vec())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// The list, its tombstones, and where its events stand.
async fn keep(transaction: &mut Writing<'_>, list: &NewList) -> Stored<()> {
    let hash = list.hash.0.to_vec();
    let count = i64::try_from(list.list.leaves.len()).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO tombstone_lists (hash, bytes, count, made) VALUES ($1, $2, $3, $4)
         ON CONFLICT (hash) DO NOTHING",
    )
    .bind(&hash)
    .bind(&list.bytes)
    .bind(count)
    .bind(list.list.made.to_rfc3339())
    .execute(&mut **transaction)
    .await?;
    if let Some(index) = list.log_index {
        sqlx::query(
            "INSERT INTO logged_documents (kind, hash, log_index) VALUES ('tombstones', $1, $2)
             ON CONFLICT (kind, hash) DO NOTHING",
        )
        .bind(&hash)
        .bind(i64::try_from(index).unwrap_or(i64::MAX))
        .execute(&mut **transaction)
        .await?;
    }
    run(
        transaction,
        "INSERT INTO temp.gone (statement, position, leaf)
         SELECT l.statement, l.position, l.leaf
         FROM event_leaves l JOIN temp.chosen c ON c.leaf = l.leaf",
    )
    .await?;
    sqlx::query(
        "INSERT INTO tombstones (leaf, statement, position, list)
         SELECT leaf, statement, position, $1 FROM temp.gone WHERE true
         ON CONFLICT DO NOTHING",
    )
    .bind(&hash)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

const NAMES: &str = "INSERT OR IGNORE INTO temp.named (item, statement, position, leaf)
     SELECT i.item, i.statement, i.position, g.leaf FROM event_items i
     JOIN temp.gone g ON g.statement = i.statement AND g.position = i.position";
const ARCHIVED_NAMES: &str = "INSERT OR IGNORE INTO temp.named (item, statement, position, leaf)
     SELECT a.item, a.statement, a.position, g.leaf FROM archived_items a
     JOIN temp.gone g ON g.statement = a.statement AND g.position = a.position";
const ARCHIVED_ITEMS: &str = "DELETE FROM archived_items
     WHERE (statement, position) IN (SELECT statement, position FROM temp.gone)";
const ITEMS: &str = "DELETE FROM event_items
     WHERE (statement, position) IN (SELECT statement, position FROM temp.gone)";
const CONTENTS: &str = "DELETE FROM event_contents
     WHERE (statement, position) IN (SELECT statement, position FROM temp.gone)";

/// Messages in quarantine that hold the salt of an event, one of the spellings, or that were
/// erased before and are back.
async fn remove_messages(transaction: &mut Writing<'_>, spellings: &[String]) -> Stored<u64> {
    let salts: Vec<(Vec<u8>,)> = sqlx::query_as(
        "SELECT c.salt FROM event_contents c
         JOIN temp.gone g ON g.statement = c.statement AND g.position = c.position",
    )
    .fetch_all(&mut **transaction)
    .await?;
    let salts = salts.iter().filter_map(|(salt,)| Salt::from_slice(salt));
    for id in salted_messages(transaction, &salts.map(|salt| salt.0).collect()).await? {
        sqlx::query("INSERT INTO erased_messages (id) VALUES ($1) ON CONFLICT (id) DO NOTHING")
            .bind(id)
            .execute(&mut **transaction)
            .await?;
    }
    let again = "DELETE FROM quarantine WHERE id IN (SELECT id FROM erased_messages)";
    let mut removed = run(transaction, again).await?;
    for spelling in spellings {
        let done = sqlx::query("DELETE FROM quarantine WHERE instr(bytes, $1) > 0")
            .bind(spelling.as_bytes())
            .execute(&mut **transaction)
            .await?;
        removed += done.rows_affected();
    }
    Ok(removed)
}

async fn salted_messages(
    transaction: &mut Writing<'_>,
    salts: &BTreeSet<[u8; 16]>,
) -> Stored<Vec<Vec<u8>>> {
    let (mut found, mut after) = (Vec::new(), -1);
    while !salts.is_empty() {
        let page: Vec<(i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT rowid, id, bytes FROM quarantine WHERE rowid > $1 ORDER BY rowid LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut **transaction)
        .await?;
        let Some((last, _, _)) = page.last() else {
            break;
        };
        after = *last;
        let salted = page.into_iter().filter(|(_, _, bytes)| holds(bytes, salts));
        found.extend(salted.map(|(_, id, _)| id));
    }
    Ok(found)
}

/// Documents of the capture interface that hold an event or one of the spellings, or belong to no
/// job any more, with their jobs: a job's id and its document's hash can be guessed from what was
/// sent.
async fn remove_documents(transaction: &mut Writing<'_>, spellings: &[String]) -> Stored<u64> {
    run(
        transaction,
        "INSERT OR IGNORE INTO temp.sent (capturer, hash)
         SELECT c.capturer, c.document FROM captures c
         JOIN capture_events e ON e.capturer = c.capturer AND e.capture = c.id
         JOIN temp.gone g ON g.statement = e.statement AND g.position = e.position
         UNION
         SELECT d.capturer, d.hash FROM capture_documents d WHERE NOT EXISTS
           (SELECT 1 FROM captures c WHERE c.capturer = d.capturer AND c.document = d.hash)",
    )
    .await?;
    for spelling in spellings {
        sqlx::query(
            "INSERT OR IGNORE INTO temp.sent (capturer, hash)
             SELECT capturer, hash FROM capture_documents WHERE instr(bytes, $1) > 0",
        )
        .bind(spelling.as_bytes())
        .execute(&mut **transaction)
        .await?;
    }
    for sql in [
        "DELETE FROM capture_events WHERE (capturer, capture) IN
           (SELECT c.capturer, c.id FROM captures c
            JOIN temp.sent s ON s.capturer = c.capturer AND s.hash = c.document)",
        "DELETE FROM captures WHERE (capturer, document) IN
           (SELECT capturer, hash FROM temp.sent)",
        // What a partly restored backup brought back without its job.
        "DELETE FROM capture_events WHERE (statement, position) IN
           (SELECT statement, position FROM temp.gone)",
    ] {
        run(transaction, sql).await?;
    }
    let documents = "DELETE FROM capture_documents WHERE (capturer, hash) IN
                       (SELECT capturer, hash FROM temp.sent)";
    run(transaction, documents).await
}

/// Items that still have events say that one was erased; of the others nothing is left.
async fn settle_items(transaction: &mut Writing<'_>, list: &NewList) -> Stored<()> {
    for sql in [
        "DELETE FROM scans WHERE item IN (SELECT item FROM temp.named)
           AND NOT EXISTS (SELECT 1 FROM event_items i WHERE i.item = scans.item)
           AND NOT EXISTS (SELECT 1 FROM archived_items a WHERE a.item = scans.item)",
        "DELETE FROM unknown_scans WHERE item IN (SELECT item FROM temp.named)
           AND NOT EXISTS (SELECT 1 FROM event_items i WHERE i.item = unknown_scans.item)
           AND NOT EXISTS (SELECT 1 FROM archived_items a WHERE a.item = unknown_scans.item)",
        "DELETE FROM erased_items WHERE item IN (SELECT item FROM temp.named)
           AND NOT EXISTS (SELECT 1 FROM event_items i WHERE i.item = erased_items.item)
           AND NOT EXISTS (SELECT 1 FROM archived_items a WHERE a.item = erased_items.item)",
    ] {
        run(transaction, sql).await?;
    }
    sqlx::query(
        "INSERT INTO erased_items (item, statement, position, leaf, reason, made)
         SELECT n.item, n.statement, n.position, n.leaf, $1, $2 FROM temp.named n
         WHERE EXISTS (SELECT 1 FROM event_items i WHERE i.item = n.item)
            OR EXISTS (SELECT 1 FROM archived_items a WHERE a.item = n.item)
         ON CONFLICT DO NOTHING",
    )
    .bind(&list.list.reason)
    .bind(list.list.made.to_rfc3339())
    .execute(&mut **transaction)
    .await?;
    sqlx::raw_sql(SCRATCH).execute(&mut **transaction).await?;
    Ok(())
}
