//! Files that leave the desk, signed by the bank: one archive with the table as CSV and XLSX, what it
//! is, their SHA-256, and a signature that `openssl` checks (`credit/docs/export.md`).
//!
//! The signature is Ed25519 (RFC 8032) over the bytes of `SHA256SUMS`. Its key signs nothing else.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kit::xlsx::{Sheet, workbook};
use kit::zip::Archive;
use schemas::hash::{Hash, sha256};
use schemas::key::SecretKey;
use schemas::random::NoRandomness;
use serde::Serialize;

use super::export::ExportError;

/// Name of the list of hashes; the signature is over its bytes.
pub const SUMS: &str = "SHA256SUMS";
/// Name of the signature: 64 bytes.
pub const SIGNATURE: &str = "SHA256SUMS.sig";
/// Name of the public key. Whoever checks compares it with the one that the bank has given them.
pub const KEY: &str = "bank-key.pem";

/// Begin of an Ed25519 public key as `SubjectPublicKeyInfo` (RFC 8410 section 4).
const PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("cannot use the key file {file}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// Others may read it.
    #[error("the key file {0} is readable by others; its mode must be 600")]
    Readable(PathBuf),
    /// It holds no key.
    #[error("the key file {0} must hold 64 hex digits")]
    Content(PathBuf),
    /// The operating system has no randomness.
    #[error("no key can be made")]
    NoRandomness(#[from] NoRandomness),
}

/// Reads a key file: 64 hex digits, readable by its owner only.
///
/// # Errors
/// [`KeyFileError`].
pub fn load_key(file: &Path) -> Result<SecretKey, KeyFileError> {
    let io = |source| KeyFileError::Io {
        file: file.to_owned(),
        source,
    };
    let mode = fs::metadata(file).map_err(io)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Readable(file.to_owned()));
    }
    let text = fs::read_to_string(file).map_err(io)?;
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed)
        .map_err(|_| KeyFileError::Content(file.to_owned()))?;
    Ok(SecretKey::from_seed(&seed))
}

/// Reads a key file, or makes a new key where there is none; a file that is there is never written.
///
/// # Errors
/// [`KeyFileError`].
pub fn load_or_make_key(file: &Path) -> Result<SecretKey, KeyFileError> {
    let io = |source| KeyFileError::Io {
        file: file.to_owned(),
        source,
    };
    let new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let mut new = match new {
        Ok(new) => new,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return load_key(file),
        Err(source) => return Err(io(source)),
    };
    let key = SecretKey::generate()?;
    let text = format!("{}\n", hex::encode(key.seed()));
    new.write_all(text.as_bytes()).map_err(io)?;
    new.sync_all().map_err(io)?;
    Ok(key)
}

/// The public half as PEM.
#[must_use]
pub fn pem(key: &SecretKey) -> String {
    let bytes = [PREFIX.as_slice(), &key.public_bytes()].concat();
    let text = STANDARD.encode(bytes);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

/// What the files of an archive are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Version of this layout: `desk-export/v1`.
    pub format: &'static str,
    /// `queue`, `decisions` or `trail`.
    pub what: &'static str,
    /// The bank.
    pub organisation: String,
    /// Who took it out.
    pub by: String,
    /// As of when, RFC 3339 in UTC.
    pub as_of: String,
    /// Rows of the table, its heading not counted.
    pub rows: usize,
    /// False if there are more rows than one export holds; the newest ones are here then.
    pub complete: bool,
    /// Number and SHA-256 of the trail's newest row when the table was read.
    pub trail_head: Option<(i64, Hash)>,
}

/// An archive and what it holds.
#[derive(Clone, Debug)]
pub struct Package {
    /// The archive.
    pub bytes: Vec<u8>,
    /// SHA-256 of the list of hashes, which names everything in it.
    pub sums: Hash,
}

/// Signs a table and packs it. The same table, manifest and key give the same bytes.
///
/// # Errors
/// [`ExportError::Table`], [`ExportError::Size`].
pub fn package(
    sheet: &Sheet,
    manifest: &Manifest,
    key: &SecretKey,
) -> Result<Package, ExportError> {
    let workbook = workbook(std::slice::from_ref(sheet))?;
    let manifest_json = serde_json::to_vec_pretty(manifest).map_err(|_| ExportError::Size)?;
    let what = manifest.what;
    let files = [
        (format!("{what}.csv"), kit::csv::csv(sheet)),
        (format!("{what}.xlsx"), workbook),
        ("manifest.json".to_owned(), manifest_json),
    ];
    // As `sha256sum` writes and checks it.
    let line = |(name, content): &(String, Vec<u8>)| format!("{}  {name}\n", sha256(content));
    let sums: String = files.iter().map(line).collect();
    let signature = key.sign(sums.as_bytes());
    let mut archive = Archive::default();
    for (name, content) in &files {
        archive.add(name, content)?;
    }
    archive.add(SUMS, sums.as_bytes())?;
    archive.add(SIGNATURE, &signature)?;
    archive.add(KEY, pem(key).as_bytes())?;
    Ok(Package {
        bytes: archive.finish()?,
        sums: sha256(sums.as_bytes()),
    })
}

#[cfg(test)]
mod tests;
