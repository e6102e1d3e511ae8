//! A consent document as signed.

use super::{CONSENT_MAX, Consent, ConsentError, TYP_CONSENT, holds};
use crate::cose::{self, Sign1};
use crate::hash::{Hash, sha256, sha256_parts};
use crate::key::SecretKey;
use crate::registry::{Record, Role, State};

/// A document as signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedConsent {
    bytes: Vec<u8>,
    /// kid of the supplier's key that signed.
    pub signer: Hash,
    /// What it says.
    pub consent: Consent,
}

impl SignedConsent {
    /// Signs a document.
    ///
    /// # Errors
    /// [`ConsentError`] for one that nobody would take.
    pub fn sign(key: &SecretKey, consent: &Consent) -> Result<Self, ConsentError> {
        consent.check()?;
        Self::parse(cose::sign(key, TYP_CONSENT, &consent.payload()))
    }

    /// Reads a document; whose key signed it is for [`SignedConsent::verify_by`] to say.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, ConsentError> {
        let cose = Sign1::parse(&bytes, CONSENT_MAX)?;
        if cose.typ != TYP_CONSENT {
            return Err(ConsentError::Typ(cose.typ.to_owned()));
        }
        let consent = Consent::read(cose.payload)?;
        consent.check()?;
        let signer = cose.kid;
        Ok(Self {
            bytes,
            signer,
            consent,
        })
    }

    /// The COSE bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256(0x00 || COSE): `prev` of the next document, and what an attestation names.
    #[must_use]
    pub fn id(&self) -> Hash {
        sha256_parts(&[&[0], &self.bytes])
    }

    /// SHA-256 of the COSE bytes: what its log entry names.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.bytes)
    }

    /// What whoever gets it from the supplier first asks: [`SignedConsent::verify_under`], and that
    /// the record is active.
    ///
    /// # Errors
    /// [`ConsentError::Signer`] for another record, [`ConsentError::Key`] for another signature.
    pub fn verify_by(&self, record: &Record) -> Result<(), ConsentError> {
        if record.state == State::Active {
            self.verify_under(record)
        } else {
            Err(self.no_signer())
        }
    }

    /// Checks the signature under a record of the registry: of role organisation, of the supplier,
    /// in the same log, and of the key that signed, whatever its state. The record itself must be
    /// proven.
    ///
    /// # Errors
    /// [`ConsentError::Signer`] for another record, [`ConsentError::Key`] for another signature.
    pub fn verify_under(&self, record: &Record) -> Result<(), ConsentError> {
        if !self.is_signer(record) {
            return Err(self.no_signer());
        }
        let cose = Sign1::parse(&self.bytes, CONSENT_MAX)?;
        Ok(cose.verify(&record.key)?)
    }

    fn no_signer(&self) -> ConsentError {
        ConsentError::Signer(self.signer, self.consent.supplier.clone())
    }

    /// True for a record of the key that signed, whatever its state.
    pub(super) fn is_signer(&self, record: &Record) -> bool {
        record.role == Role::Organisation
            && record.organisation == self.consent.supplier
            && record.log == self.consent.log
            && record.kid() == self.signer
    }

    /// What ties a document to the one before of the same supplier and bank, `None` for the first.
    ///
    /// # Errors
    /// [`ConsentError::Rule`], beginning with the member's name.
    pub fn check_follows(&self, before: Option<&Self>) -> Result<(), ConsentError> {
        let (next, Some(before)) = (&self.consent, before) else {
            return holds(
                self.consent.number == 1,
                "number: a supplier's first document to a bank has 1",
            );
        };
        let known = &before.consent;
        let same =
            next.log == known.log && next.supplier == known.supplier && next.bank == known.bank;
        holds(same, "log, supplier, bank: they never change in a chain")?;
        holds(
            next.number == known.number + 1,
            "number: it is one more than that of the document before",
        )?;
        holds(next.prev == before.id(), "prev: it names another document")?;
        holds(
            next.made >= known.made,
            "made: it is not before that of the document before",
        )?;
        holds(
            next.grant().is_some() || known.grant().is_some(),
            "kind: a withdrawal follows a grant",
        )
    }
}
