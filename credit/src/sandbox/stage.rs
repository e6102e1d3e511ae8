//! Where a trial stands, and who may move it.
//!
//! ```text
//! Declared -> Published -> Registered -> Testing -> Extended -> Exited
//!     |           |            |            |           |
//!     +-----------+------------+-- Withdrawn|           |
//!                                           +-----------+--> Suspended (and back)
//!                                           +-----------+--> Stopped -> Exited
//! ```
//!
//! A new version of the declaration ([`Act::Amend`]) leads back to `Declared` before registration and
//! changes no stage after it.
//!
//! [`Trial::take`] consumes the trial and gives the next one, or [`Refused`] with everything that is
//! missing at once. Each stage carries what its rules need. A trial is read from its steps by
//! [`Trial::replay`], which takes each again by the same rules: what a database holds cannot stand
//! where no step leads. Disbursal is possible in [`Stage::Testing`] and [`Stage::Extended`] only.

mod guard;
mod step;

use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

pub use guard::{Missing, Refused};
pub use step::{Act, Capacity, End, Ready, Step};

/// Where a trial stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// The declaration is made.
    Declared,
    /// Anybody may comment.
    Published {
        /// The last day for comments.
        comments_until: NaiveDate,
    },
    /// The authority has registered it.
    Registered {
        /// Its number there.
        number: String,
    },
    /// Loans are made within the limits.
    Testing {
        /// The last day, if the declaration has one.
        until: Option<NaiveDate>,
    },
    /// The same, longer than first declared.
    Extended {
        /// The new last day.
        until: NaiveDate,
    },
    /// No new loans for now.
    Suspended {
        /// To what it goes back.
        from: Box<Stage>,
    },
    /// No new loans for ever; open ones are repaid.
    Stopped,
    /// Nothing is left to do.
    Exited {
        /// How it ended.
        end: End,
    },
    /// Given up before it began.
    Withdrawn,
}

impl Stage {
    /// Its word in rows and pages.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Published { .. } => "published",
            Self::Registered { .. } => "registered",
            Self::Testing { .. } => "testing",
            Self::Extended { .. } => "extended",
            Self::Suspended { .. } => "suspended",
            Self::Stopped => "stopped",
            Self::Exited { .. } => "exited",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether loans may be made on this day: the trial runs and its last day is not over.
    #[must_use]
    pub fn lends_on(&self, day: NaiveDate) -> bool {
        match self {
            Self::Testing { until } => until.is_none_or(|until| day <= until),
            Self::Extended { until } => day <= *until,
            _ => false,
        }
    }
}

/// A trial with the steps that brought it here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    project: Slug,
    declaration: Hash,
    start: NaiveDate,
    end: Option<NaiveDate>,
    stage: Stage,
    steps: Vec<Step>,
}

impl Trial {
    /// A declared trial: the hash of its declaration, and when that says it begins and ends.
    #[must_use]
    pub const fn declared(
        project: Slug,
        declaration: Hash,
        start: NaiveDate,
        end: Option<NaiveDate>,
    ) -> Self {
        Self {
            project,
            declaration,
            start,
            end,
            stage: Stage::Declared,
            steps: Vec::new(),
        }
    }

    /// The trial after these steps.
    ///
    /// # Errors
    /// [`Refused`] of the first step that its rules refuse: the rows were not made by this program.
    pub fn replay(self, steps: impl IntoIterator<Item = Step>) -> Result<Self, Refused> {
        steps.into_iter().try_fold(self, Self::take)
    }

    /// Takes one step.
    ///
    /// # Errors
    /// [`Refused`] with everything that is missing.
    pub fn take(mut self, step: Step) -> Result<Self, Refused> {
        let missing = guard::missing(&self, &step);
        if !missing.is_empty() {
            return Err(Refused {
                act: step.act.word(),
                stage: self.stage.word(),
                missing,
            });
        }
        self.stage = self.next(&step.act);
        match &step.act {
            Act::Extend {
                declaration, until, ..
            } => (self.declaration, self.end) = (*declaration, Some(*until)),
            Act::Amend {
                declaration,
                start,
                end,
                ..
            } => (self.declaration, self.start, self.end) = (*declaration, *start, *end),
            _ => {}
        }
        self.steps.push(step);
        Ok(self)
    }

    /// Where a step leads that nothing stands against.
    fn next(&self, act: &Act) -> Stage {
        match act {
            Act::Publish { comments_until, .. } => Stage::Published {
                comments_until: *comments_until,
            },
            Act::Amend { .. } => match &self.stage {
                Stage::Declared | Stage::Published { .. } => Stage::Declared,
                other => other.clone(),
            },
            Act::Register { number, .. } => Stage::Registered {
                number: number.clone(),
            },
            Act::Begin(_) => Stage::Testing { until: self.end },
            Act::Extend { until, .. } => Stage::Extended { until: *until },
            Act::Suspend { .. } => Stage::Suspended {
                from: Box::new(self.stage.clone()),
            },
            Act::Resume { .. } => match &self.stage {
                Stage::Suspended { from } => (**from).clone(),
                other => other.clone(),
            },
            Act::Stop { .. } => Stage::Stopped,
            Act::Exit { end, .. } => Stage::Exited { end: end.clone() },
            Act::Withdraw { .. } => Stage::Withdrawn,
        }
    }

    /// The project.
    #[must_use]
    pub const fn project(&self) -> &Slug {
        &self.project
    }

    /// Hash of the declaration that is in force.
    #[must_use]
    pub const fn declaration(&self) -> Hash {
        self.declaration
    }

    /// Where it stands.
    #[must_use]
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// What brought it here, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

#[cfg(test)]
mod tests;
