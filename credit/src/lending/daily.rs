//! The daily run over all loans.
//!
//! It reads the rows that are behind a day, runs each loan from the copy of its position, and writes
//! many loans a transaction: their acts, what they book as one page of the ledger, their rows. Each
//! write names how many acts its loans had; if one of them was moved meanwhile, none of that write is
//! kept and the next pass finds its loans again. So a run that is stopped anywhere goes on with what is
//! left, a second run of a day finds nothing, and two runs at once do no harm; a lease keeps them from
//! doing the same work.

use std::sync::Arc;
use std::time::Duration;

use chrono::{Days, NaiveDate};
use schemas::time::Instant;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::rows::Named;
use super::{Lending, LendingError, TRIES};
use crate::audit::{self, Action};
use crate::law::acceptance::china_day;
use crate::ledger::{Class, Entry, LoanId};
use crate::loan::life::{self, Conditions, NotKept, Position, Refused, Running};
use crate::store::StoreError;
use crate::store::ledger::ENTRIES_MAX;
use crate::store::lending::{Change, Denial, Head, LOANS_MAX, Write, Wrote};

/// Name of the task in the table of leases.
const TASK: &str = "daily-run";

/// How long a run may be silent before another process takes over.
const LEASE: Duration = Duration::from_secs(120);

/// Most days that one write brings a loan on: a loan that was behind for years is written in parts.
const DAYS_AT_ONCE: u64 = 32;

/// Entries of a write: one loan more may follow, and a call of the ledger takes [`ENTRIES_MAX`].
const ENTRIES_AT_ONCE: usize = ENTRIES_MAX - 1_024;

/// Writes that wait while the next ones are calculated.
const WAITING: usize = 2;

/// How long the task waits between two looks.
const LOOK: Duration = Duration::from_secs(60);

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Loans that were written; one that was behind for long counts for each part.
    pub loans: u64,
    /// Their acts.
    pub acts: u64,
    /// What these booked.
    pub entries: u64,
    /// Loans that could not be run, and why. They are tried again with each run.
    pub failed: Vec<(LoanId, String)>,
    /// True if it was stopped before its end.
    pub stopped: bool,
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum DailyError {
    /// The day has not begun in China.
    #[error("{day} has not begun: today is {today}")]
    Future {
        /// Asked for.
        day: NaiveDate,
        /// By the clock.
        today: NaiveDate,
    },
    /// Another process runs it.
    #[error("another process runs the day")]
    Held,
    /// The store failed; what was written stays, and the next run goes on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The trial's room.
    #[error(transparent)]
    Lending(#[from] LendingError),
}

/// Why a loan was not run.
#[derive(Debug, thiserror::Error)]
enum NotRun {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    NotKept(#[from] NotKept),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("its row is not whole")]
    Row,
}

/// Loans of one transaction.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    entries: Vec<Entry>,
}

impl Lending {
    /// Brings all loans to a day (today if none is given). `holder` names this process; `stop` ends
    /// the run after a write.
    ///
    /// # Errors
    /// [`DailyError`].
    pub async fn run_day(
        &self,
        day: Option<NaiveDate>,
        holder: &str,
        stop: &CancellationToken,
    ) -> Result<Day, DailyError> {
        let today = china_day(self.clock.now());
        let day = day.unwrap_or(today);
        if day > today {
            return Err(DailyError::Future { day, today });
        }
        let mut done = Day::default();
        for _ in 0..TRIES {
            self.hold(holder).await?;
            let before = done.loans;
            let failed = std::mem::take(&mut done.failed);
            let overtaken = self.pass(day, holder, stop, &mut done).await?;
            if done.stopped {
                break;
            }
            // Whoever failed in the pass before fails again: that is no progress.
            if done.loans == before && !overtaken {
                if done.failed.is_empty() {
                    done.failed = failed;
                }
                break;
            }
        }
        // Nobody has to wait for the end of the lease.
        let now = self.clock.now();
        self.store.hold_lease(TASK, holder, now, now).await?;
        self.tell_room().await?;
        for (loan, reason) in &done.failed {
            tracing::error!(loan = %loan, reason, "a loan was not run");
        }
        Ok(done)
    }

    async fn hold(&self, holder: &str) -> Result<(), DailyError> {
        let now = self.clock.now();
        let held = self
            .store
            .hold_lease(TASK, holder, now, now + LEASE)
            .await?;
        held.map(|_| ()).ok_or(DailyError::Held)
    }

    /// Goes once over everything that is behind: one side reads and calculates, the other writes. True
    /// if something was overtaken.
    async fn pass(
        &self,
        day: NaiveDate,
        holder: &str,
        stop: &CancellationToken,
        done: &mut Day,
    ) -> Result<bool, DailyError> {
        let (send, receive) = mpsc::channel(WAITING);
        let now = self.clock.now();
        let (failed, overtaken) = tokio::try_join!(
            self.calculate(day, now, stop, send),
            self.write_all(day, holder, receive, done)
        )?;
        for (loan, reason) in &failed {
            self.store.deny(&not_run(loan, day, now, reason)).await?;
        }
        done.failed = failed;
        done.stopped = stop.is_cancelled();
        Ok(overtaken)
    }

    async fn calculate(
        &self,
        day: NaiveDate,
        now: Instant,
        stop: &CancellationToken,
        send: mpsc::Sender<Batch>,
    ) -> Result<Vec<(LoanId, String)>, DailyError> {
        let (mut failed, mut after) = (Vec::new(), None::<(NaiveDate, LoanId)>);
        while !stop.is_cancelled() {
            let cursor = after.as_ref().map(|(day, loan)| (*day, loan));
            let heads = self.store.behind(day, cursor, LOANS_MAX).await?;
            let Some(last) = heads.last() else {
                break;
            };
            after = last.run_day.map(|day| (day, last.loan.clone()));
            let mut jobs = Vec::with_capacity(heads.len());
            for head in heads {
                let store = &*self.store;
                let conditions = self.catalogue.conditions(store, head.product, head.rules);
                jobs.push((conditions.await?, head));
            }
            // Calculating takes the processor: beside the event loop.
            let work = tokio::task::spawn_blocking(move || batches(jobs, day, now));
            let Ok((batches, not)) = work.await else {
                break;
            };
            failed.extend(not);
            for batch in batches {
                if send.send(batch).await.is_err() {
                    return Ok(failed);
                }
            }
        }
        Ok(failed)
    }

    async fn write_all(
        &self,
        day: NaiveDate,
        holder: &str,
        mut receive: mpsc::Receiver<Batch>,
        done: &mut Day,
    ) -> Result<bool, DailyError> {
        let mut overtaken = false;
        while let Some(batch) = receive.recv().await {
            self.hold(holder).await?;
            let loans = batch.changes.len();
            let acts: usize = batch.changes.iter().map(|one| one.acts.len()).sum();
            let entries = batch.entries.len();
            let write = Write {
                book: self.rules.book.clone(),
                changes: batch.changes,
                entries: batch.entries,
                note: audit::Entry {
                    at: self.clock.now(),
                    actor: "service".to_owned(),
                    action: Action::DailyRun,
                    subject: day.to_string(),
                    detail: format!("{loans} loans, {acts} acts, {entries} entries"),
                },
            };
            match self.store.write_loans(&write).await? {
                Wrote::Overtaken => overtaken = true,
                Wrote::Kept => {
                    let add = |sum: &mut u64, more: usize| {
                        *sum = sum.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
                    };
                    add(&mut done.loans, loans);
                    add(&mut done.acts, acts);
                    add(&mut done.entries, entries);
                }
            }
        }
        Ok(overtaken)
    }
}

/// Runs loans and puts what they write into transactions.
fn batches(
    jobs: Vec<(Arc<Conditions>, Head)>,
    day: NaiveDate,
    now: Instant,
) -> (Vec<Batch>, Vec<(LoanId, String)>) {
    let (mut made, mut failed, mut batch) = (Vec::new(), Vec::new(), Batch::default());
    for (conditions, head) in jobs {
        match run(&conditions, &head, day, now) {
            Err(error) => failed.push((head.loan, error.to_string())),
            Ok((change, entries)) => {
                batch.changes.push(change);
                batch.entries.extend(entries);
            }
        }
        if batch.entries.len() >= ENTRIES_AT_ONCE {
            made.push(std::mem::take(&mut batch));
        }
    }
    if !batch.changes.is_empty() {
        made.push(batch);
    }
    for batch in &mut made {
        batch
            .changes
            .sort_by(|one, other| one.head.loan.cmp(&other.head.loan));
    }
    (made, failed)
}

/// Runs one loan from its row.
fn run(
    conditions: &Conditions,
    head: &Head,
    day: NaiveDate,
    now: Instant,
) -> Result<(Change, Vec<Entry>), NotRun> {
    let (from, kept) = head
        .run_day
        .zip(head.position.as_ref())
        .ok_or(NotRun::Row)?;
    let until = from + Days::new(DAYS_AT_ONCE);
    let position = Position::of_kept(kept, conditions, head.instalments)?;
    let was = position.books().fen(Class::Principal);
    let before = position.clone();
    let running = Running {
        id: head.loan.clone(),
        position,
        conditions,
        last_booked: head.last_booked,
    };
    let (position, done) = life::day_of(running, until.min(day), now)?;
    let (mut acts, mut entries) = (Vec::with_capacity(done.len()), Vec::new());
    for (act, booked) in done {
        acts.push(act);
        entries.extend(booked);
    }
    if acts.is_empty() {
        return Err(NotRun::Row);
    }
    let added = u32::try_from(acts.len()).map_err(|_| NotRun::Row)?;
    let number = head.acts.saturating_add(added);
    let given = was.saturating_sub(position.books().fen(Class::Principal));
    let named = Named::of(&head.loan, &head.supplier, None)?;
    let change = Change {
        before: head.acts,
        acts,
        rows: named.rows((Some(&before), Some(&position)), number, now)?,
        room: Some((number, given))
            .filter(|(_, fen)| *fen != 0)
            .into_iter()
            .collect(),
        payee: None,
        ends: None,
        head: Head {
            acts: number,
            state: position.word().to_owned(),
            run_day: life::run_day_of(&position),
            due_day: position.slots().first().map(|slot| slot.due),
            last_booked: now,
            position: Some(position.keep(conditions, head.instalments)?),
            ..head.clone()
        },
    };
    Ok((change, entries))
}

fn not_run(loan: &LoanId, day: NaiveDate, at: Instant, reason: &str) -> Denial {
    Denial {
        loan: loan.clone(),
        at,
        who: "machine".to_owned(),
        deed: "day_opened".to_owned(),
        key: format!("day/{day}"),
        rule: "daily-run".to_owned(),
        reason: reason.to_owned(),
    }
}

/// Room that nobody will use any more: of offers that were not taken, of loans that were not drawn.
async fn give_back(lending: &Lending) {
    for (whose, given) in [
        ("offers", lending.end_untaken().await),
        ("loans", lending.close_undrawn().await),
    ] {
        match given {
            Ok(0) => {}
            Ok(number) => tracing::info!(whose, number, "room was given back"),
            Err(error) => tracing::error!(whose, %error, "room that nobody took is not given back"),
        }
    }
}

/// The task of a service: gives back room that nobody takes, goes on with payments that are not over,
/// and runs each day once it has begun, until it is stopped.
pub async fn follow(lending: Arc<Lending>, stop: CancellationToken) {
    let holder = schemas::random::bytes::<8>().map_or_else(
        |_| "service".to_owned(),
        |bytes| format!("service-{:016x}", u64::from_be_bytes(bytes)),
    );
    while !stop.is_cancelled() {
        if let Err(error) = lending.resume_all().await {
            tracing::error!(%error, "payments cannot be gone on with");
        }
        give_back(&lending).await;
        match lending.run_day(None, &holder, &stop).await {
            Ok(done) if done.loans > 0 => {
                tracing::info!(loans = done.loans, acts = done.acts, "loans were run");
            }
            Ok(_) | Err(DailyError::Held) => {}
            Err(error) => tracing::error!(%error, "the daily run stopped"),
        }
        let clock = lending.clock();
        let next = clock.now() + LOOK;
        tokio::select! {
            () = clock.sleep_until(next) => {}
            () = stop.cancelled() => {}
        }
    }
}
