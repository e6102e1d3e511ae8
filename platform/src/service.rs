//! The whole platform in one process: opens the store, the log, the broker and the routes, and
//! ends them in the reverse order.

mod core;
mod doors;
pub mod policy;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::log::Policy;
use schemas::time::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::anchor::{self, Lease, Notary, NotaryError, Registrar};
use crate::broker::{Bridge, BrokerError};
use crate::bundle::Bundler;
use crate::config::Config;
use crate::duty::{self, Duty};
use crate::folder::{DataFolder, FolderError};
use crate::http::{self, App};
use crate::ingest::{self, Ingest};
use crate::keys::KeyFileError;
use crate::link::{self, Link, LinkError};
use crate::operator::Operator;
use crate::registry::{AdmitError, Gate};
use crate::standing::Standing;
use crate::store::{Store, StoreError};
use crate::tls::{self, TlsError};
use crate::web::Names;
use kit::people::{Clients, People, SetUpError};
use kit::routes::Entry;

use core::Core;
use doors::{Certificates, Listening, certificates, open_broker};

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
    /// The database (`database` in the configuration).
    #[error("database: it cannot be used")]
    Store(#[from] StoreError),
    /// The registry in the database.
    #[error("the registry cannot be read")]
    Registry(#[from] AdmitError),
    /// Erased content is back and cannot be removed again.
    #[error("nothing is served before what was erased is erased again")]
    Erasure(#[from] crate::erase::ErasureError),
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
    /// The client of the witnesses.
    #[error("the witnesses cannot be asked")]
    Witnesses(#[from] anchor::CosignerError),
    /// The listener of metrics.
    #[error("metrics cannot be served")]
    Metrics(#[from] kit::metrics::MetricsError),
    /// Accounts cannot be kept.
    #[error(transparent)]
    Accounts(#[from] SetUpError),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The operator's word about a next policy.
    #[error("succession.json in the data folder cannot be read")]
    Approval(#[source] std::io::Error),
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
    /// Every route of the built router.
    pub routes: Vec<Entry>,
    /// Machines that fetch their own tokens.
    pub clients: Clients,
    /// Where `GET /metrics` is answered, if anywhere.
    pub metrics: Option<SocketAddr>,
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
    duty_task: JoinHandle<()>,
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
        if tokio::time::timeout(DRAIN, self.duty_task).await.is_err() {
            tracing::warn!("the link to the broker did not end in time");
        }
        if let Some(task) = self.broker_task
            && tokio::time::timeout(DRAIN, task).await.is_err()
        {
            tracing::warn!("the broker did not end in time");
        }
    }
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
    let mut core = Core::open(&config, clock).await?;
    crate::erase::settle(&config, &*core.store, &core.tiles).await?;
    let notary = core.notary(&config).await?;
    let certificates = config.tls.then(|| certificates(&config)).transpose()?;
    let broker_shutdown = CancellationToken::new();
    let broker = open_broker(
        &config,
        certificates.as_ref(),
        &core.store,
        &core.gate,
        &broker_shutdown,
    )
    .await?;
    let (duty, ends) = (Duty::default(), broker_shutdown.child_token());
    let link_config = broker.link.clone();
    let (link, deliveries) = link::start_on_duty(broker.link, duty.clone(), ends)?;
    let ingest = core.ingest(&config);
    let (registrar, admissions) = anchor::admissions();

    let listening = Listening::bind(&config, certificates.as_ref())?;
    let public_url = listening.public_url(&config);
    let own = listening.own_url(&config);
    let people = crate::people::people(
        &config,
        public_url.clone().unwrap_or_default(),
        &own,
        Arc::clone(&core.store) as _,
        Arc::clone(&core.clock),
    )?;
    let (kept, clock) = (Arc::clone(&core.store) as _, Arc::clone(&core.clock));
    let clients = crate::people::clients(&config, &own, kept, clock);
    let around = Around {
        certificates: certificates.as_ref(),
        broker: &broker.public,
        public_url: public_url.clone().unwrap_or_default(),
        people,
        clients: clients.clone(),
        link: link.connected(),
        bridge: broker.bridge.clone(),
        shutdown: &shutdown,
    };
    let app = app(&core, &config, &ingest, &registrar, around);
    let (operator, reign) = (app.operator.clone(), app.policies().newest());
    let (router, routes) = http::routes(Arc::new(app)).into_parts();
    let served = listening.serve(router, shutdown.clone())?;
    let (address, url) = (served.address, served.url());

    let (mut tasks, mut measured) = (Vec::new(), None);
    if let Some(metrics) = config.metrics {
        let all = &crate::metrics::ALL;
        let served = kit::metrics::listen(metrics, all, broker_shutdown.child_token()).await?;
        measured = Some(served.address);
        let sampler = core.sampler(link.connected());
        tasks.push(("metrics", tokio::spawn(sampler.run(shutdown.clone()))));
    }
    // The worker ends first, so that what it stored is still anchored; then the notary.
    let (after_worker, failed) = (CancellationToken::new(), CancellationToken::new());
    if config.broker.url.is_some() {
        let adoption = core.adoption(&config, link_config, Arc::clone(&ingest));
        tasks.push(("adoption", tokio::spawn(adoption.run(shutdown.clone()))));
    }
    let worker = ingest::run(
        ingest,
        link.clone(),
        duty.clone(),
        deliveries,
        config.ingest.workers(),
        shutdown.clone(),
    );
    let worker = tokio::spawn(then_cancel(worker, after_worker.clone()));
    let after_notary = CancellationToken::new();
    let notary = keep_log(notary, admissions, after_worker, failed.clone());
    let notary = tokio::spawn(then_cancel(notary, after_notary.clone()));
    let teller = tokio::spawn(core.teller(link.clone()).run(after_notary));
    let follower = tokio::spawn(core.follower(&config).run(shutdown.clone()));
    let on_duty = keep_duty(
        duty,
        core.shard_lease(&config),
        core.standing.clone(),
        link,
        broker_shutdown.child_token(),
    );
    let passwords = tokio::spawn(core.passwords(&config, shutdown.clone()));
    let partitions = tokio::spawn(core.partitions(&config, shutdown.clone()));
    let own_keys = OwnKeys {
        operator: operator.clone(),
        gate: Arc::clone(&core.gate),
        registrar,
        standing: core.standing.clone(),
    };
    own_keys.register_once_leading().await?;
    let own_keys = tokio::spawn(own_keys.keep(shutdown));
    let http = tokio::spawn(async move {
        let _ = served.task.await;
    });
    tasks.extend([
        ("http", http),
        ("ingest", worker),
        ("notary", notary),
        ("teller", teller),
        ("follower", follower),
        ("passwords", passwords),
        ("partitions", partitions),
        ("own keys", own_keys),
    ]);
    Ok(Handle {
        address,
        url: public_url.unwrap_or(url),
        routes,
        clients,
        metrics: measured,
        broker: broker.public,
        policy: reign.policy,
        policy_entry: reign.entry,
        bundler: core.bundler(),
        store: core.store,
        operator,
        ca: certificates.map(|certificates| certificates.fingerprint),
        tasks,
        failed,
        duty_task: tokio::spawn(on_duty),
        broker_task: broker.task,
        broker_shutdown,
        _folder: core.folder,
    })
}

/// What was opened around the core, for the routes.
struct Around<'a> {
    certificates: Option<&'a Certificates>,
    broker: &'a str,
    public_url: String,
    people: People,
    clients: Clients,
    link: tokio::sync::watch::Receiver<bool>,
    bridge: Option<Bridge>,
    shutdown: &'a CancellationToken,
}

/// What the routes work with.
fn app(
    core: &Core,
    config: &Config,
    ingest: &Arc<Ingest>,
    registrar: &Registrar,
    around: Around<'_>,
) -> App {
    App {
        store: Arc::clone(&core.store),
        gate: Arc::clone(&core.gate),
        registrar: registrar.clone(),
        ingest: Arc::clone(ingest),
        people: around.people,
        clients: around.clients,
        captures: core.captures(config),
        bundler: core.bundler(),
        policy: core.policy.clone(),
        clock: Arc::clone(&core.clock),
        tiles: core.tiles.clone(),
        cosigner: Arc::clone(&core.cosigner),
        ca_pem: (around.certificates).map_or_else(String::new, |kept| kept.ca_pem.clone()),
        broker: around.broker.to_owned(),
        witnesses: config.witnesses.clone(),
        names: names_on_pages(config),
        readers: config.readers.clone(),
        verifier: core.verifier.clone(),
        standing: core.standing.clone(),
        documents: http::Documents::default(),
        operator: core.operator(config),
        public_url: around.public_url,
        link: around.link,
        bridge: around.bridge,
        shutdown: around.shutdown.clone(),
    }
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

/// Records the operator's own keys whenever this process has begun to lead.
struct OwnKeys {
    operator: Operator,
    gate: Arc<Gate>,
    registrar: Registrar,
    standing: Standing,
}

impl OwnKeys {
    /// At the start, so that a start that succeeded has them in force. Nothing where it stands by.
    async fn register_once_leading(&self) -> Result<(), AdmitError> {
        if self.standing.fence().is_none() {
            return Ok(());
        }
        let registered = self.operator.register_own_keys(&self.gate, &self.registrar);
        match registered.await {
            // It has just lost the lease; whoever leads now has done it.
            Err(AdmitError::Standby | AdmitError::Stopping) => Ok(()),
            other => other,
        }
    }

    async fn keep(self, shutdown: CancellationToken) {
        let keep = async {
            loop {
                let known = self.standing.fence();
                match known {
                    Some(fence) => self.standing.lost(fence).await,
                    None => self.standing.leading().await,
                }
                if let Err(error) = self.register_once_leading().await {
                    let error = causes(&error);
                    tracing::error!(error, "the operator's own keys are not recorded");
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = keep => {}
        }
    }
}

/// On duty until the link has ended, which is after everything that uses it; only then another
/// process may have the shard, and with it the session at the broker.
async fn keep_duty(
    duty: Duty,
    lease: Arc<Lease>,
    standing: Standing,
    link: Link,
    shutdown: CancellationToken,
) {
    duty::keep(duty, Arc::clone(&lease), standing, shutdown).await;
    link.ended().await;
    lease.release().await;
}

async fn then_cancel(work: impl Future<Output = ()>, next: CancellationToken) {
    work.await;
    next.cancel();
}

async fn keep_log(
    notary: Notary,
    admissions: tokio::sync::mpsc::Receiver<anchor::Admission>,
    shutdown: CancellationToken,
    failed: CancellationToken,
) {
    // A panic, too, is an end that must not pass unseen.
    let seen = failed.drop_guard();
    match notary.run(admissions, shutdown).await {
        Ok(()) => drop(seen.disarm()),
        Err(error) => tracing::error!(
            error = causes(&error),
            "THE LOG HAS STOPPED; statements are still taken, nothing is anchored"
        ),
    }
}
