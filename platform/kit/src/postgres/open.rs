//! A service's database, opened as the service or brought up to date as its owner.

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPool;

use super::{
    ConnectError, DatabaseUrl, DatabaseUrlError, Privileges, SchemaError, bring_up, connect,
    connect_once, grant, grant_only, is_owner, verify,
};

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be entered.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The schema is not this program's, or cannot be made so.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Schema(error.into())
    }
}

/// Enters the database. Where the role owns the tables they are brought up to date; else they must
/// be this program's already.
///
/// # Errors
/// [`OpenError`].
pub async fn open(url: &DatabaseUrl, migrator: &Migrator) -> Result<PgPool, OpenError> {
    let mut connection = connect_once(url).await?;
    if is_owner(&mut connection).await? {
        bring_up(&mut connection, migrator).await?;
        tracing::info!(%url, "the role owns the tables: only the program keeps them append-only");
    } else {
        verify(&mut connection, migrator).await?;
    }
    connection.close().await?;
    Ok(connect(url).await?)
}

/// Brings the tables up to date as their owner, and gives the role of the service what it needs.
///
/// # Errors
/// [`OpenError`].
pub async fn migrate(
    owner: &DatabaseUrl,
    migrator: &Migrator,
    service: Option<(&str, &Privileges)>,
) -> Result<(), OpenError> {
    let mut connection = connect_once(owner).await?;
    bring_up(&mut connection, migrator).await?;
    if let Some((role, privileges)) = service {
        grant(&mut connection, privileges, role).await?;
    }
    Ok(connection.close().await?)
}

/// Gives a role exactly these verbs on these tables and nothing else, as the tables' owner.
///
/// # Errors
/// [`OpenError`].
pub async fn allow(
    owner: &DatabaseUrl,
    role: &str,
    grants: &[(&str, &[&str])],
) -> Result<(), OpenError> {
    let mut connection = connect_once(owner).await?;
    grant_only(&mut connection, role, grants).await?;
    Ok(connection.close().await?)
}

/// As whom the tables of a service are made, and for whom.
#[derive(Debug)]
pub struct Migration<'u> {
    /// Who makes them.
    pub owner: &'u DatabaseUrl,
    /// The service's own role, if it is another one.
    pub role: Option<&'u str>,
    /// What to say when it is done.
    pub done: String,
}

impl<'u> Migration<'u> {
    /// Of the database that a service has, and its owner's address if that was given.
    #[must_use]
    pub fn new(service: &'u DatabaseUrl, owner: Option<&'u DatabaseUrl>) -> Self {
        let role = service.user();
        match owner.filter(|owner| owner.user() != role) {
            Some(owner) => Self {
                owner,
                role: Some(role),
                done: format!(
                    "{owner} is up to date; `{role}` may read and add, and change only what is \
                     not append-only"
                ),
            },
            None => Self {
                owner: service,
                role: None,
                done: format!(
                    "{service} is up to date; the service's role owns the tables, so the database \
                     does not keep it from changing what is append-only"
                ),
            },
        }
    }
}

/// An environment variable that is no address of a database; what it holds is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct WrongVariable {
    variable: &'static str,
    problem: DatabaseUrlError,
}

/// An address from the environment, where no list of processes shows its password. `None` where
/// the variable is missing or empty.
///
/// # Errors
/// [`WrongVariable`], which names it.
pub fn address_in(variable: &'static str) -> Result<Option<DatabaseUrl>, WrongVariable> {
    let text = std::env::var(variable).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let address = text.parse();
    address
        .map(Some)
        .map_err(|problem| WrongVariable { variable, problem })
}
