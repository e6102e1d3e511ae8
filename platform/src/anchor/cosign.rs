//! Asking witnesses (C2SP `tlog-witness`, add-checkpoint).
//!
//! A witness may be down, slow, or lie: nothing that it answers is believed unless it verifies
//! under its key over the very checkpoint that it was asked about, within limits of time and
//! length, from the address that the configuration names (no redirects). Once a quorum has
//! cosigned, the rest is waited for only shortly; who comes late is asked again next time, from
//! the size that it then says it knows.

mod heads;
mod probe;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use schemas::key::PublicKey;
use schemas::note::{Line, Note};
use schemas::time::Clock;

use super::SharedTree;
use crate::config::WitnessSection;
use crate::tls::{self, TlsError};

/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the others are waited for once a quorum has cosigned, where one of them answered the
/// last time.
const GRACE: Duration = Duration::from_millis(500);
/// The same where none of them did.
const GRACE_OF_SILENT: Duration = Duration::from_millis(200);
/// Every so many times all are waited for, so that a slow one is not left out for ever.
const PATIENT_EVERY: u32 = 16;
/// How far the time in a cosignature may be from ours: further off, it says nothing of when.
const CLOCK_SLACK: Duration = Duration::from_secs(3_600);

/// Why a witness did not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It did not answer, or not in its form.
    #[error("no usable answer: {0}")]
    Silent(String),
    /// It knows this size, which is beyond ours, or another root at ours.
    #[error("it knows size {0} of another history")]
    Knows(u64),
    /// It refused with this status.
    #[error("it refused with status {0}")]
    Refused(u16),
    /// It answered with signatures, none of which counts.
    #[error("its answer does not count: {0}")]
    Worthless(&'static str),
}

/// Witnesses cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum CosignerError {
    /// No HTTP client can be made.
    #[error("no HTTP client can be made")]
    Client(#[from] reqwest::Error),
    /// The authority that the configuration names for a witness is none.
    #[error("the authority of witness `{witness}` is not usable")]
    Authority {
        /// Which witness.
        witness: String,
        /// Why.
        #[source]
        source: TlsError,
    },
}

/// Why a witness would not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It cannot be reached; it may count later.
    #[error("no usable answer: {0}")]
    Silent(String),
    /// It is another one than the configuration says, or knows another log.
    #[error("{0}")]
    Wrong(String),
}

/// What is known of a witness, for health pages.
#[derive(Debug, Clone, serde::Serialize)]
pub struct WitnessState {
    /// Its name.
    pub name: String,
    /// Size that it last cosigned.
    pub size: u64,
    /// Why it did not cosign the last time, empty if it did.
    pub problem: String,
}

/// Client of all witnesses.
pub struct Cosigner {
    witnesses: Vec<Asked>,
    states: Mutex<BTreeMap<String, WitnessState>>,
    quorum: Option<usize>,
    clock: Option<Arc<dyn Clock>>,
    collected: AtomicU32,
}

/// A witness with the client that trusts its authority.
struct Asked {
    section: WitnessSection,
    client: reqwest::Client,
    /// None for bytes that are no key; such a witness never counts.
    key: Option<PublicKey>,
}

/// What one witness answered.
type Answer = (String, Result<Vec<Line>, Refusal>);

impl Cosigner {
    /// A client of these witnesses. It waits for all of them, and takes any time that they state.
    ///
    /// # Errors
    /// [`CosignerError`] when a client cannot be made.
    pub fn new(witnesses: Vec<WitnessSection>) -> Result<Self, CosignerError> {
        tls::install_provider();
        let common = builder().build()?;
        let asked = witnesses.into_iter().map(|section| {
            let client = match &section.ca {
                Some(ca) => under(ca, &section.name)?,
                None => common.clone(),
            };
            let key = PublicKey::ed25519(&section.key.0).ok();
            Ok(Asked {
                section,
                client,
                key,
            })
        });
        Ok(Self {
            witnesses: asked.collect::<Result<_, CosignerError>>()?,
            states: Mutex::default(),
            quorum: None,
            clock: None,
            collected: AtomicU32::new(0),
        })
    }

    /// Goes on once so many have cosigned; but waits for all where one of them is retiring, since
    /// not every signature then counts under every policy.
    #[must_use]
    pub fn with_quorum(self, quorum: u64) -> Self {
        let retiring = self.witnesses.iter().any(|one| one.section.retiring);
        let quorum = usize::try_from(quorum).ok();
        Self {
            quorum: quorum.filter(|_| !retiring),
            ..self
        }
    }

    /// Takes no cosignature whose time is far from this clock's.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock: Some(clock),
            ..self
        }
    }

    /// State of every witness that was asked, by name.
    #[must_use]
    pub fn states(&self) -> Vec<WitnessState> {
        self.states
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Asks all witnesses at once, and waits for all.
    pub async fn ask(&self, note: &Note, tree: &SharedTree) -> Vec<Answer> {
        join_all(
            self.witnesses
                .iter()
                .map(|one| self.answer(one, note, tree)),
        )
        .await
    }

    async fn answer(&self, witness: &Asked, note: &Note, tree: &SharedTree) -> Answer {
        let answer = self.ask_one(witness, note, tree).await;
        self.remember(&witness.section.name, note, &answer);
        (witness.section.name.clone(), answer)
    }

    /// The note with the cosignatures that could be had: a quorum and whoever is as fast, or
    /// whatever there is when all have answered or had their time.
    pub async fn collect(&self, mut note: Note, tree: &SharedTree) -> Note {
        let bare = note.clone();
        let before = self.silent();
        let mut waiting: BTreeSet<&str> = self
            .witnesses
            .iter()
            .map(|one| one.section.name.as_str())
            .collect();
        let mut asked: FuturesUnordered<_> = self
            .witnesses
            .iter()
            .map(|one| self.answer(one, &bare, tree))
            .collect();
        let times = self.collected.fetch_add(1, Ordering::Relaxed) + 1;
        let quorum = self.quorum.filter(|_| !times.is_multiple_of(PATIENT_EVERY));
        let (mut count, mut until) = (0, None);
        while let Some(answer) = next(&mut asked, until).await {
            let (name, answer) = answer;
            waiting.remove(name.as_str());
            match answer {
                Ok(lines) => {
                    note.lines.extend(lines);
                    count += 1;
                }
                Err(refusal) => tracing::warn!(witness = name, %refusal, "no cosignature"),
            }
            if until.is_none() && quorum.is_some_and(|quorum| count >= quorum) {
                let all_silent = waiting.iter().all(|name| before.contains(*name));
                let grace = if all_silent { GRACE_OF_SILENT } else { GRACE };
                until = Some(tokio::time::Instant::now() + grace);
            }
        }
        drop(asked);
        for name in waiting {
            let late = Refusal::Silent("later than the quorum".into());
            tracing::debug!(witness = name, "later than the quorum");
            self.remember(name, &bare, &Err(late));
        }
        note
    }

    /// Names of witnesses that did not cosign the last time.
    fn silent(&self) -> BTreeSet<String> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = states.values().filter(|state| !state.problem.is_empty());
        silent.map(|state| state.name.clone()).collect()
    }

    fn remember(&self, name: &str, note: &Note, answer: &Result<Vec<Line>, Refusal>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states
            .entry(name.to_owned())
            .or_insert_with(|| WitnessState {
                name: name.to_owned(),
                size: 0,
                problem: String::new(),
            });
        match answer {
            Ok(_) => {
                state.size = note.checkpoint.size;
                state.problem.clear();
            }
            Err(refusal) => state.problem = refusal.to_string(),
        }
    }

    fn known_size(&self, name: &str) -> u64 {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(name).map_or(0, |state| state.size)
    }

    /// Asks with the size that we believe the witness to have; if it names another, asks once more.
    /// It may name our own: then it has seen this checkpoint, and tells whether it was this root.
    async fn ask_one(
        &self,
        witness: &Asked,
        note: &Note,
        tree: &SharedTree,
    ) -> Result<Vec<Line>, Refusal> {
        let old = self.known_size(&witness.section.name);
        let lines = match post(witness, note, tree, old).await {
            Err(Refusal::Knows(size)) if size <= note.checkpoint.size && size != old => {
                post(witness, note, tree, size).await?
            }
            other => other?,
        };
        self.counting(witness, note, lines)
    }

    /// The witness's own line, if it verifies over this checkpoint and its time is not absurd.
    fn counting(
        &self,
        witness: &Asked,
        note: &Note,
        lines: Vec<Line>,
    ) -> Result<Vec<Line>, Refusal> {
        let none = Refusal::Worthless("no line of its name and key verifies over this checkpoint");
        let key = witness.key.as_ref().ok_or(none.clone())?;
        let own = |line: Line| {
            let seconds = note.check_cosignature(&line, &witness.section.name, key)?;
            Some((line, seconds))
        };
        let (line, seconds) = lines.into_iter().find_map(own).ok_or(none)?;
        if self.is_far(seconds) {
            return Err(Refusal::Worthless(
                "its time is more than an hour from the one here",
            ));
        }
        Ok(vec![line])
    }

    fn is_far(&self, seconds: u64) -> bool {
        let Some(clock) = &self.clock else {
            return false;
        };
        let (now, stated) = (clock.now(), i64::try_from(seconds).unwrap_or(i64::MAX));
        let slack = i64::try_from(CLOCK_SLACK.as_secs()).unwrap_or(i64::MAX);
        now.as_seconds().abs_diff(stated) > slack.unsigned_abs()
    }
}

/// The next answer, or none when all have answered or the time is over.
async fn next<F: Future<Output = Answer>>(
    asked: &mut FuturesUnordered<F>,
    until: Option<tokio::time::Instant>,
) -> Option<Answer> {
    match until {
        None => asked.next().await,
        Some(until) => tokio::time::timeout_at(until, asked.next())
            .await
            .ok()
            .flatten(),
    }
}

async fn post(
    witness: &Asked,
    note: &Note,
    tree: &SharedTree,
    old: u64,
) -> Result<Vec<Line>, Refusal> {
    let new = note.checkpoint.size;
    let proof = if old == 0 {
        Some(Vec::new())
    } else {
        tree.read(|tree| tree.consistency(old, new))
    };
    let proof = proof.ok_or(Refusal::Knows(old))?;
    wire::add_checkpoint(witness, wire::body(old, &proof, note)).await
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
}

/// A client that trusts one authority and nobody else.
fn under(ca_pem: &str, witness: &str) -> Result<reqwest::Client, CosignerError> {
    let config = tls::client_config(ca_pem).map_err(|source| CosignerError::Authority {
        witness: witness.to_owned(),
        source,
    })?;
    Ok(builder()
        .tls_backend_preconfigured(Arc::unwrap_or_clone(config))
        .build()?)
}

#[cfg(test)]
mod tests;
