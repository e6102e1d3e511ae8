//! Integration tests of the whole: one binary, so that the workspace links once.
#![expect(
    clippy::unwrap_used,
    reason = "every function here serves tests; clippy only excuses those that are tests themselves"
)]

mod access_table;
mod archive;
mod attacks;
mod backup;
mod bad_input;
mod brokers;
mod browser;
mod captures;
mod catch_up;
mod consents;
mod contract;
mod erasure;
mod flows;
mod forge;
mod fsck;
mod handed;
mod kill;
mod lease_fence;
mod lending;
mod limits_race;
mod load;
mod log_faults;
mod models;
mod monitor;
mod old_backup;
mod operation;
mod people;
mod pledge_race;
mod pledge_watch;
mod proofs;
mod reports;
mod scale_out;
mod score_replay;
mod search;
mod succession;
mod sumdb;
mod threats;
mod trials;
mod upgrade;
mod witnesses;
mod world;
