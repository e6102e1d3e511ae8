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
pub mod verified;
pub mod verify;
pub mod weight;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use schemas::ids::Slug;

pub use chain::Gap;
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

/// Where evidence comes from.
#[async_trait]
pub trait EvidencePort: Send + Sync {
    /// The evidence of one organisation up to the newest witnessed checkpoint.
    ///
    /// # Errors
    /// [`EvidenceError`]; all of them leave the bank without a decision.
    async fn evidence(&self, organisation: &Slug) -> Result<EvidencePack, EvidenceError>;
}

/// The future that an in-process source answers with.
pub type PackFuture = Pin<Box<dyn Future<Output = Result<EvidencePack, EvidenceError>> + Send>>;

/// A source within the same process, given by whoever composes it: credit itself knows no other
/// service's code.
#[derive(Clone)]
pub struct InProcess(Arc<dyn Fn(Slug) -> PackFuture + Send + Sync>);

impl InProcess {
    /// A port over a function.
    pub fn new(source: impl Fn(Slug) -> PackFuture + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }
}

#[async_trait]
impl EvidencePort for InProcess {
    async fn evidence(&self, organisation: &Slug) -> Result<EvidencePack, EvidenceError> {
        let pack = (self.0)(organisation.clone()).await?;
        if pack.bundle.len() > PACK_MAX {
            Err(EvidenceError::TooLarge(PACK_MAX))
        } else {
            Ok(pack)
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
