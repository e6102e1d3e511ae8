//! What people make of an offer: one officer, or two above a line, and never the same one twice.
//!
//! ```text
//! Waiting --refuse--> refused     Waiting --accept, at or under the line--> accepted
//!    |                               |
//!    +--accept, above the line--> Endorsed --refuse or accept of another person--> settled
//!    +--time--> lapsed <--time--------+
//!    +--no rule has anything to say, a small amount--> Passed
//! ```
//!
//! [`Waiting::pass`] is the way without a person: it takes nothing but an offer whose decision's rules
//! sent it straight through, and gives a stage of its own, which nobody can decide on any more. It is
//! kept with the decision, in its transaction: no officer's step can come before it, and none is taken
//! after it.
//!
//! [`Waiting::review`] and [`Endorsed::review`] consume the stage that they were read as, so that a
//! stage is decided on once; a settled offer has no transition at all. The database says the same
//! again: each step of an offer has one row, no person has two, and one row settles.

use std::time::Duration;

use schemas::hash::{Hash, sha256_parts};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::brief::STRAIGHT_THROUGH;
use super::decision::{Decision, Outcome};
use super::warning::Route;
use crate::money::Money;

/// Longest note of an officer in characters.
pub const NOTE_MAX: usize = 500;

/// By which rules the bank's people decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewRules {
    /// An offer of more than this needs a second officer; so does one in another currency.
    pub second_officer_above: Money,
    /// How long an offer waits before it lapses.
    pub offer_valid: Duration,
}

impl ReviewRules {
    /// True if one officer is not enough.
    #[must_use]
    pub fn needs_two(&self, amount: Money) -> bool {
        let line = self.second_officer_above;
        amount.common(line).is_err() || amount.fen() > line.fen()
    }
}

/// What somebody made of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It may be disbursed as far as this person is concerned.
    Accept,
    /// It is not made.
    Refuse,
    /// Nobody decided in time.
    Lapse,
    /// No rule had anything to say, and the amount is small: nobody of the bank looked at it.
    Pass,
}

impl Act {
    /// Its word in rows and forms.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::Lapse => "lapse",
            Self::Pass => "pass",
        }
    }

    /// The act of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Accept, Self::Refuse, Self::Lapse, Self::Pass]
            .into_iter()
            .find(|act| act.word() == word)
    }
}

/// One step in the life of an offer, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The offer's decision.
    pub decision_id: String,
    /// From 1.
    pub step: u32,
    /// What was done.
    pub act: Act,
    /// Who did it; nobody lets an offer lapse or passes it.
    pub person: Option<Slug>,
    /// Why it was refused; of one that went straight through the rule by which.
    pub reason: Option<Slug>,
    /// What the officer wrote beside it.
    pub note: String,
    /// The stage that the person saw, see [`Stage::version`].
    pub version: Hash,
    /// The inputs of the decision that it is about.
    pub inputs: Hash,
    /// The points table of that decision.
    pub model: Hash,
    /// True if nothing comes after it.
    pub settles: bool,
    /// When.
    #[serde(with = "crate::rfc3339")]
    pub at: Instant,
}

/// What an officer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who.
    pub person: Slug,
    /// Accept, or why not.
    pub choice: Choice,
    /// At most [`NOTE_MAX`] characters.
    pub note: String,
}

/// Accept or refuse: a refusal has a reason by its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Accept.
    Accept,
    /// Refuse, with the code of a reason.
    Refuse(Slug),
}

impl Choice {
    /// As an act.
    #[must_use]
    pub fn act(&self) -> Act {
        match self {
            Self::Accept => Act::Accept,
            Self::Refuse(_) => Act::Refuse,
        }
    }

    /// The reason of a refusal.
    #[must_use]
    pub fn reason(&self) -> Option<&Slug> {
        match self {
            Self::Accept => None,
            Self::Refuse(reason) => Some(reason),
        }
    }
}

/// Why no stage can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStage {
    /// The decision declines: people have nothing to decide.
    #[error("the decision is no offer")]
    NoOffer,
    /// The kept steps do not follow from each other.
    #[error("the kept steps of the offer do not follow from each other")]
    Broken,
}

/// The person has taken part in this offer before: maker is never checker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a second officer has to be another person")]
pub struct SamePerson;

/// An offer as people see it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The decision that offers.
    pub decision_id: String,
    /// How much.
    pub amount: Money,
    /// When nobody can decide on it any more.
    pub lapses_at: Instant,
    /// True if it takes two people.
    pub needs_two: bool,
    inputs: Hash,
    model: Hash,
    history: Vec<Review>,
}

/// Nobody has decided yet.
#[derive(Clone, Debug)]
pub struct Waiting(Offer);

/// One officer has accepted, another one has to decide.
#[derive(Clone, Debug)]
pub struct Endorsed {
    offer: Offer,
    /// Who.
    pub first: Slug,
}

/// Accepted, refused or lapsed.
#[derive(Clone, Debug)]
pub struct Settled {
    offer: Offer,
    /// The step that settled it.
    pub last: Review,
}

/// Accepted for the bank by rule, without a person.
#[derive(Clone, Debug)]
pub struct Passed {
    offer: Offer,
    /// The step that says so.
    pub last: Review,
}

/// A passage as it is kept with its decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The step.
    pub review: Review,
    /// How much was asked for.
    pub asked: Money,
    /// The most that goes straight through.
    pub up_to: Money,
}

impl Passage {
    /// The passage of a decision, if its rules send its offer straight through and its product lets so
    /// much through.
    #[must_use]
    pub fn of(decision: &Decision, up_to: Option<Money>) -> Option<Self> {
        // A passage asks neither for a second officer nor for how long the offer waits.
        let rules = ReviewRules {
            second_officer_above: decision.application.requested,
            offer_valid: Duration::ZERO,
        };
        match Stage::read(decision, Vec::new(), &rules).ok()? {
            Stage::Waiting(waiting) => waiting.pass(decision, up_to),
            Stage::Endorsed(_) | Stage::Settled(_) | Stage::Passed(_) => None,
        }
    }
}

/// Where an offer stands.
#[derive(Clone, Debug)]
pub enum Stage {
    /// Nobody has decided yet.
    Waiting(Waiting),
    /// A second officer has to decide.
    Endorsed(Endorsed),
    /// It is decided.
    Settled(Settled),
    /// It went straight through.
    Passed(Passed),
}

impl Stage {
    /// The step that accepted the offer for the bank, if it did: a person's, or the rule's by which it
    /// went straight through.
    #[must_use]
    pub fn accepted(&self) -> Option<&Review> {
        match self {
            Self::Passed(passed) => Some(&passed.last),
            Self::Settled(settled) if settled.last.act == Act::Accept => Some(&settled.last),
            Self::Settled(_) | Self::Waiting(_) | Self::Endorsed(_) => None,
        }
    }

    /// The stage of an offer after these steps, in their order.
    ///
    /// # Errors
    /// [`NoStage`].
    pub fn read(
        decision: &Decision,
        history: Vec<Review>,
        rules: &ReviewRules,
    ) -> Result<Self, NoStage> {
        let Outcome::Offer { amount } = decision.outcome else {
            return Err(NoStage::NoOffer);
        };
        let numbered = history
            .iter()
            .zip(1..)
            .all(|(review, step)| review.step == step);
        let but_last = history.len().saturating_sub(1);
        let open = history[..but_last].iter().all(|review| !review.settles);
        if !numbered || !open || history.len() > 2 {
            return Err(NoStage::Broken);
        }
        let last = history.last().cloned();
        let offer = Offer {
            decision_id: decision.decision_id.clone(),
            amount,
            lapses_at: decision.decided_at + rules.offer_valid,
            needs_two: rules.needs_two(amount),
            inputs: decision.inputs,
            model: decision.model.hash,
            history,
        };
        let passes = offer.history.iter().any(|review| review.act == Act::Pass);
        match last {
            Some(last) if passes => Passed::read(decision, offer, last).map(Self::Passed),
            None => Ok(Self::Waiting(Waiting(offer))),
            Some(last) if last.settles => Ok(Self::Settled(Settled { offer, last })),
            Some(Review {
                person: Some(first),
                ..
            }) if offer.history.len() == 1 => Ok(Self::Endorsed(Endorsed { offer, first })),
            Some(_) => Err(NoStage::Broken),
        }
    }

    /// The offer.
    #[must_use]
    pub fn offer(&self) -> &Offer {
        match self {
            Self::Waiting(Waiting(offer)) => offer,
            Self::Endorsed(endorsed) => &endorsed.offer,
            Self::Settled(settled) => &settled.offer,
            Self::Passed(passed) => &passed.offer,
        }
    }

    /// Names exactly this stage of exactly this offer: a form that carries another version was
    /// filled in from something else.
    #[must_use]
    pub fn version(&self) -> Hash {
        let offer = self.offer();
        offer.version()
    }

    /// True once nothing can be decided any more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Settled(_) | Self::Passed(_))
    }

    /// The last step, by time, of an offer that nobody settled.
    #[must_use]
    pub fn lapse(self, at: Instant) -> Option<Review> {
        let offer = match self {
            Self::Waiting(Waiting(offer)) | Self::Endorsed(Endorsed { offer, .. }) => offer,
            Self::Settled(_) | Self::Passed(_) => return None,
        };
        (at >= offer.lapses_at).then(|| Review {
            act: Act::Lapse,
            settles: true,
            ..offer.step(at)
        })
    }
}

/// True if the decision's own rules sent it straight through.
fn goes_straight(decision: &Decision) -> bool {
    let judged = decision.judged.as_ref();
    judged.is_some_and(|judged| judged.route == Route::StraightThrough)
}

impl Passed {
    /// A passage is the only step, nobody's, and of a decision whose rules say so.
    fn read(decision: &Decision, offer: Offer, last: Review) -> Result<Self, NoStage> {
        let alone = offer.history.len() == 1 && last.settles && last.person.is_none();
        if alone && goes_straight(decision) {
            Ok(Self { offer, last })
        } else {
            Err(NoStage::Broken)
        }
    }
}

impl Offer {
    /// Every step so far.
    #[must_use]
    pub fn history(&self) -> &[Review] {
        &self.history
    }

    fn version(&self) -> Hash {
        let steps = serde_json::to_vec(&self.history).unwrap_or_default();
        sha256_parts(&[b"offer stage\n", self.inputs.as_bytes(), &steps])
    }

    /// The next step, with nobody's words in it yet.
    fn step(&self, at: Instant) -> Review {
        Review {
            decision_id: self.decision_id.clone(),
            step: u32::try_from(self.history.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1),
            act: Act::Accept,
            person: None,
            reason: None,
            note: String::new(),
            version: self.version(),
            inputs: self.inputs,
            model: self.model,
            settles: false,
            at,
        }
    }

    fn reviewed(&self, verdict: Verdict, settles: bool, at: Instant) -> Review {
        Review {
            act: verdict.choice.act(),
            reason: verdict.choice.reason().cloned(),
            person: Some(verdict.person),
            note: verdict.note,
            settles,
            ..self.step(at)
        }
    }
}

impl Waiting {
    /// The first officer decides: a refusal settles, an acceptance does where one officer is enough.
    #[must_use]
    pub fn review(self, verdict: Verdict, at: Instant) -> Review {
        let settles = verdict.choice != Choice::Accept || !self.0.needs_two;
        self.0.reviewed(verdict, settles, at)
    }

    /// The passage of an offer whose decision's rules sent it straight through; `None` for any other,
    /// and where the product lets nothing through. `up_to` is the product's line.
    #[must_use]
    pub fn pass(self, decision: &Decision, up_to: Option<Money>) -> Option<Passage> {
        let asked = decision.application.requested;
        let up_to =
            up_to.filter(|most| asked.common(*most).is_ok() && asked.fen() <= most.fen())?;
        let same = self.0.decision_id == decision.decision_id && self.0.history.is_empty();
        let review = Review {
            act: Act::Pass,
            reason: STRAIGHT_THROUGH.parse().ok(),
            settles: true,
            ..self.0.step(decision.decided_at)
        };
        (same && goes_straight(decision)).then_some(Passage {
            review,
            asked,
            up_to,
        })
    }
}

impl Endorsed {
    /// The second officer decides, which settles it.
    ///
    /// # Errors
    /// [`SamePerson`] for the one who accepted before.
    pub fn review(self, verdict: Verdict, at: Instant) -> Result<Review, SamePerson> {
        if verdict.person == self.first {
            Err(SamePerson)
        } else {
            Ok(self.offer.reviewed(verdict, true, at))
        }
    }
}

#[cfg(test)]
mod tests;
