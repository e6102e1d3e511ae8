//! The policy that the configuration describes, and the operator's word that it may follow.

use std::io;
use std::path::{Path, PathBuf};

use schemas::hash::Hash;
use schemas::log::{Entry, Policy};
use schemas::time::Instant;

use super::StartError;
use crate::anchor::Approval;
use crate::config::Config;
use crate::keys::{self, Keys};
use crate::store::{Store, StoreError};

/// File of the approval in the data folder.
const APPROVAL: &str = "succession.json";

/// The policy of a configuration; `time` is that of the log's first entry where there is one.
///
/// # Errors
/// [`StartError`] that names the field.
pub fn of(config: &Config, keys: &Keys, time: Instant) -> Result<Policy, StartError> {
    let (witnesses, registrars) = config
        .parties()
        .map_err(|(field, problem)| StartError::Config { field, problem })?;
    let folder = config.data.join("keys");
    let log_key = keys::load(&keys::log_key_file(&folder, &config.log_key))?;
    let policy = Policy {
        log: config.origin.log_id(&keys.log.public_bytes()),
        origin: config.origin.clone(),
        log_key: log_key.public(),
        witnesses,
        quorum: config.quorum,
        registrars,
        prev: None,
        time,
    };
    // A later log key is only that of a policy that follows another.
    let first = policy.log_key == keys.log.public();
    let prev = (!first).then_some((Hash::ZERO, 1, Hash::ZERO));
    Policy {
        prev,
        ..policy.clone()
    }
    .check()?;
    Ok(policy)
}

/// Time of the policy that the log began with.
pub(super) async fn time(store: &dyn Store, now: Instant) -> Result<Instant, StoreError> {
    let first = store.entries(0, 1).await?;
    Ok(match first.first().map(|entry| Entry::parse(entry)) {
        Some(Ok(Entry::Policy(policy))) => policy.time,
        _ => now,
    })
}

fn file(data: &Path) -> PathBuf {
    data.join(APPROVAL)
}

/// What was approved last; it counts after one policy only, so that an old word means nothing.
pub(super) fn approved(data: &Path) -> io::Result<Option<Approval>> {
    match std::fs::read(file(data)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the operator's word down; the next start acts on it.
///
/// # Errors
/// The file cannot be written.
pub fn approve(data: &Path, approval: &Approval) -> io::Result<()> {
    let (path, beside) = (file(data), file(data).with_extension("new"));
    let mut out = std::fs::File::create(&beside)?;
    io::Write::write_all(&mut out, &serde_json::to_vec(approval)?)?;
    out.sync_all()?;
    std::fs::rename(&beside, &path)?;
    std::fs::File::open(data)?.sync_all()
}
