//! What a monitor checks as it reads the log in order (`log.md` section 9, `registry.md` section 5).
//!
//! Pure: entries go in one by one, alarms come out. Served registry lists are checked by
//! [`check_list`]; consistency between checkpoints by `tlog::verify_consistency`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::hash::Hash;
use crate::log::{BatchHeader, Entry, EntryError, Policy, entry_hash};
use crate::registry::{Head, root_of_list};
use crate::time::Instant;

/// How long a batch may go on under an older head after a newer one stands in the log.
pub const HEAD_GRACE: Duration = Duration::from_secs(600);

/// Something that an honest operator never does.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum Alarm {
    /// An entry that does not parse.
    #[error("entry {index} does not parse")]
    Entry {
        /// Place in the log.
        index: u64,
        /// Why.
        #[source]
        source: EntryError,
    },
    /// Entry 0 is no first policy.
    #[error("entry 0 is no first policy")]
    NoPolicy,
    /// A policy that does not name the one before, or stands elsewhere than it says.
    #[error("entry {0}: the policy does not follow the one before")]
    PolicyChain(u64),
    /// A header of another log.
    #[error("entry {0} is a header of another log")]
    OtherLog(u64),
    /// A shard's headers do not follow each other.
    #[error("entry {index}: shard {shard} does not go on from its header before")]
    Shard {
        /// Place in the log.
        index: u64,
        /// Which shard.
        shard: u64,
    },
    /// A registry head whose version is not one above the head before.
    #[error("entry {0}: the registry head's version is not one above the one before")]
    HeadVersion(u64),
    /// A header whose registry is no head before it.
    #[error("entry {0}: the header carries a registry that is no head before it")]
    UnknownHead(u64),
    /// A header under an older registry than a header before it.
    #[error("entry {0}: the registry was rolled back")]
    RolledBack(u64),
    /// A header under a head that had been replaced for long.
    #[error("entry {0}: the header ignores a newer registry head")]
    Stale(u64),
    /// A served list that is not the one behind its head.
    #[error("the list of registry version {0} is not the one behind its root")]
    List(u64),
    /// A key of an earlier list is missing.
    #[error("key {kid} is missing from the list of registry version {version}")]
    KeyMissing {
        /// Which version.
        version: u64,
        /// Which key.
        kid: Hash,
    },
}

/// Reads a log in order.
#[derive(Debug, Default)]
pub struct LogAudit {
    next: u64,
    policy: Option<Policy>,
    heads: Vec<(Head, Instant)>,
    used: u64,
    shards: BTreeMap<u64, (u64, Hash)>,
}

impl LogAudit {
    /// Before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries read.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.next
    }

    /// Registry heads read so far, by version.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        self.heads.iter().map(|(head, _)| *head).collect()
    }

    /// Reads the next entry.
    ///
    /// # Errors
    /// [`Alarm`]; reading may go on after it.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), Alarm> {
        let index = self.next;
        self.next += 1;
        let entry = Entry::parse(bytes).map_err(|source| Alarm::Entry { index, source })?;
        if index == 0 && !matches!(&entry, Entry::Policy(policy) if policy.prev.is_none()) {
            return Err(Alarm::NoPolicy);
        }
        match entry {
            Entry::Policy(policy) => self.read_policy(index, policy),
            Entry::Registry { head, time } => self.read_head(index, head, time),
            Entry::Header(header) => self.read_header(index, &header, bytes),
            Entry::Document { .. } | Entry::Tombstones { .. } => Ok(()),
        }
    }

    /// Every policy but the first names the one before and its own place.
    fn read_policy(&mut self, index: u64, policy: Policy) -> Result<(), Alarm> {
        let follows = match (&self.policy, policy.prev) {
            (None, None) => true,
            (Some(before), Some((hash, size, _))) => {
                let same = policy.log == before.log && policy.origin == before.origin;
                same && hash == before.hash() && size == index
            }
            _ => false,
        };
        if follows {
            self.policy = Some(policy);
            Ok(())
        } else {
            Err(Alarm::PolicyChain(index))
        }
    }

    fn read_head(&mut self, index: u64, head: Head, time: Instant) -> Result<(), Alarm> {
        let before = self.heads.last().map_or(0, |(head, _)| head.version);
        self.heads.push((head, time));
        if head.version == before + 1 {
            Ok(())
        } else {
            Err(Alarm::HeadVersion(index))
        }
    }

    fn read_header(&mut self, index: u64, header: &BatchHeader, bytes: &[u8]) -> Result<(), Alarm> {
        if self
            .policy
            .as_ref()
            .is_none_or(|policy| policy.log != header.log)
        {
            return Err(Alarm::OtherLog(index));
        }
        let expected = self
            .shards
            .get(&header.shard)
            .map_or((0, Hash::ZERO), |(seq, hash)| (seq + 1, *hash));
        self.shards
            .insert(header.shard, (header.seq, entry_hash(bytes)));
        if (header.seq, header.prev) != expected {
            return Err(Alarm::Shard {
                index,
                shard: header.shard,
            });
        }
        let known = self
            .heads
            .iter()
            .position(|(head, _)| *head == header.registry);
        let known = known.ok_or(Alarm::UnknownHead(index))?;
        if header.registry.version < self.used {
            return Err(Alarm::RolledBack(index));
        }
        self.used = header.registry.version;
        let stale = self
            .heads
            .get(known + 1)
            .is_some_and(|(_, time)| *time + HEAD_GRACE < header.first);
        if stale {
            Err(Alarm::Stale(index))
        } else {
            Ok(())
        }
    }
}

/// Checks a served list against its head and the list of an earlier version.
///
/// # Errors
/// [`Alarm::List`] or [`Alarm::KeyMissing`].
pub fn check_list(
    head: &Head,
    list: &[(Hash, Hash)],
    before: &[(Hash, Hash)],
) -> Result<(), Alarm> {
    if list.len() as u64 != head.count || root_of_list(list) != Some(head.root) {
        return Err(Alarm::List(head.version));
    }
    let missing = before
        .iter()
        .find(|(kid, _)| list.binary_search_by(|row| row.0.cmp(kid)).is_err());
    match missing {
        None => Ok(()),
        Some((kid, _)) => Err(Alarm::KeyMissing {
            version: head.version,
            kid: *kid,
        }),
    }
}
