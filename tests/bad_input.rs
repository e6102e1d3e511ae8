//! What ingest does with what it should not get (`statement.md` section 5).

mod events;
