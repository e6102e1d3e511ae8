//! The operator as an organisation like any other: its record is admitted by a registrar, and only
//! then can its receipt key be recorded.

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::SecretKey;
use schemas::registry::{Record, Role, SignedRecord, State};

use crate::anchor::Registrar;
use crate::keys::Keys;
use crate::registry::{AdmitError, Gate, Snapshot};

/// The operator's identity.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Log id.
    pub log: Hash,
    /// Its slug.
    pub slug: Slug,
    /// Its keys.
    pub keys: Keys,
}

impl Operator {
    /// The operator's own record, consented, for a registrar to sign.
    #[must_use]
    pub fn own_record(&self) -> Record {
        self.first_record(&self.keys.organisation, Role::Organisation)
    }

    fn first_record(&self, key: &SecretKey, role: Role) -> Record {
        let mut record = Record {
            log: self.log,
            version: 1,
            organisation: self.slug.clone(),
            device: None,
            key: key.public(),
            role,
            places: Vec::new(),
            steps: Vec::new(),
            sources: Vec::new(),
            heartbeat: 0,
            state: State::Active,
            prev: Hash::ZERO,
            consent: None,
        };
        record.consent = Some(record.consent_by(key));
        record
    }

    /// Records of the receipt key and of the organisation that signed it, once they are admitted.
    #[must_use]
    pub fn receipt_records<'s>(
        &self,
        snapshot: &'s Snapshot,
    ) -> Option<(&'s SignedRecord, &'s SignedRecord)> {
        let receipt = snapshot.key(&self.keys.receipt.kid())?;
        Some((receipt, snapshot.organisation_of(receipt)?))
    }

    /// Records the receipt key as soon as the operator's organisation is admitted.
    ///
    /// # Errors
    /// [`AdmitError`].
    pub async fn register_receipt_key(
        &self,
        gate: &Gate,
        registrar: &Registrar,
    ) -> Result<(), AdmitError> {
        let snapshot = gate.snapshot().await;
        let admitted = snapshot.key(&self.keys.organisation.kid());
        let active = admitted.is_some_and(|signed| signed.record.state == State::Active);
        if !active || snapshot.key(&self.keys.receipt.kid()).is_some() {
            return Ok(());
        }
        let record = self.first_record(&self.keys.receipt, Role::Receipt);
        let signed = SignedRecord::sign(&self.keys.organisation, record);
        registrar.admit(signed.bytes().to_vec()).await.map(|_| ())
    }
}
