//! The log's policy may change: a device that trusts an older one is led to the newest by the
//! hand-overs that the old policy's own keys signed (`schemas::log::PolicyChain`). What was followed
//! is kept with the enrolment and checked again at every start.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use schemas::log::{ChainError, Entry, Policy, PolicyChain};
use schemas::note::{Checkpoint, Note, NoteError};
use schemas::receipt::{Inclusion, InclusionError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Floor;
use crate::http::Client;
use crate::trust::Enrolment;

/// How often the platform is asked without a reason.
const EVERY: Duration = Duration::from_secs(3600);
/// Not more often than this, whatever the reason.
const AT_MOST: Duration = Duration::from_secs(10);

/// Policies from the claim's to the newest that is known here, shared; each former one with the
/// size at which it ended.
#[derive(Clone, Debug)]
pub struct Followed {
    known: Arc<RwLock<Known>>,
    ask: Arc<Notify>,
}

#[derive(Clone, Debug)]
struct Known {
    newest: Policy,
    former: Vec<(Policy, u64)>,
}

impl Followed {
    /// The claim's policy alone.
    #[must_use]
    pub fn only(policy: Policy) -> Self {
        let known = Known {
            newest: policy,
            former: Vec::new(),
        };
        Self {
            known: Arc::new(RwLock::new(known)),
            ask: Arc::default(),
        }
    }

    /// From the claim's policy along a chain.
    ///
    /// # Errors
    /// [`ChainError`]: it does not lead from there to its end.
    pub fn along(first: &[u8], chain: &PolicyChain) -> Result<Self, ChainError> {
        let (_, newest) = chain.follow(first)?;
        let followed = Self::only(newest);
        let mut policies = Vec::new();
        let begin = chain.policies.iter().skip_while(|link| link.entry != first);
        for link in begin {
            if let Ok(Entry::Policy(policy)) = Entry::parse(&link.entry) {
                policies.push((policy, link.index));
            }
        }
        let ends = policies.iter().skip(1).map(|(_, index)| *index);
        let former = policies.iter().zip(ends);
        let former = former.map(|((policy, _), end)| (policy.clone(), end));
        followed.write().former = former.collect();
        Ok(followed)
    }

    fn read(&self) -> Known {
        let known = self.known.read();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest policy.
    #[must_use]
    pub fn newest(&self) -> Policy {
        self.read().newest
    }

    /// All of them, the newest first.
    #[must_use]
    pub fn all(&self) -> Vec<Policy> {
        let known = self.read();
        let former = known.former.into_iter().rev().map(|(policy, _)| policy);
        std::iter::once(known.newest).chain(former).collect()
    }

    /// Those under which a checkpoint of this size may count: a former policy signs nothing behind
    /// its end.
    fn for_size(&self, size: u64) -> (Policy, Vec<Policy>) {
        let known = self.read();
        let former = known.former.into_iter().filter(|(_, end)| size <= *end);
        (known.newest, former.map(|(policy, _)| policy).collect())
    }

    /// Checks an inclusion under whichever policy its checkpoint may be; one that no known policy
    /// lets count is a reason to ask for a newer one.
    ///
    /// # Errors
    /// [`InclusionError`] under the newest policy.
    pub fn check_inclusion(&self, inclusion: &Inclusion) -> Result<Checkpoint, InclusionError> {
        let size = Note::parse(&inclusion.checkpoint)?.checkpoint.size;
        let (newest, former) = self.for_size(size);
        let outcome = first_good((&newest, &former[..]), |policy| inclusion.verify(policy));
        if outcome.is_err() {
            self.ask.notify_one();
        }
        Ok(outcome?.checkpoint)
    }

    /// Checks a kept checkpoint in the same way.
    ///
    /// # Errors
    /// [`NoteError`] under the newest policy.
    pub fn check_note(&self, note: &[u8]) -> Result<Checkpoint, NoteError> {
        let note = Note::parse(note)?;
        let (newest, former) = self.for_size(note.checkpoint.size);
        let good = first_good((&newest, &former[..]), |policy| note.check_served(policy));
        Ok(good?.checkpoint)
    }
}

/// The first success, or the first failure.
fn first_good<T, E>(
    (newest, former): (&Policy, &[Policy]),
    check: impl Fn(&Policy) -> Result<T, E>,
) -> Result<T, E> {
    check(newest).or_else(|error| {
        former
            .iter()
            .find_map(|policy| check(policy).ok())
            .ok_or(error)
    })
}

/// Asks the platform for the log's policies.
pub(crate) struct Follower {
    pub(crate) enrolment: Enrolment,
    pub(crate) policies: Followed,
    pub(crate) state: PathBuf,
    /// Certificates are judged by it where the system's clock is behind.
    pub(crate) floor: Floor,
}

impl Follower {
    /// Asks at the start, every hour, and when an inclusion does not count.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            let looked = tokio::select! {
                () = shutdown.cancelled() => return,
                looked = self.look() => looked,
            };
            if let Err(problem) = looked {
                tracing::debug!(%problem, "the log's policies were not read");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
                () = self.policies.ask.notified() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(AT_MOST) => {}
            }
        }
    }

    async fn look(&self) -> Result<(), String> {
        let Enrolment { platform, ca, .. } = &self.enrolment;
        let client = Client::new(platform, ca, self.floor.clone())?;
        let body = client.get("/v1/policies").await?.ok()?;
        let chain = PolicyChain::parse(&body).map_err(|error| error.to_string())?;
        let followed = Followed::along(&self.enrolment.policy, &chain);
        let followed = followed.map_err(|error| error.to_string())?;
        let (known, found) = (self.policies.read(), followed.read());
        // A chain that is shorter than the known one is an old answer.
        if found.former.len() <= known.former.len() {
            return Ok(());
        }
        let stored = Enrolment::change(&self.state, |kept| kept.policies = Some(chain));
        stored.map_err(|error| error.to_string())?;
        *self.policies.write() = found;
        tracing::info!("the log has a new policy, handed over by the one before");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use schemas::hash::Hash;
    use schemas::key::SecretKey;

    use super::*;
    use crate::http::tests::{NEXT_CENTURY, of_the_next_century};

    fn policy() -> Policy {
        let origin: schemas::ids::Origin = "log.example/t".parse().expect("origin");
        let key = SecretKey::from_seed(&[1; 32]);
        Policy {
            log: origin.log_id(&key.public_bytes()),
            origin,
            log_key: key.public(),
            witnesses: Vec::new(),
            quorum: 0,
            registrars: Vec::new(),
            prev: None,
            time: schemas::time::Instant::from_seconds(1),
        }
    }

    #[tokio::test]
    async fn the_platforms_certificate_is_judged_by_what_has_passed_for_certain() {
        let router = Router::new().route("/v1/policies", get(|| async { "no chain" }));
        let (platform, ca) = of_the_next_century(router).await;
        let enrolment = serde_json::json!({
            "log": Hash::ZERO, "origin": "log.example/t", "log_key": Hash::ZERO,
            "organisation": "qinghe",
            "record": "", "organisation_record": "", "receipt_record": "",
            "receipt_organisation_record": "", "policy": "",
            "platform": platform, "broker": "mqtt://127.0.0.1:1", "ca": ca,
            "username": "qinghe/line-1", "password": "",
        });
        let follower = |floor| Follower {
            enrolment: serde_json::from_value(enrolment.clone()).expect("enrolment"),
            policies: Followed::only(policy()),
            state: PathBuf::new(),
            floor,
        };
        let early = follower(Floor::default()).look().await.expect_err("early");
        assert!(early.contains("certificate"), "{early}");
        let read = follower(Floor::at(NEXT_CENTURY)).look().await;
        let read = read.expect_err("it serves no chain");
        assert!(!read.contains("certificate"), "{read}");
    }
}
