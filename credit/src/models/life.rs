//! Where a model stands: its steps, taken again through the registry's types.

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use crate::scorecard::Artefact;
use crate::scorecard::card::{CardError, ModelCard, check_text};
use crate::scorecard::registry::{Draft, LogEntry, Promoted, RegistryError, Retired, Reviewed};

/// What is done with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Fitted it.
    Made,
    /// Looked at it as the second person.
    Reviewed,
    /// Promoted it as the third.
    Promoted,
    /// Lets it be tried beside decisions.
    Shadowing,
    /// Ends that.
    ShadowEnded,
    /// Ends it for good.
    Retired,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 6] = [
        Self::Made,
        Self::Reviewed,
        Self::Promoted,
        Self::Shadowing,
        Self::ShadowEnded,
        Self::Retired,
    ];

    /// Its word in rows and texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Reviewed => "reviewed",
            Self::Promoted => "promoted",
            Self::Shadowing => "shadowing",
            Self::ShadowEnded => "shadow-ended",
            Self::Retired => "retired",
        }
    }

    /// The act of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.word() == word)
    }
}

/// A step, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStep {
    /// Hash of the scorecard.
    pub artefact: Hash,
    /// From 0, without a gap.
    pub number: u32,
    /// What.
    pub act: Act,
    /// Who.
    pub person: Slug,
    /// Findings or reason.
    pub words: String,
    /// When.
    pub at: Instant,
}

/// A step that cannot follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifeError {
    /// The registry refuses it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It does not follow from where the model stands.
    #[error("the model is {state}: it cannot be {act}")]
    State {
        /// Where it stands.
        state: &'static str,
        /// What was to be done.
        act: &'static str,
    },
    /// Numbers are missing, or the first step is none of making.
    #[error("steps: they do not follow each other")]
    Steps,
}

impl From<CardError> for LifeError {
    fn from(error: CardError) -> Self {
        Self::Registry(error.into())
    }
}

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Made, and looked at by nobody else.
    Draft(Box<Draft>),
    /// Looked at by a second person.
    Reviewed(Box<Reviewed>),
    /// Promoted by a third.
    Promoted(Box<Promoted>),
    /// Ended.
    Retired(Retired),
}

impl Standing {
    /// Its word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Draft(_) => "draft",
            Self::Reviewed(_) => "reviewed",
            Self::Promoted(_) => "promoted",
            Self::Retired(_) => "retired",
        }
    }
}

/// A model with its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Where it stands.
    pub standing: Standing,
    /// Since when it is tried beside decisions; absent if it is not.
    pub shadowing: Option<Instant>,
    /// The steps in their order.
    pub steps: Vec<ModelStep>,
    /// What goes into the log, once it was promoted.
    pub logged: Option<LogEntry>,
}

impl Life {
    /// A model as its steps left it; `card` is that of the draft.
    ///
    /// # Errors
    /// [`LifeError`] if a step does not follow from the one before.
    pub fn read(
        artefact: Artefact,
        card: ModelCard,
        steps: &[ModelStep],
    ) -> Result<Self, LifeError> {
        let (first, rest) = steps.split_first().ok_or(LifeError::Steps)?;
        let made = first.act == Act::Made && first.number == 0;
        if !made || first.person != card.statement.operator {
            return Err(LifeError::Steps);
        }
        let life = Self {
            standing: Standing::Draft(Box::new(Draft::new(artefact, card)?)),
            shadowing: None,
            steps: vec![first.clone()],
            logged: None,
        };
        rest.iter()
            .try_fold(life, |life, step| life.then(step.clone()))
    }

    /// The number of the next step.
    #[must_use]
    pub fn next(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// The model after a step.
    ///
    /// # Errors
    /// [`LifeError`]: the step does not follow, or this person has acted on the model before.
    pub fn then(mut self, step: ModelStep) -> Result<Self, LifeError> {
        if step.number != self.next() {
            return Err(LifeError::Steps);
        }
        if self.steps.last().is_some_and(|last| step.at < last.at) {
            return Err(RegistryError::Order.into());
        }
        let ModelStep {
            person, words, at, ..
        } = step.clone();
        let state = self.standing.word();
        let refused = |act: Act| LifeError::State {
            state,
            act: act.word(),
        };
        self.standing = match (step.act, self.standing) {
            (Act::Reviewed, Standing::Draft(draft)) => {
                Standing::Reviewed(Box::new(draft.review(person, at, &words)?))
            }
            (Act::Promoted, Standing::Reviewed(reviewed)) => {
                let (promoted, entry) = reviewed.promote(person, at)?;
                self.logged = Some(entry);
                Standing::Promoted(Box::new(promoted))
            }
            (Act::Retired, Standing::Draft(draft)) => {
                Standing::Retired(draft.withdraw(person, at, &words)?)
            }
            (Act::Retired, Standing::Reviewed(reviewed)) => {
                Standing::Retired(reviewed.withdraw(person, at, &words)?)
            }
            (Act::Retired, Standing::Promoted(promoted)) => {
                Standing::Retired(promoted.retire(person, at, &words)?)
            }
            (Act::Shadowing, standing @ (Standing::Reviewed(_) | Standing::Promoted(_)))
                if self.shadowing.is_none() =>
            {
                check_text("reason", &words)?;
                self.shadowing = Some(at);
                standing
            }
            (Act::ShadowEnded, standing) if self.shadowing.is_some() => {
                check_text("reason", &words)?;
                self.shadowing = None;
                standing
            }
            (act, _) => return Err(refused(act)),
        };
        if step.act == Act::Retired {
            self.shadowing = None;
        }
        self.steps.push(step);
        Ok(self)
    }

    /// The person who took a step of this kind.
    #[must_use]
    pub fn person(&self, act: Act) -> Option<&Slug> {
        let step = self.steps.iter().find(|step| step.act == act);
        step.map(|step| &step.person)
    }

    /// True if a person has made, reviewed or promoted it.
    #[must_use]
    pub fn has_acted(&self, person: &Slug) -> bool {
        let three = [Act::Made, Act::Reviewed, Act::Promoted];
        three
            .into_iter()
            .any(|act| self.person(act) == Some(person))
    }
}

/// True if the last of these steps about shadowing began it, and the model was not retired.
#[must_use]
pub fn is_shadowing(steps: &[ModelStep]) -> bool {
    let about = [Act::Shadowing, Act::ShadowEnded, Act::Retired];
    let last = steps.iter().rev().find(|step| about.contains(&step.act));
    last.is_some_and(|step| step.act == Act::Shadowing)
}

/// The word of where a model stands, from its steps alone.
#[must_use]
pub fn state_word(steps: &[ModelStep]) -> &'static str {
    let has = |act| steps.iter().any(|step| step.act == act);
    if has(Act::Retired) {
        "retired"
    } else if has(Act::Promoted) {
        "promoted"
    } else if has(Act::Reviewed) {
        "reviewed"
    } else {
        "draft"
    }
}
