//! Mosquitto under the rules of the embedded broker, as far as its files can say them.
//!
//! `platform broker-config` writes the configuration, the rules and the ingest's password; the
//! running platform keeps the devices' passwords fresh ([`Passwords`]) and has Mosquitto read them
//! again, so that a device that has just been enrolled gets in within moments and one whose key is
//! no longer active is put out.
//!
//! What holds: a device logs in with its own password, has exactly one client id (its user name),
//! publishes only its captures and is sent only its receipts. Gateways and the ingest have listeners
//! of their own, so no password of a device opens the ingest's door and the other way round. The
//! name of the ingest's shared group is derived from its password: Mosquitto asks its rules when a
//! message is delivered and not when somebody subscribes, so whoever knew the name could join the
//! group and have its share of the captures thrown away.
//!
//! What Mosquitto cannot be told, and the embedded broker does: to refuse MQTT before 5 and QoS 0,
//! and to hold a publisher back when the ingest is slow. It drops what exceeds its queue; the
//! device sends again whatever it has no receipt for. **Nothing rests on this broker**: statements
//! are signed, and a PUBACK is not durability.

mod passwords;
mod text;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use schemas::hash::sha256;
use schemas::time::Instant;

use crate::config::{BrokerSection, Config, MosquittoSection};
use crate::keys::KeyFileError;
use crate::link::Login;
use crate::tls::{self, TlsError};

pub use passwords::Passwords;
use text::Listener;

/// The files cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum MosquittoError {
    /// A field of the configuration is missing or does not fit.
    #[error("{field}: {problem}")]
    Config {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The ingest's password.
    #[error("the ingest's password cannot be read or made")]
    Password(#[from] KeyFileError),
    /// The certificate.
    #[error("the certificate cannot be made")]
    Tls(#[from] TlsError),
    /// A file.
    #[error("{path} cannot be written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn wrong(field: &'static str, problem: impl Into<String>) -> MosquittoError {
    let problem = problem.into();
    MosquittoError::Config { field, problem }
}

/// Names of the files in the folder.
pub mod file {
    /// The configuration.
    pub const CONFIGURATION: &str = "mosquitto.conf";
    /// Rules of the gateways' listener.
    pub const DEVICE_RULES: &str = "devices.acl";
    /// Passwords of the gateways' listener, kept fresh while the platform runs.
    pub const DEVICE_PASSWORDS: &str = "devices.passwords";
    /// Rules of the ingest's listener.
    pub const INGEST_RULES: &str = "ingest.acl";
    /// Password of the ingest's listener.
    pub const INGEST_PASSWORD: &str = "ingest.passwords";
}

/// Writes everything but the devices' passwords, and an empty file for these where there is none;
/// the files in the order of [`mod@file`]. With `tls`, the platform's certificate is made where there
/// is none; `now` is the wall clock's.
///
/// # Errors
/// [`MosquittoError`].
pub fn configure(config: &Config, now: Instant) -> Result<Vec<PathBuf>, MosquittoError> {
    let missing = || wrong("broker.mosquitto", "this section is needed here");
    let section = config.broker.mosquitto.as_ref().ok_or_else(missing)?;
    let login = Login::of(config)?;
    std::fs::create_dir_all(&section.folder).map_err(|source| MosquittoError::File {
        path: section.folder.clone(),
        source,
    })?;
    if config.tls {
        tls::load_or_make(&config.data.join("tls"), &config.names, now)?;
    }
    let salt = salt_of(&login.password);
    let files = [
        (file::CONFIGURATION, configuration(config, section)?),
        (file::DEVICE_RULES, text::DEVICE_RULES.to_owned()),
        (file::DEVICE_PASSWORDS, String::new()),
        (file::INGEST_RULES, text::ingest_rules(&login.username)),
        (
            file::INGEST_PASSWORD,
            text::password_line(&login.username, &login.password, salt),
        ),
    ];
    let mut written = Vec::new();
    for (name, text) in files {
        let path = section.folder.join(name);
        // Who is in it is the running platform's affair.
        if name != file::DEVICE_PASSWORDS || !path.exists() {
            replace(&path, &text).map_err(|source| MosquittoError::File {
                path: path.clone(),
                source,
            })?;
        }
        written.push(path);
    }
    Ok(written)
}

/// Which of the written files are not what this configuration would write now: names in the folder.
/// The platform's certificate and the devices' passwords are not looked at.
///
/// # Errors
/// [`MosquittoError`] for a field that does not fit.
pub fn stale(config: &Config) -> Result<Vec<&'static str>, MosquittoError> {
    let Some(section) = &config.broker.mosquitto else {
        return Ok(Vec::new());
    };
    let login = Login::known(config)?;
    let wanted = [
        (file::CONFIGURATION, configuration(config, section)?),
        (file::DEVICE_RULES, text::DEVICE_RULES.to_owned()),
        (file::INGEST_RULES, text::ingest_rules(&login.username)),
    ];
    let differs = |(name, text): (&'static str, String)| {
        let there = std::fs::read_to_string(section.folder.join(name));
        (there.ok() != Some(text)).then_some(name)
    };
    Ok(wanted.into_iter().filter_map(differs).collect())
}

/// The same for the same password, so that writing again changes nothing.
fn salt_of(password: &str) -> [u8; 12] {
    let digest = sha256(format!("tracebond broker salt {password}").as_bytes());
    let mut salt = [0; 12];
    salt.copy_from_slice(&digest.0[..12]);
    salt
}

fn configuration(config: &Config, section: &MosquittoSection) -> Result<String, MosquittoError> {
    let gateways = gateways(config)?;
    let websocket = websocket(config)?;
    let ingest = ingest(&config.broker)?;
    let limits = &config.broker.limits;
    Ok(text::configuration(
        (&gateways, websocket.as_ref()),
        &ingest,
        section,
        limits,
    ))
}

/// The gateways' listener: over TLS with the platform's own certificate, or plain on loopback.
fn gateways(config: &Config) -> Result<Listener, MosquittoError> {
    let section = &config.broker;
    let (field, address) = if config.tls {
        ("broker.listen_tls", section.listen_tls)
    } else {
        ("broker.listen", section.listen)
    };
    listener(config, field, address)
}

/// The same over WebSocket, if there is one.
fn websocket(config: &Config) -> Result<Option<Listener>, MosquittoError> {
    let address = config.broker.listen_ws;
    address
        .map(|address| listener(config, "broker.listen_ws", address))
        .transpose()
}

fn listener(
    config: &Config,
    field: &'static str,
    address: SocketAddr,
) -> Result<Listener, MosquittoError> {
    if address.port() == 0 {
        return Err(wrong(field, "Mosquitto needs a port"));
    }
    if !config.tls && !address.ip().is_loopback() {
        return Err(wrong(
            field,
            "plain MQTT is for loopback only; set tls = true",
        ));
    }
    let files = config
        .tls
        .then(|| tls::Files::server(&config.data.join("tls")));
    Ok(Listener {
        port: address.port(),
        bind: Some(address.ip().to_string()),
        tls: files,
    })
}

/// The ingest's listener, by the address that the platform itself uses.
fn ingest(section: &BrokerSection) -> Result<Listener, MosquittoError> {
    const FIELD: &str = "broker.url";
    let url = section.url.as_deref().unwrap_or_default();
    let address = url.strip_prefix("mqtt://").and_then(|rest| {
        let (host, port) = rest.rsplit_once(':')?;
        Some((host, port.parse::<u16>().ok()?))
    });
    let (host, port) = address.ok_or_else(|| {
        wrong(
            FIELD,
            "expected mqtt://127.0.0.1:PORT, a listener of Mosquitto's for the ingest alone",
        )
    })?;
    let ip: Option<IpAddr> = match host {
        "localhost" => Some([127, 0, 0, 1].into()),
        _ => host.parse().ok(),
    };
    match ip.filter(IpAddr::is_loopback) {
        Some(ip) => Ok(Listener {
            port,
            bind: Some(SocketAddr::new(ip, port).ip().to_string()),
            tls: None,
        }),
        None => Err(wrong(
            FIELD,
            "the ingest's password crosses loopback only: Mosquitto runs beside the platform",
        )),
    }
}

/// Replaces a file in one step, so that nobody reads half of it. Its group may read it: that of a
/// folder with the set-group bit, to which Mosquitto's user belongs.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let beside = path.with_extension("new");
    let _ = std::fs::remove_file(&beside);
    let mut options = std::fs::OpenOptions::new();
    let mut out = options
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(&beside)?;
    out.write_all(text.as_bytes())?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests;
