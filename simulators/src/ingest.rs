//! What the write path takes, beside what PostgreSQL itself takes: `bench -- ingest`.
//!
//! Everything is real: PostgreSQL and Mosquitto from Debian with durability on, the platform and
//! four witnesses as processes of their own ([`crate::site`]), all on this machine with the
//! devices. What the devices say is signed beforehand and played over their own connections with a
//! bounded number of statements without receipt ([`crate::fleet::play`]).
//!
//! - *Ratio*: one run for each size of a statement, from the first publication until the last
//!   statement is in a batch of the log, over the median of three COPYs of the run's final rows
//!   into empty tables of the same schema.
//! - *Anchoring*: the same load in turns with batches and with batches so rare that none is made;
//!   medians of the rates without each run's start. CPU time says the same with less noise.
//! - *Latency*: at half of the maximum, from a publication until the witnessed checkpoint that
//!   covers it is published.
//! - *Outage*: the platform is killed, a backlog forms while live load goes on, the platform
//!   starts.

mod anchoring;
pub mod figures;
mod latency;
mod outage;
mod ratio;
mod report;
pub mod stage;

use std::time::Duration;

use anyhow::Result;
use kit::clock::TokioClock;

use crate::fleet::chain::{Chains, Items, Signed};
use crate::fleet::play::Fleet;
use crate::fleet::{self, Device};
use crate::progress::Progress;
use crate::site::{Plan, Site};

pub use anchoring::Anchoring;
pub use latency::Latency;
pub use outage::Outage;
pub use ratio::{Rated, Rates};
pub use report::Measured;

/// Devices that speak.
pub(crate) const DEVICES: usize = 32;
/// The same where a run is so short that it only shows that everything works.
const FEW_DEVICES: usize = 4;
/// Events of a run that is as short as that.
const SHORT: u64 = 10_000;
/// Sizes of a statement.
pub const SIZES: [u32; 4] = [1, 8, 64, 256];
/// The size that agents close at, which everything but the ratios is measured with.
pub(crate) const USUAL: u32 = 64;
/// Events of a run by size: at least 60,000, and more where they go faster, so that the wait for
/// the last batch is small beside the run.
const EVENTS: [u64; 4] = [60_000, 120_000, 200_000, 200_000];
/// How long nothing may be heard before a statement is sent again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What to measure.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Events of each run instead of the usual numbers.
    pub events: Option<u64>,
    /// Only the ratios of these sizes, and nothing else; empty for everything.
    pub only: Vec<u32>,
}

impl Wish {
    fn sizes(&self) -> Vec<u32> {
        if self.only.is_empty() {
            SIZES.to_vec()
        } else {
            self.only.clone()
        }
    }

    fn devices(&self) -> usize {
        match self.events {
            Some(events) if events < SHORT => FEW_DEVICES,
            _ => DEVICES,
        }
    }

    fn events(&self, size: u32) -> u64 {
        let place = SIZES.iter().position(|one| *one == size);
        let usual = place.map_or(EVENTS[0], |place| EVENTS[place]);
        self.events.unwrap_or(usual)
    }
}

/// Measures.
///
/// # Errors
/// When a part cannot start, or anything is lost, refused or stored twice.
pub async fn measure(wish: &Wish, progress: &mut Progress) -> Result<Measured> {
    let mut rates = Vec::new();
    for size in wish.sizes() {
        progress.done(&format!("statements of {size}"));
        let ground = Ground::open(wish.devices()).await?;
        rates.push(ratio::measure(ground, size, wish.events(size), progress).await?);
    }
    let mut measured = Measured {
        rates,
        anchoring: None,
        latency: None,
        outage: None,
    };
    if !wish.only.is_empty() {
        return Ok(measured);
    }
    let rate = measured.rate_of(USUAL);
    let scale = wish
        .events
        .map_or(1.0, |events| events as f64 / EVENTS[2] as f64);
    progress.done("anchoring on and off");
    let mut ground = Ground::open(wish.devices()).await?;
    measured.anchoring = Some(anchoring::measure(&mut ground, scale, progress).await?);
    progress.done("time to the witnessed checkpoint at half the rate");
    measured.latency = Some(latency::measure(&mut ground, rate / 2.0, scale).await?);
    progress.done("an outage of the platform");
    measured.outage = Some(outage::measure(&mut ground, rate / 4.0, scale).await?);
    Ok(measured)
}

/// A site with a fleet at its broker.
pub(crate) struct Ground {
    pub(crate) fleet: Fleet,
    pub(crate) devices: Vec<Device>,
    /// Signs what is said; the chains of all plays are the same.
    pub(crate) chains: Chains,
    pub(crate) site: Site,
}

impl Ground {
    async fn open(devices: usize) -> Result<Ground> {
        Ground::with_items(devices, Items::for_load(EVENTS[0])).await
    }

    pub(crate) async fn with_items(devices: usize, items: Items) -> Result<Ground> {
        let site = Site::start(Plan::real()).await?;
        let owner = site.organisation().await?;
        let keys = site.folder().join("devices");
        let devices = fleet::enrol(&owner, "gateway", devices, &keys).await?;
        let fleet = Fleet::connect(devices.clone(), false, PATIENCE).await?;
        Ok(Ground {
            fleet,
            chains: Chains::new(&devices, items),
            devices,
            site,
        })
    }

    /// Signs statements of a size over so many events, to be played later.
    pub(crate) fn sign(&mut self, events: u64, size: u32) -> Result<Vec<Signed>> {
        self.chains.saying(events, size, &TokioClock).collect()
    }
}
