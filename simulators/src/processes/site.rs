//! What an operator runs on: which database, which broker, plain or over TLS.

use std::net::SocketAddr;
use std::path::Path;

use crate::parts::Part;
use crate::parts::mosquitto::{Mosquitto, Place};
use crate::parts::postgres::Postgres;
use anyhow::{Context, Result};
use kit::clock::TokioClock;
use platform::config::Config;
use platform::mosquitto;
use schemas::time::Clock;

use crate::processes::operator::free_address;

/// Which parts are real.
#[derive(Debug, Clone, Copy, Default)]
pub struct On {
    /// PostgreSQL instead of SQLite.
    pub postgres: bool,
    /// Mosquitto instead of the embedded broker.
    pub mosquitto: bool,
    /// HTTPS and MQTT over TLS.
    pub tls: bool,
    /// Log lines in JSON with every statement's way, and metrics.
    pub watched: bool,
}

impl On {
    /// True where a part is missing, which is said; in CI that is a failure.
    pub fn skip(self) -> bool {
        (self.postgres && Part::Postgres.skip()) || (self.mosquitto && Part::Mosquitto.skip())
    }
}

/// The running parts.
pub struct Site {
    /// Which there are.
    pub on: On,
    /// The database, where it is a real one.
    pub postgres: Option<Postgres>,
    /// The broker, where it is a real one.
    pub mosquitto: Option<Mosquitto>,
    /// Where metrics are, where it is watched.
    pub metrics: SocketAddr,
    database: Option<String>,
    broker: SocketAddr,
}

impl Site {
    /// Starts the database.
    pub fn open(on: On) -> Result<Site> {
        let postgres = on.postgres.then(Postgres::start).transpose()?;
        let made = postgres
            .as_ref()
            .map(|postgres| postgres.database("platform"));
        Ok(Site {
            on,
            database: made.transpose()?,
            postgres,
            mosquitto: None,
            metrics: free_address()?,
            broker: free_address()?,
        })
    }

    /// Writes the platform's configuration, of which `text` makes all but what is said here, and
    /// starts the broker under what the platform writes for it.
    pub fn configure(
        &mut self,
        file: &Path,
        text: impl Fn(&str, &str) -> Result<String>,
    ) -> Result<()> {
        let top = self.top();
        if !self.on.mosquitto {
            let listen = if self.on.tls { "listen_tls" } else { "listen" };
            let broker = format!("{listen} = \"{}\"", self.broker);
            return Ok(std::fs::write(file, text(&top, &broker)?)?);
        }
        let started = Mosquitto::start(3, |place| {
            let text = text(&top, &mosquitto_section(self.on, place))?;
            std::fs::write(file, &text)?;
            let config = Config::parse("platform.toml", &text)?;
            let files = mosquitto::configure(&config, TokioClock.now())?;
            let first = files.first().context("no configuration")?;
            Ok(std::fs::read_to_string(first)?)
        })?;
        self.broker.set_port(started.place().ports[0]);
        self.mosquitto = Some(started);
        Ok(())
    }

    fn top(&self) -> String {
        let mut top = format!("tls = {}\n", self.on.tls);
        if self.on.watched {
            top.push_str(&format!(
                "logs = \"json\"\nmetrics = \"{}\"\n",
                self.metrics
            ));
        }
        if let Some(url) = &self.database {
            top.push_str(&format!("database = \"{url}\"\n"));
        }
        top
    }

    /// Address of the database, where it is a real one.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Starts a database that was killed.
    pub fn restart_database(&mut self) -> Result<()> {
        let postgres = self.postgres.as_mut().context("no real database")?;
        postgres.restart()
    }

    /// Where gateways find MQTT over WebSocket: at the broker's own listener, or at the platform.
    pub fn websocket(&self, platform: SocketAddr) -> String {
        let port = match &self.mosquitto {
            Some(mosquitto) => mosquitto.place().ports[2],
            None => platform.port(),
        };
        match self.on.tls {
            true => format!("wss://localhost:{port}/v1/mqtt"),
            false => format!("ws://127.0.0.1:{port}/v1/mqtt"),
        }
    }

    /// What the platform says of its broker.
    pub fn broker(&self) -> String {
        broker_url(self.on, self.broker.port())
    }
}

fn broker_url(on: On, port: u16) -> String {
    if on.tls {
        format!("mqtts://localhost:{port}")
    } else {
        format!("mqtt://127.0.0.1:{port}")
    }
}

fn mosquitto_section(on: On, place: &Place) -> String {
    let (gateways, ingest, websocket) = (place.ports[0], place.ports[1], place.ports[2]);
    let listen = if on.tls { "listen_tls" } else { "listen" };
    format!(
        "{listen} = \"127.0.0.1:{gateways}\"
listen_ws = \"127.0.0.1:{websocket}\"
url = \"mqtt://127.0.0.1:{ingest}\"
public = \"{public}\"
[broker.mosquitto]
folder = \"{folder}\"
persistence = \"{folder}\"
pid_file = \"{pid}\"",
        public = broker_url(on, gateways),
        folder = place.folder.display(),
        pid = place.pid_file().display(),
    )
}
