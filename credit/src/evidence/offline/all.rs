//! Every decision of a store made again: `credit score replay --all --check`.

use std::fmt;

use super::replay::{Again, Unproven, again};
use crate::loan::Record;
use crate::models::in_use::table_of;
use crate::score::Model;
use crate::store::{PAGE_MAX, StoreError, Tables};

/// Decisions that are named one by one; the rest is counted.
pub const NAMED_MAX: usize = 20;

/// What came of making decisions again.
#[derive(Debug, Default)]
pub struct Tally {
    /// Decisions looked at.
    pub decisions: u64,
    /// Bytes of facts, inputs and decisions that were compared and found equal.
    pub compared: u64,
    /// Bytes that differ.
    pub differing: u64,
    /// Decisions that were not made again to the byte.
    pub unproven: u64,
    /// The first of those, with the reason.
    pub named: Vec<(String, String)>,
}

impl Tally {
    /// True if every decision came out again, byte by byte.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.unproven == 0 && self.differing == 0
    }

    fn add(&mut self, id: String, result: Result<u64, Unproven>) {
        self.decisions += 1;
        match result {
            Ok(bytes) => self.compared += bytes,
            Err(unproven) => {
                self.unproven += 1;
                self.differing += unproven.differing();
                if self.named.len() < NAMED_MAX {
                    self.named.push((id, unproven.to_string()));
                }
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} decisions made again: {} bytes the same, {} differing bytes, {} not proven",
            self.decisions, self.compared, self.differing, self.unproven
        )?;
        for (id, reason) in &self.named {
            write!(f, "\n{id}: {reason}")?;
        }
        Ok(())
    }
}

/// Makes every decision again from the bundle that the store keeps. Nothing is written. Decisions
/// that are added meanwhile may be looked at or not; none is left out.
///
/// # Errors
/// The store's. What does not come out again is no error but in the tally.
pub async fn replay_all(store: &dyn Tables, under: &Again<'_>) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    loop {
        let skip = u32::try_from(tally.decisions).unwrap_or(u32::MAX);
        let page = store.list(skip, PAGE_MAX).await?;
        if page.is_empty() {
            return Ok(tally);
        }
        for decision in page {
            let id = decision.decision_id;
            let missing = StoreError::Row { what: "decision" };
            let record = store.lookup(&id).await?.ok_or(missing)?;
            let kept = earlier(store, &record, under).await?;
            let under = Again {
                model: kept.as_ref().unwrap_or(under.model),
                ..*under
            };
            let result = replay(store, &record, &under).await?;
            tally.add(id, result);
        }
    }
}

/// The table that a decision was made by, where it is another than today's and is kept.
async fn earlier(
    store: &dyn Tables,
    record: &Record,
    under: &Again<'_>,
) -> Result<Option<Model>, StoreError> {
    let named = record.decision.model.hash;
    if named == under.model.hash {
        return Ok(None);
    }
    table_of(store, &named).await
}

async fn replay(
    store: &dyn Tables,
    record: &Record,
    under: &Again<'_>,
) -> Result<Result<u64, Unproven>, StoreError> {
    let Some(hash) = record.evidence() else {
        return Ok(Err(Unproven::Unnamed));
    };
    let papers = match record.papers() {
        Some(hash) => store.evidence(&hash).await?,
        None => None,
    };
    Ok(match store.evidence(&hash).await? {
        Some(bundle) => again(record, &bundle, papers.as_deref(), under),
        None => Err(Unproven::Missing(hash)),
    })
}
