//! Problems of a trial and their treatment.

use std::collections::BTreeSet;

use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use crate::sandbox::indicators::{FigureId, Month};

/// Something that is wrong with the trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its id.
    pub id: Slug,
    /// When it was found.
    #[serde(with = "crate::rfc3339")]
    pub found_at: Instant,
    /// Who found it.
    pub found_by: Slug,
    /// The figure that shows it, if one does.
    pub figure: Option<FigureId>,
    /// What is wrong.
    pub words: String,
    /// What was done, in the order of time and id.
    pub treatments: Vec<Treatment>,
    /// When it was over.
    #[serde(with = "optional")]
    pub closed_at: Option<Instant>,
}

/// Something that was done about a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treatment {
    /// Its id.
    pub id: Slug,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub at: Instant,
    /// Who.
    pub by: Slug,
    /// What.
    pub words: String,
}

/// A problem that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// Two problems, or two treatments of one, with the same id.
    #[error("the id `{0}` stands twice")]
    Id(Slug),
    /// Something happened before the problem was found.
    #[error("problem `{0}`: it was treated or closed before it was found")]
    Order(Slug),
    /// Over without anything done.
    #[error("problem `{0}`: it is closed, and nothing was done")]
    Nothing(Slug),
    /// Nothing is said.
    #[error("problem `{0}`: words are missing")]
    Words(Slug),
}

impl Problem {
    /// Whether nobody has done anything about it.
    #[must_use]
    pub fn is_untreated(&self) -> bool {
        self.treatments.is_empty()
    }

    fn check(&self) -> Result<(), ProblemError> {
        let id = || self.id.clone();
        let mut times = self.treatments.iter().map(|one| one.at);
        let closed_early = self.closed_at.is_some_and(|at| at < self.found_at);
        if closed_early || times.any(|at| at < self.found_at) {
            return Err(ProblemError::Order(id()));
        }
        if self.closed_at.is_some() && self.is_untreated() {
            return Err(ProblemError::Nothing(id()));
        }
        let mut words = self.treatments.iter().map(|one| &one.words);
        if self.words.trim().is_empty() || words.any(|words| words.trim().is_empty()) {
            return Err(ProblemError::Words(id()));
        }
        let mut seen = BTreeSet::new();
        match self.treatments.iter().find(|one| !seen.insert(&one.id)) {
            Some(twice) => Err(ProblemError::Id(twice.id.clone())),
            None => Ok(()),
        }
    }

    /// The problem as it was known at the end of a month.
    fn at_end_of(&self, month: Month) -> Self {
        let treatments = self.treatments.iter().filter(|one| month.knows(one.at));
        let mut treatments: Vec<_> = treatments.cloned().collect();
        treatments.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        Self {
            treatments,
            closed_at: self.closed_at.filter(|at| month.knows(*at)),
            ..self.clone()
        }
    }
}

/// The problems that were open in a month, by id, as they were known at its end.
pub(super) fn of_month(month: Month, all: &[Problem]) -> Result<Vec<Problem>, ProblemError> {
    let mut seen = BTreeSet::new();
    for problem in all {
        problem.check()?;
        if !seen.insert(&problem.id) {
            return Err(ProblemError::Id(problem.id.clone()));
        }
    }
    let over = |at: Instant| month.knows(at) && !month.holds(at);
    let open =
        |problem: &&Problem| month.knows(problem.found_at) && !problem.closed_at.is_some_and(over);
    let mut found: Vec<_> = all
        .iter()
        .filter(open)
        .map(|problem| problem.at_end_of(month))
        .collect();
    found.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(found)
}

/// An instant that may be absent, as RFC 3339 text or null.
mod optional {
    use schemas::time::Instant;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        at: &Option<Instant>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => crate::rfc3339::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Instant>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("expected an RFC 3339 instant or null");
        text.map(|text| Instant::parse_rfc3339(&text).ok_or_else(wrong))
            .transpose()
    }
}
