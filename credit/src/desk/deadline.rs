//! Why an offer waits on the desk, and until when somebody should have looked at it.
//!
//! Two clocks run: the offer's own validity, after which it lapses by itself, and the bank's promise
//! to look within a time, for the first officer from the decision and for the second from the first
//! one's acceptance. What is due is the earlier one; an offer is overdue once that has passed.

use std::time::Duration;

use schemas::ids::Slug;
use schemas::time::Instant;

use crate::loan::Stage;

/// Within which time people look at an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// The first officer, from the machine's decision.
    pub first: Duration,
    /// The second officer, from the first one's acceptance.
    pub second: Duration,
}

impl Default for Within {
    /// Two days and one day.
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            first: day * 2,
            second: day,
        }
    }
}

/// Why an offer is on the desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// One officer decides.
    OneOfficer,
    /// The amount needs two officers; nobody has decided yet.
    TwoOfficers,
    /// Another officer than this one has to decide.
    SecondOfficer(Slug),
}

/// An offer that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Why.
    pub why: Why,
    /// By when somebody should have decided.
    pub due: Instant,
    /// When it lapses.
    pub lapses: Instant,
}

impl Waits {
    /// How a stage waits; not at all if it is settled. `decided_at` is when the machine decided.
    #[must_use]
    pub fn of(stage: &Stage, decided_at: Instant, within: &Within) -> Option<Self> {
        let offer = stage.offer();
        let (why, promised) = match stage {
            Stage::Settled(_) | Stage::Passed(_) => return None,
            Stage::Waiting(_) if offer.needs_two => (Why::TwoOfficers, decided_at + within.first),
            Stage::Waiting(_) => (Why::OneOfficer, decided_at + within.first),
            Stage::Endorsed(endorsed) => {
                let since = offer.history().last().map_or(decided_at, |step| step.at);
                let why = Why::SecondOfficer(endorsed.first.clone());
                (why, since + within.second)
            }
        };
        Some(Self {
            why,
            due: promised.min(offer.lapses_at),
            lapses: offer.lapses_at,
        })
    }

    /// True once the time has passed.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        now > self.due
    }

    /// True for whoever may be the second officer now: it waits for somebody else than its proposer.
    #[must_use]
    pub fn is_for_second(&self, person: &Slug) -> bool {
        matches!(&self.why, Why::SecondOfficer(first) if first != person)
    }
}
