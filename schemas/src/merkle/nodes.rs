//! Inner nodes, hashed from ready-made blocks.
//!
//! A node is SHA-256 of 65 bytes: two blocks of which the second is all padding but for one byte.
//! What a general hasher costs beside these two blocks (buffering, padding, finishing) is a third of
//! the time, so the blocks are laid out here and only compressed there. Several nodes go through
//! each of three steps together: laid out, compressed, written. One at a time, each step waits for
//! the one before: a block that was just written byte by byte cannot be forwarded to the wide loads
//! of the compression, nor what that stored wide to the single words of the result.

use sha2::digest::crypto_common;
use sha2::{Sha256, compress256};

use crate::hash::Hash;

/// 64 bytes.
type Block = crypto_common::Block<Sha256>;

/// What SHA-256 carries from block to block.
type State = [u32; 8];

/// Initial state of SHA-256 (FIPS 180-4 section 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// Length of a node's message in bits: what its second block ends with.
const BITS: u16 = 65 * 8;
/// Nodes that are laid out together: 2 KiB of blocks, which stay in the first cache.
const TOGETHER: usize = 16;

/// The two blocks of a node's message: 0x01 || left || right, padded.
#[derive(Clone, Copy)]
struct Message([Block; 2]);

impl Message {
    fn empty() -> Self {
        let mut first = Block::default();
        first[0] = 1;
        let mut second = Block::default();
        second[1] = 0x80;
        second[62..].copy_from_slice(&BITS.to_be_bytes());
        Self([first, second])
    }

    fn set(&mut self, left: &Hash, right: &Hash) {
        let [first, second] = &mut self.0;
        first[1..33].copy_from_slice(&left.0);
        first[33..].copy_from_slice(&right.0[..31]);
        second[0] = right.0[31];
    }

    fn compressed(&self) -> State {
        let mut state = INITIAL;
        compress256(&mut state, &self.0);
        state
    }
}

fn written(state: &State) -> Hash {
    let mut hash = Hash::ZERO;
    for (bytes, word) in hash.0.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

/// SHA-256(0x01 || left || right).
pub(super) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut message = Message::empty();
    message.set(left, right);
    written(&message.compressed())
}

/// Fills in every inner node of a complete binary tree in level order: node i is over 2i + 1 and
/// 2i + 2, the leaves stand behind the inner nodes.
pub(super) fn fill(nodes: &mut [Hash]) {
    let mut messages = [Message::empty(); TOGETHER];
    let mut states = [INITIAL; TOGETHER];
    let mut end = nodes.len() / 2;
    while end > 0 {
        // Backwards, and never so far that a child is among the parents of the same round.
        let start = end.saturating_sub(TOGETHER).max(end / 2);
        let (parents, children) = nodes.split_at_mut(2 * start + 1);
        let parents = &mut parents[start..end];
        for (message, pair) in messages
            .iter_mut()
            .zip(children.chunks_exact(2))
            .take(parents.len())
        {
            message.set(&pair[0], &pair[1]);
        }
        for (state, message) in states.iter_mut().zip(&messages).take(parents.len()) {
            *state = message.compressed();
        }
        for (parent, state) in parents.iter_mut().zip(&states) {
            *parent = written(state);
        }
        end = start;
    }
}
