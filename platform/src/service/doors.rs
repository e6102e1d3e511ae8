//! Doors of the platform: broker, certificates, HTTP listener.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::Router;
use kit::clock::TokioClock;
use kit::serve::{ServeError, Served};
use schemas::hash::{Hash, sha256};
use schemas::ids::DeviceAddress;
use schemas::time::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::broker::{self, Bridge, BrokerAccess, BrokerConfig, Principal, TlsListener};
use crate::config::Config;
use crate::link::{self, LinkConfig, Login};
use crate::registry::Gate;
use crate::store::Store;
use crate::tls;

/// Messages that the ingest has in flight.
const INFLIGHT: u16 = 1_000;
/// The ingests' group at the embedded broker, which lets nobody else join it.
const SHARE: &str = "ingest";

/// Devices of which it is remembered under which key they have logged in.
const LOGGED_IN: usize = 100_000;

struct Access {
    store: Arc<dyn Store>,
    gate: Arc<Gate>,
    /// Devices that have logged in, and under which key: whose key is another one by now, that is
    /// an open connection of the key before.
    keys: Mutex<BTreeMap<DeviceAddress, Hash>>,
    /// Registry version up to which everybody who may not stay has been put out.
    settled: AtomicU64,
    ingest: Hash,
}

#[async_trait]
impl BrokerAccess for Access {
    async fn login(&self, username: &str, password: &[u8]) -> Option<Principal> {
        if username == link::USERNAME {
            return (sha256(password) == self.ingest).then_some(Principal::Ingest);
        }
        let address: DeviceAddress = username.parse().ok()?;
        let known = self.store.credential(username).await.ok()??;
        let mut raw = [0; 32];
        hex::decode_to_slice(password, &mut raw).ok()?;
        let snapshot = self.gate.snapshot();
        let kid = snapshot.speaker(&address)?.record.kid();
        if sha256(&raw) != known {
            return None;
        }
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= LOGGED_IN {
            keys.clear();
        }
        keys.insert(address.clone(), kid);
        Some(Principal::Device(address))
    }

    async fn may_stay(&self, device: &DeviceAddress) -> bool {
        let snapshot = self.gate.snapshot();
        let Some(signed) = snapshot.speaker(device) else {
            return false;
        };
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let known = keys.get(device);
        known.is_none_or(|kid| *kid == signed.record.kid())
    }

    async fn changed(&self) {
        let settled = self.settled.load(Ordering::Relaxed);
        self.gate.moved_from(settled).await;
        let head = self.gate.snapshot().head;
        let version = head.map_or(0, |head| head.version);
        self.settled.store(version, Ordering::Relaxed);
    }
}

/// The broker that is used, embedded or not.
pub(super) struct Broker {
    pub(super) link: LinkConfig,
    pub(super) public: String,
    /// MQTT over WebSocket to the embedded one.
    pub(super) bridge: Option<Bridge>,
    pub(super) task: Option<JoinHandle<()>>,
}

/// The CA and the server's certificate.
pub(super) struct Certificates {
    pub(super) ca_pem: String,
    pub(super) fingerprint: Hash,
    server: tls::Files,
}

/// The platform's CA and server certificate, made the first time. On the wall clock, also in a
/// replay: other people's TLS libraries judge them.
pub(super) fn certificates(config: &Config) -> Result<Certificates, StartError> {
    let (folder, now) = (config.data.join("tls"), TokioClock.now());
    let authority = tls::Files::authority(&folder);
    let server = tls::load_or_make(&folder, &config.names, now)?;
    let ca_pem = std::fs::read_to_string(&authority.certificate)?;
    let fingerprint = tls::fingerprint(&ca_pem)?;
    Ok(Certificates {
        ca_pem,
        fingerprint,
        server,
    })
}

/// The bound HTTP listener.
pub(super) struct Listening {
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Listening {
    pub(super) fn bind(
        config: &Config,
        certificates: Option<&Certificates>,
    ) -> Result<Self, StartError> {
        let tls = match certificates {
            None if !config.listen.ip().is_loopback() => {
                let problem = "plain HTTP is for loopback only; set tls = true".to_owned();
                return Err(StartError::Config {
                    field: "listen",
                    problem,
                });
            }
            None => None,
            Some(certificates) => Some(tls::server_config(&certificates.server, &["http/1.1"])?),
        };
        let listener = kit::serve::bind(config.listen)?;
        Ok(Self { listener, tls })
    }

    /// The address that pages may print: the configured one, else under TLS the bound one, since
    /// plain HTTP is for this machine only.
    pub(super) fn public_url(&self, config: &Config) -> Option<String> {
        let bound = self.listener.local_addr().ok();
        let named = bound.filter(|bound| self.tls.is_some() && !bound.ip().is_unspecified());
        let bound = named.map(|bound| format!("https://{bound}"));
        config.public_url.clone().or(bound)
    }

    /// The platform's address in any case.
    pub(super) fn own_url(&self, config: &Config) -> String {
        let bound = self.listener.local_addr();
        let bound = || bound.map_or_else(|_| String::new(), |bound| format!("http://{bound}"));
        self.public_url(config).unwrap_or_else(bound)
    }

    pub(super) fn serve(
        self,
        router: Router,
        shutdown: CancellationToken,
    ) -> Result<Served, ServeError> {
        let limits = kit::serve::Limits::default();
        kit::serve::serve_on(self.listener, router, self.tls, limits, shutdown)
    }
}

/// Starts the embedded broker or names another one.
pub(super) async fn open_broker(
    config: &Config,
    certificates: Option<&Certificates>,
    store: &Arc<dyn Store>,
    gate: &Arc<Gate>,
    shutdown: &CancellationToken,
) -> Result<Broker, StartError> {
    let section = &config.broker;
    let link_to = |address, username, password, share| LinkConfig {
        address,
        username,
        password,
        client_id: link::client_id(config.anchor.shard),
        share: Some(share),
        ca_pem: certificates.map(|certificates| certificates.ca_pem.clone()),
        inflight: INFLIGHT,
    };
    if let Some(url) = &section.url {
        let login = Login::of(config)?;
        return Ok(Broker {
            link: link_to(url.clone(), login.username, login.password, login.group),
            public: section.public.clone().unwrap_or_else(|| url.clone()),
            bridge: None,
            task: None,
        });
    }
    let password = hex::encode(schemas::random::bytes::<32>()?);
    let access = Access {
        store: Arc::clone(store),
        gate: Arc::clone(gate),
        keys: Mutex::default(),
        settled: AtomicU64::new(0),
        ingest: sha256(password.as_bytes()),
    };
    let listener = certificates.map(|certificates| TlsListener {
        address: section.listen_tls,
        certificate: certificates.server.certificate.clone(),
        key: certificates.server.key.clone(),
    });
    let broker_config = BrokerConfig {
        plain: section.listen,
        tls: listener,
        limits: section.limits.clone(),
    };
    let running = broker::run(broker_config, Arc::new(access), shutdown.clone()).await?;
    let plain = running.url();
    let host = config.names.first().map_or("localhost", String::as_str);
    let public = running.tls.map_or_else(
        || plain.clone(),
        |tls| match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(host)) => format!("mqtts://[{host}]:{}", tls.port()),
            _ => format!("mqtts://{host}:{}", tls.port()),
        },
    );
    Ok(Broker {
        link: link_to(plain, link::USERNAME.to_owned(), password, SHARE.to_owned()),
        public,
        bridge: Some(Bridge::new(running.plain, &section.limits)),
        task: Some(running.task),
    })
}
