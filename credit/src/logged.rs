//! The bank's own documents in the log: their hashes are handed over to whoever writes it, and each
//! proof that it holds one is verified here, under the bank's own policy.
//!
//! What has been proven is remembered until the service ends; the proofs are served by the log's side,
//! so after a start they are asked for once more. A hash that does not get there is handed over again
//! in the next round: nothing waits for it, and nothing is lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::log::Entry;
use schemas::proof::verify_document;
use schemas::time::Instant;

use crate::evidence::verify::TrustedPolicy;
use crate::evidence::{EvidenceError, EvidencePort};
use crate::store::sandbox::LogEntry;

/// Where a document's hash stands in the log, as its proof says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Log index of the entry.
    pub index: u64,
    /// The witnesses had seen it by then.
    pub anchored: Instant,
}

/// Why a document is not proven to be in the log.
#[derive(Debug, thiserror::Error)]
pub enum LoggedError {
    /// The other side did not take the hash, or does not answer.
    #[error(transparent)]
    Source(#[from] EvidenceError),
    /// The proof does not hold under the bank's policy, or is of something else.
    #[error("the proof of {hash} is refused: {why}")]
    Proof {
        /// Of which document.
        hash: Hash,
        /// What is wrong.
        why: String,
    },
}

/// Hands hashes over and knows which are proven. Cheap to clone.
#[derive(Clone)]
pub struct Logged {
    source: Arc<dyn EvidencePort>,
    policy: TrustedPolicy,
    known: Arc<Mutex<BTreeMap<Hash, Place>>>,
}

impl Logged {
    /// By this way, under this policy.
    #[must_use]
    pub fn new(source: Arc<dyn EvidencePort>, policy: TrustedPolicy) -> Self {
        let known = Arc::default();
        Self {
            source,
            policy,
            known,
        }
    }

    /// Where a document stands; `None` while nothing proves that it is there.
    #[must_use]
    pub fn place(&self, hash: &Hash) -> Option<Place> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).copied()
    }

    /// Looks for every document that is not proven yet and hands over what the log does not have.
    /// One that fails does not stop the others.
    ///
    /// # Errors
    /// The first [`LoggedError`], after all were tried.
    pub async fn round(&self, documents: &[LogEntry]) -> Result<(), LoggedError> {
        let mut failed = None;
        for document in documents {
            if self.place(&document.hash).is_some() {
                continue;
            }
            if let Err(error) = self.look(document).await {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn look(&self, document: &LogEntry) -> Result<(), LoggedError> {
        let Some(proof) = self.source.document_proof(&document.hash).await? else {
            return Ok(self
                .source
                .hand_over(&document.kind, &document.hash)
                .await?);
        };
        let place = self.check(document, &proof)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(document.hash, place);
        Ok(())
    }

    fn check(&self, document: &LogEntry, proof: &[u8]) -> Result<Place, LoggedError> {
        let refused = |why: String| LoggedError::Proof {
            hash: document.hash,
            why,
        };
        let policy = Entry::Policy(self.policy.policy().clone()).encode();
        let report = verify_document(proof, Some(&policy));
        let report = report.map_err(|refusal| refused(causes(&refusal)))?;
        if report.hash != document.hash || report.kind.as_deref() != Some(document.kind.as_str()) {
            return Err(refused("it is of another document".to_owned()));
        }
        Ok(Place {
            index: report.index,
            anchored: report.head.anchored,
        })
    }
}
