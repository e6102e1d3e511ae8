//! What a step says of the trial, beside what is kept.

use schemas::hash::Hash;
use schemas::ids::Slug;

use super::super::trials::{Footing, Trials};
use super::StepError;
use crate::sandbox::declaration::Declaration;
use crate::sandbox::stage::{Act, Ready, Step};
use crate::store::StoreError;

impl Trials {
    /// Whether everything that the step says is what is kept; what must be outstanding when it
    /// commits, if the step depends on it.
    pub(super) async fn check_claims(
        &self,
        footing: &Footing,
        step: &Step,
    ) -> Result<Option<i64>, StepError> {
        let trial = footing.trial.project();
        match &step.act {
            Act::Begin(ready) => self.check_ready(trial, footing, ready, step).await?,
            Act::Resume { tripped, .. } => {
                claim(*tripped == footing.guard.is_tripped(), "tripped")?;
            }
            Act::Amend {
                declaration,
                start,
                end,
                ..
            } => {
                let kept = self.declared(trial, *declaration).await?;
                claim((kept.start, kept.end) == (*start, *end), "start and end")?;
            }
            Act::Extend {
                declaration, until, ..
            } => {
                let kept = self.declared(trial, *declaration).await?;
                claim(kept.end == Some(*until), "until")?;
            }
            Act::Exit {
                outstanding_fen, ..
            } => {
                // Compared again by the commit: loans are repaid meanwhile.
                let counters = self.store.counters(trial).await?;
                let outstanding = ("outstanding".to_owned(), String::new());
                let used = counters.get(&outstanding).copied().unwrap_or(0);
                claim(*outstanding_fen == used, "outstanding_fen")?;
                return Ok(Some(used));
            }
            _ => {}
        }
        Ok(None)
    }

    async fn check_ready(
        &self,
        trial: &Slug,
        footing: &Footing,
        ready: &Ready,
        step: &Step,
    ) -> Result<(), StepError> {
        let wrong = |_| StoreError::Row { what: "limits" };
        let (limits, _) = footing.limits_at(footing.now(step.at));
        let limits = limits.map(|limits| limits.hash()).transpose();
        let rule = self.rule(trial).await?;
        let rule = rule.map(|rule| rule.rule().hash()).transpose();
        let says = |said: Option<Hash>, kept: Option<Hash>| said.is_none() || said == kept;
        claim(says(ready.limits, limits.map_err(wrong)?), "limits")?;
        claim(says(ready.stop_loss, rule.map_err(wrong)?), "stop_loss")
    }

    /// The declared version with this hash.
    async fn declared(&self, trial: &Slug, hash: Hash) -> Result<Declaration, StepError> {
        let mut all = self.declarations(trial).await?.into_iter();
        let same = all.find(|one| one.hash().is_ok_and(|of| of == hash));
        same.ok_or(StepError::Claim("declaration"))
    }
}

fn claim(right: bool, what: &'static str) -> Result<(), StepError> {
    right.then_some(()).ok_or(StepError::Claim(what))
}
