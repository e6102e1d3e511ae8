//! What goes wrong with real processes. Lines go on being scanned meanwhile: a strike lets them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::Connection as _;

use super::stage::{PACE, Stage, TWIN_MARK, Twin};
use crate::faults::dice::Dice;
use crate::faults::kind::Fault;
use crate::faults::wound;
use crate::processes::process::{DEADLINE, until};
use crate::processes::scanner::Scanner;
use crate::proxy::Line;

/// Longest time for which something is gone, in milliseconds.
const GONE_MAX: usize = 1_500;
/// Lines that the twin's scanner writes.
const TWIN_LINES: u32 = 40;
/// Two days: further off, nobody would take a clock for one.
const JUMP_SECONDS: usize = 2 * 86_400;
/// A log's folder has room for this: no tile of more than a few entries fits, and no checkpoint.
const LOG_ROOM_BYTES: u64 = 128;
/// Room of a database's files where they may not have a disk of their own.
const DATABASE_FILE_BYTES: u64 = 16 << 10;
/// How long acknowledgements may take to the broker once a transaction is over.
const ACKNOWLEDGED: Duration = Duration::from_millis(30);
/// A sensor that is gone is missed after this: some of its intervals.
const SENSOR_MISSED: Duration = Duration::from_millis(400);

/// A while.
pub async fn pause(dice: &mut Dice) {
    let milliseconds = dice.between(50, GONE_MAX) as u64;
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

impl Stage {
    /// A fault strikes while lines are scanned up to `end`, and is over when this returns.
    ///
    /// # Errors
    /// When a part does not start again.
    pub async fn strike(&mut self, fault: Fault, end: u32, dice: &mut Dice) -> Result<()> {
        match fault {
            Fault::Agent => self.kill_agent(end, dice).await,
            Fault::Unsynced => self.cut_power(end, dice).await,
            Fault::Damage | Fault::Torn => self.wound(fault, end, dice).await,
            Fault::Fork => self.fork(end, dice).await,
            Fault::Clock => {
                let by = i64::try_from(dice.below(2 * JUMP_SECONDS))?;
                self.tell_time(by - i64::try_from(JUMP_SECONDS)?)?;
                self.world.scanner.allow(end);
                pause(dice).await;
                self.tell_time(0)
            }
            Fault::NoClock => self.start_without_clock(end, dice).await,
            Fault::Sensor => self.lose_sensor(end, dice).await,
            Fault::FullOutbox => self.fill_outbox(end, dice).await,
            Fault::Worker => {
                self.world.operator.kill()?;
                self.world.scanner.allow(end);
                pause(dice).await;
                self.world.operator.start().await
            }
            Fault::BeforeCommit => self.kill_before_commit(end, dice).await,
            Fault::BeforeAck | Fault::BeforeReceipt => {
                self.kill_after_commit(fault, end, dice).await
            }
            Fault::Platforms => self.kill_one_of_two(end, dice).await,
            Fault::Database => {
                let site = &mut self.world.operator.site;
                site.postgres.as_mut().context("no database")?.kill9();
                self.world.scanner.allow(end);
                pause(dice).await;
                self.world.operator.site.restart_database()
            }
            Fault::FullDatabase => self.fill_database(end, dice).await,
            Fault::FullLog => {
                self.world.operator.limit_files(Some(LOG_ROOM_BYTES))?;
                self.world.scanner.allow(end);
                pause(dice).await;
                self.world.operator.limit_files(None)
            }
            Fault::Witness => {
                // Three of four are enough, so that only one may go.
                if self.world.operator.witnesses() == 4 {
                    self.world.operator.kill_a_witness()?;
                }
                self.world.scanner.allow(end);
                Ok(())
            }
            other => self.strike_wire(other, end, dice).await,
        }
    }

    async fn kill_agent(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        self.world.gateway.kill()?;
        self.world.scanner.allow(end);
        if dice.percent(50) {
            // Killed again while it looks where it was.
            self.world.gateway.start()?;
            self.world.gateway.kill()?;
        }
        pause(dice).await;
        self.world.gateway.start()
    }

    async fn cut_power(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        self.world.gateway.kill()?;
        self.card.as_mut().context("no card")?.lose_power()?;
        self.world.scanner.allow(end);
        pause(dice).await;
        self.world.gateway.start()
    }

    async fn wound(&mut self, fault: Fault, end: u32, dice: &mut Dice) -> Result<()> {
        // Only who has signed something has a head that tells where the chain goes on.
        let state = self.world.gateway.state();
        let head = state.join(edge_agent::outbox::HEAD_FILE);
        until("a head file", DEADLINE, async || {
            Ok(head.exists().then_some(()))
        })
        .await?;
        self.outbox_is_whole().await?;
        self.world.gateway.kill()?;
        self.note_received().await?;
        let database = self.world.gateway.database();
        if fault == Fault::Torn {
            wound::tear(&database, dice)?;
        } else {
            wound::damage(&database, dice)?;
        }
        self.wounds += 1;
        self.world.scanner.allow(end);
        pause(dice).await;
        self.world.gateway.start()
    }

    /// Waits until the agent has dealt with what was done to its outbox before.
    async fn outbox_is_whole(&self) -> Result<()> {
        until("a whole outbox", DEADLINE, async || {
            let read = self.world.gateway.outbox().await;
            Ok(read.ok().flatten().map(drop))
        })
        .await
    }

    /// Remembers what an outbox has receipts for, before it is damaged.
    async fn note_received(&mut self) -> Result<()> {
        self.received.extend(self.world.gateway.received().await?);
        Ok(())
    }

    /// A copy of the gateway's disk runs beside it for a while, with the same key.
    async fn fork(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        let mut twin = match self.twin.take() {
            Some(twin) => twin,
            None => self.copy_agent(dice).await?,
        };
        twin.gateway.start()?;
        twin.scanner.allow(twin.lines);
        self.world.scanner.allow(end);
        twin.scanner.written(twin.lines).await?;
        self.world.scanner.written(end).await?;
        pause(dice).await;
        twin.gateway.kill()?;
        self.twin = Some(twin);
        Ok(())
    }

    async fn copy_agent(&mut self, dice: &mut Dice) -> Result<Twin> {
        self.outbox_is_whole().await?;
        self.world.gateway.kill()?;
        self.note_received().await?;
        let outbox = self.world.gateway.outbox().await?.context("no outbox")?;
        let (open, lines) = (
            u32::try_from(outbox.open_scans)?,
            u32::try_from(outbox.lines)?,
        );
        // What was not signed yet both will sign.
        self.copied_open = Some(lines - open.min(lines)..lines);
        let gateway = self.world.gateway.twin(self.world.folder.join("twin"))?;
        let scanner = Scanner::start_as(
            (TWIN_MARK, PACE),
            &gateway.scans(),
            TWIN_LINES,
            dice.number(),
        )?;
        self.world.gateway.start()?;
        Ok(Twin {
            gateway,
            scanner,
            lines: TWIN_LINES,
        })
    }

    /// The agent takes this for the time: so many seconds off.
    fn tell_time(&self, off: i64) -> Result<()> {
        let file = self.agents_time.as_ref().context("a right clock")?;
        let new = file.with_extension("new");
        std::fs::write(&new, format!("{off:+}"))?;
        Ok(std::fs::rename(new, file)?)
    }

    /// It counts from 1970 until it learns the time.
    async fn start_without_clock(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        self.world.gateway.kill()?;
        let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
        self.tell_time(-i64::try_from(since_1970)?)?;
        self.world.gateway.start()?;
        self.world.scanner.allow(end);
        pause(dice).await;
        self.tell_time(0)
    }

    async fn lose_sensor(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        let sensor = self.sensor.as_ref().context("no sensor")?;
        let reads = async |what: &str| {
            let before = sensor.requests();
            until(what, DEADLINE, async || {
                Ok((sensor.requests() > before + 2).then_some(()))
            })
            .await
        };
        reads("the sensor is read").await?;
        sensor.switch(false);
        self.world.scanner.allow(end);
        // It is missed after its next interval.
        tokio::time::sleep(SENSOR_MISSED).await;
        pause(dice).await;
        sensor.switch(true);
        self.sensor_gone += 1;
        reads("the sensor is read again").await
    }

    async fn fill_outbox(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        if let Some(card) = self.card.as_ref().filter(|_| dice.percent(50)) {
            card.fill()?;
            self.world.scanner.allow(end);
            pause(dice).await;
            return card.empty();
        }
        let log = self.world.gateway.database().with_extension("db-wal");
        let now = std::fs::metadata(log).map_or(0, |file| file.len());
        self.world.gateway.limit_files(Some(now + 4_096))?;
        self.world.scanner.allow(end);
        pause(dice).await;
        self.world.gateway.limit_files(None)
    }

    /// Its transaction waits for a lock when the platform is killed.
    async fn kill_before_commit(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        let (mut holder, mut watcher) = (self.sql().await?, self.sql().await?);
        let mut transaction = holder.begin().await?;
        sqlx::query("LOCK TABLE statements IN SHARE MODE")
            .execute(&mut *transaction)
            .await?;
        self.world.scanner.allow(end);
        until("a transaction waits", DEADLINE, async || {
            let waiting: i64 =
                sqlx::query_scalar("SELECT count(*) FROM pg_locks WHERE NOT granted")
                    .fetch_one(&mut watcher)
                    .await?;
            Ok((waiting > 0).then_some(()))
        })
        .await?;
        self.world.operator.kill()?;
        transaction.rollback().await?;
        holder.close().await?;
        watcher.close().await?;
        pause(dice).await;
        self.world.operator.start().await
    }

    /// It is killed when statements are in the database and the broker has not heard of it, or no
    /// receipt has left.
    async fn kill_after_commit(&mut self, fault: Fault, end: u32, dice: &mut Dice) -> Result<()> {
        let before = self.statements().await?;
        self.lines[1].set(if fault == Fault::BeforeAck {
            Line::DeafTarget
        } else {
            Line::Unpublished
        });
        self.world.scanner.allow(end);
        until("something is stored", DEADLINE, async || {
            Ok((self.statements().await? > before).then_some(()))
        })
        .await?;
        if fault == Fault::BeforeReceipt {
            tokio::time::sleep(ACKNOWLEDGED).await;
        }
        self.world.operator.kill()?;
        self.lines[1].set(Line::Up);
        pause(dice).await;
        self.world.operator.start().await
    }

    async fn kill_one_of_two(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        let second = self.second.as_mut().context("no second platform")?;
        if dice.percent(50) {
            second.kill()?;
            self.world.scanner.allow(end);
            pause(dice).await;
            second.start().await
        } else {
            self.world.operator.kill()?;
            self.world.scanner.allow(end);
            pause(dice).await;
            self.world.operator.start().await
        }
    }

    /// The server may end over it; then somebody starts it when there is room.
    async fn fill_database(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        let site = &mut self.world.operator.site;
        let server = site.postgres.as_ref().and_then(|server| server.id());
        let server = server.context("no database")?;
        match &self.database_disk {
            Some(disk) => disk.fill()?,
            None => limit_all_below(server, DATABASE_FILE_BYTES)?,
        }
        self.world.scanner.allow(end);
        pause(dice).await;
        pause(dice).await;
        if let Some(disk) = &self.database_disk {
            disk.empty()?;
            if self.sql().await.is_ok() {
                return Ok(());
            }
        }
        self.world.operator.site.restart_database()
    }
}

/// Lets no file of a server and of its processes grow.
fn limit_all_below(server: u32, bytes: u64) -> Result<()> {
    let children = Path::new("/proc").join(format!("{server}/task/{server}/children"));
    let children = std::fs::read_to_string(children)?;
    let children = children.split_whitespace().map(str::to_owned);
    let limit = format!("--fsize={bytes}:");
    for pid in [server.to_string()].into_iter().chain(children) {
        // One that has ended meanwhile has no limit.
        let _ = std::process::Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .output()
            .context("prlimit of util-linux")?;
    }
    Ok(())
}
