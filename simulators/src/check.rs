//! The check of a finished run, from its files alone.
//!
//! It runs in a process of its own that has no database and no connection to anything: it reads a
//! [`RunFolder`], verifies every proof bundle under the policy file, and holds what is proven
//! against what the gateways made, event by event. What it finds is an [`Outcome`]: the numbers,
//! and a list of claims each of which holds or does not.

mod chain;
mod claim;
mod deliveries;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use credit::lateness::Evaluation;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::log::{EntryError, PolicyFile};
use schemas::note::{Note, NoteError, Witnessed};
use schemas::proof::{self, Bundle, Report};
use serde::{Deserialize, Serialize};

use crate::folder::{Decision, Expected, FolderError, Made, Played, RunFolder};
use crate::series::Stamps;

pub use chain::Chains;
pub use claim::Claim;
use deliveries::Book;

/// Why there is no outcome at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file of the folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The policy file is not one.
    #[error("the policy file does not count")]
    Policy(#[from] EntryError),
    /// The checkpoint does not count under the policy.
    #[error("the checkpoint does not count")]
    Checkpoint(#[from] NoteError),
}

/// What a check found. Serialised, it is what `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// True when every claim holds.
    pub ok: bool,
    /// What was played.
    pub played: Played,
    /// Events that gateways made, those hidden included.
    pub events_made: u64,
    /// Of these, deleted by their owner before they were sent.
    pub events_hidden: u64,
    /// Events that the platform says it stored.
    pub events_stored: u64,
    /// Events that are proven to be in the log.
    pub events_anchored: u64,
    /// Events whose proof holds, over all bundles.
    pub proofs_verified: u64,
    /// Events whose bundle is refused, at least one for each such bundle.
    pub proofs_failed: u64,
    /// Bundles read.
    pub bundles: u64,
    /// Bytes of all bundles.
    pub bundle_bytes: u64,
    /// Events made, not hidden, and not proven.
    pub lost: u64,
    /// Events proven at more than one place.
    pub doubled: u64,
    /// Events proven that no gateway made.
    pub invented: u64,
    /// Messages in the platform's quarantine.
    pub quarantined: u64,
    /// Gaps in the proven chains.
    pub gaps: u64,
    /// Points of each supplier.
    pub scores: BTreeMap<String, i64>,
    /// Suppliers with an offer.
    pub offers: Vec<Decision>,
    /// Suppliers without.
    pub declined: Vec<Decision>,
    /// Probability of late delivery, where orders were promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_delivery: Option<Evaluation>,
    /// What the stamps of a replayed series are like, as proven.
    pub stamps: Option<Stamps>,
    /// Log origin.
    pub log_origin: String,
    /// Log size at the newest checkpoint.
    pub log_size: u64,
    /// Its root.
    pub log_root: Hash,
    /// Anchored time of the newest checkpoint, RFC 3339.
    pub log_anchored: String,
    /// SHA-256 of the policy that everything was checked under.
    pub policy: Hash,
    /// What was claimed and whether it holds.
    pub claims: Vec<Claim>,
}

/// What the bundles of a run prove together.
#[derive(Debug, Default)]
struct Proven {
    verified: u64,
    failed: u64,
    bundles: u64,
    bytes: u64,
    /// Why bundles were refused, by file.
    refusals: Vec<String>,
    /// Every chain that evidence shows.
    chains: Chains,
    /// What the evidence of replayed deliveries tells.
    book: Book,
    /// Leaves that products show, and how many of each product's events.
    products: Vec<(String, Vec<Hash>)>,
}

/// Checks everything in a folder.
///
/// # Errors
/// [`CheckError`] when there is nothing to check against; a bundle that does not hold is no error
/// but a claim that fails.
pub fn check(folder: &RunFolder) -> Result<Outcome, CheckError> {
    let expected = folder.read_expected()?;
    let (entry, policy) = PolicyFile::parse(&folder.read(Path::new("policy.json"))?)?;
    let note = Note::parse(&folder.read(Path::new("checkpoint"))?)?;
    let witnessed = note.check_served(&policy)?;
    let trusted = folder.read(Path::new("policy.json"))?;
    let deliveries = matches!(expected.played, Played::Deliveries { .. });
    let mut proven = Proven::default();
    for evidence in &expected.evidence {
        if let Some(report) = proven.read(folder, &evidence.file, &entry)? {
            proven.chains.add(&report);
            if deliveries {
                let bundle = folder.read(&evidence.file)?;
                proven
                    .book
                    .add(&report, &evidence.organisation, &bundle, &trusted);
            }
        }
    }
    for product in &expected.products {
        if let Some(report) = proven.read(folder, &product.file, &entry)? {
            let leaves = report.events.iter().map(|event| event.leaf).collect();
            proven.products.push((product.item.clone(), leaves));
        }
    }
    Ok(outcome(expected, proven, &witnessed, policy.hash()))
}

impl Proven {
    fn read(
        &mut self,
        folder: &RunFolder,
        file: &Path,
        policy: &[u8],
    ) -> Result<Option<Report>, FolderError> {
        let bytes = folder.read(file)?;
        self.bundles += 1;
        self.bytes += bytes.len() as u64;
        match proof::verify(&bytes, Some(policy)) {
            Ok(report) => {
                self.verified += report.events.len() as u64;
                Ok(Some(report))
            }
            Err(refusal) => {
                let events = Bundle::parse(&bytes).map_or(0, |bundle| bundle.events.len());
                self.failed += events.max(1) as u64;
                self.refusals.push(format!("{}: {refusal}", file.display()));
                Ok(None)
            }
        }
    }
}

/// What was made against what is proven.
struct Balance {
    made: u64,
    hidden: BTreeSet<Hash>,
    lost: Vec<Hash>,
    doubled: Vec<Hash>,
    invented: u64,
    betrayed: u64,
    anchored: u64,
}

impl Balance {
    fn strike(gateways: &BTreeMap<DeviceAddress, Made>, chains: &Chains) -> Balance {
        let made: Vec<Hash> = gateways
            .values()
            .flat_map(|made| made.leaves.clone())
            .collect();
        let hidden: BTreeSet<Hash> = gateways
            .values()
            .flat_map(|made| made.hidden.clone())
            .collect();
        let known: BTreeSet<Hash> = made.iter().copied().collect();
        let places = chains.places();
        let sent = known.iter().filter(|leaf| !hidden.contains(*leaf));
        let twice = |(_, places): &(&Hash, &BTreeSet<chain::Place>)| places.len() > 1;
        Balance {
            made: made.len() as u64,
            lost: sent
                .filter(|leaf| !places.contains_key(*leaf))
                .copied()
                .collect(),
            doubled: places.iter().filter(twice).map(|(leaf, _)| *leaf).collect(),
            invented: places.keys().filter(|leaf| !known.contains(*leaf)).count() as u64,
            betrayed: hidden
                .iter()
                .filter(|leaf| places.contains_key(*leaf))
                .count() as u64,
            anchored: places.keys().filter(|leaf| known.contains(*leaf)).count() as u64,
            hidden,
        }
    }
}

fn outcome(mut expected: Expected, proven: Proven, witnessed: &Witnessed, policy: Hash) -> Outcome {
    let balance = Balance::strike(&expected.gateways, &proven.chains);
    let rows = proven.chains.rows();
    let stamps = match expected.played {
        Played::Series { .. } => Some(Stamps::count(rows.iter().map(|row| row.time))),
        _ => None,
    };
    let claims = claim::claims(&expected, &proven, &balance, witnessed, &rows);
    match &mut expected.played {
        Played::Story { .. } => {}
        Played::Series { rows, .. } => rows.clear(),
        Played::Deliveries { replayed, .. } => replayed.clear(),
    }
    let score = |one: &Decision| (one.supplier.clone(), one.score);
    let (offers, declined): (Vec<_>, Vec<_>) = expected
        .decisions
        .iter()
        .cloned()
        .partition(|one| one.offer_fen.is_some());
    Outcome {
        ok: claims.iter().all(|claim| claim.holds),
        events_made: balance.made,
        events_hidden: balance.hidden.len() as u64,
        events_stored: expected.platform.events,
        events_anchored: balance.anchored,
        proofs_verified: proven.verified,
        proofs_failed: proven.failed,
        bundles: proven.bundles,
        bundle_bytes: proven.bytes,
        lost: balance.lost.len() as u64,
        doubled: balance.doubled.len() as u64,
        invented: balance.invented,
        quarantined: expected.platform.quarantined,
        gaps: proven.chains.gaps().len() as u64,
        scores: expected.decisions.iter().map(score).collect(),
        offers,
        declined,
        late_delivery: expected.late_delivery,
        stamps,
        log_origin: witnessed.checkpoint.origin.to_string(),
        log_size: witnessed.checkpoint.size,
        log_root: witnessed.checkpoint.root,
        log_anchored: witnessed.anchored.to_rfc3339(),
        policy,
        played: expected.played,
        claims,
    }
}
