//! The head file: a second memory of where the chain ends, outside the database.
//!
//! It is what the first statement of a new epoch names when the database is lost, damaged or an
//! older copy. It is written after the commit that it speaks of, so it never knows more than was
//! durable; it is not synced, because a mirror that lags is harmless: it only decides when the
//! database knows even less.

use std::path::{Path, PathBuf};

use schemas::hash::sha256;

use crate::status::Head;

/// File name in the state directory.
pub const HEAD_FILE: &str = "head";

/// The head file of a state directory.
#[derive(Clone, Debug)]
pub(super) struct Mirror(PathBuf);

impl Mirror {
    pub fn new(state: &Path) -> Self {
        Self(state.join(HEAD_FILE))
    }

    /// What the file says; `None` if it is missing or was torn.
    pub fn read(&self) -> Option<Head> {
        let text = std::fs::read_to_string(&self.0).ok()?;
        let (line, check) = text.trim_end().split_once('\n')?;
        if sha256(line.as_bytes()).to_string() != check {
            return None;
        }
        let mut words = line.split(' ');
        let head = Head {
            epoch: words.next()?.parse().ok()?,
            seq: words.next()?.parse().ok()?,
            id: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(head)
    }

    /// True if the file is there, readable or not: something has been signed here.
    pub fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Writes the file whole or not at all.
    pub fn write(&self, head: &Head) -> std::io::Result<()> {
        let line = format!("{} {} {}", head.epoch, head.seq, head.id);
        let temporary = self.0.with_extension("new");
        std::fs::write(&temporary, format!("{line}\n{}\n", sha256(line.as_bytes())))?;
        std::fs::rename(&temporary, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_head_file_says_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let mirror = Mirror::new(folder.path());
        assert!(!mirror.exists() && mirror.read().is_none());
        let head = Head {
            epoch: 2,
            seq: 7,
            id: sha256(b"x"),
        };
        mirror.write(&head).expect("written");
        assert_eq!(mirror.read(), Some(head));
        let path = folder.path().join(HEAD_FILE);
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, text.replacen("2 7", "2 8", 1)).expect("written");
        assert!(mirror.exists() && mirror.read().is_none());
    }
}
