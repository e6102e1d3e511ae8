//! The use case: an application in, a decision out, everything in between verified.

mod attested;
mod case;
mod consented;
mod error;
mod granted;
mod late_deliveries;
mod models;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use schemas::consent::Purpose;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::{Clock, Instant};
use tokio::sync::Semaphore;

use crate::evidence::papers::Basis;
use crate::evidence::verify::{Refused, TrustedPolicy};
use crate::evidence::{EvidenceError, EvidencePort, VerifiedEvidence};
use crate::facts::sources::Sources;
use crate::facts::{Facts, FactsError, Rules, With};
use crate::lateness::Evaluation;
use crate::loan::decision::decision_id;
use crate::loan::{Application, ApplicationError, Outcome, Product, Proven, Record, decide};
use crate::logged::Logged;
use crate::models::shadow::Shadows;
use crate::sandbox::Sandbox;
use crate::score::Model;
use crate::store::sandbox::{LendError, Offer};
use crate::store::{Recorded, Refusal, StoreError, Tables};
use crate::trials::{Lender, Office};

pub use attested::AttestError;
pub use case::{Lends, LendsOn};
pub use consented::{Asked, Consenting, IssuerList};
pub use error::ApplyError;
pub use granted::Granted;
pub use late_deliveries::LateDeliveries;

use consented::{Gathered, Readable};

/// Applications whose evidence is verified at once; a pack may have 32 MiB.
const APPLICATIONS_AT_ONCE: usize = 4;

/// How often an application is decided anew because others took the room under the limit first.
const TRIES: usize = 64;

/// Class of a refusal: the bank may not see this organisation's evidence.
pub const NOT_PERMITTED: &str = "not-permitted";
/// Class of a refusal: the evidence service did not answer, or not as it should.
pub const UNREACHABLE: &str = "unreachable";
/// Class of a refusal: the evidence holds, and no facts can be read from it.
pub const NO_FACTS: &str = "facts";

/// Evidence that holds, and what was read from it.
struct Read {
    facts: Facts,
    hash: Hash,
    bundle: Vec<u8>,
    basis: Option<Basis>,
    papers: Vec<u8>,
}

/// What the bank decides by.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The policy that evidence must be proven under.
    pub policy: TrustedPolicy,
    /// How facts are read.
    pub rules: Rules,
    /// Evidence whose checkpoint is older than this is refused.
    pub evidence_max_age: Duration,
    /// Products by name.
    pub products: BTreeMap<Slug, Product>,
    /// The sandbox that offers are made under.
    pub sandbox: Slug,
    /// The points table.
    pub model: Model,
    /// Whether suppliers must have signed a consent.
    pub consenting: Consenting,
}

/// The lending service.
pub struct Credit {
    terms: Arc<Terms>,
    store: Arc<dyn Tables>,
    evidence: Arc<dyn EvidencePort>,
    clock: Arc<dyn Clock>,
    room: Semaphore,
    evaluated: RwLock<Option<Arc<Evaluation>>>,
    lender: Option<Lender>,
    office: Option<Office>,
    lends: Lends,
    shadows: Shadows,
    logged: Option<Logged>,
}

impl Credit {
    /// A service over its store, its source of evidence and its clock.
    pub fn new(
        terms: Terms,
        store: Arc<dyn Tables>,
        evidence: Arc<dyn EvidencePort>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let room = Semaphore::new(APPLICATIONS_AT_ONCE);
        Self {
            terms: Arc::new(terms),
            store,
            evidence,
            clock,
            room,
            evaluated: RwLock::new(None),
            lender: None,
            office: None,
            lends: Lends::default(),
            shadows: Shadows::default(),
            logged: None,
        }
    }

    /// The same service, knowing what its products lend on.
    #[must_use]
    pub fn lending_on(self, lends: Lends) -> Self {
        Self { lends, ..self }
    }

    /// The same service, lending within a declared trial and nowhere else.
    #[must_use]
    pub fn within(mut self, office: Office) -> Self {
        self.lender = Some(office.lender());
        self.office = Some(office);
        self
    }

    /// The office of the declared trial, if there is one.
    #[must_use]
    pub const fn office(&self) -> Option<&Office> {
        self.office.as_ref()
    }

    /// What lends within the declared trial, if there is one.
    #[must_use]
    pub const fn lender(&self) -> Option<&Lender> {
        self.lender.as_ref()
    }

    /// What it keeps.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Tables> {
        &self.store
    }

    /// The policy that evidence must be proven under.
    #[must_use]
    pub fn policy(&self) -> &TrustedPolicy {
        &self.terms.policy
    }

    /// The sandbox's limits and use.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sandbox(&self) -> Result<Sandbox, StoreError> {
        let Some(lender) = &self.lender else {
            return self.store.sandbox(&self.terms.sandbox).await;
        };
        match lender.sandbox(self.clock.now()).await {
            Ok(sandbox) => Ok(sandbox),
            Err(LendError::Store(error)) => Err(error),
            Err(_) => Err(StoreError::NoLimits(self.terms.sandbox.clone())),
        }
    }

    /// Decides on an application, or answers with the decision that was made before.
    ///
    /// # Errors
    /// [`ApplyError`]; nothing is decided then, and the same application may be sent again.
    pub async fn apply(&self, application: Application) -> Result<Record, ApplyError> {
        let product = self.product(&application)?;
        if let Some(before) = self
            .store
            .of_application(&application.application_id)
            .await?
        {
            return same(before, &application);
        }
        let _room = self
            .room
            .acquire()
            .await
            .map_err(|_| ApplyError::Stopping)?;
        let gathered = self.gather(&application.supplier, Purpose::Assess).await;
        let now = self.clock.now();
        let read = match gathered {
            Ok(gathered) => self.read(gathered, &application.supplier, now).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(read) => {
                let record = self.decide(&application, &product, &read, now).await?;
                self.shadow(&record).await;
                Ok(record)
            }
            Err(error) => {
                self.keep_refusal(&application, &error, now).await?;
                Err(error)
            }
        }
    }

    /// Verified facts about a supplier as of now, without a decision.
    ///
    /// # Errors
    /// [`ApplyError`].
    pub async fn facts_of(&self, supplier: &Slug) -> Result<Facts, ApplyError> {
        let _room = self
            .room
            .acquire()
            .await
            .map_err(|_| ApplyError::Stopping)?;
        let gathered = self.gather(supplier, Purpose::Assess).await?;
        let read = self.read(gathered, supplier, self.clock.now()).await?;
        Ok(read.facts)
    }

    /// Verified evidence of an organisation, no older than what an application may rest on, with its
    /// bytes.
    ///
    /// # Errors
    /// [`ApplyError`].
    pub async fn verified(
        &self,
        organisation: &Slug,
    ) -> Result<(VerifiedEvidence, Vec<u8>), ApplyError> {
        let _room = self
            .room
            .acquire()
            .await
            .map_err(|_| ApplyError::Stopping)?;
        let now = self.clock.now();
        let gathered = self.gather(organisation, Purpose::Assess).await?;
        let read = self.readable(gathered, organisation, Purpose::Assess, now);
        let (readable, bundle) = read.await?;
        Ok((readable.evidence, bundle))
    }

    /// How facts are read.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.terms.rules
    }

    fn product(&self, application: &Application) -> Result<Product, ApplicationError> {
        let unknown = || ApplicationError::Product(application.product.clone());
        let product = self
            .terms
            .products
            .get(&application.product)
            .ok_or_else(unknown)?;
        application.fits(product)?;
        Ok(product.clone())
    }

    /// Verification and facts cost processor time: they run beside the event loop.
    async fn read(
        &self,
        gathered: Gathered,
        supplier: &Slug,
        as_of: Instant,
    ) -> Result<Read, ApplyError> {
        let readable = self.readable(gathered, supplier, Purpose::Assess, as_of);
        let (readable, bundle) = readable.await?;
        let (terms, supplier) = (Arc::clone(&self.terms), supplier.clone());
        let work = tokio::task::spawn_blocking(move || {
            let facts = facts_of(&terms, &readable, &supplier, as_of)?;
            let (basis, papers) = match readable.sources {
                Some(allowed) => (Some(allowed.basis), allowed.papers),
                None => (None, Vec::new()),
            };
            Ok(Read {
                facts,
                hash: sha256(&bundle),
                bundle,
                basis,
                papers,
            })
        });
        work.await.map_err(|_| ApplyError::Stopping)?
    }

    /// An application that could not be looked at must not look as if nobody had sent it.
    async fn keep_refusal(
        &self,
        application: &Application,
        error: &ApplyError,
        refused_at: Instant,
    ) -> Result<(), StoreError> {
        let (class, detail) = match error {
            ApplyError::Refused(refused) => (refused.class.as_str(), refused.detail.clone()),
            ApplyError::Evidence(error @ EvidenceError::Unknown(_)) => {
                (NOT_PERMITTED, error.to_string())
            }
            ApplyError::Evidence(error @ EvidenceError::Consent { class, .. }) => {
                (class.as_str(), error.to_string())
            }
            ApplyError::Evidence(error) => (UNREACHABLE, error.to_string()),
            ApplyError::Facts(error) => (NO_FACTS, error.to_string()),
            _ => return Ok(()),
        };
        let refusal = Refusal {
            application_id: application.application_id.clone(),
            supplier: application.supplier.clone(),
            refused_at,
            class: class.to_owned(),
            detail,
        };
        self.store.refuse(&refusal).await
    }

    async fn decide(
        &self,
        application: &Application,
        product: &Product,
        read: &Read,
        now: Instant,
    ) -> Result<Record, ApplyError> {
        let terms = &self.terms;
        self.store.keep_evidence(&read.hash, &read.bundle).await?;
        if let Some(basis) = &read.basis {
            self.store
                .keep_evidence(&basis.papers, &read.papers)
                .await?;
        }
        let proof = Proven {
            policy: terms.policy.hash(),
            evidence: Some(read.hash),
            basis: read.basis.clone(),
            books: None,
        };
        if let Some(lender) = &self.lender {
            let given = (application, product, read, proof);
            return self.decide_within(lender, given, now).await;
        }
        for _ in 0..TRIES {
            let sandbox = self.sandbox().await?;
            let given = (application, product, read, &proof);
            let record = self.record_of(given, &sandbox, now).await?;
            match self.store.record(&terms.sandbox, &record).await? {
                Recorded::New => return Ok(case::kept(record)),
                Recorded::Before(before) => return same(*before, application),
                Recorded::OverLimit | Recorded::Overtaken => {}
            }
        }
        Err(ApplyError::Busy)
    }

    /// Decides within a declared trial: an offer is kept with its room, and what stands against
    /// every offer is said before one is made.
    async fn decide_within(
        &self,
        lender: &Lender,
        (application, product, read, proof): (&Application, &Product, &Read, Proven),
        now: Instant,
    ) -> Result<Record, ApplyError> {
        let id = decision_id(&application.application_id);
        for _ in 0..TRIES {
            let footing = lender.footing().await?;
            let asked = (id.as_str(), &application.supplier);
            let mut request = lender.request(&footing, asked, application.requested, now)?;
            // Who pays is the application's word; the configuration's where it names nobody alone.
            if let Some(payer) = application.declared.payer() {
                request.buyer = payer.clone();
            }
            let sandbox = lender.reading(&footing, &request, now).await?;
            let given = (application, product, read, &proof);
            let record = self.record_of(given, &sandbox, now).await?;
            let kept = match record.decision.outcome {
                Outcome::Offer { amount } => {
                    request.amount = amount;
                    lender.offer(&footing, &request, &record, now).await?
                }
                Outcome::Decline => self.keep_decline(&record).await?,
            };
            match kept {
                Offer::New => return Ok(case::kept(record)),
                Offer::Before(before) => return same(*before, application),
                Offer::Again => {}
            }
        }
        Err(ApplyError::Busy)
    }

    /// One try: the books as they are now, and the decision with what stands beside it.
    async fn record_of(
        &self,
        (application, product, read, proof): (&Application, &Product, &Read, &Proven),
        sandbox: &Sandbox,
        now: Instant,
    ) -> Result<Record, ApplyError> {
        let opened = self.books(application, &read.facts).await?;
        let (books, uses) = opened.into_parts();
        let proof = Proven {
            books: Some(books),
            ..proof.clone()
        };
        let (facts, model) = (&read.facts, &self.terms.model);
        let record = decide(application, facts, proof, model, product, sandbox, now)?;
        Ok(case::with_beside(record, uses, product))
    }

    async fn keep_decline(&self, record: &Record) -> Result<Offer, StoreError> {
        let recorded = self.store.record(&self.terms.sandbox, record).await?;
        Ok(match recorded {
            Recorded::New => Offer::New,
            Recorded::Before(before) => Offer::Before(before),
            Recorded::OverLimit | Recorded::Overtaken => Offer::Again,
        })
    }
}

fn same(before: Record, application: &Application) -> Result<Record, ApplyError> {
    if before.decision.application == *application {
        Ok(before)
    } else {
        Err(ApplyError::Conflict(application.application_id.to_string()))
    }
}

/// Facts of evidence that may be read, with what its sources weigh where a consent was asked for.
fn facts_of(
    terms: &Terms,
    readable: &Readable,
    supplier: &Slug,
    as_of: Instant,
) -> Result<Facts, FactsError> {
    let evidence = &readable.evidence;
    let sources = match (&readable.sources, &terms.consenting) {
        (Some(allowed), Consenting::Asked(asked)) => {
            let sources = Sources {
                weights: &asked.weights,
                attested: &allowed.attested,
            };
            Some(sources)
        }
        _ => None,
    };
    let with = With {
        sources,
        trade: true,
    };
    Facts::read_all(evidence, supplier, as_of, terms.rules, with)
}

/// An old checkpoint would hide what happened since.
fn fresh(evidence: &VerifiedEvidence, now: Instant, max_age: Duration) -> Result<(), Refused> {
    if now.since(evidence.anchored) <= max_age {
        return Ok(());
    }
    Err(Refused {
        class: "stale".to_owned(),
        detail: format!(
            "the checkpoint was witnessed at {}, too long ago",
            evidence.anchored
        ),
    })
}

#[cfg(test)]
mod tests;
