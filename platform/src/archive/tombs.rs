//! What was erased is taken out of archives, too, and what is to be erased is looked for in them.

use std::collections::{BTreeMap, BTreeSet};

use schemas::epcis::EventFacts;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::proof::Report;
use schemas::time::Instant;
use serde_json::Value;

use super::check::{Checked, check, walk};
use super::format::{Content, Head, Line, Reader, Writer};
use super::{ArchiveError, Folder, Part, Tombstones, Trust};

/// What is looked for.
#[derive(Clone, Debug)]
pub enum Wanted<'w> {
    /// Events that name a thing or hold one of its spellings.
    Item {
        /// Canonical name.
        key: &'w str,
        /// Other ways to write it.
        spellings: &'w [String],
    },
    /// Events of a device with an event time from..=to; one without, by when it was made.
    Device {
        /// Which.
        device: &'w DeviceAddress,
        /// First instant.
        from: Instant,
        /// Last instant.
        to: Instant,
    },
}

/// An event in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its leaf.
    pub leaf: Hash,
    /// Statement.
    pub statement: Hash,
    /// Place in it.
    pub position: u64,
}

/// Events of all archives that are looked for. Reads every file.
///
/// # Errors
/// [`ArchiveError`].
pub fn find(folder: &Folder, wanted: &Wanted<'_>) -> Result<BTreeSet<Found>, ArchiveError> {
    let mut found = BTreeSet::new();
    for part in folder.parts()? {
        walk(&folder.path(&part), None, |chunk, report| {
            for said in &chunk.statements {
                for (position, kept) in (0..).zip(&said.events) {
                    let is_wanted = |content| wanted.is(content, said.id, report);
                    if kept.content.as_ref().is_some_and(is_wanted) {
                        found.insert(Found {
                            leaf: kept.leaf,
                            statement: said.id,
                            position,
                        });
                    }
                }
            }
            Ok(())
        })?;
    }
    Ok(found)
}

impl Wanted<'_> {
    fn is(&self, content: &Content, statement: Hash, report: &Report) -> bool {
        let value: Value = serde_json::from_str(&content.event).unwrap_or(Value::Null);
        let facts = EventFacts::read(&value).ok();
        match self {
            Self::Item { key, spellings } => {
                let mut items = facts.iter().flat_map(|facts| &facts.items);
                let spelled = |text: &String| content.event.contains(text.as_str());
                items.any(|item| item.key.as_str() == *key)
                    || content.event.contains(key)
                    || spellings.iter().any(spelled)
            }
            Self::Device { device, from, to } => {
                let mut of = report.statements.iter().filter(|one| one.id == statement);
                let Some(of) = of.next() else { return false };
                let payload = &of.statement.payload;
                let time = facts.map_or(payload.made, |facts| facts.event_time);
                payload.device == **device && (*from..=*to).contains(&time)
            }
        }
    }
}

/// Takes erased events out of every file of a folder: a file with one of them is written anew
/// without it, checked, made durable and put in its own place. Those that were written.
///
/// # Errors
/// [`ArchiveError`]: files that are done stay done.
pub fn forget(
    folder: &Folder,
    erased: &Tombstones,
    trust: Trust<'_>,
    now: Instant,
) -> Result<BTreeMap<Part, Checked>, ArchiveError> {
    let mut written = BTreeMap::new();
    if erased.is_empty() {
        return Ok(written);
    }
    for part in folder.parts()? {
        if holds_erased(folder, &part, erased)? {
            let checked = write_without(folder, &part, erased, trust, now)?;
            written.insert(part, checked);
        }
    }
    Ok(written)
}

fn holds_erased(folder: &Folder, part: &Part, erased: &Tombstones) -> Result<bool, ArchiveError> {
    let mut reader = Reader::open(&folder.path(part))?;
    loop {
        let Line::Chunk(chunk) = reader.next_line()? else {
            return Ok(false);
        };
        let mut events = chunk.statements.iter().flat_map(|said| &said.events);
        if events.any(|kept| kept.content.is_some() && erased.contains_key(&kept.leaf)) {
            return Ok(true);
        }
    }
}

fn write_without(
    folder: &Folder,
    part: &Part,
    erased: &Tombstones,
    trust: Trust<'_>,
    now: Instant,
) -> Result<Checked, ArchiveError> {
    let mut reader = Reader::open(&folder.path(part))?;
    let head = Head {
        made: now.to_rfc3339(),
        ..reader.head.clone()
    };
    let beside = folder.beside(part);
    let mut writer = Writer::begin(beside.clone(), &head)?;
    let mut gone = BTreeMap::new();
    let before = loop {
        match reader.next_line()? {
            Line::Chunk(mut chunk) => {
                let events = chunk
                    .statements
                    .iter_mut()
                    .flat_map(|said| &mut said.events);
                for kept in events {
                    if let Some(list) = erased.get(&kept.leaf) {
                        kept.content = None;
                        gone.insert(kept.leaf.to_string(), *list);
                    }
                }
                writer.chunk(&chunk)?;
            }
            Line::Last { manifest, .. } => break manifest,
        }
    };
    gone.extend(before.erased);
    writer.end(gone)?;
    let checked = check(&beside, trust)?;
    folder.put(part)?;
    Ok(checked)
}
