//! What ingest does with what it should not get (`statement.md` section 5).

mod chain;
mod configuration;
mod events;
mod messages;
mod retired;
