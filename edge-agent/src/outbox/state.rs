//! What the writer keeps in memory: always equal to the database as of the last commit. After a
//! failed commit it is read again.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{OutboxError, ScanPosition};
use crate::compose::presence::{Amount, Item, Presence};
use crate::compose::sensor::Reading;
use crate::status::{Head, Status};

/// An event of the open statement.
#[derive(Clone, Debug)]
pub(super) struct OpenEvent {
    pub number: i64,
    pub leaf: Hash,
    pub size: usize,
}

/// Counts that a restart must not forget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Counts {
    pub events_made: u64,
    pub statements_made: u64,
    pub notes_made: u64,
    pub readings: u64,
    pub readings_beyond_limits: u64,
    pub bad_lines: u64,
    pub events_refused: u64,
    pub alarms: u64,
    pub last_receipt: Option<Instant>,
}

/// Rows that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Queues {
    pub bodies: u64,
    pub receipts: u64,
    pub inclusions: u64,
    pub late: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub head: Option<Head>,
    pub last_said: Instant,
    pub newest: i64,
    pub open: Vec<OpenEvent>,
    pub presence: Presence,
    pub readings: BTreeMap<String, Vec<Reading>>,
    pub scans: BTreeMap<String, ScanPosition>,
    pub seen: Option<(u64, Hash)>,
    pub counts: Counts,
    pub stored_counts: Counts,
    pub queues: Queues,
}

impl State {
    pub async fn load(db: &mut SqliteConnection) -> Result<Self, OutboxError> {
        let mut state = Self::default();
        state.load_head(db).await?;
        state.load_open_events(db).await?;
        state.load_presence(db).await?;
        state.load_readings(db).await?;
        state.load_scans(db).await?;
        state.load_counts(db).await?;
        Ok(state)
    }

    async fn load_head(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let row = sqlx::query("SELECT epoch, seq, id, made FROM head")
            .fetch_optional(&mut *db)
            .await?;
        if let Some(row) = row {
            let (epoch, seq) = (number_column(&row, 0)?, number_column(&row, 1)?);
            self.head = Some(Head {
                epoch,
                seq,
                id: hash_column(&row, 2)?,
            });
            self.last_said = Instant::from_micros(row.try_get(3)?);
        }
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(position) FROM statements")
            .fetch_one(&mut *db)
            .await?;
        self.newest = newest.unwrap_or(0);
        let row = sqlx::query("SELECT size, root FROM checkpoint")
            .fetch_optional(&mut *db)
            .await?;
        if let Some(row) = row {
            self.seen = Some((number_column(&row, 0)?, hash_column(&row, 1)?));
        }
        Ok(())
    }

    async fn load_open_events(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let rows = sqlx::query(
            "SELECT source, salt, bytes, number FROM events
             WHERE statement IS NULL ORDER BY number",
        )
        .fetch_all(&mut *db)
        .await?;
        for row in rows {
            let (source, salt, bytes) = event_columns(&row)?;
            let size = bytes.len();
            let event =
                Event::parse(bytes).map_err(|error| OutboxError::Damaged(error.to_string()))?;
            let number = row.try_get(3)?;
            self.open.push(OpenEvent {
                number,
                leaf: event.leaf(source, &salt),
                size,
            });
        }
        Ok(())
    }

    async fn load_presence(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let rows = sqlx::query("SELECT uri, is_class, quantity, uom FROM presence")
            .fetch_all(&mut *db)
            .await?;
        for row in rows {
            let quantity: Option<String> = row.try_get(2)?;
            let quantity = quantity
                .map(|text| text.parse::<Decimal>())
                .transpose()
                .map_err(|error| OutboxError::Damaged(error.to_string()))?;
            let is_class: bool = row.try_get(1)?;
            let uom: Option<String> = row.try_get(3)?;
            let amount = is_class.then_some(Amount { quantity, uom });
            self.presence.restore(Item {
                uri: row.try_get(0)?,
                amount,
            });
        }
        Ok(())
    }

    async fn load_readings(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let rows = sqlx::query("SELECT series, time, value, suspect FROM readings ORDER BY number")
            .fetch_all(&mut *db)
            .await?;
        for row in rows {
            let reading = Reading {
                time: Instant::from_micros(row.try_get(1)?),
                value: row.try_get(2)?,
                suspect: row.try_get(3)?,
            };
            self.readings
                .entry(row.try_get(0)?)
                .or_default()
                .push(reading);
        }
        Ok(())
    }

    async fn load_scans(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let rows = sqlx::query("SELECT offset, line, prefix, prefix_hash, path FROM scans")
            .fetch_all(&mut *db)
            .await?;
        for row in rows {
            self.scans.insert(row.try_get(4)?, scan_columns(&row)?);
        }
        Ok(())
    }

    async fn load_counts(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let text: Option<String> = sqlx::query_scalar("SELECT counts FROM counters")
            .fetch_optional(&mut *db)
            .await?;
        if let Some(text) = text {
            self.counts = serde_json::from_str(&text)
                .map_err(|error| OutboxError::Damaged(error.to_string()))?;
        }
        self.stored_counts = self.counts.clone();
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM events),
                    (SELECT count(*) FROM statements WHERE receipt IS NULL),
                    (SELECT count(*) FROM statements WHERE included = 0),
                    (SELECT count(*) FROM statements WHERE included = 0 AND late = 1)",
        )
        .fetch_one(&mut *db)
        .await?;
        self.queues = Queues {
            bodies: number_column(&row, 0)?,
            receipts: number_column(&row, 1)?,
            inclusions: number_column(&row, 2)?,
            late: number_column(&row, 3)?,
        };
        Ok(())
    }

    /// Bytes of events in the open statement.
    pub fn open_bytes(&self) -> usize {
        self.open.iter().map(|event| event.size).sum()
    }

    /// The picture for others.
    pub fn status(&self, trouble: &str) -> Status {
        let counts = &self.counts;
        Status {
            events_made: counts.events_made,
            statements_made: counts.statements_made,
            notes_made: counts.notes_made,
            bodies_waiting: self.queues.bodies,
            receipts_waiting: self.queues.receipts,
            inclusions_waiting: self.queues.inclusions,
            connected: false,
            readings: counts.readings,
            readings_beyond_limits: counts.readings_beyond_limits,
            bad_lines: counts.bad_lines,
            events_refused: counts.events_refused,
            alarms: counts.alarms + self.queues.late,
            last_receipt: counts.last_receipt,
            last_said: self.head.map(|_| self.last_said),
            head: self.head,
            seen_size: self.seen.map(|(size, _)| size),
            other_logs: 0,
            trouble: trouble.to_owned(),
        }
    }
}

/// An unsigned number, which SQLite keeps as a signed one.
pub(super) fn number_column(row: &SqliteRow, index: usize) -> Result<u64, OutboxError> {
    let number: i64 = row.try_get(index)?;
    u64::try_from(number).map_err(|_| OutboxError::Damaged(format!("a negative number {number}")))
}

/// 32 bytes.
pub(super) fn hash_column(row: &SqliteRow, index: usize) -> Result<Hash, OutboxError> {
    let bytes: Vec<u8> = row.try_get(index)?;
    Hash::from_slice(&bytes)
        .ok_or_else(|| OutboxError::Damaged("a hash of other length".to_owned()))
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

/// Events of a statement, in their order.
pub(super) async fn events_of(
    db: &mut SqliteConnection,
    position: i64,
) -> Result<Vec<(Source, Salt, Vec<u8>)>, OutboxError> {
    let rows =
        sqlx::query("SELECT source, salt, bytes FROM events WHERE statement = $1 ORDER BY number")
            .bind(position)
            .fetch_all(db)
            .await?;
    rows.iter().map(event_columns).collect()
}

/// Columns 0 to 3: offset, line, prefix, prefix hash.
pub(super) fn scan_columns(row: &SqliteRow) -> Result<ScanPosition, OutboxError> {
    Ok(ScanPosition {
        offset: number_column(row, 0)?,
        line: number_column(row, 1)?,
        prefix: number_column(row, 2)?,
        prefix_hash: hash_column(row, 3)?,
    })
}
