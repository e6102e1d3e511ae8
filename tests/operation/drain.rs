//! SIGTERM while everything is full: what was taken is committed and answered or left for
//! redelivery, and the process ends within the time that it says.

use anyhow::Result;

use crate::kill::END;
use crate::kill::site::On;
use crate::kill::world::World;

const LINES: u32 = 2_000;

async fn story(world: &mut World) -> Result<()> {
    // All lines are there before the agent is, so that it sends without a pause.
    world.scanner.allow(LINES);
    world.scanner.written(LINES).await?;
    world.gateway.start()?;
    for part in 1..=3 {
        world.stored(part * LINES / 6).await?;
        world.operator.stop(END).await?;
        world.operator.start().await?;
    }
    world.settled(LINES).await?;
    world.gateway.stop(END).await?;
    world.check(LINES).await
}

async fn told(mosquitto: bool, seed: u64) {
    let on = On {
        mosquitto,
        ..On::default()
    };
    World::tell_on(on, seed, LINES, story).await;
}

#[tokio::test]
async fn a_platform_that_ends_with_full_queues_loses_nothing_at_the_embedded_broker() {
    told(false, 42).await;
}

#[tokio::test]
async fn a_platform_that_ends_with_full_queues_loses_nothing_at_mosquitto() {
    told(true, 43).await;
}
