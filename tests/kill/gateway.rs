//! One gateway: its folder and the `edge-agent` that runs on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use schemas::ids::DeviceAddress;
use serde_json::Value;
use simulators::organisation::Organisation;
use simulators::scenario::Input;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::kill::process::{Ended, Process};

/// The only place that it may name.
const PLACE: &str = "https://id.gs1.org/414/9521001000000/254/COLD";

/// A gateway, running or not.
pub struct Gateway {
    folder: PathBuf,
    logs: PathBuf,
    address: DeviceAddress,
    agent: Option<Process>,
    starts: u32,
}

/// What its outbox still holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Outbox {
    /// Lines that it has read.
    pub lines: i64,
    /// Events without a receipt.
    pub events: i64,
    /// Events that no statement holds yet.
    pub open: i64,
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
        let post = simulators::scenario::Gateway {
            slug: self.address.device.clone(),
            names: ("产线".into(), "Line".into()),
            place: PLACE.to_owned(),
            steps: vec!["storing"],
            input: Input::Scanner,
            heartbeat_seconds: 24 * 3_600,
            sensor: None,
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
        format!(
            "state = \"{state}\"
[device]
name = \"{name}\"
clock = \"synced\"
[uplink]
back_off_min_ms = 10
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
            scans = self.scans().display(),
        )
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
        self.folder.join("state")
    }

    /// Starts the agent.
    pub fn start(&mut self) -> Result<()> {
        self.starts += 1;
        let (name, config) = (format!("agent-{}", self.starts), self.config());
        let arguments = ["run".as_ref(), "--config".as_ref(), config.as_os_str()];
        self.agent = Some(Process::start(&self.logs, &name, "edge-agent", &arguments)?);
        Ok(())
    }

    /// Kills the agent.
    pub fn kill(&mut self) -> Result<()> {
        self.agent.take().context("no agent")?.kill()
    }

    /// Asks the agent to end.
    pub async fn stop(&mut self, patience: Duration) -> Result<()> {
        let agent = self.agent.take().context("no agent")?;
        agent.terminate(patience).await
    }

    /// What waits in the outbox; `None` while there is no outbox yet.
    pub async fn outbox(&self) -> Result<Option<Outbox>> {
        let file = self.state().join(edge_agent::outbox::DATABASE_FILE);
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
        let row: (i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(max(line), 0) FROM scans),
                    (SELECT count(*) FROM events),
                    (SELECT count(*) FROM events WHERE statement IS NULL),
                    (SELECT count(*) FROM statements WHERE receipt IS NULL),
                    (SELECT count(*) FROM statements)",
        )
        .fetch_one(&mut database)
        .await?;
        database.close().await?;
        let (lines, events, open, unreceipted, statements) = row;
        Ok(Some(Outbox {
            lines,
            events,
            open,
            unreceipted,
            statements,
        }))
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

async fn open(file: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(5));
    Ok(SqliteConnection::connect_with(&options).await?)
}
