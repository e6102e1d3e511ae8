//! What PostgreSQL itself can do with the same rows: COPY of the run's final rows, byte for byte,
//! into empty tables of the same schema on the same server, one connection, a transaction for each
//! thousand rows.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use crate::parts::postgres;

/// Tables of a platform that no event's way fills: who may speak, who leads, who reads.
const OTHERS: [&str; 9] = [
    "_sqlx_migrations",
    "registry_records",
    "registry_heads",
    "credentials",
    "enrolments",
    "leases",
    "ingest_gate",
    "disclosures",
    "logged_documents",
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
pub async fn copy(from: &str, to: &str) -> Result<Copied> {
    postgres::copy_schema(from, to)?;
    let rows = Rows::read(from).await?;
    let copied = rows.copy_into(to).await?;
    rows.are_those_of(to).await?;
    Ok(copied)
}

/// Rows of every table that an event's way fills, as a run has left them.
pub struct Rows {
    tables: Vec<(String, Vec<Vec<u8>>)>,
}

impl Rows {
    /// Reads them.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    pub async fn read(from: &str) -> Result<Rows> {
        let mut from = PgConnection::connect(from).await?;
        let mut tables = Vec::new();
        for table in tables_of(&mut from).await? {
            let rows = dump(&mut from, &table).await?;
            if !rows.is_empty() {
                tables.push((table, rows));
            }
        }
        Ok(Rows { tables })
    }

    /// Events among them.
    #[must_use]
    pub fn events(&self) -> u64 {
        let events = self.tables.iter().find(|(table, _)| table == EVENTS);
        events.map_or(0, |(_, rows)| rows.len() as u64)
    }

    /// Names of the tables with their numbers of rows.
    pub fn tables(&self) -> impl Iterator<Item = (&str, usize)> {
        let each = self.tables.iter();
        each.map(|(table, rows)| (table.as_str(), rows.len()))
    }

    /// Copies them into empty tables of the same schema: one connection, a transaction for each
    /// thousand rows. What is sent is put together before the clock runs.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    pub async fn copy_into(&self, to: &str) -> Result<Copied> {
        let mut to = PgConnection::connect(to).await?;
        let (mut bytes, mut transactions) = (0, 0);
        let mut parts = Vec::new();
        for (table, rows) in &self.tables {
            let chunks = rows.chunks(ROWS);
            let chunks = chunks.map(|rows| (rows.len(), [HEAD, &rows.concat(), &TAIL].concat()));
            parts.push((table, chunks.collect::<Vec<_>>()));
        }
        let started = Instant::now();
        for (table, chunks) in &parts {
            for (rows, chunk) in chunks {
                load(&mut to, table, *rows, chunk).await?;
                transactions += 1;
                bytes += chunk.len() as u64;
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        Ok(Copied {
            events: self.events(),
            rows: self.tables().map(|(_, rows)| rows as u64).sum(),
            bytes,
            transactions,
            seconds,
            events_per_second: self.events() as f64 / seconds,
        })
    }

    /// # Errors
    /// When a table at `to` has other rows.
    pub async fn are_those_of(&self, to: &str) -> Result<()> {
        let mut to = PgConnection::connect(to).await?;
        for (table, rows) in &self.tables {
            let same = sorted(&dump(&mut to, table).await?) == sorted(rows);
            ensure!(same, "{table} has changed");
        }
        Ok(())
    }
}

/// Tables that an event's way may fill; of a table in parts the whole.
async fn tables_of(connection: &mut PgConnection) -> Result<Vec<String>> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
           AND NOT relispartition
         ORDER BY relname",
    )
    .fetch_all(connection)
    .await?;
    let fills = |name: &String| !OTHERS.contains(&name.as_str());
    Ok(names.into_iter().filter(fills).collect())
}

fn sorted(rows: &[Vec<u8>]) -> Vec<&[u8]> {
    let mut rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    rows.sort_unstable();
    rows
}

/// Rows of a table in the binary format, in the order in which the run has left them.
async fn dump(connection: &mut PgConnection, table: &str) -> Result<Vec<Vec<u8>>> {
    // A table in parts can only be copied out through a query.
    let statement = format!("COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)");
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

async fn load(connection: &mut PgConnection, table: &str, rows: usize, chunk: &[u8]) -> Result<()> {
    let statement = format!("COPY {table} FROM STDIN (FORMAT binary)");
    let mut copy = connection.copy_in_raw(&statement).await?;
    copy.send(chunk).await?;
    // Committed, durable and answered when this returns: one statement is one transaction.
    let count = copy.finish().await?;
    ensure!(count == rows as u64, "{table}: {count} rows");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Part;
    use crate::parts::postgres::Postgres;
    use platform::store::postgres::PostgresStore;

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
