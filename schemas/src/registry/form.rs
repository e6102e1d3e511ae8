//! A record as CBOR (`registry.md` section 2): what is signed, byte for byte.

use crate::cbor::{CborError, Reader, Writer};
use crate::hash::Hash;
use crate::ids::Slug;
use crate::key::PublicKey;
use crate::statement::{Position, instant};

use super::{PLACE_MAX, PLACES_MAX, Record, RecordError, Role, STEP_MAX, STEPS_MAX, State};

impl Record {
    pub(super) fn write(&self, consent: Option<&[u8; 64]>) -> Vec<u8> {
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

    pub(super) fn read(bytes: &[u8]) -> Result<Self, RecordError> {
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
