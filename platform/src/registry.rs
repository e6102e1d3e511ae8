//! Keys and who answers for them, as ingest sees them.
//!
//! One [`Snapshot`] is in force at a time. Ingest holds [`Gate::enter`] from its first look at the
//! snapshot until its commit; the notary closes the gate, appends the new head to the log, and only
//! then swaps the snapshot. So every statement is checked against the very head that its batch
//! header will carry, and versions never fall in log order.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::event::Salt;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::key::KeyError;
use schemas::log::Policy;
use schemas::random::NoRandomness;
use schemas::registry::{Head, RecordError, Registry, Role, SignedRecord, State};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::store::{KeptRecord, RegistryStore, StoreError};

/// A record that is not admitted; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// The record itself.
    #[error("the record is refused")]
    Record(#[from] RecordError),
    /// It names another log.
    #[error("the record is of another log")]
    Log,
    /// A log, witness or registrar key.
    #[error("a key of the policy cannot have a record")]
    PolicyKey,
    /// No registrar of the policy signed the organisation's record.
    #[error("no registrar of the policy signed the organisation's record")]
    Registrar,
    /// The organisation is unknown or not active.
    #[error("no active key of organisation `{0}` signed the record")]
    Organisation(String),
    /// The signature does not count.
    #[error("the record's signature does not count")]
    Signature(#[from] KeyError),
    /// The first record of a key must be version 1.
    #[error("the key is unknown, so its record must be version 1")]
    FirstVersion,
    /// The device has an active key.
    #[error("`{0}` has an active key; retire or revoke it first")]
    Taken(DeviceAddress),
    /// The operating system has no randomness for the salt.
    #[error("no salt can be made")]
    Random(#[from] NoRandomness),
    /// The record could not be kept.
    #[error("the record could not be kept")]
    Store(#[from] StoreError),
    /// Another process leads, or too few witnesses have confirmed this one's log.
    #[error("this platform stands by and writes nothing")]
    Standby,
    /// The platform is stopping.
    #[error("the platform is stopping")]
    Stopping,
}

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
    keys: BTreeMap<Hash, Entry>,
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

    /// Checks a record and adds it; the salted hash is its leaf's. A record that is there already
    /// changes nothing (`None`).
    ///
    /// # Errors
    /// [`AdmitError`].
    pub fn admit(
        &mut self,
        bytes: Vec<u8>,
        policy: &Policy,
    ) -> Result<Option<KeptRecord>, AdmitError> {
        let signed = SignedRecord::parse(bytes)?;
        let kid = signed.record.kid();
        if self
            .key(&kid)
            .is_some_and(|known| known.bytes() == signed.bytes())
        {
            return Ok(None);
        }
        self.check(&signed, policy)?;
        let salt = Salt::random()?;
        let kept = KeptRecord {
            kid,
            version: signed.record.version,
            organisation: signed.record.organisation.clone(),
            device: signed
                .record
                .device
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            role: signed.record.role as u64,
            bytes: signed.bytes().to_vec(),
            salt,
            hash: signed.hash(&salt),
            head: self.head.map_or(0, |head| head.version) + 1,
        };
        self.keys.insert(kid, Entry { signed, salt });
        Ok(Some(kept))
    }

    fn check(&self, signed: &SignedRecord, policy: &Policy) -> Result<(), AdmitError> {
        let record = &signed.record;
        if record.log != policy.log {
            return Err(AdmitError::Log);
        }
        let kid = record.kid();
        if policy.names_kid(&kid) {
            return Err(AdmitError::PolicyKey);
        }
        if record.role == Role::Organisation {
            let registrar = policy
                .registrar(&signed.signer)
                .ok_or(AdmitError::Registrar)?;
            signed.verify(registrar)?;
        } else {
            let organisation = self.organisation_of(signed);
            let name = || AdmitError::Organisation(record.organisation.to_string());
            signed.verify(&organisation.ok_or_else(name)?.record.key)?;
        }
        match self.key(&kid) {
            Some(before) => record.check_follows(before)?,
            None if record.version == 1 => {}
            None => return Err(AdmitError::FirstVersion),
        }
        match record
            .address()
            .filter(|address| self.is_taken(address, &kid))
        {
            Some(address) if record.state == State::Active => Err(AdmitError::Taken(address)),
            _ => Ok(()),
        }
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

    fn is_taken(&self, address: &DeviceAddress, but: &Hash) -> bool {
        self.active_capture(address)
            .is_some_and(|other| other.record.kid() != *but)
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

/// The snapshot in force, and the gate that keeps ingest and a new head apart.
#[derive(Debug)]
pub struct Gate(RwLock<Arc<Snapshot>>);

impl Gate {
    /// A gate with this snapshot in force.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self(RwLock::new(Arc::new(snapshot)))
    }

    /// Held by ingest from its first look until its commit.
    pub async fn enter(&self) -> RwLockReadGuard<'_, Arc<Snapshot>> {
        self.0.read().await
    }

    /// The snapshot, for readers that write nothing.
    pub async fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&*self.0.read().await)
    }

    /// Waits until no ingest is inside and keeps it out.
    pub(crate) async fn close(&self) -> RwLockWriteGuard<'_, Arc<Snapshot>> {
        self.0.write().await
    }
}
