//! The monthly report of a trial: figures, problems and what was done about them.
//!
//! [`Report::make`] is pure, and its canonical bytes (JSON without white space, members in the order
//! of the type, rows and problems in the order of their ids) are the same on every run; their SHA-256
//! goes into the log. Each figure carries the ids of its rows, so that a page can open them, and the
//! report names the one of the month before by its hash. The page and the sheet are made from this
//! value by whoever shows them; they are no source of their own.

mod problem;

use std::collections::BTreeSet;

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

pub use problem::{Problem, ProblemError, Treatment};

use super::indicators::{Figure, FigureId, Month, Rows, Value, calculate};
use super::stop_loss::Readings;
use crate::money::{Money, MoneyError};

/// Version of this layout.
pub const FORMAT: &str = "sandbox-report/v1";

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The trial.
    pub project: Slug,
    /// The month.
    pub month: Month,
    /// Hash of the declaration that was in force at its end.
    pub declaration: Hash,
    /// Hash of the limits that were in force at its end; none before the first ones.
    pub limits: Option<Hash>,
    /// Hash of the report of the month before; none of the first month.
    pub previous: Option<Hash>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The month is not over.
    #[error("{0} is not over")]
    NotOver(Month),
    /// A problem contradicts itself.
    #[error("a problem is refused")]
    Problem(#[from] ProblemError),
    /// Amounts that do not fit together.
    #[error("the amounts cannot be added up")]
    Money(#[from] MoneyError),
}

/// The report of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    format: String,
    project: Slug,
    month: Month,
    declaration: Hash,
    limits: Option<Hash>,
    previous: Option<Hash>,
    figures: Vec<Figure>,
    problems: Vec<Problem>,
    untreated: BTreeSet<Slug>,
}

impl Report {
    /// Makes the report of a month that is over. `today` is the day in China on which it is made; it
    /// does not stand in the report, so that a second run gives the same bytes.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn make(
        about: About,
        rows: &Rows,
        problems: &[Problem],
        today: chrono::NaiveDate,
    ) -> Result<Self, ReportError> {
        let month = about.month;
        if today <= month.last() {
            return Err(ReportError::NotOver(month));
        }
        let problems = problem::of_month(month, problems)?;
        let open = problems.iter().filter(|problem| problem.is_untreated());
        let untreated = open.map(|problem| problem.id.clone()).collect();
        Ok(Self {
            format: FORMAT.to_owned(),
            project: about.project,
            month,
            declaration: about.declaration,
            limits: about.limits,
            previous: about.previous,
            figures: calculate(month, rows)?,
            problems,
            untreated,
        })
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// Never in practice: the type has no float and no map with other keys than text.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// SHA-256 of [`Report::to_bytes`], which the log keeps.
    ///
    /// # Errors
    /// As [`Report::to_bytes`].
    pub fn hash(&self) -> Result<Hash, serde_json::Error> {
        Ok(sha256(&self.to_bytes()?))
    }

    /// Reads canonical bytes; none if these are not exactly what this type writes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let report: Self = serde_json::from_slice(bytes).ok()?;
        let same = report.to_bytes().is_ok_and(|again| again == bytes);
        (same && report.format == FORMAT).then_some(report)
    }

    /// Hashes of the declaration, of the limits and of the report of the month before.
    #[must_use]
    pub const fn names(&self) -> (Hash, Option<Hash>, Option<Hash>) {
        (self.declaration, self.limits, self.previous)
    }

    /// The month.
    #[must_use]
    pub const fn month(&self) -> Month {
        self.month
    }

    /// Every figure, in the order of [`FigureId::ALL`].
    #[must_use]
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// One figure; the report has all of them.
    #[must_use]
    pub fn figure(&self, id: FigureId) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.id == id)
    }

    /// Problems that were open in the month, with what was done by its end.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Problems that nobody had done anything about by the end of the month. The report says so
    /// itself; whoever signs it off looks here first.
    #[must_use]
    pub const fn untreated(&self) -> &BTreeSet<Slug> {
        &self.untreated
    }

    /// What the stop-loss reads, with what there is to compensate users from. `None` if the report
    /// lacks a figure, which it never does.
    #[must_use]
    pub fn readings(&self, compensation: Money) -> Option<Readings> {
        let amount = |id| match self.figure(id)?.value {
            Value::Amount(amount) => Some(amount),
            _ => None,
        };
        let count = |id| match self.figure(id)?.value {
            Value::Count(count) => Some(u32::try_from(count).unwrap_or(u32::MAX)),
            _ => None,
        };
        Some(Readings {
            outstanding: amount(FigureId::Outstanding)?,
            overdue: amount(FigureId::Overdue)?,
            loss: amount(FigureId::Loss)?,
            complaints: count(FigureId::Complaints)?,
            privacy_incidents: count(FigureId::PrivacyIncidents)?,
            compensation,
        })
    }
}

#[cfg(test)]
mod tests;
