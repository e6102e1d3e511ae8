//! The model of late delivery over all suppliers, from evidence that was verified here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use schemas::consent::Purpose;
use schemas::ids::Slug;

use super::{ApplyError, Credit};
use crate::facts::FactsError;
use crate::lateness::evaluation::BOOTSTRAP;
use crate::lateness::{self, Artefact, Evaluation, Scored};

/// An evaluation and what it was made from.
#[derive(Clone, Debug)]
pub struct LateDeliveries {
    /// The figures.
    pub evaluation: Arc<Evaluation>,
    /// Every delivery of the test with its prediction.
    pub scored: Vec<Scored>,
    /// Bytes of all bundles that were verified, one for each supplier.
    pub evidence_bytes: u64,
}

impl Credit {
    /// Verifies the evidence of all these suppliers, who must have consented to its use for models,
    /// and evaluates the model of late delivery over it, as of now. What comes of it is shown until the service ends or it is evaluated again.
    ///
    /// # Errors
    /// [`ApplyError`] at the first supplier whose evidence does not come or does not hold.
    pub async fn evaluate_late_deliveries(
        &self,
        suppliers: &[Slug],
    ) -> Result<LateDeliveries, ApplyError> {
        let now = self.clock.now();
        let (mut orders, mut origins, mut evidence_bytes) = (BTreeMap::new(), BTreeSet::new(), 0);
        for supplier in suppliers {
            let gathered = self.gather(supplier, Purpose::Model).await?;
            evidence_bytes += gathered.pack.bundle.len() as u64;
            let readable = self.readable(gathered, supplier, Purpose::Model, now);
            let (readable, _) = readable.await?;
            let name = supplier.clone();
            let work = tokio::task::spawn_blocking(move || {
                let evidence = readable.evidence;
                (lateness::read(&evidence, &name, now), evidence.origin)
            });
            let (read, origin) = work.await.map_err(|_| ApplyError::Stopping)?;
            orders.insert(supplier.clone(), read);
            origins.insert(origin);
        }
        let artefact = Artefact::built_in().map_err(FactsError::from)?;
        let work = tokio::task::spawn_blocking(move || {
            let origins = origins.into_iter().collect();
            lateness::evaluate(&orders, origins, &artefact, now, BOOTSTRAP)
        });
        let (evaluation, scored) = work.await.map_err(|_| ApplyError::Stopping)?;
        let evaluation = Arc::new(evaluation);
        let mut kept = self
            .evaluated
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Arc::clone(&evaluation));
        drop(kept);
        Ok(LateDeliveries {
            evaluation,
            scored,
            evidence_bytes,
        })
    }

    /// The newest evaluation, if there was one since the service started.
    #[must_use]
    pub fn late_deliveries(&self) -> Option<Arc<Evaluation>> {
        let kept = self
            .evaluated
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }
}
