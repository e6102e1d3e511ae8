//! A gateway at its post: folder, network, device and the agent that runs on it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use edge_agent::outbox::DATABASE_FILE;
use edge_agent::{Config, Handle, Status};
use schemas::enrol::Claim;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::time::Clock;
use tokio_util::sync::CancellationToken;

use crate::device::{Curve, ModbusDevice};
use crate::folder::Made;
use crate::gateway::{GatewayFolder, Probe};
use crate::organisation::Organisation;
use crate::proxy::{Line, Link};
use crate::recorder;
use crate::scenario::Gateway;
use crate::stack::operator::Broker;

/// How long, in real time, a gateway may take to hand everything over.
const HAND_OVER: Duration = Duration::from_secs(60);

/// How long an agent may take to end.
const END: Duration = Duration::from_secs(20);

/// What is at a post.
#[derive(Clone)]
pub struct Equipment {
    /// Whose.
    pub address: DeviceAddress,
    /// Place, steps and sources.
    pub gateway: Gateway,
    /// The sensor: how it is read and what it shows.
    pub sensor: Option<(Probe, Curve)>,
}

/// A gateway that works.
pub struct Post {
    folder: GatewayFolder,
    gateway: Gateway,
    link: Link,
    device: Option<ModbusDevice>,
    clock: Arc<dyn Clock>,
    agent: Option<Agent>,
    hidden: Vec<Hash>,
}

/// A running agent and how to end it.
struct Agent {
    handle: Handle,
    shutdown: CancellationToken,
}

impl Post {
    /// Sets a gateway up, enrols it with its organisation and starts its agent, with the auditor's
    /// recorder in its outbox. Must be done before the clock reaches its first reading.
    ///
    /// # Errors
    /// When any of that fails; the error says for which gateway.
    pub async fn set_up(
        root: &Path,
        equipment: &Equipment,
        owner: &Organisation,
        broker: &Broker,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Post> {
        let address = &equipment.address;
        let post = Post::install(root, equipment, broker, clock).await;
        let mut post = post.with_context(|| format!("setting up {address}"))?;
        let enrolled = post.enrol(owner, &equipment.gateway).await;
        enrolled.with_context(|| format!("enrolling {address}"))?;
        post.start()
            .await
            .with_context(|| format!("starting {address}"))?;
        recorder::fit(&post.outbox()).await?;
        Ok(post)
    }

    async fn install(
        root: &Path,
        equipment: &Equipment,
        broker: &Broker,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Post> {
        let folder = GatewayFolder::create(root, equipment.address.clone())?;
        let link = Link::start(broker.address).await?;
        let mut device = None;
        if let Some((_, curve)) = &equipment.sensor {
            device = Some(ModbusDevice::start(clock.clone(), curve.clone()).await?);
        }
        let probe = equipment.sensor.as_ref().map(|(probe, _)| probe);
        let probe = probe.zip(device.as_ref().map(ModbusDevice::address));
        let way = Broker {
            address: link.address(),
            ..broker.clone()
        };
        folder.configure(&equipment.gateway, &way, probe)?;
        Ok(Post {
            folder,
            gateway: equipment.gateway.clone(),
            link,
            device,
            clock,
            agent: None,
            hidden: Vec::new(),
        })
    }

    async fn enrol(&self, owner: &Organisation, gateway: &Gateway) -> anyhow::Result<()> {
        let claim = owner.claim()?;
        std::fs::write(self.folder.claim(), serde_json::to_vec_pretty(&claim)?)?;
        let device = async {
            let text = std::fs::read_to_string(self.folder.claim())?;
            let (state, name) = (self.folder.state(), &self.folder.address().device);
            edge_agent::enrol::enrol(&state, name, &Claim::parse(&text)?, |_| ()).await?;
            anyhow::Ok(())
        };
        let organisation = async { Ok(owner.enrol(&claim, gateway).await?) };
        tokio::try_join!(device, organisation)?;
        Ok(())
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        let config = Config::load(&self.folder.configuration())?;
        let shutdown = CancellationToken::new();
        let handle = edge_agent::run(config, self.clock.clone(), shutdown.clone()).await?;
        self.agent = Some(Agent { handle, shutdown });
        Ok(())
    }

    /// Whose it is.
    pub fn address(&self) -> &DeviceAddress {
        self.folder.address()
    }

    /// What it may report.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// What the agent says of itself.
    pub fn status(&self) -> Status {
        self.agent
            .as_ref()
            .map(|agent| agent.handle.snapshot())
            .unwrap_or_default()
    }

    /// True while its network works.
    pub fn is_reachable(&self) -> bool {
        self.link.line() == Line::Up
    }

    /// Cuts or restores its network.
    pub fn set_line(&self, line: Line) {
        self.link.set(line);
    }

    /// Its sensor, if it has one.
    pub fn device(&self) -> Option<&ModbusDevice> {
        self.device.as_ref()
    }

    /// How many timers its running agent has on the clock: one for the heartbeat, one for the
    /// sensor.
    pub fn timers(&self) -> usize {
        match self.agent {
            Some(_) => 1 + usize::from(self.device.is_some()),
            None => 0,
        }
    }

    /// Somebody scans: returns when the line is durable in the outbox.
    ///
    /// # Errors
    /// When the agent refuses the line or cannot store it.
    pub async fn scan(&self, line: &str) -> anyhow::Result<()> {
        let before = self.status().bad_lines;
        self.folder.scan(line)?;
        self.agent()?.handle.flush().await?;
        ensure!(
            self.status().bad_lines == before,
            "{} refused {line}",
            self.address()
        );
        Ok(())
    }

    /// Another system exports: returns when every line is durable in the outbox.
    ///
    /// # Errors
    /// When the agent refuses a line or cannot store one.
    pub async fn export(&self, lines: &[String]) -> anyhow::Result<()> {
        let before = self.status().bad_lines;
        self.folder.export(lines)?;
        self.agent()?.handle.flush().await?;
        let refused = self.status().bad_lines - before;
        ensure!(
            refused == 0,
            "{} refused {refused} of {} lines",
            self.address(),
            lines.len()
        );
        Ok(())
    }

    /// Somebody scans `count` lines and nobody hurries the agent: returns when it has verified by
    /// itself that all of it is included in a witnessed checkpoint.
    ///
    /// # Errors
    /// When that takes longer than a minute of real time.
    pub async fn scan_unhurried(&self, lines: &str, count: u64) -> anyhow::Result<()> {
        let mut status = self.agent()?.handle.status();
        let wanted = status.borrow_and_update().events_made + count;
        self.folder.scan(lines)?;
        let done = status.wait_for(|seen| seen.events_made >= wanted && seen.is_drained());
        let done = tokio::time::timeout(HAND_OVER, done).await;
        done.with_context(|| {
            format!(
                "{} could not hand over: {:?}",
                self.address(),
                self.status()
            )
        })??;
        Ok(())
    }

    /// Closes what is open in the outbox.
    ///
    /// # Errors
    /// When the outbox cannot write.
    pub async fn close(&self) -> anyhow::Result<()> {
        Ok(self.agent()?.handle.drain().await?)
    }

    /// Waits until everything said has its receipt and is included in a witnessed checkpoint.
    ///
    /// # Errors
    /// When that takes longer than a minute of real time.
    pub async fn hand_over(&self) -> anyhow::Result<()> {
        let agent = self.agent()?;
        agent.handle.flush().await?;
        match tokio::time::timeout(HAND_OVER, agent.handle.taken_over()).await {
            Ok(true) => Ok(()),
            Ok(false) => bail!("the agent of {} has ended", self.address()),
            Err(_) => bail!(
                "{} could not hand over: {:?}",
                self.address(),
                self.status()
            ),
        }
    }

    /// The owner stops the agent, deletes every unsent statement and starts it again.
    ///
    /// # Errors
    /// When the agent does not end or the file cannot be used.
    pub async fn hide(&mut self) -> anyhow::Result<()> {
        self.stop().await?;
        let mut hidden = recorder::hide_unsent(&self.outbox()).await?;
        self.hidden.append(&mut hidden);
        self.start().await
    }

    /// Ends the agent; everything that it knows is durable afterwards.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(agent) = self.agent.take() else {
            return Ok(());
        };
        agent.shutdown.cancel();
        let ended = tokio::time::timeout(END, agent.handle.join()).await;
        Ok(ended.with_context(|| format!("{} does not end", self.address()))??)
    }

    /// What it made, by the auditor's recorder.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub async fn made(&self) -> anyhow::Result<Made> {
        let leaves = recorder::recorded(&self.outbox()).await?;
        Ok(Made {
            leaves,
            hidden: self.hidden.clone(),
        })
    }

    fn outbox(&self) -> std::path::PathBuf {
        self.folder.state().join(DATABASE_FILE)
    }

    fn agent(&self) -> anyhow::Result<&Agent> {
        self.agent
            .as_ref()
            .with_context(|| format!("the agent of {} is stopped", self.address()))
    }
}
