//! Step 3: batch headers.

use std::collections::BTreeSet;

use super::policies::Policies;
use super::{Checked, class, included, refuse, require};
use crate::hash::sha256;
use crate::log::{BatchHeader, Entry, Refused, parse_refused};
use crate::note::Witnessed;
use crate::proof::Class;
use crate::proof::form::HeaderRow;
use crate::time::Instant;

pub(super) struct CheckedHeader {
    pub(super) header: BatchHeader,
    pub(super) index: u64,
    pub(super) refused: Vec<Refused>,
    pub(super) anchored: Instant,
}

pub(super) fn check(
    rows: &[HeaderRow],
    policies: &Policies,
    checkpoints: &[Witnessed],
) -> Checked<Vec<CheckedHeader>> {
    let mut headers: Vec<CheckedHeader> = Vec::with_capacity(rows.len());
    let mut places = BTreeSet::new();
    for row in rows {
        let header = read(row, policies)?;
        let refused = check_refused(row, &header)?;
        if let Some(before) = headers.last() {
            check_climbs(&before.header, &header)?;
        }
        let new = places.insert((header.shard, header.seq));
        require(new, Class::Header, "two headers have one shard and seq")?;
        let shown_at = &checkpoints[row.checkpoint];
        let path = row.path.hashes();
        included(&row.entry.0, row.index, &path, &shown_at.checkpoint)?;
        headers.push(CheckedHeader {
            header,
            index: row.index,
            refused,
            anchored: shown_at.anchored,
        });
    }
    Ok(headers)
}

fn read(row: &HeaderRow, policies: &Policies) -> Checked<BatchHeader> {
    let rule = |holds, detail| require(holds, Class::Header, detail);
    let header = match Entry::parse(&row.entry.0).map_err(class(Class::Header))? {
        Entry::Header(header) => header,
        _ => return refuse(Class::Header, "the entry is no batch header"),
    };
    rule(header.log == policies.log(), "a header of another log")?;
    let governed = policies.in_force(row.index).is_some();
    rule(governed, "no policy is in force at a header")?;
    Ok(header)
}

/// The registry of a later header is the same or a newer one.
fn check_climbs(before: &BatchHeader, header: &BatchHeader) -> Checked<()> {
    let (before, now) = (&before.registry, &header.registry);
    let falls = now.version < before.version;
    let differs = now.version == before.version && now != before;
    require(
        !falls && !differs,
        Class::Header,
        "the registry goes back or differs",
    )
}

fn check_refused(row: &HeaderRow, header: &BatchHeader) -> Checked<Vec<Refused>> {
    let rule = |holds, detail| require(holds, Class::Header, detail);
    let Some(list) = &row.refused else {
        rule(
            header.refused.is_zero(),
            "the list of refused events is missing",
        )?;
        return Ok(Vec::new());
    };
    let fits = !header.refused.is_zero() && sha256(&list.0) == header.refused;
    rule(fits, "the list of refused events is another")?;
    let list = parse_refused(&list.0).map_err(class(Class::Header))?;
    let within = list.iter().all(|row| row.statement < header.statements);
    rule(within, "a refused row is of no statement of the batch")?;
    Ok(list)
}
