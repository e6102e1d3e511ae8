//! The small log of which most examples show a part.

use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::key::SecretKey;
use schemas::log::{BatchHeader, Entry, Party, Policy, entry_hash};
use schemas::merkle::{self, Tree};
use schemas::note::{Checkpoint, Note};
use schemas::proof::{
    Bundle, Bytes, CheckpointRow, EventRow, Fixed, HeaderRow, KeyRow, PolicyRow, StatementRow,
    Version, member_rows,
};
use schemas::registry::{Head, Record, Registry, Role, SignedRecord, State};
use schemas::statement::{ClockState, Message, Payload, Position, Statement, WireEvent};
use schemas::time::Instant;
use schemas::tlog::LogTree;

/// The event of every example.
pub const EVENT: &str = r#"{"type":"ObjectEvent","eventTime":"2026-11-22T08:00:00+08:00","eventTimeZoneOffset":"+08:00","action":"OBSERVE","bizStep":"storing","epcList":["https://id.gs1.org/00/095210010000000018"],"readPoint":{"id":"https://id.gs1.org/414/9521001000015"}}"#;

/// Everything of one small log, from fixed keys and salts.
pub struct Example {
    pub log: SecretKey,
    pub device: SecretKey,
    pub policy: Policy,
    pub message: Message,
    pub device_record: SignedRecord,
    pub organisation_record: SignedRecord,
    pub head: Head,
    pub header: BatchHeader,
    pub note: Note,
    pub bundle: Bundle,
}

pub fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

pub fn at(seconds: i64) -> Instant {
    Instant::from_seconds(1_795_305_600 + seconds)
}

fn record(log: Hash, owner: &SecretKey, role: Role) -> Record {
    let capture = role == Role::Capture;
    let text = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let mut record = Record {
        log,
        version: 1,
        organisation: "qinghe".parse().unwrap(),
        device: capture.then(|| "store-1".parse().unwrap()),
        key: owner.public(),
        role,
        places: if capture {
            text(&["https://id.gs1.org/414/9521001000015"])
        } else {
            vec![]
        },
        steps: if capture {
            text(&["sensor_reporting", "storing"])
        } else {
            vec![]
        },
        sources: if capture { vec![2, 3] } else { vec![] },
        heartbeat: if capture { 3600 } else { 0 },
        state: State::Active,
        prev: Hash::ZERO,
        consent: None,
    };
    record.consent = Some(record.consent_by(owner));
    record
}

pub fn example() -> Example {
    let (log, registrar, organisation, device) = (key(1), key(2), key(3), key(4));
    let origin: schemas::ids::Origin = "log.example/docs".parse().unwrap();
    let witness = |number: u8| Party {
        name: format!("witness-{number}"),
        key: key(10 + number).public(),
    };
    let policy = Policy {
        log: origin.log_id(&log.public_bytes()),
        origin: origin.clone(),
        log_key: log.public(),
        witnesses: vec![witness(1), witness(2), witness(3), witness(4)],
        quorum: 3,
        registrars: vec![Party {
            name: "association".into(),
            key: registrar.public(),
        }],
        prev: None,
        time: at(0),
    };
    let organisation_record = SignedRecord::sign(
        &registrar,
        record(policy.log, &organisation, Role::Organisation),
    );
    let device_record =
        SignedRecord::sign(&organisation, record(policy.log, &device, Role::Capture));
    let salts = [Salt([0xa1; 16]), Salt([0xa2; 16])];
    let list = [&organisation_record, &device_record]
        .iter()
        .zip(&salts)
        .map(|(signed, salt)| (signed.record.kid(), signed.hash(salt)))
        .collect();
    let registry = Registry::new(&list).unwrap();
    let head = Head {
        version: 1,
        count: registry.count(),
        root: registry.root(),
    };
    let event = WireEvent {
        source: Source::Scan,
        salt: Salt([0x5a; 16]),
        event: Event::parse(EVENT.into()).unwrap(),
    };
    let statement = Statement::sign(
        &device,
        Payload {
            log: policy.log,
            device: "qinghe/store-1".parse().unwrap(),
            position: Position { epoch: 0, seq: 0 },
            prev: Hash::ZERO,
            made: at(10),
            clock: ClockState::Synced,
            seen: None,
            agent: "edge-agent/0.1.0".into(),
            count: 1,
            root: merkle::root(&[event.leaf()]).unwrap(),
            note: None,
        },
    );
    let header = BatchHeader {
        log: policy.log,
        shard: 0,
        seq: 0,
        statements: 1,
        events: 1,
        root: merkle::root(&[statement.id()]).unwrap(),
        refused: Hash::ZERO,
        registry: head,
        first: at(11),
        last: at(11),
        prev: Hash::ZERO,
    };
    let entries = [
        Entry::Policy(policy.clone()).encode(),
        Entry::Registry { head, time: at(5) }.encode(),
        Entry::Header(header.clone()).encode(),
    ];
    let mut tree = LogTree::new();
    for entry in &entries {
        tree.push(entry_hash(entry)).unwrap();
    }
    let root = tree.root(3).unwrap();
    let mut note = Note::sign(
        Checkpoint {
            origin,
            size: 3,
            root,
        },
        &log,
    );
    for number in 1..=3u8 {
        let line = note.cosign(
            &format!("witness-{number}"),
            &key(10 + number),
            at(i64::from(12 + number)),
        );
        note.lines.push(line);
    }
    let mut keys: Vec<KeyRow> = [&organisation_record, &device_record]
        .iter()
        .zip(&salts)
        .map(|(signed, salt)| {
            let (index, path) = registry.path(&signed.record.kid()).unwrap();
            let record = Bytes(signed.bytes().to_vec());
            KeyRow {
                record,
                salt: Fixed(salt.0),
                header: 0,
                index,
                path: path.into(),
            }
        })
        .collect();
    keys.sort_by_key(|row| row.index);
    let place = |signed: &SignedRecord| {
        keys.iter()
            .position(|row| row.record.0 == signed.bytes())
            .unwrap()
    };
    let bundle = Bundle {
        version: Version::V1,
        policies: vec![PolicyRow::first(
            Bytes(entries[0].clone()),
            0,
            tree.inclusion(0, 3).unwrap().into(),
        )],
        checkpoints: vec![CheckpointRow::only(note.encode())],
        fresh: None,
        headers: vec![HeaderRow {
            entry: Bytes(entries[2].clone()),
            index: 2,
            checkpoint: 0,
            path: tree.inclusion(2, 3).unwrap().into(),
            refused: None,
        }],
        statements: vec![StatementRow {
            statement: Bytes(statement.bytes().to_vec()),
            header: 0,
            index: 0,
            path: Tree::new(&[statement.id()])
                .unwrap()
                .path(0)
                .unwrap()
                .into(),
            device: place(&device_record),
            organisation: place(&organisation_record),
            later: None,
            seen: None,
        }],
        events: vec![EventRow {
            statement: 0,
            index: 0,
            path: Vec::new().into(),
            leaf: None,
            source: Some(2),
            members: Some(member_rows(&event.event, &event.salt, |name| {
                name == "epcList"
            })),
        }],
        keys,
    };
    let message = Message {
        statement,
        events: vec![event],
    };
    Example {
        log,
        device,
        policy,
        message,
        device_record,
        organisation_record,
        head,
        header,
        note,
        bundle,
    }
}
