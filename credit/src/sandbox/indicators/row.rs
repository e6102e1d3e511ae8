//! What happened, one row each.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::figure::FigureId;
use super::tally::Tally;
use crate::money::{Currency, Money, MoneyError};

/// A row of a table of the service, under an id that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its id, of all tables.
    pub id: Slug,
    /// When it was recorded.
    #[serde(with = "crate::rfc3339")]
    pub at: Instant,
    /// What it says.
    pub fact: Fact,
}

/// Principal that is due on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The day.
    pub on: NaiveDate,
    /// How much.
    pub amount: Money,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub enum Fact {
    /// Somebody applied.
    Applied {
        /// For what.
        application: Slug,
    },
    /// It was decided.
    Decided {
        /// On what.
        application: Slug,
        /// Offer or decline.
        offered: bool,
    },
    /// A loan was paid out.
    Disbursed {
        /// Which.
        loan: Slug,
        /// To whom.
        borrower: Slug,
        /// Who pays in the end.
        buyer: Slug,
        /// How much.
        amount: Money,
    },
    /// When its principal is due; the last row of a loan counts.
    Scheduled {
        /// Which.
        loan: Slug,
        /// What, when.
        due: Vec<Principal>,
    },
    /// Principal came back.
    Repaid {
        /// Of which loan.
        loan: Slug,
        /// How much.
        amount: Money,
    },
    /// A payment was none: principal that had counted as repaid is owed again.
    Unpaid {
        /// Of which loan.
        loan: Slug,
        /// How much.
        amount: Money,
    },
    /// Principal was given up.
    WrittenOff {
        /// Of which loan.
        loan: Slug,
        /// How much.
        amount: Money,
    },
    /// Money came for a loan that was given up.
    Recovered {
        /// Of which loan.
        loan: Slug,
        /// How much.
        amount: Money,
    },
    /// That money was none.
    Unrecovered {
        /// Of which loan.
        loan: Slug,
        /// How much.
        amount: Money,
    },
    /// Somebody complained.
    Complained {
        /// Its number.
        complaint: Slug,
        /// Whether it is about personal data.
        privacy: bool,
    },
    /// A complaint was answered.
    Answered {
        /// Its number.
        complaint: Slug,
    },
    /// Something went wrong.
    Incident {
        /// Whether personal data were touched.
        privacy: bool,
    },
    /// Something that went wrong was treated.
    Treated {
        /// The row of the incident.
        incident: Slug,
    },
    /// A person found something wrong with the trial.
    Problem {
        /// Who.
        by: Slug,
        /// The figure that shows it, if one does.
        figure: Option<FigureId>,
        /// What is wrong.
        words: String,
    },
    /// Something was done about a problem.
    Treatment {
        /// The row of the problem.
        problem: Slug,
        /// Who.
        by: Slug,
        /// What.
        words: String,
    },
    /// A problem is over.
    Closed {
        /// The row of the problem.
        problem: Slug,
        /// Who says so.
        by: Slug,
    },
}

impl Fact {
    /// Its word in rows and texts.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Applied { .. } => "applied",
            Self::Decided { .. } => "decided",
            Self::Disbursed { .. } => "disbursed",
            Self::Scheduled { .. } => "scheduled",
            Self::Repaid { .. } => "repaid",
            Self::Unpaid { .. } => "unpaid",
            Self::WrittenOff { .. } => "written_off",
            Self::Recovered { .. } => "recovered",
            Self::Unrecovered { .. } => "unrecovered",
            Self::Complained { .. } => "complained",
            Self::Answered { .. } => "answered",
            Self::Incident { .. } => "incident",
            Self::Treated { .. } => "treated",
            Self::Problem { .. } => "problem",
            Self::Treatment { .. } => "treatment",
            Self::Closed { .. } => "closed",
        }
    }
}

/// Rows that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowsError {
    /// Two rows of one id.
    #[error("two different rows have the id `{0}`")]
    Id(Slug),
    /// A loan that was never paid out.
    #[error("row `{row}`: the loan `{loan}` was never paid out")]
    Loan {
        /// The row.
        row: Slug,
        /// The loan.
        loan: Slug,
    },
    /// A loan that was paid out twice.
    #[error("row `{row}`: the loan `{loan}` was paid out before")]
    Twice {
        /// The row.
        row: Slug,
        /// The loan.
        loan: Slug,
    },
    /// More came back or was given up than was lent.
    #[error("of the loan `{0}` more is settled than was paid out")]
    Settled(Slug),
    /// More is owed again than had come back.
    #[error("of the loan `{0}` more is unpaid than was repaid")]
    Unpaid(Slug),
    /// Money for a loss that there never was.
    #[error("row `{row}`: the loan `{loan}` was never written off")]
    NoLoss {
        /// The row.
        row: Slug,
        /// The loan.
        loan: Slug,
    },
    /// Amounts that cannot be calculated together.
    #[error("the amounts are refused")]
    Money(#[from] MoneyError),
}

/// Rows that fit together, in the order of time and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    currency: Currency,
    rows: Vec<Row>,
}

impl Rows {
    /// Takes rows in any order; one that comes twice counts once.
    ///
    /// # Errors
    /// [`RowsError`] naming the row.
    pub fn read(
        currency: Currency,
        rows: impl IntoIterator<Item = Row>,
    ) -> Result<Self, RowsError> {
        let mut by_id: BTreeMap<Slug, Row> = BTreeMap::new();
        for row in rows {
            if by_id.get(&row.id).is_some_and(|known| *known != row) {
                return Err(RowsError::Id(row.id));
            }
            by_id.insert(row.id.clone(), row);
        }
        let mut rows: Vec<_> = by_id.into_values().collect();
        // By id already; the sort is stable.
        rows.sort_by_key(|row| row.at);
        check(currency, &rows)?;
        Ok(Self { currency, rows })
    }

    /// Their currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// All of them, by time and id.
    #[must_use]
    pub fn all(&self) -> &[Row] {
        &self.rows
    }
}

/// Rows of loans as they come, each loan's in the order of their instants.
fn check(currency: Currency, rows: &[Row]) -> Result<(), RowsError> {
    let mut tally = Tally::new(currency);
    // A schedule may stand before its loan where both are of one instant.
    let (first, rest): (Vec<&Row>, Vec<&Row>) = rows
        .iter()
        .partition(|row| matches!(row.fact, Fact::Disbursed { .. }));
    first
        .into_iter()
        .chain(rest)
        .try_for_each(|row| tally.add(row))
}
