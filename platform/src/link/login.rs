//! How the ingest logs in at a broker that is not embedded.

use std::path::Path;

use schemas::hash::sha256;
use schemas::key::SecretKey;

use crate::config::Config;
use crate::keys::{self, KeyFileError};

/// User name where the configuration names none.
pub const USERNAME: &str = "tracebond-ingest";
/// File of the password in the folder of keys: 64 hex digits.
const PASSWORD_FILE: &str = "broker.key";
/// Digits of the shared group's name.
const GROUP_DIGITS: usize = 32;

/// The ingest's login.
#[derive(Clone)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// Name of the shared group: the same for all workers, derived from the password and so known
    /// to nobody else. A broker that judges deliveries and not subscriptions would let a stranger
    /// join the group, and throw the stranger's share away.
    pub group: String,
}

impl Login {
    /// As configured, or with a password that is made once and kept beside the platform's keys.
    ///
    /// # Errors
    /// [`KeyFileError`] if that file cannot be read or made.
    pub fn of(config: &Config) -> Result<Self, KeyFileError> {
        Self::with(config, keys::load_or_make)
    }

    /// The same, but none is made.
    ///
    /// # Errors
    /// [`KeyFileError`] if that file is needed and cannot be read.
    pub fn known(config: &Config) -> Result<Self, KeyFileError> {
        Self::with(config, keys::load)
    }

    fn with(
        config: &Config,
        kept: impl Fn(&Path) -> Result<SecretKey, KeyFileError>,
    ) -> Result<Self, KeyFileError> {
        let section = &config.broker;
        let password = if section.password.is_empty() {
            let kept = kept(&config.data.join("keys").join(PASSWORD_FILE))?;
            hex::encode(kept.seed())
        } else {
            section.password.clone()
        };
        let username = match section.username.as_str() {
            "" => USERNAME,
            name => name,
        };
        let digest = sha256(format!("tracebond shared group {password}").as_bytes());
        let group = hex::encode(digest.0)[..GROUP_DIGITS].to_owned();
        Ok(Self {
            username: username.to_owned(),
            password,
            group,
        })
    }
}
