//! Keys, records and policy of a small world, and an enrolled device in it.

use std::path::Path;
use std::sync::Arc;

use edge_agent::identity::{self, Algorithm};
use edge_agent::trust::{Enrolment, Trust};
use schemas::hash::Hash;
use schemas::ids::{Origin, Slug};
use schemas::key::{SecretKey, Signer};
use schemas::log::{Entry, Party, Policy};
use schemas::registry::{Record, Role, SignedRecord, State};
use schemas::time::Instant;

pub const PLACE: &str = "https://id.gs1.org/414/9521001000024";
pub const SENSOR: &str = "https://id.gs1.org/8004/9521001PROBE1";
pub const WITNESSES: [&str; 4] = ["bank", "consumers", "industry", "regulator"];

pub struct World {
    pub origin: Origin,
    pub log_key: SecretKey,
    pub witnesses: Vec<SecretKey>,
    pub registrar: SecretKey,
    pub organisation: SecretKey,
    pub operator: SecretKey,
    pub receipt: SecretKey,
    pub policy: Policy,
    pub heartbeat: u64,
    pub platform_url: String,
    /// Sources that a device's record allows.
    pub sources: Vec<u8>,
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub fn slug(text: &str) -> Slug {
    text.parse().expect("slug")
}

impl World {
    pub fn new() -> Self {
        let origin: Origin = "log.example.org/test".parse().expect("origin");
        let (log_key, registrar) = (key(1), key(2));
        let witnesses: Vec<SecretKey> = (10..14).map(key).collect();
        let party = |name: &str, key: &SecretKey| Party {
            name: name.to_owned(),
            key: key.public(),
        };
        let policy = Policy {
            log: origin.log_id(&log_key.public_bytes()),
            origin: origin.clone(),
            log_key: log_key.public(),
            witnesses: WITNESSES
                .iter()
                .zip(&witnesses)
                .map(|(name, key)| party(name, key))
                .collect(),
            quorum: 3,
            registrars: vec![party("registrar", &registrar)],
            prev: None,
            time: Instant::from_seconds(1_795_000_000),
        };
        policy.check().expect("policy");
        let (organisation, operator, receipt) = (key(3), key(4), key(5));
        Self {
            origin,
            log_key,
            witnesses,
            registrar,
            organisation,
            operator,
            receipt,
            policy,
            heartbeat: 0,
            platform_url: "http://127.0.0.1:1".to_owned(),
            sources: vec![2, 3],
        }
    }

    pub fn log(&self) -> Hash {
        self.policy.log
    }

    pub fn record(&self, org: &str, device: Option<&str>, key: &dyn Signer, role: Role) -> Record {
        let capture = role == Role::Capture;
        let only = |list: &[&str]| -> Vec<String> {
            if capture {
                list.iter().map(ToString::to_string).collect()
            } else {
                Vec::new()
            }
        };
        Record {
            log: self.log(),
            version: 1,
            organisation: slug(org),
            device: device.map(slug),
            key: key.public(),
            role,
            places: only(&[PLACE]),
            steps: only(&[
                "commissioning",
                "packing",
                "sensor_reporting",
                "shipping",
                "storing",
            ]),
            sources: if capture {
                self.sources.clone()
            } else {
                Vec::new()
            },
            heartbeat: if capture { self.heartbeat } else { 0 },
            state: State::Active,
            prev: Hash::ZERO,
            consent: None,
        }
    }

    pub fn signed(&self, mut record: Record, key: &dyn Signer, signer: &SecretKey) -> Vec<u8> {
        record.consent = Some(record.consent_of(key).expect("a consent"));
        SignedRecord::sign(signer, record).bytes().to_vec()
    }

    pub fn organisation_record(&self) -> Vec<u8> {
        let record = self.record("qinghe", None, &self.organisation, Role::Organisation);
        self.signed(record, &self.organisation, &self.registrar)
    }

    pub fn receipt_records(&self) -> (Vec<u8>, Vec<u8>) {
        let operator = self.record("operator", None, &self.operator, Role::Organisation);
        let receipt = self.record("operator", None, &self.receipt, Role::Receipt);
        (
            self.signed(receipt, &self.receipt, &self.operator),
            self.signed(operator, &self.operator, &self.registrar),
        )
    }

    pub fn enrolment(&self, device: &dyn Signer, broker: &str) -> Enrolment {
        let record = self.record("qinghe", Some("line-1"), device, Role::Capture);
        let (receipt_record, receipt_organisation_record) = self.receipt_records();
        Enrolment {
            log: self.log(),
            origin: self.origin.clone(),
            log_key: Hash(self.log_key.public_bytes()),
            organisation: slug("qinghe"),
            record: self.signed(record, device, &self.organisation),
            organisation_record: self.organisation_record(),
            receipt_record,
            receipt_organisation_record,
            policy: Entry::Policy(self.policy.clone()).encode(),
            policies: None,
            broker: broker.to_owned(),
            platform: self.platform_url.clone(),
            ca: String::new(),
            username: "qinghe/line-1".to_owned(),
            password: "00".repeat(32),
            former: Vec::new(),
            former_receipts: Vec::new(),
        }
    }

    /// Makes a key in the state directory and stores an enrolment for it.
    pub fn enrol(&self, state: &Path, broker: &str) -> (Arc<dyn Signer>, Trust) {
        let device = identity::load_or_make(state, Algorithm::Ed25519).expect("key");
        let enrolment = self.enrolment(&*device, broker);
        enrolment.store(state).expect("stored");
        let trust = enrolment.trust(&device.public()).expect("trust");
        (device, trust)
    }
}
