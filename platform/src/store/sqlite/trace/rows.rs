//! Rows as SQLite gives them, and what they are.

use schemas::statement::Statement;
use sqlx::FromRow;

use super::super::{address, hash, instant, place, source, unsigned};
use crate::store::convert::{narrow, slug};
use crate::store::shape::position;
use crate::store::{Anchor, KeptStatement, StoreError, Stored, StoredEvent};

#[derive(FromRow)]
pub(super) struct StatementRow {
    device: String,
    epoch: i64,
    seq: i64,
    id: Vec<u8>,
    kid: Vec<u8>,
    bytes: Vec<u8>,
    received: String,
    registry_version: i64,
    log_index: Option<i64>,
    shard: Option<i64>,
    batch_seq: Option<i64>,
    position: Option<i64>,
}

impl StatementRow {
    pub(super) fn kept(self) -> Stored<KeptStatement> {
        Ok(KeptStatement {
            id: hash(&self.id)?,
            device: address(&self.device)?,
            position: position(self.epoch, self.seq)?,
            kid: hash(&self.kid)?,
            bytes: self.bytes,
            received: instant(&self.received)?,
            registry_version: unsigned(self.registry_version)?,
            batch: place(self.log_index, self.shard, self.batch_seq, self.position)?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct EventRow {
    leaf: Vec<u8>,
    pub(super) statement: Vec<u8>,
    pub(super) position: i64,
    source: i64,
    refused: Option<String>,
    bytes: Vec<u8>,
    signed: Vec<u8>,
    received: String,
    log_index: Option<i64>,
    shard: Option<i64>,
    batch_seq: Option<i64>,
    batch_position: Option<i64>,
    checkpoint_size: Option<i64>,
    anchored: Option<String>,
    captured_for: Option<String>,
}

impl EventRow {
    pub(super) fn stored(self) -> Stored<StoredEvent> {
        let statement =
            Statement::parse(self.signed).map_err(|_| StoreError::Corrupt("statement"))?;
        let place = place(
            self.log_index,
            self.shard,
            self.batch_seq,
            self.batch_position,
        )?;
        let anchored = self.anchored.as_deref().map(instant).transpose()?;
        let checkpoint_size = self.checkpoint_size.map(unsigned).transpose()?;
        let anchor = match place {
            None => None,
            Some(place) => Some(Anchor {
                log_index: place.log_index,
                shard: narrow(place.shard)?,
                batch_seq: place.seq,
                batch_index: narrow(place.position)?,
                anchored,
                checkpoint_size,
            }),
        };
        Ok(StoredEvent {
            leaf: hash(&self.leaf)?,
            statement: hash(&self.statement)?,
            index: narrow(unsigned(self.position)?)?,
            source: source(self.source)?,
            bytes: self.bytes,
            device: statement.payload.device.clone(),
            captured_for: self.captured_for.as_deref().map(slug).transpose()?,
            kid: statement.kid,
            made: statement.payload.made,
            clock: statement.payload.clock as u64,
            received: instant(&self.received)?,
            refused: self.refused,
            anchor,
        })
    }
}
