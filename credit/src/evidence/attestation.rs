//! What issuers outside say about a supplier (`schemas/docs/attestation.md`): which of it counts,
//! and why the rest does not.
//!
//! The bank's own list says which issuers there are, by which keys, and what each may attest
//! ([`Issuers`], a versioned file). [`Reader::judge`] looks at everything that is held about one
//! supplier at once, since a revocation or a second attestation with the same number anywhere in it
//! matters. Nothing is dropped: what does not count comes back with its reason.

mod issuers;
mod judge;

pub use issuers::{Issuer, Issuers, IssuersError};
pub use judge::{Counted, Held, Judged, Reader, RefusedAttestation, Why};

use schemas::attestation::SubjectCode;
use schemas::ids::Slug;

/// A supplier as the bank knows it: its name in the registry and its code in the commercial one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Organisation slug.
    pub slug: Slug,
    /// Unified social credit code.
    pub code: SubjectCode,
}

#[cfg(test)]
mod tests;
