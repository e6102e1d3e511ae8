//! A small log of our own, whole and valid: what the kept corpora begin with and what the hostile
//! tests break. Keys and salts are fixed, so it is the same to the byte each time.

use schemas::enrol::Claim;
use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Origin};
use schemas::key::SecretKey;
use schemas::log::{
    BatchHeader, Entry, Party, Policy, Refused, encode_refused, entry_hash, hash_of_refused,
};
use schemas::merkle::{self, Tree};
use schemas::note::{Checkpoint, Note};
use schemas::proof::{
    Bundle, Bytes, CheckpointRow, EventRow, Fixed, HeaderRow, KeyRow, PolicyRow, StatementRow,
    Version, member_rows,
};
use schemas::receipt::{Included, Inclusion, Receipt, Reply};
use schemas::registry::{Head, Record, Registry, Role, SignedRecord, State};
use schemas::statement::{self, ClockState, Message, Payload, Position, Statement, WireEvent};
use schemas::time::Instant;
use schemas::tlog::LogTree;

/// Place of every event.
pub const PLACE: &str = "https://id.gs1.org/414/9521001000015";

/// The log and what stands in it.
pub struct Made {
    /// Whom readers trust.
    pub policy: Policy,
    /// Organisation's record, then the device's.
    pub records: [SignedRecord; 2],
    /// Three events, of which the second is refused.
    pub message: Message,
    /// The device's next two: a heartbeat, and a new epoch.
    pub notes: [Message; 2],
    /// The refused event.
    pub refused: Vec<Refused>,
    /// Policy, registry head, document, tombstones, batch header.
    pub entries: Vec<Vec<u8>>,
    /// Over all entries, cosigned by three of four.
    pub note: Note,
    /// The message's first and third event, the first without its things.
    pub bundle: Bundle,
    /// Receipt, then inclusion.
    pub replies: [Reply; 2],
}

/// Key of a number.
pub fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// Registrar's key.
pub fn registrar() -> SecretKey {
    key(2)
}

/// The device's key.
pub fn device() -> SecretKey {
    key(4)
}

/// An instant of the small log.
pub fn at(seconds: i64) -> Instant {
    Instant::from_seconds(1_795_305_600 + seconds)
}

fn origin() -> Origin {
    "log.example/fuzz".parse().unwrap()
}

fn policy() -> Policy {
    let log_key = key(1);
    let party = |(name, number): (&str, u8)| Party {
        name: name.into(),
        key: key(number).public(),
    };
    Policy {
        log: origin().log_id(&log_key.public_bytes()),
        origin: origin(),
        log_key: log_key.public(),
        witnesses: [("w1", 11), ("w2", 12), ("w3", 13), ("w4", 14)]
            .map(party)
            .into(),
        quorum: 3,
        registrars: vec![party(("association", 2))],
        prev: None,
        time: at(0),
    }
}

/// A record of version 1 with its key's consent.
pub fn record(log: Hash, owner: &SecretKey, role: Role) -> Record {
    let capture = role == Role::Capture;
    let words = |words: &[&str]| {
        words
            .iter()
            .filter(|_| capture)
            .map(|&w| w.to_owned())
            .collect()
    };
    let mut record = Record {
        log,
        version: 1,
        organisation: "qinghe".parse().unwrap(),
        device: capture.then(|| "store-1".parse().unwrap()),
        key: owner.public(),
        role,
        places: words(&[PLACE]),
        steps: words(&["sensor_reporting", "storing"]),
        sources: if capture { vec![2, 3] } else { vec![] },
        heartbeat: if capture { 3600 } else { 0 },
        state: State::Active,
        prev: Hash::ZERO,
        consent: None,
    };
    record.consent = Some(record.consent_by(owner));
    record
}

/// The text of an event.
pub fn event_text(number: usize) -> String {
    format!(
        r#"{{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{{"tb":"https://tracebond.example/ns#"}}],"type":"ObjectEvent","eventTime":"2026-11-22T08:00:0{number}.25+08:00","eventTimeZoneOffset":"+08:00","action":"OBSERVE","bizStep":"storing","disposition":"in_progress","epcList":["https://id.gs1.org/01/09521001000017/21/{number}"],"readPoint":{{"id":"{PLACE}"}},"sensorElementList":[{{"sensorReport":[{{"type":"Temperature","value":{number}.5,"uom":"CEL"}}]}}],"tb:batch":"\u00e9\ud83d\ude00 {number}"}}"#
    )
}

/// An event on the wire.
pub fn event(number: u8) -> WireEvent {
    WireEvent {
        source: Source::Scan,
        salt: Salt([0x50 + number; 16]),
        event: Event::parse(event_text(usize::from(number)).into()).unwrap(),
    }
}

/// What the device says over these leaves at this place of its chain.
pub fn payload(log: Hash, position: Position, prev: Hash, leaves: &[Hash]) -> Payload {
    Payload {
        log,
        device: address(),
        position,
        prev,
        made: at(10),
        clock: ClockState::Synced,
        seen: None,
        agent: "edge-agent/0.1.0".into(),
        count: leaves.len() as u64,
        root: merkle::root(leaves).unwrap_or(Hash::ZERO),
        note: None,
    }
}

fn address() -> DeviceAddress {
    "qinghe/store-1".parse().unwrap()
}

fn message(log: Hash) -> Message {
    let events = vec![event(0), event(1), event(2)];
    let leaves: Vec<Hash> = events.iter().map(WireEvent::leaf).collect();
    let mut payload = payload(log, Position { epoch: 0, seq: 0 }, Hash::ZERO, &leaves);
    payload.seen = Some((1, entry_hash(b"first")));
    let statement = Statement::sign(&device(), payload);
    Message { statement, events }
}

fn notes(log: Hash, before: &Statement) -> [Message; 2] {
    let say = |position, prev, note| {
        let payload = Payload {
            note: Some(note),
            ..payload(log, position, prev, &[])
        };
        let statement = Statement::sign(&device(), payload);
        Message {
            statement,
            events: vec![],
        }
    };
    let second = Position { epoch: 0, seq: 1 };
    let heartbeat = statement::Note::Heartbeat {
        text: "still here".into(),
    };
    let heartbeat = say(second, before.id(), heartbeat);
    let id = heartbeat.statement.id();
    let start = statement::Note::EpochStart {
        text: "disk replaced".into(),
        last: second,
        id,
    };
    let start = say(Position { epoch: 1, seq: 0 }, id, start);
    [heartbeat, start]
}

/// Permission to enrol a device.
pub fn claim() -> Claim {
    let log_key = key(1).public_bytes();
    Claim {
        tracebond: "claim/v1".into(),
        address: "http://127.0.0.1:1".into(),
        ca: String::new(),
        log: origin().log_id(&log_key),
        log_key: Hash(log_key),
        origin: origin(),
        organisation: "qinghe".parse().unwrap(),
        claim: "0011223344556677".into(),
        secret: "00112233445566778899aabbccddeeff".into(),
    }
}

/// The whole.
pub fn made() -> Made {
    let policy = policy();
    let records = [
        SignedRecord::sign(
            &registrar(),
            record(policy.log, &key(3), Role::Organisation),
        ),
        SignedRecord::sign(&key(3), record(policy.log, &device(), Role::Capture)),
    ];
    let salts = [Salt([0xa1; 16]), Salt([0xa2; 16])];
    let list = records.iter().zip(&salts);
    let list = list.map(|(signed, salt)| (signed.record.kid(), signed.hash(salt)));
    let registry = Registry::new(&list.collect()).unwrap();
    let head = Head {
        version: 1,
        count: registry.count(),
        root: registry.root(),
    };
    let message = message(policy.log);
    let notes = notes(policy.log, &message.statement);
    let ids = [&message, &notes[0], &notes[1]].map(|message| message.statement.id());
    let refused = vec![Refused {
        statement: 0,
        event: 1,
        code: "epcis".into(),
    }];
    let header = BatchHeader {
        log: policy.log,
        shard: 0,
        seq: 0,
        statements: 3,
        events: 2,
        root: merkle::root(&ids).unwrap(),
        refused: hash_of_refused(&refused),
        registry: head,
        first: at(11),
        last: at(12),
        prev: Hash::ZERO,
    };
    let entries: Vec<Vec<u8>> = [
        Entry::Policy(policy.clone()),
        Entry::Registry { head, time: at(5) },
        Entry::Document {
            kind: "report".into(),
            hash: Hash([0xd0; 32]),
            time: at(6),
        },
        Entry::Tombstones {
            hash: Hash([0xd1; 32]),
            count: 3,
            time: at(7),
        },
        Entry::Header(header.clone()),
    ]
    .iter()
    .map(Entry::encode)
    .collect();
    let (note, tree) = checkpoint(&entries);
    let mut keys: Vec<KeyRow> = records
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
    let place = |signed: &SignedRecord| keys.iter().position(|row| row.record.0 == signed.bytes());
    let batch = Tree::new(&ids).unwrap();
    let size = entries.len() as u64;
    let statement = StatementRow {
        statement: Bytes(message.statement.bytes().to_vec()),
        header: 0,
        index: 0,
        path: batch.path(0).unwrap().into(),
        device: place(&records[1]).unwrap(),
        organisation: place(&records[0]).unwrap(),
        later: None,
        seen: None,
    };
    let bundle = Bundle {
        version: Version::V1,
        policies: vec![PolicyRow::first(
            Bytes(entries[0].clone()),
            0,
            tree.inclusion(0, size).unwrap().into(),
        )],
        checkpoints: vec![CheckpointRow::only(note.encode())],
        fresh: None,
        headers: vec![HeaderRow {
            entry: Bytes(entries[4].clone()),
            index: 4,
            checkpoint: 0,
            path: tree.inclusion(4, size).unwrap().into(),
            refused: Some(Bytes(encode_refused(&refused))),
        }],
        keys,
        statements: vec![statement],
        events: event_rows(&message),
    };
    let replies = replies(&policy, &message, &header, &tree, &note);
    Made {
        policy,
        records,
        message,
        notes,
        refused,
        entries,
        note,
        bundle,
        replies,
    }
}

fn event_rows(message: &Message) -> Vec<EventRow> {
    let leaves: Vec<Hash> = message.events.iter().map(WireEvent::leaf).collect();
    let tree = Tree::new(&leaves).unwrap();
    let row = |index: usize| {
        let event = &message.events[index];
        let withhold = |name: &str| index == 0 && name == "epcList";
        EventRow {
            statement: 0,
            index: index as u64,
            path: tree.path(index).unwrap().into(),
            leaf: None,
            source: Some(u64::from(event.source.number())),
            members: Some(member_rows(&event.event, &event.salt, withhold)),
        }
    };
    vec![row(0), row(2)]
}

fn checkpoint(entries: &[Vec<u8>]) -> (Note, LogTree) {
    let mut tree = LogTree::new();
    for entry in entries {
        tree.push(entry_hash(entry)).unwrap();
    }
    let size = tree.size();
    let root = tree.root(size).unwrap();
    let mut note = Note::sign(
        Checkpoint {
            origin: origin(),
            size,
            root,
        },
        &key(1),
    );
    for (name, number) in [("w1", 11), ("w2", 12), ("w3", 13)] {
        let line = note.cosign(name, &key(number), at(i64::from(number) + 10));
        note.lines.push(line);
    }
    (note, tree)
}

fn replies(
    policy: &Policy,
    message: &Message,
    header: &BatchHeader,
    tree: &LogTree,
    note: &Note,
) -> [Reply; 2] {
    let id = message.statement.id();
    let receipt = Receipt {
        log: policy.log,
        device: address(),
        epoch: 0,
        ranges: vec![(0, 0)],
        last: id,
        time: at(11),
        deadline: at(611),
        refused: vec![(0, 1, "epcis".into())],
        ids: vec![id],
    };
    let inclusion = Inclusion {
        header: Entry::Header(header.clone()).encode(),
        log_index: 4,
        log_path: tree.inclusion(4, tree.size()).unwrap(),
        checkpoint: note.encode(),
        statements: vec![Included {
            id,
            index: 0,
            path: vec![Hash([1; 32]); 2],
        }],
    };
    [
        Reply::Receipt(receipt.sign(&key(5))),
        Reply::Inclusion(inclusion),
    ]
}
