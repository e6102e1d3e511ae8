//! Scorecards beside the use case: scores that decide nothing, the office, cards for the log.

use std::sync::Arc;

use schemas::causes::causes;
use schemas::hash::Hash;

use super::Credit;
use crate::loan::Record;
use crate::logged::Logged;
use crate::models::office::Models;
use crate::store::StoreError;
use crate::store::models::CardToLog;

impl Credit {
    /// What scorecards that decide nothing say beside a decision. The decision stands whatever comes
    /// of that; what is missing is made good at the next start.
    pub(super) async fn shadow(&self, record: &Record) {
        let in_use = self.terms.model.artefact;
        if let Err(error) = self.shadows.keep(&*self.store, record, in_use).await {
            let error = causes(&error);
            tracing::error!(error, "no scores beside a decision were kept");
        }
    }

    /// Keeps scores beside decisions that an end of the service left out. That it fails stops nothing.
    pub async fn catch_up_shadows(&self) {
        let in_use = self.terms.model.artefact;
        if let Err(error) = self.shadows.catch_up(&*self.store, in_use).await {
            let error = causes(&error);
            tracing::error!(error, "scores beside earlier decisions were not made good");
        }
    }

    /// The office of scorecards.
    #[must_use]
    pub fn models(&self) -> Models {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        Models::new(store, clock, self.terms.model.artefact)
    }

    /// SHA-256 of the points table that decides.
    #[must_use]
    pub fn table(&self) -> Hash {
        self.terms.model.hash
    }

    /// Policy, rules and table, for tests that decide again.
    #[cfg(test)]
    pub(crate) fn terms_for_tests(
        &self,
    ) -> (
        crate::evidence::verify::TrustedPolicy,
        crate::facts::Rules,
        crate::score::Model,
    ) {
        let terms = &self.terms;
        (terms.policy.clone(), terms.rules, terms.model.clone())
    }

    /// The same that hands hashes of promoted models' cards over for the log.
    #[must_use]
    pub fn logging(self, logged: Logged) -> Self {
        Self {
            logged: Some(logged),
            ..self
        }
    }

    /// True if hashes of cards are handed over for the log.
    #[must_use]
    pub const fn hands_over(&self) -> bool {
        self.logged.is_some()
    }

    /// What the log must hold of scorecards: cards of promoted ones, with what is known of their place.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cards_to_log(&self) -> Result<Vec<CardToLog>, StoreError> {
        self.store.cards_to_log().await
    }

    /// One round: cards that are not proven to be in the log are looked for and handed over, and the
    /// place of each that is proven is kept. That the other side does not answer stops nothing: the
    /// next round asks again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hand_cards_over(&self) -> Result<(), StoreError> {
        let Some(logged) = &self.logged else {
            return Ok(());
        };
        let mut open = self.cards_to_log().await?;
        open.retain(|one| one.place.is_none());
        let entries: Vec<_> = open.iter().map(|one| one.entry.clone()).collect();
        if let Err(error) = logged.round(&entries).await {
            let error = causes(&error);
            tracing::warn!(error, "cards of models are not in the log yet");
        }
        for one in open {
            if let Some(place) = logged.place(&one.entry.hash) {
                let card = one.entry.hash;
                self.store.keep_place(&one.artefact, &card, &place).await?;
            }
        }
        Ok(())
    }
}
