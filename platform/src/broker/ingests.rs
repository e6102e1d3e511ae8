//! Which ingest gets a capture message: we choose, and address the message to it.
//!
//! rmqtt would choose by shared subscription, but then asks for every message whether a subscriber
//! is connected, and holds a lock of its session table across that question: a reconnecting
//! subscriber and a stream of messages deadlock it within seconds (rmqtt 0.24,
//! `LockEntry::is_connected`). Addressed messages never go that way.

use std::collections::BTreeMap;

use rmqtt::types::{ClientId, Id};

/// The ingests that have subscribed and whose session lives. All are one group, however they have
/// subscribed: each message goes to one of them.
#[derive(Default)]
pub(super) struct Ingests {
    sessions: BTreeMap<String, Session>,
    turn: usize,
}

struct Session {
    /// Tells this connection from an earlier one of the same client id, whose end may be
    /// reported after this one's beginning.
    id: Id,
    connected: bool,
}

impl Ingests {
    /// An ingest has subscribed.
    pub(super) fn subscribed(&mut self, id: &Id) {
        let session = Session {
            id: id.clone(),
            connected: true,
        };
        self.sessions.insert(id.client_id.to_string(), session);
    }

    /// An ingest has connected; it may have subscribed before.
    pub(super) fn connected(&mut self, id: &Id) {
        if self.sessions.contains_key(&*id.client_id) {
            self.subscribed(id);
        }
    }

    /// A connection has ended; its session lives on.
    pub(super) fn disconnected(&mut self, id: &Id) {
        if let Some(session) = self.sessions.get_mut(&*id.client_id)
            && session.id == *id
        {
            session.connected = false;
        }
    }

    /// A session has ended.
    pub(super) fn ended(&mut self, id: &Id) {
        if self
            .sessions
            .get(&*id.client_id)
            .is_some_and(|session| session.id == *id)
        {
            self.sessions.remove(&*id.client_id);
        }
    }

    /// Is there nobody?
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whose turn it is: one after the other among those connected, else the first.
    pub(super) fn next(&mut self) -> Option<ClientId> {
        self.turn = self.turn.wrapping_add(1);
        let online = || self.sessions.values().filter(|session| session.connected);
        let turn = self.turn.checked_rem(online().count()).unwrap_or_default();
        let chosen = online().nth(turn).or_else(|| self.sessions.values().next());
        chosen.map(|session| session.id.client_id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(client: &'static str) -> Id {
        Id::new(1, 1, None, None, client.into(), None)
    }

    #[test]
    fn turns_go_round_among_the_connected() {
        let mut ingests = Ingests::default();
        assert!(ingests.next().is_none());
        let (a, b) = (id("a"), id("b"));
        ingests.subscribed(&a);
        ingests.subscribed(&b);
        let (first, second) = (ingests.next().unwrap(), ingests.next().unwrap());
        assert_ne!(first, second);
        ingests.disconnected(&a);
        assert!((0..3).all(|_| ingests.next().unwrap() == "b"));
        ingests.disconnected(&b);
        assert!(
            ingests.next().is_some(),
            "a session that is away still queues"
        );
        ingests.ended(&a);
        ingests.ended(&b);
        assert!(ingests.is_empty());
    }

    #[test]
    fn one_that_never_subscribed_gets_nothing() {
        let mut ingests = Ingests::default();
        ingests.connected(&id("a"));
        assert!(ingests.next().is_none());
    }
}
