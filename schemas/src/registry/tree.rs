//! The tree over all keys and its head (`registry.md` section 3).

use std::collections::BTreeMap;

use crate::hash::{Hash, sha256_parts};
use crate::merkle::{self, Tree};

/// Leaf of the registry tree.
#[must_use]
pub fn leaf(kid: &Hash, record_hash: &Hash) -> Hash {
    sha256_parts(&[b"\0R", &kid.0, &record_hash.0])
}

/// A registry head: what a batch was checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Rises by one with each head.
    pub version: u64,
    /// Number of keys.
    pub count: u64,
    /// Root over them.
    pub root: Hash,
}

/// The tree behind a head: one leaf for each key, in order of their kids.
pub struct Registry {
    order: BTreeMap<Hash, usize>,
    tree: Tree,
}

impl Registry {
    /// Builds it from (kid, record hash); `None` when there are no keys.
    #[must_use]
    pub fn new(list: &BTreeMap<Hash, Hash>) -> Option<Self> {
        let leaves: Vec<Hash> = list.iter().map(|(kid, hash)| leaf(kid, hash)).collect();
        let order = list
            .keys()
            .enumerate()
            .map(|(index, kid)| (*kid, index))
            .collect();
        Some(Self {
            order,
            tree: Tree::new(&leaves)?,
        })
    }

    /// Root over all keys.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Number of keys.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.order.len() as u64
    }

    /// Place and path of a key.
    #[must_use]
    pub fn path(&self, kid: &Hash) -> Option<(u64, Vec<Hash>)> {
        let index = *self.order.get(kid)?;
        Some((index as u64, self.tree.path(index)?))
    }
}

/// Rebuilds a root from a served list; a list with a kid twice or out of order has none.
#[must_use]
pub fn root_of_list(list: &[(Hash, Hash)]) -> Option<Hash> {
    if list.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return None;
    }
    merkle::root(
        &list
            .iter()
            .map(|(kid, hash)| leaf(kid, hash))
            .collect::<Vec<_>>(),
    )
}
