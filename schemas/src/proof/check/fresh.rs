//! Keys at a recent registry head (`proof-bundle-v2.md` section 3).

use std::collections::{BTreeMap, BTreeSet};

use super::headers::CheckedHeader;
use super::keys::{CheckedKey, check_path, read_record};
use super::policies::Policies;
use super::{Checked, class, included, refuse, require};
use crate::hash::Hash;
use crate::log::Entry;
use crate::note::Witnessed;
use crate::proof::form::Fresh;
use crate::proof::{Class, Refusal};
use crate::registry::{Head, Role, SignedRecord};
use crate::time::Instant;

/// A recent head and what it says of the keys.
pub(super) struct CheckedFresh {
    pub(super) head: Head,
    pub(super) time: Instant,
    pub(super) records: BTreeMap<Hash, SignedRecord>,
}

pub(super) fn check(
    row: &Fresh,
    last: &Witnessed,
    headers: &[CheckedHeader],
    keys: &[CheckedKey],
    policies: &Policies,
) -> Checked<CheckedFresh> {
    let (head, time) = check_head(row, headers, policies)?;
    let (path, last) = (row.path.hashes(), &last.checkpoint);
    included(&row.entry.0, row.index, &path, last)?;
    let records = check_records(row, &head, policies)?;
    for signed in records.values() {
        check_signer(signed, &records, row.index, policies)?;
    }
    for key in keys {
        check_newer(&key.signed, &records)?;
    }
    check_wanted(keys, &records)?;
    Ok(CheckedFresh {
        head,
        time,
        records,
    })
}

fn check_head(
    row: &Fresh,
    headers: &[CheckedHeader],
    policies: &Policies,
) -> Checked<(Head, Instant)> {
    let rule = |holds, detail| require(holds, Class::Header, detail);
    let (head, time) = match Entry::parse(&row.entry.0).map_err(class(Class::Header))? {
        Entry::Registry { head, time } => (head, time),
        _ => return refuse(Class::Header, "the recent entry is no registry head"),
    };
    for header in headers {
        let known = &header.header.registry;
        rule(head.version >= known.version, "the recent head is older")?;
        let equal = head.version > known.version || head == *known;
        rule(equal, "the recent head differs from a header's")?;
    }
    let governed = policies.in_force(row.index).is_some();
    rule(governed, "no policy is in force at the recent head")?;
    Ok((head, time))
}

/// The records by kid; their order in the registry is that of their kids.
fn check_records(
    row: &Fresh,
    head: &Head,
    policies: &Policies,
) -> Checked<BTreeMap<Hash, SignedRecord>> {
    let mut records: BTreeMap<Hash, SignedRecord> = BTreeMap::new();
    for key in &row.keys {
        let signed = read_record(&key.record, policies)?;
        check_path(&signed, &key.salt, key.index, &key.path, head)?;
        let kid = signed.record.kid();
        let rises = records.last_key_value().is_none_or(|(last, _)| *last < kid);
        require(rises, Class::RegistryPath, "kids do not increase")?;
        records.insert(kid, signed);
    }
    Ok(records)
}

/// Who answers for a record at the recent head.
fn check_signer(
    signed: &SignedRecord,
    records: &BTreeMap<Hash, SignedRecord>,
    index: u64,
    policies: &Policies,
) -> Checked<()> {
    let key = if signed.record.role == Role::Organisation {
        policies.registrar(index, &signed.signer)
    } else {
        let owner = records.get(&signed.signer).map(|owner| &owner.record);
        let of_it = owner.filter(|owner| {
            let same = owner.organisation == signed.record.organisation;
            owner.role == Role::Organisation && same
        });
        of_it.map(|owner| &owner.key)
    };
    let unknown = || Refusal::new(Class::Organisation, "nobody answers for a recent record");
    signed
        .verify(key.ok_or_else(unknown)?)
        .map_err(class(Class::Organisation))
}

/// A key that the headers show is the same key in a record that is not older.
fn check_newer(old: &SignedRecord, records: &BTreeMap<Hash, SignedRecord>) -> Checked<()> {
    let Some(new) = records.get(&old.record.kid()) else {
        return refuse(Class::RegistryPath, "a key has no recent record");
    };
    let (was, is) = (&old.record, &new.record);
    // Equal kids are equal keys; the document names key and alg for readers that do not hash.
    let same = is.organisation == was.organisation
        && is.device == was.device
        && is.key == was.key
        && is.role == was.role;
    let follows = is.version > was.version || (is.version == was.version && new == old);
    require(
        same && follows,
        Class::Record,
        "a recent record is of another key or older",
    )
}

/// Nothing stands there that no key and no signer needs.
fn check_wanted(keys: &[CheckedKey], records: &BTreeMap<Hash, SignedRecord>) -> Checked<()> {
    let mut wanted: BTreeSet<Hash> = keys.iter().map(|key| key.signed.record.kid()).collect();
    let signed = |(kid, signed): (&Hash, &SignedRecord)| {
        let of_another = signed.signer != *kid;
        of_another.then_some(signed.signer)
    };
    wanted.extend(records.iter().filter_map(signed));
    require(
        records.keys().all(|kid| wanted.contains(kid)),
        Class::RegistryPath,
        "a recent record is not used",
    )
}
