//! The consent document (`consent.md`): what a supplier lets one bank see of its evidence, for what
//! and until when, and that it withdraws it; both signed by the supplier's own key.
//!
//! [`Consent`] is one document, [`SignedConsent`] as signed, [`Consents`] the chain of one supplier
//! to one bank and whether it is in force. Nothing here asks for the time.

mod chain;
mod force;
mod form;
mod signed;

pub(crate) use form::read_slug;

pub use chain::{Consents, Mark, TakeError};
pub use force::{Granted, Lack, Moment, Need, NotInForce, Reach, Refused};
pub use signed::SignedConsent;

use std::time::Duration;

use crate::attestation::Kind as AttestationKind;
use crate::cbor::CborError;
use crate::event::is_member_name;
use crate::hash::Hash;
use crate::ids::Slug;
use crate::key::KeyError;
use crate::time::Instant;

/// Media type of a consent document.
pub const TYP_CONSENT: &str = "application/vnd.tracebond.consent.v1+cbor";
/// Longest document in bytes.
pub const CONSENT_MAX: usize = 32_768;
/// Kind of its log entry (type 3).
pub const KIND: &str = "consent";
/// Most devices that a grant names.
pub const DEVICES_MAX: usize = 256;
/// Most business steps that a grant names.
pub const STEPS_MAX: usize = 64;
/// Longest business step in bytes.
pub const STEP_MAX: usize = 64;
/// Most members that a grant lets be withheld: an event has no more.
pub const WITHHELD_MAX: usize = 64;
/// How long after `made` a grant may end at most.
pub const LENGTH_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// How far ahead of a reader's clock a document may say that it was made.
pub const AHEAD_MAX: Duration = Duration::from_secs(10 * 60);

/// What a bank may use evidence for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Assessing an application.
    Assess = 0,
    /// Watching a loan that runs.
    Watch = 1,
    /// Making and testing models.
    Model = 2,
}

impl Purpose {
    /// All of them, by number.
    pub const ALL: [Self; 3] = [Self::Assess, Self::Watch, Self::Model];

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
            Self::Assess => "assess",
            Self::Watch => "watch",
            Self::Model => "model",
        }
    }
}

/// What is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// From then on.
    pub from: Instant,
    /// Up to and without this instant.
    pub until: Instant,
    /// For what, strictly increasing, at least one.
    pub purposes: Vec<Purpose>,
    /// The supplier's devices, strictly increasing; empty for all, those to come too.
    pub devices: Vec<Slug>,
    /// Business steps, strictly increasing; empty for all events, those without a step too.
    pub steps: Vec<String>,
    /// Members that may be withheld from the bank, strictly increasing.
    pub withheld: Vec<String>,
    /// Kinds of attestations that the bank may hold, strictly increasing; empty for none.
    pub attestations: Vec<AttestationKind>,
}

/// What a document does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It lets the bank see.
    Grant(Grant),
    /// It ends what was granted.
    Withdrawal,
}

/// One document of a supplier to a bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Log id.
    pub log: Hash,
    /// Whose evidence.
    pub supplier: Slug,
    /// Who reads.
    pub bank: Slug,
    /// 1 for the first document, then one more each time.
    pub number: u64,
    /// [`SignedConsent::id`] of the document before; zero at number 1.
    pub prev: Hash,
    /// When, as the supplier says.
    pub made: Instant,
    /// Grant or withdrawal.
    pub act: Act,
}

/// A document that is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum ConsentError {
    /// The form is broken.
    #[error("not the form of a consent document")]
    Form(#[from] CborError),
    /// Another kind of signed object.
    #[error("the object is of type `{0}`")]
    Typ(String),
    /// A rule is broken.
    #[error("{0}")]
    Rule(&'static str),
    /// Its signer is no organisation key of the supplier, or none that counts.
    #[error("kid: {0} is no key of role organisation of `{1}` that counts")]
    Signer(Hash, Slug),
    /// The signature.
    #[error("the signature does not count")]
    Key(#[from] KeyError),
}

pub(crate) const fn holds(holds: bool, rule: &'static str) -> Result<(), ConsentError> {
    if holds {
        Ok(())
    } else {
        Err(ConsentError::Rule(rule))
    }
}

fn rises<T: Ord>(list: &[T]) -> bool {
    list.windows(2).all(|pair| pair[0] < pair[1])
}

impl Consent {
    /// The grant, if it is one.
    #[must_use]
    pub const fn grant(&self) -> Option<&Grant> {
        match &self.act {
            Act::Grant(grant) => Some(grant),
            Act::Withdrawal => None,
        }
    }

    /// Everything that one document alone must obey (`consent.md` section 1).
    ///
    /// # Errors
    /// [`ConsentError::Rule`], beginning with the member's name.
    pub fn check(&self) -> Result<(), ConsentError> {
        holds(self.number >= 1, "number: it is at least 1")?;
        holds(
            self.prev.is_zero() == (self.number == 1),
            "prev: it is 32 zero bytes exactly at number 1",
        )?;
        holds(self.bank != self.supplier, "bank: it is not the supplier")?;
        let Some(grant) = self.grant() else {
            return holds(self.number > 1, "kind: number 1 is a grant");
        };
        grant.check(self.made)
    }
}

impl Grant {
    fn check(&self, made: Instant) -> Result<(), ConsentError> {
        holds(made <= self.from, "from: it is not before made")?;
        holds(self.from < self.until, "until: it is later than from")?;
        holds(
            self.until <= made + LENGTH_MAX,
            "until: it is at most 366 days after made",
        )?;
        holds(
            !self.purposes.is_empty() && rises(&self.purposes),
            "purposes: at least one, strictly increasing",
        )?;
        holds(
            self.devices.len() <= DEVICES_MAX && rises(&self.devices),
            "devices: at most 256, strictly increasing",
        )?;
        holds(
            self.steps.len() <= STEPS_MAX && rises(&self.steps),
            "steps: at most 64, strictly increasing",
        )?;
        holds(
            self.steps.iter().all(|step| is_step(step)),
            "steps: each is 1 to 64 printable ASCII characters without space",
        )?;
        holds(
            self.withheld.len() <= WITHHELD_MAX && rises(&self.withheld),
            "withheld: at most 64, strictly increasing",
        )?;
        holds(
            self.withheld.iter().all(|name| is_member_name(name)),
            "withheld: names of members as an event may have them",
        )?;
        holds(
            rises(&self.attestations),
            "attestations: strictly increasing",
        )
    }
}

fn is_step(step: &str) -> bool {
    (1..=STEP_MAX).contains(&step.len()) && step.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
