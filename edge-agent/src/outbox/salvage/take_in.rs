//! Writes what was saved into a fresh outbox.

use schemas::receipt::Receipt;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::super::chain::signed;
use super::super::events::EventRow;
use super::super::{OutboxError, SQLITE_REFUSALS};
use super::form::Form;
use super::{Salvage, Saved, SavedEvent, SavedStatement, between};

/// Tables whose rows are copied as they are.
const PLAIN: [(&str, &str); 8] = [
    ("refused", "epoch, seq, event, code"),
    ("presence", "uri, is_class, quantity, uom"),
    ("readings", "number, series, time, value, suspect"),
    ("series", "series, memory"),
    (SCANNED, "path, number, line, time, text"),
    ("scans", "path, offset, line, prefix, prefix_hash"),
    (
        "held_notes",
        "number, text, sensor, from_time, until_time, dropped",
    ),
    // Without it the present key would speak behind its last word, where the next one's record says
    // that it has ended.
    ("rotation", "one, next, epoch, seq, id"),
];
/// Whole or not at all: a packing that lacks a code would state what was not so.
const SCANNED: &str = "scanned";
/// Numbers in a row without a row after which such a table has none any more: it is small.
const MISSES_MAX: u32 = 1_024;

/// A value as SQLite keeps it.
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Salvage {
    /// Writes what was saved into a fresh outbox.
    ///
    /// # Errors
    /// [`OutboxError`]: nothing of it may be committed.
    pub async fn take_in(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let Self { old, form, saved } = self;
        let mut numbers = Numbers::default();
        let mut signed_until = 0;
        if let Some(old) = old {
            for (table, columns) in PLAIN.iter().filter(|(table, _)| form.has(table)) {
                take_in_table(db, old, form, table, columns).await?;
            }
            let mut sources = (old, &*form);
            // Whole statements first, then what will be signed anew: numbers rise in that order.
            for (position, statement) in (1..).zip(&saved.statements) {
                take_in_statement(db, &mut sources, saved, position, statement, &mut numbers)
                    .await?;
            }
            signed_until = numbers.0;
            for number in &saved.unsigned {
                if let Some(leaf) = saved.leaves.get(number) {
                    let event = SavedEvent::again(sources.0, form, *number, leaf).await?;
                    take_in_event(db, numbers.next(), &event).await?;
                }
            }
        }
        let counts = serde_json::to_string(&saved.counts)
            .map_err(|error| OutboxError::Store(error.to_string()))?;
        let (positions, newest) = (saved.statements.len() as i64, numbers.0);
        let head = self.newest();
        sqlx::query(
            "UPDATE chain SET epoch = $1, seq = $2, id = $3, made = 0, position = $4, signed = $5,
                              newest = $6, counts = $7",
        )
        .bind(head.map(|head| signed(head.epoch)))
        .bind(head.map(|head| signed(head.seq)))
        .bind(head.as_ref().map(|head| &head.id.0[..]))
        .bind(positions)
        .bind(signed_until)
        .bind(newest)
        .bind(counts)
        .execute(db)
        .await?;
        Ok(())
    }
}

#[derive(Default)]
struct Numbers(i64);

impl Numbers {
    const fn next(&mut self) -> i64 {
        self.0 += 1;
        self.0
    }
}

async fn take_in_table(
    db: &mut SqliteConnection,
    old: &mut SqliteConnection,
    form: &Form,
    table: &str,
    columns: &str,
) -> Result<(), OutboxError> {
    let select = format!("SELECT rowid, {columns} FROM {table} WHERE rowid");
    let mut rows = form.rows(table, select, None, MISSES_MAX);
    loop {
        let page = rows.page(old).await;
        if page.is_empty() {
            break;
        }
        for row in &page {
            if let Some(cells) = cells(row) {
                take_in_row(db, table, columns, cells).await?;
            }
        }
    }
    if rows.is_damaged() {
        tracing::error!(table, "a table of the damaged outbox is not whole");
        if table == SCANNED {
            sqlx::query("DELETE FROM scanned").execute(db).await?;
        }
    }
    Ok(())
}

/// The columns behind the first one.
fn cells(row: &SqliteRow) -> Option<Vec<Cell>> {
    let cell = |index: usize| {
        if let Ok(value) = row.try_get::<Option<i64>, _>(index) {
            return Some(value.map_or(Cell::Null, Cell::Integer));
        }
        if let Ok(value) = row.try_get::<f64, _>(index) {
            return Some(Cell::Real(value));
        }
        if let Ok(value) = row.try_get::<String, _>(index) {
            return Some(Cell::Text(value));
        }
        row.try_get::<Vec<u8>, _>(index).ok().map(Cell::Blob)
    };
    (1..row.len()).map(cell).collect()
}

async fn take_in_row(
    db: &mut SqliteConnection,
    table: &str,
    columns: &str,
    row: Vec<Cell>,
) -> Result<(), OutboxError> {
    let places: Vec<String> = (1..=row.len()).map(|place| format!("${place}")).collect();
    let places = places.join(", ");
    let text = format!("INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
    for cell in row {
        query = match cell {
            Cell::Null => query.bind(None::<i64>),
            Cell::Integer(number) => query.bind(number),
            Cell::Real(number) => query.bind(number),
            Cell::Text(text) => query.bind(text),
            Cell::Blob(bytes) => query.bind(bytes),
        };
    }
    match query.execute(db).await {
        // A value that its column does not take was not written by this program.
        Err(error) if is_refusal(&error) => {
            tracing::error!(table, %error, "a row of the damaged outbox is left out");
            Ok(())
        }
        done => Ok(done.map(drop)?),
    }
}

/// True where the row is at fault and not the disk.
fn is_refusal(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| SQLITE_REFUSALS.contains(&(code & 0xff)))
}

async fn take_in_statement(
    db: &mut SqliteConnection,
    (old, form): &mut (&mut SqliteConnection, &Form),
    saved: &Saved,
    position: i64,
    statement: &SavedStatement,
    numbers: &mut Numbers,
) -> Result<(), OutboxError> {
    let (mut from, mut until) = (1, 0);
    if statement.receipt.is_none() {
        for (number, leaf) in between(&saved.leaves, statement.range) {
            let event = SavedEvent::again(old, form, number, &leaf).await?;
            until = numbers.next();
            take_in_event(db, until, &event).await?;
        }
        if statement.events > 0 {
            from = until + 1 - signed(statement.events);
        }
    }
    if let Some(number) = statement.receipt
        && let Some((receipt, bytes)) = saved.receipts.get(&number)
    {
        take_in_receipt(db, number, receipt, bytes).await?;
    }
    let head = &statement.head;
    sqlx::query(
        "INSERT INTO statements
         (position, epoch, seq, id, bytes, first, last, events, receipt, included)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(position)
    .bind(signed(head.epoch))
    .bind(signed(head.seq))
    .bind(&head.id.0[..])
    .bind(&statement.bytes)
    .bind(from)
    .bind(until)
    .bind(signed(statement.events))
    .bind(statement.receipt)
    .bind(statement.included)
    .execute(db)
    .await?;
    Ok(())
}

/// Counts one more statement under the receipt.
async fn take_in_receipt(
    db: &mut SqliteConnection,
    number: i64,
    receipt: &Receipt,
    bytes: &[u8],
) -> Result<(), OutboxError> {
    sqlx::query(
        "INSERT INTO receipts (number, time, deadline, waiting, bytes) VALUES ($1, $2, $3, 1, $4)
         ON CONFLICT (number) DO UPDATE SET waiting = waiting + 1",
    )
    .bind(number)
    .bind(receipt.time.as_micros())
    .bind(receipt.deadline.as_micros())
    .bind(bytes)
    .execute(db)
    .await?;
    Ok(())
}

async fn take_in_event(
    db: &mut SqliteConnection,
    number: i64,
    event: &SavedEvent,
) -> Result<(), OutboxError> {
    let row = EventRow {
        source: event.source,
        salt: &event.salt,
        life_cycle: event.life_cycle,
        bytes: &event.bytes,
    };
    row.store(db, number).await
}
