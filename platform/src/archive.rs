//! Content leaves the database by months, into files that prove it (`docs/archive.md`, decision
//! 0015).
//!
//! A month's content is written into a file with the proofs of all its statements, made durable, read
//! back and checked as a stranger would; only then is it removed. At every instant it is in the
//! database or in a checked file; whoever is killed and repeats finishes. A file that has its name is
//! never written over but by itself without an event that was erased, and never removed.
//!
//! Statements, leaves and log stay. `platform archive` is the only caller, as the owner of the tables
//! (PostgreSQL) or beside the running platform (SQLite).

pub mod check;
pub mod format;
mod holder;
mod make;
pub(crate) mod postgres;
mod restore;
pub(crate) mod sqlite;
mod tombs;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use schemas::hash::Hash;
use schemas::proof::Refusal;

pub use holder::{Holder, NewArchive, Removed, Returning, open};
pub use make::{Archivist, Outcome};
pub use restore::{Restored, restore};
pub use tombs::{Found, Wanted, find, forget};

use crate::bundle::BundleError;
use crate::config::Config;
use crate::files::BESIDE;
use crate::store::{Month, StoreError};

/// Kind of an archive's manifest among the log's documents.
pub const KIND: &str = "archive";
/// Ending of a file.
const ENDING: &str = "jsonl.gz";

/// Policy entry that the reader trusts, if it has one.
pub type Trust<'a> = Option<&'a [u8]>;

/// Content stays where it was.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A proof could not be made.
    #[error("a proof could not be made")]
    Bundle(#[from] BundleError),
    /// A file cannot be read or written.
    #[error("{}: it cannot be read or written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is no archive, or not a whole one.
    #[error("{}: no whole archive: {what}", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A proof in a file is refused.
    #[error("{}: a proof in it is refused", path.display())]
    Proof {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Refusal,
    },
    /// Another process works on the folder.
    #[error("{}: another `platform archive` or `platform erase` is at work", .0.display())]
    Busy(PathBuf),
    /// On PostgreSQL only the owner of the tables may.
    #[error(
        "only the owner of the tables may archive or restore: set DATABASE_OWNER_URL to its address"
    )]
    NoOwner,
    /// The file is not of this platform.
    #[error("{}: an archive of the log {log}, this is {ours}", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Its log.
        log: Hash,
        /// Ours.
        ours: Hash,
    },
    /// A file that the database names is not in the folder.
    #[error(
        "{0} is not in the archive folder: put it there, and repeat; what it holds of erased events is still readable in it"
    )]
    Missing(String),
}

impl ArchiveError {
    fn file(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::File { path, source }
    }

    fn form(path: &Path, what: impl Into<String>) -> Self {
        let (path, what) = (path.to_owned(), what.into());
        Self::Form { path, what }
    }
}

/// The folder of a platform's archives, used by nobody else while this lives.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    // Unlocked when it is closed.
    _lock: File,
}

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Its month.
    pub month: Month,
    /// Its number among the files of the month.
    pub number: u64,
}

impl Part {
    /// The name of its file: `contents-2026-01.1.jsonl.gz`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("contents-{}.{}.{ENDING}", self.month, self.number)
    }

    fn read(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("contents-")?;
        let rest = rest.strip_suffix(ENDING)?.strip_suffix('.')?;
        let (month, number) = rest.split_once('.')?;
        let part = Self {
            month: month.parse().ok()?,
            number: number.parse().ok()?,
        };
        (part.name() == name).then_some(part)
    }
}

impl Folder {
    /// Takes the folder of a configuration, making it where needed, and removes what was being
    /// written when somebody was killed: it was removed from nowhere else yet.
    ///
    /// # Errors
    /// [`ArchiveError::Busy`], [`ArchiveError::File`].
    pub fn take(config: &Config) -> Result<Self, ArchiveError> {
        Self::take_at(config.archive_folder())
    }

    /// The same of a folder.
    ///
    /// # Errors
    /// [`ArchiveError::Busy`], [`ArchiveError::File`].
    pub fn take_at(root: PathBuf) -> Result<Self, ArchiveError> {
        let failed = |error| ArchiveError::file(&root, error);
        std::fs::create_dir_all(&root).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = options.open(root.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ArchiveError::Busy(root)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        for entry in std::fs::read_dir(&root).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == BESIDE) {
                std::fs::remove_file(&path).map_err(|error| ArchiveError::file(&path, error))?;
            }
        }
        Ok(Self { root, _lock: lock })
    }

    /// All files, by month and number.
    ///
    /// # Errors
    /// [`ArchiveError::File`].
    pub fn parts(&self) -> Result<Vec<Part>, ArchiveError> {
        let failed = |error| ArchiveError::file(&self.root, error);
        let mut parts = Vec::new();
        for entry in std::fs::read_dir(&self.root).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            parts.extend(name.to_str().and_then(Part::read));
        }
        parts.sort_unstable();
        Ok(parts)
    }

    /// Where a file is.
    #[must_use]
    pub fn path(&self, part: &Part) -> PathBuf {
        self.root.join(part.name())
    }

    /// Where a file is while it is written.
    fn beside(&self, part: &Part) -> PathBuf {
        self.root.join(format!("{}.{BESIDE}", part.name()))
    }

    /// Gives a whole file its name, durably.
    fn put(&self, part: &Part) -> Result<(), ArchiveError> {
        let path = self.path(part);
        let moved = || -> io::Result<()> {
            std::fs::rename(self.beside(part), &path)?;
            File::open(&self.root)?.sync_all()?;
            let above = self.root.parent().filter(|above| above.is_dir());
            above.map_or(Ok(()), |above| File::open(above)?.sync_all())
        };
        moved().map_err(|error| ArchiveError::file(&path, error))
    }
}

/// Leaves of erased events, each with the list that names it.
pub type Tombstones = BTreeMap<Hash, Hash>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_month_and_number() {
        let part = Part {
            month: "2026-01".parse().unwrap(),
            number: 2,
        };
        assert_eq!(part.name(), "contents-2026-01.2.jsonl.gz");
        assert_eq!(Part::read(&part.name()), Some(part));
        for other in [
            "contents-2026-01.jsonl.gz",
            "contents-2026-1.1.jsonl.gz",
            "contents-2026-01.01.jsonl.gz",
            "contents-2026-01.1.jsonl.gz.new",
            "lock",
        ] {
            assert_eq!(Part::read(other), None, "{other}");
        }
    }

    #[test]
    fn folder_has_one_user_and_forgets_what_was_half_written() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("archive");
        let folder = Folder::take_at(root.clone()).unwrap();
        assert!(matches!(
            Folder::take_at(root.clone()),
            Err(ArchiveError::Busy(_))
        ));
        let half = root.join("contents-2026-01.1.jsonl.gz.new");
        std::fs::write(&half, b"half").unwrap();
        std::fs::write(root.join("contents-2026-02.1.jsonl.gz"), b"").unwrap();
        std::fs::write(root.join("contents-2026-01.3.jsonl.gz"), b"").unwrap();
        drop(folder);
        let folder = Folder::take_at(root).unwrap();
        assert!(!half.exists());
        let names: Vec<String> = folder.parts().unwrap().iter().map(Part::name).collect();
        assert_eq!(
            names,
            ["contents-2026-01.3.jsonl.gz", "contents-2026-02.1.jsonl.gz"]
        );
    }
}
