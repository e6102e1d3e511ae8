//! A tree of many leaves of which version follows version.
//!
//! A copy costs a list of pointers and shares every node that has not changed. Another leaf in a
//! place costs its path. A leaf more is another matter: in this shape (`statement.md` section 1.4)
//! the leaves stand at the end of one array, so one more moves nearly every pair, and every inner
//! node is hashed again ([`VersionedTree::new`]); the leaves themselves are not.

use std::sync::Arc;

use super::{LEAVES_MAX, build, node_hash};
use crate::hash::Hash;

/// Nodes that are shared or copied together: 16 KiB.
const CHUNK: usize = 512;

/// A complete binary tree over leaves in their order; clones are cheap.
#[derive(Clone, Debug)]
pub struct VersionedTree {
    leaves: usize,
    /// Level order, the root first, cut into pieces of [`CHUNK`].
    chunks: Vec<Arc<Vec<Hash>>>,
}

impl VersionedTree {
    /// Builds the tree; `None` without leaves or with more than [`LEAVES_MAX`]. Two blocks of
    /// SHA-256 for each leaf but one.
    #[must_use]
    pub fn new(leaves: &[Hash]) -> Option<Self> {
        if leaves.is_empty() || leaves.len() as u64 > LEAVES_MAX {
            return None;
        }
        let nodes = build(leaves);
        Some(Self {
            leaves: leaves.len(),
            chunks: nodes
                .chunks(CHUNK)
                .map(|chunk| Arc::new(chunk.to_vec()))
                .collect(),
        })
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.node(0)
    }

    /// Number of leaves.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.leaves
    }

    /// The leaves in order.
    pub fn leaves(&self) -> impl Iterator<Item = Hash> {
        let inner = self.leaves - 1;
        let behind = self.chunks.iter().skip(inner / CHUNK);
        behind
            .flat_map(|chunk| chunk.iter().copied())
            .skip(inner % CHUNK)
    }

    /// Puts another leaf in a place and hashes its path; false if there is no such place.
    pub fn set(&mut self, index: usize, leaf: Hash) -> bool {
        if index >= self.leaves {
            return false;
        }
        let mut node = index + self.leaves - 1;
        self.put(node, leaf);
        while node > 0 {
            node = (node - 1) / 2;
            let hash = node_hash(&self.node(2 * node + 1), &self.node(2 * node + 2));
            self.put(node, hash);
        }
        true
    }

    /// Siblings of leaf `index` from the leaf upwards; `None` if there is no such leaf.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<Hash>> {
        if index >= self.leaves {
            return None;
        }
        let mut node = index + self.leaves - 1;
        let mut path = Vec::with_capacity((node + 1).ilog2() as usize);
        while node > 0 {
            let sibling = if node % 2 == 1 { node + 1 } else { node - 1 };
            path.push(self.node(sibling));
            node = (node - 1) / 2;
        }
        Some(path)
    }

    fn node(&self, node: usize) -> Hash {
        self.chunks[node / CHUNK][node % CHUNK]
    }

    fn put(&mut self, node: usize, hash: Hash) {
        Arc::make_mut(&mut self.chunks[node / CHUNK])[node % CHUNK] = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tree;
    use super::*;
    use crate::hash::sha256;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|i| sha256(&i.to_be_bytes())).collect()
    }

    #[test]
    fn it_is_the_same_tree_and_a_copy_stays_what_it_was() {
        for count in (1..40).chain([255, 256, 257, 1_000, 1_025]) {
            let mut now = leaves(count);
            let mut tree = VersionedTree::new(&now).unwrap();
            for change in 0..20 {
                let (before, root) = (tree.clone(), tree.root());
                let index = (change * 7_919) % count;
                now[index] = sha256(format!("{change} of {count}").as_bytes());
                assert!(tree.set(index, now[index]));
                let fresh = Tree::new(&now).unwrap();
                assert_eq!(tree.root(), fresh.root());
                assert_eq!((before.root(), before.count()), (root, count));
                for place in [0, index, count / 2, count - 1] {
                    assert_eq!(tree.path(place), fresh.path(place));
                }
            }
            assert_eq!(tree.leaves().collect::<Vec<_>>(), now);
            assert!(!tree.set(count, Hash::ZERO));
            assert_eq!(tree.path(count), None);
        }
        assert!(VersionedTree::new(&[]).is_none());
    }
}
