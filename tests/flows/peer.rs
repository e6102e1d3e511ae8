//! An MQTT client that tries what it should not.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectReturnCode, LastWill, Packet, PubAckReason, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};

use super::doors::Login;

/// How long the broker may take for an answer.
const SOON: Duration = Duration::from_secs(20);

/// How a client presents itself.
#[derive(Clone, Default)]
pub struct Guise {
    /// Client id; its user name if not said.
    pub client_id: Option<String>,
    /// A will on this topic.
    pub will: Option<String>,
}

/// A client that is connected.
pub struct Peer {
    client: AsyncClient,
    events: EventLoop,
    /// Messages that have come in.
    pub received: Vec<(String, Vec<u8>)>,
}

impl Peer {
    /// Connects; the inner error is the broker's refusal.
    pub async fn connect(login: &Login, guise: Guise) -> Result<Result<Peer, ConnectReturnCode>> {
        let id = guise.client_id.unwrap_or_else(|| login.username.clone());
        let mut options = MqttOptions::new(id, "127.0.0.1", login.port);
        options.set_credentials(&login.username, &login.password);
        options.set_clean_start(true);
        options.set_connection_timeout(SOON.as_secs());
        if let Some(topic) = guise.will {
            let will = LastWill::new(topic, "forged", QoS::AtLeastOnce, false, None);
            options.set_last_will(will);
        }
        let (client, mut events) = AsyncClient::new(options, 16);
        loop {
            match tokio::time::timeout(SOON, events.poll()).await? {
                Ok(Event::Incoming(Packet::ConnAck(ConnAck { code, .. }))) => {
                    ensure!(code == ConnectReturnCode::Success, "{code:?}");
                    let received = Vec::new();
                    return Ok(Ok(Peer {
                        client,
                        events,
                        received,
                    }));
                }
                Ok(_) => {}
                Err(ConnectionError::ConnectionRefused(code)) => return Ok(Err(code)),
                Err(error) => return Err(error).context("no connection"),
            }
        }
    }

    /// Publishes and waits for the broker's answer.
    pub async fn publish(&mut self, topic: &str, payload: &[u8]) -> Result<PubAckReason> {
        let payload = payload.to_vec();
        self.client
            .publish(topic, QoS::AtLeastOnce, false, payload)
            .await?;
        self.until(|packet| match packet {
            Packet::PubAck(ack) => Some(ack.reason),
            _ => None,
        })
        .await
    }

    /// Publishes on its own capture topic, which it may.
    pub async fn publish_own(&mut self, login: &Login, payload: &[u8]) -> Result<()> {
        let reason = self.publish(&login.capture(), payload).await?;
        ensure!(reason == PubAckReason::Success, "{reason:?}");
        Ok(())
    }

    /// Subscribes and waits for the broker's answer.
    pub async fn subscribe(&mut self, filter: &str) -> Result<SubscribeReasonCode> {
        self.client.subscribe(filter, QoS::AtLeastOnce).await?;
        self.until(|packet| match packet {
            Packet::SubAck(ack) => ack.return_codes.first().copied(),
            _ => None,
        })
        .await
    }

    /// Goes without a farewell, so that the broker speaks its will.
    pub fn vanish(self) {}

    /// True when the broker closes the connection.
    pub async fn is_gone(&mut self) -> bool {
        let gone = async {
            while let Ok(event) = self.events.poll().await {
                if matches!(event, Event::Incoming(Packet::Disconnect(_))) {
                    return;
                }
            }
        };
        tokio::time::timeout(SOON, gone).await.is_ok()
    }

    async fn until<T>(&mut self, wanted: impl Fn(&Packet) -> Option<T>) -> Result<T> {
        loop {
            let event = tokio::time::timeout(SOON, self.events.poll()).await??;
            let Event::Incoming(packet) = event else {
                continue;
            };
            if let Some(found) = wanted(&packet) {
                return Ok(found);
            }
            match packet {
                Packet::Publish(message) => {
                    let topic = String::from_utf8_lossy(&message.topic).into_owned();
                    self.received.push((topic, message.payload.to_vec()));
                }
                Packet::Disconnect(end) => bail!("put out: {:?}", end.reason_code),
                _ => {}
            }
        }
    }
}
