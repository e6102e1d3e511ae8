//! Months into files, then out of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::hash::Hash;
use schemas::time::Instant;

use super::check::{Checked, check};
use super::format::{CHUNK, Chunk, Head, Kept, Said, VERSION, Writer};
use super::holder::{Holder, NewArchive, Removed};
use super::{ArchiveError, Folder, Part, Tombstones, forget};
use crate::bundle::{BundleError, Bundler, Choice, Chosen};
use crate::store::{Month, Store, StoreError};

/// Tries to remove a month while events are being erased.
const TRIES: u32 = 16;

/// Archives months.
pub struct Archivist {
    /// Store.
    pub store: Arc<dyn Store>,
    /// Makes the proofs.
    pub bundler: Bundler,
    /// Removes what is in a file.
    pub holder: Box<dyn Holder>,
    /// Where files are.
    pub folder: Folder,
    /// Now.
    pub now: Instant,
}

/// What became of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub month: Month,
    /// Statements that had content in the database.
    pub statements: u64,
    /// The new file; none where all of them are in files of before, and in a dry run.
    pub part: Option<Part>,
    /// Statements that stay, since no witnessed checkpoint proves them.
    pub waiting: u64,
    /// What left the database.
    pub removed: Removed,
}

impl Archivist {
    /// Archives every month before this one; in a dry run only says which there are.
    ///
    /// # Errors
    /// [`ArchiveError`]: months that are done stay done, of the others nothing is lost, and a
    /// repetition goes on.
    pub async fn run(
        &mut self,
        before: Month,
        dry_run: bool,
    ) -> Result<Vec<Outcome>, ArchiveError> {
        if !dry_run {
            self.forget_erased().await?;
        }
        let mut outcomes = Vec::new();
        for month in self.holder.months(before).await? {
            let outcome = match dry_run {
                true => self.look(month).await?,
                false => self.month(month).await?,
            };
            outcomes.push(outcome);
        }
        if outcomes.iter().any(|outcome| outcome.removed.events > 0) {
            self.holder.clean().await?;
        }
        Ok(outcomes)
    }

    async fn look(&mut self, month: Month) -> Result<Outcome, ArchiveError> {
        let statements = self.holder.statements(month).await?.len() as u64;
        Ok(Outcome {
            month,
            statements,
            part: None,
            waiting: 0,
            removed: Removed::default(),
        })
    }

    /// Files of a month, checked whole, by their names.
    fn files(&self, month: Month) -> Result<BTreeMap<Part, Checked>, ArchiveError> {
        let parts = self.folder.parts()?.into_iter();
        let own = parts.filter(|part| part.month == month);
        own.map(|part| {
            let checked = check(&self.folder.path(&part), Some(&self.trusted()))?;
            let ours = self.log();
            if checked.head.log != ours {
                return Err(ArchiveError::Foreign {
                    path: self.folder.path(&part),
                    log: checked.head.log,
                    ours,
                });
            }
            Ok((part, checked))
        })
        .collect()
    }

    /// The policy that the log began with: every proof of this log leads to it, also one that was
    /// made before a later policy.
    fn trusted(&self) -> Vec<u8> {
        self.bundler.policies.first().entry
    }

    fn log(&self) -> Hash {
        self.bundler.policies.first().policy.log
    }

    async fn month(&mut self, month: Month) -> Result<Outcome, ArchiveError> {
        let there = self.holder.statements(month).await?;
        let mut files = self.files(month)?;
        let kept: BTreeSet<Hash> = files.values().flat_map(|f| f.statements.clone()).collect();
        let new: Vec<Hash> = there.difference(&kept).copied().collect();
        let part = self.write(month, &new).await?;
        if let Some(part) = &part {
            let checked = check(&self.folder.path(part), Some(&self.trusted()))?;
            files.insert(part.clone(), checked);
        }
        let removed = self.remove(month, &there, files).await?;
        let statements = there.len() as u64;
        let left = self.holder.statements(month).await?;
        let waiting = left.intersection(&there).count() as u64;
        Ok(Outcome {
            month,
            statements,
            part,
            waiting,
            removed,
        })
    }

    /// A new file of these statements under the next free number, whole, durable and checked.
    async fn write(&mut self, month: Month, ids: &[Hash]) -> Result<Option<Part>, ArchiveError> {
        if ids.is_empty() {
            return Ok(None);
        }
        let part = self.next(month).await?;
        let head = Head {
            version: VERSION,
            log: self.log(),
            month: month.to_string(),
            part: part.number,
            made: self.now.to_rfc3339(),
        };
        let beside = self.folder.beside(&part);
        let mut writer = Writer::begin(beside.clone(), &head)?;
        for ids in ids.chunks(CHUNK) {
            if let Some(chunk) = self.chunk(ids).await? {
                writer.chunk(&chunk)?;
            }
        }
        if !writer.has_statements() {
            drop(writer);
            let gone = std::fs::remove_file(&beside);
            gone.map_err(|error| ArchiveError::file(&beside, error))?;
            return Ok(None);
        }
        writer.end(BTreeMap::new())?;
        check(&beside, Some(&self.trusted()))?;
        self.folder.put(&part)?;
        Ok(Some(part))
    }

    /// The number behind all that folder and database know of.
    async fn next(&mut self, month: Month) -> Result<Part, ArchiveError> {
        let known = self.holder.archives().await?.into_iter();
        let all = known.chain(self.folder.parts()?);
        let numbers = all
            .filter(|part| part.month == month)
            .map(|part| part.number);
        let number = numbers.max().unwrap_or(0) + 1;
        Ok(Part { month, number })
    }

    /// Statements with their proof and content; none where no witnessed checkpoint proves them.
    async fn chunk(&self, ids: &[Hash]) -> Result<Option<Chunk>, ArchiveError> {
        let mut choice = Choice::default();
        for id in ids {
            choice
                .statements
                .insert(*id, Chosen::Places(BTreeSet::new()));
        }
        let made = match self.bundler.make(&choice, |_| false).await {
            Ok(made) => made,
            Err(BundleError::NotWitnessed) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut statements = Vec::new();
        for id in ids.iter().filter(|id| !made.waiting.contains(id)) {
            let events = self.store.events_of_statement(id).await?;
            let kept = events.iter().map(Kept::of).collect::<Result<_, _>>();
            let events = kept.map_err(StoreError::Corrupt)?;
            statements.push(Said { id: *id, events });
        }
        let proof = String::from_utf8(made.bytes).map_err(|_| BundleError::Broken("JSON"))?;
        Ok(Some(Chunk { proof, statements }))
    }

    /// Removes what these checked files hold of what was there.
    async fn remove(
        &mut self,
        month: Month,
        there: &BTreeSet<Hash>,
        mut files: BTreeMap<Part, Checked>,
    ) -> Result<Removed, ArchiveError> {
        for _ in 0..TRIES {
            for (part, file) in &files {
                self.tell(part, file).await?;
            }
            let kept = files.values().flat_map(|file| &file.statements);
            let leaving: BTreeSet<Hash> = kept.filter(|id| there.contains(id)).copied().collect();
            if leaving.is_empty() {
                return Ok(Removed::default());
            }
            let known = self.holder.tombstones().await?;
            let clean = !self.forget_all(&known).await?;
            if clean && let Some(removed) = self.holder.remove(month, &leaving, known.len()).await?
            {
                return Ok(removed);
            }
            files = self.files(month)?;
        }
        Ok(Removed::default())
    }

    async fn tell(&mut self, part: &Part, file: &Checked) -> Result<(), ArchiveError> {
        let archive = NewArchive {
            hash: file.hash,
            part: part.clone(),
            events: file.manifest.events,
            made: self.now,
        };
        Ok(self.holder.add(&archive).await?)
    }

    /// Takes what has a tombstone out of every file.
    async fn forget_erased(&mut self) -> Result<(), ArchiveError> {
        let known = self.holder.tombstones().await?;
        self.forget_all(&known).await.map(drop)
    }

    /// True if a file was written anew.
    async fn forget_all(&mut self, erased: &Tombstones) -> Result<bool, ArchiveError> {
        let written = forget(&self.folder, erased, Some(&self.trusted()), self.now)?;
        for (part, file) in &written {
            self.tell(part, file).await?;
        }
        Ok(!written.is_empty())
    }
}
