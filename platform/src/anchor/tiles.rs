//! Tiles as files (C2SP `tlog-tiles`): they can be rebuilt from the database at any time, and a
//! checkpoint is published only after the tiles that it needs are on disk.
//!
//! So the published checkpoint says what the folder holds: every tile up to its size. Whoever
//! writes tiles goes on from there, and not from what the database knows to be witnessed, since
//! the folder may be another process's, or be lost.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use schemas::hash::Hash;
use schemas::note::Note;
use schemas::tlog::{LogTree, tile_number};

use crate::files::{Disk, DurableFolder, Files};

/// Hashes of a tile, entries of a bundle.
pub const WIDTH: u64 = 256;
/// Levels: 256^6 entries are enough for any log.
const LEVELS: u8 = 6;
/// Name of the published checkpoint.
const CHECKPOINT: &str = "checkpoint";

/// The folder that is served as the log.
#[derive(Clone, Debug)]
pub struct Tiles(DurableFolder);

impl Tiles {
    /// Tiles below this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self::on(folder, Arc::new(Disk))
    }

    /// The same through other calls than the operating system's own.
    #[must_use]
    pub fn on(folder: PathBuf, files: Arc<dyn Files>) -> Self {
        Self(DurableFolder::new(folder, files))
    }

    /// The published checkpoint.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn checkpoint(&self) -> io::Result<Option<Vec<u8>>> {
        self.0.read(CHECKPOINT)
    }

    /// Size of the published checkpoint; 0 where there is none, or none that can be read as one.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn published(&self) -> io::Result<u64> {
        let bytes = self.checkpoint()?;
        let note = bytes.and_then(|bytes| Note::parse(&bytes).ok());
        Ok(note.map_or(0, |note| note.checkpoint.size))
    }

    /// A served file; the name has been checked by the caller.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.0.read(name)
    }

    /// A tombstone list beside the log.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn tombstones(&self, hash: &Hash) -> io::Result<Option<Vec<u8>>> {
        self.read(&format!("tombstones/{hash}"))
    }

    /// Keeps a tombstone list beside the log.
    ///
    /// # Errors
    /// If it cannot be written and synced.
    pub fn publish_tombstones(&self, hash: &Hash, list: &[u8]) -> io::Result<()> {
        self.0.replace(&format!("tombstones/{hash}"), list)
    }

    /// Publishes a checkpoint, unless a larger one is: readers never see the log shrink.
    ///
    /// # Errors
    /// If it cannot be written and synced.
    pub fn publish(&self, note: &Note) -> io::Result<()> {
        if self.published()? > note.checkpoint.size {
            return Ok(());
        }
        self.0.replace(CHECKPOINT, &note.encode())
    }

    /// Writes every tile of hashes that changed between two sizes.
    ///
    /// # Errors
    /// If a file cannot be written and synced.
    pub fn write_hashes(&self, tree: &LogTree, from: u64, size: u64) -> io::Result<()> {
        for level in 0..LEVELS {
            let shift = u32::from(level) * 8;
            let (old, new) = (from >> shift, size >> shift);
            for tile in old / WIDTH..new.div_ceil(WIDTH) {
                let width = WIDTH.min(new - tile * WIDTH);
                let bytes = hashes(tree, level, tile, width)
                    .ok_or_else(|| io::Error::other("no such tile"))?;
                self.0.replace(&hash_tile(level, tile, width), &bytes)?;
            }
        }
        Ok(())
    }

    /// Writes bundles of entries; `first` is a multiple of [`WIDTH`].
    ///
    /// # Errors
    /// If a file cannot be written and synced.
    pub fn write_entries(&self, first: u64, entries: &[Vec<u8>]) -> io::Result<()> {
        let width = usize::try_from(WIDTH).unwrap_or(usize::MAX);
        for (tile, chunk) in (first / WIDTH..).zip(entries.chunks(width)) {
            let name = entry_bundle(tile, chunk.len() as u64);
            self.0.replace(&name, &bundle(chunk)?)?;
        }
        Ok(())
    }

    /// Puts one tile in its place. Never the checkpoint.
    ///
    /// # Errors
    /// If it cannot be written and synced, or is the checkpoint.
    pub fn put(&self, named: Named, bytes: &[u8]) -> io::Result<()> {
        if named == Named::Checkpoint {
            return Err(io::Error::other("the checkpoint is published, not put"));
        }
        self.0.replace(&named.name(), bytes)
    }

    /// Names of all files of the folder.
    ///
    /// # Errors
    /// Of the operating system.
    pub fn names(&self) -> io::Result<Vec<String>> {
        self.0.names()
    }
}

/// Content of a tile of hashes; `None` where the tree has none such.
#[must_use]
pub fn hashes(tree: &LogTree, level: u8, tile: u64, width: u64) -> Option<Vec<u8>> {
    let start = tile.checked_mul(WIDTH)?;
    tree.tile(level, start, start.checked_add(width)?)
}

/// Content of a bundle of entries.
///
/// # Errors
/// An entry is longer than 65,535 bytes.
pub fn bundle(entries: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(io::Error::other)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    Ok(bytes)
}

/// What is in a file of the log, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The checkpoint.
    Checkpoint,
    /// Level, number, width.
    Hashes(u8, u64, u64),
    /// Number, width.
    Entries(u64, u64),
}

impl Named {
    /// From a name below the log's folder; only the one spelling of each.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == CHECKPOINT {
            return Some(Self::Checkpoint);
        }
        let (level, rest) = name.strip_prefix("tile/")?.split_once('/')?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (rest, WIDTH),
        };
        let digits = number.split('/').map(|part| part.trim_start_matches('x'));
        let number = digits.collect::<String>().parse().ok()?;
        let named = match level {
            "entries" => Self::Entries(number, width),
            level => Self::Hashes(level.parse().ok()?, number, width),
        };
        let known = !matches!(named, Self::Hashes(level, ..) if level >= LEVELS);
        (known && named.name() == name && (1..=WIDTH).contains(&width)).then_some(named)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Checkpoint => CHECKPOINT.to_owned(),
            Self::Hashes(level, tile, width) => hash_tile(level, tile, width),
            Self::Entries(tile, width) => entry_bundle(tile, width),
        }
    }
}

/// Every tile that a checkpoint of this size needs.
#[must_use]
pub fn needed(size: u64) -> Vec<Named> {
    let widths = |hashes: u64| {
        (0..hashes.div_ceil(WIDTH)).map(move |tile| (tile, WIDTH.min(hashes - tile * WIDTH)))
    };
    let level = |level: u8| {
        let tiles = widths(size >> (u32::from(level) * 8));
        tiles.map(move |(tile, width)| Named::Hashes(level, tile, width))
    };
    let entries = widths(size).map(|(tile, width)| Named::Entries(tile, width));
    (0..LEVELS).flat_map(level).chain(entries).collect()
}

fn hash_tile(level: u8, tile: u64, width: u64) -> String {
    format!("tile/{level}/{}{}", tile_number(tile), partial(width))
}

fn entry_bundle(tile: u64, width: u64) -> String {
    format!("tile/entries/{}{}", tile_number(tile), partial(width))
}

fn partial(width: u64) -> String {
    if width < WIDTH {
        format!(".p/{width}")
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for named in needed(70_000) {
            assert_eq!(Named::parse(&named.name()), Some(named));
        }
        for wrong in [
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/00/000",
            "tile/0/x000",
            "tile/0/0000",
            "tile/0/abc",
            "tile/entries/000.p/007",
            "tiles/0/000",
            "checkpoint/x",
        ] {
            assert_eq!(Named::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_checkpoint_needs_its_full_and_its_last_tiles() {
        let names: Vec<String> = needed(257).into_iter().map(Named::name).collect();
        let expected = [
            "tile/0/000",
            "tile/0/001.p/1",
            "tile/1/000.p/1",
            "tile/entries/000",
            "tile/entries/001.p/1",
        ];
        assert_eq!(names, expected);
    }
}
