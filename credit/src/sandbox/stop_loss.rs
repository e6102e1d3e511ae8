//! The automatic stop-loss: above what two people set, nothing more is lent.
//!
//! [`Rule::trips`] is pure and exact. [`StopLoss`] is sticky: once tripped it stays so, however the
//! readings recover, until one person proposes its release, another one approves, and nothing trips at
//! that moment. While it is tripped, [`StopLoss::allows`] passes only what makes debts smaller or helps
//! the borrower.

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use crate::money::{Money, MoneyError};

/// What must not be passed. All amounts are of one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The most that may be overdue, in basis points of what is outstanding.
    pub overdue_bp_max: u32,
    /// The most that may be lost in all.
    pub loss_max: Money,
    /// The most complaints in a month.
    pub complaints_max: u32,
    /// The most incidents with personal data in a month.
    pub privacy_incidents_max: u32,
    /// The least that there is to compensate users from.
    pub compensation_min: Money,
}

/// What is held against the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// What is owed.
    pub outstanding: Money,
    /// What of it is overdue.
    pub overdue: Money,
    /// What was written off since the beginning and has not come back.
    pub loss: Money,
    /// Complaints of the month so far.
    pub complaints: u32,
    /// Incidents with personal data of the month so far.
    pub privacy_incidents: u32,
    /// What there is to compensate users from.
    pub compensation: Money,
}

/// What tripped it, with the values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "trip", rename_all = "snake_case")]
pub enum Trip {
    /// Too much is overdue.
    #[error("{overdue} of {outstanding} is overdue, more than {most_bp} basis points")]
    Overdue {
        /// Overdue.
        overdue: Money,
        /// Outstanding.
        outstanding: Money,
        /// The most.
        most_bp: u32,
    },
    /// Too much is lost.
    #[error("{loss} is lost, more than {most}")]
    Loss {
        /// Lost.
        loss: Money,
        /// The most.
        most: Money,
    },
    /// Too many complaints.
    #[error("{complaints} complaints, more than {most}")]
    Complaints {
        /// Of the month.
        complaints: u32,
        /// The most.
        most: u32,
    },
    /// Too many incidents with personal data.
    #[error("{incidents} incidents with personal data, more than {most}")]
    PrivacyIncidents {
        /// Of the month.
        incidents: u32,
        /// The most.
        most: u32,
    },
    /// Too little to compensate users from.
    #[error("{compensation} is there to compensate users, less than {least}")]
    Compensation {
        /// What there is.
        compensation: Money,
        /// The least.
        least: Money,
    },
}

impl Rule {
    /// Everything that trips it, in the order of the fields. What is exactly at its limit does not.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`]; whoever asks must then lend nothing.
    pub fn trips(&self, readings: &Readings) -> Result<Vec<Trip>, MoneyError> {
        readings.overdue.common(readings.outstanding)?;
        readings.loss.common(self.loss_max)?;
        readings.compensation.common(self.compensation_min)?;
        readings.loss.common(readings.outstanding)?;
        let overdue = i128::from(readings.overdue.fen()) * 10_000;
        let allowed = i128::from(readings.outstanding.fen()) * i128::from(self.overdue_bp_max);
        let found = [
            (overdue > allowed).then_some(Trip::Overdue {
                overdue: readings.overdue,
                outstanding: readings.outstanding,
                most_bp: self.overdue_bp_max,
            }),
            (readings.loss.fen() > self.loss_max.fen()).then_some(Trip::Loss {
                loss: readings.loss,
                most: self.loss_max,
            }),
            (readings.complaints > self.complaints_max).then_some(Trip::Complaints {
                complaints: readings.complaints,
                most: self.complaints_max,
            }),
            (readings.privacy_incidents > self.privacy_incidents_max).then_some(
                Trip::PrivacyIncidents {
                    incidents: readings.privacy_incidents,
                    most: self.privacy_incidents_max,
                },
            ),
            (readings.compensation.fen() < self.compensation_min.fen()).then_some(
                Trip::Compensation {
                    compensation: readings.compensation,
                    least: self.compensation_min,
                },
            ),
        ];
        Ok(found.into_iter().flatten().collect())
    }

    /// SHA-256 of the rule's JSON, its name in steps and in the log.
    ///
    /// # Errors
    /// Never in practice: the type has no float.
    pub fn hash(&self) -> Result<Hash, serde_json::Error> {
        Ok(sha256(&serde_json::to_vec(self)?))
    }
}

/// What is done with loans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// An offer is made.
    Offer,
    /// Money is paid out.
    Disburse,
    /// A limit is raised.
    RaiseLimit,
    /// Money comes back, in time, early or late.
    Repay,
    /// A debt is collected, or a pledge sold.
    Collect,
    /// A debt is given up.
    WriteOff,
    /// A pledge is given back.
    ReleasePledge,
    /// A limit is lowered.
    LowerLimit,
    /// A user is compensated.
    Compensate,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 9] = [
        Self::Offer,
        Self::Disburse,
        Self::RaiseLimit,
        Self::Repay,
        Self::Collect,
        Self::WriteOff,
        Self::ReleasePledge,
        Self::LowerLimit,
        Self::Compensate,
    ];

    /// Whether it makes debts or what is possible larger.
    #[must_use]
    pub const fn adds_risk(self) -> bool {
        match self {
            Self::Offer | Self::Disburse | Self::RaiseLimit => true,
            Self::Repay
            | Self::Collect
            | Self::WriteOff
            | Self::ReleasePledge
            | Self::LowerLimit
            | Self::Compensate => false,
        }
    }
}

/// The stop-loss as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StopLoss {
    /// Nothing has tripped it.
    #[default]
    Armed,
    /// It is tripped.
    Tripped(Tripped),
}

/// A stop-loss that was tripped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tripped {
    /// When first.
    #[serde(with = "crate::rfc3339")]
    pub at: Instant,
    /// By what, then.
    pub trips: Vec<Trip>,
}

/// An operation that is not possible now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stop-loss is tripped since {since}: only what makes debts smaller is possible")]
pub struct Stopped {
    /// Since when.
    pub since: Instant,
}

/// A release that one person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseProposal {
    tripped: Tripped,
    by: Slug,
    reason: String,
}

/// A release as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// What is released.
    pub tripped: Tripped,
    /// Who wanted it.
    pub proposer: Slug,
    /// Why it may lend again.
    pub reason: String,
    /// Who approved.
    pub approver: Slug,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub at: Instant,
}

/// Why it stays tripped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReleased {
    /// Who proposes does not approve.
    #[error("the person who proposed the release does not approve it")]
    SamePerson,
    /// Nothing was said.
    #[error("a release needs a reason")]
    Reason,
    /// It would trip again at once.
    #[error("it would trip again at once: {0}")]
    Still(Trip),
}

impl StopLoss {
    /// The state after readings: tripped by the first trip, and then whatever follows.
    #[must_use]
    pub fn after(self, trips: Vec<Trip>, at: Instant) -> Self {
        match self {
            Self::Armed if !trips.is_empty() => Self::Tripped(Tripped { at, trips }),
            state => state,
        }
    }

    /// Whether an operation is possible.
    ///
    /// # Errors
    /// [`Stopped`].
    pub const fn allows(&self, operation: Operation) -> Result<(), Stopped> {
        match self {
            Self::Tripped(tripped) if operation.adds_risk() => Err(Stopped { since: tripped.at }),
            _ => Ok(()),
        }
    }
}

impl Tripped {
    /// One person wants it released.
    ///
    /// # Errors
    /// [`NotReleased::Reason`].
    pub fn propose(self, by: Slug, reason: &str) -> Result<ReleaseProposal, NotReleased> {
        let reason = reason.trim().to_owned();
        if reason.is_empty() {
            return Err(NotReleased::Reason);
        }
        Ok(ReleaseProposal {
            tripped: self,
            by,
            reason,
        })
    }
}

impl ReleaseProposal {
    /// Another person approves, with what trips at that moment. The state is then
    /// [`StopLoss::Armed`].
    ///
    /// # Errors
    /// [`NotReleased`].
    pub fn approve(self, by: Slug, now: &[Trip], at: Instant) -> Result<Release, NotReleased> {
        if by == self.by {
            return Err(NotReleased::SamePerson);
        }
        if let Some(trip) = now.first() {
            return Err(NotReleased::Still(trip.clone()));
        }
        Ok(Release {
            tripped: self.tripped,
            proposer: self.by,
            reason: self.reason,
            approver: by,
            at,
        })
    }
}

#[cfg(test)]
mod tests;
