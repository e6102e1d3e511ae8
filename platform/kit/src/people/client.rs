//! Machines that fetch their own short-lived tokens: OAuth 2.0 client credentials (RFC 6749 section
//! 4.4), beside the fixed tokens of [`super::machine`].
//!
//! | address | what |
//! |---|---|
//! | `POST /oauth2/token` | a token for a client that shows its secret (`client_secret_basic`) or an assertion of its Ed25519 key (`private_key_jwt`, RFC 7523) |
//! | `POST /oauth2/revoke` | ends a token of the asking client (RFC 7009) |
//! | `GET /.well-known/oauth-authorization-server` | both, for libraries (RFC 8414) |
//!
//! What holds:
//! - tokens are 32 random bytes that say nothing, kept as SHA-256, for [`TOKEN_SECONDS`]; closing a
//!   client ends its tokens at once, since every request looks it up;
//! - a client reaches only what [`Reach`] lists, under the scope that stands there; a route that is
//!   in no list is closed to every client;
//! - a wrong secret and an unknown client look alike; a right secret is never locked out by others'
//!   guesses, since a secret is 256 random bits, so that limits only spare our processor;
//! - an assertion counts once and for five minutes at most.
//!
//! Rejected: tokens that carry their content (they cannot be ended), `client_secret_post` (bodies
//! are logged more often than headers), refresh tokens (RFC 6749 section 4.4.3).

mod authenticate;
mod door;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::random::NoRandomness;
use schemas::time::{Clock, Instant};

pub(super) use authenticate::Audience;
pub(super) use door::words;
pub use reach::{Granted, Reach, recognise};

use super::StoreFailed;
use super::limit::Limiter;
use crate::routes::Routes;

/// How long a token holds, in seconds.
pub const TOKEN_SECONDS: u64 = 10 * 60;
/// Tokens that a client is given within a minute.
pub const TOKENS_A_MINUTE: usize = 30;
/// The longest time that an assertion may state for itself.
pub const ASSERTION_LONGEST: Duration = Duration::from_secs(5 * 60);
/// Most scopes of a client.
pub const SCOPES_MAX: usize = 32;

/// How a client shows who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// SHA-256 of its secret.
    Secret(Hash),
    /// Its Ed25519 public key.
    PublicKey([u8; 32]),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// A client as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Whose machine it is.
    pub organisation: Slug,
    /// Its name: `client_id`, and the name of the machine in every record.
    pub name: Slug,
    /// How it shows who it is.
    pub credential: Credential,
    /// What it may ask for.
    pub scopes: BTreeSet<Slug>,
    /// When it was made.
    pub created: Instant,
    /// Since when it is closed, if it is.
    pub disabled: Option<Instant>,
}

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptToken {
    /// SHA-256 of what the client holds.
    pub token: Hash,
    /// Whose.
    pub organisation: Slug,
    /// Which client's.
    pub client: Slug,
    /// What it is good for.
    pub scopes: BTreeSet<Slug>,
    /// Since when.
    pub issued: Instant,
    /// Until when.
    pub expires: Instant,
}

/// Clients and their tokens in a service's database.
#[async_trait]
pub trait ClientStore: Send + Sync + 'static {
    /// Keeps a new client; false, and nothing changed, if the name is taken.
    async fn add_client(&self, client: &Client) -> Result<bool, StoreFailed>;

    /// A client.
    async fn client(&self, organisation: &Slug, name: &Slug)
    -> Result<Option<Client>, StoreFailed>;

    /// All clients of an organisation, by name.
    async fn clients(&self, organisation: &Slug) -> Result<Vec<Client>, StoreFailed>;

    /// Closes a client (or opens it again with `None`); false if there is no such client.
    async fn set_client_disabled(
        &self,
        organisation: &Slug,
        name: &Slug,
        since: Option<Instant>,
    ) -> Result<bool, StoreFailed>;

    /// Keeps a token.
    async fn add_token(&self, token: &KeptToken) -> Result<(), StoreFailed>;

    /// A token by its hash.
    async fn token(&self, token: &Hash) -> Result<Option<KeptToken>, StoreFailed>;

    /// Ends a token if it is this client's.
    async fn end_token(
        &self,
        organisation: &Slug,
        client: &Slug,
        token: &Hash,
    ) -> Result<(), StoreFailed>;

    /// Keeps that an assertion was shown; false if it was shown before.
    async fn use_assertion(
        &self,
        organisation: &Slug,
        client: &Slug,
        assertion: &Hash,
        expires: Instant,
    ) -> Result<bool, StoreFailed>;

    /// Removes tokens and assertions that ended before now.
    async fn end_what_ran_out(&self, now: Instant) -> Result<(), StoreFailed>;
}

/// Why a client was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The name is taken.
    #[error("there is a client `{0}` already")]
    Taken(Slug),
    /// No client has this name.
    #[error("there is no client `{0}`")]
    Unknown(Slug),
    /// None, or more than [`SCOPES_MAX`].
    #[error("a client has 1 to {SCOPES_MAX} scopes")]
    Scopes,
    /// The operating system has no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// The clients of one organisation, as one service knows them. Cheap to clone.
#[derive(Clone)]
pub struct Clients(Arc<Inner>);

struct Inner {
    organisation: Slug,
    /// The service's public address, without a slash at the end: issuer and audience.
    issuer: String,
    store: Arc<dyn ClientStore>,
    clock: Arc<dyn Clock>,
    /// Wrong secrets.
    wrong: Limiter,
    /// Tokens that were given, by client that exists.
    given: Mutex<BTreeMap<Slug, VecDeque<Instant>>>,
}

impl Clients {
    /// Clients over a service's store and clock. `issuer` is the address that they know the
    /// service by, such as `https://desk.example`.
    #[must_use]
    pub fn new(
        organisation: Slug,
        issuer: &str,
        store: Arc<dyn ClientStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            organisation,
            issuer: issuer.trim_end_matches('/').to_owned(),
            store,
            clock,
            wrong: Limiter::default(),
            given: Mutex::default(),
        }))
    }

    /// Makes a client with a secret, which is told once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add(&self, name: &Slug, scopes: BTreeSet<Slug>) -> Result<String, ClientError> {
        let secret = Hash(schemas::random::bytes()?).to_string();
        let credential = Credential::Secret(sha256(secret.as_bytes()));
        self.keep(name, scopes, credential).await?;
        Ok(secret)
    }

    /// Makes a client that signs with an Ed25519 key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_key(
        &self,
        name: &Slug,
        scopes: BTreeSet<Slug>,
        public_key: [u8; 32],
    ) -> Result<(), ClientError> {
        let credential = Credential::PublicKey(public_key);
        self.keep(name, scopes, credential).await
    }

    async fn keep(
        &self,
        name: &Slug,
        scopes: BTreeSet<Slug>,
        credential: Credential,
    ) -> Result<(), ClientError> {
        if scopes.is_empty() || scopes.len() > SCOPES_MAX {
            return Err(ClientError::Scopes);
        }
        let client = Client {
            organisation: self.0.organisation.clone(),
            name: name.clone(),
            credential,
            scopes,
            created: self.0.clock.now(),
            disabled: None,
        };
        if self.0.store.add_client(&client).await? {
            Ok(())
        } else {
            Err(ClientError::Taken(name.clone()))
        }
    }

    /// Closes a client, whose tokens end, or opens it again.
    ///
    /// # Errors
    /// [`ClientError::Unknown`], [`ClientError::Store`].
    pub async fn set_disabled(&self, name: &Slug, disabled: bool) -> Result<(), ClientError> {
        let since = disabled.then(|| self.0.clock.now());
        let (store, organisation) = (&self.0.store, &self.0.organisation);
        let known = store.set_client_disabled(organisation, name, since).await?;
        known
            .then_some(())
            .ok_or_else(|| ClientError::Unknown(name.clone()))
    }

    /// All clients, by name.
    ///
    /// # Errors
    /// [`StoreFailed`].
    pub async fn list(&self) -> Result<Vec<Client>, StoreFailed> {
        self.0.store.clients(&self.0.organisation).await
    }

    /// The three addresses. They are for strangers: merge them outside of what needs log-in.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Routes<S> {
        door::routes(self.clone())
    }

    async fn open_client(&self, name: &Slug) -> Result<Option<Client>, StoreFailed> {
        let client = self.0.store.client(&self.0.organisation, name).await?;
        Ok(client.filter(|client| client.disabled.is_none()))
    }

    /// Counts a token that is to be given; false if there were too many within a minute. Only
    /// clients that exist come here, so the map is as large as their list.
    fn may_give(&self, client: &Slug, now: Instant) -> bool {
        let mut given = self.0.given.lock().unwrap_or_else(PoisonError::into_inner);
        let times = given.entry(client.clone()).or_default();
        times.retain(|at| *at <= now && now.since(*at) < Duration::from_secs(60));
        let free = times.len() < TOKENS_A_MINUTE;
        if free {
            times.push_back(now);
        }
        free
    }

    /// The token that somebody shows, with its client, if both count.
    async fn living(&self, shown: &str) -> Result<Option<KeptToken>, StoreFailed> {
        let kept = self.0.store.token(&sha256(shown.as_bytes())).await?;
        let now = self.0.clock.now();
        let counts = |kept: &KeptToken| {
            kept.organisation == self.0.organisation && kept.issued <= now && now < kept.expires
        };
        let Some(kept) = kept.filter(counts) else {
            return Ok(None);
        };
        let client = self.open_client(&kept.client).await?;
        Ok(client.map(|_| kept))
    }
}
