//! The embedded engine: one SQLite file, one writer, a pool of readers, WAL, synchronous FULL.

mod batches;
mod captures;
mod chains;
mod consents;
mod erasure;
mod handed;
mod ingest;
mod log;
mod readers;
mod registry;
mod search;
mod trace;

use std::path::Path;
use std::time::Duration;

use kit::people::tables::{KeepsPeople, SqlitePeople};
use schemas::time::Instant;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, SqlitePool};

use super::convert::{address, hash, place, signed, source, unsigned};
use super::{StoreError, Stored};

/// Readers at once; more would only wait for the disk.
const READERS: u32 = 4;
/// How long a call waits for the writer of another process.
const BUSY: Duration = Duration::from_secs(10);
/// Takes the write lock at once: a transaction that reads first could not wait for another
/// process's write, since what it has read would be of before.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The platform's store in one file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, making it and its schema where needed.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be opened or migrated.
    pub async fn open(file: &Path) -> Stored<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let writer = kit::sqlite::recovering(SqlitePoolOptions::new())
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        Ok(Self { writer, reader })
    }

    /// Lets the file grow to so many pages of 4,096 bytes and no further, as a full disk does; as
    /// far as SQLite can where there is no number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn limit(&self, pages: Option<u32>) -> Stored<()> {
        let pages = pages.unwrap_or(u32::MAX - 1);
        let pragma = format!("PRAGMA max_page_count = {pages}");
        sqlx::raw_sql(AssertSqlSafe(pragma))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Closes both pools; what was acknowledged is on disk already.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

impl KeepsPeople for SqliteStore {
    type Tables = SqlitePeople;

    fn tables(&self) -> SqlitePeople {
        let (reader, writer) = (self.reader.clone(), self.writer.clone());
        SqlitePeople { reader, writer }
    }
}

fn instant(text: &str) -> Stored<Instant> {
    Instant::parse_rfc3339(text).ok_or(StoreError::Corrupt("instant"))
}

/// A list of texts for `json_each`.
fn json_list(texts: &[String]) -> String {
    serde_json::Value::from(texts.to_vec()).to_string()
}
