//! The life of loans: accepted offers become loans, loans are drawn, run, repaid and closed.
//!
//! The rules are those of the pure core, [`crate::loan::life`]; here are the order of things, what is
//! kept of them, and what is asked of others ([`ports`]).

pub mod ports;
