//! The sliding window: newest sent - oldest unacknowledged < limit, so that a packet id is never
//! taken while its last use is still open.
//!
//! Each connection starts slowly: the window opens by one with every acknowledgement. A line that
//! breaks again and again under a full window still moves something in each of its lives.

use std::collections::VecDeque;

/// What is between this device and the broker, in sending order.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    /// How far it is open by now, at most `limit`.
    open: usize,
    slots: VecDeque<Slot>,
}

/// How far a window is open on a new connection.
const OPEN_AT_FIRST: usize = 2;

#[derive(Debug, Default)]
struct Slot {
    /// Given when the packet leaves.
    packet: Option<u16>,
    acknowledged: bool,
}

impl Window {
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            open: OPEN_AT_FIRST,
            slots: VecDeque::new(),
        }
    }

    /// The broker takes fewer.
    pub fn narrow(&mut self, limit: usize) {
        self.limit = self.limit.min(limit.max(1));
    }

    /// How many may be queued now.
    pub fn room(&self) -> usize {
        self.limit.min(self.open).saturating_sub(self.slots.len())
    }

    /// A message was handed to the client.
    pub fn queued(&mut self) {
        self.slots.push_back(Slot::default());
    }

    /// One of the queued messages will not leave. Which one is all the same: they have no packet
    /// ids yet and leave in their order.
    pub fn withdrawn(&mut self) {
        if let Some(place) = self.slots.iter().rposition(|slot| slot.packet.is_none()) {
            self.slots.remove(place);
        }
    }

    /// The oldest queued message has left under this packet id: the client keeps their order.
    pub fn left(&mut self, packet: u16) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.packet.is_none()) {
            slot.packet = Some(packet);
        }
    }

    /// The broker has the packet.
    pub fn acknowledged(&mut self, packet: u16) {
        let open = |slot: &&mut Slot| slot.packet == Some(packet) && !slot.acknowledged;
        if let Some(slot) = self.slots.iter_mut().find(open) {
            slot.acknowledged = true;
            self.open = self
                .open
                .saturating_add(1)
                .min(self.limit.max(OPEN_AT_FIRST));
        }
        while self.slots.front().is_some_and(|slot| slot.acknowledged) {
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of `limit` that is fully open.
    fn opened(limit: usize) -> Window {
        Window {
            open: limit,
            ..Window::new(limit)
        }
    }

    #[test]
    fn an_open_oldest_holds_the_window() {
        let mut window = opened(3);
        for packet in 1..=3 {
            window.queued();
            window.left(packet);
        }
        assert_eq!(window.room(), 0);
        window.acknowledged(2);
        window.acknowledged(3);
        assert_eq!(window.room(), 0, "packet 1 is open");
        window.acknowledged(1);
        assert_eq!(window.room(), 3);
        window.acknowledged(1);
        assert_eq!(window.room(), 3, "a second acknowledgement changes nothing");
    }

    #[test]
    fn it_opens_with_acknowledgements_up_to_its_limit() {
        let mut window = Window::new(4);
        assert_eq!(window.room(), OPEN_AT_FIRST);
        for packet in 1..=10 {
            window.queued();
            window.left(packet);
            window.acknowledged(packet);
        }
        assert_eq!(window.room(), 4);
    }

    #[test]
    fn what_is_not_sent_after_all_leaves_its_place() {
        let mut window = opened(3);
        window.queued();
        window.queued();
        window.left(1);
        window.withdrawn();
        assert_eq!(window.room(), 2);
        window.withdrawn();
        assert_eq!(
            window.room(),
            2,
            "what has left stays until it is acknowledged"
        );
        window.acknowledged(1);
        assert_eq!(window.room(), 3);
    }

    #[test]
    fn a_broker_may_narrow_it() {
        let mut window = opened(30);
        window.narrow(2);
        assert_eq!(window.room(), 2);
        window.narrow(0);
        assert_eq!(window.room(), 1);
    }
}
