//! Where a gateway is measured: the operator, and the gateway's folder with its three sources.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kit::clock::TokioClock;
use schemas::ids::DeviceAddress;
use schemas::time;
use tempfile::TempDir;

use super::outbox::Peek;
use super::program::Program;
use crate::device::{ModbusDevice, Shown};
use crate::organisation::Organisation;
use crate::processes::operator::Operator;
use crate::processes::process::{DEADLINE, Process, until};
use crate::processes::site::On;
use crate::scenario::{self, DEFAULT_SEED, Input, Scenario};

/// The only place that the gateway may name.
const PLACE: &str = "https://id.gs1.org/414/9521001000000/254/COLD";
const ORGANISATION: &str = "qinghe";
const DEVICE: &str = "line-1";
/// Items of one line, so that its event has about 600 bytes.
const ITEMS: u32 = 4;
/// How long everything that was said may take to be receipted and included.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the agent may take to close, sign and store what is open.
const DRAIN: Duration = Duration::from_secs(30);
/// What the agent logs when the broker has it.
const CONNECTED: &str = "connected";

/// Where the broker is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Uplink {
    /// Where enrolment said.
    Platform,
    /// Another broker on loopback under the platform's certificate.
    Other(u16),
    /// Nowhere: nothing listens there.
    Nowhere,
}

/// Operator and gateway. Processes end before the folder is removed.
pub(super) struct Ground {
    pub(super) operator: Operator,
    /// As the agent of the gateway logs in.
    pub(super) address: DeviceAddress,
    device: ModbusDevice,
    program: Program,
    starts: u32,
    lines: u32,
    folder: TempDir,
}

/// A running agent.
pub(super) struct Agent {
    process: Process,
    /// When it was started.
    pub(super) started: Instant,
}

impl Ground {
    /// Starts the operator and enrols the gateway.
    pub(super) async fn open(program: Program) -> Result<Ground> {
        let folder = tempfile::Builder::new().prefix("tracebond-gw-").tempdir()?;
        let logs = folder.path().join("logs");
        std::fs::create_dir_all(&logs)?;
        let on = On {
            postgres: true,
            mosquitto: true,
            tls: true,
            ..On::default()
        };
        let place = folder.path().join("operator");
        let slug = ORGANISATION.parse()?;
        let mut operator = Operator::prepare(place, logs, &slug, on).await?;
        operator.batch_by_default()?;
        operator.begin().await?;
        let owner = Organisation::new(slug, operator.identity(), operator.http())?;
        owner.join(operator.registrar()).await?;
        let temperature = |now: time::Instant| Shown {
            value: 4.0 + (now.as_micros() / 1_000_000 % 7) as f64 / 10.0,
            time: now,
        };
        let device = ModbusDevice::start(Arc::new(TokioClock), Arc::new(temperature)).await?;
        let ground = Ground {
            operator,
            address: format!("{ORGANISATION}/{DEVICE}").parse()?,
            device,
            program,
            starts: 0,
            lines: 0,
            folder,
        };
        ground.prepare()?;
        ground.enrol(&owner).await?;
        Ok(ground)
    }

    fn prepare(&self) -> Result<()> {
        std::fs::write(self.scans(), "")?;
        let slave = self.tree().join("28-0316a2797d11");
        std::fs::create_dir_all(&slave)?;
        let bytes = "4b 01 4b 46 7f ff 0c 10 d8";
        let text = format!("{bytes} : crc=d8 YES\n{bytes} t=20687\n");
        Ok(std::fs::write(slave.join("w1_slave"), text)?)
    }

    async fn enrol(&self, owner: &Organisation) -> Result<()> {
        self.configure(Uplink::Platform)?;
        let claim = owner.claim()?;
        let file = self.folder.path().join("claim.json");
        std::fs::write(&file, serde_json::to_vec(&claim)?)?;
        let (file, config) = (file.display().to_string(), self.config());
        let (first, arguments) = self.program.command(&["enrol", &file, "--config", &config]);
        let device = async {
            let ended = Process::run(&self.logs(), "enrol", first, &arguments).await?;
            ensure!(ended.success, "enrolment: {ended:?}");
            Ok(())
        };
        let post = post()?;
        let organisation = async { Ok::<_, anyhow::Error>(owner.enrol(&claim, &post).await?) };
        tokio::try_join!(device, organisation)?;
        Ok(())
    }

    fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    fn config(&self) -> String {
        let path = self.folder.path().join("edge-agent.toml");
        path.display().to_string()
    }

    fn scans(&self) -> PathBuf {
        self.folder.path().join("scans.jsonl")
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("sys/bus/w1/devices")
    }

    /// The agent's own folder.
    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn configure(&self, uplink: Uplink) -> Result<()> {
        Ok(std::fs::write(self.config(), self.text(uplink)?)?)
    }

    /// As an installer would write it: nothing is tuned but the time after which what has no
    /// receipt is sent again, since a broker alone gives none.
    fn text(&self, uplink: Uplink) -> Result<String> {
        let mut text = format!(
            "state = \"{}\"\nlog_level = \"info\"\n[device]\nname = \"{DEVICE}\"\nclock = \"synced\"\n[uplink]\n",
            self.state().display()
        );
        match uplink {
            Uplink::Platform => {}
            Uplink::Other(port) => writeln!(text, "broker = \"mqtts://127.0.0.1:{port}\"")?,
            Uplink::Nowhere => writeln!(text, "broker = \"mqtts://127.0.0.1:9\"")?,
        }
        write!(
            text,
            "[[source]]
type = \"scan\"
path = \"{scans}\"
place = \"{PLACE}\"
",
            scans = self.scans().display(),
        )?;
        let modbus = format!(
            "type = \"modbus\"\naddress = \"{}\"\nregister = 0\nkind = \"i16\"\nscale = 0.01\n",
            self.device.address()
        );
        sensor(&mut text, &modbus, "COLD1")?;
        Ok(text)
    }

    /// Starts the agent.
    pub(super) fn start(&mut self, uplink: Uplink) -> Result<Agent> {
        self.configure(uplink)?;
        self.starts += 1;
        let (name, config) = (format!("agent-{}", self.starts), self.config());
        let (first, arguments) = self.program.command(&["run", "--config", &config]);
        let started = Instant::now();
        let process = Process::start(&self.logs(), &name, first, &arguments)?;
        Ok(Agent { process, started })
    }

    /// Writes so many lines at once; a `mark` tells them apart.
    pub(super) fn scan(&mut self, count: u32, mark: char) -> Result<()> {
        let mut lines = String::new();
        for number in self.lines..self.lines + count {
            let items: Vec<String> = (0..ITEMS).map(|item| uri(mark, number, item)).collect();
            let items = items.join("\",\"");
            writeln!(
                lines,
                "{{\"step\":\"inspecting\",\"items\":[\"{items}\"],\"disposition\":\"conformant\"}}"
            )?;
        }
        self.lines += count;
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(self.scans())?;
        Ok(file.write_all(lines.as_bytes())?)
    }

    /// Lines that were written, which is also the number of the next one.
    pub(super) const fn lines(&self) -> u32 {
        self.lines
    }

    /// Waits until every line is in the outbox.
    pub(super) async fn read(&self, peek: &mut Peek) -> Result<()> {
        let due = i64::from(self.lines);
        until("every line is read", PATIENCE, async || {
            Ok((peek.lines().await? >= due).then_some(()))
        })
        .await
    }

    /// Waits until all that was said has its receipt; sensors go on speaking.
    pub(super) async fn receipted(&self, peek: &mut Peek) -> Result<()> {
        let before = peek.counts().await?.newest;
        until("everything is receipted", PATIENCE, async || {
            let counts = peek.counts().await?;
            let left = counts.events - (counts.newest - before);
            Ok((left <= 0).then_some(()))
        })
        .await
    }

    /// Events that the platform has committed.
    pub(super) async fn stored(&self) -> Result<u64> {
        Ok(self.operator.stored().await?.events)
    }

    /// Hands everything over and compares what was made with what the platform has: once each, all
    /// anchored, none refused, the chain whole. How many events that were.
    pub(super) async fn check(&mut self) -> Result<u64> {
        let agent = self.start(Uplink::Platform)?;
        let mut peek = Peek::open(&self.state()).await?;
        self.read(&mut peek).await?;
        // Everything may have been read before: a program that has not begun cannot end well.
        agent.connected().await?;
        agent.stop().await?;
        let agent = self.start(Uplink::Platform)?;
        self.receipted(&mut peek).await?;
        agent.connected().await?;
        // What its sensors say until the last moment is in no hurry.
        agent.stop().await?;
        let waits = peek.counts().await?.events;
        let made = peek.made().await?;
        let due = made - u64::try_from(waits)?;
        until("everything is anchored", PATIENCE, async || {
            Ok((self.operator.stored().await?.anchored >= due).then_some(()))
        })
        .await?;
        let stored = self.operator.stored().await?;
        ensure!(
            stored.events >= due && stored.events <= made && stored.refused == 0,
            "{stored:?} of {made} events, {waits} wait"
        );
        ensure!(stored.quarantined == 0, "{stored:?}");
        self.audit().await?;
        Ok(stored.events)
    }

    async fn audit(&self) -> Result<()> {
        let config = self.config();
        let (first, arguments) = self.program.command(&["audit", "--config", &config]);
        let ended = Process::run(&self.logs(), "audit", first, &arguments).await?;
        ensure!(ended.success, "audit: {ended:?}");
        Ok(())
    }
}

/// A sensor that speaks once a minute: ten readings, one every six seconds.
fn sensor(text: &mut String, driver: &str, name: &str) -> Result<()> {
    Ok(write!(
        text,
        "[[source]]
{driver}interval_s = 6
sensor = \"https://id.gs1.org/8004/9521001{name}\"
measurement = \"Temperature\"
uom = \"CEL\"
readings_per_event = 10
place = \"{PLACE}\"
step = \"sensor_reporting\"
"
    )?)
}

/// One item of a line.
fn uri(mark: char, line: u32, item: u32) -> String {
    format!("https://id.gs1.org/01/09521001000017/21/{mark}{line}-{item}")
}

/// The first item of a line, as its event names it.
pub(super) fn first_item(mark: char, line: u32) -> String {
    uri(mark, line, 0)
}

/// What the organisation knows of the gateway.
fn post() -> Result<scenario::Gateway> {
    let scenario = Scenario::from_seed(DEFAULT_SEED);
    let gateways = scenario.gateways();
    let model = gateways.values().find(|one| one.sensor.is_some());
    Ok(scenario::Gateway {
        slug: DEVICE.parse()?,
        names: ("产线".into(), "Line".into()),
        place: PLACE.to_owned(),
        steps: vec!["inspecting", "sensor_reporting"],
        input: Input::Scanner,
        heartbeat_seconds: 24 * 3_600,
        sensor: model.context("no gateway with a sensor")?.sensor.clone(),
    })
}

impl Agent {
    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Has the broker taken it?
    pub(super) fn is_connected(&self) -> Result<bool> {
        Ok(self.process.said()?.contains(CONNECTED))
    }

    /// Waits until the broker has it, and says when that was.
    pub(super) async fn connected(&self) -> Result<Instant> {
        until("the agent is connected", DEADLINE, async || {
            Ok(self.is_connected()?.then(Instant::now))
        })
        .await
    }

    /// Asks it to end.
    pub(super) async fn stop(self) -> Result<()> {
        self.process.terminate(DRAIN).await
    }
}

/// A loopback address.
pub(super) fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}
