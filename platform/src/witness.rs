//! A witness (`log.md` section 8; C2SP `tlog-witness`): cosigns what is consistent with what it has
//! cosigned before, and refuses everything else.
//!
//! It remembers one (size, root) for each origin in a file, written and synced before it answers,
//! so that not even a crash makes it cosign two histories. It serves the verifier page too, from
//! an origin that is not the platform's.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kit::serve::{ServeError, Served};
use schemas::b64;
use schemas::hash::Hash;
use schemas::ids::Origin;
use schemas::key::{PublicKey, SecretKey};
use schemas::note::{NOTE_MAX, Note};
use schemas::time::Clock;
use schemas::tlog::verify_consistency;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Most lines of a consistency proof (C2SP `tlog-witness`).
const PROOF_MAX: usize = 63;
/// Longest request in bytes.
const BODY_MAX: usize = NOTE_MAX + 64 * 64;

/// What a witness is.
#[derive(Clone)]
pub struct WitnessConfig {
    /// Its name in cosignatures.
    pub name: String,
    /// Its key.
    pub key: SecretKey,
    /// Logs that it cosigns: origin and log key.
    pub logs: Vec<(Origin, PublicKey)>,
    /// Its memory.
    pub file: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// HTTPS where given, else plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// A witness that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Its memory cannot be read: it must not start without.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    size: u64,
    root: Hash,
}

type Memory = BTreeMap<String, Known>;

struct Witness {
    config: WitnessConfig,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
}

/// Why a checkpoint is not cosigned, with the HTTP status of the protocol.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Malformed,
    UnknownLog,
    LogSignature,
    OldAboveNew,
    Conflict(u64),
    Inconsistent,
    Memory,
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
            Self::Conflict(size) => {
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
    let memory = load(&config.file).map_err(|source| WitnessError::Memory {
        file: config.file.clone(),
        source,
    })?;
    let (listen, tls) = (config.listen, config.tls.clone());
    let witness = Arc::new(Witness {
        config,
        clock,
        memory: Mutex::new(memory),
    });
    let router = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/", get(about))
        .merge(kit::verifier::routes())
        .with_state(witness);
    Ok(kit::serve::serve(router, listen, tls, shutdown).await?)
}

fn load(file: &Path) -> io::Result<Memory> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Memory::new()),
        Err(error) => Err(error),
    }
}

fn save(file: &Path, memory: &Memory) -> io::Result<()> {
    let folder = file.parent().ok_or_else(|| io::Error::other("no folder"))?;
    std::fs::create_dir_all(folder)?;
    let beside = file.with_extension("new");
    let mut out = std::fs::File::create(&beside)?;
    io::Write::write_all(&mut out, &serde_json::to_vec(memory)?)?;
    out.sync_all()?;
    std::fs::rename(&beside, file)?;
    std::fs::File::open(folder)?.sync_all()
}

async fn about(State(witness): State<Arc<Witness>>) -> String {
    let memory = witness.memory.lock().await;
    let line = |(origin, known): (&String, &Known)| {
        format!("{origin} {} {}\n", known.size, b64::encode(&known.root.0))
    };
    let key = hex::encode(witness.config.key.public_bytes());
    let logs: String = memory.iter().map(line).collect();
    format!("witness {} {key}\n{logs}", witness.config.name)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: axum::body::Bytes) -> Response {
    match witness.cosign(&body).await {
        Ok(line) => line.into_response(),
        Err(refusal) => {
            let name = &witness.config.name;
            match &refusal {
                // How a log that starts anew learns what the witness knows.
                Refusal::Conflict(size) => tracing::debug!(name, size, "told what it has cosigned"),
                other => tracing::warn!(name, refusal = ?other, "checkpoint refused"),
            }
            refusal.into_response()
        }
    }
}

impl Witness {
    async fn cosign(&self, body: &[u8]) -> Result<String, Refusal> {
        let (old, proof, note) = parse(body).ok_or(Refusal::Malformed)?;
        let checkpoint = note.checkpoint.clone();
        let log = self
            .config
            .logs
            .iter()
            .find(|(origin, _)| *origin == checkpoint.origin);
        let (origin, key) = log.ok_or(Refusal::UnknownLog)?;
        note.check_log_line(origin, key)
            .map_err(|_| Refusal::LogSignature)?;
        if old > checkpoint.size {
            return Err(Refusal::OldAboveNew);
        }
        let mut memory = self.memory.lock().await;
        let known = memory.get(origin.as_str()).copied();
        if old != known.map_or(0, |known| known.size) {
            return Err(Refusal::Conflict(known.map_or(0, |known| known.size)));
        }
        if let Some(known) = known {
            if known.size == checkpoint.size && known.root != checkpoint.root {
                tracing::error!(%origin, size = known.size, "FORK: two roots at one size");
                return Err(Refusal::Conflict(known.size));
            }
            verify_consistency(
                known.size,
                known.root,
                checkpoint.size,
                checkpoint.root,
                &proof,
            )
            .map_err(|_| Refusal::Inconsistent)?;
        } else if !proof.is_empty() {
            return Err(Refusal::Inconsistent);
        }
        let new = Known {
            size: checkpoint.size,
            root: checkpoint.root,
        };
        if known != Some(new) {
            let mut next = memory.clone();
            next.insert(origin.to_string(), new);
            save(&self.config.file, &next).map_err(|_| Refusal::Memory)?;
            *memory = next;
        }
        Ok(note
            .cosign(&self.config.name, &self.config.key, self.clock.now())
            .encode())
    }
}

/// `old <size>` line, proof lines, empty line, note.
fn parse(body: &[u8]) -> Option<(u64, Vec<Hash>, Note)> {
    if body.len() > BODY_MAX {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let (head, note) = text.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let old = lines.next()?.strip_prefix("old ")?;
    if old.len() > 16 || (old.starts_with('0') && old != "0") {
        return None;
    }
    let old = old.parse().ok()?;
    let hash = |line: &str| Hash::from_slice(&b64::decode(line)?);
    let proof = lines.map(hash).collect::<Option<Vec<_>>>()?;
    if proof.len() > PROOF_MAX {
        return None;
    }
    Some((old, proof, Note::parse(note.as_bytes()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::clock::TokioClock;
    use schemas::hash::sha256;
    use schemas::note::Checkpoint;
    use schemas::tlog::LogTree;

    fn log_key() -> SecretKey {
        SecretKey::from_seed(&[1; 32])
    }

    fn witness(folder: &Path) -> Witness {
        let config = WitnessConfig {
            name: "w".into(),
            key: SecretKey::from_seed(&[2; 32]),
            logs: vec![("log.example/t".parse().unwrap(), log_key().public())],
            file: folder.join("witness.json"),
            listen: ([127, 0, 0, 1], 0).into(),
            tls: None,
        };
        let memory = Mutex::new(load(&config.file).unwrap());
        Witness {
            config,
            clock: Arc::new(TokioClock),
            memory,
        }
    }

    fn tree(fork: &str, size: u64) -> LogTree {
        let mut tree = LogTree::new();
        for n in 0..size {
            tree.push(sha256(
                format!("{}{n}", if n < 3 { "" } else { fork }).as_bytes(),
            ))
            .unwrap();
        }
        tree
    }

    fn request(tree: &LogTree, old: u64, size: u64) -> Vec<u8> {
        let root = tree.root(size).unwrap();
        let checkpoint = Checkpoint {
            origin: "log.example/t".parse().unwrap(),
            size,
            root,
        };
        let note = String::from_utf8(Note::sign(checkpoint, &log_key()).encode()).unwrap();
        let proof = tree.consistency(old, size).unwrap_or_default();
        let lines: String = proof
            .iter()
            .map(|h| format!("{}\n", b64::encode(&h.0)))
            .collect();
        format!("old {old}\n{lines}\n{note}").into_bytes()
    }

    #[tokio::test]
    async fn an_operator_who_forks_the_log_gets_no_cosignature() {
        let folder = tempfile::tempdir().unwrap();
        let (honest, forked) = (tree("a", 9), tree("b", 9));
        let first = witness(folder.path());
        assert!(first.cosign(&request(&honest, 0, 5)).await.is_ok());
        assert!(first.cosign(&request(&honest, 5, 7)).await.is_ok());
        assert_eq!(
            first.cosign(&request(&forked, 7, 9)).await,
            Err(Refusal::Inconsistent)
        );
        assert_eq!(
            first.cosign(&request(&forked, 7, 7)).await,
            Err(Refusal::Conflict(7))
        );
        assert_eq!(
            first.cosign(&request(&forked, 0, 7)).await,
            Err(Refusal::Conflict(7))
        );
        // After a restart it still knows.
        let again = witness(folder.path());
        assert_eq!(
            again.cosign(&request(&forked, 7, 7)).await,
            Err(Refusal::Conflict(7))
        );
        assert!(again.cosign(&request(&honest, 7, 9)).await.is_ok());
    }

    #[tokio::test]
    async fn strangers_and_broken_requests_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let witness = witness(folder.path());
        let good = request(&tree("a", 5), 0, 5);
        assert_eq!(witness.cosign(b"old 0\n").await, Err(Refusal::Malformed));
        let text = String::from_utf8(good.clone()).unwrap();
        let other = text.replacen("log.example/t", "log.example/u", 1);
        assert_eq!(
            witness.cosign(other.as_bytes()).await,
            Err(Refusal::UnknownLog)
        );
        let unsigned = text.replacen("\n5\n", "\n6\n", 1);
        assert_eq!(
            witness.cosign(unsigned.as_bytes()).await,
            Err(Refusal::LogSignature)
        );
        let above = text.replacen("old 0", "old 6", 1);
        assert_eq!(
            witness.cosign(above.as_bytes()).await,
            Err(Refusal::OldAboveNew)
        );
        assert!(witness.cosign(&good).await.is_ok());
    }
}
