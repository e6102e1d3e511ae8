//! One run: everything that it consists of, and its steps. Each step is drawn from the seed, so is
//! each fault; nothing else decides what happens, and nothing waits for real time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use schemas::ids::DeviceAddress;
use schemas::time::Clock;
use tempfile::TempDir;

use super::Told;
use super::dice::Dice;
use super::disk::LogDisk;
use super::gaps::{Expected, First, Places};
use super::gateway::{Did, Gateway};
use super::ground::{self, DEVICES, Ground, Witnesses};
use super::kind::{Fault, Kind};
use super::ledger::Ledger;
use super::network::{Message, Network, PLATFORM};
use super::operator::{GRACE, Operator};
use super::time::HandClock;
use super::trace::Trace;
use super::treason::Treason;

/// Steps of a run before everything is healed.
const STEPS: usize = 150;
/// A fault strikes so many times in a hundred steps.
const STRIKES: usize = 12;

/// How far a transaction gets before the platform is killed in it, and until when that is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crash {
    pub(super) point: Fault,
    pub(super) until: usize,
}

/// Everything.
pub struct World<'g> {
    pub(super) ground: &'g Ground,
    pub(super) dice: Dice,
    pub(super) trace: Trace,
    pub(super) ledger: Ledger,
    pub(super) gaps: Expected,
    pub(super) clock: Arc<HandClock>,
    pub(super) network: Network,
    pub(super) witnesses: Witnesses,
    pub(super) disk: LogDisk,
    pub(super) gateways: Vec<Gateway>,
    pub(super) operator: Option<Operator>,
    /// Where the platform's database is while it does not run.
    pub(super) database: PathBuf,
    /// The platform starts again at this step.
    pub(super) operator_down_until: usize,
    /// The database takes nothing more until this step.
    pub(super) database_full_until: usize,
    /// The database answers nothing until this step.
    pub(super) database_lost_until: usize,
    /// So many commits are done without anybody hearing of it.
    pub(super) answers_lost: usize,
    /// The platform is killed in its next transaction, and how far that gets.
    pub(super) crash: Option<Crash>,
    /// Some witnesses are down until this step.
    pub(super) witnesses_down_until: usize,
    /// The log's folder takes nothing more until this step.
    pub(super) log_full_until: usize,
    /// Messages that the platform has received and not acknowledged, by packet id.
    pub(super) inbox: Vec<(u16, Message)>,
    /// Replies that the broker has not acknowledged, in order; with their packet id once sent.
    pub(super) replies: Vec<(Option<u16>, Message)>,
    pub(super) next_reply: u16,
    /// What a test plants.
    pub(super) treason: Treason,
    pub(super) faults: Vec<Fault>,
    pub(super) step: usize,
    folders: usize,
    pub(super) folder: TempDir,
}

impl<'g> World<'g> {
    /// The beginning of a run.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn begin(
        ground: &'g Ground,
        seed: u64,
        kind: Kind,
        treason: Treason,
    ) -> Result<World<'g>> {
        let mut dice = Dice::new(seed);
        let faults = kind.faults(&mut dice)?;
        let folder = ground::folder()?;
        ground.copy_to(folder.path())?;
        let clock = HandClock::morning();
        let witnesses = ground.witnesses(folder.path(), &clock).await?;
        let disk = LogDisk::new(folder.path().join("log"));
        let operator = Operator::open(ground, folder.path(), &disk, &witnesses, &clock).await?;
        let mut network = Network::default();
        network.add_client();
        let mut world = World {
            ground,
            dice,
            trace: Trace::default(),
            ledger: Ledger::default(),
            gaps: Expected::default(),
            clock,
            network,
            witnesses,
            disk,
            gateways: Vec::new(),
            operator: Some(operator),
            database: folder.path().to_owned(),
            operator_down_until: 0,
            database_full_until: 0,
            log_full_until: 0,
            database_lost_until: 0,
            witnesses_down_until: 0,
            answers_lost: 0,
            crash: None,
            inbox: Vec::new(),
            replies: Vec::new(),
            next_reply: 0,
            treason,
            faults,
            step: 0,
            folders: 0,
            folder,
        };
        for device in 0..DEVICES {
            let client = world.network.add_client();
            let state = world.new_folder("agent");
            let gateway = Gateway::new(ground, device, client, state, &world.clock)?;
            world.gateways.push(gateway);
        }
        let named: Vec<String> = world.faults.iter().map(ToString::to_string).collect();
        world
            .trace
            .note(format_args!("seed {seed} {kind}: {}", named.join(" ")));
        Ok(world)
    }

    /// All steps, up to where everything is to be healed.
    ///
    /// # Errors
    /// What no part may do.
    pub async fn play(&mut self) -> Result<()> {
        for step in 1..=STEPS {
            self.step = step;
            let pause = Duration::from_millis(self.dice.between(10, 2_000) as u64);
            self.clock.advance(pause);
            self.recover()
                .await
                .with_context(|| format!("step {step}, recovery"))?;
            if self.dice.percent(STRIKES) {
                let fault = self.dice.pick(&self.faults).copied();
                if let Some(fault) = fault {
                    let struck = self.strike(fault).await;
                    struck.with_context(|| format!("step {step}, fault {fault}"))?;
                }
            }
            self.act().await.with_context(|| format!("step {step}"))?;
        }
        Ok(())
    }

    /// What is said of the run.
    pub(super) fn told(self, seed: u64, problems: Vec<String>) -> Told {
        Told {
            seed,
            digest: self.trace.digest(),
            lines: self.trace.len(),
            statements: self.ledger.stored.len(),
            accepted: self.ledger.accepted.values().sum(),
            faults: self.faults.iter().map(ToString::to_string).collect(),
            problems,
            tail: self.trace.tail().to_vec(),
        }
    }

    async fn act(&mut self) -> Result<()> {
        let gateway = self.dice.below(self.gateways.len());
        match self.dice.below(100) {
            0..20 => self.observe(gateway).await,
            20..45 => self.uplink(gateway).await,
            45..65 => self.carry(None).await,
            65..83 => self.work().await,
            83..93 => self.anchor().await,
            _ => self.follow().await,
        }
    }

    /// Parts that were killed start again when their time has come.
    pub(super) async fn recover(&mut self) -> Result<()> {
        for place in 0..self.gateways.len() {
            if !self.gateways[place].is_up() && self.gateways[place].down_until <= self.step {
                self.start_gateway(place).await?;
            }
            let gateway = &self.gateways[place];
            if gateway.pages_max.is_some() && gateway.full_until <= self.step {
                self.free_outbox(place).await?;
            }
            self.mend_gateway(place).await?;
        }
        if self.step >= self.database_full_until && self.database_full_until > 0 {
            self.database_full_until = 0;
            if let Some(operator) = &self.operator {
                operator.limit(None).await?;
            }
            self.trace.note("the database has room again");
        }
        if self.step >= self.log_full_until && self.log_full_until > 0 {
            self.log_full_until = 0;
            self.disk.fill(false);
            self.trace.note("the log's disk has room again");
        }
        if self.step >= self.witnesses_down_until && self.witnesses_down_until > 0 {
            self.witnesses_down_until = 0;
            for place in 0..self.witnesses.count() {
                self.witnesses.start(place).await?;
            }
            self.trace.note("all witnesses run");
        }
        if self.step >= self.database_lost_until && self.database_lost_until > 0 {
            self.database_lost_until = 0;
            self.kill_operator(self.step)?;
        }
        if self.operator.is_none() && self.operator_down_until <= self.step {
            self.start_operator().await?;
        }
        Ok(())
    }

    pub(super) async fn start_gateway(&mut self, place: usize) -> Result<()> {
        let gateway = &mut self.gateways[place];
        let did = gateway.start().await?;
        self.trace
            .note(format_args!("{} starts: {did:?}", gateway.name));
        if did == Did::Done(()) {
            self.note_made(place).await?;
        } else {
            // A full disk: somebody makes room.
            gateway.pages_max = None;
        }
        Ok(())
    }

    pub(super) async fn start_operator(&mut self) -> Result<()> {
        let opened = Operator::open(
            self.ground,
            &self.database,
            &self.disk,
            &self.witnesses,
            &self.clock,
        )
        .await;
        match opened {
            Ok(operator) => {
                self.operator = Some(operator);
                self.trace.note("the platform starts");
                self.learn().await
            }
            // Too few witnesses have answered, or the disk is full: it tries again.
            Err(error) if self.log_full_until > 0 || self.witnesses_down_until > 0 => {
                self.trace.note("the platform does not start yet");
                tracing::debug!(error = format!("{error:#}"), "the platform does not start");
                self.operator_down_until = self.step + 3;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// What the ledger does not know yet of what a gateway has made.
    pub(super) async fn note_made(&mut self, place: usize) -> Result<()> {
        for made in self.gateways[place].made().await? {
            let label = format!("{}/{}", made.place.epoch, made.place.seq);
            let contents = made.contents.len();
            let known = self.ledger.made.insert(made.id, made.clone());
            if let Some(known) = known {
                // It is still on the disk, whatever happened to that.
                let kept = self.ledger.made.get_mut(&made.id);
                kept.into_iter().for_each(|one| one.gateway = known.gateway);
            } else {
                let name = &self.gateways[place].name;
                self.trace
                    .note(format_args!("{name} made {label} over {contents}"));
            }
        }
        Ok(())
    }

    /// What the platform has after a start, in case an answer of before was lost.
    async fn learn(&mut self) -> Result<()> {
        let operator = self.operator.as_ref().context("no platform")?;
        let made = self.ledger.made.keys();
        let unknown: Vec<_> = made
            .filter(|id| !self.ledger.stored.contains_key(id))
            .collect();
        let mut learnt = Vec::new();
        for id in unknown {
            if let Some((received, _)) = operator.kept(id).await? {
                learnt.push((*id, received));
            }
        }
        self.ledger.stored.extend(learnt);
        Ok(())
    }

    /// A folder of this run that nobody has had.
    pub(super) fn new_folder(&mut self, name: &str) -> PathBuf {
        self.folders += 1;
        self.folder.path().join(format!("{name}-{}", self.folders))
    }

    /// Address of a device by its number.
    pub(super) fn address(&self, device: usize) -> DeviceAddress {
        self.ground.devices[device].address.clone()
    }

    /// Number of a device by its address.
    pub(super) fn device_of(&self, address: &DeviceAddress) -> Option<usize> {
        let mut all = self.ground.devices.iter();
        all.position(|device| device.address == *address)
    }

    /// What the platform has of each device, where.
    pub(super) fn stored_places(&self) -> Places {
        let mut all = Places::new();
        for (id, came) in &self.ledger.stored {
            if let Some(made) = self.ledger.made.get(id) {
                let first = First {
                    came: *came,
                    id: *id,
                    prev: made.prev,
                };
                let places = all.entry(made.device).or_default();
                let known = places.entry(made.place).or_insert(first);
                if first.came < known.came {
                    *known = first;
                }
            }
        }
        all
    }

    /// A round of the follower, and of what it ought to write down.
    pub(super) async fn follow(&mut self) -> Result<()> {
        let Some(operator) = &self.operator else {
            return Ok(());
        };
        // A round that ends half way is made again: the rows of a part of it would be right, and
        // which part is not known here.
        if self.database_full_until > 0 || self.database_lost_until > 0 {
            return Ok(());
        }
        operator.follow().await?;
        let stored = self.stored_places();
        self.gaps.round(self.clock.now(), GRACE, &stored);
        self.trace.note("chains followed");
        Ok(())
    }

    /// The platform loses its connection to the broker.
    pub(super) fn disconnect_operator(&mut self) {
        self.network.disconnect(PLATFORM);
        self.inbox.clear();
        self.replies.iter_mut().for_each(|(id, _)| *id = None);
    }
}
