//! Hands on a gateway's disk that are not the agent's: an auditor's and a cheating owner's.
//!
//! The **auditor** fits a recorder into the outbox file: a trigger that copies every event at the
//! very commit that makes it durable. The copy outlives the body, which the agent forgets on its
//! receipt, so that what was made can be held against what is proven without asking agent or
//! platform.
//!
//! The **owner** deletes what it does not like while the agent is stopped.

use std::path::Path;
use std::time::Duration;

use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row};

/// How long somebody else's transaction is waited for.
const BUSY: Duration = Duration::from_secs(10);

/// The auditor's copy.
const RECORDER: &str = "
CREATE TABLE IF NOT EXISTS recorder (
    number INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    salt BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS record AFTER INSERT ON events BEGIN
    INSERT INTO recorder (number, source, salt, bytes)
    VALUES (new.number, new.source, new.salt, new.bytes);
END;
";

/// An outbox that cannot be reached into.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// SQLite says no.
    #[error("the outbox file cannot be used")]
    Database(#[from] sqlx::Error),
    /// A row holds no event.
    #[error("event {0} of the outbox is none")]
    Event(i64),
}

/// Fits the recorder into an outbox that exists.
///
/// # Errors
/// [`RecorderError::Database`].
pub async fn fit(outbox: &Path) -> Result<(), RecorderError> {
    let mut connection = open(outbox).await?;
    sqlx::raw_sql(RECORDER).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Leaves of everything that was recorded, in the order in which it was made.
///
/// # Errors
/// [`RecorderError`].
pub async fn recorded(outbox: &Path) -> Result<Vec<Hash>, RecorderError> {
    let mut connection = open(outbox).await?;
    let rows = sqlx::query("SELECT number, source, salt, bytes FROM recorder ORDER BY number")
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    rows.iter().map(leaf).collect()
}

/// Deletes every statement that has no receipt yet, with its events; answers with their leaves.
/// The agent of this outbox must not run.
///
/// # Errors
/// [`RecorderError`].
pub async fn hide_unsent(outbox: &Path) -> Result<Vec<Hash>, RecorderError> {
    const UNSENT: &str = "SELECT 1 FROM statements WHERE receipt IS NULL
                          AND events.number BETWEEN first AND last";
    let mut connection = open(outbox).await?;
    let mut transaction = connection.begin().await?;
    let events =
        format!("DELETE FROM events WHERE EXISTS ({UNSENT}) RETURNING number, source, salt, bytes");
    let rows = sqlx::query(sqlx::AssertSqlSafe(events))
        .fetch_all(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM statements WHERE receipt IS NULL")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    connection.close().await?;
    rows.iter().map(leaf).collect()
}

async fn open(outbox: &Path) -> Result<SqliteConnection, RecorderError> {
    let options = SqliteConnectOptions::new()
        .filename(outbox)
        .busy_timeout(BUSY);
    Ok(options.foreign_keys(false).connect().await?)
}

fn leaf(row: &SqliteRow) -> Result<Hash, RecorderError> {
    let number: i64 = row.try_get(0)?;
    let broken = || RecorderError::Event(number);
    let source: i64 = row.try_get(1)?;
    let source = u64::try_from(source)
        .ok()
        .and_then(Source::from_number)
        .ok_or_else(broken)?;
    let salt: Vec<u8> = row.try_get(2)?;
    let salt = Salt(salt.try_into().map_err(|_| broken())?);
    let bytes = edge_agent::outbox::body::unpack(row.try_get(3)?).ok_or_else(broken)?;
    let event = Event::parse(bytes).map_err(|_| broken())?;
    Ok(event.leaf(source, &salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of an outbox that the recorder and the owner touch.
    const TABLES: &str = "
        CREATE TABLE statements (position INTEGER PRIMARY KEY, first INTEGER NOT NULL,
            last INTEGER NOT NULL, receipt INTEGER);
        CREATE TABLE events (number INTEGER PRIMARY KEY, source INTEGER NOT NULL,
            salt BLOB NOT NULL, bytes BLOB NOT NULL);";

    async fn outbox(path: &Path) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(TABLES)
            .execute(&mut connection)
            .await
            .unwrap();
        connection
    }

    async fn add(connection: &mut SqliteConnection, statement: i64, receipt: Option<i64>) {
        sqlx::query("INSERT INTO statements VALUES ($1, $1, $1, $2)")
            .bind(statement)
            .bind(receipt)
            .execute(&mut *connection)
            .await
            .unwrap();
        sqlx::query("INSERT INTO events (number, source, salt, bytes) VALUES ($1, 2, $2, $3)")
            .bind(statement)
            .bind([u8::try_from(statement).unwrap(); 16].as_slice())
            .bind(br#"{"type":"ObjectEvent"}"#.as_slice())
            .execute(connection)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn the_recorder_keeps_what_the_owner_deletes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.db");
        let mut connection = outbox(&path).await;
        fit(&path).await.unwrap();
        fit(&path).await.unwrap();
        add(&mut connection, 1, Some(1)).await;
        add(&mut connection, 2, None).await;
        add(&mut connection, 3, None).await;
        let made = recorded(&path).await.unwrap();
        assert_eq!(made.len(), 3);
        let hidden = hide_unsent(&path).await.unwrap();
        assert_eq!(hidden, made[1..]);
        assert_eq!(recorded(&path).await.unwrap(), made);
        assert!(hide_unsent(&path).await.unwrap().is_empty());
    }
}
