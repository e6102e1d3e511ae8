//! A look into the outbox of a running agent, from outside and without a lock that it would feel.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use edge_agent::outbox::{DATABASE_FILE, body};
use serde_json::Value;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// An open connection that reads.
pub(super) struct Peek(SqliteConnection);

/// Counts of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Lines that were read.
    pub(super) lines: i64,
    /// Events without a receipt.
    pub(super) events: i64,
    /// Statements whose inclusion is not verified.
    pub(super) statements: i64,
    /// Statements without a receipt.
    pub(super) unreceipted: i64,
    /// The number of the newest event.
    pub(super) newest: i64,
}

impl Peek {
    /// Of a state folder with an outbox in it.
    pub(super) async fn open(state: &Path) -> Result<Peek> {
        let options = SqliteConnectOptions::new()
            .filename(state.join(DATABASE_FILE))
            .busy_timeout(Duration::from_secs(5));
        let connection = SqliteConnection::connect_with(&options).await;
        Ok(Peek(connection.context("the agent's outbox")?))
    }

    pub(super) async fn counts(&mut self) -> Result<Counts> {
        let row: (i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(max(line), 0) FROM scans),
                    (SELECT count(*) FROM events),
                    (SELECT count(*) FROM statements),
                    (SELECT count(*) FROM statements WHERE receipt IS NULL),
                    (SELECT newest FROM chain)",
        )
        .fetch_one(&mut self.0)
        .await?;
        let (lines, events, statements, unreceipted, newest) = row;
        Ok(Counts {
            lines,
            events,
            statements,
            unreceipted,
            newest,
        })
    }

    /// How many lines were read: cheap enough to ask all the time.
    pub(super) async fn lines(&mut self) -> Result<i64> {
        let lines = sqlx::query_scalar("SELECT coalesce(max(line), 0) FROM scans");
        Ok(lines.fetch_one(&mut self.0).await?)
    }

    /// Events that are younger than the one of this number and have no receipt.
    pub(super) async fn after(&mut self, number: i64) -> Result<Vec<Vec<u8>>> {
        let stored = sqlx::query_scalar("SELECT bytes FROM events WHERE number > $1");
        let stored: Vec<Vec<u8>> = stored.bind(number).fetch_all(&mut self.0).await?;
        unpacked(stored)
    }

    /// Mean length of the events that have no receipt; none where all have.
    pub(super) async fn event_bytes(&mut self) -> Result<Option<f64>> {
        let bodies = self.after(i64::MIN).await?;
        let bytes: usize = bodies.iter().map(Vec::len).sum();
        Ok((!bodies.is_empty()).then(|| bytes as f64 / bodies.len() as f64))
    }

    /// Events that were made since enrolment.
    pub(super) async fn made(&mut self) -> Result<u64> {
        let counts = sqlx::query_scalar("SELECT counts FROM chain");
        let counts: String = counts.fetch_one(&mut self.0).await?;
        let counts: Value = serde_json::from_str(&counts)?;
        counts["events_made"].as_u64().context("no events_made")
    }
}

/// Events as they were signed.
fn unpacked(stored: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let event = |stored| body::unpack(stored).context("the body of an event is damaged");
    stored.into_iter().map(event).collect()
}
