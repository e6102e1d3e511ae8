//! Against the embedded broker, over real sockets.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use async_trait::async_trait;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event};
use tokio::time::timeout;

use super::*;
use crate::broker::{self, BrokerAccess, BrokerConfig, BrokerHandle, Principal};

const SOON: Duration = Duration::from_secs(60);

struct Known;

#[async_trait]
impl BrokerAccess for Known {
    async fn login(&self, username: &str, _: &[u8]) -> Option<Principal> {
        match username {
            "ingest" => Some(Principal::Ingest),
            device => device.parse().ok().map(Principal::Device),
        }
    }
}

async fn broker(plain: SocketAddr) -> (BrokerHandle, CancellationToken) {
    let shutdown = CancellationToken::new();
    let config = BrokerConfig {
        plain,
        ..BrokerConfig::default()
    };
    let handle = broker::run(config, Arc::new(Known), shutdown.clone())
        .await
        .unwrap();
    (handle, shutdown)
}

fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn config(broker: &BrokerHandle, inflight: u16) -> LinkConfig {
    LinkConfig {
        address: broker.url(),
        username: "ingest".into(),
        password: "secret".into(),
        client_id: "ingest".into(),
        share: Some("ingest".into()),
        ca_pem: None,
        inflight,
    }
}

async fn linked(
    broker: &BrokerHandle,
    inflight: u16,
) -> (Link, mpsc::Receiver<Delivery>, CancellationToken) {
    let shutdown = CancellationToken::new();
    let (link, deliveries) = start(config(broker, inflight), shutdown.clone()).unwrap();
    until(&link, true).await;
    (link, deliveries, shutdown)
}

async fn until(link: &Link, state: bool) {
    let mut connected = link.connected();
    timeout(SOON, connected.wait_for(|now| *now == state))
        .await
        .unwrap()
        .unwrap();
}

async fn next(deliveries: &mut mpsc::Receiver<Delivery>) -> Delivery {
    timeout(SOON, deliveries.recv())
        .await
        .expect("in time")
        .expect("running")
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().unwrap())
}

/// A device that publishes numbers and ends once all are acknowledged; what it receives meanwhile
/// and afterwards comes out of the channel.
struct Device {
    client: AsyncClient,
    events: mpsc::UnboundedReceiver<Packet>,
}

impl Device {
    async fn start(broker: &BrokerHandle, name: &str) -> Self {
        let mut options = MqttOptions::new(name, "127.0.0.1", broker.plain.port());
        options
            .set_credentials(name, "x")
            .set_session_expiry_interval(Some(60));
        options.set_clean_start(false);
        let (client, mut eventloop) = AsyncClient::new(options, 16);
        let (tx, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                match eventloop.poll().await {
                    // The test may have dropped its end; the device lives on.
                    Ok(Event::Incoming(packet)) => _ = tx.send(packet),
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        });
        Self { client, events }
    }

    async fn packet<T>(&mut self, wanted: impl Fn(Packet) -> Option<T>) -> T {
        loop {
            let packet = timeout(SOON, self.events.recv())
                .await
                .unwrap()
                .expect("connected");
            if let Some(found) = wanted(packet) {
                return found;
            }
        }
    }

    async fn publish(&mut self, topic: &str, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let payload = number.to_be_bytes().to_vec();
            self.client
                .publish(topic, QoS::AtLeastOnce, false, payload)
                .await
                .unwrap();
            self.packet(|packet| matches!(packet, Packet::PubAck(_)).then_some(()))
                .await;
        }
    }
}

const CAPTURE: &str = "tracebond/v1/maker/a/capture";
const RECEIPT: &str = "tracebond/v1/maker/a/receipt";

#[test]
fn addresses_are_understood_or_refused() {
    assert_eq!(
        address("mqtt://localhost:1883"),
        Some((false, "localhost", 1883))
    );
    assert_eq!(
        address("mqtts://10.0.0.1:8883"),
        Some((true, "10.0.0.1", 8883))
    );
    for bad in [
        "localhost:1883",
        "http://x:1",
        "mqtt://x",
        "mqtt://:1",
        "mqtt://x:99999",
    ] {
        assert_eq!(address(bad), None, "{bad}");
    }
}

#[tokio::test]
async fn mqtts_without_an_authority_is_refused() {
    let (broker, _shutdown) = broker(anywhere()).await;
    let address = "mqtts://localhost:1".into();
    let config = LinkConfig {
        address,
        ..config(&broker, 1)
    };
    let error = start(config, CancellationToken::new()).unwrap_err();
    assert!(matches!(error, LinkError::NoAuthority), "{error}");
}

#[tokio::test]
async fn a_message_and_its_receipt() {
    let (broker, _shutdown) = broker(anywhere()).await;
    let (link, mut deliveries, _end) = linked(&broker, 10).await;
    let mut device = Device::start(&broker, "maker/a").await;
    device
        .client
        .subscribe(RECEIPT, QoS::AtLeastOnce)
        .await
        .unwrap();
    device.publish(CAPTURE, 7..8).await;
    let delivery = next(&mut deliveries).await;
    assert_eq!(
        (delivery.topic.as_str(), number(&delivery.payload)),
        (CAPTURE, 7)
    );
    link.ack(delivery.tag);
    link.publish(RECEIPT.into(), b"kept".to_vec())
        .await
        .unwrap();
    let receipt = device
        .packet(|packet| match packet {
            Packet::Publish(publish) => Some(publish.payload),
            _ => None,
        })
        .await;
    assert_eq!(&receipt[..], b"kept");
}

#[tokio::test]
async fn no_more_than_the_window_is_delivered_before_an_acknowledgement() {
    let (broker, _shutdown) = broker(anywhere()).await;
    let (link, mut deliveries, _end) = linked(&broker, 4).await;
    let mut device = Device::start(&broker, "maker/a").await;
    device.publish(CAPTURE, 0..10).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(next(&mut deliveries).await);
    }
    device
        .client
        .subscribe(RECEIPT, QoS::AtLeastOnce)
        .await
        .unwrap();
    device
        .packet(|packet| matches!(packet, Packet::SubAck(_)).then_some(()))
        .await;
    // A receipt makes the round trip after anything that the broker could have sent before.
    link.publish(RECEIPT.into(), b"x".to_vec()).await.unwrap();
    device
        .packet(|packet| matches!(packet, Packet::Publish(_)).then_some(()))
        .await;
    assert!(deliveries.try_recv().is_err());
    // The last first: nothing may go out until the first is done.
    for delivery in held.iter().rev() {
        link.ack(delivery.tag);
    }
    for expected in 4..10 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(number(&delivery.payload), expected);
        link.ack(delivery.tag);
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_after_a_restart_of_the_link() {
    let (broker, _shutdown) = broker(anywhere()).await;
    let (link, mut deliveries, end) = linked(&broker, 10).await;
    let mut device = Device::start(&broker, "maker/a").await;
    device.publish(CAPTURE, 0..6).await;
    for _ in 0..3 {
        link.ack(next(&mut deliveries).await.tag);
    }
    end.cancel();
    timeout(SOON, link.ended()).await.unwrap();
    let error = link.publish(RECEIPT.into(), Vec::new()).await.unwrap_err();
    assert!(matches!(error, LinkError::Ended));
    let (_link, mut deliveries, _end) = linked(&broker, 10).await;
    let mut left = BTreeSet::from_iter(3..6);
    // At least once: an acknowledgement that the end overtook lets its message come again too.
    while !left.is_empty() {
        let number = number(&next(&mut deliveries).await.payload);
        assert!(number < 6);
        left.remove(&number);
    }
}

#[tokio::test]
async fn a_broker_that_restarts_is_found_again_and_stale_tags_acknowledge_nothing() {
    let (first, end_broker) = broker(anywhere()).await;
    let (link, mut deliveries, end) = linked(&first, 10).await;
    let mut device = Device::start(&first, "maker/a").await;
    device.publish(CAPTURE, 0..2).await;
    let stale = [
        next(&mut deliveries).await.tag,
        next(&mut deliveries).await.tag,
    ];
    end_broker.cancel();
    first.task.await.unwrap();
    until(&link, false).await;
    link.publish(RECEIPT.into(), b"while away".to_vec())
        .await
        .unwrap();

    let (second, _shutdown) = broker(first.plain).await;
    let mut device = Device::start(&second, "maker/a").await;
    device
        .client
        .subscribe(RECEIPT, QoS::AtLeastOnce)
        .await
        .unwrap();
    device
        .packet(|packet| matches!(packet, Packet::SubAck(_)).then_some(()))
        .await;
    until(&link, true).await;
    // The memory of an embedded broker is gone with it; the device sends again.
    device.publish(CAPTURE, 10..12).await;
    let fresh = [next(&mut deliveries).await, next(&mut deliveries).await];
    assert_eq!(
        fresh.each_ref().map(|delivery| number(&delivery.payload)),
        [10, 11]
    );
    stale.into_iter().for_each(|tag| link.ack(tag));
    end.cancel();
    timeout(SOON, link.ended()).await.unwrap();
    // Nothing was acknowledged: the next link gets both again.
    let (_other, mut again, _end) = linked(&second, 10).await;
    let seen: BTreeSet<_> = [
        number(&next(&mut again).await.payload),
        number(&next(&mut again).await.payload),
    ]
    .into();
    assert_eq!(seen, BTreeSet::from([10, 11]));
}

#[tokio::test]
async fn publications_survive_the_loss_of_a_connection() {
    const RECEIPTS: u32 = 500;
    let (broker, _shutdown) = broker(anywhere()).await;
    let (link, _deliveries, _end) = linked(&broker, 10).await;
    let mut device = Device::start(&broker, "maker/a").await;
    device
        .client
        .subscribe(RECEIPT, QoS::AtLeastOnce)
        .await
        .unwrap();
    device
        .packet(|packet| matches!(packet, Packet::SubAck(_)).then_some(()))
        .await;
    let publishing = link.clone();
    tokio::spawn(async move {
        for number in 0..RECEIPTS {
            publishing
                .publish(RECEIPT.into(), number.to_be_bytes().to_vec())
                .await
                .unwrap();
        }
    });
    let mut seen = BTreeSet::new();
    while seen.len() < RECEIPTS as usize {
        let payload = device
            .packet(|packet| match packet {
                Packet::Publish(publish) => Some(publish.payload),
                _ => None,
            })
            .await;
        seen.insert(number(&payload));
        if seen.len() % 100 == 50 {
            // Somebody takes the session over and goes: the link comes back.
            let mut options = MqttOptions::new("ingest", "127.0.0.1", broker.plain.port());
            options.set_credentials("ingest", "x");
            let (_client, mut eventloop) = AsyncClient::new(options, 1);
            timeout(SOON, eventloop.poll()).await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn many_messages_through_a_small_window() {
    const MESSAGES: u32 = 5000;
    let (broker, _shutdown) = broker(anywhere()).await;
    let (link, mut deliveries, _end) = linked(&broker, 64).await;
    let mut device = Device::start(&broker, "maker/a").await;
    let publishing = tokio::spawn(async move { device.publish(CAPTURE, 0..MESSAGES).await });
    for expected in 0..MESSAGES {
        let delivery = next(&mut deliveries).await;
        assert_eq!(number(&delivery.payload), expected);
        link.ack(delivery.tag);
    }
    publishing.await.unwrap();
}
