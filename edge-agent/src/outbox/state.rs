//! What the writer keeps in memory: always equal to the database as of the last commit. After a
//! failed commit it is read again.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemas::hash::Hash;
use schemas::statement::{CLOSE_BYTES, CLOSE_EVENTS};
use schemas::time::Instant;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::events::{self, NewEvent, whole_event};
use super::thin::Fill;
use super::{OutboxError, ScanPosition};
use crate::compose::desk::Kept;
use crate::compose::presence::{Amount, Item, Presence};
use crate::compose::sensor::Reading;
use crate::compose::series::{Series, Waiting};
use crate::status::{Head, Status};

/// An event of the next statement.
#[derive(Clone, Debug)]
pub(super) struct OpenEvent {
    pub number: i64,
    pub leaf: Hash,
    pub size: usize,
}

/// Counts that a restart must not forget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    pub events_made: u64,
    pub statements_made: u64,
    pub notes_made: u64,
    pub readings: u64,
    pub readings_beyond_limits: u64,
    pub bad_lines: u64,
    pub events_refused: u64,
    pub events_thinned: u64,
    pub events_damaged: u64,
    /// How often damage was found; each time is an alarm.
    pub damages: u64,
    pub alarms: u64,
    /// Of the alarms: what came as the platform's word and does not verify. An outbox of a version
    /// before has not counted them ([`Counts::settle`]).
    pub unverified: Option<u64>,
    pub strangers: u64,
    /// Of them: under a key that this device uses no more.
    pub strangers_settled: u64,
    pub last_receipt: Option<Instant>,
}

impl Counts {
    /// Something came as the platform's word and does not verify.
    pub fn doubt(&mut self) {
        self.alarms += 1;
        self.unverified = Some(self.unverified.unwrap_or_default() + 1);
    }

    /// Gives each number a value: what was not counted apart is what nothing else explains.
    fn settle(&mut self) {
        let explained = self.strangers + self.damages;
        self.unverified
            .get_or_insert(self.alarms.saturating_sub(explained));
    }
}

/// Rows that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Queues {
    pub bodies: u64,
    pub receipts: u64,
    pub inclusions: u64,
    pub late: u64,
}

/// The last word of the present key, while the next one is not in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastWord {
    /// kid of the next key.
    pub next: Hash,
    /// The statement.
    pub at: Head,
}

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub head: Option<Head>,
    pub last_said: Instant,
    /// Place of the newest statement.
    pub newest: i64,
    /// Number of the newest event that a statement holds.
    pub signed: i64,
    /// Number of the newest event.
    pub newest_event: i64,
    /// The oldest unsigned events: those of the next statement.
    pub open: Vec<OpenEvent>,
    /// Events of this transaction whose rows are not stored yet.
    pub unstored: Vec<NewEvent>,
    /// Unsigned events that `open` has no room for: nothing is signed for a while.
    pub beyond: u64,
    /// Why nothing at all is signed.
    pub last_word: Option<LastWord>,
    /// Events wait unsigned, since so much waits for the platform.
    pub deferred: bool,
    /// How far unsigned events have been looked through for old readings.
    pub thinned: i64,
    pub presence: Presence,
    pub series: BTreeMap<String, Series>,
    pub scans: BTreeMap<String, ScanPosition>,
    pub seen: Option<(u64, Hash)>,
    pub counts: Counts,
    pub queues: Queues,
    /// True if the chain's row must be written.
    pub changed: bool,
}

impl State {
    pub async fn load(db: &mut SqliteConnection) -> Result<Self, OutboxError> {
        let mut state = Self::default();
        state.load_chain(db).await?;
        state.load_last_word(db).await?;
        state.count_unsigned(db).await?;
        state.refill(db).await?;
        state.load_presence(db).await?;
        state.load_series(db).await?;
        state.load_scans(db).await?;
        state.load_queues(db).await?;
        Ok(state)
    }

    async fn load_chain(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let row =
            sqlx::query("SELECT epoch, seq, id, made, position, signed, newest, counts FROM chain")
                .fetch_one(&mut *db)
                .await?;
        if row.try_get::<Option<i64>, _>(0)?.is_some() {
            self.head = Some(Head {
                epoch: number_column(&row, 0)?,
                seq: number_column(&row, 1)?,
                id: hash_column(&row, 2)?,
            });
            self.last_said = Instant::from_micros(row.try_get(3)?);
        }
        (self.newest, self.signed, self.newest_event) =
            (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
        let counts: &str = row.try_get(7)?;
        self.counts = serde_json::from_str(counts)
            .map_err(|error| OutboxError::Damaged(error.to_string()))?;
        self.counts.settle();
        let row = sqlx::query("SELECT size, root FROM checkpoint")
            .fetch_optional(&mut *db)
            .await?;
        if let Some(row) = row {
            self.seen = Some((number_column(&row, 0)?, hash_column(&row, 1)?));
        }
        Ok(())
    }

    async fn load_last_word(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let row = sqlx::query("SELECT epoch, seq, id, next FROM rotation")
            .fetch_optional(&mut *db)
            .await?;
        if let Some(row) = row {
            let at = Head {
                epoch: number_column(&row, 0)?,
                seq: number_column(&row, 1)?,
                id: hash_column(&row, 2)?,
            };
            self.last_word = Some(LastWord {
                next: hash_column(&row, 3)?,
                at,
            });
        }
        Ok(())
    }

    async fn count_unsigned(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let row = sqlx::query("SELECT count(*), max(number) FROM events WHERE number > $1")
            .bind(self.signed)
            .fetch_one(&mut *db)
            .await?;
        self.beyond = number_column(&row, 0)?;
        let newest: Option<i64> = row.try_get(1)?;
        self.newest_event = self.newest_event.max(newest.unwrap_or(self.signed));
        Ok(())
    }

    /// Reads the oldest unsigned events into the next statement, while it is empty.
    ///
    /// One whose bits have changed on the disk is deleted and counted: nobody would see, once it
    /// is signed, that it is not what was stated.
    pub async fn refill(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        if !self.open.is_empty() || self.beyond == 0 {
            return Ok(());
        }
        events::store_new(db, self).await?;
        let rows = sqlx::query(
            "SELECT source, salt, bytes, number, mark FROM events
             WHERE number > $1 ORDER BY number LIMIT $2",
        )
        .bind(self.signed)
        .bind(CLOSE_EVENTS as i64)
        .fetch_all(&mut *db)
        .await?;
        for row in rows {
            let number: i64 = row.try_get(3)?;
            let Some((leaf, size)) = whole_event(&row, row.try_get(4)?) else {
                self.lose(db, number).await?;
                continue;
            };
            if !self.open.is_empty() && self.open_bytes() + size > CLOSE_BYTES {
                break;
            }
            self.beyond -= 1;
            self.open.push(OpenEvent { number, leaf, size });
        }
        Ok(())
    }

    async fn lose(&mut self, db: &mut SqliteConnection, number: i64) -> Result<(), OutboxError> {
        tracing::error!(
            number,
            "an unsigned event was damaged on disk and is left out"
        );
        sqlx::query("DELETE FROM events WHERE number = $1")
            .bind(number)
            .execute(db)
            .await?;
        self.beyond = self.beyond.saturating_sub(1);
        // While the outbox is being opened nothing has been counted yet.
        self.queues.bodies = self.queues.bodies.saturating_sub(1);
        self.counts.events_damaged += 1;
        self.counts.alarms += 1;
        self.counts.damages += 1;
        self.changed = true;
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

    async fn load_series(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let rows = sqlx::query(
            "SELECT series, time, value, suspect, number FROM readings ORDER BY number",
        )
        .fetch_all(&mut *db)
        .await?;
        for row in rows {
            let reading = Reading {
                time: Instant::from_micros(row.try_get(1)?),
                value: row.try_get(2)?,
                suspect: row.try_get(3)?,
            };
            let series = self.series.entry(row.try_get(0)?).or_default();
            series.waiting.push(Waiting {
                number: row.try_get(4)?,
                reading,
            });
        }
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT series, memory FROM series")
            .fetch_all(&mut *db)
            .await?;
        for (series, memory) in rows {
            self.series.entry(series).or_default().memory = serde_json::from_str(&memory)
                .map_err(|error| OutboxError::Damaged(error.to_string()))?;
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

    async fn load_queues(&mut self, db: &mut SqliteConnection) -> Result<(), OutboxError> {
        let row = sqlx::query(
            "SELECT coalesce(sum(events) FILTER (WHERE receipt IS NULL), 0),
                    count(*) FILTER (WHERE receipt IS NULL),
                    count(*) FILTER (WHERE included = 0),
                    (SELECT coalesce(sum(waiting), 0) FROM receipts WHERE late = 1)
             FROM statements",
        )
        .fetch_one(&mut *db)
        .await?;
        self.queues = Queues {
            bodies: number_column(&row, 0)? + self.unsigned(),
            receipts: number_column(&row, 1)?,
            inclusions: number_column(&row, 2)?,
            late: number_column(&row, 3)?,
        };
        Ok(())
    }

    /// Bytes of events in the next statement.
    pub fn open_bytes(&self) -> usize {
        self.open.iter().map(|event| event.size).sum()
    }

    /// Events that no statement holds.
    pub fn unsigned(&self) -> u64 {
        self.open.len() as u64 + self.beyond
    }

    /// Events in statements that wait for their receipt.
    pub fn signed_waiting(&self) -> u64 {
        self.queues.bodies.saturating_sub(self.unsigned())
    }

    /// Why events are not signed now; empty where they are.
    pub const fn held(&self) -> &'static str {
        match (self.last_word.is_some(), self.deferred) {
            (true, _) => "rotation",
            (false, true) => "backlog",
            (false, false) => "",
        }
    }

    /// The picture for others.
    pub fn status(&self, trouble: &str, fill: Fill) -> Status {
        let counts = &self.counts;
        Status {
            events_made: counts.events_made,
            statements_made: counts.statements_made,
            notes_made: counts.notes_made,
            bodies_waiting: self.queues.bodies,
            receipts_waiting: self.queues.receipts,
            inclusions_waiting: self.queues.inclusions,
            events_thinned: counts.events_thinned,
            events_damaged: counts.events_damaged,
            damages: counts.damages,
            readings: counts.readings,
            readings_beyond_limits: counts.readings_beyond_limits,
            bad_lines: counts.bad_lines,
            events_refused: counts.events_refused,
            alarms: counts.alarms + self.queues.late,
            unverified: counts.unverified.unwrap_or_default(),
            strangers: counts.strangers,
            last_receipt: counts.last_receipt,
            last_said: self.head.map(|_| self.last_said),
            head: self.head,
            seen_size: self.seen.map(|(size, _)| size),
            held: self.held().to_owned(),
            late: self.queues.late,
            copied_key: counts.strangers > counts.strangers_settled,
            outbox_bytes: fill.used,
            outbox_quota: fill.max,
            trouble: trouble.to_owned(),
            ..Status::default()
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

/// Codes of a source that no event holds yet, in their order.
pub(super) async fn kept_codes(
    db: &sqlx::sqlite::SqlitePool,
    path: &str,
) -> Result<Vec<Kept>, OutboxError> {
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "SELECT number, line, time, text FROM scanned WHERE path = $1 ORDER BY number",
    )
    .bind(path)
    .fetch_all(db)
    .await?;
    let kept = |(number, line, time, text): (i64, i64, i64, String)| Kept {
        number,
        line: u64::try_from(line).unwrap_or(0),
        time: Instant::from_micros(time),
        text,
    };
    Ok(rows.into_iter().map(kept).collect())
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
