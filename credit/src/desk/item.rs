//! What people keep beside a decision: who looks after it, notes, tasks, documents. Rows are only
//! ever added; the newest assignment counts, and a task is done by a row of its own.

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

/// Longest note in characters.
pub const TEXT_MAX: usize = 4_000;
/// Longest task, and longest reason of a reassignment, in characters.
pub const LINE_MAX: usize = 200;
/// Longest name of a document in characters.
pub const FILE_NAME_MAX: usize = 120;
/// Largest document in bytes: a scanned contract of some pages.
pub const DOCUMENT_MAX: usize = 5 * 1024 * 1024;
/// Most rows beside one decision; whoever needs more has lost the thread.
pub const ITEMS_MAX: usize = 500;
/// Most documents beside one decision, so that one decision never holds more than 100 MiB.
pub const DOCUMENTS_MAX: usize = 20;

/// Types of documents that are kept. Which one a file is, its first bytes say, never its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A PDF document.
    Pdf,
    /// A PNG picture.
    Png,
    /// A JPEG picture.
    Jpeg,
    /// Plain text in UTF-8.
    Text,
}

impl Media {
    /// What the content is; none for everything else. Text has no control characters but tabs and
    /// line ends.
    #[must_use]
    pub fn of(content: &[u8]) -> Option<Self> {
        let plain = |letter: char| !letter.is_control() || "\t\r\n".contains(letter);
        match content {
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [] => None,
            text => {
                let text = std::str::from_utf8(text).ok()?;
                text.chars().all(plain).then_some(Self::Text)
            }
        }
    }

    /// Its type as a header says it.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The ending of its name.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Text => "txt",
        }
    }
}

/// What was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// Somebody looks after the decision from now on; nobody in particular if none is named.
    Assignment {
        /// Who.
        officer: Option<Slug>,
        /// Why; only the first assignment needs none.
        reason: String,
    },
    /// Something worth knowing.
    Note {
        /// In words, at most [`TEXT_MAX`] characters.
        text: String,
    },
    /// Something to be done.
    Task {
        /// What, at most [`LINE_MAX`] characters.
        what: String,
        /// By whom.
        who: Slug,
        /// Until when.
        #[serde(with = "crate::rfc3339")]
        until: Instant,
    },
    /// The task of the same key is done.
    Done,
    /// A file; its key is the SHA-256 in hex.
    Document {
        /// Its name, without folders.
        name: String,
        /// What it is.
        media: Media,
        /// How large, in bytes.
        bytes: u64,
    },
}

impl What {
    /// Its kind as rows have it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Assignment { .. } => "assignment",
            Self::Note { .. } => "note",
            Self::Task { .. } => "task",
            Self::Done => "done",
            Self::Document { .. } => "document",
        }
    }

    /// Whom it concerns, if that is one person.
    #[must_use]
    pub fn person(&self) -> Option<&Slug> {
        match self {
            Self::Assignment { officer, .. } => officer.as_ref(),
            Self::Task { who, .. } => Some(who),
            Self::Note { .. } | Self::Done | Self::Document { .. } => None,
        }
    }
}

/// A row beside a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The decision.
    pub decision_id: String,
    /// Unique for its decision and kind: the number of an assignment, a document's SHA-256, else
    /// what the form gave, so that a form that is sent twice adds one row.
    pub key: String,
    /// What.
    pub what: What,
    /// Who added it.
    pub by: Slug,
    /// When.
    pub at: Instant,
}

impl Item {
    /// The SHA-256 of a document.
    #[must_use]
    pub fn sha256(&self) -> Option<Hash> {
        match self.what {
            What::Document { .. } => self.key.parse().ok(),
            _ => None,
        }
    }
}

/// The key of an assignment: numbers sort as text.
#[must_use]
pub fn assignment_key(number: usize) -> String {
    format!("{number:06}")
}

/// A task and whether it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its key.
    pub key: String,
    /// What.
    pub what: String,
    /// By whom.
    pub who: Slug,
    /// Until when.
    pub until: Instant,
    /// Who asked for it.
    pub by: Slug,
    /// Who did it, and when.
    pub done: Option<(Slug, Instant)>,
}

impl Task {
    /// True if it is open and its time is over.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.done.is_none() && self.until < now
    }
}

/// Everything beside one decision, put in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Who looks after it.
    pub officer: Option<Slug>,
    /// How many assignments there were.
    pub assignments: usize,
    /// Notes, oldest first.
    pub notes: Vec<Item>,
    /// Tasks, those that are due first at the top.
    pub tasks: Vec<Task>,
    /// Documents, oldest first.
    pub documents: Vec<Item>,
}

impl Beside {
    /// Of rows in the order in which they were added.
    #[must_use]
    pub fn of(items: Vec<Item>) -> Self {
        let mut beside = Self::default();
        let mut done = Vec::new();
        for item in items {
            match item.what.clone() {
                What::Assignment { officer, .. } => {
                    beside.officer = officer;
                    beside.assignments += 1;
                }
                What::Note { .. } => beside.notes.push(item),
                What::Document { .. } => beside.documents.push(item),
                What::Task { what, who, until } => beside.tasks.push(Task {
                    key: item.key,
                    what,
                    who,
                    until,
                    by: item.by,
                    done: None,
                }),
                What::Done => done.push(item),
            }
        }
        for item in done {
            let task = beside.tasks.iter_mut().find(|task| task.key == item.key);
            if let Some(task) = task {
                task.done = Some((item.by, item.at));
            }
        }
        beside.tasks.sort_by_key(|task| task.until);
        beside
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let done = self.tasks.iter().filter(|task| task.done.is_some());
        self.assignments + self.notes.len() + self.tasks.len() + self.documents.len() + done.count()
    }

    /// True if there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_bytes_say() {
        assert_eq!(Media::of(b"%PDF-1.7\n"), Some(Media::Pdf));
        assert_eq!(Media::of(b"\x89PNG\r\n\x1a\n"), Some(Media::Png));
        assert_eq!(Media::of(b"\xff\xd8\xff\xe0"), Some(Media::Jpeg));
        assert_eq!(Media::of("合同\r\n".as_bytes()), Some(Media::Text));
        for other in [&b""[..], b"MZ\x90\0", b"\xfe\xff\0a", b"a\x1b[2J"] {
            assert_eq!(Media::of(other), None);
        }
    }

    #[test]
    fn the_newest_assignment_counts_and_a_task_is_done_by_its_key() {
        let item = |key: &str, what| Item {
            decision_id: "d".to_owned(),
            key: key.to_owned(),
            what,
            by: "li-wei".parse().unwrap(),
            at: Instant::from_micros(7),
        };
        let assigned = |officer: &str| What::Assignment {
            officer: officer.parse().ok(),
            reason: String::new(),
        };
        let task = |until| What::Task {
            what: "call".to_owned(),
            who: "wang-fang".parse().unwrap(),
            until: Instant::from_micros(until),
        };
        let beside = Beside::of(vec![
            item("000001", assigned("li-wei")),
            item("a", task(20)),
            item("b", task(10)),
            item("a", What::Done),
            item("000002", assigned("wang-fang")),
        ]);
        assert_eq!(beside.officer, "wang-fang".parse().ok());
        let keys: Vec<&str> = beside.tasks.iter().map(|task| &*task.key).collect();
        assert_eq!((keys, beside.len()), (vec!["b", "a"], 5));
        assert!(beside.tasks[0].is_overdue(Instant::from_micros(11)));
        assert!(!beside.tasks[1].is_overdue(Instant::from_micros(99)));
    }
}
