//! Who may do what with a model. The rules are the registry's; here they are kept.

use std::sync::Arc;

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::{Clock, Instant};

use super::fit::Fitted;
use super::life::{Act, Life, LifeError, ModelStep, Standing};
use super::table::{self, TableError};
use crate::audit::{Action, Entry};
use crate::desk::Actor;
use crate::scorecard::Artefact;
use crate::scorecard::artefact::ArtefactError;
use crate::scorecard::card::{CardError, ModelCard, check_remark};
use crate::scorecard::registry::RegistryError;
use crate::store::models::{KeptCard, KeptModel, MODELS_MAX, ModelKept};
use crate::store::{StoreError, Tables};

/// Characters of a step's words that the trail repeats.
const TOLD_MAX: usize = 200;

/// Why something was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// The role may not do this.
    #[error("this needs another role")]
    NotAllowed,
    /// There is no such model.
    #[error("there is no model with this hash")]
    Unknown,
    /// The very same scorecard is kept already.
    #[error("this scorecard is kept already: {0}")]
    There(Hash),
    /// Another scorecard bears name and version.
    #[error("version: {name} {version} is another scorecard already ({hash})")]
    Named {
        /// The name.
        name: String,
        /// The version.
        version: String,
        /// The scorecard that bears both.
        hash: Hash,
    },
    /// No more fit.
    #[error("{MODELS_MAX} models are kept: no more fit")]
    Full,
    /// The model is not what it was when the form was shown.
    #[error("the model has changed since the form was shown")]
    Stale,
    /// Decisions are made by its table.
    #[error("its table is in use: name another one in the configuration first")]
    InUse,
    /// It cannot be tried beside decisions.
    #[error("it cannot be tried beside decisions: {0}")]
    Shadow(#[from] TableError),
    /// The step does not follow, or a person acts twice.
    #[error(transparent)]
    Life(#[from] LifeError),
    /// A kept card cannot be read.
    #[error("a kept card cannot be read")]
    Card(#[from] CardError),
    /// A kept scorecard cannot be read.
    #[error("a kept scorecard cannot be read")]
    Artefact(#[from] ArtefactError),
    /// What is kept is not what was kept first.
    #[error("the kept {what} of scorecard {artefact} was altered: it has another hash now")]
    Altered {
        /// Scorecard, points table or card.
        what: &'static str,
        /// Of which scorecard.
        artefact: Hash,
    },
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl OfficeError {
    /// True if a person has acted on the model before. That it was tried is in the trail.
    #[must_use]
    pub const fn is_same_person(&self) -> bool {
        matches!(
            self,
            Self::Life(LifeError::Registry(RegistryError::SamePerson { .. }))
        )
    }
}

/// A model with everything that is kept of it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// As it is kept.
    pub model: KeptModel,
    /// The scorecard.
    pub artefact: Artefact,
    /// The newest card: the reviewed one, if there is one.
    pub card: ModelCard,
    /// Where it stands.
    pub life: Life,
}

/// What a person wants done.
#[derive(Clone, Debug)]
pub struct Wish {
    /// With which model.
    pub artefact: Hash,
    /// What.
    pub act: Act,
    /// How many steps the person saw.
    pub steps: u32,
    /// Findings or reason.
    pub words: String,
}

/// The office of models.
#[derive(Clone)]
pub struct Models {
    store: Arc<dyn Tables>,
    clock: Arc<dyn Clock>,
    in_use: Option<Hash>,
}

impl Models {
    /// Over a store; `in_use` is the scorecard whose table decides, if it is one's.
    #[must_use]
    pub fn new(store: Arc<dyn Tables>, clock: Arc<dyn Clock>, in_use: Option<Hash>) -> Self {
        Self {
            store,
            clock,
            in_use,
        }
    }

    /// The scorecard whose table decides, if it is one's.
    #[must_use]
    pub const fn in_use(&self) -> Option<Hash> {
        self.in_use
    }

    /// A model.
    ///
    /// # Errors
    /// [`OfficeError::Unknown`]; what is kept cannot be read.
    pub async fn find(&self, artefact: &Hash) -> Result<Kept, OfficeError> {
        find(&*self.store, artefact).await
    }

    /// Keeps a draft; `by` is who is named in the trail.
    ///
    /// # Errors
    /// [`OfficeError::There`], [`OfficeError::Named`], [`OfficeError::Full`].
    pub async fn make(&self, by: &str, fitted: &Fitted) -> Result<(), OfficeError> {
        let (model, card) = &fitted.kept;
        let same = |name: &str, version: &str| name == model.name && version == model.version;
        for head in self.store.models().await? {
            if head.artefact != model.artefact && same(&head.name, &head.version) {
                return Err(OfficeError::Named {
                    name: head.name,
                    version: head.version,
                    hash: head.artefact,
                });
            }
        }
        let step = ModelStep {
            artefact: model.artefact,
            number: 0,
            act: Act::Made,
            person: fitted.card.statement.operator.clone(),
            words: String::new(),
            at: model.made_at,
        };
        // The registry says whether scorecard and card belong together.
        Life::read(
            fitted.artefact.clone(),
            fitted.card.clone(),
            std::slice::from_ref(&step),
        )?;
        let operator = &fitted.card.statement.operator;
        let entry = Entry {
            actor: by.to_owned(),
            ..entry(&step, &model.name, &model.version, operator)
        };
        match self.store.add_model(model, card, &step, &entry).await? {
            ModelKept::New => Ok(()),
            ModelKept::Full => Err(OfficeError::Full),
            ModelKept::Taken | ModelKept::SamePerson => Err(OfficeError::There(model.artefact)),
        }
    }

    /// Takes a step with a model.
    ///
    /// # Errors
    /// [`OfficeError`]; nothing was changed then.
    pub async fn act(&self, by: &Actor, wish: Wish) -> Result<(), OfficeError> {
        if !by.role.keeps_models() {
            return Err(OfficeError::NotAllowed);
        }
        let kept = self.find(&wish.artefact).await?;
        if wish.act == Act::Retired && self.in_use == Some(wish.artefact) {
            return Err(OfficeError::InUse);
        }
        if wish.act == Act::Shadowing {
            table::facts(&kept.artefact)?;
        }
        let step = ModelStep {
            artefact: wish.artefact,
            number: kept.life.next(),
            act: wish.act,
            person: by.name.clone(),
            words: plain(&wish.words),
            at: self.clock.now(),
        };
        // Only of what is said now: what was kept before there was a limit is read as it is.
        check_remark("words", &step.words)?;
        let (name, version) = (kept.model.name.clone(), kept.model.version.clone());
        let stale = wish.steps != step.number;
        let after = match kept.life.then(step.clone()) {
            Ok(after) => after,
            Err(error) => return Err(self.refused(&step, error.into(), stale).await?),
        };
        if stale {
            return Err(OfficeError::Stale);
        }
        let card = match (&after.standing, step.act) {
            (Standing::Reviewed(reviewed), Act::Reviewed) => Some(KeptCard::of(reviewed.card())?),
            _ => None,
        };
        let entry = entry(&step, &name, &version, &step.person);
        let stored = self.store.step_model(&step, card.as_ref(), &entry).await?;
        match stored {
            ModelKept::New => Ok(()),
            ModelKept::SamePerson => {
                let person = step.person.clone();
                let before = "acted on";
                let error = LifeError::Registry(RegistryError::SamePerson { person, before });
                Err(self.refused(&step, error.into(), false).await?)
            }
            ModelKept::Taken | ModelKept::Full => Err(OfficeError::Stale),
        }
    }

    /// What is answered; that a person tried to act twice is kept.
    async fn refused(
        &self,
        step: &ModelStep,
        error: OfficeError,
        stale: bool,
    ) -> Result<OfficeError, OfficeError> {
        if error.is_same_person() {
            let entry = Entry {
                at: step.at,
                actor: step.person.to_string(),
                action: Action::SamePerson,
                subject: step.artefact.to_string(),
                detail: step.act.word().to_owned(),
            };
            self.store.note(&entry).await?;
            return Ok(error);
        }
        Ok(if stale { OfficeError::Stale } else { error })
    }
}

fn entry(step: &ModelStep, name: &str, version: &str, person: &Slug) -> Entry {
    let words = match step.act {
        Act::Made => format!(": by {person}"),
        _ if step.words.is_empty() => String::new(),
        _ => format!(": {}", step.words.replace('\n', " ")),
    };
    let words: String = words.chars().take(TOLD_MAX).collect();
    Entry {
        at: step.at,
        actor: step.person.to_string(),
        action: Action::Model,
        subject: step.artefact.to_string(),
        detail: format!("{} {name} {version}{words}", step.act.word()),
    }
}

/// A model with everything that is kept of it, held against each other: rows against their hashes, the
/// table against the card, which goes into the log, and the card against what the steps make of it.
pub(super) async fn find(store: &dyn Tables, artefact: &Hash) -> Result<Kept, OfficeError> {
    let model = store.model(artefact).await?.ok_or(OfficeError::Unknown)?;
    let cards = store.model_cards(artefact).await?;
    unaltered(&model, &cards)?;
    let steps = store.model_steps(Some(artefact)).await?;
    let missing = || StoreError::Row { what: "model card" };
    let draft = cards.iter().find(|card| !card.reviewed);
    let draft = ModelCard::parse(&draft.ok_or_else(missing)?.bytes)?;
    let read = Artefact::parse(&model.bytes)?;
    let life = Life::read(read.clone(), draft.clone(), &steps)?;
    let reviewed = cards.iter().find(|card| card.reviewed);
    let card = match reviewed {
        Some(card) => ModelCard::parse(&card.bytes)?,
        None => draft,
    };
    let altered = |what| OfficeError::Altered {
        what,
        artefact: *artefact,
    };
    if card.table != model.table.as_ref().map(|table| table.sha256) {
        return Err(altered("points table"));
    }
    let logged = life.logged.as_ref().map(|entry| entry.hash);
    if logged.is_some() && logged != reviewed.map(|card| card.sha256) {
        return Err(altered("card"));
    }
    Ok(Kept {
        model,
        artefact: read,
        card,
        life,
    })
}

/// Whether what is kept still has the hashes that it is kept under.
fn unaltered(model: &KeptModel, cards: &[KeptCard]) -> Result<(), OfficeError> {
    let table = model.table.as_ref();
    let table = table.is_none_or(|table| sha256(table.text.as_bytes()) == table.sha256);
    let card = |card: &KeptCard| sha256(&card.bytes) == card.sha256;
    let (what, holds) = match () {
        () if sha256(&model.bytes) != model.artefact => ("scorecard", false),
        () if !table => ("points table", false),
        () => ("card", cards.iter().all(card)),
    };
    let artefact = model.artefact;
    if holds {
        Ok(())
    } else {
        Err(OfficeError::Altered { what, artefact })
    }
}

/// Browsers end lines with CR LF, and control characters say nothing.
fn plain(text: &str) -> String {
    let kept = |letter: &char| !letter.is_control() || *letter == '\n';
    let text: String = text.chars().filter(kept).collect();
    text.trim().to_owned()
}

/// An entry of the trail about a table that scores from now on.
pub(super) fn taken_entry(table: &Hash, at: Instant, detail: String) -> Entry {
    Entry {
        at,
        actor: "service".to_owned(),
        action: Action::Model,
        subject: table.to_string(),
        detail,
    }
}
