//! The one wrapper of `merkle-cbt` (`statement.md` section 1.4).
//!
//! The crate says what the tree is, and gives no safety by itself: its proofs carry indices and its
//! verifier sorts leaves. Here the count comes from something signed, the node is derived, the
//! number of siblings is fixed by it, and indices are never read from outside. Its nodes are hashed
//! by `nodes`, at nearly the speed of SHA-256's blocks; every small tree of a debug build, and so
//! of every test, is compared with the one that the crate builds.

mod nodes;
mod versioned;

use merkle_cbt::merkle_tree::{CBMT, Merge};

use crate::hash::Hash;

pub use versioned::VersionedTree;

/// Largest number of leaves: node numbers fit the crate's `u32`.
pub const LEAVES_MAX: u64 = (1 << 31) - 1;

/// Trees of up to this many leaves are compared with the crate's in debug builds.
const COMPARED_MAX: usize = 64;

struct Node;

impl Merge for Node {
    type Item = Hash;
    fn merge(left: &Hash, right: &Hash) -> Hash {
        node_hash(left, right)
    }
}

/// SHA-256(0x01 || left || right): node of every tree here and of RFC 6962.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    nodes::node_hash(left, right)
}

/// A path that proves nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum PathError {
    /// No leaves, or more than fit.
    #[error("a tree of {0} leaves cannot be")]
    Count(u64),
    /// The index is not below the count.
    #[error("index {index} is not below {count}")]
    Index {
        /// As given.
        index: u64,
        /// As signed.
        count: u64,
    },
    /// Another number of siblings than the leaf's depth.
    #[error("{found} siblings, the leaf has {expected}")]
    Length {
        /// In the path.
        found: usize,
        /// By the leaf's depth.
        expected: u32,
    },
    /// The path leads to another root.
    #[error("the path leads to another root")]
    Root,
}

/// A complete binary tree over leaves in their order.
pub struct Tree {
    /// In level order: the root first, the leaves last.
    nodes: Vec<Hash>,
}

impl Tree {
    /// Builds the tree; `None` without leaves or with more than [`LEAVES_MAX`]. Two blocks of
    /// SHA-256 for each leaf but one.
    #[must_use]
    pub fn new(leaves: &[Hash]) -> Option<Self> {
        let fits = !leaves.is_empty() && leaves.len() as u64 <= LEAVES_MAX;
        fits.then(|| Self {
            nodes: build(leaves),
        })
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.nodes[0]
    }

    /// Siblings of leaf `index` from the leaf upwards; `None` if there is no such leaf.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<Hash>> {
        let inner = self.nodes.len() / 2;
        let mut node = index.checked_add(inner)?;
        if node >= self.nodes.len() {
            return None;
        }
        let mut path = Vec::with_capacity((node + 1).ilog2() as usize);
        while node > 0 {
            let sibling = if node % 2 == 1 { node + 1 } else { node - 1 };
            path.push(self.nodes[sibling]);
            node = (node - 1) / 2;
        }
        Some(path)
    }
}

/// Root over the leaves; `None` without leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Option<Hash> {
    Tree::new(leaves).map(|tree| tree.root())
}

/// Every node of a tree that has leaves.
fn build(leaves: &[Hash]) -> Vec<Hash> {
    let inner = leaves.len() - 1;
    let mut nodes = Vec::with_capacity(inner + leaves.len());
    nodes.resize(inner, Hash::ZERO);
    nodes.extend_from_slice(leaves);
    nodes::fill(&mut nodes);
    debug_assert!(
        leaves.len() > COMPARED_MAX || nodes[0] == CBMT::<Hash, Node>::build_merkle_root(leaves),
        "the wrapped library has another root"
    );
    nodes
}

/// Checks that `leaf` is at `index` of the tree with `count` leaves and this root.
///
/// # Errors
/// [`PathError`]; `count` and `root` must come from something signed.
pub fn verify(
    leaf: Hash,
    index: u64,
    count: u64,
    path: &[Hash],
    root: Hash,
) -> Result<(), PathError> {
    if count == 0 || count > LEAVES_MAX {
        return Err(PathError::Count(count));
    }
    if index >= count {
        return Err(PathError::Index { index, count });
    }
    let mut node = index + count - 1;
    let expected = (node + 1).ilog2();
    if path.len() != expected as usize {
        return Err(PathError::Length {
            found: path.len(),
            expected,
        });
    }
    let mut hash = leaf;
    for sibling in path {
        hash = if node % 2 == 1 {
            node_hash(&hash, sibling)
        } else {
            node_hash(sibling, &hash)
        };
        node = (node - 1) / 2;
    }
    if hash == root {
        Ok(())
    } else {
        Err(PathError::Root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{sha256, sha256_parts};
    use merkle_cbt::merkle_tree::MerkleProof;
    use proptest::prelude::*;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|i| sha256(&i.to_be_bytes())).collect()
    }

    proptest! {
        #[test]
        fn every_leaf_proves_and_nothing_else_does(count in 1usize..200, pick in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
            let leaves = leaves(count);
            let tree = Tree::new(&leaves).unwrap();
            let (i, j) = (pick.index(count), other.index(count));
            let path = tree.path(i).unwrap();
            let n = count as u64;
            prop_assert_eq!(root(&leaves), Some(tree.root()));
            prop_assert_eq!(verify(leaves[i], i as u64, n, &path, tree.root()), Ok(()));
            prop_assert!(i == j || verify(leaves[j], i as u64, n, &path, tree.root()).is_err());
            prop_assert!(i == j || verify(leaves[i], j as u64, n, &path, tree.root()).is_err());
            prop_assert!(verify(leaves[i], i as u64, n + 1, &path, tree.root()).is_err());
            prop_assert!(verify(leaves[i], n, n, &path, tree.root()).is_err());
            prop_assert!(verify(leaves[i], 0, 0, &path, tree.root()).is_err());
            // The crate's own verifier agrees on the honest proof.
            let theirs = MerkleProof::<Hash, Node>::new(vec![(i + count - 1) as u32], path.clone());
            prop_assert!(theirs.verify(&tree.root(), &[leaves[i]]));
            // An inner node is no leaf.
            if let Some((first, rest)) = path.split_first() {
                let node = i + count - 1;
                let inner = if node % 2 == 1 { node_hash(&leaves[i], first) } else { node_hash(first, &leaves[i]) };
                for index in 0..n {
                    prop_assert!(verify(inner, index, n, rest, tree.root()).is_err());
                }
            }
        }
    }

    /// Somebody else's tree over hashes by somebody else's hasher.
    struct Plain;

    impl Merge for Plain {
        type Item = Hash;
        fn merge(left: &Hash, right: &Hash) -> Hash {
            sha256_parts(&[&[1], &left.0, &right.0])
        }
    }

    #[test]
    fn every_node_is_that_of_the_wrapped_library() {
        for count in (1..200).chain([255, 256, 257, 1_000, 4_095, 4_096, 4_097]) {
            let leaves = leaves(count);
            let theirs = CBMT::<Hash, Plain>::build_merkle_tree(&leaves);
            let ours = Tree::new(&leaves).unwrap();
            assert!(ours.nodes == theirs.nodes(), "{count} leaves");
            assert_eq!(root(&leaves), Some(theirs.root()));
            assert_eq!(ours.path(count), None);
            assert_eq!(ours.path(usize::MAX), None);
        }
        assert!(Tree::new(&[]).is_none());
        assert_eq!(root(&[]), None);
    }

    #[test]
    fn powers_of_two_have_the_root_of_rfc_6962() {
        for k in 0..7 {
            let leaves = leaves(1 << k);
            let mut level = leaves.clone();
            while level.len() > 1 {
                level = level
                    .chunks(2)
                    .map(|pair| node_hash(&pair[0], &pair[1]))
                    .collect();
            }
            assert_eq!(root(&leaves), Some(level[0]));
        }
    }
}
