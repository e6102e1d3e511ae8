//! A device that sends what is no statement, as fast as it may: each is refused with its reason and
//! counted, and another device's statements are stored, answered and witnessed as before.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;

use crate::flows::doors::{comes_in, enrolled};
use crate::kill::END;
use crate::kill::process::{DEADLINE, until};
use crate::kill::site::On;
use crate::kill::world::World;

const LINES: u32 = 60;
/// What is no statement: noise, nothing that ends, the largest message.
const JUNK: u64 = 600;
/// How much slower the other device's way may become: so many times, and so much more.
const TIMES: u32 = 5;
const MORE: Duration = Duration::from_secs(10);

fn junk(number: u64) -> Vec<u8> {
    match number % 3 {
        0 => number.to_be_bytes().to_vec(),
        1 => [&[0x82, 0xD2, 0x84][..], &number.to_be_bytes()].concat(),
        _ => vec![number as u8; 40_000],
    }
}

async fn scanned(world: &World, lines: u32) -> Result<Duration> {
    let began = Instant::now();
    world.scanner.allow(lines);
    world.settled(lines).await?;
    Ok(began.elapsed())
}

async fn story(world: &mut World) -> Result<()> {
    let login = enrolled(world, "line-2").await?;
    let mut peer = comes_in(&login).await?;
    world.gateway.start()?;
    let before = scanned(world, LINES).await?;
    let flood = tokio::spawn(async move {
        for number in 0..JUNK {
            peer.publish_own(&login, &junk(number)).await?;
        }
        Ok::<_, anyhow::Error>(peer)
    });
    let during = scanned(world, 2 * LINES).await?;
    ensure!(
        during <= before * TIMES + MORE,
        "{during:?}, before {before:?}"
    );
    let _peer = flood.await??;
    until("all of it is in quarantine", DEADLINE, async || {
        let stored = world.operator.stored().await?;
        Ok((stored.quarantined == JUNK).then_some(()))
    })
    .await?;
    let metrics = world.operator.metrics().await?;
    let counted = metrics
        .lines()
        .filter(|line| line.starts_with("tracebond_quarantined_total{"));
    let counted: f64 = counted
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    ensure!(counted >= JUNK as f64, "{counted} are counted");
    world.gateway.stop(END).await?;
    world.operator.stop(END).await
}

#[tokio::test]
async fn a_device_that_sends_junk_at_full_speed_harms_nobody() {
    let on = On {
        watched: true,
        ..On::default()
    };
    World::tell_on(on, 44, 2 * LINES, story).await;
}
