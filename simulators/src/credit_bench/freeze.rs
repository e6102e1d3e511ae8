//! From a reading out of its limits until nothing can be drawn: real gateways, platform and bank, on the
//! real clock.
//!
//! The time is the freeze's own, by the bank's clock, less the reading's, by the gateway's; both are this
//! machine's clock. The sensor is read every second, so what was too warm a moment before it is read is
//! not in the figure.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use credit::pledge::stage::{Act, State};
use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::quantile;
use crate::cold_store::{ColdStores, Store};
use crate::progress::Progress;

/// Cold stores that get warm, each at its own moments.
const STORES: usize = 4;

/// Breaches in all, at least.
const BREACHES: usize = 48;

/// What was measured.
pub struct Frozen {
    /// Milliseconds from the reading to the frozen state; 95 of 100 are faster.
    pub p95_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// How many breaches.
    pub breaches: usize,
}

/// Makes every store too warm again and again, each time under a new pledge.
///
/// # Errors
/// When a part does not start, or a pledge is not frozen within half a minute.
pub async fn measure(progress: &mut Progress) -> Result<Frozen> {
    progress.done("freezing pledges");
    let root = tempfile::tempdir()?;
    let bank = ColdStores::open(root.path(), STORES).await?;
    let rounds = BREACHES.div_ceil(bank.stores.len().max(1));
    let all = bank.stores.iter().zip(0_u32..);
    let all = try_join_all(all.map(|(store, number)| of_store(&bank, store, number, rounds))).await;
    bank.close().await?;
    let times: Vec<f64> = all?.into_iter().flatten().collect();
    ensure!(
        times.len() >= BREACHES,
        "{} breaches are too few",
        times.len()
    );
    Ok(Frozen {
        p95_ms: quantile(times.clone(), 0.95),
        p50_ms: quantile(times.clone(), 0.5),
        breaches: times.len(),
    })
}

async fn of_store(
    bank: &ColdStores,
    store: &Store,
    number: u32,
    rounds: usize,
) -> Result<Vec<f64>> {
    let mut chance = StdRng::seed_from_u64(u64::from(number));
    let mut times = Vec::with_capacity(rounds);
    for round in 1..1_000 {
        if times.len() >= rounds {
            break;
        }
        let pledge = bank.pledge(store, number * 1_000 + round).await?;
        let moment = Duration::from_millis(chance.random_range(0..1_000));
        tokio::time::sleep(moment).await;
        let warm = bank.office().now();
        store.show(940);
        let frozen = bank.wait(&pledge, |chain| chain.stage().state() == State::Frozen);
        let frozen = frozen.await?;
        let step = frozen.steps().last().context("no step")?;
        let Act::Alarm(alarm) = &step.said.act else {
            anyhow::bail!("frozen by something else");
        };
        store.show(500);
        // A reading of the round before may come under the new pledge: it is none of this one.
        if alarm.since >= warm {
            times.push(step.at.since(alarm.since).as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}
