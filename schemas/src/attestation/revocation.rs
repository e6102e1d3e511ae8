//! The revocation of an attestation by its issuer (`attestation.md` section 3).

use super::{AttestationError, holds};
use crate::cbor::{Reader, Writer};
use crate::consent::read_slug;
use crate::cose::{self, Sign1};
use crate::hash::{Hash, sha256};
use crate::ids::Slug;
use crate::key::{PublicKey, SecretKey};
use crate::statement::instant;
use crate::time::Instant;
use crate::tombstone::{WORD_MAX, is_reason};

/// Media type of a revocation.
pub const TYP_REVOCATION: &str = "application/vnd.tracebond.attestation-revocation.v1+cbor";
/// Longest revocation in bytes.
pub const REVOCATION_MAX: usize = 1_024;
/// Kind of its log entry (type 3), where it has one.
pub const REVOCATION_KIND: &str = "attestation-revocation";

/// That an attestation counts no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Log id.
    pub log: Hash,
    /// Who revokes: the attestation's own issuer.
    pub issuer: Slug,
    /// Id of the attestation.
    pub attestation: Hash,
    /// When.
    pub made: Instant,
    /// Why, as a code: 1 to 64 of `a-z`, `0-9` and `-`.
    pub reason: String,
}

impl Revocation {
    /// Deterministic CBOR.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(5).uint(0).bytes(&self.log.0);
        w.uint(1).text(self.issuer.as_str());
        w.uint(2).bytes(&self.attestation.0);
        w.uint(3).uint(self.made.as_unsigned());
        w.uint(4).text(&self.reason);
        w.finish()
    }

    fn read(bytes: &[u8]) -> Result<Self, AttestationError> {
        let mut r = Reader::new(bytes);
        let mut keys = r.map("revocation")?;
        keys.required(&mut r, 0)?;
        let log = r.hash("log")?;
        keys.required(&mut r, 1)?;
        let issuer = read_slug(&mut r, "issuer")?;
        keys.required(&mut r, 2)?;
        let attestation = r.hash("attestation")?;
        keys.required(&mut r, 3)?;
        let made = instant(&mut r, "made")?;
        keys.required(&mut r, 4)?;
        let reason = r.text("reason", WORD_MAX)?.to_owned();
        keys.end()?;
        r.end()?;
        Ok(Self {
            log,
            issuer,
            attestation,
            made,
            reason,
        })
    }

    fn check(&self) -> Result<(), AttestationError> {
        holds(
            is_reason(&self.reason),
            "reason: it is a code of 1 to 64 lower-case letters, digits and hyphens",
        )
    }
}

/// A revocation as signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRevocation {
    bytes: Vec<u8>,
    /// kid of the issuer's key that signed.
    pub signer: Hash,
    /// What it says.
    pub revocation: Revocation,
}

impl SignedRevocation {
    /// Signs a revocation.
    ///
    /// # Errors
    /// [`AttestationError`] for one that nobody would take.
    pub fn sign(key: &SecretKey, revocation: &Revocation) -> Result<Self, AttestationError> {
        revocation.check()?;
        Self::parse(cose::sign(key, TYP_REVOCATION, &revocation.payload()))
    }

    /// Reads a revocation; the signature by [`SignedRevocation::verify`].
    ///
    /// # Errors
    /// [`AttestationError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, AttestationError> {
        let cose = Sign1::parse(&bytes, REVOCATION_MAX)?;
        if cose.typ != TYP_REVOCATION {
            return Err(AttestationError::Typ(cose.typ.to_owned()));
        }
        let revocation = Revocation::read(cose.payload)?;
        revocation.check()?;
        let signer = cose.kid;
        Ok(Self {
            bytes,
            signer,
            revocation,
        })
    }

    /// The COSE bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the COSE bytes: what its log entry names.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.bytes)
    }

    /// # Errors
    /// [`AttestationError::Key`] unless `key` signed it.
    pub fn verify(&self, key: &PublicKey) -> Result<(), AttestationError> {
        let cose = Sign1::parse(&self.bytes, REVOCATION_MAX)?;
        Ok(cose.verify(key)?)
    }
}
