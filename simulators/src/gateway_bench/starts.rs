//! From the start of the process to its first durable event, and to the broker's CONNACK over TLS.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::ground::{Ground, Uplink};
use super::outbox::Peek;
use crate::ingest::figures::percentile_of;
use crate::processes::process::DEADLINE;

/// How often it is looked at, which is also the error.
const LOOK: Duration = Duration::from_millis(1);

/// Medians in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Starts {
    pub(super) to_durable: f64,
    pub(super) to_tls: f64,
}

/// Each start finds a line that was written while the agent was away.
pub(super) async fn measure(ground: &mut Ground, starts: usize) -> Result<Starts> {
    // The very first start makes the outbox, which is not what a gateway does every morning.
    let first = ground.start(Uplink::Platform)?;
    first.connected().await?;
    first.stop().await?;
    let (mut durable, mut connected) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        let (to_durable, to_tls) = one(ground).await?;
        durable.push(to_durable);
        connected.push(to_tls);
    }
    Ok(Starts {
        to_durable: percentile_of(durable, 50),
        to_tls: percentile_of(connected, 50),
    })
}

async fn one(ground: &mut Ground) -> Result<(f64, f64)> {
    ground.scan(1, 'S')?;
    let due = i64::from(ground.lines());
    let mut peek = Peek::open(&ground.state()).await?;
    let agent = ground.start(Uplink::Platform)?;
    let (mut durable, mut connected) = (None, None);
    let end = Instant::now() + DEADLINE;
    while durable.is_none() || connected.is_none() {
        ensure!(Instant::now() < end, "the agent does not start");
        if durable.is_none() && peek.lines().await? >= due {
            durable = Some(agent.started.elapsed());
        }
        if connected.is_none() && agent.is_connected()? {
            connected = Some(agent.started.elapsed());
        }
        tokio::time::sleep(LOOK).await;
    }
    ground.receipted(&mut peek).await?;
    agent.stop().await?;
    let ms = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1_000.0;
    Ok((ms(durable), ms(connected)))
}
