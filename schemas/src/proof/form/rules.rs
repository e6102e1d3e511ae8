//! Limits, order and positions: what a reader refuses with class `format` once the JSON is read.

use super::{
    Bundle, EventRow, LATER_MAX, MemberRow, POLICIES_MAX, Path, PolicyRow, ROWS_MAX, StatementRow,
};
use crate::event::{MEMBERS_MAX, NAME_MAX};
use crate::proof::{Class, Refusal};
use crate::tlog::PATH_MAX;

pub(super) fn check(bundle: &Bundle) -> Result<(), Refusal> {
    check_limits(bundle)?;
    check_policies(&bundle.policies)?;
    check_order(bundle)?;
    check_checkpoints(bundle)?;
    check_positions(bundle)
}

pub(super) fn format(detail: &str) -> Refusal {
    Refusal::new(Class::Format, detail)
}

pub(super) fn require(holds: bool, detail: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(format(detail)) }
}

fn check_limits(bundle: &Bundle) -> Result<(), Refusal> {
    let count =
        |min: usize, max: usize, rows: usize, detail| require((min..=max).contains(&rows), detail);
    count(1, POLICIES_MAX, bundle.policies.len(), "1 to 32 policies")?;
    count(
        1,
        ROWS_MAX,
        bundle.checkpoints.len(),
        "1 to 65536 checkpoints",
    )?;
    count(1, ROWS_MAX, bundle.headers.len(), "1 to 65536 headers")?;
    count(2, ROWS_MAX, bundle.keys.len(), "2 to 65536 keys")?;
    count(
        1,
        ROWS_MAX,
        bundle.statements.len(),
        "1 to 65536 statements",
    )?;
    count(0, ROWS_MAX, bundle.events.len(), "at most 65536 events")?;
    if let Some(fresh) = &bundle.fresh {
        count(2, ROWS_MAX, fresh.keys.len(), "2 to 65536 fresh keys")?;
    }
    require(
        paths(bundle).all(|path| path.0.len() <= PATH_MAX),
        "a path has at most 64 hashes",
    )?;
    let later = |row: &StatementRow| {
        let rows = row.later.as_ref();
        rows.is_none_or(|later| (1..=LATER_MAX).contains(&later.len()))
    };
    require(
        bundle.statements.iter().all(later),
        "later has 1 to 4096 rows",
    )?;
    bundle.events.iter().try_for_each(check_event)
}

/// Every path of a bundle.
fn paths(bundle: &Bundle) -> impl Iterator<Item = &Path> {
    let policies = bundle.policies.iter().flat_map(|row| {
        let handover = row.handover.as_ref().map(|handover| &handover.path);
        [Some(&row.path), row.prefix.as_ref(), handover]
    });
    let fresh = bundle.fresh.iter().flat_map(|fresh| {
        let keys = fresh.keys.iter().map(|row| Some(&row.path));
        std::iter::once(Some(&fresh.path)).chain(keys)
    });
    let statements = bundle.statements.iter().flat_map(|row| {
        let seen = row.seen.as_ref().map(|seen| &seen.prefix);
        [Some(&row.path), seen]
    });
    let rows = (bundle.checkpoints.iter().map(|row| &row.prefix))
        .chain(bundle.headers.iter().map(|row| &row.path))
        .chain(bundle.keys.iter().map(|row| &row.path))
        .chain(bundle.events.iter().map(|row| &row.path));
    let optional = policies.chain(fresh).chain(statements).flatten();
    optional.chain(rows)
}

/// The first policy stands for itself, every other one comes with what leads to it.
fn check_policies(rows: &[PolicyRow]) -> Result<(), Refusal> {
    for (position, row) in rows.iter().enumerate() {
        let led = (row.prefix.is_some(), row.handover.is_some());
        require(
            led == (position > 0, position > 0),
            "prefix and handover stand in every policy but the first",
        )?;
    }
    require(
        rows.is_sorted_by(|a, b| a.index < b.index),
        "policies are not in order",
    )
}

fn check_order(bundle: &Bundle) -> Result<(), Refusal> {
    let rising = |fits, table: &str| require(fits, &format!("{table} are not in order"));
    let headers = &bundle.headers;
    rising(headers.is_sorted_by(|a, b| a.index < b.index), "headers")?;
    let keys = bundle.keys.iter().map(|row| (row.header, row.index));
    rising(keys.is_sorted_by(|a, b| a < b), "keys")?;
    let statements = bundle.statements.iter().map(|row| (row.header, row.index));
    rising(statements.is_sorted_by(|a, b| a < b), "statements")?;
    let events = bundle.events.iter().map(|row| (row.statement, row.index));
    rising(events.is_sorted_by(|a, b| a < b), "events")?;
    let mut fresh = bundle.fresh.iter().flat_map(|fresh| &fresh.keys);
    let mut before = None;
    let climbs = fresh.all(|row| {
        before
            .replace(row.index)
            .is_none_or(|last| last < row.index)
    });
    rising(climbs, "fresh keys")
}

fn check_checkpoints(bundle: &Bundle) -> Result<(), Refusal> {
    let rows = &bundle.checkpoints;
    let last = bundle.policies.len().saturating_sub(1);
    require(
        rows.is_sorted_by(|a, b| a.policy <= b.policy),
        "a later checkpoint is under an earlier policy",
    )?;
    require(
        rows.last().is_some_and(|row| row.policy == last),
        "the last checkpoint is not under the last policy",
    )?;
    let mut used = vec![false; rows.len()];
    for row in &bundle.headers {
        let used = used.get_mut(row.checkpoint);
        *used.ok_or_else(|| format("a position is out of range"))? = true;
    }
    let headers = &bundle.headers;
    require(
        headers.is_sorted_by(|a, b| a.checkpoint <= b.checkpoint),
        "a later header is shown at an earlier checkpoint",
    )?;
    let but_last = used.len().saturating_sub(1);
    require(
        used[..but_last].iter().all(|&used| used),
        "a checkpoint is not used",
    )
}

fn check_positions(bundle: &Bundle) -> Result<(), Refusal> {
    let (headers, keys) = (bundle.headers.len(), bundle.keys.len());
    let policies = bundle.policies.len();
    let mut used = (vec![false; headers], vec![false; keys]);
    for row in &bundle.statements {
        let seen = row.seen.as_ref().is_none_or(|seen| seen.policy < policies);
        let fits = row.header < headers && row.device < keys && row.organisation < keys;
        require(fits && seen, "a position is out of range")?;
        used.0[row.header] = true;
        used.1[row.device] = true;
        used.1[row.organisation] = true;
    }
    let keys = bundle.keys.iter().all(|row| row.header < headers);
    let statements = bundle.statements.len();
    let events = bundle.events.iter().all(|row| row.statement < statements);
    require(keys && events, "a position is out of range")?;
    require(
        used.0.iter().chain(&used.1).all(|&used| used),
        "a header or key is not used",
    )
}

fn check_event(row: &EventRow) -> Result<(), Refusal> {
    match (&row.leaf, row.source, &row.members) {
        (Some(_), None, None) => Ok(()),
        (None, Some(source), Some(members)) => {
            require(source <= 3, "source is 0 to 3")?;
            require(
                (1..=MEMBERS_MAX).contains(&members.len()),
                "1 to 64 members",
            )?;
            members.iter().try_for_each(check_member)
        }
        _ => Err(format("an event has either a leaf or source and members")),
    }
}

fn check_member(row: &MemberRow) -> Result<(), Refusal> {
    require(
        (1..=NAME_MAX).contains(&row.name.len()),
        "a name has 1 to 128 bytes",
    )?;
    let shown = row.salt.is_some() && row.value.is_some() && row.hash.is_none();
    let withheld = row.salt.is_none() && row.value.is_none() && row.hash.is_some();
    require(
        shown || withheld,
        "a member has either salt and value or a hash",
    )
}
