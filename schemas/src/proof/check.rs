//! The checks of `proof-bundle.md` section 3, in their order.

mod events;

use std::collections::{BTreeMap, BTreeSet};

use super::form::{Bundle, HeaderRow, KeyRow, StatementRow};
use super::{Class, Refusal, Report, Verdict, VerifiedStatement};
use crate::causes::causes;
use crate::event::Salt;
use crate::hash::{Hash, sha256};
use crate::log::{BatchHeader, Entry, Policy, Refused, entry_hash, parse_refused};
use crate::merkle;
use crate::note::{Checkpoint, Note, Witnessed};
use crate::registry::{self, Record, Role, SignedRecord, State};
use crate::statement::Statement;
use crate::time::Instant;
use crate::tlog;

use events::check_events;
pub(super) use events::leaf_of_row;

type Checked<T> = Result<T, Refusal>;

fn refuse<T>(class: Class, detail: impl Into<String>) -> Checked<T> {
    Err(Refusal::new(class, detail))
}

fn require(holds: bool, class: Class, detail: &str) -> Checked<()> {
    if holds { Ok(()) } else { refuse(class, detail) }
}

/// Turns an error into a refusal of a class.
fn class<E: std::error::Error>(class: Class) -> impl Fn(E) -> Refusal {
    move |error| Refusal::new(class, causes(&error))
}

/// Checks a bundle; `trusted` is the policy entry that the reader trusts, if it has one.
///
/// # Errors
/// The first failing check, with its class.
pub fn verify(bytes: &[u8], trusted: Option<&[u8]>) -> Result<Report, Refusal> {
    let bundle = Bundle::parse(bytes)?;
    let (policy, checkpoints) = check_policy(&bundle, trusted)?;
    let headers = check_headers(&bundle.headers, &policy, &checkpoints)?;
    let keys = check_keys(&bundle.keys, &headers, &policy)?;
    let statements = check_statements(&bundle.statements, &headers, &keys, &policy)?;
    let events = check_events(&bundle, &headers, &statements)?;
    let complete = events.iter().all(|event| event.complete);
    Ok(Report {
        verdict: if complete {
            Verdict::Verified
        } else {
            Verdict::Incomplete
        },
        policy_hash: sha256(&bundle.policy.entry.0),
        policy_compared: trusted.is_some(),
        policy,
        checkpoints,
        statements,
        events,
    })
}

fn check_policy(bundle: &Bundle, trusted: Option<&[u8]>) -> Checked<(Policy, Vec<Witnessed>)> {
    let row = &bundle.policy;
    let policy = match Entry::parse(&row.entry.0).map_err(class(Class::Policy))? {
        Entry::Policy(policy) => policy,
        _ => return refuse(Class::Policy, "the entry is no policy"),
    };
    let same = trusted.is_none_or(|trusted| trusted == row.entry.0);
    require(same, Class::Policy, "another policy than the trusted one")?;
    let checkpoints = check_notes(bundle, &policy)?;
    let Some(last) = checkpoints.last() else {
        return refuse(Class::Checkpoint, "there is no checkpoint");
    };
    let placed = policy.prev.is_some() || row.index == 0;
    require(placed, Class::LogPath, "the first policy is not entry 0")?;
    included(
        &row.entry.0,
        row.index,
        &row.path.hashes(),
        &last.checkpoint,
    )?;
    Ok((policy, checkpoints))
}

fn check_notes(bundle: &Bundle, policy: &Policy) -> Checked<Vec<Witnessed>> {
    let mut checkpoints: Vec<Witnessed> = Vec::with_capacity(bundle.checkpoints.len());
    for bytes in &bundle.checkpoints {
        let note = Note::parse(&bytes.0).map_err(class(Class::Checkpoint))?;
        let witnessed = note
            .check_bundled(policy)
            .map_err(class(Class::Checkpoint))?;
        let before = checkpoints
            .last()
            .map_or(0, |before| before.checkpoint.size);
        require(
            witnessed.checkpoint.size > before,
            Class::Checkpoint,
            "sizes do not increase",
        )?;
        checkpoints.push(witnessed);
    }
    Ok(checkpoints)
}

fn included(entry: &[u8], index: u64, path: &[Hash], checkpoint: &Checkpoint) -> Checked<()> {
    tlog::verify_inclusion(
        entry_hash(entry),
        index,
        checkpoint.size,
        path,
        checkpoint.root,
    )
    .map_err(class(Class::LogPath))
}

struct CheckedHeader {
    header: BatchHeader,
    index: u64,
    refused: Vec<Refused>,
    anchored: Instant,
}

fn check_headers(
    rows: &[HeaderRow],
    policy: &Policy,
    checkpoints: &[Witnessed],
) -> Checked<Vec<CheckedHeader>> {
    let mut headers: Vec<CheckedHeader> = Vec::with_capacity(rows.len());
    let mut places = BTreeSet::new();
    for row in rows {
        let header = match Entry::parse(&row.entry.0).map_err(class(Class::Header))? {
            Entry::Header(header) => header,
            _ => return refuse(Class::Header, "the entry is no batch header"),
        };
        require(
            header.log == policy.log,
            Class::Header,
            "a header of another log",
        )?;
        let refused = check_refused(row, &header)?;
        if let Some(before) = headers.last().map(|before| &before.header.registry) {
            let now = &header.registry;
            let falls = now.version < before.version;
            let differs = now.version == before.version && now != before;
            require(
                !falls && !differs,
                Class::Header,
                "the registry goes back or differs",
            )?;
        }
        let new = places.insert((header.shard, header.seq));
        require(new, Class::Header, "two headers have one shard and seq")?;
        let shown_at = &checkpoints[row.checkpoint];
        included(
            &row.entry.0,
            row.index,
            &row.path.hashes(),
            &shown_at.checkpoint,
        )?;
        headers.push(CheckedHeader {
            header,
            index: row.index,
            refused,
            anchored: shown_at.anchored,
        });
    }
    Ok(headers)
}

fn check_refused(row: &HeaderRow, header: &BatchHeader) -> Checked<Vec<Refused>> {
    let list = match &row.refused {
        None => {
            require(
                header.refused.is_zero(),
                Class::Header,
                "the list of refused events is missing",
            )?;
            return Ok(Vec::new());
        }
        Some(list) => &list.0,
    };
    let fits = !header.refused.is_zero() && sha256(list) == header.refused;
    require(fits, Class::Header, "the list of refused events is another")?;
    let list = parse_refused(list).map_err(class(Class::Header))?;
    let within = list.iter().all(|row| row.statement < header.statements);
    require(
        within,
        Class::Header,
        "a refused row is of no statement of the batch",
    )?;
    Ok(list)
}

struct CheckedKey {
    signed: SignedRecord,
    header: usize,
}

fn check_keys(
    rows: &[KeyRow],
    headers: &[CheckedHeader],
    policy: &Policy,
) -> Checked<Vec<CheckedKey>> {
    let mut keys: Vec<CheckedKey> = Vec::with_capacity(rows.len());
    let first_with = first_headers(headers);
    for row in rows {
        let signed = SignedRecord::parse(row.record.0.clone()).map_err(class(Class::Record))?;
        let record = &signed.record;
        require(
            record.log == policy.log,
            Class::Record,
            "a record of another log",
        )?;
        let kid = record.kid();
        require(
            !policy.names_kid(&kid),
            Class::Record,
            "a key of the policy has a record",
        )?;
        let head = &headers[row.header].header.registry;
        let leaf = registry::leaf(&kid, &signed.hash(&Salt(row.salt.0)));
        merkle::verify(leaf, row.index, head.count, &row.path.hashes(), head.root)
            .map_err(class(Class::RegistryPath))?;
        let first = first_with[row.header] == row.header;
        require(
            first,
            Class::RegistryPath,
            "an earlier header has this registry",
        )?;
        let before = keys.last().filter(|before| before.header == row.header);
        let rises = before.is_none_or(|before| before.signed.record.kid() < kid);
        require(rises, Class::RegistryPath, "kids do not increase")?;
        keys.push(CheckedKey {
            signed,
            header: row.header,
        });
    }
    Ok(keys)
}

/// For each header the first one with an equal registry.
fn first_headers(headers: &[CheckedHeader]) -> Vec<usize> {
    let mut first = BTreeMap::new();
    let place = |(position, checked): (usize, &CheckedHeader)| {
        let head = checked.header.registry;
        *first
            .entry((head.version, head.count, head.root))
            .or_insert(position)
    };
    headers.iter().enumerate().map(place).collect()
}

fn check_statements(
    rows: &[StatementRow],
    headers: &[CheckedHeader],
    keys: &[CheckedKey],
    policy: &Policy,
) -> Checked<Vec<VerifiedStatement>> {
    let mut ids = BTreeSet::new();
    let mut admitted = BTreeSet::new();
    let mut verified = Vec::with_capacity(rows.len());
    for row in rows {
        let statement =
            Statement::parse(row.statement.0.clone()).map_err(class(Class::Statement))?;
        let id = statement.id();
        require(ids.insert(id), Class::Statement, "a statement stands twice")?;
        let (device, organisation) = (&keys[row.device], &keys[row.organisation]);
        check_belongs(&statement, row, headers, device, organisation, policy)?;
        if !admitted.contains(&(row.device, row.organisation)) {
            check_admission(&device.signed, &organisation.signed, policy)?;
            admitted.insert((row.device, row.organisation));
        }
        check_state(&statement, row, &device.signed.record, policy)?;
        statement
            .verify(&device.signed.record.key)
            .map_err(class(Class::Statement))?;
        let checked = &headers[row.header];
        let (count, root) = (checked.header.statements, checked.header.root);
        merkle::verify(id, row.index, count, &row.path.hashes(), root)
            .map_err(class(Class::BatchPath))?;
        verified.push(VerifiedStatement {
            id,
            statement,
            record: device.signed.record.clone(),
            registry_version: checked.header.registry.version,
            log_index: checked.index,
            batch_index: row.index,
            anchored: checked.anchored,
        });
    }
    Ok(verified)
}

/// The statement is of this log, and its keys are shown at the registry of its header.
fn check_belongs(
    statement: &Statement,
    row: &StatementRow,
    headers: &[CheckedHeader],
    device: &CheckedKey,
    organisation: &CheckedKey,
    policy: &Policy,
) -> Checked<()> {
    let payload = &statement.payload;
    let rule = |holds, detail| require(holds, Class::Statement, detail);
    rule(payload.log == policy.log, "a statement of another log")?;
    let header = &headers[row.header];
    let seen = payload
        .seen
        .as_ref()
        .is_none_or(|(size, _)| *size <= header.index);
    rule(seen, "it has seen a later log than it stands in")?;
    let head = &header.header.registry;
    let shown_at = |key: &CheckedKey| headers[key.header].header.registry == *head;
    rule(
        shown_at(device) && shown_at(organisation),
        "a key is shown at another registry",
    )?;
    let record = &device.signed.record;
    rule(record.role == Role::Capture, "the key is no device's")?;
    rule(record.kid() == statement.kid, "another key signed it")?;
    rule(
        record.address().as_ref() == Some(&payload.device),
        "it speaks for another device",
    )
}

fn check_admission(
    device: &SignedRecord,
    organisation: &SignedRecord,
    policy: &Policy,
) -> Checked<()> {
    let rule = |holds, detail| require(holds, Class::Organisation, detail);
    let record = &organisation.record;
    rule(
        record.role == Role::Organisation,
        "the key is no organisation's",
    )?;
    rule(
        record.state == State::Active,
        "the organisation is not active",
    )?;
    rule(
        record.organisation == device.record.organisation,
        "another organisation's key",
    )?;
    let registrar = policy.registrar(&organisation.signer);
    let registrar = registrar.ok_or_else(|| {
        Refusal::new(
            Class::Organisation,
            "no registrar of the policy admitted it",
        )
    })?;
    organisation
        .verify(registrar)
        .map_err(class(Class::Organisation))?;
    device
        .verify(&record.key)
        .map_err(class(Class::Organisation))
}

fn check_state(
    statement: &Statement,
    row: &StatementRow,
    record: &Record,
    policy: &Policy,
) -> Checked<()> {
    let rule = |holds, detail| require(holds, Class::Record, detail);
    match &record.state {
        State::Active => rule(row.later.is_none(), "later stands with an active key"),
        State::Retired {
            last: Some((last, id)),
        } => {
            let position = statement.payload.position;
            rule(position <= *last, "the key was retired before")?;
            if position == *last {
                rule(statement.id() == *id, "another statement was the last")?;
                return rule(row.later.is_none(), "later stands with the last statement");
            }
            rule(row.later.is_some(), "later is missing")?;
            check_later(statement, row, record, policy, *id)
        }
        _ => rule(false, "the key is suspended or revoked"),
    }
}

fn check_later(
    statement: &Statement,
    row: &StatementRow,
    record: &Record,
    policy: &Policy,
    last: Hash,
) -> Checked<()> {
    let rule = |holds, detail| require(holds, Class::Record, detail);
    let mut before = statement.id();
    for bytes in row.later.iter().flatten() {
        let next = Statement::parse(bytes.0.clone()).map_err(class(Class::Record))?;
        rule(
            next.payload.log == policy.log,
            "later holds a statement of another log",
        )?;
        let same = next.payload.device == statement.payload.device && next.kid == statement.kid;
        rule(same, "later holds another device's statement")?;
        rule(next.payload.prev == before, "later is no chain")?;
        next.verify(&record.key).map_err(class(Class::Record))?;
        before = next.id();
    }
    rule(
        before == last,
        "the chain does not reach the last statement",
    )
}
