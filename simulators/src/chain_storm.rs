//! The follower of chains in a storm: `bench -- chains`.
//!
//! Many devices speak on a virtual clock; what they say arrives out of order within the grace
//! period, some of it twice, and gets into the log by another order again. Some statements are lost
//! and some of those come much later; devices begin new epochs, stand twice in one place, name what
//! nobody sent, fall silent and speak again. What the follower has written down at the end must be
//! exactly what was made: every row that is missing is a gap that nobody saw, every other one a
//! false alarm.
//!
//! - `device`: what one device says and what that must lead to

mod device;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant as Moment};

use anyhow::Context as _;
use platform::follower::{Follower, Reading};
use platform::ingest::Wake;
use platform::registry::{Gate, Snapshot};
use platform::standing::Standing;
use platform::store::sqlite::SqliteStore;
use platform::store::{
    Append, IngestStore, LogStore, MadeBatch, NewBatch, NewStatement, Store, TraceStore,
};
use schemas::hash::{Hash, sha256};
use schemas::time::{Clock, Instant, Sleep};
use serde::Serialize;

use crate::progress::Progress;
use crate::registry_bench;
use device::{Device, Said};

/// A missing statement is a gap after this many seconds.
pub(crate) const GRACE: i64 = 60;
/// The longest that a statement is under way, unless it is lost: below the grace period.
pub(crate) const DELAY: i64 = 40;
/// When a lost statement comes after all: the gap has been written down by then.
pub(crate) const LATE: i64 = 150;
/// Seconds within which a device must speak.
pub(crate) const HEARTBEAT: i64 = 200;
/// Milliseconds between two statements of a slow device: even two of them, one delayed, are within
/// its heartbeat.
pub(crate) const SLOW: u64 = 50_000;
/// How long a silent device is silent.
pub(crate) const SILENCE: i64 = 400;
/// Virtual seconds that the storm lasts, about.
const LASTS: u64 = 2_500;
/// The follower's process is replaced every so many virtual seconds.
const RESTART: i64 = 700;
/// Most statements of a batch.
const BATCH: usize = 256;
/// The longest that a statement waits for its batch, in seconds.
const QUEUE: i64 = 5;

/// (device, kind, epoch, from, to) of a row.
pub(crate) type Row = (String, String, u64, u64, u64);

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// True once in so many times.
    pub(crate) const fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.below(last as u64 + 1);
            list.swap(last, usize::try_from(other).unwrap_or(0));
        }
    }
}

/// The storm's clock.
struct Virtual(AtomicI64);

impl Clock for Virtual {
    fn now(&self) -> Instant {
        Instant::from_seconds(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::ready(()))
    }
}

/// What became of a storm.
#[derive(Debug, Serialize)]
pub struct Weathered {
    /// Different statements that arrived.
    pub statements: u64,
    /// Devices.
    pub devices: u64,
    /// Virtual seconds.
    pub virtual_seconds: i64,
    /// Statements that arrived again.
    pub redelivered: u64,
    /// Gaps that were made, new epochs among them.
    pub gaps: u64,
    /// Gaps that were filled late.
    pub filled: u64,
    /// Forks that were made.
    pub forks: u64,
    /// Silences that were made.
    pub silences: u64,
    /// Rows that stand for nothing that was made.
    pub false_alarms: u64,
    /// What was made and has no row.
    pub missed: u64,
    /// Statements a second of the follower's own time.
    pub followed_per_second: f64,
    /// The longest round of the follower, in milliseconds.
    pub longest_round_ms: f64,
}

impl fmt::Display for Weathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} statements of {} devices in {} virtual seconds, {} of them twice",
            self.statements, self.devices, self.virtual_seconds, self.redelivered
        )?;
        writeln!(
            f,
            "made: {} gaps ({} filled late), {} forks, {} silences",
            self.gaps, self.filled, self.forks, self.silences
        )?;
        writeln!(
            f,
            "false alarms {}, missed {}",
            self.false_alarms, self.missed
        )?;
        write!(
            f,
            "followed {:.0} statements a second; longest round {:.0} ms",
            self.followed_per_second, self.longest_round_ms
        )
    }
}

struct Storm {
    dice: Dice,
    now: i64,
    store: Arc<SqliteStore>,
    clock: Arc<Virtual>,
    follower: Follower,
    reading: Option<Reading>,
    fence: u64,
    size: u64,
    devices: Vec<Device>,
    /// What arrives in which second.
    under_way: BTreeMap<i64, Vec<NewStatement>>,
    /// Stored, and since when it waits for its batch.
    queue: Vec<(i64, Hash)>,
    statements: u64,
    redelivered: u64,
    following: Duration,
    longest: Duration,
}

/// Lets so many statements, about, come through a storm.
///
/// # Errors
/// When the store or the follower fails.
pub async fn run(statements: u64, seed: u64, progress: &mut Progress) -> anyhow::Result<Weathered> {
    // In memory where there is such a place: what is measured is the follower, not the disk.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    let mut storm = Storm::begin(&folder.path().join("platform.db"), statements, seed).await?;
    while !storm.is_over(statements) {
        // Devices speak on until nothing is left to come of what happened to any of them.
        let troubles = storm.statements < statements * 9 / 10;
        storm.second(troubles, true).await?;
        progress.step(|| format!("{} of {statements} statements", storm.statements));
    }
    // Until the last holes had their time, and no longer: nobody is silent yet.
    for _ in 0..=DELAY + GRACE + QUEUE {
        storm.second(false, false).await?;
    }
    progress.done("the storm is over");
    storm.judge().await
}

impl Storm {
    async fn begin(file: &std::path::Path, statements: u64, seed: u64) -> anyhow::Result<Self> {
        let rate = (statements / LASTS).max(5);
        let count = (rate * 5 / 8).max(12);
        let store = Arc::new(SqliteStore::open(file).await?);
        let until = Instant::from_seconds(4_000_000_000);
        let lease = store.take_lease("log", "storm", Instant::from_seconds(0), until);
        let fence = lease.await?.context("the lease")?;
        let clock = Arc::new(Virtual(AtomicI64::new(1_000_000)));
        let follower = Follower {
            store: Arc::clone(&store) as Arc<dyn Store>,
            gate: Arc::new(Gate::new(registry(count)?)),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            wake: Arc::new(Wake::default()),
            grace: Duration::from_secs(GRACE.unsigned_abs()),
            standing: Standing::default(),
        };
        let mut dice = Dice(seed);
        // One device in ten is slow.
        let every = |number: u64| match number % 10 {
            0 => SLOW,
            _ => (count * 1_000 / rate).max(1),
        };
        let devices = (0..count).map(|number| Device::new(number, every(number), &mut dice));
        Ok(Self {
            now: 1_000_000,
            devices: devices.collect::<anyhow::Result<_>>()?,
            dice,
            store,
            clock,
            follower,
            reading: None,
            fence,
            size: 0,
            under_way: BTreeMap::new(),
            queue: Vec::new(),
            statements: 0,
            redelivered: 0,
            following: Duration::ZERO,
            longest: Duration::ZERO,
        })
    }

    fn is_over(&self, statements: u64) -> bool {
        let quiet = self.devices.iter().all(|device| device.is_quiet(self.now));
        self.statements >= statements && quiet
    }

    /// One second: devices speak, statements arrive, batches are made, the follower reads.
    async fn second(&mut self, troubles: bool, speaking: bool) -> anyhow::Result<()> {
        self.now += 1;
        self.clock.0.store(self.now, Ordering::Relaxed);
        for device in self.devices.iter_mut().filter(|_| speaking) {
            for said in device.speak(self.now, troubles, &mut self.dice) {
                send(&mut self.under_way, &mut self.dice, said, self.now);
            }
        }
        self.arrive().await?;
        self.anchor().await?;
        if self.now % RESTART == 0 {
            self.reading = None;
        }
        let started = Moment::now();
        self.reading = Some(self.follower.next(self.reading.take()).await?);
        self.following += started.elapsed();
        self.longest = self.longest.max(started.elapsed());
        Ok(())
    }

    async fn arrive(&mut self) -> anyhow::Result<()> {
        let later = self.under_way.split_off(&(self.now + 1));
        let due = std::mem::replace(&mut self.under_way, later);
        let mut due: Vec<NewStatement> = due.into_values().flatten().collect();
        self.dice.shuffle(&mut due);
        for statement in &mut due {
            statement.received = Instant::from_seconds(self.now);
        }
        for some in due.chunks(1_000) {
            let new = self.store.commit(some, &[]).await?;
            for (statement, is_new) in some.iter().zip(new) {
                if is_new {
                    self.statements += 1;
                    self.queue.push((self.now, statement.id));
                } else {
                    self.redelivered += 1;
                }
            }
        }
        Ok(())
    }

    /// What is stored gets into the log in an order of its own, as from several processes.
    async fn anchor(&mut self) -> anyhow::Result<()> {
        let mut queue = std::mem::take(&mut self.queue);
        self.dice.shuffle(&mut queue);
        let mut chosen = Vec::new();
        for (since, id) in queue {
            if self.now - since >= QUEUE || !self.dice.once_in(5) {
                chosen.push(id);
            } else {
                self.queue.push((since, id));
            }
        }
        for ids in chosen.chunks(BATCH) {
            let made = MadeBatch {
                shard: 0,
                seq: self.size,
                registry_version: 1,
                header: b"header".to_vec(),
                refused: None,
                statements: ids.to_vec(),
            };
            anyhow::ensure!(self.store.make_batch(&made).await?, "a batch was not made");
            let batch = NewBatch {
                shard: 0,
                seq: self.size,
                log_index: self.size,
                refused: None,
            };
            let append = Append {
                fence: self.fence,
                first: self.size,
                entries: vec![b"header".to_vec()],
                root: sha256(&self.size.to_be_bytes()),
                batches: vec![batch],
                ..Append::default()
            };
            self.store.append(&append).await?;
            self.size += 1;
        }
        Ok(())
    }

    async fn judge(self) -> anyhow::Result<Weathered> {
        let rows = self.store.chain_events(None).await?;
        let row = |event: platform::store::ChainEvent| -> Row {
            let device = event.device.to_string();
            (
                device,
                event.kind,
                event.epoch,
                event.from_seq,
                event.to_seq,
            )
        };
        let made: BTreeSet<Row> = self.devices.iter().flat_map(Device::rows).collect();
        let allowed: BTreeSet<Row> = self.devices.iter().flat_map(Device::allowed).collect();
        let mut found: BTreeSet<Row> = rows.into_iter().map(row).collect();
        found.retain(|row| made.contains(row) || !allowed.contains(row));
        for row in found.difference(&made) {
            tracing::error!(?row, "false alarm");
        }
        for row in made.difference(&found) {
            tracing::error!(?row, "missed");
        }
        let count = |kind: &str| made.iter().filter(|row| row.1 == kind).count() as u64;
        Ok(Weathered {
            statements: self.statements,
            devices: self.devices.len() as u64,
            virtual_seconds: self.now - 1_000_000,
            redelivered: self.redelivered,
            gaps: count("gap-opened"),
            filled: count("gap-closed"),
            forks: count("fork"),
            silences: count("silent"),
            false_alarms: found.difference(&made).count() as u64,
            missed: made.difference(&found).count() as u64,
            followed_per_second: self.statements as f64 / self.following.as_secs_f64(),
            longest_round_ms: self.longest.as_secs_f64() * 1_000.0,
        })
    }
}

/// On its way: most within seconds, some nearly as long as may be, some twice.
fn send(under_way: &mut BTreeMap<i64, Vec<NewStatement>>, dice: &mut Dice, said: Said, now: i64) {
    let arrives = match said {
        Said::Lost => return,
        Said::Late(_) => now + LATE,
        Said::Now(_) if dice.once_in(10) => now + dice.below(DELAY.unsigned_abs()).cast_signed(),
        Said::Now(_) => now + dice.below(3).cast_signed(),
    };
    let (Said::Now(statement) | Said::Late(statement)) = said else {
        return;
    };
    if dice.once_in(50) {
        let again = arrives + dice.below(100).cast_signed();
        under_way.entry(again).or_default().push(statement.clone());
    }
    under_way.entry(arrives).or_default().push(statement);
}

/// One organisation and its devices, with their heartbeats.
fn registry(devices: u64) -> anyhow::Result<Snapshot> {
    let policy = registry_bench::policy()?;
    let mut snapshot = Snapshot::default();
    let organisation = registry_bench::first(policy.log, 0, None, 0)?;
    snapshot.admit(organisation.bytes().to_vec(), &policy)?;
    for device in 0..devices {
        let heartbeat = HEARTBEAT.unsigned_abs();
        let record = registry_bench::first(policy.log, 0, Some(device), heartbeat)?;
        snapshot.admit(record.bytes().to_vec(), &policy)?;
    }
    snapshot.head = snapshot.next_head();
    Ok(snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_down_of_reordered_chains_is_what_was_made() {
        let storm = run(4_000, 7, &mut Progress::new(true)).await.unwrap();
        assert!(
            storm.statements >= 4_000 && storm.redelivered > 0,
            "{storm:?}"
        );
        assert!(storm.gaps > storm.filled && storm.filled > 0, "{storm:?}");
        assert!(storm.forks > 0 && storm.silences > 0, "{storm:?}");
        assert_eq!((storm.false_alarms, storm.missed), (0, 0), "{storm:?}");
    }
}
