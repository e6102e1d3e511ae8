//! The policy: whom a reader trusts (`log.md` section 4).

use super::{Entry, EntryError, PARTIES_MAX};
use crate::cbor::{CborError, Reader, Writer};
use crate::hash::{Hash, sha256};
use crate::ids::{Origin, is_printable};
use crate::key::{KeyError, PublicKey};
use crate::statement::instant;
use crate::time::Instant;

/// Longest policy file in bytes: the longest entry in base64, with room for white space.
pub const POLICY_FILE_MAX: usize = 98_304;

/// A named key of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// 1 to 64 printable ASCII characters.
    pub name: String,
    /// Ed25519.
    pub key: PublicKey,
}

/// Type 2: whom a reader trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Log id.
    pub log: Hash,
    /// The log's name.
    pub origin: Origin,
    /// Signs checkpoints.
    pub log_key: PublicKey,
    /// Cosign checkpoints; by name.
    pub witnesses: Vec<Party>,
    /// How many witnesses a checkpoint needs.
    pub quorum: u64,
    /// Admit organisations; by name.
    pub registrars: Vec<Party>,
    /// Policy before: (hash, size, root) of its end.
    pub prev: Option<(Hash, u64, Hash)>,
    /// When it was made.
    pub time: Instant,
}

impl Policy {
    /// Reads an entry that has to be a policy.
    ///
    /// # Errors
    /// [`EntryError`]; an entry of another type counts as a broken rule.
    pub fn parse(entry: &[u8]) -> Result<Self, EntryError> {
        match Entry::parse(entry)? {
            Entry::Policy(policy) => Ok(policy),
            _ => Err(EntryError::Rule("the entry is no policy")),
        }
    }

    /// Checks what [`Entry::parse`] would refuse, for a policy that is being made.
    ///
    /// # Errors
    /// [`EntryError::Rule`].
    pub fn check(&self) -> Result<(), EntryError> {
        let rule = |holds, text| {
            if holds {
                Ok(())
            } else {
                Err(EntryError::Rule(text))
            }
        };
        let log_key = self.log_key.ed25519_bytes().ok_or(KeyError::Algorithm)?;
        for list in [&self.witnesses, &self.registrars] {
            rule(
                (1..=PARTIES_MAX).contains(&list.len()),
                "1 to 32 witnesses, 1 to 32 registrars",
            )?;
            let ordered = list.windows(2).all(|pair| pair[0].name < pair[1].name);
            rule(ordered, "names strictly increase")?;
            rule(
                list.iter().all(|party| is_printable(&party.name, 64)),
                "a name is not printable",
            )?;
        }
        let unlike = self
            .witnesses
            .iter()
            .all(|party| party.name != self.origin.as_str());
        rule(unlike, "a witness is named like the log")?;
        let keys = self.keys();
        let mut distinct: Vec<Hash> = keys.iter().map(PublicKey::kid).collect();
        distinct.sort_unstable();
        distinct.dedup();
        rule(distinct.len() == keys.len(), "a key stands in two places")?;
        let quorum = 1..=self.witnesses.len() as u64;
        rule(
            quorum.contains(&self.quorum),
            "quorum is 1 to the number of witnesses",
        )?;
        match self.prev {
            None => rule(
                self.log == self.origin.log_id(&log_key),
                "the log id is not of origin and key",
            ),
            Some((_, size, _)) => rule(size >= 1, "prev size is at least 1"),
        }
    }

    fn keys(&self) -> Vec<PublicKey> {
        let parties = self
            .witnesses
            .iter()
            .chain(&self.registrars)
            .map(|party| party.key.clone());
        std::iter::once(self.log_key.clone())
            .chain(parties)
            .collect()
    }

    /// Kids of every key that stands in the policy.
    pub fn kids(&self) -> impl Iterator<Item = Hash> {
        self.keys().into_iter().map(|key| key.kid())
    }

    /// True if `kid` is of a key that stands in the policy.
    #[must_use]
    pub fn names_kid(&self, kid: &Hash) -> bool {
        self.kids().any(|own| own == *kid)
    }

    /// Registrar with this kid.
    #[must_use]
    pub fn registrar(&self, kid: &Hash) -> Option<&PublicKey> {
        self.registrars
            .iter()
            .map(|party| &party.key)
            .find(|key| key.kid() == *kid)
    }

    /// Policy hash = SHA-256 of the entry.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&Entry::Policy(self.clone()).encode())
    }

    pub(super) fn write(&self, w: &mut Writer) {
        let raw = |key: &PublicKey| key.ed25519_bytes().unwrap_or([0; 32]);
        w.map(8 + usize::from(self.prev.is_some()))
            .uint(0)
            .uint(1)
            .uint(1)
            .bytes(&self.log.0);
        w.uint(2)
            .text(self.origin.as_str())
            .uint(3)
            .bytes(&raw(&self.log_key));
        for (number, list) in [(4, &self.witnesses), (6, &self.registrars)] {
            w.uint(number).array(list.len());
            for party in list {
                w.array(2).text(&party.name).bytes(&raw(&party.key));
            }
            if number == 4 {
                w.uint(5).uint(self.quorum);
            }
        }
        if let Some((hash, size, root)) = &self.prev {
            w.uint(7).array(3).bytes(&hash.0).uint(*size).bytes(&root.0);
        }
        w.uint(8).uint(self.time.as_unsigned());
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, EntryError> {
        let mut keys = r.map("policy")?;
        keys.required(r, 0)?;
        if r.uint("version")? != 1 {
            return Err(EntryError::Rule("policy version is 1"));
        }
        keys.required(r, 1)?;
        let log = r.hash("log")?;
        keys.required(r, 2)?;
        let origin = r
            .text("origin", 255)?
            .parse()
            .map_err(|_| CborError::Limit("origin"))?;
        keys.required(r, 3)?;
        let log_key = PublicKey::ed25519(r.bytes("log_key", 32)?)?;
        keys.required(r, 4)?;
        let witnesses = read_parties(r)?;
        keys.required(r, 5)?;
        let quorum = r.uint("quorum")?;
        keys.required(r, 6)?;
        let registrars = read_parties(r)?;
        let prev = if keys.optional(r, 7)? {
            r.array_of("prev", 3)?;
            Some((
                r.hash("prev hash")?,
                r.uint("prev size")?,
                r.hash("prev root")?,
            ))
        } else {
            None
        };
        keys.required(r, 8)?;
        let time = instant(r, "time")?;
        keys.end()?;
        let policy = Self {
            log,
            origin,
            log_key,
            witnesses,
            quorum,
            registrars,
            prev,
            time,
        };
        policy.check()?;
        Ok(policy)
    }
}

fn read_parties(r: &mut Reader<'_>) -> Result<Vec<Party>, EntryError> {
    let count = r.array("parties", PARTIES_MAX)?;
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        r.array_of("party", 2)?;
        let name = r.text("name", 64)?.to_owned();
        list.push(Party {
            name,
            key: PublicKey::ed25519(r.bytes("key", 32)?)?,
        });
    }
    Ok(list)
}

/// Content of a policy file: `{"tracebond":"policy/v1","entry":"base64"}`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// `policy/v1`.
    pub tracebond: String,
    /// The log entry.
    #[serde(with = "crate::b64")]
    pub entry: Vec<u8>,
}

impl PolicyFile {
    /// The file of an entry.
    #[must_use]
    pub fn new(entry: Vec<u8>) -> Self {
        Self {
            tracebond: "policy/v1".into(),
            entry,
        }
    }

    /// Reads a policy file: the entry and what it says.
    ///
    /// # Errors
    /// [`EntryError`]; a file that is no such JSON object counts as a broken rule.
    pub fn parse(text: &[u8]) -> Result<(Vec<u8>, Policy), EntryError> {
        if text.len() > POLICY_FILE_MAX {
            return Err(EntryError::Rule("a policy file has at most 98304 bytes"));
        }
        let file: Self =
            serde_json::from_slice(text).map_err(|_| EntryError::Rule("not a policy file"))?;
        if file.tracebond != "policy/v1" {
            return Err(EntryError::Rule("not a policy/v1 file"));
        }
        let policy = Policy::parse(&file.entry)?;
        Ok((file.entry, policy))
    }
}
