//! What a witness has cosigned last, by log: one small file, written and synced before any answer,
//! and held by one process.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemas::hash::Hash;
use serde::{Deserialize, Serialize};

use crate::files::{DurableFolder, Files};

/// How long a witness waits for the one before it to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks.
const AGAIN: Duration = Duration::from_millis(50);

/// The latest checkpoint that was cosigned for a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) size: u64,
    pub(super) root: Hash,
    /// The checkpoint with the log's own lines; empty where an older program wrote the file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) note: String,
}

/// By origin.
type Logs = BTreeMap<String, Known>;

/// The memory of one witness.
pub(super) struct Memory {
    folder: DurableFolder,
    name: String,
    logs: Logs,
    /// Released when the process ends, however it ends.
    _lock: File,
}

impl Memory {
    /// Reads the file and takes hold of it; without a file the witness has cosigned nothing.
    ///
    /// # Errors
    /// Of the file system or of JSON: a witness must not start without its memory;
    /// [`io::ErrorKind::WouldBlock`] where another process holds it for longer than `patience`.
    pub(super) async fn open(
        file: &Path,
        files: Arc<dyn Files>,
        patience: Duration,
    ) -> io::Result<Self> {
        let folder = folder(file)?;
        std::fs::create_dir_all(folder)?;
        let lock = lock(&file.with_extension("lock"), patience).await?;
        let name = file
            .file_name()
            .ok_or_else(|| io::Error::other("no name"))?;
        let name = name.to_string_lossy().into_owned();
        let folder = DurableFolder::new(folder.to_owned(), files);
        // The process before may have ended before this was sure to stay, and what is known
        // already is signed again without being written again.
        folder.keep(&name)?;
        let logs = match folder.read(&name)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            None => Logs::new(),
        };
        Ok(Self {
            folder,
            name,
            logs,
            _lock: lock,
        })
    }

    /// What it knows of a log.
    pub(super) fn of(&self, origin: &str) -> Option<&Known> {
        self.logs.get(origin)
    }

    /// What it knows of each log.
    pub(super) fn all(&self) -> &BTreeMap<String, Known> {
        &self.logs
    }

    /// Writes and syncs the new state; the old one stays where that fails.
    ///
    /// # Errors
    /// Of the file system: nothing may then be signed.
    pub(super) fn set(&mut self, origin: &str, known: Known) -> io::Result<()> {
        let before = self.logs.insert(origin.to_owned(), known);
        let saved = serde_json::to_vec(&self.logs)
            .map_err(io::Error::other)
            .and_then(|bytes| self.folder.replace(&self.name, &bytes));
        if saved.is_err() {
            match before {
                Some(before) => self.logs.insert(origin.to_owned(), before),
                None => self.logs.remove(origin),
            };
        }
        saved
    }
}

fn folder(file: &Path) -> io::Result<&Path> {
    file.parent().ok_or_else(|| io::Error::other("no folder"))
}

async fn lock(file: &Path, patience: Duration) -> io::Result<File> {
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(file)?;
    let until = tokio::time::Instant::now() + patience;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(AGAIN).await;
            }
            Err(TryLockError::WouldBlock) => {
                let held = "another process holds it";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, held));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
