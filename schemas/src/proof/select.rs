//! A few events out of a large bundle, with exactly what proves them (`proof-bundle.md` section 1
//! allows no row that is not used). No path changes: rows are left out, and positions renumbered.

use std::collections::{BTreeMap, BTreeSet};

use super::Refusal;
use super::check::leaf_of_row;
use super::form::{Bundle, Bytes, HeaderRow};
use crate::hash::Hash;
use crate::log::Entry;
use crate::registry::{Head, SignedRecord};

/// Why nothing could be selected.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// What was given is no bundle.
    #[error("this is no proof bundle")]
    Bundle(#[from] Refusal),
    /// No event was asked for; a bundle without statements does not exist.
    #[error("no event was chosen")]
    Nothing,
    /// The bundle does not hold this event.
    #[error("the bundle holds no event {0}")]
    Unknown(Hash),
    /// A row that everything rests on cannot be read: the bundle would not verify either.
    #[error("the bundle's {0} cannot be read")]
    Broken(&'static str),
}

/// The bundle of these events only, in its one spelling. Where the given bundle verifies, so does
/// this one, under the same policy and at the same checkpoints; nothing that was not asked for is
/// in it. An event that stands in it twice is shown once, where it was anchored first. The given
/// bundle is not verified here.
///
/// # Errors
/// [`SelectError`].
pub fn select(bundle: &[u8], leaves: &BTreeSet<Hash>) -> Result<Vec<u8>, SelectError> {
    if leaves.is_empty() {
        return Err(SelectError::Nothing);
    }
    let mut bundle = Bundle::parse(bundle)?;
    keep_events(&mut bundle, leaves)?;
    keep_statements(&mut bundle);
    keep_headers_and_keys(&mut bundle)?;
    keep_checkpoints(&mut bundle);
    keep_fresh(&mut bundle)?;
    bundle.to_json().map_err(|_| SelectError::Broken("rows"))
}

fn keep_events(bundle: &mut Bundle, leaves: &BTreeSet<Hash>) -> Result<(), SelectError> {
    let mut missing = leaves.clone();
    bundle
        .events
        .retain(|row| leaf_of_row(row).is_some_and(|leaf| missing.remove(&leaf)));
    match missing.first() {
        Some(leaf) => Err(SelectError::Unknown(*leaf)),
        None => Ok(()),
    }
}

fn keep_statements(bundle: &mut Bundle) {
    let used = bundle.events.iter().map(|row| row.statement).collect();
    let places = keep(&mut bundle.statements, &used);
    for row in &mut bundle.events {
        row.statement = places[&row.statement];
    }
}

/// A key is proven at the first header of its registry: without that header, at the next one that
/// has the same registry.
fn keep_headers_and_keys(bundle: &mut Bundle) -> Result<(), SelectError> {
    let heads = bundle.headers.iter().map(registry_head);
    let heads: Vec<Head> = heads.collect::<Result<_, _>>()?;
    let used: BTreeSet<usize> = bundle.statements.iter().map(|row| row.header).collect();
    let keys = bundle
        .statements
        .iter()
        .flat_map(|row| [row.device, row.organisation])
        .collect();
    for row in &mut bundle.keys {
        let same = |header: &&usize| heads.get(**header) == heads.get(row.header);
        if let Some(first) = used.iter().find(same) {
            row.header = *first;
        }
    }
    let headers = keep(&mut bundle.headers, &used);
    let keys = keep(&mut bundle.keys, &keys);
    for row in &mut bundle.keys {
        let place = headers.get(&row.header);
        row.header = *place.ok_or(SelectError::Broken("keys"))?;
    }
    for row in &mut bundle.statements {
        row.header = headers[&row.header];
        (row.device, row.organisation) = (keys[&row.device], keys[&row.organisation]);
    }
    Ok(())
}

fn registry_head(row: &HeaderRow) -> Result<Head, SelectError> {
    match Entry::parse(&row.entry.0) {
        Ok(Entry::Header(header)) => Ok(header.registry),
        _ => Err(SelectError::Broken("headers")),
    }
}

/// The last checkpoint stays in any case: the policies are proven at it.
fn keep_checkpoints(bundle: &mut Bundle) {
    let last = bundle.checkpoints.len().saturating_sub(1);
    let used = bundle.headers.iter().map(|row| row.checkpoint);
    let used = used.chain([last]).collect();
    let places = keep(&mut bundle.checkpoints, &used);
    for row in &mut bundle.headers {
        row.checkpoint = places[&row.checkpoint];
    }
}

/// Of the recent head only the kept keys and who signed their records.
fn keep_fresh(bundle: &mut Bundle) -> Result<(), SelectError> {
    let Some(fresh) = &mut bundle.fresh else {
        return Ok(());
    };
    let read = |bytes: &Bytes| {
        let signed = SignedRecord::parse(bytes.0.clone());
        signed.map_err(|_| SelectError::Broken("records"))
    };
    let mut wanted = BTreeSet::new();
    for row in &bundle.keys {
        wanted.insert(read(&row.record)?.record.kid());
    }
    let rows: Vec<SignedRecord> =
        (fresh.keys.iter().map(|row| read(&row.record))).collect::<Result<_, _>>()?;
    let signer = |row: &SignedRecord| wanted.contains(&row.record.kid()).then_some(row.signer);
    let signers: BTreeSet<Hash> = rows.iter().filter_map(signer).collect();
    wanted.extend(signers);
    let used = (rows.iter().enumerate())
        .filter(|(_, row)| wanted.contains(&row.record.kid()))
        .map(|(position, _)| position)
        .collect();
    keep(&mut fresh.keys, &used);
    Ok(())
}

/// Leaves only the rows at these positions; where each of them stands now.
fn keep<T>(rows: &mut Vec<T>, used: &BTreeSet<usize>) -> BTreeMap<usize, usize> {
    let mut position = 0..;
    rows.retain(|_| position.next().is_some_and(|at| used.contains(&at)));
    used.iter()
        .enumerate()
        .map(|(now, was)| (*was, now))
        .collect()
}
