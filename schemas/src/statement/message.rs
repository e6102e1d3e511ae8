//! A statement and its events on the wire (`statement.md` section 4).

use super::{EVENTS_MAX, MESSAGE_MAX, STATEMENT_MAX, Statement, StatementError};
use crate::cbor::{CborError, Reader, Writer};
use crate::event::{EVENT_MAX, Event, EventError, Salt, Source};
use crate::hash::Hash;
use crate::merkle;

/// One event on its way: source, salt, exact bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireEvent {
    /// What the device claims of its origin.
    pub source: Source,
    /// Never leaves device and platform.
    pub salt: Salt,
    /// The event.
    pub event: Event,
}

impl WireEvent {
    /// The event's identity.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        self.event.leaf(self.source, &self.salt)
    }
}

/// One MQTT message: a statement and its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Signed.
    pub statement: Statement,
    /// As many as the statement's `count`.
    pub events: Vec<WireEvent>,
}

/// A message that is refused whole.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MessageError {
    /// Longer than [`MESSAGE_MAX`].
    #[error("a message of {0} bytes, at most 262144 are allowed")]
    TooLarge(usize),
    /// Not the form of section 4.
    #[error("not the form of a message")]
    Form(#[from] CborError),
    /// Its statement is none.
    #[error("its statement is refused")]
    Statement(#[from] StatementError),
    /// An event breaks section 2.1.
    #[error("event {index} is refused")]
    Event {
        /// Place in the statement.
        index: usize,
        /// Why.
        source: EventError,
    },
    /// Leaves and root do not fit.
    #[error("the events do not lead to the statement's root")]
    Root,
}

impl MessageError {
    /// Reason code of `statement.md` section 5.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too-large",
            Self::Form(_) | Self::Statement(_) => "malformed",
            Self::Event { .. } => "event-form",
            Self::Root => "root-mismatch",
        }
    }
}

impl Message {
    /// Wire form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let events: Vec<_> = self
            .events
            .iter()
            .map(|e| (e.source, e.salt, e.event.bytes()))
            .collect();
        encode_message(self.statement.bytes(), &events)
    }

    /// Reads a message: form, events, number of events; the root by [`Message::check_root`].
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MESSAGE_MAX {
            return Err(MessageError::TooLarge(bytes.len()));
        }
        let mut r = Reader::new(bytes);
        r.array_of("message", 2)?;
        let statement = Statement::parse(r.bytes("statement", STATEMENT_MAX)?.to_vec())?;
        let count = r.array("events", EVENTS_MAX)?;
        if count as u64 != statement.payload.count {
            return Err(CborError::Limit("events").into());
        }
        let mut raw = Vec::with_capacity(count);
        for _ in 0..count {
            r.array_of("event", 3)?;
            let source =
                Source::from_number(r.uint("source")?).ok_or(CborError::Limit("source"))?;
            raw.push((source, Salt(r.fixed("salt")?), r.bytes("event", EVENT_MAX)?));
        }
        r.end()?;
        let parse = |(index, (source, salt, bytes)): (usize, (Source, Salt, &[u8]))| {
            Event::parse(bytes.to_vec())
                .map(|event| WireEvent {
                    source,
                    salt,
                    event,
                })
                .map_err(|source| MessageError::Event { index, source })
        };
        let events = raw
            .into_iter()
            .enumerate()
            .map(parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { statement, events })
    }

    /// Recomputes leaves and root; the leaves in order.
    ///
    /// # Errors
    /// [`MessageError::Root`].
    pub fn check_root(&self) -> Result<Vec<Hash>, MessageError> {
        let leaves: Vec<Hash> = self.events.iter().map(WireEvent::leaf).collect();
        let root = merkle::root(&leaves).unwrap_or(Hash::ZERO);
        if root == self.statement.payload.root {
            Ok(leaves)
        } else {
            Err(MessageError::Root)
        }
    }
}

/// Wire form from stored parts.
#[must_use]
pub fn encode_message(statement: &[u8], events: &[(Source, Salt, &[u8])]) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(2).bytes(statement).array(events.len());
    for (source, salt, bytes) in events {
        w.array(3)
            .uint(u64::from(source.number()))
            .bytes(&salt.0)
            .bytes(bytes);
    }
    w.finish()
}
