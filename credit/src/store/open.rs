//! The engine that the configuration names, opened.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use kit::postgres::{DatabaseUrl, DatabaseUrlError, Migration};
use serde::Deserialize;

use super::{Postgres, Sqlite, Store as _, StoreError, Tables};

/// Where credit's tables are. Shown without a password.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub enum Database {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(DatabaseUrl),
}

impl TryFrom<String> for Database {
    type Error = DatabaseUrlError;

    /// What holds `://` is an address, all else a file.
    fn try_from(text: String) -> Result<Self, DatabaseUrlError> {
        if text.contains("://") {
            Ok(Self::Postgres(text.parse()?))
        } else {
            Ok(Self::File(PathBuf::from(text)))
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Postgres(url) => write!(f, "{url}"),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

/// Opens the tables.
///
/// # Errors
/// [`StoreError`]: they cannot be entered, or are not this program's and may not be made so.
pub async fn open(database: &Database) -> Result<Arc<dyn Tables>, StoreError> {
    match database {
        Database::File(file) => Ok(Arc::new(Sqlite::open(file).await?)),
        Database::Postgres(url) => Ok(Arc::new(Postgres::open(url).await?)),
    }
}

/// Makes the tables as their owner and, on PostgreSQL, gives the role of the service what it needs.
/// Says in words what was done.
///
/// # Errors
/// [`StoreError`].
pub async fn migrate(
    database: &Database,
    owner: Option<&DatabaseUrl>,
) -> Result<String, StoreError> {
    let url = match database {
        Database::File(file) => {
            Sqlite::open(file).await?.close().await;
            return Ok(format!("{} is up to date", file.display()));
        }
        Database::Postgres(url) => url,
    };
    let migration = Migration::new(url, owner);
    Postgres::migrate(migration.owner, migration.role).await?;
    Ok(migration.done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_or_address() {
        let read = |text: &str| Database::try_from(text.to_owned());
        assert!(matches!(read("credit.sqlite"), Ok(Database::File(_))));
        let url = read("postgres://bank:s3cret@db/credit").unwrap();
        assert_eq!(url.to_string(), "postgres://bank@db:5432/credit");
        assert!(!format!("{url:?}").contains("s3cret"));
        assert_eq!(
            read("mysql://bank@db/credit").unwrap_err(),
            DatabaseUrlError::Scheme
        );
    }
}
