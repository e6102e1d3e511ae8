//! Accounts and sessions.

use async_trait::async_trait;
use kit::people::{Account, KeptSession, Noted, PeopleStore, StoreFailed};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use crate::audit::Entry;
use crate::store::{Reviews, StoreError};

fn failed(error: impl Into<StoreError>) -> StoreFailed {
    StoreFailed(Box::new(error.into()))
}

#[async_trait]
impl PeopleStore for Sqlite {
    async fn add_account(&self, account: &Account) -> Result<bool, StoreFailed> {
        let row = sqlx::query(
            "INSERT INTO people (organisation, name, role, password_hash, created_at, disabled_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (organisation, name) DO NOTHING RETURNING name",
        )
        .bind(account.organisation.as_str())
        .bind(account.name.as_str())
        .bind(account.role.as_str())
        .bind(&account.password_hash)
        .bind(account.created.to_rfc3339())
        .bind(account.disabled.map(Instant::to_rfc3339))
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
        let row = sqlx::query(
            "SELECT organisation, name, role, password_hash, created_at, disabled_at FROM people
             WHERE organisation = $1 AND name = $2",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        row.map(|row| account_of(&row)).transpose().map_err(failed)
    }

    async fn accounts(&self, organisation: &Slug) -> Result<Vec<Account>, StoreFailed> {
        let rows = sqlx::query(
            "SELECT organisation, name, role, password_hash, created_at, disabled_at FROM people
             WHERE organisation = $1 ORDER BY name",
        )
        .bind(organisation.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let accounts: Result<_, StoreError> = rows.iter().map(account_of).collect();
        accounts.map_err(failed)
    }

    async fn set_password(
        &self,
        organisation: &Slug,
        name: &Slug,
        hash: &str,
    ) -> Result<bool, StoreFailed> {
        let row = sqlx::query(
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
        let row = sqlx::query(
            "UPDATE people SET disabled_at = $3 WHERE organisation = $1 AND name = $2
             RETURNING name",
        )
        .bind(organisation.as_str())
        .bind(name.as_str())
        .bind(since.map(Instant::to_rfc3339))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        Ok(row.is_some())
    }

    async fn session(&self, token: &Hash) -> Result<Option<KeptSession>, StoreFailed> {
        let row =
            sqlx::query("SELECT token, data, created_at, seen_at FROM sessions WHERE token = $1")
                .bind(token.as_bytes().as_slice())
                .fetch_optional(&self.pool)
                .await
                .map_err(failed)?;
        row.map(|row| session_of(*token, &row))
            .transpose()
            .map_err(failed)
    }

    async fn add_session(&self, session: &KeptSession) -> Result<(), StoreFailed> {
        sqlx::query(
            "INSERT INTO sessions (token, data, created_at, seen_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(session.token.as_bytes().as_slice())
        .bind(&session.data)
        .bind(session.created.to_rfc3339())
        .bind(session.seen.to_rfc3339())
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn change_session(&self, token: &Hash, data: &str) -> Result<(), StoreFailed> {
        sqlx::query("UPDATE sessions SET data = $2 WHERE token = $1")
            .bind(token.as_bytes().as_slice())
            .bind(data)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn touch_session(&self, token: &Hash, seen: Instant) -> Result<(), StoreFailed> {
        sqlx::query("UPDATE sessions SET seen_at = $2 WHERE token = $1")
            .bind(token.as_bytes().as_slice())
            .bind(seen.to_rfc3339())
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
            .bind(created.to_rfc3339())
            .bind(seen.to_rfc3339())
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
        at: Instant,
    ) -> Result<(), StoreFailed> {
        self.note(&Entry::at_the_door(name, &what, at))
            .await
            .map_err(failed)
    }
}

fn account_of(row: &SqliteRow) -> Result<Account, StoreError> {
    let wrong = || StoreError::Row { what: "account" };
    let slug = |column: &str| {
        row.try_get::<String, _>(column)?
            .parse::<Slug>()
            .map_err(|_| wrong())
    };
    let instant = |text: String| Instant::parse_rfc3339(&text).ok_or_else(wrong);
    let disabled: Option<String> = row.try_get("disabled_at")?;
    Ok(Account {
        organisation: slug("organisation")?,
        name: slug("name")?,
        role: slug("role")?,
        password_hash: row.try_get("password_hash")?,
        created: instant(row.try_get("created_at")?)?,
        disabled: disabled.map(instant).transpose()?,
    })
}

fn session_of(token: Hash, row: &SqliteRow) -> Result<KeptSession, StoreError> {
    let wrong = || StoreError::Row { what: "session" };
    let instant =
        |column: &str| Instant::parse_rfc3339(&row.try_get::<String, _>(column)?).ok_or_else(wrong);
    Ok(KeptSession {
        token,
        data: row.try_get("data")?,
        created: instant("created_at")?,
        seen: instant("seen_at")?,
    })
}
