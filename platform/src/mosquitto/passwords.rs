//! The devices' password file, kept as the registry says.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use schemas::registry::{Role, State};
use tokio_util::sync::CancellationToken;

use super::{file, replace, text};
use crate::config::MosquittoSection;
use crate::ingest::Wake;
use crate::registry::Gate;
use crate::store::{Store, StoreError};

/// Longest time between two looks, should a wake-up be missed or the database have been away.
const ROUND: Duration = Duration::from_secs(10);
/// What the kernel calls the process that may be signalled.
const PROGRAM: &str = "mosquitto";

/// Keeps the file: exactly the devices whose key is active, each with its verifier.
pub struct Passwords {
    store: Arc<dyn Store>,
    gate: Arc<Gate>,
    wake: Arc<Wake>,
    path: PathBuf,
    pid_file: Option<PathBuf>,
}

/// The file was not brought up to date.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("the credentials cannot be read")]
    Store(#[from] StoreError),
    #[error("{0} cannot be read or written")]
    File(PathBuf, #[source] io::Error),
    #[error("Mosquitto was not told: {0}")]
    Signal(String),
}

impl Passwords {
    /// Prepares the keeping of the file in a section's folder.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        gate: Arc<Gate>,
        wake: Arc<Wake>,
        section: &MosquittoSection,
    ) -> Self {
        Self {
            store,
            gate,
            wake,
            path: section.folder.join(file::DEVICE_PASSWORDS),
            pid_file: section.pid_file.clone(),
        }
    }

    /// Runs until `shutdown`; a failure is logged and mended by a later round.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.refresh().await {
                tracing::error!(
                    error = causes(&error),
                    "the broker's passwords; trying again"
                );
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.credentials.notified() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    async fn refresh(&self) -> Result<(), RefreshError> {
        let wanted = self.wanted().await?;
        let failed = |error| RefreshError::File(self.path.clone(), error);
        match std::fs::read_to_string(&self.path) {
            Ok(there) if there == wanted => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => replace(&self.path, &wanted).map_err(failed)?,
        }
        match &self.pid_file {
            Some(pid_file) => hang_up(pid_file).await,
            None => Ok(()),
        }
    }

    async fn wanted(&self) -> Result<String, StoreError> {
        let snapshot = self.gate.snapshot();
        let active: BTreeSet<String> = snapshot
            .records()
            .map(|signed| &signed.record)
            .filter(|record| record.role == Role::Capture && record.state == State::Active)
            .filter_map(|record| Some(record.address()?.to_string()))
            .collect();
        let known = self.store.verifiers().await?;
        let allowed = known.iter().filter(|(name, _)| active.contains(name));
        Ok(text::passwords(
            allowed.map(|(name, verifier)| (name.as_str(), verifier)),
        ))
    }
}

/// SIGHUP, so that Mosquitto reads the file again. One that does not run reads it at its start.
async fn hang_up(pid_file: &Path) -> Result<(), RefreshError> {
    let pid = match std::fs::read_to_string(pid_file) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(RefreshError::File(pid_file.to_owned(), error)),
    };
    let is_number = !pid.is_empty() && pid.bytes().all(|digit| digit.is_ascii_digit());
    // The file of one that was killed may name somebody else by now.
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if !is_number || name.trim() != PROGRAM {
        return Ok(());
    }
    let mut command = tokio::process::Command::new("kill");
    let told = command.args(["-HUP", &pid]).output().await;
    let failed = |what: &str| RefreshError::Signal(what.trim().to_owned());
    let output = told.map_err(|error| failed(&error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(&String::from_utf8_lossy(&output.stderr)))
}
