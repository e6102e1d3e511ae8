//! Trees: an inner node is no leaf, a path has one length, an index is below its count.

use schemas::hash::Hash;
use schemas::log::entry_hash;
use schemas::merkle::{self, Tree, node_hash};
use schemas::proof::{self, Class, EventRow};
use schemas::statement::WireEvent;
use schemas::tlog::{LogTree, verify_consistency, verify_inclusion};

use super::made;

/// A statement's inner node shown as a wholly withheld event: one hash for two events.
#[test]
fn inner_node_of_a_statement_is_no_event() {
    let made = made::made();
    let leaves: Vec<Hash> = made.message.events.iter().map(WireEvent::leaf).collect();
    let tree = Tree::new(&leaves).unwrap();
    // Of three leaves the first stands beside the node over the other two.
    let inner = node_hash(&leaves[1], &leaves[2]);
    assert_eq!(
        node_hash(&inner, &leaves[0]),
        tree.root(),
        "it is a node of the tree"
    );
    for index in 0..=4 {
        for path in [vec![leaves[0]], vec![], vec![leaves[0], leaves[0]]] {
            let mut bundle = made.bundle.clone();
            bundle.events = vec![EventRow {
                statement: 0,
                index,
                path: path.into(),
                leaf: Some(inner.into()),
                source: None,
                members: None,
            }];
            let refusal = proof::verify(&bundle.to_json().unwrap(), None).unwrap_err();
            assert_eq!(refusal.class, Class::EventPath, "{refusal}");
        }
    }
}

#[test]
fn inner_node_of_a_batch_is_no_statement_and_of_the_log_no_entry() {
    let leaves: Vec<Hash> = (0..7_u8).map(|n| entry_hash(&[n])).collect();
    let batch = Tree::new(&leaves).unwrap();
    let mut log = LogTree::new();
    leaves.iter().for_each(|leaf| log.push(*leaf).unwrap());
    let root = log.root(7).unwrap();
    for first in 0..7 {
        for second in 0..7 {
            let inner = node_hash(&leaves[first], &leaves[second]);
            for index in 0..8 {
                let paths = (0..7).map(|of| {
                    (
                        batch.path(of).unwrap(),
                        log.inclusion(of as u64, 7).unwrap(),
                    )
                });
                for (in_batch, in_log) in paths {
                    for cut in 0..=in_batch.len() {
                        let path = &in_batch[cut..];
                        assert!(merkle::verify(inner, index, 7, path, batch.root()).is_err());
                    }
                    for cut in 0..=in_log.len() {
                        let proof = verify_inclusion(inner, index, 7, &in_log[cut..], root);
                        // The last entry of seven has the node of entries 4 and 5 as its sibling,
                        // so a node can only stand where the signed size says that a leaf does.
                        assert!(proof.is_err(), "{first} and {second} as entry {index}");
                    }
                }
            }
        }
    }
}

#[test]
fn counts_and_indices_out_of_range_are_refused_without_overflow() {
    let leaf = Hash([1; 32]);
    for huge in [u64::MAX, u64::MAX - 1, 1 << 63, 1 << 53, 1 << 32, 1 << 31] {
        for path in [&[][..], &[leaf; 31], &[leaf; 64], &[leaf; 65]] {
            assert!(merkle::verify(leaf, 0, huge, path, leaf).is_err());
            assert!(merkle::verify(leaf, huge, huge, path, leaf).is_err());
            assert!(merkle::verify(leaf, huge, 3, path, leaf).is_err());
            assert!(verify_inclusion(leaf, huge, huge, path, leaf).is_err());
            assert!(verify_inclusion(leaf, huge - 1, huge, path, Hash::ZERO).is_err());
            assert!(verify_inclusion(leaf, huge, 3, path, leaf).is_err());
            assert!(verify_consistency(1, leaf, huge, Hash::ZERO, path).is_err());
            assert!(verify_consistency(huge - 1, leaf, huge, Hash::ZERO, path).is_err());
            assert!(verify_consistency(huge, leaf, 1, leaf, path).is_err());
        }
    }
    assert!(merkle::verify(leaf, 0, 0, &[], leaf).is_err());
    assert!(verify_inclusion(leaf, 0, 0, &[], leaf).is_err());
    assert!(verify_consistency(0, leaf, 0, leaf, &[]).is_err());
    assert!(verify_consistency(0, leaf, 5, leaf, &[]).is_err());
}
