//! EPCIS 2.0 events as JSON: rules, reading and the CBV event hash. No I/O.
//!
//! Two layers that must not be mixed up:
//! - [`rule`] is rule set 1 of `schemas/docs/statement.md` section 5. Ingest and every reader of a
//!   proof bundle repeat it, so it may never change under the same number.

pub mod rule;
