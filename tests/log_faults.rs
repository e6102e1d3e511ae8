//! The log under faults: every call of the database and of the file system that the notary makes
//! fails in turn, before it has done anything or after it has done all of it (its answer lost), or
//! the process is killed there, or the power fails. Then the log is started again on what is left.
//!
//! What must hold each time: every checkpoint that ever left the process, to a witness, to the
//! database or to readers, is of the one log that is there in the end; no checkpoint was ever
//! published before its tiles were on the disk to stay; `platform log fsck` finds nothing.

pub mod disk;
mod faulty;
pub mod ground;
mod memory;
pub mod plan;
pub mod recorder;

use disk::Left;
use ground::{Engine, Ground};
use plan::{Calls, Fault};

/// Faults that one ground lives through; its log grows with each.
const CELLS: u64 = 12;

/// Every call in turn, `step` apart, until the story needs no more calls.
async fn every_call(engine: Engine, calls: Calls, fault: Fault, left: Left, step: usize) {
    if engine.is_missing() {
        return;
    }
    let mut ground = Ground::new(engine).await;
    let mut met = 0_u64;
    for at in (0..).step_by(step) {
        if at > 0 && ((at / step) as u64).is_multiple_of(CELLS) {
            ground = Ground::new(engine).await;
        }
        let Some(call) = ground.cell(calls, at as u64, fault, left).await else {
            break;
        };
        println!("call {at} ({call}): {fault:?}, {left:?}");
        met += 1;
    }
    // A story that needs fewer calls than this is not the one that is meant here.
    let least = if step == 1 { 25 } else { 4 };
    assert!(met >= least, "only {met} calls");
}

macro_rules! matrix {
    ($($name:ident: $engine:ident $calls:ident $fault:ident $left:ident $step:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            every_call(Engine::$engine, Calls::$calls, Fault::$fault, Left::$left, $step).await;
        }
    )*};
}

#[tokio::test(flavor = "multi_thread")]
async fn round_ends_while_statements_keep_coming() {
    Ground::new(Engine::Sqlite).await.turn_under_load().await;
}

matrix! {
    database_call_fails: Sqlite Store Before Everything 1;
    database_call_fails_after_it_was_committed: Sqlite Store After Everything 1;
    killed_before_a_database_call: Sqlite Store KillBefore Everything 1;
    killed_after_a_database_call: Sqlite Store KillAfter Everything 1;
    file_call_fails: Sqlite Files Before Everything 1;
    file_call_fails_after_it_was_done: Sqlite Files After Everything 1;
    killed_in_a_file_call: Sqlite Files KillBefore Everything 1;
    killed_after_a_file_call: Sqlite Files KillAfter Everything 1;
    power_fails_in_a_file_call: Sqlite Files KillBefore Synced 1;
    power_fails_after_a_file_call: Sqlite Files KillAfter Synced 1;
    postgresql_call_fails_after_it_was_committed: Postgres Store After Everything 6;
    killed_after_a_postgresql_call: Postgres Store KillAfter Everything 7;
}
