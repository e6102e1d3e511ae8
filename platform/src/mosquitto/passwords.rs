//! The devices' password file, kept as the registry says.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
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

/// Keeps the file: exactly the devices whose key is active under an active organisation, each with its verifier.
pub struct Passwords {
    store: Arc<dyn Store>,
    gate: Arc<Gate>,
    wake: Arc<Wake>,
    path: PathBuf,
    pid_file: Option<PathBuf>,
    /// Mosquitto was told of what the file says. Not known at a start: whoever wrote the file may
    /// have ended before it had said so.
    told: bool,
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
            told: false,
        }
    }

    /// Runs until `shutdown`; a failure is logged and mended by a later round.
    pub async fn run(mut self, shutdown: CancellationToken) {
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

    async fn refresh(&mut self) -> Result<(), RefreshError> {
        let wanted = self.wanted().await?;
        let failed = |error| RefreshError::File(self.path.clone(), error);
        match std::fs::read_to_string(&self.path) {
            Ok(there) if there == wanted && self.told => return Ok(()),
            Ok(there) if there == wanted => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {
                replace(&self.path, &wanted).map_err(failed)?;
                self.told = false;
            }
        }
        if let Some(pid_file) = &self.pid_file {
            hang_up(pid_file).await?;
        }
        self.told = true;
        Ok(())
    }

    async fn wanted(&self) -> Result<String, StoreError> {
        let snapshot = self.gate.snapshot();
        let known = self.store.verifiers().await?;
        let may_speak = |name: &str| {
            name.parse()
                .is_ok_and(|device| snapshot.speaker(&device).is_some())
        };
        let allowed = known.iter().filter(|(name, _)| may_speak(name));
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Child, Command};
    use std::time::Instant;

    use super::*;
    use crate::registry::Snapshot;
    use crate::store::sqlite::SqliteStore;

    const PATIENCE: Duration = Duration::from_secs(10);
    /// What the kernel calls by Mosquitto's name, and counts its signals.
    const SCRIPT: &str = "#!/bin/sh
trap 'echo told >> \"$1/told\"' HUP
echo $$ > \"$1/pid\"
while true; do sleep 0.02; done
";

    /// Killed when this is dropped.
    struct Program(Child);

    impl Drop for Program {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn wait_for(condition: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < end, "too late");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[tokio::test]
    async fn whoever_starts_tells_the_broker_of_a_file_that_another_has_left() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join(PROGRAM);
        std::fs::write(&script, SCRIPT).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = Command::new(&script).arg(folder.path()).spawn().unwrap();
        let _program = Program(program);
        let (pid_file, said) = (folder.path().join("pid"), folder.path().join("told"));
        let times = || std::fs::read_to_string(&said).map_or(0, |said| said.lines().count());
        wait_for(|| std::fs::read_to_string(&pid_file).is_ok_and(|pid| pid.ends_with('\n')));
        let store = SqliteStore::open(&folder.path().join("platform.db")).await;
        let mut passwords = Passwords {
            store: Arc::new(store.unwrap()),
            gate: Arc::new(Gate::new(Snapshot::default())),
            wake: Arc::default(),
            path: folder.path().join(file::DEVICE_PASSWORDS),
            pid_file: Some(pid_file),
            told: false,
        };
        // Killed after it had written the file, and before it had said so.
        let wanted = passwords.wanted().await.unwrap();
        replace(&passwords.path, &wanted).unwrap();
        passwords.refresh().await.unwrap();
        wait_for(|| times() == 1);
        passwords.refresh().await.unwrap();
        std::fs::write(&passwords.path, "somebody else's").unwrap();
        passwords.refresh().await.unwrap();
        wait_for(|| times() == 2);
    }
}
