//! The policies of a log, one after the other, as they are served: who trusts one of them follows
//! the hand-overs to the newest (`proof-bundle-v2.md` section 2).

use serde::{Deserialize, Serialize};

use super::{EntryError, Policy, entry_hash};
use crate::hash::sha256;
use crate::note::{Note, NoteError};
use crate::proof::Path;
use crate::tlog::{self, ProofError};

/// Most policies of a chain that a reader follows.
pub const CHAIN_MAX: usize = 1_024;

/// A chain that does not lead from the trusted policy to a newer one.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum ChainError {
    /// Not the JSON of a chain, or too long.
    #[error("not a chain of policies")]
    Form,
    /// The policy that is trusted is not in it.
    #[error("the trusted policy is not among the log's policies")]
    Unknown,
    /// An entry is no policy.
    #[error("an entry of the chain is no policy")]
    Entry(#[from] EntryError),
    /// A policy that does not follow the one before.
    #[error("policy {0} does not follow the one before")]
    Follows(usize),
    /// The predecessor's witnesses did not sign it.
    #[error("the hand-over to a policy does not count")]
    Note(#[from] NoteError),
    /// The hand-over does not cover it.
    #[error("the hand-over does not cover its policy")]
    Path(#[from] ProofError),
}

/// `{"tracebond":"policies/v1","policies":[...]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChain {
    /// `policies/v1`.
    pub tracebond: String,
    /// By index; the last one is in force.
    pub policies: Vec<PolicyLink>,
}

/// A policy and what handed over to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLink {
    /// Place in the log.
    pub index: u64,
    /// Log entry.
    #[serde(with = "crate::b64")]
    pub entry: Vec<u8>,
    /// There but for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<PolicyHandover>,
}

/// The predecessor's note of size `index` + 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyHandover {
    /// As served.
    #[serde(with = "crate::b64")]
    pub note: Vec<u8>,
    /// Path of the policy in that tree.
    pub path: Path,
}

impl PolicyChain {
    /// Reads a chain.
    ///
    /// # Errors
    /// [`ChainError::Form`].
    pub fn parse(text: &[u8]) -> Result<Self, ChainError> {
        let chain: Self = serde_json::from_slice(text).map_err(|_| ChainError::Form)?;
        let fits = chain.tracebond == "policies/v1" && chain.policies.len() <= CHAIN_MAX;
        if fits {
            Ok(chain)
        } else {
            Err(ChainError::Form)
        }
    }

    /// The newest policy to which hand-overs lead from the trusted entry, which may be that one
    /// itself: its entry and what it says.
    ///
    /// # Errors
    /// [`ChainError`]; the trusted policy stays trusted.
    pub fn follow(&self, trusted: &[u8]) -> Result<(Vec<u8>, Policy), ChainError> {
        let known = self.policies.iter().position(|link| link.entry == trusted);
        let known = known.ok_or(ChainError::Unknown)?;
        let (mut entry, mut policy) = (trusted.to_vec(), Policy::parse(trusted)?);
        for (place, link) in self.policies.iter().enumerate().skip(known + 1) {
            policy = link.follows(&entry, &policy, place)?;
            entry.clone_from(&link.entry);
        }
        Ok((entry, policy))
    }
}

impl PolicyLink {
    fn follows(&self, entry: &[u8], before: &Policy, place: usize) -> Result<Policy, ChainError> {
        let broken = || ChainError::Follows(place);
        let next = Policy::parse(&self.entry)?;
        let (hash, size, _) = next.prev.ok_or_else(broken)?;
        let same = next.log == before.log && next.origin == before.origin;
        let handover = self.handover.as_ref().ok_or_else(broken)?;
        let note = Note::parse(&handover.note)?;
        let at = size == self.index && note.checkpoint.size == size + 1;
        if hash != sha256(entry) || !same || !at {
            return Err(broken());
        }
        let signed = note.check_served(before)?.checkpoint;
        let path = handover.path.hashes();
        tlog::verify_inclusion(
            entry_hash(&self.entry),
            size,
            signed.size,
            &path,
            signed.root,
        )?;
        Ok(next)
    }
}
