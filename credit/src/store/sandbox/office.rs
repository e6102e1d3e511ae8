//! What people decide about a trial, and what the program keeps for them.

mod claims;
mod two_people;

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::adapter::{Added, Guard};
use super::log::LogEntry;
use super::record::{Kind, Record, numbered};
use super::trials::{Footing, TRIES, Trials};
use crate::sandbox::declaration::{Declaration, FollowError};
use crate::sandbox::indicators::{Month, Row};
use crate::sandbox::limits::{LimitsError, VersionError};
use crate::sandbox::report::Report;
use crate::sandbox::stage::{Refused, Stage, Step};
use crate::sandbox::stop_loss::{NotReleased, StopLoss, Trip, Tripped};
use crate::store::StoreError;

/// Who acts where a rule does.
const RULE: &str = "rule";

/// Why something is not kept. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// Nothing was declared under this name.
    #[error("there is no trial `{0}`")]
    NoTrial(Slug),
    /// The file is no declaration.
    #[error("the declaration is refused")]
    Declaration(#[from] schemas::config::ConfigError),
    /// The declaration does not follow the newest one.
    #[error("the declaration does not follow the one before")]
    Follow(#[from] FollowError),
    /// The limits contradict themselves.
    #[error("the limits are refused")]
    Limits(#[from] LimitsError),
    /// The limits cannot come into force.
    #[error("the limits are not changed")]
    Version(#[from] VersionError),
    /// Who proposes does not approve.
    #[error("the person who proposed it does not approve it")]
    SamePerson,
    /// Another one came between.
    #[error("`version` is {found}, the next one is {next}")]
    Next {
        /// As proposed.
        found: u32,
        /// As it must be.
        next: i64,
    },
    /// The stop-loss stays tripped.
    #[error("the stop-loss is not released")]
    Lift(#[from] NotReleased),
    /// The stop-loss is not tripped, or this is another trip.
    #[error("the stop-loss is not tripped by this")]
    NotTripped,
    /// Nobody proposed that.
    #[error("there is no motion {0}")]
    NoMotion(Hash),
    /// Another document is kept under this name.
    #[error("{kind} `{name}` is kept as {kept}; {given} is another one")]
    Differs {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Hash of the kept one.
        kept: Hash,
        /// Hash of the given one.
        given: Hash,
    },
    /// Others changed the trial each time that this was decided. Try again.
    #[error("the trial was changed while this was decided")]
    Contended,
    /// The store failed. The same again tells.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a step is not taken. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Something is missing.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A step says something that is not what is kept.
    #[error("`{0}` is not what is kept")]
    Claim(&'static str),
    /// As with everything else.
    #[error(transparent)]
    Office(#[from] OfficeError),
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Office(error.into())
    }
}

impl Trials {
    /// Keeps a version of the declaration with the bytes of its file. The same version again changes
    /// nothing; comments and order in the file make no other version.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn declare(
        &self,
        file: &str,
        text: &str,
        by: &Slug,
        at: Instant,
    ) -> Result<LogEntry, OfficeError> {
        let declaration = Declaration::parse(file, text)?;
        let trial = &declaration.project;
        let record = Record {
            kind: Kind::Declaration,
            name: numbered(declaration.version.into()),
            hash: declaration.hash().map_err(FollowError::from)?,
            body: text.as_bytes().to_vec(),
            made_by: by.clone(),
            agreed_by: None,
            made_at: at,
        };
        let before = self.declarations(trial).await?;
        let known = |one: &&Declaration| one.version == declaration.version;
        let added = match (before.iter().find(known), before.last()) {
            (None, Some(last)) => {
                declaration.follow(last)?;
                self.store.add_record(trial, &record).await?
            }
            (None, None) if declaration.version > 1 => {
                return Err(OfficeError::NoTrial(trial.clone()));
            }
            (None, None) => self.store.open_trial(trial, &record).await?,
            (Some(_), _) => self.store.add_record(trial, &record).await?,
        };
        logged(&record, added)
    }

    /// Takes a step. What it says of limits, stop-loss, declaration and debts must be what is kept
    /// when it commits. It is dated by its own clock, or by the newest instant seen if that is later.
    ///
    /// # Errors
    /// [`StepError`].
    pub async fn take_step(&self, trial: &Slug, step: &Step) -> Result<Stage, StepError> {
        for _ in 0..TRIES {
            let footing = self.known_footing(trial).await?;
            let step = &Step {
                at: footing.now(step.at),
                ..step.clone()
            };
            let outstanding = self.check_claims(&footing, step).await?;
            let next = footing.trial.clone().take(step.clone())?;
            let from = footing.guard;
            let to = Guard {
                steps: from.steps + 1,
                seen: step.at,
                ..from
            };
            let people = (step.by.clone(), step.second.clone());
            let name = numbered(to.steps);
            let record = Record::of(Kind::Step, name, step, people, step.at)?;
            let moved = self.store.advance(trial, &from, &to, &record, outstanding);
            if moved.await? {
                return Ok(next.stage().clone());
            }
        }
        Err(OfficeError::Contended.into())
    }

    /// Trips the stop-loss if anything does: from its commit on nothing is reserved. Once tripped it
    /// stays as it was tripped first.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn trip(
        &self,
        trial: &Slug,
        trips: Vec<Trip>,
        clock: Instant,
    ) -> Result<StopLoss, OfficeError> {
        for _ in 0..TRIES {
            let footing = self.known_footing(trial).await?;
            let at = footing.now(clock);
            let next = footing.stop_loss.clone().after(trips.clone(), at);
            let StopLoss::Tripped(tripped) = &next else {
                return Ok(next);
            };
            if footing.guard.is_tripped() || self.trip_once(trial, &footing, tripped).await? {
                return Ok(next);
            }
        }
        Err(OfficeError::Contended)
    }

    async fn trip_once(
        &self,
        trial: &Slug,
        footing: &Footing,
        tripped: &Tripped,
    ) -> Result<bool, OfficeError> {
        let from = footing.guard;
        let to = Guard {
            trips: from.trips + 1,
            seen: tripped.at,
            ..from
        };
        let rule: Slug = RULE.parse().map_err(|_| StoreError::Row { what: RULE })?;
        let name = numbered(to.trips);
        let record = Record::of(Kind::Trip, name, tripped, (rule, None), tripped.at)?;
        Ok(self.store.advance(trial, &from, &to, &record, None).await?)
    }

    /// Keeps a row of the indicators. The same row again changes nothing.
    ///
    /// # Errors
    /// [`OfficeError::Differs`] if its id has another row.
    pub async fn keep_row(&self, trial: &Slug, row: &Row, by: &Slug) -> Result<(), OfficeError> {
        let people = (by.clone(), None);
        let record = Record::of(Kind::Row, row.id.to_string(), row, people, row.at)?;
        // What could not be read again would stop every report.
        record.value::<Row>()?;
        let added = self.store.add_record(trial, &record).await?;
        same(&record, added).map(drop)
    }

    /// The rows of the indicators, by id.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn rows(&self, trial: &Slug) -> Result<Vec<Row>, OfficeError> {
        let records = self.all(trial, Kind::Row).await?;
        Ok(records
            .iter()
            .map(Record::value)
            .collect::<Result<_, _>>()?)
    }

    /// Keeps the report of a month, once: the second run must give the same bytes.
    ///
    /// # Errors
    /// [`OfficeError::Differs`] with both hashes if it does not; the first report stays.
    pub async fn keep_report(
        &self,
        trial: &Slug,
        report: &Report,
        by: &Slug,
        at: Instant,
    ) -> Result<LogEntry, OfficeError> {
        let month = report.month().to_string();
        let record = Record::of(Kind::Report, month, report, (by.clone(), None), at)?;
        let added = self.store.add_record(trial, &record).await?;
        logged(&record, added)
    }

    /// The bytes of a month's report, if they still have the kept hash.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn report(&self, trial: &Slug, month: Month) -> Result<Option<Vec<u8>>, OfficeError> {
        let records = self.all(trial, Kind::Report).await?;
        let name = month.to_string();
        let Some(record) = records.into_iter().find(|record| record.name == name) else {
            return Ok(None);
        };
        if sha256(&record.body) != record.hash {
            return Err(StoreError::Row { what: "report" }.into());
        }
        Ok(Some(record.body))
    }

    /// Everything of a trial that the log must hold, by kind and name. Whoever writes the log adds
    /// what is not there yet.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn log_entries(&self, trial: &Slug) -> Result<Vec<LogEntry>, OfficeError> {
        let mut entries = Vec::new();
        for kind in [Kind::Declaration, Kind::Limits, Kind::Rule, Kind::Report] {
            let records = self.all(trial, kind).await?;
            entries.extend(records.iter().filter_map(Record::log_entry));
        }
        Ok(entries)
    }

    pub(super) async fn known_footing(
        &self,
        trial: &Slug,
    ) -> Result<std::sync::Arc<Footing>, OfficeError> {
        let footing = self.footing(trial).await?;
        footing.ok_or_else(|| OfficeError::NoTrial(trial.clone()))
    }
}

/// The record that is kept now, if it says the same.
fn same(record: &Record, added: Added) -> Result<Record, OfficeError> {
    match added {
        Added::New => Ok(record.clone()),
        Added::Before(kept) if kept.hash == record.hash => Ok(*kept),
        Added::Before(kept) => Err(OfficeError::Differs {
            kind: record.kind.word(),
            name: record.name.clone(),
            kept: kept.hash,
            given: record.hash,
        }),
    }
}

/// What the log gets of the record that is kept now.
fn logged(record: &Record, added: Added) -> Result<LogEntry, OfficeError> {
    let kept = same(record, added)?;
    let entry = kept.log_entry();
    let what = record.kind.word();
    entry.ok_or_else(|| StoreError::Row { what }.into())
}
