//! Rows as both engines give them, and what they are. Statements of SQL are each engine's own.

use kit::postgres::Timestamp;
use schemas::hash::Hash;
use schemas::registry::Head;
use schemas::statement::Position;
use sqlx::FromRow;

use super::chains::{ChainHead, LoggedLink};
use super::convert::{address, hash, salt, slug, source, unsigned};
use super::{
    ChainEvent, ChainLink, Enrolment, KeptBatch, KeptCheckpoint, KeptEvent, KeptRecord, MadeBatch,
    Queued, Stored,
};

/// Place of a chain.
pub(super) fn position(epoch: i64, seq: i64) -> Stored<Position> {
    Ok(Position {
        epoch: unsigned(epoch)?,
        seq: unsigned(seq)?,
    })
}

#[derive(FromRow)]
pub(super) struct ChainHeadRow {
    device: String,
    epoch: i64,
    seq: i64,
    id: Vec<u8>,
    heard: Option<Timestamp>,
    silent: bool,
    ended: bool,
}

impl ChainHeadRow {
    pub(super) fn head(self) -> Stored<ChainHead> {
        Ok(ChainHead {
            device: address(&self.device)?,
            position: position(self.epoch, self.seq)?,
            id: hash(&self.id)?,
            heard: self.heard.map(|at| at.0),
            silent: self.silent,
            ended: self.ended,
        })
    }
}

#[derive(FromRow)]
pub(super) struct LinkRow {
    epoch: i64,
    seq: i64,
    id: Vec<u8>,
    prev: Vec<u8>,
    received: Timestamp,
    bytes: Vec<u8>,
}

impl LinkRow {
    pub(super) fn link(self) -> Stored<ChainLink> {
        Ok(ChainLink {
            position: position(self.epoch, self.seq)?,
            id: hash(&self.id)?,
            prev: hash(&self.prev)?,
            received: self.received.0,
            bytes: self.bytes,
        })
    }
}

#[derive(FromRow)]
pub(super) struct LoggedRow {
    log_index: i64,
    device: String,
    #[sqlx(flatten)]
    link: LinkRow,
}

impl LoggedRow {
    pub(super) fn logged(self) -> Stored<LoggedLink> {
        Ok(LoggedLink {
            log_index: unsigned(self.log_index)?,
            device: address(&self.device)?,
            link: self.link.link()?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct ChainEventRow {
    device: String,
    kind: String,
    epoch: i64,
    from_seq: i64,
    to_seq: i64,
    at: Timestamp,
    detail: String,
}

impl ChainEventRow {
    pub(super) fn event(self) -> Stored<ChainEvent> {
        Ok(ChainEvent {
            device: address(&self.device)?,
            kind: self.kind,
            epoch: unsigned(self.epoch)?,
            from_seq: unsigned(self.from_seq)?,
            to_seq: unsigned(self.to_seq)?,
            at: self.at.0,
            detail: self.detail,
        })
    }
}

#[derive(FromRow)]
pub(super) struct QueuedRow {
    registry_version: i64,
    received: Timestamp,
    statement: Vec<u8>,
    accepted: i64,
    refused: i64,
}

impl QueuedRow {
    pub(super) fn queued(self) -> Stored<Queued> {
        Ok(Queued {
            id: hash(&self.statement)?,
            received: self.received.0,
            registry_version: unsigned(self.registry_version)?,
            accepted: unsigned(self.accepted)?,
            refused: unsigned(self.refused)?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct MadeRow {
    shard: i64,
    seq: i64,
    registry_version: i64,
    header: Vec<u8>,
    refused: Option<Vec<u8>>,
}

impl MadeRow {
    /// Without its statements.
    pub(super) fn made(self) -> Stored<MadeBatch> {
        Ok(MadeBatch {
            shard: unsigned(self.shard)?,
            seq: unsigned(self.seq)?,
            registry_version: unsigned(self.registry_version)?,
            header: self.header,
            refused: self.refused,
            statements: Vec::new(),
        })
    }
}

#[derive(FromRow)]
pub(super) struct BatchRow {
    pub(super) shard: i64,
    pub(super) seq: i64,
    log_index: i64,
    refused: Option<Vec<u8>>,
    header: Vec<u8>,
}

impl BatchRow {
    pub(super) fn kept(self, statements: &[(Vec<u8>,)]) -> Stored<KeptBatch> {
        let statements = statements.iter().map(|(id,)| hash(id));
        Ok(KeptBatch {
            shard: unsigned(self.shard)?,
            seq: unsigned(self.seq)?,
            log_index: unsigned(self.log_index)?,
            header: self.header,
            refused: self.refused,
            statements: statements.collect::<Stored<Vec<Hash>>>()?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct CheckpointRow {
    size: i64,
    note: Vec<u8>,
    anchored: Timestamp,
}

impl CheckpointRow {
    pub(super) fn kept(self) -> Stored<KeptCheckpoint> {
        Ok(KeptCheckpoint {
            size: unsigned(self.size)?,
            note: self.note,
            anchored: self.anchored.0,
        })
    }
}

#[derive(FromRow)]
pub(super) struct LeafRow {
    position: i64,
    leaf: Vec<u8>,
    source: i64,
    refused: Option<String>,
    bytes: Option<Vec<u8>>,
    salt: Option<Vec<u8>>,
}

impl LeafRow {
    pub(super) fn kept(self) -> Stored<KeptEvent> {
        let content = match (self.bytes, self.salt) {
            (Some(bytes), Some(kept)) => Some((bytes, salt(&kept)?)),
            _ => None,
        };
        Ok(KeptEvent {
            position: unsigned(self.position)?,
            leaf: hash(&self.leaf)?,
            source: source(self.source)?,
            refused: self.refused,
            content,
        })
    }
}

#[derive(FromRow)]
pub(super) struct RecordRow {
    kid: Vec<u8>,
    version: i64,
    organisation: String,
    device: String,
    role: i64,
    bytes: Vec<u8>,
    salt: Vec<u8>,
    hash: Vec<u8>,
    head: i64,
}

impl RecordRow {
    pub(super) fn kept(self) -> Stored<KeptRecord> {
        Ok(KeptRecord {
            kid: hash(&self.kid)?,
            version: unsigned(self.version)?,
            organisation: slug(&self.organisation)?,
            device: self.device,
            role: unsigned(self.role)?,
            bytes: self.bytes,
            salt: salt(&self.salt)?,
            hash: hash(&self.hash)?,
            head: unsigned(self.head)?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct HeadRow {
    version: i64,
    count: i64,
    root: Vec<u8>,
}

impl HeadRow {
    pub(super) fn head(self) -> Stored<Head> {
        Ok(Head {
            version: unsigned(self.version)?,
            count: unsigned(self.count)?,
            root: hash(&self.root)?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct EnrolmentRow {
    claim: String,
    request: Vec<u8>,
    draft: Option<Vec<u8>>,
    mac: Option<String>,
    consent: Option<Vec<u8>>,
}

impl EnrolmentRow {
    pub(super) fn enrolment(self) -> Enrolment {
        Enrolment {
            claim: self.claim,
            request: self.request,
            draft: self.draft,
            mac: self.mac,
            consent: self.consent,
        }
    }
}
