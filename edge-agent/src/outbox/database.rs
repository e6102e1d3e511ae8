//! Opening the SQLite file: WAL, synchronous FULL, one schema version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::OutboxError;
use super::events::{event_columns, mark};

/// File name in the state directory.
pub const DATABASE_FILE: &str = "outbox.db";
/// Version of `schema.sql` and `chain.sql`.
const SCHEMA_VERSION: i64 = 4;
const CHAIN: &str = include_str!("chain.sql");
const SCHEMA: &str = concat!(include_str!("chain.sql"), include_str!("schema.sql"));
/// From version 1 to 2.
const STEP_2: &str = include_str!("step_2.sql");
/// From version 2: what is there is put out of the way, and then its rows are taken over.
const FROM_2: &str = include_str!("from_2.sql");
const FROM_2_ROWS: &str = include_str!("from_2_rows.sql");
/// From version 3, of which one table is another now.
const FROM_3: &str = include_str!("from_3.sql");
const FROM_3_ROWS: &str = include_str!("from_3_rows.sql");
/// Bytes of a page: a commit writes whole pages, and most of what it changes is small. At 4,096 the
/// same commits write twice as much.
const PAGE_BYTES: u32 = 512;
/// Unit of [`super::Opening::pages_max`].
const LIMIT_BYTES: u64 = 4_096;
/// What SQLite keeps beside a file in WAL mode.
const LOGS: [&str; 2] = ["-wal", "-shm"];
/// Pages of the write-ahead log after which it is folded in: a page that has changed many times
/// since is written once. 2 MiB.
const FOLD_PAGES: &str = "4096";

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        // Counts for a new file only.
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        // What is deleted is overwritten: an event that the platform has is on this disk no more.
        .pragma("secure_delete", "ON")
        .pragma("wal_autocheckpoint", FOLD_PAGES)
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
    let form = form(&mut connection).await?;
    // The number is four bytes of one page; what counts is which tables are there. Others beside them
    // are somebody else's.
    if present_form().await?.iter().all(|part| form.contains(part)) {
        if version != SCHEMA_VERSION {
            set_version(&mut connection).await?;
        }
        return Ok(connection);
    }
    match version {
        0 if form.is_empty() => create(&mut connection).await?,
        1 => {
            upgrade(
                &mut connection,
                &[STEP_2, FROM_2, SCHEMA, FROM_2_ROWS],
                true,
            )
            .await?
        }
        2 => upgrade(&mut connection, &[FROM_2, SCHEMA, FROM_2_ROWS], true).await?,
        3 => upgrade(&mut connection, &[FROM_3, CHAIN, FROM_3_ROWS], false).await?,
        0 | SCHEMA_VERSION => {
            let problem = "its tables are not those that it was made with";
            return Err(OutboxError::Damaged(problem.to_owned()));
        }
        other => return Err(OutboxError::Version(other)),
    }
    Ok(connection)
}

/// Names and texts of all tables and indexes.
async fn form(db: &mut SqliteConnection) -> Result<Vec<(String, Option<String>)>, OutboxError> {
    let rows = sqlx::query_as("SELECT name, sql FROM sqlite_schema ORDER BY name");
    Ok(rows.fetch_all(db).await?)
}

/// The same of a file that is made now.
async fn present_form() -> Result<Vec<(String, Option<String>)>, OutboxError> {
    let mut fresh = SqliteConnectOptions::new()
        .in_memory(true)
        .connect()
        .await?;
    sqlx::raw_sql(SCHEMA).execute(&mut fresh).await?;
    form(&mut fresh).await
}

/// Another connection for the writer to a database that was sound when it was opened.
pub(super) async fn reconnect(
    path: &Path,
    pages_max: Option<u32>,
) -> Result<SqliteConnection, OutboxError> {
    let mut connection = options(path).create_if_missing(false).connect().await?;
    if let Some(pages) = pages_max {
        limit(&mut connection, pages).await?;
    }
    Ok(connection)
}

/// The file may grow to so many pages of [`LIMIT_BYTES`] and no further.
pub(super) async fn limit(
    connection: &mut SqliteConnection,
    pages_max: u32,
) -> Result<(), OutboxError> {
    let page: i64 = sqlx::query_scalar("PRAGMA page_size")
        .fetch_one(&mut *connection)
        .await?;
    let page = u64::try_from(page).unwrap_or(LIMIT_BYTES).max(1);
    let pages = u64::from(pages_max) * LIMIT_BYTES / page;
    let pragma = format!("PRAGMA max_page_count = {pages}");
    sqlx::raw_sql(AssertSqlSafe(pragma))
        .execute(connection)
        .await?;
    Ok(())
}

/// Bytes of pages that hold something.
pub(super) async fn used(connection: &mut SqliteConnection) -> Result<u64, OutboxError> {
    let used: i64 = sqlx::query_scalar(
        "SELECT (pages.page_count - free.freelist_count) * size.page_size
         FROM pragma_page_count AS pages, pragma_freelist_count AS free,
              pragma_page_size AS size",
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(used).unwrap_or(0))
}

async fn create(connection: &mut SqliteConnection) -> Result<(), OutboxError> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    set_version(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

async fn set_version(connection: &mut SqliteConnection) -> Result<(), OutboxError> {
    let pragma = format!("PRAGMA user_version = {SCHEMA_VERSION}");
    let set = sqlx::raw_sql(AssertSqlSafe(pragma));
    set.execute(connection).await?;
    Ok(())
}

/// Brings the file to this version, whole or not at all.
async fn upgrade(
    connection: &mut SqliteConnection,
    scripts: &[&'static str],
    lacks_marks: bool,
) -> Result<(), OutboxError> {
    let mut transaction = connection.begin().await?;
    for script in scripts {
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
    }
    if lacks_marks {
        mark_all(&mut transaction).await?;
    }
    set_version(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Sets the marks of events, which only the program can compute.
async fn mark_all(db: &mut SqliteConnection) -> Result<(), OutboxError> {
    let numbers: Vec<i64> = sqlx::query_scalar("SELECT number FROM events")
        .fetch_all(&mut *db)
        .await?;
    for number in numbers {
        let row = sqlx::query("SELECT source, salt, bytes FROM events WHERE number = $1")
            .bind(number)
            .fetch_one(&mut *db)
            .await?;
        let (source, salt, bytes) = event_columns(&row)?;
        sqlx::query("UPDATE events SET mark = $2 WHERE number = $1")
            .bind(number)
            .bind(mark(source, &salt, &bytes))
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Connections that only look.
pub(super) fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(2)
        .connect_lazy_with(options(path))
}

/// A look at a file that may be damaged: no check, and nothing is made.
pub(super) async fn look(path: &Path) -> Result<SqliteConnection, OutboxError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(false)
        .busy_timeout(Duration::from_secs(10));
    Ok(options.connect().await?)
}

/// Closes a database that was made aside: all of it is in its one file, and on the disk.
pub(super) async fn seal(mut db: SqliteConnection, path: &Path) -> Result<(), OutboxError> {
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut db)
        .await?;
    db.close().await?;
    let log = std::fs::metadata(beside(path, LOGS[0]));
    if log.is_ok_and(|log| log.len() > 0) {
        let problem = "the log of the new outbox could not be folded in";
        return Err(OutboxError::Store(problem.to_owned()));
    }
    let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| OutboxError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Puts a damaged database aside with its log files, for a person to look at.
pub(super) fn put_aside(path: &Path) -> std::io::Result<PathBuf> {
    let aside = (0..)
        .map(|number| aside(path, number))
        .find(|candidate| !candidate.exists())
        .unwrap_or_else(|| path.with_extension("db.damaged"));
    std::fs::rename(path, &aside)?;
    put_logs_aside(path, &aside)?;
    Ok(aside)
}

/// Puts the log files of a database aside that is aside itself.
pub(super) fn put_logs_aside(path: &Path, aside: &Path) -> std::io::Result<()> {
    for suffix in LOGS {
        match std::fs::rename(beside(path, suffix), beside(aside, suffix)) {
            // SQLite removes it when the last connection is closed, which may be at this moment.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
    }
    Ok(())
}

/// The database that was put aside last.
pub(super) fn newest_aside(path: &Path) -> Option<PathBuf> {
    (0..)
        .map(|number| aside(path, number))
        .take_while(|candidate| candidate.exists())
        .last()
}

/// Gives a sealed database its name, durably.
pub(super) fn put_in_place(new: &Path, path: &Path) -> std::io::Result<()> {
    for suffix in LOGS {
        remove_file(&beside(new, suffix))?;
    }
    std::fs::rename(new, path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

/// Removes a database with its log files; none is well too.
pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    remove_file(path)?;
    LOGS.iter()
        .try_for_each(|suffix| remove_file(&beside(path, suffix)))
}

fn remove_file(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn aside(path: &Path, number: u32) -> PathBuf {
    path.with_extension(format!("db.damaged-{number}"))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn columns(connection: &mut SqliteConnection) -> Vec<(String, String, String, i64)> {
        sqlx::query_as(
            "SELECT m.name, c.name, c.type, c.\"notnull\" FROM sqlite_schema m, pragma_table_info(m.name) c
             WHERE m.type = 'table' ORDER BY m.name, c.cid",
        )
        .fetch_all(connection)
        .await
        .expect("columns")
    }

    /// The file of version 1, and how it becomes one of version 2.
    const VERSION_1: &str = include_str!("../../tests/integration/outbox-1.sql");

    #[tokio::test]
    async fn a_file_of_each_version_before_becomes_what_a_new_one_is() {
        let folder = tempfile::tempdir().expect("folder");
        let mut fresh = open(&folder.path().join("new.db")).await.expect("fresh");
        for (version, scripts) in [(1, &[VERSION_1][..]), (2, &[VERSION_1, STEP_2])] {
            let path = folder.path().join(format!("{version}.db"));
            let mut old = options(&path).connect().await.expect("made");
            for script in scripts {
                sqlx::raw_sql(*script).execute(&mut old).await.expect("old");
            }
            let event = format!(
                "INSERT INTO events (source, salt, bytes) VALUES (2, zeroblob(16), x'7b7d');
                 PRAGMA user_version = {version}"
            );
            let made = sqlx::raw_sql(AssertSqlSafe(event)).execute(&mut old).await;
            made.expect("an event");
            old.close().await.expect("closed");
            let mut upgraded = open(&path).await.expect("upgraded");
            assert_eq!(columns(&mut upgraded).await, columns(&mut fresh).await);
            let kept: Vec<(bool, i64)> = sqlx::query_as("SELECT life_cycle, mark FROM events")
                .fetch_all(&mut upgraded)
                .await
                .expect("rows");
            let salt = schemas::event::Salt([0; 16]);
            let source = schemas::event::Source::from_number(2).expect("a source");
            assert_eq!(kept, [(true, mark(source, &salt, b"{}"))]);
        }
    }
}
