//! What a witness refused and keeps for ever: both notes of a fork, one file each.
//!
//! Two notes of one size with two roots, both signed by the log, prove a fork to anybody. A note
//! whose proof does not lead to it from what was cosigned proves nothing yet, since anybody may
//! hand an honest checkpoint in with a wrong proof; it is kept as `unproven`, and becomes a fork
//! when the log has another root of that size cosigned.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use schemas::hash::{Hash, sha256};
use serde::{Deserialize, Serialize};

/// Most forks that are kept; only the log itself can make one.
pub(super) const FORKS_MAX: usize = 1_024;
/// Most refused notes that prove nothing yet.
pub(super) const UNPROVEN_MAX: usize = 256;
/// Longest file that is read back, in bytes.
const FILE_MAX: u64 = 1_048_576;

/// What a refused note shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Two roots at one size.
    Fork,
    /// No consistency proof led from the cosigned note to it.
    Unproven,
}

/// One file of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Evidence {
    /// Format: `witness-evidence/v1`.
    pub(super) tracebond: String,
    pub(super) kind: Kind,
    /// The witness that keeps it.
    pub(super) witness: String,
    pub(super) origin: String,
    /// Microseconds since 1970 when it was refused.
    pub(super) time: i64,
    /// Of the note that was cosigned.
    pub(super) cosigned_size: u64,
    pub(super) cosigned_root: Hash,
    /// With the log's own lines; empty where only size and root are known.
    pub(super) cosigned: String,
    /// Of the note that was refused.
    pub(super) refused_size: u64,
    pub(super) refused_root: Hash,
    pub(super) refused: String,
}

impl Evidence {
    pub(super) fn name(&self) -> String {
        let text = format!("{:?}\n{}\n{}", self.kind, self.cosigned_root, self.refused);
        let hash = sha256(text.as_bytes()).to_string();
        let kind = match self.kind {
            Kind::Fork => "fork",
            Kind::Unproven => "unproven",
        };
        format!("{kind}-{}.json", hash.get(..32).unwrap_or_default())
    }
}

/// All that is kept, by file name.
pub(super) struct Kept {
    folder: PathBuf,
    all: Vec<(String, Evidence)>,
}

impl Kept {
    /// Reads the folder beside the witness's memory. A file that is no evidence stays, unread.
    ///
    /// # Errors
    /// Of the file system.
    pub(super) fn open(memory: &Path) -> io::Result<Self> {
        let folder = memory.with_extension("evidence");
        let mut kept = Self {
            folder,
            all: Vec::new(),
        };
        let Ok(files) = std::fs::read_dir(&kept.folder) else {
            return Ok(kept);
        };
        for file in files {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            match read(&file.path()) {
                Some(evidence) => kept.all.push((name, evidence)),
                None => tracing::warn!(name, "a file in the folder of evidence is none"),
            }
        }
        kept.all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(kept)
    }

    /// By file name.
    pub(super) fn all(&self) -> &[(String, Evidence)] {
        &self.all
    }

    /// How many prove a fork.
    pub(super) fn forks(&self) -> usize {
        self.count(Kind::Fork)
    }

    fn count(&self, kind: Kind) -> usize {
        self.all.iter().filter(|(_, one)| one.kind == kind).count()
    }

    /// Keeps evidence; the same one once.
    ///
    /// # Errors
    /// Of the file system; it is still known while the process lives.
    pub(super) fn add(&mut self, evidence: Evidence) -> io::Result<()> {
        let name = evidence.name();
        let most = match evidence.kind {
            Kind::Fork => FORKS_MAX,
            Kind::Unproven => UNPROVEN_MAX,
        };
        let known = self.all.iter().any(|(other, _)| *other == name);
        if known || self.count(evidence.kind) >= most {
            return Ok(());
        }
        let written = self.write(&name, &evidence);
        self.all.push((name, evidence));
        written
    }

    fn write(&self, name: &str, evidence: &Evidence) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(name);
        let mut out = match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            other => other?,
        };
        out.write_all(&serde_json::to_vec_pretty(evidence)?)?;
        out.sync_all()?;
        std::fs::File::open(&self.folder)?.sync_all()
    }

    /// Notes of this size and another root that were refused as unproven: each is a fork now.
    pub(super) fn contradicted(&self, origin: &str, size: u64, root: Hash) -> Vec<Evidence> {
        let fits = |one: &&Evidence| {
            one.kind == Kind::Unproven
                && one.origin == origin
                && one.refused_size == size
                && one.refused_root != root
        };
        let all = self.all.iter().map(|(_, one)| one);
        all.filter(fits).cloned().collect()
    }
}

fn read(path: &Path) -> Option<Evidence> {
    if std::fs::metadata(path).ok()?.len() > FILE_MAX {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
