//! The same with real processes: platform, witnesses and agent as built, PostgreSQL and Mosquitto
//! of Debian's, and a network of ours before the broker. Instants are drawn from the seed, in terms
//! of what has been scanned or stored by then, and a bit of real time; what a machine does meanwhile
//! is not repeated exactly.
//!
//! - `stage`: what a run consists of
//! - `strike`: what goes wrong, and for how long; `wire` on the way to the broker and in it
//! - `disks`: full disks, and disks whose power fails, where there is the right to mount
//! - `verdict`: what must hold in the end
//!
//! Without the right to mount, a full disk is a limit on the size of the files of one process, and
//! a power cut is not met.

mod disks;
mod stage;
mod strike;
mod verdict;
mod wire;

use anyhow::{Context as _, Result, bail};

use super::dice::Dice;
use super::kind::{Fault, Kind};
use crate::processes::world::tails;
use stage::Stage;

/// Rounds of a run: in each, lines are scanned and something goes wrong.
const ROUNDS: u32 = 4;
/// Lines of a round.
const LINES: u32 = 60;

/// How a run with real processes ended.
#[derive(Debug)]
pub struct Told {
    /// What went wrong, in order.
    pub faults: Vec<String>,
    /// Lines that were scanned.
    pub lines: u32,
    /// Statements that the platform has in the end.
    pub statements: usize,
    /// Gaps and forks that it has written down.
    pub gaps: usize,
    /// What was wrong in the end, with the last words of all processes.
    pub problem: Option<String>,
}

/// One run.
///
/// # Errors
/// Where the kind is none for real processes on this machine, or a part is not installed.
pub async fn run(seed: u64, kind: Kind) -> Result<Told> {
    let mut dice = Dice::new(seed);
    let faults = dealt(kind, seed)?;
    let folder = tempfile::tempdir()?;
    let mut told = Told {
        faults: Vec::new(),
        lines: ROUNDS * LINES,
        statements: 0,
        gaps: 0,
        problem: None,
    };
    if let Err(error) = live(folder.path(), seed, &mut dice, &faults, &mut told).await {
        let tails = tails(&folder.path().join("logs"));
        told.problem = Some(format!("{error:#}\n{tails}"));
    }
    Ok(told)
}

/// One for each round: seeds that follow each other are dealt every fault of the kind before one
/// comes again, and then in another order.
fn dealt(kind: Kind, seed: u64) -> Result<Vec<Fault>> {
    let mut all = kind.possible();
    all.retain(|fault| *fault != Fault::Unsynced || disks::may_mount());
    if all.is_empty() {
        bail!("this machine does not let us mount, which `{kind}` needs; leave --real out");
    }
    let count = all.len() as u64;
    let dealt = (0..u64::from(ROUNDS)).map(|round| {
        let place = seed.wrapping_mul(u64::from(ROUNDS)).wrapping_add(round);
        let (deal, card) = (place / count, place % count);
        all[usize::try_from((card * stride(deal, count) + deal) % count).unwrap_or_default()]
    });
    Ok(dealt.collect())
}

/// A step that comes by each of so many places, another one for each deal.
fn stride(deal: u64, count: u64) -> u64 {
    let has_no_common = |step: &u64| {
        let (mut a, mut b) = (*step, count);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    let steps: Vec<u64> = (1..=count).filter(has_no_common).collect();
    let place = usize::try_from(deal % steps.len().max(1) as u64).unwrap_or_default();
    steps.get(place).copied().unwrap_or(1)
}

async fn live(
    folder: &std::path::Path,
    seed: u64,
    dice: &mut Dice,
    faults: &[Fault],
    told: &mut Told,
) -> Result<()> {
    let mut stage = Stage::begin(folder, seed, faults, told.lines).await?;
    let broker = stage.world.operator.site.mosquitto.as_ref();
    broker.context("no broker")?.keep_up();
    let played = play(&mut stage, dice, faults, told).await;
    let broker = stage.world.operator.site.mosquitto.as_ref();
    let broker = broker.context("no broker")?;
    if broker.crashes() > 0 {
        let again = format!("Mosquitto has crashed {} times by itself", broker.crashes());
        told.faults.push(again);
    }
    played.with_context(|| broker.how_it_is())
}

async fn play(stage: &mut Stage, dice: &mut Dice, faults: &[Fault], told: &mut Told) -> Result<()> {
    for (round, fault) in (1..).zip(faults) {
        let (begin, end) = ((round - 1) * LINES, round * LINES);
        let point = begin + u32::try_from(dice.between(5, 40))?;
        stage.world.scanner.allow(point);
        // In the middle of what is said, or before it could be.
        if dice.percent(50) || needs_who_runs(*fault) {
            stage.stored(point).await?;
        } else {
            stage.world.scanner.written(point).await?;
        }
        told.faults.push(format!("{fault} at {point}"));
        let struck = stage.strike(*fault, end, dice).await;
        struck.with_context(|| format!("{fault} in round {round}"))?;
        stage.world.scanner.allow(end);
    }
    stage.settle(told.lines).await?;
    let found = stage.verdict(told.lines).await?;
    (told.statements, told.gaps) = found;
    Ok(())
}

/// Whoever is to be killed in a transaction must have a connection. An agent that finds no room as it
/// opens its outbox ends and says so: what starts it again, in life, is not here.
const fn needs_who_runs(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::BeforeCommit | Fault::BeforeAck | Fault::BeforeReceipt | Fault::FullOutbox
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_is_dealt_before_one_comes_again() {
        let only = Kind::Only(Fault::Hang);
        assert_eq!(dealt(only, 1).unwrap(), [Fault::Hang; 4]);
        for kind in [Kind::Gateway, Kind::Mixture] {
            let mut all = kind.possible();
            all.retain(|fault| *fault != Fault::Unsynced || disks::may_mount());
            let seeds = all.len() as u64;
            let slots: Vec<Fault> = (0..seeds)
                .flat_map(|seed| dealt(kind, seed).unwrap())
                .collect();
            let mut orders = BTreeSet::new();
            for deal in slots.chunks(all.len()) {
                orders.insert(deal.to_vec());
                let mut sorted = deal.to_vec();
                sorted.sort();
                let mut expected = all.clone();
                expected.sort();
                assert_eq!(sorted, expected);
            }
            assert!(orders.len() > 1);
        }
    }
}
