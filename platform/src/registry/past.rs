//! The registry at versions that headers carry: paths for bundles.
//!
//! The version in force is in memory with its tree, and of an older one only what has changed since
//! has to be read: a bundle must not read a million records for the path of one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use schemas::hash::Hash;
use schemas::merkle::VersionedTree;
use schemas::registry::{Head, leaf};

use super::{Gate, Snapshot};
use crate::store::{Store, StoreError};

/// Older versions whose trees are kept: at a million keys each may take 64 MB.
const KEPT: usize = 4;

/// The registry as it was at a version.
#[derive(Debug)]
pub struct Past {
    /// A later version, whose order of keys it shares.
    later: Arc<Snapshot>,
    /// Keys that came after, in order.
    added: Vec<Hash>,
    tree: VersionedTree,
}

impl Past {
    /// Root over all keys.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Place and path of a key.
    #[must_use]
    pub fn path(&self, kid: &Hash) -> Option<(u64, Vec<Hash>)> {
        let before = self.added.binary_search(kid).err()?;
        let place = self.later.keys.position(kid)?.checked_sub(before)?;
        Some((place as u64, self.tree.path(place)?))
    }

    /// `later` without what has changed in it after a version: (kid, its record's hash at that
    /// version) of every key that has, none for a key that was not there.
    pub(super) fn of(later: Arc<Snapshot>, changes: &[(Hash, Option<Hash>)]) -> Option<Self> {
        let mut tree = later.tree.clone()?;
        let added = changes.iter().filter(|(_, before)| before.is_none());
        let mut added: Vec<Hash> = added.map(|(kid, _)| *kid).collect();
        added.sort_unstable();
        let changed = changes
            .iter()
            .filter_map(|(kid, before)| Some((kid, before.as_ref()?)));
        for (kid, before) in changed {
            tree.set(later.keys.position(kid)?, leaf(kid, before));
        }
        if !added.is_empty() {
            let mut without = Vec::with_capacity(tree.count());
            let mut added = added.iter().peekable();
            for ((kid, _), leaf) in later.keys.iter().zip(tree.leaves()) {
                if added.next_if(|next| *next == kid).is_none() {
                    without.push(leaf);
                }
            }
            tree = VersionedTree::new(&without)?;
        }
        Some(Self { later, added, tree })
    }
}

/// Registries of before by their roots, the newest last.
type Newest = VecDeque<(Hash, Arc<Past>)>;

/// Finds the registry at a version; clones are the same.
#[derive(Clone, Debug)]
pub struct Registries {
    gate: Arc<Gate>,
    kept: Arc<Mutex<Newest>>,
    // One is made at a time: whoever wants the same finds it, and a crowd that wants others does
    // not fill the memory.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Registries {
    /// Over the snapshots of this gate.
    #[must_use]
    pub fn new(gate: Arc<Gate>) -> Self {
        let kept = Arc::new(Mutex::new(VecDeque::with_capacity(KEPT)));
        Self {
            gate,
            kept,
            turn: Arc::default(),
        }
    }

    /// The registry under a head of the log; `None` if what is kept does not lead to its root.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn at(
        &self,
        store: &dyn Store,
        head: &Head,
    ) -> Result<Option<Arc<Past>>, StoreError> {
        if let Some(past) = self.known(&head.root) {
            return Ok(Some(past));
        }
        let _turn = self.turn.lock().await;
        if let Some(past) = self.known(&head.root) {
            return Ok(Some(past));
        }
        let mut later = self.gate.snapshot();
        if later
            .head
            .is_none_or(|newest| newest.version < head.version)
        {
            // This process has not followed so far yet.
            let advanced = later.advanced(store).await;
            later = match advanced {
                Ok(advanced) => Arc::new(advanced),
                Err(super::AdmitError::Store(error)) => return Err(error),
                Err(_) => return Ok(None),
            };
        }
        let newest = later.head.map_or(0, |newest| newest.version);
        let changes = store.records_before(head.version, newest).await?;
        let made = tokio::task::spawn_blocking(move || Past::of(later, &changes));
        let past = made.await.ok().flatten();
        let past = past.filter(|past| past.root() == head.root).map(Arc::new);
        if let Some(past) = &past {
            self.keep(head.root, past);
        }
        Ok(past)
    }

    fn known(&self, root: &Hash) -> Option<Arc<Past>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(known, _)| known == root);
        found.map(|(_, past)| Arc::clone(past))
    }

    fn keep(&self, root: Hash, past: &Arc<Past>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((root, Arc::clone(past)));
    }
}
