//! A record as signed.

use super::{RECORD_MAX, Record, RecordError, State, TYP_RECORD};
use crate::cose::{self, Sign1};
use crate::event::Salt;
use crate::hash::{Hash, sha256_parts};
use crate::key::{KeyError, PublicKey, SecretKey};

/// A record as signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRecord {
    bytes: Vec<u8>,
    /// kid of the organisation or registrar that signed.
    pub signer: Hash,
    /// What it says.
    pub record: Record,
}

impl SignedRecord {
    /// Signs a record; at version 1 its `consent` must be there.
    #[must_use]
    pub fn sign(signer: &SecretKey, record: Record) -> Self {
        let bytes = cose::sign(signer, TYP_RECORD, &record.payload());
        Self {
            bytes,
            signer: signer.kid(),
            record,
        }
    }

    /// Reads a record and checks the consent; the signer's signature by [`SignedRecord::verify`].
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, RecordError> {
        let cose = Sign1::parse(&bytes, RECORD_MAX)?;
        if cose.typ != TYP_RECORD {
            return Err(RecordError::Typ(cose.typ.to_owned()));
        }
        let record = Record::read(cose.payload)?;
        record.check()?;
        if record.consent.is_some() != (record.version == 1) {
            return Err(RecordError::Rule("consent is there exactly at version 1"));
        }
        if let Some(consent) = &record.consent {
            let message = record.consent_message();
            record
                .key
                .verify(&message, consent)
                .map_err(RecordError::Consent)?;
        }
        let signer = cose.kid;
        Ok(Self {
            bytes,
            signer,
            record,
        })
    }

    /// The COSE bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256(0x00 || COSE): `prev` of the next record.
    #[must_use]
    pub fn id(&self) -> Hash {
        sha256_parts(&[&[0], &self.bytes])
    }

    /// What may follow: one version on, in this state, not signed yet.
    #[must_use]
    pub fn next(&self, state: State) -> Record {
        Record {
            version: self.record.version + 1,
            prev: self.id(),
            consent: None,
            state,
            ..self.record.clone()
        }
    }

    /// # Errors
    /// [`KeyError`] unless `key` signed it.
    pub fn verify(&self, key: &PublicKey) -> Result<(), KeyError> {
        Sign1::parse(&self.bytes, RECORD_MAX)
            .map_err(|_| KeyError::Mismatch)?
            .verify(key)
    }

    /// SHA-256(salt || COSE).
    #[must_use]
    pub fn hash(&self, salt: &Salt) -> Hash {
        sha256_parts(&[&salt.0, &self.bytes])
    }
}
