//! Integration tests of the whole: one binary, so that the workspace links once.
#![expect(
    clippy::unwrap_used,
    reason = "every function here serves tests; clippy only excuses those that are tests themselves"
)]

mod attacks;
mod bad_input;
mod browser;
mod captures;
mod contract;
mod erasure;
mod flows;
mod forge;
mod fsck;
mod kill;
mod lease_fence;
mod log_faults;
mod monitor;
mod old_backup;
mod proofs;
mod reports;
mod scale_out;
mod search;
mod succession;
mod sumdb;
mod threats;
mod witnesses;
mod world;
