//! Real processes under SIGKILL and SIGTERM: the built `platform` and `edge-agent` with their own
//! files and sockets, and an auditor who knows every line that was scanned.
//!
//! Where a process is killed is drawn from a seed, in terms of what has been scanned or stored by
//! then, so that a point means the same on a slow machine as on a fast one.

pub use simulators::processes::{gateway, operator, process, scanner, site, world};

use std::time::Duration;

use anyhow::ensure;
use rand::Rng;

use operator::Operator;
use site::On;
use world::World;

/// Lines that are scanned in one round.
const LINES: u32 = 120;
/// How long a process may take to end when it is asked to.
pub const END: Duration = Duration::from_secs(10);

/// How long a disk stays full: some rounds of the notary.
const NO_ROOM: Duration = Duration::from_millis(300);

/// A point in the middle of a round.
fn point(world: &mut World, round: u32) -> u32 {
    (round - 1) * LINES + world.chance.random_range(10..LINES - 10)
}

#[tokio::test]
async fn killed_agent_loses_and_doubles_nothing() {
    const ROUNDS: u32 = 6;
    let story = async |world: &mut World| {
        world.gateway.start()?;
        for round in 1..=ROUNDS {
            world.scanner.allow(round * LINES);
            let point = point(world, round);
            // Killed with its last words on the way, or before it could say them.
            if world.chance.random_bool(0.5) {
                world.stored(point).await?;
            } else {
                world.scanner.written(point).await?;
            }
            world.gateway.kill()?;
            if world.chance.random_bool(0.5) {
                // Killed again while it looks where it was.
                world.gateway.start()?;
                world.gateway.kill()?;
            }
            world.gateway.start()?;
        }
        world.settled(ROUNDS * LINES).await?;
        world.gateway.stop(END).await?;
        world.check(ROUNDS * LINES).await
    };
    World::tell(1, ROUNDS * LINES, story).await;
}

#[tokio::test]
async fn killed_platform_loses_and_doubles_nothing() {
    const ROUNDS: u32 = 5;
    let story = async |world: &mut World| {
        world.gateway.start()?;
        for round in 1..=ROUNDS {
            world.scanner.allow(round * LINES);
            let point = point(world, round);
            world.stored(point).await?;
            world.operator.kill()?;
            // Some of the lines come while there is no platform.
            world.scanner.written(round * LINES).await?;
            if round % 2 == 0 {
                world.operator.start().await?;
                world.operator.kill()?;
            }
            world.operator.start().await?;
        }
        world.settled(ROUNDS * LINES).await?;
        world.gateway.stop(END).await?;
        world.check(ROUNDS * LINES).await
    };
    World::tell(2, ROUNDS * LINES, story).await;
}

#[tokio::test]
async fn platform_killed_in_its_first_start_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let (place, logs) = (folder.path().join("operator"), folder.path().join("logs"));
    std::fs::create_dir_all(&logs).unwrap();
    let organisation = "qinghe".parse().unwrap();
    let prepared = Operator::prepare(place, logs, &organisation, On::default()).await;
    let mut operator = prepared.unwrap();
    for file in ["lock", "platform.db", "platform.db-wal"] {
        operator.kill_once_there(file).await.unwrap();
    }
    operator.start().await.unwrap();
    operator.kill().unwrap();
    operator.begin().await.unwrap();
    operator.stop(END).await.unwrap();
    operator.everything_is_witnessed().await.unwrap();
}

#[tokio::test]
async fn platform_log_survives_kill() {
    const ROUNDS: u32 = 3;
    let story = async |world: &mut World| {
        world.gateway.start()?;
        for round in 1..=ROUNDS {
            world.scanner.allow(round * LINES);
            let point = point(world, round);
            world.stored(point).await?;
            world.operator.kill()?;
            let found = world.operator.fsck().await?;
            ensure!(found.success, "after kill {round}: {found:?}");
            if round == 1 {
                world.operator.back_up()?;
            }
            if round == 2 {
                world.operator.kill_a_witness()?;
            }
            world.operator.start().await?;
        }
        world.settled(ROUNDS * LINES).await?;
        world.operator.stop(END).await?;
        world.operator.exchange_backup()?;
        let refused = world.operator.start_refused().await?;
        let reason = "restored from an old backup";
        ensure!(refused.contains(reason), "{refused}");
        world.operator.exchange_backup()?;
        world.operator.start().await?;
        world.gateway.stop(END).await?;
        world.check(ROUNDS * LINES).await
    };
    World::tell(3, ROUNDS * LINES, story).await;
}

#[tokio::test]
async fn an_agent_whose_disk_was_full_goes_on() {
    const ROUNDS: u32 = 6;
    let story = async |world: &mut World| {
        world.gateway.start()?;
        for round in 1..=ROUNDS {
            let half = round * LINES - LINES / 2;
            world.scanner.allow(half);
            world.stored(half).await?;
            // SQLite rolls back by itself what it cannot write.
            let log = world.gateway.database().with_extension("db-wal");
            let length = std::fs::metadata(log).map_or(0, |file| file.len());
            world.gateway.limit_files(Some(length + 4_096))?;
            world.scanner.allow(round * LINES);
            world.scanner.written(round * LINES).await?;
            tokio::time::sleep(NO_ROOM).await;
            world.gateway.limit_files(None)?;
        }
        world.settled(ROUNDS * LINES).await?;
        world.gateway.stop(END).await?;
        world.check(ROUNDS * LINES).await
    };
    World::tell(9, ROUNDS * LINES, story).await;
}

#[tokio::test]
async fn a_platform_whose_log_lines_have_no_room_goes_on() {
    let story = async |world: &mut World| {
        world.gateway.start()?;
        world.scanner.allow(LINES);
        let at = point(world, 1);
        world.stored(at).await?;
        // Neither tiles nor rows nor what it has to say about that.
        world.operator.limit_files(Some(128))?;
        world.scanner.allow(2 * LINES);
        world.scanner.written(2 * LINES).await?;
        tokio::time::sleep(NO_ROOM).await;
        world.operator.limit_files(None)?;
        world.settled(2 * LINES).await?;
        world.gateway.stop(END).await?;
        world.check(2 * LINES).await
    };
    World::tell(8, 2 * LINES, story).await;
}

#[tokio::test]
async fn graceful_stop_drains() {
    let story = async |world: &mut World| {
        world.gateway.start()?;
        world.scanner.allow(LINES);
        let at = point(world, 1);
        world.stored(at).await?;
        world.operator.stop(END).await?;
        world.operator.everything_is_witnessed().await?;
        world.operator.start().await?;
        world.scanner.allow(2 * LINES);
        let at = point(world, 2);
        world.stored(at).await?;
        world.gateway.stop(END).await?;
        world.gateway.nothing_is_open().await?;
        world.gateway.start()?;
        world.settled(2 * LINES).await?;
        world.gateway.stop(END).await?;
        world.check(2 * LINES).await?;
        world.operator.stop(END).await?;
        world.operator.everything_is_witnessed().await
    };
    World::tell(4, 2 * LINES, story).await;
}
