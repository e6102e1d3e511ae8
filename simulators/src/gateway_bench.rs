//! One gateway, measured from outside: the `edge-agent` of the package, as a process of its own, at a
//! platform that is a process too, over TLS, on PostgreSQL and Mosquitto from Debian.
//!
//! It reads a Modbus TCP device, a sysfs tree and a file of lines. What is measured stands at
//! [`Measured`]; everything that was said is at the platform once when it ends, or it is an error.
//!
//! The agent is the build of profile `edge`, or the command in [`AGENT_COMMAND`].

mod backlog;
mod ground;
mod outbox;
mod program;
mod report;
pub mod session;
mod sink;
mod starts;
mod steady;

use anyhow::Result;

pub use crate::processes::process::AGENT_COMMAND;
use crate::progress::Progress;
use ground::Ground;
use program::Program;
pub use report::Measured;

/// Starts, of which the median counts.
const STARTS: usize = 5;

/// Measures.
///
/// # Errors
/// When a part cannot start, or anything is lost, refused or stored twice.
pub async fn measure(progress: &mut Progress) -> Result<Measured> {
    progress.done("building the gateway's program and its package");
    let program = Program::built().await?;
    let sizes = program.sizes().await?;
    progress.done("starting platform, database, broker, devices");
    let mut ground = Ground::open(program).await?;
    progress.done("starts");
    let starts = starts::measure(&mut ground, STARTS).await?;
    progress.done("100 events a second");
    let steady = steady::measure(&mut ground).await?;
    progress.done("catching up with the platform");
    let caught_up = backlog::to_platform(&mut ground, progress).await?;
    progress.done("catching up to a broker alone");
    let to_broker = sink::measure(&mut ground).await?;
    progress.done("checking that everything is there once");
    let events = ground.check().await?;
    Ok(Measured::new(
        sizes, starts, steady, caught_up, to_broker, events,
    ))
}
