//! A small world in one process: a platform on SQLite whose write path and notary are called
//! directly, four real witnesses over loopback HTTP, organisations and devices with keys of their
//! own, and a clock that only the test moves.

pub mod clock;
pub mod events;
pub mod people;
pub mod scorecards;
pub mod served;
pub mod witnesses;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use platform::anchor::tiles::Tiles;
use platform::anchor::{
    Approval, Cosigner, LOG_LEASE, Lease, Notary, NotaryError, SharedTree, Succession,
};
use platform::bundle::{Bundler, Choice};
use platform::command::fsck;
use platform::config::Config;
use platform::erase::SqliteEraser;
use platform::follower::Follower;
use platform::ingest::{Incoming, Ingest, Outcome, Wake};
use platform::policies::Policies;
use platform::registry::{AdmitError, Gate, Registries, Snapshot};
use platform::standing::Standing;
use platform::store::sqlite::SqliteStore;
use platform::store::{ChainEvent, LogStore as _, RegistryStore, Store, TraceStore as _};
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Origin};
use schemas::key::SecretKey;
use schemas::log::{Entry, Policy};
use schemas::proof::{self, Report};
use schemas::receipt::{Receipt, Reply};
use schemas::statement::Message;
use schemas::time::Clock as _;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::oneshot;

use clock::HandClock;
use people::{Device, key_of};
use witnesses::Witnesses;

/// Statements and events of a test's world fit one batch.
const BATCH: u32 = 1_024;

/// The platform, its witnesses, and the people who use it.
pub struct World {
    folder: TempDir,
    /// Moved by the test alone.
    pub clock: Arc<HandClock>,
    /// The platform's database.
    pub store: Arc<SqliteStore>,
    /// The registry in force.
    pub gate: Arc<Gate>,
    /// Whom readers trust.
    pub policy: Policy,
    /// The one writer of the log.
    pub notary: Notary,
    /// The write path.
    pub ingest: Ingest,
    /// Four of them, quorum 3.
    pub witnesses: Witnesses,
    devices: BTreeMap<String, Device>,
}

/// What became of one message.
pub struct Delivered {
    /// Stored or quarantined.
    pub outcome: Outcome,
    /// Receipts that the device gets, signatures checked.
    pub receipts: Vec<Receipt>,
}

impl Delivered {
    /// Reason code of quarantine, `stored` or `known`.
    pub fn word(&self) -> &'static str {
        match &self.outcome {
            Outcome::Stored { fresh: true, .. } => "stored",
            Outcome::Stored { fresh: false, .. } => "known",
            Outcome::Quarantined(rejection) => rejection.code,
        }
    }

    /// Statement id of a stored message.
    pub fn id(&self) -> Hash {
        match &self.outcome {
            Outcome::Stored { id, .. } => *id,
            Outcome::Quarantined(rejection) => panic!("quarantined: {rejection:?}"),
        }
    }

    /// (event index, code) of the events that the one receipt names as refused.
    pub fn refused(&self) -> Vec<(u64, String)> {
        let [receipt] = &self.receipts[..] else {
            panic!("{} receipts", self.receipts.len());
        };
        let row = |(_, event, code): &(u64, u64, String)| (*event, code.clone());
        receipt.refused.iter().map(row).collect()
    }
}

impl World {
    /// A platform with an empty registry, its log begun and witnessed.
    pub async fn start() -> Self {
        Self::named("log.example.org/tracebond").await
    }

    /// The same with an origin of its own, so another log.
    pub async fn named(origin: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(HandClock::morning());
        let origin: Origin = origin.parse().unwrap();
        let log_key = key_of(origin.as_str());
        let witnesses = Witnesses::start(folder.path(), &origin, &log_key, &clock).await;
        let policy = Policy {
            log: origin.log_id(&log_key.public_bytes()),
            origin,
            log_key: log_key.public(),
            witnesses: witnesses.parties(),
            quorum: 3,
            registrars: vec![people::party("association")],
            prev: None,
            time: clock.now(),
        };
        let file = folder.path().join("platform.db");
        let store = Arc::new(SqliteStore::open(&file).await.unwrap());
        let snapshot = Snapshot::load(&*store).await.unwrap();
        let gate = Arc::new(Gate::new(snapshot));
        let mut notary = notary_of(&store, &gate, &policy, &clock, &witnesses, folder.path());
        notary.open().await.unwrap();
        let standing = &notary.standing;
        let ingest = ingest_of(&store, &gate, &policy, &clock, standing);
        let mut world = Self {
            folder,
            clock,
            store,
            gate,
            policy,
            notary,
            ingest,
            witnesses,
            devices: BTreeMap::new(),
        };
        world.anchor().await;
        world
    }

    /// Log entry of the policy.
    pub fn policy_entry(&self) -> Vec<u8> {
        Entry::Policy(self.policy.clone()).encode()
    }

    /// Folder of everything that the operator keeps.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Hands a record to the platform; the registry version from which it counts.
    pub async fn admit_record(&self, record: &[u8]) -> Result<u64, AdmitError> {
        let (reply, answer) = oneshot::channel();
        self.notary
            .admit(vec![(record.to_vec(), reply)])
            .await
            .unwrap();
        answer.await.unwrap()
    }

    /// Delivers a message on the topic of `sender`.
    pub async fn deliver(&self, sender: &DeviceAddress, payload: &[u8]) -> Delivered {
        self.deliver_all(sender, &[payload]).await.remove(0)
    }

    /// Delivers messages that share one transaction; the receipts are with the first.
    pub async fn deliver_all(&self, sender: &DeviceAddress, payloads: &[&[u8]]) -> Vec<Delivered> {
        self.clock.advance(Duration::from_millis(10));
        let incoming = |payload: &&[u8]| Incoming {
            topic: sender.capture_topic(),
            sender: Some(sender.clone()),
            payload: payload.to_vec().into(),
        };
        let messages: Vec<_> = payloads.iter().map(incoming).collect();
        let processed = self.ingest.process(&messages).await.unwrap();
        let key = self.ingest.receipt_key.public();
        let open = |(_, bytes): (DeviceAddress, Vec<u8>)| match Reply::decode(&bytes).unwrap() {
            Reply::Receipt(bytes) => Receipt::open(&bytes, &key).unwrap(),
            Reply::Inclusion(_) => panic!("ingest sends receipts only"),
        };
        let mut receipts: Vec<Receipt> = processed.replies.into_iter().map(open).collect();
        let outcomes = processed.outcomes.into_iter();
        outcomes
            .map(|outcome| Delivered {
                outcome,
                receipts: std::mem::take(&mut receipts),
            })
            .collect()
    }

    /// Delivers what a device has signed.
    pub async fn deliver_message(&self, message: &Message) -> Delivered {
        let device = &message.statement.payload.device;
        self.deliver(device, &message.encode()).await
    }

    /// The device signs a statement over these scanned events and sends it.
    pub async fn send(&mut self, device: &str, events: &[serde_json::Value]) -> Delivered {
        let message = self.device(device).say(events);
        self.deliver_message(&message).await
    }

    /// Batches what waits, signs, has it witnessed.
    pub async fn anchor(&mut self) {
        self.clock.advance(Duration::from_secs(1));
        self.notary.turn().await.unwrap();
        let size = self.notary.tree.read(schemas::tlog::LogTree::size);
        let newest = self.store.newest_checkpoint().await.unwrap();
        assert_eq!(newest.map(|newest| newest.size), Some(size));
    }

    /// The platform ends and starts again with another policy in its configuration; only these
    /// witnesses can be reached. [`Self::policy`] stays the first one, which readers trust.
    pub async fn restart(
        &mut self,
        wanted: &Policy,
        approved: Option<Approval>,
        reached: &[&str],
    ) -> Result<(), NotaryError> {
        let folder = self.folder();
        let (store, witnesses) = (&self.store, &self.witnesses);
        let mut next = notary_of(store, &self.gate, wanted, &self.clock, witnesses, &folder);
        let origin = &wanted.origin;
        let key = key_of(origin.as_str());
        next.succession = Succession {
            policies: Policies::only(self.policy.clone()),
            keys: vec![key, witnesses::next_log_key(origin)],
            approved,
        };
        let mut sections = self.witnesses.sections();
        for section in &mut sections {
            if !reached.contains(&&*section.name) {
                section.url = "http://127.0.0.1:9".into();
            }
        }
        next.cosigner = Arc::new(Cosigner::new(sections).unwrap());
        next.open().await?;
        self.ingest.standing = next.standing.clone();
        self.notary = next;
        Ok(())
    }

    /// Makes bundles.
    pub fn bundler(&self) -> Bundler {
        Bundler {
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            tree: self.notary.tree.clone(),
            policies: self.notary.succession.policies.clone(),
            registries: Registries::new(Arc::clone(&self.gate)),
        }
    }

    /// A bundle of whole statements with nothing withheld.
    pub async fn bundle(&self, statements: &[Hash]) -> Vec<u8> {
        self.bundle_without(statements, &[]).await
    }

    /// The same with these members withheld.
    pub async fn bundle_without(&self, statements: &[Hash], withheld: &[&str]) -> Vec<u8> {
        let mut choice = Choice::default();
        for id in statements {
            choice.add_statement(*id);
        }
        let bundler = self.bundler();
        let made = bundler.make(&choice, |name| withheld.contains(&name));
        made.await.unwrap().bytes
    }

    /// Verifies under the policy that readers trust.
    pub fn verify(&self, bundle: &[u8]) -> Result<Report, proof::Refusal> {
        proof::verify(bundle, Some(&self.policy_entry()))
    }

    /// A configuration of which only the data folder counts.
    pub fn config(&self) -> Config {
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let text = format!(
            "origin = \"log.example.org/tracebond\"\ndata = \"{}\"\norganisation = \"operator\"\n\
             quorum = 1\n[[witness]]\nname = \"w\"\nurl = \"http://127.0.0.1:1\"\n\
             key = \"{key}\"\n[[registrar]]\nname = \"r\"\nkey = \"{key}\"\n",
            self.folder().display()
        );
        Config::parse("platform.toml", &text).unwrap()
    }

    /// An eraser of the database.
    pub async fn eraser(&self) -> SqliteEraser {
        let file = self.folder().join("platform.db");
        SqliteEraser::open(&file, "operator").await.unwrap()
    }

    /// What a monitor finds that reads the log, its lists and its checkpoint.
    pub async fn monitor(&self) -> Vec<String> {
        let tiles = Tiles::new(self.folder.path().join("log"));
        fsck::check(&*self.store, &tiles).await.unwrap().problems
    }

    /// Follows the chains once, and says what happened to a device's.
    pub async fn chain_events(&self, device: &str) -> Vec<ChainEvent> {
        let follower = Follower {
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            gate: Arc::clone(&self.gate),
            clock: Arc::clone(&self.clock) as Arc<dyn schemas::time::Clock>,
            wake: Arc::new(Wake::default()),
            grace: Duration::from_secs(60),
            standing: self.notary.standing.clone(),
        };
        follower.round().await.unwrap();
        let device = device.parse().unwrap();
        self.store.chain_events(Some(&device)).await.unwrap()
    }

    /// A connection with which the operator writes into its own database what it likes.
    pub async fn tamper(&self) -> SqliteConnection {
        let file = self.folder.path().join("platform.db");
        SqliteConnectOptions::new()
            .filename(file)
            .connect()
            .await
            .unwrap()
    }

    /// The operator goes on with a copy of the database: a second history.
    pub async fn notary_on_copy(&self, copy: &str) -> Notary {
        let folder = self.folder.path().join(copy);
        let file = folder.join("platform.db");
        let store = Arc::new(SqliteStore::open(&file).await.unwrap());
        let snapshot = Snapshot::load(&*store as &dyn RegistryStore).await.unwrap();
        let gate = Arc::new(Gate::new(snapshot));
        let (policy, clock) = (&self.policy, &self.clock);
        notary_of(&store, &gate, policy, clock, &self.witnesses, &folder)
    }

    /// Copies the database as it is now; its lease is no longer held.
    pub async fn copy_database(&self, copy: &str) {
        let folder = self.folder.path().join(copy);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("platform.db");
        sqlx::query("VACUUM INTO $1")
            .bind(file.to_str())
            .execute(&mut self.tamper().await)
            .await
            .unwrap();
        self.clock.advance(Duration::from_secs(60));
    }
}

fn notary_of(
    store: &Arc<SqliteStore>,
    gate: &Arc<Gate>,
    policy: &Policy,
    clock: &Arc<HandClock>,
    witnesses: &Witnesses,
    folder: &std::path::Path,
) -> Notary {
    let holder = folder.display().to_string();
    let lease = Lease::new(
        Arc::clone(store) as _,
        Arc::clone(clock) as _,
        LOG_LEASE,
        holder,
        Duration::from_secs(30),
    );
    Notary {
        store: Arc::clone(store) as _,
        gate: Arc::clone(gate),
        policy: policy.clone(),
        succession: Succession::none(policy.clone(), key_of(policy.origin.as_str())),
        clock: Arc::clone(clock) as Arc<dyn schemas::time::Clock>,
        wake: Arc::new(Wake::default()),
        shard: 0,
        every: Duration::from_secs(1),
        most: BATCH,
        tiles: Tiles::new(folder.join("log")),
        cosigner: Arc::new(Cosigner::new(witnesses.sections()).unwrap()),
        tree: SharedTree::default(),
        lease: Arc::new(lease),
        standing: Standing::default(),
        documents: Vec::new(),
        doubtful: Default::default(),
    }
}

fn ingest_of(
    store: &Arc<SqliteStore>,
    gate: &Arc<Gate>,
    policy: &Policy,
    clock: &Arc<HandClock>,
    standing: &Standing,
) -> Ingest {
    Ingest {
        store: Arc::clone(store) as Arc<dyn Store>,
        gate: Arc::clone(gate),
        log: policy.log,
        receipt_key: receipt_key(),
        deadline: Duration::from_secs(600),
        clock: Arc::clone(clock) as Arc<dyn schemas::time::Clock>,
        wake: Arc::new(Wake::default()),
        standing: standing.clone(),
        shard: 0,
    }
}

/// The key that signs receipts.
pub fn receipt_key() -> SecretKey {
    key_of("receipts")
}
