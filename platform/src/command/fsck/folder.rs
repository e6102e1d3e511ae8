//! The served folder against the database: what the checkpoint needs is there, and every file is
//! what its name says.

use std::collections::BTreeSet;

use schemas::tlog::LogTree;
use schemas::tombstone::list_hash;

use super::{Findings, FsckError};
use crate::anchor::tiles::{self, Named, Tiles, WIDTH};
use crate::store::Store;

/// The folder, and what it must be.
pub(super) struct Folder<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) tiles: &'a Tiles,
    pub(super) tree: &'a LogTree,
    /// Write anew what is missing or wrong.
    pub(super) repair: bool,
}

/// Entries of one bundle, read once for all its widths.
#[derive(Default)]
struct Bundle {
    tile: Option<u64>,
    entries: Vec<Vec<u8>>,
}

impl Folder<'_> {
    /// Compares all files, those that a checkpoint of size `published` needs first.
    pub(super) async fn check(
        &self,
        published: u64,
        findings: &mut Findings,
    ) -> Result<(), FsckError> {
        let mut bundle = Bundle::default();
        let mut known = BTreeSet::new();
        for named in tiles::needed(published) {
            known.insert(named.name());
            self.compare(named, true, &mut bundle, findings).await?;
        }
        for name in self.tiles.names()? {
            if known.contains(&name) {
                continue;
            }
            if let Some(hash) = name.strip_prefix("tombstones/") {
                self.check_list(&name, hash, findings)?;
                continue;
            }
            match Named::parse(&name) {
                Some(Named::Checkpoint) => {}
                Some(named) => self.compare(named, false, &mut bundle, findings).await?,
                None => findings
                    .problems
                    .push(format!("{name} is no file of a log")),
            }
        }
        Ok(())
    }

    /// A tombstone list is what its name, a hash, says.
    fn check_list(&self, name: &str, hash: &str, findings: &mut Findings) -> Result<(), FsckError> {
        findings.files += 1;
        let found = self.tiles.read(name)?;
        if found.is_none_or(|bytes| list_hash(&bytes).to_string() != hash) {
            let problem = format!("{name} is not the tombstone list of this hash");
            findings.problems.push(problem);
        }
        Ok(())
    }

    async fn compare(
        &self,
        named: Named,
        needed: bool,
        bundle: &mut Bundle,
        findings: &mut Findings,
    ) -> Result<(), FsckError> {
        findings.files += 1;
        let name = named.name();
        let Some(expected) = self.expected(named, bundle).await? else {
            let problem = format!("{name} holds more than the log in the database has");
            findings.problems.push(problem);
            return Ok(());
        };
        let problem = match self.tiles.read(&name)? {
            Some(found) if found == expected => return Ok(()),
            Some(_) => format!("{name} is not what the log in the database says"),
            None if needed => format!("{name} is missing, and the published checkpoint needs it"),
            None => return Ok(()),
        };
        if self.repair {
            self.tiles.put(named, &expected)?;
            findings.repaired.push(name);
        } else {
            findings.problems.push(problem);
        }
        Ok(())
    }

    /// What a file must hold; `None` where the log does not reach so far.
    async fn expected(
        &self,
        named: Named,
        bundle: &mut Bundle,
    ) -> Result<Option<Vec<u8>>, FsckError> {
        let within = |level: u8, tile: u64, width: u64| {
            let end = tile
                .checked_mul(WIDTH)
                .and_then(|start| start.checked_add(width));
            end.is_some_and(|end| end <= self.tree.size() >> (u32::from(level) * 8))
        };
        Ok(match named {
            Named::Checkpoint => None,
            Named::Hashes(level, tile, width) if within(level, tile, width) => {
                tiles::hashes(self.tree, level, tile, width)
            }
            Named::Entries(tile, width) if within(0, tile, width) => {
                let entries = self.entries(tile, bundle).await?;
                let width = usize::try_from(width).unwrap_or(usize::MAX);
                let entries = entries.get(..width);
                entries.map(tiles::bundle).transpose()?
            }
            Named::Hashes(..) | Named::Entries(..) => None,
        })
    }

    /// Entries of a bundle, as many as there are.
    async fn entries<'b>(
        &self,
        tile: u64,
        bundle: &'b mut Bundle,
    ) -> Result<&'b [Vec<u8>], FsckError> {
        if bundle.tile != Some(tile) {
            let width = u32::try_from(WIDTH).unwrap_or(u32::MAX);
            bundle.entries = self.store.entries(tile * WIDTH, width).await?;
            bundle.tile = Some(tile);
        }
        Ok(&bundle.entries)
    }
}
