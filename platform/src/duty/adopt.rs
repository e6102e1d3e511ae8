//! Sessions at the broker whose processes are gone: the leader takes their messages until they are
//! back.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use schemas::time::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Duty, shard_of};
use crate::ingest::{self, Ingest};
use crate::link::{self, LinkConfig, LinkError};
use crate::standing::Standing;
use crate::store::{NotaryStore, StoreError};

/// How often a leader looks for sessions whose processes are gone.
const ADOPT_LOOK: Duration = Duration::from_secs(1);
/// Groups on their way for an adopted session; it is one of several.
const ADOPT_WORKERS: usize = 2;

/// Sessions at the broker whose processes are gone, taken by the leader until they are back.
pub struct Adoption {
    /// Leases.
    pub store: Arc<dyn NotaryStore>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Only a leader adopts.
    pub standing: Standing,
    /// This process's own shard.
    pub shard: u64,
    /// How to reach the broker, as this process itself does.
    pub link: LinkConfig,
    /// Write path.
    pub ingest: Arc<Ingest>,
}

/// An adopted session.
struct Adopted {
    ends: CancellationToken,
    worker: JoinHandle<()>,
}

impl Adoption {
    /// Looks after sessions until `shutdown`; what was taken is finished first.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut adopted: BTreeMap<u64, Adopted> = BTreeMap::new();
        loop {
            if let Err(error) = self.look(&mut adopted).await {
                tracing::warn!(
                    error = causes(&error),
                    "leases of other processes are not known"
                );
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(ADOPT_LOOK) => {}
            }
        }
        for (_, one) in adopted {
            one.end().await;
        }
    }

    async fn look(&self, adopted: &mut BTreeMap<u64, Adopted>) -> Result<(), StoreError> {
        let mut orphans = BTreeSet::new();
        if self.standing.fence().is_some() {
            let now = self.clock.now();
            for (name, until) in self.store.leases().await? {
                let shard = shard_of(&name).filter(|shard| *shard != self.shard);
                orphans.extend(shard.filter(|_| until < now));
            }
        }
        let back: Vec<u64> = adopted
            .keys()
            .copied()
            .filter(|one| !orphans.contains(one))
            .collect();
        for shard in back {
            if let Some(one) = adopted.remove(&shard) {
                tracing::info!(shard, "the process of this shard is back");
                one.end().await;
            }
        }
        for shard in orphans {
            if let Entry::Vacant(place) = adopted.entry(shard) {
                match self.adopt(shard) {
                    Ok(one) => {
                        tracing::warn!(
                            shard,
                            "the process of this shard is gone; taking its messages"
                        );
                        place.insert(one);
                    }
                    Err(error) => tracing::error!(shard, error = causes(&error), "not taken over"),
                }
            }
        }
        metrics::gauge!("tracebond_adopted_sessions").set(adopted.len() as f64);
        Ok(())
    }

    fn adopt(&self, shard: u64) -> Result<Adopted, LinkError> {
        let (ends, duty) = (CancellationToken::new(), Duty::default());
        duty.set(true);
        let config = LinkConfig {
            client_id: link::client_id(shard),
            ..self.link.clone()
        };
        let (link, deliveries) = link::start(config, ends.clone())?;
        let ingest = Arc::clone(&self.ingest);
        let work = ingest::run(ingest, link, duty, deliveries, ADOPT_WORKERS, ends.clone());
        let worker = tokio::spawn(work);
        Ok(Adopted { ends, worker })
    }
}

impl Adopted {
    async fn end(self) {
        self.ends.cancel();
        if self.worker.await.is_err() {
            tracing::error!("a worker of an adopted session has failed");
        }
    }
}
