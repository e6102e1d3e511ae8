//! Keys at the newest registry head below the newest checkpoint (`proof-bundle-v2.md` section 3).

use std::collections::BTreeSet;
use std::sync::Arc;

use schemas::hash::Hash;
use schemas::log::Entry;
use schemas::proof::{Bytes, Fixed, Fresh, FreshKey};
use schemas::registry::{Head, Role, SignedRecord};

use super::keys::Keys;
use super::log::View;
use super::{BundleError, Bundler};
use crate::registry::Past;

/// A record as it counts at the newest head.
struct Kept {
    row: FreshKey,
    signed: SignedRecord,
}

impl Bundler {
    /// The rows for these keys; none where the newest head would not let a reader say more: no head
    /// is covered yet, or an organisation was admitted by a registrar that the policy now no longer
    /// names (one that is not active: the others had to be admitted again).
    pub(super) async fn fresh(
        &self,
        view: &View<'_>,
        shown: &Keys<'_>,
    ) -> Result<Option<Fresh>, BundleError> {
        let Some((index, entry, head)) = self.newest_head(view).await? else {
            return Ok(None);
        };
        let registry = match shown.registry(head.version) {
            Some(registry) => Arc::clone(registry),
            None => self.registry(&head).await?,
        };
        let mut wanted = BTreeSet::new();
        for row in shown.rows.values() {
            let signed = SignedRecord::parse(row.record.0.clone());
            wanted.insert(
                signed
                    .map_err(|_| BundleError::Broken("record"))?
                    .record
                    .kid(),
            );
        }
        let policy = view.policy_at(index);
        let mut keys = Vec::new();
        while let Some(kid) = wanted.pop_first() {
            let kept = self.kept_at(&kid, &head, &registry).await?;
            if kept.signed.record.role == Role::Organisation {
                let named = policy.and_then(|policy| policy.registrar(&kept.signed.signer));
                if named.is_none() {
                    return Ok(None);
                }
            } else if !keys
                .iter()
                .any(|known: &Kept| known.signed.record.kid() == kept.signed.signer)
            {
                wanted.insert(kept.signed.signer);
            }
            keys.push(kept);
        }
        keys.sort_by_key(|kept| kept.row.index);
        Ok(Some(Fresh {
            entry: Bytes(entry),
            index,
            path: view.inclusion(index, view.size())?,
            keys: keys.into_iter().map(|kept| kept.row).collect(),
        }))
    }

    async fn registry(&self, head: &Head) -> Result<Arc<Past>, BundleError> {
        let past = self.registries.at(&*self.store, head).await?;
        past.ok_or(BundleError::Broken("registry root"))
    }

    async fn newest_head(
        &self,
        view: &View<'_>,
    ) -> Result<Option<(u64, Vec<u8>, Head)>, BundleError> {
        let Some(index) = self.tree.newest_registry_head(view.size()) else {
            return Ok(None);
        };
        let mut entries = self.store.entries(index, 1).await?;
        let entry = entries.pop().ok_or(BundleError::Broken("registry head"))?;
        match Entry::parse(&entry) {
            Ok(Entry::Registry { head, .. }) => Ok(Some((index, entry, head))),
            _ => Err(BundleError::Broken("registry head")),
        }
    }

    async fn kept_at(&self, kid: &Hash, head: &Head, registry: &Past) -> Result<Kept, BundleError> {
        let kept = self.store.record_at(kid, head.version).await?;
        let kept = kept.ok_or(BundleError::Broken("record"))?;
        let (index, path) = registry
            .path(kid)
            .ok_or(BundleError::Broken("registry path"))?;
        let signed = SignedRecord::parse(kept.bytes.clone());
        Ok(Kept {
            signed: signed.map_err(|_| BundleError::Broken("record"))?,
            row: FreshKey {
                record: Bytes(kept.bytes),
                salt: Fixed(kept.salt.0),
                index,
                path: path.into(),
            },
        })
    }
}
