//! The platform in this process, as its own parts: store, write path, notary, follower. The one
//! file that knows how they are put together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use platform::anchor::tiles::Tiles;
use platform::anchor::{
    Cosigner, LOG_LEASE, Lease, Notary, NotaryError, SharedTree, Succession, Teller, inclusion_of,
};
use platform::bundle::{Bundler, Choice};
use platform::command::fsck::{self, Findings};
use platform::follower::Follower;
use platform::ingest::{Incoming, Ingest, Outcome, Wake};
use platform::link::{self, Player};
use platform::registry::{Gate, Registries, Snapshot};
use platform::standing::Standing;
use platform::store::sqlite::SqliteStore;
use platform::store::{FILE, LogStore, NotaryStore, RegistryStore, Store, StoreError, TraceStore};
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::receipt::Reply;
use schemas::registry::SignedRecord;
use schemas::time::{Clock, Instant};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::oneshot;

use super::disk::LogDisk;
use super::ground::{Ground, Witnesses};
use super::time::HandClock;

/// A missing statement is a gap after this.
pub const GRACE: Duration = Duration::from_secs(20);
/// Receipts promise a witnessed checkpoint within this.
pub const DEADLINE: Duration = Duration::from_secs(600);
const LEASE: Duration = Duration::from_secs(30);
/// Most statements of a batch: more than ever wait, since statements of one instant stand in the
/// order of their ids, which no seed decides.
const BATCH_MOST: u32 = 4_096;

/// What was stored: whose, which, and whether it was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Statement id.
    pub id: Hash,
    /// False if it was there before.
    pub fresh: bool,
}

/// What became of a transaction.
#[derive(Debug, Default)]
pub struct Done {
    /// In the order of the messages; `None` for one in quarantine.
    pub taken: Vec<Option<Taken>>,
    /// (device, reply).
    pub replies: Vec<(DeviceAddress, Vec<u8>)>,
}

/// A running platform.
pub struct Operator {
    store: Arc<SqliteStore>,
    teller: Teller,
    ingest: Ingest,
    notary: Notary,
    follower: Follower,
    tree: SharedTree,
    bundler: Bundler,
    player: Player,
    folder: PathBuf,
}

impl Operator {
    /// Starts on the files of a folder, and leads.
    ///
    /// # Errors
    /// When a part does not start: [`NotaryError`] inside where the log does not let it lead.
    pub async fn open(
        ground: &Ground,
        folder: &Path,
        disk: &LogDisk,
        witnesses: &Witnesses,
        clock: &Arc<HandClock>,
    ) -> Result<Operator> {
        let store = Arc::new(SqliteStore::open(&folder.join(FILE)).await?);
        // Whoever led before is known to be gone.
        store.release_leases(HOLDER).await?;
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        let snapshot = Snapshot::load(&*store as &dyn RegistryStore).await?;
        let (gate, wake) = (Arc::new(Gate::new(snapshot)), Arc::new(Wake::default()));
        let (standing, tree) = (Standing::default(), SharedTree::default());
        let any: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        let (link, player) = link::played();
        let kept = Arc::clone(&store) as Arc<dyn NotaryStore>;
        let lease = Lease::new(
            Arc::clone(&kept),
            Arc::clone(&clock),
            LOG_LEASE,
            HOLDER.to_owned(),
            LEASE,
        );
        let succession = Succession::none(ground.policy.clone(), ground.log_key.clone());
        let bundler = Bundler {
            store: Arc::clone(&any),
            tree: tree.clone(),
            policies: succession.policies.clone(),
            registries: Registries::new(Arc::clone(&gate)),
        };
        let mut notary = Notary {
            store: kept,
            gate: Arc::clone(&gate),
            policy: ground.policy.clone(),
            succession,
            clock: Arc::clone(&clock),
            wake: Arc::clone(&wake),
            shard: 0,
            every: Duration::from_secs(1),
            most: BATCH_MOST,
            tiles: Tiles::on(disk.root().to_owned(), Arc::new(disk.clone())),
            cosigner: Arc::new(Cosigner::new(witnesses.sections.clone())?),
            tree: tree.clone(),
            lease: Arc::new(lease),
            standing: standing.clone(),
            documents: Vec::new(),
            doubtful: AtomicBool::new(false),
        };
        notary.open().await?;
        let ingest = Ingest {
            store: Arc::clone(&any),
            gate: Arc::clone(&gate),
            log: ground.policy.log,
            receipt_key: ground.receipt_key.clone(),
            deadline: DEADLINE,
            clock: Arc::clone(&clock),
            wake: Arc::clone(&wake),
            standing: standing.clone(),
            shard: 0,
        };
        let teller = Teller {
            store: Arc::clone(&store) as Arc<dyn NotaryStore>,
            tree: tree.clone(),
            link,
            standing: standing.clone(),
            wake: Arc::clone(&wake),
        };
        let follower = Follower {
            store: any,
            gate,
            clock,
            wake,
            grace: GRACE,
            standing,
        };
        Ok(Operator {
            store,
            teller,
            ingest,
            notary,
            follower,
            tree,
            bundler,
            player,
            folder: folder.to_owned(),
        })
    }

    /// Admits a record.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn admit(&self, record: &SignedRecord) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let waiting = vec![(record.bytes().to_vec(), reply)];
        self.notary.admit(waiting).await?;
        answer.await??;
        Ok(())
    }

    /// One transaction of the write path.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may be acknowledged.
    pub async fn process(
        &self,
        messages: Vec<(DeviceAddress, Vec<u8>)>,
    ) -> Result<Done, StoreError> {
        let incoming = |(device, payload): (DeviceAddress, Vec<u8>)| Incoming {
            topic: device.capture_topic(),
            sender: Some(device),
            payload: payload.into(),
        };
        let messages: Vec<Incoming> = messages.into_iter().map(incoming).collect();
        let processed = self.ingest.process(&messages).await?;
        let taken = |outcome: Outcome| match outcome {
            Outcome::Stored { id, fresh, .. } => Some(Taken { id, fresh }),
            Outcome::Quarantined(_) => None,
        };
        Ok(Done {
            taken: processed.outcomes.into_iter().map(taken).collect(),
            replies: processed.replies,
        })
    }

    /// One round of the notary; inclusions that it sent, as (topic, bytes). What failed is said
    /// where a later turn can mend it.
    ///
    /// # Errors
    /// [`NotaryError`] that a later turn cannot mend.
    pub async fn turn(&mut self) -> Result<(Vec<(String, Vec<u8>)>, Option<String>)> {
        let failed = match self.notary.turn().await {
            Ok(_) => self.tell().await?,
            Err(NotaryError::Leased) => {
                // It was too slow for its own lease; nobody else has taken it.
                self.notary.open().await?;
                Some("the lease was over".to_owned())
            }
            Err(error @ (NotaryError::Store(_) | NotaryError::Tiles(_))) => Some(error.to_string()),
            Err(error) => return Err(error.into()),
        };
        Ok((self.player.publications(), failed))
    }

    async fn tell(&self) -> Result<Option<String>> {
        match self.teller.tell().await {
            Ok(()) => Ok(None),
            Err(error @ NotaryError::Store(_)) => Ok(Some(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is a broker to tell devices through.
    pub fn connect(&self, connected: bool) {
        self.player.connect(connected);
    }

    /// One round of the follower.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn follow(&self) -> Result<(), StoreError> {
        self.follower.round().await
    }

    /// What `GET /v1/inclusions/{id}` answers.
    ///
    /// # Errors
    /// When store or log are broken.
    pub async fn inclusion(&self, id: &Hash) -> Result<Option<Vec<u8>>> {
        let found = inclusion_of(&*self.store, &self.tree, id).await?;
        Ok(found.map(|inclusion| Reply::Inclusion(inclusion).encode()))
    }

    /// The disk of the database has room for so many pages more, or for all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn limit(&self, pages: Option<u32>) -> Result<(), StoreError> {
        self.store.limit(pages).await
    }

    /// Changes the database behind everybody's back, for [`super::treason`].
    ///
    /// # Errors
    /// Of the database.
    pub async fn tamper(&self, statements: &[&'static str]) -> Result<()> {
        if statements.is_empty() {
            return Ok(());
        }
        let options = SqliteConnectOptions::new().filename(self.folder.join(FILE));
        let mut connection = options.connect().await?;
        for statement in statements {
            sqlx::raw_sql(*statement).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    }

    /// The store, for whoever checks it.
    #[must_use]
    pub fn store(&self) -> &SqliteStore {
        &self.store
    }

    /// Entries of the log.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.read(schemas::tlog::LogTree::size)
    }

    /// Whether a witnessed checkpoint covers the whole log and every device was told.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_witnessed(&self) -> Result<bool, StoreError> {
        let newest = self.store.newest_checkpoint().await?;
        let covered = newest.is_some_and(|newest| newest.size >= self.size());
        Ok(covered && self.store.inclusions_due(self.size(), 1).await?.is_empty())
    }

    /// The database ends under it: every call fails from now on.
    pub async fn lose_database(&self) {
        self.store.close().await;
    }

    /// Statements that wait for their batch.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn waits(&self) -> Result<bool, StoreError> {
        let waiting = self.store.waiting().await?.statements > 0;
        Ok(waiting || !self.store.made_batches(1).await?.is_empty())
    }

    /// What `platform log fsck` finds.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn fsck(&self) -> Result<Findings> {
        Ok(fsck::check(&*self.store, &self.notary.tiles).await?)
    }

    /// A bundle of some statements with all their events.
    ///
    /// # Errors
    /// When one of them cannot be proven.
    pub async fn bundle(&self, statements: &[Hash]) -> Result<Vec<u8>> {
        let mut choice = Choice::default();
        statements.iter().for_each(|id| choice.add_statement(*id));
        let made = self.bundler.make(&choice, |_| false).await?;
        ensure!(made.waiting.is_empty(), "{:?} not witnessed", made.waiting);
        Ok(made.bytes)
    }

    /// A statement as it is kept: when it came, and where it is anchored.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn kept(&self, id: &Hash) -> Result<Option<(Instant, Option<u64>)>> {
        let kept = self.store.statement(id).await?;
        Ok(kept.map(|kept| (kept.received, kept.batch.map(|place| place.log_index))))
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends as asked.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// kill -9: what the disk had at this moment is copied to another folder, and whatever this
    /// process still does to its own is of no consequence.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn kill(self, to: &Path) -> Result<()> {
        std::fs::create_dir_all(to)?;
        for file in [FILE.to_owned(), format!("{FILE}-wal")] {
            let from = self.folder.join(&file);
            if from.exists() {
                std::fs::copy(&from, to.join(&file)).with_context(|| file)?;
            }
        }
        Ok(())
    }
}

/// One process at a time leads.
const HOLDER: &str = "faults";
