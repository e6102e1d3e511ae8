//! Accounts and sessions in a service's own database: the same tables in every service, so that
//! their SQL stands once for each engine.
//!
//! A service makes these tables in a migration of its own (times are `TEXT` in RFC 3339 on SQLite,
//! `TIMESTAMPTZ` on PostgreSQL; `token` is the SHA-256 of what the browser holds):
//!
//! ```sql
//! people (organisation, name, role, password_hash, created, disabled NULL,
//!         PRIMARY KEY (organisation, name))
//! sessions (token PRIMARY KEY, data, created, seen)
//! ```
//!
//! beside those of second factors, clients, identities and kept answers, as they stand in
//! `platform/migrations/*/0011_access.sql` and `credit/migrations/*/0005_people.sql`,
//! and implements [`KeepsPeople`] for its store, which makes that a [`PeopleStore`].

mod clients;
mod factors;
mod identities;
mod postgres;
mod sqlite;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use crate::idempotency::AnswerStore;

pub use postgres::PostgresPeople;
pub use sqlite::SqlitePeople;

use super::client::ClientStore;
use super::factor::FactorStore;
use super::oidc::IdentityStore;
use super::{Account, FactorNoted, KeptSession, Noted, PeopleStore, StoreFailed};

/// A service's store whose database has the tables of this module.
#[async_trait]
pub trait KeepsPeople: Send + Sync + 'static {
    /// The tables on its engine.
    type Tables: PeopleStore + FactorStore + ClientStore + IdentityStore + AnswerStore;

    /// The tables; pools are handles, so this costs nothing.
    fn tables(&self) -> Self::Tables;

    /// Told of every log-in and log-out, see [`PeopleStore::noted`]. The default keeps nothing.
    ///
    /// # Errors
    /// [`StoreFailed`].
    async fn note_at_the_door(
        &self,
        name: &Slug,
        what: Noted,
        at: Instant,
    ) -> Result<(), StoreFailed> {
        let _ = (name, what, at);
        Ok(())
    }

    /// Told of what happens to second factors, see [`PeopleStore::noted_factor`]. The default keeps
    /// nothing.
    ///
    /// # Errors
    /// [`StoreFailed`].
    async fn note_a_factor(
        &self,
        name: &Slug,
        what: FactorNoted,
        at: Instant,
    ) -> Result<(), StoreFailed> {
        let _ = (name, what, at);
        Ok(())
    }
}

#[async_trait]
impl<T: KeepsPeople> PeopleStore for T {
    async fn add_account(&self, account: &Account) -> Result<bool, StoreFailed> {
        self.tables().add_account(account).await
    }

    async fn account(
        &self,
        organisation: &Slug,
        name: &Slug,
    ) -> Result<Option<Account>, StoreFailed> {
        self.tables().account(organisation, name).await
    }

    async fn accounts(&self, organisation: &Slug) -> Result<Vec<Account>, StoreFailed> {
        self.tables().accounts(organisation).await
    }

    async fn set_password(
        &self,
        organisation: &Slug,
        name: &Slug,
        hash: &str,
    ) -> Result<bool, StoreFailed> {
        self.tables().set_password(organisation, name, hash).await
    }

    async fn set_disabled(
        &self,
        organisation: &Slug,
        name: &Slug,
        since: Option<Instant>,
    ) -> Result<bool, StoreFailed> {
        self.tables().set_disabled(organisation, name, since).await
    }

    async fn session(&self, token: &Hash) -> Result<Option<KeptSession>, StoreFailed> {
        self.tables().session(token).await
    }

    async fn add_session(&self, session: &KeptSession) -> Result<(), StoreFailed> {
        self.tables().add_session(session).await
    }

    async fn change_session(&self, token: &Hash, data: &str) -> Result<(), StoreFailed> {
        self.tables().change_session(token, data).await
    }

    async fn touch_session(&self, token: &Hash, seen: Instant) -> Result<(), StoreFailed> {
        self.tables().touch_session(token, seen).await
    }

    async fn end_session(&self, token: &Hash) -> Result<(), StoreFailed> {
        self.tables().end_session(token).await
    }

    async fn end_sessions(&self, created: Instant, seen: Instant) -> Result<(), StoreFailed> {
        self.tables().end_sessions(created, seen).await
    }

    async fn noted(
        &self,
        _organisation: &Slug,
        name: &Slug,
        what: Noted,
        at: Instant,
    ) -> Result<(), StoreFailed> {
        self.note_at_the_door(name, what, at).await
    }

    async fn noted_factor(
        &self,
        _organisation: &Slug,
        name: &Slug,
        what: FactorNoted,
        at: Instant,
    ) -> Result<(), StoreFailed> {
        self.note_a_factor(name, what, at).await
    }
}

/// A row does not hold what this program writes.
#[derive(Debug, thiserror::Error)]
#[error("a stored {0} is not readable")]
pub(crate) struct Unreadable(pub(crate) &'static str);

pub(crate) fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreFailed {
    StoreFailed(error.into())
}

fn slug(text: &str) -> Result<Slug, StoreFailed> {
    text.parse().map_err(|_| failed(Unreadable("account")))
}
