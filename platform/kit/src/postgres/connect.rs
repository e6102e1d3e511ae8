//! Sessions: bounded in number and in what they may hold up, and durable whatever the server's
//! own settings say.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use super::DatabaseUrl;

/// Sessions of one process.
pub const CONNECTIONS: u32 = 8;
/// How long a call waits for a session, so also how long a restart of the server may take before
/// calls fail.
const ACQUIRE: Duration = Duration::from_secs(10);
/// How long the first connection may take.
const FIRST: Duration = Duration::from_secs(10);

/// What every session is set to:
/// an answered commit is on disk; a paused process gives its locks back well before its lease on
/// the log runs out, so that whoever takes over does not wait for it; nobody waits for a lock for
/// ever.
const SETTINGS: [(&str, &str); 4] = [
    ("synchronous_commit", "on"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("lock_timeout", "20s"),
    ("TimeZone", "UTC"),
];

/// A database that cannot be entered.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It refused, or nobody answers there.
    #[error("{url} cannot be entered")]
    Refused {
        /// Where, without the password.
        url: DatabaseUrl,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// It did not answer in time.
    #[error("{url} does not answer within {} s", FIRST.as_secs())]
    Silent {
        /// Where, without the password.
        url: DatabaseUrl,
    },
}

fn options(url: &DatabaseUrl) -> PgConnectOptions {
    url.options().options(SETTINGS)
}

/// One session, for what a program does once.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect_once(url: &DatabaseUrl) -> Result<PgConnection, ConnectError> {
    let options = options(url);
    let url = url.clone();
    match tokio::time::timeout(FIRST, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(source)) => Err(ConnectError::Refused { url, source }),
        Err(_) => Err(ConnectError::Silent { url }),
    }
}

/// A pool. The first session is opened alone, so that a wrong password is not mistaken for a full
/// pool.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(url: &DatabaseUrl) -> Result<PgPool, ConnectError> {
    let first = connect_once(url).await?;
    first
        .close()
        .await
        .map_err(|source| ConnectError::Refused {
            url: url.clone(),
            source,
        })?;
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .connect_lazy_with(options(url)))
}

/// A text as PostgreSQL can hold it: it refuses U+0000, which SQLite keeps. Only derived columns
/// and look-ups hold such text, so U+FFFD stands for it; what was signed stays as it is.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_there_is_said_without_the_password() {
        let url = "postgres://keeper:s3cret@127.0.0.1:1/tracebond"
            .parse()
            .unwrap();
        let error = connect(&url).await.unwrap_err();
        let message = schemas::causes::causes(&error);
        assert!(
            message.starts_with("postgres://keeper@127.0.0.1:1/tracebond"),
            "{message}"
        );
        assert!(!message.contains("s3cret"), "{message}");
    }

    #[test]
    fn only_the_null_character_is_replaced() {
        assert_eq!(text("a\0b"), "a\u{fffd}b");
        assert!(matches!(text("茶"), Cow::Borrowed("茶")));
    }
}
