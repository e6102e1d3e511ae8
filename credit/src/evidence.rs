//! The port through which the bank reaches traceability, and what it makes of what comes back.
//!
//! [`EvidencePort`] belongs to credit: a platform, an export on a stick or another bank can stand
//! behind it. What it hands over is believed in nothing: [`verify()`] checks every proof under the
//! bank's own policy file, [`chain`] looks for what is missing.

pub mod attestation;
pub mod chain;
pub mod consent;
pub mod http;
pub mod kept;
pub mod offline;
pub mod papers;
pub mod verified;
pub mod verify;
pub mod weight;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};

pub use chain::Gap;
pub use consent::Shown;
pub use http::Http;
pub use kept::{OpenError, Opened};
pub use verified::{VerifiedEvent, VerifiedEvidence, VerifiedStatement};
pub use verify::{Refused, verify};

/// Largest pack in bytes: a proof bundle's own limit (`proof-bundle.md` section 1).
pub const PACK_MAX: usize = 33_554_432;

/// What is handed over about one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidencePack {
    /// One proof bundle (`schemas/docs/proof-bundle.md`) with the complete chains of all devices
    /// of the organisation and the statements of others that confirm its goods. At most
    /// [`PACK_MAX`] bytes.
    pub bundle: Vec<u8>,
}

/// Why no pack came. Nothing is decided then; the same application may be sent again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Nothing is known of the organisation, or the bank may not see it.
    #[error("no evidence of `{0}` is open to this bank")]
    Unknown(Slug),
    /// The other side says that the organisation's consent is not in force.
    #[error("the evidence service says: {detail}")]
    Consent {
        /// Class of the refusal, as for a consent that the bank itself refuses.
        class: String,
        /// In its words.
        detail: String,
    },
    /// The other side could not be reached or did not answer in time.
    #[error("the evidence service cannot be reached: {0}")]
    Unreachable(String),
    /// The other side answered with an error.
    #[error("the evidence service answered with status {0}")]
    Status(u16),
    /// The answer is not what was asked for.
    #[error("the evidence service answered with `{0}`, not with application/json")]
    MediaType(String),
    /// More bytes than a pack may have.
    #[error("the evidence is larger than {0} bytes")]
    TooLarge(usize),
    /// The base address is not usable.
    #[error("`{0}` is not an http or https address")]
    Address(String),
}

fn no_log() -> EvidenceError {
    EvidenceError::Unreachable("this source is no way to a log".to_owned())
}

/// Where evidence comes from.
#[async_trait]
pub trait EvidencePort: Send + Sync {
    /// The evidence of one organisation up to the newest witnessed checkpoint.
    ///
    /// # Errors
    /// [`EvidenceError`]; all of them leave the bank without a decision.
    async fn evidence(&self, organisation: &Slug) -> Result<EvidencePack, EvidenceError>;

    /// What the organisation has signed for this bank, number 1 first, each with the proof of its
    /// log entry once there is one. A source that knows of no consents has none.
    ///
    /// # Errors
    /// [`EvidenceError`]; all of them leave the bank without a decision.
    async fn consents(
        &self,
        _organisation: &Slug,
        _bank: &Slug,
    ) -> Result<Vec<Shown>, EvidenceError> {
        Ok(Vec::new())
    }

    /// What the log took of one device's chain from the size `from_size` on, as one bundle; `None` if
    /// nothing of it is under a witnessed checkpoint yet.
    ///
    /// # Errors
    /// [`EvidenceError`]; a source that hands over no single chains says so.
    async fn chain(
        &self,
        _device: &DeviceAddress,
        _from_size: u64,
    ) -> Result<Option<EvidencePack>, EvidenceError> {
        let why = "this source hands over no single chains";
        Err(EvidenceError::Unreachable(why.to_owned()))
    }

    /// Hands the hash of one of the bank's own documents over for the log; the same again changes
    /// nothing. A source that is no way to a log takes none.
    ///
    /// # Errors
    /// [`EvidenceError`]; hand it over again later.
    async fn hand_over(&self, _kind: &str, _hash: &Hash) -> Result<(), EvidenceError> {
        Err(no_log())
    }

    /// The proof that the log holds a document's hash, as it was served and not checked yet; `None`
    /// while no witnessed checkpoint covers it.
    ///
    /// # Errors
    /// [`EvidenceError`].
    async fn document_proof(&self, _hash: &Hash) -> Result<Option<Vec<u8>>, EvidenceError> {
        Err(no_log())
    }
}

/// The future that an in-process source answers with.
pub type PackFuture = Pin<Box<dyn Future<Output = Result<EvidencePack, EvidenceError>> + Send>>;

/// The future that an in-process source of consents answers with.
pub type ShownFuture = Pin<Box<dyn Future<Output = Result<Vec<Shown>, EvidenceError>> + Send>>;

type Packs = Arc<dyn Fn(Slug) -> PackFuture + Send + Sync>;
type Consents = Arc<dyn Fn(Slug, Slug) -> ShownFuture + Send + Sync>;

/// The future that an in-process source of chains answers with.
pub type ChainFuture =
    Pin<Box<dyn Future<Output = Result<Option<EvidencePack>, EvidenceError>> + Send>>;

/// Hands over what the log took of a device's chain from a size on.
type Chains = Arc<dyn Fn(DeviceAddress, u64) -> ChainFuture + Send + Sync>;

/// A source within the same process, given by whoever composes it: credit itself knows no other
/// service's code.
#[derive(Clone)]
pub struct InProcess {
    packs: Packs,
    consents: Option<Consents>,
    chains: Option<Chains>,
}

impl InProcess {
    /// A port over a function.
    pub fn new(source: impl Fn(Slug) -> PackFuture + Send + Sync + 'static) -> Self {
        Self {
            packs: Arc::new(source),
            consents: None,
            chains: None,
        }
    }

    /// The same with a function of organisation and bank that gives consents.
    #[must_use]
    pub fn with_consents(
        self,
        source: impl Fn(Slug, Slug) -> ShownFuture + Send + Sync + 'static,
    ) -> Self {
        Self {
            consents: Some(Arc::new(source)),
            ..self
        }
    }

    /// The same with a function that hands over single chains.
    #[must_use]
    pub fn with_chains(
        self,
        source: impl Fn(DeviceAddress, u64) -> ChainFuture + Send + Sync + 'static,
    ) -> Self {
        Self {
            chains: Some(Arc::new(source)),
            ..self
        }
    }
}

/// Nothing larger than a pack may be.
fn within(pack: EvidencePack) -> Result<EvidencePack, EvidenceError> {
    if pack.bundle.len() > PACK_MAX {
        Err(EvidenceError::TooLarge(PACK_MAX))
    } else {
        Ok(pack)
    }
}

#[async_trait]
impl EvidencePort for InProcess {
    async fn evidence(&self, organisation: &Slug) -> Result<EvidencePack, EvidenceError> {
        within((self.packs)(organisation.clone()).await?)
    }

    async fn chain(
        &self,
        device: &DeviceAddress,
        from_size: u64,
    ) -> Result<Option<EvidencePack>, EvidenceError> {
        let Some(chains) = &self.chains else {
            let why = "this source hands over no single chains";
            return Err(EvidenceError::Unreachable(why.to_owned()));
        };
        chains(device.clone(), from_size)
            .await?
            .map(within)
            .transpose()
    }

    async fn consents(
        &self,
        organisation: &Slug,
        bank: &Slug,
    ) -> Result<Vec<Shown>, EvidenceError> {
        match &self.consents {
            Some(source) => source(organisation.clone(), bank.clone()).await,
            None => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(size: usize) -> InProcess {
        InProcess::new(move |organisation| {
            Box::pin(async move {
                match organisation.as_str() {
                    "qinghe" => Ok(EvidencePack {
                        bundle: vec![b'x'; size],
                    }),
                    _ => Err(EvidenceError::Unknown(organisation)),
                }
            })
        })
    }

    #[tokio::test]
    async fn an_in_process_source_is_asked_for_the_organisation() {
        let known: Slug = "qinghe".parse().unwrap();
        let unknown: Slug = "nobody".parse().unwrap();
        assert_eq!(source(3).evidence(&known).await.unwrap().bundle, b"xxx");
        let refused = source(3).evidence(&unknown).await;
        assert_eq!(refused, Err(EvidenceError::Unknown(unknown)));
    }

    #[tokio::test]
    async fn an_in_process_source_has_the_same_limit() {
        let known: Slug = "qinghe".parse().unwrap();
        let answer = source(PACK_MAX + 1).evidence(&known).await;
        assert_eq!(answer, Err(EvidenceError::TooLarge(PACK_MAX)));
    }
}
