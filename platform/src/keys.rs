//! Key files: 32-byte seeds in hex, readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use schemas::key::SecretKey;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("the key file {file} cannot be read or written")]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else may read it.
    #[error(
        "the key file {0} can be read by others; make it readable by its owner only (chmod 600)"
    )]
    Readable(PathBuf),
    /// It does not hold 64 hex digits.
    #[error("the key file {0} does not hold 64 hex digits")]
    Content(PathBuf),
    /// The operating system has no randomness.
    #[error("no key can be made")]
    Random(#[from] schemas::random::NoRandomness),
}

/// The operator's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Signs checkpoints.
    pub log: SecretKey,
    /// Signs receipts.
    pub receipt: SecretKey,
    /// The operator's own organisation key.
    pub organisation: SecretKey,
}

impl Keys {
    /// Loads the keys in a folder, making those that are missing.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn load_or_make(folder: &Path) -> Result<Self, KeyFileError> {
        let key = |name| load_or_make(&folder.join(name));
        Ok(Self {
            log: key("log.key")?,
            receipt: key("receipt.key")?,
            organisation: key("organisation.key")?,
        })
    }
}

/// Name of the first log key's file, without its ending.
pub const FIRST_LOG_KEY: &str = "log";

/// The file of a log key: `log.key` for the first one, `log-NAME.key` for each that follows.
#[must_use]
pub fn log_key_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.key"))
}

/// Every log key of a folder: old ones, the one in force, the next one.
///
/// # Errors
/// [`KeyFileError`].
pub fn log_keys(folder: &Path) -> Result<Vec<SecretKey>, KeyFileError> {
    let io = |source| KeyFileError::Io {
        file: folder.into(),
        source,
    };
    let mut files = vec![log_key_file(folder, FIRST_LOG_KEY)];
    for found in fs::read_dir(folder).map_err(io)? {
        let file = found.map_err(io)?.path();
        let name = file.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with("log-") && name.ends_with(".key")) {
            files.push(file);
        }
    }
    files.sort();
    files.iter().map(|file| load(file)).collect()
}

/// Loads a key file, making it with owner-only permissions if it is not there.
///
/// # Errors
/// [`KeyFileError`].
pub fn load_or_make(file: &Path) -> Result<SecretKey, KeyFileError> {
    match fs::metadata(file) {
        Ok(_) => load(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(file),
        Err(source) => Err(KeyFileError::Io {
            file: file.into(),
            source,
        }),
    }
}

/// Loads a key file.
///
/// # Errors
/// [`KeyFileError`], also when others may read it.
pub fn load(file: &Path) -> Result<SecretKey, KeyFileError> {
    let io = |source| KeyFileError::Io {
        file: file.into(),
        source,
    };
    let mode = fs::metadata(file).map_err(io)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Readable(file.into()));
    }
    let text = fs::read_to_string(file).map_err(io)?;
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| KeyFileError::Content(file.into()))?;
    Ok(SecretKey::from_seed(&seed))
}

fn make(file: &Path) -> Result<SecretKey, KeyFileError> {
    let io = |source| KeyFileError::Io {
        file: file.into(),
        source,
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let key = SecretKey::generate()?;
    write_new(file, &format!("{}\n", hex::encode(key.seed()))).map_err(io)?;
    Ok(key)
}

/// Writes a file that was not there, for its owner only: whole or, after a crash too, not at all.
fn write_new(file: &Path, text: &str) -> io::Result<()> {
    let beside = file.with_extension("new");
    // Of a process that has ended in the middle; nothing was signed with it.
    let _ = fs::remove_file(&beside);
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    // Unlike a rename, a link never replaces a key that somebody else has made meanwhile.
    fs::hard_link(&beside, file)?;
    fs::remove_file(&beside)?;
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys/log.key");
        fs::create_dir_all(folder.path().join("keys")).unwrap();
        // A process before was killed while it wrote.
        fs::write(file.with_extension("new"), "abc").unwrap();
        let made = load_or_make(&file).unwrap();
        assert_eq!(load_or_make(&file).unwrap().kid(), made.kid());
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(write_new(&file, "another").is_err());
        assert_eq!(load(&file).unwrap().kid(), made.kid());
    }
}
