//! The checks of `proof-bundle.md` section 3 and `proof-bundle-v2.md` sections 2 to 5, in their
//! order. Version 1 is a chain of one policy, without a recent head and without lower bounds.

mod events;
mod fresh;
mod halves;
mod headers;
mod keys;
mod marks;
mod policies;
mod statements;

use super::form::Bundle;
use super::{Class, Refusal, Report, Verdict};
use crate::causes::causes;
use crate::hash::{Hash, sha256};
use crate::log::entry_hash;
use crate::note::Checkpoint;
use crate::tlog;

pub(super) use events::leaf_of_row;

type Checked<T> = Result<T, Refusal>;

fn refuse<T>(class: Class, detail: impl Into<String>) -> Checked<T> {
    Err(Refusal::new(class, detail))
}

pub(super) fn require(holds: bool, class: Class, detail: &str) -> Checked<()> {
    if holds { Ok(()) } else { refuse(class, detail) }
}

/// Turns an error into a refusal of a class.
pub(super) fn class<E: std::error::Error>(class: Class) -> impl Fn(E) -> Refusal {
    move |error| Refusal::new(class, causes(&error))
}

/// An entry stands at its index below a checkpoint.
pub(super) fn included(
    entry: &[u8],
    index: u64,
    path: &[Hash],
    checkpoint: &Checkpoint,
) -> Checked<()> {
    let (leaf, root) = (entry_hash(entry), checkpoint.root);
    tlog::verify_inclusion(leaf, index, checkpoint.size, path, root).map_err(class(Class::LogPath))
}

/// A tree of this size and root is the beginning of another.
fn begins(old: (u64, Hash), new: (u64, Hash), path: &[Hash]) -> Checked<()> {
    tlog::verify_consistency(old.0, old.1, new.0, new.1, path).map_err(class(Class::LogPath))
}

/// Checks a bundle of either version; `trusted` is the policy entry that the reader trusts, if it
/// has one. Of version 2 any policy of the chain may be that one.
///
/// # Errors
/// The first failing check, with its class.
pub fn verify(bytes: &[u8], trusted: Option<&[u8]>) -> Result<Report, Refusal> {
    verify_bundle(&Bundle::parse(bytes)?, trusted)
}

/// The same for a bundle that was read already: whoever looks at its rows, too, reads it once.
///
/// # Errors
/// The first failing check, with its class.
pub fn verify_bundle(bundle: &Bundle, trusted: Option<&[u8]>) -> Result<Report, Refusal> {
    let (policies, checkpoints) = policies::check(bundle, trusted)?;
    let headers = headers::check(&bundle.headers, &policies, &checkpoints)?;
    let keys = keys::check(&bundle.keys, &headers, &policies)?;
    let Some(last) = checkpoints.last() else {
        return refuse(Class::Checkpoint, "there is no checkpoint");
    };
    let fresh = match &bundle.fresh {
        Some(row) => Some(fresh::check(row, last, &headers, &keys, &policies)?),
        None => None,
    };
    let known = marks::known(&headers, &keys, fresh.as_ref());
    let rows = bundle.checkpoints.iter();
    let rows = rows.map(|row| (row.note.0.as_slice(), row.policy));
    let counted = rows.zip(checkpoints.iter().cloned()).collect();
    let reader = statements::Reader {
        policies: &policies,
        last: &last.checkpoint,
        headers: &headers,
        keys: &keys,
        known: &known,
        counted: &counted,
    };
    let statements = reader.check(&bundle.statements)?;
    let mut events = events::check(bundle, &headers, &statements)?;
    for event in &mut events {
        event.marks = marks::of(event, &statements[event.statement], &known);
    }
    let complete = events.iter().all(|event| event.complete);
    Ok(Report {
        verdict: if complete {
            Verdict::Verified
        } else {
            Verdict::Incomplete
        },
        policy_hash: bundle
            .policies
            .last()
            .map_or(Hash::ZERO, |row| sha256(&row.entry.0)),
        policy_compared: trusted.is_some(),
        policy: policies.newest().clone(),
        checkpoints,
        fresh: fresh.map(|fresh| (fresh.head, fresh.time)),
        statements,
        events,
    })
}
