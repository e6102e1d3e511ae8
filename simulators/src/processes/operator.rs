//! The operator: four `platform witness` processes and `platform serve`, always at the same
//! addresses, over one data folder.

mod asks;

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::organisation::{Platform, Registrar, hand_over};
use anyhow::{Context, Result, ensure};
use kit::clock::TokioClock;
use platform::config::AnchorSection;
use platform::keys::{Keys, load_or_make};
use platform::tls;
use reqwest::Client;
use schemas::hash::sha256;
use schemas::ids::{Origin, Slug};
use schemas::log::PolicyFile;
use schemas::time::Clock;

use crate::processes::process::{DEADLINE, Process, until};
use crate::processes::site::{On, Site};

/// Origin of the log.
pub const ORIGIN: &str = "kill.test.example/tracebond";
/// A reader of evidence with the organisation's consent.
const TOKEN: &str = "a-token-of-this-test";
/// Names of the witnesses.
pub const WITNESSES: [&str; 4] = [
    "one.example",
    "two.example",
    "three.example",
    "four.example",
];

/// The operator with everything that it runs.
pub struct Operator {
    folder: PathBuf,
    logs: PathBuf,
    http: Client,
    address: SocketAddr,
    /// Database and broker.
    pub site: Site,
    ca: String,
    keys: Keys,
    origin: Origin,
    registrar: Registrar,
    /// Log entry of the policy, as it was before anything was killed.
    policy: Vec<u8>,
    witnesses: Vec<Process>,
    platform: Option<Process>,
    starts: u32,
}

/// How much the platform has.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    /// Accepted events.
    pub events: u64,
    /// Of these, anchored.
    pub anchored: u64,
    /// Refused events.
    pub refused: u64,
    /// Messages in quarantine.
    pub quarantined: u64,
}

impl Operator {
    /// Starts the witnesses and writes the platform's configuration. `reader_of` is the
    /// organisation whose evidence may be read.
    pub async fn prepare(
        folder: PathBuf,
        logs: PathBuf,
        reader_of: &Slug,
        on: On,
    ) -> Result<Operator> {
        platform::tls::install_provider();
        let keys = Keys::load_or_make(&folder.join("data/keys"))?;
        let origin: Origin = ORIGIN.parse()?;
        let mut witnesses = Vec::new();
        let mut sections = String::new();
        for name in WITNESSES {
            let (process, section) = start_witness(&folder, &logs, name, &keys).await?;
            witnesses.push(process);
            sections.push_str(&section);
        }
        let (http, ca) = client(&folder, on)?;
        let mut site = Site::open(on)?;
        let mut operator = Operator {
            http,
            ca,
            address: free_address()?,
            site: Site::open(On::default())?,
            registrar: Registrar::new("association".parse()?)?,
            policy: Vec::new(),
            witnesses,
            platform: None,
            starts: 0,
            folder,
            logs,
            keys,
            origin,
        };
        site.configure(&operator.config(), |top, broker| {
            operator.text((top, broker), &sections, reader_of)
        })?;
        operator.site = site;
        Ok(operator)
    }

    /// Starts the platform for the first time and has the operator's organisation admitted.
    pub async fn begin(&mut self) -> Result<()> {
        self.start().await?;
        self.be_admitted().await?;
        let policy = self.get("/v1/policy", "").await?;
        self.policy = PolicyFile::parse(&policy)?.0;
        Ok(std::fs::write(self.folder.join("policy.json"), &policy)?)
    }

    /// Starts the platform and kills it as soon as a file is in its data folder.
    pub async fn kill_once_there(&mut self, file: &str) -> Result<()> {
        let (platform, file) = (self.spawn()?, self.data().join(file));
        until(&file.display().to_string(), DEADLINE, async || {
            Ok(file.exists().then_some(()))
        })
        .await?;
        platform.kill()
    }

    fn text(
        &self,
        (top, broker): (&str, &str),
        witnesses: &str,
        reader_of: &Slug,
    ) -> Result<String> {
        let party = self.registrar.party();
        let key = party.key.ed25519_bytes().context("no Ed25519 key")?;
        Ok(format!(
            "origin = \"{ORIGIN}\"
data = \"{data}\"
organisation = \"operator\"
listen = \"{address}\"
quorum = 3
{top}[broker]
{broker}
[anchor]
batch_ms = 50
deadline_s = 2
gap_grace_s = 10
{witnesses}
[[registrar]]
name = \"{name}\"
key = \"{key}\"
[[reader]]
name = \"auditor\"
token_sha256 = \"{token}\"
organisations = [\"{reader_of}\"]
unsigned_consent = true
",
            data = self.data().display(),
            address = self.address,
            name = party.name,
            key = hex::encode(key),
            token = sha256(TOKEN.as_bytes()),
        ))
    }

    async fn be_admitted(&self) -> Result<()> {
        let operator = platform::operator::Operator {
            capture_devices: Vec::new(),
            log: self.identity().log(),
            slug: "operator".parse()?,
            keys: self.keys.clone(),
        };
        let signed = self.registrar.admit(operator.own_record());
        Ok(hand_over(&self.http, &self.url(), &signed).await?)
    }

    /// What a claim tells of this platform.
    pub fn identity(&self) -> Platform {
        Platform {
            address: self.url(),
            ca: self.ca.clone(),
            origin: self.origin.clone(),
            log_key: self.keys.log.public_bytes(),
        }
    }

    /// Who admits organisations.
    pub fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// The ingest's password at a broker that is not embedded.
    pub fn ingest_password(&self) -> Result<String> {
        let file = self.data().join("keys/broker.key");
        Ok(std::fs::read_to_string(file)?.trim().to_owned())
    }

    /// Client for organisations.
    pub fn http(&self) -> Client {
        self.http.clone()
    }

    /// Log entry of the policy.
    pub fn policy(&self) -> &[u8] {
        &self.policy
    }

    fn url(&self) -> String {
        let scheme = if self.site.on.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Where the platform listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that the platform keeps in files.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("platform.toml")
    }

    fn spawn(&mut self) -> Result<Process> {
        self.starts += 1;
        let name = format!("platform-{}", self.starts);
        let config = self.config();
        let arguments = ["serve".as_ref(), "--config".as_ref(), config.as_os_str()];
        let levels = [("RUST_LOG", "info,rmqtt=warn,tracebond::way=debug")];
        let environment = if self.site.on.watched {
            &levels[..]
        } else {
            &[]
        };
        Process::start_with(&self.logs, &name, "platform", &arguments, environment)
    }

    /// What the platform has said since its last start.
    pub fn log(&self) -> Result<String> {
        let name = format!("platform-{}.err", self.starts);
        Ok(std::fs::read_to_string(self.logs.join(name))?)
    }

    /// What it counts, where it is watched.
    pub async fn metrics(&self) -> Result<String> {
        let url = format!("http://{}/metrics", self.site.metrics);
        Ok(self.http.get(url).send().await?.text().await?)
    }

    /// Starts the platform and waits until it listens.
    pub async fn start(&mut self) -> Result<()> {
        let mut platform = self.spawn()?;
        let line = platform.first_line().await?;
        let expected = format!("listening {} broker {}", self.url(), self.site.broker());
        ensure!(line == expected, "{line}");
        self.platform = Some(platform);
        Ok(())
    }

    /// Starts the platform, which must refuse to run; what it says.
    pub async fn start_refused(&mut self) -> Result<String> {
        let ended = self.spawn()?.ended(DEADLINE).await?;
        ensure!(!ended.success, "it ran");
        Ok(ended.err)
    }

    /// Kills the platform.
    pub fn kill(&mut self) -> Result<()> {
        self.platform.take().context("no platform")?.kill()
    }

    /// The platform's way to the broker leads over this address from its next start on, and other
    /// settings are as `change` makes them.
    ///
    /// # Errors
    /// When there is no broker of its own, or the configuration cannot be written.
    pub fn reconfigure(
        &self,
        broker: SocketAddr,
        change: impl FnOnce(String) -> String,
    ) -> Result<()> {
        let own = self.site.mosquitto.as_ref().context("no real broker")?;
        let text = std::fs::read_to_string(self.config())?;
        let there = format!("url = \"{}\"", own.url(1));
        ensure!(text.contains(&there), "no {there} in the configuration");
        let text = text.replace(&there, &format!("url = \"mqtt://{broker}\""));
        Ok(std::fs::write(self.config(), change(text))?)
    }

    /// See [`Process::limit_files`].
    ///
    /// # Errors
    /// When no platform runs.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        let platform = self.platform.as_ref().context("no platform")?;
        platform.limit_files(bytes)
    }

    /// Closes batches as a platform does by default, from its next start on: [`Operator::prepare`]
    /// writes very short times, which suit stories.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub fn batch_by_default(&self) -> Result<()> {
        let default = AnchorSection::default();
        let text = std::fs::read_to_string(self.config())?;
        let text = text
            .replace(
                "batch_ms = 50\n",
                &format!("batch_ms = {}\n", default.batch_ms),
            )
            .replace(
                "deadline_s = 2\n",
                &format!("deadline_s = {}\n", default.deadline_s),
            );
        Ok(std::fs::write(self.config(), text)?)
    }

    /// Certificate and key of its servers, where it speaks TLS.
    #[must_use]
    pub fn server_files(&self) -> tls::Files {
        tls::Files::server(&self.data().join("tls"))
    }

    /// How many witnesses run.
    #[must_use]
    pub fn witnesses(&self) -> usize {
        self.witnesses.len()
    }

    /// Kills one witness for good: three are left, which is the quorum.
    pub fn kill_a_witness(&mut self) -> Result<()> {
        self.witnesses.pop().context("no witness")?.kill()
    }

    /// Asks the platform to end.
    pub async fn stop(&mut self, patience: Duration) -> Result<()> {
        let platform = self.platform.take().context("no platform")?;
        platform.terminate(patience).await
    }

    /// Copies the data folder while the platform does not run.
    pub fn back_up(&self) -> Result<()> {
        copy(&self.data(), &self.folder.join("backup"))
    }

    /// Puts the copy in the place of the data folder, and this in the place of the copy.
    pub fn exchange_backup(&self) -> Result<()> {
        let (data, backup) = (self.data(), self.folder.join("backup"));
        let aside = self.folder.join("aside");
        std::fs::rename(&data, &aside)?;
        std::fs::rename(&backup, &data)?;
        Ok(std::fs::rename(&aside, &backup)?)
    }
}

/// A client that trusts the platform's authority, and the authority's fingerprint; over plain HTTP
/// this is empty.
fn client(folder: &Path, on: On) -> Result<(Client, String)> {
    let builder = Client::builder().timeout(DEADLINE).no_proxy();
    if !on.tls {
        return Ok((builder.build()?, String::new()));
    }
    let folder = folder.join("data/tls");
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    tls::load_or_make(&folder, &names, TokioClock.now())?;
    let pem = std::fs::read_to_string(tls::Files::authority(&folder).certificate)?;
    let authority = reqwest::Certificate::from_pem(pem.as_bytes())?;
    let client = builder.tls_certs_only([authority]).build()?;
    Ok((client, tls::fingerprint(&pem)?.to_string()))
}

/// A witness, and how the platform's configuration names it.
pub async fn start_witness(
    folder: &Path,
    logs: &Path,
    name: &str,
    keys: &Keys,
) -> Result<(Process, String)> {
    let (key, memory) = (
        folder.join(format!("{name}.key")),
        folder.join(format!("{name}.json")),
    );
    let public = hex::encode(load_or_make(&key)?.public_bytes());
    let log = format!("{ORIGIN}={}", hex::encode(keys.log.public_bytes()));
    let (key, memory) = (key.display().to_string(), memory.display().to_string());
    let arguments = [
        "witness", "--name", name, "--key", &key, "--memory", &memory, "--log", &log,
    ];
    let mut process = Process::start(logs, name, "platform", &arguments)?;
    let line = process.first_line().await?;
    let url = line.rsplit_once(' ').map(|(_, url)| url.to_owned());
    let url = url.context("no address of the witness")?;
    let mut section = String::new();
    writeln!(
        section,
        "[[witness]]\nname = \"{name}\"\nurl = \"{url}\"\nkey = \"{public}\""
    )?;
    Ok((process, section))
}

/// An address that a process can have again after it was killed: below the ports that the
/// operating system gives to connections by itself.
pub fn free_address() -> Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 10_000 + u16::try_from(std::process::id() % 200)? * 100;
    for _ in 0..100 {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no free port from {base}")
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
