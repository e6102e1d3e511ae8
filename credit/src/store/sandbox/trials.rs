//! A trial as it is read, and the handle that everything is done by.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemas::ids::Slug;
use schemas::time::Instant;

use super::adapter::{FAR, Guard, PAGE, TrialStore};
use super::record::{Kind, Record, numbered};
use crate::sandbox::declaration::Declaration;
use crate::sandbox::limits::{LimitsVersion, in_force};
use crate::sandbox::stage::{Step, Trial};
use crate::sandbox::stop_loss::{Release, StopLoss, Tripped};
use crate::store::StoreError;

/// Tries of a decision against others that move the guard meanwhile: each of them is an act of a
/// person or a trip, so that more than a few in the time of one decision are no accident.
pub(super) const TRIES: u32 = 64;

/// Everything that is done with trials. Clones share what they have read.
#[derive(Clone)]
pub struct Trials {
    pub(super) store: Arc<dyn TrialStore>,
    // Only saves reading: equal numbers of the guard are equal documents. Held for a look-up.
    read: Arc<Mutex<BTreeMap<Slug, Arc<Footing>>>>,
}

impl std::fmt::Debug for Trials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trials")
    }
}

/// What decisions about a trial stand on: exactly what the numbers of its guard count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footing {
    /// The numbers.
    pub guard: Guard,
    /// Every version of the limits.
    pub limits: Vec<LimitsVersion>,
    /// The trial with its steps.
    pub trial: Trial,
    /// The stop-loss as it stands.
    pub stop_loss: StopLoss,
}

impl Footing {
    /// An instant, or the newest one that the trial has seen if that is later: a clock that was moved
    /// back brings back neither limits nor days.
    #[must_use]
    pub fn now(&self, clock: Instant) -> Instant {
        clock.max(self.guard.seen)
    }

    /// The limits in force at an instant, and the instant at which others come into force.
    #[must_use]
    pub fn limits_at(&self, at: Instant) -> (Option<&LimitsVersion>, Instant) {
        let begins = self.limits.iter().map(|one| one.proposal.valid_from);
        let until = begins.filter(|begin| *begin > at).min().unwrap_or(FAR);
        (in_force(&self.limits, at), until)
    }
}

impl Trials {
    /// On a store.
    #[must_use]
    pub fn new(store: Arc<dyn TrialStore>) -> Self {
        let read = Arc::default();
        Self { store, read }
    }

    /// The store itself: refusals, counters, recount.
    #[must_use]
    pub fn store(&self) -> &dyn TrialStore {
        &*self.store
    }

    /// What decisions about a trial stand on now; none if nothing was declared.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn footing(&self, trial: &Slug) -> Result<Option<Arc<Footing>>, StoreError> {
        let Some(guard) = self.store.trial_guard(trial).await? else {
            return Ok(None);
        };
        let known = self.known(trial);
        let same = known.filter(|known| known.guard.numbers() == guard.numbers());
        let footing = match same {
            Some(known) if known.guard == guard => return Ok(Some(known)),
            Some(known) => Footing {
                guard,
                ..(*known).clone()
            },
            None => self.read(trial, guard).await?,
        };
        let footing = Arc::new(footing);
        self.keep(trial, &footing);
        Ok(Some(footing))
    }

    /// The versions of the declaration, as their files say.
    ///
    /// # Errors
    /// [`StoreError`]; also if a file has not the hash that is kept beside it.
    pub async fn declarations(&self, trial: &Slug) -> Result<Vec<Declaration>, StoreError> {
        let records = self.all(trial, Kind::Declaration).await?;
        records.iter().map(declaration).collect()
    }

    /// Every record of a kind, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all(&self, trial: &Slug, kind: Kind) -> Result<Vec<Record>, StoreError> {
        let mut found: Vec<Record> = Vec::new();
        loop {
            let after = found.last().map_or("", |last| &last.name);
            let page = self.store.records(trial, kind, after, PAGE).await?;
            let whole = page.len() == PAGE as usize;
            found.extend(page);
            if !whole {
                return Ok(found);
            }
        }
    }

    async fn read(&self, trial: &Slug, guard: Guard) -> Result<Footing, StoreError> {
        let wrong = |what| StoreError::Row { what };
        let first = self.store.records(trial, Kind::Declaration, "", 1).await?;
        let first = declaration(first.first().ok_or_else(|| wrong("declaration"))?)?;
        let hash = first.hash().map_err(|_| wrong("declaration"))?;
        let declared = Trial::declared(first.project, hash, first.start, first.end);
        let steps: Vec<Step> = self.counted(trial, Kind::Step, guard.steps).await?;
        Ok(Footing {
            guard,
            limits: self.counted(trial, Kind::Limits, guard.limits).await?,
            trial: declared.replay(steps).map_err(|_| wrong("step"))?,
            stop_loss: self.stop_loss_at(trial, guard).await?,
        })
    }

    /// The first so many of a kind: others were added after the guard was read.
    async fn counted<T: serde::de::DeserializeOwned>(
        &self,
        trial: &Slug,
        kind: Kind,
        count: i64,
    ) -> Result<Vec<T>, StoreError> {
        let what = kind.word();
        let count = usize::try_from(count).map_err(|_| StoreError::Row { what })?;
        let records = self.all(trial, kind).await?;
        let first = records.get(..count).ok_or(StoreError::Row { what })?;
        first.iter().map(Record::value).collect()
    }

    async fn stop_loss_at(&self, trial: &Slug, guard: Guard) -> Result<StopLoss, StoreError> {
        let trips: Vec<Tripped> = self.counted(trial, Kind::Trip, guard.trips).await?;
        let lifts: Vec<Release> = self.counted(trial, Kind::Lift, guard.lifts).await?;
        let open = trips.into_iter().nth(lifts.len());
        Ok(open.map_or(StopLoss::Armed, StopLoss::Tripped))
    }

    fn known(&self, trial: &Slug) -> Option<Arc<Footing>> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.get(trial).cloned()
    }

    fn keep(&self, trial: &Slug, footing: &Arc<Footing>) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(trial.clone(), Arc::clone(footing));
    }
}

/// The declaration of a record, if its file still has the kept hash.
fn declaration(record: &Record) -> Result<Declaration, StoreError> {
    let what = "declaration";
    let text = std::str::from_utf8(&record.body).ok();
    let read = text.and_then(|text| Declaration::parse("declaration.toml", text).ok());
    let right = |read: &Declaration| {
        let same = read.hash().is_ok_and(|hash| hash == record.hash);
        same && record.name == numbered(read.version.into())
    };
    read.filter(right).ok_or(StoreError::Row { what })
}
