//! Rows of a bundle.

use std::collections::BTreeMap;

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::SecretKey;
use schemas::merkle;
use schemas::proof::{Bytes, EventRow, Path, StatementRow, member_rows};
use schemas::statement::WireEvent;

use super::{HoldBack, Spoken};

/// A statement's row, alone in its batch.
pub fn statement_row(
    position: usize,
    one: &Spoken,
    places: &BTreeMap<Hash, usize>,
    organisations: &BTreeMap<Slug, SecretKey>,
) -> StatementRow {
    let organisation = &organisations[&one.statement.payload.device.organisation];
    StatementRow {
        statement: Bytes(one.statement.bytes().to_vec()),
        header: position,
        index: 0,
        path: Path::default(),
        device: places[&one.statement.kid],
        organisation: places[&organisation.kid()],
        later: None,
        seen: None,
    }
}

/// The rows of a statement's events.
pub fn event_rows(
    position: usize,
    order: usize,
    one: &Spoken,
    hold_back: &HoldBack,
) -> Vec<EventRow> {
    let leaves: Vec<Hash> = one.events.iter().map(WireEvent::leaf).collect();
    let Some(tree) = merkle::Tree::new(&leaves) else {
        return Vec::new();
    };
    let row = |(n, event): (usize, &WireEvent)| {
        let index = n as u64;
        let hidden = hold_back.events.contains(&(order, index));
        let withhold = |name: &str| hold_back.member == Some(name);
        EventRow {
            statement: position,
            index,
            path: tree.path(n).unwrap().into(),
            leaf: hidden.then(|| leaves[n].into()),
            source: (!hidden).then(|| u64::from(event.source.number())),
            members: (!hidden).then(|| member_rows(&event.event, &event.salt, withhold)),
        }
    };
    one.events.iter().enumerate().map(row).collect()
}
