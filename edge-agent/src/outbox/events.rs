//! Rows of events: how they are stored, and whether one still is what was stored. Bodies are packed
//! ([`super::body`]); marks and leaves are of what they were before.

use std::sync::LazyLock;

use schemas::event::{Event, Salt, Source};
use schemas::hash::{Hash, sha256_parts};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::state::{State, number_column};
use super::{OutboxError, body};

/// Most rows that one statement stores.
const ROWS_MAX: usize = 16;
const STORE_ONE: &str = "INSERT INTO events (number, source, salt, mark, life_cycle, bytes)
                         VALUES (?, ?, ?, ?, ?, ?)";
/// Up to [`ROWS_MAX`] rows, those left over being null: each call of SQLite is one of another thread.
static STORE_MANY: LazyLock<String> = LazyLock::new(|| {
    let rows = vec!["(?, ?, ?, ?, ?, ?)"; ROWS_MAX].join(", ");
    format!(
        "INSERT INTO events (number, source, salt, mark, life_cycle, bytes)
         SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"
    )
});

/// What an event's row holds beside its number and its mark.
pub(super) struct EventRow<'e> {
    pub source: Source,
    pub salt: &'e Salt,
    /// It is never thinned.
    pub life_cycle: bool,
    pub bytes: &'e [u8],
}

/// A row that is about to be stored, its body packed.
#[derive(Clone, Debug)]
pub(super) struct NewEvent {
    number: i64,
    source: Source,
    salt: Salt,
    mark: i64,
    life_cycle: bool,
    stored: Vec<u8>,
}

impl EventRow<'_> {
    /// As it will be stored under a number.
    pub fn numbered(&self, number: i64) -> NewEvent {
        NewEvent {
            number,
            source: self.source,
            salt: *self.salt,
            mark: mark(self.source, self.salt, self.bytes),
            life_cycle: self.life_cycle,
            stored: body::pack(self.bytes),
        }
    }

    pub async fn store(&self, db: &mut SqliteConnection, number: i64) -> Result<(), OutboxError> {
        store(db, &[self.numbered(number)]).await
    }
}

/// Stores the events that were added since the last time. Before anybody reads rows of events in a
/// transaction, and before it is committed.
pub(super) async fn store_new(
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    for rows in state.unstored.chunks(ROWS_MAX) {
        store(db, rows).await?;
    }
    state.unstored.clear();
    Ok(())
}

async fn store(db: &mut SqliteConnection, rows: &[NewEvent]) -> Result<(), OutboxError> {
    let many: &'static str = &STORE_MANY;
    let (text, places) = match rows.len() {
        1 => (STORE_ONE, 1),
        _ => (many, ROWS_MAX),
    };
    let mut query = sqlx::query(text);
    for row in rows {
        query = query
            .bind(row.number)
            .bind(i64::from(row.source.number()))
            .bind(&row.salt.0[..])
            .bind(row.mark)
            .bind(row.life_cycle)
            .bind(&row.stored[..]);
    }
    for _ in rows.len()..places {
        query = query
            .bind(None::<i64>)
            .bind(None::<i64>)
            .bind(None::<&[u8]>)
            .bind(None::<i64>)
            .bind(None::<bool>)
            .bind(None::<&[u8]>);
    }
    query.execute(db).await?;
    Ok(())
}

/// Leaf and size of an event whose mark is right; columns 0 to 2 as [`event_columns`].
pub(super) fn whole_event(row: &SqliteRow, expected: i64) -> Option<(Hash, usize)> {
    let (source, salt, bytes) = event_columns(row).ok()?;
    if mark(source, &salt, &bytes) != expected {
        return None;
    }
    let size = bytes.len();
    let event = Event::parse(bytes).ok()?;
    Some((event.leaf(source, &salt), size))
}

/// A hash over an event's row, cut to what SQLite keeps in eight bytes.
pub(super) fn mark(source: Source, salt: &Salt, bytes: &[u8]) -> i64 {
    let hash = sha256_parts(&[&[source.number()], &salt.0, bytes]);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.0[..8]);
    i64::from_be_bytes(first)
}

/// Columns 0 to 2: source, salt, bytes.
pub(super) fn event_columns(row: &SqliteRow) -> Result<(Source, Salt, Vec<u8>), OutboxError> {
    let damaged = || OutboxError::Damaged("an event's source, salt or body".to_owned());
    let source = Source::from_number(number_column(row, 0)?).ok_or_else(damaged)?;
    let salt: Vec<u8> = row.try_get(1)?;
    Ok((
        source,
        Salt::from_slice(&salt).ok_or_else(damaged)?,
        body::unpack(row.try_get(2)?).ok_or_else(damaged)?,
    ))
}

/// Events of a statement, in their order: those with numbers from `first` to `last`.
pub(super) async fn events_of(
    db: &mut SqliteConnection,
    first: i64,
    last: i64,
) -> Result<Vec<(Source, Salt, Vec<u8>)>, OutboxError> {
    let rows = sqlx::query(
        "SELECT source, salt, bytes FROM events WHERE number BETWEEN $1 AND $2 ORDER BY number",
    )
    .bind(first)
    .bind(last)
    .fetch_all(db)
    .await?;
    rows.iter().map(event_columns).collect()
}
