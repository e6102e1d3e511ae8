//! The player: sends what was signed, through real connections, as fast as a window of statements
//! without receipt allows or at a pace; notes when each was sent, receipted and included.
//!
//! The window is one over the whole fleet and closes by receipts, as an agent's outbox does, not
//! by the broker's word alone: so the broker's queue stays short, and nothing has to be dropped.
//! What has no receipt when patience is over is sent once more, as an agent sends it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use schemas::hash::Hash;
use schemas::receipt::{Receipt, Reply};
use tokio::sync::{mpsc, watch};

use super::Device;
use super::chain::Signed;
use crate::mqtt::{Connection, Heard};

/// What is heard and waits for the player.
const HEARD: usize = 4_096;
/// Pauses between attempts to connect: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Statements of one device without receipt, at most: fewer than any broker's receive maximum.
const EACH: usize = 500;
/// The longest sleep of a player that waits for its turn.
const LOOK: Duration = Duration::from_millis(50);

/// How fast.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Statements without receipt at once.
    pub statements: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Events a second; `None` for as fast as the window allows.
    pub rate: Option<f64>,
    /// Events that are due at once, before the rate begins: a backlog.
    pub due: u64,
}

impl Pace {
    /// As fast as it is taken.
    pub const FULL: Pace = Pace {
        statements: 2_000,
        bytes: 16 << 20,
        rate: None,
        due: 0,
    };

    /// At a rate, with a window that only a platform that falls behind fills.
    #[must_use]
    pub const fn at(rate: f64) -> Pace {
        Pace {
            statements: 20_000,
            bytes: 40 << 20,
            rate: Some(rate),
            due: 0,
        }
    }

    /// When the event after so many is due, from the start.
    fn when(&self, events: u64) -> Duration {
        match self.rate {
            Some(rate) if events > self.due => {
                Duration::from_secs_f64((events - self.due) as f64 / rate)
            }
            _ => Duration::ZERO,
        }
    }
}

/// One statement's way, in seconds from the start of the play.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Way {
    /// Its events.
    pub events: u32,
    /// When it was sent first.
    pub sent: f32,
    /// When its receipt was read.
    pub receipt: Option<f32>,
    /// When its inclusion was read.
    pub included: Option<f32>,
}

/// What became of a play.
#[derive(Debug, Default)]
pub struct Played {
    /// Ways in the order of sending.
    pub ways: Vec<Way>,
    /// Statement ids in the same order.
    pub ids: Vec<Hash>,
    /// Events that receipts call refused.
    pub refused: u64,
    /// Statements that were sent again.
    pub again: u64,
    /// Connections that were lost and made anew.
    pub reconnects: u64,
    /// Publications that the broker did not take.
    pub not_taken: u64,
    /// Seconds by which a statement was sent after it was due, at most: what a full window costs.
    pub late: f32,
    /// When the first was sent.
    pub began: Option<Instant>,
}

impl Played {
    /// Statements that have no receipt.
    #[must_use]
    pub fn without_receipt(&self) -> u64 {
        self.ways.iter().filter(|way| way.receipt.is_none()).count() as u64
    }

    /// Statements that have no inclusion.
    #[must_use]
    pub fn without_inclusion(&self) -> u64 {
        let without = self.ways.iter().filter(|way| way.included.is_none());
        without.count() as u64
    }

    /// Events sent.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.ways.iter().map(|way| u64::from(way.events)).sum()
    }

    /// Seconds until the last receipt.
    #[must_use]
    pub fn seconds_to_receipts(&self) -> f64 {
        let receipts = self.ways.iter().filter_map(|way| way.receipt);
        f64::from(receipts.fold(0.0, f32::max))
    }
}

/// What a play waits for at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Every receipt.
    Receipts,
    /// Every inclusion in a witnessed checkpoint, too.
    Inclusions,
}

/// A fleet at its broker.
pub struct Fleet {
    devices: Vec<Device>,
    connections: Vec<Option<Connection>>,
    heard: mpsc::Receiver<(usize, Heard)>,
    tell: mpsc::Sender<(usize, Heard)>,
    /// Whether inclusions are verified as an agent does it, or only read.
    verify: bool,
    /// How long the end of a play may take after nothing has been heard.
    patience: Duration,
    /// Events that have a receipt, for those who watch a play.
    pub receipted: watch::Sender<u64>,
    /// Events sent.
    pub sent: watch::Sender<u64>,
}

impl Fleet {
    /// Connects every device; tries again until the broker knows all of them or patience is over.
    ///
    /// # Errors
    /// When one cannot connect.
    pub async fn connect(devices: Vec<Device>, verify: bool, patience: Duration) -> Result<Fleet> {
        let (tell, heard) = mpsc::channel(HEARD);
        let opening = devices.iter().enumerate();
        let opening = opening.map(|(name, device)| open(device, name, tell.clone(), patience));
        let connections = try_join_all(opening).await?.into_iter().map(Some).collect();
        Ok(Fleet {
            devices,
            connections,
            heard,
            tell,
            verify,
            patience,
            receipted: watch::Sender::new(0),
            sent: watch::Sender::new(0),
        })
    }

    /// Plays statements to their end; they are asked for one by one when there is room, so that
    /// they may be signed then. What has no receipt or inclusion after the second patience is left
    /// as it is, and found in the ways.
    ///
    /// # Errors
    /// When a statement cannot be made, a connection is lost and cannot be made anew, or a reply
    /// does not count.
    pub async fn play(
        &mut self,
        statements: impl Iterator<Item = Result<Signed>>,
        pace: Pace,
        until: Until,
    ) -> Result<Played> {
        self.sent.send_replace(0);
        self.receipted.send_replace(0);
        let mut play = Play {
            fleet: self,
            pace,
            start: Instant::now(),
            waiting: HashMap::new(),
            each: HashMap::new(),
            bytes: 0,
            unincluded: HashMap::new(),
            sent: 0,
            receipted: 0,
            played: Played::default(),
        };
        play.send_all(statements).await?;
        play.wait(until).await?;
        Ok(play.played)
    }
}

async fn open(
    device: &Device,
    name: usize,
    tell: mpsc::Sender<(usize, Heard)>,
    patience: Duration,
) -> Result<Connection> {
    let (end, mut pause) = (Instant::now() + patience, PAUSES.0);
    loop {
        match Connection::open(&device.login, name, tell.clone()).await {
            Ok(connection) => return Ok(connection),
            // A broker beside the platform hears of a new device a moment later.
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// A statement without receipt.
struct Waiting {
    device: usize,
    place: usize,
    bytes: Arc<[u8]>,
}

/// A play under way.
struct Play<'f> {
    fleet: &'f mut Fleet,
    pace: Pace,
    start: Instant,
    waiting: HashMap<Hash, Waiting>,
    each: HashMap<usize, usize>,
    /// Bytes of all that wait.
    bytes: usize,
    /// Statements without inclusion, with their place.
    unincluded: HashMap<Hash, usize>,
    sent: u64,
    receipted: u64,
    played: Played,
}

impl Play<'_> {
    async fn send_all(
        &mut self,
        mut statements: impl Iterator<Item = Result<Signed>>,
    ) -> Result<()> {
        while let Some(next) = statements.next().transpose()? {
            self.hear_what_is_there().await?;
            self.turn(&next).await?;
            self.send(next).await;
        }
        Ok(())
    }

    /// Waits until a statement is due and has room.
    async fn turn(&mut self, next: &Signed) -> Result<()> {
        let mut heard_last = Instant::now();
        loop {
            let (now, due) = (Instant::now(), self.start + self.pace.when(self.sent));
            if self.has_room(next) {
                if due <= now {
                    let late = now.saturating_duration_since(due).as_secs_f32();
                    self.played.late = self.played.late.max(late);
                    return Ok(());
                }
                // What is not due has no reason to be impatient.
                heard_last = now;
            }
            // A full window waits for receipts, a pace for its time.
            let pause = if self.has_room(next) { due - now } else { LOOK };
            if self.hear_for(pause.min(LOOK)).await? {
                heard_last = Instant::now();
            }
            if heard_last.elapsed() > self.fleet.patience {
                self.send_again().await;
                heard_last = Instant::now();
            }
        }
    }

    fn has_room(&self, next: &Signed) -> bool {
        let each = self.each.get(&next.device).copied().unwrap_or_default();
        let some = self.waiting.len() < self.pace.statements && each < EACH;
        some && (self.waiting.is_empty() || self.bytes + next.bytes.len() <= self.pace.bytes)
    }

    async fn send(&mut self, next: Signed) {
        let now = Instant::now();
        if self.played.began.is_none() {
            self.played.began = Some(now);
            self.start = now;
        }
        let place = self.played.ways.len();
        self.played.ways.push(Way {
            events: next.events,
            sent: now.duration_since(self.start).as_secs_f32(),
            receipt: None,
            included: None,
        });
        self.played.ids.push(next.id);
        self.unincluded.insert(next.id, place);
        self.bytes += next.bytes.len();
        *self.each.entry(next.device).or_default() += 1;
        self.sent += u64::from(next.events);
        self.fleet.sent.send_replace(self.sent);
        let (device, bytes) = (next.device, next.bytes);
        publish(self.fleet, device, Arc::clone(&bytes)).await;
        let waiting = Waiting {
            device,
            place,
            bytes,
        };
        self.waiting.insert(next.id, waiting);
    }

    /// Sends everything without receipt again, in its old order.
    async fn send_again(&mut self) {
        let mut all: Vec<&Waiting> = self.waiting.values().collect();
        all.sort_unstable_by_key(|one| one.place);
        self.played.again += all.len() as u64;
        for one in all {
            publish(self.fleet, one.device, Arc::clone(&one.bytes)).await;
        }
    }

    /// Waits for what is due, and asks for it once more if nothing comes.
    async fn wait(&mut self, until: Until) -> Result<()> {
        let mut asked = false;
        let mut heard_last = Instant::now();
        loop {
            let receipts = self.waiting.is_empty();
            let all = until == Until::Receipts || self.unincluded.is_empty();
            if receipts && all {
                return Ok(());
            }
            if self.hear_for(LOOK).await? {
                heard_last = Instant::now();
            }
            if heard_last.elapsed() > self.fleet.patience {
                if asked {
                    return Ok(());
                }
                asked = true;
                self.send_again().await;
                heard_last = Instant::now();
            }
        }
    }

    async fn hear_what_is_there(&mut self) -> Result<()> {
        while let Ok((device, heard)) = self.fleet.heard.try_recv() {
            self.hear(device, heard).await?;
        }
        Ok(())
    }

    /// True if something was heard in time.
    async fn hear_for(&mut self, time: Duration) -> Result<bool> {
        let Ok(heard) = tokio::time::timeout(time, self.fleet.heard.recv()).await else {
            return Ok(false);
        };
        let (device, heard) = heard.context("no connections")?;
        self.hear(device, heard).await?;
        self.hear_what_is_there().await?;
        Ok(true)
    }

    async fn hear(&mut self, device: usize, heard: Heard) -> Result<()> {
        match heard {
            Heard::Message { payload, at } => self.reply(device, &payload, at),
            Heard::NotTaken(_) => {
                self.played.not_taken += 1;
                Ok(())
            }
            Heard::Lost(why) => {
                tracing::warn!(device, why, "a connection was lost");
                self.played.reconnects += 1;
                self.reconnect(device).await
            }
        }
    }

    async fn reconnect(&mut self, device: usize) -> Result<()> {
        self.fleet.connections[device] = None;
        let (tell, patience) = (self.fleet.tell.clone(), self.fleet.patience);
        let opened = open(&self.fleet.devices[device], device, tell, patience).await?;
        self.fleet.connections[device] = Some(opened);
        let mut mine: Vec<&Waiting> = self.waiting.values().collect();
        mine.retain(|one| one.device == device);
        mine.sort_unstable_by_key(|one| one.place);
        self.played.again += mine.len() as u64;
        for one in mine {
            publish(self.fleet, device, Arc::clone(&one.bytes)).await;
        }
        Ok(())
    }

    fn reply(&mut self, device: usize, payload: &[u8], at: Instant) -> Result<()> {
        let trust = Arc::clone(&self.fleet.devices[device].trust);
        let at = at.saturating_duration_since(self.start).as_secs_f32();
        match Reply::decode(payload)? {
            Reply::Receipt(bytes) => {
                let receipt = Receipt::open(&bytes, &trust.receipt_key)?;
                ensure!(receipt.device == trust.device, "a receipt of another");
                self.played.refused += receipt.refused.len() as u64;
                receipt.ids.iter().for_each(|id| self.receipted(id, at));
            }
            Reply::Inclusion(inclusion) => {
                if self.fleet.verify {
                    trust.policies.check_inclusion(&inclusion)?;
                }
                for row in &inclusion.statements {
                    if let Some(place) = self.unincluded.remove(&row.id) {
                        self.played.ways[place].included = Some(at);
                    }
                }
            }
        }
        Ok(())
    }

    fn receipted(&mut self, id: &Hash, at: f32) {
        let Some(one) = self.waiting.remove(id) else {
            return;
        };
        self.bytes -= one.bytes.len();
        if let Some(each) = self.each.get_mut(&one.device) {
            *each -= 1;
        }
        let way = &mut self.played.ways[one.place];
        way.receipt = Some(at);
        self.receipted += u64::from(way.events);
        self.fleet.receipted.send_replace(self.receipted);
    }
}

async fn publish(fleet: &mut Fleet, device: usize, bytes: Arc<[u8]>) {
    if let Some(Some(connection)) = fleet.connections.get_mut(device) {
        connection.publish(bytes).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_due_at_once_and_the_rest_at_its_rate() {
        let pace = Pace {
            due: 100,
            ..Pace::at(50.0)
        };
        assert_eq!(pace.when(0), Duration::ZERO);
        assert_eq!(pace.when(100), Duration::ZERO);
        assert_eq!(pace.when(150), Duration::from_secs(1));
        assert_eq!(Pace::FULL.when(1 << 40), Duration::ZERO);
    }
}
