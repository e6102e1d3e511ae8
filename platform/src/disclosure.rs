//! What organisations withhold from whom (`disclosure.md`): taking their signed documents in, and
//! reading events as one audience.

use std::collections::BTreeMap;

use schemas::disclosure::{Audience, Disclosure, DisclosureError, SignedDisclosure};
use schemas::epcis::rule::bare_step;
use schemas::event::Event;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::KeyError;
use schemas::registry::{Role, State};
use schemas::time::Instant;

use crate::registry::Snapshot;
use crate::store::erasure::KeptDisclosure;
use crate::store::{KeptStatement, Store, StoreError, Stored};

/// Members that a consumer does not see of an organisation without a document: the parties'
/// business.
pub const PRIVATE_MEMBERS: [&str; 7] = [
    "bizTransactionList",
    "destinationList",
    "sourceList",
    "tb:invoiceAmount",
    "tb:invoiceCurrency",
    "tb:orderAmount",
    "tb:orderCurrency",
];

/// A document that is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RefusedDisclosure {
    /// Its form or its rules.
    #[error("the document is refused")]
    Document(#[from] DisclosureError),
    /// Another log.
    #[error("log: the document is for another log")]
    Log,
    /// Signed by no active key of the organisation.
    #[error("kid: no active key of role organisation of `{0}` has this kid")]
    Signer(Slug),
    /// The signature.
    #[error("the signature does not count")]
    Signature(#[from] KeyError),
    /// Somebody else's document took the version meanwhile.
    #[error("version: it was taken meanwhile; read the newest document and follow it")]
    Taken,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Takes a document in: its signer must be an active key of the organisation, and it must follow
/// the newest one. The newest one sent again changes nothing.
///
/// # Errors
/// [`RefusedDisclosure`]; nothing is kept.
pub async fn accept(
    store: &dyn Store,
    registry: &Snapshot,
    log: &Hash,
    bytes: Vec<u8>,
    now: Instant,
) -> Result<SignedDisclosure, RefusedDisclosure> {
    let signed = SignedDisclosure::parse(bytes)?;
    let document = &signed.disclosure;
    if document.log != *log {
        return Err(RefusedDisclosure::Log);
    }
    let unknown = || RefusedDisclosure::Signer(document.organisation.clone());
    let record = &registry.key(&signed.signer).ok_or_else(unknown)?.record;
    let is_own = record.role == Role::Organisation
        && record.state == State::Active
        && record.organisation == document.organisation;
    if !is_own {
        return Err(unknown());
    }
    signed.verify(&record.key)?;
    let newest = store.disclosure(&document.organisation, None).await?;
    if newest
        .as_ref()
        .is_some_and(|kept| kept.bytes == signed.bytes())
    {
        return Ok(signed);
    }
    let before = newest.map(|kept| SignedDisclosure::parse(kept.bytes));
    signed.check_follows(before.transpose()?.as_ref())?;
    let kept = KeptDisclosure {
        organisation: document.organisation.clone(),
        version: document.version,
        hash: signed.hash(),
        bytes: signed.bytes().to_vec(),
        received: now,
    };
    if store.add_disclosure(&kept).await? {
        Ok(signed)
    } else {
        Err(RefusedDisclosure::Taken)
    }
}

/// The newest documents of all organisations, as one audience is under them.
#[derive(Clone, Debug)]
pub struct Rules {
    audience: Audience,
    documents: BTreeMap<Slug, Disclosure>,
}

impl Rules {
    /// Of organisations without documents.
    #[must_use]
    pub const fn default_for(audience: Audience) -> Self {
        Self {
            audience,
            documents: BTreeMap::new(),
        }
    }

    /// Reads the documents.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(store: &dyn Store, audience: Audience) -> Stored<Self> {
        let mut rules = Self::default_for(audience);
        for kept in store.newest_disclosures().await? {
            let signed = SignedDisclosure::parse(kept.bytes);
            let signed = signed.map_err(|_| StoreError::Corrupt("disclosure document"))?;
            rules.documents.insert(kept.organisation, signed.disclosure);
        }
        Ok(rules)
    }

    /// True if a member of an event of this business step (bare name), for which the organisation
    /// answers, is withheld.
    #[must_use]
    pub fn hide(&self, organisation: &Slug, step: Option<&str>, member: &str) -> bool {
        match self.documents.get(organisation) {
            Some(document) => document.withholds(self.audience, step, member),
            None => self.audience == Audience::Consumer && PRIVATE_MEMBERS.contains(&member),
        }
    }
}

/// Who decides which members of an event are withheld.
pub trait Withholding: Send + Sync {
    /// True if this member of an event of the statement is withheld.
    fn withholds(&self, statement: &KeptStatement, step: Option<&str>, member: &str) -> bool;
}

/// The same members of every event, by name.
pub struct ByName<F>(pub F);

impl<F: Fn(&str) -> bool + Send + Sync> Withholding for ByName<F> {
    fn withholds(&self, _: &KeptStatement, _: Option<&str>, member: &str) -> bool {
        (self.0)(member)
    }
}

/// Events as one audience sees them: each by the document of the organisation that answers for it.
#[derive(Clone, Debug)]
pub struct Reading {
    rules: Rules,
    /// For whom the platform's own capture device has signed statements.
    declared: BTreeMap<Hash, Slug>,
}

impl Reading {
    /// Reads the newest documents, for statements with these ids.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(store: &dyn Store, audience: Audience, ids: &[Hash]) -> Stored<Self> {
        Ok(Self {
            rules: Rules::load(store, audience).await?,
            declared: store.declarers(ids).await?,
        })
    }
}

impl Withholding for Reading {
    fn withholds(&self, statement: &KeptStatement, step: Option<&str>, member: &str) -> bool {
        let organisation = self.declared.get(&statement.id);
        let organisation = organisation.unwrap_or(&statement.device.organisation);
        self.rules.hide(organisation, step, member)
    }
}

/// The business step of an event, by its bare name.
#[must_use]
pub fn step_of(event: &Event) -> Option<String> {
    let (_, value) = event.members().find(|(name, _)| *name == "bizStep")?;
    let value: serde_json::Value = serde_json::from_slice(value).ok()?;
    Some(bare_step(value.as_str()?).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_known_by_its_bare_name() {
        let step = |text: &str| {
            let event = format!(r#"{{"type":"ObjectEvent","bizStep":{text}}}"#);
            step_of(&Event::parse(event.into_bytes()).unwrap())
        };
        assert_eq!(step(r#""shipping""#).as_deref(), Some("shipping"));
        assert_eq!(
            step(r#""https://ref.gs1.org/cbv/BizStep-shipping""#).as_deref(),
            Some("shipping")
        );
        assert_eq!(step("7"), None);
    }

    #[test]
    fn what_is_private_by_default_is_sorted_as_a_document_would_be() {
        assert!(PRIVATE_MEMBERS.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
