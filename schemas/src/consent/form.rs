//! Deterministic CBOR of a consent document (`consent.md` section 1).

use super::{
    Act, Consent, ConsentError, DEVICES_MAX, Grant, Purpose, STEP_MAX, STEPS_MAX, WITHHELD_MAX,
};
use crate::attestation::Kind as AttestationKind;
use crate::cbor::{CborError, MapKeys, Reader, Writer};
use crate::event::NAME_MAX;
use crate::ids::{SLUG_MAX, Slug};
use crate::statement::instant;

const GRANT: u64 = 0;
const WITHDRAWAL: u64 = 1;

impl Consent {
    /// Deterministic CBOR.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(if self.grant().is_some() { 14 } else { 7 });
        w.uint(0).bytes(&self.log.0);
        w.uint(1).text(self.supplier.as_str());
        w.uint(2).text(self.bank.as_str());
        w.uint(3).uint(self.number).uint(4).bytes(&self.prev.0);
        w.uint(5).uint(self.made.as_unsigned());
        match &self.act {
            Act::Grant(grant) => grant.write(w.uint(6).uint(GRANT)),
            Act::Withdrawal => {
                w.uint(6).uint(WITHDRAWAL);
            }
        }
        w.finish()
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, ConsentError> {
        let mut r = Reader::new(bytes);
        let mut keys = r.map("consent")?;
        keys.required(&mut r, 0)?;
        let log = r.hash("log")?;
        keys.required(&mut r, 1)?;
        let supplier = read_slug(&mut r, "supplier")?;
        keys.required(&mut r, 2)?;
        let bank = read_slug(&mut r, "bank")?;
        keys.required(&mut r, 3)?;
        let number = r.uint("number")?;
        keys.required(&mut r, 4)?;
        let prev = r.hash("prev")?;
        keys.required(&mut r, 5)?;
        let made = instant(&mut r, "made")?;
        keys.required(&mut r, 6)?;
        let act = match r.uint("kind")? {
            GRANT => Act::Grant(Grant::read(&mut r, &mut keys)?),
            WITHDRAWAL => Act::Withdrawal,
            _ => return Err(CborError::Limit("kind").into()),
        };
        keys.end()?;
        r.end()?;
        Ok(Self {
            log,
            supplier,
            bank,
            number,
            prev,
            made,
            act,
        })
    }
}

impl Grant {
    fn write(&self, w: &mut Writer) {
        w.uint(7).uint(self.from.as_unsigned());
        w.uint(8).uint(self.until.as_unsigned());
        w.uint(9).array(self.purposes.len());
        for purpose in &self.purposes {
            w.uint(purpose.number());
        }
        texts(w.uint(10), self.devices.iter().map(Slug::as_str));
        texts(w.uint(11), self.steps.iter().map(String::as_str));
        texts(w.uint(12), self.withheld.iter().map(String::as_str));
        w.uint(13).array(self.attestations.len());
        for kind in &self.attestations {
            w.uint(kind.number());
        }
    }

    fn read(r: &mut Reader<'_>, keys: &mut MapKeys) -> Result<Self, CborError> {
        keys.required(r, 7)?;
        let from = instant(r, "from")?;
        keys.required(r, 8)?;
        let until = instant(r, "until")?;
        keys.required(r, 9)?;
        let purposes = list(r, "purposes", Purpose::ALL.len(), |r| {
            Purpose::from_number(r.uint("purposes")?).ok_or(CborError::Limit("purposes"))
        })?;
        keys.required(r, 10)?;
        let devices = list(r, "devices", DEVICES_MAX, |r| read_slug(r, "devices"))?;
        keys.required(r, 11)?;
        let steps = list(r, "steps", STEPS_MAX, |r| text(r, "steps", STEP_MAX))?;
        keys.required(r, 12)?;
        let withheld = list(r, "withheld", WITHHELD_MAX, |r| {
            text(r, "withheld", NAME_MAX)
        })?;
        keys.required(r, 13)?;
        let attestations = list(r, "attestations", AttestationKind::ALL.len(), |r| {
            let number = r.uint("attestations")?;
            AttestationKind::from_number(number).ok_or(CborError::Limit("attestations"))
        })?;
        Ok(Self {
            from,
            until,
            purposes,
            devices,
            steps,
            withheld,
            attestations,
        })
    }
}

fn texts<'t>(w: &mut Writer, list: impl ExactSizeIterator<Item = &'t str>) {
    w.array(list.len());
    for text in list {
        w.text(text);
    }
}

fn list<'a, T>(
    r: &mut Reader<'a>,
    field: &'static str,
    max: usize,
    read: impl Fn(&mut Reader<'a>) -> Result<T, CborError>,
) -> Result<Vec<T>, CborError> {
    (0..r.array(field, max)?).map(|_| read(r)).collect()
}

fn text(r: &mut Reader<'_>, field: &'static str, max: usize) -> Result<String, CborError> {
    r.text(field, max).map(str::to_owned)
}

/// A slug, or that the field is outside its limits.
pub(crate) fn read_slug(r: &mut Reader<'_>, field: &'static str) -> Result<Slug, CborError> {
    let text = r.text(field, SLUG_MAX)?;
    text.parse().map_err(|_| CborError::Limit(field))
}
