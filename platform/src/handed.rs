//! Documents of readers whose hash the log shall hold: reports and declarations of a bank's trial, cards
//! of its models, attestations (`log.md` section 2, type 3).
//!
//! A reader hands over a kind and a hash, never the document: commercial data does not enter the log,
//! and the entry does not say whose hash it is. What is handed over waits in the store until the
//! process that leads appends it; a proof is served once a witnessed checkpoint covers it. That the
//! log holds a hash says when it was there at the latest, not that the document is true.

use std::time::Duration;

use crate::store::handed::{HandedDocument, HandedStore};
use crate::store::{StoreError, Stored};
use schemas::attestation;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

/// Kinds that readers hand over. Kinds that the platform makes itself are none of them, so that no
/// reader's hash can pass for a consent or for the verifier's script.
pub const KINDS: [&str; 7] = [
    "sandbox-declaration",
    "sandbox-limits",
    "sandbox-stop-loss-rule",
    "sandbox-report",
    "model-card",
    attestation::KIND,
    attestation::REVOCATION_KIND,
];

/// Most documents of one reader within [`DAY`].
pub const PER_DAY: u64 = 512;
/// The time in which [`PER_DAY`] is counted, by the platform's clock.
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// The kind of this name, if readers hand it over.
#[must_use]
pub fn kind(name: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| *kind == name)
}

/// A document that is not taken; nothing is kept.
#[derive(Debug, thiserror::Error)]
pub enum RefusedDocument {
    /// No kind that readers hand over.
    #[error("kind: one of {} is expected", KINDS.join(", "))]
    Kind,
    /// The hash is there under another kind.
    #[error("hash: it was handed over as `{0}`")]
    Taken(&'static str),
    /// Too many in a day.
    #[error("at most {PER_DAY} documents of a reader are taken within 24 hours")]
    Full,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Takes a hash in; true if it is new, false if it was there under this kind.
///
/// # Errors
/// [`RefusedDocument`].
pub async fn take(
    store: &(impl HandedStore + ?Sized),
    reader: &Slug,
    kind_name: &str,
    hash: Hash,
    now: Instant,
) -> Result<bool, RefusedDocument> {
    let kind = kind(kind_name).ok_or(RefusedDocument::Kind)?;
    if is_kept(store, &hash, kind).await? {
        return Ok(false);
    }
    if store.handed_since(reader, now.minus(DAY)).await? >= PER_DAY {
        return Err(RefusedDocument::Full);
    }
    let document = HandedDocument {
        hash,
        kind,
        reader: reader.clone(),
        received: now,
    };
    if store.add_handed(&document).await? {
        return Ok(true);
    }
    // Somebody was faster.
    is_kept(store, &hash, kind).await?;
    Ok(false)
}

/// Whether it is there; an error if it is there as something else.
async fn is_kept(
    store: &(impl HandedStore + ?Sized),
    hash: &Hash,
    kind: &str,
) -> Result<bool, RefusedDocument> {
    let kept: Stored<Option<HandedDocument>> = store.handed(hash).await;
    match kept? {
        Some(kept) if kept.kind != kind => Err(RefusedDocument::Taken(kept.kind)),
        kept => Ok(kept.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_platform_makes_is_handed_over() {
        let ours = [
            schemas::consent::KIND,
            schemas::disclosure::KIND,
            crate::archive::KIND,
            crate::store::erasure::TOMBSTONES,
            kit::verifier::KIND,
        ];
        assert_eq!(ours.map(kind), [None; 5]);
        assert_eq!(KINDS.map(kind), KINDS.map(Some));
    }
}
