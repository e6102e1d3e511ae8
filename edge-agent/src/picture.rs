//! The agent's picture of itself, joined from what its parts say, and the log of its states.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Known;
use crate::source;
use crate::state::{Severity, State, states};
use crate::status::{Link, Status};

/// How often what nobody tells is looked at: that nothing has come.
const LOOK: Duration = Duration::from_secs(1);
/// A change of the key that takes longer than this waits for somebody.
const ROTATION_MAX: Duration = Duration::from_secs(60);

/// What the parts of the agent say.
#[derive(Clone)]
pub(crate) struct Parts {
    pub counts: watch::Receiver<Status>,
    pub link: watch::Receiver<Link>,
    pub clock: watch::Receiver<Known>,
    pub other_logs: watch::Receiver<u64>,
    pub sources: Vec<watch::Receiver<source::State>>,
    pub shutdown: CancellationToken,
    /// Connected and without a receipt for so long, the platform is silent.
    pub silent_after: Duration,
}

impl Parts {
    /// All of it now; what only time tells is as `before` has it.
    pub fn join(&self, before: &Status) -> Status {
        let (link, clock) = (self.link.borrow().clone(), *self.clock.borrow());
        let counts = self.counts.borrow().clone();
        let is_faulty = |one: &&watch::Receiver<source::State>| one.borrow().fault.is_some();
        Status {
            connected: link.connected,
            link,
            clock: clock.state,
            clock_steps: clock.steps,
            other_logs: *self.other_logs.borrow(),
            faulty_sources: self.sources.iter().filter(is_faulty).count() as u64,
            stopping: self.shutdown.is_cancelled(),
            platform_silent: before.platform_silent,
            rotation_waits: before.rotation_waits,
            ..counts
        }
    }

    /// Keeps `status` true until the outbox has ended.
    pub async fn report(mut self, status: watch::Sender<Status>) {
        let (mut silence, mut rotation) = (Silence::default(), Rotation::default());
        let mut log = StateLog::default();
        let mut tick = tokio::time::interval(LOOK.min(self.silent_after));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Without a task behind it, nobody ever speaks on some of these.
        let (mut compares, mut clock_moves) = (true, true);
        let mut ended = false;
        while !ended {
            let mut picture = self.join(&status.borrow());
            picture.platform_silent = silence.lasts(&picture, self.silent_after, Instant::now());
            picture.rotation_waits = rotation.lasts(&picture, Instant::now());
            log.note(&states(&picture));
            status.send_if_modified(|known| {
                let changed = *known != picture;
                *known = picture;
                changed
            });
            tokio::select! {
                more = self.counts.changed() => ended = more.is_err(),
                _ = self.link.changed(), if self.link.has_changed().is_ok() => {}
                more = self.other_logs.changed(), if compares => compares = more.is_ok(),
                more = self.clock.changed(), if clock_moves => clock_moves = more.is_ok(),
                _ = tick.tick() => {}
            }
        }
    }
}

/// Since when receipts are due and none has come.
#[derive(Debug, Default)]
struct Silence {
    since: Option<Instant>,
    receipt: Option<schemas::time::Instant>,
    waiting: u64,
}

impl Silence {
    fn lasts(&mut self, status: &Status, after: Duration, now: Instant) -> bool {
        let came = status.last_receipt != self.receipt || status.receipts_waiting < self.waiting;
        (self.receipt, self.waiting) = (status.last_receipt, status.receipts_waiting);
        if came || !status.connected || status.receipts_waiting == 0 {
            self.since = None;
        }
        if !status.connected || status.receipts_waiting == 0 {
            return false;
        }
        let since = *self.since.get_or_insert(now);
        now.duration_since(since) >= after
    }
}

/// Since when nothing is signed because the key is being changed: seconds, if all goes well.
#[derive(Debug, Default)]
struct Rotation(Option<Instant>);

impl Rotation {
    fn lasts(&mut self, status: &Status, now: Instant) -> bool {
        if status.held != "rotation" {
            self.0 = None;
            return false;
        }
        let since = *self.0.get_or_insert(now);
        now.duration_since(since) >= ROTATION_MAX
    }
}

/// Each state is logged when it begins and when it is over, once.
#[derive(Debug, Default)]
struct StateLog(Vec<State>);

impl StateLog {
    fn note(&mut self, now: &[State]) {
        if self.0 == now {
            return;
        }
        // A queue that grows and shrinks is a figure, not news.
        let is_news = |state: &&State| **state != State::CatchingUp;
        for state in now
            .iter()
            .filter(|state| !self.0.contains(state))
            .filter(is_news)
        {
            let (word, remedy) = (state.word(), state.remedy().en);
            match state.severity() {
                Severity::Fine => tracing::info!(state = word, "{}", state.sentence().en),
                Severity::Warning => {
                    tracing::warn!(state = word, remedy, "{}", state.sentence().en);
                }
                Severity::Bad => tracing::error!(state = word, remedy, "{}", state.sentence().en),
            }
        }
        for state in self.0.iter().filter(|state| !now.contains(state)) {
            if state.severity() != Severity::Fine {
                tracing::info!(state = state.word(), "over");
            }
        }
        self.0 = now.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_key_that_nobody_ends_is_seen_after_a_minute() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let held = |why: &str| Status {
            held: why.to_owned(),
            ..Status::default()
        };
        let mut rotation = Rotation::default();
        assert!(!rotation.lasts(&held("rotation"), at(0)));
        assert!(!rotation.lasts(&held("rotation"), at(59)));
        assert!(rotation.lasts(&held("rotation"), at(60)));
        assert!(!rotation.lasts(&held("backlog"), at(61)));
        assert!(!rotation.lasts(&held("rotation"), at(62)), "another one");
    }

    #[test]
    fn silence_is_only_what_follows_a_connection_and_ends_with_any_receipt() {
        let after = Duration::from_secs(60);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let waits = Status {
            connected: true,
            receipts_waiting: 5,
            ..Status::default()
        };
        let away = Status {
            connected: false,
            ..waits.clone()
        };
        let mut silence = Silence::default();
        assert!(!silence.lasts(&away, after, at(0)));
        assert!(!silence.lasts(&waits, after, at(500)), "connected just now");
        assert!(!silence.lasts(&waits, after, at(559)));
        assert!(silence.lasts(&waits, after, at(560)));
        let receipted = Status {
            receipts_waiting: 4,
            ..waits
        };
        assert!(!silence.lasts(&receipted, after, at(561)));
        assert!(silence.lasts(&receipted, after, at(621)));
    }
}
