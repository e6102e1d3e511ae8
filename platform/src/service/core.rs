//! What every part of the platform works with: store, keys, policy, registry, log.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use schemas::log::Policy;
use schemas::time::Clock;
use tokio_util::sync::CancellationToken;

use super::{StartError, policy};
use crate::anchor::tiles::Tiles;
use crate::anchor::{
    self, Cosigner, Lease, Notary, NotaryError, Recorded, SharedTree, Succession, Teller,
};
use crate::bundle::Bundler;
use crate::capture::{Caller, Captures};
use crate::config::{CapturerSection, Config};
use crate::duty::{self, Adoption};
use crate::folder::DataFolder;
use crate::follower::Follower;
use crate::ingest::{Ingest, Wake};
use crate::keys::{self, KeyFileError, Keys};
use crate::link::{Link, LinkConfig};
use crate::metrics::Sampler;
use crate::mosquitto::Passwords;
use crate::operator::{CaptureDevice, Operator};
use crate::partition;
use crate::registry::{Gate, Registries, Snapshot};
use crate::standing::Standing;
use crate::store::{self, NotaryStore, RegistryStore, Store};

/// How often partitions are made ahead.
const PARTITIONS_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// Opened once, shared by all parts.
pub(super) struct Core {
    pub(super) folder: DataFolder,
    pub(super) keys: Keys,
    pub(super) capture_devices: Vec<CaptureDevice>,
    pub(super) store: Arc<dyn Store>,
    /// Policy of the configuration; `succession` knows the one in force.
    pub(super) policy: Policy,
    pub(super) succession: Succession,
    pub(super) gate: Arc<Gate>,
    pub(super) wake: Arc<Wake>,
    pub(super) tree: SharedTree,
    pub(super) cosigner: Arc<Cosigner>,
    pub(super) tiles: Tiles,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) standing: Standing,
    /// The script with which readers check: they compare it with what the log says of it.
    pub(super) verifier: Recorded,
}

impl Core {
    /// Takes the data folder and opens what is in it.
    pub(super) async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let folder = DataFolder::take(&config.data)?;
        let keys = Keys::load_or_make(&config.data.join("keys"))?;
        let device = |section| capture_device(config, section);
        let capture_devices = config.capturers.iter().map(device);
        let capture_devices = capture_devices.collect::<Result<_, _>>()?;
        let store = store::open(config).await?;
        if let Some(url) = &config.database {
            partition::make_if_owner(url, clock.now()).await?;
        }
        let policy = policy::of(config, &keys, policy::time(&*store, clock.now()).await?)?;
        let mut succession = Succession::none(policy.clone(), keys.log.clone());
        succession.keys = keys::log_keys(&config.data.join("keys"))?;
        succession.approved = policy::approved(&config.data).map_err(StartError::Approval)?;
        let snapshot = Snapshot::load(&*store as &dyn RegistryStore).await?;
        Ok(Self {
            folder,
            keys,
            capture_devices,
            store,
            policy,
            succession,
            gate: Arc::new(Gate::new(snapshot)),
            wake: Arc::new(Wake::default()),
            tree: SharedTree::default(),
            cosigner: Arc::new(
                Cosigner::new(config.witnesses.clone())?
                    .with_quorum(config.quorum)
                    .with_clock(Arc::clone(&clock)),
            ),
            tiles: Tiles::new(config.data.join("log")),
            clock,
            standing: Standing::default(),
            verifier: Recorded::new(kit::verifier::KIND, *kit::verifier::SCRIPT_HASH),
        })
    }

    /// The notary, its log opened and compared with checkpoint and witnesses, if it may lead; else
    /// it stands by.
    pub(super) async fn notary(&mut self, config: &Config) -> Result<Notary, StartError> {
        if let Some(before) = self.folder.before() {
            anchor::release_lease(&*self.store, before).await;
        }
        self.folder.sign()?;
        let mut notary = self.closed_notary(config);
        match notary.open().await {
            Ok(()) => {}
            Err(NotaryError::Leased) => {
                tracing::info!("another process writes the log; standing by");
                notary.follow().await?;
                notary.find_documents().await?;
            }
            Err(error @ NotaryError::Unconfirmed { .. }) => tracing::warn!("{error}"),
            Err(NotaryError::Succession(error)) if error.is_for_now() => tracing::error!("{error}"),
            Err(error) => return Err(error.into()),
        }
        Ok(notary)
    }

    fn closed_notary(&self, config: &Config) -> Notary {
        let store = Arc::clone(&self.store) as Arc<dyn NotaryStore>;
        let (clock, holder) = (Arc::clone(&self.clock), self.folder.name().to_owned());
        let lease = Lease::new(
            Arc::clone(&store),
            clock,
            anchor::LOG_LEASE,
            holder,
            config.anchor.lease(),
        );
        Notary {
            store,
            gate: Arc::clone(&self.gate),
            policy: self.policy.clone(),
            succession: self.succession.clone(),
            clock: Arc::clone(&self.clock),
            wake: Arc::clone(&self.wake),
            shard: config.anchor.shard,
            every: config.anchor.batch_every(),
            most: config.anchor.batch_statements,
            tiles: self.tiles.clone(),
            cosigner: Arc::clone(&self.cosigner),
            tree: self.tree.clone(),
            lease: Arc::new(lease),
            standing: self.standing.clone(),
            documents: vec![self.verifier.clone()],
            doubtful: AtomicBool::new(false),
        }
    }

    /// The write path.
    pub(super) fn ingest(&self, config: &Config) -> Arc<Ingest> {
        Arc::new(Ingest {
            store: Arc::clone(&self.store),
            gate: Arc::clone(&self.gate),
            log: self.policy.log,
            receipt_key: self.keys.receipt.clone(),
            deadline: Duration::from_secs(config.anchor.deadline_s),
            clock: Arc::clone(&self.clock),
            wake: Arc::clone(&self.wake),
            standing: self.standing.clone(),
            shard: config.anchor.shard,
        })
    }

    /// Who tells devices what is witnessed.
    pub(super) fn teller(&self, link: Link) -> Teller {
        Teller {
            store: Arc::clone(&self.store) as Arc<dyn NotaryStore>,
            tree: self.tree.clone(),
            link,
            standing: self.standing.clone(),
            wake: Arc::clone(&self.wake),
        }
    }

    /// Who takes the messages of processes that are gone.
    pub(super) fn adoption(
        &self,
        config: &Config,
        link: LinkConfig,
        ingest: Arc<Ingest>,
    ) -> Adoption {
        Adoption {
            store: Arc::clone(&self.store) as Arc<dyn NotaryStore>,
            clock: Arc::clone(&self.clock),
            standing: self.standing.clone(),
            shard: config.anchor.shard,
            link,
            ingest,
        }
    }

    /// The lease on this process's shard.
    pub(super) fn shard_lease(&self, config: &Config) -> Arc<Lease> {
        Arc::new(Lease::new(
            Arc::clone(&self.store) as Arc<dyn NotaryStore>,
            Arc::clone(&self.clock),
            &duty::lease_name(config.anchor.shard),
            self.folder.name().to_owned(),
            config.anchor.lease(),
        ))
    }

    /// The reader of chains.
    pub(super) fn follower(&self, config: &Config) -> Follower {
        Follower {
            store: Arc::clone(&self.store),
            gate: Arc::clone(&self.gate),
            clock: Arc::clone(&self.clock),
            wake: Arc::clone(&self.wake),
            grace: Duration::from_secs(config.anchor.gap_grace_s),
            standing: self.standing.clone(),
        }
    }

    /// Keeps the passwords of a broker whose files the platform writes, until `shutdown`.
    pub(super) fn passwords(
        &self,
        config: &Config,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (store, gate) = (Arc::clone(&self.store), Arc::clone(&self.gate));
        let section = config.broker.mosquitto.as_ref();
        let keeper =
            section.map(|section| Passwords::new(store, gate, Arc::clone(&self.wake), section));
        async move {
            if let Some(keeper) = keeper {
                keeper.run(shutdown).await;
            }
        }
    }

    /// Makes partitions ahead, day by day, where the service's role owns the tables.
    pub(super) fn partitions(
        &self,
        config: &Config,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (database, clock) = (config.database.clone(), Arc::clone(&self.clock));
        let keep = async move {
            let Some(url) = database else { return };
            loop {
                tokio::time::sleep(PARTITIONS_EVERY).await;
                if let Err(error) = partition::make_if_owner(&url, clock.now()).await {
                    let error = schemas::causes::causes(&error);
                    tracing::warn!(
                        error,
                        "no partitions were made ahead; the default one takes all"
                    );
                }
            }
        };
        async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = keep => {}
            }
        }
    }

    /// The reader of gauges.
    pub(super) fn sampler(&self, link: tokio::sync::watch::Receiver<bool>) -> Sampler {
        Sampler {
            store: Arc::clone(&self.store),
            cosigner: Arc::clone(&self.cosigner),
            clock: Arc::clone(&self.clock),
            link,
        }
    }

    /// The operator as an organisation.
    pub(super) fn operator(&self, config: &Config) -> Operator {
        let (log, slug) = (self.policy.log, config.organisation.clone());
        Operator {
            log,
            slug,
            keys: self.keys.clone(),
            capture_devices: self.capture_devices.clone(),
        }
    }

    /// The capture interface.
    pub(super) fn captures(&self, config: &Config) -> Captures {
        let operator = self.operator(config);
        let sections = config.capturers.iter().zip(&self.capture_devices);
        let caller = |(section, device): (&CapturerSection, &CaptureDevice)| {
            Caller::new(section.clone(), device.clone(), operator.address_of(device))
        };
        Captures {
            store: Arc::clone(&self.store),
            gate: Arc::clone(&self.gate),
            log: self.policy.log,
            clock: Arc::clone(&self.clock),
            wake: Arc::clone(&self.wake),
            standing: self.standing.clone(),
            shard: config.anchor.shard,
            callers: sections.map(caller).collect(),
        }
    }

    /// The maker of bundles.
    pub(super) fn bundler(&self) -> Bundler {
        let (store, tree) = (Arc::clone(&self.store), self.tree.clone());
        Bundler {
            store,
            tree,
            policies: self.succession.policies.clone(),
            registries: Registries::new(Arc::clone(&self.gate)),
        }
    }
}

/// The key that signs for a caller, made the first time.
fn capture_device(
    config: &Config,
    section: &CapturerSection,
) -> Result<CaptureDevice, KeyFileError> {
    let file = format!("keys/capture-{}.key", section.name);
    Ok(CaptureDevice {
        name: section.name.clone(),
        key: keys::load_or_make(&config.data.join(file))?,
        places: section.places.clone(),
        steps: section.steps.clone(),
    })
}
