//! The device's key: made here, never leaves, readable by its owner only.
//!
//! What signs is a [`Signer`]: today a key in a file, Ed25519 or P-256; a TPM's would be one more
//! implementation, chosen in [`load`].

use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemas::hash::Hash;
use schemas::key::{ALG_ED25519, P256SecretKey, SecretKey, Signer};
use schemas::random::NoRandomness;

/// File of the key, in the state directory.
pub const KEY_FILE: &str = "device.key";
/// File of the key that a rotation will put in its place.
pub const NEXT_KEY_FILE: &str = "device.next.key";
/// Longest key file in bytes.
const FILE_MAX: u64 = 256;

/// Which kind of key a device has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// COSE algorithm -19.
    #[default]
    Ed25519,
    /// ESP256, COSE algorithm -9, with a low S: what TPMs and phones hold.
    P256,
}

impl Algorithm {
    /// As the configuration and the key file name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::P256 => "p256",
        }
    }

    fn of(signer: &dyn Signer) -> Self {
        if signer.public().alg() == ALG_ED25519 {
            Self::Ed25519
        } else {
            Self::P256
        }
    }
}

impl std::str::FromStr for Algorithm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ed25519" => Ok(Self::Ed25519),
            "p256" => Ok(Self::P256),
            _ => Err("is neither \"ed25519\" nor \"p256\""),
        }
    }
}

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
    /// Somebody but the owner may read or write the key, or the folder that it is in.
    #[error("{path} has mode {mode:o}; a device key must be {wanted:o} (chmod {wanted:o} {path})")]
    Permissions {
        /// Which.
        path: PathBuf,
        /// Permission bits found.
        mode: u32,
        /// Permission bits that it must have.
        wanted: u32,
    },
    /// Neither 64 hex digits nor `p256` and 64 hex digits.
    #[error("{0} does not hold a key")]
    Malformed(PathBuf),
    /// The key that is there is of another kind than the configuration asks for.
    #[error(
        "{path} holds a key of kind {}, device.key asks for {}; a key changes its kind by \
         `edge-agent rotate`",
        .found.word(), .wanted.word()
    )]
    Algorithm {
        /// Which file.
        path: PathBuf,
        /// Its kind.
        found: Algorithm,
        /// By the configuration.
        wanted: Algorithm,
    },
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
pub fn load(state: &Path) -> Result<Option<Arc<dyn Signer>>, IdentityError> {
    read(state, KEY_FILE)
}

/// Reads the key, or makes one of the kind asked for and stores it durably before it is used.
///
/// # Errors
/// [`IdentityError`]; also where the key that is there is of another kind.
pub fn load_or_make(state: &Path, algorithm: Algorithm) -> Result<Arc<dyn Signer>, IdentityError> {
    load_or_make_in(state, KEY_FILE, algorithm)
}

/// The key that will take the place of the present one, made if it is not there.
///
/// # Errors
/// As [`load_or_make`].
pub fn load_or_make_next(
    state: &Path,
    algorithm: Algorithm,
) -> Result<Arc<dyn Signer>, IdentityError> {
    load_or_make_in(state, NEXT_KEY_FILE, algorithm)
}

/// The key that will take the place of the present one, if there is one.
///
/// # Errors
/// As [`load`].
pub fn load_next(state: &Path) -> Result<Option<Arc<dyn Signer>>, IdentityError> {
    read(state, NEXT_KEY_FILE)
}

/// The key of this kid: the present one, or the next one, which then becomes the present one. So
/// what the enrolment says decides, and a rotation that was cut off between the two files is ended
/// here.
///
/// # Errors
/// [`IdentityError`]; `None` where neither has this kid.
pub fn settle(state: &Path, kid: &Hash) -> Result<Option<Arc<dyn Signer>>, IdentityError> {
    let present = load(state)?.filter(|key| key.kid() == *kid);
    if present.is_some() {
        return Ok(present);
    }
    let Some(next) = read(state, NEXT_KEY_FILE)?.filter(|key| key.kid() == *kid) else {
        return Ok(None);
    };
    let path = state.join(KEY_FILE);
    // The old key signs nothing any more; its file is overwritten by the rename.
    let moved = std::fs::rename(state.join(NEXT_KEY_FILE), &path);
    let synced = moved.and_then(|()| std::fs::File::open(state)?.sync_all());
    synced.map_err(|source| IdentityError::Io { path, source })?;
    Ok(Some(next))
}

fn read(state: &Path, name: &str) -> Result<Option<Arc<dyn Signer>>, IdentityError> {
    let path = state.join(name);
    let io = |source| IdentityError::Io {
        path: path.clone(),
        source,
    };
    // Opened once: what is checked is what is read.
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    check_mode(&path, &file.metadata().map_err(io)?, 0o600)?;
    check_folder(state)?;
    let mut text = String::new();
    let read = file.take(FILE_MAX).read_to_string(&mut text);
    read.map_err(io)?;
    parse(text.trim()).map_or(Err(IdentityError::Malformed(path)), |key| Ok(Some(key)))
}

fn check_folder(state: &Path) -> Result<(), IdentityError> {
    let metadata = std::fs::metadata(state).map_err(|source| IdentityError::Io {
        path: state.to_owned(),
        source,
    })?;
    check_mode(state, &metadata, 0o700)
}

fn check_mode(path: &Path, metadata: &std::fs::Metadata, wanted: u32) -> Result<(), IdentityError> {
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(IdentityError::Permissions {
        path: path.to_owned(),
        mode,
        wanted,
    })
}

/// 64 hex digits are an Ed25519 seed, `p256` and 64 hex digits a P-256 scalar.
fn parse(text: &str) -> Option<Arc<dyn Signer>> {
    let secret = |digits: &str| digits.parse::<Hash>().ok();
    match text.split_once(' ') {
        None => Some(Arc::new(SecretKey::from_seed(&secret(text)?.0))),
        Some(("p256", digits)) => {
            let key = P256SecretKey::from_scalar(&secret(digits)?.0)?;
            Some(Arc::new(key))
        }
        Some(_) => None,
    }
}

fn load_or_make_in(
    state: &Path,
    name: &str,
    wanted: Algorithm,
) -> Result<Arc<dyn Signer>, IdentityError> {
    make_state_directory(state)?;
    check_folder(state)?;
    let path = state.join(name);
    if let Some(key) = read(state, name)? {
        let found = Algorithm::of(&*key);
        if found == wanted {
            return Ok(key);
        }
        return Err(IdentityError::Algorithm {
            path,
            found,
            wanted,
        });
    }
    let (text, key): (String, Arc<dyn Signer>) = match wanted {
        Algorithm::Ed25519 => {
            let key = SecretKey::generate()?;
            (hex::encode(key.seed()), Arc::new(key))
        }
        Algorithm::P256 => {
            let key = P256SecretKey::generate()?;
            (format!("p256 {}", hex::encode(key.scalar())), Arc::new(key))
        }
    };
    write_private(&path, format!("{text}\n").as_bytes())
        .map_err(|source| IdentityError::Io { path, source })?;
    Ok(key)
}

/// Writes a file that only its owner may read, whole or not at all, and syncs it with its folder.
///
/// # Errors
/// Whatever the file system says; the file before is then unchanged.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
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

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("file").mode() & 0o777
    }

    #[test]
    fn a_key_of_either_kind_is_made_once_and_for_its_owner_only() {
        for algorithm in [Algorithm::Ed25519, Algorithm::P256] {
            let folder = tempfile::tempdir().expect("folder");
            let state = folder.path().join("state");
            let made = load_or_make(&state, algorithm).expect("made");
            let again = load(&state).expect("read").expect("a key");
            assert_eq!(made.kid(), again.kid());
            assert_eq!(Algorithm::of(&*again), algorithm);
            let signature = again.sign(b"m").expect("signed");
            assert_eq!(made.public().verify(b"m", &signature), Ok(()));
            assert_eq!((mode(&state.join(KEY_FILE)), mode(&state)), (0o600, 0o700));
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_so_is_its_folder() {
        let folder = tempfile::tempdir().expect("folder");
        let state = folder.path().join("state");
        load_or_make(&state, Algorithm::P256).expect("made");
        let key = state.join(KEY_FILE);
        for (path, good, bad) in [
            (&key, 0o600, 0o640),
            (&key, 0o600, 0o604),
            (&state, 0o700, 0o750),
        ] {
            set_mode(path, bad);
            let refused = load(&state).expect_err("refused");
            let named = matches!(&refused, IdentityError::Permissions { path: named, mode, .. }
                if named == path && *mode == bad);
            assert!(named, "{refused}");
            set_mode(path, good);
        }
        assert!(load(&state).expect("read").is_some());
    }

    #[test]
    fn a_key_of_another_kind_and_what_is_no_key_are_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let state = folder.path().join("state");
        load_or_make(&state, Algorithm::Ed25519).expect("made");
        let other = load_or_make(&state, Algorithm::P256).expect_err("another kind");
        assert!(matches!(other, IdentityError::Algorithm { .. }), "{other}");
        for text in ["", "p256", "rsa 00", &format!("p256 {}", "00".repeat(32))] {
            std::fs::write(state.join(KEY_FILE), text).expect("written");
            let refused = load(&state).expect_err(text);
            assert!(matches!(refused, IdentityError::Malformed(_)), "{refused}");
        }
    }

    #[test]
    fn the_enrolment_decides_which_of_two_keys_is_the_present_one() {
        let folder = tempfile::tempdir().expect("folder");
        let state = folder.path().join("state");
        let old = load_or_make(&state, Algorithm::Ed25519).expect("made");
        let next = load_or_make_next(&state, Algorithm::P256).expect("made");
        let settled = |kid| settle(&state, &kid).expect("read").map(|key| key.kid());
        assert_eq!(settled(old.kid()), Some(old.kid()));
        assert_eq!(settled(Hash::ZERO), None);
        // The enrolment names the new key, and the power went before the file was moved.
        assert_eq!(settled(next.kid()), Some(next.kid()));
        assert!(!state.join(NEXT_KEY_FILE).exists());
        assert_eq!(settled(next.kid()), Some(next.kid()));
        assert_eq!(settled(old.kid()), None);
    }
}
