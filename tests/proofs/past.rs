//! Logs with a past on paper, as the tests of `schemas` make them.

#![allow(
    dead_code,
    reason = "these tests draw their own pasts and leave some of it unused"
)]

#[path = "../../schemas/tests/past/bundle.rs"]
pub mod bundle;
#[path = "../../schemas/tests/past/log.rs"]
pub mod log;
