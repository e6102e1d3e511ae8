//! One gateway: its folder and the `edge-agent` that runs on it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::organisation::Organisation;
use crate::scenario::Climate;
use crate::scenario::{Input, Sensor};
use anyhow::{Context, Result, ensure};
use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use serde_json::Value;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::processes::process::{Ended, Process};

/// The only place that it may name.
const PLACE: &str = "https://id.gs1.org/414/9521001000000/254/COLD";

/// Readings that make an event of its sensor.
const READINGS_PER_EVENT: u32 = 4;

/// A gateway, running or not.
pub struct Gateway {
    folder: PathBuf,
    logs: PathBuf,
    address: DeviceAddress,
    /// Name of its output files.
    name: &'static str,
    fittings: Fittings,
    agent: Option<Process>,
    starts: u32,
}

/// What is around a gateway beside its scanner; from its next start on.
#[derive(Debug, Clone, Default)]
pub struct Fittings {
    /// The broker's address over plain TCP, whatever its enrolment says.
    pub broker: Option<SocketAddr>,
    /// A Modbus device.
    pub sensor: Option<SocketAddr>,
    /// Where its state is, if not in its folder: a disk of its own.
    pub state: Option<PathBuf>,
    /// Environment of the agent.
    pub environment: Vec<(&'static str, String)>,
}

/// What its outbox still holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Outbox {
    /// Lines of its own scanner that it has read.
    pub lines: i64,
    /// Events without a receipt.
    pub events: i64,
    /// Events that no statement holds yet.
    pub open: i64,
    /// Of these, what was scanned.
    pub open_scans: i64,
    /// Statements without a receipt.
    pub unreceipted: i64,
    /// Statements whose inclusion is not verified.
    pub statements: i64,
}

impl Gateway {
    /// Sets a gateway up in `folder` and enrols it with its organisation.
    pub async fn enrolled(
        folder: PathBuf,
        logs: PathBuf,
        owner: &Organisation,
        device: &str,
    ) -> Result<Gateway> {
        std::fs::create_dir_all(&folder)?;
        let address = format!("{}/{device}", owner.slug()).parse()?;
        let gateway = Gateway {
            folder,
            logs,
            address,
            name: "agent",
            fittings: Fittings::default(),
            agent: None,
            starts: 0,
        };
        std::fs::write(gateway.scans(), "")?;
        std::fs::write(gateway.config(), gateway.text())?;
        gateway.enrol(owner).await?;
        Ok(gateway)
    }

    /// The program and the organisation talk through the platform, each on its own.
    async fn enrol(&self, owner: &Organisation) -> Result<()> {
        let claim = owner.claim()?;
        let file = self.folder.join("claim.json");
        std::fs::write(&file, serde_json::to_vec(&claim)?)?;
        let post = crate::scenario::Gateway {
            slug: self.address.device.clone(),
            names: ("产线".into(), "Line".into()),
            place: PLACE.to_owned(),
            steps: vec!["sensor_reporting", "storing"],
            input: Input::Scanner,
            heartbeat_seconds: 24 * 3_600,
            sensor: Some(cold_room()),
        };
        let (file, config) = (file.display().to_string(), self.config());
        let config = config.display().to_string();
        let arguments = ["enrol", &file, "--config", &config];
        let device = async {
            let ended = Process::run(&self.logs, "enrol", "edge-agent", &arguments).await?;
            ensure!(ended.success, "enrolment: {ended:?}");
            Ok(())
        };
        let organisation = async { Ok::<_, anyhow::Error>(owner.enrol(&claim, &post).await?) };
        tokio::try_join!(device, organisation)?;
        Ok(())
    }

    fn text(&self) -> String {
        let uplink = self
            .fittings
            .broker
            .map(|address| format!("broker = \"mqtt://{address}\"\n"));
        let mut text = format!(
            "state = \"{state}\"
[device]
name = \"{name}\"
clock = \"synced\"
[uplink]
{uplink}back_off_min_ms = 10
back_off_max_ms = 200
receipt_timeout_ms = 2000
[[source]]
type = \"scan\"
path = \"{scans}\"
place = \"{PLACE}\"
poll_ms = 5
",
            state = self.state().display(),
            name = self.address.device,
            uplink = uplink.unwrap_or_default(),
            scans = self.scans().display(),
        );
        if let Some(address) = self.fittings.sensor {
            text.push_str(&format!(
                "[[source]]
type = \"modbus\"
address = \"{address}\"
register = {register}
kind = \"i16\"
scale = 0.01
interval_s = 0.1
sensor = \"https://id.gs1.org/8004/9521001COLD1\"
measurement = \"Temperature\"
uom = \"CEL\"
readings_per_event = {READINGS_PER_EVENT}
place = \"{PLACE}\"
",
                register = crate::device::REGISTER_CENTI,
            ));
        }
        text
    }

    /// Whose it is.
    pub fn address(&self) -> &DeviceAddress {
        &self.address
    }

    /// The file that its scanner writes.
    pub fn scans(&self) -> PathBuf {
        self.folder.join("scans.jsonl")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("edge-agent.toml")
    }

    /// The agent's own folder.
    pub fn state(&self) -> PathBuf {
        let other = self.fittings.state.clone();
        other.unwrap_or_else(|| self.folder.join("state"))
    }

    /// The file of its outbox.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.state().join(edge_agent::outbox::DATABASE_FILE)
    }

    /// Whether it has more than its scanner.
    #[must_use]
    pub const fn has_sensor(&self) -> bool {
        self.fittings.sensor.is_some()
    }

    /// Changes what is around it, for its next start.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn fit(&mut self, change: impl FnOnce(&mut Fittings)) -> Result<()> {
        change(&mut self.fittings);
        Ok(std::fs::write(self.config(), self.text())?)
    }

    /// A copy of its disk as a gateway of its own with the same key, beside it: the agent of this
    /// one must not run. Its scanner is another one.
    ///
    /// # Errors
    /// When the copy cannot be made.
    pub fn twin(&self, folder: PathBuf) -> Result<Gateway> {
        let fittings = Fittings {
            state: None,
            sensor: None,
            ..self.fittings.clone()
        };
        let twin = Gateway {
            logs: self.logs.clone(),
            address: self.address.clone(),
            name: "twin",
            fittings,
            agent: None,
            starts: 0,
            folder,
        };
        std::fs::create_dir_all(&twin.folder)?;
        crate::processes::operator::copy(&self.state(), &twin.state())?;
        std::fs::set_permissions(twin.state(), std::fs::metadata(self.state())?.permissions())?;
        std::fs::write(twin.scans(), "")?;
        std::fs::write(twin.config(), twin.text())?;
        Ok(twin)
    }

    /// Lets the agent find the broker at another address than enrolment said, over TLS: that of a
    /// proxy in between.
    pub fn go_through(&self, proxy: SocketAddr) -> Result<()> {
        let uplink = format!("[uplink]\nbroker = \"mqtts://{proxy}\"\n");
        let text = self.text().replace("[uplink]\n", &uplink);
        Ok(std::fs::write(self.config(), text)?)
    }

    /// Starts the agent.
    pub fn start(&mut self) -> Result<()> {
        self.starts += 1;
        let name = format!("{}-{}", self.name, self.starts);
        let config = self.config();
        let arguments = ["run".as_ref(), "--config".as_ref(), config.as_os_str()];
        let environment = self.fittings.environment.iter();
        let environment: Vec<_> = environment
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let agent = Process::start_with(&self.logs, &name, "edge-agent", &arguments, &environment)?;
        self.agent = Some(agent);
        Ok(())
    }

    /// Kills the agent.
    pub fn kill(&mut self) -> Result<()> {
        self.agent.take().context("no agent")?.kill()
    }

    /// Its broker is here from the next start on, whatever its enrolment says.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn reach_broker_at(&self, address: SocketAddr) -> Result<()> {
        self.reach(&format!("mqtt://{address}"))
    }

    /// The same for any kind of address.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn reach(&self, broker: &str) -> Result<()> {
        let uplink = format!("[uplink]\nbroker = \"{broker}\"");
        let text = self.text().replace("[uplink]", &uplink);
        Ok(std::fs::write(self.config(), text)?)
    }

    /// See [`Process::limit_files`].
    ///
    /// # Errors
    /// When no agent runs.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        self.agent.as_ref().context("no agent")?.limit_files(bytes)
    }

    /// Asks the agent to end.
    pub async fn stop(&mut self, patience: Duration) -> Result<()> {
        let agent = self.agent.take().context("no agent")?;
        agent.terminate(patience).await
    }

    /// What waits in the outbox; `None` while there is no outbox yet.
    pub async fn outbox(&self) -> Result<Option<Outbox>> {
        let file = self.database();
        if !file.exists() {
            return Ok(None);
        }
        let mut database = open(&file).await?;
        // The agent makes its tables in one transaction after the file.
        let made: bool = sqlx::query_scalar("SELECT count(*) > 0 FROM sqlite_master")
            .fetch_one(&mut database)
            .await?;
        if !made {
            return Ok(None);
        }
        let row: (i64, i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(max(line), 0) FROM scans WHERE path = $1),
                    (SELECT count(*) FROM events),
                    (SELECT count(*) FROM events WHERE number > (SELECT signed FROM chain)),
                    (SELECT count(*) FROM events
                     WHERE number > (SELECT signed FROM chain) AND source = $2),
                    (SELECT count(*) FROM statements WHERE receipt IS NULL),
                    (SELECT count(*) FROM statements)",
        )
        .bind(self.scans().display().to_string())
        .bind(i64::from(Source::Scan.number()))
        .fetch_one(&mut database)
        .await?;
        database.close().await?;
        let (lines, events, open, open_scans, unreceipted, statements) = row;
        Ok(Some(Outbox {
            lines,
            events,
            open,
            open_scans,
            unreceipted,
            statements,
        }))
    }

    /// Statements that it still has and has a receipt for; the agent does not run. Read from a copy,
    /// since whoever looks at the files of an agent that was killed tidies them up.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub async fn received(&self) -> Result<Vec<Hash>> {
        let (copy, name) = (tempfile::tempdir()?, edge_agent::outbox::DATABASE_FILE);
        for name in [name.to_owned(), format!("{name}-wal")] {
            let file = self.state().join(&name);
            if file.exists() {
                std::fs::copy(file, copy.path().join(&name))?;
            }
        }
        let mut database = open(&copy.path().join(name)).await?;
        let rows: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT id FROM statements WHERE receipt IS NOT NULL")
                .fetch_all(&mut database)
                .await?;
        database.close().await?;
        let id = |(id,): (Vec<u8>,)| Hash::from_slice(&id).context("an id of another length");
        rows.into_iter().map(id).collect()
    }

    /// What it has counted since enrolment, or since its outbox was made anew.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub async fn counts(&self) -> Result<Value> {
        let mut database = open(&self.database()).await?;
        let text: Option<String> = sqlx::query_scalar("SELECT counts FROM chain")
            .fetch_optional(&mut database)
            .await?;
        database.close().await?;
        Ok(serde_json::from_str(
            &text.unwrap_or_else(|| "{}".to_owned()),
        )?)
    }

    /// After a graceful end every event is in a signed statement.
    pub async fn nothing_is_open(&self) -> Result<()> {
        let outbox = self.outbox().await?.context("no outbox")?;
        ensure!(outbox.open == 0, "{outbox:?}");
        Ok(())
    }

    /// What `edge-agent audit` finds.
    pub async fn audit(&self) -> Result<Value> {
        let config = self.config();
        let arguments = [
            "audit".as_ref(),
            "--json".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
        ];
        let ended: Ended = Process::run(&self.logs, "audit", "edge-agent", &arguments).await?;
        ensure!(ended.success, "audit: {ended:?}");
        Ok(serde_json::from_str(&ended.out)?)
    }
}

/// What its record allows it to measure.
fn cold_room() -> Sensor {
    Sensor {
        name: "cold-1",
        climate: Climate {
            base: 4.0,
            swing: 0.0,
            warmings: Vec::new(),
            seed: 1,
        },
        alarm: (0.0, 8.0),
    }
}

async fn open(file: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(5));
    Ok(SqliteConnection::connect_with(&options).await?)
}
