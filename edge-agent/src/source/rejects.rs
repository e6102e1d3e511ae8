//! The rejects file: bad lines with number and reason, for a person to mend and append again.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

/// Largest rejects file in bytes; beyond it bad lines are only counted and logged.
const FILE_MAX: u64 = 16 * 1024 * 1024;
/// Longest excerpt of a bad line in bytes.
const EXCERPT_MAX: usize = 4 * 1024;

/// A bad line.
#[derive(Debug, Serialize)]
pub(super) struct Reject {
    pub line: u64,
    pub reason: String,
    pub text: String,
}

impl Reject {
    pub fn new(line: u64, reason: String, bytes: &[u8]) -> Self {
        let excerpt = &bytes[..bytes.len().min(EXCERPT_MAX)];
        Self {
            line,
            reason,
            text: String::from_utf8_lossy(excerpt).into_owned(),
        }
    }
}

/// Appends to the rejects file.
#[derive(Debug)]
pub(super) struct Rejects(PathBuf);

impl Rejects {
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Written and synced before the outbox forgets the lines; a crash between the two repeats
    /// them here, never loses them.
    pub fn append(&self, rejects: &[Reject]) -> std::io::Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        if let Some(folder) = self.0.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.0)?;
        if file.metadata()?.len() >= FILE_MAX {
            tracing::warn!(path = %self.0.display(), "the rejects file is full");
            return Ok(());
        }
        for reject in rejects {
            let mut line = serde_json::to_vec(reject)?;
            line.push(b'\n');
            file.write_all(&line)?;
        }
        file.sync_data()
    }
}
