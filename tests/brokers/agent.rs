//! The real agent's uplink in a TLS session under the platform's CA, through a network that is cut
//! and that falls silent: the session goes on where it was, on either broker.

use anyhow::{Context, Result};
use simulators::proxy::{Line, Link};

use crate::kill::site::On;
use crate::kill::world::World;

/// Lines that are scanned between two failures.
const LINES: u32 = 80;

async fn story(world: &mut World) -> Result<()> {
    let broker = world.operator.site.broker();
    let port = broker.rsplit(':').next().context("no port")?.parse()?;
    let link = Link::start(([127, 0, 0, 1], port).into()).await?;
    world.gateway.go_through(link.address())?;
    world.gateway.start()?;
    for (round, failure) in [Line::Cut, Line::HalfOpen, Line::Cut]
        .into_iter()
        .enumerate()
    {
        let lines = (round as u32 + 1) * LINES;
        world.scanner.allow(lines - LINES / 2);
        world.stored(lines - LINES).await?;
        // Whatever is on its way is lost; receipts of it wait in the session.
        link.set(failure);
        world.scanner.allow(lines);
        world.scanner.written(lines).await?;
        link.set(Line::Up);
        world.stored(lines).await?;
    }
    world.settled(3 * LINES).await?;
    world.gateway.stop(crate::kill::END).await?;
    world.check(3 * LINES).await
}

async fn told(mosquitto: bool, seed: u64) {
    let on = On {
        tls: true,
        mosquitto,
        postgres: false,
        ..On::default()
    };
    World::tell_on(on, seed, 3 * LINES, story).await;
}

#[tokio::test]
async fn an_agents_tls_session_outlives_its_connections_at_the_embedded_broker() {
    told(false, 31).await;
}

#[tokio::test]
async fn an_agents_tls_session_outlives_its_connections_at_mosquitto() {
    told(true, 32).await;
}

/// The platform is killed on the way: what carries the bytes forgets nothing, since it knows nothing.
async fn through_a_firewall(world: &mut World) -> Result<()> {
    let door = world.operator.site.websocket(world.operator.address());
    world.gateway.reach(&door)?;
    world.gateway.start()?;
    world.scanner.allow(LINES);
    world.stored(LINES / 2).await?;
    world.operator.kill()?;
    world.scanner.allow(2 * LINES);
    world.scanner.written(2 * LINES).await?;
    world.operator.start().await?;
    world.settled(2 * LINES).await?;
    world.gateway.stop(crate::kill::END).await?;
    world.check(2 * LINES).await
}

#[tokio::test]
async fn an_agent_reaches_the_embedded_broker_over_websocket_at_the_platforms_https_port() {
    let on = On {
        tls: true,
        ..On::default()
    };
    World::tell_on(on, 33, 2 * LINES, through_a_firewall).await;
}

#[tokio::test]
async fn an_agent_reaches_mosquitto_over_websocket() {
    let on = On {
        tls: true,
        mosquitto: true,
        ..On::default()
    };
    World::tell_on(on, 34, 2 * LINES, through_a_firewall).await;
}
