//! Step 4: records and their places in the registries of the headers.

use std::collections::BTreeMap;

use super::headers::CheckedHeader;
use super::policies::Policies;
use super::{Checked, class, require};
use crate::event::Salt;
use crate::merkle;
use crate::proof::Class;
use crate::proof::form::{Bytes, Fixed, KeyRow, Path};
use crate::registry::{self, Head, SignedRecord};

pub(super) struct CheckedKey {
    pub(super) signed: SignedRecord,
    pub(super) header: usize,
}

pub(super) fn check(
    rows: &[KeyRow],
    headers: &[CheckedHeader],
    policies: &Policies,
) -> Checked<Vec<CheckedKey>> {
    let rule = |holds, detail| require(holds, Class::RegistryPath, detail);
    let mut keys: Vec<CheckedKey> = Vec::with_capacity(rows.len());
    let first_with = first_headers(headers);
    for row in rows {
        let signed = read_record(&row.record, policies)?;
        let head = &headers[row.header].header.registry;
        check_path(&signed, &row.salt, row.index, &row.path, head)?;
        let first = first_with[row.header] == row.header;
        rule(first, "an earlier header has this registry")?;
        let before = keys.last().filter(|before| before.header == row.header);
        let kid = signed.record.kid();
        let rises = before.is_none_or(|before| before.signed.record.kid() < kid);
        rule(rises, "kids do not increase")?;
        keys.push(CheckedKey {
            signed,
            header: row.header,
        });
    }
    Ok(keys)
}

/// A record of this log, of a key that no policy names.
pub(super) fn read_record(bytes: &Bytes, policies: &Policies) -> Checked<SignedRecord> {
    let rule = |holds, detail| require(holds, Class::Record, detail);
    let signed = SignedRecord::parse(bytes.0.clone()).map_err(class(Class::Record))?;
    let record = &signed.record;
    rule(record.log == policies.log(), "a record of another log")?;
    let own = !policies.names_kid(&record.kid());
    rule(own, "a key of the policy has a record")?;
    Ok(signed)
}

/// A record stands at its place below a registry head.
pub(super) fn check_path(
    signed: &SignedRecord,
    salt: &Fixed<16>,
    index: u64,
    path: &Path,
    head: &Head,
) -> Checked<()> {
    let leaf = registry::leaf(&signed.record.kid(), &signed.hash(&Salt(salt.0)));
    merkle::verify(leaf, index, head.count, &path.hashes(), head.root)
        .map_err(class(Class::RegistryPath))
}

/// For each header the first one with an equal registry.
fn first_headers(headers: &[CheckedHeader]) -> Vec<usize> {
    let mut first = BTreeMap::new();
    let place = |(position, checked): (usize, &CheckedHeader)| {
        let head = checked.header.registry;
        *first
            .entry((head.version, head.count, head.root))
            .or_insert(position)
    };
    headers.iter().enumerate().map(place).collect()
}
