//! Whole ways on real parts: from a scanned line to a bundle that a stranger verifies, on
//! PostgreSQL and Mosquitto from Debian, plain and over TLS; and what these parts may do to a run
//! by dying.

pub mod doors;
mod peer;
mod same;

use anyhow::ensure;
use rand::Rng;

use crate::kill::site::On;
use crate::kill::world::World;

/// Lines that are scanned in one round.
const LINES: u32 = 120;

/// A point in the middle of a round.
fn point(world: &mut World, round: u32) -> u32 {
    (round - 1) * LINES + world.chance.random_range(10..LINES - 10)
}

/// A gateway enrols, scans, loses its agent and its platform once each; every line is in the log
/// once and its proof verifies.
async fn whole_way(on: On, seed: u64) {
    let story = async |world: &mut World| {
        world.gateway.start()?;
        world.scanner.allow(LINES);
        let at = point(world, 1);
        world.stored(at).await?;
        world.gateway.kill()?;
        world.gateway.start()?;
        world.scanner.allow(2 * LINES);
        let at = point(world, 2);
        world.stored(at).await?;
        world.operator.kill()?;
        world.operator.start().await?;
        world.settled(2 * LINES).await?;
        world.gateway.stop(crate::kill::END).await?;
        world.check(2 * LINES).await
    };
    World::tell_on(on, seed, 2 * LINES, story).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes without optimisation; the test command compares the same with the release build"]
async fn the_whole_story_has_the_same_outcome_on_all_parts() {
    same::outcome().await.unwrap();
}

#[tokio::test]
async fn over_tls_through_the_embedded_broker() {
    let on = On {
        tls: true,
        ..On::default()
    };
    whole_way(on, 21).await;
}

#[tokio::test]
async fn over_tls_through_mosquitto() {
    let on = On {
        tls: true,
        mosquitto: true,
        ..On::default()
    };
    whole_way(on, 22).await;
}

#[tokio::test]
async fn through_mosquitto_into_postgresql() {
    let on = On {
        mosquitto: true,
        postgres: true,
        tls: false,
        ..On::default()
    };
    whole_way(on, 20).await;
}

/// The database dies while lines come in: nothing is acknowledged without it, the platform waits
/// for it and goes on by itself, and the log goes on without a fork.
#[tokio::test]
async fn postgresql_killed_in_a_run_loses_and_doubles_nothing() {
    const ROUNDS: u32 = 4;
    let on = On {
        postgres: true,
        ..On::default()
    };
    let story = async |world: &mut World| {
        world.gateway.start()?;
        for round in 1..=ROUNDS {
            world.scanner.allow(round * LINES);
            let at = point(world, round);
            world.stored(at).await?;
            let postgres = world.operator.site.postgres.as_mut();
            let postgres = postgres.expect("a real database");
            postgres.kill9();
            // Some of the lines come while there is no database.
            world.scanner.written(round * LINES).await?;
            if round % 2 == 0 {
                postgres.restart()?;
                postgres.kill9();
            }
            if round == 3 {
                // The platform dies while it waits, too.
                world.operator.kill()?;
                world.operator.site.restart_database()?;
                world.operator.start().await?;
            } else {
                world.operator.site.restart_database()?;
            }
        }
        world.settled(ROUNDS * LINES).await?;
        world.gateway.stop(crate::kill::END).await?;
        world.check(ROUNDS * LINES).await
    };
    World::tell_on(on, 26, ROUNDS * LINES, story).await;
}

#[tokio::test]
async fn mosquitto_killed_in_a_run_loses_and_doubles_nothing() {
    const ROUNDS: u32 = 4;
    let on = On {
        mosquitto: true,
        ..On::default()
    };
    let story = async |world: &mut World| {
        world.gateway.start()?;
        for round in 1..=ROUNDS {
            world.scanner.allow(round * LINES);
            let at = point(world, round);
            world.stored(at).await?;
            let broker = world.operator.site.mosquitto.as_mut();
            let broker = broker.expect("a real broker");
            broker.kill9();
            // Some of the lines come while there is no broker.
            world.scanner.written(round * LINES).await?;
            if round % 2 == 0 {
                broker.restart()?;
                broker.kill9();
            }
            broker.restart()?;
        }
        world.settled(ROUNDS * LINES).await?;
        world.gateway.stop(crate::kill::END).await?;
        world.check(ROUNDS * LINES).await
    };
    World::tell_on(on, 23, ROUNDS * LINES, story).await;
}

#[tokio::test]
async fn a_device_enrolled_while_mosquitto_runs_comes_in_and_a_revoked_one_is_put_out() {
    let on = On {
        mosquitto: true,
        ..On::default()
    };
    let story = async |world: &mut World| {
        world.gateway.start()?;
        world.scanner.allow(LINES);
        world.settled(LINES).await?;
        let second = doors::enrolled(world, "line-2").await?;
        let mut peer = doors::comes_in(&second).await?;
        peer.publish_own(&second, b"no statement").await?;
        doors::revoke(world, &second).await?;
        doors::stays_out(&second).await?;
        ensure!(peer.is_gone().await, "its connection was left open");
        world.gateway.stop(crate::kill::END).await
    };
    World::tell_on(on, 24, LINES, story).await;
}

#[tokio::test]
async fn mosquitto_keeps_devices_apart() {
    let on = On {
        mosquitto: true,
        ..On::default()
    };
    World::tell_on(on, 25, LINES, doors::kept_apart).await;
}
