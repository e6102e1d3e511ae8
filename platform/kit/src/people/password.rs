//! Passwords: argon2id, hashed beside the event loop, few at once.
//!
//! Parameters are those of OWASP's password storage cheat sheet (argon2id, 19 MiB, two passes, one
//! lane); an older hash is compared under the parameters that stand in it.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

/// Memory of one hash in KiB.
pub const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory.
pub const PASSES: u32 = 2;
/// Lanes of one hash.
pub const LANES: u32 = 1;
/// Bytes of salt.
const SALT_BYTES: usize = 16;

/// The shortest password in characters.
pub const PASSWORD_MIN: usize = 12;
/// The longest password in bytes: more is somebody who wants our processor time.
pub const PASSWORD_MAX: usize = 256;

/// Passwords hashed at once: each takes a core and 19 MiB.
pub const HASHES_AT_ONCE: usize = 2;
/// Passwords that wait for that; beyond it people are told to come back.
pub const HASHES_WAITING: usize = 32;

/// Why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Fewer characters than [`PASSWORD_MIN`].
    #[error("a password has at least {PASSWORD_MIN} characters")]
    Short,
    /// More bytes than [`PASSWORD_MAX`].
    #[error("a password has at most {PASSWORD_MAX} bytes")]
    Long,
    /// Too many people log in at once.
    #[error("too many passwords are being checked")]
    Busy,
    /// The operating system or the library refused.
    #[error("the password cannot be hashed: {0}")]
    Failed(String),
}

/// Hashes and compares passwords.
pub(super) struct Hasher {
    at_once: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            at_once: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            waiting: Semaphore::new(HASHES_WAITING),
        }
    }
}

impl Hasher {
    /// The hash of a new password, in PHC form.
    pub(super) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        if password.chars().count() < PASSWORD_MIN {
            return Err(PasswordError::Short);
        }
        if password.len() > PASSWORD_MAX {
            return Err(PasswordError::Long);
        }
        self.beside(move || hash(&password)).await
    }

    /// True if the password has this hash.
    pub(super) async fn fits(&self, password: String, hash: String) -> Result<bool, PasswordError> {
        self.beside(move || fits(&password, &hash)).await
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _waits = self
            .waiting
            .try_acquire()
            .map_err(|_| PasswordError::Busy)?;
        let permit = Arc::clone(&self.at_once).acquire_owned().await;
        let permit = permit.map_err(|_| PasswordError::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await
            .map_err(|error| PasswordError::Failed(error.to_string()))?
    }
}

fn argon2id() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn failed(error: impl std::fmt::Display) -> PasswordError {
    PasswordError::Failed(error.to_string())
}

pub(super) fn hash(password: &str) -> Result<String, PasswordError> {
    let salt: [u8; SALT_BYTES] = schemas::random::bytes().map_err(failed)?;
    let hash: PasswordHash = argon2id()?
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(failed)?;
    Ok(hash.to_string())
}

fn fits(password: &str, hash: &str) -> Result<bool, PasswordError> {
    // Longer than any password that was set: still hashed, so that it takes as long.
    let password = password.as_bytes();
    let password = &password[..password.len().min(PASSWORD_MAX + 1)];
    let hash = PasswordHash::new(hash).map_err(failed)?;
    match argon2id()?.verify_password(password, &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// Why no password could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input failed or is no UTF-8.
    #[error("the password cannot be read")]
    Input(#[from] std::io::Error),
    /// There was nothing, or far too much.
    #[error("one line with the password is expected on standard input")]
    NoLine,
}

/// One line with a password, for command lines: passwords are never arguments, since every user of
/// the machine sees those.
///
/// # Errors
/// [`ReadError`].
pub fn read_line(input: impl std::io::Read) -> Result<String, ReadError> {
    use std::io::{BufRead, BufReader};
    let limit = (PASSWORD_MAX + 2) as u64;
    let mut line = String::new();
    BufReader::new(input.take(limit)).read_line(&mut line)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        Err(ReadError::NoLine)
    } else {
        Ok(line.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_names_its_parameters_and_fits_its_password_only() {
        let kept = hash("correct horse battery").unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert!(fits("correct horse battery", &kept).unwrap());
        assert!(!fits("correct horse batterz", &kept).unwrap());
        assert_ne!(kept, hash("correct horse battery").unwrap());
    }

    #[tokio::test]
    async fn short_and_long_passwords_are_refused() {
        let hasher = Hasher::default();
        let short = hasher.hash("eleven char".to_owned()).await;
        assert!(matches!(short, Err(PasswordError::Short)));
        let long = hasher.hash("x".repeat(PASSWORD_MAX + 1)).await;
        assert!(matches!(long, Err(PasswordError::Long)));
    }

    #[test]
    fn a_line_is_read_without_its_end() {
        let read = |text: &str| read_line(text.as_bytes());
        assert_eq!(read("a b c\r\nrest").unwrap(), "a b c");
        assert_eq!(read("密码密码").unwrap(), "密码密码");
        assert!(matches!(read("\n"), Err(ReadError::NoLine)));
        assert!(read_line(&[0xff, 0xfe][..]).is_err());
    }
}
