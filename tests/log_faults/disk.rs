//! A disk that tells what is on it to stay from what a power cut would take.
//!
//! A file's content is to stay once the file was synced, its name once its folder was; a folder's
//! name once the folder above was. Nothing else is: a file whose name stays and whose content does
//! not is empty after a power cut.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use platform::anchor::tiles::{Named, needed};
use platform::files::Files;
use schemas::note::Note;

use super::plan::{Calls, Fault, Meets, Plan, broken};
use super::recorder::Seen;

/// What is left after the end of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Everything that was written.
    Everything,
    /// Only what was synced.
    Synced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    mount: PathBuf,
    inodes: Vec<Inode>,
    /// As the process sees it.
    now: BTreeMap<PathBuf, Node>,
    /// Names that stay.
    kept: BTreeMap<PathBuf, Node>,
}

/// The folder that the log's disk stands for; it is there from the beginning.
const MOUNT: &str = "/disk";
/// Where the log is.
pub const LOG: &str = "/disk/log";

/// The disk as one process has it; another process gets another handle on what is left.
#[derive(Debug)]
pub struct Disk {
    content: Arc<Mutex<Content>>,
    plan: Arc<Plan>,
    seen: Arc<Seen>,
}

impl Disk {
    pub fn new(plan: Arc<Plan>, seen: Arc<Seen>) -> Self {
        Self::at(MOUNT.into(), plan, seen)
    }

    /// One that stands for another folder.
    pub fn at(mount: PathBuf, plan: Arc<Plan>, seen: Arc<Seen>) -> Self {
        let content = Content {
            mount,
            ..Content::default()
        };
        let content = Arc::new(Mutex::new(content));
        Self {
            content,
            plan,
            seen,
        }
    }

    /// The same disk for a process with another plan.
    pub fn with(&self, plan: Arc<Plan>) -> Self {
        Self {
            content: Arc::clone(&self.content),
            plan,
            seen: Arc::clone(&self.seen),
        }
    }

    /// What is there after the process has ended.
    pub fn fails(&self, left: Left) {
        if left == Left::Everything {
            return;
        }
        let mut content = self.content.lock().unwrap();
        let (kept, mount) = (content.kept.clone(), content.mount.clone());
        let reached = |path: &Path| {
            let mut above = path.ancestors().skip(1);
            let mut way = above.by_ref().take_while(|above| *above != mount);
            way.all(|above| kept.contains_key(above))
        };
        let now = kept.iter().filter(|(path, _)| reached(path));
        content.now = now.map(|(path, node)| (path.clone(), *node)).collect();
        for inode in &mut content.inodes {
            inode.bytes = inode.synced.clone();
        }
    }

    /// Runs one call as planned.
    fn call<T>(
        &self,
        name: &str,
        half: impl FnOnce(&mut Content),
        whole: impl FnOnce(&mut Content) -> io::Result<T>,
    ) -> io::Result<T> {
        let meets = self.plan.meets(Calls::Files, name);
        let mut content = self.content.lock().unwrap();
        match meets {
            Meets::Nothing => whole(&mut content),
            Meets::Fault(Fault::Before) | Meets::Dead => Err(broken()),
            Meets::Fault(Fault::KillBefore) => {
                half(&mut content);
                Err(broken())
            }
            Meets::Fault(Fault::After | Fault::KillAfter) => {
                whole(&mut content)?;
                Err(broken())
            }
        }
    }
}

impl Content {
    fn inode(&self, file: &Path) -> io::Result<usize> {
        match self.now.get(file) {
            Some(Node::File(inode)) => Ok(*inode),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn has_folder(&self, folder: &Path) -> io::Result<()> {
        let there = folder == self.mount || self.now.get(folder) == Some(&Node::Folder);
        there.then_some(()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn write(&mut self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        self.has_folder(file.parent().unwrap())?;
        let inode = match self.now.get(file) {
            Some(Node::File(inode)) => *inode,
            _ => {
                self.inodes.push(Inode::default());
                self.inodes.len() - 1
            }
        };
        self.inodes[inode].bytes = bytes.to_vec();
        self.now.insert(file.to_owned(), Node::File(inode));
        Ok(())
    }

    fn make_folder(&mut self, folder: &Path) {
        for folder in folder.ancestors() {
            if folder == self.mount {
                return;
            }
            self.now.insert(folder.to_owned(), Node::Folder);
        }
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        if let Ok(inode) = self.inode(path) {
            self.inodes[inode].synced = self.inodes[inode].bytes.clone();
            return Ok(());
        }
        self.has_folder(path)?;
        let inside = |other: &PathBuf| other.parent() == Some(path);
        self.kept.retain(|other, _| !inside(other));
        let names = self.now.iter().filter(|(other, _)| inside(other));
        let names: Vec<_> = names.map(|(other, node)| (other.clone(), *node)).collect();
        self.kept.extend(names);
        Ok(())
    }

    /// Every tile of a checkpoint would survive a power cut.
    fn keeps_tiles_of(&self, size: u64) {
        for tile in needed(size) {
            let file = Path::new(LOG).join(tile.name());
            let way = file.ancestors().take_while(|above| *above != self.mount);
            for part in way {
                let kept = self.kept.contains_key(part);
                assert!(kept, "published at {size}, and {} may go", part.display());
            }
            let Some(Node::File(inode)) = self.kept.get(&file) else {
                panic!("{} is no file", file.display());
            };
            let inode = &self.inodes[*inode];
            assert!(!inode.synced.is_empty(), "{} may be empty", file.display());
            assert_eq!(inode.synced, inode.bytes, "{} may change", file.display());
        }
    }
}

impl Files for Disk {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        let read = |content: &mut Content| {
            let inode = content.inode(file)?;
            Ok(content.inodes[inode].bytes.clone())
        };
        self.call("read", |_| (), read)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        let list = |content: &mut Content| {
            content.has_folder(folder)?;
            let inside = content
                .now
                .iter()
                .filter(|(path, _)| path.parent() == Some(folder));
            Ok(inside
                .map(|(path, node)| (path.clone(), *node == Node::Folder))
                .collect())
        };
        self.call("list", |_| (), list)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let make = |content: &mut Content| {
            content.make_folder(folder);
            Ok(())
        };
        self.call("make_folder", |_| (), make)
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let half = |content: &mut Content| {
            let _ = content.write(file, &bytes[..bytes.len() / 2]);
        };
        self.call("write", half, |content| content.write(file, bytes))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.call("sync", |_| (), |content| content.sync(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let rename = |content: &mut Content| {
            let inode = content.inode(from)?;
            content.now.remove(from);
            content.now.insert(to.to_owned(), Node::File(inode));
            if to == Path::new(LOG).join(Named::Checkpoint.name()) {
                let note = &content.inodes[inode].bytes;
                self.seen.note(note);
                content.keeps_tiles_of(Note::parse(note).unwrap().checkpoint.size);
            }
            Ok(())
        };
        self.call("rename", |_| (), rename)
    }
}
