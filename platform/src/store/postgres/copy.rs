//! `COPY ... FROM STDIN (FORMAT binary)`: rows as PostgreSQL reads them without parsing text
//! (PostgreSQL 15 documentation, "COPY", section "Binary Format").

use kit::postgres::Timestamp;
use schemas::time::Instant;
use sqlx::postgres::PgConnection;

use crate::store::Stored;

/// Signature, no flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// End of the rows.
const TAIL: [u8; 2] = [0xff, 0xff];
/// Length of a value that is NULL.
const NULL: [u8; 4] = [0xff; 4];

/// Rows on their way into one table.
pub(super) struct Copy {
    bytes: Vec<u8>,
    rows: u64,
}

impl Copy {
    /// Without rows yet, with room for this many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        let mut kept = Vec::with_capacity(HEAD.len() + bytes);
        kept.extend_from_slice(HEAD);
        Self {
            bytes: kept,
            rows: 0,
        }
    }

    /// Begins a row of so many columns; they follow in order.
    pub(super) fn row(&mut self, columns: i16) -> &mut Self {
        self.rows += 1;
        self.bytes.extend_from_slice(&columns.to_be_bytes());
        self
    }

    /// `bytea` and `text`. A text must be one that PostgreSQL can hold ([`kit::postgres::text`]).
    pub(super) fn value(&mut self, bytes: &[u8]) -> &mut Self {
        // No value comes near 2^31 bytes: a message has at most 256 KiB.
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// The same, or NULL.
    pub(super) fn optional(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            Some(bytes) => self.value(bytes),
            None => {
                self.bytes.extend_from_slice(&NULL);
                self
            }
        }
    }

    /// `bigint`.
    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        self.value(&number.to_be_bytes())
    }

    /// `timestamptz`: microseconds since 2000.
    pub(super) fn time(&mut self, time: Instant) -> &mut Self {
        self.number(Timestamp(time).since_2000())
    }

    /// Copies them in the transaction of this connection; `table` is ours, with its columns.
    pub(super) async fn into(mut self, table: &str, connection: &mut PgConnection) -> Stored<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.bytes.extend_from_slice(&TAIL);
        let sql = format!("COPY {table} FROM STDIN (FORMAT binary)");
        let mut copy = connection.copy_in_raw(&sql).await?;
        copy.send(self.bytes).await?;
        let copied = copy.finish().await?;
        debug_assert_eq!(copied, self.rows);
        Ok(())
    }
}
