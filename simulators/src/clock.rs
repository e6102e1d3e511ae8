//! Time that the simulation moves: a [`Clock`] whose hands stand still until somebody advances them.
//!
//! # How participants are counted
//! Every tokio task that sleeps on this clock is a participant from its first sleep. When
//! [`VirtualClock::advance`] reaches a deadline it wakes the sleepers of exactly that deadline and
//! then waits until each of their tasks sleeps again (or drops the sleep that was woken), before
//! it moves on. So a sampler that does real work between two sleeps, like a Modbus request over a
//! socket, does it while the clock stands still, and every reading carries the time of its
//! deadline: that is what makes a run repeatable.
//!
//! Only woken tasks are waited for. A long timer in the background (a heartbeat a day away) holds
//! nobody up. A task that was woken and neither sleeps again nor ends its sleep within
//! [`PATIENCE`] is reported once as [`AdvanceError::Stalled`] and from then on no longer waited for.
//!
//! # Going live
//! After [`VirtualClock::go_live`] the clock follows real time from where it stands. It never goes
//! backwards.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use schemas::time::{Clock, Instant};
use tokio::sync::Notify;
use tokio::time::Instant as RealInstant;
use tokio_util::sync::CancellationToken;

/// How long [`VirtualClock::advance`] waits, in real time, for a task that it has woken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often a live clock looks for sleepers whose time has come.
const TICK: Duration = Duration::from_millis(10);

/// Why the clock could not be advanced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdvanceError {
    /// Woken tasks did not sleep again in time. They are no longer waited for.
    #[error(
        "at {at} {tasks} task(s) that the clock had woken did not sleep again within {} s",
        patience.as_secs()
    )]
    Stalled {
        /// Virtual time at which they were woken.
        at: String,
        /// How many they are.
        tasks: usize,
        /// How long the clock waited, in real time.
        patience: Duration,
    },
    /// The clock follows real time and cannot be moved by hand any more.
    #[error("the clock is live and moves by itself")]
    Live,
}

/// A clock that stands still until it is advanced, and that can be let go.
///
/// Cheap to share: clones are handles to the same time.
#[derive(Clone)]
pub struct VirtualClock {
    shared: Arc<Shared>,
}

/// What all handles share. The lock is held for a few instructions at a time, never over an await.
struct Shared {
    state: Mutex<State>,
    settled: Notify,
    patience: Duration,
}

/// Who a sleeper is: its task, or `None` for the future that the runtime blocks on.
type Participant = Option<tokio::task::Id>;

struct State {
    now: Instant,
    live: Option<(RealInstant, Instant)>,
    next_ticket: u64,
    /// Sleepers by deadline, then by the order in which they lay down.
    sleepers: BTreeMap<(Instant, u64), Sleeper>,
    /// Woken sleeps that their task has not polled yet, by ticket.
    woken: BTreeMap<u64, Participant>,
    /// How many sleeps of each task were woken and not followed by another sleep yet.
    awake: Vec<(Participant, usize)>,
}

struct Sleeper {
    participant: Participant,
    waker: Waker,
}

impl VirtualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Instant) -> VirtualClock {
        VirtualClock::with_patience(start, PATIENCE)
    }

    /// A clock that waits `patience` of real time for a woken task.
    pub fn with_patience(start: Instant, patience: Duration) -> VirtualClock {
        let state = State {
            now: start,
            live: None,
            next_ticket: 0,
            sleepers: BTreeMap::new(),
            woken: BTreeMap::new(),
            awake: Vec::new(),
        };
        let shared = Shared {
            state: Mutex::new(state),
            settled: Notify::new(),
            patience,
        };
        VirtualClock {
            shared: Arc::new(shared),
        }
    }

    /// Moves time to `to`, stopping at every deadline on the way, in order.
    ///
    /// Returns when the tasks woken on the way sleep again. A `to` in the past changes nothing.
    /// Must not be called by two tasks at once: they would move each other's time.
    ///
    /// # Errors
    /// [`AdvanceError::Stalled`] when a woken task does not sleep again; time then stands at its
    /// deadline and the call may be repeated, which no longer waits for that task.
    /// [`AdvanceError::Live`] after [`VirtualClock::go_live`].
    pub async fn advance(&self, to: Instant) -> Result<(), AdvanceError> {
        self.settle().await?;
        while self.wake_next(to)? {
            self.settle().await?;
        }
        Ok(())
    }

    /// Lets time follow the real clock from now on, until `shutdown`.
    pub fn go_live(&self, shutdown: CancellationToken) {
        {
            let mut state = self.lock();
            if state.live.is_some() {
                return;
            }
            state.live = Some((RealInstant::now(), state.now));
        }
        let clock = self.clone();
        tokio::spawn(async move {
            let ticking = async {
                loop {
                    clock.wake_due();
                    tokio::time::sleep(TICK).await;
                }
            };
            shutdown.run_until_cancelled(ticking).await;
        });
    }

    /// How many sleepers there are, for tests and for progress lines.
    pub fn sleepers(&self) -> usize {
        self.lock().sleepers.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes to the next deadline up to `to` and wakes its sleepers; `false` when `to` is reached.
    fn wake_next(&self, to: Instant) -> Result<bool, AdvanceError> {
        let wakers = {
            let mut state = self.lock();
            if state.live.is_some() {
                return Err(AdvanceError::Live);
            }
            match state.sleepers.keys().next().map(|(deadline, _)| *deadline) {
                Some(deadline) if deadline <= to => {
                    state.now = state.now.max(deadline);
                    state.take_due()
                }
                _ => {
                    state.now = state.now.max(to);
                    return Ok(false);
                }
            }
        };
        wakers.into_iter().for_each(Waker::wake);
        Ok(true)
    }

    /// Waits until every woken task sleeps again.
    async fn settle(&self) -> Result<(), AdvanceError> {
        let calm = async {
            loop {
                let notified = self.shared.settled.notified();
                if self.lock().is_calm() {
                    return;
                }
                notified.await;
            }
        };
        match tokio::time::timeout(self.shared.patience, calm).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.give_up()),
        }
    }

    /// Forgets the tasks that are still awake and says how many they were.
    fn give_up(&self) -> AdvanceError {
        let mut state = self.lock();
        let tasks = state.awake.len();
        state.awake.clear();
        state.woken.clear();
        AdvanceError::Stalled {
            at: state.now.to_rfc3339(),
            tasks,
            patience: self.shared.patience,
        }
    }

    /// One tick of a live clock.
    fn wake_due(&self) {
        let wakers = {
            let mut state = self.lock();
            state.now = state.present();
            state.take_due()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// The time now: where the hands stand, or what has passed since they were let go.
    fn present(&self) -> Instant {
        match self.live {
            Some((since, base)) => self.now.max(base + since.elapsed()),
            None => self.now,
        }
    }

    fn is_calm(&self) -> bool {
        self.awake.is_empty()
    }

    /// Takes the sleepers whose deadline has come, and counts their tasks as awake.
    fn take_due(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some(entry) = self.sleepers.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let ((_, ticket), sleeper) = entry.remove_entry();
            if self.live.is_none() {
                self.woken.insert(ticket, sleeper.participant);
                self.count_awake(sleeper.participant);
            }
            wakers.push(sleeper.waker);
        }
        wakers
    }

    fn count_awake(&mut self, participant: Participant) {
        match self.awake.iter_mut().find(|(who, _)| *who == participant) {
            Some((_, count)) => *count += 1,
            None => self.awake.push((participant, 1)),
        }
    }

    /// One woken sleep of this task is over: another began, or it was dropped.
    fn count_asleep(&mut self, participant: Participant) {
        if let Some(place) = self.awake.iter().position(|(who, _)| *who == participant) {
            self.awake[place].1 -= 1;
            if self.awake[place].1 == 0 {
                self.awake.swap_remove(place);
            }
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.lock().present()
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(Sleep {
            clock: self,
            at,
            ticket: None,
        })
    }
}

/// One sleep. Registered at its first poll, deregistered when it is dropped.
struct Sleep<'a> {
    clock: &'a VirtualClock,
    at: Instant,
    ticket: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.present() >= self.at {
            let ended = self.end(&mut state);
            drop(state);
            if ended {
                self.ticket = None;
            }
            return Poll::Ready(());
        }
        let ticket = match self.ticket {
            Some(ticket) => state.stir(self.at, ticket, context.waker()),
            None => state.lie_down(self.at, context.waker()),
        };
        let calm = state.is_calm();
        drop(state);
        self.ticket = Some(ticket);
        if calm {
            self.clock.shared.settled.notify_waiters();
        }
        Poll::Pending
    }
}

impl Sleep<'_> {
    /// The deadline has come: the task is awake, which it stays until it sleeps again.
    fn end(&self, state: &mut State) -> bool {
        let Some(ticket) = self.ticket else {
            return false;
        };
        state.woken.remove(&ticket);
        state.sleepers.remove(&(self.at, ticket));
        true
    }
}

impl State {
    /// A sleep begins: its task counts as asleep.
    fn lie_down(&mut self, at: Instant, waker: &Waker) -> u64 {
        let participant = tokio::task::try_id();
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.sleepers.insert(
            (at, ticket),
            Sleeper {
                participant,
                waker: waker.clone(),
            },
        );
        self.count_asleep(participant);
        ticket
    }

    /// A sleep is polled again before its time.
    fn stir(&mut self, at: Instant, ticket: u64, waker: &Waker) -> u64 {
        if let Some(sleeper) = self.sleepers.get_mut(&(at, ticket)) {
            sleeper.waker.clone_from(waker);
        }
        ticket
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut state = self.clock.lock();
        state.sleepers.remove(&(self.at, ticket));
        if let Some(participant) = state.woken.remove(&ticket) {
            state.count_asleep(participant);
        }
        let calm = state.is_calm();
        drop(state);
        if calm {
            self.clock.shared.settled.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
