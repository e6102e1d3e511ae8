//! Hashes of documents that readers have handed over for the log: the service adds, and never changes
//! or removes.

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::Stored;

/// A document's hash as it was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedDocument {
    /// SHA-256 of the document.
    pub hash: Hash,
    /// One of [`KINDS`](crate::handed::KINDS).
    pub kind: &'static str,
    /// Who handed it over.
    pub reader: Slug,
    /// When.
    pub received: Instant,
}

/// Handed documents.
#[async_trait]
pub trait HandedStore: Send + Sync {
    /// Keeps a document unless its hash is there already; false if nothing was kept.
    async fn add_handed(&self, document: &HandedDocument) -> Stored<bool>;
    /// The document with this hash.
    async fn handed(&self, hash: &Hash) -> Stored<Option<HandedDocument>>;
    /// How many documents a reader has handed over behind an instant.
    async fn handed_since(&self, reader: &Slug, behind: Instant) -> Stored<u64>;
}
