//! The data folder belongs to one process at a time and gives it its name.
//!
//! The name stands in leases. A process that takes the folder again, after a crash too, has the
//! name of the one before and so its lease, without waiting for that to run out: the lock shows
//! that the one before is gone, since the operating system gives it back at a process's end.

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
    // Unlocked when it is closed.
    _lock: File,
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
        let name = name(&mut lock)?;
        Ok(Self { name, _lock: lock })
    }

    /// 16 hexadecimal digits, the same as long as the folder is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Reads the name; makes one where it is missing or was not written to its end.
fn name(lock: &mut File) -> Result<String, FolderError> {
    let mut name = String::new();
    lock.read_to_string(&mut name)?;
    if name.len() == NAME_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(name);
    }
    let name = hex::encode(schemas::random::bytes::<{ NAME_DIGITS / 2 }>()?);
    lock.rewind()?;
    lock.set_len(0)?;
    lock.write_all(name.as_bytes())?;
    lock.sync_all()?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_the_name_stays() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("data");
        let first = DataFolder::take(&folder).unwrap();
        let again = DataFolder::take(&folder);
        assert!(matches!(again, Err(FolderError::InUse(_))));
        let name = first.name().to_owned();
        drop(first);
        assert_eq!(DataFolder::take(&folder).unwrap().name(), name);
        std::fs::write(folder.join(LOCK_FILE), "abc").unwrap();
        assert_eq!(DataFolder::take(&folder).unwrap().name().len(), NAME_DIGITS);
    }
}
