//! A client for tests: rumqttc without reconnecting, its events in a channel.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{PubAckReason, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, MqttOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{BrokerAccess, BrokerHandle, CAPTURES, Event, Incoming, Packet, Principal};

/// Deadline of every wait.
pub const SOON: Duration = Duration::from_secs(60);
pub const QOS: QoS = QoS::AtLeastOnce;
/// Receive maximum of all peers.
pub const INFLIGHT: u16 = 200;

/// `ingest` is the ingest, any `org/device` a device; the password is `secret`.
pub struct Known;

#[async_trait]
impl BrokerAccess for Known {
    async fn login(&self, username: &str, password: &[u8]) -> Option<Principal> {
        if password != b"secret" {
            return None;
        }
        match username {
            "ingest" => Some(Principal::Ingest),
            device => device.parse().ok().map(Principal::Device),
        }
    }
}

pub fn capture(device: &str) -> String {
    format!("tracebond/v1/{device}/capture")
}

pub fn receipt(device: &str) -> String {
    format!("tracebond/v1/{device}/receipt")
}

pub fn number(publish: &Publish) -> u32 {
    u32::from_be_bytes(publish.payload[..4].try_into().unwrap())
}

pub fn options(at: SocketAddr, client_id: &str, user: &str, password: &str) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, "localhost", at.port());
    options.set_credentials(user, password);
    options.set_clean_start(false);
    options.set_manual_acks(true);
    options.set_session_expiry_interval(Some(3600));
    options.set_receive_maximum(Some(INFLIGHT));
    options.set_connection_timeout(30);
    options.set_max_packet_size(Some(1 << 20));
    options
}

pub struct Peer {
    pub client: AsyncClient,
    pub session_present: bool,
    events: mpsc::UnboundedReceiver<Result<Event, ConnectionError>>,
    polling: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

impl Peer {
    pub fn start(options: MqttOptions) -> Self {
        let (client, mut eventloop) = AsyncClient::new(options, 100);
        let (tx, events) = mpsc::unbounded_channel();
        let polling = tokio::spawn(async move {
            loop {
                let event = eventloop.poll().await;
                let failed = event.is_err();
                if tx.send(event).is_err() || failed {
                    return;
                }
            }
        });
        Self {
            client,
            session_present: false,
            events,
            polling,
        }
    }

    pub async fn device(broker: &BrokerHandle, name: &str) -> Self {
        Self::start(options(broker.plain, name, name, "secret"))
            .connected()
            .await
    }

    pub async fn ingest(broker: &BrokerHandle, client_id: &str, group: &str) -> Self {
        let options = options(broker.plain, client_id, "ingest", "secret");
        let mut peer = Self::start(options).connected().await;
        let code = peer.subscribed(&format!("{group}{CAPTURES}")).await;
        assert_eq!(code, SubscribeReasonCode::Success(QOS));
        peer
    }

    pub async fn connected(mut self) -> Self {
        self.session_present = self
            .until(|event| match event {
                Event::Incoming(Packet::ConnAck(ack)) => Some(ack.session_present),
                _ => None,
            })
            .await;
        self
    }

    async fn event(&mut self) -> Result<Event, ConnectionError> {
        timeout(SOON, self.events.recv())
            .await
            .expect("in time")
            .expect("polling")
    }

    /// The first event that `wanted` makes something of; deliveries before it are kept for later.
    async fn until<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let mut kept = Vec::new();
        loop {
            let event = self.event().await.expect("still connected");
            if let Some(found) = wanted(&event) {
                self.give_back(kept).await;
                return found;
            }
            if matches!(event, Event::Incoming(Packet::Publish(_))) {
                kept.push(event);
            }
        }
    }

    async fn give_back(&mut self, kept: Vec<Event>) {
        if kept.is_empty() {
            return;
        }
        let (tx, mut rest) = mpsc::unbounded_channel();
        std::mem::swap(&mut self.events, &mut rest);
        for event in kept {
            tx.send(Ok(event)).unwrap();
        }
        tokio::spawn(async move {
            while let Some(event) = rest.recv().await {
                let _ = tx.send(event);
            }
        });
    }

    pub async fn refused(mut self) -> ConnectionError {
        self.event().await.expect_err("refused")
    }

    /// The error that ends the connection.
    pub async fn ended(&mut self) -> ConnectionError {
        loop {
            if let Err(error) = self.event().await {
                return error;
            }
        }
    }

    pub async fn subscribed(&mut self, filter: &str) -> SubscribeReasonCode {
        self.client.subscribe(filter, QOS).await.unwrap();
        self.until(|event| match event {
            Event::Incoming(Packet::SubAck(ack)) => Some(ack.return_codes[0]),
            _ => None,
        })
        .await
    }

    pub async fn published(&mut self, topic: &str, payload: &[u8]) -> PubAckReason {
        self.client
            .publish(topic, QOS, false, payload.to_vec())
            .await
            .unwrap();
        self.until(|event| match event {
            Event::Incoming(Packet::PubAck(ack)) => Some(ack.reason),
            _ => None,
        })
        .await
    }

    pub async fn delivery(&mut self) -> Publish {
        self.until(|event| match event {
            Event::Incoming(Incoming::Publish(publish)) => Some(publish.clone()),
            _ => None,
        })
        .await
    }

    pub async fn until_acks_are_out(&mut self, mut acks: usize) {
        self.until(|event| {
            acks -= usize::from(matches!(event, Event::Outgoing(Outgoing::PubAck(_))));
            (acks == 0).then_some(())
        })
        .await;
    }

    /// Publishes numbered messages and returns how many were accepted.
    pub async fn publish_all(self, topic: String, messages: u32) -> u32 {
        self.publish_and_tell(topic, messages, watch::Sender::new(0))
            .await
    }

    /// The same, and tells how many are accepted so far.
    pub async fn publish_and_tell(
        mut self,
        topic: String,
        messages: u32,
        told: watch::Sender<u32>,
    ) -> u32 {
        let client = self.client.clone();
        tokio::spawn(async move {
            for index in 0..messages {
                client
                    .publish(&topic, QOS, false, index.to_be_bytes().to_vec())
                    .await
                    .unwrap();
            }
        });
        let mut accepted = 0;
        while accepted < messages {
            let reason = self
                .until(|event| match event {
                    Event::Incoming(Packet::PubAck(ack)) => Some(ack.reason),
                    _ => None,
                })
                .await;
            assert_eq!(reason, PubAckReason::Success);
            accepted += 1;
            told.send_replace(accepted);
        }
        accepted
    }

    /// Publishes numbered messages until the connection ends; returns how many were accepted.
    pub async fn publish_until_refused(mut self, topic: String) -> u32 {
        let client = self.client.clone();
        let publishing = tokio::spawn(async move {
            for index in 0_u32.. {
                let payload = index.to_be_bytes().to_vec();
                if client.publish(&topic, QOS, false, payload).await.is_err() {
                    break;
                }
            }
        });
        let mut accepted = 0;
        loop {
            match self.event().await {
                Ok(Event::Incoming(Packet::PubAck(ack))) => {
                    assert_eq!(ack.reason, PubAckReason::Success);
                    accepted += 1;
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        publishing.abort();
        accepted
    }

    /// Cuts the connection without a word.
    pub fn cut(self) {}
}
