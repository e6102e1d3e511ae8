//! Declared events: documents that machines hand over without a device's signature (DESIGN
//! section 5, EPCIS 2.0 section 12.6).
//!
//! The platform signs them with a key of its own for each caller, so that whoever verifies sees
//! that nobody but the platform spoke, and for whom: the device is `operator/caller`, its record
//! allows the source "declared" and the caller's places and steps, and every statement's `agent`
//! names the caller's organisation. From there on they go the way of every statement: the same
//! checks, the same batches, the same proofs.
//!
//! A document is judged and kept in one transaction with its statements and the step of the
//! device's chain, so that a crash leaves all of it or nothing. The same document from the same
//! caller is captured once: who sends it again reads the job of the first time. A document of which
//! nothing was captured is judged again when the registry has changed since.

mod judge;
mod rate;
mod read;
mod sign;

use std::sync::Arc;

use schemas::document::{Document, DocumentError, Limits};
use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::ids::{DeviceAddress, Slug};
use schemas::random::NoRandomness;
use schemas::registry::{Record, State};
use schemas::time::{Clock, Instant};

use crate::config::CapturerSection;
use crate::ingest::Wake;
use crate::metrics::timed;
use crate::operator::CaptureDevice;
use crate::registry::{Gate, Snapshot};
use crate::standing::Standing;
use crate::store::captures::{KeptCapture, NewCapture};
use crate::store::{Store, StoreError};

pub use judge::Fault;
pub use rate::PER_MINUTE;
pub use read::{CapturedAs, EventIdState, query_document};

/// Longest document in bytes.
pub const DOCUMENT_MAX: usize = 2 * 1024 * 1024;
/// Most events of a document.
pub const EVENTS_MAX: usize = 2_000;
/// Most bytes of its events with the context in each: one long context must not fill the disk.
pub const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How often a capture is tried while others move the same chain.
const TRIES: u32 = 8;

/// What happens to a document of which some events cannot be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// All or nothing.
    Rollback,
    /// What can be captured is.
    Proceed,
}

impl Behaviour {
    /// Its word in `GS1-Capture-Error-Behaviour`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Proceed => "proceed",
        }
    }

    /// From its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Rollback, Self::Proceed]
            .into_iter()
            .find(|known| known.word() == word)
    }
}

/// Nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The whole cannot be read.
    #[error("the document cannot be read")]
    Document(#[from] DocumentError),
    /// The caller sends too much.
    #[error("more than {PER_MINUTE} documents a minute")]
    TooOften,
    /// The platform's key for this caller has no active record.
    #[error("the platform's key for this caller is not recorded, or was taken back")]
    NotRecorded,
    /// Others moved the chain every time.
    #[error("too many captures of one caller at once")]
    Contended,
    /// What was judged fit was refused by ingest.
    #[error("ingest refused what was judged fit: {0}")]
    Inconsistent(String),
    /// No salt can be made.
    #[error("no salt can be made")]
    Random(#[from] NoRandomness),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// A machine that may hand over documents.
#[derive(Debug)]
pub struct Caller {
    /// As configured.
    pub section: CapturerSection,
    device: CaptureDevice,
    address: DeviceAddress,
    rate: rate::Bucket,
    // One capture at a time a chain; the store's compare-and-set holds across processes.
    turn: tokio::sync::Mutex<()>,
}

impl Caller {
    /// A caller and the device that signs for it.
    #[must_use]
    pub fn new(section: CapturerSection, device: CaptureDevice, address: DeviceAddress) -> Self {
        Self {
            section,
            device,
            address,
            rate: rate::Bucket::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

/// A document as it came.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Content type.
    pub media_type: &'a str,
    /// What to do where some events cannot be captured.
    pub behaviour: Behaviour,
}

/// The capture interface.
pub struct Captures {
    /// Where it goes.
    pub store: Arc<dyn Store>,
    /// The registry in force.
    pub gate: Arc<Gate>,
    /// Log id.
    pub log: Hash,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Whom to wake.
    pub wake: Arc<Wake>,
    /// Whether this process may write.
    pub standing: Standing,
    /// This process's own series of batches.
    pub shard: u64,
    /// Who may call.
    pub callers: Vec<Caller>,
}

/// Where a capture stands: registry in force, the record of the signing key, now.
struct Ground<'a> {
    caller: &'a Caller,
    record: &'a Record,
    snapshot: &'a Snapshot,
    log: Hash,
    now: Instant,
}

impl Captures {
    /// The caller with this token.
    #[must_use]
    pub fn caller(&self, token: &str) -> Option<&Caller> {
        let hash = sha256(token.as_bytes());
        self.callers
            .iter()
            .find(|caller| caller.section.token_sha256 == Some(hash))
    }

    /// The caller that is this client.
    #[must_use]
    pub fn client(&self, name: &Slug) -> Option<&Caller> {
        let mut callers = self.callers.iter();
        callers.find(|caller| caller.section.name == *name)
    }

    /// Judges a document, keeps it, and signs what can be captured: one transaction. The job of the
    /// first time if the same document was captured before.
    ///
    /// # Errors
    /// [`CaptureError`]: nothing was kept.
    pub async fn submit(
        &self,
        caller: &Caller,
        sent: Sent<'_>,
    ) -> Result<KeptCapture, CaptureError> {
        let now = self.clock.now();
        if !self.standing.is_led() {
            return Err(StoreError::Fenced.into());
        }
        if !caller.rate.take(now) {
            return Err(CaptureError::TooOften);
        }
        let limits = Limits {
            events: EVENTS_MAX,
            event_bytes: EVENT_BYTES_MAX,
        };
        let document = Document::parse(sent.bytes, limits)?;
        let _turn = caller.turn.lock().await;
        for _ in 0..TRIES {
            if let Some(kept) = self.attempt(caller, sent, &document, now).await? {
                return Ok(kept);
            }
        }
        Err(CaptureError::Contended)
    }

    /// One try; `None` if somebody else was faster.
    async fn attempt(
        &self,
        caller: &Caller,
        sent: Sent<'_>,
        document: &Document,
        now: Instant,
    ) -> Result<Option<KeptCapture>, CaptureError> {
        let snapshot = self.gate.snapshot();
        let name = &caller.section.name;
        let hash = sha256(sent.bytes);
        let before = self.store.newest_capture(name, &hash).await?;
        let version = snapshot.head.map_or(0, |head| head.version);
        let pass = self.standing.pass(version, now, self.shard);
        let pass = pass.ok_or(StoreError::Fenced)?;
        if let Some(kept) = &before
            && is_final(kept, sent.behaviour, version)
        {
            return Ok(before);
        }
        let ground = Ground {
            caller,
            record: record_of(caller, &snapshot).ok_or(CaptureError::NotRecorded)?,
            snapshot: &snapshot,
            log: self.log,
            now,
        };
        let attempt = before.map_or(0, |kept| kept.attempt + 1);
        let job = (hash, attempt, version);
        let mut capture = self.make(&ground, sent, document, job).await?;
        capture.pass = Some(pass);
        match timed("capture", self.store.add_capture(&capture)).await {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(StoreError::Stale) => {
                self.gate.catch_up(version, &self.wake.registry).await;
                return Ok(None);
            }
            Err(error) => {
                if matches!(error, StoreError::Fenced) {
                    self.standing.refused(&pass);
                }
                return Err(error.into());
            }
        }
        report(&capture);
        self.wake.notary.notify_one();
        self.wake.follower.notify_one();
        Ok(Some(capture.kept))
    }

    /// Judges and signs; nothing is kept yet.
    async fn make(
        &self,
        ground: &Ground<'_>,
        sent: Sent<'_>,
        document: &Document,
        (hash, attempt, registry_version): (Hash, u64, u64),
    ) -> Result<NewCapture, CaptureError> {
        let section = &ground.caller.section;
        let (mut fit, faults) = judge::judge(document, ground.record);
        if sent.behaviour == Behaviour::Rollback && !faults.is_empty() {
            fit.clear();
        }
        let chain = self.store.capture_chain(&ground.caller.address).await?;
        let signed = sign::sign(ground, chain, &fit)?;
        Ok(NewCapture {
            pass: None,
            kept: KeptCapture {
                id: capture_id(&section.name, &hash, attempt),
                capturer: section.name.clone(),
                organisation: section.organisation.clone(),
                document: hash,
                attempt,
                media_type: sent.media_type.to_owned(),
                behaviour: sent.behaviour.word().to_owned(),
                registry_version,
                received: ground.now,
                events: document.events.len() as u64,
                captured: signed.places.len() as u64,
                errors: judge::encode(&faults),
                warnings: judge::warnings(document),
            },
            document: sent.bytes.to_vec(),
            chain: signed.chain,
            statements: signed.statements,
            places: signed.places,
        })
    }
}

/// True if judging the document again would change nothing.
fn is_final(kept: &KeptCapture, behaviour: Behaviour, registry_version: u64) -> bool {
    let clean = kept.errors == judge::NO_FAULTS;
    let same = kept.behaviour == behaviour.word() && kept.registry_version == registry_version;
    clean || kept.captured > 0 || same
}

/// The active record of the caller's key.
fn record_of<'s>(caller: &Caller, snapshot: &'s Snapshot) -> Option<&'s Record> {
    let signed = snapshot.key(&caller.device.key.kid())?;
    let active = signed.record.state == State::Active && snapshot.organisation_of(signed).is_some();
    active.then_some(&signed.record)
}

/// 32 hexadecimal digits, the same whenever the same attempt is made.
fn capture_id(caller: &Slug, document: &Hash, attempt: u64) -> String {
    let parts = [
        b"capture".as_slice(),
        caller.as_str().as_bytes(),
        b"\0",
        &document.0,
        &attempt.to_be_bytes(),
    ];
    hex::encode(&sha256_parts(&parts).0[..16])
}

fn report(capture: &NewCapture) {
    let kept = &capture.kept;
    let outcome = match (kept.captured, kept.errors.as_str()) {
        (_, judge::NO_FAULTS) => "captured",
        (0, _) => "rejected",
        _ => "partly",
    };
    metrics::counter!("tracebond_captures_total", "outcome" => outcome).increment(1);
    metrics::counter!("tracebond_captured_events_total").increment(kept.captured);
    tracing::info!(
        capturer = %kept.capturer,
        outcome,
        events = kept.events,
        captured = kept.captured,
        statements = capture.statements.len(),
        "document captured"
    );
}
