//! An issuer of attestations (`schemas/docs/attestation.md`): a tax office, a government office, a
//! buyer, with a key of its own that neither the platform nor the bank holds.
//!
//! It numbers what it issues, revokes what it should not have, answers as its HTTP service would
//! ([`Issuer::answer`]) and leaves its documents as files ([`Issuer::write`]). Whether the supplier
//! has consented is for the bank to check: an issuer signs what it is asked for, as real ones do.

mod hostile;

pub use hostile::Hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemas::attestation::{
    Attestation, AttestationError, Facts, Kind, Revocation, SignedAttestation, SignedRevocation,
    SubjectCode,
};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::SecretKey;
use schemas::random::NoRandomness;
use schemas::time::Instant;

/// Path of the service below which attestations are.
const PATH: &str = "/v1/attestations/";

/// What an issuer did not do.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// What it was asked to say cannot be said.
    #[error("the attestation or revocation cannot be made")]
    Document(#[from] AttestationError),
    /// It never issued this.
    #[error("no attestation {0} was issued here")]
    Unknown(Hash),
    /// A file cannot be written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// About whom, and by which consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Organisation slug.
    pub subject: Slug,
    /// Unified social credit code.
    pub code: SubjectCode,
    /// Id of the grant that it rests on.
    pub consent: Hash,
}

/// What the service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status: 200 the attestation, 410 its revocation, 404 neither.
    pub status: u16,
    /// COSE bytes (`application/cose`); empty for 404.
    pub body: Vec<u8>,
}

struct Issued {
    attestation: SignedAttestation,
    revocation: Option<SignedRevocation>,
}

/// An issuer with its key.
pub struct Issuer {
    slug: Slug,
    name: String,
    log: Hash,
    key: SecretKey,
    number: u64,
    issued: BTreeMap<Hash, Issued>,
}

impl Issuer {
    /// An issuer with a new key.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn new(slug: Slug, name: &str, log: Hash) -> Result<Issuer, NoRandomness> {
        Ok(Issuer::with_key(slug, name, log, SecretKey::generate()?))
    }

    /// An issuer whose key was made before.
    pub fn with_key(slug: Slug, name: &str, log: Hash, key: SecretKey) -> Issuer {
        Issuer {
            slug,
            name: name.to_owned(),
            log,
            key,
            number: 0,
            issued: BTreeMap::new(),
        }
    }

    /// Its entry in a bank's list of issuers, in TOML, for the kinds that the bank lets it attest.
    pub fn entry(&self, kinds: &BTreeSet<Kind>) -> String {
        let kinds: Vec<String> = kinds.iter().map(|k| format!("\"{}\"", k.word())).collect();
        let key = hex::encode(self.key.public_bytes());
        format!(
            "[[issuers]]\nslug = \"{}\"\nname = {:?}\nkinds = [{}]\nkeys = [\"{key}\"]\n",
            self.slug,
            self.name,
            kinds.join(", "),
        )
    }

    /// Issues an attestation under its next number.
    ///
    /// # Errors
    /// [`IssuerError::Document`] for facts or times that no attestation may have; no number is used
    /// then.
    pub fn attest(
        &mut self,
        about: &About,
        facts: Facts,
        issued: Instant,
        lasting: Duration,
    ) -> Result<SignedAttestation, IssuerError> {
        let said = Attestation {
            log: self.log,
            issuer: self.slug.clone(),
            number: self.number + 1,
            subject: about.subject.clone(),
            code: about.code.clone(),
            consent: about.consent,
            issued,
            expires: issued + lasting,
            facts,
        };
        let attestation = SignedAttestation::sign(&self.key, &said)?;
        self.number += 1;
        let kept = Issued {
            attestation: attestation.clone(),
            revocation: None,
        };
        self.issued.insert(attestation.id(), kept);
        Ok(attestation)
    }

    /// Revokes one of its attestations. Revoking it again gives the same revocation.
    ///
    /// # Errors
    /// [`IssuerError::Unknown`] for one that it never issued, [`IssuerError::Document`] for a reason
    /// that is no code.
    pub fn revoke(
        &mut self,
        id: Hash,
        made: Instant,
        reason: &str,
    ) -> Result<SignedRevocation, IssuerError> {
        let issued = self.issued.get_mut(&id).ok_or(IssuerError::Unknown(id))?;
        if let Some(before) = &issued.revocation {
            return Ok(before.clone());
        }
        let said = Revocation {
            log: self.log,
            issuer: self.slug.clone(),
            attestation: id,
            made,
            reason: reason.to_owned(),
        };
        let signed = SignedRevocation::sign(&self.key, &said)?;
        issued.revocation = Some(signed.clone());
        Ok(signed)
    }

    /// What `GET path` of its service answers (`attestation.md` section 4).
    pub fn answer(&self, path: &str) -> Answer {
        let id = path.strip_prefix(PATH).and_then(|id| id.parse().ok());
        let issued = id.and_then(|id: Hash| self.issued.get(&id));
        let (status, body) = match issued {
            None => (404, Vec::new()),
            Some(issued) => match &issued.revocation {
                Some(revocation) => (410, revocation.bytes().to_vec()),
                None => (200, issued.attestation.bytes().to_vec()),
            },
        };
        Answer { status, body }
    }

    /// Writes every document into a folder: `{id}.attestation` and, where there is one,
    /// `{id}.revocation`.
    ///
    /// # Errors
    /// [`IssuerError::File`].
    pub fn write(&self, folder: &Path) -> Result<(), IssuerError> {
        let write = |path: PathBuf, bytes: &[u8]| {
            std::fs::write(&path, bytes).map_err(|source| IssuerError::File { path, source })
        };
        for (id, issued) in &self.issued {
            write(
                folder.join(format!("{id}.attestation")),
                issued.attestation.bytes(),
            )?;
            if let Some(revocation) = &issued.revocation {
                write(folder.join(format!("{id}.revocation")), revocation.bytes())?;
            }
        }
        Ok(())
    }

    /// The same issuer without scruples.
    pub fn hostile(&self) -> Hostile<'_> {
        Hostile::of(&self.key)
    }
}

#[cfg(test)]
mod tests;
