//! Which database and which broker the operator and the bank stand on: two settings of theirs, and
//! nothing else that changes.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, ensure};
use kit::clock::TokioClock;
use platform::config::{BrokerSection, Config, MosquittoSection};
use platform::mosquitto;
use reqwest::Url;
use schemas::time::Clock;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::parts::mosquitto::{Mosquitto, Place};
use crate::parts::postgres::Postgres;

/// Where a part comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// Built in: SQLite, or the broker in the platform's process.
    #[default]
    Embedded,
    /// A private instance of Debian's for this run: PostgreSQL, Mosquitto.
    Debian,
    /// One that runs already, at this address.
    At(String),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "embedded" => Ok(Source::Embedded),
            "debian" => Ok(Source::Debian),
            address if address.contains("://") => Ok(Source::At(address.to_owned())),
            _ => Err("expected `embedded`, `debian` or an address such as \
                      postgres://user@host/database or mqtt://host:port"
                .to_owned()),
        }
    }
}

/// Both choices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Engines {
    /// Where facts are kept.
    pub database: Source,
    /// What gateways publish to. One at an address has to let everybody in: nobody tells it who
    /// was enrolled.
    pub broker: Source,
}

impl Engines {
    /// PostgreSQL and Mosquitto of Debian's.
    #[must_use]
    pub const fn debian() -> Self {
        Self {
            database: Source::Debian,
            broker: Source::Debian,
        }
    }
}

impl fmt::Display for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.database {
            Source::Embedded => "SQLite",
            Source::Debian => "PostgreSQL",
            Source::At(_) => "PostgreSQL at an address",
        })?;
        f.write_str(match self.broker {
            Source::Embedded => " and the embedded broker",
            Source::Debian => " and Mosquitto",
            Source::At(_) => " and a broker at an address",
        })
    }
}

/// The databases of one run, each made for it.
pub struct Databases {
    server: Option<Server>,
    made: Vec<String>,
}

enum Server {
    Private(Postgres),
    Foreign(Url),
}

impl Databases {
    /// Starts or names the server.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start, or the address is none.
    pub fn open(source: &Source) -> anyhow::Result<Databases> {
        let server = match source {
            Source::Embedded => None,
            Source::Debian => Some(Server::Private(Postgres::start()?)),
            Source::At(address) => Some(Server::Foreign(Url::parse(address)?)),
        };
        let made = Vec::new();
        Ok(Databases { server, made })
    }

    /// Makes an empty database; its address, or `None` where everybody has a file of their own.
    ///
    /// # Errors
    /// When the server does not let us.
    pub async fn make(&mut self, name: &str) -> anyhow::Result<Option<String>> {
        let Some(server) = &self.server else {
            return Ok(None);
        };
        let address = match server {
            Server::Private(postgres) => postgres.database(name)?,
            Server::Foreign(url) => {
                let name = format!(
                    "demo_{}_{name}",
                    hex::encode(schemas::random::bytes::<4>()?)
                );
                tell(url, &format!("CREATE DATABASE {name}")).await?;
                self.made.push(name.clone());
                let mut url = url.clone();
                url.set_path(&name);
                url.to_string()
            }
        };
        Ok(Some(address))
    }

    /// Removes what was made on somebody's server. A private one goes with everything.
    pub async fn remove(self) {
        let Some(Server::Foreign(url)) = &self.server else {
            return;
        };
        for name in &self.made {
            if let Err(error) = tell(url, &format!("DROP DATABASE {name} WITH (FORCE)")).await {
                tracing::error!(name, error = format!("{error:#}"), "a database stays");
            }
        }
    }
}

async fn tell(url: &Url, statement: &str) -> anyhow::Result<()> {
    let connection = PgConnection::connect(url.as_str()).await;
    let mut connection = connection.context("PostgreSQL cannot be entered")?;
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await
        .with_context(|| statement.to_owned())?;
    Ok(connection.close().await?)
}

/// Puts the broker into the platform's configuration, and starts it where it is a private one.
///
/// # Errors
/// When Mosquitto is not installed or does not start, or the address is none.
pub fn open_broker(config: &mut Config, source: &Source) -> anyhow::Result<Option<Mosquitto>> {
    match source {
        Source::Embedded => Ok(None),
        Source::At(address) => {
            config.broker = at(address)?;
            Ok(None)
        }
        Source::Debian => {
            let started = Mosquitto::start(2, |place| {
                config.broker = beside(config, place);
                let files = mosquitto::configure(config, TokioClock.now())?;
                let first = files.first().context("no configuration")?;
                Ok(std::fs::read_to_string(first)?)
            });
            Ok(Some(started?))
        }
    }
}

fn at(address: &str) -> anyhow::Result<BrokerSection> {
    let url = Url::parse(address)?;
    ensure!(
        url.scheme() == "mqtt",
        "{address}: expected mqtt://host:port"
    );
    let host = url.host_str().context("no host")?;
    let plain = format!("mqtt://{host}:{}", url.port().unwrap_or(1883));
    Ok(BrokerSection {
        url: Some(plain),
        username: url.username().to_owned(),
        password: url.password().unwrap_or_default().to_owned(),
        ..BrokerSection::default()
    })
}

/// Gateways come in at the first port, the ingest at the second.
fn beside(config: &Config, place: &Place) -> BrokerSection {
    let (gateways, ingest) = (place.ports[0], place.ports[1]);
    let mut section = config.broker.clone();
    section.listen.set_port(gateways);
    section.listen_tls.set_port(gateways);
    let scheme = if config.tls { "mqtts" } else { "mqtt" };
    let host = config.names.first().map_or("127.0.0.1", String::as_str);
    section.public = Some(format!("{scheme}://{host}:{gateways}"));
    section.url = Some(format!("mqtt://127.0.0.1:{ingest}"));
    section.mosquitto = Some(MosquittoSection {
        folder: place.folder.clone(),
        pid_file: Some(place.pid_file()),
        persistence: place.folder.clone(),
    });
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_understood_or_refused() {
        assert_eq!("embedded".parse(), Ok(Source::Embedded));
        assert_eq!("debian".parse(), Ok(Source::Debian));
        let address = "postgres://me@db/x";
        assert_eq!(address.parse(), Ok(Source::At(address.to_owned())));
        assert!("sqlite".parse::<Source>().is_err());
        let section = at("mqtt://me:word@broker.example").unwrap();
        assert_eq!(section.url.as_deref(), Some("mqtt://broker.example:1883"));
        assert_eq!((&*section.username, &*section.password), ("me", "word"));
        assert!(at("http://broker.example").is_err());
    }
}
