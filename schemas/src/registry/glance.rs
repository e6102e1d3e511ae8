//! What a record says of whose key it is, without the work of judging it.

use super::{
    PLACE_MAX, PLACES_MAX, RECORD_MAX, RecordError, Role, STEP_MAX, STEPS_MAX, TYP_RECORD,
};
use crate::cbor::{CborError, Reader};
use crate::cose::Sign1;
use crate::hash::Hash;

/// Whose key a record is of, what it may do and whether it counts.
///
/// For records that were admitted and are under a root: neither key nor consent nor signature is
/// looked at, which is what reading a record costs. [`super::SignedRecord::parse`] judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance<'a> {
    /// kid of the recorded key.
    pub kid: Hash,
    /// Organisation.
    pub organisation: &'a str,
    /// Device, empty for other roles than capture.
    pub device: &'a str,
    /// What the key may do.
    pub role: Role,
    /// Whether the key counts.
    pub active: bool,
}

impl<'a> Glance<'a> {
    /// Reads them from a record as signed.
    ///
    /// # Errors
    /// [`RecordError`] where the form is broken.
    pub fn of(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let cose = Sign1::parse(bytes, RECORD_MAX)?;
        if cose.typ != TYP_RECORD {
            return Err(RecordError::Typ(cose.typ.to_owned()));
        }
        let mut r = Reader::new(cose.payload);
        let mut keys = r.map("record")?;
        keys.required(&mut r, 0)?;
        r.hash("log")?;
        keys.required(&mut r, 1)?;
        r.uint("version")?;
        keys.required(&mut r, 2)?;
        let organisation = r.text("org", 32)?;
        keys.required(&mut r, 3)?;
        let device = r.text("device", 32)?;
        keys.required(&mut r, 4)?;
        let kid = r.hash("kid")?;
        keys.required(&mut r, 5)?;
        r.bytes("key", 33)?;
        keys.required(&mut r, 6)?;
        r.int("alg")?;
        keys.required(&mut r, 7)?;
        let role = Role::from_number(r.uint("role")?).ok_or(CborError::Limit("role"))?;
        for (number, field, most, longest) in [
            (8, "places", PLACES_MAX, PLACE_MAX),
            (9, "steps", STEPS_MAX, STEP_MAX),
        ] {
            keys.required(&mut r, number)?;
            for _ in 0..r.array(field, most)? {
                r.text(field, longest)?;
            }
        }
        keys.required(&mut r, 10)?;
        for _ in 0..r.array("sources", 4)? {
            r.uint("source")?;
        }
        keys.required(&mut r, 11)?;
        r.uint("heartbeat")?;
        keys.required(&mut r, 12)?;
        let active = r.uint("state")? == 0;
        Ok(Self {
            kid,
            organisation,
            device,
            role,
            active,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Record, SignedRecord, State};
    use super::*;
    use crate::key::SecretKey;

    #[test]
    fn a_glance_says_what_the_whole_record_says() {
        let key = SecretKey::from_seed(&[1; 32]);
        let since = Some(crate::time::Instant::from_micros(9));
        let states = [
            (State::Active, true),
            (State::Suspended, false),
            (State::Retired { last: None }, false),
            (
                State::Revoked {
                    compromised_since: since,
                },
                false,
            ),
        ];
        for (state, active) in states {
            let record = Record {
                log: Hash([1; 32]),
                version: 2,
                organisation: "qinghe".parse().unwrap(),
                device: None,
                key: key.public(),
                role: Role::Receipt,
                places: vec!["a".into(), "b".into()],
                steps: vec!["packing".into()],
                sources: vec![2, 3],
                heartbeat: 60,
                state,
                prev: Hash([2; 32]),
                consent: None,
            };
            let signed = SignedRecord::sign(&key, record);
            let seen = Glance::of(signed.bytes()).unwrap();
            assert_eq!((seen.kid, seen.role), (key.kid(), Role::Receipt));
            assert_eq!((seen.organisation, seen.device), ("qinghe", ""));
            assert_eq!(seen.active, active);
        }
        assert!(Glance::of(b"\xd2").is_err());
    }
}
