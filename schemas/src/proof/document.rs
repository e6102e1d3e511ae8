//! The proof that a document's hash is in the log (`document-proof.md`): for reports, models, scripts
//! and tombstone lists. Made by the platform, checked by `platform verify` and in the browser.

use serde::{Deserialize, Serialize};

use super::check::{class, included, require};
use super::{Bytes, Class, Path, Refusal};
use crate::cbor::UINT_MAX;
use crate::hash::{Hash, sha256};
use crate::log::{Entry, Policy};
use crate::note::{Note, Witnessed};
use crate::tlog::PATH_MAX;

/// Longest file in bytes.
pub const DOCUMENT_PROOF_MAX: usize = 131_072;
/// Value of [`DocumentProof::tracebond`].
pub const DOCUMENT_PROOF: &str = "document-proof/v1";

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentProof {
    /// [`DOCUMENT_PROOF`].
    pub tracebond: String,
    /// Log entry of type 3 or 4.
    pub entry: Bytes,
    /// Its place in the log.
    pub index: u64,
    /// Its inclusion path at the checkpoint.
    pub path: Path,
    /// A signed note with lines of the policy's keys only.
    pub checkpoint: Bytes,
    /// Log entry of type 2.
    pub policy: Bytes,
}

/// What a document proof proves.
#[derive(Clone, Debug)]
pub struct DocumentReport {
    /// The document's hash.
    pub hash: Hash,
    /// Its kind; `None` for a tombstone list.
    pub kind: Option<String>,
    /// The log's own claim of when it was logged.
    pub time: crate::time::Instant,
    /// Place in the log.
    pub index: u64,
    /// The checkpoint, its witnesses and the anchored time.
    pub head: Witnessed,
    /// Whom it rests on.
    pub policy: Policy,
    /// SHA-256 of the policy entry.
    pub policy_hash: Hash,
    /// True if the reader gave a policy that it trusts, and it is this one.
    pub policy_compared: bool,
}

/// True where a file says of itself that it is a document proof; what else it is, is not looked at.
#[must_use]
pub fn is_document_proof(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Named {
        tracebond: String,
    }
    let named = serde_json::from_slice::<Named>(
        bytes
            .get(..DOCUMENT_PROOF_MAX.min(bytes.len()))
            .unwrap_or_default(),
    );
    named.is_ok_and(|named| named.tracebond == DOCUMENT_PROOF)
}

/// Checks a document proof; `trusted` is a policy entry that the reader trusts.
///
/// # Errors
/// [`Refusal`] with the class of the first check that fails.
pub fn verify_document(bytes: &[u8], trusted: Option<&[u8]>) -> Result<DocumentReport, Refusal> {
    let proof = parse(bytes)?;
    let (hash, kind, time) = match Entry::parse(&proof.entry.0).map_err(class(Class::Format))? {
        Entry::Document { kind, hash, time } => (hash, Some(kind), time),
        Entry::Tombstones { hash, time, .. } => (hash, None, time),
        _ => return Err(Refusal::new(Class::Format, "the entry is of no document")),
    };
    let policy = policy(&proof.policy.0, trusted)?;
    let note = Note::parse(&proof.checkpoint.0).map_err(class(Class::Checkpoint))?;
    let head = (note.check_bundled(&policy)).map_err(class(Class::Checkpoint))?;
    let path = proof.path.hashes();
    included(&proof.entry.0, proof.index, &path, &head.checkpoint)?;
    Ok(DocumentReport {
        hash,
        kind,
        time,
        index: proof.index,
        head,
        policy_hash: sha256(&proof.policy.0),
        policy,
        policy_compared: trusted.is_some(),
    })
}

fn parse(bytes: &[u8]) -> Result<DocumentProof, Refusal> {
    let rule = |holds, detail| require(holds, Class::Format, detail);
    let fits = bytes.len() <= DOCUMENT_PROOF_MAX;
    rule(fits, "a document proof has at most 131072 bytes")?;
    let proof: DocumentProof = serde_json::from_slice(bytes).map_err(class(Class::Format))?;
    let named = proof.tracebond == DOCUMENT_PROOF;
    rule(named, "not a document-proof/v1")?;
    rule(proof.index <= UINT_MAX, "an index above 2^53 - 1")?;
    let short = proof.path.0.len() <= PATH_MAX;
    rule(short, "a path has at most 64 hashes")?;
    Ok(proof)
}

fn policy(entry: &[u8], trusted: Option<&[u8]>) -> Result<Policy, Refusal> {
    let policy = Policy::parse(entry).map_err(class(Class::Policy))?;
    let known = trusted.is_none_or(|trusted| trusted == entry);
    require(known, Class::Policy, "another policy than the trusted one")?;
    Ok(policy)
}
