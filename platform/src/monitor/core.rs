//! The judgement: what a log shows against what it has shown before. Pure.

use schemas::audit::{self, LogAudit};
use schemas::hash::Hash;
use schemas::log::{Entry, Policy, entry_hash};
use schemas::note::Note;
use schemas::registry::Head;
use schemas::tlog::LogTree;

use super::alarm::{Alarm, Code};

/// Entries of a bundle.
pub const WIDTH: u64 = 256;
/// Longest bundle in bytes: 256 entries with their lengths.
pub const BUNDLE_MAX: usize = 256 * (2 + 65_535);

/// Reads an entry bundle (C2SP `tlog-tiles`): `u16be(length) || entry`, again and again. None for
/// bytes that are none.
#[must_use]
pub fn parse_bundle(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length)?;
        entries.push(entry.to_vec());
        bytes = rest;
    }
    (entries.len() as u64 <= WIDTH).then_some(entries)
}

/// One entry of a bundle.
#[must_use]
pub fn framed(entry: &[u8]) -> Vec<u8> {
    let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], entry].concat()
}

/// What a checkpoint is, beside the newest one that was accepted.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The same tree.
    Same,
    /// More entries: they must be read before anything can be said.
    Forward,
    /// It cannot be of the log that was shown before.
    Wrong(Alarm),
}

/// A log as far as it has been read and found whole.
#[derive(Default)]
pub struct Core {
    tree: LogTree,
    audit: LogAudit,
    note: Option<Note>,
    policy: Option<Policy>,
}

impl Core {
    /// Number of entries that were read.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Root of the first entries; none for 0 or more than were read.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<Hash> {
        self.tree.root(size)
    }

    /// The newest checkpoint that was accepted.
    #[must_use]
    pub fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// The newest policy in the log.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// Registry heads of the log, by version.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        self.audit.heads()
    }

    /// Compares a checkpoint that the log has signed with what was read.
    #[must_use]
    pub fn compare(&self, note: &Note) -> Step {
        let new = &note.checkpoint;
        let ours = self.size();
        let before = self.note.as_ref().map(Note::encode).unwrap_or_default();
        let bytes = note.encode();
        if new.size > ours {
            return Step::Forward;
        }
        if self.root(new.size) != Some(new.root) {
            let size = new.size;
            let words = format!(
                "SPLIT VIEW: the checkpoint at size {size} is not of the log of {ours} entries that was shown before"
            );
            let subject = format!("{size} {}", new.root);
            let alarm = Alarm::new(Code::SplitView, subject, words);
            return Step::Wrong(alarm.with_notes(&[&before, &bytes]));
        }
        let kept = self.note.as_ref().map_or(0, |note| note.checkpoint.size);
        if new.size < kept {
            let words = format!("the log went back: size {} after {kept}", new.size);
            let subject = format!("{} after {kept}", new.size);
            let alarm = Alarm::new(Code::WentBack, subject, words);
            return Step::Wrong(alarm.with_notes(&[&before, &bytes]));
        }
        Step::Same
    }

    /// Leaf of an entry that was read; none beyond them.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        if index >= self.size() {
            return None;
        }
        Hash::from_slice(&self.tree.tile(0, index, index + 1)?)
    }

    /// Whether the leaves of all entries between what was read and a checkpoint lead to its root.
    ///
    /// # Errors
    /// The alarm.
    pub fn leads_to(&self, note: &Note, new: &[Hash]) -> Result<(), Alarm> {
        if self.tree.root_with(new.iter().copied()) == Some(note.checkpoint.root) {
            Ok(())
        } else {
            Err(self.does_not_follow(note))
        }
    }

    /// Takes the entries that [`leads_to`](Self::leads_to) was asked about, one by one: what they
    /// say, and whether there were so many.
    pub fn take(
        &mut self,
        note: &Note,
        entries: impl Iterator<Item = Vec<u8>>,
        count: usize,
    ) -> (Vec<Alarm>, bool) {
        let mut alarms = Vec::new();
        for entry in entries.take(count) {
            alarms.extend(self.read(&entry));
        }
        let whole = self.root(note.checkpoint.size) == Some(note.checkpoint.root);
        if whole {
            self.note = Some(note.clone());
        }
        (alarms, whole)
    }

    /// What is said of a checkpoint that cannot be of the log that was read.
    #[must_use]
    pub fn does_not_follow(&self, note: &Note) -> Alarm {
        let (ours, size) = (self.size(), note.checkpoint.size);
        let before = self.note.as_ref().map(Note::encode).unwrap_or_default();
        let words = format!(
            "SPLIT VIEW: the checkpoint at size {size} does not follow from the {ours} entries read before and those that the log serves now"
        );
        let subject = format!("{size} {}", note.checkpoint.root);
        Alarm::new(Code::SplitView, subject, words).with_notes(&[&before, &note.encode()])
    }

    /// Reads the next entry, which is of the log.
    fn read(&mut self, bytes: &[u8]) -> Vec<Alarm> {
        let index = self.size();
        let mut alarms = Vec::new();
        if let Err(found) = self.audit.read(bytes) {
            alarms.push(of_audit(index, &found));
        }
        if self.tree.push(entry_hash(bytes)).is_err() {
            let words = "the tree of entries cannot be built";
            alarms.push(Alarm::new(Code::Log, index.to_string(), words));
        }
        if let Ok(Entry::Policy(policy)) = Entry::parse(bytes) {
            alarms.extend(self.read_policy(index, policy));
        }
        alarms
    }

    fn read_policy(&mut self, index: u64, policy: Policy) -> Option<Alarm> {
        let hash = policy.hash();
        let before = self.policy.replace(policy)?;
        let follows = self.policy.as_ref().and_then(|policy| policy.prev)
            == self.root(index).map(|root| (before.hash(), index, root));
        let words = if follows {
            format!("entry {index} is a new policy, {hash}: look at whom it names")
        } else {
            format!("entry {index} is a policy that does not follow the one before")
        };
        Some(Alarm::new(Code::Policy, format!("{index} {hash}"), words))
    }

    /// Takes up entries that were found whole before, with the note that they led to.
    ///
    /// # Errors
    /// The note, if they do not lead to it.
    pub fn restore(note: Note, entries: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, Note> {
        let mut core = Self::default();
        for entry in entries {
            if core.size() == note.checkpoint.size {
                break;
            }
            // What there was to say was said when they were read first.
            core.read(&entry);
        }
        if core.root(note.checkpoint.size) == Some(note.checkpoint.root) {
            core.note = Some(note);
            Ok(core)
        } else {
            Err(note)
        }
    }
}

/// An alarm of [`schemas::audit`] as one of ours.
fn of_audit(index: u64, found: &audit::Alarm) -> Alarm {
    use audit::Alarm as Found;
    let code = match found {
        Found::HeadVersion(_)
        | Found::UnknownHead(_)
        | Found::RolledBack(_)
        | Found::Stale(_)
        | Found::List(_)
        | Found::KeyMissing { .. } => Code::Registry,
        _ => Code::Log,
    };
    Alarm::new(code, format!("entry {index}"), found.to_string())
}

/// Checks a served list of keys against its head and the list before.
#[must_use]
pub fn check_list(head: &Head, list: &[(Hash, Hash)], before: &[(Hash, Hash)]) -> Option<Alarm> {
    let found = audit::check_list(head, list, before).err()?;
    let subject = format!("list {}", head.version);
    Some(Alarm::new(Code::Registry, subject, found.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_are_read_as_they_are_written() {
        let entries = vec![b"one".to_vec(), Vec::new(), vec![7; 65_535]];
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| framed(entry)).collect();
        assert_eq!(parse_bundle(&bytes), Some(entries));
        assert_eq!(parse_bundle(&bytes[..bytes.len() - 1]), None);
        assert_eq!(parse_bundle(&[0]), None);
        assert_eq!(parse_bundle(&[0; 514]), None, "257 entries");
    }
}
