//! Trees and proofs of `schemas::merkle` beside what SHA-256 allows and beside other libraries.

use anyhow::{Context, ensure};
use ct_merkle::digest::{self, FixedOutput, HashMarker, Output, OutputSizeUser, Update};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use rs_merkle::algorithms::Sha256;
use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::merkle::{Tree, node_hash, verify};

use super::{TURNS, median, seconds};

/// Proofs of one turn: each of another leaf.
const PROOFS: usize = 4_096;

/// How near building a tree comes to hashing its blocks.
pub struct Built {
    /// Time of the blocks alone as a share of the time of the tree.
    pub ratio: f64,
    /// Nanoseconds of the tree a leaf.
    pub ns_per_leaf: f64,
}

/// How many times as long others take for a proof.
pub struct Proofs {
    /// `rs_merkle`.
    pub rs_merkle: f64,
    /// `ct-merkle`.
    pub ct_merkle: f64,
}

fn leaves(power: u32) -> Vec<Hash> {
    (0..1_u64 << power)
        .map(|n| sha256(&n.to_be_bytes()))
        .collect()
}

/// The padded messages of all inner nodes one after the other: what the tree must compress, and
/// nothing else. Hashing them in one go is the limit, since whole blocks are not copied.
fn blocks(leaves: &[Hash]) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(leaves.len() * 128);
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let pairs = level.chunks_exact(2);
        level = pairs
            .map(|pair| {
                blocks.push(1);
                blocks.extend(pair[0].0);
                blocks.extend(pair[1].0);
                blocks.push(0x80);
                blocks.extend([0; 60]);
                blocks.extend((65 * 8_u16).to_be_bytes());
                node_hash(&pair[0], &pair[1])
            })
            .collect();
    }
    blocks
}

/// Builds trees of 2^`power` leaves.
pub fn build_ratio(power: u32) -> anyhow::Result<Built> {
    let leaves = leaves(power);
    let blocks = blocks(&leaves);
    ensure!(
        blocks.len() == (leaves.len() - 1) * 128,
        "two blocks a node"
    );
    let (mut ratios, mut times) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let limit = seconds(|| sha256(&blocks));
        let tree = seconds(|| Tree::new(&leaves).map(|tree| tree.root()));
        ratios.push(limit / tree);
        times.push(tree * 1e9 / leaves.len() as f64);
    }
    Ok(Built {
        ratio: median(ratios),
        ns_per_leaf: median(times),
    })
}

/// SHA-256 for `ct-merkle`, which wants a newer trait than our hasher has. Only trees are built
/// with it; making a proof hashes nothing.
#[derive(Default)]
struct Hasher(Vec<u8>);

impl HashMarker for Hasher {}

impl OutputSizeUser for Hasher {
    type OutputSize = digest::consts::U32;
}

impl Update for Hasher {
    fn update(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl FixedOutput for Hasher {
    fn finalize_into(self, out: &mut Output<Self>) {
        let out: &mut [u8] = out.as_mut();
        out.copy_from_slice(&sha256(&self.0).0);
    }
}

/// Makes proofs from trees of 2^`power` leaves.
pub fn proof_ratios(power: u32) -> anyhow::Result<Proofs> {
    let count = 1_usize << power;
    let words: Vec<[u8; 8]> = (0..count as u64).map(u64::to_be_bytes).collect();
    let leaves: Vec<Hash> = words
        .iter()
        .map(|word| sha256_parts(&[&[0], word]))
        .collect();
    let ours = Tree::new(&leaves).context("a tree without leaves")?;
    let raw: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf.0).collect();
    let rs_merkle = rs_merkle::MerkleTree::<Sha256>::from_leaves(&raw);
    let mut ct_merkle = MemoryBackedTree::<Hasher, [u8; 8]>::new();
    words.into_iter().for_each(|word| ct_merkle.push(word));
    let root = ct_merkle.root();
    let root: &[u8] = root.as_bytes().as_ref();
    ensure!(root == ours.root().0, "ct-merkle has another root");
    // A step that meets every leaf, and never one beside the last.
    let places: Vec<usize> = (0..PROOFS).map(|n| n * 6_151 % count).collect();
    for &place in &places {
        let path = ours.path(place).unwrap_or_default();
        verify(
            leaves[place],
            place as u64,
            count as u64,
            &path,
            ours.root(),
        )?;
        let theirs = ct_merkle.prove_inclusion(place);
        let path: Vec<u8> = path.iter().flat_map(|hash| hash.0).collect();
        ensure!(path == theirs.as_bytes(), "ct-merkle has another proof");
    }
    let (mut against_rs, mut against_ct) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let mine = seconds(|| {
            places
                .iter()
                .map(|&n| ours.path(n).map_or(0, |p| p.len()))
                .sum::<usize>()
        });
        let rs = seconds(|| {
            places
                .iter()
                .map(|&n| rs_merkle.proof(&[n]).proof_hashes().len())
                .sum::<usize>()
        });
        let ct = seconds(|| {
            places
                .iter()
                .map(|&n| ct_merkle.prove_inclusion(n).as_bytes().len())
                .sum::<usize>()
        });
        against_rs.push(rs / mine);
        against_ct.push(ct / mine);
    }
    Ok(Proofs {
        rs_merkle: median(against_rs),
        ct_merkle: median(against_ct),
    })
}
