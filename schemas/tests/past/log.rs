//! A log with a past, on paper: policies that follow each other, keys whose state changes,
//! statements with what they had seen, and bundles of version 2 of any of them. Every key is made
//! from its name, every salt from a number, so that the same past is the same bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::event::{Event, Salt, Source};
use schemas::hash::{Hash, sha256};
use schemas::ids::{DeviceAddress, Origin};
use schemas::key::SecretKey;
use schemas::log::{BatchHeader, Entry, Party, Policy, entry_hash};
use schemas::merkle::{self, Tree};
use schemas::note::{Checkpoint, Note};
use schemas::registry::{Head, Record, Registry, Role, SignedRecord, State};
use schemas::statement::{ClockState, Payload, Position, Statement, WireEvent};
use schemas::time::Instant;
use schemas::tlog::LogTree;

/// The key that this name stands for.
pub fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(name.as_bytes()).0)
}

fn party(name: &str) -> Party {
    Party {
        name: name.to_owned(),
        key: key(name).public(),
    }
}

/// Whom a policy names, by the names of their keys; the lists in order.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub log: &'static str,
    pub witnesses: &'static [&'static str],
    pub quorum: u64,
    pub registrars: &'static [&'static str],
}

/// The terms that every past begins with.
pub const FIRST: Terms = Terms {
    log: "log-1",
    witnesses: &["witness-1", "witness-2", "witness-3"],
    quorum: 2,
    registrars: &["association"],
};

/// A policy and the time in which it was in force.
#[derive(Clone)]
pub struct Reign {
    pub policy: Policy,
    pub terms: Terms,
    pub index: u64,
    /// The predecessor's note that hands over to it.
    pub handover: Option<Note>,
}

/// A registry head with everything below it.
#[derive(Clone)]
pub struct Register {
    pub head: Head,
    pub index: u64,
    pub records: BTreeMap<Hash, (SignedRecord, Salt)>,
}

impl Register {
    pub fn tree(&self) -> Registry {
        let row = |(kid, (signed, salt)): (&Hash, &(SignedRecord, Salt))| (*kid, signed.hash(salt));
        Registry::new(&self.records.iter().map(row).collect()).unwrap()
    }
}

/// A statement with its one event.
#[derive(Clone)]
pub struct Said {
    pub statement: Statement,
    pub event: WireEvent,
}

/// A header and the statements of its batch.
#[derive(Clone)]
pub struct Batch {
    pub header: BatchHeader,
    pub index: u64,
    pub register: usize,
    pub statements: Vec<Said>,
}

impl Batch {
    pub fn tree(&self) -> Tree {
        let ids = self.statements.iter().map(|said| said.statement.id());
        Tree::new(&ids.collect::<Vec<_>>()).unwrap()
    }
}

/// A checkpoint and the position of its policy.
#[derive(Clone)]
pub struct Noted {
    pub note: Note,
    pub reign: usize,
}

/// A log with a past.
pub struct Past {
    pub now: Instant,
    pub tree: LogTree,
    pub entries: Vec<Vec<u8>>,
    pub reigns: Vec<Reign>,
    pub registers: Vec<Register>,
    pub batches: Vec<Batch>,
    pub notes: Vec<Noted>,
    records: BTreeMap<Hash, (SignedRecord, Salt)>,
    waiting: Vec<Said>,
    /// Next place of each device's chain, and the last id.
    chains: BTreeMap<String, (u64, Hash)>,
    number: u64,
}

impl Past {
    /// A log with its first policy, an organisation `qinghe` and its device `qinghe/store-1`.
    pub fn new() -> Self {
        let mut past = Self::empty();
        past.admit("qinghe", "association");
        past.enrol("qinghe/store-1");
        past
    }

    /// A log that holds its first policy only.
    pub fn empty() -> Self {
        let mut past = Self {
            now: Instant::from_seconds(1_795_305_600),
            tree: LogTree::new(),
            entries: Vec::new(),
            reigns: Vec::new(),
            registers: Vec::new(),
            batches: Vec::new(),
            notes: Vec::new(),
            records: BTreeMap::new(),
            waiting: Vec::new(),
            chains: BTreeMap::new(),
            number: 0,
        };
        let policy = past.policy(FIRST, None);
        past.reign(policy, FIRST, None);
        past
    }

    fn policy(&self, terms: Terms, prev: Option<(Hash, u64, Hash)>) -> Policy {
        let origin: Origin = "log.example/past".parse().unwrap();
        Policy {
            log: origin.log_id(&key(FIRST.log).public_bytes()),
            origin,
            log_key: key(terms.log).public(),
            witnesses: terms.witnesses.iter().map(|name| party(name)).collect(),
            quorum: terms.quorum,
            registrars: terms.registrars.iter().map(|name| party(name)).collect(),
            prev,
            time: self.now,
        }
    }

    fn reign(&mut self, policy: Policy, terms: Terms, handover: Option<Note>) {
        let index = self.append(Entry::Policy(policy.clone()).encode());
        self.reigns.push(Reign {
            policy,
            terms,
            index,
            handover,
        });
    }

    fn append(&mut self, entry: Vec<u8>) -> u64 {
        let index = self.tree.size();
        self.tree.push(entry_hash(&entry)).unwrap();
        self.entries.push(entry);
        index
    }

    pub fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    /// The log id.
    pub fn log(&self) -> Hash {
        self.reigns[0].policy.log
    }

    /// Entry of a policy.
    pub fn policy_entry(&self, reign: usize) -> Vec<u8> {
        Entry::Policy(self.reigns[reign].policy.clone()).encode()
    }

    /// A note over the first `size` entries under a policy, cosigned by all its witnesses.
    pub fn sign(&self, reign: usize, size: u64) -> Note {
        self.sign_root(reign, size, self.tree.root(size).unwrap())
    }

    /// The same over any root.
    pub fn sign_root(&self, reign: usize, size: u64, root: Hash) -> Note {
        let Reign { policy, terms, .. } = &self.reigns[reign];
        let origin = policy.origin.clone();
        let checkpoint = Checkpoint { origin, size, root };
        let mut note = Note::sign(checkpoint, &key(terms.log));
        for (late, name) in terms.witnesses.iter().enumerate() {
            let time = self.now.plus(Duration::from_secs(late as u64));
            let line = note.cosign(name, &key(name), time);
            note.lines.push(line);
        }
        note
    }

    /// A checkpoint over everything under the newest policy; its size and root.
    pub fn witness(&mut self) -> (u64, Hash) {
        let (reign, size) = (self.reigns.len() - 1, self.tree.size());
        let note = self.sign(reign, size);
        let seen = (size, note.checkpoint.root);
        self.notes.push(Noted { note, reign });
        seen
    }

    /// The next policy: the old one signs its end and hands over.
    pub fn succeed(&mut self, terms: Terms) {
        let reign = self.reigns.len() - 1;
        if self
            .notes
            .last()
            .is_none_or(|last| last.note.checkpoint.size < self.tree.size())
        {
            self.witness();
        }
        let (size, root) = (self.tree.size(), self.tree.root(self.tree.size()).unwrap());
        let prev = (sha256(&self.policy_entry(reign)), size, root);
        let policy = self.policy(terms, Some(prev));
        self.reign(policy, terms, None);
        let handover = self.sign(reign, size + 1);
        self.reigns[reign + 1].handover = Some(handover);
    }

    fn salt(&mut self) -> Salt {
        self.number += 1;
        let hash = sha256(&self.number.to_be_bytes());
        Salt(*hash.0.first_chunk().unwrap())
    }

    /// Puts a record into the registry and its head into the log.
    pub fn register(&mut self, signed: SignedRecord) {
        let salt = self.salt();
        self.records.insert(signed.record.kid(), (signed, salt));
        let mut register = Register {
            head: Head {
                version: self.registers.len() as u64 + 1,
                count: self.records.len() as u64,
                root: Hash::ZERO,
            },
            index: self.tree.size(),
            records: self.records.clone(),
        };
        register.head.root = register.tree().root();
        let (head, time) = (register.head, self.now);
        self.append(Entry::Registry { head, time }.encode());
        self.registers.push(register);
    }

    fn record(&self, name: &str, role: Role) -> Record {
        let capture = role == Role::Capture;
        let organisation = name.split('/').next().unwrap();
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let mut record = Record {
            log: self.log(),
            version: 1,
            organisation: organisation.parse().unwrap(),
            device: name.split('/').nth(1).map(|device| device.parse().unwrap()),
            key: key(name).public(),
            role,
            places: Vec::new(),
            steps: if capture {
                texts(&["storing"])
            } else {
                Vec::new()
            },
            sources: if capture { vec![2] } else { Vec::new() },
            heartbeat: 0,
            state: State::Active,
            prev: Hash::ZERO,
            consent: None,
        };
        record.consent = Some(record.consent_by(&key(name)));
        record
    }

    /// An organisation, admitted by a registrar.
    pub fn admit(&mut self, name: &str, registrar: &str) {
        let record = self.record(name, Role::Organisation);
        self.register(SignedRecord::sign(&key(registrar), record));
    }

    /// A device, admitted by its organisation.
    pub fn enrol(&mut self, address: &str) {
        let record = self.record(address, Role::Capture);
        let organisation = address.split('/').next().unwrap();
        self.register(SignedRecord::sign(&key(organisation), record));
    }

    /// The newest record of the key that this name stands for.
    pub fn newest(&self, name: &str) -> &SignedRecord {
        &self.records[&key(name).kid()].0
    }

    /// A next record of a key, signed by whoever `signer` names.
    pub fn set_state(&mut self, name: &str, state: State, signer: &str) {
        let before = self.newest(name);
        let record = Record {
            version: before.record.version + 1,
            prev: before.id(),
            consent: None,
            state,
            ..before.record.clone()
        };
        self.register(SignedRecord::sign(&key(signer), record));
    }

    /// A statement over one event of this time, not yet anchored.
    pub fn say(&mut self, address: &str, time: &str, seen: Option<(u64, Hash)>) -> Hash {
        let text = format!(
            r#"{{"type":"ObjectEvent","eventTime":"{time}","eventTimeZoneOffset":"+08:00","action":"OBSERVE","bizStep":"storing","epcList":["https://id.gs1.org/00/095210010000000018"]}}"#
        );
        let event = WireEvent {
            source: Source::Scan,
            salt: self.salt(),
            event: Event::parse(text.into_bytes()).unwrap(),
        };
        let (seq, prev) = self.chains.get(address).copied().unwrap_or((0, Hash::ZERO));
        let payload = Payload {
            log: self.log(),
            device: address.parse::<DeviceAddress>().unwrap(),
            position: Position { epoch: 0, seq },
            prev,
            made: self.now,
            clock: ClockState::Synced,
            seen,
            agent: "past/1".into(),
            count: 1,
            root: merkle::root(&[event.leaf()]).unwrap(),
            note: None,
        };
        let statement = Statement::sign(&key(address), payload);
        let id = statement.id();
        self.chains.insert(address.to_owned(), (seq + 1, id));
        self.waiting.push(Said { statement, event });
        id
    }

    /// The place and id of a device's last statement: what a retirement names.
    pub fn last_of(&self, address: &str) -> (Position, Hash) {
        let (next, id) = self.chains[address];
        (
            Position {
                epoch: 0,
                seq: next - 1,
            },
            id,
        )
    }

    /// One batch of all that waits.
    pub fn anchor(&mut self) {
        let statements = std::mem::take(&mut self.waiting);
        let register = self.registers.len() - 1;
        let ids: Vec<Hash> = statements.iter().map(|said| said.statement.id()).collect();
        let prev = self.batches.last().map_or(Hash::ZERO, |batch| {
            entry_hash(&Entry::Header(batch.header.clone()).encode())
        });
        let header = BatchHeader {
            log: self.log(),
            shard: 0,
            seq: self.batches.len() as u64,
            statements: ids.len() as u64,
            events: ids.len() as u64,
            root: merkle::root(&ids).unwrap(),
            refused: Hash::ZERO,
            registry: self.registers[register].head,
            first: self.now,
            last: self.now,
            prev,
        };
        let index = self.append(Entry::Header(header.clone()).encode());
        self.batches.push(Batch {
            header,
            index,
            register,
            statements,
        });
    }

    /// One event of this time, said, anchored and witnessed.
    pub fn event(&mut self, time: &str) -> Hash {
        let id = self.say("qinghe/store-1", time, None);
        self.anchor();
        self.witness();
        id
    }
}
