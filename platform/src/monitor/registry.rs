//! Records that a platform shows, against the served list of keys and the policy. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::alarm::{Alarm, Code};
use super::own::Own;
use super::shown::{Shown, ShownRecord};
use schemas::event::Salt;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::PublicKey;
use schemas::log::Policy;
use schemas::registry::{Role, SignedRecord};

/// A record that is the very one behind its leaf.
fn opened(shown: &ShownRecord, list: &[(Hash, Hash)]) -> Result<SignedRecord, String> {
    let signed = SignedRecord::parse(shown.record.clone()).map_err(|error| error.to_string())?;
    let salt = Salt::from_slice(&shown.salt).ok_or("its salt is none")?;
    let leaf = (signed.record.kid(), signed.hash(&salt));
    if list.binary_search(&leaf).is_err() {
        return Err("it is not the record behind the leaf of its key".into());
    }
    Ok(signed)
}

/// Checks the shown organisations; (keys of the good ones, alarms). `known` are the slugs that are
/// expected, where somebody has listed them.
pub(super) fn organisations(
    shown: &Shown,
    list: &[(Hash, Hash)],
    policy: &Policy,
    known: Option<&BTreeSet<Slug>>,
) -> (BTreeMap<Hash, (Slug, PublicKey)>, Vec<Alarm>) {
    let (mut keys, mut alarms) = (BTreeMap::new(), Vec::new());
    for one in &shown.records {
        let bad = |words: String| Alarm::new(Code::BadOrganisation, words.clone(), words);
        let signed = match opened(one, list) {
            Ok(signed) => signed,
            Err(why) => {
                alarms.push(bad(format!(
                    "the record of an organisation does not hold: {why}"
                )));
                continue;
            }
        };
        let record = &signed.record;
        let slug = record.organisation.clone();
        let registrar = policy.registrar(&signed.signer);
        let admitted = registrar.is_some_and(|key| signed.verify(key).is_ok());
        if record.role != Role::Organisation || record.log != policy.log || !admitted {
            alarms.push(bad(format!(
                "key {} of organisation {slug} was not admitted by a registrar of the policy",
                record.kid()
            )));
            continue;
        }
        if known.is_some_and(|known| !known.contains(&slug)) {
            let words = format!("organisation {slug} was admitted and is not on your list");
            alarms.push(Alarm::new(
                Code::UnknownOrganisation,
                slug.to_string(),
                words,
            ));
        }
        keys.insert(record.kid(), (slug, record.key.clone()));
    }
    (keys, alarms)
}

/// Checks the records of one's own organisation.
pub(super) fn own_records(
    shown: &Shown,
    list: &[(Hash, Hash)],
    organisation: &Slug,
    keys: &BTreeMap<Hash, (Slug, PublicKey)>,
    own: &Own,
) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for one in &shown.records {
        let bad = |words: String| Alarm::new(Code::ForeignKey, words.clone(), words);
        let signed = match opened(one, list) {
            Ok(signed) => signed,
            Err(why) => {
                alarms.push(bad(format!(
                    "a record of {organisation} does not hold: {why}"
                )));
                continue;
            }
        };
        let record = &signed.record;
        let Some(address) = record.address() else {
            continue;
        };
        let signer = keys.get(&signed.signer);
        let by_own =
            signer.is_some_and(|(slug, key)| slug == organisation && signed.verify(key).is_ok());
        if !by_own || record.organisation != *organisation {
            let kid = record.kid();
            alarms.push(bad(format!(
                "the record of key {kid} of {address} is signed by no key of {organisation}"
            )));
        }
        alarms.extend(own.compare_key(&address, &record.kid()));
    }
    alarms
}
