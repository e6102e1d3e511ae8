//! The ingest's side of MQTT: the one wrapper of rumqttc here. It works with the embedded broker,
//! Mosquitto or any other MQTT 5 broker.
//!
//! What a caller sees: deliveries come out of a bounded channel, each with an [`AckTag`]; once a
//! delivery is durable, [`Link::ack`] says so; receipts go in at [`Link::publish`]. Connections
//! come and go behind that.
//!
//! - One client id and a session that outlives connections, so that the broker keeps what was not
//!   acknowledged and delivers it again. Subscribed anew at every CONNACK, since the broker may
//!   have forgotten.
//! - Acknowledgements go out in the order of receipt (MQTT 5 §4.6), whatever order [`Link::ack`] is
//!   called in; a tag of an earlier connection is dropped, since its packet id may mean another
//!   message now. So every delivery must be acknowledged in the end, or all later ones wait.
//! - Back-pressure: the broker sends at most [`LinkConfig::inflight`] unacknowledged messages.
//! - Publications (QoS 1) wait for their PUBACK in a window of at most 64 and are sent again on the
//!   next connection: at least once, while the process lives.
//! - Each connection has a rumqttc client of its own and a task that only polls it, so that nothing
//!   is left over in rumqttc when a connection is lost, and its known deadlocks cannot occur.

mod connection;
mod login;
mod played;
mod probe;
mod window;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use rumqttc::v5::MqttOptions;
use rumqttc::{TlsConfiguration, Transport};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::duty::Duty;
use crate::tls::{self, TlsError};
use connection::{Connection, Ended};
pub use login::{Login, USERNAME};
pub use played::{Player, played};
pub use probe::{ProbeError, probe};
pub use window::AckTag;
use window::Publications;

/// All capture topics.
const CAPTURES: &str = "tracebond/v1/+/+/capture";
/// The longest publication, in bytes: that of the largest message.
pub const PUBLISH_MAX: usize = schemas::statement::MESSAGE_MAX;
/// The largest packet that is taken, in bytes: the largest message with room for its envelope.
const PACKET_MAX: u32 = 2 * 262_144;
/// Publications that wait to be sent before [`Link::publish`] waits, too.
const WAITING: usize = 256;
/// How long the broker keeps our session without us, in seconds (7 days).
const SESSION_EXPIRY: u32 = 7 * 24 * 3600;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// For TCP, TLS and CONNACK together, in seconds.
const CONNECT_TIMEOUT: u64 = 10;
/// Pauses between attempts to connect: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Name of a shard's session at the broker.
#[must_use]
pub fn client_id(shard: u64) -> String {
    format!("tracebond-ingest-{shard}")
}

/// How to reach the broker.
#[derive(Clone)]
pub struct LinkConfig {
    /// `mqtt://host:port`, or `mqtts://host:port` for TLS.
    pub address: String,
    /// Name to log in with.
    pub username: String,
    /// Password to log in with.
    pub password: String,
    /// Names the session at the broker; fixed, and nobody else's.
    pub client_id: String,
    /// The group that shares the messages among workers (`$share/{group}/...`), if any.
    pub share: Option<String>,
    /// The only authorities trusted over TLS, PEM; needed for `mqtts`.
    pub ca_pem: Option<String>,
    /// Unacknowledged deliveries at once (MQTT 5 receive maximum), at least 1.
    pub inflight: u16,
}

impl std::fmt::Debug for LinkConfig {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkConfig")
            .field("address", &self.address)
            .field("client_id", &self.client_id)
            .field("share", &self.share)
            .field("inflight", &self.inflight)
            .finish_non_exhaustive()
    }
}

/// One message from a device.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The topic, `tracebond/v1/{org}/{device}/capture` unless the broker lets others in.
    pub topic: String,
    /// The bytes as sent. May be a repetition of an earlier delivery.
    pub payload: Bytes,
    /// For [`Link::ack`] once it is durable.
    pub tag: AckTag,
}

/// Why the link cannot do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The address is not understood.
    #[error("`{0}` is not mqtt://host:port or mqtts://host:port")]
    Address(String),
    /// `mqtts` without an authority to trust.
    #[error("mqtts needs the authority's certificate")]
    NoAuthority,
    /// The authority's certificate cannot be used.
    #[error("the authority's certificate cannot be used")]
    Tls(#[from] TlsError),
    /// A publication is too long.
    #[error("a publication of {0} bytes is longer than {PUBLISH_MAX}")]
    TooLong(usize),
    /// The link has ended.
    #[error("the link has ended")]
    Ended,
}

/// A publication on its way.
#[derive(Debug, Clone)]
struct Publication {
    topic: String,
    payload: Bytes,
}

/// Handle of a running link; clones are the same link.
#[derive(Debug, Clone)]
pub struct Link {
    acks: mpsc::UnboundedSender<AckTag>,
    publications: mpsc::Sender<Publication>,
    connected: watch::Receiver<bool>,
    ended: CancellationToken,
}

impl Link {
    /// Says that a delivery is durable. Never waits; a tag of an earlier connection does nothing.
    pub fn ack(&self, tag: AckTag) {
        // After the end nobody listens, and the broker will deliver again.
        let _ = self.acks.send(tag);
    }

    /// Publishes with QoS 1. Returns once the message is in the link, which waits while 256 others
    /// are; it is then sent at least once while the process lives, also over new connections.
    ///
    /// # Errors
    /// [`LinkError::TooLong`] over [`PUBLISH_MAX`], [`LinkError::Ended`] after shutdown.
    pub async fn publish(&self, topic: String, payload: Vec<u8>) -> Result<(), LinkError> {
        if payload.len() > PUBLISH_MAX {
            return Err(LinkError::TooLong(payload.len()));
        }
        let publication = Publication {
            topic,
            payload: payload.into(),
        };
        self.publications
            .send(publication)
            .await
            .map_err(|_| LinkError::Ended)
    }

    /// Whether the link is connected and subscribed, now and from now on.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }

    /// Ends when the link has ended after shutdown: acknowledgements and publications that were
    /// given to it before are out, or the broker was not there to take them.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

/// Starts a link on the current runtime; it connects, and connects again, until `shutdown`.
///
/// # Errors
/// [`LinkError::Address`], [`LinkError::NoAuthority`] or [`LinkError::Tls`] for a configuration
/// that can never work. A broker that is not there is no error: see [`Link::connected`].
pub fn start(
    config: LinkConfig,
    shutdown: CancellationToken,
) -> Result<(Link, mpsc::Receiver<Delivery>), LinkError> {
    start_while(config, None, shutdown)
}

/// The same, connected only while this process is on duty: the broker keeps one session for each
/// shard, and whoever connects last has it, with all that was not acknowledged.
///
/// # Errors
/// As [`start`].
pub fn start_on_duty(
    config: LinkConfig,
    duty: Duty,
    shutdown: CancellationToken,
) -> Result<(Link, mpsc::Receiver<Delivery>), LinkError> {
    start_while(config, Some(duty), shutdown)
}

fn start_while(
    config: LinkConfig,
    duty: Option<Duty>,
    shutdown: CancellationToken,
) -> Result<(Link, mpsc::Receiver<Delivery>), LinkError> {
    let options = options(&config)?;
    let inflight = config.inflight.max(1);
    let (deliveries, receiver) = mpsc::channel(usize::from(inflight));
    let (acks, acks_in) = mpsc::unbounded_channel();
    let (publications, publications_in) = mpsc::channel(WAITING);
    let (connected_out, connected) = watch::channel(false);
    let ended = CancellationToken::new();
    let link = Link {
        acks,
        publications,
        connected,
        ended: ended.clone(),
    };
    let share = config
        .share
        .as_ref()
        .map(|group| format!("$share/{group}/"));
    let filter = format!("{}{CAPTURES}", share.unwrap_or_default());
    let ports = Ports {
        deliveries,
        acks: acks_in,
        publications: publications_in,
        connected: connected_out,
    };
    let keeper = Keeper {
        options,
        inflight,
        filter,
        ports,
        duty,
        shutdown,
    };
    tokio::spawn(async move {
        keeper.run().await;
        ended.cancel();
    });
    Ok((link, receiver))
}

/// What a caller holds the other ends of.
struct Ports {
    deliveries: mpsc::Sender<Delivery>,
    acks: mpsc::UnboundedReceiver<AckTag>,
    publications: mpsc::Receiver<Publication>,
    connected: watch::Sender<bool>,
}

/// Keeps one connection after the other.
struct Keeper {
    options: MqttOptions,
    inflight: u16,
    filter: String,
    ports: Ports,
    duty: Option<Duty>,
    shutdown: CancellationToken,
}

impl Keeper {
    async fn run(mut self) {
        let mut window = Publications::default();
        let mut pause = PAUSES.0;
        for epoch in 1.. {
            let Some(turn) = self.turn().await else {
                return;
            };
            let connection = Connection::open(epoch, self.options.clone(), self.inflight, window);
            let running = connection.run(&self.filter, &mut self.ports, &turn.ends);
            let (ended, left) = turn.bounds(running).await;
            window = left;
            self.ports.connected.send_replace(false);
            match ended {
                Ended::Shutdown if self.shutdown.is_cancelled() => return,
                Ended::Shutdown => continue,
                Ended::Lost { subscribed: true } => pause = PAUSES.0,
                Ended::Lost { subscribed: false } => pause = (pause * 2).min(PAUSES.1),
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    /// Waits until it may connect; `None` after shutdown.
    async fn turn(&self) -> Option<Turn> {
        let ends = self.shutdown.child_token();
        let Some(duty) = self.duty.clone() else {
            return Some(Turn { ends, term: None });
        };
        tokio::select! {
            term = duty.begun() => Some(Turn { ends, term: Some((term, duty.clone())) }),
            () = self.shutdown.cancelled() => None,
        }
    }
}

/// The time in which this process may be connected.
struct Turn {
    ends: CancellationToken,
    term: Option<(u64, Duty)>,
}

impl Turn {
    /// Runs until its own end, which comes soon after this process is off duty.
    async fn bounds<T>(&self, running: impl Future<Output = T>) -> T {
        let over = async {
            match &self.term {
                Some((term, duty)) => duty.over(*term).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(running);
        tokio::select! {
            done = &mut running => return done,
            () = over => self.ends.cancel(),
        }
        running.await
    }
}

fn options(config: &LinkConfig) -> Result<MqttOptions, LinkError> {
    let (secure, host, port) =
        address(&config.address).ok_or_else(|| LinkError::Address(config.address.clone()))?;
    let mut options = MqttOptions::new(&config.client_id, host, port);
    options
        .set_credentials(&config.username, &config.password)
        .set_clean_start(false)
        .set_manual_acks(true)
        .set_keep_alive(KEEP_ALIVE)
        .set_connection_timeout(CONNECT_TIMEOUT)
        .set_session_expiry_interval(Some(SESSION_EXPIRY))
        .set_receive_maximum(Some(config.inflight.max(1)))
        .set_max_packet_size(Some(PACKET_MAX))
        .set_outgoing_inflight_upper_limit(window::LIMIT);
    if secure {
        let pem = config.ca_pem.as_ref().ok_or(LinkError::NoAuthority)?;
        let tls = TlsConfiguration::Rustls(Arc::clone(&tls::client_config(pem)?));
        options.set_transport(Transport::Tls(tls));
    }
    Ok(options)
}

/// Whether TLS, host and port of an address.
fn address(text: &str) -> Option<(bool, &str, u16)> {
    let (secure, rest) = match text.split_once("://")? {
        ("mqtt", rest) => (false, rest),
        ("mqtts", rest) => (true, rest),
        _ => return None,
    };
    let (host, port) = rest.rsplit_once(':')?;
    Some((secure, host, port.parse().ok()?)).filter(|_| !host.is_empty())
}

#[cfg(test)]
mod tests;
