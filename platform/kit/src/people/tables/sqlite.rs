//! The tables on SQLite: one writer, a pool of readers (they may be the same).

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::{FromRow, Sqlite, SqlitePool, Transaction};

use super::super::{Account, KeptSession, PeopleStore, StoreFailed};
use super::{Unreadable, failed, slug};

/// Accounts and sessions in a SQLite file.
#[derive(Clone, Debug)]
pub struct SqlitePeople {
    /// Where is read.
    pub reader: SqlitePool,
    /// Where is written.
    pub writer: SqlitePool,
}

impl SqlitePeople {
    pub(crate) const fn reads(&self) -> &SqlitePool {
        &self.reader
    }

    pub(crate) const fn writes(&self) -> &SqlitePool {
        &self.writer
    }

    /// A transaction that will write: it waits for its turn at the start, not in the middle.
    pub(crate) async fn begin_write(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// An instant as it is bound.
    pub(crate) fn at(at: Instant) -> String {
        Instant::to_rfc3339(at)
    }
}

fn instant(text: &str) -> Result<Instant, StoreFailed> {
    Instant::parse_rfc3339(text).ok_or_else(|| failed(Unreadable("instant")))
}

#[derive(FromRow)]
struct AccountRow {
    organisation: String,
    name: String,
    role: String,
    password_hash: String,
    created: String,
    disabled: Option<String>,
}

impl AccountRow {
    fn account(self) -> Result<Account, StoreFailed> {
        Ok(Account {
            organisation: slug(&self.organisation)?,
            name: slug(&self.name)?,
            role: slug(&self.role)?,
            password_hash: self.password_hash,
            created: instant(&self.created)?,
            disabled: self.disabled.as_deref().map(instant).transpose()?,
        })
    }
}

#[async_trait]
impl PeopleStore for SqlitePeople {
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
        .bind(Instant::to_rfc3339(account.created))
        .bind(account.disabled.map(Instant::to_rfc3339))
        .fetch_optional(&self.writer)
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
        .fetch_optional(&self.reader)
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
        .fetch_all(&self.reader)
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
        .fetch_optional(&self.writer)
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
        .bind(since.map(Instant::to_rfc3339))
        .fetch_optional(&self.writer)
        .await
        .map_err(failed)?;
        Ok(changed.is_some())
    }

    async fn session(&self, token: &Hash) -> Result<Option<KeptSession>, StoreFailed> {
        let row: Option<(String, String, String)> =
            sqlx::query_as("SELECT data, created, seen FROM sessions WHERE token = $1")
                .bind(token.0.to_vec())
                .fetch_optional(&self.reader)
                .await
                .map_err(failed)?;
        let Some((data, created, seen)) = row else {
            return Ok(None);
        };
        Ok(Some(KeptSession {
            token: *token,
            data,
            created: instant(&created)?,
            seen: instant(&seen)?,
        }))
    }

    async fn add_session(&self, session: &KeptSession) -> Result<(), StoreFailed> {
        sqlx::query("INSERT INTO sessions (token, data, created, seen) VALUES ($1, $2, $3, $4)")
            .bind(session.token.0.to_vec())
            .bind(&session.data)
            .bind(Instant::to_rfc3339(session.created))
            .bind(Instant::to_rfc3339(session.seen))
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn change_session(&self, token: &Hash, data: &str) -> Result<(), StoreFailed> {
        sqlx::query("UPDATE sessions SET data = $2 WHERE token = $1")
            .bind(token.0.to_vec())
            .bind(data)
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn touch_session(&self, token: &Hash, seen: Instant) -> Result<(), StoreFailed> {
        sqlx::query("UPDATE sessions SET seen = $2 WHERE token = $1")
            .bind(token.0.to_vec())
            .bind(Instant::to_rfc3339(seen))
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn end_session(&self, token: &Hash) -> Result<(), StoreFailed> {
        sqlx::query("DELETE FROM sessions WHERE token = $1")
            .bind(token.0.to_vec())
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn end_sessions(&self, created: Instant, seen: Instant) -> Result<(), StoreFailed> {
        sqlx::query("DELETE FROM sessions WHERE created < $1 OR seen < $2")
            .bind(Instant::to_rfc3339(created))
            .bind(Instant::to_rfc3339(seen))
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }
}
