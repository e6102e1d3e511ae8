//! Gateways compare what they have seen.
//!
//! An operator who shows one gateway another log than the rest, with witnesses who lie for it, is
//! found by nobody who looks at one of the two only. So gateways of one place show each other their
//! newest witnessed checkpoint, over the local network and past the platform: each serves it at
//! `GET /seen`, fetches those of the others, verifies them under its policy, and asks the platform
//! to prove that the smaller tree is a beginning of the larger one (`GET /v1/consistency/{from}/{to}`,
//! RFC 6962 section 2.1.2). Two roots of one size, a proof that does not hold, and a witnessed size
//! that the platform does not know in two rounds, are alarms: both notes are kept as a file for
//! ever, the state says so, and so does the log of the agent.
//!
//! What is not verified says nothing: anybody on the local network may serve anything. Nothing of
//! a statement changes by what is found here.

mod judge;
mod serve;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use schemas::hash::sha256;
use schemas::log::Policy;
use schemas::note::Note;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Floor;
use crate::config::PeersConfig;
use crate::follow::Followed;
use crate::http::{self, Client};
use crate::identity::write_private;
use judge::{Case, Judged, Proof};

/// Folder of the evidence in the state directory.
pub const EVIDENCE: &str = "peers";
/// Most files of evidence; further contradictions are in the log only.
const EVIDENCE_MAX: u64 = 256;

/// Where the newest witnessed checkpoint that this device has verified comes from.
#[async_trait]
pub trait Checkpoints: Send + Sync {
    /// The note; none before the first one.
    async fn newest(&self) -> Option<Vec<u8>>;
}

/// Shows what this gateway has seen and compares it with what others have.
pub struct Peers {
    config: PeersConfig,
    own: Arc<dyn Checkpoints>,
    policies: Followed,
    platform: Client,
    folder: PathBuf,
    alarms: watch::Sender<u64>,
    /// Notes of others whose size the platform did not know in the round before.
    unknown: BTreeSet<Vec<u8>>,
}

impl Peers {
    /// Of a device with this state directory, whose platform is at `platform` under `ca`, judged by
    /// the system's clock or `floor` where that is later. The number of contradictions found is told
    /// through `alarms`.
    ///
    /// # Errors
    /// In words, where no client can be made.
    pub fn new(
        config: PeersConfig,
        own: Arc<dyn Checkpoints>,
        policies: Followed,
        (platform, ca, floor): (&str, &str, &Floor),
        state: &Path,
        alarms: watch::Sender<u64>,
    ) -> Result<Self, String> {
        let folder = state.join(EVIDENCE);
        alarms.send_replace(count(&folder));
        Ok(Self {
            config,
            own,
            policies,
            platform: Client::new(platform, ca, floor.clone())?,
            folder,
            alarms,
            unknown: BTreeSet::new(),
        })
    }

    /// Binds the address at which the others find this gateway.
    ///
    /// # Errors
    /// Of the operating system.
    pub async fn bind(&self) -> std::io::Result<TcpListener> {
        TcpListener::bind(self.config.listen).await
    }

    /// Serves and compares until `shutdown`.
    pub async fn run(mut self, listener: TcpListener, shutdown: CancellationToken) {
        let seen = Arc::new(serve::Seen(Arc::clone(&self.own)));
        let serving = crate::serve::run(listener, seen, shutdown.clone());
        let serving = tokio::spawn(serving);
        while tokio::time::timeout(self.config.interval, shutdown.cancelled())
            .await
            .is_err()
        {
            self.round().await;
        }
        if let Err(error) = serving.await {
            tracing::error!(%error, "the listener for other gateways has failed");
        }
    }

    /// Compares once with each of the others.
    pub async fn round(&mut self) {
        let before = std::mem::take(&mut self.unknown);
        for other in self.config.others.clone() {
            match self.compare(other, &before).await {
                Ok(()) => {}
                Err(problem) => tracing::debug!(%other, problem, "nothing to compare"),
            }
        }
    }

    async fn compare(
        &mut self,
        other: SocketAddr,
        before: &BTreeSet<Vec<u8>>,
    ) -> Result<(), String> {
        let own = self.own.newest().await.ok_or("nothing seen here yet")?;
        let client = Client::new(&format!("http://{other}"), "", Floor::default())?;
        let theirs = client.get("/seen").await?.ok()?;
        let read = |bytes: &[u8]| Note::parse(bytes).map_err(|error| error.to_string());
        let (mine, note) = (read(&own)?, read(&theirs)?);
        let counts = |policy: &Policy| note.check_served(policy).is_ok();
        if !self.policies.all().iter().any(counts) {
            return Err("its checkpoint counts under no policy that is known here".into());
        }
        let judged = match judge::case(&mine.checkpoint, &note.checkpoint) {
            Case::Same => return Ok(()),
            Case::Fork => Judged::Fork,
            Case::Needs { old, new } => {
                let proof = self.proof(old.size, new.size).await?;
                judge::proven(&old, &new, &proof)
            }
        };
        match judged {
            Judged::Consistent => Ok(()),
            Judged::Fork => self.alarm(other, &own, &theirs, "another history"),
            Judged::Unknown if before.contains(&theirs) => {
                self.unknown.insert(theirs.clone());
                let what = "a witnessed size that the platform does not know";
                self.alarm(other, &own, &theirs, what)
            }
            // A platform that stands by may be behind for a moment.
            Judged::Unknown => {
                self.unknown.insert(theirs);
                Ok(())
            }
        }
    }

    /// What the platform says to a pair of sizes.
    async fn proof(&self, old: u64, new: u64) -> Result<Proof, String> {
        let path = format!("/v1/consistency/{old}/{new}");
        let answer = self.platform.get(&path).await?;
        match answer.status {
            http::NOT_FOUND => Ok(Proof::Unknown),
            _ => answer.ok().map(|bytes| judge::read_proof(&bytes)),
        }
    }

    fn alarm(
        &self,
        other: SocketAddr,
        own: &[u8],
        theirs: &[u8],
        what: &str,
    ) -> Result<(), String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (own, theirs) = (text(own), text(theirs));
        // Whichever of the two asked first: one contradiction, one file.
        let mut both = [own.as_str(), theirs.as_str()];
        both.sort_unstable();
        let name = sha256(both.join("\n").as_bytes()).to_string();
        let file = self
            .folder
            .join(format!("{}.json", name.get(..32).unwrap_or_default()));
        if file.exists() {
            return Ok(());
        }
        tracing::error!(%other, what, file = %file.display(), "ANOTHER LOG: a gateway has seen what does not fit what this one has seen");
        if count(&self.folder) >= EVIDENCE_MAX {
            return Ok(());
        }
        let evidence = serde_json::json!({
            "tracebond": "gateway-evidence/v1",
            "what": what,
            "other": other.to_string(),
            "own": own,
            "theirs": theirs,
        });
        let bytes = serde_json::to_vec_pretty(&evidence).map_err(|error| error.to_string())?;
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| write_private(&file, &bytes))
            .map_err(|error| format!("the evidence cannot be kept: {error}"))?;
        self.alarms.send_replace(count(&self.folder));
        Ok(())
    }
}

/// Files of evidence.
fn count(folder: &Path) -> u64 {
    let json = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path().extension().is_some_and(|kind| kind == "json"))
    };
    std::fs::read_dir(folder).map_or(0, |files| {
        files.map(json).filter(|json| *json).count() as u64
    })
}

#[cfg(test)]
mod tests;
