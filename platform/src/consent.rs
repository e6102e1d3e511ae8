//! Consents of suppliers to banks (`consent.md`): taking the signed documents in, and whether one is
//! in force when a bank asks for evidence.
//!
//! Who hands a document in does not matter: its signature decides. What is kept is a chain without
//! a fork: of two documents with one number the first that came is kept, and the other is refused.

use std::sync::Arc;

use schemas::consent::{
    self, AHEAD_MAX, ConsentError, Consents, Granted, Mark, Moment, Need, Purpose, SignedConsent,
};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::registry::State;
use schemas::time::Instant;

use crate::http::Documents;
use crate::registry::Snapshot;
use crate::store::consents::KeptConsent;
use crate::store::{Store, StoreError, Stored};

/// Most documents of one supplier to one bank; readers take no more at once.
pub const CHAIN_MAX: usize = 1_024;

/// A document that is not taken; nothing is kept.
#[derive(Debug, thiserror::Error)]
pub enum RefusedConsent {
    /// Its form, its rules, or its place in the chain.
    #[error("the document is refused")]
    Document(#[from] ConsentError),
    /// Another log.
    #[error("log: the document is for another log")]
    Log,
    /// No reader of this platform has this name.
    #[error("bank: no reader of this platform is called `{0}`")]
    Bank(Slug),
    /// The key that signed has no record, or one of another organisation or role.
    #[error("kid: {kid} is no key of role organisation of `{supplier}`")]
    Signer {
        /// Whose signature it says it is.
        kid: Hash,
        /// Whose evidence.
        supplier: Slug,
    },
    /// The key that signed does not count now.
    #[error("kid: the key {kid} is {state}")]
    State {
        /// Which.
        kid: Hash,
        /// `suspended`, `revoked` or `retired`.
        state: &'static str,
    },
    /// It says that it was made in the future.
    #[error("made: {made} is ahead of this platform's clock, {now}")]
    Ahead {
        /// What it says.
        made: Instant,
        /// The clock.
        now: Instant,
    },
    /// It had ended before it came.
    #[error("until: the consent ended at {0}")]
    Ended(Instant),
    /// The number has another document already.
    #[error("number: {0} is taken by a document with other contents")]
    Taken(u64),
    /// The chain is as long as readers take it.
    #[error("number: a chain has at most {CHAIN_MAX} documents")]
    Full,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl RefusedConsent {
    /// The member that is wrong: a payload's or `kid`; `None` where there is no single one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Document(ConsentError::Rule(rule)) => {
                rule.split_once(": ").map(|(field, _)| field)
            }
            Self::Document(ConsentError::Signer(..)) => Some("kid"),
            Self::Document(ConsentError::Key(_)) => Some("signature"),
            Self::Document(ConsentError::Typ(_)) => Some("typ"),
            Self::Document(ConsentError::Form(_)) | Self::Store(_) => None,
            Self::Log => Some("log"),
            Self::Bank(_) => Some("bank"),
            Self::Signer { .. } | Self::State { .. } => Some("kid"),
            Self::Ahead { .. } => Some("made"),
            Self::Ended(_) => Some("until"),
            Self::Taken(_) | Self::Full => Some("number"),
        }
    }
}

/// What a document is judged by when it comes.
pub struct Entrance<'a> {
    /// Where it goes.
    pub store: &'a dyn Store,
    /// Records in force.
    pub registry: &'a Snapshot,
    /// Log id.
    pub log: &'a Hash,
    /// Names of this platform's readers.
    pub banks: &'a [&'a str],
    /// Now.
    pub now: Instant,
}

impl Entrance<'_> {
    /// Takes a document in. One that is in the chain already changes nothing.
    ///
    /// # Errors
    /// [`RefusedConsent`], naming the member.
    pub async fn take(&self, bytes: Vec<u8>) -> Result<SignedConsent, RefusedConsent> {
        let signed = SignedConsent::parse(bytes)?;
        self.check_signer(&signed)?;
        let consent = &signed.consent;
        let kept = self
            .store
            .consents(&consent.supplier, &consent.bank)
            .await?;
        if self.is_there(&signed, &kept)? {
            return Ok(signed);
        }
        self.check_new(&signed)?;
        let newest = kept
            .last()
            .map(|kept| SignedConsent::parse(kept.bytes.clone()));
        signed.check_follows(newest.transpose()?.as_ref())?;
        if kept.len() >= CHAIN_MAX {
            return Err(RefusedConsent::Full);
        }
        let document = KeptConsent {
            supplier: consent.supplier.clone(),
            bank: consent.bank.clone(),
            number: consent.number,
            hash: signed.hash(),
            bytes: signed.bytes().to_vec(),
            received: self.now,
        };
        if self.store.add_consent(&document).await? {
            return Ok(signed);
        }
        // Somebody was faster: with this very document, or with another one.
        let kept = self
            .store
            .consents(&consent.supplier, &consent.bank)
            .await?;
        self.is_there(&signed, &kept)?;
        Ok(signed)
    }

    fn check_signer(&self, signed: &SignedConsent) -> Result<(), RefusedConsent> {
        let consent = &signed.consent;
        if consent.log != *self.log {
            return Err(RefusedConsent::Log);
        }
        let (kid, supplier) = (signed.signer, consent.supplier.clone());
        let unknown = || RefusedConsent::Signer { kid, supplier };
        let record = &self.registry.key(&kid).ok_or_else(unknown)?.record;
        signed.verify_under(record).map_err(|error| match error {
            ConsentError::Signer(kid, supplier) => RefusedConsent::Signer { kid, supplier },
            other => other.into(),
        })?;
        if record.state == State::Active {
            return Ok(());
        }
        let state = record.state.word();
        Err(RefusedConsent::State { kid, state })
    }

    fn is_there(
        &self,
        signed: &SignedConsent,
        kept: &[KeptConsent],
    ) -> Result<bool, RefusedConsent> {
        let number = signed.consent.number;
        match kept.iter().find(|kept| kept.number == number) {
            Some(kept) if kept.bytes == signed.bytes() => Ok(true),
            Some(_) => Err(RefusedConsent::Taken(number)),
            None => Ok(false),
        }
    }

    fn check_new(&self, signed: &SignedConsent) -> Result<(), RefusedConsent> {
        let (consent, now) = (&signed.consent, self.now);
        if !self.banks.contains(&consent.bank.as_str()) {
            return Err(RefusedConsent::Bank(consent.bank.clone()));
        }
        if consent.made > now + AHEAD_MAX {
            let made = consent.made;
            return Err(RefusedConsent::Ahead { made, now });
        }
        match consent.grant() {
            Some(grant) if grant.until <= now => Err(RefusedConsent::Ended(grant.until)),
            _ => Ok(()),
        }
    }
}

/// What is asked when a bank wants to read.
pub struct Question<'a> {
    /// Where the documents are.
    pub store: &'a Arc<dyn Store>,
    /// Records in force.
    pub registry: &'a Snapshot,
    /// Which hashes the log holds.
    pub documents: &'a Documents,
    /// Log id.
    pub log: &'a Hash,
    /// The platform's clock.
    pub now: Instant,
}

impl Question<'_> {
    /// The consent of a supplier to a bank for all of its evidence, whatever the purpose; `None`
    /// where the supplier has never signed one for this bank.
    ///
    /// # Errors
    /// The store's. The inner error says why what was signed is not in force.
    pub async fn in_force(
        &self,
        supplier: &Slug,
        bank: &Slug,
    ) -> Stored<Option<Result<Granted, consent::Refused>>> {
        let kept = self.store.consents(supplier, bank).await?;
        if kept.is_empty() {
            return Ok(None);
        }
        let checkpoint = self.store.newest_checkpoint().await?;
        let witnessed = checkpoint.as_ref().map(|one| one.anchored);
        let size = checkpoint.map_or(0, |one| one.size);
        let moment = Moment::new(self.now, witnessed);
        let chain = self.chain(supplier, bank, kept, size, moment).await?;
        let record = |kid: &Hash| self.registry.key(kid).map(|signed| &signed.record);
        let newest = chain.documents().next_back();
        let purpose = newest
            .and_then(|newest| newest.consent.grant()?.purposes.first().copied())
            .unwrap_or(Purpose::Assess);
        Ok(Some(chain.in_force(&Need::whole(purpose), moment, record)))
    }

    /// The kept chain. It was checked when it came; whoever has changed the database since is
    /// noticed here.
    async fn chain(
        &self,
        supplier: &Slug,
        bank: &Slug,
        kept: Vec<KeptConsent>,
        size: u64,
        moment: Moment,
    ) -> Stored<Consents> {
        let corrupt = |_| StoreError::Corrupt("consent document");
        let mut read = Vec::new();
        for one in kept {
            read.push(SignedConsent::parse(one.bytes).map_err(corrupt)?);
        }
        let known = read.last().map(|newest| Mark {
            number: newest.consent.number,
            id: newest.id(),
        });
        let mut chain = Consents::new(*self.log, supplier.clone(), bank.clone(), known);
        for signed in read {
            let record = self.registry.key(&signed.signer);
            let record = record.ok_or(StoreError::Corrupt("signer of a consent"))?;
            // A platform whose clock was moved back keeps what it has taken.
            let (hash, now) = (signed.hash(), moment.counted.max(signed.consent.made));
            let taken = chain.take(signed, &record.record, now);
            taken.map_err(|_| StoreError::Corrupt("chain of consents"))?;
            if self
                .documents
                .place(self.store, &hash, size)
                .await?
                .is_some()
            {
                chain.prove_logged(&hash);
            }
        }
        Ok(chain)
    }
}
