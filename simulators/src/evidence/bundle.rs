//! One event's bundle (version 2) in a large log, as `platform::bundle` makes it: 1,000 devices and
//! twenty organisations in the registry, 64 events in the statement, 1,000 statements in the batch,
//! 1,000,000 entries in the log, the keys once more at its newest registry head. Statements, records and entries that no proof opens are stood in
//! for by hashes; every tree has its real size.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use schemas::event::{Event, Salt, Source};
use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::ids::{DeviceAddress, Origin};
use schemas::key::SecretKey;
use schemas::log::{BatchHeader, Entry, Party, Policy, entry_hash};
use schemas::merkle::Tree;
use schemas::note::{Checkpoint, Note};
use schemas::proof::{
    self, Bundle, Bytes, CheckpointRow, EventRow, Fixed, Fresh, FreshKey, HeaderRow, KeyRow,
    PolicyRow, StatementRow, Verdict, Version, member_rows,
};
use schemas::registry::{Head, Record, Registry, Role, SignedRecord};
use schemas::statement::{ClockState, Payload, Position, Statement, WireEvent};
use schemas::time::Instant;
use schemas::tlog::LogTree;
use serde_json::json;

use super::{TURNS, gzip, median, seconds};

/// Keys of the registry: devices and organisations.
const KEYS: u64 = 1_000 + 20;
/// Events of the statement.
const EVENTS: u8 = 64;
/// Statements of the batch.
const STATEMENTS: u64 = 1_000;
/// Entries of the log.
const ENTRIES: u64 = 1_000_000;
/// Where the batch header stands in the log, and the statement in its batch: in the middle, where
/// paths are as long as they get.
const HEADER_AT: u64 = 654_321;
const STATEMENT_AT: u64 = 432;
/// Where the newest registry head stands in the log.
const HEAD_AT: u64 = 987_654;
/// The place that the device may name.
const PLACE: &str = "https://id.gs1.org/414/9521001000015";

/// Sizes in bytes, times in microseconds.
pub struct Proven {
    /// JSON without the event's members and the policy.
    pub bytes: u64,
    /// The same, compressed.
    pub gzip: u64,
    /// JSON whole.
    pub whole: u64,
    /// To verify it.
    pub verify_us: f64,
    /// To verify the statement's 64 events together, an event.
    pub verify_us_of_64: f64,
}

/// Key of a number.
pub fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// An instant of the log.
pub fn at(seconds: i64) -> Instant {
    Instant::from_seconds(1_795_305_600 + seconds)
}

/// The log's name.
pub fn origin() -> anyhow::Result<Origin> {
    Ok("log.trace.example.com/tracebond-2026".parse()?)
}

/// Names and keys of the four witnesses.
pub fn witnesses() -> Vec<(&'static str, SecretKey)> {
    let names = [
        "witness.bank.example",
        "witness.consumers.example",
        "witness.guild.example",
        "witness.regulator.example",
    ];
    names
        .into_iter()
        .zip(11..)
        .map(|(name, number)| (name, key(number)))
        .collect()
}

/// Three of four witnesses, one registrar.
pub fn policy() -> anyhow::Result<Policy> {
    let (origin, log_key) = (origin()?, key(1));
    let party = |(name, key): (&str, SecretKey)| Party {
        name: name.into(),
        key: key.public(),
    };
    Ok(Policy {
        log: origin.log_id(&log_key.public_bytes()),
        origin,
        log_key: log_key.public(),
        witnesses: witnesses().into_iter().map(party).collect(),
        quorum: 3,
        registrars: vec![party(("association", key(2)))],
        prev: None,
        time: at(0),
    })
}

/// An event of eleven members and about 800 bytes.
pub fn event_text(number: u8) -> String {
    json!({
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"tb": "https://tracebond.example/ns#"}],
        "type": "ObjectEvent",
        "eventID": format!("urn:uuid:6a3f1b60-0000-4000-8000-0000000000{number:02}"),
        "eventTime": format!("2026-11-22T08:00:{:02}.250+08:00", number % 60),
        "eventTimeZoneOffset": "+08:00",
        "action": "OBSERVE",
        "bizStep": "storing",
        "disposition": "in_progress",
        "readPoint": {"id": PLACE},
        "quantityList": [{"epcClass": format!("https://id.gs1.org/01/09521001000017/10/L{number}"), "quantity": 480, "uom": "KGM"}],
        "sensorElementList": [{"sensorMetadata": {"time": "2026-11-22T08:00:00+08:00", "deviceID": "https://id.gs1.org/8004/952100180001"}, "sensorReport": [{"type": "Temperature", "value": 4.5, "uom": "CEL"}]}],
    })
    .to_string()
}

fn record(log: Hash, owner: &SecretKey, role: Role) -> anyhow::Result<Record> {
    let capture = role == Role::Capture;
    let words = |words: &[&str]| {
        words
            .iter()
            .filter(|_| capture)
            .map(|&word| word.to_owned())
            .collect()
    };
    let record = Record {
        device: if capture {
            Some("cold-store-1".parse()?)
        } else {
            None
        },
        places: words(&[PLACE]),
        steps: words(&["receiving", "sensor_reporting", "storing"]),
        sources: if capture { vec![2, 3] } else { vec![] },
        heartbeat: if capture { 3_600 } else { 0 },
        ..Record::first(log, "qinghe-dairy".parse()?, role, owner.public())
    };
    Ok(record.consented(owner))
}

/// Stands in for what no proof opens.
fn stand_in(kind: u8, number: u64) -> Hash {
    sha256_parts(&[&[kind], &number.to_be_bytes()])
}

/// Both records with their rows but for the header's position.
fn registry(log: Hash) -> anyhow::Result<(Head, [KeyRow; 2])> {
    let organisation = SignedRecord::sign(&key(2), record(log, &key(3), Role::Organisation)?);
    let device = SignedRecord::sign(&key(3), record(log, &key(4), Role::Capture)?);
    let salt = Salt([0xa1; 16]);
    let mut list: BTreeMap<Hash, Hash> = (2..KEYS)
        .map(|n| (stand_in(b'k', n), stand_in(b'r', n)))
        .collect();
    for signed in [&organisation, &device] {
        list.insert(signed.record.kid(), signed.hash(&salt));
    }
    let registry = Registry::new(&list).context("an empty registry")?;
    ensure!(registry.count() == KEYS, "a key stands twice");
    let row = |signed: &SignedRecord| {
        let (index, path) = registry.path(&signed.record.kid()).context("no such key")?;
        anyhow::Ok(KeyRow {
            record: Bytes(signed.bytes().to_vec()),
            salt: Fixed(salt.0),
            header: 0,
            index,
            path: path.into(),
        })
    };
    let mut rows = [row(&organisation)?, row(&device)?];
    rows.sort_by_key(|row| row.index);
    let head = Head {
        version: 1_234,
        count: registry.count(),
        root: registry.root(),
    };
    Ok((head, rows))
}

fn events() -> anyhow::Result<Vec<WireEvent>> {
    let event = |number: u8| {
        anyhow::Ok(WireEvent {
            source: Source::Sensor,
            salt: Salt([number; 16]),
            event: Event::parse(event_text(number).into_bytes())?,
        })
    };
    (0..EVENTS).map(event).collect()
}

fn statement(log: Hash, leaves: &[Hash], root: Hash) -> anyhow::Result<Statement> {
    let device: DeviceAddress = "qinghe-dairy/cold-store-1".parse()?;
    let payload = Payload {
        log,
        device,
        position: Position {
            epoch: 0,
            seq: 4_321,
        },
        prev: stand_in(b's', 0),
        made: at(10),
        clock: ClockState::Synced,
        seen: Some((HEADER_AT - 5, stand_in(b'c', 0))),
        agent: "edge-agent/0.1.0".into(),
        count: leaves.len() as u64,
        root,
        note: None,
    };
    Ok(Statement::sign(&key(4), payload))
}

/// The log with a policy, stand-ins, one batch header and one registry head; and its checkpoint.
fn log(policy: &[u8], header: &[u8], head: &[u8]) -> anyhow::Result<(LogTree, Note)> {
    let mut tree = LogTree::new();
    for index in 0..ENTRIES {
        tree.push(match index {
            0 => entry_hash(policy),
            HEADER_AT => entry_hash(header),
            HEAD_AT => entry_hash(head),
            other => stand_in(b'e', other),
        })?;
    }
    let root = tree.root(ENTRIES).context("an empty log")?;
    let checkpoint = Checkpoint {
        origin: origin()?,
        size: ENTRIES,
        root,
    };
    let mut note = Note::sign(checkpoint, &key(1));
    for ((name, key), seconds) in witnesses().into_iter().zip(20..) {
        let line = note.cosign(name, &key, at(seconds));
        note.lines.push(line);
    }
    Ok((tree, note))
}

/// The bundle of all events of the statement.
fn bundle() -> anyhow::Result<Bundle> {
    let policy = policy()?;
    let log_id = policy.log;
    let (head, keys) = registry(log_id)?;
    let events = events()?;
    let leaves: Vec<Hash> = events.iter().map(WireEvent::leaf).collect();
    let tree = Tree::new(&leaves).context("no events")?;
    let statement = statement(log_id, &leaves, tree.root())?;
    let id = |n| {
        if n == STATEMENT_AT {
            statement.id()
        } else {
            stand_in(b'i', n)
        }
    };
    let batch = Tree::new(&(0..STATEMENTS).map(id).collect::<Vec<_>>()).context("no statements")?;
    let header = BatchHeader {
        log: log_id,
        shard: 3,
        seq: 123_456,
        statements: STATEMENTS,
        events: STATEMENTS * u64::from(EVENTS),
        root: batch.root(),
        refused: Hash::ZERO,
        registry: head,
        first: at(11),
        last: at(12),
        prev: sha256(b"the header before"),
    };
    let (policy, header) = (
        Entry::Policy(policy).encode(),
        Entry::Header(header).encode(),
    );
    let newest = Entry::Registry { head, time: at(13) }.encode();
    let (log, note) = log(&policy, &header, &newest)?;
    let path = |index| log.inclusion(index, ENTRIES).context("no such entry");
    let of_device = |row: &KeyRow| {
        SignedRecord::parse(row.record.0.clone())
            .is_ok_and(|signed| signed.record.role == Role::Capture)
    };
    let device = keys.iter().position(of_device).context("no device")?;
    let event = |(index, event): (usize, &WireEvent)| EventRow {
        statement: 0,
        index: index as u64,
        path: tree.path(index).unwrap_or_default().into(),
        leaf: None,
        source: Some(u64::from(event.source.number())),
        members: Some(member_rows(&event.event, &event.salt, |_| false)),
    };
    Ok(Bundle {
        version: Version::V2,
        policies: vec![PolicyRow::first(Bytes(policy), 0, path(0)?.into())],
        checkpoints: vec![CheckpointRow::only(note.encode())],
        fresh: Some(Fresh {
            entry: Bytes(newest),
            index: HEAD_AT,
            path: path(HEAD_AT)?.into(),
            keys: keys.iter().map(fresh_key).collect(),
        }),
        headers: vec![HeaderRow {
            path: path(HEADER_AT)?.into(),
            entry: Bytes(header),
            index: HEADER_AT,
            checkpoint: 0,
            refused: None,
        }],
        statements: vec![StatementRow {
            statement: Bytes(statement.bytes().to_vec()),
            header: 0,
            index: STATEMENT_AT,
            path: batch
                .path(usize::try_from(STATEMENT_AT)?)
                .context("no such statement")?
                .into(),
            device,
            organisation: 1 - device,
            later: None,
            seen: None,
        }],
        events: events.iter().enumerate().map(event).collect(),
        keys: keys.into(),
    })
}

/// The same record at the newest head, which has not changed since.
fn fresh_key(row: &KeyRow) -> FreshKey {
    FreshKey {
        record: row.record.clone(),
        salt: row.salt,
        index: row.index,
        path: row.path.clone(),
    }
}

/// Microseconds to verify a bundle that must hold.
fn verify_us(bundle: &[u8], policy: &[u8], events: usize) -> anyhow::Result<f64> {
    let report = proof::verify(bundle, Some(policy))?;
    ensure!(
        report.verdict == Verdict::Verified && report.events.len() == events,
        "it holds"
    );
    let turn = |_| seconds(|| proof::verify(bundle, Some(policy))) * 1e6;
    Ok(median((0..TURNS).map(turn).collect()))
}

/// Makes the bundle and measures it.
pub fn measure() -> anyhow::Result<Proven> {
    let all = bundle()?;
    let policy = all.policies[0].entry.0.clone();
    let mut one = all.clone();
    one.events = vec![one.events.swap_remove(usize::from(EVENTS / 2))];
    let json = one.to_json()?;
    let mut value: serde_json::Value = serde_json::from_slice(&json)?;
    let members = value.as_object_mut().context("an object")?;
    members.shift_remove("policy");
    if let Some(event) = members["events"][0].as_object_mut() {
        event.shift_remove("members");
    }
    let rest = value.to_string();
    Ok(Proven {
        bytes: rest.len() as u64,
        gzip: gzip(rest.as_bytes())?,
        whole: json.len() as u64,
        verify_us: verify_us(&json, &policy, 1)?,
        verify_us_of_64: verify_us(&all.to_json()?, &policy, usize::from(EVENTS))?
            / f64::from(EVENTS),
    })
}
