//! Records of keys and their places in the registries of the headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::hash::Hash;
use schemas::proof::{Bytes, Fixed, KeyRow};
use schemas::registry::SignedRecord;

use super::{BundleError, Header};
use crate::registry::{Past, Registries};
use crate::store::Store;

/// Position of the header and place in its registry.
pub(super) type Place = (usize, u64);

/// The table of keys while it grows.
pub(super) struct Keys<'a> {
    store: &'a dyn Store,
    /// Registry version -> first header with it, and the tree.
    registries: BTreeMap<u64, (usize, Arc<Past>)>,
    /// Registry version and kid -> what was found: statements of one device share it.
    found: BTreeMap<(u64, Hash), (Place, SignedRecord)>,
    pub(super) rows: BTreeMap<Place, KeyRow>,
}

impl<'a> Keys<'a> {
    /// An empty table over the registries of these headers.
    pub(super) async fn over(
        store: &'a dyn Store,
        registries: &Registries,
        headers: &[Header],
    ) -> Result<Self, BundleError> {
        let mut keys = Self {
            store,
            registries: BTreeMap::new(),
            found: BTreeMap::new(),
            rows: BTreeMap::new(),
        };
        keys.find_registries(registries, headers).await?;
        Ok(keys)
    }

    /// The registry of a version that a header carries.
    pub(super) fn registry(&self, version: u64) -> Option<&Arc<Past>> {
        self.registries.get(&version).map(|(_, registry)| registry)
    }

    async fn find_registries(
        &mut self,
        registries: &Registries,
        headers: &[Header],
    ) -> Result<(), BundleError> {
        for (position, header) in headers.iter().enumerate() {
            let head = header.header.registry;
            if self.registries.contains_key(&head.version) {
                continue;
            }
            let past = registries.at(self.store, &head).await?;
            let past = past.ok_or(BundleError::Broken("registry root"))?;
            self.registries.insert(head.version, (position, past));
        }
        Ok(())
    }

    /// Puts a key's record into the table; its place and the record.
    pub(super) async fn place(
        &mut self,
        version: u64,
        kid: &Hash,
    ) -> Result<(Place, SignedRecord), BundleError> {
        if let Some(found) = self.found.get(&(version, *kid)) {
            return Ok(found.clone());
        }
        let (header, registry) = self
            .registries
            .get(&version)
            .ok_or(BundleError::Broken("registry"))?;
        let (index, path) = registry
            .path(kid)
            .ok_or(BundleError::Broken("registry path"))?;
        let kept = self
            .store
            .record_at(kid, version)
            .await?
            .ok_or(BundleError::Broken("record"))?;
        let signed =
            SignedRecord::parse(kept.bytes.clone()).map_err(|_| BundleError::Broken("record"))?;
        let place = (*header, index);
        let row = KeyRow {
            record: Bytes(kept.bytes),
            salt: Fixed(kept.salt.0),
            header: *header,
            index,
            path: path.into(),
        };
        self.rows.insert(place, row);
        self.found.insert((version, *kid), (place, signed.clone()));
        Ok((place, signed))
    }
}
