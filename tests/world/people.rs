//! Organisations and devices with keys of their own.

use schemas::event::{Event, Salt, Source};
use schemas::hash::{Hash, sha256};
use schemas::ids::DeviceAddress;
use schemas::key::SecretKey;
use schemas::log::Party;
use schemas::merkle;
use schemas::registry::{Record, Role, SignedRecord, State};
use schemas::statement::{ClockState, Message, Note, Payload, Position, Statement, WireEvent};
use schemas::time::Instant;
use serde_json::Value;

use super::World;
use super::events::{PACKHOUSE, TRUCK};

/// The key of whoever has this name; the same in every run.
pub fn key_of(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(format!("key of {name}").as_bytes()).0)
}

/// A party of the policy.
pub fn party(name: &str) -> Party {
    Party {
        name: name.to_owned(),
        key: key_of(name).public(),
    }
}

/// A gateway: its key, its record, the end of its chain.
#[derive(Clone)]
pub struct Device {
    /// Signs statements.
    pub key: SecretKey,
    /// Newest record.
    pub record: SignedRecord,
    /// `org/device`.
    pub address: DeviceAddress,
    /// Place of the next statement.
    pub next: Position,
    /// Id of the last one.
    pub prev: Hash,
    log: Hash,
    salts: u64,
}

impl Device {
    /// A device that has not spoken yet.
    pub fn new(key: SecretKey, record: SignedRecord) -> Self {
        Self {
            key,
            address: record.record.address().unwrap(),
            next: Position { epoch: 0, seq: 0 },
            prev: Hash::ZERO,
            log: record.record.log,
            salts: 0,
            record,
        }
    }

    /// Signs the next statement over scanned events.
    pub fn say(&mut self, events: &[Value]) -> Message {
        let bytes: Vec<Vec<u8>> = events.iter().map(|e| e.to_string().into_bytes()).collect();
        self.say_bytes(Source::Scan, &bytes)
    }

    /// The same over exact bytes and with any source.
    pub fn say_bytes(&mut self, source: Source, events: &[Vec<u8>]) -> Message {
        let wire = |bytes: &Vec<u8>| {
            let event = Event::parse(bytes.clone()).unwrap();
            let salt = self.salt();
            WireEvent {
                source,
                salt,
                event,
            }
        };
        let events: Vec<WireEvent> = events.iter().map(wire).collect();
        let leaves: Vec<Hash> = events.iter().map(WireEvent::leaf).collect();
        let statement = self.sign_over(&leaves);
        Message { statement, events }
    }

    /// Signs the next statement over leaves of whatever kind.
    pub fn sign_over(&mut self, leaves: &[Hash]) -> Statement {
        let mut payload = self.payload();
        payload.count = leaves.len() as u64;
        payload.root = merkle::root(leaves).unwrap();
        self.sign(payload)
    }

    /// Signs the next note.
    pub fn note(&mut self, text: &str) -> Message {
        let mut payload = self.payload();
        let text = text.to_owned();
        payload.note = Some(Note::Heartbeat { text });
        let statement = self.sign(payload);
        let events = Vec::new();
        Message { statement, events }
    }

    /// Payload of the next statement, without events.
    pub fn payload(&self) -> Payload {
        Payload {
            log: self.log,
            device: self.address.clone(),
            position: self.next,
            prev: self.prev,
            made: Instant::from_seconds(1_783_720_800),
            clock: ClockState::Synced,
            seen: None,
            agent: "test/1".into(),
            count: 0,
            root: Hash::ZERO,
            note: None,
        }
    }

    /// Signs, and goes on from there.
    pub fn sign(&mut self, payload: Payload) -> Statement {
        let statement = Statement::sign(&self.key, payload);
        self.next.seq += 1;
        self.prev = statement.id();
        statement
    }

    /// An event's salt; the same in every run.
    pub fn salt(&mut self) -> Salt {
        self.salts += 1;
        let hash = sha256(format!("salt {} of {}", self.salts, self.address).as_bytes());
        Salt::from_slice(&hash.0[..16]).unwrap()
    }

    /// The next record of this device, as its organisation writes it.
    pub fn next_record(&self, state: State) -> SignedRecord {
        next_record(
            &key_of(self.address.organisation.as_str()),
            &self.record,
            state,
        )
    }
}

/// The record that follows `before`, signed by `signer`.
pub fn next_record(signer: &SecretKey, before: &SignedRecord, state: State) -> SignedRecord {
    SignedRecord::sign(signer, before.next(state))
}

/// First record of an organisation's key, consented.
pub fn organisation_record(log: Hash, name: &str, key: &SecretKey) -> Record {
    let name = name.parse().unwrap();
    Record::first(log, name, Role::Organisation, key.public()).consented(key)
}

/// First record of a device's key that may scan and measure in packhouse and truck, consented
/// after `change`.
pub fn device_record(
    log: Hash,
    address: &str,
    key: &SecretKey,
    change: impl FnOnce(&mut Record),
) -> Record {
    let address: DeviceAddress = address.parse().unwrap();
    let steps = ["commissioning", "inspecting", "packing", "shipping"];
    let mut record = Record {
        device: Some(address.device.clone()),
        places: vec![PACKHOUSE.into(), TRUCK.into()],
        steps: steps.map(str::to_owned).into(),
        sources: vec![2, 3],
        heartbeat: 3_600,
        ..Record::first(
            log,
            address.organisation.clone(),
            Role::Capture,
            key.public(),
        )
    };
    change(&mut record);
    record.consented(key)
}

impl World {
    /// The association admits an organisation; its record.
    pub async fn admit(&mut self, name: &str) -> SignedRecord {
        let record = organisation_record(self.policy.log, name, &key_of(name));
        let signed = SignedRecord::sign(&key_of("association"), record);
        self.admit_record(signed.bytes()).await.unwrap();
        signed
    }

    /// The organisation enrols a device.
    pub async fn enrol(&mut self, address: &str) {
        self.enrol_with(address, |_| ()).await;
    }

    /// The same, with a record changed before the device consents.
    pub async fn enrol_with(&mut self, address: &str, change: impl FnOnce(&mut Record)) {
        let key = key_of(address);
        let record = device_record(self.policy.log, address, &key, change);
        let organisation = key_of(record.organisation.as_str());
        let signed = SignedRecord::sign(&organisation, record);
        self.admit_record(signed.bytes()).await.unwrap();
        let device = Device::new(key, signed);
        self.devices.insert(address.to_owned(), device);
    }

    /// An enrolled device.
    pub fn device(&mut self, address: &str) -> &mut Device {
        self.devices.get_mut(address).unwrap()
    }

    /// The organisation changes the state of a device's key.
    pub async fn set_state(&mut self, address: &str, state: State) {
        let next = self.device(address).next_record(state);
        self.admit_record(next.bytes()).await.unwrap();
        self.device(address).record = next;
    }

    /// A world with one admitted organisation and one device.
    pub async fn with_line_1() -> Self {
        let mut world = Self::start().await;
        world.admit("qinghe").await;
        world.enrol("qinghe/line-1").await;
        world
    }
}
