//! Whether this process takes statements from the broker now: somebody leads, and the lease on this
//! process's shard is its own. Of two processes with one shard, and so with one session at the
//! broker, only one is on duty.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use schemas::time::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::anchor::{Lease, NotaryError};
use crate::ingest::{self, Ingest};
use crate::link::{self, LinkConfig, LinkError};
use crate::standing::Standing;
use crate::store::{NotaryStore, StoreError};

/// How often a leader looks for sessions whose processes are gone.
const ADOPT_LOOK: Duration = Duration::from_secs(1);
/// Groups on their way for an adopted session; it is one of several.
const ADOPT_WORKERS: usize = 2;

/// How often a process asks for a shard that another one has.
const LOOK: Duration = Duration::from_millis(250);

/// Name of the lease on a shard.
#[must_use]
pub fn lease_name(shard: u64) -> String {
    format!("shard-{shard}")
}

/// The shard of a lease with this name.
#[must_use]
pub fn shard_of(lease: &str) -> Option<u64> {
    lease.strip_prefix("shard-")?.parse().ok()
}

/// On duty or not, shared; clones are the same. Each time on duty has a term of its own.
#[derive(Clone, Debug)]
pub struct Duty(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    term: u64,
    on: bool,
}

impl Default for Duty {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }
}

impl Duty {
    /// The term, while on duty.
    #[must_use]
    pub fn term(&self) -> Option<u64> {
        let State { term, on } = *self.0.borrow();
        on.then_some(term)
    }

    /// Waits until on duty; the term.
    pub async fn begun(&self) -> u64 {
        let mut seen = self.0.subscribe();
        // The sender lives as long as `self`.
        let state = seen.wait_for(|state| state.on).await;
        state.map_or(0, |state| state.term)
    }

    /// Waits until a term is over.
    pub async fn over(&self, term: u64) {
        let mut seen = self.0.subscribe();
        let _ = seen.wait_for(|state| !state.on || state.term != term).await;
    }

    /// Says whether this process is on duty.
    pub fn set(&self, on: bool) {
        self.0.send_if_modified(|state| {
            let changed = state.on != on;
            if changed {
                state.on = on;
                state.term += u64::from(on);
                tracing::info!(on, "duty at the broker");
            }
            changed
        });
    }
}

/// Takes the lease on the shard while somebody leads, and keeps it, until `shutdown`. It is not given
/// back here: what waits at the broker is this process's until its link has ended.
pub async fn keep(duty: Duty, lease: Arc<Lease>, standing: Standing, shutdown: CancellationToken) {
    loop {
        let stand = standing.now();
        let mut wait = LOOK;
        if standing.is_led() {
            match lease.take().await {
                Ok(()) => {
                    duty.set(true);
                    wait = lease.time() / 3;
                }
                Err(NotaryError::Store(error)) => {
                    // Whoever has it keeps it until its end; without a store nothing is taken anyway.
                    tracing::warn!(
                        error = causes(&error),
                        "the lease on the shard was not renewed"
                    );
                }
                Err(_) => duty.set(false),
            }
        } else {
            duty.set(false);
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = standing.changed(stand) => {}
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_time_on_duty_is_another_term() {
        let duty = Duty::default();
        assert_eq!(duty.term(), None);
        duty.set(true);
        let first = duty.begun().await;
        duty.set(true);
        assert_eq!(duty.term(), Some(first));
        duty.set(false);
        duty.over(first).await;
        assert_eq!(duty.term(), None);
        duty.set(true);
        // It was over, though nobody looked meanwhile.
        duty.over(first).await;
        assert_ne!(duty.begun().await, first);
    }

    #[test]
    fn names_of_leases() {
        assert_eq!(shard_of(&lease_name(7)), Some(7));
        assert_eq!(shard_of("log"), None);
    }
}
