//! Kept bundles, opened again: verified anew under the bank's policy, so that what people look at
//! was checked now and not only when it was decided.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use schemas::hash::{Hash, sha256};
use schemas::proof::{self, SelectError};
use schemas::time::Instant;

use super::verify::{Refused, TrustedPolicy, verify};
use super::{VerifiedEvent, VerifiedEvidence, VerifiedStatement};

/// Opened bundles that stay in memory: those of the offers that are being read.
const OPEN_MAX: usize = 4;

/// A kept bundle with what it proves.
#[derive(Debug)]
pub struct Opened {
    /// What it proves.
    pub evidence: VerifiedEvidence,
    /// When it was verified by this process.
    pub checked_at: Instant,
    bundle: Vec<u8>,
}

/// Why kept evidence cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The record names no evidence: it was made before bundles were kept.
    #[error("the decision names no evidence")]
    Unnamed,
    /// The store does not hold it.
    #[error("the evidence {0} is not kept")]
    Missing(Hash),
    /// The store holds other bytes under its hash.
    #[error("the kept evidence {0} was altered")]
    Altered(Hash),
    /// It does not verify under the bank's policy (any more).
    #[error("the kept evidence is refused")]
    Refused(#[from] Refused),
}

impl Opened {
    /// Verifies bytes that were kept under a hash.
    ///
    /// # Errors
    /// [`OpenError::Altered`], [`OpenError::Refused`].
    pub fn new(
        hash: Hash,
        bundle: Vec<u8>,
        policy: &TrustedPolicy,
        now: Instant,
    ) -> Result<Self, OpenError> {
        if sha256(&bundle) != hash {
            return Err(OpenError::Altered(hash));
        }
        let evidence = verify(&bundle, policy)?;
        Ok(Self {
            evidence,
            checked_at: now,
            bundle,
        })
    }

    /// An event and the statement that it stands in.
    #[must_use]
    pub fn event(&self, leaf: &Hash) -> Option<(&VerifiedEvent, &VerifiedStatement)> {
        let event = self
            .evidence
            .events
            .iter()
            .find(|event| event.leaf == *leaf)?;
        Some((event, self.evidence.statement_of(event)?))
    }

    /// The whole bundle: everything that the score was made from, shared parts once.
    #[must_use]
    pub fn bundle(&self) -> &[u8] {
        &self.bundle
    }

    /// The bundle of one event alone, for a browser that checks it.
    ///
    /// # Errors
    /// [`SelectError::Unknown`] for a leaf that is not in it.
    pub fn bundle_of(&self, leaf: Hash) -> Result<Vec<u8>, SelectError> {
        proof::select(&self.bundle, &BTreeSet::from([leaf]))
    }
}

/// The last few opened bundles. The lock is never held while verifying.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<VecDeque<(Hash, Arc<Opened>)>>);

impl Shelf {
    /// An opened bundle.
    #[must_use]
    pub fn find(&self, hash: &Hash) -> Option<Arc<Opened>> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.iter().find(|(known, _)| known == hash);
        found.map(|(_, opened)| Arc::clone(opened))
    }

    /// Puts an opened bundle in, the oldest out.
    pub fn put(&self, hash: Hash, opened: Arc<Opened>) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(known, _)| *known != hash);
        open.push_back((hash, opened));
        if open.len() > OPEN_MAX {
            open.pop_front();
        }
    }
}
