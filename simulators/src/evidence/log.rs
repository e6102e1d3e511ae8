//! The published log: what readers and witnesses fetch, as `platform::anchor::tiles` writes it.

use std::path::Path;

use anyhow::Context;
use platform::anchor::tiles::Tiles;
use schemas::hash::{Hash, sha256};
use schemas::log::{BatchHeader, Entry, entry_hash};
use schemas::note::{Checkpoint, Note};
use schemas::registry::Head;
use schemas::time::Instant;
use schemas::tlog::LogTree;

use super::bundle::{at, key, origin, policy, witnesses};

/// Batches in the log: some full tiles, and partial ones behind them.
const BATCHES: u64 = 10_000;
/// Events of a batch.
const EVENTS: u64 = 1_000;

/// What the log takes.
pub struct Published {
    /// Bytes of all files an event.
    pub bytes_per_event: f64,
    /// Entries.
    pub entries: u64,
}

/// Headers as a busy shard makes them: no numbers shorter than they would be.
fn header(seq: u64, log: Hash, prev: Hash) -> BatchHeader {
    let time = |micros: u64| {
        Instant::from_micros(
            at(0).as_micros() + i64::try_from(seq * 1_000_000 + micros).unwrap_or(0),
        )
    };
    let root = sha256(&seq.to_be_bytes());
    BatchHeader {
        log,
        shard: 3,
        seq,
        statements: 16,
        events: EVENTS,
        root,
        refused: Hash::ZERO,
        registry: Head {
            version: 1_234,
            count: 1_020,
            root: sha256(&root.0),
        },
        first: time(1),
        last: time(999_999),
        prev,
    }
}

/// Writes the log into a folder of its own and counts its bytes.
pub fn measure() -> anyhow::Result<Published> {
    let folder = tempfile::tempdir()?;
    let policy = policy()?;
    let mut entries = vec![Entry::Policy(policy.clone()).encode()];
    let mut prev = Hash::ZERO;
    for seq in 0..BATCHES {
        let entry = Entry::Header(header(seq, policy.log, prev)).encode();
        prev = entry_hash(&entry);
        entries.push(entry);
    }
    let mut tree = LogTree::new();
    for entry in &entries {
        tree.push(entry_hash(entry))?;
    }
    let size = tree.size();
    let tiles = Tiles::new(folder.path().to_owned());
    tiles.write_hashes(&tree, 0, size)?;
    tiles.write_entries(0, &entries)?;
    let root = tree.root(size).context("an empty log")?;
    let mut note = Note::sign(
        Checkpoint {
            origin: origin()?,
            size,
            root,
        },
        &key(1),
    );
    for (name, key) in witnesses() {
        let line = note.cosign(name, &key, at(20));
        note.lines.push(line);
    }
    tiles.publish(&note)?;
    let bytes = bytes_below(folder.path())?;
    Ok(Published {
        bytes_per_event: bytes as f64 / (BATCHES * EVENTS) as f64,
        entries: size,
    })
}

fn bytes_below(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            bytes_below(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}
