//! The embedded engine: one SQLite file, one writer, a pool of readers, WAL, synchronous FULL.

mod captures;
mod ingest;
mod log;
mod registry;
mod trace;

use std::path::Path;
use std::time::Duration;

use schemas::event::{Salt, Source};
use schemas::hash::Hash;
use schemas::time::Instant;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{StoreError, Stored};

/// Readers at once; more would only wait for the disk.
const READERS: u32 = 4;
/// How long a call waits for the writer of another process.
const BUSY: Duration = Duration::from_secs(10);

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
        let writer = SqlitePoolOptions::new()
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

    /// Closes both pools; what was acknowledged is on disk already.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

fn instant(text: &str) -> Stored<Instant> {
    Instant::parse_rfc3339(text).ok_or(StoreError::Corrupt("instant"))
}

fn hash(bytes: &[u8]) -> Stored<Hash> {
    Hash::from_slice(bytes).ok_or(StoreError::Corrupt("hash"))
}

fn salt(bytes: &[u8]) -> Stored<Salt> {
    Salt::from_slice(bytes).ok_or(StoreError::Corrupt("salt"))
}

fn source(number: i64) -> Stored<Source> {
    u64::try_from(number)
        .ok()
        .and_then(Source::from_number)
        .ok_or(StoreError::Corrupt("source"))
}

fn unsigned(number: i64) -> Stored<u64> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt("number"))
}

/// Integers of the formats are below 2^53 and fit.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A list of texts for `json_each`.
fn json_list(texts: &[String]) -> String {
    serde_json::Value::from(texts.to_vec()).to_string()
}
