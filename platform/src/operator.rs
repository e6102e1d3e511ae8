//! The operator as an organisation like any other: its record is admitted by a registrar, and only
//! then can its receipt key and the keys of its capture interface be recorded.

use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::key::SecretKey;
use schemas::registry::{Record, Role, SignedRecord, State};

use crate::anchor::Registrar;
use crate::keys::Keys;
use crate::registry::{AdmitError, Gate, Snapshot};

/// A key that signs what one caller of the capture interface declares.
#[derive(Clone, Debug)]
pub struct CaptureDevice {
    /// Name of the device within the operator's organisation, and of the caller.
    pub name: Slug,
    /// Signs statements.
    pub key: SecretKey,
    /// What `readPoint.id` may be.
    pub places: Vec<String>,
    /// Steps that it may declare.
    pub steps: Vec<String>,
}

/// The operator's identity.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Log id.
    pub log: Hash,
    /// Its slug.
    pub slug: Slug,
    /// Its keys.
    pub keys: Keys,
    /// Its capture interface's keys.
    pub capture_devices: Vec<CaptureDevice>,
}

impl Operator {
    /// The operator's own record, consented, for a registrar to sign.
    #[must_use]
    pub fn own_record(&self) -> Record {
        let key = &self.keys.organisation;
        self.first_record(key, Role::Organisation).consented(key)
    }

    fn first_record(&self, key: &SecretKey, role: Role) -> Record {
        Record::first(self.log, self.slug.clone(), role, key.public())
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

    /// Records the receipt key and the capture interface's keys as soon as the operator's
    /// organisation is admitted, and again where the configuration allows a caller other places or
    /// steps than its record does.
    ///
    /// # Errors
    /// [`AdmitError`].
    pub async fn register_own_keys(
        &self,
        gate: &Gate,
        registrar: &Registrar,
    ) -> Result<(), AdmitError> {
        let snapshot = gate.snapshot();
        let admitted = snapshot.key(&self.keys.organisation.kid());
        if admitted.is_none_or(|signed| signed.record.state != State::Active) {
            return Ok(());
        }
        let mut due = Vec::new();
        if snapshot.key(&self.keys.receipt.kid()).is_none() {
            let key = &self.keys.receipt;
            due.push(self.first_record(key, Role::Receipt).consented(key));
        }
        let devices = self.capture_devices.iter();
        due.extend(devices.filter_map(|device| self.due_record(device, &snapshot)));
        for record in due {
            let signed = SignedRecord::sign(&self.keys.organisation, record);
            registrar.admit(signed.bytes().to_vec()).await?;
        }
        Ok(())
    }

    /// The record that a capture device needs and does not have. One that is not active any more
    /// is left alone: a person has taken it back.
    fn due_record(&self, device: &CaptureDevice, snapshot: &Snapshot) -> Option<Record> {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list.dedup();
            list
        };
        let (places, steps) = (sorted(&device.places), sorted(&device.steps));
        let Some(before) = snapshot.key(&device.key.kid()) else {
            let record = Record {
                device: Some(device.name.clone()),
                places,
                steps,
                sources: vec![Source::Declared.number()],
                ..self.first_record(&device.key, Role::Capture)
            };
            return Some(record.consented(&device.key));
        };
        let known = &before.record;
        let same = known.places == places && known.steps == steps;
        (known.state == State::Active && !same).then(|| Record {
            places,
            steps,
            ..before.next(State::Active)
        })
    }

    /// Address of a capture device.
    #[must_use]
    pub fn address_of(&self, device: &CaptureDevice) -> DeviceAddress {
        DeviceAddress {
            organisation: self.slug.clone(),
            device: device.name.clone(),
        }
    }
}
