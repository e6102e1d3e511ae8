//! What is kept on the organisation's disk: its key, which platform it deals with, claims that it
//! has issued, the newest record of every key that it has signed for.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use schemas::consent::{ConsentError, SignedConsent};
use schemas::enrol::Claim;
use schemas::hash::Hash;
use schemas::ids::{Origin, Slug};
use schemas::key::SecretKey;
use schemas::registry::{RecordError, SignedRecord};
use schemas::statement::Position;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::keys::{self, KeyFileError};

const KEY: &str = "organisation.key";
const SETTINGS: &str = "settings.json";
const CLAIMS: &str = "claims";
const RECORDS: &str = "records";
const CONSENTS: &str = "consents";
/// Name of the consent that was signed and is not known to have come.
const WAITING: &str = "waiting.signed";

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be read or written.
    #[error("{file} cannot be read or written")]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// It is not what was written.
    #[error("{0} is damaged")]
    Damaged(PathBuf),
    /// A kept consent.
    #[error("a kept consent does not read")]
    Consent(#[from] ConsentError),
    /// A kept record.
    #[error("a kept record does not read")]
    Record(#[from] RecordError),
    /// It is there already.
    #[error("{0} is there already and is never overwritten")]
    There(PathBuf),
}

/// Who this is, and with which platform and log it deals.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The organisation's name in the registry.
    pub organisation: Slug,
    /// Base URL of the platform, without a slash at its end.
    pub address: String,
    /// Its CA in PEM; empty for plain HTTP on loopback.
    pub ca: String,
    /// Log origin.
    pub origin: Origin,
    /// Genesis log key.
    pub log_key: Hash,
    /// Log id.
    pub log: Hash,
}

/// What a device's record shall say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Its name.
    pub device: Slug,
    /// Places that it may name.
    pub places: Vec<String>,
    /// Business steps that it may name.
    pub steps: Vec<String>,
    /// Source numbers that it may claim.
    pub sources: Vec<u8>,
    /// Seconds within which it speaks, 0 for none.
    pub heartbeat: u64,
}

/// A claim that was handed out.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// The claim with its secret.
    pub claim: Claim,
    /// For whom.
    pub wish: Wish,
    /// The last statement of the key that the new one replaces: (epoch, seq), id.
    pub replaces: Option<(u64, u64, Hash)>,
    /// The new key replaces one that names its last statement itself, by its last word.
    #[serde(default)]
    pub rotates: bool,
    /// Its record is in the registry.
    pub done: bool,
}

impl Issued {
    /// Where the old key ends, if one is replaced.
    #[must_use]
    pub fn last(&self) -> Option<(Position, Hash)> {
        let (epoch, seq, id) = self.replaces?;
        Some((Position { epoch, seq }, id))
    }
}

/// The organisation's folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folder with a new key.
    ///
    /// # Errors
    /// [`FolderError::There`] if there is one.
    pub fn make(path: &Path, settings: &Settings) -> Result<Self, FolderError> {
        let folder = Self(path.to_owned());
        for made in [path.to_owned(), folder.file(CLAIMS), folder.file(RECORDS)] {
            let made_here = fs::create_dir_all(&made);
            made_here.map_err(|source| FolderError::Io { file: made, source })?;
        }
        if folder.file(SETTINGS).exists() {
            return Err(FolderError::There(folder.file(SETTINGS)));
        }
        keys::load_or_make(&folder.file(KEY))?;
        folder.write(&folder.file(SETTINGS), settings)?;
        Ok(folder)
    }

    /// Opens one that was made.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The organisation's key.
    ///
    /// # Errors
    /// [`FolderError`], also where others may read it.
    pub fn key(&self) -> Result<SecretKey, FolderError> {
        Ok(keys::load(&self.file(KEY))?)
    }

    /// The settings.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn settings(&self) -> Result<Settings, FolderError> {
        read(&self.file(SETTINGS))
    }

    /// Keeps an issued claim, new or as it is now.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn keep_claim(&self, issued: &Issued) -> Result<PathBuf, FolderError> {
        let file = self
            .file(CLAIMS)
            .join(format!("{}.json", issued.claim.claim));
        self.write(&file, issued)?;
        Ok(file)
    }

    /// Claims that were issued, by id.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn claims(&self) -> Result<Vec<Issued>, FolderError> {
        let files = self.list(CLAIMS)?;
        files.iter().map(|file| read(file)).collect()
    }

    /// Keeps the newest record of a key.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn keep_record(&self, signed: &SignedRecord) -> Result<(), FolderError> {
        let name = format!("{}.cose", signed.record.kid());
        let file = self.file(RECORDS).join(name);
        let written = replace(&file, signed.bytes());
        written.map_err(|source| FolderError::Io { file, source })
    }

    /// The newest record of every key.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn records(&self) -> Result<Vec<SignedRecord>, FolderError> {
        let record = |file: &PathBuf| Ok(SignedRecord::parse(bytes_of(file)?)?);
        self.list(RECORDS)?.iter().map(record).collect()
    }

    /// Documents to a bank that the platform has taken, number 1 first.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn consents(&self, bank: &Slug) -> Result<Vec<SignedConsent>, FolderError> {
        if !self.of_bank(bank).exists() {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        for file in self.list(&format!("{CONSENTS}/{bank}"))? {
            all.push(SignedConsent::parse(bytes_of(&file)?)?);
        }
        all.sort_by_key(|signed| signed.consent.number);
        Ok(all)
    }

    /// Keeps a document that the platform has taken.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn keep_consent(&self, signed: &SignedConsent) -> Result<(), FolderError> {
        let name = format!("{:06}.cose", signed.consent.number);
        self.write_consent(signed, &name)
    }

    /// The document to a bank that was signed and is not known to have come.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn waiting_consent(&self, bank: &Slug) -> Result<Option<SignedConsent>, FolderError> {
        let file = self.of_bank(bank).join(WAITING);
        if !file.exists() {
            return Ok(None);
        }
        Ok(Some(SignedConsent::parse(bytes_of(&file)?)?))
    }

    /// Keeps a document before it is sent: a second one with its number would be a fork.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn keep_waiting_consent(&self, signed: &SignedConsent) -> Result<(), FolderError> {
        self.write_consent(signed, WAITING)
    }

    /// Forgets it: it was taken and is kept, or will never be.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn forget_waiting_consent(&self, bank: &Slug) -> Result<(), FolderError> {
        let file = self.of_bank(bank).join(WAITING);
        match fs::remove_file(&file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(FolderError::Io { file, source })
            }
            _ => Ok(()),
        }
    }

    fn of_bank(&self, bank: &Slug) -> PathBuf {
        self.file(CONSENTS).join(bank.as_str())
    }

    fn write_consent(&self, signed: &SignedConsent, name: &str) -> Result<(), FolderError> {
        let folder = self.of_bank(&signed.consent.bank);
        let made = fs::create_dir_all(&folder);
        let file = folder.join(name);
        let written = made.and_then(|()| replace(&file, signed.bytes()));
        written.map_err(|source| FolderError::Io { file, source })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn list(&self, name: &str) -> Result<Vec<PathBuf>, FolderError> {
        let folder = self.file(name);
        let failed = |source| FolderError::Io {
            file: folder.clone(),
            source,
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            files.push(entry.map_err(failed)?.path());
        }
        // What a write that broke off has left is none of them.
        files.retain(|file| {
            file.extension()
                .is_some_and(|end| end == "json" || end == "cose")
        });
        files.sort();
        Ok(files)
    }

    fn write<T: Serialize>(&self, file: &Path, value: &T) -> Result<(), FolderError> {
        let failed = |source| FolderError::Io {
            file: file.to_owned(),
            source,
        };
        let text = serde_json::to_string_pretty(value).map_err(|error| failed(error.into()))?;
        replace(file, text.as_bytes()).map_err(failed)
    }
}

fn bytes_of(file: &Path) -> Result<Vec<u8>, FolderError> {
    fs::read(file).map_err(|source| FolderError::Io {
        file: file.to_owned(),
        source,
    })
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T, FolderError> {
    let bytes = bytes_of(file)?;
    serde_json::from_slice(&bytes).map_err(|_| FolderError::Damaged(file.to_owned()))
}

/// Writes a file that only its owner may read, whole or not at all.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = file.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    let mut opened = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    opened.write_all(bytes)?;
    opened.sync_all()?;
    fs::rename(&beside, file)?;
    match file.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
