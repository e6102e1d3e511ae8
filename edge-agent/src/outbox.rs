//! The outbox: everything that the device has said and nobody has yet taken over.
//!
//! One writer task owns the SQLite file (WAL, synchronous FULL) and the end of the chain. Jobs
//! reach it over a bounded channel; all that wait share one commit, and each is answered after
//! it. So a caller that has its answer knows that what it handed over survives a power cut, and a
//! statement is durable before anybody can send it.
//!
//! A statement closes at 64 events, at 48 KiB of events or 100 ms after its first event (real
//! time: it is a matter of batching, not of the domain's clock). It is signed once and kept byte
//! for byte. Events are packed while they wait ([`body`]). Their bodies go when a verified receipt
//! names their statement's id; the statement and the receipt go when its inclusion in a witnessed
//! checkpoint has been verified.

mod answers;
mod apply;
pub mod audit;
pub mod body;
mod chain;
mod database;
mod events;
mod glance;
mod mirror;
mod open;
mod pace;
mod repair;
mod replace;
mod rotation;
mod salvage;
mod send;
mod series;
mod state;
mod thin;
mod work;
mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use schemas::hash::Hash;
use schemas::key::{Signer, SignerError};
use schemas::receipt::{Receipt, Reply};
use schemas::time::{Clock, Instant};
use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot, watch};

use self::work::{Answer, Job, Work};
use crate::clock::Known;
use crate::compose::sensor::Reading;
use crate::compose::series::Cut;
use crate::config::SensorRule;
use crate::status::{Head, Status};
use crate::trust::Trust;

pub use database::DATABASE_FILE;
pub use glance::{Glance, glance};
pub use mirror::HEAD_FILE;
pub(crate) use open::LOCK_FILE;
pub use open::open;
pub use repair::COPY_STARTED;
pub use send::Waiting;
pub use work::{Fault, ScanBatch, ScanPosition};

/// Jobs that may wait for the writer.
const QUEUE_MAX: usize = 1_024;

/// SQLite's primary result codes for a file that is no sound database. Statements are fixed, so that
/// one which does not fit its tables (code 1) has met other tables.
const SQLITE_ERROR: u32 = 1;
const SQLITE_CORRUPT: u32 = 11;
const SQLITE_NOTADB: u32 = 26;
/// Those that say of a row that it is not one for its table: too big, a constraint, another type.
const SQLITE_REFUSALS: [u32; 3] = [18, 19, 20];

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
    /// The quota is reached: bytes in use. Nothing of the job is stored; try again when the platform
    /// has taken something over.
    #[error("the outbox has reached its quota with {0} bytes")]
    Full(u64),
    /// The key's holder.
    #[error(transparent)]
    Signer(#[from] SignerError),
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
        // A column that does not hold what every row of ours holds: a bit has flipped.
        let is_garbled = matches!(
            error,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
        );
        match code.map(|code| code & 0xff) {
            Some(SQLITE_ERROR | SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Damaged(error.to_string()),
            _ if is_garbled => Self::Damaged(error.to_string()),
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
    pub key: Arc<dyn Signer>,
    /// Whose chain, and whom to believe.
    pub trust: Trust,
    /// Domain time: `made`, deadlines.
    pub clock: Arc<dyn Clock>,
    /// What the device knows of its clock, as it changes ([`crate::clock::fixed`] if it does not).
    pub clock_state: watch::Receiver<Known>,
    /// Rules by which readings become events.
    pub rules: Vec<SensorRule>,
    /// `eventTimeZoneOffset` of sensor events.
    pub time_zone_minutes: i32,
    /// Most pages of 4,096 bytes that the database may have; the disk decides where there is none.
    /// Beyond, it is full: nothing more is taken until a receipt makes room.
    pub pages_max: Option<u32>,
    /// Small commits keep a pace that suits an SD card. For a clock that passes as real time does:
    /// where somebody else moves it, everything between two moves would wait.
    pub paced: bool,
    /// Quota in bytes; none without. Before it is reached old readings are thinned; beyond it
    /// sources wait.
    pub bytes_max: Option<u64>,
    /// The newest statement of this device that the platform has, where it was asked because
    /// nobody here knows.
    pub known: Option<Head>,
}

/// A handle to the outbox; cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    jobs: mpsc::Sender<Job>,
    readers: SqlitePool,
    trust: Arc<RwLock<Trust>>,
    newest: watch::Receiver<i64>,
    positions: watch::Receiver<Positions>,
    status: watch::Receiver<Status>,
}

/// How far each scan file has been read.
type Positions = BTreeMap<String, ScanPosition>;

impl Outbox {
    async fn hand_over(&self, work: Work) -> Result<(), OutboxError> {
        let urgent = !work.is_input();
        let answer = self.enqueue(work, urgent).await?;
        answer.await.map_err(|_| OutboxError::Closed)?
    }

    async fn enqueue(
        &self,
        work: Work,
        urgent: bool,
    ) -> Result<oneshot::Receiver<Result<(), OutboxError>>, OutboxError> {
        let (done, answer) = oneshot::channel();
        let job = Job { work, urgent, done };
        let sent = self.jobs.send(job).await;
        sent.map_err(|_| OutboxError::Closed)?;
        Ok(answer)
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

    /// Makes events of windows whose end has passed although no reading came; the writer does so
    /// by itself once a second of real time.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: nothing is stored, try again.
    pub async fn expire(&self) -> Result<(), OutboxError> {
        self.hand_over(Work::Expire).await
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
        self.hand_over(Work::Drain(Cut::Stop)).await
    }

    /// Makes events of everything that was read, open windows too, and closes the open statement:
    /// what comes next is read by another count of time, and nothing is to mix the two.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: nothing is stored, try again.
    pub async fn end_count_of_time(&self) -> Result<(), OutboxError> {
        self.hand_over(Work::Drain(Cut::Clock)).await
    }

    /// Asks the writer whether it is there. An outbox that cannot write answers too.
    ///
    /// # Errors
    /// [`OutboxError::Closed`] if the writer has ended.
    pub async fn touch(&self) -> Result<(), OutboxError> {
        match self.hand_over(Work::Touch).await {
            Err(OutboxError::Closed) => Err(OutboxError::Closed),
            _ => Ok(()),
        }
    }

    /// Takes a message of the receipt topic: verified first, then acted upon. What does not
    /// verify changes nothing but the count of alarms.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: do not acknowledge the message.
    pub async fn reply(&self, bytes: &[u8]) -> Result<(), OutboxError> {
        let answer = self.verified_or_alarm(bytes);
        self.hand_over(Work::Answer(Box::new(answer))).await
    }

    /// The same with one of the next commits, which is not waited for: what is lost of it by a
    /// power cut is asked for again, a receipt by sending the statement once more, an inclusion at
    /// its deadline.
    ///
    /// # Errors
    /// [`OutboxError::Closed`].
    pub async fn reply_soon(&self, bytes: &[u8]) -> Result<(), OutboxError> {
        let answer = self.verified_or_alarm(bytes);
        let work = Work::Answer(Box::new(answer));
        self.enqueue(work, false).await.map(drop)
    }

    /// Takes a sign that somebody else speaks with this device's key.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn stranger(&self, problem: &'static str) -> Result<(), OutboxError> {
        self.hand_over(Work::Stranger(problem)).await
    }

    /// True if this chain goes on from a statement that the platform has as the newest.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn follows(&self, theirs: Head) -> Result<bool, OutboxError> {
        let mine = self.status.borrow().head;
        let mut reader = self.readers.acquire().await?;
        repair::follows(&mut reader, mine, &theirs).await
    }

    /// Compares the chain with the newest statement that the platform has of this device; where
    /// that is not ours, what the platform has not is said again in a new epoch behind it.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: ask again.
    pub async fn known_head(&self, theirs: Head) -> Result<(), OutboxError> {
        self.hand_over(Work::Known(theirs)).await
    }

    /// The present key says its last word, naming the next one; nothing is signed from then on.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: ask again.
    pub async fn say_last_word(&self, next: Hash) -> Result<(), OutboxError> {
        self.hand_over(Work::LastWord { next }).await
    }

    /// Signs again, from now on with the next key, whose record is in force.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: ask again.
    pub async fn go_on_with(&self, key: Arc<dyn Signer>) -> Result<(), OutboxError> {
        self.hand_over(Work::NextKey(key)).await
    }

    /// Signs again with the present key: there will be no next one.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: ask again.
    pub async fn go_on_as_before(&self) -> Result<(), OutboxError> {
        self.hand_over(Work::PresentKey).await
    }

    /// From now on the platform's word is judged by this: the next key's enrolment may name another
    /// receipt key.
    pub fn believe(&self, trust: Trust) {
        let mut known = self.trust.write().unwrap_or_else(PoisonError::into_inner);
        *known = trust;
    }

    fn verified_or_alarm(&self, bytes: &[u8]) -> Answer {
        self.verified(bytes).unwrap_or_else(|problem| {
            tracing::error!(%problem, "a reply of the platform does not verify");
            Answer::Alarm
        })
    }

    fn verified(&self, bytes: &[u8]) -> Result<Answer, String> {
        let trust = self.trust.read().unwrap_or_else(PoisonError::into_inner);
        match Reply::decode(bytes).map_err(|error| error.to_string())? {
            Reply::Receipt(bytes) => {
                let receipt = Receipt::open(&bytes, &trust.receipt_key);
                let receipt = receipt.map_err(|error| error.to_string())?;
                if receipt.log != trust.log || receipt.device != trust.device {
                    return Err("a receipt of another log or device".to_owned());
                }
                Ok(Answer::Receipt { receipt, bytes })
            }
            Reply::Inclusion(inclusion) => {
                let witnessed = trust.policies.check_inclusion(&inclusion);
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

    /// The same now.
    #[must_use]
    pub fn newest_position(&self) -> i64 {
        *self.newest.borrow()
    }

    /// How far a scan file has been read, as of the last commit.
    ///
    /// # Errors
    /// [`OutboxError::Closed`] if the writer has ended.
    pub fn scan_position(&self, path: &str) -> Result<ScanPosition, OutboxError> {
        let ended = self.positions.has_changed();
        ended.map_err(|_| OutboxError::Closed)?;
        let positions = self.positions.borrow();
        Ok(positions.get(path).cloned().unwrap_or_default())
    }

    /// Counts as of the last commit; `connected` is the uplink's to say.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}
