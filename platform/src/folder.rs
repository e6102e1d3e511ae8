//! The data folder belongs to one process at a time and gives it its name.
//!
//! The name stands in leases, and each process has its own: two of one name would write under one
//! fence, as they might where a folder was copied. The folder also tells the name of the process
//! before, whose lease a process that takes the folder again, after a crash too, ends without
//! waiting: the lock shows that the one before is gone, since the operating system gives it back
//! at a process's end.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use schemas::random::NoRandomness;

/// Locked while a platform runs; holds the name.
const LOCK_FILE: &str = "lock";
/// Digits of a name.
const NAME_DIGITS: usize = 16;

/// The data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process uses it.
    #[error("another platform runs on the data folder {0}")]
    InUse(PathBuf),
    /// It cannot be read or written.
    #[error("the data folder cannot be read or written")]
    Io(#[from] io::Error),
    /// The operating system has no randomness.
    #[error("no name can be made")]
    Random(#[from] NoRandomness),
}

/// The data folder, as long as this lives.
#[derive(Debug)]
pub struct DataFolder {
    name: String,
    before: Option<String>,
    // Unlocked when it is closed.
    lock: File,
}

impl DataFolder {
    /// Takes the folder, making it where needed.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn take(folder: &Path) -> Result<Self, FolderError> {
        std::fs::create_dir_all(folder)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut lock = options.open(folder.join(LOCK_FILE))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut before = String::new();
        lock.read_to_string(&mut before)?;
        let name = hex::encode(schemas::random::bytes::<{ NAME_DIGITS / 2 }>()?);
        Ok(Self {
            name,
            before: Some(before).filter(|before| is_name(before)),
            lock,
        })
    }

    /// 16 hexadecimal digits, this process's alone.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the process before, where there was one that got as far.
    #[must_use]
    pub fn before(&self) -> Option<&str> {
        self.before.as_deref()
    }

    /// Writes this process's name down for the next one. Called when the lease of the one before
    /// has been ended, before one is taken.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn sign(&mut self) -> Result<(), FolderError> {
        self.lock.rewind()?;
        self.lock.set_len(0)?;
        self.lock.write_all(self.name.as_bytes())?;
        Ok(self.lock.sync_all()?)
    }
}

/// False for one that was not written to its end.
fn is_name(text: &str) -> bool {
    text.len() == NAME_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_that_knows_the_one_before() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("data");
        let mut first = DataFolder::take(&folder).unwrap();
        assert_eq!(first.before(), None);
        let again = DataFolder::take(&folder);
        assert!(matches!(again, Err(FolderError::InUse(_))));
        first.sign().unwrap();
        let name = first.name().to_owned();
        drop(first);
        // One that ended before it signed has taken no lease.
        drop(DataFolder::take(&folder).unwrap());
        let third = DataFolder::take(&folder).unwrap();
        assert_eq!(third.before(), Some(&*name));
        assert_ne!(third.name(), name);
        drop(third);
        std::fs::write(folder.join(LOCK_FILE), "abc").unwrap();
        assert_eq!(DataFolder::take(&folder).unwrap().before(), None);
    }
}
