//! One real session, whatever program the agent is: enrolment, events over TLS, receipts, verified
//! inclusion, and the auditor's check of all of it. For a build for another processor under an
//! emulator this is the proof that it works.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use super::ground::loopback;
use crate::processes::process::AGENT_COMMAND;
use crate::processes::site::On;
use crate::processes::world::{World, tails};

/// How long the agent may take to end.
const DRAIN: Duration = Duration::from_secs(30);
/// Where the numbers that look random begin.
const SEED: u64 = 1;

/// What was delivered.
#[derive(Debug, Clone, Serialize)]
pub struct Delivered {
    /// The command that ran the agent.
    pub agent: String,
    /// Events that were made of lines; the platform has stored and anchored each once, and each is
    /// verified under its policy in the order of the lines.
    pub events: u64,
    /// Seconds from the first line to the last verified inclusion.
    pub seconds: f64,
}

/// Delivers so many events.
///
/// # Errors
/// When anything is missing, more than it should be, or not proven.
pub async fn deliver(events: u32) -> Result<Delivered> {
    let folder = tempfile::tempdir()?;
    let told = tell(folder.path(), events).await;
    told.with_context(|| tails(&folder.path().join("logs")))
}

async fn tell(folder: &std::path::Path, events: u32) -> Result<Delivered> {
    let on = On {
        tls: true,
        ..On::default()
    };
    let mut world = World::begin(folder, on, SEED, events).await?;
    // An emulator may not know how to ask for a name.
    world.gateway.go_through(broker(&world)?)?;
    world.gateway.start()?;
    let began = Instant::now();
    world.scanner.allow(events);
    world.settled(events).await?;
    let seconds = began.elapsed().as_secs_f64();
    world.gateway.stop(DRAIN).await?;
    world.check(events).await?;
    Ok(Delivered {
        agent: std::env::var(AGENT_COMMAND).unwrap_or_else(|_| "edge-agent".to_owned()),
        events: u64::from(events),
        seconds,
    })
}

fn broker(world: &World) -> Result<SocketAddr> {
    let url = world.operator.site.broker();
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
    Ok(loopback(
        port.with_context(|| format!("{url} has no port"))?,
    ))
}

impl std::fmt::Display for Delivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = self.events as f64 / self.seconds;
        write!(
            f,
            "{} events stored, anchored and verified once each in {:.1} s ({rate:.0} a second) by {}",
            self.events, self.seconds, self.agent
        )
    }
}
