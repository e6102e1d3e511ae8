//! The tables on PostgreSQL.

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::{FromRow, PgPool, Postgres, Transaction};

use super::super::{Account, KeptSession, PeopleStore, StoreFailed};
use super::{failed, slug};
use crate::postgres::Timestamp;

/// Accounts and sessions in a PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresPeople(pub PgPool);

impl PostgresPeople {
    pub(crate) const fn reads(&self) -> &PgPool {
        &self.0
    }

    pub(crate) const fn writes(&self) -> &PgPool {
        &self.0
    }

    pub(crate) async fn begin_write(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.0.begin().await
    }

    /// An instant as it is bound.
    pub(crate) const fn at(at: Instant) -> Timestamp {
        Timestamp(at)
    }
}

#[derive(FromRow)]
struct AccountRow {
    organisation: String,
    name: String,
    role: String,
    password_hash: String,
    created: Timestamp,
    disabled: Option<Timestamp>,
}

impl AccountRow {
    fn account(self) -> Result<Account, StoreFailed> {
        Ok(Account {
            organisation: slug(&self.organisation)?,
            name: slug(&self.name)?,
            role: slug(&self.role)?,
            password_hash: self.password_hash,
            created: self.created.0,
            disabled: self.disabled.map(|since| since.0),
        })
    }
}

#[async_trait]
impl PeopleStore for PostgresPeople {
    async fn add_account(&self, account: &Account) -> Result<bool, StoreFailed> {
        let new: Option<(String,)> = sqlx::query_as(
            "INSERT INTO people (organisation, name, role, password_hash, created, disabled)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (organisation, name) DO NOTHING RETURNING name",
        )
        .bind(account.organisation.as_str())
        .bind(account.name.as_str())
        .bind(account.role.as_str())
        .bind(&account.password_hash)
        .bind(Timestamp(account.created))
        .bind(account.disabled.map(Timestamp))
        .fetch_optional(&self.0)
        .await
        .map_err(failed)?;
        Ok(new.is_some())
    }

    async fn account(
        &self,
        organisation: &Slug,
        name: &Slug,
    ) -> Result<Option<Account>, StoreFailed> {
        let row: Option<AccountRow> = sqlx::query_as(
            "SELECT organisation, name, role, password_hash, created, disabled FROM people
             WHERE organisation = $1 AND name = $2",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .fetch_optional(&self.0)
        .await
        .map_err(failed)?;
        row.map(AccountRow::account).transpose()
    }

    async fn accounts(&self, organisation: &Slug) -> Result<Vec<Account>, StoreFailed> {
        let rows: Vec<AccountRow> = sqlx::query_as(
            "SELECT organisation, name, role, password_hash, created, disabled FROM people
             WHERE organisation = $1 ORDER BY name",
        )
        .bind(organisation.as_str())
        .fetch_all(&self.0)
        .await
        .map_err(failed)?;
        rows.into_iter().map(AccountRow::account).collect()
    }

    async fn set_password(
        &self,
        organisation: &Slug,
        name: &Slug,
        hash: &str,
    ) -> Result<bool, StoreFailed> {
        let changed: Option<(String,)> = sqlx::query_as(
            "UPDATE people SET password_hash = $3 WHERE organisation = $1 AND name = $2
             RETURNING name",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .bind(hash)
        .fetch_optional(&self.0)
        .await
        .map_err(failed)?;
        Ok(changed.is_some())
    }

    async fn set_disabled(
        &self,
        organisation: &Slug,
        name: &Slug,
        since: Option<Instant>,
    ) -> Result<bool, StoreFailed> {
        let changed: Option<(String,)> = sqlx::query_as(
            "UPDATE people SET disabled = $3 WHERE organisation = $1 AND name = $2
             RETURNING name",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .bind(since.map(Timestamp))
        .fetch_optional(&self.0)
        .await
        .map_err(failed)?;
        Ok(changed.is_some())
    }

    async fn session(&self, token: &Hash) -> Result<Option<KeptSession>, StoreFailed> {
        let row: Option<(String, Timestamp, Timestamp)> =
            sqlx::query_as("SELECT data, created, seen FROM sessions WHERE token = $1")
                .bind(token.0.to_vec())
                .fetch_optional(&self.0)
                .await
                .map_err(failed)?;
        let Some((data, created, seen)) = row else {
            return Ok(None);
        };
        Ok(Some(KeptSession {
            token: *token,
            data,
            created: created.0,
            seen: seen.0,
        }))
    }

    async fn add_session(&self, session: &KeptSession) -> Result<(), StoreFailed> {
        sqlx::query("INSERT INTO sessions (token, data, created, seen) VALUES ($1, $2, $3, $4)")
            .bind(session.token.0.to_vec())
            .bind(&session.data)
            .bind(Timestamp(session.created))
            .bind(Timestamp(session.seen))
            .execute(&self.0)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn change_session(&self, token: &Hash, data: &str) -> Result<(), StoreFailed> {
        sqlx::query("UPDATE sessions SET data = $2 WHERE token = $1")
            .bind(token.0.to_vec())
            .bind(data)
            .execute(&self.0)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn touch_session(&self, token: &Hash, seen: Instant) -> Result<(), StoreFailed> {
        sqlx::query("UPDATE sessions SET seen = $2 WHERE token = $1")
            .bind(token.0.to_vec())
            .bind(Timestamp(seen))
            .execute(&self.0)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn end_session(&self, token: &Hash) -> Result<(), StoreFailed> {
        sqlx::query("DELETE FROM sessions WHERE token = $1")
            .bind(token.0.to_vec())
            .execute(&self.0)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn end_sessions(&self, created: Instant, seen: Instant) -> Result<(), StoreFailed> {
        sqlx::query("DELETE FROM sessions WHERE created < $1 OR seen < $2")
            .bind(Timestamp(created))
            .bind(Timestamp(seen))
            .execute(&self.0)
            .await
            .map_err(failed)?;
        Ok(())
    }
}
