//! People of one organisation: accounts, log-in, sessions, and forms that only they can send.
//!
//! Each service keeps accounts and sessions in its own database behind [`PeopleStore`] (the SQL is in
//! [`tables`]) and mounts
//! its routes through [`People::protect`]:
//!
//! ```text
//! router with pages for people --protect--> gate (who is it?) -> Person in the handler
//!                                           POST: Origin compared, then Checked<T>: token compared
//!                               + /login, /logout
//! ```
//!
//! Beyond a password, where a service asks for it ([`Extras`]): a second factor ([`factor`]), log-in
//! by an organisation's own provider ([`oidc`]). Machines have fixed tokens ([`machine`]) or fetch
//! short-lived ones ([`client`]).
//!
//! What holds:
//! - a password is kept as argon2id only, and hashed beside the event loop, few at once;
//! - a session's token is kept as SHA-256 only, is new at every log-in, and ends by age
//!   ([`SESSION_LONGEST`]), by idleness ([`SESSION_IDLE`]), by log-out, by a new password and by
//!   disabling the account; time is the injected clock's;
//! - a failed log-in says the same and takes the same time for an unknown name and a wrong password;
//! - strangers who guess cannot lock out everybody: a browser that has been logged in before has a
//!   limit of its own ([`limit`]);
//! - the role is read from the account at every request, never from the cookie.
//!
//! Rejected: tokens in the URL or in local storage (scripts and logs read them), a session without
//! a row (it could not be ended), a limit by address alone (behind a proxy everybody has one).

pub mod client;
pub mod configured;
pub mod door;
pub mod factor;
pub mod form;
pub mod gate;
pub mod jose;
pub mod limit;
pub mod machine;
pub mod oidc;
pub mod password;
pub mod seal;
pub mod session;
pub mod tables;
#[cfg(test)]
pub(crate) mod tests;
pub mod totp;
pub mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::middleware::from_fn_with_state;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::random::NoRandomness;
use schemas::time::{Clock, Instant};
use tower_sessions::SessionManagerLayer;
use tower_sessions::cookie::SameSite;

use crate::idempotency::AnswerStore;
use crate::routes::Routes;
pub use client::{ClientStore, Clients};
pub use configured::{LogInError, LogInSection, ProviderSection, SetUpError};
pub use door::{LogInPage, LogInProblem, LogInView};
pub use factor::view::Framed;
pub use factor::{FactorError, FactorStore, Factors};
pub use form::{Checked, Csrf, Form};
pub use gate::Person;
pub use machine::{Machine, Token};
pub use oidc::{IdentityStore, Provider, ProviderSettings};
use password::Hasher;
pub use password::{PASSWORD_MAX, PASSWORD_MIN, PasswordError};
use session::Sessions;
pub use upload::Uploaded;

/// A session ends this long after its log-in, whatever happens in it: one working day.
pub const SESSION_LONGEST: Duration = Duration::from_secs(12 * 3600);

/// A session ends when nothing was asked for this long.
pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);

/// A person's account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The organisation that the person works for.
    pub organisation: Slug,
    /// The name to log in with, unique within the organisation.
    pub name: Slug,
    /// What the person may do; each service has its own words.
    pub role: Slug,
    /// argon2id in PHC form.
    pub password_hash: String,
    /// When it was made.
    pub created: Instant,
    /// Since when it is closed, if it is.
    pub disabled: Option<Instant>,
}

impl fmt::Debug for Account {
    /// Everything but the password's hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Account({}/{}, {})",
            self.organisation, self.name, self.role
        )
    }
}

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSession {
    /// SHA-256 of the token that the browser holds.
    pub token: Hash,
    /// JSON of what is kept in it.
    pub data: String,
    /// When it began.
    pub created: Instant,
    /// When it was last used, to the minute.
    pub seen: Instant,
}

/// The service's database failed.
#[derive(Debug, thiserror::Error)]
#[error("the accounts cannot be read or written")]
pub struct StoreFailed(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What becomes known of people at the door, for a service's own records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Somebody has logged in.
    LoggedIn,
    /// Somebody has logged out.
    LoggedOut,
}

/// What becomes known of second factors, for a service's own records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactorNoted {
    /// A person has set one up.
    Added,
    /// A person has used a recovery code in its place.
    RecoveryUsed,
    /// Another person has removed it.
    Reset {
        /// Who.
        by: Slug,
    },
}

/// Accounts and sessions in a service's database.
#[async_trait]
pub trait PeopleStore: Send + Sync + 'static {
    /// Keeps a new account; false, and nothing changed, if the name is taken.
    async fn add_account(&self, account: &Account) -> Result<bool, StoreFailed>;

    /// An account.
    async fn account(
        &self,
        organisation: &Slug,
        name: &Slug,
    ) -> Result<Option<Account>, StoreFailed>;

    /// All accounts of an organisation, by name.
    async fn accounts(&self, organisation: &Slug) -> Result<Vec<Account>, StoreFailed>;

    /// Puts another password hash; false if there is no such account.
    async fn set_password(
        &self,
        organisation: &Slug,
        name: &Slug,
        hash: &str,
    ) -> Result<bool, StoreFailed>;

    /// Closes an account (or opens it again with `None`); false if there is no such account.
    async fn set_disabled(
        &self,
        organisation: &Slug,
        name: &Slug,
        since: Option<Instant>,
    ) -> Result<bool, StoreFailed>;

    /// A session by the hash of its token.
    async fn session(&self, token: &Hash) -> Result<Option<KeptSession>, StoreFailed>;

    /// Keeps a new session.
    async fn add_session(&self, session: &KeptSession) -> Result<(), StoreFailed>;

    /// Changes what is kept in a session; a session that has ended stays ended.
    async fn change_session(&self, token: &Hash, data: &str) -> Result<(), StoreFailed>;

    /// Notes that a session was used; a session that has ended stays ended.
    async fn touch_session(&self, token: &Hash, seen: Instant) -> Result<(), StoreFailed>;

    /// Ends a session.
    async fn end_session(&self, token: &Hash) -> Result<(), StoreFailed>;

    /// Ends every session that began before `created` or was last used before `seen`.
    async fn end_sessions(&self, created: Instant, seen: Instant) -> Result<(), StoreFailed>;

    /// Told of every log-in and log-out. The default keeps nothing.
    async fn noted(
        &self,
        organisation: &Slug,
        name: &Slug,
        what: Noted,
        at: Instant,
    ) -> Result<(), StoreFailed> {
        let _ = (organisation, name, what, at);
        Ok(())
    }

    /// Told of what happens to second factors. The default keeps nothing.
    async fn noted_factor(
        &self,
        organisation: &Slug,
        name: &Slug,
        what: FactorNoted,
        at: Instant,
    ) -> Result<(), StoreFailed> {
        let _ = (organisation, name, what, at);
        Ok(())
    }
}

/// Everything that this module and [`crate::idempotency`] keep, in one database.
pub trait AccessStore:
    PeopleStore + FactorStore + IdentityStore + ClientStore + AnswerStore
{
}

impl<T> AccessStore for T where
    T: PeopleStore + FactorStore + IdentityStore + ClientStore + AnswerStore
{
}

/// What a service states about its people.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The organisation whose people log in here.
    pub organisation: Slug,
    /// The origin that browsers know this service by, such as `https://desk.example`. Without one
    /// it is `http://` and the request's Host: for loopback only.
    pub origin: Option<String>,
    /// Name of the session cookie, different for every service: cookies do not tell ports apart.
    pub cookie: &'static str,
}

impl Settings {
    /// True if browsers reach the service over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.origin
            .as_ref()
            .is_some_and(|origin| origin.starts_with("https://"))
    }

    /// A cookie's name, with the prefix by which browsers bind it to this very host under TLS.
    #[must_use]
    pub fn cookie_name(&self, suffix: &str) -> String {
        let prefix = if self.is_secure() { "__Host-" } else { "" };
        format!("{prefix}{}{suffix}", self.cookie)
    }
}

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name is taken.
    #[error("there is an account `{0}` already")]
    Taken(Slug),
    /// No account has this name.
    #[error("there is no account `{0}`")]
    Unknown(Slug),
    /// A provider's subject is linked to an account already.
    #[error("the subject is linked to an account already")]
    Linked,
    /// A provider's subject is empty or too long.
    #[error("a subject has 1 to {} characters", oidc::SUBJECT_MAX)]
    Subject,
    /// The password will not do.
    #[error("the password is refused")]
    Password(#[from] PasswordError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// What a service may have beyond passwords; the default is nothing of it.
#[derive(Default)]
pub struct Extras {
    /// Second factors.
    pub factors: Option<Factors>,
    /// Log-in by a provider.
    pub provider: Option<Provider>,
}

/// The people of one organisation, as one service knows them. Cheap to clone.
#[derive(Clone)]
pub struct People(Arc<Inner>);

struct Inner {
    settings: Settings,
    store: Arc<dyn PeopleStore>,
    clock: Arc<dyn Clock>,
    factors: Option<Factors>,
    provider: Option<Provider>,
    hasher: Hasher,
    limiter: limit::Limiter,
    /// Key of the cookies by which known browsers are told; new at every start.
    device_key: [u8; 32],
    /// What an unknown name's password is compared with, so that it takes as long.
    nobody: String,
}

impl People {
    /// People over a service's store and clock. Hashes one password, so it takes some tens of
    /// milliseconds.
    ///
    /// # Errors
    /// [`PasswordError::Failed`] where the operating system has no randomness.
    pub fn new(
        settings: Settings,
        store: Arc<dyn PeopleStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PasswordError> {
        Self::with(settings, store, clock, Extras::default())
    }

    /// As [`Self::new`], with what goes beyond a password.
    ///
    /// # Errors
    /// [`PasswordError::Failed`] where the operating system has no randomness.
    pub fn with(
        settings: Settings,
        store: Arc<dyn PeopleStore>,
        clock: Arc<dyn Clock>,
        extras: Extras,
    ) -> Result<Self, PasswordError> {
        let random = |error: NoRandomness| PasswordError::Failed(error.to_string());
        let secret = Hash(schemas::random::bytes().map_err(random)?);
        Ok(Self(Arc::new(Inner {
            settings,
            store,
            clock,
            factors: extras.factors,
            provider: extras.provider,
            hasher: Hasher::default(),
            limiter: limit::Limiter::default(),
            device_key: schemas::random::bytes().map_err(random)?,
            nobody: password::hash(&secret.to_string())?,
        })))
    }

    /// What the service has stated.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`AccountError::Taken`], [`AccountError::Password`], [`AccountError::Store`].
    pub async fn add(&self, name: &Slug, role: &Slug, password: &str) -> Result<(), AccountError> {
        let inner = &self.0;
        let account = Account {
            organisation: inner.settings.organisation.clone(),
            name: name.clone(),
            role: role.clone(),
            password_hash: inner.hasher.hash(password.to_owned()).await?,
            created: inner.clock.now(),
            disabled: None,
        };
        if inner.store.add_account(&account).await? {
            Ok(())
        } else {
            Err(AccountError::Taken(name.clone()))
        }
    }

    /// Gives an account another password; its sessions end.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Password`], [`AccountError::Store`].
    pub async fn set_password(&self, name: &Slug, password: &str) -> Result<(), AccountError> {
        let hash = self.0.hasher.hash(password.to_owned()).await?;
        let organisation = &self.0.settings.organisation;
        let known = self.0.store.set_password(organisation, name, &hash).await?;
        known
            .then_some(())
            .ok_or_else(|| AccountError::Unknown(name.clone()))
    }

    /// Closes an account, whose sessions end, or opens it again.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Store`].
    pub async fn set_disabled(&self, name: &Slug, disabled: bool) -> Result<(), AccountError> {
        let since = disabled.then(|| self.0.clock.now());
        let organisation = &self.0.settings.organisation;
        let known = self.0.store.set_disabled(organisation, name, since).await?;
        known
            .then_some(())
            .ok_or_else(|| AccountError::Unknown(name.clone()))
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// [`StoreFailed`].
    pub async fn list(&self) -> Result<Vec<Account>, StoreFailed> {
        self.0.store.accounts(&self.0.settings.organisation).await
    }

    /// Puts routes behind log-in and adds `/login` and `/logout`. What machines or strangers may
    /// reach is merged afterwards.
    pub fn protect<S>(&self, inside: Routes<S>, page: Arc<dyn LogInPage>) -> Routes<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let inside = inside.merge(door::inside(self.clone()));
        let gated = inside.route_layer(from_fn_with_state(self.clone(), gate::gate));
        let doors = door::outside(self.clone(), page);
        gated.merge(doors).layer(self.session_layer())
    }

    fn session_layer(&self) -> SessionManagerLayer<Sessions> {
        let inner = &self.0;
        SessionManagerLayer::new(Sessions::new(inner.store.clone(), inner.clock.clone()))
            .with_name(inner.settings.cookie_name(""))
            .with_http_only(true)
            .with_same_site(SameSite::Strict)
            .with_secure(inner.settings.is_secure())
            .with_path("/")
    }
}
