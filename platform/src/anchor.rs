//! The notary: the one writer of the log (`log.md` section 7).
//!
//! It batches what ingest stored, admits registry records, appends entries under a lease, signs the
//! committed head, writes tiles before the checkpoint that needs them, collects cosignatures, and
//! tells devices what a witnessed checkpoint covers. Everything it knows is in the store; a notary
//! that starts again goes on from there.
//!
//! Of several platforms on one database one leads; the others stand by (decision 0010). `office`
//! is what a process does before it may lead, `run` the two lives that it has.

mod admit;
mod batch;
mod confirm;
mod cosign;
mod document;
mod lease;
mod office;
mod publish;
mod run;
mod succession;
mod tell;
pub mod tiles;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::log::{Policy, entry_hash};
use schemas::note::Note;
use schemas::time::Clock;
use schemas::tlog::LogTree;
use tokio::sync::{mpsc, oneshot, watch};

use crate::ingest::Wake;
use crate::metrics::timed;
use crate::registry::{AdmitError, Gate};
use crate::standing::Standing;
use crate::store::{Append, NotaryStore, StoreError};

pub use cosign::{Cosigner, CosignerError, Unfit, WitnessState};
pub use document::Recorded;
pub(crate) use lease::release as release_lease;
pub use lease::{LOG as LOG_LEASE, Lease};
pub use succession::{Approval, Succession, SuccessionError, check_registry, terms};
pub use tell::{Teller, inclusion_of};

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
    /// A witness has cosigned another history of this log.
    #[error(
        "witness `{witness}` has cosigned another history of this log than that of this database (size {ours}). Refusing to go on"
    )]
    OtherHistory {
        /// Which.
        witness: String,
        /// Size here.
        ours: u64,
    },
    /// Too few witnesses have said whether this database is the log that they know.
    #[error(
        "{confirmed} witnesses have confirmed what this database says of the log, {needed} must before anything is signed"
    )]
    Unconfirmed {
        /// How many have.
        confirmed: u64,
        /// How many must.
        needed: u64,
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
pub struct SharedTree(Arc<Shared>);

#[derive(Default)]
struct Shared {
    grown: RwLock<Grown>,
    size: watch::Sender<u64>,
}

/// The tree, and where the entries stand that are looked for by their kind.
#[derive(Default)]
struct Grown {
    tree: LogTree,
    policies: Vec<u64>,
    registry_heads: Vec<u64>,
}

/// How long a reader waits for a tree that is behind the database: where this process stands by,
/// for less than a round.
const BEHIND: Duration = Duration::from_secs(5);

impl SharedTree {
    /// Reads the tree; the lock is held only for the closure.
    pub fn read<T>(&self, read: impl FnOnce(&LogTree) -> T) -> T {
        read(&self.grown().tree)
    }

    /// Places of all policies, increasing.
    #[must_use]
    pub fn policies(&self) -> Vec<u64> {
        self.grown().policies.clone()
    }

    /// Place of the newest registry head among the first `size` entries.
    #[must_use]
    pub fn newest_registry_head(&self, size: u64) -> Option<u64> {
        let grown = self.grown();
        let below = grown.registry_heads.partition_point(|&index| index < size);
        Some(grown.registry_heads[below.checked_sub(1)?])
    }

    fn grown(&self) -> std::sync::RwLockReadGuard<'_, Grown> {
        self.0.grown.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has this size; not for long, and then it has not.
    pub async fn reached(&self, size: u64) {
        let mut seen = self.0.size.subscribe();
        let reached = seen.wait_for(|has| *has >= size);
        // A tree that is too small says so by itself.
        let _ = tokio::time::timeout(BEHIND, reached).await;
    }

    /// The tree of what a store keeps, up to its newest head.
    ///
    /// # Errors
    /// [`NotaryError`] if it cannot be read or does not lead to the root of the newest head.
    pub async fn load(store: &dyn crate::store::LogStore) -> Result<Self, NotaryError> {
        let tree = Self::default();
        let (size, root) = store.log_head().await?.unwrap_or_default();
        loop {
            let from = tree.read(LogTree::size);
            let page = size.saturating_sub(from).min(u64::from(PAGE));
            let entries = match u32::try_from(page) {
                Ok(page) if page > 0 => store.entries(from, page).await?,
                _ => Vec::new(),
            };
            if entries.is_empty() {
                break;
            }
            tree.push(&entries)?;
        }
        let built = tree.read(|tree| (tree.size(), tree.root(tree.size())));
        if built.0 == size && (size == 0 || built.1 == Some(root)) {
            Ok(tree)
        } else {
            Err(NotaryError::Broken(
                "entries do not lead to the newest head",
            ))
        }
    }

    fn push(&self, entries: &[Vec<u8>]) -> Result<(u64, Hash), NotaryError> {
        let mut grown = self.0.grown.write().unwrap_or_else(PoisonError::into_inner);
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
        self.0.size.send_replace(size);
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
    pub store: Arc<dyn NotaryStore>,
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
    /// The lease on the log.
    pub lease: Arc<Lease>,
    /// What this process is to the log, for everybody else here.
    pub standing: Standing,
    /// Documents whose hashes the log must hold.
    pub documents: Vec<Recorded>,
    /// True after an append failed: it may have been committed all the same, its answer lost with
    /// the database. Then the tree and the registry are read again before the next one.
    pub doubtful: AtomicBool,
}

impl Notary {
    /// One round: renews the lease, batches what waits, publishes, wakes who tells devices; true
    /// if more waits than one round takes.
    ///
    /// # Errors
    /// [`NotaryError`]; one of store or tiles can be mended by a later turn.
    pub async fn turn(&mut self) -> Result<bool, NotaryError> {
        self.lease.renew().await?;
        self.settle().await?;
        let more = self.make_batches().await?;
        while self.place_batches().await? {}
        self.log_waiting().await?;
        self.publish().await?;
        self.wake.teller.notify_one();
        Ok(more)
    }

    /// Places what other processes have batched, between turns.
    async fn place_others(&mut self) -> Result<(), NotaryError> {
        self.lease.renew().await?;
        self.settle().await?;
        let mut placed = false;
        while self.place_batches().await? {
            placed = true;
        }
        if placed {
            self.publish().await?;
            self.wake.teller.notify_one();
        }
        Ok(())
    }

    /// Appends entries in one transaction, then to the tree.
    async fn append(&self, mut append: Append) -> Result<(), NotaryError> {
        append.fence = self.lease.fence();
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
}

/// A failing store and a full disk can be mended by a later try; a lost lease and all else cannot.
fn kept_going(what: &'static str, error: NotaryError) -> Result<(), NotaryError> {
    match error {
        NotaryError::Store(StoreError::Fenced) => Err(NotaryError::Leased),
        error @ (NotaryError::Store(_) | NotaryError::Tiles(_)) => {
            tracing::error!(error = causes(&error), "{what}");
            Ok(())
        }
        NotaryError::Succession(error) if error.is_for_now() => {
            tracing::error!(%error, "{what}");
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
