//! Completeness: what a supplier's devices signed, and what is missing between.
//!
//! Each device's statements form a chain (`statement.md` section 3): epoch and seq count without a
//! gap, each names the one before. Whatever breaks that, and whatever is withheld, is a [`Gap`],
//! and a gap is unfavourable: what cannot be seen is not assumed to be good. A device that is left
//! out altogether cannot be found here; the page says so.

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::verified::{VerifiedEvent, VerifiedEvidence, VerifiedStatement};
use crate::facts::event::hides_a_fact;

/// Something that is not there, or not shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// Whose chain.
    pub device: DeviceAddress,
    /// What is missing.
    #[serde(flatten)]
    pub missing: Missing,
}

/// What is missing in a chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Missing {
    /// Statements `from` to `to` of an epoch, both inclusive.
    Seqs {
        /// The epoch.
        epoch: u64,
        /// First missing seq.
        from: u64,
        /// Last missing seq.
        to: u64,
    },
    /// Whole epochs before this one.
    Epochs {
        /// The first epoch that is there again.
        before: u64,
    },
    /// An epoch that begins anew: the device had lost its place.
    EpochStart {
        /// The epoch.
        epoch: u64,
    },
    /// A statement that does not name the one before it.
    Link {
        /// Its epoch.
        epoch: u64,
        /// Its seq.
        seq: u64,
    },
    /// Two different statements in one place.
    Fork {
        /// Their epoch.
        epoch: u64,
        /// Their seq.
        seq: u64,
    },
    /// Nothing for longer than the device's heartbeat, up to the end of the evidence.
    Silence {
        /// Anchored time of its last statement.
        #[serde(with = "crate::rfc3339")]
        since: Instant,
        /// End of the evidence.
        #[serde(with = "crate::rfc3339")]
        until: Instant,
    },
    /// Events that the device itself threw away.
    Thinned {
        /// The note's epoch.
        epoch: u64,
        /// The note's seq.
        seq: u64,
        /// How many events.
        dropped: u64,
    },
    /// Events that are there but not shown, or not shown where a fact would come from.
    Withheld {
        /// The statement's epoch.
        epoch: u64,
        /// The statement's seq.
        seq: u64,
        /// How many events.
        events: u32,
    },
}

/// Every gap in the chains of an organisation's devices, as of an instant, in order of device and
/// kind. `grace` is added to each heartbeat before silence counts.
#[must_use]
pub fn gaps(
    evidence: &VerifiedEvidence,
    organisation: &Slug,
    as_of: Instant,
    grace: Duration,
) -> Vec<Gap> {
    let shown = shown_events(evidence);
    let mut found = Vec::new();
    for (device, chain) in chains(evidence, organisation, as_of) {
        let end = evidence.anchored.min(as_of);
        let mut missing = breaks(&chain);
        missing.extend(silence(&chain, end, grace));
        missing.extend(notes_and_withheld(&chain, &shown));
        found.extend(missing.into_iter().map(|missing| Gap {
            device: device.clone(),
            missing,
        }));
    }
    found.sort();
    found.dedup();
    found
}

type Chain<'a> = Vec<&'a VerifiedStatement>;

fn chains<'a>(
    evidence: &'a VerifiedEvidence,
    organisation: &'a Slug,
    as_of: Instant,
) -> BTreeMap<DeviceAddress, Chain<'a>> {
    let mut chains: BTreeMap<DeviceAddress, Chain<'a>> = BTreeMap::new();
    for statement in evidence.of(organisation, as_of) {
        chains
            .entry(statement.device.clone())
            .or_default()
            .push(statement);
    }
    for chain in chains.values_mut() {
        chain.sort_by_key(|statement| (statement.epoch, statement.seq, statement.id));
        // One statement in two batches counts once (`log.md` section 3).
        chain.dedup_by_key(|statement| statement.id);
    }
    chains
}

/// Where the walk through a chain stands.
struct Place {
    epoch: u64,
    seq: u64,
    id: Hash,
}

fn breaks(chain: &Chain<'_>) -> Vec<Missing> {
    let mut found = Vec::new();
    let mut before: Option<Place> = None;
    for statement in chain {
        step(before.as_ref(), statement, &mut found);
        let VerifiedStatement { epoch, seq, id, .. } = **statement;
        before = Some(Place { epoch, seq, id });
    }
    found
}

fn step(before: Option<&Place>, statement: &VerifiedStatement, found: &mut Vec<Missing>) {
    let (epoch, seq) = (statement.epoch, statement.seq);
    match before {
        Some(before) if before.epoch == epoch => within_epoch(before, statement, found),
        _ => {
            let expected = before.map_or(0, |before| before.epoch + 1);
            if epoch > expected {
                found.push(Missing::Epochs { before: epoch });
            }
            if epoch > 0 {
                found.push(Missing::EpochStart { epoch });
            }
            if seq > 0 {
                found.push(Missing::Seqs {
                    epoch,
                    from: 0,
                    to: seq - 1,
                });
            } else if epoch == 0 && !statement.prev.is_zero() {
                found.push(Missing::Link { epoch, seq });
            }
        }
    }
}

fn within_epoch(before: &Place, statement: &VerifiedStatement, found: &mut Vec<Missing>) {
    let (epoch, seq) = (statement.epoch, statement.seq);
    if seq == before.seq {
        found.push(Missing::Fork { epoch, seq });
    } else if seq > before.seq + 1 {
        found.push(Missing::Seqs {
            epoch,
            from: before.seq + 1,
            to: seq - 1,
        });
    } else if statement.prev != before.id {
        found.push(Missing::Link { epoch, seq });
    }
}

/// Silence at the end of a chain. A retired device owes nothing after its last statement.
fn silence(chain: &Chain<'_>, end: Instant, grace: Duration) -> Option<Missing> {
    let last = chain.last()?;
    let heartbeat = chain.iter().map(|statement| statement.heartbeat_s).min()?;
    if let Some((epoch, seq)) = last.retired_at {
        let short = (last.epoch, last.seq) < (epoch, seq);
        return short.then_some(Missing::Silence {
            since: last.anchored,
            until: end,
        });
    }
    let since = chain.iter().map(|statement| statement.anchored).max()?;
    let patience = Duration::from_secs(heartbeat).saturating_add(grace);
    let silent = heartbeat > 0 && end.since(since) > patience;
    silent.then_some(Missing::Silence { since, until: end })
}

/// Per statement, how many of its events are shown with everything that facts rest on. Counted by
/// id, since a statement may stand in two batches and its events at either place.
fn shown_events(evidence: &VerifiedEvidence) -> BTreeMap<Hash, u32> {
    let mut at_place: BTreeMap<usize, u32> = BTreeMap::new();
    for event in evidence.events.iter().filter(|event| is_open(event)) {
        *at_place.entry(event.statement).or_insert(0) += 1;
    }
    let mut shown: BTreeMap<Hash, u32> = BTreeMap::new();
    for (place, count) in at_place {
        if let Some(statement) = evidence.statements.get(place) {
            let most = shown.entry(statement.id).or_insert(0);
            *most = count.max(*most);
        }
    }
    shown
}

fn is_open(event: &VerifiedEvent) -> bool {
    let hidden = event
        .members
        .iter()
        .any(|(name, value)| value.is_none() && hides_a_fact(name));
    event.source.is_some() && !hidden
}

fn notes_and_withheld(chain: &Chain<'_>, shown: &BTreeMap<Hash, u32>) -> Vec<Missing> {
    let mut found = Vec::new();
    for statement in chain {
        let (epoch, seq) = (statement.epoch, statement.seq);
        if let Some(dropped) = statement.thinned {
            found.push(Missing::Thinned {
                epoch,
                seq,
                dropped,
            });
        }
        let open = shown.get(&statement.id).copied().unwrap_or(0);
        let events = statement.accepted.saturating_sub(open);
        if events > 0 {
            found.push(Missing::Withheld { epoch, seq, events });
        }
    }
    found
}

#[cfg(test)]
mod tests;
