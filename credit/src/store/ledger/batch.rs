//! Entries on their way into the tables: each once, without what is kept already, with the page
//! that they make.

use std::collections::{BTreeMap, BTreeSet};

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::{ENTRIES_MAX, Kept, Posted, Refused};
use crate::ledger::chain::{End, Lane, Page, entry_hash};
use crate::ledger::{Entry, EntryKey, EntryKind};

/// Entries of one call, each key once, in the order in which they were given.
#[derive(Clone, Debug)]
pub(crate) struct Batch<'e> {
    entries: Vec<(&'e Entry, Hash)>,
    given: usize,
}

impl<'e> Batch<'e> {
    /// Takes entries; the same one twice is one.
    pub(crate) fn new(entries: &'e [Entry]) -> Result<Self, Refused> {
        let given = entries.len();
        if given > ENTRIES_MAX {
            return Err(Refused::TooMany(given));
        }
        let mut hashes: BTreeMap<&EntryKey, Hash> = BTreeMap::new();
        let mut once = Vec::with_capacity(given);
        for entry in entries {
            let hash = entry_hash(entry);
            match hashes.insert(entry.key(), hash) {
                Some(other) if other != hash => {
                    return Err(Refused::KeyTaken(entry.key().clone()));
                }
                Some(_) => {}
                None => once.push((entry, hash)),
            }
        }
        Ok(Self {
            entries: once,
            given,
        })
    }

    /// Its entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &'e Entry> {
        self.entries.iter().map(|(entry, _)| *entry)
    }

    /// Their keys.
    pub(crate) fn keys(&self) -> Vec<&'e str> {
        self.entries().map(|entry| entry.key().as_str()).collect()
    }

    /// The same without entries that are kept already.
    pub(crate) fn without(&self, kept: &BTreeMap<String, Hash>) -> Result<Self, Refused> {
        let mut left = self.clone();
        if kept.is_empty() {
            return Ok(left);
        }
        for (entry, hash) in &self.entries {
            let other = kept.get(entry.key().as_str()).filter(|kept| *kept != hash);
            if other.is_some() {
                return Err(Refused::KeyTaken(entry.key().clone()));
            }
        }
        let is_new = |entry: &Entry| !kept.contains_key(entry.key().as_str());
        left.entries.retain(|(entry, _)| is_new(entry));
        Ok(left)
    }

    /// The lane that it is added to: that of its first entry. None if there is nothing to add.
    pub(crate) fn lane(&self) -> Option<Lane> {
        let first = self.entries().next();
        first.map(|first| Lane::of(first.loan()))
    }

    /// What was posted if this is what was added.
    pub(crate) fn posted(&self) -> Posted {
        let added = self.entries.len();
        Posted {
            added,
            repeated: self.given - added,
        }
    }

    /// Keys that its entries correct.
    pub(crate) fn corrected(&self) -> Vec<&'e str> {
        let corrected = self.entries().filter_map(Entry::corrects);
        corrected.map(EntryKey::as_str).collect()
    }

    /// Whether each correction fits what it corrects: an entry that is kept, or one before it in
    /// this batch. `reversed`: what was taken back before.
    pub(crate) fn check_corrections(
        &self,
        kept: &BTreeMap<String, Kept>,
        reversed: &BTreeSet<String>,
    ) -> Result<(), Refused> {
        let mut before: BTreeMap<&str, &Entry> = BTreeMap::new();
        let mut reversed: BTreeSet<&str> = reversed.iter().map(String::as_str).collect();
        for entry in self.entries() {
            if let Some(name) = entry.corrects() {
                let kept = kept.get(name.as_str()).map(|kept| &kept.entry);
                let found = kept.or_else(|| before.get(name.as_str()).copied());
                check_correction(entry, name, found, &mut reversed)?;
            }
            before.insert(entry.key().as_str(), entry);
        }
        Ok(())
    }

    /// Its page behind the end of its lane.
    pub(crate) fn page(&self, book: &Slug, lane: Lane, end: End, at: Instant) -> Page {
        let hashes: Vec<Hash> = self.entries.iter().map(|(_, hash)| *hash).collect();
        Page::after(end, book, lane, &hashes, at)
    }

    /// Its entries on that page.
    pub(crate) fn rows(&self, page: &Page) -> Vec<Row<'e>> {
        let numbered = (page.first..).zip(&self.entries);
        let row = |(number, (entry, hash)): (i64, &(&'e Entry, Hash))| Row {
            number,
            entry,
            hash: *hash,
        };
        numbered.map(row).collect()
    }
}

fn check_correction<'e>(
    entry: &'e Entry,
    name: &'e EntryKey,
    found: Option<&Entry>,
    reversed: &mut BTreeSet<&'e str>,
) -> Result<(), Refused> {
    let (key, corrects) = (entry.key().clone(), name.clone());
    let Some(found) = found.filter(|found| found.loan() == entry.loan()) else {
        return Err(Refused::NotThere { key, corrects });
    };
    if entry.kind() != EntryKind::Reversal {
        return Ok(());
    }
    if !entry.takes_back(found) {
        return Err(Refused::NotItsReversal { key, corrects });
    }
    if !reversed.insert(name.as_str()) {
        return Err(Refused::ReversedBefore { key, corrects });
    }
    Ok(())
}

/// An entry with its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'e> {
    pub(crate) number: i64,
    pub(crate) entry: &'e Entry,
    pub(crate) hash: Hash,
}
