//! Records of keys and the registry tree (`registry.md`).

mod signed;
mod tree;

pub use signed::SignedRecord;
pub use tree::{Head, Registry, leaf, root_of_list};

use crate::cbor::{CborError, Reader, Writer};
use crate::hash::Hash;
use crate::ids::{DeviceAddress, Slug};
use crate::key::{KeyError, PublicKey, SecretKey};
use crate::statement::{Position, instant};
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

    fn write(&self, consent: Option<&[u8; 64]>) -> Vec<u8> {
        let retired = match &self.state {
            State::Retired { last } => last.as_ref(),
            _ => None,
        };
        let compromised = match &self.state {
            State::Revoked { compromised_since } => compromised_since.as_ref(),
            _ => None,
        };
        let optional = [retired.is_some(), compromised.is_some(), consent.is_some()];
        let mut w = Writer::new();
        w.map(14 + optional.iter().filter(|&&there| there).count());
        w.uint(0).bytes(&self.log.0).uint(1).uint(self.version);
        w.uint(2).text(self.organisation.as_str());
        w.uint(3)
            .text(self.device.as_ref().map_or("", Slug::as_str));
        w.uint(4)
            .bytes(&self.kid().0)
            .uint(5)
            .bytes(&self.key.to_bytes());
        w.uint(6).int(self.key.alg()).uint(7).uint(self.role as u64);
        for (number, list) in [(8, &self.places), (9, &self.steps)] {
            w.uint(number).array(list.len());
            for text in list {
                w.text(text);
            }
        }
        w.uint(10).array(self.sources.len());
        for &source in &self.sources {
            w.uint(u64::from(source));
        }
        w.uint(11)
            .uint(self.heartbeat)
            .uint(12)
            .uint(self.state.number());
        if let Some((last, id)) = retired {
            w.uint(13)
                .array(3)
                .uint(last.epoch)
                .uint(last.seq)
                .bytes(&id.0);
        }
        if let Some(since) = compromised {
            w.uint(14).uint(since.as_unsigned());
        }
        w.uint(15).bytes(&self.prev.0);
        if let Some(consent) = consent {
            w.uint(16).bytes(consent);
        }
        w.finish()
    }

    /// Reads a draft: a payload of version 1 without consent.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn parse_draft(payload: &[u8]) -> Result<Self, RecordError> {
        let record = Self::read(payload)?;
        record.check()?;
        if record.consent.is_some() {
            return Err(RecordError::Rule("a draft has no consent"));
        }
        Ok(record)
    }

    fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut r = Reader::new(bytes);
        let mut keys = r.map("record")?;
        keys.required(&mut r, 0)?;
        let log = r.hash("log")?;
        keys.required(&mut r, 1)?;
        let version = r.uint("version")?;
        keys.required(&mut r, 2)?;
        let organisation = r
            .text("org", 32)?
            .parse()
            .map_err(|_| CborError::Limit("org"))?;
        keys.required(&mut r, 3)?;
        let device = match r.text("device", 32)? {
            "" => None,
            text => Some(text.parse().map_err(|_| CborError::Limit("device"))?),
        };
        keys.required(&mut r, 4)?;
        let kid = r.hash("kid")?;
        keys.required(&mut r, 5)?;
        let key = r.bytes("key", 33)?;
        keys.required(&mut r, 6)?;
        let key = PublicKey::parse(r.int("alg")?, key).map_err(RecordError::Key)?;
        if key.kid() != kid {
            return Err(RecordError::Rule("kid is not the hash of key"));
        }
        keys.required(&mut r, 7)?;
        let role = Role::from_number(r.uint("role")?).ok_or(CborError::Limit("role"))?;
        keys.required(&mut r, 8)?;
        let places = texts(&mut r, "places", PLACES_MAX, PLACE_MAX)?;
        keys.required(&mut r, 9)?;
        let steps = texts(&mut r, "steps", STEPS_MAX, STEP_MAX)?;
        keys.required(&mut r, 10)?;
        let sources = read_sources(&mut r)?;
        keys.required(&mut r, 11)?;
        let heartbeat = r.uint("heartbeat")?;
        keys.required(&mut r, 12)?;
        let number = r.uint("state")?;
        let last = if keys.optional(&mut r, 13)? {
            Some(read_last(&mut r)?)
        } else {
            None
        };
        let since = if keys.optional(&mut r, 14)? {
            Some(instant(&mut r, "compromised_since")?)
        } else {
            None
        };
        let state = match (number, last, since) {
            (0, None, None) => State::Active,
            (1, None, None) => State::Suspended,
            (2, last, None) => State::Retired { last },
            (3, None, compromised_since) => State::Revoked { compromised_since },
            _ => return Err(CborError::Limit("state").into()),
        };
        keys.required(&mut r, 15)?;
        let prev = r.hash("prev")?;
        let consent = if keys.optional(&mut r, 16)? {
            Some(r.fixed("consent")?)
        } else {
            None
        };
        keys.end()?;
        r.end()?;
        Ok(Self {
            log,
            version,
            organisation,
            device,
            key,
            role,
            places,
            steps,
            sources,
            heartbeat,
            state,
            prev,
            consent,
        })
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

fn texts(
    r: &mut Reader<'_>,
    field: &'static str,
    max: usize,
    len: usize,
) -> Result<Vec<String>, CborError> {
    let count = r.array(field, max)?;
    let mut list: Vec<String> = Vec::with_capacity(count);
    for _ in 0..count {
        let text = r.text(field, len)?;
        if text.is_empty() || list.last().is_some_and(|last| last.as_str() >= text) {
            return Err(CborError::Limit(field));
        }
        list.push(text.to_owned());
    }
    Ok(list)
}

fn read_sources(r: &mut Reader<'_>) -> Result<Vec<u8>, CborError> {
    let count = r.array("sources", 4)?;
    let mut list: Vec<u8> = Vec::with_capacity(count);
    for _ in 0..count {
        let source = u8::try_from(r.uint("source")?)
            .ok()
            .filter(|&source| source <= 3);
        let source = source.ok_or(CborError::Limit("source"))?;
        if list.last().is_some_and(|&last| last >= source) {
            return Err(CborError::Limit("sources"));
        }
        list.push(source);
    }
    Ok(list)
}

fn read_last(r: &mut Reader<'_>) -> Result<(Position, Hash), CborError> {
    r.array_of("last", 3)?;
    let position = Position {
        epoch: r.uint("last epoch")?,
        seq: r.uint("last seq")?,
    };
    Ok((position, r.hash("last id")?))
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
