//! Rows of events: how one is stored, and whether it still is what was stored.

use schemas::event::{Event, Salt, Source};
use schemas::hash::{Hash, sha256_parts};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::OutboxError;
use super::state::number_column;

/// What an event's row holds beside its number and its mark.
pub(super) struct EventRow<'e> {
    pub source: Source,
    pub salt: &'e Salt,
    /// It is never thinned.
    pub life_cycle: bool,
    pub bytes: &'e [u8],
}

impl EventRow<'_> {
    pub async fn store(&self, db: &mut SqliteConnection, number: i64) -> Result<(), OutboxError> {
        sqlx::query(
            "INSERT INTO events (number, source, salt, mark, life_cycle, bytes)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(number)
        .bind(i64::from(self.source.number()))
        .bind(&self.salt.0[..])
        .bind(mark(self.source, self.salt, self.bytes))
        .bind(self.life_cycle)
        .bind(self.bytes)
        .execute(db)
        .await?;
        Ok(())
    }
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
    let damaged = || OutboxError::Damaged("an event's source or salt".to_owned());
    let source = Source::from_number(number_column(row, 0)?).ok_or_else(damaged)?;
    let salt: Vec<u8> = row.try_get(1)?;
    Ok((
        source,
        Salt::from_slice(&salt).ok_or_else(damaged)?,
        row.try_get(2)?,
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
