//! What the parts of a run do when nothing goes wrong, or in spite of it.

use anyhow::{Context, Result};
use schemas::time::Clock;

use super::gateway::Did;
use super::kind::Fault;
use super::network::{Message, PLATFORM, Packet};
use super::operator::Done;
use super::world::{Crash, World};

/// Replies on their way to the broker at once.
const REPLIES_OPEN: usize = 16;

impl World<'_> {
    /// A gateway sees something; each time its open statement is closed, so that no timer has a
    /// say in what a statement holds.
    pub(super) async fn observe(&mut self, place: usize) -> Result<()> {
        if !self.gateways[place].is_up() {
            return Ok(());
        }
        let what = self.dice.below(10);
        let lines = if self.dice.percent(4) {
            80
        } else {
            self.dice.between(1, 6) as u64
        };
        let gateway = &mut self.gateways[place];
        let outcome = match what {
            0..4 if gateway.sensor_gone_until.is_some() => "has no sensor",
            0..4 => match gateway.measure().await? {
                Did::Done(name) => {
                    self.ledger.accept([name]);
                    "reads"
                }
                Did::Refused => "cannot keep a reading",
            },
            4..9 => {
                gateway.lines_come(lines);
                match gateway.scan().await? {
                    Did::Done(items) => {
                        self.ledger.accept(items);
                        "scans"
                    }
                    Did::Refused => "cannot keep lines",
                }
            }
            _ => match gateway.say("no answer", None).await? {
                Did::Done(()) => "notes",
                Did::Refused => "cannot keep a note",
            },
        };
        let gateway = &self.gateways[place];
        let flushed = gateway.flush(self.dice.percent(20)).await?;
        self.trace
            .note(format_args!("{} {outcome}, {flushed:?}", gateway.name));
        self.note_made(place).await
    }

    /// A gateway's uplink has its turn.
    pub(super) async fn uplink(&mut self, place: usize) -> Result<()> {
        let gateway = &mut self.gateways[place];
        if !gateway.is_up() {
            return Ok(());
        }
        let was = self.network.wires[gateway.client].connected;
        let sent = gateway.send(&mut self.network, self.step).await?;
        let is = self.network.wires[gateway.client].connected;
        if !sent.is_empty() || was != is {
            let sent: Vec<String> = sent
                .iter()
                .map(|at| format!("{}/{}", at.epoch, at.seq))
                .collect();
            let name = &gateway.name;
            self.trace.note(format_args!(
                "{name} connected {is}, sends {}",
                sent.join(" ")
            ));
        }
        Ok(())
    }

    /// Packets travel: some of one connection, or all of one.
    pub(super) async fn carry(&mut self, all_of: Option<usize>) -> Result<()> {
        let client = match all_of {
            Some(client) => client,
            // The platform's connection has the work of all others.
            None if self.dice.percent(40) => PLATFORM,
            None => self.dice.below(self.network.wires.len()),
        };
        self.network.now = self.clock.now();
        let arrived = match all_of {
            Some(_) => self.network.move_all(client, self.step),
            None => self.network.move_some(client, &mut self.dice, self.step),
        };
        if client == PLATFORM {
            self.platform_receives(arrived);
            return Ok(());
        }
        let place = self.gateways.iter().position(|one| one.client == client);
        let place = place.context("no gateway has this connection")?;
        let gateway = &mut self.gateways[place];
        if !gateway.is_up() || arrived.is_empty() {
            return Ok(());
        }
        let count = arrived.len();
        let replies = gateway.receive(arrived, &mut self.network).await?;
        if gateway.pages_max.is_some() {
            // A receipt makes room, and the writer may close its statement at any moment now.
            gateway.flush(false).await?;
        }
        let name = &gateway.name;
        self.trace
            .note(format_args!("{name} receives {count}, {replies} replies"));
        self.note_made(place).await?;
        self.keeps_what_is_not_stored(place).await
    }

    fn platform_receives(&mut self, arrived: Vec<Packet>) {
        for packet in arrived {
            match packet {
                Packet::Publish(id, message) => self.inbox.push((id, message)),
                Packet::Ack(id) => self.replies.retain(|(open, _)| *open != Some(id)),
            }
        }
    }

    /// A worker takes some of what arrived, in any order, as several workers would.
    pub(super) async fn work(&mut self) -> Result<()> {
        if self.operator.is_none() {
            return Ok(());
        }
        if !self.network.wires[PLATFORM].connected {
            let connected = self.network.connect(PLATFORM, self.step);
            if connected {
                self.inbox.clear();
                self.replies.iter_mut().for_each(|(id, _)| *id = None);
                self.trace.note("the platform is connected");
            }
            return Ok(());
        }
        let most = self.dice.between(1, 10);
        let taken = self.dice.take(&mut self.inbox, most);
        if taken.is_empty() {
            self.publish();
            return Ok(());
        }
        if let Some(crash) = self.crash.take() {
            return self.crash_over(crash, taken).await;
        }
        let failed = self.commit(&taken).await?;
        if failed {
            self.inbox.extend(taken);
        } else {
            for (id, _) in taken {
                self.network.wires[PLATFORM].up.push_back(Packet::Ack(id));
            }
            self.publish();
        }
        Ok(())
    }

    /// The platform is killed with these in its hands: before they are in the database, before it
    /// has said so to the broker, or before a receipt has left.
    async fn crash_over(&mut self, crash: Crash, taken: Vec<(u16, Message)>) -> Result<()> {
        let is_done = crash.point != Fault::BeforeCommit && !self.commit(&taken).await?;
        if is_done && crash.point == Fault::BeforeReceipt {
            let acks = taken.iter().map(|(id, _)| Packet::Ack(*id));
            self.network.wires[PLATFORM].up.extend(acks);
            // What it would hear now is lost with it.
            self.network.move_all(PLATFORM, self.step);
        }
        self.trace.note(format_args!(
            "{} over {}: the platform is killed",
            crash.point,
            taken.len()
        ));
        self.kill_operator(crash.until)
    }

    /// One transaction; true where it failed.
    async fn commit(&mut self, taken: &[(u16, Message)]) -> Result<bool> {
        let operator = self.operator.as_ref().context("no platform")?;
        let now = self.clock.now();
        let messages = taken
            .iter()
            .map(|(_, message)| (self.address(message.device), message.bytes.clone()));
        let done = match operator.process(messages.collect()).await {
            Ok(done) => done,
            Err(error) => {
                tracing::debug!(%error, "a transaction failed");
                self.trace
                    .note(format_args!("a transaction over {} fails", taken.len()));
                return Ok(true);
            }
        };
        operator.tamper(self.treason.after_commit()).await?;
        self.note_stored(&done, now);
        if self.answers_lost > 0 {
            self.answers_lost -= 1;
            self.trace.note("nobody is told");
            return Ok(true);
        }
        for (device, reply) in done.replies {
            self.reply(&device.receipt_topic(), reply)?;
        }
        Ok(false)
    }

    fn note_stored(&mut self, done: &Done, now: schemas::time::Instant) {
        let mut labels = Vec::new();
        for taken in &done.taken {
            let Some(taken) = taken else {
                self.ledger.quarantined += 1;
                labels.push("quarantine".to_owned());
                continue;
            };
            let fresh = if taken.fresh { "" } else { " again" };
            labels.push(format!("{}{fresh}", self.ledger.label(&taken.id)));
            self.ledger.stored.entry(taken.id).or_insert(now);
        }
        self.trace
            .note(format_args!("stores {}", labels.join(", ")));
    }

    /// A reply on its way to a device.
    pub(super) fn reply(&mut self, topic: &str, bytes: Vec<u8>) -> Result<()> {
        let mut devices = self.ground.devices.iter();
        let device = devices.position(|one| one.address.receipt_topic() == topic);
        let device = device.with_context(|| format!("nobody has the topic {topic}"))?;
        let gateway = self.gateways.iter().find(|one| one.device == device);
        let gateway = gateway.context("nobody has the device")?;
        let session = self.network.session(gateway.client);
        let message = Message {
            session,
            device,
            bytes,
        };
        self.replies.push((None, message));
        Ok(())
    }

    /// Gives the broker what the window has room for.
    pub(super) fn publish(&mut self) {
        if !self.network.wires[PLATFORM].connected {
            return;
        }
        let wire = &mut self.network.wires[PLATFORM];
        for (id, message) in self.replies.iter_mut().take(REPLIES_OPEN) {
            if id.is_none() {
                self.next_reply = self.next_reply.checked_add(1).unwrap_or(1);
                *id = Some(self.next_reply);
                wire.up
                    .push_back(Packet::Publish(self.next_reply, message.clone()));
            }
        }
    }

    /// A round of the notary.
    pub(super) async fn anchor(&mut self) -> Result<()> {
        let connected = self.network.wires[PLATFORM].connected;
        let Some(operator) = &mut self.operator else {
            return Ok(());
        };
        operator.connect(connected);
        let (told, failed) = operator.turn().await?;
        let size = operator.size();
        let failed = if failed.is_some() { ", fails" } else { "" };
        self.trace.note(format_args!(
            "anchors, log {size}, tells {}{failed}",
            told.len()
        ));
        for (topic, bytes) in told {
            self.reply(&topic, bytes)?;
        }
        self.publish();
        Ok(())
    }

    /// A gateway forgets nothing before the platform has it.
    async fn keeps_what_is_not_stored(&self, place: usize) -> Result<()> {
        let gateway = &self.gateways[place];
        let waiting = gateway.unreceipted().await?;
        let mine = self
            .ledger
            .made
            .values()
            .filter(|made| made.gateway == gateway.client);
        for made in mine.filter(|made| !made.lost && !self.ledger.stored.contains_key(&made.id)) {
            anyhow::ensure!(
                waiting.contains_key(&made.id),
                "{} has forgotten {}, which the platform does not have",
                gateway.name,
                self.ledger.label(&made.id),
            );
        }
        Ok(())
    }
}
