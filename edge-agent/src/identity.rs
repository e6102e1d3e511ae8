//! The device's key: made here, never leaves, readable by its owner only.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use schemas::key::SecretKey;
use schemas::random::NoRandomness;

/// File of the seed, in the state directory: 64 hex digits.
pub const KEY_FILE: &str = "device.key";

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file or folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Somebody but the owner may read or write the key.
    #[error("{path} has mode {mode:o}; a device key must be 600 (chmod 600 {path})")]
    Permissions {
        /// Which.
        path: PathBuf,
        /// Permission bits found.
        mode: u32,
    },
    /// Not 64 hex digits.
    #[error("{0} does not hold a key")]
    Malformed(PathBuf),
    /// No randomness for a new key.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// Makes the state directory with mode 0700 if it is not there.
///
/// # Errors
/// [`IdentityError::Io`].
pub fn make_state_directory(state: &Path) -> Result<(), IdentityError> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state);
    made.map_err(|source| IdentityError::Io {
        path: state.to_owned(),
        source,
    })
}

/// Reads the key of a state directory; `None` if there is none yet.
///
/// # Errors
/// [`IdentityError`]; the agent must not start.
pub fn load(state: &Path) -> Result<Option<SecretKey>, IdentityError> {
    let path = state.join(KEY_FILE);
    let io = |source| IdentityError::Io {
        path: path.clone(),
        source,
    };
    let metadata = match std::fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::Permissions { path, mode });
    }
    let text = std::fs::read_to_string(&path).map_err(io)?;
    let seed: schemas::hash::Hash = text
        .trim()
        .parse()
        .map_err(|_| IdentityError::Malformed(path))?;
    Ok(Some(SecretKey::from_seed(&seed.0)))
}

/// Reads the key, or makes one and stores it durably before it is used.
///
/// # Errors
/// [`IdentityError`].
pub fn load_or_make(state: &Path) -> Result<SecretKey, IdentityError> {
    make_state_directory(state)?;
    if let Some(key) = load(state)? {
        return Ok(key);
    }
    let key = SecretKey::generate()?;
    let path = state.join(KEY_FILE);
    write_private(&path, format!("{}\n", hex::encode(key.seed())).as_bytes())
        .map_err(|source| IdentityError::Io { path, source })?;
    Ok(key)
}

/// Writes a file that only its owner may read, whole or not at all, and syncs it with its folder.
///
/// # Errors
/// Whatever the file system says; the file before is then unchanged.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let _ = std::fs::remove_file(&temporary);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("folder");
        let state = folder.path().join("state");
        let made = load_or_make(&state).expect("made");
        let again = load_or_make(&state).expect("read");
        assert_eq!(made.kid(), again.kid());
        let mode = std::fs::metadata(state.join(KEY_FILE))
            .expect("file")
            .mode()
            & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        load_or_make(folder.path()).expect("made");
        let path = folder.path().join(KEY_FILE);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
        let refused = load(folder.path()).expect_err("refused");
        assert!(matches!(
            refused,
            IdentityError::Permissions { mode: 0o640, .. }
        ));
    }
}
