//! Either broker, over TLS under the platform's own CA, with two devices and an ingest that know
//! nothing of which one it is.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use kit::clock::TokioClock;
use platform::broker::{
    self, BrokerAccess, BrokerConfig, BrokerHandle, Limits, Principal, TlsListener,
};
use platform::config::Config;
use platform::link::Login;
use platform::{mosquitto, tls};
use rumqttc::tokio_rustls::TlsConnector;
use rumqttc::tokio_rustls::rustls::pki_types::ServerName;
use schemas::enrol::Verifier;
use schemas::time::Clock;
use simulators::parts::Part;
use simulators::parts::mosquitto::{Mosquitto, Place};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::wire::{Hello, SOON, Wire};

/// Server unavailable.
const UNAVAILABLE: u8 = 0x88;
/// Two devices of one organisation and one of another.
pub const DEVICES: [&str; 3] = ["maker/a", "maker/b", "other/a"];

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// rmqtt in this process.
    Embedded,
    /// Mosquitto under the generated configuration.
    Mosquitto,
}

impl Kind {
    /// True where it is not installed, which is said; in CI that is a failure.
    pub fn skip(self) -> bool {
        self == Kind::Mosquitto && Part::Mosquitto.skip()
    }
}

/// A running broker.
pub struct Site {
    /// Where devices come over TLS.
    pub devices: SocketAddr,
    /// Where the ingest comes.
    ingest: SocketAddr,
    login: Login,
    connector: TlsConnector,
    /// Runs while this lives.
    _broker: Running,
    _folder: TempDir,
}

enum Running {
    Embedded {
        _handle: BrokerHandle,
        _stop: DropGuard,
    },
    Mosquitto {
        _server: Mosquitto,
    },
}

/// Password of a device.
pub fn password(device: &str) -> String {
    format!("password of {device}")
}

struct Known {
    ingest: String,
}

#[async_trait]
impl BrokerAccess for Known {
    async fn login(&self, username: &str, given: &[u8]) -> Option<Principal> {
        if username == "tracebond-ingest" {
            return (given == self.ingest.as_bytes()).then_some(Principal::Ingest);
        }
        let known = DEVICES.contains(&username) && given == password(username).as_bytes();
        known.then(|| username.parse().ok().map(Principal::Device))?
    }
}

impl Site {
    /// Starts one.
    pub async fn start(kind: Kind) -> Result<Site> {
        Self::with_limits(kind, Limits::default()).await
    }

    /// The same under limits, as far as Mosquitto knows them.
    pub async fn with_limits(kind: Kind, limits: Limits) -> Result<Site> {
        tls::install_provider();
        let folder = tempfile::tempdir()?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let data = folder.path().join("data");
        let files = tls::load_or_make(&data.join("tls"), &names, TokioClock.now())?;
        let ca = tls::Files::authority(&data.join("tls")).certificate;
        let connector = tls::client_config(&std::fs::read_to_string(ca)?)?;
        let (broker, devices, ingest, login) = match kind {
            Kind::Embedded => embedded(files, limits).await?,
            Kind::Mosquitto => outside(&data, &limits)?,
        };
        Ok(Site {
            devices,
            ingest,
            login,
            connector: connector.into(),
            _broker: broker,
            _folder: folder,
        })
    }

    /// A TLS connection that has not said anything.
    pub async fn connect(&self) -> Result<Wire> {
        self.connect_at(self.devices).await
    }

    /// The same through another address, such as a proxy's.
    pub async fn connect_at(&self, address: SocketAddr) -> Result<Wire> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        self.over(stream).await
    }

    /// TLS over somebody's own TCP connection.
    pub async fn over(&self, stream: TcpStream) -> Result<Wire> {
        let name = ServerName::try_from("localhost")?;
        let connecting = self.connector.connect(name, stream);
        Ok(Wire::over(timeout(SOON, connecting).await??))
    }

    /// A device that has said hello; whether its session was there.
    pub async fn device(&self, name: &str) -> Result<(Wire, bool)> {
        self.as_who(&Hello::of(name, &password(name))).await
    }

    /// Somebody who must be let in.
    pub async fn as_who(&self, hello: &Hello) -> Result<(Wire, bool)> {
        let (wire, present, reason) = greet(hello, async || self.connect().await).await?;
        ensure!(reason == 0, "{}: {reason:#x}", hello.client);
        Ok((wire, present))
    }

    /// The hello of the ingest.
    pub fn ingest_hello(&self) -> Hello {
        let mut hello = Hello::of(&self.login.username, &self.login.password);
        hello.client = "tracebond-ingest-0".into();
        hello.receive_max = 1_000;
        hello
    }

    /// A connection at the ingest's door that has not said anything.
    async fn within(&self) -> Result<Wire> {
        Ok(Wire::over(TcpStream::connect(self.ingest).await?))
    }

    /// The ingest with its subscription; whether its session was there.
    pub async fn ingest(&self) -> Result<(Wire, bool)> {
        let hello = self.ingest_hello();
        let (mut wire, present, reason) = greet(&hello, async || self.within().await).await?;
        ensure!(reason == 0, "the ingest: {reason:#x}");
        let filter = format!("$share/{}/tracebond/v1/+/+/capture", self.login.group);
        let reason = wire.subscribe(&filter).await?;
        ensure!(reason <= 2, "its subscription: {reason:#x}");
        Ok((wire, present))
    }

    /// A further ingest, without subscription.
    pub async fn ingest_as(&self, hello: &Hello) -> Result<Wire> {
        let (wire, _, reason) = greet(hello, async || self.within().await).await?;
        ensure!(reason == 0, "the ingest: {reason:#x}");
        Ok(wire)
    }
}

/// Opens a connection and says hello: the connection, whether a session was there, and the reason.
/// "Server unavailable" says that the session is just being ended or taken over: whoever is told so
/// comes again, as agents do.
pub async fn greet(
    hello: &Hello,
    open: impl AsyncFn() -> Result<Wire>,
) -> Result<(Wire, bool, u8)> {
    let end = Instant::now() + SOON;
    loop {
        let mut wire = open().await?;
        let (present, reason) = wire.hello(hello).await?;
        if reason != UNAVAILABLE || Instant::now() >= end {
            return Ok((wire, present, reason));
        }
    }
}

type Started = (Running, SocketAddr, SocketAddr, Login);

async fn embedded(files: tls::Files, limits: Limits) -> Result<Started> {
    let login = Login {
        username: "tracebond-ingest".into(),
        password: "of the ingest".into(),
        group: "ingest".into(),
    };
    let config = BrokerConfig {
        tls: Some(TlsListener {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            certificate: files.certificate,
            key: files.key,
        }),
        limits,
        ..BrokerConfig::default()
    };
    let stop = CancellationToken::new();
    let ingest = login.password.clone();
    let handle = broker::run(config, Arc::new(Known { ingest }), stop.clone()).await?;
    let (devices, plain) = (handle.tls.context("no TLS")?, handle.plain);
    let running = Running::Embedded {
        _handle: handle,
        _stop: stop.drop_guard(),
    };
    Ok((running, devices, plain, login))
}

fn outside(data: &Path, limits: &Limits) -> Result<Started> {
    let mut login = None;
    let configure = |place: &Place| {
        let config = text(data, place);
        let mut config = schemas::config::parse::<Config>("platform.toml", &config)?;
        config.broker.limits = limits.clone();
        login = Some(Login::of(&config)?);
        let files = mosquitto::configure(&config, TokioClock.now())?;
        let line = |device: &&str| {
            let verifier = Verifier::of_text(&password(device), [7; 12]);
            format!("{device}:{}\n", verifier.mosquitto())
        };
        let lines: String = DEVICES.iter().map(line).collect();
        std::fs::write(place.folder.join(mosquitto::file::DEVICE_PASSWORDS), lines)?;
        Ok(std::fs::read_to_string(&files[0])?)
    };
    let server = Mosquitto::start(2, configure)?;
    let at = |port: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, server.place().ports[port]));
    let (devices, ingest) = (at(0), at(1));
    let running = Running::Mosquitto { _server: server };
    Ok((running, devices, ingest, login.context("not configured")?))
}

fn text(data: &Path, place: &Place) -> String {
    let (data, folder) = (data.display(), place.folder.display());
    let (devices, ingest) = (place.ports[0], place.ports[1]);
    format!(
        "origin = \"log.example/t\"
data = \"{data}\"
organisation = \"operator\"
registrar = []
tls = true
[broker]
listen_tls = \"127.0.0.1:{devices}\"
url = \"mqtt://127.0.0.1:{ingest}\"
[broker.mosquitto]
folder = \"{folder}\"
persistence = \"{folder}\"
"
    )
}
