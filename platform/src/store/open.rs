//! The engine that the configuration names, opened.

use std::sync::Arc;

use kit::postgres::Migration;

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
    let migration = Migration::new(url, owner);
    PostgresStore::migrate(migration.owner, migration.role).await?;
    let Some(eraser) = &config.eraser else {
        return Ok(migration.done);
    };
    PostgresStore::let_erase(migration.owner, eraser.user()).await?;
    Ok(format!(
        "{}; `{}` may erase content and add tombstones",
        migration.done,
        eraser.user()
    ))
}
