//! The outbox: everything that the device has said and nobody has yet taken over.
//!
//! One writer task owns the SQLite file (WAL, synchronous FULL) and the end of the chain. Jobs
//! reach it over a bounded channel; all that wait share one commit, and each is answered after
//! it. So a caller that has its answer knows that what it handed over survives a power cut, and a
//! statement is durable before anybody can send it.
//!
//! A statement closes at 64 events, at 48 KiB of events or 100 ms after its first event (real
//! time: it is a matter of batching, not of the domain's clock). It is signed once and kept byte
//! for byte. Events' bodies go when a verified receipt names their statement's id; the statement
//! and the receipt go when its inclusion in a witnessed checkpoint has been verified.

mod apply;
pub mod audit;
mod chain;
mod database;
mod mirror;
mod open;
mod state;
mod writer;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use schemas::event::Source;
use schemas::hash::Hash;
use schemas::key::SecretKey;
use schemas::receipt::{Receipt, Reply};
use schemas::statement::{ClockState, encode_message};
use schemas::time::{Clock, Instant};
use sqlx::Row;
use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot, watch};

use crate::compose::line::Composed;
use crate::compose::sensor::Reading;
use crate::config::SensorRule;
use crate::status::Status;
use crate::trust::Trust;

pub use database::DATABASE_FILE;
pub use mirror::HEAD_FILE;

/// Jobs that may wait for the writer.
const QUEUE_MAX: usize = 1_024;

/// SQLite's primary result codes for a file that is no sound database.
const SQLITE_CORRUPT: u32 = 11;
const SQLITE_NOTADB: u32 = 26;

/// Why the outbox cannot take or give something.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// SQLite: a full disk, an I/O error. Nothing of the job is stored; try again.
    #[error("the outbox cannot write: {0}")]
    Store(String),
    /// The file is no sound database.
    #[error("the outbox is damaged: {0}")]
    Damaged(String),
    /// Made by a newer program.
    #[error("the outbox has schema version {0}, which this program does not know")]
    Version(i64),
    /// Another agent runs on this state directory.
    #[error("another agent holds {0}")]
    Locked(PathBuf),
    /// Neither database nor head file tell where the chain ended.
    #[error("neither outbox nor head file tell where the chain ended; enrol this device anew")]
    NothingKnown,
    /// A file beside the database.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system has no randomness for salts.
    #[error(transparent)]
    Randomness(#[from] schemas::random::NoRandomness),
    /// The writer has ended.
    #[error("the outbox is closed")]
    Closed,
}

impl From<sqlx::Error> for OutboxError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|error| error.code()?.parse::<u32>().ok());
        match code.map(|code| code & 0xff) {
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Damaged(error.to_string()),
            _ => Self::Store(error.to_string()),
        }
    }
}

/// What the outbox is opened with.
#[derive(Clone)]
pub struct Opening {
    /// State directory.
    pub state: PathBuf,
    /// Signs statements.
    pub key: SecretKey,
    /// Whose chain, and whom to believe.
    pub trust: Trust,
    /// Domain time: `made`, deadlines.
    pub clock: Arc<dyn Clock>,
    /// What the device knows of its clock.
    pub clock_state: ClockState,
    /// Rules by which readings become events.
    pub rules: Vec<SensorRule>,
    /// `eventTimeZoneOffset` of sensor events.
    pub time_zone_minutes: i32,
}

/// How far a scan file has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanPosition {
    /// Bytes, always at the beginning of a line.
    pub offset: u64,
    /// Lines before it.
    pub line: u64,
    /// Bytes of the file's beginning that `prefix_hash` is over.
    pub prefix: u64,
    /// Tells this file from another one of the same name.
    pub prefix_hash: Hash,
}

impl Default for ScanPosition {
    fn default() -> Self {
        Self {
            offset: 0,
            line: 0,
            prefix: 0,
            prefix_hash: schemas::hash::sha256(b""),
        }
    }
}

/// Lines of one file, taken over together with the new position.
#[derive(Debug)]
pub struct ScanBatch {
    /// The file as configured.
    pub path: String,
    /// Where the outbox stood when the batch was read; a batch read from elsewhere changes
    /// nothing, so that no line counts twice.
    pub from: ScanPosition,
    /// Where the outbox stands after it (also in another file of the same name).
    pub to: ScanPosition,
    /// What its events are worth.
    pub source: Source,
    /// Events of the good lines, in their order.
    pub events: Vec<Composed>,
    /// How many lines were refused.
    pub bad_lines: u64,
}

/// A sensor that gave no usable reading.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The sensor's name.
    pub sensor: String,
    /// What was wrong.
    pub text: String,
    /// From when until when, once it is over.
    pub range: Option<(Instant, Instant)>,
}

/// Verified words of the platform.
#[derive(Debug)]
enum Answer {
    Receipt {
        receipt: Receipt,
        bytes: Vec<u8>,
    },
    Inclusion {
        ids: Vec<Hash>,
        size: u64,
        root: Hash,
        note: Vec<u8>,
    },
    /// Something that did not verify.
    Alarm,
}

enum Work {
    Reading {
        series: String,
        reading: Reading,
    },
    Scan(Box<ScanBatch>),
    Fault(Fault),
    /// Speak if nothing was said since then.
    Heartbeat {
        since: Instant,
    },
    /// Close the open statement.
    Flush,
    /// Compose what readings there are, then close.
    Drain,
    Answer(Box<Answer>),
}

struct Job {
    work: Work,
    done: oneshot::Sender<Result<(), OutboxError>>,
}

/// A statement that waits for its receipt, ready to be sent.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Place in the outbox, rising.
    pub position: i64,
    /// Statement id.
    pub id: Hash,
    /// The message of `statement.md` section 4.
    pub message: Vec<u8>,
}

/// A handle to the outbox; cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    jobs: mpsc::Sender<Job>,
    readers: SqlitePool,
    trust: Arc<Trust>,
    newest: watch::Receiver<i64>,
    status: watch::Receiver<Status>,
}

impl Outbox {
    async fn hand_over(&self, work: Work) -> Result<(), OutboxError> {
        let (done, answer) = oneshot::channel();
        self.jobs
            .send(Job { work, done })
            .await
            .map_err(|_| OutboxError::Closed)?;
        answer.await.map_err(|_| OutboxError::Closed)?
    }

    /// Takes a reading over. Durable when this returns.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: nothing is stored, try again.
    pub async fn reading(&self, series: &str, reading: Reading) -> Result<(), OutboxError> {
        self.hand_over(Work::Reading {
            series: series.to_owned(),
            reading,
        })
        .await
    }

    /// Takes scan lines over with the file's new position. Durable when this returns.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: nothing is stored, try again.
    pub async fn scan(&self, batch: ScanBatch) -> Result<(), OutboxError> {
        self.hand_over(Work::Scan(Box::new(batch))).await
    }

    /// How far a scan file has been read.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn scan_position(&self, path: &str) -> Result<ScanPosition, OutboxError> {
        let row =
            sqlx::query("SELECT offset, line, prefix, prefix_hash FROM scans WHERE path = $1")
                .bind(path)
                .fetch_optional(&self.readers)
                .await?;
        row.as_ref()
            .map_or_else(|| Ok(ScanPosition::default()), state::scan_columns)
    }

    /// Signs a note about a sensor's fault.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: nothing is stored, try again.
    pub async fn fault(&self, fault: Fault) -> Result<(), OutboxError> {
        self.hand_over(Work::Fault(fault)).await
    }

    /// Signs a heartbeat unless something was said after `since`.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: nothing is stored, try again.
    pub async fn heartbeat(&self, since: Instant) -> Result<(), OutboxError> {
        self.hand_over(Work::Heartbeat { since }).await
    }

    /// Closes the open statement now.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: nothing is stored, try again.
    pub async fn flush(&self) -> Result<(), OutboxError> {
        self.hand_over(Work::Flush).await
    }

    /// Makes events of readings that wait for more of their kind, and closes the open statement.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: nothing is stored, try again.
    pub async fn drain(&self) -> Result<(), OutboxError> {
        self.hand_over(Work::Drain).await
    }

    /// Takes a message of the receipt topic: verified first, then acted upon. What does not
    /// verify changes nothing but the count of alarms.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: do not acknowledge the message.
    pub async fn reply(&self, bytes: &[u8]) -> Result<(), OutboxError> {
        let answer = self.verified(bytes).unwrap_or_else(|problem| {
            tracing::error!(%problem, "a reply of the platform does not verify");
            Answer::Alarm
        });
        self.hand_over(Work::Answer(Box::new(answer))).await
    }

    fn verified(&self, bytes: &[u8]) -> Result<Answer, String> {
        match Reply::decode(bytes).map_err(|error| error.to_string())? {
            Reply::Receipt(bytes) => {
                let receipt = Receipt::open(&bytes, &self.trust.receipt_key)
                    .map_err(|error| error.to_string())?;
                if receipt.log != self.trust.log || receipt.device != self.trust.device {
                    return Err("a receipt of another log or device".to_owned());
                }
                Ok(Answer::Receipt { receipt, bytes })
            }
            Reply::Inclusion(inclusion) => {
                let witnessed = self.trust.policies.check_inclusion(&inclusion);
                let witnessed = witnessed.map_err(|error| error.to_string())?;
                Ok(Answer::Inclusion {
                    ids: inclusion.statements.iter().map(|row| row.id).collect(),
                    size: witnessed.size,
                    root: witnessed.root,
                    note: inclusion.checkpoint,
                })
            }
        }
    }

    /// Statements and notes without a receipt after `position`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn waiting(&self, position: i64, limit: u32) -> Result<Vec<Waiting>, OutboxError> {
        // One snapshot: a receipt may take the bodies between two queries.
        let mut snapshot = self.readers.begin().await?;
        let rows = sqlx::query(
            "SELECT position, id, bytes FROM statements
             WHERE receipt IS NULL AND position > $1 ORDER BY position LIMIT $2",
        )
        .bind(position)
        .bind(limit)
        .fetch_all(&mut *snapshot)
        .await?;
        let mut list = Vec::with_capacity(rows.len());
        for row in rows {
            let position: i64 = row.try_get(0)?;
            let statement: Vec<u8> = row.try_get(2)?;
            let events = state::events_of(&mut snapshot, position).await?;
            let parts: Vec<_> = events
                .iter()
                .map(|(source, salt, bytes)| (*source, *salt, &bytes[..]))
                .collect();
            let message = encode_message(&statement, &parts);
            list.push(Waiting {
                position,
                id: state::hash_column(&row, 1)?,
                message,
            });
        }
        Ok(list)
    }

    /// Positions in `from..=to` that have no receipt.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn waiting_positions(
        &self,
        from: i64,
        to: i64,
    ) -> Result<BTreeSet<i64>, OutboxError> {
        let positions: Vec<i64> = sqlx::query_scalar(
            "SELECT position FROM statements
             WHERE receipt IS NULL AND position BETWEEN $1 AND $2",
        )
        .bind(from)
        .bind(to)
        .fetch_all(&self.readers)
        .await?;
        Ok(positions.into_iter().collect())
    }

    /// Ids of statements past their anchor deadline whose inclusion has not come, oldest first.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn late(&self, limit: u32) -> Result<Vec<Hash>, OutboxError> {
        let rows = sqlx::query(
            "SELECT id FROM statements WHERE included = 0 AND late = 1 ORDER BY position LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| state::hash_column(row, 0)).collect()
    }

    /// The newest witnessed checkpoint that was verified here, as it came.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn checkpoint(&self) -> Result<Option<Vec<u8>>, OutboxError> {
        let note = sqlx::query_scalar("SELECT note FROM checkpoint");
        Ok(note.fetch_optional(&self.readers).await?)
    }

    /// Position of the newest statement, for whoever sends.
    #[must_use]
    pub fn newest(&self) -> watch::Receiver<i64> {
        self.newest.clone()
    }

    /// Counts as of the last commit; `connected` is the uplink's to say.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

pub use open::open;
