//! Where a database is, and how one enters it. The password is never shown.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;

/// Longest address in bytes.
const URL_MAX: usize = 2_048;

/// `postgres://user:password@host:port/database`, read and found whole. `Debug` and `Display` show
/// user, host, port and database and nothing else.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(Arc<PgConnectOptions>);

/// Why a text is no address of a database. No message repeats the text: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Another scheme, or none.
    #[error("an address of the form postgres://user:password@host:port/database is needed")]
    Scheme,
    /// It cannot be read.
    #[error("the address of the database cannot be read: host, port or an option is wrong")]
    Unreadable,
    /// It names no database.
    #[error("the address ends without the name of a database, as in postgres://user@host/NAME")]
    NoDatabase,
    /// It names no user.
    #[error("the address names no user, as in postgres://USER@host/database")]
    NoUser,
    /// Too long.
    #[error("the address of the database is longer than {URL_MAX} bytes")]
    TooLong,
}

impl DatabaseUrl {
    /// The user that it names.
    #[must_use]
    pub fn user(&self) -> &str {
        self.0.get_username()
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::clone(&self.0)
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.len() > URL_MAX {
            return Err(DatabaseUrlError::TooLong);
        }
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or(DatabaseUrlError::Scheme)?;
        let options = PgConnectOptions::from_str(text).map_err(|_| DatabaseUrlError::Unreadable)?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err(DatabaseUrlError::NoDatabase);
        }
        // Without one the library would take the name of whoever runs the program.
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let user = authority
            .rsplit_once('@')
            .is_some_and(|(user, _)| !user.is_empty());
        if !user && !rest.contains("user=") {
            return Err(DatabaseUrlError::NoUser);
        }
        Ok(Self(Arc::new(options)))
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = DatabaseUrlError;

    fn try_from(text: String) -> Result<Self, DatabaseUrlError> {
        text.parse()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = self.0.get_socket().map(|path| path.display().to_string());
        let host = socket.unwrap_or_else(|| self.0.get_host().to_owned());
        let (user, port) = (self.0.get_username(), self.0.get_port());
        let database = self.0.get_database().unwrap_or_default();
        write!(f, "postgres://{user}@{host}:{port}/{database}")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let text = "postgres://keeper:s3cret@db.example:5433/tracebond?options=-c%20geqo%3Doff";
        let url: DatabaseUrl = text.parse().unwrap();
        assert_eq!(
            url.to_string(),
            "postgres://keeper@db.example:5433/tracebond"
        );
        assert!(!format!("{url:?}").contains("s3cret"));
        assert_eq!(url.user(), "keeper");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_text() {
        let wrong = |text: &str| text.parse::<DatabaseUrl>().unwrap_err();
        assert_eq!(wrong("mysql://u:s3cret@h/d"), DatabaseUrlError::Scheme);
        assert_eq!(wrong("tracebond.db"), DatabaseUrlError::Scheme);
        assert_eq!(
            wrong("postgres://u:s3cret@h:x/d"),
            DatabaseUrlError::Unreadable
        );
        assert_eq!(wrong("postgres://u:s3cret@h"), DatabaseUrlError::NoDatabase);
        assert_eq!(wrong("postgres://h/d"), DatabaseUrlError::NoUser);
        let long = format!("postgres://u@h/{}", "d".repeat(URL_MAX));
        assert_eq!(wrong(&long), DatabaseUrlError::TooLong);
        for text in [
            "mysql://u:s3cret@h/d",
            "postgres://u:s3cret@h:x/d",
            "postgres://u:s3cret@h",
        ] {
            assert!(!wrong(text).to_string().contains("s3cret"));
        }
    }

    #[test]
    fn a_wrong_address_in_a_file_names_its_line() {
        #[derive(Debug, Deserialize)]
        struct Sample {
            #[expect(dead_code, reason = "only read through the parser")]
            database: DatabaseUrl,
        }
        let text = "\ndatabase = \"postgres://u:s3cret@h\"\n";
        let error = schemas::config::parse::<Sample>("a.toml", text).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("a.toml:2: database: "), "{message}");
        assert!(!message.contains("s3cret"), "{message}");
    }
}
