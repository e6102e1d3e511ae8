//! Two platforms on one PostgreSQL and one Mosquitto, as real processes, both taking statements and
//! making batches, one writing the log. Either is killed; what the broker had for it the other one
//! takes, nothing is lost or doubled, and there is one log.

use anyhow::{Context, Result};
use simulators::processes::second::{Second, becomes};
use sqlx::{Connection as _, PgConnection};

use crate::kill::operator::Operator;
use crate::kill::process::{DEADLINE, until};
use crate::kill::site::On;
use crate::kill::world::World;

/// Lines that are scanned in one part of the story.
const LINES: u32 = 120;

const ON: On = On {
    postgres: true,
    mosquitto: true,
    tls: false,
    watched: false,
};

/// How many batches of each shard are in the log.
async fn batches(operator: &Operator) -> Result<[i64; 2]> {
    let url = operator.site.database().context("no database")?;
    let mut connection = PgConnection::connect(url).await?;
    let (first, second): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE shard = 0), count(*) FILTER (WHERE shard = 1) FROM batches",
    )
    .fetch_one(&mut connection)
    .await?;
    Ok([first, second])
}

async fn story(world: &mut World) -> Result<()> {
    let mut second = Second::prepare(world)?;
    second.start().await?;
    second.becomes(&world.operator, "worker").await?;
    world.gateway.start()?;
    world.scanner.allow(LINES);
    world.stored(LINES).await?;
    let both = until("both make batches", DEADLINE, async || {
        let counts = batches(&world.operator).await?;
        Ok(counts.iter().all(|count| *count > 0).then_some(counts))
    });
    println!("batches of the two: {:?}", both.await?);

    // What the broker goes on keeping for the dead worker, the leader takes.
    second.kill()?;
    world.scanner.allow(2 * LINES);
    world.stored(2 * LINES).await?;

    second.start().await?;
    second.becomes(&world.operator, "worker").await?;
    world.scanner.allow(3 * LINES);
    world.stored(2 * LINES + LINES / 2).await?;

    // The leader dies with statements in its hands: the worker leads, and takes those, too.
    world.operator.kill()?;
    second.becomes(&world.operator, "leader").await?;
    world.scanner.allow(4 * LINES);
    world.operator.start().await?;
    becomes(&world.operator, world.operator.address(), "worker").await?;
    world.settled(4 * LINES).await?;
    world.gateway.stop(crate::kill::END).await?;
    world.check(4 * LINES).await?;
    second.kill()
}

#[tokio::test]
async fn two_platforms_take_statements_and_either_may_die() {
    World::tell_on(ON, 31, 4 * LINES, story).await;
}
