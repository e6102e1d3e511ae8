//! One key's newest record as it is held.

use std::sync::{Arc, OnceLock};

use schemas::event::Salt;
use schemas::hash::{Hash, sha256_parts};
use schemas::registry::{Glance, RecordError, Role, SignedRecord};

/// A record with its salt.
///
/// Records of a million keys are held as they were signed and read when somebody first asks for
/// one: read, a record is three times its bytes, and checking the consent in it again takes as long
/// as a statement's signature.
#[derive(Debug)]
pub struct Entry {
    bytes: Box<[u8]>,
    salt: Salt,
    role: Role,
    active: bool,
    read: OnceLock<Option<Box<SignedRecord>>>,
}

impl Entry {
    /// An entry of a record that was admitted before.
    pub(super) fn new(bytes: Vec<u8>, salt: Salt) -> Result<Self, RecordError> {
        let glance = Glance::of(&bytes)?;
        let (role, active) = (glance.role, glance.active);
        Ok(Self {
            bytes: bytes.into_boxed_slice(),
            salt,
            role,
            active,
            read: OnceLock::new(),
        })
    }

    /// An entry of a record that was just read.
    pub(super) fn of(signed: SignedRecord, salt: Salt) -> Result<Self, RecordError> {
        let mut entry = Self::new(signed.bytes().to_vec(), salt)?;
        entry.read = OnceLock::from(Some(Box::new(signed)));
        Ok(entry)
    }

    /// The COSE bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Salt of its leaf.
    #[must_use]
    pub const fn salt(&self) -> &Salt {
        &self.salt
    }

    /// What the key may do.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether the key counts.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.active
    }

    /// The record; `None` for one that does not read, which was never admitted.
    #[must_use]
    pub fn signed(&self) -> Option<&SignedRecord> {
        let read = self.read.get_or_init(|| {
            let signed = SignedRecord::parse(self.bytes.to_vec());
            if let Err(error) = &signed {
                tracing::error!(%error, "a record of the registry does not read");
            }
            signed.ok().map(Box::new)
        });
        read.as_deref()
    }

    /// SHA-256(salt || COSE).
    pub(super) fn hash(&self) -> Hash {
        sha256_parts(&[&self.salt.0, &self.bytes])
    }
}

/// Names in the registry in order: `organisation/device`, with nothing behind the stroke for keys
/// that belong to no device, and the kid.
pub(super) type Name = (Arc<str>, Hash);

/// The name of a record.
pub(super) fn name_of(glance: &Glance<'_>) -> Name {
    let name = format!("{}/{}", glance.organisation, glance.device);
    (name.into(), glance.kid)
}
