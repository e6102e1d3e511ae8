//! What PostgreSQL itself can do with the same rows: COPY of the run's final rows, byte for byte,
//! into empty tables of the same schema on the same server, one connection, a transaction for each
//! thousand rows.

use std::time::Instant;

use anyhow::{Context, ensure};
use futures_util::TryStreamExt;
use platform::store::postgres::PostgresStore;
use serde::Serialize;
use sqlx::{Connection, PgConnection};

/// Tables that an event's way fills, by the platform's migrations.
const TABLES: [&str; 8] = [
    "statements",
    "event_leaves",
    "event_contents",
    "event_items",
    "batches",
    "batch_statements",
    "log_entries",
    "log_heads",
];
/// The table with one row an event.
const EVENTS: &str = "event_contents";
/// Rows of one transaction.
const ROWS: usize = 1_000;
/// Signature of the binary format, no flags, no extension (PostgreSQL, "COPY", "Binary Format").
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// End of the binary format.
const TAIL: [u8; 2] = [0xff, 0xff];

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Copied {
    /// Events among the rows.
    pub events: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of all rows in the binary format.
    pub bytes: u64,
    /// Transactions.
    pub transactions: u64,
    /// Seconds.
    pub seconds: f64,
    /// Events a second.
    pub events_per_second: f64,
}

/// Copies the rows of the database at `from` into the empty one at `to`.
///
/// # Errors
/// When PostgreSQL refuses, or the copy is not the same.
pub async fn copy(from: &str, to: &str) -> anyhow::Result<Copied> {
    PostgresStore::open(&to.parse()?).await?.close().await;
    let mut from = PgConnection::connect(from).await?;
    let mut to = PgConnection::connect(to).await?;
    let mut tables = Vec::new();
    for table in TABLES {
        tables.push((table, dump(&mut from, table).await?));
    }
    let mut copied = Copied {
        events: 0,
        rows: 0,
        bytes: 0,
        transactions: 0,
        seconds: 0.0,
        events_per_second: 0.0,
    };
    let started = Instant::now();
    for (table, rows) in &tables {
        load(&mut to, table, rows, &mut copied).await?;
    }
    copied.seconds = started.elapsed().as_secs_f64();
    for (table, rows) in &tables {
        let same = sorted(&dump(&mut to, table).await?) == sorted(rows);
        ensure!(same, "{table} has changed");
        copied.rows += rows.len() as u64;
        if *table == EVENTS {
            copied.events = rows.len() as u64;
        }
    }
    copied.events_per_second = copied.events as f64 / copied.seconds;
    Ok(copied)
}

fn sorted(rows: &[Vec<u8>]) -> Vec<&[u8]> {
    let mut rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    rows.sort_unstable();
    rows
}

/// Rows of a table in the binary format, in the order in which the run has left them.
async fn dump(connection: &mut PgConnection, table: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let statement = format!("COPY {table} TO STDOUT (FORMAT binary)");
    let mut stream = connection.copy_out_raw(&statement).await?;
    let mut bytes = Vec::new();
    while let Some(part) = stream.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    let mut rest = bytes.strip_prefix(HEAD).context("not the binary format")?;
    let mut rows = Vec::new();
    while rest != TAIL {
        let (row, after) = first_row(rest).context("a row is cut")?;
        rows.push(row.to_vec());
        rest = after;
    }
    Ok(rows)
}

/// A row: how many fields, then each with its length before it, -1 for NULL.
fn first_row(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let fields = i16::from_be_bytes(*bytes.first_chunk()?);
    let mut end = 2;
    for _ in 0..fields {
        let length = i32::from_be_bytes(*bytes.get(end..)?.first_chunk()?);
        end += 4 + usize::try_from(length).unwrap_or(0);
    }
    bytes.split_at_checked(end)
}

async fn load(
    connection: &mut PgConnection,
    table: &str,
    rows: &[Vec<u8>],
    copied: &mut Copied,
) -> anyhow::Result<()> {
    let statement = format!("COPY {table} FROM STDIN (FORMAT binary)");
    for rows in rows.chunks(ROWS) {
        let bytes = [HEAD, &rows.concat(), &TAIL].concat();
        let mut copy = connection.copy_in_raw(&statement).await?;
        copy.send(&bytes[..]).await?;
        // Committed, durable and answered when this returns: one statement is one transaction.
        let count = copy.finish().await?;
        ensure!(count == rows.len() as u64, "{table}: {count} rows");
        copied.transactions += 1;
        copied.bytes += bytes.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Part;
    use crate::parts::postgres::Postgres;

    #[test]
    fn rows_of_the_binary_format_are_told_apart() {
        let row: &[u8] = b"\0\x02\0\0\0\x01a\xff\xff\xff\xff";
        let bytes = [row, &TAIL].concat();
        assert_eq!(first_row(&bytes), Some((row, &TAIL[..])));
        assert_eq!(first_row(&row[..8]), None);
        assert_eq!(HEAD.len(), 19);
    }

    #[tokio::test]
    async fn the_copy_has_the_same_rows() {
        if Part::Postgres.skip() {
            return;
        }
        let postgres = Postgres::start().unwrap();
        let urls = ["one", "two"].map(|name| postgres.database(name).unwrap());
        let store = PostgresStore::open(&urls[0].parse().unwrap())
            .await
            .unwrap();
        store.close().await;
        let mut from = PgConnection::connect(&urls[0]).await.unwrap();
        let fill = "INSERT INTO log_entries (position, fence, bytes)
                    SELECT n, 1, convert_to('entry ' || n, 'UTF8') FROM generate_series(0, 2499) n";
        sqlx::query(fill).execute(&mut from).await.unwrap();
        let copied = copy(&urls[0], &urls[1]).await.unwrap();
        assert_eq!((copied.rows, copied.transactions), (2_500, 3));
    }
}
