//! Steps as people ask for them: few words of a form or of JSON, and the rest from what is kept.

use chrono::NaiveDate;
use schemas::hash::Hash;
use serde::Deserialize;

use crate::sandbox::codes::CreditCode;
use crate::sandbox::declaration::Declaration;
use crate::sandbox::indicators::RowsError;
use crate::sandbox::limits::VersionError;
use crate::sandbox::report::ReportError;
use crate::sandbox::stage::{Act, Capacity, End, Missing, Ready};
use crate::sandbox::stop_loss::NotReleased;
use crate::store::StoreError;
use crate::store::sandbox::{OfficeError, StepError};

/// Why something was not done about the trial. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The role may not do this.
    #[error("this needs another role")]
    NotAllowed,
    /// A field is missing or cannot be read.
    #[error("{field}: {problem}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What was expected.
        problem: String,
    },
    /// There is no such thing.
    #[error("there is no {0} of this name")]
    Unknown(&'static str),
    /// The trial does not take it.
    #[error(transparent)]
    Office(#[from] OfficeError),
    /// The step is not taken.
    #[error(transparent)]
    Step(#[from] StepError),
    /// Rows do not fit together.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// There is no report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ActError {
    /// A field and what is wrong with it.
    pub fn field(field: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self::Field { field, problem }
    }

    /// Whether the same person wanted it and agreed to it, by whatever way.
    #[must_use]
    pub fn is_same_person(&self) -> bool {
        let office = |error: &OfficeError| {
            matches!(
                error,
                OfficeError::SamePerson
                    | OfficeError::Version(VersionError::SamePerson)
                    | OfficeError::Lift(NotReleased::SamePerson)
            )
        };
        match self {
            Self::Office(error) | Self::Step(StepError::Office(error)) => office(error),
            Self::Step(StepError::Refused(refused)) => {
                refused.missing.contains(&Missing::OtherPerson)
            }
            _ => false,
        }
    }
}

/// A step that somebody asks for. Which fields it needs depends on `act`; hashes of limits, rule and
/// declaration and what is owed are read from what is kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepWish {
    /// The act's word, such as `begin`.
    pub act: String,
    /// As what: `project`, `risk` or `authority`.
    #[serde(default)]
    pub capacity: String,
    /// `publish`: the last day for comments.
    #[serde(default)]
    pub comments_until: String,
    /// `register`: the authority's number.
    #[serde(default)]
    pub number: String,
    /// `register`, `extend`, `amend`: SHA-256 of the authority's document; `exit`: of the evaluation.
    #[serde(default)]
    pub document: String,
    /// `register`: comments without an answer; `exit`: complaints that are open. None if empty.
    #[serde(default)]
    pub open: String,
    /// `begin`: `on` if somebody looks at the indicators.
    #[serde(default)]
    pub monitoring: String,
    /// `begin`: `on` if each way to complain was tried.
    #[serde(default)]
    pub complaints: String,
    /// `begin`: `on` if compensation is at its floor.
    #[serde(default)]
    pub compensation: String,
    /// Why: `suspend`, `stop`, `withdraw`; `resume`: how the cause was removed.
    #[serde(default)]
    pub reason: String,
    /// `exit`: who goes on with it, by credit code; empty for a run-off.
    #[serde(default)]
    pub operator: String,
    /// `exit`: the operator's licence.
    #[serde(default)]
    pub licence: String,
}

/// What a step needs of what is kept.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The newest version of the declaration.
    pub declaration: &'a Declaration,
    /// Its hash.
    pub declared: Hash,
    /// Hash of the limits in force.
    pub limits: Option<Hash>,
    /// Hash of the rule of the stop-loss.
    pub rule: Option<Hash>,
    /// Whether the stop-loss is tripped.
    pub tripped: bool,
    /// What is owed, in fen.
    pub outstanding_fen: i64,
}

/// Longest text that somebody writes about a trial, in characters.
pub const WORDS_MAX: usize = 2_000;

/// Text that people wrote: ends of lines as one sign, no other control characters.
///
/// # Errors
/// [`ActError::Field`] for a text that is too long or has control characters.
pub fn words(field: &'static str, text: &str) -> Result<String, ActError> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let control = |letter: char| letter.is_control() && letter != '\n';
    if text.chars().count() > WORDS_MAX || text.contains(control) {
        let problem = format!("at most {WORDS_MAX} characters, no control characters");
        return Err(ActError::field(field, problem));
    }
    Ok(text.to_owned())
}

/// Text that must say something.
///
/// # Errors
/// [`ActError::Field`].
pub fn said(field: &'static str, text: &str) -> Result<String, ActError> {
    let text = words(field, text)?;
    if text.is_empty() {
        return Err(ActError::field(field, "words are needed"));
    }
    Ok(text)
}

impl StepWish {
    /// The act, with what is kept filled in.
    ///
    /// # Errors
    /// [`ActError::Field`] for what cannot be read. What is missing for the step itself is said by
    /// its guards.
    pub fn read(&self, known: &Known<'_>) -> Result<Act, ActError> {
        let reason = || words("reason", &self.reason);
        Ok(match self.act.as_str() {
            "publish" => Act::Publish {
                declaration: known.declared,
                comments_until: self.day()?,
            },
            "amend" => Act::Amend {
                declaration: known.declared,
                start: known.declaration.start,
                end: known.declaration.end,
                document: self.document()?,
            },
            "register" => Act::Register {
                number: words("number", &self.number)?,
                document: self.document()?,
                comments_open: self.open()?,
            },
            "begin" => Act::Begin(self.ready(known)),
            "extend" => {
                let none = "the newest declaration has no end to extend to";
                let end = known.declaration.end;
                Act::Extend {
                    until: end.ok_or_else(|| ActError::field("declaration", none))?,
                    declaration: known.declared,
                    document: self.document()?,
                }
            }
            "suspend" => Act::Suspend { reason: reason()? },
            "resume" => Act::Resume {
                remedy: reason()?,
                tripped: known.tripped,
            },
            "stop" => Act::Stop { reason: reason()? },
            "withdraw" => Act::Withdraw { reason: reason()? },
            "exit" => Act::Exit {
                end: self.end()?,
                evaluation: self.document()?,
                outstanding_fen: known.outstanding_fen,
                complaints_open: self.open()?,
            },
            _ => return Err(ActError::field("act", "no step of a trial is called so")),
        })
    }

    /// In what capacity.
    ///
    /// # Errors
    /// [`ActError::Field`].
    pub fn capacity(&self) -> Result<Capacity, ActError> {
        match self.capacity.as_str() {
            "project" => Ok(Capacity::Project),
            "risk" => Ok(Capacity::Risk),
            "authority" => Ok(Capacity::Authority),
            _ => Err(ActError::field(
                "capacity",
                "project, risk or authority is expected",
            )),
        }
    }

    fn day(&self) -> Result<NaiveDate, ActError> {
        let problem = "a day such as 2026-12-31 is expected";
        let day = self.comments_until.trim().parse();
        day.map_err(|_| ActError::field("comments_until", problem))
    }

    fn document(&self) -> Result<Option<Hash>, ActError> {
        let text = self.document.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let hash = text.parse().map(Some);
        hash.map_err(|_| ActError::field("document", "64 hex digits of SHA-256 are expected"))
    }

    fn open(&self) -> Result<u32, ActError> {
        match self.open.trim() {
            "" => Ok(0),
            text => text
                .parse()
                .map_err(|_| ActError::field("open", "a whole number is expected")),
        }
    }

    fn ready(&self, known: &Known<'_>) -> Ready {
        Ready {
            limits: known.limits,
            stop_loss: known.rule,
            monitoring: self.monitoring == "on",
            complaints: self.complaints == "on",
            compensation: self.compensation == "on",
        }
    }

    fn end(&self) -> Result<End, ActError> {
        if self.operator.trim().is_empty() {
            return Ok(End::RunOff);
        }
        let operator: CreditCode =
            self.operator
                .trim()
                .parse()
                .map_err(|error: crate::sandbox::codes::CodeError| {
                    ActError::field("operator", error.to_string())
                })?;
        let licence = words("licence", &self.licence)?;
        Ok(End::Promoted { operator, licence })
    }
}
