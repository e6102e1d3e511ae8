//! A leaf is proven where it is, in a tree of the size that was signed, and nowhere else.

use proptest::prelude::*;
use schemas::hash::{Hash, sha256};
use schemas::merkle::{self, Tree, node_hash};
use schemas::proof::{Bundle, Class};
use schemas::tlog::{LogTree, verify_inclusion};

use super::sample::samples;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| sha256(&n.to_be_bytes())).collect()
}

proptest! {
    #[test]
    fn foreign_leaf_inner_node_wrong_index_and_wrong_count_are_refused(
        count in 1..200_u64, at in any::<prop::sample::Index>(), other in 0..400_u64, bit in 0..256_usize,
    ) {
        let index = at.index(count as usize) as u64;
        let leaves = leaves(count);
        let tree = Tree::new(&leaves).unwrap();
        let (leaf, root) = (leaves[index as usize], tree.root());
        let path = tree.path(index as usize).unwrap();
        let verify = |leaf, index, count, path: &[Hash]| merkle::verify(leaf, index, count, path, root);
        prop_assert_eq!(verify(leaf, index, count, &path), Ok(()));
        let mut foreign = leaf;
        foreign.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify(foreign, index, count, &path).is_err());
        if other != index {
            prop_assert!(verify(leaf, other, count, &path).is_err());
        }
        if other != count {
            prop_assert!(verify(leaf, index, other, &path).is_err());
        }
        for (place, sibling) in path.iter().enumerate() {
            let mut damaged = path.clone();
            damaged[place].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify(leaf, index, count, &damaged).is_err());
            prop_assert!(verify(*sibling, index, count, &path).is_err());
        }
    }

    /// The parent of two leaves shown as a leaf, with the rest of their path.
    #[test]
    fn inner_node_is_no_leaf(count in 2..200_u64, at in any::<prop::sample::Index>()) {
        let index = at.index(count as usize);
        let leaves = leaves(count);
        let tree = Tree::new(&leaves).unwrap();
        let path = tree.path(index).unwrap();
        let node = index + count as usize - 1;
        let parent = if node % 2 == 1 {
            node_hash(&leaves[index], &path[0])
        } else {
            node_hash(&path[0], &leaves[index])
        };
        for claimed in 0..count {
            prop_assert!(merkle::verify(parent, claimed, count, &path[1..], tree.root()).is_err());
        }
    }

    #[test]
    fn log_proofs_hold_for_one_entry_at_one_place_of_one_size(
        size in 1..130_u64, at in any::<prop::sample::Index>(), other in 0..260_u64,
    ) {
        let index = at.index(size as usize) as u64;
        let leaves = leaves(size);
        let mut tree = LogTree::new();
        for leaf in &leaves {
            tree.push(*leaf).unwrap();
        }
        let root = tree.root(size).unwrap();
        let path = tree.inclusion(index, size).unwrap();
        let leaf = leaves[index as usize];
        prop_assert!(verify_inclusion(leaf, index, size, &path, root).is_ok());
        prop_assert!(verify_inclusion(sha256(b"foreign"), index, size, &path, root).is_err());
        if other != index {
            prop_assert!(verify_inclusion(leaf, other, size, &path, root).is_err());
        }
        let longer = [&path[..], &[root]].concat();
        prop_assert!(verify_inclusion(leaf, index, size, &longer, root).is_err());
        if let Some((_, shorter)) = path.split_last() {
            prop_assert!(verify_inclusion(leaf, index, size, shorter, root).is_err());
        }
    }
}

/// Every number of a bundle that says where something stands.
#[tokio::test]
async fn wrong_index_in_any_table_is_refused() {
    let samples = samples().await;
    let good = Bundle::parse(&samples.bundles["whole-chain"]).unwrap();
    let refused = |bundle: &Bundle| {
        let outcome = schemas::proof::verify(&bundle.to_json().unwrap(), Some(&samples.policy));
        outcome.unwrap_err().class
    };
    for step in [1, 2, 1 << 40] {
        for row in 0..good.headers.len() {
            let mut bundle = good.clone();
            bundle.headers[row].index += step;
            assert!([Class::Format, Class::LogPath].contains(&refused(&bundle)));
        }
        for row in 0..good.keys.len() {
            let mut bundle = good.clone();
            bundle.keys[row].index += step;
            assert!([Class::Format, Class::RegistryPath].contains(&refused(&bundle)));
        }
        for row in 0..good.statements.len() {
            let mut bundle = good.clone();
            bundle.statements[row].index += step;
            assert!([Class::Format, Class::BatchPath].contains(&refused(&bundle)));
        }
        for row in 0..good.events.len() {
            let mut bundle = good.clone();
            bundle.events[row].index += step;
            assert!([Class::Format, Class::EventPath].contains(&refused(&bundle)));
        }
    }
}

/// An event of one statement under another, a statement of one batch under another.
#[tokio::test]
async fn foreign_leaf_in_a_bundle_is_refused() {
    let samples = samples().await;
    let good = Bundle::parse(&samples.bundles["product"]).unwrap();
    let other = Bundle::parse(&samples.bundles["single"]).unwrap();
    let class = |bundle: &Bundle| {
        let outcome = schemas::proof::verify(&bundle.to_json().unwrap(), Some(&samples.policy));
        outcome.unwrap_err().class
    };
    let last = good.events.len() - 1;
    let mut bundle = good.clone();
    bundle.events[last]
        .members
        .clone_from(&other.events[0].members);
    assert_eq!(class(&bundle), Class::EventPath);
    let mut bundle = good.clone();
    bundle.events[last].source = Some(0);
    assert_eq!(class(&bundle), Class::EventPath);
    let mut bundle = good.clone();
    bundle.statements[1].statement = good.statements[2].statement.clone();
    assert!([Class::Statement, Class::BatchPath].contains(&class(&bundle)));
}
