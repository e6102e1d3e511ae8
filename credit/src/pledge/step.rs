//! A pledge's history: rows that can only be added, each carrying the hash of the one before
//! (`docs/pledge.md`, "History").

use schemas::hash::{Hash, sha256_parts};
use schemas::time::Instant;

use super::claim::Claim;
use super::fingerprint::Fingerprint;
use super::ids::PledgeId;
use super::stage::{Denied, Said, Stage, State};

/// Most steps of one pledge. Alarms are one an episode; this many are no life of a pledge.
pub const STEPS_MAX: u32 = 10_000;

/// One thing that happened to a pledge, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Of which pledge.
    pub pledge: PledgeId,
    /// From 1, without a gap.
    pub number: u32,
    /// Hash of the step before; zero in the first.
    pub prev: Hash,
    /// When; never before the step before.
    pub at: Instant,
    /// Who said what.
    pub said: Said,
    /// Where the pledge stands behind it; follows from the steps, so it is neither hashed nor kept.
    pub state: State,
    /// What was said as it is hashed and kept.
    pub body: Vec<u8>,
}

/// A history that nobody wrote like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A row is missing, was changed, or does not carry the hash of the one before.
    #[error("step {0} of the pledge does not follow from the one before")]
    Link(u32),
    /// The head is not the last row.
    #[error("the pledge's last step is not the one that was kept last")]
    Head,
    /// A row cannot be read.
    #[error("step {0} of the pledge cannot be read")]
    Body(u32),
    /// A row does what could not be done.
    #[error("step {0} of the pledge was not possible")]
    Denied(u32, #[source] Denied),
    /// There are more than [`STEPS_MAX`].
    #[error("the pledge has too many steps")]
    TooMany,
}

/// A row as a store reads it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Number.
    pub number: i64,
    /// The hash of the row before.
    pub prev: Vec<u8>,
    /// When.
    pub at: Instant,
    /// Who said what.
    pub body: Vec<u8>,
}

impl Step {
    /// A step's hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256_parts(&[
            b"tracebond/pledge-step/v1\n",
            self.pledge.as_bytes(),
            &u64::from(self.number).to_be_bytes(),
            self.prev.as_bytes(),
            &self.at.as_micros().to_be_bytes(),
            &self.body,
        ])
    }

    /// Whether two steps say the same, whenever they did.
    #[must_use]
    pub fn says(&self, said: &Said) -> bool {
        self.said == *said
    }
}

/// What is kept together: a step and what it gives back.
#[derive(Clone, Debug)]
pub struct Next {
    /// The step.
    pub step: Step,
    /// Claims that are given back.
    pub freed: Vec<(Fingerprint, Claim)>,
}

/// A pledge and everything that happened to it.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its steps, in order, at least one.
    steps: Vec<Step>,
    stage: Stage,
}

impl Chain {
    /// A new pledge: its first step.
    ///
    /// # Errors
    /// [`Denied`] for anything but an offer by a person.
    pub fn begin(said: Said, at: Instant) -> Result<Next, Denied> {
        let pledge = PledgeId::of(&said.request);
        let state = Stage::first(&said)?.state();
        let body = serde_json::to_vec(&said).map_err(|_| Denied::Text)?;
        let step = Step {
            pledge,
            number: 1,
            prev: Hash::ZERO,
            at,
            said,
            state,
            body,
        };
        let freed = Vec::new();
        Ok(Next { step, freed })
    }

    /// Reads kept rows, in order, against the head that was kept with them.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn read(pledge: PledgeId, rows: Vec<Row>, head: (u32, Hash)) -> Result<Self, Broken> {
        let (mut steps, mut stage) = (Vec::<Step>::new(), None);
        for (row, number) in rows.into_iter().zip(1..) {
            if number > STEPS_MAX {
                return Err(Broken::TooMany);
            }
            let prev = steps.last().map_or(Hash::ZERO, Step::hash);
            if row.number != i64::from(number) || row.prev != prev.as_bytes() {
                return Err(Broken::Link(number));
            }
            let said: Said = serde_json::from_slice(&row.body).map_err(|_| Broken::Body(number))?;
            let next = match stage.take() {
                None if PledgeId::of(&said.request) != pledge => {
                    return Err(Broken::Link(number));
                }
                None => Stage::first(&said),
                Some(stage) => Stage::next(stage, &said),
            };
            let next = next.map_err(|denied| Broken::Denied(number, denied))?;
            let state = next.state();
            stage = Some(next);
            steps.push(Step {
                pledge,
                number,
                prev,
                at: row.at,
                said,
                state,
                body: row.body,
            });
        }
        let last = steps.last().map(|last| (last.number, last.hash()));
        match stage {
            Some(stage) if last == Some(head) => Ok(Self { steps, stage }),
            _ => Err(Broken::Head),
        }
    }

    /// What happened, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Where it stands.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The next step, if what is said follows. A clock that went back repeats the last instant.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn next(&self, said: Said, at: Instant) -> Result<Next, Denied> {
        let last = self.steps.last().ok_or(Denied::Nobody)?;
        if last.number >= STEPS_MAX {
            return Err(Denied::Full);
        }
        let after = self.stage.clone().next(&said)?;
        let state = after.state();
        let ended = matches!(after, Stage::Ended(_));
        let claims = &after.life().offer.claims;
        let freed = claims.freed(state == State::Realised);
        let freed = freed.filter(|_| ended);
        let freed = freed.map(|(name, claim)| (*name, claim.clone())).collect();
        let body = serde_json::to_vec(&said).map_err(|_| Denied::Text)?;
        let step = Step {
            pledge: last.pledge,
            number: last.number.saturating_add(1),
            prev: last.hash(),
            at: at.max(last.at),
            said,
            state,
            body,
        };
        Ok(Next { step, freed })
    }
}
