//! Step 6: events, their members, and the rules that ingest applies too.

use std::collections::BTreeSet;

use super::super::form::{Bundle, EventRow, MemberRow};
use super::super::{Class, Refusal, VerifiedEvent, VerifiedMember, VerifiedStatement};
use super::headers::CheckedHeader;
use super::{Checked, class, halves, refuse, require};
use crate::epcis::rule;
use crate::event::{self, CORE_MEMBERS, EVENT_MAX, Salt, Source};
use crate::hash::Hash;
use crate::ijson;
use crate::log::Refused;
use crate::merkle;
use crate::registry::Record;

pub(super) fn check(
    bundle: &Bundle,
    headers: &[CheckedHeader],
    statements: &[VerifiedStatement],
) -> Checked<Vec<VerifiedEvent>> {
    let check = |row: &EventRow| {
        let statement = &statements[row.statement];
        let batch = &headers[bundle.statements[row.statement].header];
        check_event(row, statement, batch)
    };
    let all = |rows: &[EventRow]| rows.iter().map(check).collect::<Checked<Vec<_>>>();
    let (front, back) = halves::check(&bundle.events, all);
    let mut events = front?;
    events.extend(back?);
    Ok(events)
}

fn check_event(
    row: &EventRow,
    statement: &VerifiedStatement,
    batch: &CheckedHeader,
) -> Checked<VerifiedEvent> {
    let payload = &statement.statement.payload;
    let source = row.source.and_then(Source::from_number);
    let members = row.members.as_deref().unwrap_or_default();
    let leaf = leaf_of_row(row);
    let leaf = leaf.ok_or_else(|| Refusal::new(Class::EventPath, "the event has no leaf"))?;
    merkle::verify(
        leaf,
        row.index,
        payload.count,
        &row.path.hashes(),
        payload.root,
    )
    .map_err(class(Class::EventPath))?;
    if row.leaf.is_none() {
        check_members(members)?;
    }
    check_accepted(&batch.refused, (statement.batch_index, row.index))?;
    if let Some(source) = source {
        check_rules(source, members, &statement.record)?;
    }
    let members: Vec<VerifiedMember> = members.iter().map(verified_member).collect();
    let hidden = |member: &VerifiedMember| {
        member.value.is_none() && CORE_MEMBERS.contains(&member.name.as_str())
    };
    let complete = row.leaf.is_none() && !members.iter().any(hidden);
    Ok(VerifiedEvent {
        statement: row.statement,
        index: row.index,
        leaf,
        source,
        members,
        complete,
        marks: Vec::new(),
    })
}

/// Ingest did not refuse the event at this place (statement, event).
fn check_accepted(refused: &[Refused], place: (u64, u64)) -> Checked<()> {
    // `parse_refused` takes a list in strictly rising order only.
    match refused.binary_search_by_key(&place, |row| (row.statement, row.event)) {
        Ok(at) => {
            let detail = format!("ingest refused the event: {}", refused[at].code);
            refuse(Class::RefusedEvent, detail)
        }
        Err(_) => Ok(()),
    }
}

fn verified_member(row: &MemberRow) -> VerifiedMember {
    let value = row.value.as_ref().map(|value| value.0.clone());
    VerifiedMember {
        name: row.name.clone(),
        value,
    }
}

/// The leaf that a row names or that its members give.
pub(in super::super) fn leaf_of_row(row: &EventRow) -> Option<Hash> {
    match (&row.leaf, row.source.and_then(Source::from_number)) {
        (Some(leaf), _) => Some(Hash(leaf.0)),
        (None, Some(source)) => leaf_of_rows(source, row.members.as_deref().unwrap_or_default()),
        (None, None) => None,
    }
}

fn leaf_of_rows(source: Source, members: &[MemberRow]) -> Option<Hash> {
    let field = |row: &MemberRow| {
        let value_hash = match (&row.salt, &row.value, &row.hash) {
            (Some(salt), Some(value), None) => event::value_hash(&Salt(salt.0), &value.0),
            (None, None, Some(hash)) => Hash(hash.0),
            _ => return None,
        };
        Some(event::field_hash(&row.name, &value_hash))
    };
    event::leaf_of_fields(
        source,
        &members.iter().map(field).collect::<Option<Vec<_>>>()?,
    )
}

fn check_members(members: &[MemberRow]) -> Checked<()> {
    let mut names = BTreeSet::new();
    // Two braces and the commas between members.
    let mut length = 1 + members.len();
    for row in members {
        let named = event::is_member_name(&row.name) && names.insert(&row.name);
        require(
            named,
            Class::Member,
            "a name is not allowed or stands twice",
        )?;
        // Two quotes and the colon; of a withheld value no length is known.
        length += row.name.len() + 3;
        if let Some(value) = &row.value {
            let text = std::str::from_utf8(&value.0).map_err(class(Class::Member))?;
            ijson::check_value(text, 2).map_err(class(Class::Member))?;
            length += value.0.len();
        }
    }
    require(length <= EVENT_MAX, Class::Member, "the event is too long")
}

/// A member by its presence and, if it is shown, its value.
enum Found {
    Absent,
    Withheld,
    Shown(serde_json::Value),
}

fn find(members: &[MemberRow], name: &str) -> Checked<Found> {
    let Some(row) = members.iter().find(|row| row.name == name) else {
        return Ok(Found::Absent);
    };
    match &row.value {
        None => Ok(Found::Withheld),
        Some(value) => serde_json::from_slice(&value.0)
            .map(Found::Shown)
            .map_err(class(Class::Rule)),
    }
}

fn check_rules(source: Source, members: &[MemberRow], record: &Record) -> Checked<()> {
    let rule = |outcome: rule::Outcome| outcome.map_err(|code| Refusal::new(Class::Rule, code));
    let allowed = record.sources.contains(&source.number());
    require(allowed, Class::Rule, "source-not-allowed")?;
    let kind = find(members, "type")?;
    for (name, check) in [
        (
            "type",
            rule::event_type as fn(&serde_json::Value) -> rule::Outcome,
        ),
        ("eventTime", rule::event_time),
        ("eventTimeZoneOffset", rule::time_zone_offset),
    ] {
        match find(members, name)? {
            Found::Absent => return refuse(Class::Rule, format!("{name} is missing")),
            Found::Withheld => {}
            Found::Shown(value) => rule(check(&value))?,
        }
    }
    check_action(&kind, &find(members, "action")?)?;
    if let Found::Shown(step) = find(members, "bizStep")? {
        rule(rule::step(&step, &record.steps))?;
    }
    if let Found::Shown(place) = find(members, "readPoint")? {
        rule(rule::place(&place, &record.places))?;
    }
    Ok(())
}

fn check_action(kind: &Found, action: &Found) -> Checked<()> {
    let kind = match kind {
        Found::Shown(kind) => kind.as_str(),
        _ => None,
    };
    let outcome = match action {
        Found::Shown(action) => rule::action(kind, Some(action)),
        Found::Absent => rule::action(kind, None),
        Found::Withheld if kind == Some("TransformationEvent") => Err(rule::ACTION),
        Found::Withheld => Ok(()),
    };
    outcome.map_err(|code| Refusal::new(Class::Rule, code))
}
