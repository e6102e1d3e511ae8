//! A folder into which a machine drops whole files: CSV, JSON, or JSON lines.
//!
//! A file is taken when it is whole: it was renamed into the folder, or its size and time have stood
//! still for `stable_ms`; names that begin with a dot or end in `.tmp` or `.part` are never looked
//! at. Each row becomes a scan line ([`crate::compose::line`]) by the configured columns. How many
//! rows of which file are done is committed in the transaction that stores their events, and only
//! then is the file moved to `done`: a crash between the two moves it at the next start and makes no
//! event twice. One file is finished before the next is begun: the one that was begun first of all,
//! then oldest first.
//!
//! A bad row goes to the rejects file. A file that cannot be read as a whole (too large, broken
//! JSON, a column that is not there) is moved to `refused`, with its reason in the rejects file.

mod row;
mod rows;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use rustix::fs::Access;
use schemas::hash::{Hash, sha256};

use self::rows::{FileError, Rows};
use super::rejects::{Reject, Rejects};
use super::{Batch, Faults, Rounds, Source, SourceContext, Trouble};
use crate::compose::line::{self, Composed, LineContext};
use crate::config::FolderConfig;
use crate::outbox::{OutboxError, ScanPosition};
use crate::source::remedy;
use crate::state::Text;

/// Most rows handed over at once.
const ROWS_PER_BATCH: usize = 64;
/// Largest file that is read, in bytes.
const FILE_MAX: u64 = 64 * 1024 * 1024;
/// Most files that are looked at in one round; the others wait.
const FILES_MAX: usize = 4_096;
/// Most files of one name that are kept in `done`.
const SAME_NAME_MAX: usize = 10_000;
/// Stands for all rows of a file that was refused as a whole.
const REFUSED: u64 = u64::MAX >> 1;
/// Wait after the folder could not be read, in real time.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);

/// One folder.
pub struct FolderSource {
    config: FolderConfig,
    time_zone_minutes: i32,
    rejects: Rejects,
    faults: Faults,
    /// Files that were seen, and since when they have stood still.
    seen: BTreeMap<PathBuf, (Shape, std::time::Instant)>,
}

/// What changes when somebody still writes a file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

/// Why the folder cannot be worked on.
#[derive(Debug, thiserror::Error)]
enum FolderError {
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the rejects file: {0}")]
    Rejects(std::io::Error),
    #[error("{0} cannot be moved to {1}: {2}")]
    Move(PathBuf, PathBuf, std::io::Error),
    #[error("the outbox: {0}")]
    Outbox(OutboxError),
}

impl FolderError {
    const fn remedy(&self) -> Text {
        match self {
            Self::Io { .. } => remedy::FOLDER,
            Self::Rejects(_) => remedy::REJECTS,
            Self::Move(..) => remedy::MOVE,
            Self::Outbox(_) => remedy::OUTBOX,
        }
    }
}

#[async_trait]
impl Source for FolderSource {
    async fn run(mut self: Box<Self>, mut context: SourceContext) {
        let mut rounds = Rounds::default();
        loop {
            let now = context.clock.now();
            let wait = match self.catch_up(&context).await {
                Ok(()) => {
                    self.faults.over(&context, now).await;
                    self.config.poll
                }
                Err(FolderError::Outbox(OutboxError::Closed)) => return,
                Err(FolderError::Outbox(error)) => {
                    tracing::warn!(%error, "the folder is not read");
                    TROUBLE_WAIT
                }
                Err(error) => {
                    let trouble = Trouble::new(error.to_string(), error.remedy());
                    self.faults.begins(&context, now, &trouble).await;
                    TROUBLE_WAIT
                }
            };
            if !rounds.next(&mut context, wait).await {
                return;
            }
        }
    }
}

impl FolderSource {
    /// A source that looks into its folder when it runs.
    #[must_use]
    pub fn new(config: FolderConfig, time_zone_minutes: i32) -> Self {
        Self {
            rejects: Rejects::new(config.rejects.clone()),
            faults: Faults::new(config.folder.display().to_string()),
            config,
            time_zone_minutes,
            seen: BTreeMap::new(),
        }
    }

    /// Every whole file that is there: the one that was begun, then oldest first. The outbox keeps
    /// one position, so that rows of a file that was begun would be read again behind another.
    async fn catch_up(&mut self, context: &SourceContext) -> Result<(), FolderError> {
        let begun = self.position(context)?.prefix_hash;
        let mut files = files(&self.config, &begun)?;
        files.sort_by_key(|(shape, path)| identity(path, *shape) != begun);
        let now = std::time::Instant::now();
        let mut seen = std::mem::take(&mut self.seen);
        for (shape, path) in &files {
            let entry = match seen.remove(path) {
                Some((before, since)) if before == *shape => (before, since),
                _ => (*shape, now),
            };
            self.seen.insert(path.clone(), entry);
        }
        for (shape, path) in files {
            let still = self.seen.get(&path).map(|(_, since)| now - *since);
            if context.shutdown.is_cancelled() || still.is_none_or(|time| time < self.config.stable)
            {
                // Files are finished in their order: a younger one waits for an older one.
                return Ok(());
            }
            self.file(context, &path, identity(&path, shape)).await?;
            self.seen.remove(&path);
        }
        Ok(())
    }

    /// One file to its end, then out of the way.
    async fn file(
        &self,
        context: &SourceContext,
        path: &Path,
        identity: Hash,
    ) -> Result<(), FolderError> {
        let from = self.position(context)?;
        let done = if from.prefix_hash == identity {
            from.line
        } else {
            0
        };
        if done == REFUSED {
            return move_to(path, &self.config.refused);
        }
        let result = match Rows::open(path, &self.config, FILE_MAX) {
            Ok(rows) => self.rows(context, rows, identity, done).await?,
            Err(error) => Err(error),
        };
        let target = match result {
            Ok(true) => &self.config.done,
            // The agent stops within the file.
            Ok(false) => return Ok(()),
            Err(FileError::Io(source)) => {
                let path = path.to_owned();
                return Err(FolderError::Io { path, source });
            }
            Err(FileError::Refused(reason)) => {
                self.refuse(context, path, identity, reason).await?;
                &self.config.refused
            }
        };
        move_to(path, target)
    }

    /// Hands the rows after the first `done` over; true at the end of the file.
    async fn rows(
        &self,
        context: &SourceContext,
        mut rows: Rows,
        identity: Hash,
        done: u64,
    ) -> Result<Result<bool, FileError>, FolderError> {
        let mut number = 0;
        loop {
            let (mut events, mut bad) = (Vec::new(), Vec::new());
            while events.len() + bad.len() < ROWS_PER_BATCH {
                let row = match rows.next() {
                    Ok(Some(row)) => row,
                    Ok(None) => break,
                    Err(error) => return Ok(Err(error)),
                };
                number += 1;
                if number <= done {
                    continue;
                }
                let line = row.line(&self.config, self.time_zone_minutes);
                match line.and_then(|line| self.compose(context, &line)) {
                    Ok(composed) => events.push(composed),
                    Err(reason) => bad.push(Reject::new(number, reason, row.text().as_bytes())),
                }
            }
            if events.is_empty() && bad.is_empty() {
                return Ok(Ok(true));
            }
            if !self.store(context, identity, number, events, &bad).await? {
                return Ok(Ok(false));
            }
        }
    }

    fn compose(&self, context: &SourceContext, line: &str) -> Result<Composed, String> {
        let line_context = LineContext {
            place: &self.config.place,
            biz_location: self.config.biz_location.as_deref(),
            time_zone_minutes: self.time_zone_minutes,
            now: context.clock.now(),
        };
        line::compose(line.as_bytes(), line_context).map_err(|error| error.to_string())
    }

    /// Rejects first, then events with the new position; false if the agent stops before.
    async fn store(
        &self,
        context: &SourceContext,
        identity: Hash,
        number: u64,
        events: Vec<Composed>,
        bad: &[Reject],
    ) -> Result<bool, FolderError> {
        let name = self.config.folder.display().to_string();
        for reject in bad {
            let (row, reason) = (reject.line, &reject.reason);
            tracing::warn!(folder = name, row, reason, "bad row");
        }
        self.rejects.append(bad).map_err(FolderError::Rejects)?;
        let from = self.position(context)?;
        let to = ScanPosition {
            offset: number,
            line: number,
            prefix: 0,
            prefix_hash: identity,
        };
        let newest = format!("row {number}");
        let batch = Batch {
            name: &name,
            from: &from,
            to: &to,
            worth: schemas::event::Source::File,
            events: &events,
            bad_lines: bad.len() as u64,
            kept: None,
            newest: (!events.is_empty()).then_some(newest.as_str()),
        };
        Ok(batch.hand_over(context).await)
    }

    async fn refuse(
        &self,
        context: &SourceContext,
        path: &Path,
        identity: Hash,
        reason: String,
    ) -> Result<(), FolderError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let reject = Reject::new(0, reason, name.as_bytes());
        self.store(context, identity, REFUSED, Vec::new(), &[reject])
            .await?;
        Ok(())
    }

    fn position(&self, context: &SourceContext) -> Result<ScanPosition, FolderError> {
        let name = self.config.folder.display().to_string();
        let position = context.outbox.scan_position(&name);
        position.map_err(FolderError::Outbox)
    }
}

/// Tells a file from every other one that had its name.
fn identity(path: &Path, shape: Shape) -> Hash {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let mut bytes = name.to_vec();
    bytes.push(0);
    for part in [shape.modified.0, shape.modified.1] {
        bytes.extend(part.to_be_bytes());
    }
    for part in [shape.size, shape.inode] {
        bytes.extend(part.to_be_bytes());
    }
    sha256(&bytes)
}

/// The files of the folder, oldest first, at most [`FILES_MAX`] and the one that was begun; what is no
/// file, or not meant yet, is passed over.
fn files(config: &FolderConfig, begun: &Hash) -> Result<Vec<(Shape, PathBuf)>, FolderError> {
    let failed = |source| FolderError::Io {
        path: config.folder.clone(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&config.folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unfinished = [".tmp", ".part"].iter().any(|end| name.ends_with(end));
        if name.starts_with('.') || unfinished || entry.path() == config.rejects {
            continue;
        }
        // Of a symbolic link this is the link itself, which is no file.
        let Ok(found) = entry.metadata() else {
            continue;
        };
        if found.is_file() {
            let shape = Shape {
                modified: (found.mtime(), found.mtime_nsec()),
                size: found.size(),
                inode: found.ino(),
            };
            let path = entry.path();
            if files.len() < FILES_MAX || identity(&path, shape) == *begun {
                files.push((shape, path));
            }
        }
    }
    // Files of one instant by their names: file systems keep time in steps of milliseconds.
    files.sort_by(|(a, one), (b, other)| (a.modified, one).cmp(&(b.modified, other)));
    Ok(files)
}

/// How many files wait in the folder. Whether the agent may move them is looked at, and nothing is
/// made: a doctor that runs as another user would leave folders that are not the agent's.
pub(super) fn waiting(config: &FolderConfig) -> Result<usize, Trouble> {
    let trouble = |error: FolderError| Trouble::new(error.to_string(), error.remedy());
    let files = files(config, &Hash::ZERO).map_err(trouble)?;
    for folder in [&config.folder, &config.done, &config.refused] {
        can_be_written(folder).map_err(trouble)?;
    }
    Ok(files.len())
}

/// True of a folder that is there; one that is not is made with its first file, in what is there of
/// the way to it.
fn can_be_written(folder: &Path) -> Result<(), FolderError> {
    let there = folder.ancestors().find(|way| way.exists());
    let there = there.unwrap_or(Path::new("."));
    let failed = |source| FolderError::Io {
        path: there.to_owned(),
        source,
    };
    if !there.is_dir() {
        return Err(failed(std::io::ErrorKind::NotADirectory.into()));
    }
    let access = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(there, access).map_err(|error| failed(error.into()))
}

/// Moves a file into a folder, under another name where its own is taken.
fn move_to(path: &Path, folder: &Path) -> Result<(), FolderError> {
    let failed = |error| FolderError::Move(path.to_owned(), folder.to_owned(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let name = path.file_name().unwrap_or_default();
    for number in 0..SAME_NAME_MAX {
        let mut target = name.to_owned();
        if number > 0 {
            target.push(format!(".{number}"));
        }
        let target = folder.join(target);
        if !target.exists() {
            return std::fs::rename(path, target).map_err(failed);
        }
    }
    Err(failed(std::io::ErrorKind::AlreadyExists.into()))
}
