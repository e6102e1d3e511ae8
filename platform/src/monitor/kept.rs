//! What a monitor keeps in its folder:
//!
//! | file | content |
//! |---|---|
//! | `entries` | every entry read and found whole, as bundles hold them |
//! | `checkpoint` | the newest accepted checkpoint; entries beyond it do not count |
//! | `list.json` | the newest list of keys that was checked |
//! | `alarms.jsonl` | every alarm, one JSON object a line, with its time |
//! | `evidence/` | two contradicting notes, one file each |
//!
//! Entries are on disk before the checkpoint that needs them.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use schemas::hash::{Hash, sha256};
use schemas::note::Note;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::alarm::{Alarm, Code};
use super::core::{Core, framed};

/// Most alarms that are kept; a log that is this broken needs no more.
const ALARMS_MAX: usize = 100_000;

/// The newest list of keys that was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct List {
    pub(super) version: u64,
    pub(super) keys: Vec<(Hash, Hash)>,
}

/// An alarm as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// RFC 3339.
    pub time: String,
    /// What it is.
    #[serde(flatten)]
    pub alarm: Alarm,
}

/// The folder.
pub(super) struct Kept {
    folder: PathBuf,
    raised: BTreeSet<(Code, String)>,
    all: Vec<Raised>,
}

impl Kept {
    /// Opens or makes the folder.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut kept = Self {
            folder: folder.to_owned(),
            raised: BTreeSet::new(),
            all: Vec::new(),
        };
        // A line that was cut off by a crash was not told to anybody either.
        for line in kept.text("alarms.jsonl")?.lines() {
            if let Ok(raised) = serde_json::from_str(line) {
                kept.remember(raised);
            }
        }
        Ok(kept)
    }

    fn remember(&mut self, raised: Raised) {
        let alarm = &raised.alarm;
        self.raised.insert((alarm.code, alarm.subject.clone()));
        self.all.push(raised);
    }

    fn text(&self, name: &str) -> io::Result<String> {
        match std::fs::read_to_string(self.folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            other => other,
        }
    }

    /// Every alarm that was ever raised, oldest first.
    pub(super) fn all(&self) -> &[Raised] {
        &self.all
    }

    /// Keeps an alarm; none if it was raised before.
    pub(super) fn raise(&mut self, alarm: Alarm, now: Instant) -> io::Result<Option<Raised>> {
        let known = self.raised.contains(&(alarm.code, alarm.subject.clone()));
        if known || self.all.len() >= ALARMS_MAX {
            return Ok(None);
        }
        let time = now.to_rfc3339();
        if alarm.notes.len() > 1 {
            self.keep_notes(&alarm, &time)?;
        }
        let raised = Raised { time, alarm };
        let line = format!("{}\n", serde_json::to_string(&raised)?);
        append(&self.folder.join("alarms.jsonl"), line.as_bytes())?;
        self.remember(raised.clone());
        Ok(Some(raised))
    }

    fn keep_notes(&self, alarm: &Alarm, time: &str) -> io::Result<()> {
        let folder = self.folder.join("evidence");
        std::fs::create_dir_all(&folder)?;
        let hash = sha256(alarm.notes.join("\n").as_bytes()).to_string();
        let short = hash.get(..32).unwrap_or_default();
        let file = folder.join(format!("{}-{short}.json", alarm.code.word()));
        let evidence = serde_json::json!({
            "tracebond": "monitor-evidence/v1",
            "time": time,
            "code": alarm.code,
            "words": alarm.words,
            "notes": alarm.notes,
        });
        write_synced(&file, &serde_json::to_vec_pretty(&evidence)?)
    }

    /// The log as it was read before; empty where nothing was.
    pub(super) fn core(&self) -> io::Result<Core> {
        let text = self.text("checkpoint")?;
        if text.is_empty() {
            return Ok(Core::default());
        }
        let broken = |what: &str| io::Error::other(format!("{}: {what}", self.folder.display()));
        let note = Note::parse(text.as_bytes()).map_err(|_| broken("checkpoint is none"))?;
        let file = io::BufReader::new(File::open(self.folder.join("entries"))?);
        let core = Core::restore(note, Entries(file));
        core.map_err(|_| broken("the entries do not lead to the checkpoint"))
    }

    /// Keeps entries after the first `size`, then the checkpoint that they lead to.
    pub(super) fn advance(&self, size: u64, entries: &[Vec<u8>], note: &Note) -> io::Result<()> {
        let path = self.folder.join("entries");
        let end = match File::open(&path) {
            Ok(file) => Entries(io::BufReader::new(file)).length_of(size),
            Err(_) => 0,
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        // What a crash left beyond the checkpoint is cut off.
        file.set_len(end)?;
        drop(file);
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| framed(entry)).collect();
        append(&path, &bytes)?;
        write_synced(&self.folder.join("checkpoint"), &note.encode())
    }

    /// The newest list that was checked.
    pub(super) fn list(&self) -> io::Result<List> {
        let text = self.text("list.json")?;
        if text.is_empty() {
            return Ok(List::default());
        }
        serde_json::from_str(&text).map_err(io::Error::other)
    }

    /// Keeps a list.
    pub(super) fn put_list(&self, list: &List) -> io::Result<()> {
        write_synced(&self.folder.join("list.json"), &serde_json::to_vec(list)?)
    }
}

/// Entries of a file in order, to its end or to the first that is cut off.
struct Entries<R>(R);

impl<R: io::Read> Iterator for Entries<R> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).ok()?;
        let mut entry = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut entry).ok()?;
        Some(entry)
    }
}

impl<R: io::Read> Entries<R> {
    /// Bytes that the first entries take.
    fn length_of(self, count: u64) -> u64 {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.take(count).map(|entry| entry.len() as u64 + 2).sum()
    }
}

fn append(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut out = OpenOptions::new().create(true).append(true).open(file)?;
    out.write_all(bytes)?;
    out.sync_all()
}

fn write_synced(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = file.with_extension("new");
    let mut out = File::create(&beside)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    std::fs::rename(&beside, file)?;
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_raised_once_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let alarm = Alarm::new(Code::SplitView, "7", "two roots").with_notes(&[b"a", b"b"]);
        let now = Instant::from_seconds(1_800_000_000);
        let mut kept = Kept::open(folder.path()).unwrap();
        assert!(kept.raise(alarm.clone(), now).unwrap().is_some());
        assert!(kept.raise(alarm.clone(), now).unwrap().is_none());
        let mut again = Kept::open(folder.path()).unwrap();
        assert!(again.raise(alarm.clone(), now).unwrap().is_none());
        assert_eq!(again.all()[0].alarm, alarm);
        let evidence = std::fs::read_dir(folder.path().join("evidence")).unwrap();
        assert_eq!(evidence.count(), 1);
    }
}
