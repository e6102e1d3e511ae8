//! What a decision rests on beside its bundle: the supplier's consent documents, what the bank
//! remembered of them, and what issuers attest. Kept byte by byte beside the bundle, so that whoever
//! makes a decision again judges the same papers at the same instant ([`Papers::look`] asks no clock).
//!
//! `docs/evidence.md` says in which order a decision reads, and what each refusal means.

use schemas::attestation::{Kind, SubjectCode};
use schemas::consent::{Consents, Granted, Moment, Need, Purpose};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::proof::Bytes;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::VerifiedEvidence;
use super::attestation::{Counted, Held, Issuers, Judged, Reader, Subject};
use super::consent::{Parties, Remembered, Shown, Signers, keeps_to, read};
use super::verify::{Refused, TrustedPolicy};
use super::weight::Weights;

/// Value of [`Papers`]'s `format`.
pub const PAPERS: &str = "evidence-papers/v1";
/// Class of a refusal: the kept papers are none.
pub const PAPERS_REFUSED: &str = "papers";

/// A consent document with the proof of its log entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paper {
    document: Bytes,
    proof: Option<Bytes>,
}

/// Everything but the bundle. Its canonical bytes are this type's JSON without white space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Papers {
    format: String,
    bank: Slug,
    remembered: Remembered,
    consents: Vec<Paper>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuers: Option<String>,
    attestations: Vec<Bytes>,
    revocations: Vec<Bytes>,
}

/// Which consent a decision used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentUsed {
    /// To which bank.
    pub bank: Slug,
    /// Its id.
    pub id: Hash,
    /// Its number.
    pub number: u64,
    /// Up to and without this instant.
    #[serde(with = "crate::rfc3339")]
    pub until: Instant,
}

/// An attestation that counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestationUsed {
    /// Its id.
    pub id: Hash,
    /// Who says it.
    pub issuer: Slug,
    /// What is said.
    pub kind: Kind,
    /// Up to and without this instant.
    #[serde(with = "crate::rfc3339")]
    pub expires: Instant,
}

/// One that did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestationLeft {
    /// SHA-256 of its bytes.
    pub hash: Hash,
    /// Code of the reason (`attestation.md` section 5).
    pub reason: String,
}

/// A versioned file of the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileUsed {
    /// Its version.
    pub version: u64,
    /// SHA-256 of it.
    pub hash: Hash,
}

/// What a decision rests on beside the bundle, as its inputs name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// SHA-256 of the papers, which the store keeps.
    pub papers: Hash,
    /// The consent in force.
    pub consent: ConsentUsed,
    /// The list of issuers; absent where the bank has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuers: Option<FileUsed>,
    /// Attestations that counted.
    pub attestations: Vec<AttestationUsed>,
    /// Attestations and revocations that did not, with the reason.
    pub left: Vec<AttestationLeft>,
    /// What sources weigh by.
    pub weights: FileUsed,
}

/// What papers are looked at beside, and when.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// The bundle, whose proofs held.
    pub bundle: &'a [u8],
    /// What it proves.
    pub evidence: &'a VerifiedEvidence,
    /// The policy that it was verified under.
    pub policy: &'a TrustedPolicy,
    /// Whose evidence.
    pub supplier: &'a Slug,
    /// What for.
    pub purpose: Purpose,
    /// The clock.
    pub now: Instant,
    /// What sources weigh by.
    pub weights: &'a Weights,
}

/// What the papers say, and what is remembered of them whatever they say.
#[derive(Debug)]
pub struct Looked {
    /// To be kept before anything rests on the answer; `None` where no chain could be made.
    pub remembered: Option<Remembered>,
    /// The basis and what was attested, or why nothing may be read.
    pub said: Result<(Basis, Vec<Counted>), Refused>,
}

/// What the bank itself brings.
#[derive(Clone, Debug)]
pub struct Own {
    /// Its name, as its suppliers know it.
    pub bank: Slug,
    /// What it remembers of the supplier.
    pub remembered: Remembered,
    /// The supplier's code in the commercial register, if the bank knows it.
    pub code: Option<SubjectCode>,
    /// Text of its list of issuers, if it has one.
    pub issuers: Option<String>,
}

impl Papers {
    /// Papers as they were handed over.
    #[must_use]
    pub fn new(own: Own, consents: Vec<Shown>, held: Held) -> Self {
        let paper = |shown: Shown| Paper {
            document: Bytes(shown.document),
            proof: shown.proof.map(Bytes),
        };
        Self {
            format: PAPERS.to_owned(),
            bank: own.bank,
            remembered: own.remembered,
            consents: consents.into_iter().map(paper).collect(),
            code: own.code.map(|code| code.as_str().to_owned()),
            issuers: own.issuers,
            attestations: held.attestations.into_iter().map(Bytes).collect(),
            revocations: held.revocations.into_iter().map(Bytes).collect(),
        }
    }

    /// Their canonical bytes.
    ///
    /// # Errors
    /// None that is known: every member has a JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads kept papers; nothing in them is believed yet.
    ///
    /// # Errors
    /// [`Refused`] of class [`PAPERS_REFUSED`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let papers: Self = serde_json::from_slice(bytes).map_err(|error| unusable(&error))?;
        if papers.format == PAPERS {
            Ok(papers)
        } else {
            Err(unusable(&format!("format: it is not `{PAPERS}`")))
        }
    }

    /// Looks at everything: the chain of consents, the consent in force, that the evidence keeps to
    /// it, and which attestations count.
    #[must_use]
    pub fn look(&self, beside: &Beside<'_>) -> Looked {
        let heard = match self.hear(beside) {
            Ok(heard) => heard,
            Err(refused) => {
                return Looked {
                    remembered: None,
                    said: Err(refused),
                };
            }
        };
        Looked {
            remembered: Some(self.remembered.after(&heard.chain, heard.moment)),
            said: self.say(&heard, beside),
        }
    }

    fn hear(&self, beside: &Beside<'_>) -> Result<Heard, Refused> {
        let signers = Signers::of(beside.bundle)?;
        let parties = Parties {
            log: beside.policy.policy().log,
            supplier: beside.supplier.clone(),
            bank: self.bank.clone(),
        };
        let shown = |paper: &Paper| Shown {
            document: paper.document.0.clone(),
            proof: paper.proof.as_ref().map(|proof| proof.0.clone()),
        };
        let shown: Vec<Shown> = self.consents.iter().map(shown).collect();
        let moment = self.remembered.moment(beside.now, Some(beside.evidence));
        let (policy, counted) = (beside.policy, moment.counted);
        let chain = read(&parties, &shown, &signers, policy, self.remembered, counted)?;
        Ok(Heard {
            chain,
            signers,
            moment,
        })
    }

    fn say(&self, heard: &Heard, beside: &Beside<'_>) -> Result<(Basis, Vec<Counted>), Refused> {
        let granted = heard.granted(beside.purpose)?;
        keeps_to(beside.evidence, beside.supplier, &granted.grant)?;
        let (issuers, judged) = self.judge(heard, beside)?;
        let weights = beside.weights;
        let basis = Basis {
            papers: sha256(&self.to_bytes().map_err(|error| unusable(&error))?),
            consent: ConsentUsed {
                bank: self.bank.clone(),
                id: granted.id,
                number: granted.number,
                until: granted.grant.until,
            },
            issuers,
            attestations: judged.counted.iter().map(used).collect(),
            left: judged.refused.iter().map(left).collect(),
            weights: FileUsed {
                version: u64::from(weights.version),
                hash: weights.hash,
            },
        };
        Ok((basis, judged.counted))
    }

    /// Without a list of issuers, or without the supplier's code, nothing can be attested.
    fn judge(
        &self,
        heard: &Heard,
        beside: &Beside<'_>,
    ) -> Result<(Option<FileUsed>, Judged), Refused> {
        let Some(text) = &self.issuers else {
            return Ok((None, Judged::default()));
        };
        let issuers = Issuers::parse("issuers", text, beside.policy.policy());
        let issuers = issuers.map_err(|error| unusable(&error))?;
        let file = FileUsed {
            version: issuers.version,
            hash: issuers.hash,
        };
        let Some(code) = &self.code else {
            return Ok((Some(file), Judged::default()));
        };
        let code = code.parse().map_err(|_| unusable(&"code: it is none"))?;
        let slug = beside.supplier.clone();
        let reader = Reader {
            log: &beside.policy.policy().log,
            issuers: &issuers,
            subject: &Subject { slug, code },
            consents: &heard.chain,
            signers: &heard.signers,
            purpose: beside.purpose,
            moment: heard.moment,
        };
        let bytes = |list: &[Bytes]| list.iter().map(|one| one.0.clone()).collect();
        let held = Held {
            attestations: bytes(&self.attestations),
            revocations: bytes(&self.revocations),
        };
        Ok((Some(file), reader.judge(&held)))
    }
}

struct Heard {
    chain: Consents,
    signers: Signers,
    moment: Moment,
}

impl Heard {
    fn granted(&self, purpose: Purpose) -> Result<Granted, Refused> {
        let record = |kid: &Hash| self.signers.record(kid);
        Ok(self
            .chain
            .in_force(&Need::whole(purpose), self.moment, record)?)
    }
}

fn used(counted: &Counted) -> AttestationUsed {
    AttestationUsed {
        id: counted.id,
        issuer: counted.issuer.clone(),
        kind: counted.facts.kind(),
        expires: counted.expires,
    }
}

fn left(refused: &super::attestation::RefusedAttestation) -> AttestationLeft {
    AttestationLeft {
        hash: refused.hash,
        reason: refused.why.code().to_owned(),
    }
}

fn unusable(what: &dyn std::fmt::Display) -> Refused {
    Refused {
        class: PAPERS_REFUSED.to_owned(),
        detail: format!("the papers cannot be used: {what}"),
    }
}
