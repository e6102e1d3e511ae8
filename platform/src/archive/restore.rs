//! An archive's content back into the database, but for what was erased.

use std::path::Path;
use std::sync::Arc;

use schemas::hash::Hash;
use serde_json::Value;

use super::check::{check, open};
use super::format::{Line, Reader, Said};
use super::holder::{Holder, Returning};
use super::{ArchiveError, Tombstones, Trust};
use crate::ingest::derived;
use crate::store::{Store, StoreError};

/// Events that are put back in one transaction.
const EVENTS: usize = 1_000;

/// What came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Events whose content is in the database again.
    pub events: u64,
    /// Events that were there.
    pub there: u64,
    /// Events that were erased since, and stay so.
    pub erased: u64,
}

/// Puts the content of a file back. The file is checked whole before, and stays.
///
/// # Errors
/// [`ArchiveError`]: what came back stays, and a repetition goes on.
pub async fn restore(
    file: &Path,
    store: &Arc<dyn Store>,
    holder: &mut dyn Holder,
    (log, trust): (Hash, Trust<'_>),
) -> Result<Restored, ArchiveError> {
    let checked = check(file, trust)?;
    if checked.head.log != log {
        return Err(ArchiveError::Foreign {
            path: file.to_owned(),
            log: checked.head.log,
            ours: log,
        });
    }
    let mut restored = Restored::default();
    // Line by line again: a month of any size needs the memory of one line.
    let mut reader = Reader::open(file)?;
    while let Line::Chunk(chunk) = reader.next_line()? {
        for said in &chunk.statements {
            put_back(said, store, holder, &mut restored).await?;
        }
    }
    Ok(restored)
}

async fn put_back(
    said: &Said,
    store: &Arc<dyn Store>,
    holder: &mut dyn Holder,
    restored: &mut Restored,
) -> Result<(), ArchiveError> {
    loop {
        let erased = holder.tombstones().await?;
        let mut counted = Restored::default();
        let events = returning(said, store, &erased, &mut counted).await?;
        let mut all = true;
        for events in events.chunks(EVENTS) {
            match holder.put_back(events, erased.len()).await? {
                Some(count) => counted.events += count,
                None => all = false,
            }
        }
        if all {
            restored.events += counted.events;
            restored.there += counted.there;
            restored.erased += counted.erased;
            return Ok(());
        }
    }
}

/// What is missing of a statement and was not erased.
async fn returning(
    said: &Said,
    store: &Arc<dyn Store>,
    erased: &Tombstones,
    counted: &mut Restored,
) -> Result<Vec<Returning>, ArchiveError> {
    let statement = store.statement(&said.id).await?;
    let statement = statement.ok_or(StoreError::Corrupt("statement"))?;
    let known = store.events_of_statement(&said.id).await?;
    let mut events = Vec::new();
    for (known, kept) in known.iter().zip(&said.events) {
        let Some(content) = &kept.content else {
            continue;
        };
        if known.content.is_some() {
            counted.there += 1;
            continue;
        }
        if erased.contains_key(&kept.leaf) {
            counted.erased += 1;
            continue;
        }
        let opened = open(content).filter(|_| known.leaf == kept.leaf);
        let (event, _, salt) = opened.ok_or(StoreError::Corrupt("leaf"))?;
        let value: Value = serde_json::from_slice(event.bytes()).unwrap_or(Value::Null);
        let derived = derived(&value);
        let is_named = known.refused.is_none() && derived.event_time.is_some();
        events.push(Returning {
            statement: said.id,
            position: known.position,
            organisation: statement.device.organisation.to_string(),
            bytes: event.into_bytes(),
            salt,
            event_time: derived.event_time,
            step: derived.step,
            items: if is_named { derived.items } else { Vec::new() },
        });
    }
    Ok(events)
}
