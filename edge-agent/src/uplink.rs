//! The way to the broker: rumqttc, MQTT 5, QoS 1, wrapped once.
//!
//! What rumqttc would lose or hang on is kept out of its hands: every connection gets a new client
//! and event loop, so nothing waits in its memory across a reconnect; the window is ours
//! (`window`), so packet ids never collide; the task that polls only ever uses `try_*`.
//! A PUBACK means that the broker has the message, not that it is durable: statements without a
//! receipt are sent again after a reconnect and after the receipt timeout.

mod back_off;
mod window;

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet, PubAckReason, Publish};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{Outgoing, TlsConfiguration, Transport};
use schemas::statement::MESSAGE_MAX;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::back_off::BackOff;
use self::window::Window;
use crate::config::{BrokerAddress, UplinkConfig};
use crate::outbox::{Outbox, OutboxError};
use crate::tls;
use crate::trust::{Enrolment, Trust};

/// Room for a packet's header and topic beside the largest message.
const PACKET_MAX: u32 = MESSAGE_MAX as u32 + 4_096;
/// How long the broker keeps receipts for a device that is away: a week.
const SESSION_EXPIRY_S: u32 = 7 * 86_400;
/// Replies that the broker may send before they are acknowledged.
const RECEIVE_MAX: u16 = 64;
/// Requests beside publishes that may wait in the client: acknowledgements and a subscription.
const REQUESTS_BESIDE: usize = RECEIVE_MAX as usize + 16;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Statements read from the outbox at once.
const READ_MAX: u32 = 32;
/// Time for a DISCONNECT to leave.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("{0}")]
    Connection(Box<rumqttc::v5::ConnectionError>),
    #[error("the client's queue is full")]
    Queue,
    #[error("the broker refuses the receipt topic")]
    Subscription,
    #[error("a reply could not be stored: {0}")]
    Store(#[from] OutboxError),
}

/// What the uplink runs with.
pub struct Uplink {
    config: UplinkConfig,
    address: BrokerAddress,
    transport: Transport,
    client_id: String,
    credentials: (String, String),
    capture_topic: String,
    receipt_topic: String,
    outbox: Outbox,
    connected: watch::Sender<bool>,
    shutdown: CancellationToken,
}

impl Uplink {
    /// Prepares the connection; `connected` is told whether the broker has this client.
    ///
    /// # Errors
    /// [`tls::TlsError`] if TLS is asked for and enrolment brought no usable CA.
    pub fn new(
        config: UplinkConfig,
        enrolment: &Enrolment,
        trust: &Trust,
        outbox: Outbox,
        connected: watch::Sender<bool>,
        shutdown: CancellationToken,
    ) -> Result<Self, tls::TlsError> {
        let address = config
            .broker
            .clone()
            .unwrap_or_else(|| trust.broker.clone());
        let transport = if address.tls {
            let client = tls::under_ca(&enrolment.ca)?;
            Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(client)))
        } else {
            Transport::tcp()
        };
        Ok(Self {
            transport,
            client_id: trust.device.to_string(),
            credentials: (enrolment.username.clone(), enrolment.password.clone()),
            capture_topic: trust.device.capture_topic(),
            receipt_topic: trust.device.receipt_topic(),
            config,
            address,
            outbox,
            connected,
            shutdown,
        })
    }

    /// Connects, sends and listens until `shutdown`.
    pub async fn run(self) {
        let mut back_off = BackOff::new(self.config.back_off_min, self.config.back_off_max);
        while !self.shutdown.is_cancelled() {
            let mut session = Session::new(&self);
            let outcome = session.run(&mut back_off).await;
            self.connected.send_replace(false);
            let Err(lost) = outcome else { return };
            let wait = back_off.next();
            tracing::warn!(broker = %self.address, %lost, ?wait, "no connection");
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn options(&self) -> MqttOptions {
        let (host, port) = (self.address.host.clone(), self.address.port);
        let mut options = MqttOptions::new(self.client_id.clone(), host, port);
        options.set_transport(self.transport.clone());
        options.set_credentials(self.credentials.0.clone(), self.credentials.1.clone());
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(SESSION_EXPIRY_S));
        options.set_max_packet_size(Some(PACKET_MAX));
        options.set_receive_maximum(Some(RECEIVE_MAX));
        // A reply is acknowledged when the outbox has stored what it says.
        options.set_manual_acks(true);
        options
    }
}

/// One connection, from its first packet to its end.
struct Session<'a> {
    uplink: &'a Uplink,
    client: AsyncClient,
    event_loop: rumqttc::v5::EventLoop,
    state: SessionState,
}

struct SessionState {
    window: Window,
    /// Newest statement handed to this connection.
    cursor: i64,
    /// When statements without a receipt were sent.
    sent_at: BTreeMap<i64, Instant>,
    /// Statements to be sent again.
    again: VecDeque<i64>,
    is_connected: bool,
}

enum Wake {
    Event(Box<Result<Event, rumqttc::v5::ConnectionError>>),
    Newer,
    Overdue,
    Shutdown,
}

impl<'a> Session<'a> {
    fn new(uplink: &'a Uplink) -> Self {
        let capacity = usize::from(uplink.config.in_flight) + REQUESTS_BESIDE;
        let (client, event_loop) = AsyncClient::new(uplink.options(), capacity);
        let state = SessionState {
            window: Window::new(usize::from(uplink.config.in_flight)),
            cursor: 0,
            sent_at: BTreeMap::new(),
            again: VecDeque::new(),
            is_connected: false,
        };
        Self {
            uplink,
            client,
            event_loop,
            state,
        }
    }

    /// Ends well only by shutdown.
    async fn run(&mut self, back_off: &mut BackOff) -> Result<(), Lost> {
        let mut newest = self.uplink.outbox.newest();
        let mut tick =
            tokio::time::interval((self.uplink.config.receipt_timeout / 4).max(MIN_TICK));
        loop {
            // A poll is never dropped half way: what it has taken from the queue would be gone.
            let mut poll = pin!(self.event_loop.poll());
            let event = loop {
                let wake = tokio::select! {
                    biased;
                    () = self.uplink.shutdown.cancelled() => Wake::Shutdown,
                    event = &mut poll => Wake::Event(Box::new(event)),
                    _ = tick.tick() => Wake::Overdue,
                    Ok(()) = newest.changed() => Wake::Newer,
                };
                match wake {
                    Wake::Event(event) => break Some(*event),
                    Wake::Shutdown => break None,
                    Wake::Newer => self.state.fill(self.uplink, &self.client).await?,
                    Wake::Overdue => {
                        self.state.find_overdue(self.uplink).await?;
                        self.state.fill(self.uplink, &self.client).await?;
                    }
                }
            };
            match event {
                Some(Ok(event)) => {
                    self.state
                        .handle(self.uplink, &self.client, event, back_off)
                        .await?
                }
                Some(Err(error)) => return Err(Lost::Connection(Box::new(error))),
                None => break,
            }
        }
        self.farewell().await;
        Ok(())
    }

    async fn farewell(&mut self) {
        if !self.state.is_connected || self.client.try_disconnect().is_err() {
            return;
        }
        let leave = async { while self.event_loop.poll().await.is_ok() {} };
        // The session and all unreceipted statements outlive an unfriendly end too.
        let _ = tokio::time::timeout(FAREWELL, leave).await;
    }
}

/// Shortest period of the look for overdue receipts.
const MIN_TICK: Duration = Duration::from_millis(50);

impl SessionState {
    async fn handle(
        &mut self,
        uplink: &Uplink,
        client: &AsyncClient,
        event: Event,
        back_off: &mut BackOff,
    ) -> Result<(), Lost> {
        match event {
            Event::Incoming(Packet::ConnAck(connack)) => {
                back_off.reset();
                self.on_connected(uplink, client, &connack)?;
            }
            Event::Incoming(Packet::SubAck(suback)) => {
                use rumqttc::v5::mqttbytes::v5::SubscribeReasonCode::Success;
                if !suback
                    .return_codes
                    .iter()
                    .all(|code| matches!(code, Success(_)))
                {
                    return Err(Lost::Subscription);
                }
            }
            Event::Outgoing(Outgoing::Publish(id)) => self.window.left(id),
            Event::Incoming(Packet::PubAck(ack)) => {
                if !matches!(
                    ack.reason,
                    PubAckReason::Success | PubAckReason::NoMatchingSubscribers
                ) {
                    tracing::warn!(reason = ?ack.reason, "the broker did not take a statement");
                }
                self.window.acknowledged(ack.pkid);
            }
            Event::Incoming(Packet::Publish(publish)) => {
                return self.on_reply(uplink, client, &publish).await;
            }
            _ => return Ok(()),
        }
        self.fill(uplink, client).await
    }

    fn on_connected(
        &mut self,
        uplink: &Uplink,
        client: &AsyncClient,
        connack: &ConnAck,
    ) -> Result<(), Lost> {
        let theirs = connack
            .properties
            .as_ref()
            .and_then(|properties| properties.receive_max);
        self.window.narrow(usize::from(theirs.unwrap_or(u16::MAX)));
        client
            .try_subscribe(uplink.receipt_topic.clone(), QoS::AtLeastOnce)
            .map_err(|_| Lost::Queue)?;
        tracing::info!(broker = %uplink.address, session = connack.session_present, "connected");
        self.is_connected = true;
        uplink.connected.send_replace(true);
        Ok(())
    }

    async fn on_reply(
        &mut self,
        uplink: &Uplink,
        client: &AsyncClient,
        publish: &Publish,
    ) -> Result<(), Lost> {
        if publish.topic == uplink.receipt_topic.as_bytes() {
            uplink.outbox.reply(&publish.payload).await?;
        } else {
            tracing::warn!("a message on a topic that was not asked for");
        }
        client.try_ack(publish).map_err(|_| Lost::Queue)
    }

    /// Sends what waits while the window has room.
    async fn fill(&mut self, uplink: &Uplink, client: &AsyncClient) -> Result<(), Lost> {
        if !self.is_connected {
            return Ok(());
        }
        while self.window.room() > 0
            && let Some(position) = self.again.pop_front()
        {
            let waiting = uplink.outbox.waiting(position - 1, 1).await?;
            for statement in waiting
                .into_iter()
                .filter(|found| found.position == position)
            {
                self.send(uplink, client, position, statement.message)?;
            }
        }
        while self.window.room() > 0 {
            let limit = u32::try_from(self.window.room())
                .unwrap_or(READ_MAX)
                .min(READ_MAX);
            let waiting = uplink.outbox.waiting(self.cursor, limit).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            for statement in waiting {
                self.send(uplink, client, statement.position, statement.message)?;
                self.cursor = statement.position;
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        uplink: &Uplink,
        client: &AsyncClient,
        position: i64,
        message: Vec<u8>,
    ) -> Result<(), Lost> {
        client
            .try_publish(
                uplink.capture_topic.clone(),
                QoS::AtLeastOnce,
                false,
                message,
            )
            .map_err(|_| Lost::Queue)?;
        self.window.queued();
        self.sent_at.insert(position, Instant::now());
        Ok(())
    }

    /// Statements that were sent a receipt timeout ago and still have none.
    async fn find_overdue(&mut self, uplink: &Uplink) -> Result<(), Lost> {
        let Some((&first, _)) = self.sent_at.first_key_value() else {
            return Ok(());
        };
        let waiting = uplink.outbox.waiting_positions(first, self.cursor).await?;
        self.sent_at
            .retain(|position, _| waiting.contains(position));
        let now = Instant::now();
        for (position, at) in &mut self.sent_at {
            if now.duration_since(*at) >= uplink.config.receipt_timeout {
                *at = now;
                self.again.push_back(*position);
            }
        }
        Ok(())
    }
}
