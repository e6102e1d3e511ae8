//! What the organisation lets a bank read, and that it lets it read no more (`consent.md`).
//!
//! A document is kept before it is sent and sent again until the platform has answered: two with
//! one number would be a fork, after which nothing is in force.

use std::time::Duration;

use schemas::attestation::Kind;
use schemas::consent::{Act, Consent, Grant, Purpose, SignedConsent};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::office::Office;
use super::{KeytoolError, PlatformError};

/// What a person wants to grant; what is in no order comes into it.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// From then on; from now on without it.
    pub from: Option<Instant>,
    /// For how long.
    pub lasting: Duration,
    /// For what.
    pub purposes: Vec<Purpose>,
    /// Of which devices; none for all.
    pub devices: Vec<Slug>,
    /// Of which business steps; none for all.
    pub steps: Vec<String>,
    /// Members that may be withheld.
    pub withheld: Vec<String>,
    /// Kinds of attestations that the bank may hold.
    pub attestations: Vec<Kind>,
}

fn in_order<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

impl Wanted {
    fn grant(self, made: Instant) -> Grant {
        let from = self.from.map_or(made, |from| from.max(made));
        Grant {
            from,
            until: from + self.lasting,
            purposes: in_order(self.purposes),
            devices: in_order(self.devices),
            steps: in_order(self.steps),
            withheld: in_order(self.withheld),
            attestations: in_order(self.attestations),
        }
    }
}

impl Office {
    /// Signs that a bank may read, and hands it in.
    ///
    /// # Errors
    /// [`KeytoolError`]; what the platform did not answer is sent again the next time.
    pub async fn grant(
        &self,
        bank: &Slug,
        wanted: Wanted,
        now: Instant,
    ) -> Result<SignedConsent, KeytoolError> {
        let newest = self.newest_consent(bank).await?;
        let made = made(newest.as_ref(), now);
        self.hand_in_consent(newest, bank, made, Act::Grant(wanted.grant(made)))
            .await
    }

    /// Signs that a bank may read no more, and hands it in. Where the newest document is a
    /// withdrawal it is given back.
    ///
    /// # Errors
    /// [`KeytoolError::NoConsent`] where nothing was granted, and as [`Office::grant`].
    pub async fn withdraw(&self, bank: &Slug, now: Instant) -> Result<SignedConsent, KeytoolError> {
        let newest = self.newest_consent(bank).await?;
        let newest = newest.ok_or_else(|| KeytoolError::NoConsent(bank.clone()))?;
        if newest.consent.act == Act::Withdrawal {
            return Ok(newest);
        }
        let made = made(Some(&newest), now);
        self.hand_in_consent(Some(newest), bank, made, Act::Withdrawal)
            .await
    }

    /// Documents to a bank as they are kept here, number 1 first.
    ///
    /// # Errors
    /// [`KeytoolError`].
    pub fn consents(&self, bank: &Slug) -> Result<Vec<SignedConsent>, KeytoolError> {
        Ok(self.folder.consents(bank)?)
    }

    /// Reads the chain to a bank from the platform into the folder, as after a loss of the folder.
    /// It must follow what is kept here.
    ///
    /// # Errors
    /// [`KeytoolError::Shown`] for what is not this organisation's chain.
    pub async fn fetch_consents(&self, bank: &Slug, token: &str) -> Result<(), KeytoolError> {
        let settings = &self.settings;
        let shown = self.platform.consents(&settings.organisation, bank, token);
        let shown = shown.await?;
        let kept = self.folder.consents(bank)?;
        let wrong = |what: &str| KeytoolError::Shown(format!("a chain of consents {what}"));
        if shown.len() < kept.len() {
            return Err(wrong("that ends before what is kept here"));
        }
        let mut before: Option<SignedConsent> = None;
        for (place, bytes) in shown.into_iter().enumerate() {
            let signed = SignedConsent::parse(bytes)?;
            let consent = &signed.consent;
            let is_own = consent.log == settings.log
                && consent.supplier == settings.organisation
                && consent.bank == *bank;
            let differs = kept.get(place).is_some_and(|kept| *kept != signed);
            if !is_own || differs {
                return Err(wrong("that is not what is kept here"));
            }
            signed.check_follows(before.as_ref())?;
            self.folder.keep_consent(&signed)?;
            before = Some(signed);
        }
        Ok(())
    }

    /// The newest document, after one that was not answered has been sent again.
    async fn newest_consent(&self, bank: &Slug) -> Result<Option<SignedConsent>, KeytoolError> {
        if let Some(waiting) = self.folder.waiting_consent(bank)? {
            self.send_consent(&waiting).await?;
        }
        Ok(self.folder.consents(bank)?.pop())
    }

    async fn hand_in_consent(
        &self,
        before: Option<SignedConsent>,
        bank: &Slug,
        made: Instant,
        act: Act,
    ) -> Result<SignedConsent, KeytoolError> {
        let before = before.as_ref();
        let consent = Consent {
            log: self.settings.log,
            supplier: self.settings.organisation.clone(),
            bank: bank.clone(),
            number: before.map_or(1, |before| before.consent.number + 1),
            prev: before.map_or(Hash::ZERO, SignedConsent::id),
            made,
            act,
        };
        let signed = SignedConsent::sign(&self.key, &consent)?;
        self.folder.keep_waiting_consent(&signed)?;
        self.send_consent(&signed).await?;
        Ok(signed)
    }

    /// Sends a document and keeps it as taken. One that the platform refuses for good is forgotten.
    async fn send_consent(&self, signed: &SignedConsent) -> Result<(), KeytoolError> {
        let bank = &signed.consent.bank;
        match self.platform.consent(signed).await {
            Ok(()) => self.folder.keep_consent(signed)?,
            Err(error) => {
                if is_final(&error) {
                    self.folder.forget_waiting_consent(bank)?;
                }
                return Err(error.into());
            }
        }
        Ok(self.folder.forget_waiting_consent(bank)?)
    }
}

fn made(before: Option<&SignedConsent>, now: Instant) -> Instant {
    before.map_or(now, |before| now.max(before.consent.made))
}

/// Refused for what it is: the same document is never taken later.
const fn is_final(error: &PlatformError) -> bool {
    matches!(error, PlatformError::Refused { status, .. } if matches!(*status, 400 | 403 | 409))
}
