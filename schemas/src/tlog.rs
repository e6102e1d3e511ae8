//! RFC 6962 tree maths over `tlog_tiles` (`log.md` sections 2 and 6): wrapped once, because its
//! functions panic on some inputs and its tile paths carry a height that C2SP does not have.

mod served;

pub use served::{
    ENTRIES_BYTES_MAX, ServedError, TILE_WIDTH, encode_entries, parse_entries, parse_tile,
};

use tlog_tiles::tlog::{self, HashReader};

use crate::hash::Hash;

/// Longest proof that can be.
pub const PATH_MAX: usize = 64;

/// An RFC 6962 proof that does not hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("the Merkle proof does not hold")]
pub struct ProofError;

/// Checks that the entry with this leaf hash is at `index` of the tree of `size` with `root`
/// (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofError);
        }
        if node % 2 == 1 || node == last {
            hash = crate::merkle::node_hash(sibling, &hash);
            while node % 2 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = crate::merkle::node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == root {
        Ok(())
    } else {
        Err(ProofError)
    }
}

/// Checks that the tree of `old` with `old_root` is a beginning of that of `new` with `new_root`.
///
/// # Errors
/// [`ProofError`]; `1 <= old <= new` is required.
pub fn verify_consistency(
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if old == 0 || old > new || path.len() > PATH_MAX {
        return Err(ProofError);
    }
    if old == new {
        return if path.is_empty() && old_root == new_root {
            Ok(())
        } else {
            Err(ProofError)
        };
    }
    let proof = path.iter().map(|hash| tlog::Hash(hash.0)).collect();
    tlog::check_tree(
        &proof,
        new,
        tlog::Hash(new_root.0),
        old,
        tlog::Hash(old_root.0),
    )
    .map_err(|_| ProofError)
}

/// An RFC 6962 tree in memory: leaf hashes in, roots and proofs out. Grows only.
#[derive(Default)]
pub struct LogTree {
    /// Hashes in the storage order of `tlog_tiles`.
    stored: Vec<tlog::Hash>,
    size: u64,
}

struct Stored<'a>(&'a [tlog::Hash]);

impl HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        let get = |&index: &u64| {
            usize::try_from(index)
                .ok()
                .and_then(|index| self.0.get(index))
        };
        indexes
            .iter()
            .map(|index| get(index).copied().ok_or(tlog::Error::IndexesNotInTree))
            .collect()
    }
}

/// A tree with hashes that are not in it yet.
struct Extended<'a> {
    base: &'a [tlog::Hash],
    more: &'a [tlog::Hash],
}

impl HashReader for Extended<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        let get = |&index: &u64| {
            let index = usize::try_from(index).ok()?;
            self.base
                .get(index)
                .or_else(|| self.more.get(index.checked_sub(self.base.len())?))
        };
        indexes
            .iter()
            .map(|index| get(index).copied().ok_or(tlog::Error::IndexesNotInTree))
            .collect()
    }
}

impl LogTree {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends an entry by its leaf hash.
    ///
    /// # Errors
    /// Never for a tree that only this function has filled.
    pub fn push(&mut self, leaf: Hash) -> Result<(), ProofError> {
        let hashes = tlog::stored_hashes_for_record_hash(
            self.size,
            tlog::Hash(leaf.0),
            &Stored(&self.stored),
        )
        .map_err(|_| ProofError)?;
        self.stored.extend(hashes);
        self.size += 1;
        Ok(())
    }

    /// Root of the first `size` entries; `None` for 0 or more than there are.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<Hash> {
        if size == 0 || size > self.size {
            return None;
        }
        tlog::tree_hash(size, &Stored(&self.stored))
            .ok()
            .map(|hash| Hash(hash.0))
    }

    /// Root after some more leaves, without adding them; `None` for an empty tree.
    #[must_use]
    pub fn root_with(&self, leaves: impl IntoIterator<Item = Hash>) -> Option<Hash> {
        let mut more = Vec::new();
        let mut size = self.size;
        for leaf in leaves {
            let reader = Extended {
                base: &self.stored,
                more: &more,
            };
            let hashes =
                tlog::stored_hashes_for_record_hash(size, tlog::Hash(leaf.0), &reader).ok()?;
            more.extend(hashes);
            size += 1;
        }
        if size == 0 {
            return None;
        }
        let reader = Extended {
            base: &self.stored,
            more: &more,
        };
        tlog::tree_hash(size, &reader).ok().map(|hash| Hash(hash.0))
    }

    /// Inclusion path of `index` in the first `size` entries.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size {
            return None;
        }
        let proof = tlog::prove_record(size, index, &Stored(&self.stored)).ok()?;
        Some(proof.into_iter().map(|hash| Hash(hash.0)).collect())
    }

    /// Consistency proof from `old` to `new` entries; empty for `old == new`.
    #[must_use]
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old == 0 || old > new || new > self.size {
            return None;
        }
        if old == new {
            return Some(Vec::new());
        }
        let proof = tlog::prove_tree(new, old, &Stored(&self.stored)).ok()?;
        Some(proof.into_iter().map(|hash| Hash(hash.0)).collect())
    }

    /// Hashes `start..end` of level `level * 8` of the tree: the content of a C2SP tile.
    #[must_use]
    pub fn tile(&self, level: u8, start: u64, end: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for n in start..end {
            let index = tlog::stored_hash_index(level * 8, n);
            bytes.extend(self.stored.get(usize::try_from(index).ok()?)?.0);
        }
        Some(bytes)
    }
}

/// C2SP tile number: groups of three digits, all but the last with a leading `x`.
#[must_use]
pub fn tile_number(number: u64) -> String {
    let digits = format!("{number:03}");
    let padded = format!("{:0>width$}", digits, width = digits.len().div_ceil(3) * 3);
    let groups = padded.len() / 3;
    let group = |index: usize| {
        let text = &padded[index * 3..index * 3 + 3];
        if index + 1 < groups {
            format!("x{text}")
        } else {
            text.to_owned()
        }
    };
    (0..groups).map(group).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::sha256;
    use proptest::prelude::*;

    fn tree(size: u64) -> (LogTree, Vec<Hash>) {
        let leaves: Vec<Hash> = (0..size).map(|n| sha256(&n.to_be_bytes())).collect();
        let mut tree = LogTree::new();
        for leaf in &leaves {
            tree.push(*leaf).unwrap();
        }
        (tree, leaves)
    }

    proptest! {
        #[test]
        fn inclusion_and_consistency_hold_and_nothing_else(size in 1u64..300, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>()) {
            let (tree, leaves) = tree(size);
            let root = tree.root(size).unwrap();
            let index = at.index(size as usize) as u64;
            let path = tree.inclusion(index, size).unwrap();
            let leaf = leaves[index as usize];
            prop_assert_eq!(verify_inclusion(leaf, index, size, &path, root), Ok(()));
            let theirs = path.iter().map(|hash| tlog::Hash(hash.0)).collect();
            prop_assert!(tlog::check_record(&theirs, size, tlog::Hash(root.0), index, tlog::Hash(leaf.0)).is_ok());
            prop_assert!(verify_inclusion(leaf, index + 1, size, &path, root).is_err());
            if !path.is_empty() {
                let mut bad = path.clone();
                bad[flip.index(path.len())].0[0] ^= 1;
                prop_assert!(verify_inclusion(leaf, index, size, &bad, root).is_err());
                prop_assert!(verify_inclusion(leaf, index, size, &path[1..], root).is_err());
            }
            let mut longer = path;
            longer.push(leaf);
            prop_assert!(verify_inclusion(leaf, index, size, &longer, root).is_err());

            let old = old.index(size as usize) as u64 + 1;
            let old_root = tree.root(old).unwrap();
            let proof = tree.consistency(old, size).unwrap();
            prop_assert_eq!(verify_consistency(old, old_root, size, root, &proof), Ok(()));
            if old < size {
                prop_assert!(verify_consistency(old, sha256(b"fork"), size, root, &proof).is_err());
                prop_assert!(verify_consistency(old, old_root, size, sha256(b"fork"), &proof).is_err());
            }
        }
    }

    #[test]
    fn tile_numbers_are_spelled_as_c2sp_says() {
        assert_eq!(tile_number(0), "000");
        assert_eq!(tile_number(1_234_067), "x001/x234/067");
        assert_eq!(tile_number(67), "067");
    }
}
