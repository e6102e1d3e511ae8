//! The platform's own certificate authority and server certificates, and the loaders that the
//! broker, the HTTP server and their clients share. ECDSA P-256 everywhere, rustls with ring.
//!
//! A folder holds `ca.pem` and `ca.key`, `server.pem` (leaf, then authority) and `server.key`.
//! Keys are readable by their owner only. Devices learn the authority's [`fingerprint`] from their
//! claim, so that nothing rests on a public authority.
//!
//! Instants here are of the wall clock, also in a replay: other people's TLS libraries judge them.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{Datelike, TimeDelta};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use schemas::hash::{Hash, sha256};
use schemas::time::Instant;

/// The name that every authority of this kind bears; its key tells them apart.
const AUTHORITY_NAME: &str = "Tracebond platform authority";
/// Ten years: the authority outlives the devices that pinned it.
const AUTHORITY_DAYS: i64 = 3650;
/// The longest that today's browsers accept for a private authority's server (825 days).
const SERVER_DAYS: i64 = 825;
/// Clocks of devices may be behind.
const BEFORE_DAYS: i64 = 2;

/// Why a certificate could not be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says; `AlreadyExists` when a key would be overwritten.
        #[source]
        source: io::Error,
    },
    /// A certificate could not be made; mostly a name that is neither a host nor an address.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// A file holds no certificate or key in PEM.
    #[error("{what} holds no PEM of the kind that is needed")]
    Pem {
        /// Which input.
        what: String,
    },
    /// rustls refuses certificate or key.
    #[error("certificate or key is not usable")]
    Refused(#[from] rustls::Error),
}

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate, PEM, with its chain.
    pub certificate: PathBuf,
    /// The private key, PKCS#8 PEM, mode 0600.
    pub key: PathBuf,
}

impl Files {
    /// The authority's files in a folder.
    pub fn authority(dir: &Path) -> Self {
        Self {
            certificate: dir.join("ca.pem"),
            key: dir.join("ca.key"),
        }
    }

    /// The server's files in a folder.
    pub fn server(dir: &Path) -> Self {
        Self {
            certificate: dir.join("server.pem"),
            key: dir.join("server.key"),
        }
    }
}

/// Makes ring the process's cryptography for rustls. Anything may call it, any number of times;
/// without it, rustls panics where two providers are compiled in.
pub fn install_provider() {
    if CryptoProvider::get_default().is_none() {
        // Losing the race to another caller of this function leaves the same provider installed.
        let _ = ring::default_provider().install_default();
    }
}

/// Makes a new authority in `dir`, valid for ten years from `now`.
///
/// # Errors
/// [`TlsError::File`] with `AlreadyExists` when there is one: an authority is never overwritten.
pub fn create_ca(dir: &Path, now: Instant) -> Result<Files, TlsError> {
    let files = Files::authority(dir);
    let key = KeyPair::generate()?;
    let certificate = authority(now).self_signed(&key)?;
    write_key(&files.key, &key.serialize_pem())?;
    write(&files.certificate, &certificate.pem())?;
    Ok(files)
}

/// The server's certificate in `dir`, under the authority there; both are made where they are not
/// there.
///
/// # Errors
/// [`TlsError`], see [`create_ca`] and [`issue_server`].
pub fn load_or_make(dir: &Path, names: &[String], now: Instant) -> Result<Files, TlsError> {
    if !Files::authority(dir).certificate.exists() {
        std::fs::create_dir_all(dir).map_err(|source| TlsError::File {
            path: dir.to_owned(),
            source,
        })?;
        create_ca(dir, now)?;
    }
    let server = Files::server(dir);
    if server.certificate.exists() {
        return Ok(server);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    issue_server(dir, &names, now)
}

/// Issues a server certificate in `dir`, signed by the authority there, for host names and
/// addresses in `names`, valid for 825 days from `now`. It replaces an older one.
///
/// # Errors
/// [`TlsError::File`] without an authority in `dir`; [`TlsError::Make`] for a bad name.
pub fn issue_server(dir: &Path, names: &[&str], now: Instant) -> Result<Files, TlsError> {
    issue_server_in(dir, dir, names, now)
}

/// As [`issue_server`], for a server that keeps its certificate in a folder of its own.
///
/// # Errors
/// [`TlsError::File`] without an authority in `authority_dir` or without the folder `dir`;
/// [`TlsError::Make`] for a bad name.
pub fn issue_server_in(
    authority_dir: &Path,
    dir: &Path,
    names: &[&str],
    now: Instant,
) -> Result<Files, TlsError> {
    let ca = Files::authority(authority_dir);
    let ca_pem = read(&ca.certificate)?;
    let params = authority(now);
    let issuer = Issuer::from_params(&params, KeyPair::from_pem(&read(&ca.key)?)?);
    let key = KeyPair::generate()?;
    let leaf = server(names, now)?.signed_by(&key, &issuer)?;
    let files = Files::server(dir);
    remove(&files.key)?;
    write_key(&files.key, &key.serialize_pem())?;
    write(&files.certificate, &format!("{}{ca_pem}", leaf.pem()))?;
    Ok(files)
}

fn authority(now: Instant) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, AUTHORITY_DAYS);
    params
}

fn server(names: &[&str], now: Instant) -> Result<CertificateParams, TlsError> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let common = names.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, now, SERVER_DAYS);
    Ok(params)
}

/// Whole days: certificates need no more, and rcgen's own date type stays out of our interface.
fn valid(params: &mut CertificateParams, now: Instant, days: i64) {
    let day = |offset| {
        let date = now.utc() + TimeDelta::days(offset);
        let (month, day) = (u8::try_from(date.month()), u8::try_from(date.day()));
        rcgen::date_time_ymd(date.year(), month.unwrap_or(1), day.unwrap_or(1))
    };
    params.not_before = day(-BEFORE_DAYS);
    params.not_after = day(days);
}

/// SHA-256 of the first certificate's DER: what a claim carries and a person compares.
///
/// # Errors
/// [`TlsError::Pem`] when there is no certificate.
pub fn fingerprint(ca_pem: &str) -> Result<Hash, TlsError> {
    let missing = |_| TlsError::Pem {
        what: "the authority".into(),
    };
    let der = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(missing)?;
    Ok(sha256(&der))
}

/// When the first certificate of a PEM ends (RFC 5280 section 4.1.2.5); none if it cannot be read.
#[must_use]
pub fn valid_until(pem: &str) -> Option<Instant> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, certificate, _) = element(&der)?;
    let (_, mut rest, _) = element(certificate)?;
    // version (absent in version 1), serial number, algorithm, issuer, then the validity.
    for _ in 0..if rest.first() == Some(&0xa0) { 4 } else { 3 } {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, end) = element(validity)?;
    let (tag, end, _) = element(end)?;
    let text = std::str::from_utf8(end).ok()?;
    let format = match tag {
        // UTCTime has two digits of the year, of 1950 to 2049.
        0x17 => "%y%m%d%H%M%SZ",
        0x18 => "%Y%m%d%H%M%SZ",
        _ => return None,
    };
    let at = chrono::NaiveDateTime::parse_from_str(text, format).ok()?;
    Some(Instant::from_seconds(at.and_utc().timestamp()))
}

/// (tag, content, what follows) of a DER element.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |sum, digit| sum * 256 + usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// A server's configuration from PEM files. `alpn` are the protocols offered: `http/1.1` for
/// HTTP, none for MQTT.
///
/// # Errors
/// [`TlsError::File`], [`TlsError::Pem`] or [`TlsError::Refused`] when key and certificate differ.
pub fn server_config(files: &Files, alpn: &[&str]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(
        &read(&files.certificate)?,
        &files.certificate.display().to_string(),
    )?;
    let missing = |_| TlsError::Pem {
        what: files.key.display().to_string(),
    };
    let key = PrivateKeyDer::from_pem_slice(read(&files.key)?.as_bytes()).map_err(missing)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}

/// A client's configuration that trusts the given authorities and nobody else.
///
/// # Errors
/// [`TlsError::Pem`] when there is no certificate, [`TlsError::Refused`] for an unusable one.
pub fn client_config(ca_pem: &str) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_pem, "the authority")? {
        roots.add(certificate)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.ok()
        .filter(|all| !all.is_empty())
        .ok_or_else(|| TlsError::Pem {
            what: what.to_owned(),
        })
}

fn at(path: &Path) -> impl Fn(io::Error) -> TlsError + '_ {
    move |source| TlsError::File {
        path: path.to_owned(),
        source,
    }
}

fn read(path: &Path) -> Result<String, TlsError> {
    std::fs::read_to_string(path).map_err(at(path))
}

fn write(path: &Path, text: &str) -> Result<(), TlsError> {
    std::fs::write(path, text).map_err(at(path))
}

fn remove(path: &Path) -> Result<(), TlsError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

/// Only ever a new file, so that nobody else holds it open and its mode is what we say.
fn write_key(path: &Path, pem: &str) -> Result<(), TlsError> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(at(path))?;
    file.write_all(pem.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(at(path))
}

#[cfg(test)]
mod tests;
