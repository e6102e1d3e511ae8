//! A small log with real keys, signatures, trees and witnesses, from which tests make bundles.

mod rows;
mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemas::event::{Event, Salt, Source};
use schemas::hash::{Hash, sha256};
use schemas::ids::{DeviceAddress, Slug};
use schemas::key::SecretKey;
use schemas::log::{BatchHeader, Entry, Party, Policy, PolicyFile, entry_hash};
use schemas::merkle;
use schemas::note::{Checkpoint, Note};
use schemas::proof::{Bundle, Bytes, CheckpointRow, Fixed, HeaderRow, KeyRow, PolicyRow, Version};
use schemas::registry::{Head, Record, Registry, Role, SignedRecord};
use schemas::statement::{self, ClockState, Payload, Position, Statement, WireEvent};
use schemas::time::{Clock, Instant, Sleep};
use schemas::tlog::LogTree;

use crate::evidence::verify::TrustedPolicy;

use rows::{event_rows, statement_row};
pub use story::*;

/// An instant of the tests' day.
pub fn at(hours: i64, minutes: i64) -> Instant {
    let day = Instant::parse_rfc3339("2026-11-20T00:00:00Z").unwrap();
    Instant::from_micros(day.as_micros() + (hours * 60 + minutes) * 60_000_000)
}

pub fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

/// A clock that stands still.
pub struct StoppedClock(pub Instant);

impl Clock for StoppedClock {
    fn now(&self) -> Instant {
        self.0
    }
    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

/// A clock that tests move.
pub struct MovedClock(pub std::sync::Mutex<Instant>);

impl MovedClock {
    /// Moves it.
    pub fn set(&self, now: Instant) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }
    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

struct Speaker {
    key: SecretKey,
    position: Position,
    prev: Hash,
}

struct Spoken {
    statement: Statement,
    events: Vec<WireEvent>,
    anchored: Instant,
    header: Vec<u8>,
    index: u64,
}

/// A log, its parties and what was said.
pub struct World {
    log_key: SecretKey,
    witnesses: Vec<(String, SecretKey)>,
    policy: Policy,
    tree: LogTree,
    head: Head,
    registry: Registry,
    records: BTreeMap<Hash, SignedRecord>,
    organisations: BTreeMap<Slug, SecretKey>,
    speakers: BTreeMap<DeviceAddress, Speaker>,
    spoken: Vec<Spoken>,
}

/// What a bundle holds back.
#[derive(Default)]
pub struct HoldBack {
    /// Statements left out, by order of speaking.
    pub statements: BTreeSet<usize>,
    /// Events wholly withheld: (statement, event).
    pub events: BTreeSet<(usize, u64)>,
    /// A member withheld everywhere.
    pub member: Option<&'static str>,
}

fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(name.as_bytes()).0)
}

fn party((name, key): &(String, SecretKey)) -> Party {
    Party {
        name: name.clone(),
        key: key.public(),
    }
}

impl World {
    /// A log with these devices (`organisation/device`, heartbeat in seconds).
    pub fn new(devices: &[(&str, u64)]) -> Self {
        Self::with_origin("log.test/credit", devices)
    }

    pub fn with_origin(origin: &str, devices: &[(&str, u64)]) -> Self {
        let log_key = key("log");
        let witnesses: Vec<_> = (0..4)
            .map(|n| (format!("witness-{n}"), key(&format!("witness {n}"))))
            .collect();
        let registrar = ("registrar".to_owned(), key("registrar"));
        let origin: schemas::ids::Origin = origin.parse().unwrap();
        let policy = Policy {
            log: origin.log_id(&log_key.public_bytes()),
            origin,
            log_key: log_key.public(),
            witnesses: witnesses.iter().map(party).collect(),
            quorum: 3,
            registrars: vec![party(&registrar)],
            prev: None,
            time: at(0, 0),
        };
        let (organisations, speakers, records) = admit(&policy, &registrar.1, devices);
        let list = records
            .iter()
            .map(|(kid, record)| (*kid, record.hash(&salt_of(kid))))
            .collect();
        let registry = Registry::new(&list).unwrap();
        let head = Head {
            version: 1,
            count: registry.count(),
            root: registry.root(),
        };
        let mut tree = LogTree::new();
        for entry in [
            Entry::Policy(policy.clone()),
            Entry::Registry {
                head,
                time: at(0, 0),
            },
        ] {
            tree.push(entry_hash(&entry.encode())).unwrap();
        }
        let spoken = Vec::new();
        Self {
            log_key,
            witnesses,
            policy,
            tree,
            head,
            registry,
            records,
            organisations,
            speakers,
            spoken,
        }
    }

    /// The policy as the bank trusts it.
    pub fn policy_file(&self) -> Vec<u8> {
        let file = PolicyFile::new(Entry::Policy(self.policy.clone()).encode());
        serde_json::to_vec(&file).unwrap()
    }

    pub fn trusted(&self) -> TrustedPolicy {
        TrustedPolicy::parse(&self.policy_file()).unwrap()
    }

    /// A device speaks; witnessed a minute later. Gives the order of speaking.
    pub fn say(&mut self, device: &str, made: Instant, events: &[(Source, String)]) -> usize {
        self.say_later(device, made, made + Duration::from_secs(60), events)
    }

    /// A device speaks and is witnessed at `anchored`.
    pub fn say_later(
        &mut self,
        device: &str,
        made: Instant,
        anchored: Instant,
        events: &[(Source, String)],
    ) -> usize {
        let events: Vec<WireEvent> = events
            .iter()
            .map(|(source, json)| WireEvent {
                source: *source,
                salt: Salt::random().unwrap(),
                event: Event::parse(json.clone().into_bytes()).unwrap(),
            })
            .collect();
        let leaves: Vec<Hash> = events.iter().map(WireEvent::leaf).collect();
        let root = merkle::root(&leaves).unwrap();
        self.speak(device, made, anchored, events, root, None)
    }

    /// A device sends a note.
    pub fn note(&mut self, device: &str, made: Instant, note: statement::Note) -> usize {
        let anchored = made + Duration::from_secs(60);
        self.speak(device, made, anchored, Vec::new(), Hash::ZERO, Some(note))
    }

    /// The device counts on as if it had spoken: its next statement leaves one out.
    pub fn swallow(&mut self, device: &str) {
        let speaker = self.speakers.get_mut(&device.parse().unwrap()).unwrap();
        speaker.position.seq += 1;
        speaker.prev = sha256(b"never sent");
    }

    /// The device begins a new epoch; gives its last place for the note.
    pub fn restart(&mut self, device: &str) -> (Position, Hash) {
        let speaker = self.speakers.get_mut(&device.parse().unwrap()).unwrap();
        let mut last = speaker.position;
        last.seq -= 1;
        speaker.position = Position {
            epoch: last.epoch + 1,
            seq: 0,
        };
        (last, speaker.prev)
    }

    fn speak(
        &mut self,
        device: &str,
        made: Instant,
        anchored: Instant,
        events: Vec<WireEvent>,
        root: Hash,
        note: Option<statement::Note>,
    ) -> usize {
        let address: DeviceAddress = device.parse().unwrap();
        let speaker = self.speakers.get_mut(&address).unwrap();
        let payload = Payload {
            log: self.policy.log,
            device: address,
            position: speaker.position,
            prev: speaker.prev,
            made,
            clock: ClockState::Synced,
            seen: None,
            agent: "test/1".into(),
            count: events.len() as u64,
            root,
            note,
        };
        let statement = Statement::sign(&speaker.key, payload);
        speaker.position.seq += 1;
        speaker.prev = statement.id();
        let header = self.header(&statement, made);
        let index = self.tree.size();
        self.tree.push(entry_hash(&header)).unwrap();
        self.spoken.push(Spoken {
            statement,
            events,
            anchored,
            header,
            index,
        });
        self.spoken.len() - 1
    }

    fn header(&self, statement: &Statement, time: Instant) -> Vec<u8> {
        let before = self
            .spoken
            .last()
            .map_or(Hash::ZERO, |before| entry_hash(&before.header));
        Entry::Header(BatchHeader {
            log: self.policy.log,
            shard: 0,
            seq: self.spoken.len() as u64,
            statements: 1,
            events: statement.payload.count,
            root: statement.id(),
            refused: Hash::ZERO,
            registry: self.head,
            first: time,
            last: time,
            prev: before,
        })
        .encode()
    }

    fn checkpoint(&self, size: u64, anchored: Instant) -> CheckpointRow {
        let root = self.tree.root(size).unwrap();
        let checkpoint = Checkpoint {
            origin: self.policy.origin.clone(),
            size,
            root,
        };
        let mut note = Note::sign(checkpoint, &self.log_key);
        for (name, key) in &self.witnesses {
            note.lines.push(note.cosign(name, key, anchored));
        }
        CheckpointRow::only(note.encode())
    }

    /// A bundle of everything, whose newest checkpoint is witnessed at `until`.
    pub fn bundle(&mut self, until: Instant, hold_back: &HoldBack) -> Bundle {
        let document = Entry::Document {
            kind: "end".into(),
            hash: Hash::ZERO,
            time: until,
        };
        self.tree.push(entry_hash(&document.encode())).unwrap();
        let size = self.tree.size();
        let spoken: Vec<(usize, &Spoken)> = self
            .spoken
            .iter()
            .enumerate()
            .filter(|(order, _)| !hold_back.statements.contains(order))
            .collect();
        let (keys, places) = self.keys(&spoken);
        let mut checkpoints: Vec<CheckpointRow> = spoken
            .iter()
            .map(|(_, one)| self.checkpoint(one.index + 1, one.anchored))
            .collect();
        checkpoints.push(self.checkpoint(size, until));
        Bundle {
            version: Version::V1,
            policies: vec![PolicyRow::first(
                Bytes(Entry::Policy(self.policy.clone()).encode()),
                0,
                self.tree.inclusion(0, size).unwrap().into(),
            )],
            fresh: None,
            checkpoints,
            headers: spoken
                .iter()
                .enumerate()
                .map(|(n, (_, one))| self.header_row(n, one))
                .collect(),
            keys,
            statements: spoken
                .iter()
                .enumerate()
                .map(|(n, (_, one))| statement_row(n, one, &places, &self.organisations))
                .collect(),
            events: spoken
                .iter()
                .enumerate()
                .flat_map(|(n, (order, one))| event_rows(n, *order, one, hold_back))
                .collect(),
        }
    }

    /// The bundle's bytes with nothing held back.
    pub fn pack(&mut self, until: Instant) -> Vec<u8> {
        self.bundle(until, &HoldBack::default()).to_json().unwrap()
    }

    fn header_row(&self, checkpoint: usize, one: &Spoken) -> HeaderRow {
        HeaderRow {
            entry: Bytes(one.header.clone()),
            index: one.index,
            checkpoint,
            path: self
                .tree
                .inclusion(one.index, one.index + 1)
                .unwrap()
                .into(),
            refused: None,
        }
    }

    fn keys(&self, spoken: &[(usize, &Spoken)]) -> (Vec<KeyRow>, BTreeMap<Hash, usize>) {
        let mut used = BTreeSet::new();
        for (_, one) in spoken {
            used.insert(one.statement.kid);
            used.insert(self.organisations[&one.statement.payload.device.organisation].kid());
        }
        let row = |kid: &Hash| {
            let (index, path) = self.registry.path(kid).unwrap();
            KeyRow {
                record: Bytes(self.records[kid].bytes().to_vec()),
                salt: Fixed(salt_of(kid).0),
                header: 0,
                index,
                path: path.into(),
            }
        };
        let rows = used.iter().map(row).collect();
        (
            rows,
            used.iter().enumerate().map(|(n, kid)| (*kid, n)).collect(),
        )
    }
}

fn salt_of(kid: &Hash) -> Salt {
    Salt::from_slice(&kid.0[..16]).unwrap()
}

type Admitted = (
    BTreeMap<Slug, SecretKey>,
    BTreeMap<DeviceAddress, Speaker>,
    BTreeMap<Hash, SignedRecord>,
);

fn admit(policy: &Policy, registrar: &SecretKey, devices: &[(&str, u64)]) -> Admitted {
    let (mut organisations, mut speakers, mut records) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (device, heartbeat) in devices {
        let address: DeviceAddress = device.parse().unwrap();
        let organisation = organisations
            .entry(address.organisation.clone())
            .or_insert_with(|| key(address.organisation.as_str()));
        let own = record(policy, &address.organisation, None, organisation, 0);
        records.insert(organisation.kid(), SignedRecord::sign(registrar, own));
        let device_key = key(device);
        let own = record(
            policy,
            &address.organisation,
            Some(&address),
            &device_key,
            *heartbeat,
        );
        records.insert(device_key.kid(), SignedRecord::sign(organisation, own));
        let position = Position { epoch: 0, seq: 0 };
        speakers.insert(
            address,
            Speaker {
                key: device_key,
                position,
                prev: Hash::ZERO,
            },
        );
    }
    (organisations, speakers, records)
}

fn record(
    policy: &Policy,
    organisation: &Slug,
    device: Option<&DeviceAddress>,
    key: &SecretKey,
    heartbeat: u64,
) -> Record {
    let steps = [
        "accepting",
        "commissioning",
        "inspecting",
        "other",
        "packing",
        "receiving",
        "shipping",
        "storing",
    ];
    let role = device.map_or(Role::Organisation, |_| Role::Capture);
    let record = Record {
        device: device.map(|address| address.device.clone()),
        steps: device.map_or_else(Vec::new, |_| steps.map(str::to_owned).to_vec()),
        sources: device.map_or_else(Vec::new, |_| vec![0, 1, 2, 3]),
        heartbeat,
        ..Record::first(policy.log, organisation.clone(), role, key.public())
    };
    record.consented(key)
}
