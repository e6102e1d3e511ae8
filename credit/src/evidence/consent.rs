//! A supplier's consent to this bank (`schemas/docs/consent.md`), joined to verified evidence.
//!
//! [`Signers`] takes the organisations' records out of a bundle whose proofs held; [`read`] makes a
//! chain of what was handed over; [`Remembered`] is what the bank keeps, so that neither an older
//! state nor a clock that was moved back brings a consent back; [`keeps_to`] refuses evidence of
//! another supplier, or of devices and steps that were not granted. Every refusal has a class, for
//! [`verify::Refused`] and so for the refusals that the bank keeps.
//!
//! What a grant lets be withheld and what is withheld all the same is no matter of this module: it
//! is a gap, unfavourably ([`chain`](super::chain)).

use std::collections::{BTreeMap, BTreeSet};

use schemas::causes::causes;
use schemas::consent::{
    self, ConsentError, Consents, Grant, KIND, Mark, Moment, SignedConsent, TakeError,
};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::log::Entry;
use schemas::proof::{Bundle, verify_document};
use schemas::registry::{Record, Role, SignedRecord};
use schemas::time::Instant;

use super::verified::{VerifiedEvent, VerifiedEvidence, VerifiedStatement};
use super::verify::{self, TrustedPolicy};

/// Most documents of one chain that are read at once.
pub const DOCUMENTS_MAX: usize = 1_024;

/// Class of a refusal: the supplier has never signed a consent to this bank.
pub const NO_CONSENT: &str = "no-consent";

/// True for the class of a refusal that is about the supplier's consent.
#[must_use]
pub fn is_consent_class(class: &str) -> bool {
    class == NO_CONSENT || class.starts_with("consent-")
}

/// A consent document as somebody hands it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its COSE bytes.
    pub document: Vec<u8>,
    /// The proof of its log entry (`document-proof.md`). A withdrawal counts without one.
    pub proof: Option<Vec<u8>>,
}

/// The organisations' records of a bundle: the newest of each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    organisations: BTreeMap<Hash, Record>,
    others: BTreeSet<Hash>,
}

impl Signers {
    /// The records of a bundle. It must have been verified: here they are only read.
    ///
    /// # Errors
    /// [`verify::Refused`] for bytes that are no bundle.
    pub fn of(verified: &[u8]) -> Result<Self, verify::Refused> {
        let bundle = Bundle::parse(verified)?;
        let shown = bundle.keys.iter().map(|row| &row.record.0);
        let fresh = bundle.fresh.iter().flat_map(|fresh| &fresh.keys);
        let mut signers = Self::default();
        for bytes in shown.chain(fresh.map(|row| &row.record.0)) {
            if let Ok(signed) = SignedRecord::parse(bytes.clone()) {
                signers.add(signed.record);
            }
        }
        Ok(signers)
    }

    fn add(&mut self, record: Record) {
        let kid = record.kid();
        if record.role != Role::Organisation {
            self.others.insert(kid);
            return;
        }
        let newer = |known: &Record| known.version >= record.version;
        if !self.organisations.get(&kid).is_some_and(newer) {
            self.organisations.insert(kid, record);
        }
    }

    /// The newest record of an organisation's key.
    #[must_use]
    pub fn record(&self, kid: &Hash) -> Option<&Record> {
        self.organisations.get(kid)
    }

    /// True for every key that has a record here, of whatever role.
    #[must_use]
    pub fn is_registered(&self, kid: &Hash) -> bool {
        self.organisations.contains_key(kid) || self.others.contains(kid)
    }
}

/// What the bank keeps of one supplier, and gives back the next time. It never falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Remembered {
    /// The highest document that it has seen.
    pub mark: Option<Mark>,
    /// The latest instant that it has counted a consent at.
    pub seen: Option<Instant>,
}

impl Remembered {
    /// The moment of a question: never before what was seen, the evidence's own witnessed time
    /// included.
    #[must_use]
    pub fn moment(&self, clock: Instant, evidence: Option<&VerifiedEvidence>) -> Moment {
        let witnessed = evidence.map(|evidence| evidence.anchored);
        Moment::new(clock, self.seen.max(witnessed))
    }

    /// What is kept after a question.
    #[must_use]
    pub fn after(&self, chain: &Consents, moment: Moment) -> Self {
        Self {
            mark: chain.mark().or(self.mark),
            seen: self.seen.max(Some(moment.counted)),
        }
    }
}

/// Documents from which no chain is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Too many.
    #[error("more than {DOCUMENTS_MAX} consent documents")]
    TooMany,
    /// One of them, by its place from 0.
    #[error("consent document {place}: {reason}")]
    Document {
        /// Its place in what was handed over.
        place: usize,
        /// Why, with the name of the member.
        reason: String,
    },
}

impl From<Unread> for verify::Refused {
    fn from(unread: Unread) -> Self {
        Self {
            class: "consent-document".to_owned(),
            detail: unread.to_string(),
        }
    }
}

impl From<consent::Refused> for verify::Refused {
    fn from(refused: consent::Refused) -> Self {
        let class = match refused.reason.code() {
            "none" => NO_CONSENT.to_owned(),
            code => format!("consent-{code}"),
        };
        Self {
            class,
            detail: refused.to_string(),
        }
    }
}

/// Whose consent to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// Log id.
    pub log: Hash,
    /// Whose evidence.
    pub supplier: Slug,
    /// This bank, by the name that its suppliers know it by.
    pub bank: Slug,
}

/// The chain that was handed over, first document first, with the proofs under the bank's own
/// policy. A fork is in the chain, and its answer says so.
///
/// # Errors
/// [`Unread`] at the first document that is not taken.
pub fn read(
    parties: &Parties,
    shown: &[Shown],
    signers: &Signers,
    trusted: &TrustedPolicy,
    remembered: Remembered,
    now: Instant,
) -> Result<Consents, Unread> {
    if shown.len() > DOCUMENTS_MAX {
        return Err(Unread::TooMany);
    }
    let Parties {
        log,
        supplier,
        bank,
    } = parties.clone();
    let mut chain = Consents::new(log, supplier, bank, remembered.mark);
    for (place, one) in shown.iter().enumerate() {
        let taken = take(&mut chain, one, signers, trusted, now);
        taken.map_err(|reason| Unread::Document { place, reason })?;
    }
    Ok(chain)
}

fn take(
    chain: &mut Consents,
    shown: &Shown,
    signers: &Signers,
    trusted: &TrustedPolicy,
    now: Instant,
) -> Result<(), String> {
    let signed = SignedConsent::parse(shown.document.clone()).map_err(|error| causes(&error))?;
    let hash = signed.hash();
    let Some(record) = signers.record(&signed.signer) else {
        let supplier = signed.consent.supplier.clone();
        return Err(ConsentError::Signer(signed.signer, supplier).to_string());
    };
    match chain.take(signed, record, now) {
        // Remembered: nothing is in force from then on, and the answer names the fork.
        Ok(()) | Err(TakeError::Fork(_)) => {}
        Err(error) => return Err(causes(&error)),
    }
    if let Some(proof) = &shown.proof {
        prove(chain, proof, &hash, trusted)?;
    }
    Ok(())
}

fn prove(
    chain: &mut Consents,
    proof: &[u8],
    hash: &Hash,
    trusted: &TrustedPolicy,
) -> Result<(), String> {
    let policy = Entry::Policy(trusted.policy().clone()).encode();
    let report = verify_document(proof, Some(&policy));
    let report = report.map_err(|refusal| format!("proof: {}", causes(&refusal)))?;
    if report.kind.as_deref() != Some(KIND) || report.hash != *hash {
        return Err("proof: it is of another document".to_owned());
    }
    chain.prove_logged(hash);
    Ok(())
}

/// Evidence that goes beyond what was granted: it is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Beyond {
    /// Nothing of it is of the supplier that is asked about.
    #[error("no statement is of a device of `{0}`")]
    Foreign(Slug),
    /// An event of a device or step that was not granted is shown.
    #[error("event {leaf} of `{device}` is shown, but not granted")]
    NotGranted {
        /// The device.
        device: String,
        /// The event.
        leaf: Hash,
    },
}

impl From<Beyond> for verify::Refused {
    fn from(beyond: Beyond) -> Self {
        let class = match beyond {
            Beyond::Foreign(_) => "foreign",
            Beyond::NotGranted { .. } => "consent-beyond",
        };
        Self {
            class: class.to_owned(),
            detail: beyond.to_string(),
        }
    }
}

/// Refuses evidence that is of another supplier, or shows what was not granted. Events of others
/// that confirm the supplier's goods are theirs and not looked at here.
///
/// # Errors
/// [`Beyond`], naming the first event in the bundle's order.
pub fn keeps_to(evidence: &VerifiedEvidence, supplier: &Slug, grant: &Grant) -> Result<(), Beyond> {
    let is_own = |statement: &VerifiedStatement| statement.device.organisation == *supplier;
    if !evidence.statements.iter().any(is_own) {
        return Err(Beyond::Foreign(supplier.clone()));
    }
    for event in &evidence.events {
        let statement = evidence.statement_of(event).filter(|one| is_own(one));
        let Some(statement) = statement.filter(|_| event.source.is_some()) else {
            continue;
        };
        let step = step_of(event);
        if !grant.covers(&statement.device.device, step.as_deref()) {
            let (device, leaf) = (statement.device.to_string(), event.leaf);
            return Err(Beyond::NotGranted { device, leaf });
        }
    }
    Ok(())
}

/// The event's business step by its bare name, if it is shown.
fn step_of(event: &VerifiedEvent) -> Option<String> {
    let value = event.members.get("bizStep")?.as_ref()?;
    let step: String = serde_json::from_slice(value).ok()?;
    Some(schemas::epcis::rule::bare_step(&step).to_owned())
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
