//! What a record must be before it comes into the registry.

use schemas::event::Salt;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::key::KeyError;
use schemas::log::Policy;
use schemas::random::NoRandomness;
use schemas::registry::{RecordError, Role, SignedRecord, State};

use super::entry::Entry;
use super::snapshot::Snapshot;
use crate::store::{KeptRecord, StoreError};

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
    /// What is kept is not what the log says.
    #[error("the kept records do not lead to the registry head of version {0}")]
    Root(u64),
    /// Another process leads, or too few witnesses have confirmed this one's log.
    #[error("this platform stands by and writes nothing")]
    Standby,
    /// The log could not take the record just now, or its answer is lost.
    #[error("the log could not take the record just now: hand it in again")]
    Again,
    /// The platform is stopping.
    #[error("the platform is stopping")]
    Stopping,
}

impl Snapshot {
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
        self.put(Entry::of(signed, salt)?)?;
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

    fn is_taken(&self, address: &DeviceAddress, but: &Hash) -> bool {
        self.active_capture(address)
            .is_some_and(|other| other.record.kid() != *but)
    }
}
