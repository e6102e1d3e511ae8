//! Broker and network, played: MQTT's at-least-once over connections that break.
//!
//! A connection is two directions, each in order, as TCP has them: a dead or slow direction holds
//! what is in it, a cut loses it. The broker has a persistent session for each client: what it has
//! not seen acknowledged it sends again on the next connection, in its order; it has taken a
//! publication when it says so, and may forget all the same when it is killed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use schemas::time::Instant;

use super::dice::Dice;

/// The platform is client 0, agents follow.
pub type Client = usize;
/// The platform.
pub const PLATFORM: Client = 0;
/// Unacknowledged messages that the broker sends to the platform at once.
const PLATFORM_RECEIVES: usize = 24;
/// The same to an agent.
const AGENT_RECEIVES: usize = 8;

/// How long a packet takes on a long way.
const FAR: Duration = Duration::from_secs(2);
/// One of so many is lost on it.
const LOST_OF: u64 = 50;
/// After which TCP sends it again.
const SENT_AGAIN: Duration = Duration::from_secs(3);

/// A message and for whom it is; between clones of an agent the session is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whose session it is kept for.
    pub session: usize,
    /// Number of the device that it is from or for.
    pub device: usize,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// What travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// A message under a packet id.
    Publish(u16, Message),
    /// The other side has it.
    Ack(u16),
}

/// One connection.
#[derive(Debug, Default)]
pub struct Wire {
    /// True while there is a connection.
    pub connected: bool,
    /// Refuses connections until this step.
    pub cut_until: usize,
    /// Moves nothing towards the broker until this step.
    pub dead_up_until: usize,
    /// Moves nothing from the broker until this step.
    pub dead_down_until: usize,
    /// Moves a packet now and then until this step.
    pub slow_until: usize,
    /// Every packet takes its time until this step.
    pub far_until: usize,
    /// The broker refuses its credential until this step.
    pub refused_until: usize,
    /// To the broker.
    pub up: VecDeque<Packet>,
    /// From the broker.
    pub down: VecDeque<Packet>,
    /// What is on a long way, to the broker and from it.
    ways: [Way; 2],
}

/// One direction of a long way, in order: a packet that is lost holds up those behind it.
#[derive(Debug, Default)]
struct Way {
    /// (when it arrives, what).
    travelling: VecDeque<(Instant, Packet)>,
    sent: u64,
}

impl Way {
    /// Takes what has left into account; what has arrived by now.
    fn carry(&mut self, left: &mut VecDeque<Packet>, far: bool, now: Instant) -> Vec<Packet> {
        for packet in left.drain(..) {
            self.sent += 1;
            let is_lost = self.sent.is_multiple_of(LOST_OF);
            let takes = match (far, is_lost) {
                (false, _) => Duration::ZERO,
                (true, false) => FAR,
                (true, true) => FAR + SENT_AGAIN,
            };
            let before = self.travelling.back().map_or(now, |(at, _)| *at);
            self.travelling
                .push_back(((now + takes).max(before), packet));
        }
        let arrived = self.travelling.partition_point(|(at, _)| *at <= now);
        self.travelling
            .drain(..arrived)
            .map(|(_, packet)| packet)
            .collect()
    }
}

#[derive(Debug, Default)]
struct Session {
    client: Option<Client>,
    /// False once the broker has forgotten it, until it is subscribed anew.
    known: bool,
    queue: VecDeque<Message>,
    unacknowledged: BTreeMap<u16, Message>,
    next: u16,
}

/// The broker and everybody's connection to it.
#[derive(Debug, Default)]
pub struct Network {
    /// By client.
    pub wires: Vec<Wire>,
    sessions: Vec<Session>,
    /// Session of each client.
    session_of: Vec<usize>,
    /// The broker is not there until this step.
    pub down_until: usize,
    /// It does nothing until this step, and closes nothing.
    pub hung_until: usize,
    /// The time, for packets on a long way.
    pub now: Instant,
}

/// What a broker that was killed still knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// All that it had said it has.
    Whole,
    /// The newest messages of each session are gone.
    Older,
    /// Every session is gone.
    None,
}

impl Memory {
    /// One of them.
    pub fn drawn(dice: &mut Dice) -> Self {
        [Self::Whole, Self::Older, Self::None][dice.below(3)]
    }
}

impl Network {
    /// A client with a session of its own; its number.
    pub fn add_client(&mut self) -> Client {
        self.sessions.push(Session::default());
        self.add_to_session(self.sessions.len() - 1)
    }

    /// A client that shares the session of another, by which it is thrown out when that connects.
    pub fn add_twin(&mut self, of: Client) -> Client {
        self.add_to_session(self.session_of[of])
    }

    fn add_to_session(&mut self, session: usize) -> Client {
        self.wires.push(Wire::default());
        self.session_of.push(session);
        self.wires.len() - 1
    }

    /// The session of a client.
    #[must_use]
    pub fn session(&self, client: Client) -> usize {
        self.session_of[client]
    }

    /// Tries to connect and subscribe; whoever had the session loses its connection.
    pub fn connect(&mut self, client: Client, step: usize) -> bool {
        let wire = &self.wires[client];
        let dead = wire
            .cut_until
            .max(wire.dead_up_until)
            .max(wire.dead_down_until)
            .max(wire.refused_until);
        if step < self.down_until.max(self.hung_until) || step < dead {
            return false;
        }
        let session = self.session_of[client];
        if let Some(before) = self.sessions[session].client {
            self.disconnect(before);
        }
        self.wires[client].connected = true;
        let session = &mut self.sessions[session];
        session.client = Some(client);
        session.known = true;
        session.redeliver();
        true
    }

    /// The connection is lost with all that is in it.
    pub fn disconnect(&mut self, client: Client) {
        let wire = &mut self.wires[client];
        wire.connected = false;
        wire.up.clear();
        wire.down.clear();
        wire.ways = Default::default();
        let session = &mut self.sessions[self.session_of[client]];
        if session.client == Some(client) {
            session.client = None;
        }
    }

    /// The broker is killed, and is gone until a step.
    pub fn kill_broker(&mut self, memory: Memory, dice: &mut Dice, until: usize) {
        for client in 0..self.wires.len() {
            self.disconnect(client);
        }
        self.down_until = until;
        for session in &mut self.sessions {
            match memory {
                Memory::Whole => {}
                Memory::Older => {
                    session.redeliver();
                    let kept = dice.below(session.queue.len() + 1);
                    session.queue.truncate(kept);
                }
                Memory::None => *session = Session::default(),
            }
        }
    }

    /// Moves some packets in one direction of a connection; what arrived from the broker.
    pub fn move_some(&mut self, client: Client, dice: &mut Dice, step: usize) -> Vec<Packet> {
        let slow = step < self.wires[client].slow_until;
        let most = if slow {
            usize::from(dice.percent(30))
        } else {
            dice.between(1, 12)
        };
        if dice.percent(50) {
            self.move_up(client, most, step);
            Vec::new()
        } else {
            self.move_down(client, most, step)
        }
    }

    /// Moves everything that can move; what arrived from the broker.
    pub fn move_all(&mut self, client: Client, step: usize) -> Vec<Packet> {
        self.move_up(client, usize::MAX, step);
        self.move_down(client, usize::MAX, step)
    }

    fn move_up(&mut self, client: Client, most: usize, step: usize) {
        let (now, hung) = (self.now, step < self.hung_until);
        let wire = &mut self.wires[client];
        if step < wire.dead_up_until || !wire.connected || hung {
            return;
        }
        let far = step < wire.far_until;
        let count = most.min(wire.up.len());
        let mut left = wire.up.drain(..count).collect();
        for packet in wire.ways[0].carry(&mut left, far, now) {
            self.receive(client, packet);
        }
    }

    fn move_down(&mut self, client: Client, most: usize, step: usize) -> Vec<Packet> {
        if step < self.hung_until {
            return Vec::new();
        }
        self.send(client);
        let now = self.now;
        let wire = &mut self.wires[client];
        if step < wire.dead_down_until || !wire.connected {
            return Vec::new();
        }
        let far = step < wire.far_until;
        let count = most.min(wire.down.len());
        let mut left = wire.down.drain(..count).collect();
        wire.ways[1].carry(&mut left, far, now)
    }

    /// The broker takes a packet.
    fn receive(&mut self, client: Client, packet: Packet) {
        match packet {
            Packet::Publish(id, message) => {
                let to = &mut self.sessions[message.session];
                // Nobody has subscribed: there is nobody to keep it for.
                if to.known {
                    to.queue.push_back(message);
                }
                self.wires[client].down.push_back(Packet::Ack(id));
            }
            Packet::Ack(id) => {
                let session = &mut self.sessions[self.session_of[client]];
                session.unacknowledged.remove(&id);
            }
        }
    }

    /// The broker sends what the client's receive maximum allows.
    fn send(&mut self, client: Client) {
        let session = &mut self.sessions[self.session_of[client]];
        if session.client != Some(client) {
            return;
        }
        let most = if client == PLATFORM {
            PLATFORM_RECEIVES
        } else {
            AGENT_RECEIVES
        };
        while session.unacknowledged.len() < most
            && let Some(message) = session.queue.pop_front()
        {
            let id = session.free_id();
            session.unacknowledged.insert(id, message.clone());
            self.wires[client]
                .down
                .push_back(Packet::Publish(id, message));
        }
    }

    /// True when nothing travels and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let quiet = |wire: &Wire| {
            let nothing_travels = wire.ways.iter().all(|way| way.travelling.is_empty());
            wire.up.is_empty() && wire.down.is_empty() && nothing_travels
        };
        let empty = |one: &Session| one.queue.is_empty() && one.unacknowledged.is_empty();
        self.wires.iter().all(quiet) && self.sessions.iter().all(empty)
    }
}

impl Session {
    /// What was not acknowledged comes first again.
    fn redeliver(&mut self) {
        for (_, message) in std::mem::take(&mut self.unacknowledged).into_iter().rev() {
            self.queue.push_front(message);
        }
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.next = self.next.checked_add(1).unwrap_or(1);
            if !self.unacknowledged.contains_key(&self.next) {
                return self.next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(byte: u8) -> Message {
        Message {
            session: PLATFORM,
            device: 0,
            bytes: vec![byte],
        }
    }

    /// A platform and an agent, connected.
    fn pair() -> Network {
        let mut network = Network::default();
        for _ in 0..2 {
            let client = network.add_client();
            assert!(network.connect(client, 0));
        }
        network
    }

    fn payloads(packets: Vec<Packet>) -> Vec<u8> {
        let byte = |packet: Packet| match packet {
            Packet::Publish(_, message) => Some(message.bytes[0]),
            Packet::Ack(_) => None,
        };
        packets.into_iter().filter_map(byte).collect()
    }

    #[test]
    fn what_is_not_acknowledged_comes_again() {
        let mut network = pair();
        for byte in 1..=3 {
            let packet = Packet::Publish(u16::from(byte), message(byte));
            network.wires[1].up.push_back(packet);
        }
        let acknowledged = network.move_all(1, 0);
        assert_eq!(acknowledged, [1, 2, 3].map(Packet::Ack));
        let first = network.move_all(PLATFORM, 0);
        let Packet::Publish(id, _) = &first[1] else {
            panic!("{first:?}");
        };
        network.wires[PLATFORM].up.push_back(Packet::Ack(*id));
        network.move_all(PLATFORM, 0);
        network.disconnect(PLATFORM);
        assert!(network.connect(PLATFORM, 0));
        assert_eq!(payloads(network.move_all(PLATFORM, 0)), [1, 3]);
    }

    #[test]
    fn a_cut_loses_what_travels_and_a_dead_direction_holds_it() {
        let mut network = pair();
        network.wires[1]
            .up
            .push_back(Packet::Publish(1, message(1)));
        network.wires[1].dead_up_until = 5;
        assert!(network.move_all(1, 4).is_empty());
        assert_eq!(network.move_all(1, 5), [Packet::Ack(1)]);
        network.wires[1]
            .up
            .push_back(Packet::Publish(2, message(2)));
        network.disconnect(1);
        assert_eq!(payloads(network.move_all(PLATFORM, 5)), [1]);
        network.wires[1].cut_until = 9;
        assert!(!network.connect(1, 8) && network.connect(1, 9));
    }

    #[test]
    fn a_long_way_keeps_the_order_and_loses_nothing() {
        let mut network = pair();
        network.wires[1].far_until = 5;
        for byte in 0..60 {
            let packet = Packet::Publish(u16::from(byte) + 1, message(byte));
            network.wires[1].up.push_back(packet);
        }
        assert!(network.move_all(1, 0).is_empty() && !network.is_idle());
        network.now = Instant::from_micros(0) + FAR;
        let first = network.move_all(1, 0);
        assert!(first.is_empty(), "the way back is as long");
        network.now = network.now + FAR;
        assert_eq!(network.move_all(1, 0).len(), 49, "the fiftieth is late");
        network.now = network.now + SENT_AGAIN + FAR;
        assert_eq!(network.move_all(1, 9).len(), 11);
        let mut came = Vec::new();
        while came.len() < 60 {
            let packets = network.move_all(PLATFORM, 9);
            let acks = packets.iter().filter_map(|packet| match packet {
                Packet::Publish(id, _) => Some(Packet::Ack(*id)),
                Packet::Ack(_) => None,
            });
            let acks: Vec<Packet> = acks.collect();
            network.wires[PLATFORM].up.extend(acks);
            came.extend(payloads(packets));
        }
        assert_eq!(came, (0..60).collect::<Vec<u8>>());
    }

    #[test]
    fn a_broker_that_hangs_closes_nothing_and_goes_on() {
        let mut network = pair();
        network.hung_until = 4;
        network.wires[1]
            .up
            .push_back(Packet::Publish(1, message(1)));
        assert!(network.move_all(1, 3).is_empty() && network.wires[1].connected);
        network.disconnect(PLATFORM);
        assert!(!network.connect(PLATFORM, 3) && network.connect(PLATFORM, 4));
        assert_eq!(network.move_all(1, 4), [Packet::Ack(1)]);
        assert_eq!(payloads(network.move_all(PLATFORM, 4)), [1]);
    }

    #[test]
    fn a_twin_throws_the_other_out_and_inherits_its_session() {
        let mut network = pair();
        let twin = network.add_twin(1);
        let for_agent = Message {
            session: network.session(1),
            ..message(7)
        };
        network.wires[PLATFORM]
            .up
            .push_back(Packet::Publish(1, for_agent));
        network.move_all(PLATFORM, 0);
        assert!(network.connect(twin, 0));
        assert!(!network.wires[1].connected);
        assert_eq!(payloads(network.move_all(twin, 0)), [7]);
    }

    #[test]
    fn a_broker_without_its_sessions_drops_what_nobody_subscribes_to() {
        let mut network = pair();
        network.sessions[0] = Session::default();
        network.wires[1]
            .up
            .push_back(Packet::Publish(1, message(1)));
        assert_eq!(network.move_all(1, 0), [Packet::Ack(1)]);
        assert!(network.is_idle());
    }
}
