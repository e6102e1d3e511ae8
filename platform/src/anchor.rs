//! The notary: the one writer of the log (`log.md` section 7).
//!
//! It batches what ingest stored, admits registry records, appends entries under a lease, signs the
//! committed head, writes tiles before the checkpoint that needs them, collects cosignatures, and
//! tells devices what a witnessed checkpoint covers. Everything it knows is in the store; a notary
//! that starts again goes on from there.

mod batch;
mod cosign;
mod document;
mod succession;
mod tell;
pub mod tiles;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::log::{Entry, Policy, entry_hash};
use schemas::note::Note;
use schemas::time::{Clock, Instant};
use schemas::tlog::LogTree;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::ingest::Wake;
use crate::link::Link;
use crate::metrics::timed;
use crate::registry::{AdmitError, Gate, Snapshot};
use crate::store::{Append, KeptCheckpoint, RegistryStore, Store, StoreError};

pub use cosign::{Cosigner, CosignerError, Unfit, WitnessState};
pub use succession::{Approval, Succession, SuccessionError, check_registry, terms};
pub use tell::inclusion_of;

/// Name of the lease.
const LEASE: &str = "log";
/// How long a lease lasts.
const LEASE_TIME: Duration = Duration::from_secs(30);
/// Type bytes of entries that are found again by their kind (`log.md` section 2).
const POLICY: u8 = 2;
const REGISTRY_HEAD: u8 = 5;
/// Entries read at once when the tree is built.
const PAGE: u32 = 1_000;
/// Records admitted under one head.
const ADMIT_MOST: usize = 1_000;

/// The log cannot go on; a person must look.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The database and the log's own entries do not agree.
    #[error("the log in the database is broken: {0}")]
    Broken(&'static str),
    /// A witness knows more of this log than this database.
    #[error(
        "witness `{witness}` has cosigned size {witnessed}, this database has {ours}: restored from an old backup? Refusing to go on"
    )]
    Behind {
        /// Which.
        witness: String,
        /// Size that it knows.
        witnessed: u64,
        /// Size here.
        ours: u64,
    },
    /// The published checkpoint is not of this database.
    #[error(
        "the published checkpoint (size {published}) is not of this database (size {ours}). Refusing to go on"
    )]
    Published {
        /// Size in the checkpoint file.
        published: u64,
        /// Size here.
        ours: u64,
    },
    /// Tiles cannot be written.
    #[error("tiles cannot be written")]
    Tiles(#[from] std::io::Error),
    /// Another process writes the log.
    #[error("another process holds the lease on the log")]
    Leased,
    /// The database was made for another origin, key or policy.
    #[error("the database is of another log or policy")]
    OtherPolicy,
    /// A next policy cannot follow, or not yet.
    #[error("the policy of the log")]
    Succession(#[from] SuccessionError),
}

/// The tree of the log, shared with whoever makes proofs.
#[derive(Clone, Default)]
pub struct SharedTree(Arc<RwLock<Grown>>);

/// The tree, and where the entries stand that are looked for by their kind.
#[derive(Default)]
struct Grown {
    tree: LogTree,
    policies: Vec<u64>,
    registry_heads: Vec<u64>,
}

impl SharedTree {
    /// Reads the tree; the lock is held only for the closure.
    pub fn read<T>(&self, read: impl FnOnce(&LogTree) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner).tree)
    }

    /// Places of all policies, increasing.
    #[must_use]
    pub fn policies(&self) -> Vec<u64> {
        let grown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        grown.policies.clone()
    }

    /// Place of the newest registry head among the first `size` entries.
    #[must_use]
    pub fn newest_registry_head(&self, size: u64) -> Option<u64> {
        let grown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let below = grown.registry_heads.partition_point(|&index| index < size);
        Some(grown.registry_heads[below.checked_sub(1)?])
    }

    fn push(&self, entries: &[Vec<u8>]) -> Result<(u64, Hash), NotaryError> {
        let mut grown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            let index = grown.tree.size();
            match entry.first() {
                Some(&POLICY) => grown.policies.push(index),
                Some(&REGISTRY_HEAD) => grown.registry_heads.push(index),
                _ => {}
            }
            let pushed = grown.tree.push(entry_hash(entry));
            pushed.map_err(|_| NotaryError::Broken("tree"))?;
        }
        let size = grown.tree.size();
        let root = grown.tree.root(size);
        Ok((size, root.ok_or(NotaryError::Broken("root"))?))
    }
}

/// Asks the notary to admit registry records.
#[derive(Clone, Debug)]
pub struct Registrar(mpsc::Sender<Admission>);

/// A record and where its answer goes.
pub type Admission = (Vec<u8>, oneshot::Sender<Result<u64, AdmitError>>);

impl Registrar {
    /// Admits a record; the registry version from which it counts, once that head is in the log.
    ///
    /// # Errors
    /// [`AdmitError`].
    pub async fn admit(&self, record: Vec<u8>) -> Result<u64, AdmitError> {
        let (reply, answer) = oneshot::channel();
        self.0
            .send((record, reply))
            .await
            .map_err(|_| AdmitError::Stopping)?;
        answer.await.map_err(|_| AdmitError::Stopping)?
    }
}

/// What a notary works with.
pub struct Notary {
    /// Store.
    pub store: Arc<dyn Store>,
    /// Registry in force.
    pub gate: Arc<Gate>,
    /// Policy of the configuration: that of an empty log, and the next one where it was approved.
    pub policy: Policy,
    /// Policies of the log, and its keys.
    pub succession: Succession,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Who wakes it.
    pub wake: Arc<Wake>,
    /// Shard of this worker.
    pub shard: u64,
    /// Time between batches.
    pub every: Duration,
    /// Most statements of a batch.
    pub most: u32,
    /// Tile folder.
    pub tiles: tiles::Tiles,
    /// Witnesses.
    pub cosigner: Arc<Cosigner>,
    /// The tree, shared.
    pub tree: SharedTree,
    /// Sends inclusions; none in tools.
    pub link: Option<Link>,
    /// Name of this process in the lease.
    pub holder: String,
    /// Fence of the lease.
    pub fence: u64,
    /// Until when the lease is held; it is renewed in its second half.
    pub leased_until: Instant,
    /// True after an append failed: it may have been committed all the same, its answer lost with
    /// the database. Then the tree and the registry are read again before the next one.
    pub doubtful: AtomicBool,
}

impl Notary {
    /// Takes the lease, builds the tree from the store, compares it with checkpoint and witnesses,
    /// and writes the first policy where the log is empty.
    ///
    /// # Errors
    /// [`NotaryError`]: the log must not go on.
    pub async fn open(&mut self) -> Result<(), NotaryError> {
        self.renew().await?;
        self.rebuild().await?;
        let size = self.tree.read(LogTree::size);
        if size == 0 {
            // A later log key cannot begin a log: the log's id is that of the first.
            self.policy.check().map_err(|_| NotaryError::OtherPolicy)?;
            let entry = Entry::Policy(self.policy.clone()).encode();
            self.append(Append {
                entries: vec![entry],
                ..Append::default()
            })
            .await?;
        }
        self.read_policies().await?;
        self.compare_published()?;
        self.compare_witnesses().await?;
        self.publish_kept().await?;
        self.agree().await
    }

    async fn renew(&mut self) -> Result<(), NotaryError> {
        let now = self.clock.now();
        if now + LEASE_TIME / 2 < self.leased_until {
            return Ok(());
        }
        let until = now + LEASE_TIME;
        let fence = self
            .store
            .take_lease(LEASE, &self.holder, now, until)
            .await?;
        self.fence = fence.ok_or(NotaryError::Leased)?;
        self.leased_until = until;
        Ok(())
    }

    /// Reads the entries that the tree has not yet, up to the newest head, and compares its root.
    async fn rebuild(&self) -> Result<(), NotaryError> {
        const BROKEN: NotaryError = NotaryError::Broken("entries do not lead to the newest head");
        loop {
            let (size, root) = self.store.log_head().await?.unwrap_or_default();
            self.read_entries(size).await?;
            let built = self.tree.read(|tree| (tree.size(), tree.root(tree.size())));
            if built.0 != size || (size > 0 && built.1 != Some(root)) {
                return Err(BROKEN);
            }
            if self.store.entries(size, 1).await?.is_empty() {
                return Ok(());
            }
            // More than the head says: either it has been committed meanwhile, or it has no head.
            if self.store.log_head().await?.unwrap_or_default().0 == size {
                return Err(BROKEN);
            }
        }
    }

    async fn read_entries(&self, size: u64) -> Result<(), NotaryError> {
        loop {
            let from = self.tree.read(LogTree::size);
            let page = size.saturating_sub(from).min(u64::from(PAGE));
            let page = u32::try_from(page).unwrap_or(PAGE);
            let entries = if page == 0 {
                Vec::new()
            } else {
                self.store.entries(from, page).await?
            };
            if entries.is_empty() {
                return Ok(());
            }
            self.tree.push(&entries)?;
        }
    }

    fn compare_published(&self) -> Result<(), NotaryError> {
        let Some(bytes) = self.tiles.checkpoint()? else {
            return Ok(());
        };
        let ours = self.tree.read(LogTree::size);
        let note = Note::parse(&bytes).map_err(|_| NotaryError::Broken("checkpoint file"))?;
        let published = note.checkpoint.size;
        let root = self.tree.read(|tree| tree.root(published));
        if root == Some(note.checkpoint.root) {
            Ok(())
        } else {
            Err(NotaryError::Published { published, ours })
        }
    }

    async fn compare_witnesses(&self) -> Result<(), NotaryError> {
        let ours = self.tree.read(LogTree::size);
        let note = self.sign()?;
        for (witness, answer) in self.cosigner.ask(&note, &self.tree).await {
            if let Err(cosign::Refusal::Knows(witnessed)) = answer {
                return Err(NotaryError::Behind {
                    witness,
                    witnessed,
                    ours,
                });
            }
        }
        Ok(())
    }

    /// Publishes the newest witnessed checkpoint again: the process before may have kept it and
    /// ended before it was in the folder.
    async fn publish_kept(&self) -> Result<(), NotaryError> {
        if let Some(newest) = self.store.newest_checkpoint().await? {
            self.tiles.publish(&newest.note)?;
        }
        Ok(())
    }

    /// After an append whose outcome is unknown: what was committed counts.
    async fn settle(&self) -> Result<(), NotaryError> {
        if self.doubtful.load(Ordering::Relaxed) {
            let mut gate = self.gate.close().await;
            self.rebuild().await?;
            let kept = Snapshot::load(&*self.store as &dyn RegistryStore).await;
            *gate = Arc::new(kept.map_err(|error| match error {
                AdmitError::Store(error) => NotaryError::Store(error),
                _ => NotaryError::Broken("registry"),
            })?);
            self.doubtful.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Appends entries in one transaction, then to the tree.
    async fn append(&self, mut append: Append) -> Result<(), NotaryError> {
        append.fence = self.fence;
        append.first = self.tree.read(LogTree::size);
        append.root = self.root_after(&append.entries)?;
        self.doubtful.store(true, Ordering::Relaxed);
        timed("append", self.store.append(&append)).await?;
        self.doubtful.store(false, Ordering::Relaxed);
        self.tree.push(&append.entries)?;
        Ok(())
    }

    fn root_after(&self, entries: &[Vec<u8>]) -> Result<Hash, NotaryError> {
        self.tree
            .read(|tree| tree.root_with(entries.iter().map(|entry| entry_hash(entry))))
            .ok_or(NotaryError::Broken("root"))
    }

    fn sign(&self) -> Result<Note, NotaryError> {
        self.sign_under(&self.in_force())
    }

    /// Runs until `shutdown`; before it ends, everything stored is anchored and witnessed if the
    /// witnesses answer.
    ///
    /// # Errors
    /// [`NotaryError`] that a later try cannot mend.
    pub async fn run(
        mut self,
        mut admissions: mpsc::Receiver<Admission>,
        shutdown: CancellationToken,
    ) -> Result<(), NotaryError> {
        let mut batch_time = tokio::time::interval(self.every);
        batch_time.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let mut waiting = Vec::new();
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = batch_time.tick() => {}
                count = admissions.recv_many(&mut waiting, ADMIT_MOST) => if count == 0 { break },
            }
            self.admit(waiting).await?;
            if let Err(error) = self.turn().await {
                kept_going("the store failed; nothing is lost, trying again", error)?;
            }
        }
        self.turn().await
    }

    /// One round: renews the lease, batches what waits, publishes, tells devices.
    ///
    /// # Errors
    /// [`NotaryError`]; a store error can be mended by a later turn.
    pub async fn turn(&mut self) -> Result<(), NotaryError> {
        self.renew().await?;
        self.settle().await?;
        while self.anchor_batch().await? {}
        self.publish().await?;
        self.tell().await
    }

    /// Admits records under one new head; ingest is kept out meanwhile. Each is answered.
    ///
    /// # Errors
    /// [`NotaryError`] when the lease is lost.
    pub async fn admit(&self, waiting: Vec<Admission>) -> Result<(), NotaryError> {
        if waiting.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.settle().await {
            return kept_going("records were not admitted", error);
        }
        let mut gate = self.gate.close().await;
        let mut next: Snapshot = (**gate).clone();
        let mut records = BTreeMap::new();
        let in_force = self.in_force();
        let mut answers = Vec::new();
        for (bytes, reply) in waiting {
            let outcome = next.admit(bytes, &in_force);
            if let Ok(Some(kept)) = &outcome {
                records.insert((kept.kid, kept.version), kept.clone());
            }
            answers.push((reply, outcome.map(|_| ())));
        }
        let version = if records.is_empty() {
            next.head.map_or(0, |head| head.version)
        } else {
            let head = next.next_head().ok_or(NotaryError::Broken("registry"))?;
            let made = self.clock.now();
            let entry = Entry::Registry { head, time: made }.encode();
            let registry = Some((records.into_values().collect(), head, made));
            let append = Append {
                entries: vec![entry],
                registry,
                ..Append::default()
            };
            if let Err(error) = self.append(append).await {
                return kept_going("records were not admitted", error);
            }
            next.head = Some(head);
            *gate = Arc::new(next);
            head.version
        };
        drop(gate);
        for (reply, outcome) in answers {
            let _ = reply.send(outcome.map(|()| version));
        }
        Ok(())
    }

    /// Signs the newest head, writes its tiles, has it cosigned, and publishes it.
    async fn publish(&self) -> Result<(), NotaryError> {
        let size = self.tree.read(LogTree::size);
        let newest = self
            .store
            .newest_checkpoint()
            .await?
            .map_or(0, |checkpoint| checkpoint.size);
        if newest >= size {
            return Ok(());
        }
        self.write_tiles(newest, size).await?;
        let note = self.cosigner.collect(self.sign()?, &self.tree).await;
        match note.check_served(&self.in_force()) {
            Ok(witnessed) => {
                let bytes = note.encode();
                let anchored = witnessed.anchored;
                self.store
                    .put_checkpoint(&KeptCheckpoint {
                        size,
                        note: bytes.clone(),
                        anchored,
                    })
                    .await?;
                self.tiles.publish(&bytes)?;
                metrics::gauge!("tracebond_witnessed_size").set(size as f64);
                tracing::debug!(target: "tracebond::way", size, "checkpoint witnessed");
            }
            Err(error) => tracing::warn!(%error, size, "the checkpoint does not count yet"),
        }
        Ok(())
    }

    async fn write_tiles(&self, from: u64, size: u64) -> Result<(), NotaryError> {
        let first = from / tiles::WIDTH * tiles::WIDTH;
        let mut entries = Vec::new();
        while first + (entries.len() as u64) < size {
            let page = self
                .store
                .entries(first + entries.len() as u64, PAGE)
                .await?;
            if page.is_empty() {
                return Err(NotaryError::Broken("entries are missing"));
            }
            entries.extend(page);
        }
        entries.truncate(usize::try_from(size - first).unwrap_or(usize::MAX));
        self.tree
            .read(|tree| self.tiles.write(tree, from, size, first, &entries))?;
        Ok(())
    }
}

/// A failing store can be mended by a later try; a lost lease and all else cannot.
fn kept_going(what: &'static str, error: NotaryError) -> Result<(), NotaryError> {
    match error {
        NotaryError::Store(error) if !matches!(error, StoreError::Fenced) => {
            tracing::error!(error = causes(&error), "{what}");
            Ok(())
        }
        other => Err(other),
    }
}

/// A channel to a notary that is about to run.
#[must_use]
pub fn admissions() -> (Registrar, mpsc::Receiver<Admission>) {
    let (sender, receiver) = mpsc::channel(ADMIT_MOST);
    (Registrar(sender), receiver)
}
