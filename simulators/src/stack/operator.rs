//! The operator: its witnesses and its platform, and what anybody may ask it for.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use credit::evidence::{EvidenceError, EvidencePack, InProcess, Shown};
use platform::bundle::{BundleError, Bundler};
use platform::config::{
    AnchorSection, BrokerSection, Config, IngestSection, NameSection, PartySection, ReaderSection,
};
use platform::http::Documents;
use platform::keys::Keys;
use platform::service::{self, Handle};
use reqwest::Client;
use schemas::disclosure::Audience;
use schemas::hash::Hash;
use schemas::ids::{Origin, Slug};
use schemas::log::PolicyFile;
use schemas::time::Clock;
use tokio_util::sync::CancellationToken;

use super::door::Open;
use super::engines::{self, Source};
use super::witnesses::{QUORUM, Witnesses};
use crate::folder::Stored;
use crate::organisation::{self, OrganisationError, Registrar};
use crate::parts::mosquitto::Mosquitto;
use crate::scenario;

/// Simulated seconds until the anchor deadline: time moves by hours here, while a batch takes a
/// moment of real time.
const DEADLINE_SECONDS: u64 = 2 * 86_400;

/// How long a document may take into a witnessed checkpoint, in real time.
const LOGGED_WITHIN: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How the operator is set up.
pub struct Setup<'a> {
    /// Folder of everything that is the operator's.
    pub folder: &'a Path,
    /// Log origin.
    pub origin: &'a Origin,
    /// The operator's organisation.
    pub organisation: &'a Slug,
    /// Who admits organisations.
    pub registrar: &'a Registrar,
    /// How people come in.
    pub door: Open,
    /// Everybody in the world: their names stand on pages.
    pub world: &'a [scenario::Organisation],
    /// Time between batches in milliseconds of real time.
    pub batch_milliseconds: u64,
    /// A missing statement is a gap after this.
    pub gap_grace: Duration,
    /// Address of its database; a file of its own if there is none.
    pub database: Option<&'a str>,
    /// Which broker.
    pub broker: &'a Source,
    /// Banks and others who may read, in place of the bank of this process.
    pub readers: Vec<ReaderSection>,
}

/// Where gateways find the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// `mqtt` or `mqtts`.
    pub scheme: String,
    /// Its address on this machine.
    pub address: SocketAddr,
}

/// Folder of the platform's certificates, below the operator's.
pub fn platform_tls(operator: &Path) -> PathBuf {
    operator.join("platform/tls")
}

/// A running operator.
pub struct Operator {
    handle: Handle,
    witnesses: Witnesses,
    ends: Ends,
    http: Client,
    // Ends after the platform.
    _mosquitto: Option<Mosquitto>,
}

/// What ends first, and what ends when that has ended.
#[derive(Default)]
struct Ends {
    platform: CancellationToken,
    witnesses: CancellationToken,
}

impl Operator {
    /// Starts witnesses and platform and has the operator's own organisation admitted.
    ///
    /// # Errors
    /// When one of them cannot start.
    pub async fn start(
        setup: Setup<'_>,
        http: Client,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Operator> {
        let data = setup.folder.join("platform");
        let keys = Keys::load_or_make(&data.join("keys"))?;
        let (log_key, ends) = (keys.log.public(), Ends::default());
        let memory = setup.folder.join("witnesses");
        let witnesses =
            Witnesses::start(&memory, &setup, &log_key, &clock, &ends.witnesses).await?;
        let mut config = configuration(&setup, &data, &witnesses)?;
        let mosquitto = engines::open_broker(&mut config, setup.broker)?;
        let handle = service::run(config, clock, ends.platform.clone());
        let handle = handle.await.context("the platform does not start")?;
        let operator = Operator {
            handle,
            witnesses,
            ends,
            http,
            _mosquitto: mosquitto,
        };
        operator.be_admitted(setup.registrar).await?;
        Ok(operator)
    }

    async fn be_admitted(&self, registrar: &Registrar) -> Result<(), OrganisationError> {
        let signed = registrar.admit(self.handle.operator.own_record());
        organisation::hand_over(&self.http, &self.handle.url, &signed).await
    }

    /// What a claim tells of this platform.
    pub fn identity(&self) -> anyhow::Result<organisation::Platform> {
        let log_key = self.handle.policy.log_key.ed25519_bytes();
        Ok(organisation::Platform {
            address: self.handle.url.clone(),
            ca: self.handle.ca.map(|ca| ca.to_string()).unwrap_or_default(),
            origin: self.handle.policy.origin.clone(),
            log_key: log_key.context("the log key is no Ed25519 key")?,
        })
    }

    /// Where the broker listens.
    ///
    /// # Errors
    /// When it is not an address on this machine.
    pub fn broker(&self) -> anyhow::Result<Broker> {
        let parts = self.handle.broker.split_once("://");
        let broker = parts.and_then(|(scheme, address)| {
            Some(Broker {
                scheme: scheme.to_owned(),
                address: address.to_socket_addrs().ok()?.next()?,
            })
        });
        broker.with_context(|| format!("{} is no address on this machine", self.handle.broker))
    }

    /// Fingerprint of the platform's authority, where pages are HTTPS.
    pub fn authority(&self) -> Option<Hash> {
        self.handle.ca
    }

    /// Address of the pages, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.handle.url
    }

    /// Addresses of the witnesses.
    pub fn witnesses(&self) -> impl Iterator<Item = &str> {
        self.witnesses
            .sections
            .iter()
            .map(|section| section.url.as_str())
    }

    /// The policy file.
    ///
    /// # Errors
    /// None that is known: it always has a JSON form.
    pub fn policy_file(&self) -> anyhow::Result<Vec<u8>> {
        Ok(serde_json::to_vec(&PolicyFile::new(
            self.handle.policy_entry.clone(),
        ))?)
    }

    /// The newest witnessed checkpoint, as served.
    ///
    /// # Errors
    /// When the platform does not answer with one.
    pub async fn checkpoint(&self) -> anyhow::Result<Vec<u8>> {
        self.get("/log/checkpoint", &[]).await
    }

    /// The public proof bundle of a product.
    ///
    /// # Errors
    /// When the platform does not answer with one.
    pub async fn product_bundle(&self, item: &str) -> anyhow::Result<Vec<u8>> {
        self.get("/v1/bundles/item", &[("key", item)]).await
    }

    /// A page or file of the platform.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.handle.url))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer = self.http.get(url.clone()).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(
            status.is_success(),
            "{url}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body.to_vec())
    }

    /// The whole evidence of an organisation.
    ///
    /// # Errors
    /// When nothing of it is in a witnessed checkpoint.
    pub async fn evidence(&self, organisation: &Slug) -> Result<Vec<u8>, BundleError> {
        Ok(self.handle.bundler.evidence(organisation).await?.bytes)
    }

    /// The same with the consents as a port for a bank in this process.
    pub fn evidence_port(&self) -> InProcess {
        let (bundler, store) = (self.handle.bundler.clone(), self.handle.bundler.clone());
        let packs = InProcess::new(move |organisation| {
            let bundler = bundler.clone();
            Box::pin(async move { pack(&bundler, &organisation).await })
        });
        let documents = Arc::<Documents>::default();
        packs.with_consents(move |organisation, bank| {
            let (bundler, documents) = (store.clone(), Arc::clone(&documents));
            Box::pin(async move { shown(&bundler, &documents, &organisation, &bank).await })
        })
    }

    /// Waits until a witnessed checkpoint holds this hash.
    ///
    /// # Errors
    /// When that takes too long, or the store fails.
    pub async fn logged(&self, hash: &Hash) -> anyhow::Result<()> {
        let documents = Documents::default();
        let deadline = tokio::time::Instant::now() + LOGGED_WITHIN;
        while documents.proof(&self.handle.bundler, hash).await?.is_none() {
            ensure!(
                tokio::time::Instant::now() < deadline,
                "{hash} is not in the log within {} s",
                LOGGED_WITHIN.as_secs()
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// What the platform says of itself.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stored(&self) -> anyhow::Result<Stored> {
        let totals = self.handle.store.totals().await?;
        Ok(Stored {
            events: totals.events,
            refused: totals.refused,
            quarantined: totals.quarantined,
            gaps: totals.gaps,
        })
    }

    /// Ends when the log had to stop by itself.
    pub async fn failed(&self) {
        self.handle.failed().await;
    }

    /// Ends everything in order: the platform while its witnesses still answer, then these.
    pub async fn stop(self) {
        self.ends.platform.cancel();
        self.handle.join().await;
        self.ends.witnesses.cancel();
        self.witnesses.drained().await;
    }
}

async fn pack(bundler: &Bundler, organisation: &Slug) -> Result<EvidencePack, EvidenceError> {
    match bundler.evidence(organisation).await {
        Ok(made) => Ok(EvidencePack { bundle: made.bytes }),
        Err(BundleError::NotWitnessed) => Err(EvidenceError::Unknown(organisation.clone())),
        Err(error) => Err(EvidenceError::Unreachable(error.to_string())),
    }
}

async fn shown(
    bundler: &Bundler,
    documents: &Documents,
    organisation: &Slug,
    bank: &Slug,
) -> Result<Vec<Shown>, EvidenceError> {
    let failed = |error: &dyn std::fmt::Display| EvidenceError::Unreachable(error.to_string());
    let kept = bundler.store.consents(organisation, bank).await;
    let mut all = Vec::new();
    for document in kept.map_err(|error| failed(&error))? {
        let proof = documents.proof(bundler, &document.hash).await;
        let proof = proof.map_err(|error| failed(&error))?;
        let proof = proof.map(|proof| serde_json::to_vec(&proof)).transpose();
        all.push(Shown {
            document: document.bytes,
            proof: proof.map_err(|error| failed(&error))?,
        });
    }
    Ok(all)
}

fn configuration(setup: &Setup<'_>, data: &Path, witnesses: &Witnesses) -> anyhow::Result<Config> {
    let registrar = setup.registrar.party();
    let key = registrar
        .key
        .ed25519_bytes()
        .context("the registrar's key is no Ed25519 key")?;
    let anchor = AnchorSection {
        batch_ms: setup.batch_milliseconds,
        deadline_s: DEADLINE_SECONDS,
        gap_grace_s: setup.gap_grace.as_secs(),
        ..AnchorSection::default()
    };
    Ok(Config {
        retention: Default::default(),
        database: setup.database.map(str::parse).transpose()?,
        eraser: None,
        owner: None,
        origin: setup.origin.clone(),
        data: data.to_owned(),
        organisation: setup.organisation.clone(),
        public_url: None,
        metrics: None,
        logs: Default::default(),
        listen: setup.door.listen,
        tls: setup.door.secured.is_some(),
        names: setup.door.names.clone(),
        broker: BrokerSection {
            listen_tls: setup.door.beside(),
            ..BrokerSection::default()
        },
        ingest: IngestSection::default(),
        anchor,
        witness_policy: None,
        quorum: QUORUM,
        log_key: "log".to_owned(),
        witnesses: witnesses.sections.clone(),
        registrars: vec![PartySection {
            name: registrar.name,
            key: Hash(key),
        }],
        readers: match &setup.readers[..] {
            [] => vec![reader()?],
            named => named.to_vec(),
        },
        capturers: Vec::new(),
        log_in: None,
        names_on_pages: setup.world.iter().flat_map(names).collect(),
    })
}

/// The bank as the platform knows it, which reads what suppliers have signed for it. Here it asks
/// within the process, so nobody learns its token.
fn reader() -> anyhow::Result<ReaderSection> {
    let token: [u8; 32] = schemas::random::bytes()?;
    Ok(ReaderSection {
        name: super::bank::NAME.to_owned(),
        token_sha256: Some(schemas::hash::sha256(&token)),
        organisations: Vec::new(),
        unsigned_consent: false,
        audience: Audience::Bank,
        documents: false,
    })
}

/// Names of an organisation and of its places.
fn names(organisation: &scenario::Organisation) -> Vec<NameSection> {
    let section = |id: &str, chinese: &str, english: &str| NameSection {
        id: id.to_owned(),
        names: [("zh-CN", chinese), ("en", english)]
            .map(|(language, name)| (language.to_owned(), name.to_owned()))
            .into(),
    };
    let (chinese, english) = &organisation.names;
    let mut sections = vec![section(organisation.slug.as_str(), chinese, english)];
    for gateway in &organisation.gateways {
        let (kind, kind_english) = &gateway.names;
        let (chinese, english) = (
            format!("{chinese} {kind}"),
            format!("{english}, {kind_english}"),
        );
        sections.push(section(&gateway.place, &chinese, &english));
    }
    sections
}
