//! Records of keys and the registry tree (`registry.md`).

mod form;
mod glance;
mod signed;
mod tree;

pub use glance::Glance;
pub use signed::SignedRecord;
pub use tree::{Head, Registry, leaf, root_of_list};

use crate::cbor::CborError;
use crate::hash::Hash;
use crate::ids::{DeviceAddress, Slug};
use crate::key::{KeyError, PublicKey, SecretKey, Signer, SignerError};
use crate::statement::Position;
use crate::time::Instant;

/// Media type of a record.
pub const TYP_RECORD: &str = "application/vnd.tracebond.registry-record.v1+cbor";
/// What a new key signs in front of the payload.
pub const TYP_CONSENT: &str = "application/vnd.tracebond.key-consent.v1+cbor";
/// Longest record in bytes.
pub const RECORD_MAX: usize = 16_384;
const PLACES_MAX: usize = 256;
const PLACE_MAX: usize = 256;
const STEPS_MAX: usize = 64;
const STEP_MAX: usize = 64;
const HEARTBEAT_MAX: u64 = 31_536_000;

/// What a key may do. Registrar, log and witness keys stand in the policy, never in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Answers for devices.
    Organisation = 0,
    /// Signs statements.
    Capture = 2,
    /// Signs receipts.
    Receipt = 3,
    /// Signs configuration.
    Configuration = 6,
}

impl Role {
    const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Organisation),
            2 => Some(Self::Capture),
            3 => Some(Self::Receipt),
            6 => Some(Self::Configuration),
            _ => None,
        }
    }
}

/// Whether a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It counts.
    Active,
    /// It does not count for now.
    Suspended,
    /// It counts up to this statement (role capture), or no more.
    Retired {
        /// Place and id of the last statement that counts.
        last: Option<(Position, Hash)>,
    },
    /// It does not count from the first header whose registry says so.
    Revoked {
        /// What was anchored after this instant is marked.
        compromised_since: Option<Instant>,
    },
}

impl State {
    /// For people and reports.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Retired { .. } => "retired",
            Self::Revoked { .. } => "revoked",
        }
    }

    const fn number(&self) -> u64 {
        match self {
            Self::Active => 0,
            Self::Suspended => 1,
            Self::Retired { .. } => 2,
            Self::Revoked { .. } => 3,
        }
    }
}

/// What a record says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Log id.
    pub log: Hash,
    /// 1 for the first record of this key, then one more each time.
    pub version: u64,
    /// Organisation that the key belongs to.
    pub organisation: Slug,
    /// The device, exactly for role capture.
    pub device: Option<Slug>,
    /// The key.
    pub key: PublicKey,
    /// What it may do.
    pub role: Role,
    /// Places that a device may name, strictly increasing.
    pub places: Vec<String>,
    /// Business steps that it may name, strictly increasing.
    pub steps: Vec<String>,
    /// Source numbers that it may claim, strictly increasing.
    pub sources: Vec<u8>,
    /// Seconds within which the device speaks, 0 for none.
    pub heartbeat: u64,
    /// Whether it counts.
    pub state: State,
    /// SHA-256(0x00 || COSE) of the record before of this key; zero at version 1.
    pub prev: Hash,
    /// The key's own signature, at version 1.
    pub consent: Option<[u8; 64]>,
}

/// A record that is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum RecordError {
    /// The form is broken.
    #[error("not the form of a registry record")]
    Form(#[from] CborError),
    /// Another kind of signed object.
    #[error("the object is a `{0}`")]
    Typ(String),
    /// The key itself.
    #[error("its key is refused")]
    Key(#[source] KeyError),
    /// The key has not consented.
    #[error("the key's consent does not verify")]
    Consent(#[source] KeyError),
    /// A rule between members is broken.
    #[error("{0}")]
    Rule(&'static str),
}

impl Record {
    /// The first record of a key: active, without device and what one may do, and without consent.
    #[must_use]
    pub fn first(log: Hash, organisation: Slug, role: Role, key: PublicKey) -> Self {
        Self {
            log,
            version: 1,
            organisation,
            device: None,
            key,
            role,
            places: Vec::new(),
            steps: Vec::new(),
            sources: Vec::new(),
            heartbeat: 0,
            state: State::Active,
            prev: Hash::ZERO,
            consent: None,
        }
    }

    /// The same with the key's consent, which covers every other member: the last change.
    #[must_use]
    pub fn consented(mut self, key: &SecretKey) -> Self {
        self.consent = Some(self.consent_by(key));
        self
    }

    /// kid of the recorded key.
    #[must_use]
    pub fn kid(&self) -> Hash {
        self.key.kid()
    }

    /// The chain that a capture key speaks in.
    #[must_use]
    pub fn address(&self) -> Option<DeviceAddress> {
        let device = self.device.clone()?;
        Some(DeviceAddress {
            organisation: self.organisation.clone(),
            device,
        })
    }

    /// Payload without `consent`: what the organisation drafts.
    #[must_use]
    pub fn draft(&self) -> Vec<u8> {
        self.write(None)
    }

    /// The whole payload, consent included: what a registrar or organisation signs.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        self.write(self.consent.as_ref())
    }

    /// What the new key signs to consent.
    #[must_use]
    pub fn consent_message(&self) -> Vec<u8> {
        [TYP_CONSENT.as_bytes(), &self.draft()].concat()
    }

    /// The key's consent to this record.
    #[must_use]
    pub fn consent_by(&self, key: &SecretKey) -> [u8; 64] {
        key.sign(&self.consent_message())
    }

    /// The same by whoever holds the new key, of either algorithm.
    ///
    /// # Errors
    /// [`SignerError`]: nothing was signed.
    pub fn consent_of(&self, signer: &dyn Signer) -> Result<[u8; 64], SignerError> {
        signer.sign(&self.consent_message())
    }

    fn check(&self) -> Result<(), RecordError> {
        let rule = |holds, text| {
            if holds {
                Ok(())
            } else {
                Err(RecordError::Rule(text))
            }
        };
        let capture = self.role == Role::Capture;
        rule(self.version >= 1, "version is at least 1")?;
        rule(
            self.prev.is_zero() == (self.version == 1),
            "prev is zero exactly at version 1",
        )?;
        rule(
            self.device.is_some() == capture,
            "device is named exactly for role capture",
        )?;
        rule(
            self.heartbeat <= HEARTBEAT_MAX,
            "heartbeat is at most a year",
        )?;
        let bare = self.places.is_empty()
            && self.steps.is_empty()
            && self.sources.is_empty()
            && self.heartbeat == 0;
        rule(
            capture || bare,
            "places, steps, sources and heartbeat are for role capture",
        )?;
        if let State::Retired { last } = &self.state {
            rule(
                last.is_some() == capture,
                "last is named exactly for a retired capture key",
            )?;
        }
        Ok(())
    }

    /// True if this may follow `before` (`registry.md` section 2).
    ///
    /// # Errors
    /// [`RecordError::Rule`] that names what may not change.
    pub fn check_follows(&self, before: &SignedRecord) -> Result<(), RecordError> {
        let rule = |holds, text| {
            if holds {
                Ok(())
            } else {
                Err(RecordError::Rule(text))
            }
        };
        let old = &before.record;
        rule(
            self.version == old.version + 1,
            "version is one above the record before",
        )?;
        rule(self.prev == before.id(), "prev names another record")?;
        let same = self.log == old.log
            && self.organisation == old.organisation
            && self.device == old.device
            && self.key == old.key
            && self.role == old.role;
        rule(same, "log, org, device, key, alg and role never change")?;
        let moved = match (&old.state, &self.state) {
            (State::Revoked { .. }, new) => matches!(new, State::Revoked { .. }),
            (State::Retired { .. }, new) => matches!(new, State::Revoked { .. }),
            _ => true,
        };
        rule(
            moved,
            "a revoked key stays revoked, a retired one can only be revoked",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(key: &SecretKey) -> Record {
        Record {
            log: Hash([1; 32]),
            version: 1,
            organisation: "qinghe".parse().unwrap(),
            device: Some("line-1".parse().unwrap()),
            key: key.public(),
            role: Role::Capture,
            places: vec!["https://id.gs1.org/414/9521001000015".into()],
            steps: vec!["commissioning".into(), "packing".into()],
            sources: vec![2, 3],
            heartbeat: 3600,
            state: State::Active,
            prev: Hash::ZERO,
            consent: None,
        }
    }

    #[test]
    fn a_record_reads_back_and_needs_its_keys_consent() {
        let (device, organisation) = (
            SecretKey::from_seed(&[1; 32]),
            SecretKey::from_seed(&[2; 32]),
        );
        let mut record = sample(&device);
        assert_eq!(Record::parse_draft(&record.draft()).unwrap(), record);
        record.consent = Some(record.consent_by(&device));
        let signed = SignedRecord::sign(&organisation, record.clone());
        let parsed = SignedRecord::parse(signed.bytes().to_vec()).unwrap();
        assert_eq!(parsed, signed);
        assert_eq!(parsed.verify(&organisation.public()), Ok(()));
        assert!(parsed.verify(&device.public()).is_err());
        record.consent = Some(record.consent_by(&organisation));
        let forged = SignedRecord::sign(&organisation, record);
        assert!(matches!(
            SignedRecord::parse(forged.bytes().to_vec()),
            Err(RecordError::Consent(_))
        ));
    }

    #[test]
    fn the_next_record_follows_and_a_revoked_key_stays_so() {
        let (device, organisation) = (
            SecretKey::from_seed(&[1; 32]),
            SecretKey::from_seed(&[2; 32]),
        );
        let mut record = sample(&device);
        record.consent = Some(record.consent_by(&device));
        let first = SignedRecord::sign(&organisation, record.clone());
        let next = Record {
            version: 2,
            prev: first.id(),
            consent: None,
            state: State::Revoked {
                compromised_since: None,
            },
            ..record
        };
        assert_eq!(next.check_follows(&first), Ok(()));
        let second = SignedRecord::sign(&organisation, next.clone());
        let back = Record {
            version: 3,
            prev: second.id(),
            state: State::Active,
            ..next
        };
        assert!(back.check_follows(&second).is_err());
        assert!(Record { version: 3, ..back }.check_follows(&first).is_err());
    }

    #[test]
    fn a_list_with_one_key_twice_has_no_root() {
        let pair = |n: u8| (Hash([n; 32]), Hash([9; 32]));
        assert!(root_of_list(&[pair(1), pair(2)]).is_some());
        assert!(root_of_list(&[pair(1), pair(1)]).is_none());
        assert!(root_of_list(&[pair(2), pair(1)]).is_none());
    }
}
