//! A platform on paper: an operator who holds the log key, has witnesses that cosign whatever is
//! consistent, and writes into registry, batch and log what it likes. What it cannot have is the
//! keys of the registrar and of other organisations.

use schemas::event::{Event, Salt, Source};
use schemas::hash::Hash;
use schemas::ids::Origin;
use schemas::key::SecretKey;
use schemas::log::{
    BatchHeader, Entry, Policy, Refused, encode_refused, entry_hash, hash_of_refused,
};
use schemas::merkle::{self, Tree};
use schemas::note::{Checkpoint, Note};
use schemas::proof::{
    self, Bundle, Bytes, CheckpointRow, EventRow, Fixed, HeaderRow, KeyRow, MemberRow, PolicyRow,
    Refusal, Report, StatementRow, Version, member_rows,
};
use schemas::registry::{self, Head, SignedRecord};
use schemas::statement::{Statement, statement_id};
use schemas::time::Instant;
use schemas::tlog::LogTree;
use serde_json::Value;

use crate::world::events::inspected;
use crate::world::people::{Device, device_record, key_of, organisation_record, party};
use crate::world::witnesses::NAMES;

const ORIGIN: &str = "log.example.org/forged";
const SALT: Salt = Salt([7; 16]);

/// Whom readers trust; registrar and witnesses are honest, the operator need not be.
pub fn policy() -> Policy {
    let origin: Origin = ORIGIN.parse().unwrap();
    let log_key = key_of(ORIGIN);
    Policy {
        log: origin.log_id(&log_key.public_bytes()),
        origin,
        log_key: log_key.public(),
        witnesses: NAMES.map(party).into(),
        quorum: 3,
        registrars: vec![party("association")],
        prev: None,
        time: Instant::from_seconds(1_783_720_800),
    }
}

/// An organisation's record as the registrar signs it.
pub fn organisation(name: &str) -> SignedRecord {
    let record = organisation_record(policy().log, name, &key_of(name));
    SignedRecord::sign(&key_of("association"), record)
}

/// A device's record as this signer signs it.
pub fn device(address: &str, key: &SecretKey, signer: &SecretKey) -> SignedRecord {
    SignedRecord::sign(signer, device_record(policy().log, address, key, |_| ()))
}

/// What the operator puts under a checkpoint.
pub struct Paper {
    /// The registry as the operator lists it, by default in the order of kids.
    pub records: Vec<SignedRecord>,
    /// One statement, as signed.
    pub statement: Statement,
    /// Rows of its one event.
    pub source: Source,
    /// Its members.
    pub members: Vec<MemberRow>,
    /// What the operator says that it refused.
    pub refused: Vec<Refused>,
    /// Bytes that stand in the statement's place, if any.
    pub spelled: Option<Vec<u8>>,
    /// Entry that stands in the batch header's place, if any.
    pub header: Option<Vec<u8>>,
    /// Kid of the record that is shown as the device's.
    pub device: Hash,
    /// Kid of the record that is shown as the organisation's.
    pub organisation: Hash,
}

impl Paper {
    /// An honest paper: qinghe's line 1 says one event.
    pub fn honest() -> Self {
        let key = key_of("qinghe/line-1");
        let record = device("qinghe/line-1", &key, &key_of("qinghe"));
        Self::of(key, record, organisation("qinghe"))
    }

    /// One event, signed by `key` under the device record, under the organisation record.
    pub fn of(key: SecretKey, record: SignedRecord, organisation: SignedRecord) -> Self {
        let event = Event::parse(inspected(500).to_string().into_bytes()).unwrap();
        let members = member_rows(&event, &SALT, |_| false);
        Self::saying(key, record, organisation, Source::Scan, members)
    }

    /// The same over members of any kind.
    pub fn saying(
        key: SecretKey,
        record: SignedRecord,
        organisation: SignedRecord,
        source: Source,
        members: Vec<MemberRow>,
    ) -> Self {
        let leaf = leaf_of(source, &members);
        let (device, owner) = (record.record.kid(), organisation.record.kid());
        let statement = Device::new(key, record.clone()).sign_over(&[leaf]);
        let mut records = vec![record, organisation];
        records.sort_by_key(|signed| signed.record.kid());
        Self {
            records,
            statement,
            source,
            members,
            refused: Vec::new(),
            spelled: None,
            header: None,
            device,
            organisation: owner,
        }
    }

    /// The statement as it stands in the batch.
    pub fn statement_bytes(&self) -> Vec<u8> {
        let signed = || self.statement.bytes().to_vec();
        self.spelled.clone().unwrap_or_else(signed)
    }

    /// The head over the list as it stands.
    pub fn head(&self) -> Head {
        let list: Vec<Hash> = self
            .list()
            .iter()
            .map(|(kid, hash)| registry::leaf(kid, hash))
            .collect();
        Head {
            version: 1,
            count: list.len() as u64,
            root: merkle::root(&list).unwrap(),
        }
    }

    /// The list that would be served.
    pub fn list(&self) -> Vec<(Hash, Hash)> {
        let row = |signed: &SignedRecord| (signed.record.kid(), signed.hash(&SALT));
        self.records.iter().map(row).collect()
    }

    /// Entries of the log: policy, registry head, batch header.
    pub fn entries(&self) -> Vec<Vec<u8>> {
        let time = policy().time;
        let header = BatchHeader {
            log: policy().log,
            shard: 0,
            seq: 0,
            statements: 1,
            events: 1,
            root: statement_id(&self.statement_bytes()),
            refused: hash_of_refused(&self.refused),
            registry: self.head(),
            first: time,
            last: time,
            prev: Hash::ZERO,
        };
        let head = self.head();
        let header = Entry::Header(header).encode();
        vec![
            Entry::Policy(policy()).encode(),
            Entry::Registry { head, time }.encode(),
            self.header.clone().unwrap_or(header),
        ]
    }

    /// The bundle of it all, as good as the operator can make it.
    pub fn bundle(&self) -> Bundle {
        let entries = self.entries();
        let mut tree = LogTree::new();
        for entry in &entries {
            tree.push(entry_hash(entry)).unwrap();
        }
        let path = |index| tree.inclusion(index, 3).unwrap().into();
        let refused = (!self.refused.is_empty()).then(|| Bytes(encode_refused(&self.refused)));
        let shown = self.shown();
        let place = |kid: &Hash| {
            let shown = shown.iter();
            let mut kids = shown.map(|&index| self.records[index].record.kid());
            kids.position(|shown| shown == *kid).unwrap()
        };
        Bundle {
            version: Version::V1,
            policies: vec![PolicyRow::first(Bytes(entries[0].clone()), 0, path(0))],
            checkpoints: vec![CheckpointRow::only(witnessed(&tree))],
            fresh: None,
            headers: vec![HeaderRow {
                entry: Bytes(entries[2].clone()),
                index: 2,
                checkpoint: 0,
                path: path(2),
                refused,
            }],
            keys: shown.iter().map(|&index| self.key_row(index)).collect(),
            statements: vec![StatementRow {
                statement: Bytes(self.statement_bytes()),
                header: 0,
                index: 0,
                path: Vec::new().into(),
                device: place(&self.device),
                organisation: place(&self.organisation),
                later: None,
                seen: None,
            }],
            events: vec![EventRow {
                statement: 0,
                index: 0,
                path: Vec::new().into(),
                leaf: None,
                source: Some(u64::from(self.source.number())),
                members: Some(self.members.clone()),
            }],
        }
    }

    /// Places of the records that a bundle shows: the device's and the organisation's.
    fn shown(&self) -> Vec<usize> {
        let place = |kid: Hash| {
            let mut records = self.records.iter();
            records
                .position(|signed| signed.record.kid() == kid)
                .unwrap()
        };
        let mut places = vec![place(self.device), place(self.organisation)];
        places.sort_unstable();
        places
    }

    /// Any record of the list with its place.
    pub fn key_row(&self, index: usize) -> KeyRow {
        let leaf = |(kid, hash): &(Hash, Hash)| registry::leaf(kid, hash);
        let leaves: Vec<Hash> = self.list().iter().map(leaf).collect();
        KeyRow {
            record: Bytes(self.records[index].bytes().to_vec()),
            salt: Fixed(SALT.0),
            header: 0,
            index: index as u64,
            path: Tree::new(&leaves).unwrap().path(index).unwrap().into(),
        }
    }

    /// What a reader says who trusts the policy.
    pub fn verify(&self) -> Result<Report, Refusal> {
        verify(&self.bundle())
    }
}

/// What a reader says of a bundle who trusts the policy.
pub fn verify(bundle: &Bundle) -> Result<Report, Refusal> {
    let trusted = Entry::Policy(policy()).encode();
    proof::verify(&bundle.to_json().unwrap(), Some(&trusted))
}

/// Rows of members that need not be an event's.
pub fn rows(members: &[(&str, &str)]) -> Vec<MemberRow> {
    let row = |(index, (name, value)): (usize, &(&str, &str))| MemberRow {
        name: (*name).to_owned(),
        salt: Some(Fixed(SALT.field(index).0)),
        value: Some(Bytes(value.as_bytes().to_vec())),
        hash: None,
    };
    members.iter().enumerate().map(row).collect()
}

/// Rows of an event's members, all shown.
pub fn rows_of(event: &Value) -> Vec<MemberRow> {
    let event = Event::parse(event.to_string().into_bytes()).unwrap();
    member_rows(&event, &SALT, |_| false)
}

/// The leaf over rows, shown or withheld.
pub fn leaf_of(source: Source, members: &[MemberRow]) -> Hash {
    let field = |row: &MemberRow| {
        let value = match (&row.salt, &row.value, &row.hash) {
            (Some(salt), Some(value), _) => schemas::event::value_hash(&Salt(salt.0), &value.0),
            (_, _, Some(hash)) => Hash(hash.0),
            _ => panic!("neither shown nor withheld"),
        };
        schemas::event::field_hash(&row.name, &value)
    };
    let fields: Vec<Hash> = members.iter().map(field).collect();
    schemas::event::leaf_of_fields(source, &fields).unwrap()
}

/// A checkpoint over the whole tree with all its cosignatures.
fn witnessed(tree: &LogTree) -> Vec<u8> {
    let checkpoint = Checkpoint {
        origin: policy().origin,
        size: tree.size(),
        root: tree.root(tree.size()).unwrap(),
    };
    let mut note = Note::sign(checkpoint, &key_of(ORIGIN));
    for name in NAMES {
        let line = note.cosign(name, &key_of(name), policy().time);
        note.lines.push(line);
    }
    note.encode()
}
