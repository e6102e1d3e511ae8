//! What needs two people: one proposes, another one approves what is kept by its hash.

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::super::adapter::{Added, Guard};
use super::super::record::{Kind, Record, numbered};
use super::super::trials::{TRIES, Trials};
use super::super::two::{LiftProposal, Motion, RuleProposal, RuleVersion};
use super::{OfficeError, StepError, same};
use crate::sandbox::limits::{LimitsVersion, Proposal};
use crate::sandbox::stage::Stage;
use crate::sandbox::stop_loss::{Release, StopLoss, Trip};
use crate::store::StoreError;

impl Trials {
    /// Keeps what one person wants; its hash is what another one approves. The same motion again
    /// changes nothing.
    ///
    /// # Errors
    /// [`OfficeError`], for what could never be approved.
    pub async fn propose(
        &self,
        trial: &Slug,
        motion: &Motion,
        at: Instant,
    ) -> Result<Hash, OfficeError> {
        self.known_footing(trial).await?;
        if let Motion::Limits(proposal) = motion {
            proposal.limits.check()?;
        }
        let people = (motion.proposer().clone(), None);
        let mut record = Record::of(Kind::Motion, String::new(), motion, people, at)?;
        record.name = record.hash.to_string();
        // What could not be read again could not be approved.
        record.value::<Motion>()?;
        let added = self.store.add_record(trial, &record).await?;
        Ok(same(&record, added)?.hash)
    }

    /// Another person approves limits: they are a version, in force from their `valid_from`.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn approve_limits(
        &self,
        trial: &Slug,
        motion: Hash,
        approver: &Slug,
        clock: Instant,
    ) -> Result<LimitsVersion, OfficeError> {
        let Motion::Limits(proposal) = self.motion(trial, motion).await? else {
            return Err(OfficeError::NoMotion(motion));
        };
        for _ in 0..TRIES {
            let footing = self.known_footing(trial).await?;
            let at = footing.now(clock);
            let next = proposal.clone();
            let version = next.approve(approver.clone(), at, &footing.limits)?;
            let from = footing.guard;
            let to = Guard {
                limits: from.limits + 1,
                seen: at,
                ..from
            };
            let record = limits_record(&version, to.limits)?;
            if self.store.advance(trial, &from, &to, &record, None).await? {
                return Ok(version);
            }
        }
        Err(OfficeError::Contended)
    }

    /// Another person approves a rule of the stop-loss: it is the one in force.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn approve_rule(
        &self,
        trial: &Slug,
        motion: Hash,
        approver: &Slug,
        at: Instant,
    ) -> Result<RuleVersion, OfficeError> {
        let Motion::Rule(proposal) = self.motion(trial, motion).await? else {
            return Err(OfficeError::NoMotion(motion));
        };
        let next = self.next_rule(trial).await?;
        let RuleProposal { version, .. } = proposal;
        if i64::from(version) != next {
            return Err(OfficeError::Next {
                found: version,
                next,
            });
        }
        let people = (proposal.proposer.clone(), Some(approver.clone()));
        let rule = proposal.approve(approver.clone(), at);
        let rule = rule.ok_or(OfficeError::SamePerson)?;
        let mut record = Record::of(Kind::Rule, numbered(next), &rule, people, at)?;
        // The log and the steps name the rule itself.
        record.hash = rule.rule().hash().map_err(|_| broken("rule"))?;
        match self.store.add_record(trial, &record).await? {
            Added::New => Ok(rule),
            Added::Before(_) => Err(OfficeError::Next {
                found: version,
                next: self.next_rule(trial).await?,
            }),
        }
    }

    /// Another person approves the release of the stop-loss, with what trips at this moment: it
    /// lends again from the commit on.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn approve_lift(
        &self,
        trial: &Slug,
        motion: Hash,
        approver: &Slug,
        trips: &[Trip],
        clock: Instant,
    ) -> Result<Release, OfficeError> {
        let Motion::Lift(proposal) = self.motion(trial, motion).await? else {
            return Err(OfficeError::NoMotion(motion));
        };
        for _ in 0..TRIES {
            let footing = self.known_footing(trial).await?;
            let from = footing.guard;
            if i64::from(proposal.trip) != from.trips {
                return Err(OfficeError::NotTripped);
            }
            let at = footing.now(clock);
            let release = lift(footing.stop_loss.clone(), &proposal, approver, trips, at)?;
            let to = Guard {
                lifts: from.lifts + 1,
                seen: at,
                ..from
            };
            let people = (proposal.proposer.clone(), Some(approver.clone()));
            let record = Record::of(Kind::Lift, numbered(to.lifts), &release, people, at)?;
            if self.store.advance(trial, &from, &to, &record, None).await? {
                return Ok(release);
            }
        }
        Err(OfficeError::Contended)
    }

    /// Another person agrees to a step: it is taken, if its guards let it. The core refuses the same
    /// person, with everything else that is missing.
    ///
    /// # Errors
    /// [`StepError`].
    pub async fn approve_step(
        &self,
        trial: &Slug,
        motion: Hash,
        approver: &Slug,
        clock: Instant,
    ) -> Result<Stage, StepError> {
        let Motion::Step(proposal) = self.motion(trial, motion).await? else {
            return Err(OfficeError::NoMotion(motion).into());
        };
        let step = proposal.agreed(approver.clone(), clock);
        self.take_step(trial, &step).await
    }

    /// The rule of the stop-loss in force: the newest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rule(&self, trial: &Slug) -> Result<Option<RuleVersion>, StoreError> {
        let records = self.all(trial, Kind::Rule).await?;
        let Some(record) = records.last() else {
            return Ok(None);
        };
        let rule: RuleVersion = serde_json::from_slice(&record.body).map_err(|_| broken("rule"))?;
        let right = rule.rule().hash().is_ok_and(|hash| hash == record.hash);
        right.then_some(Some(rule)).ok_or_else(|| broken("rule"))
    }

    async fn next_rule(&self, trial: &Slug) -> Result<i64, StoreError> {
        let rule = self.rule(trial).await?;
        let last = rule.map_or(0, |rule| rule.proposal().version);
        Ok(i64::from(last) + 1)
    }

    /// What somebody wants, by its hash.
    ///
    /// # Errors
    /// [`OfficeError::NoMotion`], [`OfficeError::Store`].
    pub async fn motion(&self, trial: &Slug, hash: Hash) -> Result<Motion, OfficeError> {
        let records = self.all(trial, Kind::Motion).await?;
        let record = records.into_iter().find(|record| record.hash == hash);
        let record = record.ok_or(OfficeError::NoMotion(hash))?;
        Ok(record.value()?)
    }
}

const fn broken(what: &'static str) -> StoreError {
    StoreError::Row { what }
}

fn limits_record(version: &LimitsVersion, number: i64) -> Result<Record, StoreError> {
    let Proposal { proposer, .. } = &version.proposal;
    let people = (proposer.clone(), Some(version.approver.clone()));
    let at = version.approved_at;
    Record::of(Kind::Limits, numbered(number), version, people, at)
}

fn lift(
    state: StopLoss,
    proposal: &LiftProposal,
    approver: &Slug,
    trips: &[Trip],
    at: Instant,
) -> Result<Release, OfficeError> {
    let StopLoss::Tripped(tripped) = state else {
        return Err(OfficeError::NotTripped);
    };
    let wanted = tripped.propose(proposal.proposer.clone(), &proposal.reason)?;
    Ok(wanted.approve(approver.clone(), trips, at)?)
}
