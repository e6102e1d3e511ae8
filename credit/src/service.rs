//! The use case: an application in, a decision out, everything in between verified.

mod late_deliveries;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::{Clock, Instant};
use tokio::sync::Semaphore;

use crate::evidence::verify::{Refused, TrustedPolicy, verify};
use crate::evidence::{EvidenceError, EvidencePack, EvidencePort, VerifiedEvidence};
use crate::facts::{Facts, FactsError, Rules};
use crate::lateness::Evaluation;
use crate::loan::decision::DecideError;
use crate::loan::{Application, ApplicationError, Product, Proven, Record, decide};
use crate::sandbox::Sandbox;
use crate::score::Model;
use crate::store::{Recorded, Refusal, StoreError, Tables};

pub use late_deliveries::LateDeliveries;

/// Applications whose evidence is verified at once; a pack may have 32 MiB.
const APPLICATIONS_AT_ONCE: usize = 4;

/// How often an application is decided anew because others took the room under the limit first.
const TRIES: usize = 64;

/// Why an application has no decision.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It cannot be looked at.
    #[error(transparent)]
    Application(#[from] ApplicationError),
    /// The same id was used for another application.
    #[error("application `{0}` was decided with other contents")]
    Conflict(String),
    /// No evidence came; try again. That none came is kept.
    #[error("no evidence came")]
    Evidence(#[from] EvidenceError),
    /// The evidence does not hold. The refusal is kept.
    #[error("the evidence is refused")]
    Refused(#[from] Refused),
    /// The evidence holds, but no facts can be read from it.
    #[error("no facts can be read from the evidence")]
    Facts(#[from] FactsError),
    /// The record cannot be written.
    #[error("nothing could be decided")]
    Decide(#[from] DecideError),
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Others kept taking the room under the limit; try again.
    #[error("the sandbox is too busy")]
    Busy,
    /// Verification was cut short by shutdown.
    #[error("the service is stopping")]
    Stopping,
}

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
}

/// The lending service.
pub struct Credit {
    terms: Arc<Terms>,
    store: Arc<dyn Tables>,
    evidence: Arc<dyn EvidencePort>,
    clock: Arc<dyn Clock>,
    room: Semaphore,
    evaluated: RwLock<Option<Arc<Evaluation>>>,
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
        }
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
        self.store.sandbox(&self.terms.sandbox).await
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
        let pack = self.evidence.evidence(&application.supplier).await;
        let now = self.clock.now();
        let read = match pack {
            Ok(pack) => self.read(pack, application.supplier.clone(), now).await,
            Err(error) => Err(error.into()),
        };
        match read {
            Ok(read) => self.decide(&application, &product, &read, now).await,
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
        let pack = self.evidence.evidence(supplier).await?;
        let read = self.read(pack, supplier.clone(), self.clock.now()).await?;
        Ok(read.facts)
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
        pack: EvidencePack,
        supplier: Slug,
        as_of: Instant,
    ) -> Result<Read, ApplyError> {
        let terms = Arc::clone(&self.terms);
        let work = tokio::task::spawn_blocking(move || {
            let evidence = verify(&pack.bundle, &terms.policy)?;
            fresh(&evidence, as_of, terms.evidence_max_age)?;
            let facts = Facts::read(&evidence, &supplier, as_of, terms.rules)?;
            let hash = sha256(&pack.bundle);
            let bundle = pack.bundle;
            Ok(Read {
                facts,
                hash,
                bundle,
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
        let proof = Proven {
            policy: terms.policy.hash(),
            evidence: Some(read.hash),
        };
        for _ in 0..TRIES {
            let sandbox = self.sandbox().await?;
            let record = decide(
                application,
                &read.facts,
                proof,
                &terms.model,
                product,
                &sandbox,
                now,
            )?;
            match self.store.record(&terms.sandbox, &record).await? {
                Recorded::New => return Ok(record),
                Recorded::Before(before) => return same(*before, application),
                Recorded::OverLimit => {}
            }
        }
        Err(ApplyError::Busy)
    }
}

fn same(before: Record, application: &Application) -> Result<Record, ApplyError> {
    if before.decision.application == *application {
        Ok(before)
    } else {
        Err(ApplyError::Conflict(application.application_id.to_string()))
    }
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
