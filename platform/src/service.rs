//! The whole platform in one process: opens the store, the log, the broker and the routes, and
//! ends them in the reverse order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::hash::{Hash, sha256};
use schemas::ids::DeviceAddress;
use schemas::log::{Entry, Policy};
use schemas::time::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::anchor::tiles::Tiles;
use crate::anchor::{self, Cosigner, Notary, NotaryError, SharedTree};
use crate::broker::{self, BrokerAccess, BrokerConfig, BrokerError, Principal, TlsListener};
use crate::bundle::Bundler;
use crate::config::Config;
use crate::folder::{DataFolder, FolderError};
use crate::follower::Follower;
use crate::http::{self, App};
use crate::ingest::{self, Ingest, Wake};
use crate::keys::{KeyFileError, Keys};
use crate::link::{self, LinkConfig, LinkError};
use crate::operator::Operator;
use crate::registry::{AdmitError, Gate, Snapshot};
use crate::store::sqlite::SqliteStore;
use crate::store::{RegistryStore, Store, StoreError};
use crate::tls::{self, TlsError};
use crate::web::Names;

/// Messages that the ingest has in flight.
const INFLIGHT: u16 = 1_000;
/// User name of the ingest at the embedded broker.
const INGEST: &str = "tracebond-ingest";
/// How long the end may take.
const DRAIN: Duration = Duration::from_secs(10);

/// The platform cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error("{field}: {problem}")]
    Config {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A key file.
    #[error("a key cannot be used")]
    Keys(#[from] KeyFileError),
    /// The database.
    #[error("the database cannot be used")]
    Store(#[from] StoreError),
    /// The registry in the database.
    #[error("the registry cannot be read")]
    Registry(#[from] AdmitError),
    /// The log.
    #[error("the log must not go on")]
    Log(#[from] NotaryError),
    /// The policy.
    #[error("the policy cannot be made")]
    Policy(#[from] schemas::log::EntryError),
    /// The broker.
    #[error("the broker cannot start")]
    Broker(#[from] BrokerError),
    /// The link to the broker.
    #[error("the link to the broker cannot start")]
    Link(#[from] LinkError),
    /// Certificates.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The HTTP listener.
    #[error("HTTP cannot start")]
    Http(#[from] kit::serve::ServeError),
    /// The HTTP client.
    #[error("no HTTP client can be made")]
    Client(#[from] reqwest::Error),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A certificate cannot be read or written.
    #[error("the certificates in the data folder cannot be read or written")]
    Certificates(#[from] std::io::Error),
    /// The operating system has no randomness.
    #[error("no password can be made")]
    Random(#[from] schemas::random::NoRandomness),
}

/// A running platform.
pub struct Handle {
    /// Where pages and machines find it.
    pub address: SocketAddr,
    /// The same as a URL, without slash at the end.
    pub url: String,
    /// Where gateways find the broker.
    pub broker: String,
    /// Policy in force.
    pub policy: Policy,
    /// Log entry of the policy.
    pub policy_entry: Vec<u8>,
    /// Makes bundles, for those in the same process.
    pub bundler: Bundler,
    /// The store, for those in the same process.
    pub store: Arc<dyn Store>,
    /// The operator's identity: its record waits for a registrar's signature.
    pub operator: Operator,
    /// Fingerprint of the CA, without TLS none.
    pub ca: Option<Hash>,
    tasks: Vec<(&'static str, JoinHandle<()>)>,
    failed: CancellationToken,
    broker_task: Option<JoinHandle<()>>,
    broker_shutdown: CancellationToken,
    _folder: DataFolder,
}

impl Handle {
    /// Ends when the log had to stop by itself.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Waits until everything has ended after shutdown; the broker ends last.
    pub async fn join(self) {
        for (name, task) in self.tasks {
            if tokio::time::timeout(DRAIN, task).await.is_err() {
                tracing::warn!(name, "did not end in time");
            }
        }
        self.broker_shutdown.cancel();
        if let Some(task) = self.broker_task
            && tokio::time::timeout(DRAIN, task).await.is_err()
        {
            tracing::warn!("the broker did not end in time");
        }
    }
}

struct Access {
    store: Arc<dyn Store>,
    ingest: Hash,
}

#[async_trait]
impl BrokerAccess for Access {
    async fn login(&self, username: &str, password: &[u8]) -> Option<Principal> {
        if username == INGEST {
            return (sha256(password) == self.ingest).then_some(Principal::Ingest);
        }
        let address: DeviceAddress = username.parse().ok()?;
        let known = self.store.credential(username).await.ok()??;
        let mut raw = [0; 32];
        hex::decode_to_slice(password, &mut raw).ok()?;
        (sha256(&raw) == known).then_some(Principal::Device(address))
    }
}

struct Broker {
    link: LinkConfig,
    public: String,
    task: Option<JoinHandle<()>>,
}

/// The policy of a configuration; `time` is that of the log's first entry where there is one.
fn policy(
    config: &Config,
    keys: &Keys,
    time: schemas::time::Instant,
) -> Result<Policy, StartError> {
    let (witnesses, registrars) = config
        .parties()
        .map_err(|(field, problem)| StartError::Config { field, problem })?;
    let policy = Policy {
        log: config.origin.log_id(&keys.log.public_bytes()),
        origin: config.origin.clone(),
        log_key: keys.log.public(),
        witnesses,
        quorum: config.quorum,
        registrars,
        prev: None,
        time,
    };
    policy.check()?;
    Ok(policy)
}

/// Time of the policy that the log began with.
async fn policy_time(
    store: &dyn Store,
    now: schemas::time::Instant,
) -> Result<schemas::time::Instant, StoreError> {
    let first = store.entries(0, 1).await?;
    Ok(match first.first().map(|entry| Entry::parse(entry)) {
        Some(Ok(Entry::Policy(policy))) => policy.time,
        _ => now,
    })
}

/// Starts everything; it listens when this returns.
///
/// # Errors
/// [`StartError`]; nothing is left running.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<Handle, StartError> {
    tls::install_provider();
    let folder = DataFolder::take(&config.data)?;
    let keys = Keys::load_or_make(&config.data.join("keys"))?;
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&config.data.join("platform.db")).await?);
    let policy = policy(&config, &keys, policy_time(&*store, clock.now()).await?)?;
    let snapshot = Snapshot::load(&*store as &dyn RegistryStore).await?;
    let gate = Arc::new(Gate::new(snapshot));
    let wake = Arc::new(Wake::default());
    let tree = SharedTree::default();
    let cosigner = Arc::new(Cosigner::new(config.witnesses.clone())?);
    let tiles = Tiles::new(config.data.join("log"));
    let mut notary = Notary {
        store: Arc::clone(&store),
        gate: Arc::clone(&gate),
        policy: policy.clone(),
        key: keys.log.clone(),
        clock: Arc::clone(&clock),
        wake: Arc::clone(&wake),
        shard: config.anchor.shard,
        every: config.anchor.batch_every(),
        most: config.anchor.batch_statements,
        tiles: tiles.clone(),
        cosigner: Arc::clone(&cosigner),
        tree: tree.clone(),
        link: None,
        holder: folder.name().to_owned(),
        fence: 0,
        leased_until: Default::default(),
    };
    notary.open().await?;

    let certificates = if config.tls {
        Some(certificates(&config, clock.now())?)
    } else {
        None
    };
    let broker_shutdown = CancellationToken::new();
    let broker = open_broker(&config, certificates.as_ref(), &store, &broker_shutdown).await?;
    let (link, deliveries) = link::start(broker.link, broker_shutdown.child_token())?;
    notary.link = Some(link.clone());
    let ingest = Arc::new(Ingest {
        store: Arc::clone(&store),
        gate: Arc::clone(&gate),
        log: policy.log,
        receipt_key: keys.receipt.clone(),
        deadline: Duration::from_secs(config.anchor.deadline_s),
        clock: Arc::clone(&clock),
        wake: Arc::clone(&wake),
    });
    let operator = Operator {
        log: policy.log,
        slug: config.organisation.clone(),
        keys,
    };
    let bundler = Bundler {
        store: Arc::clone(&store),
        tree,
        policy: policy.clone(),
    };
    let policy_entry = Entry::Policy(policy.clone()).encode();
    let (registrar, admissions) = anchor::admissions();
    let failed = CancellationToken::new();

    let listen = Listening::bind(&config, certificates.as_ref())?;
    let app = App {
        store: Arc::clone(&store),
        gate: Arc::clone(&gate),
        registrar: registrar.clone(),
        ingest: Arc::clone(&ingest),
        bundler: bundler.clone(),
        policy: policy.clone(),
        policy_entry: policy_entry.clone(),
        clock: Arc::clone(&clock),
        tiles,
        cosigner,
        ca_pem: certificates
            .as_ref()
            .map_or_else(String::new, |c| c.ca_pem.clone()),
        broker: broker.public.clone(),
        witnesses: config.witnesses.clone(),
        names: names_on_pages(&config),
        readers: config.readers.clone(),
        operator: operator.clone(),
        public_url: config.public_url.clone().unwrap_or_default(),
        shutdown: shutdown.clone(),
    };
    let served = kit::serve::serve(
        http::router(Arc::new(app)),
        listen.address,
        listen.tls,
        shutdown.clone(),
    )
    .await?;

    let follower = Follower {
        store: Arc::clone(&store),
        gate: Arc::clone(&gate),
        clock,
        wake,
        grace: Duration::from_secs(config.anchor.gap_grace_s),
    };
    // The worker ends first, so that what it stored is still anchored; then the notary.
    let worker = tokio::spawn(ingest::run(
        ingest,
        link.clone(),
        deliveries,
        shutdown.clone(),
    ));
    let after_worker = CancellationToken::new();
    let worker = tokio::spawn(end_then(worker, after_worker.clone()));
    let notary = tokio::spawn(keep_log(notary, admissions, after_worker, failed.clone()));
    let follower = tokio::spawn(follower.run(shutdown));
    operator.register_receipt_key(&gate, &registrar).await?;
    let http = tokio::spawn(async move {
        let _ = served.task.await;
    });
    let scheme = served.scheme;
    Ok(Handle {
        address: served.address,
        url: config
            .public_url
            .unwrap_or_else(|| format!("{scheme}://{}", served.address)),
        broker: broker.public,
        policy,
        policy_entry,
        bundler,
        store,
        operator,
        ca: certificates.map(|certificates| certificates.fingerprint),
        tasks: vec![
            ("http", http),
            ("ingest", worker),
            ("notary", notary),
            ("follower", follower),
        ],
        failed,
        broker_task: broker.task,
        broker_shutdown,
        _folder: folder,
    })
}

/// Names by slug and by place, as pages want them.
fn names_on_pages(config: &Config) -> Names {
    let mut names = Names::default();
    for section in &config.names_on_pages {
        match section.id.parse() {
            Ok(slug) => names
                .organisations
                .insert(slug, section.names.clone())
                .map(|_| ()),
            Err(_) => names
                .places
                .insert(section.id.clone(), section.names.clone())
                .map(|_| ()),
        };
    }
    names
}

async fn end_then(task: JoinHandle<()>, then: CancellationToken) {
    let _ = task.await;
    then.cancel();
}

async fn keep_log(
    notary: Notary,
    admissions: tokio::sync::mpsc::Receiver<anchor::Admission>,
    shutdown: CancellationToken,
    failed: CancellationToken,
) {
    if let Err(error) = notary.run(admissions, shutdown).await {
        tracing::error!(%error, "THE LOG HAS STOPPED; statements are still taken, nothing is anchored");
        failed.cancel();
    }
}

struct Certificates {
    ca_pem: String,
    fingerprint: Hash,
    server: tls::Files,
}

/// The platform's CA and server certificate, made the first time.
fn certificates(config: &Config, now: schemas::time::Instant) -> Result<Certificates, StartError> {
    let folder = config.data.join("tls");
    let authority = tls::Files::authority(&folder);
    if !authority.certificate.exists() {
        std::fs::create_dir_all(&folder)?;
        tls::create_ca(&folder, now)?;
    }
    let server = tls::Files::server(&folder);
    if !server.certificate.exists() {
        let names: Vec<&str> = config.names.iter().map(String::as_str).collect();
        tls::issue_server(&folder, &names, now)?;
    }
    let ca_pem = std::fs::read_to_string(&authority.certificate)?;
    let fingerprint = tls::fingerprint(&ca_pem)?;
    Ok(Certificates {
        ca_pem,
        fingerprint,
        server,
    })
}

struct Listening {
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Listening {
    fn bind(config: &Config, certificates: Option<&Certificates>) -> Result<Self, StartError> {
        let tls = match certificates {
            None if !config.listen.ip().is_loopback() => {
                let problem = "plain HTTP is for loopback only; set tls = true".to_owned();
                return Err(StartError::Config {
                    field: "listen",
                    problem,
                });
            }
            None => None,
            Some(certificates) => Some(tls::server_config(&certificates.server, &["http/1.1"])?),
        };
        Ok(Self {
            address: config.listen,
            tls,
        })
    }
}

async fn open_broker(
    config: &Config,
    certificates: Option<&Certificates>,
    store: &Arc<dyn Store>,
    shutdown: &CancellationToken,
) -> Result<Broker, StartError> {
    let section = &config.broker;
    let link = |address: String, username: &str, password: String| LinkConfig {
        address,
        username: username.to_owned(),
        password,
        client_id: format!("tracebond-ingest-{}", config.anchor.shard),
        share: Some("ingest".into()),
        ca_pem: certificates.map(|certificates| certificates.ca_pem.clone()),
        inflight: INFLIGHT,
    };
    if let Some(url) = &section.url {
        let link = link(url.clone(), &section.username, section.password.clone());
        return Ok(Broker {
            link,
            public: url.clone(),
            task: None,
        });
    }
    let password = hex::encode(schemas::random::bytes::<32>()?);
    let access = Access {
        store: Arc::clone(store),
        ingest: sha256(password.as_bytes()),
    };
    let listener = certificates.map(|certificates| TlsListener {
        address: section.listen_tls,
        certificate: certificates.server.certificate.clone(),
        key: certificates.server.key.clone(),
    });
    let broker_config = BrokerConfig {
        plain: section.listen,
        tls: listener,
        ..BrokerConfig::default()
    };
    let running = broker::run(broker_config, Arc::new(access), shutdown.clone()).await?;
    let plain = running.url();
    let host = config.names.first().map_or("localhost", String::as_str);
    let public = running.tls.map_or_else(
        || plain.clone(),
        |tls| format!("mqtts://{host}:{}", tls.port()),
    );
    Ok(Broker {
        link: link(plain, INGEST, password),
        public,
        task: Some(running.task),
    })
}
