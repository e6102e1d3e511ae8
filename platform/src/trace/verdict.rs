//! The one rule that turns a journey, its proofs and its gaps into a word (DESIGN.md section 7).

use std::collections::BTreeMap;

use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::event::Stated;
use super::gap::{Gap, during};
use super::journey::{Entry, Journey};

/// What the check of one event's proof came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Every check holds and the verdict members are shown.
    Verified,
    /// Every check holds, but a member that the verdict needs is withheld.
    Incomplete,
    /// A check failed: its class (`proof-bundle.md` section 2).
    Refused(String),
    /// The event waits for its batch, or its batch for witnesses.
    NotAnchored,
}

/// A witness as the page names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    /// Name in the policy.
    pub name: String,
    /// Who runs it; `None` when nobody said.
    pub owner: Option<String>,
    /// True if the platform's own operator runs it.
    pub is_operators_own: bool,
}

/// What was checked, under which checkpoint, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Origin of the log.
    pub origin: String,
    /// Size of the log in the checkpoint.
    pub checkpoint_size: u64,
    /// Witnesses whose cosignature on it holds.
    pub witnesses: Vec<Witness>,
    /// How many must sign.
    pub quorum: u32,
    /// By event leaf. A leaf that is not here was not checked.
    pub standings: BTreeMap<Hash, Standing>,
    /// When the check was made.
    pub checked_at: Instant,
}

impl Proof {
    /// True if the log runs on a replayed clock.
    pub fn is_replay(&self) -> bool {
        self.origin.ends_with("/replay")
    }
}

/// The word on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Everything that was found holds.
    Verified,
    /// Something speaks against it.
    Doubtful,
    /// Its maker recalled it.
    Recalled,
    /// No check was made: neither for nor against.
    NotChecked,
}

/// An excursion as the verdict names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Index into [`Journey::steps`].
    pub step: usize,
    /// Index into the step's curves.
    pub curve: usize,
    /// Index into the curve's excursions.
    pub excursion: usize,
}

/// Why the verdict is not plain "verified", the weightiest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Recalled by its maker.
    Recalled {
        /// Who.
        organisation: Slug,
        /// When.
        at: Stated,
    },
    /// Proofs that do not hold.
    ProofRefused {
        /// Class of the first.
        class: String,
        /// How many events.
        entries: usize,
    },
    /// More than one organisation says that it made the item.
    SeveralMakers(Vec<Slug>),
    /// Limits were left; the episode furthest outside and how many there are.
    Excursion {
        /// The longest.
        spot: Spot,
        /// How many in all.
        count: usize,
    },
    /// Devices of a holder kept something back; the first gap and how many there are.
    Gap {
        /// The first.
        first: Gap,
        /// How many in all.
        count: usize,
    },
    /// Events anchored long after their time.
    Late {
        /// How many.
        entries: usize,
    },
    /// Values that the verdict needs are withheld.
    Withheld {
        /// How many events.
        entries: usize,
    },
    /// Events whose content was erased on request.
    Erased {
        /// How many.
        entries: usize,
    },
    /// Events whose content is in an archive.
    Archived {
        /// How many.
        entries: usize,
    },
    /// The journey is longer than what is read.
    Truncated,
    /// Nothing, or not everything, was checked.
    NotChecked {
        /// How many events were not.
        entries: usize,
    },
    /// Nothing was measured or scanned: all events are declared or come from a file.
    Declared {
        /// How many.
        entries: usize,
    },
    /// Events that no quorum has witnessed yet.
    NotWitnessed {
        /// How many.
        entries: usize,
    },
}

impl Reason {
    /// The word that this reason alone leads to.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Recalled { .. } => Verdict::Recalled,
            Self::NotChecked { .. } => Verdict::NotChecked,
            _ => Verdict::Doubtful,
        }
    }
}

/// What the rule looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Recalled: who and when.
    pub recalled: Option<(Slug, Stated)>,
    /// Refused proofs: class of the first and count.
    pub refused: Option<(String, usize)>,
    /// Who says that it made the item, if more than one.
    pub makers: Vec<Slug>,
    /// The longest excursion and how many.
    pub excursion: Option<(Spot, usize)>,
    /// The gaps that count.
    pub gaps: Vec<Gap>,
    /// Late events.
    pub late: usize,
    /// Events with withheld verdict members.
    pub withheld: usize,
    /// Erased events.
    pub erased: usize,
    /// Archived events.
    pub archived: usize,
    /// The walk was cut.
    pub truncated: bool,
    /// Events without any check.
    pub unchecked: usize,
    /// Events that are only declared, where all are.
    pub declared: usize,
    /// Events not yet witnessed.
    pub unwitnessed: usize,
}

/// The verdict with its reasons, the weightiest first; none when verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The word.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
}

impl Facts {
    /// Collects the facts; `proof` is `None` when nothing was checked.
    pub fn of(journey: &Journey, proof: Option<&Proof>, gaps: &[Gap]) -> Self {
        let mut facts = Self {
            recalled: journey
                .recall
                .as_ref()
                .map(|one| (one.organisation.clone(), one.at)),
            makers: journey.makers.clone(),
            excursion: longest_excursion(journey),
            gaps: during(journey, gaps),
            late: journey.entries().filter(|entry| entry.late).count(),
            truncated: journey.truncated,
            declared: only_declared(journey),
            ..Self::default()
        };
        for entry in journey.entries() {
            facts.count(proof.and_then(|proof| proof.standings.get(&entry.leaf)));
        }
        facts
    }

    fn count(&mut self, standing: Option<&Standing>) {
        match standing {
            Some(Standing::Verified) => {}
            Some(Standing::Incomplete) => self.withheld += 1,
            Some(Standing::NotAnchored) => self.unwitnessed += 1,
            Some(Standing::Refused(class)) => {
                self.refused.get_or_insert_with(|| (class.clone(), 0)).1 += 1;
            }
            None => self.unchecked += 1,
        }
    }
}

/// The rule. A recall wins over all; then what speaks against the goods or the records; "not yet
/// witnessed" is the verdict only when there is nothing else.
pub fn judge(facts: &Facts) -> Finding {
    let many = |count: usize| (count > 0).then_some(count);
    let recalled = facts.recalled.clone();
    let gap = facts.gaps.first().cloned();
    let makers = Some(&facts.makers).filter(|makers| makers.len() > 1);
    let reasons: Vec<Reason> = [
        recalled.map(|(organisation, at)| Reason::Recalled { organisation, at }),
        facts
            .refused
            .clone()
            .map(|(class, entries)| Reason::ProofRefused { class, entries }),
        makers.cloned().map(Reason::SeveralMakers),
        facts
            .excursion
            .map(|(spot, count)| Reason::Excursion { spot, count }),
        gap.map(|first| Reason::Gap {
            first,
            count: facts.gaps.len(),
        }),
        many(facts.late).map(|entries| Reason::Late { entries }),
        many(facts.withheld).map(|entries| Reason::Withheld { entries }),
        many(facts.erased).map(|entries| Reason::Erased { entries }),
        many(facts.archived).map(|entries| Reason::Archived { entries }),
        facts.truncated.then_some(Reason::Truncated),
        many(facts.unchecked).map(|entries| Reason::NotChecked { entries }),
        many(facts.declared).map(|entries| Reason::Declared { entries }),
        many(facts.unwitnessed).map(|entries| Reason::NotWitnessed { entries }),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verdict = reasons.first().map_or(Verdict::Verified, Reason::verdict);
    Finding { verdict, reasons }
}

/// How many events the journey has, if none of them was measured or scanned.
fn only_declared(journey: &Journey) -> usize {
    let seen = |entry: &Entry| matches!(entry.source, Source::Scan | Source::Sensor);
    if journey.entries().any(seen) {
        return 0;
    }
    journey.entries().count()
}

fn longest_excursion(journey: &Journey) -> Option<(Spot, usize)> {
    let mut spots = Vec::new();
    for (step, one) in journey.steps.iter().enumerate() {
        for (curve, series) in one.curves.iter().enumerate() {
            for (excursion, episode) in series.excursions.iter().enumerate() {
                spots.push((
                    series.length(episode),
                    Spot {
                        step,
                        curve,
                        excursion,
                    },
                ));
            }
        }
    }
    let count = spots.len();
    // Of equally long ones the first: max_by_key keeps the last, so it walks backwards.
    spots
        .into_iter()
        .rev()
        .max_by_key(|(length, _)| *length)
        .map(|(_, spot)| (spot, count))
}

#[cfg(test)]
mod tests;
