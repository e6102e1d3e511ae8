//! Why nothing was reserved, and how that is kept.

use chrono::NaiveDate;
use schemas::time::Instant;

use crate::sandbox::limits::{Exceeded, Request};
use crate::sandbox::stop_loss::Stopped;

/// Why nothing is reserved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A limit, or the request itself.
    #[error(transparent)]
    Limit(#[from] Exceeded),
    /// The stop-loss is tripped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The trial does not lend on this day.
    #[error("the trial is {stage}: nothing is lent on {day}")]
    Stage {
        /// Where it stands.
        stage: &'static str,
        /// The day that was asked for.
        day: NaiveDate,
    },
    /// The day is over, by the newest instant that the trial has seen.
    #[error("{day} is over: it is {today}")]
    DayOver {
        /// The day that was asked for.
        day: NaiveDate,
        /// Today.
        today: NaiveDate,
    },
    /// No limits are in force yet.
    #[error("no limits are in force")]
    NoLimits,
}

impl Refused {
    /// Its word in rows: the name of the limit, or what else stood against it.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Limit(exceeded) => match exceeded.limit() {
                Some(limit) => limit.to_string(),
                None => match exceeded {
                    Exceeded::Id(_) => "id".to_owned(),
                    _ => "amount".to_owned(),
                },
            },
            Self::Stopped(_) => "stop_loss".to_owned(),
            Self::Stage { .. } => "stage".to_owned(),
            Self::DayOver { .. } => "day_over".to_owned(),
            Self::NoLimits => "no_limits".to_owned(),
        }
    }

    /// Limit, use and what was asked for, as whole numbers, where a limit counts.
    #[must_use]
    pub fn numbers(&self) -> Option<[i64; 3]> {
        match self {
            Self::Limit(Exceeded::Amount {
                value, used, asked, ..
            }) => Some([value.fen(), used.fen(), asked.fen()]),
            Self::Limit(Exceeded::Number {
                value, used, asked, ..
            }) => Some([*value, *used, *asked].map(i64::from)),
            _ => None,
        }
    }
}

/// A refusal as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialRefusal {
    /// What was asked for.
    pub request: Request,
    /// When.
    pub refused_at: Instant,
    /// [`Refused::word`].
    pub reason: String,
    /// [`Refused::numbers`]: limit, use, asked.
    pub numbers: Option<[i64; 3]>,
    /// In words.
    pub detail: String,
}

impl TrialRefusal {
    /// Of a request.
    #[must_use]
    pub fn new(request: &Request, refused: &Refused, refused_at: Instant) -> Self {
        Self {
            request: request.clone(),
            refused_at,
            reason: refused.word(),
            numbers: refused.numbers(),
            detail: refused.to_string(),
        }
    }
}
