use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::hash::{Hash, sha256};
use schemas::ids::{DeviceAddress, Slug};
use schemas::key::SecretKey;
use schemas::log::{Party, Policy};
use schemas::registry::{Head, Record, Registry, Role, SignedRecord, State};
use schemas::time::Instant;

use super::past::Past;
use super::{Gate, Registries, Snapshot};
use crate::store::sqlite::SqliteStore;
use crate::store::{Append, KeptRecord, LogStore, Store};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }
}

fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(name.as_bytes()).0)
}

/// Organisations with devices, and all that the registry has ever been.
struct Town {
    policy: Policy,
    snapshot: Snapshot,
    /// Newest record of every key.
    records: BTreeMap<Hash, SignedRecord>,
    /// (kid, record hash) of every key.
    list: BTreeMap<Hash, Hash>,
    versions: Vec<(Head, BTreeMap<Hash, Hash>, Vec<KeptRecord>)>,
}

impl Town {
    fn new() -> Self {
        let origin: schemas::ids::Origin = "log.example/town".parse().unwrap();
        let log_key = key("log").public();
        let party = |name: &str| Party {
            name: name.into(),
            key: key(name).public(),
        };
        let policy = Policy {
            log: origin.log_id(&log_key.ed25519_bytes().unwrap()),
            origin,
            log_key,
            witnesses: vec![party("witness")],
            quorum: 1,
            registrars: vec![party("registrar")],
            prev: None,
            time: Instant::from_micros(0),
        };
        Self {
            policy,
            snapshot: Snapshot::default(),
            records: BTreeMap::new(),
            list: BTreeMap::new(),
            versions: Vec::new(),
        }
    }

    fn first(&self, organisation: &str, device: Option<&str>, key: &SecretKey) -> Record {
        let role = device.map_or(Role::Organisation, |_| Role::Capture);
        let organisation = organisation.parse().unwrap();
        let record = Record {
            device: device.map(|device| device.parse().unwrap()),
            ..Record::first(self.policy.log, organisation, role, key.public())
        };
        record.consented(key)
    }

    /// The next registry version, over these records.
    fn admit(&mut self, records: Vec<SignedRecord>) {
        let before = (self.snapshot.clone(), self.snapshot.head);
        let mut next = self.snapshot.clone();
        let mut kept = Vec::new();
        for signed in records {
            let kid = signed.record.kid();
            let admitted = next
                .admit(signed.bytes().to_vec(), &self.policy)
                .unwrap()
                .unwrap();
            self.list.insert(kid, admitted.hash);
            self.records.insert(kid, signed);
            kept.push(admitted);
        }
        let head = next.next_head().unwrap();
        next.head = Some(head);
        self.versions.push((head, self.list.clone(), kept));
        self.snapshot = next;
        self.check(&self.snapshot);
        assert_eq!(before.0.head, before.1, "a copy stays what it was");
        if let (Some(head), Some(tree)) = (before.1, before.0.tree.as_ref()) {
            assert_eq!(tree.root(), head.root, "a copy stays what it was");
        }
    }

    /// The snapshot is what a registry made from the list at once is.
    fn check(&self, snapshot: &Snapshot) {
        let plain = Registry::new(&self.list).unwrap();
        let head = snapshot.head.unwrap();
        assert_eq!((head.count, head.root), (plain.count(), plain.root()));
        assert_eq!(head.version, self.versions.len() as u64);
        for (kid, signed) in &self.records {
            assert_eq!(snapshot.path(kid), plain.path(kid));
            assert_eq!(snapshot.key(kid), Some(signed));
        }
        self.check_names(snapshot);
    }

    fn check_names(&self, snapshot: &Snapshot) {
        let mut organisations: Vec<Hash> = Vec::new();
        let mut devices: Vec<DeviceAddress> = Vec::new();
        for signed in self.records.values() {
            let record = &signed.record;
            match record.address() {
                None => organisations.push(record.kid()),
                Some(address) => {
                    let active = self.records.values().find(|other| {
                        other.record.address().as_ref() == Some(&address)
                            && other.record.state == State::Active
                    });
                    assert_eq!(snapshot.active_capture(&address), active);
                    devices.push(address);
                }
            }
        }
        devices.sort_by_key(ToString::to_string);
        devices.dedup();
        let after = |device: Option<&DeviceAddress>| -> Vec<DeviceAddress> {
            snapshot.devices_after(device).collect()
        };
        assert_eq!(after(None), devices);
        if let Some(first) = devices.first() {
            assert_eq!(after(Some(first)), devices[1..]);
        }
        let mut found: Vec<Hash> = kids(snapshot.organisations());
        found.sort();
        organisations.sort();
        assert_eq!(found, organisations);
        for name in ["a", "a-b", "a0", "b", "nobody"] {
            let name: Slug = name.parse().unwrap();
            let mut found = kids(snapshot.of_organisation(&name));
            found.sort();
            let of = |signed: &&SignedRecord| signed.record.organisation == name;
            let expected = self.records.values().filter(of);
            let expected: Vec<Hash> = expected.map(|signed| signed.record.kid()).collect();
            assert_eq!(found, expected);
        }
    }
}

fn kids<'e>(entries: impl Iterator<Item = &'e super::Entry>) -> Vec<Hash> {
    let kid = |entry: &super::Entry| entry.signed().unwrap().record.kid();
    entries.map(kid).collect()
}

/// Organisations whose names are one another's beginnings, their devices, and what becomes of them.
fn grown(versions: usize) -> Town {
    let mut town = Town::new();
    let mut dice = Dice(11);
    let names = ["a", "a-b", "a0", "b"];
    for name in names {
        let record = town.first(name, None, &key(name));
        town.admit(vec![SignedRecord::sign(&key("registrar"), record)]);
    }
    for version in 0..versions {
        let mut batch: BTreeMap<Hash, SignedRecord> = BTreeMap::new();
        for number in 0..1 + dice.below(3) {
            let name = names[dice.below(names.len())];
            let known: Vec<&SignedRecord> = town
                .records
                .values()
                .filter(|signed| signed.record.role == Role::Capture)
                .filter(|signed| !matches!(signed.record.state, State::Revoked { .. }))
                .collect();
            let next = if known.is_empty() || dice.below(3) > 0 {
                let device = format!("d{version}-{number}");
                let record = town.first(name, Some(&device), &key(&device));
                SignedRecord::sign(&key(name), record)
            } else {
                let before = known[dice.below(known.len())];
                let state = match dice.below(3) {
                    0 => State::Active,
                    1 => State::Suspended,
                    _ => State::Revoked {
                        compromised_since: None,
                    },
                };
                let record = before.next(state);
                SignedRecord::sign(&key(record.organisation.as_str()), record)
            };
            batch.insert(next.record.kid(), next);
        }
        town.admit(batch.into_values().collect());
    }
    town
}

#[test]
fn every_version_is_the_registry_that_its_list_makes() {
    let town = grown(60);
    assert!(town.snapshot.count() > 60);
    let newest = Arc::new(town.snapshot.clone());
    for (head, list, _) in &town.versions {
        let changes: Vec<(Hash, Option<Hash>)> = town
            .list
            .iter()
            .filter(|(kid, hash)| list.get(kid) != Some(hash))
            .map(|(kid, _)| (*kid, list.get(kid).copied()))
            .collect();
        let past = Past::of(Arc::clone(&newest), &changes).unwrap();
        let plain = Registry::new(list).unwrap();
        assert_eq!(past.root(), head.root);
        for kid in town.list.keys() {
            assert_eq!(past.path(kid), plain.path(kid), "version {}", head.version);
        }
    }
}

async fn append(
    store: &SqliteStore,
    fence: u64,
    version: &(Head, BTreeMap<Hash, Hash>, Vec<KeptRecord>),
) {
    let (head, _, records) = version;
    let append = Append {
        fence,
        first: head.version - 1,
        entries: vec![b"head".to_vec()],
        root: head.root,
        registry: Some((records.clone(), *head, Instant::from_micros(0))),
        ..Append::default()
    };
    store.append(&append).await.unwrap();
}

#[tokio::test]
async fn what_is_read_is_what_was_admitted_whole_or_by_what_has_changed() {
    let town = grown(30);
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("platform.db"))
        .await
        .unwrap();
    let (now, later) = (Instant::from_micros(0), Instant::from_micros(1_000_000));
    let fence = store
        .take_lease("log", "a", now, later)
        .await
        .unwrap()
        .unwrap();
    let (early, late) = town.versions.split_at(12);
    for version in early {
        append(&store, fence, version).await;
    }
    let known = Snapshot::load(&store).await.unwrap();
    assert_eq!(known.head, Some(early[11].0));
    for version in late {
        append(&store, fence, version).await;
    }
    town.check(&known.advanced(&store).await.unwrap());
    town.check(&Snapshot::default().advanced(&store).await.unwrap());
    let loaded = Snapshot::load(&store).await.unwrap();
    town.check(&loaded);
    town.check(&loaded.advanced(&store).await.unwrap());
    // A process that has followed only so far finds older and newer versions alike.
    let store: Arc<dyn Store> = Arc::new(store);
    let registries = Registries::new(Arc::new(Gate::new(known)));
    for (head, list, _) in &town.versions {
        let past = registries.at(&*store, head).await.unwrap().unwrap();
        let (kid, _) = list.first_key_value().unwrap();
        assert_eq!(past.path(kid), Registry::new(list).unwrap().path(kid));
        let page = store
            .records_page(Some(kid), head.version, 2)
            .await
            .unwrap();
        let expected: Vec<Hash> = list.keys().skip(1).take(2).copied().collect();
        let found: Vec<Hash> = page.iter().map(|kept| kept.kid).collect();
        assert_eq!(found, expected);
    }
    let lie = Head {
        root: Hash([1; 32]),
        ..town.versions[3].0
    };
    assert!(registries.at(&*store, &lie).await.unwrap().is_none());
}
