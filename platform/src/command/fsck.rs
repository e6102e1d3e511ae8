//! `platform log fsck`: rebuilds every root of the log from its entries, reads it as a monitor
//! would, and compares what is published: the checkpoint and every file of the served folder.
//!
//! `--repair` writes tiles anew from the database, where the database is whole and the published
//! checkpoint is of it. It never touches the checkpoint.

mod folder;

use schemas::audit::{Alarm, LogAudit, check_list};
use schemas::log::{Entry, entry_hash};
use schemas::merkle;
use schemas::note::{Checkpoint, Note};
use schemas::tlog::{LogTree, ProofError};

use crate::anchor::tiles::Tiles;
use crate::store::{Store, StoreError};

const PAGE: u32 = 1_000;

/// The log could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The tree could not be built.
    #[error("the tree could not be built")]
    Tree(#[from] ProofError),
    /// A file of the log could not be read.
    #[error("a file of the log could not be read")]
    Read(#[from] std::io::Error),
}

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Number of entries.
    pub size: u64,
    /// Committed roots that were rebuilt.
    pub roots: u64,
    /// Files of the served folder that were compared, the missing ones too.
    pub files: u64,
    /// Names of tiles that were written anew.
    pub repaired: Vec<String>,
    /// Everything that is wrong, in words.
    pub problems: Vec<String>,
}

/// Checks a log.
///
/// # Errors
/// [`FsckError`] if it cannot be read; what is wrong with it is in the findings.
pub async fn check(store: &dyn Store, tiles: &Tiles) -> Result<Findings, FsckError> {
    look(store, tiles, false).await
}

/// The same, and writes tiles anew that are missing or wrong. No platform may run on the folder.
///
/// # Errors
/// [`FsckError`] if it cannot be read, or a tile cannot be written.
pub async fn repair(store: &dyn Store, tiles: &Tiles) -> Result<Findings, FsckError> {
    look(store, tiles, true).await
}

async fn look(store: &dyn Store, tiles: &Tiles, repair: bool) -> Result<Findings, FsckError> {
    let mut findings = Findings::default();
    let tree = read_log(store, &mut findings).await?;
    check_kept(store, &tree, &mut findings).await?;
    let published = check_published(tiles, &tree, &mut findings)?;
    let whole = findings.problems.is_empty();
    folder::Folder {
        store,
        tiles,
        tree: &tree,
        repair: repair && whole,
    }
    .check(published, &mut findings)
    .await?;
    if repair && !whole {
        let why = "nothing was repaired: database and checkpoint must be right for that";
        findings.problems.push(why.into());
    }
    Ok(findings)
}

/// Reads all entries; the tree over them.
async fn read_log(store: &dyn Store, findings: &mut Findings) -> Result<LogTree, FsckError> {
    let mut tree = LogTree::new();
    let mut audit = LogAudit::new();
    loop {
        let entries = store.entries(tree.size(), PAGE).await?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            tree.push(entry_hash(&entry))?;
            findings.note(audit.read(&entry));
            check_batch(store, &entry, findings).await?;
            if let Some(root) = store.root_at(tree.size()).await? {
                findings.roots += 1;
                if tree.root(tree.size()) != Some(root) {
                    findings
                        .problems
                        .push(format!("the root at size {} is another", tree.size()));
                }
            }
        }
    }
    findings.size = tree.size();
    let head = store.log_head().await?.map_or(0, |(size, _)| size);
    if head != tree.size() {
        let size = tree.size();
        findings.problems.push(format!(
            "{size} entries, but the newest head is of size {head}"
        ));
    }
    check_registry(store, &audit, findings).await?;
    Ok(tree)
}

/// The newest witnessed checkpoint in the database is one of this log.
async fn check_kept(
    store: &dyn Store,
    tree: &LogTree,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let Some(kept) = store.newest_checkpoint().await? else {
        return Ok(());
    };
    let note = Note::parse(&kept.note).map(|note| note.checkpoint);
    let ours = |note: &Checkpoint| note.size == kept.size && is_of(tree, note);
    if !note.is_ok_and(|note| ours(&note)) {
        let size = kept.size;
        findings.problems.push(format!(
            "the checkpoint of size {size} in the database is not of this log"
        ));
    }
    Ok(())
}

/// The published checkpoint is one of this log; its size, 0 where there is none to go by.
fn check_published(
    tiles: &Tiles,
    tree: &LogTree,
    findings: &mut Findings,
) -> Result<u64, FsckError> {
    let Some(bytes) = tiles.checkpoint()? else {
        return Ok(0);
    };
    let problem = match Note::parse(&bytes).map(|note| note.checkpoint) {
        Ok(note) if is_of(tree, &note) => return Ok(note.size),
        Ok(note) if note.size > tree.size() => format!(
            "the published checkpoint is of size {}, the log in the database ends at {}: was the \
             database put back from a backup?",
            note.size,
            tree.size()
        ),
        Ok(note) => format!(
            "the published checkpoint is not of this log: it has another root at size {}",
            note.size
        ),
        Err(error) => format!("the published checkpoint cannot be read: {error}"),
    };
    findings.problems.push(problem);
    Ok(0)
}

fn is_of(tree: &LogTree, checkpoint: &Checkpoint) -> bool {
    tree.root(checkpoint.size) == Some(checkpoint.root)
}

/// The statements kept for a batch lead to its header's root.
async fn check_batch(
    store: &dyn Store,
    entry: &[u8],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let Ok(Entry::Header(header)) = Entry::parse(entry) else {
        return Ok(());
    };
    let batch = store.batch(header.shard, header.seq).await?;
    let root = batch.and_then(|batch| merkle::root(&batch.statements));
    if root != Some(header.root) {
        let (shard, seq) = (header.shard, header.seq);
        findings.problems.push(format!(
            "batch {seq} of shard {shard} is not that of its header"
        ));
    }
    Ok(())
}

async fn check_registry(
    store: &dyn Store,
    audit: &LogAudit,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut before = Vec::new();
    for head in audit.heads() {
        let list = store.registry_list(head.version).await?;
        findings.note(check_list(&head, &list, &before));
        before = list;
    }
    Ok(())
}

impl Findings {
    fn note(&mut self, outcome: Result<(), Alarm>) {
        if let Err(alarm) = outcome {
            self.problems.push(alarm.to_string());
        }
    }
}
