//! The way of a model into use: draft, reviewed, promoted; and a challenger that only watches.
//!
//! ```text
//! Draft --review, by another person than the operator--> Reviewed
//! Reviewed --promote, by a third person--> Promoted --retire--> Retired
//! Draft or Reviewed --withdraw--> Retired
//! Reviewed --shadow--> scores beside the champion and decides nothing
//! ```
//!
//! A transition consumes the state that it was read as. Nobody acts twice on one model: whoever made
//! it neither reviews nor promotes it, whoever reviewed it does not promote it. The review is part of
//! the card, so the card's hash that goes into the log is that of the reviewed card.

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::artefact::{Artefact, ArtefactError, Assessment};
use super::card::{CardError, LOG_KIND, ModelCard, ReviewNote, check_text};
use super::points::{Applicant, ScoreError};

/// A step that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The person acted on this model before.
    #[error("{person} has {before} this model already")]
    SamePerson {
        /// Who.
        person: Slug,
        /// What they did before.
        before: &'static str,
    },
    /// The card is of another scorecard, or was reviewed before.
    #[error("card: it is not the unreviewed card of this scorecard")]
    OtherCard,
    /// A step is dated before the one that it follows.
    #[error("at: the step is before the one that it follows")]
    Order,
    /// The challenger is the champion, or its figure is another one.
    #[error("challenger: it must be another model of the same outcome")]
    OtherOutcome,
    /// A text or the card is wrong.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The scorecard cannot be written.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
}

/// What is known of a model in every state.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    artefact: Artefact,
    card: ModelCard,
    hash: Hash,
}

/// Made, and looked at by nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft(Model);

/// Looked at by a second person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed(Model);

/// In use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promoted {
    model: Model,
    by: Slug,
    at: Instant,
}

/// No longer in use; nothing brings it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Hash of the scorecard.
    pub artefact: Hash,
    /// Who ended its use.
    pub by: Slug,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub at: Instant,
    /// Why.
    pub reason: String,
}

/// What goes into the log when a model is promoted: a document hash, entry type 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// [`LOG_KIND`].
    pub kind: String,
    /// Hash of the card's canonical JSON.
    pub hash: Hash,
    /// When it was promoted.
    #[serde(with = "crate::rfc3339")]
    pub time: Instant,
}

impl Draft {
    /// Registers a scorecard with its card.
    ///
    /// # Errors
    /// [`RegistryError::OtherCard`] if the card is not of this scorecard or has a review.
    pub fn new(artefact: Artefact, card: ModelCard) -> Result<Self, RegistryError> {
        let hash = artefact.hash()?;
        if card.artefact != hash || card.review.is_some() {
            return Err(RegistryError::OtherCard);
        }
        Ok(Self(Model {
            artefact,
            card,
            hash,
        }))
    }

    /// What a second person found, and that it may be promoted.
    ///
    /// # Errors
    /// [`RegistryError::SamePerson`] for the operator; a wrong text or time.
    pub fn review(
        self,
        person: Slug,
        at: Instant,
        findings: &str,
    ) -> Result<Reviewed, RegistryError> {
        let Self(mut model) = self;
        model.check_operator(&person)?;
        check_text("findings", findings)?;
        if at < model.card.statement.developed_at {
            return Err(RegistryError::Order);
        }
        model.card.review = Some(ReviewNote {
            person,
            at,
            findings: findings.to_owned(),
        });
        Ok(Reviewed(model))
    }

    /// Gives it up before it was reviewed.
    ///
    /// # Errors
    /// A wrong reason, or a time before it was made.
    pub fn withdraw(self, by: Slug, at: Instant, reason: &str) -> Result<Retired, RegistryError> {
        let made = self.0.card.statement.developed_at;
        self.0.ended(by, at, made, reason)
    }

    /// The card, without a review.
    #[must_use]
    pub const fn card(&self) -> &ModelCard {
        &self.0.card
    }
}

impl Reviewed {
    /// Puts the model into use, with the entry that goes into the log.
    ///
    /// # Errors
    /// [`RegistryError::SamePerson`] for the operator and the reviewer; a time before the review.
    pub fn promote(self, person: Slug, at: Instant) -> Result<(Promoted, LogEntry), RegistryError> {
        let Self(model) = self;
        model.check_operator(&person)?;
        if let Some(review) = &model.card.review {
            if review.person == person {
                let before = "reviewed";
                return Err(RegistryError::SamePerson { person, before });
            }
            if at < review.at {
                return Err(RegistryError::Order);
            }
        }
        let entry = LogEntry {
            kind: LOG_KIND.to_owned(),
            hash: model.card.hash()?,
            time: at,
        };
        let by = person;
        Ok((Promoted { model, by, at }, entry))
    }

    /// Gives it up before it was promoted.
    ///
    /// # Errors
    /// A wrong reason, or a time before it was reviewed.
    pub fn withdraw(self, by: Slug, at: Instant, reason: &str) -> Result<Retired, RegistryError> {
        let reviewed = self.0.card.review.as_ref().map(|review| review.at);
        let since = reviewed.unwrap_or(self.0.card.statement.developed_at);
        self.0.ended(by, at, since, reason)
    }

    /// The card with its review.
    #[must_use]
    pub const fn card(&self) -> &ModelCard {
        &self.0.card
    }
}

impl Model {
    fn ended(
        &self,
        by: Slug,
        at: Instant,
        since: Instant,
        reason: &str,
    ) -> Result<Retired, RegistryError> {
        check_text("reason", reason)?;
        if at < since {
            return Err(RegistryError::Order);
        }
        Ok(Retired {
            artefact: self.hash,
            by,
            at,
            reason: reason.to_owned(),
        })
    }

    fn check_operator(&self, person: &Slug) -> Result<(), RegistryError> {
        if self.card.statement.operator == *person {
            let (person, before) = (person.clone(), "made");
            return Err(RegistryError::SamePerson { person, before });
        }
        Ok(())
    }
}

impl Promoted {
    /// The card with its review.
    #[must_use]
    pub const fn card(&self) -> &ModelCard {
        &self.model.card
    }

    /// The scorecard.
    #[must_use]
    pub const fn artefact(&self) -> &Artefact {
        &self.model.artefact
    }

    /// Who promoted it, and when.
    #[must_use]
    pub const fn promoted(&self) -> (&Slug, Instant) {
        (&self.by, self.at)
    }

    /// Assesses an applicant.
    ///
    /// # Errors
    /// [`ScoreError`], naming the feature.
    pub fn assess(&self, applicant: &Applicant) -> Result<Assessment, ScoreError> {
        self.model.artefact.assess(self.model.hash, applicant)
    }

    /// Ends its use.
    ///
    /// # Errors
    /// A wrong reason, or a time before it was promoted.
    pub fn retire(self, by: Slug, at: Instant, reason: &str) -> Result<Retired, RegistryError> {
        self.model.ended(by, at, self.at, reason)
    }
}

/// The model in use, with one that is tried beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadowed {
    champion: Promoted,
    challenger: Reviewed,
}

/// What both say of an applicant. Only the champion's counts; both are recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowedAssessment {
    /// What decides.
    pub champion: Assessment,
    /// What the challenger would have said, or why it could not.
    pub challenger: Result<Assessment, String>,
}

impl Shadowed {
    /// Lets a reviewed model watch.
    ///
    /// # Errors
    /// [`RegistryError::OtherOutcome`] if it is the champion itself or tells something else apart.
    pub fn new(champion: Promoted, challenger: Reviewed) -> Result<Self, RegistryError> {
        let same_outcome = champion.artefact().outcome == challenger.0.artefact.outcome;
        if !same_outcome || champion.model.hash == challenger.0.hash {
            return Err(RegistryError::OtherOutcome);
        }
        Ok(Self {
            champion,
            challenger,
        })
    }

    /// Assesses an applicant by both. A challenger that fails never stops the champion.
    ///
    /// # Errors
    /// [`ScoreError`] if the champion cannot.
    pub fn assess(&self, applicant: &Applicant) -> Result<ShadowedAssessment, ScoreError> {
        let Reviewed(challenger) = &self.challenger;
        let challenged = challenger.artefact.assess(challenger.hash, applicant);
        Ok(ShadowedAssessment {
            champion: self.champion.assess(applicant)?,
            challenger: challenged.map_err(|error| error.to_string()),
        })
    }

    /// Both apart again: the challenger may now be promoted and the champion retired.
    #[must_use]
    pub fn part(self) -> (Promoted, Reviewed) {
        (self.champion, self.challenger)
    }
}
