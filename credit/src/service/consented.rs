//! Evidence under the supplier's consent: what is gathered before anything is read, and what may be
//! read of it (`docs/evidence.md`).

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::attestation::SubjectCode;
use schemas::consent::{Consents, Moment, Need, Purpose};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::{ApplyError, Credit, Terms, fresh};
use crate::evidence::attestation::{Counted, Held, Issuers};
use crate::evidence::consent::Remembered;
use crate::evidence::papers::{Basis, Beside, Own, Papers};
use crate::evidence::verify::{Refused, verify};
use crate::evidence::weight::Weights;
use crate::evidence::{EvidencePack, VerifiedEvidence};
use crate::store::papers::PaperKind;

/// Whether a signed consent is asked for before evidence is read.
#[derive(Clone, Debug)]
pub enum Consenting {
    /// Every supplier must have signed one.
    Asked(Box<Asked>),
    /// The operator says in words why none is asked for. Sources are not weighed then, and nothing
    /// that is attested counts.
    Waived(String),
}

/// What the bank brings to a consent.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The bank's name, as its suppliers know it.
    pub bank: Slug,
    /// Its list of issuers, if it takes attestations.
    pub issuers: Option<IssuerList>,
    /// Codes of the commercial register, by supplier: whom an attestation may be about.
    pub codes: BTreeMap<Slug, SubjectCode>,
    /// What sources weigh by.
    pub weights: Weights,
}

/// A list of issuers with the text that it was read from.
#[derive(Clone, Debug)]
pub struct IssuerList {
    /// The file's text, kept with every decision.
    pub text: String,
    /// What it says.
    pub issuers: Issuers,
}

/// What was handed over about a supplier; nothing of it is believed yet.
pub(super) struct Gathered {
    pub(super) pack: EvidencePack,
    papers: Option<Papers>,
}

/// Evidence that may be read.
pub(super) struct Readable {
    pub(super) evidence: VerifiedEvidence,
    /// Absent where no consent is asked for.
    pub(super) sources: Option<Allowed>,
}

/// What the consent and the attestations came to.
pub(super) struct Allowed {
    pub(super) basis: Basis,
    pub(super) attested: Vec<Counted>,
    pub(super) papers: Vec<u8>,
}

impl Credit {
    /// Consents first: without one, no evidence is even asked for.
    pub(super) async fn gather(
        &self,
        supplier: &Slug,
        purpose: Purpose,
    ) -> Result<Gathered, ApplyError> {
        let papers = match &self.terms.consenting {
            Consenting::Waived(_) => None,
            Consenting::Asked(asked) => Some(self.papers(asked, supplier, purpose).await?),
        };
        let pack = self.evidence.evidence(supplier).await?;
        Ok(Gathered { pack, papers })
    }

    async fn papers(
        &self,
        asked: &Asked,
        supplier: &Slug,
        purpose: Purpose,
    ) -> Result<Papers, ApplyError> {
        let consents = self.evidence.consents(supplier, &asked.bank).await?;
        let remembered = self.store.remembered(supplier, &asked.bank).await?;
        if consents.is_empty() {
            let log = self.terms.policy.policy().log;
            let moment = remembered.moment(self.clock.now(), None);
            return Err(nothing_shown(log, supplier, asked, remembered, purpose, moment).into());
        }
        let own = Own {
            bank: asked.bank.clone(),
            remembered,
            code: asked.codes.get(supplier).cloned(),
            issuers: asked.issuers.as_ref().map(|list| list.text.clone()),
        };
        Ok(Papers::new(own, consents, self.held(supplier).await?))
    }

    async fn held(&self, supplier: &Slug) -> Result<Held, ApplyError> {
        let mut held = Held::default();
        for paper in self.store.held(supplier).await? {
            match paper.kind {
                PaperKind::Attestation => held.attestations.push(paper.bytes),
                PaperKind::Revocation => held.revocations.push(paper.bytes),
            }
        }
        Ok(held)
    }

    /// Verifies what was gathered and looks at the papers. What was seen of the consent is kept
    /// before anything is made of it, also where it is refused.
    pub(super) async fn readable(
        &self,
        gathered: Gathered,
        supplier: &Slug,
        purpose: Purpose,
        now: Instant,
    ) -> Result<(Readable, Vec<u8>), ApplyError> {
        let (terms, name) = (Arc::clone(&self.terms), supplier.clone());
        let work = tokio::task::spawn_blocking(move || open(&terms, gathered, &name, purpose, now));
        let (seen, result) = work.await.map_err(|_| ApplyError::Stopping)?;
        if let (Some(seen), Consenting::Asked(asked)) = (seen, &self.terms.consenting) {
            self.store.remember(supplier, &asked.bank, &seen).await?;
        }
        result
    }
}

/// An empty chain: there was never one, or an older state is shown.
pub(super) fn nothing_shown(
    log: Hash,
    supplier: &Slug,
    asked: &Asked,
    remembered: Remembered,
    purpose: Purpose,
    moment: Moment,
) -> Refused {
    let (supplier, bank) = (supplier.clone(), asked.bank.clone());
    let chain = Consents::new(log, supplier, bank, remembered.mark);
    match chain.in_force(&Need::whole(purpose), moment, |_| None) {
        Err(refused) => refused.into(),
        // An empty chain grants nothing.
        Ok(_) => Refused {
            class: crate::evidence::consent::NO_CONSENT.to_owned(),
            detail: "there is no consent".to_owned(),
        },
    }
}

type Opened = (Option<Remembered>, Result<(Readable, Vec<u8>), ApplyError>);

fn open(
    terms: &Terms,
    gathered: Gathered,
    supplier: &Slug,
    purpose: Purpose,
    now: Instant,
) -> Opened {
    let bundle = gathered.pack.bundle;
    let evidence = match verify(&bundle, &terms.policy) {
        Ok(evidence) => evidence,
        Err(refused) => return (None, Err(refused.into())),
    };
    if let Err(stale) = fresh(&evidence, now, terms.evidence_max_age) {
        return (None, Err(stale.into()));
    }
    let (Some(papers), Consenting::Asked(asked)) = (gathered.papers, &terms.consenting) else {
        let sources = None;
        return (None, Ok((Readable { evidence, sources }, bundle)));
    };
    let looked = papers.look(&Beside {
        bundle: &bundle,
        evidence: &evidence,
        policy: &terms.policy,
        supplier,
        purpose,
        now,
        weights: &asked.weights,
    });
    let allowed = looked.said.map_err(ApplyError::from).and_then(|said| {
        let (basis, attested) = said;
        let papers = papers.to_bytes();
        let papers = papers.map_err(crate::loan::decision::DecideError::from)?;
        Ok(Allowed {
            basis,
            attested,
            papers,
        })
    });
    let readable = allowed.map(|allowed| {
        let sources = Some(allowed);
        (Readable { evidence, sources }, bundle)
    });
    (looked.remembered, readable)
}
