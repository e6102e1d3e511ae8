//! Two windows of one connection, as plain data: deliveries that wait for our acknowledgement, and
//! publications that wait for the broker's.

use std::collections::VecDeque;

use rumqttc::v5::mqttbytes::v5::Publish;

use super::Publication;

/// Publications without a PUBACK at once, at most. The broker may want fewer.
pub(super) const LIMIT: u16 = 64;

/// Names a delivery for its acknowledgement: which connection it came over, and as which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AckTag {
    pub(super) epoch: u64,
    pub(super) index: u64,
}

/// Deliveries of one connection in order of receipt, from the first unacknowledged one.
#[derive(Debug)]
pub(super) struct Deliveries {
    epoch: u64,
    /// Index of the first in `open`.
    first: u64,
    /// Each packet (its payload emptied) and whether it may be acknowledged.
    open: VecDeque<(Publish, bool)>,
}

impl Deliveries {
    pub(super) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            first: 0,
            open: VecDeque::new(),
        }
    }

    /// Notes a delivery and names it.
    pub(super) fn add(&mut self, packet: Publish) -> AckTag {
        let index = self.first + self.open.len() as u64;
        self.open.push_back((packet, false));
        AckTag {
            epoch: self.epoch,
            index,
        }
    }

    /// Notes an acknowledgement; one of another connection, or a second one, changes nothing.
    pub(super) fn acknowledge(&mut self, tag: AckTag) {
        let place = tag
            .index
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok());
        let open = place
            .filter(|_| tag.epoch == self.epoch)
            .and_then(|at| self.open.get_mut(at));
        if let Some((_, done)) = open {
            *done = true;
        }
    }

    /// The next packet to acknowledge, in order of receipt.
    pub(super) fn next_done(&mut self) -> Option<Publish> {
        if self.open.front().is_none_or(|(_, done)| !done) {
            return None;
        }
        self.first += 1;
        self.open.pop_front().map(|(packet, _)| packet)
    }
}

/// Publications that the broker has not acknowledged, in the order in which they are sent. They
/// move on to the next connection.
#[derive(Debug, Default)]
pub(super) struct Publications {
    /// With the packet id once rumqttc has told it, and whether acknowledged.
    open: VecDeque<Sent>,
    /// How many of `open` are given to rumqttc on this connection.
    given: usize,
    /// How many of `open` have a packet id: rumqttc tells them in the order in which it was given.
    named: usize,
}

#[derive(Debug)]
struct Sent {
    publication: Publication,
    packet: u16,
    done: bool,
}

impl Publications {
    /// Forgets what belonged to a connection: all must be sent again.
    pub(super) fn reset(&mut self) {
        self.open.retain(|sent| !sent.done);
        (self.given, self.named) = (0, 0);
    }

    /// How many are unacknowledged; while one at the front is, those behind it count, too: packet
    /// ids go round, and rumqttc stalls when it meets one that is still in use.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Takes one more.
    pub(super) fn add(&mut self, publication: Publication) {
        self.open.push_back(Sent {
            publication,
            packet: 0,
            done: false,
        });
    }

    /// The next to give to rumqttc.
    pub(super) fn next_to_give(&self) -> Option<&Publication> {
        self.open.get(self.given).map(|sent| &sent.publication)
    }

    /// The one from [`Self::next_to_give`] was given.
    pub(super) fn gave(&mut self) {
        self.given += 1;
    }

    /// rumqttc has sent the next one with this packet id.
    pub(super) fn sent(&mut self, packet: u16) {
        if let Some(sent) = self.open.get_mut(self.named) {
            sent.packet = packet;
            self.named += 1;
        }
    }

    /// The broker has acknowledged a packet id.
    pub(super) fn acknowledged(&mut self, packet: u16) {
        let mut named = self.open.iter_mut().take(self.named);
        if let Some(sent) = named.find(|sent| sent.packet == packet && !sent.done) {
            sent.done = true;
        }
        while self.open.front().is_some_and(|sent| sent.done) {
            self.open.pop_front();
            self.given -= 1;
            self.named -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::mqttbytes::QoS;

    use super::*;

    fn packet(id: u16) -> Publish {
        let mut packet = Publish::new("t", QoS::AtLeastOnce, "", None);
        packet.pkid = id;
        packet
    }

    #[test]
    fn acknowledgements_leave_in_order_of_receipt() {
        let mut window = Deliveries::new(1);
        let tags: Vec<_> = (1..=3).map(|id| window.add(packet(id))).collect();
        window.acknowledge(tags[2]);
        window.acknowledge(tags[1]);
        assert!(window.next_done().is_none());
        window.acknowledge(tags[0]);
        window.acknowledge(tags[0]);
        let ids = std::iter::from_fn(|| window.next_done()).map(|packet| packet.pkid);
        assert_eq!(ids.collect::<Vec<_>>(), [1, 2, 3]);
        window.acknowledge(tags[0]);
        assert!(window.next_done().is_none());
    }

    #[test]
    fn a_tag_of_another_connection_acknowledges_nothing() {
        let (mut old, mut new) = (Deliveries::new(1), Deliveries::new(2));
        let stale = old.add(packet(1));
        new.add(packet(1));
        new.acknowledge(stale);
        assert!(new.next_done().is_none());
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again() {
        let mut window = Publications::default();
        for topic in ["a", "b", "c"] {
            let payload = axum::body::Bytes::new();
            window.add(Publication {
                topic: topic.into(),
                payload,
            });
            window.gave();
        }
        window.sent(5);
        window.sent(6);
        window.acknowledged(6);
        window.acknowledged(7);
        assert_eq!(window.len(), 3, "the first holds its place");
        window.reset();
        assert_eq!(window.next_to_give().unwrap().topic, "a");
        window.gave();
        window.sent(1);
        window.acknowledged(1);
        assert_eq!(window.next_to_give().unwrap().topic, "c");
    }
}
