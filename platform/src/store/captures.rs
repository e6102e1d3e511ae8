//! What the EPCIS capture interface keeps.

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::statement::Position;
use schemas::time::Instant;

use super::{NewStatement, Stored};

/// A capture job as kept: a document of a caller, judged once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCapture {
    /// 32 hexadecimal digits, made from caller, document and attempt.
    pub id: String,
    /// Name of the caller.
    pub capturer: Slug,
    /// Whose words they are.
    pub organisation: Slug,
    /// SHA-256 of the document.
    pub document: Hash,
    /// Which time the same document was judged, from 0.
    pub attempt: u64,
    /// Content type as sent.
    pub media_type: String,
    /// `rollback` or `proceed`.
    pub behaviour: String,
    /// Registry version that it was judged against.
    pub registry_version: u64,
    /// When it came, and was done with: both are one transaction.
    pub received: Instant,
    /// Events in the document.
    pub events: u64,
    /// Of these, captured.
    pub captured: u64,
    /// JSON list of what was wrong, `[]` for nothing.
    pub errors: String,
    /// JSON list of what was captured otherwise than it stood there, `[]` for nothing.
    pub warnings: String,
}

/// A capture on its way into the store, all in one transaction.
#[derive(Debug)]
pub struct NewCapture {
    /// Conditions that must hold until the commit ([`super::IngestStore`]'s `commit_behind`); none
    /// where there is one process only.
    pub pass: Option<super::Pass>,
    /// The job.
    pub kept: KeptCapture,
    /// The document as sent.
    pub document: Vec<u8>,
    /// Chain of the statements; none where nothing is captured.
    pub chain: Option<ChainMove>,
    /// Statements over the captured events.
    pub statements: Vec<NewStatement>,
    /// Where each captured event went.
    pub places: Vec<CapturedEvent>,
}

/// A step of a capture device's chain: it holds only if the chain still stands at `before`.
#[derive(Clone, Debug)]
pub struct ChainMove {
    /// The device.
    pub device: DeviceAddress,
    /// Id of its last statement as far as the signer knew; none for its first.
    pub before: Option<Hash>,
    /// Place of the new last statement.
    pub position: Position,
    /// Its id.
    pub id: Hash,
}

/// Where an event of a document went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturedEvent {
    /// Place in the document's list, from 0.
    pub place: u64,
    /// Statement that carries it.
    pub statement: Hash,
    /// Place in the statement.
    pub position: u64,
}

/// Captures and their chains.
#[async_trait]
pub trait CaptureStore: Send + Sync {
    /// Keeps a capture; false, and nothing changed, if its chain has moved or its id is taken:
    /// somebody else was faster.
    async fn add_capture(&self, capture: &NewCapture) -> Stored<bool>;
    /// The last statement of a capture device.
    async fn capture_chain(&self, device: &DeviceAddress) -> Stored<Option<(Position, Hash)>>;
    /// The last time that a caller's document was judged.
    async fn newest_capture(&self, capturer: &Slug, document: &Hash)
    -> Stored<Option<KeptCapture>>;
    /// A caller's capture.
    async fn capture(&self, capturer: &Slug, id: &str) -> Stored<Option<KeptCapture>>;
    /// The document of a caller, unless it was erased.
    async fn capture_document(&self, capturer: &Slug, document: &Hash) -> Stored<Option<Vec<u8>>>;
    /// Where a capture's events went, in the order of the document.
    async fn capture_events(&self, capturer: &Slug, id: &str) -> Stored<Vec<CapturedEvent>>;
}
