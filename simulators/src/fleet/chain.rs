//! A device's chain: statements signed one after the other, ready to be sent.

use std::sync::Arc;

use anyhow::{Context, Result};
use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::merkle;
use schemas::statement::{ClockState, Payload, Position, Statement, encode_message};
use schemas::time::{Clock, Instant};

use super::Device;
use super::event::{self, Words};

/// What devices of ours call themselves.
const AGENT: &str = "tracebond-load/1";

/// A statement that waits to be sent.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Which device of the fleet.
    pub device: usize,
    /// Statement id.
    pub id: Hash,
    /// Its events.
    pub events: u32,
    /// The message.
    pub bytes: Arc<[u8]>,
}

/// The chains of a fleet, which take turns.
pub struct Chains {
    chains: Vec<Chain>,
    next: usize,
    /// Events signed so far.
    events: u64,
    items: Items,
}

/// Which items events name.
#[derive(Debug, Clone, Copy)]
pub struct Items {
    /// Event `n` names item `n % items`, so that an item's events are far apart.
    pub items: u64,
    /// But each event whose number is a multiple of this names item [`LONG`].
    pub long_every: Option<u64>,
}

/// The item with the long history.
pub const LONG: u64 = 999_999_999_999;

impl Items {
    /// Ten events for each item of a load.
    #[must_use]
    pub fn for_load(events: u64) -> Items {
        Items {
            items: (events / 10).max(1),
            long_every: None,
        }
    }

    fn of(self, number: u64) -> u64 {
        match self.long_every {
            Some(every) if number.is_multiple_of(every) => LONG,
            _ => number % self.items,
        }
    }
}

struct Chain {
    device: Device,
    next: Position,
    prev: Hash,
}

impl Chains {
    /// Chains of devices that have not spoken yet.
    #[must_use]
    pub fn new(devices: &[Device], items: Items) -> Chains {
        let chain = |device: &Device| Chain {
            device: device.clone(),
            next: Position { epoch: 0, seq: 0 },
            prev: Hash::ZERO,
        };
        Chains {
            chains: devices.iter().map(chain).collect(),
            next: 0,
            events: 0,
            items,
        }
    }

    /// Signs the next statement over so many events, of the device whose turn it is.
    ///
    /// # Errors
    /// When there is no device or no randomness.
    pub fn say(&mut self, events: u32, now: Instant) -> Result<Signed> {
        let device = self.next;
        self.next = (device + 1) % self.chains.len().max(1);
        let chain = self.chains.get_mut(device).context("no devices")?;
        let (first, items) = (self.events, self.items);
        self.events += u64::from(events);
        let numbers = first..self.events;
        let words = numbers.map(|number| (number, items.of(number)));
        let (id, bytes) = chain.say(words, now)?;
        let bytes = bytes.into();
        Ok(Signed {
            device,
            id,
            events,
            bytes,
        })
    }

    /// Statements of a size over `events` events, the last one perhaps over fewer, each signed when
    /// it is asked for and with the time that `clock` shows then.
    ///
    /// An item is an error as [`Chains::say`] has it.
    pub fn saying(
        &mut self,
        events: u64,
        size: u32,
        clock: &dyn Clock,
    ) -> impl Iterator<Item = Result<Signed>> {
        let mut left = events;
        std::iter::from_fn(move || {
            let part = u32::try_from(left).unwrap_or(size).min(size);
            left -= u64::from(part);
            (part > 0).then(|| self.say(part, clock.now()))
        })
    }
}

impl Chain {
    fn say(
        &mut self,
        words: impl Iterator<Item = (u64, u64)>,
        now: Instant,
    ) -> Result<(Hash, Vec<u8>)> {
        let record = &self.device.trust.record;
        let place = record.places.first().map_or("", String::as_str);
        let step = record.steps.first().map_or("", String::as_str);
        let source = record.sources.first().copied().unwrap_or_default();
        let source = Source::from_number(source.into()).context("a record without sources")?;
        let mut events = Vec::new();
        for (number, item) in words {
            let time = now;
            let bytes = event::bytes(Words {
                time,
                item,
                number,
                place,
                step,
            });
            events.push((Event::parse(bytes)?, Salt::random()?));
        }
        let leaves: Vec<Hash> = events
            .iter()
            .map(|(event, salt)| event.leaf(source, salt))
            .collect();
        let statement = self.sign(&leaves, now)?;
        let rows: Vec<(Source, Salt, &[u8])> = events
            .iter()
            .map(|(event, salt)| (source, *salt, event.bytes()))
            .collect();
        Ok((statement.id(), encode_message(statement.bytes(), &rows)))
    }

    fn sign(&mut self, leaves: &[Hash], now: Instant) -> Result<Statement> {
        let payload = Payload {
            log: self.device.trust.log,
            device: self.device.trust.device.clone(),
            position: self.next,
            prev: self.prev,
            made: now,
            clock: ClockState::Synced,
            seen: None,
            agent: AGENT.to_owned(),
            count: leaves.len() as u64,
            root: merkle::root(leaves).unwrap_or(Hash::ZERO),
            note: None,
        };
        let statement = Statement::sign_by(&*self.device.key, payload)?;
        self.next.seq += 1;
        self.prev = statement.id();
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_has_ten_events_and_the_long_one_its_share() {
        let items = Items::for_load(100);
        let named: Vec<u64> = (0..100).map(|number| items.of(number)).collect();
        assert!((0..10).all(|item| named.iter().filter(|one| **one == item).count() == 10));
        let items = Items {
            long_every: Some(50),
            ..items
        };
        assert_eq!([0, 1, 50, 51].map(|n| items.of(n)), [LONG, 1, LONG, 1]);
    }
}
