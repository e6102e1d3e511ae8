//! An attestation as signed.

use super::{ATTESTATION_MAX, Attestation, AttestationError, TYP_ATTESTATION};
use crate::cose::{self, Sign1};
use crate::hash::{Hash, sha256, sha256_parts};
use crate::key::{PublicKey, SecretKey};

/// An attestation as signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAttestation {
    bytes: Vec<u8>,
    /// kid of the issuer's key that signed.
    pub signer: Hash,
    /// What it says.
    pub attestation: Attestation,
}

impl SignedAttestation {
    /// Signs an attestation.
    ///
    /// # Errors
    /// [`AttestationError`] for one that nobody would take.
    pub fn sign(key: &SecretKey, attestation: &Attestation) -> Result<Self, AttestationError> {
        attestation.check()?;
        Self::parse(cose::sign(key, TYP_ATTESTATION, &attestation.payload()))
    }

    /// Reads an attestation; the signature by [`SignedAttestation::verify`].
    ///
    /// # Errors
    /// [`AttestationError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, AttestationError> {
        let cose = Sign1::parse(&bytes, ATTESTATION_MAX)?;
        if cose.typ != TYP_ATTESTATION {
            return Err(AttestationError::Typ(cose.typ.to_owned()));
        }
        let attestation = Attestation::read(cose.payload)?;
        attestation.check()?;
        let signer = cose.kid;
        Ok(Self {
            bytes,
            signer,
            attestation,
        })
    }

    /// The COSE bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256(0x00 || COSE): what a revocation names.
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
    /// [`AttestationError::Key`] unless `key` signed it.
    pub fn verify(&self, key: &PublicKey) -> Result<(), AttestationError> {
        let cose = Sign1::parse(&self.bytes, ATTESTATION_MAX)?;
        Ok(cose.verify(key)?)
    }
}
