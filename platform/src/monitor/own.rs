//! An organisation's own devices: which keys it knows to be theirs.

use std::collections::{BTreeMap, BTreeSet};

use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};

use super::alarm::{Alarm, Code};

/// Most devices of one list.
pub const OWN_MAX: usize = 100_000;

/// A line that is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OwnError {
    /// Not `ORGANISATION/DEVICE=KID`.
    #[error("line {0}: expected ORGANISATION/DEVICE=KID")]
    Line(usize),
    /// More than [`OWN_MAX`].
    #[error("more than 100000 devices")]
    TooMany,
}

/// Addresses with their keys; an address may have had several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own(BTreeMap<DeviceAddress, BTreeSet<Hash>>);

impl Own {
    /// Reads lines `ORGANISATION/DEVICE=KID`; empty ones and those that begin with `#` are passed
    /// over.
    ///
    /// # Errors
    /// [`OwnError`].
    pub fn parse(text: &str) -> Result<Self, OwnError> {
        let mut own = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = || {
                let (address, kid) = line.split_once('=')?;
                Some((address.trim().parse().ok()?, kid.trim().parse().ok()?))
            };
            let (address, kid) = read().ok_or(OwnError::Line(number + 1))?;
            own.0.entry(address).or_default().insert(kid);
            if own.0.len() > OWN_MAX {
                return Err(OwnError::TooMany);
            }
        }
        Ok(own)
    }

    /// Whether there is nothing to look after.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the device is on the list.
    #[must_use]
    pub fn names(&self, device: &DeviceAddress) -> bool {
        self.0.contains_key(device)
    }

    /// The organisations of the list.
    #[must_use]
    pub fn organisations(&self) -> BTreeSet<Slug> {
        let slug = |address: &DeviceAddress| address.organisation.clone();
        self.0.keys().map(slug).collect()
    }

    /// Records of one's own keys that changed between two lists of the registry, kids increasing.
    #[must_use]
    pub fn compare_lists(
        &self,
        version: u64,
        list: &[(Hash, Hash)],
        before: &[(Hash, Hash)],
    ) -> Vec<Alarm> {
        let changed = |(address, kid): (&DeviceAddress, &Hash)| {
            let then = of(before, kid)?;
            let now = of(list, kid)?;
            let words = format!(
                "the record of key {kid} of {address} changed at registry version {version}: did you sign that?"
            );
            let subject = format!("{address} {kid} {version}");
            (now != then).then(|| Alarm::new(Code::OwnRecord, subject, words))
        };
        self.keys().filter_map(changed).collect()
    }

    /// One's own keys that the newest list does not have.
    #[must_use]
    pub fn missing(&self, newest: &[(Hash, Hash)]) -> Vec<Alarm> {
        let missing = |(address, kid): (&DeviceAddress, &Hash)| {
            let words = format!("key {kid} of {address} is not in the registry");
            let alarm = Alarm::new(Code::OwnKeyMissing, format!("{address} {kid}"), words);
            of(newest, kid).is_none().then_some(alarm)
        };
        self.keys().filter_map(missing).collect()
    }

    fn keys(&self) -> impl Iterator<Item = (&DeviceAddress, &Hash)> {
        let keys = self.0.iter();
        keys.flat_map(|(address, kids)| kids.iter().map(move |kid| (address, kid)))
    }

    /// A key that the registry gives to a device of ours: it must be on the list.
    #[must_use]
    pub fn compare_key(&self, address: &DeviceAddress, kid: &Hash) -> Option<Alarm> {
        let words = match self.0.get(address) {
            Some(kids) if kids.contains(kid) => return None,
            Some(_) => {
                format!("{address} has another key in the registry than on your list: {kid}")
            }
            None => format!("{address} is in the registry with key {kid} and not on your list"),
        };
        let subject = format!("{address} {kid}");
        Some(Alarm::new(Code::ForeignKey, subject, words))
    }
}

fn of<'l>(list: &'l [(Hash, Hash)], kid: &Hash) -> Option<&'l Hash> {
    let place = list.binary_search_by(|row| row.0.cmp(kid)).ok()?;
    list.get(place).map(|row| &row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kid(n: u8) -> Hash {
        Hash([n; 32])
    }

    #[test]
    fn a_changed_a_missing_and_a_foreign_key_are_seen() {
        let text = format!(
            "# ours\n\nqinghe/gate-1={}\n qinghe/gate-2 = {}\n",
            kid(2),
            kid(4)
        );
        let own = Own::parse(&text).unwrap();
        let before = [(kid(2), kid(20)), (kid(4), kid(40))];
        assert_eq!(own.compare_lists(2, &before, &before), []);
        let after = [(kid(2), kid(21)), (kid(3), kid(30))];
        let codes = |alarms: Vec<Alarm>| -> Vec<Code> {
            alarms.into_iter().map(|alarm| alarm.code).collect()
        };
        let changed = own.compare_lists(3, &after, &before);
        assert_eq!(codes(changed), [Code::OwnRecord]);
        assert_eq!(codes(own.missing(&after)), [Code::OwnKeyMissing]);
        // A device that was enrolled later is in no list of before.
        assert_eq!(own.compare_lists(2, &before, &[]), []);
        assert_eq!(own.missing(&before), []);
        let first = "qinghe/gate-1".parse().unwrap();
        assert_eq!(own.compare_key(&first, &kid(2)), None);
        assert!(own.compare_key(&first, &kid(4)).is_some());
        let unknown = "qinghe/gate-9".parse().unwrap();
        assert!(own.compare_key(&unknown, &kid(2)).is_some());
    }

    #[test]
    fn a_broken_line_is_named() {
        for bad in ["qinghe/gate-1", "gate-1=00", "qinghe/gate-1=00"] {
            assert_eq!(Own::parse(&format!("#\n{bad}\n")), Err(OwnError::Line(2)));
        }
    }
}
