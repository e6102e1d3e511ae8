//! An operator whose parts are processes of their own, so that a measurement can tell their CPU
//! time and memory apart: the platform, four witnesses in one process, and database and broker
//! embedded in the platform or from Debian.
//!
//! The platform is the program that starts it, called again ([`part`]): so it is always of the
//! same build as the measurement, which the `platform` program beside it need not be. What runs is
//! [`platform::service`] under a configuration file, as in that program.

pub mod part;
pub mod usage;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use kit::clock::TokioClock;
use platform::config::Config;
use platform::keys::Keys;
use platform::mosquitto;
use reqwest::Client;
use schemas::hash::Hash;
use schemas::ids::{Origin, Slug};
use schemas::log::Party;
use schemas::time::Clock;
use tempfile::TempDir;

use crate::organisation::{Organisation, Platform, Registrar, hand_over};
use crate::parts::mosquitto::{Mosquitto, Place};
use crate::parts::postgres::Postgres;
use crate::parts::server::{self, Server};
use usage::Usage;

const ORIGIN: &str = "load.example/measured";
const OPERATOR: &str = "operator";
/// The organisation whose devices speak.
const ORGANISATION: &str = "load";
/// How long an end may take: everything stored is anchored first.
const END: Duration = Duration::from_secs(60);
/// How long witnesses or platform may take to say where they are.
const START: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How the line begins with which a platform says that it is there.
const LISTENING: &str = "listening ";

/// How a site is set up.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// PostgreSQL and Mosquitto from Debian instead of what is embedded.
    pub real: bool,
    /// Milliseconds after which a batch closes.
    pub batch_ms: u64,
    /// Statements at which a batch closes.
    pub batch_statements: u32,
}

impl Plan {
    /// Real parts, batches by the platform's defaults.
    #[must_use]
    pub fn real() -> Plan {
        let anchor = platform::config::AnchorSection::default();
        Plan {
            real: true,
            batch_ms: anchor.batch_ms,
            batch_statements: anchor.batch_statements,
        }
    }

    /// What is embedded, batches by the platform's defaults.
    #[must_use]
    pub fn embedded() -> Plan {
        Plan {
            real: false,
            ..Plan::real()
        }
    }

    /// Batches so rare that none is made while less than an hour and 65,536 statements pass:
    /// nothing is anchored.
    #[must_use]
    pub const fn without_anchoring(self) -> Plan {
        Plan {
            batch_ms: 3_600_000,
            batch_statements: 65_536,
            ..self
        }
    }
}

/// A running operator.
pub struct Site {
    // In the order in which they end.
    platform: Option<Server>,
    cosigners: Server,
    mosquitto: Option<Mosquitto>,
    postgres: Option<Postgres>,
    database: Option<String>,
    folder: TempDir,
    address: SocketAddr,
    metrics: SocketAddr,
    embedded_broker: SocketAddr,
    registrar: Registrar,
    identity: Platform,
    witnesses: String,
    http: Client,
    starts: u32,
}

impl Site {
    /// Starts everything and has the operator admitted.
    ///
    /// # Errors
    /// When a part cannot start.
    pub async fn start(plan: Plan) -> Result<Site> {
        platform::tls::install_provider();
        let folder = tempfile::Builder::new()
            .prefix("tracebond-site-")
            .tempdir()?;
        let keys = Keys::load_or_make(&folder.path().join("data/keys"))?;
        let (witnesses, sections) = startcosigners(&folder, &keys)?;
        let postgres = plan.real.then(Postgres::start).transpose()?;
        let database = postgres.as_ref().map(|one| one.database("platform"));
        let address = free_address()?;
        let origin: Origin = ORIGIN.parse()?;
        let identity = Platform {
            address: format!("http://{address}"),
            ca: String::new(),
            origin,
            log_key: keys.log.public_bytes(),
        };
        let mut site = Site {
            platform: None,
            cosigners: witnesses,
            mosquitto: None,
            postgres,
            database: database.transpose()?,
            folder,
            address,
            metrics: free_address()?,
            embedded_broker: free_address()?,
            registrar: Registrar::new("association".parse()?)?,
            identity,
            witnesses: sections,
            http: crate::stack::client(None)?,
            starts: 0,
        };
        site.configure(plan)?;
        site.start_platform()?;
        site.be_admitted(&keys).await?;
        Ok(site)
    }

    /// Writes the platform's configuration, and starts a real broker under what that makes of it.
    fn configure(&mut self, plan: Plan) -> Result<()> {
        let file = self.config();
        if !plan.real {
            let broker = format!("listen = \"{}\"", self.embedded_broker);
            return Ok(std::fs::write(file, self.text(plan, &broker)?)?);
        }
        let started = Mosquitto::start(2, |place| {
            let text = self.text(plan, &mosquitto_section(place))?;
            std::fs::write(&file, &text)?;
            let config = Config::parse("platform.toml", &text)?;
            let files = mosquitto::configure(&config, TokioClock.now())?;
            let first = files.first().context("no configuration")?;
            Ok(std::fs::read_to_string(first)?)
        })?;
        self.mosquitto = Some(started);
        Ok(())
    }

    /// Gives the platform other batches from its next start on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_batches(&mut self, plan: Plan) -> Result<()> {
        let broker = match &self.mosquitto {
            Some(mosquitto) => mosquitto_section(mosquitto.place()),
            None => format!("listen = \"{}\"", self.embedded_broker),
        };
        Ok(std::fs::write(self.config(), self.text(plan, &broker)?)?)
    }

    fn text(&self, plan: Plan, broker: &str) -> Result<String> {
        let party: Party = self.registrar.party();
        let key = party.key.ed25519_bytes().context("no Ed25519 key")?;
        let mut text = format!(
            "origin = \"{ORIGIN}\"
data = \"{data}\"
organisation = \"{OPERATOR}\"
listen = \"{address}\"
metrics = \"{metrics}\"
quorum = {quorum}
",
            data = self.data().display(),
            address = self.address,
            metrics = self.metrics,
            quorum = crate::stack::witnesses::QUORUM,
        );
        if let Some(url) = &self.database {
            writeln!(text, "database = \"{url}\"")?;
        }
        write!(
            text,
            "[broker]
{broker}
[anchor]
batch_ms = {batch_ms}
batch_statements = {batch_statements}
{witnesses}[[registrar]]
name = \"{name}\"
key = \"{key}\"
",
            batch_ms = plan.batch_ms,
            batch_statements = plan.batch_statements,
            witnesses = self.witnesses,
            name = party.name,
            key = Hash(key),
        )?;
        Ok(text)
    }

    /// Starts the platform; it listens when this returns. Blocks.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_platform(&mut self) -> Result<()> {
        let (mut platform, log) = self.spawn_platform()?;
        platform.wait(|| says(&log, LISTENING))?;
        self.platform = Some(platform);
        Ok(())
    }

    /// The same without blocking, beside a play.
    ///
    /// # Errors
    /// When it does not start in time.
    pub async fn start_platform_beside(&mut self) -> Result<()> {
        let (platform, log) = self.spawn_platform()?;
        self.platform = Some(platform);
        let end = Instant::now() + START;
        while !says(&log, LISTENING) {
            ensure!(Instant::now() < end, "the platform does not start");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    fn spawn_platform(&mut self) -> Result<(Server, PathBuf)> {
        self.starts += 1;
        let name = format!("platform-{}.log", self.starts);
        let log = self.folder.path().join(name);
        let mut command = part::command(&["platform".into(), self.config().into()])?;
        Ok((Server::start("the platform", &mut command, &log)?, log))
    }

    /// SIGKILL for the platform.
    pub fn kill_platform(&mut self) {
        self.platform = None;
    }

    /// Asks the platform to end, which anchors what it has stored. Blocks.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop_platform(&mut self) -> Result<()> {
        let platform = self.platform.take().context("no platform")?;
        platform.terminate(END)
    }

    async fn be_admitted(&self, keys: &Keys) -> Result<()> {
        let operator = platform::operator::Operator {
            capture_devices: Vec::new(),
            log: self.identity.log(),
            slug: OPERATOR.parse()?,
            keys: keys.clone(),
        };
        let signed = self.registrar.admit(operator.own_record());
        Ok(hand_over(&self.http, &self.identity.address, &signed).await?)
    }

    /// An organisation with a key of its own that the registrar has admitted.
    ///
    /// # Errors
    /// When the platform refuses.
    pub async fn organisation(&self) -> Result<Organisation> {
        let slug: Slug = ORGANISATION.parse()?;
        let owner = Organisation::new(slug, self.identity.clone(), self.http.clone())?;
        owner.join(&self.registrar).await?;
        Ok(owner)
    }

    /// Address of the database, where it is PostgreSQL.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The server of the database, where it is PostgreSQL.
    #[must_use]
    pub fn postgres(&self) -> Option<&Postgres> {
        self.postgres.as_ref()
    }

    /// Folder for what a measurement keeps.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("platform.toml")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The checkpoint that the platform has published last.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.data().join("log/checkpoint")
    }

    /// What the platform counts, as Prometheus reads it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metrics(&self) -> Result<String> {
        let url = format!("http://{}/metrics", self.metrics);
        let answer = self.http.get(url).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Process id of the platform while it runs.
    #[must_use]
    pub fn platform_id(&self) -> Option<u32> {
        self.platform.as_ref().map(Server::id)
    }

    /// What everybody has used since they started.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn usage(&self) -> Result<Spent> {
        let of = |id: Option<u32>| id.map_or(Ok(Usage::default()), Usage::of);
        let platform = Usage::of(self.platform_id().context("no platform")?)?;
        Ok(Spent {
            platform,
            postgres: (self.postgres.as_ref().and_then(Postgres::id))
                .map_or(Ok(Usage::default()), Usage::of_family)?,
            broker: of(self.mosquitto.as_ref().and_then(Mosquitto::id))?,
            witnesses: Usage::of(self.cosigners.id())?,
            publisher: Usage::of(std::process::id())?,
        })
    }
}

/// CPU time and memory by process.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// The platform, with what is embedded in it.
    pub platform: Usage,
    /// PostgreSQL with all of its processes.
    pub postgres: Usage,
    /// Mosquitto.
    pub broker: Usage,
    /// Four witnesses.
    pub witnesses: Usage,
    /// This process, which plays the devices.
    pub publisher: Usage,
}

fn mosquitto_section(place: &Place) -> String {
    let (gateways, ingest) = (place.ports[0], place.ports[1]);
    format!(
        "listen = \"127.0.0.1:{gateways}\"
url = \"mqtt://127.0.0.1:{ingest}\"
public = \"mqtt://127.0.0.1:{gateways}\"
[broker.mosquitto]
folder = \"{folder}\"
persistence = \"{folder}\"
pid_file = \"{pid}\"",
        folder = place.folder.display(),
        pid = place.pid_file().display(),
    )
}

fn free_address() -> Result<SocketAddr> {
    Ok(([127, 0, 0, 1], server::free_port()?).into())
}

fn says(log: &std::path::Path, beginning: &str) -> bool {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().any(|line| line.starts_with(beginning))
}

/// Starts four witnesses in a process; how a configuration names them.
fn startcosigners(folder: &TempDir, keys: &Keys) -> Result<(Server, String)> {
    let place = folder.path().join("witnesses");
    let key = hex::encode(keys.log.public_bytes());
    let mut command =
        part::command(&["witnesses".into(), place.into(), ORIGIN.into(), key.into()])?;
    let log = folder.path().join("witnesses.log");
    let witnesses = Server::start("the witnesses", &mut command, &log)?;
    let end = Instant::now() + START;
    loop {
        let said = witnesses.said();
        if let Some((sections, _)) = said.split_once(part::WITNESSES_END) {
            return Ok((witnesses, sections.to_owned()));
        }
        if Instant::now() > end {
            bail!("the witnesses do not start: {said}");
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A command that the kernel kills when this process ends without a chance to stop it.
pub(crate) fn own_program(program: PathBuf) -> Command {
    server::server_as(server::ROOT, program)
}
