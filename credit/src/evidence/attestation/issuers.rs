//! The bank's list of issuers: a versioned TOML file, read and checked once at the start.

use std::collections::{BTreeMap, BTreeSet};

use schemas::attestation::Kind;
use schemas::config::{self, ConfigError};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::key::{ALG_ED25519, ALG_ESP256, PublicKey};
use schemas::log::Policy;
use serde::Deserialize;

/// Value of `format`.
const FORMAT: &str = "issuers/v1";
/// Most issuers of a list.
const ISSUERS_MAX: usize = 1_024;
/// Most keys of an issuer, those of the past included.
const KEYS_MAX: usize = 16;

/// A list that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuersError {
    /// The file does not have the form of a list.
    #[error(transparent)]
    Form(#[from] ConfigError),
    /// Another format than this program reads.
    #[error("format: `{0}` is not `{FORMAT}`")]
    Format(String),
    /// Too many issuers.
    #[error("issuers: more than {ISSUERS_MAX}")]
    TooMany,
    /// One slug twice.
    #[error("issuers.slug: `{0}` stands twice")]
    Twice(Slug),
    /// An issuer without a kind or a key, or with too many keys.
    #[error("issuers: `{0}` needs at least one kind, and 1 to {KEYS_MAX} keys")]
    Empty(Slug),
    /// A key that is none, or stands twice, or is a key of the policy.
    #[error("issuers.keys: a key of `{issuer}` {problem}")]
    Key {
        /// Whose.
        issuer: Slug,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// An issuer that the bank knows.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// For people.
    pub name: String,
    /// What it may attest.
    pub kinds: BTreeSet<Kind>,
    keys: BTreeMap<Hash, PublicKey>,
}

impl Issuer {
    /// A key of its by kid.
    #[must_use]
    pub fn key(&self, kid: &Hash) -> Option<&PublicKey> {
        self.keys.get(kid)
    }
}

/// The bank's list of issuers.
#[derive(Clone, Debug)]
pub struct Issuers {
    /// Its version, which decisions name with its hash.
    pub version: u64,
    /// SHA-256 of the file.
    pub hash: Hash,
    issuers: BTreeMap<Slug, Issuer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u64,
    #[serde(default)]
    issuers: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    slug: Slug,
    name: String,
    kinds: BTreeSet<Kind>,
    /// 64 hex digits (Ed25519) or 66 (P-256).
    keys: Vec<String>,
}

impl Issuers {
    /// Reads a list. No key of the log's policy may stand in it.
    ///
    /// # Errors
    /// [`IssuersError`], naming the field.
    pub fn parse(file: &str, text: &str, policy: &Policy) -> Result<Self, IssuersError> {
        let read: File = config::parse(file, text)?;
        if read.format != FORMAT {
            return Err(IssuersError::Format(read.format.chars().take(64).collect()));
        }
        if read.issuers.len() > ISSUERS_MAX {
            return Err(IssuersError::TooMany);
        }
        let mut known = kids_of(policy);
        let mut issuers = BTreeMap::new();
        for row in read.issuers {
            let (slug, issuer) = row.check(&mut known)?;
            if issuers.insert(slug.clone(), issuer).is_some() {
                return Err(IssuersError::Twice(slug));
            }
        }
        Ok(Self {
            version: read.version,
            hash: sha256(text.as_bytes()),
            issuers,
        })
    }

    /// An issuer by its slug.
    #[must_use]
    pub fn find(&self, slug: &Slug) -> Option<&Issuer> {
        self.issuers.get(slug)
    }
}

impl Row {
    fn check(self, known: &mut BTreeSet<Hash>) -> Result<(Slug, Issuer), IssuersError> {
        if self.kinds.is_empty() || !(1..=KEYS_MAX).contains(&self.keys.len()) {
            return Err(IssuersError::Empty(self.slug));
        }
        let wrong = |problem| IssuersError::Key {
            issuer: self.slug.clone(),
            problem,
        };
        let mut keys = BTreeMap::new();
        for text in &self.keys {
            let key = read_key(text).ok_or_else(|| wrong("is none"))?;
            if !known.insert(key.kid()) {
                return Err(wrong("stands elsewhere too, here or in the policy"));
            }
            keys.insert(key.kid(), key);
        }
        let (name, kinds) = (self.name, self.kinds);
        Ok((self.slug, Issuer { name, kinds, keys }))
    }
}

fn read_key(text: &str) -> Option<PublicKey> {
    let bytes = hex::decode(text).ok()?;
    let alg = if bytes.len() == 33 {
        ALG_ESP256
    } else {
        ALG_ED25519
    };
    PublicKey::parse(alg, &bytes).ok()
}

fn kids_of(policy: &Policy) -> BTreeSet<Hash> {
    let parties = policy.witnesses.iter().chain(&policy.registrars);
    let kids = parties.map(|party| party.key.kid());
    kids.chain([policy.log_key.kid()]).collect()
}
