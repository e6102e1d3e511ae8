//! The platform is killed, statements pile up, the platform comes back.
//!
//! An agent keeps what has no receipt and sends no more than its window: so the beginning of the
//! backlog stands in the broker, up to less than the 64 MiB that Mosquitto is told to keep, and the
//! rest with the devices.

use std::time::Duration;

use anyhow::{Context, Result};

use super::figures::{self, CatchUp};
use super::{Ground, USUAL};
use crate::fleet::play::{Pace, Until};

/// Seconds of live load that pile up.
const OUTAGE_S: f64 = 45.0;
/// Seconds for which the live load goes on, from the kill.
const LIVE_S: f64 = 30.0;

/// Without a publication for so long, the window is full.
const STILL: Duration = Duration::from_millis(500);

/// What was measured.
#[derive(Debug, Clone)]
pub struct Outage {
    /// Events a second that go on coming.
    pub live: f64,
    /// Events that stood when the platform began to start.
    pub backlog: u64,
    /// Of these, how many the broker held.
    pub in_broker: u64,
    /// How it was caught up with.
    pub caught_up: Option<CatchUp>,
}

impl Outage {
    /// Rate of catching up over the live rate.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.caught_up.map_or(0.0, |caught| caught.rate / self.live)
    }
}

pub(super) async fn measure(ground: &mut Ground, live: f64, scale: f64) -> Result<Outage> {
    let backlog = ((live * OUTAGE_S * scale) as u64).max(u64::from(USUAL));
    let events = backlog + (live * LIVE_S * scale) as u64;
    let load = ground.sign(events, USUAL)?;
    ground.site.kill_platform();
    let pace = Pace {
        due: backlog,
        ..Pace::at(live)
    };
    let sent = ground.fleet.sent.subscribe();
    let (fleet, site) = (&mut ground.fleet, &mut ground.site);
    let playing = fleet.play(load.into_iter().map(Ok), pace, Until::Receipts);
    let starting = async {
        let in_broker = full(sent, backlog).await?;
        site.start_platform_beside().await?;
        anyhow::Ok(in_broker)
    };
    let (played, in_broker) = tokio::try_join!(playing, starting)?;
    let lost = played.without_receipt();
    anyhow::ensure!(lost == 0, "{lost} statements without receipt");
    Ok(Outage {
        live,
        backlog,
        in_broker,
        caught_up: figures::catch_up(&played.ways, backlog, live),
    })
}

/// Waits until the window is full or the whole backlog is sent: nothing more has been sent for a
/// while. Events sent.
async fn full(mut sent: tokio::sync::watch::Receiver<u64>, backlog: u64) -> Result<u64> {
    sent.borrow_and_update();
    let mut before = 0;
    loop {
        let more = tokio::time::timeout(STILL, sent.wait_for(|now| *now > before)).await;
        match more {
            Err(_) => return Ok(before),
            Ok(now) => before = *now.context("the play has ended")?,
        }
        if before >= backlog {
            return Ok(before);
        }
    }
}
