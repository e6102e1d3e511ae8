//! What a story happens on: a database, a disk, four real witnesses behind doors that write down
//! what goes in, and a platform that starts again and again.

use std::sync::Arc;
use std::time::Duration;

use platform::anchor::tiles::Tiles;
use platform::anchor::{Cosigner, LOG_LEASE, Lease, Notary, NotaryError, SharedTree, Succession};
use platform::command::fsck;
use platform::ingest::Wake;
use platform::registry::{Gate, Snapshot};
use platform::standing::Standing;
use platform::store::{NotaryStore, RegistryStore, Store};
use schemas::hash::sha256;
use schemas::ids::Origin;
use schemas::key::SecretKey;
use schemas::log::Policy;
use schemas::registry::SignedRecord;
use schemas::time::Clock;
use schemas::tlog::LogTree;
use simulators::parts::Part;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::disk::{Disk, LOG, Left};
use super::faulty::Faulty;
use super::plan::{Calls, Fault, Plan};
use super::recorder::{Doors, Seen};
use crate::contract::engine;
use crate::contract::made;
use crate::kill::process::DEADLINE;
use crate::world::clock::HandClock;
use crate::world::people::{Device, device_record, key_of, organisation_record, party};
use crate::world::witnesses::Witnesses;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// True where it is not installed, which is said.
    pub fn is_missing(self) -> bool {
        self == Self::Postgres && Part::Postgres.skip()
    }
}

/// Everything that outlives a process.
pub struct Ground {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The disk of the log's folder.
    pub disk: Disk,
    /// In front of the witnesses.
    pub doors: Doors,
    /// Every checkpoint that left a process.
    pub seen: Arc<Seen>,
    clock: Arc<HandClock>,
    policy: Policy,
    log_key: SecretKey,
    line: Device,
    starts: u32,
    _witnesses: Witnesses,
    _running: DropGuard,
    _folder: TempDir,
    _engine: Option<engine::Engine>,
}

impl Ground {
    /// A log with an organisation and a published checkpoint.
    pub async fn new(engine: Engine) -> Self {
        let engine = match engine {
            Engine::Sqlite => engine::Engine::sqlite().await,
            Engine::Postgres => engine::Engine::postgres().await,
        };
        let mut ground = Self::on(Arc::clone(&engine.store)).await;
        ground._engine = Some(engine);
        ground
    }

    /// The same on an empty database.
    pub async fn on(store: Arc<dyn Store>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(HandClock::morning());
        let origin: Origin = "log.example.org/faults".parse().unwrap();
        let log_key = key_of(origin.as_str());
        let witnesses = Witnesses::start(folder.path(), &origin, &log_key, &clock).await;
        let (seen, ends) = (Arc::<Seen>::default(), CancellationToken::new());
        let doors = Doors::in_front_of(&witnesses.sections(), &seen, &ends).await;
        let policy = Policy {
            log: origin.log_id(&log_key.public_bytes()),
            origin,
            log_key: log_key.public(),
            witnesses: witnesses.parties(),
            quorum: 3,
            registrars: vec![party("association")],
            prev: None,
            time: clock.now(),
        };
        let mut ground = Self {
            store,
            disk: Disk::new(Arc::new(Plan::none()), Arc::clone(&seen)),
            line: made::device("qinghe/line-1"),
            clock,
            policy,
            log_key,
            doors,
            seen,
            starts: 0,
            _witnesses: witnesses,
            _running: ends.drop_guard(),
            _folder: folder,
            _engine: None,
        };
        let mut notary = ground.healthy().await;
        notary.open().await.unwrap();
        let log = ground.policy.log;
        let owner = organisation_record(log, "qinghe", &key_of("qinghe"));
        admit(&notary, SignedRecord::sign(&key_of("association"), owner)).await;
        notary.turn().await.unwrap();
        ground
    }

    /// A process that meets nothing.
    pub async fn healthy(&mut self) -> Notary {
        self.started(&Arc::new(Plan::none())).await
    }

    /// Leases of before are over.
    pub fn much_later(&self) {
        self.clock.advance(Duration::from_secs(60));
    }

    /// A statement waits for its batch.
    pub async fn say(&mut self) {
        self.clock.advance(Duration::from_secs(1));
        let statement = made::single(&mut self.line, self.starts + 1, i64::from(self.starts));
        self.store.commit(&[statement], &[]).await.unwrap();
    }

    /// A process on what is there, which meets what is planned.
    async fn started(&mut self, plan: &Arc<Plan>) -> Notary {
        // The process before is gone, and the data folder knows its name.
        let before = format!("start {}", self.starts);
        self.store.release_lease("log", &before).await.unwrap();
        self.starts += 1;
        let snapshot = Snapshot::load(&*self.store as &dyn RegistryStore).await;
        let store: Arc<dyn NotaryStore> = Arc::new(Faulty {
            store: Arc::clone(&self.store),
            plan: Arc::clone(plan),
            seen: Arc::clone(&self.seen),
        });
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let holder = format!("start {}", self.starts);
        let time = Duration::from_secs(30);
        let lease = Lease::new(
            Arc::clone(&store),
            Arc::clone(&clock),
            LOG_LEASE,
            holder,
            time,
        );
        Notary {
            store,
            gate: Arc::new(Gate::new(snapshot.unwrap())),
            policy: self.policy.clone(),
            succession: Succession::none(self.policy.clone(), self.log_key.clone()),
            clock,
            wake: Arc::new(Wake::default()),
            shard: 0,
            every: Duration::from_secs(1),
            most: 1_024,
            tiles: self.tiles(plan),
            cosigner: Arc::new(Cosigner::new(self.doors.sections.clone()).unwrap()),
            tree: SharedTree::default(),
            lease: Arc::new(lease),
            standing: Standing::default(),
            documents: Vec::new(),
            doubtful: Default::default(),
        }
    }

    fn tiles(&self, plan: &Arc<Plan>) -> Tiles {
        Tiles::on(LOG.into(), Arc::new(self.disk.with(Arc::clone(plan))))
    }

    /// One process that meets a fault, and another that goes on. `None` where the fault was never
    /// met, else the call that met it.
    pub async fn cell(
        &mut self,
        calls: Calls,
        at: u64,
        fault: Fault,
        left: Left,
    ) -> Option<String> {
        self.say().await;
        let plan = Arc::new(Plan::new(calls, at, fault));
        let notary = self.started(&plan).await;
        let record = self.new_device();
        tokio::select! {
            biased;
            () = plan.killed.cancelled() => {}
            () = story(notary, record) => {}
        }
        self.disk.fails(left);
        self.nothing_is_published_without_its_tiles();
        self.goes_on().await;
        plan.met()
    }

    /// One round of a log while others store as fast as the database takes it.
    pub async fn turn_under_load(&mut self) {
        let mut notary = self.healthy().await;
        notary.open().await.unwrap();
        let ends = CancellationToken::new();
        let writers: Vec<_> = (0..3).map(|number| self.writer(number, &ends)).collect();
        let some_wait = async {
            while self.store.waiting().await.unwrap().statements < 10 {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, some_wait)
            .await
            .expect("nothing is stored");
        let turned = timeout(DEADLINE, notary.turn()).await;
        let turned = turned.expect("the round does not end");
        ends.cancel();
        turned.unwrap();
        let published = notary.tiles.published().unwrap();
        assert_eq!(published, notary.tree.read(LogTree::size));
        for writer in writers {
            writer.await.unwrap();
        }
        self.goes_on().await;
    }

    /// Stores statements of a device of its own until the end.
    fn writer(&self, number: u32, ends: &CancellationToken) -> JoinHandle<()> {
        let (store, ends) = (Arc::clone(&self.store), ends.clone());
        let mut line = made::device(&format!("qinghe/writer-{number}"));
        tokio::spawn(async move {
            for weight in 0.. {
                if ends.is_cancelled() {
                    return;
                }
                let one = made::single(&mut line, weight, i64::from(weight));
                store.commit(&[one], &[]).await.unwrap();
            }
        })
    }

    fn new_device(&self) -> SignedRecord {
        let address = format!("qinghe/line-{}", self.starts + 1);
        let record = device_record(self.policy.log, &address, &key_of(&address), |_| ());
        SignedRecord::sign(&key_of("qinghe"), record)
    }

    /// What is served on what was left.
    fn nothing_is_published_without_its_tiles(&self) {
        let tiles = self.tiles(&Arc::new(Plan::none()));
        let size = tiles.published().unwrap();
        for tile in platform::anchor::tiles::needed(size) {
            let name = tile.name();
            let found = tiles.read(&name).unwrap();
            assert!(found.is_some(), "{name} of checkpoint {size} is missing");
        }
    }

    /// The log starts again, anchors and publishes everything, and is whole.
    async fn goes_on(&mut self) {
        let mut notary = self.healthy().await;
        let mut opened = notary.open().await;
        // A call of the process before may have been under way in the database when it was killed,
        // and renew its lease after we have released it: then that is waited out.
        if matches!(opened, Err(NotaryError::Leased)) {
            self.much_later();
            opened = notary.open().await;
        }
        opened.unwrap();
        notary.turn().await.unwrap();
        let size = notary.tree.read(LogTree::size);
        assert_eq!(notary.tiles.published().unwrap(), size);
        let waiting = self.store.waiting().await.unwrap();
        assert_eq!(waiting.statements, 0);
        let made = self.store.made_batches(10).await.unwrap();
        assert!(made.is_empty(), "{made:?}");
        let seen = notary.tree.read(|tree| self.seen.are_all_of(tree));
        assert!(seen > 0, "no checkpoint was seen");
        let findings = fsck::check(&*self.store, &notary.tiles).await.unwrap();
        assert_eq!(findings.problems, Vec::<String>::new());
        assert_eq!(findings.size, size);
    }
}

/// The life of a process: it takes office, anchors, admits, records a document. As in `run`, it
/// goes on after what a later try can mend.
async fn story(mut notary: Notary, record: SignedRecord) {
    loop {
        match notary.open().await {
            Ok(()) => break,
            Err(error) => assert_mendable(&error),
        }
    }
    turns(&mut notary).await;
    admit(&notary, record).await;
    turns(&mut notary).await;
    let hash = sha256(b"a document");
    while let Err(error) = notary.record_document("test", hash).await {
        assert_mendable(&error);
        turns(&mut notary).await;
    }
    turns(&mut notary).await;
}

/// Turns until one succeeds.
async fn turns(notary: &mut Notary) {
    while let Err(error) = notary.turn().await {
        assert_mendable(&error);
    }
}

fn assert_mendable(error: &NotaryError) {
    let mendable = matches!(error, NotaryError::Store(_) | NotaryError::Tiles(_));
    assert!(mendable, "{error:?}");
}

/// Whether it was admitted is not known where the answer is lost.
async fn admit(notary: &Notary, record: SignedRecord) {
    let (reply, _answer) = oneshot::channel();
    let waiting = vec![(record.bytes().to_vec(), reply)];
    notary.admit(waiting).await.unwrap();
}
