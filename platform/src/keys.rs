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
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(io)?;
    writeln!(out, "{}", hex::encode(key.seed())).map_err(io)?;
    out.sync_all().map_err(io)?;
    Ok(key)
}
