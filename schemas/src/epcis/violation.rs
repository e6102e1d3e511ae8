use std::fmt;

use super::path::Path;
use super::rule;
use crate::gs1::Gs1Error;

/// Characters of an event's own text that a message repeats at most.
const MAX_EXCERPT: usize = 64;

/// The beginning of a text from an event, short enough for a message.
pub(super) fn excerpt(text: &str) -> String {
    let mut cut: String = text.chars().take(MAX_EXCERPT).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// One thing that is wrong with an event, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path from the event, for example `sensorElementList[0].sensorReport[1].value`; empty for the
    /// event itself.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

impl Violation {
    pub(super) fn new(path: &Path<'_>, problem: Problem) -> Self {
        Violation {
            path: path.to_string(),
            problem,
        }
    }

    /// The code of `schemas/docs/statement.md` section 5 that a receipt carries for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.problem {
            Problem::Rule(code) => code,
            _ => rule::EPCIS,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() {
            "event"
        } else {
            &self.path
        };
        write!(formatter, "{path}: {}", self.problem)
    }
}

impl std::error::Error for Violation {}

/// What can be wrong with a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A rule of rule set 1, named by its code.
    #[error("breaks rule {0}")]
    Rule(&'static str),
    /// A required member is not there.
    #[error("is missing")]
    Missing,
    /// Neither a member of EPCIS here nor an extension with a namespace.
    #[error("is no member of EPCIS here and has no namespace")]
    UnknownMember,
    /// Another JSON type or form than the standard asks.
    #[error("must be {0}")]
    WrongForm(&'static str),
    /// A list that is too short.
    #[error("must have at least one entry")]
    Empty,
    /// One thing twice in a list of instances.
    #[error("names a thing that the list has already")]
    Duplicate,
    /// A GS1 identifier that is broken, or no absolute URI.
    #[error("is no valid identifier: {0}")]
    Identifier(Gs1Error),
    /// A class where one thing is asked.
    #[error("names a class, where one thing must be named")]
    NotAnInstance,
    /// One thing where a class is asked.
    #[error("names one thing, where a class must be named")]
    NotAClass,
    /// A bare word, or a word behind a CBV prefix, that the CBV does not have.
    #[error("`{word}` is no {vocabulary} of the CBV; other words must be URIs")]
    UnknownWord {
        /// Name of the vocabulary.
        vocabulary: &'static str,
        /// The word, cut to 64 characters.
        word: String,
    },
    /// A unit of another property than the measurement type names.
    #[error("measures {found}, but the type `{kind}` is of {asked}")]
    Unit {
        /// Measurement type.
        kind: &'static str,
        /// What it is of.
        asked: &'static str,
        /// What the unit measures.
        found: &'static str,
    },
    /// A rule between members, as a sentence.
    #[error("{0}")]
    Semantics(&'static str),
}
