//! Opening the SQLite file: WAL, synchronous FULL, one schema version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use super::OutboxError;

/// File name in the state directory.
pub const DATABASE_FILE: &str = "outbox.db";
/// Version of `schema.sql`.
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        // What is deleted is overwritten: an event that the platform has is on this disk no more.
        .pragma("secure_delete", "ON")
        .busy_timeout(Duration::from_secs(10))
}

/// The writer's connection to a sound database of this version.
pub(super) async fn open(path: &Path) -> Result<SqliteConnection, OutboxError> {
    let mut connection = options(path).connect().await?;
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut connection)
        .await?;
    if verdict != "ok" {
        return Err(OutboxError::Damaged(verdict));
    }
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut connection)
        .await?;
    match version {
        0 => create(&mut connection).await?,
        SCHEMA_VERSION => {}
        other => return Err(OutboxError::Version(other)),
    }
    Ok(connection)
}

async fn create(connection: &mut SqliteConnection) -> Result<(), OutboxError> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    sqlx::raw_sql("PRAGMA user_version = 1")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Connections that only look.
pub(super) fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(2)
        .connect_lazy_with(options(path))
}

/// Puts a damaged database aside with its log files, for a person to look at.
pub(super) fn put_aside(path: &Path) -> std::io::Result<PathBuf> {
    let aside = (0..)
        .map(|number: u32| path.with_extension(format!("db.damaged-{number}")))
        .find(|candidate| !candidate.exists())
        .unwrap_or_else(|| path.with_extension("db.damaged"));
    std::fs::rename(path, &aside)?;
    for suffix in ["-wal", "-shm"] {
        let beside = PathBuf::from(format!("{}{suffix}", path.display()));
        if beside.exists() {
            std::fs::rename(&beside, format!("{}{suffix}", aside.display()))?;
        }
    }
    Ok(aside)
}
