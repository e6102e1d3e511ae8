//! What a monitor keeps in its folder:
//!
//! | file | content |
//! |---|---|
//! | `entries` | every entry read, as bundles hold them |
//! | `checkpoint` | the newest accepted checkpoint; entries beyond it do not count |
//! | `list.json` | the newest list of keys that was checked |
//! | `alarms.jsonl` | every alarm, one JSON object a line, with its time |
//! | `evidence/` | two contradicting notes, one file each |
//!
//! Entries are on disk before the checkpoint that needs them, and alarms before the checkpoint or
//! list behind which they are not found again. Whatever a crash has left half written is cut off.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use schemas::hash::{Hash, sha256};
use schemas::note::Note;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::alarm::{Alarm, Code};
use super::core::{Core, framed};

/// Most alarms that are kept; a log that is this broken needs no more.
const ALARMS_MAX: usize = 100_000;

const ALARMS: &str = "alarms.jsonl";
const ENTRIES: &str = "entries";

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
    /// Bytes of the entries of the accepted checkpoint.
    end: u64,
    raised: BTreeSet<(Code, String)>,
    all: Vec<Raised>,
}

impl Kept {
    /// Opens or makes the folder.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut kept = Self {
            folder: folder.to_owned(),
            end: 0,
            raised: BTreeSet::new(),
            all: Vec::new(),
        };
        kept.read_alarms()?;
        Ok(kept)
    }

    fn read_alarms(&mut self) -> io::Result<()> {
        let path = self.folder.join(ALARMS);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let whole = bytes.get(..whole.map_or(0, |last| last + 1));
        let whole = whole.unwrap_or_default();
        for line in whole.split(|byte| *byte == b'\n') {
            if let Ok(raised) = serde_json::from_slice(line) {
                self.remember(raised);
            }
        }
        // The next line must not be written behind half of one.
        if whole.len() < bytes.len() {
            cut(&path, whole.len() as u64)?;
        }
        Ok(())
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
        append(&self.folder.join(ALARMS), line.as_bytes())?;
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

    /// The log as it was read before; empty where nothing was. Cuts off what is behind it.
    pub(super) fn core(&mut self) -> io::Result<Core> {
        let text = self.text("checkpoint")?;
        if text.is_empty() {
            self.forget_ahead()?;
            return Ok(Core::default());
        }
        let broken = |what: &str| io::Error::other(format!("{}: {what}", self.folder.display()));
        let note = Note::parse(text.as_bytes()).map_err(|_| broken("checkpoint is none"))?;
        let file = io::BufReader::new(File::open(self.folder.join(ENTRIES))?);
        let size = usize::try_from(note.checkpoint.size).unwrap_or(usize::MAX);
        let mut end = 0;
        let entries = Entries(file).take(size);
        let core = Core::restore(note, entries.inspect(|entry| end += framed_len(entry)));
        let core = core.map_err(|_| broken("the entries do not lead to the checkpoint"))?;
        self.end = end;
        self.forget_ahead()?;
        Ok(core)
    }

    /// Writes entries behind all others; nothing is durable before [`Kept::accept`].
    pub(super) fn write_ahead(&self, entries: &[Vec<u8>]) -> io::Result<()> {
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| framed(entry)).collect();
        let mut out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(ENTRIES))?;
        out.write_all(&bytes)
    }

    /// The entries behind those of the accepted checkpoint.
    pub(super) fn ahead(&self) -> io::Result<impl Iterator<Item = Vec<u8>> + use<>> {
        let mut file = File::open(self.folder.join(ENTRIES))?;
        file.seek(SeekFrom::Start(self.end))?;
        Ok(Entries(io::BufReader::new(file)))
    }

    /// Keeps the checkpoint that all entries in the file lead to.
    pub(super) fn accept(&mut self, note: &Note) -> io::Result<()> {
        let file = File::open(self.folder.join(ENTRIES))?;
        file.sync_all()?;
        write_synced(&self.folder.join("checkpoint"), &note.encode())?;
        self.end = file.metadata()?.len();
        Ok(())
    }

    /// Cuts off the entries behind those of the accepted checkpoint.
    pub(super) fn forget_ahead(&self) -> io::Result<()> {
        match cut(&self.folder.join(ENTRIES), self.end) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.end == 0 => Ok(()),
            done => done,
        }
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

/// Bytes that an entry takes in the file.
const fn framed_len(entry: &[u8]) -> u64 {
    entry.len() as u64 + 2
}

fn cut(file: &Path, end: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(file)?;
    file.set_len(end)?;
    file.sync_all()
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

    #[test]
    fn half_a_line_does_not_take_the_next_alarm_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let now = Instant::from_seconds(1_800_000_000);
        let alarm = |subject: &str| Alarm::new(Code::Gap, subject, "线一 is silent");
        let mut kept = Kept::open(folder.path()).unwrap();
        for subject in ["1", "2"] {
            assert!(kept.raise(alarm(subject), now).unwrap().is_some());
        }
        drop(kept);
        let file = folder.path().join(ALARMS);
        let bytes = std::fs::read(&file).unwrap();
        // Within the second line, also within a character.
        let second = bytes.len() / 2;
        for end in [second + 1, bytes.len() - 18, bytes.len() - 1] {
            std::fs::write(&file, &bytes[..end]).unwrap();
            let mut kept = Kept::open(folder.path()).unwrap();
            assert_eq!(kept.all().len(), 1, "{end}");
            assert!(kept.raise(alarm("3"), now).unwrap().is_some());
            drop(kept);
            let again = Kept::open(folder.path()).unwrap();
            let subjects: Vec<&str> = again.all().iter().map(|one| &*one.alarm.subject).collect();
            assert_eq!(subjects, ["1", "3"], "{end}");
        }
    }
}
