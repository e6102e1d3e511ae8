//! The disk of the log's folder: it can be full, and it knows what a power cut would take.
//!
//! Writes go to real files. Beside them stands what was synced: of each file its content, of each
//! folder its names. When the power fails, every file goes back to that.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use platform::files::{Disk, Files};

/// A disk; clones are the same.
#[derive(Debug, Clone)]
pub struct LogDisk {
    root: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    full: bool,
    /// Synced contents of files that were written since the beginning; `None`: never synced.
    contents: BTreeMap<PathBuf, Option<Vec<u8>>>,
    /// What a name showed before its folder's unsynced changes; `None`: nothing.
    before: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl LogDisk {
    /// The disk below a folder, on which everything that is there is synced.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            state: Arc::default(),
        }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether writes fail from now on.
    pub fn fill(&self, full: bool) {
        self.lock().full = full;
    }

    /// The power fails: names and contents that were not synced are gone.
    ///
    /// # Errors
    /// Of the operating system.
    pub fn lose_unsynced(&self) -> io::Result<()> {
        let mut state = self.lock();
        let contents = std::mem::take(&mut state.contents);
        for (file, synced) in contents {
            // A file whose name stays and whose content does not is empty.
            if file.exists() {
                std::fs::write(&file, synced.unwrap_or_default())?;
            }
        }
        for (name, before) in std::mem::take(&mut state.before) {
            match before {
                Some(bytes) => std::fs::write(&name, bytes)?,
                None if name.exists() => std::fs::remove_file(&name)?,
                None => {}
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse_if_full(&self) -> io::Result<()> {
        if self.lock().full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl State {
    /// Remembers what a name showed on the disk before it is changed.
    fn remember(&mut self, name: &Path) {
        if self.before.contains_key(name) {
            return;
        }
        let on_disk = match self.contents.get(name) {
            Some(synced) => synced.clone(),
            None => std::fs::read(name).ok(),
        };
        self.before.insert(name.to_owned(), on_disk);
    }
}

impl Files for LogDisk {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        Disk.read(file)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        Disk.list(folder)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.refuse_if_full()?;
        Disk.make_folder(folder)
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.lock().full {
            // What has room is written.
            Disk.write(file, &bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut state = self.lock();
        if !file.exists() {
            state.remember(file);
        }
        state.contents.entry(file.to_owned()).or_insert(None);
        Disk.write(file, bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if path.is_dir() {
            state.before.retain(|name, _| name.parent() != Some(path));
        } else {
            let bytes = Disk.read(path)?;
            state.contents.insert(path.to_owned(), Some(bytes));
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.refuse_if_full()?;
        let mut state = self.lock();
        state.remember(to);
        state.remember(from);
        let synced = match state.contents.remove(from) {
            Some(synced) => synced,
            None => Some(Disk.read(from)?),
        };
        Disk.rename(from, to)?;
        state.contents.insert(to.to_owned(), synced);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use platform::files::DurableFolder;

    use super::*;

    #[test]
    fn what_was_replaced_durably_stays_and_what_was_only_written_goes() {
        let place = tempfile::tempdir().unwrap();
        let disk = LogDisk::new(place.path().join("log"));
        let folder = DurableFolder::new(disk.root().to_owned(), Arc::new(disk.clone()));
        folder.replace("a/kept", b"one").unwrap();
        let (kept, new) = (disk.root().join("a/kept"), disk.root().join("a/new"));
        disk.write(&new, b"unsynced").unwrap();
        disk.write(&disk.root().join("a/beside"), b"two").unwrap();
        disk.sync(&disk.root().join("a/beside")).unwrap();
        disk.rename(&disk.root().join("a/beside"), &kept).unwrap();
        assert_eq!(disk.read(&kept).unwrap(), b"two");
        disk.lose_unsynced().unwrap();
        assert_eq!(disk.read(&kept).unwrap(), b"one");
        assert!(!new.exists());
    }

    #[test]
    fn a_full_disk_says_so_and_takes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let disk = LogDisk::new(place.path().join("log"));
        let folder = DurableFolder::new(disk.root().to_owned(), Arc::new(disk.clone()));
        folder.replace("kept", b"one").unwrap();
        disk.fill(true);
        let refused = folder.replace("kept", b"two").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        assert_eq!(folder.read("kept").unwrap().unwrap(), b"one");
        disk.fill(false);
        folder.replace("kept", b"two").unwrap();
        assert_eq!(folder.read("kept").unwrap().unwrap(), b"two");
    }
}
