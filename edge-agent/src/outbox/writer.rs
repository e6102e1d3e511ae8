//! The one task that writes: all jobs that wait share a commit and are answered after it.

use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant as RealInstant;

use super::apply::apply;
use super::chain;
use super::mirror::Mirror;
use super::state::{State, number_column};
use super::{Job, Opening, OutboxError, Work};
use crate::status::{Head, Status};

/// An open statement is closed this long after its first event.
const CLOSE_AFTER: Duration = Duration::from_millis(100);
/// Most jobs in one commit.
const GROUP_MAX: usize = 256;
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Between two foldings of the write-ahead log while nothing waits for the platform.
const FORGET_IDLE: Duration = Duration::from_secs(5);
/// The same while bodies wait.
const FORGET_BUSY: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    pub opening: Opening,
    pub db: SqliteConnection,
    pub state: State,
    pub mirror: Mirror,
    pub jobs: mpsc::Receiver<Job>,
    pub newest: watch::Sender<i64>,
    pub status: watch::Sender<Status>,
    /// Held so that no second agent continues this chain.
    pub lock: std::fs::File,
    /// Number of the open statement's first event, and when it came.
    pub opened: Option<(i64, RealInstant)>,
    /// What the head file says.
    pub mirrored: Option<Head>,
    /// True after a failed commit: memory must be read again.
    pub stale: bool,
    /// When the write-ahead log was last folded in.
    pub folded: RealInstant,
    /// True if bodies were released since, which that log may still hold.
    pub released: bool,
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
                    Some(job) => { let jobs = self.gather(job); self.commit(jobs).await }
                    None => break,
                },
                () = sleep_until(close_at) => self.commit(Vec::new()).await,
                _ = tick.tick() => {
                    self.mark_late().await;
                    self.forget().await;
                }
            }
        }
        self.finish().await;
    }

    fn gather(&mut self, first: Job) -> Vec<Job> {
        let mut jobs = vec![first];
        while jobs.len() < GROUP_MAX
            && let Ok(job) = self.jobs.try_recv()
        {
            jobs.push(job);
        }
        jobs
    }

    fn note_opened(&mut self) {
        let first = self.state.open.first().map(|event| event.number);
        self.opened = match (first, self.opened) {
            (None, _) => None,
            (Some(first), Some((known, at))) if first == known => Some((known, at)),
            (Some(first), _) => Some((first, RealInstant::now())),
        };
    }

    fn is_due(&self) -> bool {
        self.opened
            .is_some_and(|(_, at)| at.elapsed() >= CLOSE_AFTER)
    }

    async fn commit(&mut self, jobs: Vec<Job>) {
        let outcome = self.transact(&jobs).await;
        match &outcome {
            Ok(()) => {
                let answer = |job: &Job| matches!(job.work, Work::Answer(_));
                self.released |= jobs.iter().any(answer);
                self.publish("");
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

    async fn transact(&mut self, jobs: &[Job]) -> Result<(), OutboxError> {
        if self.stale {
            self.state = State::load(&mut self.db).await?;
            self.stale = false;
        }
        let due = self.is_due();
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await?;
        for job in jobs {
            apply(&self.opening, &mut transaction, &mut self.state, &job.work).await?;
        }
        if due {
            chain::close(&self.opening, &mut transaction, &mut self.state).await?;
        }
        store_counts(&mut transaction, &mut self.state).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Head file, the uplink's mark and the status, after a commit.
    fn publish(&mut self, trouble: &str) {
        if trouble.is_empty() && self.mirrored != self.state.head {
            self.mirrored = self.state.head;
            if let Some(Err(error)) = self.state.head.map(|head| self.mirror.write(&head)) {
                tracing::error!(%error, "the head file cannot be written");
            }
        }
        if trouble.is_empty() {
            let newest = self.state.newest;
            self.newest
                .send_if_modified(|known| std::mem::replace(known, newest) != newest);
        }
        let status = self.state.status(trouble);
        self.status.send_if_modified(|known| {
            let changed = *known != status;
            *known = status;
            changed
        });
    }

    /// Statements whose anchor deadline has passed become alarms, once each.
    async fn mark_late(&mut self) {
        let now = self.opening.clock.now().as_micros();
        match late(&mut self.db, now).await {
            Ok(0) => {}
            Ok(count) => {
                self.state.queues.late += count;
                self.publish("");
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

async fn store_counts(db: &mut SqliteConnection, state: &mut State) -> Result<(), OutboxError> {
    if state.counts == state.stored_counts {
        return Ok(());
    }
    let text = serde_json::to_string(&state.counts)
        .map_err(|error| OutboxError::Store(error.to_string()))?;
    sqlx::query(
        "INSERT INTO counters (one, counts) VALUES (1, $1)
         ON CONFLICT (one) DO UPDATE SET counts = $1",
    )
    .bind(text)
    .execute(db)
    .await?;
    state.stored_counts = state.counts.clone();
    Ok(())
}

async fn late(db: &mut SqliteConnection, now: i64) -> Result<u64, OutboxError> {
    let overdue: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM statements
         WHERE included = 0 AND late = 0 AND deadline < $1)",
    )
    .bind(now)
    .fetch_one(&mut *db)
    .await?;
    if !overdue {
        return Ok(0);
    }
    let rows = sqlx::query(
        "UPDATE statements SET late = 1 WHERE included = 0 AND late = 0 AND deadline < $1
         RETURNING epoch, seq",
    )
    .bind(now)
    .fetch_all(&mut *db)
    .await?;
    for row in &rows {
        let (epoch, seq) = (number_column(row, 0)?, number_column(row, 1)?);
        tracing::error!(
            epoch,
            seq,
            "not anchored by the deadline that the platform signed"
        );
    }
    Ok(rows.len() as u64)
}
