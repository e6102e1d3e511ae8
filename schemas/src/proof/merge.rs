//! Several bundles of one log as one: what they share stands once (`proof-bundle-v2.md` section 1).
//! Paths cannot be made anew from bundles alone, so all of them must lead to one last checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::Refusal;
use super::form::{
    Bundle, CheckpointRow, EventRow, HeaderRow, KeyRow, MemberRow, StatementRow, Version,
};
use crate::log::Entry;
use crate::note::Note;
use crate::registry::Head;

/// Why bundles do not merge.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// One of them is no bundle.
    #[error("this is no proof bundle")]
    Bundle(#[from] Refusal),
    /// Each is a bundle, but together they are none: above a limit of the form, or a later header is
    /// shown at an earlier checkpoint, because a bundle showed the earlier one later than it could.
    #[error("the bundles are none together; have them made as one")]
    Together(#[source] Refusal),
    /// There is none.
    #[error("no bundle was given")]
    Nothing,
    /// A bundle of version 1: it has no place for policies in succession.
    #[error("only bundles of version 2 merge")]
    Version,
    /// They end at different checkpoints, whose paths cannot be made from bundles.
    #[error("the bundles end at different checkpoints; have them made at one")]
    Checkpoint,
    /// Their recent registry heads differ, or only some have one.
    #[error("the bundles show keys at different registry heads; have them made at one")]
    Fresh,
    /// Two rows that must be the same differ.
    #[error("the bundles disagree about {0}")]
    Differ(&'static str),
    /// A row that everything rests on cannot be read: its bundle would not verify either.
    #[error("a bundle's {0} cannot be read")]
    Broken(&'static str),
}

/// One bundle of everything that these show, in its one spelling. An event that several of them
/// show is shown with every member that any of them shows. Where all given bundles verify and the
/// log keeps its rules between batches, so does the result; nothing is verified here. That every
/// bundle shows its headers at the earliest checkpoint that covers them, as ours do, is enough for
/// them to fit each other: otherwise [`MergeError::Together`].
///
/// # Errors
/// [`MergeError`].
pub fn merge<'a>(bundles: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, MergeError> {
    let mut bundles = bundles.into_iter().map(Bundle::parse);
    let first = bundles.next().ok_or(MergeError::Nothing)??;
    let mut table = Table::of(&first)?;
    table.add(&first)?;
    for bundle in bundles {
        let bundle = bundle?;
        table.check_same_end(&bundle)?;
        table.add(&bundle)?;
    }
    let bytes = table.bundle()?.to_json();
    let bytes = bytes.map_err(|_| MergeError::Broken("rows"))?;
    Bundle::parse(&bytes).map_err(MergeError::Together)?;
    Ok(bytes)
}

/// (log index of the header, place in its registry).
type KeyAt = (u64, u64);
/// (log index of the header, place in its batch).
type StatementAt = (u64, u64);

/// Rows by what they are instead of by position.
struct Table {
    /// Policies, last checkpoint and recent head of all.
    end: Bundle,
    checkpoints: BTreeMap<u64, CheckpointRow>,
    /// With the size of the checkpoint that each is shown at.
    headers: BTreeMap<u64, (HeaderRow, u64)>,
    /// First header of each registry that any bundle shows.
    registries: BTreeMap<(u64, u64, [u8; 32]), u64>,
    keys: BTreeMap<KeyAt, KeyRow>,
    statements: BTreeMap<StatementAt, (StatementRow, [KeyAt; 2])>,
    events: BTreeMap<(StatementAt, u64), EventRow>,
}

impl Table {
    fn of(first: &Bundle) -> Result<Self, MergeError> {
        if first.version != Version::V2 {
            return Err(MergeError::Version);
        }
        Ok(Self {
            end: first.clone(),
            checkpoints: BTreeMap::new(),
            headers: BTreeMap::new(),
            registries: BTreeMap::new(),
            keys: BTreeMap::new(),
            statements: BTreeMap::new(),
            events: BTreeMap::new(),
        })
    }

    fn check_same_end(&self, bundle: &Bundle) -> Result<(), MergeError> {
        if bundle.version != Version::V2 {
            return Err(MergeError::Version);
        }
        let last = |bundle: &Bundle| {
            let row = bundle
                .checkpoints
                .last()
                .map(|row| Note::parse(&row.note.0));
            row.and_then(Result::ok).map(|note| note.checkpoint)
        };
        if bundle.policies != self.end.policies || last(bundle) != last(&self.end) {
            return Err(MergeError::Checkpoint);
        }
        let head = |bundle: &Bundle| {
            let fresh = bundle.fresh.as_ref();
            fresh.map(|fresh| (fresh.index, fresh.entry.clone()))
        };
        if head(bundle) == head(&self.end) {
            Ok(())
        } else {
            Err(MergeError::Fresh)
        }
    }

    fn add(&mut self, bundle: &Bundle) -> Result<(), MergeError> {
        let sizes = bundle
            .checkpoints
            .iter()
            .map(size)
            .collect::<Result<Vec<_>, _>>()?;
        for (row, size) in bundle.checkpoints.iter().zip(&sizes) {
            self.checkpoints.entry(*size).or_insert_with(|| row.clone());
        }
        for row in &bundle.headers {
            self.add_header(row, sizes[row.checkpoint])?;
        }
        let at = |header: usize| bundle.headers[header].index;
        // Where the keys of this bundle stand in the table; moved to first headers at the end.
        let places: Vec<KeyAt> =
            (bundle.keys.iter().map(|row| (at(row.header), row.index))).collect();
        for (row, place) in bundle.keys.iter().zip(&places) {
            self.keys.insert(*place, row.clone());
        }
        for row in &bundle.statements {
            let people = [places[row.device], places[row.organisation]];
            let known = self.statements.entry((at(row.header), row.index));
            let known = known.or_insert_with(|| (row.clone(), people));
            if known.0.statement != row.statement {
                return Err(MergeError::Differ("a statement"));
            }
            known.0.seen = known.0.seen.take().or_else(|| row.seen.clone());
        }
        for row in &bundle.events {
            let of = &bundle.statements[row.statement];
            self.add_event((at(of.header), of.index), row)?;
        }
        self.add_fresh(bundle);
        Ok(())
    }

    /// The earliest checkpoint that any bundle shows a header at bounds it best.
    fn add_header(&mut self, row: &HeaderRow, size: u64) -> Result<(), MergeError> {
        let Head {
            version,
            count,
            root,
        } = registry_of(row)?;
        let first = self
            .registries
            .entry((version, count, root.0))
            .or_insert(row.index);
        *first = row.index.min(*first);
        let known = self.headers.entry(row.index);
        let known = known.or_insert_with(|| (row.clone(), size));
        if known.0.entry != row.entry {
            return Err(MergeError::Differ("a header"));
        }
        if size < known.1 {
            *known = (row.clone(), size);
        }
        Ok(())
    }

    fn add_event(&mut self, of: StatementAt, row: &EventRow) -> Result<(), MergeError> {
        let known = self.events.entry((of, row.index));
        let known = known.or_insert_with(|| row.clone());
        match (&mut known.members, &row.members) {
            (_, None) => Ok(()),
            (None, Some(_)) => {
                *known = row.clone();
                Ok(())
            }
            (Some(known), Some(members)) => show_more(known, members),
        }
    }

    fn add_fresh(&mut self, bundle: &Bundle) {
        if let (Some(fresh), Some(more)) = (&mut self.end.fresh, &bundle.fresh) {
            let mut rows: BTreeMap<u64, _> = BTreeMap::new();
            for row in fresh.keys.iter().chain(&more.keys) {
                rows.insert(row.index, row.clone());
            }
            fresh.keys = rows.into_values().collect();
        }
    }

    /// A key stands at the first header of its registry.
    fn home(&self, (header, index): KeyAt) -> Result<KeyAt, MergeError> {
        let (row, _) = self
            .headers
            .get(&header)
            .ok_or(MergeError::Broken("keys"))?;
        let head = registry_of(row)?;
        let first = self
            .registries
            .get(&(head.version, head.count, head.root.0));
        Ok((first.copied().unwrap_or(header), index))
    }

    fn bundle(self) -> Result<Bundle, MergeError> {
        let mut keys: BTreeMap<KeyAt, KeyRow> = BTreeMap::new();
        for (place, row) in &self.keys {
            let known = keys
                .entry(self.home(*place)?)
                .or_insert_with(|| row.clone());
            if known.record != row.record {
                return Err(MergeError::Differ("a record"));
            }
        }
        let mut statements = Vec::with_capacity(self.statements.len());
        let headers = positions(self.headers.keys());
        let people = positions(keys.keys());
        for ((header, _), (row, [device, organisation])) in &self.statements {
            statements.push(StatementRow {
                header: headers[header],
                device: people[&self.home(*device)?],
                organisation: people[&self.home(*organisation)?],
                ..row.clone()
            });
        }
        let said = positions(self.statements.keys());
        let events = self.events.into_iter().map(|((of, _), row)| EventRow {
            statement: said[&of],
            ..row
        });
        let events = events.collect();
        let (checkpoints, headers_at) = used_checkpoints(self.checkpoints, &self.headers);
        let rows = self.headers.into_values().zip(headers_at);
        let rows = rows.map(|((row, _), checkpoint)| HeaderRow { checkpoint, ..row });
        let keys = keys.into_iter().map(|((header, _), row)| KeyRow {
            header: headers[&header],
            ..row
        });
        Ok(Bundle {
            checkpoints,
            headers: rows.collect(),
            keys: keys.collect(),
            statements,
            events,
            ..self.end
        })
    }
}

/// Only the checkpoints at which a header is shown, and the last; each header's position.
fn used_checkpoints(
    mut rows: BTreeMap<u64, CheckpointRow>,
    headers: &BTreeMap<u64, (HeaderRow, u64)>,
) -> (Vec<CheckpointRow>, Vec<usize>) {
    let last = rows.last_key_value().map_or(0, |(size, _)| *size);
    let used: BTreeSet<u64> = headers.values().map(|(_, size)| *size).collect();
    rows.retain(|size, _| *size == last || used.contains(size));
    let places = positions(rows.keys());
    let at = headers.values().map(|(_, size)| places[size]).collect();
    (rows.into_values().collect(), at)
}

fn positions<'k, K: Ord + Copy + 'k>(keys: impl Iterator<Item = &'k K>) -> BTreeMap<K, usize> {
    keys.copied().zip(0..).collect()
}

fn size(row: &CheckpointRow) -> Result<u64, MergeError> {
    let note = Note::parse(&row.note.0).map_err(|_| MergeError::Broken("checkpoints"))?;
    Ok(note.checkpoint.size)
}

fn registry_of(row: &HeaderRow) -> Result<Head, MergeError> {
    match Entry::parse(&row.entry.0) {
        Ok(Entry::Header(header)) => Ok(header.registry),
        _ => Err(MergeError::Broken("headers")),
    }
}

/// Members that the other disclosure of the same event shows are shown.
fn show_more(known: &mut [MemberRow], more: &[MemberRow]) -> Result<(), MergeError> {
    let names = |rows: &[MemberRow]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    if names(known) != names(more) {
        return Err(MergeError::Differ("an event"));
    }
    for (row, more) in known.iter_mut().zip(more) {
        if more.value.is_some() {
            row.clone_from(more);
        }
    }
    Ok(())
}
