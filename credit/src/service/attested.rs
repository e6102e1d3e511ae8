//! Taking attestations and revocations in: from anybody, since the issuer's signature decides.
//!
//! What is taken is only held. Whether it counts is judged with every decision anew, under the consent
//! and at the instant of that decision (`attestation.md` section 5).

use schemas::attestation::{AttestationError, Kind, SignedAttestation, SignedRevocation};
use schemas::hash::Hash;
use schemas::ids::Slug;

use super::{Asked, Consenting, Credit, IssuerList};
use crate::evidence::attestation::Issuer;
use crate::store::StoreError;
use crate::store::papers::{HELD_MAX, HeldPaper, PaperKept, PaperKind};

/// Why a paper is not held.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// This bank takes no attestations.
    #[error("this bank has no list of issuers")]
    None,
    /// Its form.
    #[error("the document is refused")]
    Form(#[from] AttestationError),
    /// Another log.
    #[error("log: it is of another log")]
    Log,
    /// An issuer or a key that the bank does not know.
    #[error("issuer: the bank's list has no key {kid} of `{issuer}`")]
    Issuer {
        /// Who it says it is.
        issuer: Slug,
        /// The key that it names.
        kid: Hash,
    },
    /// The signature.
    #[error("signature: it does not verify")]
    Signature,
    /// The issuer may not attest this.
    #[error("kind: `{issuer}` may not attest `{}`", kind.word())]
    Kind {
        /// Who.
        issuer: Slug,
        /// What.
        kind: Kind,
    },
    /// A supplier that the bank does not know, or by another code.
    #[error("subject: the bank knows no supplier `{0}` with this code")]
    Subject(Slug),
    /// It has ended.
    #[error("expires: it ended at {0}")]
    Expired(schemas::time::Instant),
    /// A revocation of something that is not held, or of another issuer's.
    #[error("attestation: no attestation {0} of this issuer is held")]
    NotHeld(Hash),
    /// Too much is held about the supplier.
    #[error("subject: {HELD_MAX} documents are held about `{0}` already")]
    Full(Slug),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl AttestError {
    /// The member that is wrong; `None` where there is no single one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Form(AttestationError::Rule(rule)) => {
                rule.split_once(": ").map(|(field, _)| field)
            }
            Self::Form(AttestationError::Typ(_)) => Some("typ"),
            Self::None | Self::Form(_) | Self::Store(_) => None,
            Self::Log => Some("log"),
            Self::Issuer { .. } => Some("issuer"),
            Self::Signature => Some("signature"),
            Self::Kind { .. } => Some("kind"),
            Self::Subject(_) | Self::Full(_) => Some("subject"),
            Self::Expired(_) => Some("expires"),
            Self::NotHeld(_) => Some("attestation"),
        }
    }
}

impl Credit {
    /// Holds an attestation, or the revocation of one that is held. The same bytes again change
    /// nothing.
    ///
    /// # Errors
    /// [`AttestError`], naming the member.
    pub async fn attest(&self, bytes: Vec<u8>) -> Result<(HeldPaper, PaperKept), AttestError> {
        let Consenting::Asked(asked) = &self.terms.consenting else {
            return Err(AttestError::None);
        };
        let list = asked.issuers.as_ref().ok_or(AttestError::None)?;
        let paper = match SignedAttestation::parse(bytes.clone()) {
            Ok(signed) => self.attestation(asked, list, &signed)?,
            Err(AttestationError::Typ(_)) => {
                let signed = SignedRevocation::parse(bytes)?;
                self.revocation(list, &signed).await?
            }
            Err(error) => return Err(error.into()),
        };
        match self.store.hold(&paper).await? {
            PaperKept::Full => Err(AttestError::Full(paper.supplier)),
            kept => Ok((paper, kept)),
        }
    }

    fn attestation(
        &self,
        asked: &Asked,
        list: &IssuerList,
        signed: &SignedAttestation,
    ) -> Result<HeldPaper, AttestError> {
        let said = &signed.attestation;
        let issuer = self.issuer(list, &said.log, &said.issuer, &signed.signer)?;
        let key = issuer.key(&signed.signer).ok_or(AttestError::Signature)?;
        signed.verify(key).map_err(|_| AttestError::Signature)?;
        if !issuer.kinds.contains(&said.kind()) {
            let (issuer, kind) = (said.issuer.clone(), said.kind());
            return Err(AttestError::Kind { issuer, kind });
        }
        if asked.codes.get(&said.subject) != Some(&said.code) {
            return Err(AttestError::Subject(said.subject.clone()));
        }
        let now = self.clock.now();
        if said.expires <= now {
            return Err(AttestError::Expired(said.expires));
        }
        Ok(HeldPaper {
            supplier: said.subject.clone(),
            hash: signed.hash(),
            kind: PaperKind::Attestation,
            id: signed.id(),
            issuer: said.issuer.clone(),
            bytes: signed.bytes().to_vec(),
            received: now,
        })
    }

    async fn revocation(
        &self,
        list: &IssuerList,
        signed: &SignedRevocation,
    ) -> Result<HeldPaper, AttestError> {
        let said = &signed.revocation;
        let issuer = self.issuer(list, &said.log, &said.issuer, &signed.signer)?;
        let key = issuer.key(&signed.signer).ok_or(AttestError::Signature)?;
        signed.verify(key).map_err(|_| AttestError::Signature)?;
        let held = self.store.attestation(&said.attestation).await?;
        let held = held.filter(|held| held.issuer == said.issuer);
        let held = held.ok_or(AttestError::NotHeld(said.attestation))?;
        Ok(HeldPaper {
            supplier: held.supplier,
            hash: signed.hash(),
            kind: PaperKind::Revocation,
            id: said.attestation,
            issuer: said.issuer.clone(),
            bytes: signed.bytes().to_vec(),
            received: self.clock.now(),
        })
    }

    fn issuer<'l>(
        &self,
        list: &'l IssuerList,
        log: &Hash,
        slug: &Slug,
        kid: &Hash,
    ) -> Result<&'l Issuer, AttestError> {
        if *log != self.terms.policy.policy().log {
            return Err(AttestError::Log);
        }
        let known = list.issuers.find(slug);
        let known = known.filter(|issuer| issuer.key(kid).is_some());
        known.ok_or_else(|| AttestError::Issuer {
            issuer: slug.clone(),
            kid: *kid,
        })
    }
}
