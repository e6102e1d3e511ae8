//! What goes wrong in a run, and for how long.

use anyhow::{Result, ensure};
use schemas::statement::{ClockState, Position};
use schemas::time::Clock as _;

use super::gateway::Did;
use super::kind::Fault;
use super::network::{Memory, PLATFORM};
use super::world::{Crash, World};
use super::wound;

/// Twins of a device, besides itself.
const TWINS: usize = 1;
/// Two days: further off, nobody would take a clock for one.
const JUMP_SECONDS: usize = 2 * 86_400;

impl World<'_> {
    /// A fault strikes.
    pub(super) async fn strike(&mut self, fault: Fault) -> Result<()> {
        let place = self.dice.below(self.gateways.len());
        let client = self.dice.below(self.network.wires.len());
        let until = self.step + self.dice.between(1, 20);
        self.trace
            .note(format_args!("{}: {fault} until {until}", self.step));
        match fault {
            Fault::Agent => self.kill_gateway(place, until).await?,
            Fault::Worker => self.kill_operator(until)?,
            Fault::Broker => {
                let memory = Memory::drawn(&mut self.dice);
                self.kill_broker(memory, until);
            }
            Fault::Session => self.kill_broker(Memory::None, until),
            Fault::Hang => {
                self.network.hung_until = until;
                self.drop_or_hold(client);
            }
            Fault::Database => self.lose_database(until).await,
            Fault::Cut => {
                self.lose_connection(client);
                self.network.wires[client].cut_until = until;
            }
            Fault::OneWay if self.dice.percent(50) => {
                self.network.wires[client].dead_up_until = until;
                self.drop_or_hold(client);
            }
            Fault::OneWay => {
                self.network.wires[client].dead_down_until = until;
                self.drop_or_hold(client);
            }
            Fault::HalfOpen => {
                self.network.wires[client].dead_up_until = until;
                self.network.wires[client].dead_down_until = until;
                self.drop_or_hold(client);
            }
            Fault::Far => self.network.wires[client].far_until = until + 20,
            Fault::Credential => {
                self.lose_connection(client);
                self.network.wires[client].refused_until = until;
            }
            Fault::BeforeCommit | Fault::BeforeAck | Fault::BeforeReceipt => {
                self.crash = Some(Crash {
                    point: fault,
                    until,
                });
            }
            Fault::Slow => self.network.wires[client].slow_until = until + 20,
            Fault::FullDatabase => {
                let lost = self.database_lost_until > 0;
                if let Some(operator) = self.operator.as_ref().filter(|_| !lost) {
                    operator.limit(Some(1)).await?;
                    self.database_full_until = until;
                }
            }
            Fault::FullLog => {
                self.disk.fill(true);
                self.log_full_until = until;
            }
            Fault::FullOutbox => self.fill_outbox(place, until).await?,
            Fault::Unsynced if self.dice.percent(50) => {
                self.kill_operator(until)?;
                self.disk.lose_unsynced()?;
            }
            Fault::Unsynced => self.lose_head_file(place, until).await?,
            Fault::Clock => {
                let by = self.dice.below(2 * JUMP_SECONDS);
                let by = i64::try_from(by)? - i64::try_from(JUMP_SECONDS)?;
                self.gateways[place].clock.jump(by);
            }
            Fault::NoClock => self.lose_clock(place, until).await?,
            Fault::Sensor => self.lose_sensor(place, until).await?,
            Fault::Damage | Fault::Torn => self.wound(fault, place, until).await?,
            Fault::Fork => self.fork(place).await?,
            Fault::Witness => self.stop_witnesses(until).await,
            // Not drawn here.
            Fault::Platforms => {}
        }
        Ok(())
    }

    /// Whoever notices a dead direction ends the connection; whoever does not waits.
    fn drop_or_hold(&mut self, client: usize) {
        if self.dice.percent(50) {
            self.lose_connection(client);
        }
    }

    fn lose_connection(&mut self, client: usize) {
        if client == PLATFORM {
            self.disconnect_operator();
        } else {
            self.network.disconnect(client);
        }
    }

    /// kill -9 of an agent; what its disk has is whole.
    async fn kill_gateway(&mut self, place: usize, until: usize) -> Result<()> {
        let to = self.new_folder("agent");
        let gateway = &mut self.gateways[place];
        if !gateway.is_up() {
            return Ok(());
        }
        gateway.kill(to).await?;
        gateway.down_until = until;
        self.network.disconnect(gateway.client);
        let problems = gateway.audit().await?;
        ensure!(problems.is_empty(), "after a kill: {problems:?}");
        Ok(())
    }

    pub(super) fn kill_operator(&mut self, until: usize) -> Result<()> {
        let Some(operator) = self.operator.take() else {
            return Ok(());
        };
        let to = self.new_folder("platform");
        operator.kill(&to)?;
        self.database = to;
        self.operator_down_until = until;
        self.database_full_until = 0;
        self.database_lost_until = 0;
        self.disconnect_operator();
        self.replies.clear();
        Ok(())
    }

    fn kill_broker(&mut self, memory: Memory, until: usize) {
        self.disconnect_operator();
        self.network.kill_broker(memory, &mut self.dice, until);
        self.trace
            .note(format_args!("the broker is gone, its memory {memory:?}"));
    }

    /// A gateway starts again without a clock that runs on: it counts from 1970.
    async fn lose_clock(&mut self, place: usize, until: usize) -> Result<()> {
        if !self.gateways[place].is_up() || self.gateways[place].clock_lost_until.is_some() {
            return Ok(());
        }
        self.kill_gateway(place, self.step).await?;
        let since_1970 = self.clock.now().as_seconds();
        let gateway = &mut self.gateways[place];
        gateway.clock.jump(-since_1970);
        gateway.clock_state = ClockState::Unknown;
        gateway.clock_lost_until = Some(until);
        self.start_gateway(place).await
    }

    /// The sensor of a gateway goes, which it says.
    async fn lose_sensor(&mut self, place: usize, until: usize) -> Result<()> {
        let now = self.clock.now();
        let gateway = &mut self.gateways[place];
        if !gateway.is_up() || gateway.sensor_gone_until.is_some() {
            return Ok(());
        }
        gateway.sensor_gone_until = Some((now, until));
        let said = gateway.say("no answer", None).await?;
        self.trace.note(format_args!(
            "{} has lost its sensor, {said:?}",
            gateway.name
        ));
        self.note_made(place).await
    }

    /// A gateway learns the time, and has its sensor back.
    pub(super) async fn mend_gateway(&mut self, place: usize) -> Result<()> {
        let now = self.clock.now();
        let (step, gateway) = (self.step, &mut self.gateways[place]);
        if !gateway.is_up() {
            return Ok(());
        }
        if gateway.clock_lost_until.is_some_and(|until| until <= step) {
            gateway.clock_lost_until = None;
            gateway.clock_state = ClockState::Synced;
            gateway.clock.jump(0);
            self.trace
                .note(format_args!("{} has a clock", gateway.name));
        }
        let gone = gateway.sensor_gone_until;
        if let Some((since, _)) = gone.filter(|(_, until)| *until <= step) {
            gateway.sensor_gone_until = None;
            let said = gateway.say("it answers again", Some((since, now))).await?;
            self.trace.note(format_args!(
                "{} has its sensor back, {said:?}",
                gateway.name
            ));
            self.note_made(place).await?;
        }
        Ok(())
    }

    /// The database ends under the platform: commits are done and nobody is told, or calls fail
    /// until both start again.
    async fn lose_database(&mut self, until: usize) {
        if self.dice.percent(50) {
            self.answers_lost = self.dice.between(1, 3);
            return;
        }
        if let Some(operator) = &self.operator {
            operator.lose_database().await;
            self.database_lost_until = until;
            self.database_full_until = 0;
        }
    }

    /// The outbox of an agent that starts again has next to no room.
    async fn fill_outbox(&mut self, place: usize, until: usize) -> Result<()> {
        let room = self.dice.below(4);
        let gateway = &self.gateways[place];
        if !gateway.is_up() || gateway.pages_max.is_some() {
            return Ok(());
        }
        self.kill_gateway(place, self.step).await?;
        let gateway = &mut self.gateways[place];
        gateway.pages_max = Some(gateway.pages()? + u32::try_from(room)?);
        gateway.full_until = until;
        self.start_gateway(place).await
    }

    /// Somebody makes room on a gateway's disk.
    pub(super) async fn free_outbox(&mut self, place: usize) -> Result<()> {
        self.kill_gateway(place, self.step).await?;
        let gateway = &mut self.gateways[place];
        gateway.pages_max = None;
        self.trace
            .note(format_args!("{} has room again", gateway.name));
        if gateway.is_up() {
            Ok(())
        } else {
            self.start_gateway(place).await
        }
    }

    /// The power fails at a gateway: only the head file is not synced.
    async fn lose_head_file(&mut self, place: usize, until: usize) -> Result<()> {
        if !self.gateways[place].is_up() {
            return Ok(());
        }
        self.kill_gateway(place, until).await?;
        let file = self.gateways[place].head_file();
        if file.exists() {
            match self.dice.below(3) {
                0 => std::fs::write(file, "")?,
                1 => std::fs::remove_file(file)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// A gateway's disk is damaged where the outbox is; its head file is not.
    async fn wound(&mut self, fault: Fault, place: usize, until: usize) -> Result<()> {
        let gateway = &self.gateways[place];
        if !gateway.is_up() || !gateway.head_file().exists() {
            return Ok(());
        }
        self.kill_gateway(place, until).await?;
        let gateway = &self.gateways[place];
        let how = if fault == Fault::Torn {
            wound::tear(&gateway.database(), &mut self.dice)?
        } else {
            wound::damage(&gateway.database(), &mut self.dice)?
        };
        self.trace
            .note(format_args!("the outbox of {} {how}", gateway.name));
        self.ledger.damage(self.gateways[place].client);
        Ok(())
    }

    /// A copy of a gateway's disk begins to run beside it.
    async fn fork(&mut self, place: usize) -> Result<()> {
        let device = self.gateways[place].device;
        let same = self.gateways.iter().filter(|one| one.device == device);
        if same.count() > TWINS || !self.gateways[place].is_up() {
            return Ok(());
        }
        if self.gateways[place].flush(false).await? == Did::Refused {
            return Ok(());
        }
        self.note_made(place).await?;
        let head = self.gateways[place].outbox()?.status().borrow().head;
        let first = head.map_or(Position { epoch: 0, seq: 0 }, |head| Position {
            epoch: head.epoch,
            seq: head.seq + 1,
        });
        let twin = self.network.add_twin(self.gateways[place].client);
        let state = self.new_folder("agent");
        let gateway = self.gateways[place].cloned(twin, state)?;
        let known = self.ledger.forked.get(&device).copied();
        let first = known.map_or(first, |known| known.min(first));
        self.ledger.forked.insert(device, first);
        self.gateways.push(gateway);
        self.start_gateway(self.gateways.len() - 1).await
    }

    async fn stop_witnesses(&mut self, until: usize) {
        let count = self.dice.between(1, 2);
        for _ in 0..count {
            let place = self.dice.below(self.witnesses.count());
            self.witnesses.stop(place).await;
        }
        self.witnesses_down_until = until;
    }
}
