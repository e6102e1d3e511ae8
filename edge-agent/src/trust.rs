//! What enrolment brought, and the check that all of it hangs together from the claim up.
//!
//! The check runs at enrolment and again at every start: files on a disk are a stranger's too.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Origin, Slug};
use schemas::key::PublicKey;
use schemas::log::{Entry, Policy, PolicyChain};
use schemas::receipt::{Receipt, ReceiptError};
use schemas::registry::{Record, Role, SignedRecord, State};
use schemas::statement::Statement;
use serde::{Deserialize, Serialize};

use crate::config::BrokerAddress;
use crate::follow::Followed;
use crate::identity::write_private;

/// File of the enrolment in the state directory, mode 0600: it holds the broker's password.
pub const ENROLMENT_FILE: &str = "enrolment.json";
/// Longest enrolment file in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// The answer to an enrolment with the parts of the claim that it is checked against.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Log id of the claim.
    pub log: Hash,
    /// Log origin of the claim.
    pub origin: Origin,
    /// Genesis log key of the claim.
    pub log_key: Hash,
    /// Organisation of the claim.
    pub organisation: Slug,
    /// The device's signed record.
    #[serde(with = "schemas::b64")]
    pub record: Vec<u8>,
    /// Its organisation's.
    #[serde(with = "schemas::b64")]
    pub organisation_record: Vec<u8>,
    /// The receipt key's.
    #[serde(with = "schemas::b64")]
    pub receipt_record: Vec<u8>,
    /// The organisation's that answers for the receipt key.
    #[serde(with = "schemas::b64")]
    pub receipt_organisation_record: Vec<u8>,
    /// Log entry of the policy.
    #[serde(with = "schemas::b64")]
    pub policy: Vec<u8>,
    /// What leads from that policy to newer ones, once the log has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<PolicyChain>,
    /// `mqtt://host:port` or `mqtts://host:port`.
    pub broker: String,
    /// The platform's CA in PEM; empty without TLS.
    pub ca: String,
    /// Base URL of the platform, by the claim.
    pub platform: String,
    /// User name at the broker.
    pub username: String,
    /// Password at the broker: 64 hex digits, made on this device.
    pub password: String,
    /// Signed records of keys that this device had before, the newest last: what they have signed
    /// and is still here verifies under them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "former")]
    pub former: Vec<Vec<u8>>,
    /// Signed records of keys that the platform signed receipts with before, the newest last: the
    /// receipts of theirs that are still here verify under them, and no new one does.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "former")]
    pub former_receipts: Vec<Vec<u8>>,
}

/// Records in base64.
mod former {
    use schemas::b64;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(list: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|bytes| b64::encode(bytes)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<u8>>, D::Error> {
        let list = Vec::<String>::deserialize(from)?;
        let wrong = || serde::de::Error::custom("a former record is no base64");
        let decoded = list.iter().map(|text| b64::decode(text).ok_or_else(wrong));
        decoded.collect()
    }
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Enrolment({} at {})", self.username, self.broker)
    }
}

/// What the agent acts on after every signature has been checked.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Log id.
    pub log: Hash,
    /// This device.
    pub device: DeviceAddress,
    /// What it may say.
    pub record: Record,
    /// Signs receipts.
    pub receipt_key: PublicKey,
    /// Whose checkpoints count.
    pub policies: Followed,
    /// Where the broker listens.
    pub broker: BrokerAddress,
    /// Keys that this device had before.
    pub former: Vec<PublicKey>,
    /// Keys that signed receipts before ([`Trust::kept_receipt`]).
    pub former_receipt_keys: Vec<PublicKey>,
}

impl Trust {
    /// True of a statement of this device's chain that a key signed which is or was its own.
    #[must_use]
    pub fn has_signed(&self, statement: &Statement) -> bool {
        let payload = &statement.payload;
        let key = self.own_key(&statement.kid);
        payload.log == self.log
            && payload.device == self.device
            && key.is_some_and(|key| statement.verify(key).is_ok())
    }

    /// A receipt that the outbox has kept: by the key that signs receipts, or one that did. What
    /// comes in now is the present key's alone.
    ///
    /// # Errors
    /// [`ReceiptError`], of the present key where none has signed it.
    pub fn kept_receipt(&self, bytes: &[u8]) -> Result<Receipt, ReceiptError> {
        let present = Receipt::open(bytes, &self.receipt_key);
        let former = || {
            let mut keys = self.former_receipt_keys.iter().rev();
            keys.find_map(|key| Receipt::open(bytes, key).ok())
        };
        present.or_else(|error| former().ok_or(error))
    }

    /// The key of this kid, if it is or was this device's.
    #[must_use]
    pub fn own_key(&self, kid: &Hash) -> Option<&PublicKey> {
        let own = std::iter::once(&self.record.key).chain(&self.former);
        own.into_iter().find(|key| key.kid() == *kid)
    }
}

/// An enrolment that does not hold together.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not the JSON of an enrolment.
    #[error("the enrolment file is damaged: {0}")]
    Malformed(String),
    /// A part of it does not fit.
    #[error("{part}: {problem}")]
    Refused {
        /// `policy`, `record`, ...
        part: &'static str,
        /// Why.
        problem: String,
    },
}

fn refuse(part: &'static str, problem: impl std::fmt::Display) -> TrustError {
    TrustError::Refused {
        part,
        problem: problem.to_string(),
    }
}

fn rule(holds: bool, part: &'static str, problem: &str) -> Result<(), TrustError> {
    if holds {
        Ok(())
    } else {
        Err(refuse(part, problem))
    }
}

impl Enrolment {
    /// Reads the enrolment of a state directory; `None` if the device is not enrolled.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn load(state: &Path) -> Result<Option<Self>, TrustError> {
        let path = state.join(ENROLMENT_FILE);
        let io = |source| TrustError::Io {
            path: path.clone(),
            source,
        };
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > FILE_MAX => {
                return Err(TrustError::Malformed("larger than a megabyte".to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        }
        let bytes = std::fs::read(&path).map_err(io)?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| TrustError::Malformed(error.to_string()))
    }

    /// Stores it durably, for its owner only.
    ///
    /// # Errors
    /// [`TrustError::Io`].
    pub fn store(&self, state: &Path) -> Result<(), TrustError> {
        let path = state.join(ENROLMENT_FILE);
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| TrustError::Malformed(error.to_string()))?;
        write_private(&path, &bytes).map_err(|source| TrustError::Io { path, source })
    }

    /// Changes what is stored, durably. Tasks that change it do so one after the other, each from
    /// what the one before has stored.
    ///
    /// # Errors
    /// [`TrustError`]; nothing is changed then, nor where nothing is stored.
    pub fn change(state: &Path, change: impl FnOnce(&mut Self)) -> Result<(), TrustError> {
        static CHANGING: Mutex<()> = Mutex::new(());
        let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut enrolment) = Self::load(state)? else {
            return Ok(());
        };
        change(&mut enrolment);
        enrolment.store(state)
    }

    /// [`Enrolment::trust`] for the key that the record names, whoever has it.
    ///
    /// # Errors
    /// As [`Enrolment::trust`].
    pub fn trust_by_itself(&self) -> Result<Trust, TrustError> {
        let signed = SignedRecord::parse(self.record.clone());
        let signed = signed.map_err(|error| refuse("record", error))?;
        self.trust(&signed.record.key)
    }

    /// Checks every signature and every name against the claim and the device's key.
    ///
    /// # Errors
    /// [`TrustError::Refused`] that names the part.
    pub fn trust(&self, key: &PublicKey) -> Result<Trust, TrustError> {
        let policies = self.followed_policies()?;
        let organisation = self.organisation_of(&self.organisation_record, &policies)?;
        rule(
            organisation.organisation == self.organisation,
            "organisation_record",
            "is of another organisation than the claim",
        )?;
        let record = self.signed_by(&self.record, &organisation, Role::Capture, "record")?;
        rule(
            record.key == *key,
            "record",
            "is of another key than this device's",
        )?;
        let device = record
            .address()
            .ok_or_else(|| refuse("record", "names no device"))?;
        rule(
            self.username == device.to_string(),
            "username",
            "is not the device's address",
        )?;
        let issuer = self.organisation_of(&self.receipt_organisation_record, &policies)?;
        let receipt = self.signed_by(
            &self.receipt_record,
            &issuer,
            Role::Receipt,
            "receipt_record",
        )?;
        let broker = self
            .broker
            .parse()
            .map_err(|problem| refuse("broker", problem))?;
        Ok(Trust {
            log: self.log,
            device,
            record,
            receipt_key: receipt.key,
            policies,
            broker,
            former: self.former_keys()?,
            former_receipt_keys: self.former_receipt_keys()?,
        })
    }

    /// Keys of the device's earlier records. They verify what is in the outbox and nothing else, so
    /// that they name this device and this log is all that is asked of them.
    fn former_keys(&self) -> Result<Vec<PublicKey>, TrustError> {
        let part = "former";
        let key = |bytes: &Vec<u8>| {
            let signed = self.parsed(bytes, Role::Capture, part)?;
            let address = signed.record.address().map(|address| address.to_string());
            let same = address.as_ref() == Some(&self.username);
            rule(same, part, "is of another device")?;
            Ok(signed.record.key)
        };
        self.former.iter().map(key).collect()
    }

    /// Keys of the receipt records of before. As with the device's own, what they verify is here
    /// already: that they were for receipts and of this log is all that is asked of them.
    fn former_receipt_keys(&self) -> Result<Vec<PublicKey>, TrustError> {
        let part = "former_receipts";
        let records = self.former_receipts.iter();
        records
            .map(|bytes| Ok(self.parsed(bytes, Role::Receipt, part)?.record.key))
            .collect()
    }

    /// Takes the place of an enrolment of before: what was signed under that and is still here goes
    /// on being verified.
    pub fn succeed(&mut self, before: &Self) {
        self.former.clone_from(&before.former);
        self.former.push(before.record.clone());
        self.former_receipts.clone_from(&before.former_receipts);
        if self.receipt_record != before.receipt_record {
            self.former_receipts.push(before.receipt_record.clone());
        }
    }

    /// kid of the device's key by its record; unchecked.
    ///
    /// # Errors
    /// [`TrustError::Refused`] where the record does not parse.
    pub fn kid(&self) -> Result<Hash, TrustError> {
        let signed = SignedRecord::parse(self.record.clone());
        let signed = signed.map_err(|error| refuse("record", error))?;
        Ok(signed.record.kid())
    }

    /// The claim's policy and those that followed it as far as this device was led.
    fn followed_policies(&self) -> Result<Followed, TrustError> {
        let first = self.checked_policy()?;
        match &self.policies {
            None => Ok(Followed::only(first)),
            Some(chain) => {
                Followed::along(&self.policy, chain).map_err(|error| refuse("policies", error))
            }
        }
    }

    fn checked_policy(&self) -> Result<Policy, TrustError> {
        let part = "policy";
        let Entry::Policy(policy) =
            Entry::parse(&self.policy).map_err(|error| refuse(part, error))?
        else {
            return Err(refuse(part, "the entry is no policy"));
        };
        rule(
            policy.log == self.log,
            part,
            "is of another log than the claim",
        )?;
        rule(
            policy.origin == self.origin,
            part,
            "names another origin than the claim",
        )?;
        // Later ones are followed from it.
        rule(policy.prev.is_none(), part, "is not the first of its log")?;
        let genesis = policy.log_key.to_bytes();
        rule(
            genesis[..] == self.log_key.0[..],
            part,
            "has another log key than the claim",
        )?;
        rule(
            self.origin.log_id(&self.log_key.0) == self.log,
            part,
            "the log id is not that of its origin and key",
        )?;
        Ok(policy)
    }

    fn parsed(
        &self,
        bytes: &[u8],
        role: Role,
        part: &'static str,
    ) -> Result<SignedRecord, TrustError> {
        let signed = SignedRecord::parse(bytes.to_vec()).map_err(|error| refuse(part, error))?;
        rule(signed.record.log == self.log, part, "is of another log")?;
        rule(signed.record.role == role, part, "has another role")?;
        rule(signed.record.state == State::Active, part, "is not active")?;
        Ok(signed)
    }

    /// A record of the day of the enrolment: its registrar may have left the policy since.
    fn organisation_of(&self, bytes: &[u8], policies: &Followed) -> Result<Record, TrustError> {
        let part = "organisation_record";
        let signed = self.parsed(bytes, Role::Organisation, part)?;
        let policies = policies.all();
        let mut registrars = policies.iter().filter_map(|p| p.registrar(&signed.signer));
        let registrar = registrars
            .next()
            .ok_or_else(|| refuse(part, "its signer is no registrar of the policy"))?;
        signed
            .verify(registrar)
            .map_err(|error| refuse(part, error))?;
        Ok(signed.record)
    }

    fn signed_by(
        &self,
        bytes: &[u8],
        organisation: &Record,
        role: Role,
        part: &'static str,
    ) -> Result<Record, TrustError> {
        let signed = self.parsed(bytes, role, part)?;
        let same = signed.record.organisation == organisation.organisation;
        rule(same, part, "is of another organisation than its signer")?;
        signed
            .verify(&organisation.key)
            .map_err(|error| refuse(part, error))?;
        Ok(signed.record)
    }
}
