//! Log-in by an organisation's own provider: OpenID Connect Core 1.0, authorization code flow with
//! PKCE (RFC 7636), state and nonce.
//!
//! ```text
//! GET /login/provider?next=  --303--> provider (state, nonce, S256 challenge)
//!                            <--302-- GET /login/provider/back?code=&state=
//! code + verifier --POST--> token endpoint --> ID token, checked --> (issuer, subject) --> account
//! ```
//!
//! What holds:
//! - a log-in never makes an account and never gives a role: somebody has linked issuer and subject
//!   to an account that exists ([`People::link_identity`]); a name or an address of electronic mail
//!   in the token counts for nothing, since providers let people change them;
//! - what was asked (state, nonce, verifier, where to go then) stands sealed in a cookie of this
//!   browser for [`ASKED_LONGEST`], so that nobody can be logged in as somebody else by a link;
//! - the ID token's signature, issuer, audience, time and nonce are checked though it comes straight
//!   from the provider, by [`super::jose`]; `iss` in the answer too (RFC 9207);
//! - a provider stands for the password and not for the second factor: an account that has one, or
//!   whose role must, is asked for it as ever;
//! - addresses are `https` (plain `http` on loopback only), answers are bounded in size and time,
//!   redirects are not followed.
//!
//! The way back is a navigation from another site, on which browsers send no `SameSite=Strict`
//! cookie: the cookie of the question is `Lax`, and the answer is a small page of ours that goes on
//! by itself, so that the session's strict cookie is sent from there.
//!
//! Why not the `openidconnect` crate: with `oauth2` it brings `rsa` (RUSTSEC-2023-0071, without a
//! fix), `p384`, `num-bigint-dig`, `serde_with` and some twenty more, for a flow of four requests;
//! `ring`, `reqwest` and `base64` are here already.

mod door;
mod fetch;
mod provider;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::causes::causes;
use schemas::ids::Slug;
use schemas::time::Instant;

pub(super) use door::routes;
pub(super) use fetch::is_safe;
pub use fetch::{ANSWER_MAX, Ask, Fetch, FetchError, ReqwestFetch};

use super::seal::Seal;
use super::{Account, AccountError, People, StoreFailed};
use provider::Known;

/// How long somebody may take at the provider.
pub const ASKED_LONGEST: Duration = Duration::from_secs(10 * 60);
/// By how much the provider's clock may differ.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// How long what a provider says of itself is kept.
pub const KNOWN_FOR: Duration = Duration::from_secs(3600);
/// The longest subject, in characters (OpenID Connect Core 1.0 section 2).
pub const SUBJECT_MAX: usize = 255;

/// Who a provider's subjects are, in a service's database.
#[async_trait]
pub trait IdentityStore: Send + Sync + 'static {
    /// Links a subject to an account; false, and nothing changed, if it is linked already.
    async fn link(
        &self,
        organisation: &Slug,
        issuer: &str,
        subject: &str,
        name: &Slug,
        at: Instant,
    ) -> Result<bool, StoreFailed>;

    /// The name of the account that a subject is linked to.
    async fn identity(
        &self,
        organisation: &Slug,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Slug>, StoreFailed>;

    /// Removes every link of an account; how many there were.
    async fn unlink(&self, organisation: &Slug, name: &Slug) -> Result<usize, StoreFailed>;
}

/// What a service states about its provider.
pub struct ProviderSettings {
    /// Its issuer identifier, exactly as it writes it, such as `https://login.example`.
    pub issuer: String,
    /// What this service is called there.
    pub client_id: String,
    /// What it shows there; none for a public client, for which PKCE alone stands.
    pub client_secret: Option<String>,
    /// The service's own public address, without a slash at the end; its way back is
    /// `{own}/login/provider/back`.
    pub own: String,
}

impl fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderSettings({} at {})", self.client_id, self.issuer)
    }
}

/// A provider that people log in by.
pub struct Provider {
    settings: ProviderSettings,
    store: Arc<dyn IdentityStore>,
    seal: Arc<Seal>,
    fetch: Arc<dyn Fetch>,
    known: tokio::sync::Mutex<Option<Arc<Known>>>,
}

impl Provider {
    /// A provider, the store of its links, what seals the questions, and what asks it.
    #[must_use]
    pub fn new(
        settings: ProviderSettings,
        store: Arc<dyn IdentityStore>,
        seal: Arc<Seal>,
        fetch: Arc<dyn Fetch>,
    ) -> Self {
        Self {
            settings,
            store,
            seal,
            fetch,
            known: tokio::sync::Mutex::new(None),
        }
    }

    /// Asks a provider for its description and its keys, as a log-in would.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub async fn probe(settings: ProviderSettings, now: Instant) -> Result<(), String> {
        let fetch = ReqwestFetch::new().map_err(|error| causes(&error))?;
        let found = provider::discover(&settings.issuer, &fetch, now).await;
        found.map(drop).map_err(|error| causes(&error))
    }

    fn way_back(&self) -> String {
        let own = self.settings.own.trim_end_matches('/');
        format!("{own}{}", door::BACK)
    }
}

/// Why a log-in by a provider came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    /// It cannot be asked.
    #[error("the provider cannot be asked")]
    Fetch(#[from] FetchError),
    /// It says of itself what cannot be used.
    #[error("the provider's description cannot be used: {0}")]
    Description(&'static str),
    /// Its answer to the code is no answer.
    #[error("the provider's answer cannot be used: {0}")]
    Answer(&'static str),
    /// Its token does not count.
    #[error("the provider's token is refused: {0}")]
    Token(&'static str),
    /// Its token is not signed as it should be.
    #[error("the provider's token is refused")]
    Signature(#[from] super::jose::JoseError),
}

impl People {
    /// True if people may log in by a provider here: the log-in page then links to
    /// `/login/provider`.
    #[must_use]
    pub fn has_provider(&self) -> bool {
        self.0.provider.is_some()
    }

    /// Links a provider's subject to an account that exists.
    ///
    /// # Errors
    /// [`AccountError::Unknown`] without such an account (or without a provider),
    /// [`AccountError::Linked`], [`AccountError::Store`].
    pub async fn link_identity(&self, name: &Slug, subject: &str) -> Result<(), AccountError> {
        let unknown = || AccountError::Unknown(name.clone());
        let provider = self.0.provider.as_ref().ok_or_else(unknown)?;
        let organisation = &self.0.settings.organisation;
        let account = self.0.store.account(organisation, name).await?;
        account.ok_or_else(unknown)?;
        let (issuer, now) = (&provider.settings.issuer, self.0.clock.now());
        let (store, subject) = (&provider.store, subject.trim());
        if subject.is_empty() || subject.len() > SUBJECT_MAX {
            return Err(AccountError::Subject);
        }
        let new = store.link(organisation, issuer, subject, name, now).await?;
        new.then_some(()).ok_or(AccountError::Linked)
    }

    /// Removes every link of an account; how many there were. Its sessions stay.
    ///
    /// # Errors
    /// [`StoreFailed`].
    pub async fn unlink_identities(&self, name: &Slug) -> Result<usize, StoreFailed> {
        let organisation = &self.0.settings.organisation;
        match &self.0.provider {
            Some(provider) => provider.store.unlink(organisation, name).await,
            None => Ok(0),
        }
    }

    /// The open account that a subject is linked to.
    async fn linked(
        &self,
        provider: &Provider,
        subject: &str,
    ) -> Result<Option<Account>, StoreFailed> {
        let organisation = &self.0.settings.organisation;
        let issuer = &provider.settings.issuer;
        let name = provider
            .store
            .identity(organisation, issuer, subject)
            .await?;
        let Some(name) = name else {
            return Ok(None);
        };
        let account = self.0.store.account(organisation, &name).await?;
        Ok(account.filter(|account| account.disabled.is_none()))
    }
}
