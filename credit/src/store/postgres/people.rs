//! Accounts and sessions.

use async_trait::async_trait;
use kit::people::{Account, KeptSession, Noted, PeopleStore, StoreFailed};
use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::FromRow;

use super::{Postgres, at};
use crate::audit::Entry;
use crate::store::{Reviews, StoreError};

fn failed(error: impl Into<StoreError>) -> StoreFailed {
    StoreFailed(Box::new(error.into()))
}

#[derive(FromRow)]
struct AccountRow {
    organisation: String,
    name: String,
    role: String,
    password_hash: String,
    created_at: Timestamp,
    disabled_at: Option<Timestamp>,
}

impl AccountRow {
    fn account(self) -> Result<Account, StoreFailed> {
        let slug = |text: &str| {
            text.parse::<Slug>()
                .map_err(|_| failed(StoreError::Row { what: "account" }))
        };
        Ok(Account {
            organisation: slug(&self.organisation)?,
            name: slug(&self.name)?,
            role: slug(&self.role)?,
            password_hash: self.password_hash,
            created: self.created_at.0,
            disabled: self.disabled_at.map(|since| since.0),
        })
    }
}

#[derive(FromRow)]
struct SessionRow {
    data: String,
    created_at: Timestamp,
    seen_at: Timestamp,
}

#[async_trait]
impl PeopleStore for Postgres {
    async fn add_account(&self, account: &Account) -> Result<bool, StoreFailed> {
        let row: Option<(String,)> = sqlx::query_as(
            "INSERT INTO people (organisation, name, role, password_hash, created_at, disabled_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (organisation, name) DO NOTHING RETURNING name",
        )
        .bind(account.organisation.as_str())
        .bind(account.name.as_str())
        .bind(account.role.as_str())
        .bind(&account.password_hash)
        .bind(at(account.created))
        .bind(account.disabled.map(at))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        Ok(row.is_some())
    }

    async fn account(
        &self,
        organisation: &Slug,
        name: &Slug,
    ) -> Result<Option<Account>, StoreFailed> {
        let row: Option<AccountRow> = sqlx::query_as(
            "SELECT organisation, name, role, password_hash, created_at, disabled_at FROM people
             WHERE organisation = $1 AND name = $2",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        row.map(AccountRow::account).transpose()
    }

    async fn accounts(&self, organisation: &Slug) -> Result<Vec<Account>, StoreFailed> {
        let rows: Vec<AccountRow> = sqlx::query_as(
            "SELECT organisation, name, role, password_hash, created_at, disabled_at FROM people
             WHERE organisation = $1 ORDER BY name",
        )
        .bind(organisation.as_str())
        .fetch_all(&self.pool)
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
        let row: Option<(String,)> = sqlx::query_as(
            "UPDATE people SET password_hash = $3 WHERE organisation = $1 AND name = $2
             RETURNING name",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .bind(hash)
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        Ok(row.is_some())
    }

    async fn set_disabled(
        &self,
        organisation: &Slug,
        name: &Slug,
        since: Option<Instant>,
    ) -> Result<bool, StoreFailed> {
        let row: Option<(String,)> = sqlx::query_as(
            "UPDATE people SET disabled_at = $3 WHERE organisation = $1 AND name = $2
             RETURNING name",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .bind(since.map(at))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        Ok(row.is_some())
    }

    async fn session(&self, token: &Hash) -> Result<Option<KeptSession>, StoreFailed> {
        let row: Option<SessionRow> =
            sqlx::query_as("SELECT data, created_at, seen_at FROM sessions WHERE token = $1")
                .bind(token.as_bytes().as_slice())
                .fetch_optional(&self.pool)
                .await
                .map_err(failed)?;
        Ok(row.map(|row| KeptSession {
            token: *token,
            data: row.data,
            created: row.created_at.0,
            seen: row.seen_at.0,
        }))
    }

    async fn add_session(&self, session: &KeptSession) -> Result<(), StoreFailed> {
        sqlx::query(
            "INSERT INTO sessions (token, data, created_at, seen_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(session.token.as_bytes().as_slice())
        .bind(text(&session.data))
        .bind(at(session.created))
        .bind(at(session.seen))
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn change_session(&self, token: &Hash, data: &str) -> Result<(), StoreFailed> {
        sqlx::query("UPDATE sessions SET data = $2 WHERE token = $1")
            .bind(token.as_bytes().as_slice())
            .bind(text(data))
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn touch_session(&self, token: &Hash, seen: Instant) -> Result<(), StoreFailed> {
        sqlx::query("UPDATE sessions SET seen_at = $2 WHERE token = $1")
            .bind(token.as_bytes().as_slice())
            .bind(at(seen))
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn end_session(&self, token: &Hash) -> Result<(), StoreFailed> {
        sqlx::query("DELETE FROM sessions WHERE token = $1")
            .bind(token.as_bytes().as_slice())
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn end_sessions(&self, created: Instant, seen: Instant) -> Result<(), StoreFailed> {
        sqlx::query("DELETE FROM sessions WHERE created_at < $1 OR seen_at < $2")
            .bind(at(created))
            .bind(at(seen))
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn noted(
        &self,
        _: &Slug,
        name: &Slug,
        what: Noted,
        now: Instant,
    ) -> Result<(), StoreFailed> {
        self.note(&Entry::at_the_door(name, &what, now))
            .await
            .map_err(failed)
    }
}
