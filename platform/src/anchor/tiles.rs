//! Tiles as files (C2SP `tlog-tiles`): they can be rebuilt from the database at any time, and a
//! checkpoint is published only after the tiles that it needs are on disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use schemas::tlog::{LogTree, tile_number};

/// Hashes of a tile, entries of a bundle.
pub const WIDTH: u64 = 256;
/// Levels: 256^6 entries are enough for any log.
const LEVELS: u8 = 6;

/// The folder that is served as the log.
#[derive(Clone, Debug)]
pub struct Tiles(PathBuf);

impl Tiles {
    /// Tiles below this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The published checkpoint.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn checkpoint(&self) -> io::Result<Option<Vec<u8>>> {
        self.read("checkpoint")
    }

    /// A served file; the name has been checked by the caller.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Publishes a checkpoint.
    ///
    /// # Errors
    /// If it cannot be written and synced.
    pub fn publish(&self, note: &[u8]) -> io::Result<()> {
        write_synced(&self.0.join("checkpoint"), note)
    }

    /// Writes every tile that changed between two sizes; `entries` are those from `first` on.
    ///
    /// # Errors
    /// If a file cannot be written and synced.
    pub fn write(
        &self,
        tree: &LogTree,
        from: u64,
        size: u64,
        first: u64,
        entries: &[Vec<u8>],
    ) -> io::Result<()> {
        for level in 0..LEVELS {
            let shift = u32::from(level) * 8;
            let (old, new) = (from >> shift, size >> shift);
            if new == 0 {
                break;
            }
            self.write_level(tree, level, old / WIDTH, new)?;
        }
        self.write_entries(first, size, entries)
    }

    fn write_level(
        &self,
        tree: &LogTree,
        level: u8,
        first_tile: u64,
        hashes: u64,
    ) -> io::Result<()> {
        for tile in first_tile..hashes.div_ceil(WIDTH) {
            let (start, end) = (tile * WIDTH, ((tile + 1) * WIDTH).min(hashes));
            let bytes = tree
                .tile(level, start, end)
                .ok_or_else(|| io::Error::other("no such tile"))?;
            write_synced(&self.path(&level.to_string(), tile, end - start), &bytes)?;
        }
        Ok(())
    }

    fn write_entries(&self, first: u64, size: u64, entries: &[Vec<u8>]) -> io::Result<()> {
        let width = usize::try_from(WIDTH).unwrap_or(usize::MAX);
        for (tile, chunk) in (first / WIDTH..size.div_ceil(WIDTH)).zip(entries.chunks(width)) {
            let mut bytes = Vec::new();
            for entry in chunk {
                let length = u16::try_from(entry.len()).map_err(io::Error::other)?;
                bytes.extend(length.to_be_bytes());
                bytes.extend(entry);
            }
            write_synced(&self.path("entries", tile, chunk.len() as u64), &bytes)?;
        }
        Ok(())
    }

    fn path(&self, level: &str, tile: u64, width: u64) -> PathBuf {
        let name = tile_number(tile);
        let partial = if width < WIDTH {
            format!(".p/{width}")
        } else {
            String::new()
        };
        self.0.join(format!("tile/{level}/{name}{partial}"))
    }
}

/// Writes beside, syncs, renames: a reader sees the old file or the whole new one.
fn write_synced(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().ok_or_else(|| io::Error::other("no folder"))?;
    fs::create_dir_all(folder)?;
    let beside = file.with_extension("new");
    let mut out = File::create(&beside)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&beside, file)?;
    File::open(folder)?.sync_all()
}
