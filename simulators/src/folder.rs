//! What a finished run leaves behind: everything that somebody else's verifier needs, in files.
//!
//! | file | content |
//! |---|---|
//! | `policy.json` | the policy file to trust (`schemas/docs/log.md` section 4) |
//! | `checkpoint` | the newest witnessed checkpoint, as served |
//! | `products/*.json` | one proof bundle for each product |
//! | `evidence/*.json` | proof bundles with the whole chains of one organisation's gateways |
//! | `late-delivery.csv` | where orders were promised: every delivery of the test with its prediction |
//! | `expected.json` | what the gateways made, what the platform and the bank say: [`Expected`] |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use credit::lateness::Evaluation;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use crate::series::{Row, Stamps};

/// Name of the file of expectations.
const EXPECTED: &str = "expected.json";

/// A folder that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be written or read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `expected.json` is not what this program wrote.
    #[error("{path} is not a list of expectations: {source}")]
    Expected {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// What a verification has to find.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// What was played: `story` or `series`.
    pub played: Played,
    /// Origin of the log.
    pub origin: String,
    /// Size of the log at the newest checkpoint.
    pub log_size: u64,
    /// Its root.
    pub log_root: Hash,
    /// What each gateway made.
    pub gateways: BTreeMap<DeviceAddress, Made>,
    /// What the platform says that it stored.
    pub platform: Stored,
    /// What the bank decided about each supplier, in the order of the world.
    pub decisions: Vec<Decision>,
    /// The bank's evaluation of its model of late delivery, where orders were promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_delivery: Option<Evaluation>,
    /// Bundles of products.
    pub products: Vec<ProductFile>,
    /// Bundles of chains.
    pub evidence: Vec<EvidenceFile>,
}

/// What was played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Played {
    /// The story of a seed.
    Story {
        /// The seed.
        seed: u64,
        /// Simulated days.
        days: u32,
    },
    /// A measured series.
    Series {
        /// Name of its file.
        file: String,
        /// What its stamps are like.
        stamps: Stamps,
        /// Every row, in the order of the file; left out of an outcome.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rows: Vec<Row>,
        /// What it does not state.
        assumption: String,
    },
    /// Real deliveries.
    Deliveries {
        /// Name of their file.
        file: String,
        /// Lines of the file that were replayed.
        lines: u64,
        /// What the file does not state.
        assumptions: Vec<String>,
        /// Every line, in the order of the file; left out of an outcome.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        replayed: Vec<Replayed>,
    },
}

/// What must be proven of a line of a file of deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// Number of the line.
    pub line: u32,
    /// Organisation that promised.
    pub vendor: String,
    /// Organisation that received.
    pub client: String,
    /// Digital Link URI of the goods.
    pub goods: String,
    /// What was promised.
    pub promised: Promise,
    /// When it was received.
    pub delivered: Instant,
    /// From when on anybody but vendor and client could know of it.
    pub known: Instant,
}

/// What an order confirmation says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Until when it is to be delivered.
    pub due: Instant,
    /// Packs.
    pub quantity: u64,
    /// Value as a decimal with two places.
    pub value: String,
}

/// What one gateway made, from the auditor's copy of its outbox.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Leaves of all events, in the order in which they were made.
    pub leaves: Vec<Hash>,
    /// Those that its owner deleted before they were sent.
    pub hidden: Vec<Hash>,
}

/// What the platform says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Events stored.
    pub events: u64,
    /// Of these, refused by a rule.
    pub refused: u64,
    /// Messages in quarantine.
    pub quarantined: u64,
    /// Gaps in chains, open or closed.
    pub gaps: u64,
}

/// What the bank decided about one supplier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub supplier: String,
    /// Its name in English.
    pub name: String,
    /// How it behaves, as the scenario knows it: `good`, `excursion`, `hiding` or `replay`.
    pub conduct: String,
    /// Points.
    pub score: i64,
    /// What was offered, if anything, in fen.
    pub offer_fen: Option<i64>,
    /// Its currency, ISO 4217.
    pub currency: String,
    /// Reason codes, the weightiest first.
    pub reasons: Vec<String>,
}

/// The bundle of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductFile {
    /// The product's Digital Link URI.
    pub item: String,
    /// File, relative to the folder.
    pub file: PathBuf,
}

/// A bundle of chains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceFile {
    /// Whose chains.
    pub organisation: String,
    /// File, relative to the folder.
    pub file: PathBuf,
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Makes the folder and its parts if they are not there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(path: &Path) -> Result<RunFolder, FolderError> {
        for part in ["products", "evidence"] {
            let part = path.join(part);
            std::fs::create_dir_all(&part).map_err(|source| file_error(&part, source))?;
        }
        Ok(RunFolder(path.to_owned()))
    }

    /// A folder that is there.
    pub fn open(path: &Path) -> RunFolder {
        RunFolder(path.to_owned())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The policy file.
    pub fn policy(&self) -> PathBuf {
        self.0.join("policy.json")
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    /// Writes a file of the folder.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, name: &Path, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).map_err(|source| file_error(&path, source))
    }

    /// Reads a file of the folder.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn read(&self, name: &Path) -> Result<Vec<u8>, FolderError> {
        let path = self.0.join(name);
        std::fs::read(&path).map_err(|source| file_error(&path, source))
    }

    /// Writes the expectations.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_expected(&self, expected: &Expected) -> Result<(), FolderError> {
        let broken = |source| FolderError::Expected {
            path: self.0.join(EXPECTED),
            source,
        };
        let text = serde_json::to_string(expected).map_err(broken)?;
        self.write(Path::new(EXPECTED), text.as_bytes())
    }

    /// Reads the expectations.
    ///
    /// # Errors
    /// When the file is missing or not ours.
    pub fn read_expected(&self) -> Result<Expected, FolderError> {
        let bytes = self.read(Path::new(EXPECTED))?;
        let broken = |source| FolderError::Expected {
            path: self.0.join(EXPECTED),
            source,
        };
        serde_json::from_slice(&bytes).map_err(broken)
    }
}

fn file_error(path: &Path, source: std::io::Error) -> FolderError {
    FolderError::File {
        path: path.to_owned(),
        source,
    }
}
