//! Rows of events.

use schemas::event::Event;
use schemas::hash::Hash;
use schemas::merkle::Tree;
use schemas::proof::{EventRow, member_rows};

use super::{BundleError, Chosen};
use crate::disclosure::{Withholding, step_of};
use crate::store::{KeptEvent, KeptStatement};

pub(super) fn event_rows(
    statement: usize,
    (kept, wanted): (&KeptStatement, &Chosen),
    leaves: &[KeptEvent],
    withholding: &impl Withholding,
) -> Result<Vec<EventRow>, BundleError> {
    let hashes: Vec<Hash> = leaves.iter().map(|event| event.leaf).collect();
    let Some(tree) = Tree::new(&hashes) else {
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    for event in leaves {
        let chosen = match wanted {
            Chosen::All => true,
            Chosen::Places(places) => places.contains(&event.position),
        };
        // A refused event proves nothing, and a verifier refuses it.
        if !chosen || event.refused.is_some() {
            continue;
        }
        let index = usize::try_from(event.position).map_err(|_| BundleError::Broken("place"))?;
        let path = tree.path(index).ok_or(BundleError::Broken("event path"))?;
        let members = match &event.content {
            None => None,
            Some((bytes, salt)) => {
                let parsed =
                    Event::parse(bytes.clone()).map_err(|_| BundleError::Broken("event"))?;
                let step = step_of(&parsed);
                let withheld = |name: &str| withholding.withholds(kept, step.as_deref(), name);
                Some(member_rows(&parsed, salt, withheld))
            }
        };
        rows.push(EventRow {
            statement,
            index: event.position,
            path: path.into(),
            leaf: members.is_none().then(|| event.leaf.into()),
            source: members.is_some().then(|| u64::from(event.source.number())),
            members,
        });
    }
    Ok(rows)
}
