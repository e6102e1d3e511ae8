//! What a verdict says beside the events (`proof-bundle-v2.md` section 5).

use std::collections::BTreeMap;
use std::time::Duration;

use super::fresh::CheckedFresh;
use super::headers::CheckedHeader;
use super::keys::CheckedKey;
use crate::epcis::rule::parse_event_time;
use crate::hash::Hash;
use crate::proof::{KeyState, Mark, VerifiedEvent, VerifiedStatement};
use crate::registry::{Record, State};
use crate::time::Instant;

/// An event anchored later than this after its own time is late.
const LATE: Duration = Duration::from_secs(172_800);

/// What the bundle says of one key.
pub(super) struct Known {
    pub(super) newest: KeyState,
    /// The earliest instant from which any record calls it compromised.
    compromised: Option<Instant>,
}

/// Every key of the bundle by its kid.
pub(super) fn known(
    headers: &[CheckedHeader],
    keys: &[CheckedKey],
    fresh: Option<&CheckedFresh>,
) -> BTreeMap<Hash, Known> {
    let mut known = BTreeMap::new();
    for key in keys {
        let version = headers[key.header].header.registry.version;
        learn(&mut known, &key.signed.record, version, None);
    }
    if let Some(fresh) = fresh {
        for signed in fresh.records.values() {
            let version = fresh.head.version;
            learn(&mut known, &signed.record, version, Some(fresh.time));
        }
    }
    known
}

fn learn(
    known: &mut BTreeMap<Hash, Known>,
    record: &Record,
    registry_version: u64,
    time: Option<Instant>,
) {
    let state = KeyState {
        state: record.state,
        version: record.version,
        registry_version,
        time,
    };
    let entry = known.entry(record.kid()).or_insert_with(|| Known {
        newest: state.clone(),
        compromised: None,
    });
    if record.version >= entry.newest.version {
        entry.newest = state;
    } else {
        entry.newest.registry_version = registry_version;
    }
    if let State::Revoked {
        compromised_since: Some(since),
    } = record.state
    {
        let earlier = entry.compromised.is_none_or(|known| since < known);
        entry.compromised = if earlier {
            Some(since)
        } else {
            entry.compromised
        };
    }
}

/// The marks of an event, in the order of the table.
pub(super) fn of(
    event: &VerifiedEvent,
    statement: &VerifiedStatement,
    known: &BTreeMap<Hash, Known>,
) -> Vec<Mark> {
    let compromised = known
        .get(&statement.statement.kid)
        .and_then(|key| key.compromised);
    let marks = [
        is_late(event, statement.anchored).then_some(Mark::Late),
        compromised
            .is_some_and(|since| statement.anchored >= since)
            .then_some(Mark::Compromised),
        match statement.key.state {
            State::Active => None,
            State::Revoked { .. } => Some(Mark::Revoked),
            State::Suspended => Some(Mark::Suspended),
            State::Retired { .. } => Some(Mark::Retired),
        },
    ];
    marks.into_iter().flatten().collect()
}

fn is_late(event: &VerifiedEvent, anchored: Instant) -> bool {
    let value = event.value("eventTime");
    let time = value.as_ref().and_then(|value| value.as_str());
    let time = time.and_then(parse_event_time);
    time.is_some_and(|time| time.instant().plus(LATE) < anchored)
}
