//! A witness (`log.md` section 8; C2SP `tlog-witness`): cosigns what is consistent with what it has
//! cosigned before, and refuses everything else.
//!
//! It remembers one checkpoint for each origin in a file, written and synced before it answers,
//! so that not even a crash makes it cosign two histories. A note that shows another history is
//! kept for ever, beside the one that it contradicts, and shown on the witness's page. The
//! witness serves the verifier page too, from an origin that is not the platform's.
//!
//! The notes of any C2SP log are read ([`schemas::note::open`]). One request at a time is judged:
//! comparing with what is known and remembering the new checkpoint are one step under one lock,
//! on a thread that goes on when the client has gone.

mod evidence;
mod memory;
mod page;
mod request;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kit::serve::{ServeError, Served};
use schemas::hash::{Hash, sha256};
use schemas::ids::Origin;
use schemas::key::{PublicKey, SecretKey};
use schemas::note::open::OpenNote;
use schemas::time::Clock;
use schemas::tlog::verify_consistency;
use tokio_util::sync::CancellationToken;

use crate::files::{Disk, Files};
use evidence::{Evidence, Kept, Kind};
use memory::{Known, Memory};
pub(crate) use page::ABOUT_MAX;
use request::{BODY_MAX, Request};

/// What a witness is.
#[derive(Clone)]
pub struct WitnessConfig {
    /// Its name in cosignatures.
    pub name: String,
    /// Its key.
    pub key: SecretKey,
    /// Logs that it cosigns: origin and log key. One origin may stand several times, each time
    /// with another key that may sign its checkpoints (a log key that is followed by another).
    pub logs: Vec<(Origin, PublicKey)>,
    /// Its memory; evidence is kept in a folder beside it, of the same name with the ending
    /// `evidence`.
    pub file: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// HTTPS where given, else plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// A witness that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Its memory cannot be read, or another process holds it: it must not start without.
    #[error("the witness's memory {file} cannot be read")]
    Memory {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot listen.
    #[error("the witness cannot listen")]
    Serve(#[from] ServeError),
}

struct Witness {
    config: WitnessConfig,
    clock: Arc<dyn Clock>,
    state: Mutex<Remembered>,
}

struct Remembered {
    memory: Memory,
    kept: Kept,
}

/// Why a checkpoint is not cosigned, with the HTTP status of the protocol.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Malformed,
    UnknownLog,
    LogSignature,
    OldAboveNew,
    Conflict(u64),
    Fork(u64),
    Inconsistent,
    Memory,
}

impl Refusal {
    /// Value of the label `outcome`.
    const fn outcome(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownLog => "unknown-log",
            Self::LogSignature => "log-signature",
            Self::OldAboveNew => "old-above-new",
            Self::Conflict(_) => "conflict",
            Self::Fork(_) => "fork",
            Self::Inconsistent => "inconsistent",
            Self::Memory => "memory",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let plain = |status, text: &'static str| (status, text).into_response();
        match self {
            Self::Malformed => plain(StatusCode::BAD_REQUEST, "the request is malformed\n"),
            Self::UnknownLog => plain(StatusCode::NOT_FOUND, "unknown log\n"),
            Self::LogSignature => plain(StatusCode::FORBIDDEN, "no valid signature of the log\n"),
            Self::OldAboveNew => plain(
                StatusCode::BAD_REQUEST,
                "old is above the checkpoint's size\n",
            ),
            Self::Conflict(size) | Self::Fork(size) => {
                let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
                (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response()
            }
            Self::Inconsistent => plain(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the proof does not hold\n",
            ),
            Self::Memory => plain(StatusCode::INTERNAL_SERVER_ERROR, "nothing was signed\n"),
        }
    }
}

/// Runs a witness until `shutdown`.
///
/// # Errors
/// [`WitnessError`].
pub async fn run(
    config: WitnessConfig,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<Served, WitnessError> {
    run_on(config, Arc::new(Disk), clock, shutdown).await
}

/// The same with its memory through other calls than the operating system's own.
///
/// # Errors
/// [`WitnessError`].
pub async fn run_on(
    config: WitnessConfig,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<Served, WitnessError> {
    let (listen, tls) = (config.listen, config.tls.clone());
    let witness = Arc::new(Witness::open(config, files, clock).await?);
    let pages = Router::new()
        .route("/", get(page::about))
        .route("/evidence/{name}", get(page::evidence))
        .route("/assets/icon.svg", get(page::icon))
        .layer(map_response(kit::page::secure));
    let (verifier, _) = kit::verifier::routes().into_parts();
    let router = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .merge(pages)
        .merge(verifier)
        .with_state(witness);
    Ok(kit::serve::serve(router, listen, tls, shutdown).await?)
}

/// `POST /add-checkpoint`.
async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: axum::body::Bytes) -> Response {
    let name = witness.config.name.clone();
    let judged = tokio::task::spawn_blocking(move || witness.cosign(&body)).await;
    let answer = judged.unwrap_or(Err(Refusal::Memory));
    let outcome = answer
        .as_ref()
        .map_or_else(Refusal::outcome, |_| "cosigned");
    metrics::counter!("tracebond_witness_answers_total", "witness" => name.clone(), "outcome" => outcome)
        .increment(1);
    match answer {
        Ok(line) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], line).into_response(),
        Err(refusal) => {
            match &refusal {
                // How a log that starts anew learns what the witness knows.
                Refusal::Conflict(size) => tracing::debug!(name, size, "told what it has cosigned"),
                Refusal::Fork(_) => {}
                other => tracing::warn!(name, refusal = ?other, "checkpoint refused"),
            }
            refusal.into_response()
        }
    }
}

impl Witness {
    async fn open(
        config: WitnessConfig,
        files: Arc<dyn Files>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WitnessError> {
        let failed = |source| WitnessError::Memory {
            file: config.file.clone(),
            source,
        };
        let memory = Memory::open(&config.file, files, memory::PATIENCE)
            .await
            .map_err(failed)?;
        let kept = Kept::open(&config.file).map_err(failed)?;
        let state = Mutex::new(Remembered { memory, kept });
        let witness = Self {
            config,
            clock,
            state,
        };
        witness.count_forks(&witness.state().kept);
        Ok(witness)
    }

    fn state(&self) -> MutexGuard<'_, Remembered> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_forks(&self, kept: &Kept) {
        let name = self.config.name.clone();
        metrics::gauge!("tracebond_witness_forks", "witness" => name).set(kept.forks() as f64);
    }

    fn keys_of(&self, origin: &str) -> Vec<PublicKey> {
        let of = |(known, _): &&(Origin, PublicKey)| known.as_str() == origin;
        let keys = self.config.logs.iter().filter(of);
        keys.map(|(_, key)| key.clone()).collect()
    }

    /// The checks of `add-checkpoint` in their order, and the signature line.
    fn cosign(&self, body: &[u8]) -> Result<String, Refusal> {
        let request = Request::parse(body).ok_or(Refusal::Malformed)?;
        let note = &request.note;
        let keys = self.keys_of(&note.origin);
        if keys.is_empty() {
            return Err(Refusal::UnknownLog);
        }
        note.check_log(&keys).map_err(|_| Refusal::LogSignature)?;
        if request.old > note.size {
            return Err(Refusal::OldAboveNew);
        }
        let mut state = self.state();
        let known = state.memory.of(&note.origin).cloned();
        if let Err(refusal) = judge(&request, known.as_ref()) {
            self.keep(&mut state, known.as_ref(), note, &keys, &refusal);
            return Err(refusal);
        }
        self.remember(&mut state, known.as_ref(), note, &keys)?;
        drop(state);
        let line = note.cosign(&self.config.name, &self.config.key, self.clock.now());
        Ok(line.encode())
    }

    /// Remembers what is about to be signed; what was refused before may be a fork of it.
    fn remember(
        &self,
        state: &mut Remembered,
        known: Option<&Known>,
        note: &OpenNote,
        keys: &[PublicKey],
    ) -> Result<(), Refusal> {
        if known.is_some_and(|known| (known.size, known.root) == (note.size, note.root)) {
            return Ok(());
        }
        let new = Known {
            size: note.size,
            root: note.root,
            note: note.signed_by(keys),
        };
        let saved = state.memory.set(&note.origin, new.clone());
        saved.map_err(|error| {
            tracing::error!(%error, file = %self.config.file.display(), "the memory cannot be written");
            Refusal::Memory
        })?;
        for before in state.kept.contradicted(&note.origin, new.size, new.root) {
            let fork = Evidence {
                kind: Kind::Fork,
                cosigned_size: new.size,
                cosigned_root: new.root,
                cosigned: new.note.clone(),
                ..before
            };
            self.add(state, fork);
        }
        Ok(())
    }

    fn keep(
        &self,
        state: &mut Remembered,
        known: Option<&Known>,
        note: &OpenNote,
        keys: &[PublicKey],
        refusal: &Refusal,
    ) {
        let kind = match refusal {
            Refusal::Fork(_) => Kind::Fork,
            Refusal::Inconsistent => Kind::Unproven,
            _ => return,
        };
        let evidence = Evidence {
            tracebond: "witness-evidence/v1".into(),
            kind,
            witness: self.config.name.clone(),
            origin: note.origin.clone(),
            time: self.clock.now().as_micros(),
            cosigned_size: known.map_or(0, |known| known.size),
            cosigned_root: known.map_or(empty_root(), |known| known.root),
            cosigned: known.map_or_else(String::new, |known| known.note.clone()),
            refused_size: note.size,
            refused_root: note.root,
            refused: note.signed_by(keys),
        };
        self.add(state, evidence);
    }

    fn add(&self, state: &mut Remembered, evidence: Evidence) {
        let (origin, size) = (evidence.origin.clone(), evidence.refused_size);
        if evidence.kind == Kind::Fork {
            let name = &self.config.name;
            tracing::error!(name, %origin, size, "FORK: the log has signed two roots of one size");
        }
        if let Err(error) = state.kept.add(evidence) {
            tracing::error!(%error, %origin, size, "the evidence of a fork cannot be written");
        }
        self.count_forks(&state.kept);
    }
}

/// Root of the tree without entries (RFC 6962 section 2.1).
fn empty_root() -> Hash {
    sha256(b"")
}

/// Compares a request, whose log signature holds, with the newest checkpoint that was cosigned.
fn judge(request: &Request, known: Option<&Known>) -> Result<(), Refusal> {
    let (size, root) = known.map_or((0, empty_root()), |known| (known.size, known.root));
    let (new, new_root) = (request.note.size, request.note.root);
    if new == size && new_root != root {
        // Nobody can have signed this but the log itself; a wrong root of no entries is a mistake.
        return Err(if size == 0 {
            Refusal::Inconsistent
        } else {
            Refusal::Fork(size)
        });
    }
    if request.old != size {
        return Err(Refusal::Conflict(size));
    }
    let holds = if size == 0 {
        request.proof.is_empty()
    } else {
        verify_consistency(size, root, new, new_root, &request.proof).is_ok()
    };
    if holds {
        Ok(())
    } else {
        Err(Refusal::Inconsistent)
    }
}

#[cfg(test)]
mod tests;
