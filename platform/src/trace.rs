//! The life of one product, read out of the stored events: what a product page, a recall and a
//! bank look at.
//!
//! Everything here is pure apart from reading through [`JourneySource`]. A journey starts at one
//! [`Item`] and goes breadth first, one query a level: the events that name the item, then those
//! of the containers that it was in, for as long as it was in them (EPCIS 2.0 §7.4.3, aggregation
//! in time); what a transformation made it from is listed, not followed. Nothing that was recorded
//! is left out for being awkward: corrections stand beside what they correct, a series whose time
//! repeats or jumps back keeps its order and says so, breaks are never joined.
//!
//! | module | what it holds |
//! |---|---|
//! | [`item`] | the product key that a journey starts from |
//! | [`event`] | the reading view of one EPCIS event |
//! | [`collect`] | the breadth-first walk |
//! | [`journey`] | steps in time order and what follows from them |
//! | [`curve`] | sensor series: excursions, breaks, marks |
//! | [`stored`] | the port to the store |
//! | [`gap`] | what devices of the holders kept back during the journey |
//! | [`verdict`] | the one rule that turns all this into a word |

pub mod collect;
mod conceal;
pub mod curve;
pub mod event;
pub mod gap;
pub mod item;
pub mod journey;
pub mod stored;
pub mod verdict;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use curve::{Curve, Excursion, Limits, Mark, Reading};
pub use event::{Stated, Thing};
pub use gap::{Gap, GapKind};
pub use item::Item;
pub use journey::{Ancestor, Correction, Entry, Holder, Journey, Step};
pub use schemas::event::Source;
pub use stored::JourneySource;
pub use verdict::{Facts, Finding, Proof, Reason, Standing, Verdict, Witness};

use crate::disclosure::Rules;

/// Why no journey could be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The store failed; try again later.
    #[error("the store could not be read")]
    Store(#[from] crate::store::StoreError),
}

/// Reads the journey of `item` as the audience of the rules may see it: `None` if no accepted event names it (an unknown code).
///
/// Costs one query for the item, one for each level of containers (at most
/// [`collect::MAX_DEPTH`]), one for the names of what it was made from, and a look-up by key for
/// each statement of sensor events.
///
/// # Errors
/// When the store fails.
pub async fn journey_of<S: JourneySource + ?Sized>(
    source: &S,
    item: &Item,
    rules: &Rules,
) -> Result<Option<Journey>, TraceError> {
    let mut gathered = collect::gather(source, item).await?;
    if gathered.events.is_empty() {
        return Ok(None);
    }
    conceal::conceal(&mut gathered, item, rules);
    let mut journey = journey::build(item, gathered);
    collect::name_ancestors(source, &mut journey, rules).await?;
    Ok(Some(journey))
}
