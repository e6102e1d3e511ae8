//! One policy follows another (`log.md` section 4, `proof-bundle-v2.md` section 2; decision 0009).
//!
//! What is in force is read from the log alone: the policies among its entries and the kept
//! hand-overs. So a process that ends at any point is followed by one that goes on from there:
//!
//! | the log holds | what is done |
//! |---|---|
//! | nothing behind the policy in force, no other is approved | nothing |
//! | the same, another is approved | its end is witnessed; the next policy is appended |
//! | a next policy, no hand-over | the predecessor's note of just that size is collected and kept |
//! | a next policy and its hand-over | the next policy is in force |
//!
//! Until the hand-over is kept nothing is appended and nothing signed by the new policy's keys.

use schemas::hash::{Hash, sha256};
use schemas::key::SecretKey;
use schemas::log::{Entry, Policy};
use schemas::note::{Checkpoint, Note};
use schemas::time::Instant;
use schemas::tlog::LogTree;

use super::{Notary, NotaryError};
use crate::policies::{Policies, Reign};
use crate::registry::Snapshot;
use crate::store::Append;

/// What a notary needs for policies that follow each other.
#[derive(Clone, Debug)]
pub struct Succession {
    /// The policies of the log, shared with everybody who reads them.
    pub policies: Policies,
    /// Log keys of this log, old ones and the next one.
    pub keys: Vec<SecretKey>,
    /// What the operator has approved to follow, if anything.
    pub approved: Option<Approval>,
}

impl Succession {
    /// A log of one policy and one key, nothing approved.
    #[must_use]
    pub fn none(policy: Policy, key: SecretKey) -> Self {
        Self {
            policies: Policies::only(policy),
            keys: vec![key],
            approved: None,
        }
    }
}

/// The operator's word that these terms may follow that policy, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Hash of the policy in force.
    pub after: Hash,
    /// [`terms`] of the next one.
    pub terms: Hash,
}

/// A policy cannot follow.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum SuccessionError {
    /// The configuration says something else than the policy in force, and nobody has approved it.
    #[error(
        "the configuration is not that of the policy in force: see `platform policy next`, then `platform policy activate`"
    )]
    NotApproved,
    /// Whom the next policy would leave without a registrar.
    #[error(
        "active organisations were admitted by a registrar that is not in the next policy: {0}"
    )]
    LeftOut(String),
    /// A key that the registry holds.
    #[error("the next policy names a key that has a record in the registry")]
    KeyInRegistry,
    /// The end of the policy in force is not witnessed.
    #[error("the witnesses of the policy in force have not cosigned its end; try again later")]
    EndNotWitnessed,
    /// The predecessor's witnesses have not cosigned the next policy.
    #[error(
        "the next policy is in the log, but its hand-over has not been cosigned: the witnesses of the policy before must answer before the log goes on"
    )]
    NotHandedOver,
    /// The log key of a policy is not among the key files.
    #[error("the log key of a policy of the log is not in the keys folder")]
    NoKey,
}

impl SuccessionError {
    /// True where witnesses that answer later mend it.
    #[must_use]
    pub const fn is_for_now(&self) -> bool {
        matches!(self, Self::EndNotWitnessed | Self::NotHandedOver)
    }
}

/// Hash over what a policy says, whenever it says it and whatever it follows.
#[must_use]
pub fn terms(policy: &Policy) -> Hash {
    let policy = Policy {
        prev: None,
        time: Instant::default(),
        ..policy.clone()
    };
    sha256(&Entry::Policy(policy).encode())
}

/// Whether the registry allows a policy: no active organisation loses the registrar that admitted
/// it, and no key of the policy has a record.
///
/// # Errors
/// [`SuccessionError::LeftOut`] with their names, [`SuccessionError::KeyInRegistry`].
pub fn check_registry(registry: &Snapshot, next: &Policy) -> Result<(), SuccessionError> {
    let organisations = registry.organisations().filter(|entry| entry.is_active());
    let left_out = organisations
        .filter_map(|entry| entry.signed())
        .filter(|signed| next.registrar(&signed.signer).is_none());
    let names: Vec<String> = left_out
        .map(|signed| signed.record.organisation.to_string())
        .collect();
    if !names.is_empty() {
        return Err(SuccessionError::LeftOut(names.join(", ")));
    }
    if next.kids().any(|kid| registry.key(&kid).is_some()) {
        return Err(SuccessionError::KeyInRegistry);
    }
    Ok(())
}

impl Notary {
    /// The policy in force.
    pub(super) fn in_force(&self) -> Policy {
        self.succession.policies.newest().policy
    }

    /// The head of the whole tree, signed by the log key of a policy.
    pub(super) fn sign_under(&self, policy: &Policy) -> Result<Note, NotaryError> {
        let (size, root) = self.tree.read(|tree| (tree.size(), tree.root(tree.size())));
        let checkpoint = Checkpoint {
            origin: policy.origin.clone(),
            size,
            root: root.ok_or(NotaryError::Broken("empty log"))?,
        };
        let mut keys = self.succession.keys.iter();
        let key = keys.find(|key| key.public() == policy.log_key);
        Ok(Note::sign(checkpoint, key.ok_or(SuccessionError::NoKey)?))
    }

    /// Reads the policies of the log and what handed over to them. The first one must be of this
    /// log; whether the newest is the configuration's is asked by [`Self::agree`].
    pub(super) async fn read_policies(&self) -> Result<(), NotaryError> {
        let mut chain: Vec<Reign> = Vec::new();
        for index in self.tree.policies() {
            let mut entries = self.store.entries(index, 1).await?;
            let entry = entries.pop().ok_or(NotaryError::Broken("a policy"))?;
            let Ok(Entry::Policy(policy)) = Entry::parse(&entry) else {
                return Err(NotaryError::Broken("a policy"));
            };
            follows(chain.last(), &policy, index, &self.policy)?;
            chain.push(Reign {
                index,
                entry,
                policy,
                handover: self.store.handover(index).await?,
            });
        }
        if chain.is_empty() {
            return Err(NotaryError::Broken("no policy"));
        }
        self.succession.policies.set(chain);
        Ok(())
    }

    /// Makes the log's policy and the configuration's one: goes on where a succession was
    /// interrupted, and begins one that was approved.
    pub(super) async fn agree(&self) -> Result<(), NotaryError> {
        self.hand_over().await?;
        let newest = self.succession.policies.newest();
        if terms(&newest.policy) == terms(&self.policy) {
            return Ok(());
        }
        let approval = Approval {
            after: newest.hash(),
            terms: terms(&self.policy),
        };
        if self.succession.approved != Some(approval) {
            return Err(SuccessionError::NotApproved.into());
        }
        check_registry(&self.gate.snapshot(), &self.policy)?;
        let prev = self.witnessed_end(&newest).await?;
        let next = Policy {
            log: newest.policy.log,
            prev: Some(prev),
            time: self.clock.now(),
            ..self.policy.clone()
        };
        next.check().map_err(|_| NotaryError::OtherPolicy)?;
        self.append(Append {
            entries: vec![Entry::Policy(next).encode()],
            ..Append::default()
        })
        .await?;
        self.read_policies().await?;
        self.hand_over().await
    }

    /// Has everything that is there witnessed under the policy in force: what the next one names as
    /// its end.
    async fn witnessed_end(&self, reign: &Reign) -> Result<(Hash, u64, Hash), NotaryError> {
        self.publish().await?;
        let size = self.tree.read(LogTree::size);
        let newest = self.store.newest_checkpoint().await?;
        let root = self.tree.read(|tree| tree.root(size));
        match root {
            Some(root) if newest.is_some_and(|newest| newest.size == size) => {
                Ok((reign.hash(), size, root))
            }
            _ => Err(SuccessionError::EndNotWitnessed.into()),
        }
    }

    /// Collects and keeps the hand-over of a policy that waits for it.
    async fn hand_over(&self) -> Result<(), NotaryError> {
        let chain = self.succession.policies.chain();
        let [.., before, next] = &chain[..] else {
            return Ok(());
        };
        if next.is_in_force() {
            return Ok(());
        }
        if self.tree.read(LogTree::size) != next.index + 1 {
            return Err(NotaryError::Broken(
                "entries stand behind a policy that was not handed over to",
            ));
        }
        let note = self.sign_under(&before.policy)?;
        let note = self.cosigner.collect(note, &self.tree).await;
        if let Err(error) = note.check_served(&before.policy) {
            tracing::error!(%error, "the hand-over to the next policy does not count yet");
            return Err(SuccessionError::NotHandedOver.into());
        }
        self.store.put_handover(next.index, &note.encode()).await?;
        tracing::info!(index = next.index, "a new policy is in force");
        self.read_policies().await
    }
}

/// A policy of the log follows the one before, or begins this very log.
fn follows(
    before: Option<&Reign>,
    policy: &Policy,
    index: u64,
    wanted: &Policy,
) -> Result<(), NotaryError> {
    let holds = match (before, policy.prev) {
        (None, None) => index == 0 && policy.origin == wanted.origin && policy.log == wanted.log,
        (Some(before), Some((hash, size, _))) => {
            let same = policy.log == wanted.log && policy.origin == wanted.origin;
            hash == before.hash() && size == index && same
        }
        _ => false,
    };
    if holds {
        Ok(())
    } else {
        Err(NotaryError::OtherPolicy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::log::Party;

    fn policy(quorum: u64, seconds: i64) -> Policy {
        let key = |number: u8| SecretKey::from_seed(&[number; 32]).public();
        let party = |name: &str, number| Party {
            name: name.into(),
            key: key(number),
        };
        Policy {
            log: Hash([1; 32]),
            origin: "log.example/t".parse().unwrap(),
            log_key: key(1),
            witnesses: vec![party("a", 2), party("b", 3)],
            quorum,
            registrars: vec![party("r", 4)],
            prev: None,
            time: Instant::from_seconds(seconds),
        }
    }

    #[test]
    fn terms_are_what_is_said_and_not_when_or_after_what() {
        let first = policy(1, 0);
        let later = Policy {
            prev: Some((Hash([2; 32]), 7, Hash([3; 32]))),
            ..policy(1, 99)
        };
        assert_eq!(terms(&first), terms(&later));
        assert_ne!(terms(&first), terms(&policy(2, 0)));
    }
}
