//! The registry at one version.

use std::collections::BTreeMap;

use schemas::event::Salt;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::registry::{Head, Registry, Role, SignedRecord, State};

use super::admit::AdmitError;
use crate::store::RegistryStore;

/// A record with its salt.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As signed.
    pub signed: SignedRecord,
    /// Salt of its leaf.
    pub salt: Salt,
}

/// The registry at one version.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// `None` before the first record.
    pub head: Option<Head>,
    pub(super) keys: BTreeMap<Hash, Entry>,
}

impl Snapshot {
    /// Reads the newest state.
    ///
    /// # Errors
    /// [`AdmitError`] if the store fails or holds what cannot be read.
    pub async fn load(store: &dyn RegistryStore) -> Result<Self, AdmitError> {
        let mut keys = BTreeMap::new();
        for kept in store.newest_records().await? {
            let signed = SignedRecord::parse(kept.bytes)?;
            keys.insert(
                kept.kid,
                Entry {
                    signed,
                    salt: kept.salt,
                },
            );
        }
        Ok(Self {
            head: store.registry_head().await?,
            keys,
        })
    }

    /// The record of a key.
    #[must_use]
    pub fn key(&self, kid: &Hash) -> Option<&SignedRecord> {
        self.keys.get(kid).map(|entry| &entry.signed)
    }

    /// All records.
    pub fn records(&self) -> impl Iterator<Item = &SignedRecord> {
        self.keys.values().map(|entry| &entry.signed)
    }

    /// All records with their salts, by kid.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.keys.values()
    }

    /// The active organisation record whose key signed this record.
    #[must_use]
    pub fn organisation_of(&self, signed: &SignedRecord) -> Option<&SignedRecord> {
        self.key(&signed.signer).filter(|organisation| {
            organisation.record.role == Role::Organisation
                && organisation.record.state == State::Active
                && organisation.record.organisation == signed.record.organisation
        })
    }

    /// The active capture record of a device.
    #[must_use]
    pub fn active_capture(&self, address: &DeviceAddress) -> Option<&SignedRecord> {
        self.records().find(|signed| {
            signed.record.role == Role::Capture
                && signed.record.state == State::Active
                && signed.record.address().as_ref() == Some(address)
        })
    }

    /// The head over what is in it now, one version on; `None` while it is empty.
    #[must_use]
    pub fn next_head(&self) -> Option<Head> {
        let hash = |(kid, entry): (&Hash, &Entry)| (*kid, entry.signed.hash(&entry.salt));
        let registry = Registry::new(&self.keys.iter().map(hash).collect())?;
        let version = self.head.map_or(0, |head| head.version) + 1;
        Some(Head {
            version,
            count: registry.count(),
            root: registry.root(),
        })
    }
}
