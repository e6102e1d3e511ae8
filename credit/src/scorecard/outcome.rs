//! What the labels were, and what a probability may therefore be called.
//!
//! A probability is named for its labels: "probability of late delivery" where they were deliveries.
//! No name, of a model or of a figure, speaks of default unless the labels were default outcomes;
//! a figure from simulated labels says so wherever it is shown.

use serde::{Deserialize, Serialize};

/// Longest name of an outcome, a feature, a category or a model, in characters.
pub const NAME_MAX: usize = 200;

/// Words that claim default outcomes.
const CLAIMS: [&str; 3] = ["default", "违约", "違約"];

/// What stands beside every figure of a model that simulated labels made.
pub const WATERMARK: &str = "SIMULATED";

/// A name that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It speaks of default, and the labels were something else.
    #[error("`{0}` speaks of default, but the labels are no default outcomes")]
    Default(String),
    /// It is empty or too long.
    #[error("`{0}` must have 1 to 200 characters")]
    Length(String),
}

/// What the rows' labels were made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// What became of promised deliveries.
    Deliveries,
    /// What became of loans: repaid or in default.
    Defaults,
    /// Somebody's judgement, or anything else.
    Other,
}

/// What a model tells apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What a good row is called, such as `delivery in time`.
    pub good: String,
    /// What a bad row is called, such as `late delivery`.
    pub bad: String,
    /// What the labels were made from.
    pub labels: Labels,
    /// True if a simulation made them.
    pub simulated: bool,
}

impl Outcome {
    /// Checks the names.
    ///
    /// # Errors
    /// [`NameError`], naming what is wrong.
    pub fn check(&self) -> Result<(), NameError> {
        self.check_name(&self.good)?;
        self.check_name(&self.bad)
    }

    /// Checks a name that will stand beside a figure of this outcome.
    ///
    /// # Errors
    /// [`NameError`] if it claims what the labels do not show, or cannot be shown.
    pub fn check_name(&self, name: &str) -> Result<(), NameError> {
        check_length(name)?;
        let lower = name.to_lowercase();
        if self.labels != Labels::Defaults && CLAIMS.iter().any(|one| lower.contains(one)) {
            Err(NameError::Default(name.to_owned()))
        } else {
            Ok(())
        }
    }

    /// What a probability of this outcome is called.
    #[must_use]
    pub fn figure(&self) -> String {
        let simulated = if self.simulated {
            format!(" ({WATERMARK})")
        } else {
            String::new()
        };
        format!("probability of {}{simulated}", self.bad)
    }
}

/// Checks that a name can be shown.
///
/// # Errors
/// [`NameError::Length`] if it is empty or longer than [`NAME_MAX`].
pub fn check_length(name: &str) -> Result<(), NameError> {
    if name.trim().is_empty() || name.chars().count() > NAME_MAX {
        Err(NameError::Length(name.chars().take(NAME_MAX).collect()))
    } else {
        Ok(())
    }
}
