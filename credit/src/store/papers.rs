//! What credit keeps about suppliers beside evidence, as a trait beside [`Store`](super::Store):
//! attestations as they were signed, and what was seen of consents.
//!
//! No method updates or deletes an attestation. What was seen of a consent only rises.

use async_trait::async_trait;
use schemas::consent::Mark;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::StoreError;
use crate::evidence::consent::Remembered;

/// Most attestations and revocations that are held about one supplier.
pub const HELD_MAX: u32 = 1_024;

/// What kind of paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaperKind {
    /// An attestation.
    Attestation,
    /// The revocation of one.
    Revocation,
}

impl PaperKind {
    /// Its word in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Attestation => "attestation",
            Self::Revocation => "revocation",
        }
    }

    pub(super) fn of(word: &str) -> Result<Self, StoreError> {
        match word {
            "attestation" => Ok(Self::Attestation),
            "revocation" => Ok(Self::Revocation),
            _ => Err(StoreError::Row {
                what: "attestation",
            }),
        }
    }
}

/// An attestation or revocation as it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldPaper {
    /// About whom.
    pub supplier: Slug,
    /// SHA-256 of the COSE bytes.
    pub hash: Hash,
    /// What it is.
    pub kind: PaperKind,
    /// Id of the attestation; of a revocation that of the attestation that it names.
    pub id: Hash,
    /// Who signed it.
    pub issuer: Slug,
    /// The COSE bytes.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received: Instant,
}

/// What became of a paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaperKept {
    /// It is held.
    New,
    /// It was held before; nothing was changed.
    Before,
    /// [`HELD_MAX`] are held; nothing was changed.
    Full,
}

/// Attestations, and what was seen of consents.
#[async_trait]
pub trait PaperStore: Send + Sync {
    /// Holds a paper. Tries at the same time may go a little over [`HELD_MAX`].
    async fn hold(&self, paper: &HeldPaper) -> Result<PaperKept, StoreError>;

    /// Everything that is held about a supplier, by hash.
    async fn held(&self, supplier: &Slug) -> Result<Vec<HeldPaper>, StoreError>;

    /// The attestation with an id.
    async fn attestation(&self, id: &Hash) -> Result<Option<HeldPaper>, StoreError>;

    /// What was seen of a supplier's consents to this bank.
    async fn remembered(&self, supplier: &Slug, bank: &Slug) -> Result<Remembered, StoreError>;

    /// Raises what was seen; nothing in it falls, whatever is given.
    async fn remember(
        &self,
        supplier: &Slug,
        bank: &Slug,
        seen: &Remembered,
    ) -> Result<(), StoreError>;
}

/// A row of what was seen.
pub(super) fn remembered_of(
    number: i64,
    id: &[u8],
    seen: Instant,
) -> Result<Remembered, StoreError> {
    let broken = || StoreError::Row {
        what: "mark of a consent",
    };
    let number = u64::try_from(number).map_err(|_| broken())?;
    let id: [u8; 32] = id.try_into().map_err(|_| broken())?;
    Ok(Remembered {
        mark: (number > 0).then_some(Mark {
            number,
            id: Hash(id),
        }),
        seen: Some(seen),
    })
}

/// Number, id and instant of a row; `None` where nothing was seen.
pub(super) fn row_of(seen: &Remembered) -> Option<(i64, Hash, Instant)> {
    let at = seen.seen?;
    let number = seen.mark.map_or(0, |mark| mark.number);
    let id = seen.mark.map_or(Hash::ZERO, |mark| mark.id);
    Some((i64::try_from(number).unwrap_or(i64::MAX), id, at))
}

/// The higher of both, member by member.
pub(super) fn higher(kept: Remembered, given: Remembered) -> Remembered {
    let number = |one: &Remembered| one.mark.map_or(0, |mark| mark.number);
    Remembered {
        mark: if number(&given) > number(&kept) {
            given.mark
        } else {
            kept.mark
        },
        seen: kept.seen.max(given.seen),
    }
}
