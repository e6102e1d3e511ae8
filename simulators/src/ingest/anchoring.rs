//! What anchoring costs: the same load in turns with it and without it.

use anyhow::Result;

use super::stage::Cpu;
use super::{Ground, USUAL, figures};
use crate::fleet::play::{Pace, Until};
use crate::progress::Progress;
use crate::site::Plan;

/// Runs of each kind.
const RUNS: usize = 3;
/// Events of a run.
const EVENTS: f64 = 60_000.0;
/// Seconds at the start of a run that its rate leaves out: with anchoring nothing is anchored yet.
const START_S: f64 = 1.2;

/// What was measured.
#[derive(Debug, Clone)]
pub struct Anchoring {
    /// Events a second with batches, from the slowest run to the fastest.
    pub on: Vec<f64>,
    /// Without.
    pub off: Vec<f64>,
    /// CPU microseconds an event of all that the operator runs, with batches.
    pub on_us: f64,
    /// Without.
    pub off_us: f64,
}

impl Anchoring {
    /// How much slower it is with anchoring, in percent of the median rate without.
    #[must_use]
    pub fn cost_percent(&self) -> f64 {
        let (on, off) = (
            figures::percentile(&self.on, 50),
            figures::percentile(&self.off, 50),
        );
        100.0 * (1.0 - on / off)
    }

    /// How much more CPU time it takes, in percent of that without.
    #[must_use]
    pub fn cpu_percent(&self) -> f64 {
        100.0 * (self.on_us / self.off_us - 1.0)
    }
}

pub(super) async fn measure(
    ground: &mut Ground,
    scale: f64,
    progress: &mut Progress,
) -> Result<Anchoring> {
    let events = ((EVENTS * scale) as u64).max(u64::from(USUAL));
    let (mut on, mut off) = (Vec::new(), Vec::new());
    let (mut on_us, mut off_us) = (0.0, 0.0);
    for _ in 0..RUNS {
        progress.step(|| "  a run with and one without".to_owned());
        let (rate, cpu) = run(ground, Plan::real(), Until::Inclusions, events).await?;
        on.push(rate);
        on_us += cpu / RUNS as f64;
        let plan = Plan::real().without_anchoring();
        let (rate, cpu) = run(ground, plan, Until::Receipts, events).await?;
        off.push(rate);
        off_us += cpu / RUNS as f64;
    }
    on.sort_by(f64::total_cmp);
    off.sort_by(f64::total_cmp);
    // What waits is anchored at the end of the last one; go on as usual.
    restart(ground, Plan::real())?;
    Ok(Anchoring {
        on,
        off,
        on_us,
        off_us,
    })
}

fn restart(ground: &mut Ground, plan: Plan) -> Result<()> {
    ground.site.stop_platform()?;
    ground.site.set_batches(plan)?;
    ground.site.start_platform()
}

/// Rate, and CPU microseconds an event.
async fn run(ground: &mut Ground, plan: Plan, until: Until, events: u64) -> Result<(f64, f64)> {
    restart(ground, plan)?;
    let load = ground.sign(events, USUAL)?;
    let before = ground.site.usage()?;
    let played = ground
        .fleet
        .play(load.into_iter().map(Ok), Pace::FULL, until)
        .await?;
    let cpu = Cpu::between(&before, &ground.site.usage()?, events);
    let skip = START_S.min(played.seconds_to_receipts() / 4.0);
    Ok((figures::steady_rate(&played.ways, skip), cpu.operator()))
}
