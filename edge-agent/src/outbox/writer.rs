//! The one task that writes: all jobs that wait share a commit and are answered after it.

use std::time::Duration;

use schemas::statement::CLOSE_EVENTS;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant as RealInstant, timeout};

use super::apply::apply;
use super::mirror::Mirror;
use super::pace::Pace;
use super::state::{State, number_column};
use super::thin::{Fill, thin};
use super::work::{Job, Work};
use super::{DATABASE_FILE, Opening, OutboxError, Positions, chain, database, events};
use crate::status::{Head, Status};

/// An open statement is closed this long after its first event.
const CLOSE_AFTER: Duration = Duration::from_millis(100);
/// A commit this shortly before that closes it too, instead of another one right behind.
const CLOSE_SLACK: Duration = Duration::from_millis(20);
/// Most jobs in one commit.
const GROUP_MAX: usize = 256;
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Between two foldings of the write-ahead log while nothing waits for the platform.
const FORGET_IDLE: Duration = Duration::from_secs(5);
/// The same while bodies wait.
const FORGET_BUSY: Duration = Duration::from_secs(60);
/// Between two times that the head file is brought to the disk.
const SYNC_MIRROR: Duration = Duration::from_secs(5);
/// What the status says while the quota is reached.
const FULL: &str = "the outbox is full: it has reached its quota, and sources wait";

pub(super) struct Writer {
    pub opening: Opening,
    pub db: SqliteConnection,
    pub state: State,
    pub mirror: Mirror,
    pub jobs: mpsc::Receiver<Job>,
    pub newest: watch::Sender<i64>,
    pub positions: watch::Sender<Positions>,
    pub status: watch::Sender<Status>,
    /// Held so that no second agent continues this chain.
    pub lock: std::fs::File,
    /// Number of the open statement's first event, and when it came.
    pub opened: Option<(i64, RealInstant)>,
    /// What the head file says.
    pub mirrored: Option<Head>,
    /// What it says on the disk for certain, and since when.
    pub synced: (Option<Head>, RealInstant),
    /// True after a failed commit: memory must be read again.
    pub stale: bool,
    /// When the write-ahead log was last folded in.
    pub folded: RealInstant,
    /// True if bodies were released since, which that log may still hold.
    pub released: bool,
    /// When the next small commit may be.
    pub pace: Pace,
    /// How full the outbox is, as of the last commit.
    pub fill: Fill,
}

impl Writer {
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.note_opened();
            let close_at = self.opened.map(|(_, at)| at + CLOSE_AFTER);
            tokio::select! {
                job = self.jobs.recv() => match job {
                    Some(job) => { let jobs = self.gather(job).await; self.commit(jobs).await }
                    None => break,
                },
                () = sleep_until(close_at) => self.commit(Vec::new()).await,
                _ = tick.tick() => {
                    self.mark_late().await;
                    self.expire().await;
                    if self.may_go_on() {
                        self.commit(Vec::new()).await;
                    }
                    self.forget().await;
                    if self.synced.1.elapsed() >= SYNC_MIRROR {
                        self.sync_mirror();
                    }
                }
            }
        }
        self.finish().await;
    }

    /// Jobs that share a commit: all that wait, and where commits follow each other closely, all
    /// that come until the next one may be.
    async fn gather(&mut self, first: Job) -> Vec<Job> {
        let mut jobs = vec![first];
        loop {
            while jobs.len() < GROUP_MAX
                && let Ok(job) = self.jobs.try_recv()
            {
                jobs.push(job);
            }
            let events: usize = jobs.iter().map(|job| job.work.events()).sum();
            let wait = match self.opening.paced {
                true => self.pace.wait(RealInstant::now()),
                false => Duration::ZERO,
            };
            let is_enough = events >= CLOSE_EVENTS
                || jobs.len() >= GROUP_MAX
                || jobs.iter().any(|job| job.urgent);
            if is_enough || wait.is_zero() {
                break;
            }
            match timeout(wait, self.jobs.recv()).await {
                Ok(Some(job)) => jobs.push(job),
                // The window is over, or nobody is left to come.
                Ok(None) | Err(_) => break,
            }
        }
        self.pace.spend(RealInstant::now());
        jobs
    }

    fn note_opened(&mut self) {
        let first = self.state.open.first().map(|event| event.number);
        // What is held back is not due.
        let first = first.filter(|_| self.state.held().is_empty());
        self.opened = match (first, self.opened) {
            (None, _) => None,
            (Some(first), Some((known, at))) if first == known => Some((known, at)),
            (Some(first), _) => Some((first, RealInstant::now())),
        };
    }

    fn is_due(&self) -> bool {
        self.opened
            .is_some_and(|(_, at)| at.elapsed() + CLOSE_SLACK >= CLOSE_AFTER)
    }

    async fn commit(&mut self, jobs: Vec<Job>) {
        let jobs = self.turn_away(jobs);
        for job in &jobs {
            // From here on the next key signs; the old one has said its last word.
            if let Work::NextKey(key) = &job.work {
                self.opening.key = key.clone();
            }
        }
        let outcome = self.transact(&jobs).await;
        match &outcome {
            Ok(()) => {
                let answer = |job: &Job| matches!(job.work, Work::Answer(_));
                self.released |= jobs.iter().any(answer);
                self.publish(self.trouble());
            }
            Err(error) => {
                self.stale = true;
                tracing::error!(%error, "the outbox cannot write; its callers try again");
                self.publish(&error.to_string());
                // Nothing was stored; a full disk is not freed within microseconds.
                tokio::time::sleep(CLOSE_AFTER).await;
            }
        }
        for job in jobs {
            let answer = match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(OutboxError::Store(error.to_string())),
            };
            // A caller that has gone does not need its answer.
            let _ = job.done.send(answer);
        }
    }

    /// There is room again, and nobody has come since.
    fn may_go_on(&self) -> bool {
        let state = &self.state;
        state.deferred && !self.fill.defers(true, state.signed_waiting())
    }

    /// While the outbox is full, sources are told to wait; everything else goes on, since it is
    /// what makes room.
    fn turn_away(&self, jobs: Vec<Job>) -> Vec<Job> {
        if !self.fill.is_full() {
            return jobs;
        }
        let (away, stay): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| job.work.is_input());
        for job in away {
            let _ = job.done.send(Err(OutboxError::Full(self.fill.used)));
        }
        stay
    }

    fn trouble(&self) -> &'static str {
        if self.fill.is_full() { FULL } else { "" }
    }

    async fn transact(&mut self, jobs: &[Job]) -> Result<(), OutboxError> {
        if self.stale {
            self.reconnect().await?;
            self.state = State::load(&mut self.db).await?;
            self.stale = false;
        }
        let due = self.is_due();
        let (opening, state) = (&self.opening, &mut self.state);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await?;
        state.deferred = self.fill.defers(state.deferred, state.signed_waiting());
        // What the platform has taken over first: what comes then takes its pages.
        let (answers, others): (Vec<&Job>, Vec<&Job>) = jobs
            .iter()
            .partition(|job| matches!(job.work, Work::Answer(_)));
        for job in answers.into_iter().chain(others) {
            apply(opening, &mut transaction, state, &job.work).await?;
        }
        if self.fill.thins() && state.deferred {
            thin(opening, &mut transaction, state).await?;
        }
        if due || (state.beyond > 0 && state.held().is_empty()) {
            chain::close(opening, &mut transaction, state).await?;
        }
        events::store_new(&mut transaction, state).await?;
        self.fill.used = store_chain(&mut transaction, state).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// SQLite rolls a transaction back by itself where it cannot write, and sqlx, whose own rollback
    /// then fails, takes the connection for being in it for ever.
    async fn reconnect(&mut self) -> Result<(), OutboxError> {
        let path = self.opening.state.join(DATABASE_FILE);
        let fresh = database::reconnect(&path, self.opening.pages_max).await?;
        let old = std::mem::replace(&mut self.db, fresh);
        // What it had to say it has said.
        let _ = old.close().await;
        Ok(())
    }

    /// Head file, the uplink's mark and the status, after a commit.
    fn publish(&mut self, trouble: &str) {
        let stored = trouble.is_empty() || trouble == FULL;
        if stored && self.mirrored != self.state.head {
            self.mirrored = self.state.head;
            if let Some(Err(error)) = self.state.head.map(|head| self.mirror.write(&head)) {
                tracing::error!(%error, "the head file cannot be written");
            }
        }
        if stored {
            let newest = self.state.newest;
            self.newest
                .send_if_modified(|known| std::mem::replace(known, newest) != newest);
            self.positions.send_if_modified(|known| {
                let changed = *known != self.state.scans;
                if changed {
                    known.clone_from(&self.state.scans);
                }
                changed
            });
        }
        let status = self.state.status(trouble, self.fill);
        self.status.send_if_modified(|known| {
            let changed = *known != status;
            *known = status;
            changed
        });
    }

    /// Windows are told when their end has passed, also where the sensor has fallen silent.
    async fn expire(&mut self) {
        if !self.stale && super::series::is_due(&self.opening, &mut self.state) {
            let (done, _) = oneshot::channel();
            self.commit(vec![Job {
                work: Work::Expire,
                urgent: true,
                done,
            }])
            .await;
        }
    }

    /// Statements whose anchor deadline has passed become alarms, once each.
    async fn mark_late(&mut self) {
        // What is in memory then was never stored, and nobody may be shown it.
        if self.stale {
            return;
        }
        let now = self.opening.clock.now().as_micros();
        match late(&mut self.db, now).await {
            Ok(0) => {}
            Ok(count) => {
                self.state.queues.late += count;
                self.publish(self.trouble());
            }
            Err(error) => tracing::error!(%error, "deadlines cannot be looked at"),
        }
    }

    /// Folds the write-ahead log in and empties it where it may hold bodies that the platform has
    /// taken over: soon once nothing waits, and now and then while much does.
    async fn forget(&mut self) {
        let pace = if self.state.queues.bodies == 0 {
            FORGET_IDLE
        } else {
            FORGET_BUSY
        };
        if self.released && self.folded.elapsed() >= pace {
            self.released = false;
            self.fold().await;
        }
    }

    fn sync_mirror(&mut self) {
        if self.synced.0 == self.mirrored {
            return;
        }
        self.synced = (self.mirrored, RealInstant::now());
        if let Err(error) = self.mirror.sync() {
            tracing::error!(%error, "the head file cannot be brought to the disk");
        }
    }

    async fn fold(&mut self) {
        self.folded = RealInstant::now();
        let folded = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)");
        if let Err(error) = folded.execute(&mut self.db).await {
            self.released = true;
            tracing::warn!(%error, "the outbox's log could not be folded in");
        }
    }

    async fn finish(mut self) {
        self.commit_open().await;
        self.fold().await;
        self.sync_mirror();
        if let Err(error) = self.db.close().await {
            tracing::warn!(%error, "the outbox did not close");
        }
        drop(self.lock);
    }

    async fn commit_open(&mut self) {
        self.opened = self
            .opened
            .map(|(number, _)| (number, RealInstant::now() - CLOSE_AFTER));
        if self.opened.is_some() {
            self.commit(Vec::new()).await;
        }
    }
}

async fn sleep_until(at: Option<RealInstant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The chain's row: its end, and what every commit changes beside it. Bytes of pages in use.
pub(super) async fn store_chain(
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<u64, OutboxError> {
    if !state.changed {
        return database::used(db).await;
    }
    let counts = serde_json::to_string(&state.counts)
        .map_err(|error| OutboxError::Store(error.to_string()))?;
    let head = state.head.as_ref();
    // Each call of SQLite is one of another thread: two questions are one.
    let used: i64 = sqlx::query_scalar(
        "UPDATE chain SET epoch = $1, seq = $2, id = $3, made = $4, position = $5, signed = $6,
                          newest = $7, counts = $8
         RETURNING (SELECT (pages.page_count - free.freelist_count) * size.page_size
                    FROM pragma_page_count AS pages, pragma_freelist_count AS free,
                         pragma_page_size AS size)",
    )
    .bind(head.map(|head| chain::signed(head.epoch)))
    .bind(head.map(|head| chain::signed(head.seq)))
    .bind(head.map(|head| &head.id.0[..]))
    .bind(head.map(|_| state.last_said.as_micros()))
    .bind(state.newest)
    .bind(state.signed)
    .bind(state.newest_event)
    .bind(counts)
    .fetch_one(db)
    .await?;
    state.changed = false;
    Ok(u64::try_from(used).unwrap_or(0))
}

/// Marks receipts whose deadline has passed; how many statements wait under them.
async fn late(db: &mut SqliteConnection, now: i64) -> Result<u64, OutboxError> {
    const OVERDUE: &str = "SELECT coalesce(sum(waiting), 0) FROM receipts
                           WHERE late = 0 AND deadline < $1";
    let overdue = sqlx::query(OVERDUE).bind(now).fetch_one(&mut *db).await?;
    let count = number_column(&overdue, 0)?;
    if count == 0 {
        return Ok(0);
    }
    sqlx::query("UPDATE receipts SET late = 1 WHERE late = 0 AND deadline < $1")
        .bind(now)
        .execute(&mut *db)
        .await?;
    tracing::error!(
        statements = count,
        "not anchored by the deadline that the platform signed"
    );
    Ok(count)
}
