//! Trust policies of transparency logs as a file (C2SP `tlog-policy`): which logs, which witnesses,
//! and which of them must have cosigned.
//!
//! Names and addresses are octets, as the specification says; only keys have names that are text.
//! A policy of ours ([`Policy`]) has one log, its witnesses and a quorum of them: one flat group.
//! What such a file cannot say is who admits organisations, so registrars stay with the log.

mod check;
mod line;
mod vkey;
mod write;

pub use check::{Unmet, Valid};
pub use line::{LineError, Problem};
pub use vkey::{Kind, VerifierKey, VkeyError};

use crate::log::Policy;

/// Longest file in bytes.
pub const FILE_MAX: usize = 262_144;
/// Most logs, most witnesses, most groups (the specification asks for at least 32 of each).
pub const EACH_MAX: usize = 256;

/// A name or an address: octets without white space and control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(Vec<u8>);

impl Octets {
    /// The octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for Octets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::fmt::Debug for Octets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{self}`")
    }
}

impl From<&str> for Octets {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

/// A log whose checkpoints are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLog {
    /// Its key; the key's name is the log's origin.
    pub key: VerifierKey,
    /// Where it is.
    pub url: Option<Octets>,
}

/// A witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownWitness {
    /// Its name within the file.
    pub name: Octets,
    /// Its key, with the name that its cosignatures carry.
    pub key: VerifierKey,
    /// Where it takes checkpoints.
    pub url: Option<Octets>,
}

/// Something that can have witnessed a checkpoint, by its place among those of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// A witness.
    Witness(usize),
    /// A group that was defined before.
    Group(usize),
}

/// So many of these members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name within the file.
    pub name: Octets,
    /// How many must have witnessed, 1 to all.
    pub needed: usize,
    /// Members; nobody is a member of two groups.
    pub members: Vec<Member>,
}

/// A policy file. What its fields say holds together: every member exists, groups know only
/// groups before them, no key and no name stands twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogPolicy {
    logs: Vec<KnownLog>,
    witnesses: Vec<KnownWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

impl TlogPolicy {
    /// Reads a file.
    ///
    /// # Errors
    /// [`LineError`] with the line of the first thing that is wrong.
    pub fn parse(file: &[u8]) -> Result<Self, LineError> {
        line::parse(file)
    }

    /// Logs, any one of which may have signed.
    #[must_use]
    pub fn logs(&self) -> &[KnownLog] {
        &self.logs
    }

    /// Witnesses in their order.
    #[must_use]
    pub fn witnesses(&self) -> &[KnownWitness] {
        &self.witnesses
    }

    /// Groups in their order.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What must have witnessed; none for `quorum none`.
    #[must_use]
    pub fn quorum(&self) -> Option<Member> {
        self.quorum
    }

    /// The file of a policy of ours; `url` names where the log and a witness (by name) are.
    #[must_use]
    pub fn of(policy: &Policy, url: impl Fn(&str) -> Option<String>) -> Self {
        write::of(policy, url)
    }

    /// q of n, where the quorum is one group of all witnesses (or the one witness there is); none
    /// for anything else, which a policy of ours cannot say.
    #[must_use]
    pub fn flat(&self) -> Option<u64> {
        let group = match self.quorum? {
            Member::Witness(_) if self.witnesses.len() == 1 => return Some(1),
            Member::Witness(_) => return None,
            Member::Group(place) => self.groups.get(place)?,
        };
        let plain = |member: &Member| matches!(member, Member::Witness(_));
        let all = group.members.len() == self.witnesses.len();
        (all && group.members.iter().all(plain)).then_some(group.needed as u64)
    }

    /// The file's text; reading it gives an equal policy.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        write::encode(self)
    }
}

#[cfg(test)]
mod tests;
