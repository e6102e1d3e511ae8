//! The policies of the log in succession (`log.md` section 4, `proof-bundle-v2.md` section 2), as
//! everybody in this process reads them. The notary alone sets them: from the log's own entries and
//! the kept hand-overs, so that after any crash they are what the log says.

use std::sync::{Arc, PoisonError, RwLock};

use schemas::hash::{Hash, sha256};
use schemas::log::{Entry, Policy};
use schemas::note::Note;

/// A policy and the place from which it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reign {
    /// Place of its entry in the log; it is in force behind it.
    pub index: u64,
    /// Log entry of type 2.
    pub entry: Vec<u8>,
    /// What the entry says.
    pub policy: Policy,
    /// The predecessor's note of size `index` + 1; none for the first policy, and for one that has
    /// not been handed over to yet.
    pub handover: Option<Vec<u8>>,
}

impl Reign {
    /// The policy that a log begins with.
    #[must_use]
    pub fn first(policy: Policy) -> Self {
        Self {
            index: 0,
            entry: Entry::Policy(policy.clone()).encode(),
            policy,
            handover: None,
        }
    }

    /// Policy hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.entry)
    }

    /// True if the policy may sign: the first one always, a later one once it was handed over to.
    #[must_use]
    pub const fn is_in_force(&self) -> bool {
        self.index == 0 || self.handover.is_some()
    }
}

/// Policies, shared; clones are the same.
#[derive(Clone, Debug)]
pub struct Policies(Arc<RwLock<Arc<[Reign]>>>);

impl Policies {
    /// The policy of a log that has no other yet.
    #[must_use]
    pub fn only(policy: Policy) -> Self {
        Self(Arc::new(RwLock::new(Arc::new([Reign::first(policy)]))))
    }

    /// All that the log holds, by index, never none; the last one may wait for its hand-over.
    #[must_use]
    pub fn chain(&self) -> Arc<[Reign]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// True while the newest policy of the log has not been handed over to.
    #[must_use]
    pub fn wait_for_handover(&self) -> bool {
        let chain = self.chain();
        chain.last().is_some_and(|last| !last.is_in_force())
    }

    /// Those that are in force or were, by index; never none.
    #[must_use]
    pub fn in_force(&self) -> Vec<Reign> {
        let chain = self.chain();
        chain
            .iter()
            .filter(|reign| reign.is_in_force())
            .cloned()
            .collect()
    }

    /// The one in force now.
    #[must_use]
    pub fn newest(&self) -> Reign {
        let chain = self.chain();
        let found = chain.iter().rev().find(|reign| reign.is_in_force());
        // The first one is always in force.
        found.unwrap_or(&chain[0]).clone()
    }

    /// The one that the log began with.
    #[must_use]
    pub fn first(&self) -> Reign {
        self.chain()[0].clone()
    }

    /// Sets what the log says; an empty chain changes nothing.
    pub(crate) fn set(&self, chain: Vec<Reign>) {
        if !chain.is_empty() {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = chain.into();
        }
    }
}

/// Position in a chain of the policy under which a kept checkpoint of this size was signed.
#[must_use]
pub fn signed_under(chain: &[Reign], size: u64) -> usize {
    chain
        .partition_point(|reign| reign.index < size)
        .saturating_sub(1)
}

/// The note with only the lines that a bundle may hold.
#[must_use]
pub fn for_bundle(note: &[u8], policy: &Policy) -> Option<Vec<u8>> {
    Some(Note::parse(note).ok()?.for_bundle(policy).encode())
}
