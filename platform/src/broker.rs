//! The embedded MQTT 5 broker: rmqtt as a library, with our own rules at its doors.
//!
//! Ingest is an MQTT client of this broker like of any other; nothing else in the platform knows
//! that it is embedded. It holds sessions and messages in memory only: **a PUBACK is not
//! durability**, the signed receipt is. What it does promise:
//!
//! - *Who* (`access`): a login that [`BrokerAccess`] knows. A client id must begin with
//!   `{org}/{device}` of its login (exactly that, or followed by `/` and anything), and an ingest's
//!   client id holds no `/`: so nobody takes over a session that is not its own. Wills are refused
//!   (rmqtt publishes them without asking the rules), so is MQTT before 5. Whoever the access no
//!   longer lets stay is put out with its session within seconds (`expel`).
//! - *What*: a device publishes QoS 1 to its own capture topic and reads its own receipt topic, an
//!   ingest reads all capture topics (shared or not) and publishes receipts. Nothing is retained.
//! - *To whom* (`ingests`): each capture message to one of the ingests that have subscribed, by turns
//!   among those connected. All ingests are one group, whatever its name.
//! - *How much* (`limits`, `backlog`): at most [`Limits::backlog_kib`] of capture messages are in the
//!   broker, counted from the publisher's PUBLISH to the ingest's PUBACK. Where there is no room, or
//!   no ingest has ever subscribed, the publisher's connection is not read on (so its window and then
//!   its TCP connection fill), and after [`Limits::patience`] it is closed with `quota exceeded`.
//!   rmqtt by itself would acknowledge and silently drop the oldest beyond a queue's length.
//! - *How much of one* (`shares`, `sessions`): a device that sends above its rate, or whose own share
//!   of the backlog is full, is read more slowly; others do not notice. It has a few sessions.
//! - *Who may try* (`places`, `front`): so many connections at the TLS listener, so many of one
//!   address, so many that have not logged in, and these not for long. A client that leaves unread
//!   what it is sent is closed.
//! - A capture message that rmqtt lets go without the ingest's PUBACK (a queue dropped with its
//!   session, a write that failed while its subscriber was being replaced) is put back and
//!   delivered again while the process lives: at least once, in any order.
//! - Receipts to a device that is away queue up to [`Limits::receipts`], and all of them up to
//!   [`Limits::receipts_kib`] (`receipts`); beyond, one is dropped and counted. The agent sends again what it has no receipt for.
//!
//! The plain listener is for loopback only. Devices elsewhere come over TLS, which is terminated
//! here with ring and passed on to the plain listener; rmqtt's own TLS (with aws-lc) is not used.
//! The broker runs on threads of its own, so that ending them ends all that it has started.

mod access;
mod backlog;
mod bridge;
mod expel;
mod front;
mod hooks;
mod ingests;
mod limits;
mod places;
mod receipts;
mod rules;
mod sessions;
mod shares;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rmqtt::context::ServerContext;
use rmqtt::net::{Builder, Listener};
use rmqtt::server::MqttServer;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use access::{BrokerAccess, Principal};
pub use bridge::Bridge;
pub use limits::Limits;

use crate::tls::{self, TlsError};

/// Bytes of topic, properties and header that a packet may have beside the largest message.
const PACKET_OVERHEAD: usize = 1024;
/// The largest packet, in bytes: one message of 256 KiB and its envelope.
pub const MAX_PACKET: usize = schemas::statement::MESSAGE_MAX + PACKET_OVERHEAD;
/// Longest client id, in bytes: two slugs of 32 and something to tell connections apart.
const MAX_CLIENT_ID: usize = 128;
/// Unacknowledged messages to one subscriber at once, if its own receive maximum allows.
const MAX_INFLIGHT: u16 = 8192;
/// Log-ins that are looked at by the broker at once.
const MAX_HANDSHAKES: usize = 256;
/// How long the broker's threads get to end.
const END: Duration = Duration::from_secs(2);

/// Where the broker listens.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The plain listener; a loopback address, port 0 for any free one. The ingest uses it.
    pub plain: SocketAddr,
    /// The TLS listener for devices, if any.
    pub tls: Option<TlsListener>,
    /// The limits.
    pub limits: Limits,
}

impl Default for BrokerConfig {
    /// A free loopback port, no TLS, default limits.
    fn default() -> Self {
        Self {
            plain: ([127, 0, 0, 1], 0).into(),
            tls: None,
            limits: Limits::default(),
        }
    }
}

/// A listener for MQTT over TLS.
#[derive(Debug, Clone)]
pub struct TlsListener {
    /// Address; port 0 for any free one.
    pub address: SocketAddr,
    /// PEM file of the certificate and its chain.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

/// Why the broker could not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The plain listener's address is reachable from outside.
    #[error("{0} is not a loopback address; passwords outside go over TLS only")]
    PlainOutside(SocketAddr),
    /// An address cannot be bound.
    #[error("the broker cannot listen on {address}: {problem}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        problem: String,
    },
    /// Certificate or key cannot be used.
    #[error("the broker's certificate cannot be used")]
    Tls(#[from] TlsError),
    /// The broker's threads cannot be started.
    #[error("the broker's threads cannot be started")]
    Threads(#[source] io::Error),
}

/// A running broker.
#[derive(Debug)]
pub struct BrokerHandle {
    /// Where the plain listener listens.
    pub plain: SocketAddr,
    /// Where the TLS listener listens, if there is one.
    pub tls: Option<SocketAddr>,
    /// Ends when the broker has ended and its ports are free again.
    pub task: JoinHandle<()>,
}

impl BrokerHandle {
    /// The plain listener as an address for [`crate::link`]: `mqtt://127.0.0.1:1883`.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.plain)
    }
}

/// Starts a broker; it listens when this returns, and ends with all its connections when
/// `shutdown` is cancelled.
///
/// # Errors
/// [`BrokerError`] for an address or a certificate that cannot be used.
pub async fn run(
    config: BrokerConfig,
    access: Arc<dyn BrokerAccess>,
    shutdown: CancellationToken,
) -> Result<BrokerHandle, BrokerError> {
    if !config.plain.ip().is_loopback() {
        return Err(BrokerError::PlainOutside(config.plain));
    }
    let threads = Threads::start()?;
    let starting = threads.spawn(start(config, access));
    let (plain, tls) = starting
        .await
        .map_err(|end| BrokerError::Threads(io::Error::other(end)))??;
    let task = tokio::spawn(async move {
        shutdown.cancelled().await;
        threads.end().await;
    });
    Ok(BrokerHandle { plain, tls, task })
}

/// Runs on the broker's own threads.
async fn start(
    config: BrokerConfig,
    access: Arc<dyn BrokerAccess>,
) -> Result<(SocketAddr, Option<SocketAddr>), BrokerError> {
    let sessions = isize::try_from(config.limits.sessions).unwrap_or(isize::MAX);
    // rmqtt's "busy check" refuses log-ins while the machine's load is high: not our limit.
    let context = ServerContext::new()
        .busy_check_enable(false)
        .mqtt_max_sessions(sessions);
    let context = context.build().await;
    hooks::install(&context, Arc::clone(&access), &config.limits).await;
    tokio::spawn(expel::keep(context.clone(), access));
    let (listener, plain) = bind_plain(&config)?;
    let server = MqttServer::new(context)
        .listener_by_id(listener, plain.port())
        .build();
    tokio::spawn(async move { server.run().await });
    let tls = match &config.tls {
        Some(listener) => Some(start_tls(listener, plain, &config.limits).await?),
        None => None,
    };
    Ok((plain, tls))
}

fn bind_plain(config: &BrokerConfig) -> Result<(Listener, SocketAddr), BrokerError> {
    let address = config.plain;
    let failed = |error: rmqtt::Error| BrokerError::Bind {
        address,
        problem: error.to_string(),
    };
    let listener = listener(config)
        .bind()
        .and_then(Listener::tcp)
        .map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn listener(config: &BrokerConfig) -> Builder {
    let sessions = config.limits.sessions;
    Builder::new()
        .name("plain")
        .laddr(config.plain)
        // The port of a broker that has just ended can be taken at once.
        .reuseaddr(Some(true))
        .nodelay(true)
        .allow_anonymous(false)
        .max_connections(sessions)
        .max_packet_size(u32::try_from(MAX_PACKET).unwrap_or(u32::MAX))
        .max_clientid_len(MAX_CLIENT_ID)
        .max_topic_levels(5)
        .max_subscriptions(8)
        .max_qos_allowed(rmqtt::types::QoS::AtLeastOnce)
        .min_keepalive(limits::MIN_KEEPALIVE)
        .max_keepalive(config.limits.keepalive_s)
        .allow_zero_keepalive(false)
        .max_inflight(MAX_INFLIGHT.try_into().unwrap_or(std::num::NonZeroU16::MAX))
        .max_handshaking_limit(MAX_HANDSHAKES)
        .handshake_timeout(config.limits.greeting)
        .send_timeout(config.limits.stall)
        .max_session_expiry_interval(config.limits.session_expiry)
        // Zero is never: MQTT 5 sends again on a new connection only (4.4), and what a device has
        // handed over does not go bad.
        .message_retry_interval(Duration::ZERO)
        .message_expiry_interval(Duration::ZERO)
}

async fn start_tls(
    listener: &TlsListener,
    plain: SocketAddr,
    limits: &Limits,
) -> Result<SocketAddr, BrokerError> {
    let files = tls::Files {
        certificate: listener.certificate.clone(),
        key: listener.key.clone(),
    };
    let config = tls::server_config(&files, &[])?;
    let address = listener.address;
    front::run(address, config, plain, limits)
        .await
        .map_err(|error| BrokerError::Bind {
            address,
            problem: error.to_string(),
        })
}

/// Somebody or something was refused, put out or closed at the embedded broker's doors.
fn refused(reason: &'static str) {
    metrics::counter!("tracebond_broker_refusals_total", "reason" => reason).increment(1);
}

/// A message has to wait, and its publisher's connection with it.
fn held_back(reason: &'static str) {
    metrics::counter!("tracebond_broker_held_back_total", "reason" => reason).increment(1);
}

/// The broker's own runtime. rmqtt starts tasks that nothing else can end.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> Result<Self, BrokerError> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(2)
            .thread_name("broker")
            .enable_all()
            .build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(BrokerError::Threads)
    }

    fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        match &self.0 {
            Some(runtime) => runtime.spawn(future),
            None => tokio::spawn(future),
        }
    }

    async fn end(mut self) {
        if let Some(runtime) = self.0.take() {
            let ended = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(END));
            if ended.await.is_err() {
                tracing::warn!("the broker's threads did not end cleanly");
            }
        }
    }
}

impl Drop for Threads {
    /// A runtime may not be dropped within another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
