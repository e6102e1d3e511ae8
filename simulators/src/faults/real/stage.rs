//! What a run with real processes consists of, and its quiet end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kit::clock::TokioClock;
use schemas::hash::Hash;
use schemas::time::Clock;
use sqlx::{Connection as _, PgConnection};

use super::disks::{self, Card, Small};
use crate::device::{ModbusDevice, Shown};
use crate::faults::kind::Fault;
use crate::processes::gateway::Gateway;
use crate::processes::process::{DEADLINE, until};
use crate::processes::scanner::{MARK, Scanner};
use crate::processes::second::Second;
use crate::processes::site::On;
use crate::processes::world::World;
use crate::proxy::Link;

/// How long an agent may take to end.
const END: Duration = Duration::from_secs(10);
/// How long everything may take to be handed over at the end.
const HAND_OVER: Duration = Duration::from_secs(60);
/// Room of the database's disk beyond what its server begins with.
const DATABASE_ROOM: u64 = 160 << 20;
/// Where Debian puts what lies to a program about the time.
const FAKETIME: &str = "/usr/lib/*/faketime/libfaketimeMT.so.1";
/// Time between two bursts of lines, so that they come while something is wrong.
pub const PACE: Duration = Duration::from_millis(30);
/// Serial numbers of the twin's scanner.
pub const TWIN_MARK: char = 'T';

/// A copy of the gateway with the same key.
pub struct Twin {
    pub gateway: Gateway,
    pub scanner: Scanner,
    pub lines: u32,
}

/// Everything. Disks come before the world: they are unmounted before its folders are removed.
pub struct Stage {
    pub card: Option<Card>,
    pub database_disk: Option<Small>,
    pub world: World,
    /// The network before the broker: the agent's side and the platforms'.
    pub lines: [Link; 2],
    pub second: Option<Second>,
    pub sensor: Option<ModbusDevice>,
    /// What the agent takes for the time, where that can be changed.
    pub agents_time: Option<PathBuf>,
    pub twin: Option<Twin>,
    /// How often the outbox was damaged.
    pub wounds: u32,
    /// Statements whose receipt an outbox had when it was damaged or copied.
    pub received: BTreeSet<Hash>,
    /// Lines whose events were not signed yet when the outbox was copied: both sign them.
    pub copied_open: Option<Range<u32>>,
    /// How often the sensor was gone.
    pub sensor_gone: u32,
}

impl Stage {
    /// Starts everything but what a fault adds.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn begin(folder: &Path, seed: u64, faults: &[Fault], lines: u32) -> Result<Stage> {
        let on = On {
            postgres: true,
            mosquitto: true,
            ..On::default()
        };
        let has = |fault: Fault| faults.contains(&fault);
        let mut world = World::begin(folder, on, seed, lines).await?;
        world.scanner = Scanner::start_as((MARK, PACE), &world.gateway.scans(), lines, seed)?;
        let links = lines_before(&world).await?;
        world.operator.kill()?;
        let database_disk = if has(Fault::FullDatabase) && disks::may_mount() {
            Some(small_database(&mut world).await?)
        } else {
            None
        };
        // A platform whose neighbour dies waits for its lease.
        let settings =
            |text: String| text.replace("gap_grace_s = 10\n", "gap_grace_s = 3\nlease_s = 6\n");
        world.operator.reconfigure(links[1].address(), settings)?;
        world.operator.start().await?;
        let mut stage = Stage {
            card: None,
            database_disk,
            world,
            lines: links,
            second: None,
            sensor: None,
            agents_time: None,
            twin: None,
            wounds: 0,
            received: BTreeSet::new(),
            copied_open: None,
            sensor_gone: 0,
        };
        stage.fit(folder, faults).await?;
        stage.world.gateway.start()?;
        Ok(stage)
    }

    /// What the faults of this run need beside the ordinary.
    async fn fit(&mut self, folder: &Path, faults: &[Fault]) -> Result<()> {
        let has = |fault: Fault| faults.contains(&fault);
        let broker = self.lines[0].address();
        self.world
            .gateway
            .fit(|fittings| fittings.broker = Some(broker))?;
        if has(Fault::Platforms) {
            let mut second = Second::prepare(&self.world)?;
            second.start().await?;
            self.second = Some(second);
        }
        if has(Fault::Sensor) {
            let clock: Arc<dyn Clock> = Arc::new(TokioClock);
            let curve = Arc::new(|time| Shown { value: 4.0, time });
            let device = ModbusDevice::start(clock, curve).await?;
            let address = device.address();
            self.world
                .gateway
                .fit(|fittings| fittings.sensor = Some(address))?;
            self.sensor = Some(device);
        }
        if has(Fault::Clock) || has(Fault::NoClock) {
            self.lie_about_the_time(folder)?;
        }
        if (has(Fault::Unsynced) || has(Fault::FullOutbox)) && disks::may_mount() {
            let card = Card::insert(folder)?;
            let state = card.at().join("state");
            crate::processes::operator::copy(&self.world.gateway.state(), &state)?;
            let of = std::fs::metadata(self.world.gateway.state())?.permissions();
            std::fs::set_permissions(&state, of)?;
            self.world
                .gateway
                .fit(|fittings| fittings.state = Some(state))?;
            // What enrolment wrote was there long before.
            std::fs::File::open(card.at())?.sync_all()?;
            let synced = std::process::Command::new("sync")
                .arg("-f")
                .arg(card.at())
                .status()?;
            ensure!(synced.success(), "sync");
            self.card = Some(card);
        }
        Ok(())
    }

    fn lie_about_the_time(&mut self, folder: &Path) -> Result<()> {
        let mut found = Path::new("/usr/lib").read_dir()?.filter_map(|entry| {
            let library = entry.ok()?.path().join("faketime/libfaketimeMT.so.1");
            library.exists().then_some(library)
        });
        let library = found.next();
        let library =
            library.with_context(|| format!("no {FAKETIME}: apt-get install faketime"))?;
        let file = folder.join("time");
        std::fs::write(&file, "+0")?;
        let environment = vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // Only what a battery would keep is wrong.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        self.agents_time = Some(file);
        self.world
            .gateway
            .fit(|fittings| fittings.environment = environment)
    }

    /// A connection to the database, as its owner.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn sql(&self) -> Result<PgConnection> {
        let url = self.world.operator.site.database();
        Ok(PgConnection::connect(url.context("no database")?).await?)
    }

    /// Rows of the statements table.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn statements(&self) -> Result<i64> {
        let mut connection = self.sql().await?;
        let count = sqlx::query_scalar("SELECT count(*) FROM statements")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(count)
    }

    /// Waits until so many events are stored.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn stored(&self, events: u32) -> Result<()> {
        self.world.stored(events).await
    }

    /// Waits until every agent has handed over everything and has ended; one after the other where
    /// they are twins, since a broker has one connection for one name.
    ///
    /// # Errors
    /// When that does not happen in time.
    pub async fn settle(&mut self, lines: u32) -> Result<()> {
        self.world.scanner.written(lines).await?;
        settled(&self.world.gateway, lines).await?;
        self.world.gateway.stop(END).await?;
        // What it said in its last moment.
        self.take_the_rest().await?;
        if let Some(mut twin) = self.twin.take() {
            twin.gateway.start()?;
            settled(&twin.gateway, twin.lines).await?;
            // It may have had nothing left to do, and be at its very beginning.
            twin.gateway.kill()?;
            self.twin = Some(twin);
        }
        self.all_is_anchored().await
    }

    /// A sensor speaks until the end: what was closed then is delivered by another start without it.
    async fn take_the_rest(&mut self) -> Result<()> {
        if self.sensor.is_none() {
            return Ok(());
        }
        self.world.gateway.fit(|fittings| fittings.sensor = None)?;
        self.world.gateway.start()?;
        let lines = self
            .world
            .gateway
            .outbox()
            .await?
            .context("no outbox")?
            .lines;
        settled(&self.world.gateway, u32::try_from(lines)?).await?;
        self.world.gateway.stop(END).await
    }

    async fn all_is_anchored(&self) -> Result<()> {
        until("everything is anchored", DEADLINE, async || {
            let stored = self.world.operator.stored().await?;
            Ok((stored.anchored == stored.events).then_some(()))
        })
        .await
    }
}

/// Waits until an agent has read so many lines, has a receipt for everything and has verified that
/// a witnessed checkpoint includes it. With a sensor something always waits: then receipts for
/// what was said so far are for the next start.
async fn settled(gateway: &Gateway, lines: u32) -> Result<()> {
    let mut last = None;
    let waited = until("everything is taken over", HAND_OVER, async || {
        // One that was damaged a moment ago cannot be read before the agent has saved what is whole.
        let read = gateway.outbox().await;
        let settled = read
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .is_some_and(|outbox| {
                let handed_over = outbox.events == 0 && outbox.statements == 0;
                outbox.lines == i64::from(lines) && (handed_over || gateway.has_sensor())
            });
        last = Some(read);
        Ok(settled.then_some(()))
    })
    .await;
    waited.with_context(|| format!("{last:?} of {lines} lines"))
}

async fn lines_before(world: &World) -> Result<[Link; 2]> {
    let broker = world.operator.site.mosquitto.as_ref();
    let place = broker.context("no broker")?.place();
    let at = |port: usize| SocketAddr::from(([127, 0, 0, 1], place.ports[port]));
    Ok([Link::start(at(0)).await?, Link::start(at(1)).await?])
}

/// Puts the database's folder on a disk of its own.
async fn small_database(world: &mut World) -> Result<Small> {
    let url = world.operator.site.database().context("no database")?;
    let mut connection = PgConnection::connect(url).await?;
    let folder: String = sqlx::query_scalar("SHOW data_directory")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    let database = world.operator.site.postgres.as_mut();
    let database = database.context("no database")?;
    database.kill9();
    let small = Small::under(Path::new(&folder), DATABASE_ROOM)?;
    database.restart()?;
    Ok(small)
}
