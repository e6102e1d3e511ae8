//! The attestation (`attestation.md`): what an issuer outside says about a supplier, signed by the
//! issuer's own key, resting on the supplier's consent, with an end; and its revocation.
//!
//! Which issuers count, and for what, is the reader's own list: nothing here knows one.

mod code;
mod facts;
mod form;
mod revocation;
mod signed;

pub use code::SubjectCode;
pub use facts::{
    ApprovalFacts, BuyerFacts, DAY_MAX, Day, Facts, InvoiceFacts, LEAVES_MAX, Period,
    REFERENCE_MAX, StandingFacts, Sum, TaxGrade,
};
pub use revocation::{
    REVOCATION_KIND, REVOCATION_MAX, Revocation, SignedRevocation, TYP_REVOCATION,
};
pub use signed::SignedAttestation;

use std::time::Duration;

use crate::cbor::CborError;
use crate::hash::Hash;
use crate::ids::Slug;
use crate::key::KeyError;
use crate::time::Instant;

/// Media type of an attestation.
pub const TYP_ATTESTATION: &str = "application/vnd.tracebond.attestation.v1+cbor";
/// Longest attestation in bytes.
pub const ATTESTATION_MAX: usize = 4_096;
/// Kind of its log entry (type 3), where it has one.
pub const KIND: &str = "attestation";
/// How long after `issued` an attestation may end at most.
pub const LENGTH_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// What is attested.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Invoices of a period, as the tax office knows them.
    TaxInvoices = 1,
    /// Arrears and credit grade, as the tax office knows them.
    TaxStanding = 2,
    /// A permit or approval.
    GovernmentApproval = 3,
    /// A buyer owes an amount for what it received.
    BuyerConfirmation = 4,
}

impl Kind {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [
        Self::TaxInvoices,
        Self::TaxStanding,
        Self::GovernmentApproval,
        Self::BuyerConfirmation,
    ];

    /// Its number in a document.
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// From its number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    /// Its word, in reasons and configurations.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::TaxInvoices => "tax-invoices",
            Self::TaxStanding => "tax-standing",
            Self::GovernmentApproval => "government-approval",
            Self::BuyerConfirmation => "buyer-confirmation",
        }
    }
}

/// What an issuer says about an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// Log id.
    pub log: Hash,
    /// Who says it.
    pub issuer: Slug,
    /// Its number among all of this issuer, from 1.
    pub number: u64,
    /// About whom.
    pub subject: Slug,
    /// The subject's unified social credit code.
    pub code: SubjectCode,
    /// Id of the grant (`consent.md`) that it rests on.
    pub consent: Hash,
    /// When.
    pub issued: Instant,
    /// It counts up to and without this instant.
    pub expires: Instant,
    /// What is said; its kind is the attestation's.
    pub facts: Facts,
}

/// A document that is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum AttestationError {
    /// The form is broken.
    #[error("not the form of an attestation")]
    Form(#[from] CborError),
    /// Another kind of signed object.
    #[error("the object is of type `{0}`")]
    Typ(String),
    /// A rule is broken.
    #[error("{0}")]
    Rule(&'static str),
    /// The signature.
    #[error("the signature does not count")]
    Key(#[from] KeyError),
}

const fn holds(holds: bool, rule: &'static str) -> Result<(), AttestationError> {
    if holds {
        Ok(())
    } else {
        Err(AttestationError::Rule(rule))
    }
}

impl Attestation {
    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.facts.kind()
    }

    /// Everything that one attestation alone must obey (`attestation.md` sections 1 and 2).
    ///
    /// # Errors
    /// [`AttestationError::Rule`], beginning with the member's name.
    pub fn check(&self) -> Result<(), AttestationError> {
        holds(self.number >= 1, "number: it is at least 1")?;
        holds(
            self.issuer != self.subject,
            "subject: nobody attests to itself",
        )?;
        holds(
            self.issued < self.expires,
            "expires: it is later than issued",
        )?;
        holds(
            self.expires <= self.issued + LENGTH_MAX,
            "expires: it is at most 366 days after issued",
        )?;
        self.facts.check()
    }
}

#[cfg(test)]
mod tests;
