//! The documents of one supplier to one bank, as a reader knows them (`consent.md` sections 2, 3).

use super::{AHEAD_MAX, Act, Consent, ConsentError, SignedConsent};
use crate::hash::Hash;
use crate::ids::Slug;
use crate::registry::Record;
use crate::time::Instant;

/// The highest document that a reader has seen of a chain: what it keeps, so that nobody can show
/// it an older state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: Hash,
}

/// A document that is not taken into a chain. The chain is as before, except that a fork is
/// remembered.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum TakeError {
    /// The document, its signer or its place in the chain.
    #[error("the document is refused")]
    Document(#[from] ConsentError),
    /// Another log, supplier or bank than the chain's.
    #[error("{0}: the document is of another chain")]
    Other(&'static str),
    /// It says that it was made in the future.
    #[error("made: {made} is ahead of {now}")]
    Ahead {
        /// What it says.
        made: Instant,
        /// The reader's clock.
        now: Instant,
    },
    /// Two documents have this number.
    #[error("number: two different documents have the number {0}")]
    Fork(u64),
}

#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) signed: SignedConsent,
    pub(super) logged: bool,
}

/// A chain of consent documents.
#[derive(Clone, Debug)]
pub struct Consents {
    pub(super) log: Hash,
    pub(super) supplier: Slug,
    pub(super) bank: Slug,
    pub(super) taken: Vec<Taken>,
    pub(super) forked: Option<u64>,
    pub(super) known: Option<Mark>,
}

impl Consents {
    /// A chain without documents. `known` is the highest that the reader has kept of it.
    #[must_use]
    pub const fn new(log: Hash, supplier: Slug, bank: Slug, known: Option<Mark>) -> Self {
        Self {
            log,
            supplier,
            bank,
            taken: Vec::new(),
            forked: None,
            known,
        }
    }

    /// Takes the next document, whose signer's proven record is `record`, whatever its state: the
    /// newest document vouches for those before it, and its own signer is looked at by
    /// [`Consents::in_force`]. One that was taken already changes nothing. A fork is remembered and
    /// nothing is in force from then on.
    ///
    /// # Errors
    /// [`TakeError`]: it is not taken.
    pub fn take(
        &mut self,
        signed: SignedConsent,
        record: &Record,
        now: Instant,
    ) -> Result<(), TakeError> {
        self.belongs(&signed)?;
        signed.verify_under(record)?;
        let made = signed.consent.made;
        if made > now + AHEAD_MAX {
            return Err(TakeError::Ahead { made, now });
        }
        if let Some(other) = self.at(signed.consent.number) {
            if other.signed.bytes() == signed.bytes() {
                return Ok(());
            }
            self.forked.get_or_insert(signed.consent.number);
            return Err(TakeError::Fork(signed.consent.number));
        }
        signed.check_follows(self.newest().map(|newest| &newest.signed))?;
        let logged = false;
        self.taken.push(Taken { signed, logged });
        Ok(())
    }

    fn belongs(&self, signed: &SignedConsent) -> Result<(), TakeError> {
        let consent = &signed.consent;
        let other = if consent.log != self.log {
            "log"
        } else if consent.supplier != self.supplier {
            "supplier"
        } else if consent.bank != self.bank {
            "bank"
        } else {
            return Ok(());
        };
        Err(TakeError::Other(other))
    }

    /// Says that the log holds this hash under kind `consent`: the caller has verified a document
    /// proof of it. True if it is a document of this chain.
    pub fn prove_logged(&mut self, hash: &Hash) -> bool {
        let found = self.taken.iter_mut().find(|one| one.signed.hash() == *hash);
        found.map(|one| one.logged = true).is_some()
    }

    /// The highest document, to be kept: never lower than the one given to [`Consents::new`].
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        let newest = self.newest().map(|newest| Mark {
            number: newest.signed.consent.number,
            id: newest.signed.id(),
        });
        match (newest, self.known) {
            (Some(newest), Some(known)) if newest.number <= known.number => Some(known),
            (newest, known) => newest.or(known),
        }
    }

    /// Documents in order of their number.
    pub fn documents(&self) -> impl DoubleEndedIterator<Item = &SignedConsent> {
        self.taken.iter().map(|one| &one.signed)
    }

    /// The document that follows the newest one, for the supplier to sign.
    #[must_use]
    pub fn next(&self, made: Instant, act: Act) -> Consent {
        let newest = self.newest().map(|newest| &newest.signed);
        Consent {
            log: self.log,
            supplier: self.supplier.clone(),
            bank: self.bank.clone(),
            number: newest.map_or(1, |newest| newest.consent.number + 1),
            prev: newest.map_or(Hash::ZERO, SignedConsent::id),
            made,
            act,
        }
    }

    pub(super) fn newest(&self) -> Option<&Taken> {
        self.taken.last()
    }

    /// Numbers begin at 1 and have no gap.
    fn at(&self, number: u64) -> Option<&Taken> {
        self.taken
            .get(usize::try_from(number).ok()?.checked_sub(1)?)
    }
}
