//! The sliding window: newest sent - oldest unacknowledged < limit, so that a packet id is never
//! taken while its last use is still open.

use std::collections::VecDeque;

/// What is between this device and the broker, in sending order.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    slots: VecDeque<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Given when the packet leaves.
    packet: Option<u16>,
    acknowledged: bool,
}

impl Window {
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), slots: VecDeque::new() }
    }

    /// The broker takes fewer.
    pub fn narrow(&mut self, limit: usize) {
        self.limit = self.limit.min(limit.max(1));
    }

    /// How many may be queued now.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.slots.len())
    }

    /// A message was handed to the client.
    pub fn queued(&mut self) {
        self.slots.push_back(Slot::default());
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
        }
        while self.slots.front().is_some_and(|slot| slot.acknowledged) {
            self.slots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_oldest_holds_the_window() {
        let mut window = Window::new(3);
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
    fn a_broker_may_narrow_it() {
        let mut window = Window::new(30);
        window.narrow(2);
        assert_eq!(window.room(), 2);
        window.narrow(0);
        assert_eq!(window.room(), 1);
    }
}
