//! The platform's configuration: one TOML file, or the same struct made by whoever composes the
//! process. This is its shape; `config/check.rs` reads it and checks what types cannot.

mod check;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kit::people::LogInSection;
use kit::postgres::DatabaseUrl;
use schemas::disclosure::Audience;
use schemas::hash::Hash;
use schemas::ids::{Origin, Slug};
use schemas::log::Party;
use serde::Deserialize;

use crate::broker::Limits;

/// Everything that one platform process needs to know.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The log's name; one that ends in `/replay` says that the clock is replayed.
    pub origin: Origin,
    /// Folder of database, keys and tiles.
    pub data: PathBuf,
    /// PostgreSQL instead of the SQLite file in the data folder:
    /// `postgres://user:password@host:port/database`. The program's environment variable
    /// `DATABASE_URL` goes before it.
    #[serde(default)]
    pub database: Option<DatabaseUrl>,
    /// The eraser's address on PostgreSQL: never from the file, only from the program's environment
    /// variable `DATABASE_ERASER_URL`, so that the service's configuration does not hold it.
    #[serde(skip)]
    pub eraser: Option<DatabaseUrl>,
    /// The address of the tables' owner, from `DATABASE_OWNER_URL` alone.
    #[serde(skip)]
    pub owner: Option<DatabaseUrl>,
    /// The operator's own organisation.
    pub organisation: Slug,
    /// Address that people and gateways use, without slash at the end; default: the bound one.
    #[serde(default)]
    pub public_url: Option<String>,
    /// Listener of `GET /metrics`, plain HTTP; without it nothing is counted.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
    /// Log lines on stderr: `human` or `json`, one object a line.
    #[serde(default)]
    pub logs: kit::telemetry::Lines,
    /// HTTP listener.
    #[serde(default = "loopback")]
    pub listen: SocketAddr,
    /// True: HTTPS and MQTT over TLS with certificates of the platform's own CA.
    #[serde(default)]
    pub tls: bool,
    /// Names in the server certificate.
    #[serde(default = "names")]
    pub names: Vec<String>,
    /// Broker: embedded unless `url` is given.
    #[serde(default)]
    pub broker: BrokerSection,
    /// What takes statements from the broker.
    #[serde(default)]
    pub ingest: IngestSection,
    /// Batches and deadlines.
    #[serde(default)]
    pub anchor: AnchorSection,
    /// A C2SP `tlog-policy` file, beside this one, that names the witnesses and their quorum instead
    /// of `quorum` and `[[witness]]`: one group of all of them, each with its address.
    #[serde(default)]
    pub witness_policy: Option<PathBuf>,
    /// How long the content of events stays in the database.
    #[serde(default)]
    pub retention: RetentionSection,
    /// How many witnesses a checkpoint needs.
    #[serde(default)]
    pub quorum: u64,
    /// Name of the log key's file in the keys folder; another than `log` after the key was changed
    /// (`platform policy new-key`).
    #[serde(default = "first_log_key")]
    pub log_key: String,
    /// Witnesses.
    #[serde(default, rename = "witness")]
    pub witnesses: Vec<WitnessSection>,
    /// Registrars.
    #[serde(rename = "registrar")]
    pub registrars: Vec<PartySection>,
    /// Who may read an organisation's evidence, with that organisation's consent.
    #[serde(default, rename = "reader")]
    pub readers: Vec<ReaderSection>,
    /// Who may hand over events without a device, over the EPCIS capture interface.
    #[serde(default, rename = "capturer")]
    pub capturers: Vec<CapturerSection>,
    /// Second factors and log-in by a provider; without it people have passwords only. A role is
    /// the organisation whose page a person may read.
    #[serde(default)]
    pub log_in: Option<LogInSection>,
    /// Names of organisations and places on pages.
    #[serde(default, rename = "name")]
    pub names_on_pages: Vec<NameSection>,
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn names() -> Vec<String> {
    vec!["localhost".into(), "127.0.0.1".into()]
}

/// The broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSection {
    /// Plain MQTT listener of the embedded broker; loopback only.
    #[serde(default = "loopback")]
    pub listen: SocketAddr,
    /// TLS listener of the embedded broker for gateways, where `tls` is true.
    #[serde(default = "loopback")]
    pub listen_tls: SocketAddr,
    /// A Mosquitto's listener for gateways that speak MQTT over WebSocket, with TLS where `tls` is
    /// true; the embedded broker has its door at the platform's own HTTPS port.
    #[serde(default)]
    pub listen_ws: Option<SocketAddr>,
    /// Another broker instead of the embedded one: `mqtt://host:port` or `mqtts://host:port`.
    #[serde(default)]
    pub url: Option<String>,
    /// Where gateways find that broker, `mqtt://host:port` or `mqtts://host:port`; default: `url`.
    #[serde(default)]
    pub public: Option<String>,
    /// User name of the ingest at that broker; default: `tracebond-ingest`.
    #[serde(default)]
    pub username: String,
    /// Password of the ingest at that broker; default: one that is made and kept beside the keys.
    #[serde(default)]
    pub password: String,
    /// That broker is a Mosquitto whose files the platform writes.
    #[serde(default)]
    pub mosquitto: Option<MosquittoSection>,
    /// What strangers and devices can make the broker hold; Mosquitto knows some of it.
    #[serde(default)]
    pub limits: Limits,
}

/// A Mosquitto beside the platform. Its listener for gateways is `listen_tls` where `tls` is true,
/// else `listen`; its listener for the ingest is that of `url`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MosquittoSection {
    /// Folder of the files that the platform writes and Mosquitto reads.
    pub folder: PathBuf,
    /// Where Mosquitto writes its process id: it gets SIGHUP when passwords have changed.
    #[serde(default)]
    pub pid_file: Option<PathBuf>,
    /// Folder in which Mosquitto keeps its sessions.
    #[serde(default = "persistence")]
    pub persistence: PathBuf,
}

fn persistence() -> PathBuf {
    "/var/lib/mosquitto".into()
}

impl Default for BrokerSection {
    fn default() -> Self {
        let (username, password) = (String::new(), String::new());
        Self {
            listen: loopback(),
            listen_tls: loopback(),
            listen_ws: None,
            url: None,
            public: None,
            username,
            password,
            mosquitto: None,
            limits: Limits::default(),
        }
    }
}

/// What takes statements from the broker.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestSection {
    /// Groups of messages that are verified or stored at the same time; 0 for four for each
    /// processor: most of a group's time is the wait for the database's disk.
    pub workers: usize,
}

/// Most groups on their way in one process; each holds up to a thousand messages.
const WORKERS_MAX: usize = 64;

impl IngestSection {
    /// Groups on their way at the same time.
    #[must_use]
    pub fn workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(4, |cores| 4 * cores.get()),
            workers => workers,
        }
        .min(WORKERS_MAX)
    }
}

/// Batches and deadlines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnchorSection {
    /// A batch closes after this many milliseconds.
    pub batch_ms: u64,
    /// A batch closes at this many statements.
    pub batch_statements: u32,
    /// A receipt promises a witnessed checkpoint within this many seconds.
    pub deadline_s: u64,
    /// A missing statement is a gap after this many seconds.
    pub gap_grace_s: u64,
    /// The worker's own series of batches.
    pub shard: u64,
    /// The lease on the log lasts this many seconds: of several platforms on one database, another
    /// takes over when the leader has not renewed it for so long.
    pub lease_s: u64,
}

impl Default for AnchorSection {
    fn default() -> Self {
        Self {
            batch_ms: 1_000,
            batch_statements: 1_024,
            deadline_s: 600,
            gap_grace_s: 60,
            shard: 0,
            lease_s: 10,
        }
    }
}

impl AnchorSection {
    /// How long the lease on the log lasts.
    #[must_use]
    pub const fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_s)
    }

    /// Time between batches.
    #[must_use]
    pub const fn batch_every(&self) -> Duration {
        Duration::from_millis(self.batch_ms)
    }
}

/// How long the content of events stays in the database; `platform archive` moves it into files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSection {
    /// Whole months that content stays, 1 to 1200; for ever where this is not set.
    pub contents_months: Option<u32>,
    /// Folder of archives; default: `archive` in the data folder.
    pub folder: Option<PathBuf>,
}

/// A witness.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessSection {
    /// Its name in cosignatures.
    pub name: String,
    /// Base URL.
    pub url: String,
    /// Ed25519 key in hex.
    pub key: Hash,
    /// Who runs it, for pages.
    #[serde(default)]
    pub owner: Option<String>,
    /// True if the operator itself runs it; pages say so.
    #[serde(default)]
    pub own: bool,
    /// True: it is not in the policy of this configuration, but may be asked to sign the end of the
    /// one before. Remove it once the next policy is in force.
    #[serde(default)]
    pub retiring: bool,
    /// The authority behind its HTTPS certificate, PEM, where that is no public one.
    #[serde(default)]
    pub ca: Option<String>,
}

/// What an organisation or a place is called, for pages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameSection {
    /// Slug of an organisation, or canonical Digital Link URI of a place.
    pub id: String,
    /// Language tag to name.
    pub names: BTreeMap<String, String>,
}

/// A registrar.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartySection {
    /// Its name.
    pub name: String,
    /// Ed25519 key in hex.
    pub key: Hash,
}

/// A reader of evidence, usually a bank.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderSection {
    /// Its name: for logs, and that by which suppliers name it as `bank` when they sign a consent
    /// (`consent.md`).
    pub name: String,
    /// SHA-256 of its bearer token, in hex; none for a client that fetches its own tokens.
    #[serde(default)]
    pub token_sha256: Option<Hash>,
    /// Organisations that it reads without a signed consent, where `unsigned_consent` says so; its
    /// own organisation's needs none.
    #[serde(default)]
    pub organisations: Vec<Slug>,
    /// The operator vouches that `organisations` have consented although they have signed nothing,
    /// as on paper. A document that one of them has signed goes before it, also one that ends.
    #[serde(default)]
    pub unsigned_consent: bool,
    /// As whom it reads: `bank`, `partner` or `regulator`, so what each organisation withholds from
    /// it (`disclosure.md`).
    #[serde(default = "bank")]
    pub audience: Audience,
    /// Whether it hands hashes of documents over for the log ([`crate::handed`]).
    #[serde(default)]
    pub documents: bool,
}

const fn bank() -> Audience {
    Audience::Bank
}

/// A machine that declares events over the EPCIS capture interface. The platform signs them with a
/// key of this caller's own, device `operator/name`, source declared.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapturerSection {
    /// Its name, and that of the operator's device that signs for it.
    pub name: Slug,
    /// Whose words they are.
    pub organisation: Slug,
    /// SHA-256 of its bearer token, in hex; none for a client that fetches its own tokens.
    #[serde(default)]
    pub token_sha256: Option<Hash>,
    /// What `readPoint.id` may be, written as the caller writes it; at most 256.
    #[serde(default)]
    pub places: Vec<String>,
    /// Business steps by their bare names, others as URIs; at most 64.
    #[serde(default)]
    pub steps: Vec<String>,
}

fn first_log_key() -> String {
    crate::keys::FIRST_LOG_KEY.to_owned()
}

/// Witnesses and registrars.
pub type Parties = (Vec<Party>, Vec<Party>);

/// (field, problem).
pub type WrongField = (&'static str, String);

impl Config {
    /// `[log_in]` with its files found from the data folder.
    #[must_use]
    pub fn log_in_in_data(&self) -> Option<LogInSection> {
        let mut section = self.log_in.clone()?;
        section.found_from(&self.data);
        Some(section)
    }

    /// Folder of archives.
    #[must_use]
    pub fn archive_folder(&self) -> PathBuf {
        let folder = self.retention.folder.clone();
        folder.unwrap_or_else(|| self.data.join("archive"))
    }
}
