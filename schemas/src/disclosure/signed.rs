//! A disclosure document as signed.

use super::{DISCLOSURE_MAX, Disclosure, DisclosureError, TYP_DISCLOSURE, holds};
use crate::cose::{self, Sign1};
use crate::hash::{Hash, sha256, sha256_parts};
use crate::key::{KeyError, PublicKey, SecretKey};

/// A document as signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDisclosure {
    bytes: Vec<u8>,
    /// kid of the organisation's key that signed.
    pub signer: Hash,
    /// What it says.
    pub disclosure: Disclosure,
}

impl SignedDisclosure {
    /// Signs a document.
    ///
    /// # Errors
    /// [`DisclosureError`] for one that nobody would take.
    pub fn sign(key: &SecretKey, disclosure: &Disclosure) -> Result<Self, DisclosureError> {
        disclosure.check()?;
        Self::parse(cose::sign(key, TYP_DISCLOSURE, &disclosure.payload()))
    }

    /// Reads a document; the signature by [`SignedDisclosure::verify`].
    ///
    /// # Errors
    /// [`DisclosureError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, DisclosureError> {
        let cose = Sign1::parse(&bytes, DISCLOSURE_MAX)?;
        if cose.typ != TYP_DISCLOSURE {
            return Err(DisclosureError::Typ(cose.typ.to_owned()));
        }
        let disclosure = Disclosure::read(cose.payload)?;
        disclosure.check()?;
        let signer = cose.kid;
        Ok(Self {
            bytes,
            signer,
            disclosure,
        })
    }

    /// The COSE bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256(0x00 || COSE): `prev` of the next document.
    #[must_use]
    pub fn id(&self) -> Hash {
        sha256_parts(&[&[0], &self.bytes])
    }

    /// SHA-256 of the COSE bytes: what its log entry names.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.bytes)
    }

    /// # Errors
    /// [`KeyError`] unless `key` signed it.
    pub fn verify(&self, key: &PublicKey) -> Result<(), KeyError> {
        Sign1::parse(&self.bytes, DISCLOSURE_MAX)
            .map_err(|_| KeyError::Mismatch)?
            .verify(key)
    }

    /// What ties a document to the one before of the same organisation, `None` for the first.
    ///
    /// # Errors
    /// [`DisclosureError::Rule`].
    pub fn check_follows(&self, before: Option<&Self>) -> Result<(), DisclosureError> {
        let (next, Some(before)) = (&self.disclosure, before) else {
            return holds(
                self.disclosure.version == 1,
                "the organisation's first document has version 1",
            );
        };
        let known = &before.disclosure;
        holds(
            next.log == known.log && next.organisation == known.organisation,
            "log and organisation never change",
        )?;
        holds(
            next.version == known.version + 1,
            "version is one more than that of the document before",
        )?;
        holds(next.prev == before.id(), "prev names the document before")
    }
}
