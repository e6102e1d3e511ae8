//! Asking witnesses (C2SP `tlog-witness`, add-checkpoint).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use schemas::b64;
use schemas::key::PublicKey;
use schemas::note::{Line, Note};
use tokio::sync::mpsc;

use super::SharedTree;
use super::confirm::Says;
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

    /// Asks all at once about a head; each is heard as it answers.
    pub(super) async fn ask_each(
        &self,
        note: &Note,
        tree: &SharedTree,
        said: &mpsc::Sender<(String, Says)>,
    ) {
        join_all(self.witnesses.iter().map(|witness| async move {
            let answer = self.ask_one(witness, note, tree).await;
            self.remember(&witness.section.name, note, &answer);
            // Nobody listens any more once it is decided.
            let _ = said
                .send((witness.section.name.clone(), Says::of(&answer)))
                .await;
        }))
        .await;
    }

    /// Asks all at once what they know of a log of which there is no head yet. A witness of our
    /// kind says so; of another kind it can only be said that it answers.
    pub(super) async fn ask_what_is_known(
        &self,
        origin: &str,
        said: &mpsc::Sender<(String, Says)>,
    ) {
        join_all(self.witnesses.iter().map(|witness| async move {
            let says = match about(witness).await {
                Ok(text) => known_of(&text, origin),
                Err(_) => Says::Silent,
            };
            let _ = said.send((witness.section.name.clone(), says)).await;
        }))
        .await;
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

    /// Whether each witness answers with its own key for this log, in words. Where a checkpoint was
    /// published, it is asked to cosign that one again, which tells it nothing new; before the
    /// first one only what it says of itself can be compared.
    pub async fn probe(&self, published: Option<&[u8]>) -> Vec<(String, Result<String, Unfit>)> {
        let note = published.and_then(|bytes| Note::parse(bytes).ok());
        join_all(self.witnesses.iter().map(|witness| async {
            let answer = match &note {
                Some(note) => self.probe_published(witness, note).await,
                None => probe_about(witness).await,
            };
            (witness.section.name.clone(), answer)
        }))
        .await
    }

    async fn probe_published(&self, witness: &Asked, note: &Note) -> Result<String, Unfit> {
        let size = note.checkpoint.size;
        let section = &witness.section;
        let key =
            PublicKey::ed25519(&section.key.0).map_err(|error| Unfit::Wrong(error.to_string()))?;
        let body = format!("old {size}\n\n{}", String::from_utf8_lossy(&note.encode()));
        match post_to(witness, body).await {
            Ok(lines) => {
                let mut lines = lines.iter();
                let own = |line: &Line| note.check_cosignature(line, &section.name, &key);
                match lines.find_map(own) {
                    Some(_) => Ok(format!("cosigns size {size} with the key named here")),
                    None => Err(Unfit::Wrong(
                        "its cosignature is not by the key and name given here".into(),
                    )),
                }
            }
            // A service that runs beside may be ahead of the checkpoint that was read here.
            Err(Refusal::Knows(known)) if known != size => Ok(format!(
                "answers; it knows size {known}, the checkpoint here has {size}"
            )),
            Err(Refusal::Refused(404)) => Err(Unfit::Wrong("it does not know this log".into())),
            Err(Refusal::Refused(403)) => {
                let why = "it knows this log under another key";
                Err(Unfit::Wrong(why.into()))
            }
            Err(Refusal::Silent(why)) => Err(Unfit::Silent(why)),
            Err(refusal) => Err(Unfit::Wrong(refusal.to_string())),
        }
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
        post_to(witness, body).await
    }
}

async fn post_to(witness: &Asked, body: String) -> Result<Vec<Line>, Refusal> {
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

/// What a witness's own page says.
async fn about(witness: &Asked) -> Result<String, Unfit> {
    let silent = |error: reqwest::Error| Unfit::Silent(error.to_string());
    let asked = witness.client.get(&witness.section.url).send().await;
    asked.map_err(silent)?.text().await.map_err(silent)
}

/// What a witness of our kind says that it has cosigned: lines `ORIGIN SIZE ROOT`.
fn known_of(text: &str, origin: &str) -> Says {
    let sizes = text.lines().filter_map(|line| {
        let size = line.strip_prefix(origin)?.strip_prefix(' ')?;
        size.split(' ').next()?.parse::<u64>().ok()
    });
    match sizes.max() {
        Some(size) if size > 0 => Says::Contradicts(size),
        _ => Says::Confirmed,
    }
}

/// What a witness of our kind says of itself: `witness NAME KEY`.
async fn probe_about(witness: &Asked) -> Result<String, Unfit> {
    let section = &witness.section;
    let text = about(witness).await?;
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("witness"), Some(name), Some(key)) => {
            let key: Option<schemas::hash::Hash> = key.parse().ok();
            if name == section.name && key == Some(section.key) {
                Ok("answers with the name and key given here".into())
            } else {
                let why = format!("it is `{name}`, or has another key than given here");
                Err(Unfit::Wrong(why))
            }
        }
        _ => Ok("answers; its key can be compared once there is a checkpoint".into()),
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
