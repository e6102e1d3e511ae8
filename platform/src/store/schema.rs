//! What schema a database has, without changing it.

use kit::postgres::SchemaError;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::postgres::PostgresStore;
use super::{FILE, Stored};
use crate::config::Config;

/// How a database stands to this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// It has this program's schema, or will be made with it.
    Current(i64),
    /// It is older, and the start may bring it up to date.
    Behind {
        /// Version there.
        found: i64,
        /// Version that is needed.
        needed: i64,
    },
    /// It is none that this program may use.
    Other(String),
}

/// Looks; changes nothing.
///
/// # Errors
/// [`StoreError`](super::StoreError) if the database cannot be entered.
pub async fn schema(config: &Config) -> Stored<Schema> {
    match &config.database {
        Some(url) => {
            let found = PostgresStore::schema(url).await?;
            Ok(found.map_or_else(of_problem, Schema::Current))
        }
        None => sqlite(config).await,
    }
}

/// What a program may do about it is told apart from what it may not.
fn of_problem((owner, error): (bool, SchemaError)) -> Schema {
    match error {
        SchemaError::Behind { found, needed } if owner => Schema::Behind { found, needed },
        other => Schema::Other(other.to_string()),
    }
}

async fn sqlite(config: &Config) -> Stored<Schema> {
    let migrator = sqlx::migrate!("migrations/sqlite");
    let needed = migrator.iter().map(|one| one.version).max().unwrap_or(0);
    let file = config.data.join(FILE);
    if !file.exists() {
        return Ok(Schema::Current(needed));
    }
    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let found: Option<(Option<i64>,)> =
        sqlx::query_as("SELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_optional(&mut connection)
            .await?;
    connection.close().await?;
    let found = found.and_then(|(version,)| version).unwrap_or(0);
    Ok(match found {
        found if found == needed => Schema::Current(needed),
        found if found < needed => Schema::Behind { found, needed },
        found => Schema::Other(format!(
            "schema {found} is of a newer program; this one knows {needed}"
        )),
    })
}
