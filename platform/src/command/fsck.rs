//! `platform log fsck`: rebuilds every root of the log from its entries, reads it as a monitor
//! would, and compares what is published.

use schemas::audit::{Alarm, LogAudit, check_list};
use schemas::log::{Entry, entry_hash};
use schemas::merkle;
use schemas::note::Note;
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
    /// Everything that is wrong.
    pub problems: Vec<String>,
}

/// Checks a log.
///
/// # Errors
/// [`FsckError`] if it cannot be read; what is wrong with it is in the findings.
pub async fn check(store: &dyn Store, tiles: &Tiles) -> Result<Findings, FsckError> {
    let mut findings = Findings::default();
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
            check_batch(store, &entry, &mut findings).await?;
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
    check_registry(store, &audit, &mut findings).await?;
    if let Some(bytes) = tiles.checkpoint()? {
        match Note::parse(&bytes) {
            Ok(note) if tree.root(note.checkpoint.size) == Some(note.checkpoint.root) => {}
            _ => findings
                .problems
                .push("the published checkpoint is not of this log".into()),
        }
    }
    Ok(findings)
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
