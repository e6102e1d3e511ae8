//! Consents of suppliers to banks as they were signed: the service adds, and never changes or
//! removes.

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::Stored;

/// A consent document as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptConsent {
    /// Whose evidence.
    pub supplier: Slug,
    /// Who reads.
    pub bank: Slug,
    /// Its number in the chain, from 1.
    pub number: u64,
    /// SHA-256 of the COSE bytes.
    pub hash: Hash,
    /// The COSE bytes.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received: Instant,
}

/// Consent documents.
#[async_trait]
pub trait ConsentStore: Send + Sync {
    /// Keeps a document; false, and nothing changed, if its number is taken.
    async fn add_consent(&self, document: &KeptConsent) -> Stored<bool>;
    /// The chain of a supplier to a bank, number 1 first.
    async fn consents(&self, supplier: &Slug, bank: &Slug) -> Stored<Vec<KeptConsent>>;
}
