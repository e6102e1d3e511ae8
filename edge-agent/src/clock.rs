//! The device's clock behind [`schemas::time::Clock`], and what can be known of it.
//!
//! A gateway without a battery-backed clock starts in 1970, or at the hour of its last shutdown, and
//! learns the time from the network, minutes later or never. So the clock has a state that goes into
//! every statement (`schemas/docs/statement.md` section 3): while it says a time that is known to
//! have passed it is **unknown**, and every instant counts from the device's start. Known to have
//! passed is what others have signed: the policy of the enrolment, the newest receipt ([`Floor`]).
//! What the device itself once believed counts for nothing: a clock that was in 2036 by mistake
//! must not make the right time unbelievable.
//!
//! When the time becomes known, or the clock falls back before the floor, whatever was read by the
//! other count is made into events and signed first ([`Keeper`]), so that no statement mixes the two.
//! A clock that is set while the agent runs wakes everybody who sleeps by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemas::statement::ClockState;
use schemas::time::{Clock, Instant, Sleep};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::ClockSetting;
use crate::follow::Followed;
use crate::outbox::Outbox;

/// Longest single sleep, so that a step of the system clock is noticed within it.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A difference between two looks from which the clock was set; less is a time service that trims.
const STEP_MIN: Duration = Duration::from_secs(2);
/// How far a clock may be behind what has passed for certain and count as set.
const BEHIND_MAX: Duration = Duration::from_secs(86_400);
/// No device runs this program before 2026-01-01.
const WRITTEN: Instant = Instant::from_seconds(1_767_225_600);

/// True if one of these instants counts from the device's start and the other is a time.
pub(crate) fn differ_in_count(one: Instant, other: Instant) -> bool {
    (one < WRITTEN) != (other < WRITTEN)
}
/// systemd-timesyncd touches this file with every synchronisation (systemd-timesyncd.service(8)).
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// Real time, asleep through tokio.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(SLEEP_MAX)).await;
            }
        })
    }
}

/// Waits until the clock shows less than it has shown already: somebody has set it back, and what
/// was due by it would be so only much later.
pub(crate) async fn set_back(clock: &dyn Clock, shown: Instant) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        if clock.now() < shown {
            return;
        }
    }
}

/// The newest instant that has passed for certain. Cheap to clone; all clones rise together.
#[derive(Clone, Debug)]
pub struct Floor(Arc<AtomicI64>);

impl Default for Floor {
    fn default() -> Self {
        Self::at(WRITTEN)
    }
}

impl Floor {
    /// `passed`, or the time of this program where that is later.
    #[must_use]
    pub fn at(passed: Instant) -> Self {
        Self(Arc::new(AtomicI64::new(passed.max(WRITTEN).as_micros())))
    }

    /// The policies that a device was led to have passed for certain.
    pub(crate) fn of(policies: &Followed) -> Self {
        let policies = policies.all();
        let newest = policies.iter().map(|policy| policy.time).max();
        Self::at(newest.unwrap_or_default())
    }

    /// The instant.
    #[must_use]
    pub fn get(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// The platform says that it is `said`. That counts only where a believable wall clock agrees: one
    /// receipt from the future must not make every later time unbelievable, and every certificate
    /// with it.
    fn hear(&self, said: Instant, wall: Instant) {
        if is_believable(wall, self) && said <= wall + BEHIND_MAX {
            self.raise(said);
        }
    }

    /// `passed` has passed too.
    pub fn raise(&self, passed: Instant) {
        self.0.fetch_max(passed.as_micros(), Ordering::Relaxed);
    }
}

/// What the machine says of the time.
pub trait Machine: Send + Sync {
    /// The wall clock, right or wrong.
    fn wall(&self) -> Instant;
    /// Time since the device was started; never steps.
    fn since_start(&self) -> Duration;
    /// Whether a time service says that it keeps the wall clock.
    fn is_kept(&self) -> bool;
}

/// This machine: the system clock, `/proc/uptime`, systemd-timesyncd.
#[derive(Debug)]
pub struct ThisMachine {
    /// When this was made, and how long the device had been up.
    made: (std::time::Instant, Duration),
}

impl Default for ThisMachine {
    fn default() -> Self {
        let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
        let up = text.split(' ').next().and_then(|word| word.parse().ok());
        // Without it the program's own start is the device's.
        let up = up.and_then(|up| Duration::try_from_secs_f64(up).ok());
        Self {
            made: (std::time::Instant::now(), up.unwrap_or_default()),
        }
    }
}

impl Machine for ThisMachine {
    fn wall(&self) -> Instant {
        SystemClock.now()
    }

    fn since_start(&self) -> Duration {
        let (made, up) = self.made;
        up + made.elapsed()
    }

    fn is_kept(&self) -> bool {
        std::path::Path::new(SYNCHRONIZED).exists()
    }
}

/// What the agent knows of the clock that it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// As statements say it.
    pub state: ClockState,
    /// How often it was set to another time while the agent ran.
    pub steps: u64,
}

/// Knowledge that does not change: of a clock that somebody else moves.
#[must_use]
pub fn fixed(state: ClockState) -> watch::Receiver<Known> {
    watch::channel(Known { state, steps: 0 }).1
}

/// A device's clock: the wall clock while that is believable, else time since the start, as if that
/// had been in 1970.
pub struct DeviceClock {
    machine: Arc<dyn Machine>,
    floor: Floor,
    setting: ClockSetting,
    is_known: AtomicBool,
    known: watch::Sender<Known>,
}

impl DeviceClock {
    /// Of a machine, judged once now; a [`Keeper`] judges it again and again.
    #[must_use]
    pub fn new(machine: Arc<dyn Machine>, floor: Floor, setting: ClockSetting) -> Self {
        let is_known = is_believable(machine.wall(), &floor);
        let clock = Self {
            machine,
            floor,
            setting,
            is_known: AtomicBool::new(is_known),
            known: watch::Sender::new(Known {
                state: ClockState::Unknown,
                steps: 0,
            }),
        };
        clock.judge(is_known, false);
        clock
    }

    /// What is known of it, as it changes.
    #[must_use]
    pub fn known(&self) -> watch::Receiver<Known> {
        self.known.subscribe()
    }

    fn judge(&self, is_known: bool, has_stepped: bool) {
        self.is_known.store(is_known, Ordering::SeqCst);
        let state = match self.setting {
            _ if !is_known => ClockState::Unknown,
            ClockSetting::Unsynced => ClockState::Unsynced,
            ClockSetting::Auto if !self.machine.is_kept() => ClockState::Unsynced,
            ClockSetting::Auto | ClockSetting::Synced => ClockState::Synced,
        };
        self.known.send_if_modified(|known| {
            let before = *known;
            known.state = state;
            known.steps += u64::from(has_stepped);
            *known != before
        });
    }
}

/// A clock that was never set says a time that is known to have passed.
fn is_believable(wall: Instant, floor: &Floor) -> bool {
    wall >= floor.get() - BEHIND_MAX
}

impl Clock for DeviceClock {
    fn now(&self) -> Instant {
        if self.is_known.load(Ordering::SeqCst) {
            self.machine.wall()
        } else {
            Instant::from_micros(0) + self.machine.since_start()
        }
    }

    /// Ends when this clock shows `at`, and not before: when it has been set meanwhile, what is left
    /// is counted anew. Who must not wait for an instant that has moved far away waits for
    /// `set_back` too.
    fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        Box::pin(async move {
            let mut known = self.known.subscribe();
            loop {
                let steps = known.borrow_and_update().steps;
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(left.min(SLEEP_MAX)) => {}
                    set = known.wait_for(|known| known.steps != steps) => drop(set),
                }
            }
        })
    }
}

/// Looks at a device's clock and changes what is believed of it.
pub struct Keeper {
    clock: Arc<DeviceClock>,
    outbox: Outbox,
    /// Wall clock minus time since the start, in microseconds, at the last look.
    offset: i64,
}

impl Keeper {
    /// Of a clock whose statements this outbox signs.
    #[must_use]
    pub fn new(clock: Arc<DeviceClock>, outbox: Outbox) -> Self {
        let offset = offset(&*clock.machine);
        Self {
            clock,
            outbox,
            offset,
        }
    }

    /// Looks every second until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        while tokio::time::timeout(LOOK, shutdown.cancelled())
            .await
            .is_err()
        {
            self.look().await;
        }
    }

    /// Looks once.
    pub async fn look(&mut self) {
        let offset = offset(&*self.clock.machine);
        let by = Duration::from_micros(offset.abs_diff(self.offset));
        let has_stepped = by >= STEP_MIN;
        if has_stepped {
            let forth = offset > self.offset;
            tracing::warn!(seconds = by.as_secs(), forth, "the device's clock was set");
        }
        self.offset = offset;
        let wall = self.clock.machine.wall();
        if let Some(receipt) = self.outbox.status().borrow().last_receipt {
            self.clock.floor.hear(receipt, wall);
        }
        let is_known = is_believable(wall, &self.clock.floor);
        let was_known = self.clock.is_known.load(Ordering::SeqCst);
        if is_known != was_known
            && let Err(error) = self.outbox.end_count_of_time().await
        {
            // What was read by the old count must not be signed under the new one.
            tracing::warn!(%error, "the time is not taken over yet");
            return;
        }
        self.clock
            .judge(is_known, has_stepped || is_known != was_known);
    }
}

fn offset(machine: &dyn Machine) -> i64 {
    let since = i64::try_from(machine.since_start().as_micros()).unwrap_or(i64::MAX);
    machine.wall().as_micros().saturating_sub(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A machine whose clock is set by hand.
    struct Set(Mutex<(Instant, Duration, bool)>);

    impl Machine for Set {
        fn wall(&self) -> Instant {
            self.0.lock().expect("lock").0
        }
        fn since_start(&self) -> Duration {
            self.0.lock().expect("lock").1
        }
        fn is_kept(&self) -> bool {
            self.0.lock().expect("lock").2
        }
    }

    fn set(wall: i64, kept: bool) -> Arc<Set> {
        let (wall, up) = (Instant::from_seconds(wall), Duration::from_secs(42));
        Arc::new(Set(Mutex::new((wall, up, kept))))
    }

    const POLICY: i64 = 1_795_000_000;

    #[test]
    fn a_clock_that_was_never_set_counts_from_the_start() {
        let floor = Floor::at(Instant::from_seconds(POLICY));
        for (wall, setting, kept, state) in [
            (300, ClockSetting::Synced, true, ClockState::Unknown),
            (
                POLICY - 90_000,
                ClockSetting::Auto,
                true,
                ClockState::Unknown,
            ),
            (POLICY + 9, ClockSetting::Auto, true, ClockState::Synced),
            (POLICY + 9, ClockSetting::Auto, false, ClockState::Unsynced),
            (POLICY + 9, ClockSetting::Synced, false, ClockState::Synced),
            (
                POLICY + 9,
                ClockSetting::Unsynced,
                true,
                ClockState::Unsynced,
            ),
        ] {
            let clock = DeviceClock::new(set(wall, kept), floor.clone(), setting);
            assert_eq!(clock.known().borrow().state, state, "{wall} {setting:?}");
            let now = match state {
                ClockState::Unknown => 42,
                _ => wall,
            };
            assert_eq!(clock.now(), Instant::from_seconds(now));
        }
    }

    #[test]
    fn the_floor_only_rises() {
        let floor = Floor::at(Instant::from_seconds(5));
        assert_eq!(floor.get(), WRITTEN);
        let other = floor.clone();
        other.raise(Instant::from_seconds(POLICY));
        other.raise(Instant::from_seconds(7));
        assert_eq!(floor.get(), Instant::from_seconds(POLICY));
    }

    #[test]
    fn a_receipt_counts_as_passed_where_the_wall_clock_agrees() {
        const DAY: i64 = 86_400;
        let at = Instant::from_seconds;
        for (said, wall, floor) in [
            (POLICY + 60, POLICY + 50, POLICY + 60),
            (POLICY + DAY, POLICY, POLICY + DAY),
            // The platform's clock is ten years ahead, or this one was never set.
            (POLICY + 3_650 * DAY, POLICY, POLICY),
            (POLICY + 60, 300, POLICY),
        ] {
            let found = Floor::at(at(POLICY));
            found.hear(at(said), at(wall));
            assert_eq!(found.get(), at(floor), "{said} at {wall}");
        }
    }

    #[tokio::test]
    async fn who_sleeps_is_woken_at_the_aim_however_the_clock_is_set() {
        let machine = set(POLICY + 1_000, true);
        let clock = DeviceClock::new(machine.clone(), Floor::default(), ClockSetting::Auto);
        let set_to = |seconds| {
            machine.0.lock().expect("lock").0 = Instant::from_seconds(seconds);
            clock.judge(true, true);
        };
        let mut sleep = clock.sleep_until(Instant::from_seconds(POLICY + 2_000));
        for before in [1_000, 500, 1_999, 1_100] {
            set_to(POLICY + before);
            assert!(!poll(&mut sleep).await, "{before} is before the aim");
        }
        set_to(POLICY + 2_001);
        tokio::time::timeout(Duration::from_secs(5), sleep)
            .await
            .expect("woken");
    }

    /// Polls once; true if it has ended.
    async fn poll(sleep: &mut Sleep<'_>) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(sleep.as_mut().poll(cx).is_ready())).await
    }
}
