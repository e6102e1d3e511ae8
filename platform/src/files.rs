//! Files that must survive a kill and a power cut: the log's folder, a witness's memory.
//!
//! [`Files`] is the few calls of the operating system on which that rests; production has [`Disk`],
//! tests make each call fail in turn (`tests/log_faults.rs`). [`DurableFolder`] is the one way in
//! which a file is replaced: written beside, synced, renamed, its folder synced. A reader sees the
//! old file or the whole new one, and once [`DurableFolder::replace`] has answered, a power cut
//! leaves the new one.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Ending of a file that is being written; one that is left over means nothing.
pub const BESIDE: &str = "new";

/// Calls of the operating system.
pub trait Files: fmt::Debug + Send + Sync {
    /// The whole file.
    ///
    /// # Errors
    /// Of the operating system; `NotFound` where there is none.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;
    /// What is in a folder: (path, whether it is a folder), in any order.
    ///
    /// # Errors
    /// Of the operating system; `NotFound` where there is none.
    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>>;
    /// Makes a folder with those above it; one that is there is no error.
    ///
    /// # Errors
    /// Of the operating system.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes or overwrites a file. Nothing of it is durable yet.
    ///
    /// # Errors
    /// Of the operating system; some of it may be written.
    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes durable what a file holds, or which names a folder has.
    ///
    /// # Errors
    /// Of the operating system.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name in the same folder, in the place of one that has it.
    ///
    /// # Errors
    /// Of the operating system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
}

/// The operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        fs::read(file)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        let one = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.path(), entry.file_type()?.is_dir()))
        };
        fs::read_dir(folder)?.map(one).collect()
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        File::create(file)?.write_all(bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
}

/// A folder whose files are replaced whole and durably. Names are relative, with `/` between
/// folders; the caller has checked that they do not climb.
#[derive(Clone, Debug)]
pub struct DurableFolder {
    root: PathBuf,
    files: Arc<dyn Files>,
    /// Folders that this process has synced into the ones above them.
    settled: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl DurableFolder {
    /// A folder; made at the first write.
    #[must_use]
    pub fn new(root: PathBuf, files: Arc<dyn Files>) -> Self {
        let settled = Arc::default();
        Self {
            root,
            files,
            settled,
        }
    }

    /// A file; `None` where there is none.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self.files.read(&self.root.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a file in its place, whole and durable.
    ///
    /// # Errors
    /// Of the operating system: then the old file or the new one is there, and which of them a
    /// power cut would leave is not known.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.root.join(name);
        let folder = above(&file);
        self.settle(&folder)?;
        let beside = file.with_extension(BESIDE);
        self.files.write(&beside, bytes)?;
        self.files.sync(&beside)?;
        self.files.rename(&beside, &file)?;
        self.files.sync(&folder)
    }

    /// Makes sure that a file that is there stays: the process that wrote it may have ended before
    /// it had. Nothing where there is none.
    ///
    /// # Errors
    /// Of the operating system.
    pub fn keep(&self, name: &str) -> io::Result<()> {
        let file = self.root.join(name);
        match self.files.sync(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                let folder = above(&file);
                self.files.sync(&folder)?;
                self.settle(&folder)
            }
        }
    }

    /// Names of all files in it and below, sorted, without those that were being written.
    ///
    /// # Errors
    /// Of the operating system.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        self.walk(&self.root, &mut names)?;
        names.sort_unstable();
        Ok(names)
    }

    fn walk(&self, folder: &Path, names: &mut Vec<String>) -> io::Result<()> {
        let found = match self.files.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        for (path, is_folder) in found {
            if is_folder {
                self.walk(&path, names)?;
            } else if path.extension().is_none_or(|ending| ending != BESIDE) {
                let name = path.strip_prefix(&self.root).unwrap_or(&path);
                names.push(name.to_string_lossy().replace('\\', "/"));
            }
        }
        Ok(())
    }

    /// Makes a folder and syncs it, and those above it, into the ones above them: a file is only
    /// as durable as the way to it. Once for each folder and process, since the process before may
    /// have ended between making it and syncing it.
    fn settle(&self, folder: &Path) -> io::Result<()> {
        if self.lock().contains(folder) {
            return Ok(());
        }
        let parent = above(folder);
        if folder != self.root {
            self.settle(&parent)?;
        }
        self.files.make_folder(folder)?;
        self.files.sync(&parent)?;
        self.lock().insert(folder.to_owned());
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder above; that of a bare name is the current one.
fn above(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => ".".into(),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_whole_and_listed_without_what_is_left_over() {
        let place = tempfile::tempdir().unwrap();
        let folder = DurableFolder::new(place.path().join("log"), Arc::new(Disk));
        assert_eq!(folder.read("a/b").unwrap(), None);
        assert!(folder.names().unwrap().is_empty());
        folder.replace("a/b", b"one").unwrap();
        folder.replace("a/b", b"two").unwrap();
        folder.replace("c", b"three").unwrap();
        fs::write(place.path().join("log/a/d.new"), b"half").unwrap();
        assert_eq!(folder.read("a/b").unwrap().unwrap(), b"two");
        assert_eq!(folder.names().unwrap(), ["a/b", "c"]);
    }
}
