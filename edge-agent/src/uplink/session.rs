//! One connection, from its first packet to its end.

use std::pin::{Pin, pin};
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet, PubAck, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop};
use schemas::statement::MESSAGE_MAX;
use tokio::time::{Instant, Sleep};

use super::back_off::BackOff;
use super::login::RECEIVE_MAX;
use super::reason::{self, Again, Objection};
use super::sending::Sending;
use super::{Uplink, addresses};
use crate::outbox::OutboxError;
use crate::status::Trouble;

/// Requests beside publishes that may wait in the client: acknowledgements and a subscription.
const REQUESTS_BESIDE: usize = RECEIVE_MAX as usize + 16;
/// Time for a DISCONNECT to leave.
const FAREWELL: Duration = Duration::from_millis(500);
/// Shortest period of the look for overdue receipts.
const MIN_TICK: Duration = Duration::from_millis(50);
/// What a packet has beside its payload, at most: header, topic, properties.
const PACKET_BESIDE: usize = 1_024;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("{0}")]
    Connection(Box<ConnectionError>),
    #[error("the client's queue is full")]
    Queue,
    #[error("the broker refuses the receipt topic: {0:?}")]
    Subscription(SubscribeReasonCode),
    #[error("the broker takes no message of quality of service 1")]
    NoAcknowledgements,
    #[error("a reply could not be stored: {0}")]
    Store(#[from] OutboxError),
}

impl Lost {
    /// What it means for the device.
    pub fn objection(&self) -> Objection {
        match self {
            Self::Connection(error) => reason::of_error(error),
            Self::Subscription(_) => Objection::new(Trouble::Topic, Again::Usual, self),
            Self::NoAcknowledgements => Objection::new(Trouble::Limit, Again::Late, self),
            Self::Queue | Self::Store(_) => Objection::new(Trouble::Network, Again::Usual, self),
        }
    }
}

/// Why a connection ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The agent stops.
    Shutdown,
    /// The first address answers again.
    Home,
}

/// One connection.
pub(super) struct Session<'a> {
    uplink: &'a Uplink,
    client: AsyncClient,
    event_loop: EventLoop,
    state: SessionState,
}

struct SessionState {
    sending: Sending,
    is_connected: bool,
    /// True once the broker has taken something from us: only then it works.
    works: bool,
    /// The longest payload that the broker takes.
    payload_max: usize,
    horizon: i64,
    /// True after a refusal until the next look for overdue receipts: hurrying makes it no better.
    is_paused: bool,
    /// True while the newest answer to a statement was a refusal.
    is_objected_to: bool,
}

enum Wake {
    Event(Box<Result<Event, ConnectionError>>),
    Newer,
    Overdue,
    LookHome,
    Home(bool),
    Shutdown,
}

impl<'a> Session<'a> {
    /// Nothing is sent before [`Session::run`]; what is up to `horizon` is backlog.
    pub fn new(uplink: &'a Uplink, horizon: i64) -> Self {
        let in_flight = usize::from(uplink.config.in_flight);
        let capacity = in_flight + REQUESTS_BESIDE;
        let address = uplink.addresses.current();
        let options = uplink.login.options(address, uplink.config.in_flight);
        let (client, event_loop) = AsyncClient::new(options, capacity);
        let state = SessionState {
            sending: Sending::behind(in_flight, horizon),
            is_connected: false,
            works: false,
            payload_max: MESSAGE_MAX,
            horizon,
            is_paused: false,
            is_objected_to: false,
        };
        Self {
            uplink,
            client,
            event_loop,
            state,
        }
    }

    /// True if the broker has taken something on this connection.
    pub const fn works(&self) -> bool {
        self.state.works
    }

    /// Where the backlog ends that this connection was sending, if it has not sent all of it.
    pub fn horizon_left(&self) -> Option<i64> {
        let state = &self.state;
        state.sending.is_catching_up().then_some(state.horizon)
    }

    /// Ends well by shutdown, or when the first address answers after `look_home`.
    pub async fn run(
        &mut self,
        back_off: &mut BackOff,
        mut look_home: Pin<&mut Sleep>,
    ) -> Result<Ended, Lost> {
        let mut newest = self.uplink.outbox.newest();
        let timeout = self.uplink.config.receipt_timeout;
        let mut tick = tokio::time::interval((timeout / 4).max(MIN_TICK));
        let mut home = pin!(home_answers(self.uplink, false));
        let (mut is_looking, is_away) = (false, self.uplink.addresses.is_second());
        let ended = 'connection: loop {
            // A poll is never dropped half way: what it has taken from the queue would be gone.
            let mut poll = pin!(self.event_loop.poll());
            let event = loop {
                let wake = tokio::select! {
                    biased;
                    () = self.uplink.shutdown.cancelled() => Wake::Shutdown,
                    event = &mut poll => Wake::Event(Box::new(event)),
                    _ = tick.tick() => Wake::Overdue,
                    Ok(()) = newest.changed() => Wake::Newer,
                    answers = &mut home, if is_looking => Wake::Home(answers),
                    () = &mut look_home, if is_away && !is_looking => Wake::LookHome,
                };
                match wake {
                    Wake::Event(event) => break *event,
                    Wake::Shutdown => break 'connection Ended::Shutdown,
                    Wake::Newer => self.state.fill(self.uplink, &self.client).await?,
                    Wake::Overdue => self.state.overdue(self.uplink, &self.client).await?,
                    Wake::LookHome => {
                        is_looking = true;
                        home.set(home_answers(self.uplink, true));
                    }
                    Wake::Home(true) => break 'connection Ended::Home,
                    Wake::Home(false) => {
                        is_looking = false;
                        let again = Instant::now() + self.uplink.config.return_after;
                        look_home.as_mut().reset(again);
                    }
                }
            };
            let event = event.map_err(|error| Lost::Connection(Box::new(error)))?;
            let (uplink, client) = (self.uplink, &self.client);
            self.state.handle(uplink, client, event, back_off).await?;
        };
        self.farewell().await;
        Ok(ended)
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

/// Whether the first address answers; never true where it is not asked.
async fn home_answers(uplink: &Uplink, asked: bool) -> bool {
    asked && addresses::answers(uplink.addresses.first().clone()).await
}

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
                self.on_connected(uplink, client, &connack)?;
            }
            Event::Incoming(Packet::SubAck(suback)) => {
                let is_refused = |code: &&_| !matches!(code, SubscribeReasonCode::Success(_));
                if let Some(code) = suback.return_codes.iter().find(is_refused) {
                    return Err(Lost::Subscription(*code));
                }
                // Only who lets us in to what we need has let us in.
                self.works = true;
                back_off.reset();
                uplink.object(None, "");
            }
            Event::Outgoing(Outgoing::Publish(id)) => self.sending.left(id),
            Event::Incoming(Packet::PubAck(ack)) => self.on_acknowledged(uplink, &ack),
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
        let theirs = connack.properties.as_ref();
        let in_flight = theirs.and_then(|theirs| theirs.receive_max);
        self.sending
            .narrow(usize::from(in_flight.unwrap_or(u16::MAX)));
        if theirs.and_then(|theirs| theirs.max_qos) == Some(0) {
            return Err(Lost::NoAcknowledgements);
        }
        if let Some(packet) = theirs.and_then(|theirs| theirs.max_packet_size) {
            let packet = usize::try_from(packet).unwrap_or(usize::MAX);
            self.payload_max = packet.saturating_sub(PACKET_BESIDE).min(MESSAGE_MAX);
        }
        client
            .try_subscribe(uplink.receipt_topic.clone(), QoS::AtLeastOnce)
            .map_err(|_| Lost::Queue)?;
        let broker = uplink.addresses.current();
        tracing::info!(%broker, session = connack.session_present, "connected");
        self.is_connected = true;
        uplink.link.send_modify(|link| {
            link.connected = true;
            link.connections += 1;
            link.trouble = None;
            link.detail.clear();
        });
        Ok(())
    }

    /// The broker has the message, or says why it has not: then its place in the window is free
    /// all the same, and the statement is sent again after the receipt timeout.
    fn on_acknowledged(&mut self, uplink: &Uplink, ack: &PubAck) {
        self.sending.acknowledged(ack.pkid);
        let Some(trouble) = reason::of_puback(ack.reason) else {
            if std::mem::take(&mut self.is_objected_to) {
                uplink.object(None, "");
            }
            return;
        };
        tracing::warn!(reason = ?ack.reason, trouble = trouble.word(), "the broker did not take a statement");
        (self.is_paused, self.is_objected_to) = (true, true);
        uplink.link.send_modify(|link| link.not_taken += 1);
        uplink.object(Some(trouble), &format!("PUBACK {:?}", ack.reason));
    }

    async fn on_reply(
        &mut self,
        uplink: &Uplink,
        client: &AsyncClient,
        publish: &Publish,
    ) -> Result<(), Lost> {
        if publish.topic == uplink.receipt_topic.as_bytes() {
            uplink.outbox.reply_soon(&publish.payload).await?;
        } else {
            tracing::warn!("a message on a topic that was not asked for");
        }
        client.try_ack(publish).map_err(|_| Lost::Queue)
    }

    async fn overdue(&mut self, uplink: &Uplink, client: &AsyncClient) -> Result<(), Lost> {
        let (outbox, timeout) = (&uplink.outbox, uplink.config.receipt_timeout);
        self.sending
            .find_overdue(outbox, timeout, Instant::now())
            .await?;
        self.is_paused = false;
        self.fill(uplink, client).await
    }

    /// Sends what waits while the window has room.
    async fn fill(&mut self, uplink: &Uplink, client: &AsyncClient) -> Result<(), Lost> {
        if !self.is_connected || self.is_paused {
            return Ok(());
        }
        for statement in self.sending.next(&uplink.outbox, Instant::now()).await? {
            if statement.message.len() > self.payload_max {
                self.pass_over(uplink, statement.message.len());
                continue;
            }
            client
                .try_publish(
                    uplink.capture_topic.clone(),
                    QoS::AtLeastOnce,
                    false,
                    statement.message,
                )
                .map_err(|_| Lost::Queue)?;
        }
        Ok(())
    }

    /// A statement that the broker would end the connection for stays here, and what is behind it
    /// goes on.
    fn pass_over(&mut self, uplink: &Uplink, bytes: usize) {
        let (most, detail) = (self.payload_max, "its maximum packet size is too small");
        tracing::error!(bytes, most, "a statement is larger than this broker takes");
        self.sending.withdrawn();
        uplink.object(Some(Trouble::Limit), detail);
    }
}
