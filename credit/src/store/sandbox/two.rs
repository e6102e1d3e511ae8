//! What one person wants and another one agrees to.

use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use crate::sandbox::limits::Proposal;
use crate::sandbox::stage::{Act, Capacity, Step};
use crate::sandbox::stop_loss::Rule;

/// Something that needs two people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "motion", rename_all = "snake_case")]
pub enum Motion {
    /// Other limits.
    Limits(Proposal),
    /// Another rule of the stop-loss.
    Rule(RuleProposal),
    /// The release of a stop-loss that is tripped.
    Lift(LiftProposal),
    /// A step of the trial.
    Step(StepProposal),
}

impl Motion {
    /// Who wants it.
    #[must_use]
    pub const fn proposer(&self) -> &Slug {
        match self {
            Self::Limits(proposal) => &proposal.proposer,
            Self::Rule(proposal) => &proposal.proposer,
            Self::Lift(proposal) => &proposal.proposer,
            Self::Step(proposal) => &proposal.proposer,
        }
    }
}

/// A rule of the stop-loss that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleProposal {
    /// From 1, one after another.
    pub version: u32,
    /// The rule.
    pub rule: Rule,
    /// Who wants it.
    pub proposer: Slug,
    /// Why.
    pub reason: String,
}

/// A release of the stop-loss that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftProposal {
    /// Which trip, from 1.
    pub trip: u32,
    /// Who wants it.
    pub proposer: Slug,
    /// Why it may lend again.
    pub reason: String,
}

/// A step that somebody wants, and in what capacity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepProposal {
    /// What is to be done.
    pub act: Act,
    /// As what.
    pub capacity: Capacity,
    /// Who wants it.
    pub proposer: Slug,
}

/// A rule that two people answer for. Only an approval makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVersion {
    proposal: RuleProposal,
    approver: Slug,
    #[serde(with = "crate::rfc3339")]
    approved_at: Instant,
}

impl RuleProposal {
    /// A second person approves; none if it is the same one.
    #[must_use]
    pub fn approve(self, approver: Slug, approved_at: Instant) -> Option<RuleVersion> {
        (approver != self.proposer).then_some(RuleVersion {
            proposal: self,
            approver,
            approved_at,
        })
    }
}

impl RuleVersion {
    /// What was proposed.
    #[must_use]
    pub const fn proposal(&self) -> &RuleProposal {
        &self.proposal
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> &Rule {
        &self.proposal.rule
    }

    /// Who approved, and when.
    #[must_use]
    pub const fn approved(&self) -> (&Slug, Instant) {
        (&self.approver, self.approved_at)
    }
}

impl StepProposal {
    /// A second person agrees: the step of both.
    #[must_use]
    pub fn agreed(self, second: Slug, at: Instant) -> Step {
        Step {
            act: self.act,
            by: self.proposer,
            capacity: self.capacity,
            second: Some(second),
            at,
        }
    }
}
