//! The engine that the configuration names, opened.

use std::sync::Arc;

use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{Store, Stored};
use crate::config::Config;

/// SQLite's file in the data folder.
pub const FILE: &str = "platform.db";

/// Opens PostgreSQL where `database` is set, else the SQLite file in the data folder.
///
/// # Errors
/// [`StoreError`](super::StoreError): it cannot be entered, or its schema is not this program's
/// and may not be made so.
pub async fn open(config: &Config) -> Stored<Arc<dyn Store>> {
    match &config.database {
        Some(url) => Ok(Arc::new(PostgresStore::open(url).await?)),
        None => Ok(Arc::new(SqliteStore::open(&config.data.join(FILE)).await?)),
    }
}

/// Makes the tables as their owner and, on PostgreSQL, gives the role of the service what it needs.
/// Says in words what was done.
///
/// # Errors
/// [`StoreError`](super::StoreError).
pub async fn migrate(
    config: &Config,
    owner: Option<&kit::postgres::DatabaseUrl>,
) -> Stored<String> {
    let Some(url) = &config.database else {
        let file = config.data.join(FILE);
        SqliteStore::open(&file).await?.close().await;
        return Ok(format!("{} is up to date", file.display()));
    };
    let Some(owner) = owner.filter(|owner| owner.user() != url.user()) else {
        PostgresStore::migrate(url, None).await?;
        return Ok(format!(
            "{url} is up to date; the service's role owns the tables, so the database does not \
             keep it from changing what is append-only"
        ));
    };
    let role = url.user();
    PostgresStore::migrate(owner, Some(role)).await?;
    Ok(format!(
        "{owner} is up to date; `{role}` may read and add, and change only what is not append-only"
    ))
}
