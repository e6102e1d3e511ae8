//! Asking witnesses (C2SP `tlog-witness`, add-checkpoint).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use schemas::b64;
use schemas::note::{Line, Note};

use super::SharedTree;
use crate::config::WitnessSection;
use crate::tls::{self, TlsError};

/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer in bytes.
const ANSWER_MAX: usize = 16_384;

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
}

/// A witness with the client that trusts its authority.
struct Asked {
    section: WitnessSection,
    client: reqwest::Client,
}

impl Cosigner {
    /// A client of these witnesses.
    ///
    /// # Errors
    /// [`CosignerError`] when a client cannot be made.
    pub fn new(witnesses: Vec<WitnessSection>) -> Result<Self, CosignerError> {
        tls::install_provider();
        let common = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let asked = witnesses.into_iter().map(|section| {
            let client = match &section.ca {
                Some(ca) => under(ca, &section.name)?,
                None => common.clone(),
            };
            Ok(Asked { section, client })
        });
        Ok(Self {
            witnesses: asked.collect::<Result<_, CosignerError>>()?,
            states: Mutex::default(),
        })
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

    /// Asks all witnesses at once.
    pub async fn ask(
        &self,
        note: &Note,
        tree: &SharedTree,
    ) -> Vec<(String, Result<Vec<Line>, Refusal>)> {
        join_all(self.witnesses.iter().map(|witness| async move {
            let answer = self.ask_one(witness, note, tree).await;
            self.remember(&witness.section.name, note, &answer);
            (witness.section.name.clone(), answer)
        }))
        .await
    }

    /// The note with every cosignature that could be had.
    pub async fn collect(&self, mut note: Note, tree: &SharedTree) -> Note {
        for (name, answer) in self.ask(&note, tree).await {
            match answer {
                Ok(lines) => note
                    .lines
                    .extend(lines.into_iter().filter(|line| line.name == name)),
                Err(refusal) => tracing::warn!(witness = name, %refusal, "no cosignature"),
            }
        }
        note
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
        match self
            .post(witness, note, tree, self.known_size(&witness.section.name))
            .await
        {
            Err(Refusal::Knows(size)) if size <= note.checkpoint.size => {
                self.post(witness, note, tree, size).await
            }
            other => other,
        }
    }

    async fn post(
        &self,
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
        let mut body = format!("old {old}\n");
        for hash in proof {
            body.push_str(&b64::encode(&hash.0));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(&String::from_utf8_lossy(&note.encode()));
        let url = format!(
            "{}/add-checkpoint",
            witness.section.url.trim_end_matches('/')
        );
        let silent = |error: reqwest::Error| Refusal::Silent(error.to_string());
        let answer = witness
            .client
            .post(url)
            .body(body)
            .send()
            .await
            .map_err(silent)?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(silent)?;
        read_answer(status, &text)
    }
}

/// A client that trusts one authority and nobody else.
fn under(ca_pem: &str, witness: &str) -> Result<reqwest::Client, CosignerError> {
    let config = tls::client_config(ca_pem).map_err(|source| CosignerError::Authority {
        witness: witness.to_owned(),
        source,
    })?;
    let builder = reqwest::Client::builder().timeout(PATIENCE);
    Ok(builder
        .tls_backend_preconfigured(std::sync::Arc::unwrap_or_clone(config))
        .build()?)
}

fn read_answer(status: u16, text: &str) -> Result<Vec<Line>, Refusal> {
    if text.len() > ANSWER_MAX {
        return Err(Refusal::Silent("answer too long".into()));
    }
    match status {
        200 => text
            .lines()
            .map(Line::parse)
            .collect::<Result<_, _>>()
            .map_err(|error| Refusal::Silent(error.to_string())),
        409 => match text.trim().parse() {
            Ok(size) => Err(Refusal::Knows(size)),
            Err(_) => Err(Refusal::Refused(409)),
        },
        other => Err(Refusal::Refused(other)),
    }
}
