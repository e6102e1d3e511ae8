//! Runs in which things go wrong, and the check that nothing was lost, doubled or left unsaid.
//!
//! A run is one world from one seed on a clock of its own ([`world`]): real outboxes with the
//! uplink's own choice of what leaves next, the real write path, notary, follower and store of the
//! platform, real witnesses; only broker and network are played ([`network`]). Which part does
//! something next and what goes wrong ([`kind`], `strike`) is drawn from the seed, so that a seed
//! that fails fails again. Salts alone are random: no decision rests on them, and the trace of a
//! run ([`trace`]) names nothing by its hash.
//!
//! In the end everything is healed and taken over (`drain`), and the verdict (`check`) compares
//! the database, the log and the agents with the ledger of an auditor who saw every commit of an
//! outbox ([`ledger`]) and every gap that was made ([`gaps`]). That it can fail is tested with
//! planted lies ([`treason`]).
//!
//! kill -9 means: the part is dropped, and starts again on a copy of its files as they were at that
//! moment. What a kill in the middle of one call leaves is the subject of `tests/log_faults.rs`,
//! and of real processes.

mod acts;
mod check;
pub mod dice;
pub mod disk;
mod drain;
pub mod gaps;
pub mod gateway;
pub mod ground;
pub mod kind;
pub mod ledger;
pub mod network;
pub mod operator;
pub mod real;
mod strike;
pub mod time;
pub mod trace;
pub mod treason;
pub mod world;
pub mod wound;

use anyhow::Result;
use schemas::hash::Hash;

use ground::Ground;
use kind::Kind;
use treason::Treason;
use world::World;

/// How a run ended.
#[derive(Debug)]
pub struct Told {
    /// Its seed.
    pub seed: u64,
    /// SHA-256 of its trace; the same for the same seed.
    pub digest: Hash,
    /// Steps, commits and faults of it.
    pub lines: usize,
    /// Statements that were stored.
    pub statements: usize,
    /// Readings and scans that outboxes have accepted.
    pub accepted: u64,
    /// Faults that it could meet, by name.
    pub faults: Vec<String>,
    /// What was wrong; empty is well.
    pub problems: Vec<String>,
    /// The end of its trace.
    pub tail: Vec<String>,
}

/// One run.
///
/// # Errors
/// Where it could not begin; what goes wrong later is a problem of the run.
pub async fn run(ground: &Ground, seed: u64, kind: Kind, treason: Treason) -> Result<Told> {
    let mut world = World::begin(ground, seed, kind, treason).await?;
    let problems = match live(&mut world).await {
        Ok(problems) => problems,
        Err(error) => vec![format!("{error:#}")],
    };
    Ok(world.told(seed, problems))
}

async fn live(world: &mut World<'_>) -> Result<Vec<String>> {
    world.play().await?;
    world.drain().await?;
    world.verdict().await
}

#[cfg(test)]
mod tests;
