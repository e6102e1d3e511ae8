//! Whether this process takes statements from the broker now: somebody leads, and the lease on this
//! process's shard is its own. Of two processes with one shard, and so with one session at the
//! broker, only one is on duty.

mod adopt;

pub use adopt::Adoption;

use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::anchor::{Lease, NotaryError};
use crate::standing::Standing;

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
                    // Whoever has it keeps it until its end. Then a leader that still has the store
                    // adopts the session, and the two must not take it from each other.
                    if lease.is_over() {
                        duty.set(false);
                    }
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

#[cfg(test)]
mod tests {
    use kit::clock::TokioClock;

    use super::*;
    use crate::standing::Stand;
    use crate::store::NotaryStore;
    use crate::store::sqlite::SqliteStore;

    const DEADLINE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn duty_ends_with_the_lease_when_the_store_is_away() {
        let place = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&place.path().join("db")).await.unwrap();
        let (standing, shutdown) = (Standing::default(), CancellationToken::new());
        standing.set(Stand::Worker);
        let lease = Lease::new(
            Arc::new(store.clone()) as Arc<dyn NotaryStore>,
            Arc::new(TokioClock),
            &lease_name(1),
            "this process".to_owned(),
            Duration::from_millis(600),
        );
        let duty = Duty::default();
        let keeping = keep(duty.clone(), Arc::new(lease), standing, shutdown.clone());
        let keeping = tokio::spawn(keeping);
        let term = tokio::time::timeout(DEADLINE, duty.begun()).await.unwrap();
        store.close().await;
        let over = tokio::time::timeout(DEADLINE, duty.over(term)).await;
        over.expect("it is on duty without a lease");
        shutdown.cancel();
        keeping.await.unwrap();
    }

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
