//! EPCIS 2.0 events as JSON: rules, facts and the CBV event hash. No I/O.
//!
//! Two layers that must not be mixed up:
//! - [`rule`] is rule set 1 of `schemas/docs/statement.md` section 5. Ingest and every reader of a
//!   proof bundle repeat it, so it may never change under the same number.
//! - [`validate`] is everything else that EPCIS 2.0 and CBV 2.0 ask of an event, the code `epcis`
//!   of that section. Only ingest applies it, so it may grow stricter or looser with time.
//!
//! [`mod@unit`] has the units that sensor reports use, with their conversion.
//!
//! [`EventFacts`] is what the platform stores as derived columns: the bytes that were signed stay
//! the truth. Everything works on a parsed [`serde_json::Value`]; that no name occurs twice is
//! `schemas::event`'s to refuse before.

mod event_hash;
mod facts;
mod path;
pub mod rule;
mod semantics;
mod sensor;
mod shape;
pub mod unit;
mod validate;
mod violation;
mod vocabulary;

pub use event_hash::{cbv_hash, cbv_hash_ignoring, hash_cost_us, pre_hash};
pub use facts::{Action, EventFacts, EventType, Item, Quantity, Role, items};
pub use sensor::{Reading, readings};
pub use validate::{MAX_VIOLATIONS, first_violation, validate};
pub use violation::{Problem, Violation};

#[cfg(test)]
mod tests;
