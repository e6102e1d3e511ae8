//! Over real sockets, with somebody else's client.

mod expel;
mod peer;

use std::collections::BTreeSet;

use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode, DisconnectReasonCode, LastWill, Packet, PubAckReason, SubscribeReasonCode,
};
use rumqttc::v5::{ConnectionError, Event, Incoming, StateError};

use super::*;
use crate::broker::access::CAPTURES;
use peer::{Known, Peer, SOON, capture, number, receipt};

async fn broker(limits: Limits) -> (BrokerHandle, CancellationToken) {
    let shutdown = CancellationToken::new();
    let config = BrokerConfig {
        limits,
        ..BrokerConfig::default()
    };
    let handle = run(config, Arc::new(Known), shutdown.clone())
        .await
        .unwrap();
    (handle, shutdown)
}

async fn usual() -> (BrokerHandle, CancellationToken) {
    broker(Limits::default()).await
}

fn refusal(error: &ConnectionError) -> Option<ConnectReturnCode> {
    match error {
        ConnectionError::ConnectionRefused(code) => Some(*code),
        _ => None,
    }
}

#[tokio::test]
async fn a_plain_listener_outside_loopback_is_refused() {
    let plain = ([0, 0, 0, 0], 0).into();
    let config = BrokerConfig {
        plain,
        ..BrokerConfig::default()
    };
    let error = run(config, Arc::new(Known), CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, BrokerError::PlainOutside(_)), "{error}");
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let (broker, _shutdown) = usual().await;
    let config = BrokerConfig {
        plain: broker.plain,
        ..BrokerConfig::default()
    };
    let error = run(config, Arc::new(Known), CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, BrokerError::Bind { .. }), "{error}");
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let (broker, _shutdown) = usual().await;
    let options = peer::options(broker.plain, "maker/a", "maker/a", "wrong");
    let error = Peer::start(options).refused().await;
    assert_eq!(
        refusal(&error),
        Some(ConnectReturnCode::BadUserNamePassword)
    );
    let mut options = peer::options(broker.plain, "maker/a", "", "");
    options.set_client_id("maker/a".into());
    assert!(refusal(&Peer::start(options).refused().await).is_some());
}

#[tokio::test]
async fn a_client_id_of_somebody_else_is_refused() {
    let (broker, _shutdown) = usual().await;
    for foreign in ["maker/b", "maker/ab", "ingest"] {
        let options = peer::options(broker.plain, foreign, "maker/a", "secret");
        let error = Peer::start(options).refused().await;
        assert_eq!(
            refusal(&error),
            Some(ConnectReturnCode::NotAuthorized),
            "{foreign:?}"
        );
    }
    let options = peer::options(broker.plain, "", "maker/a", "secret");
    let error = Peer::start(options).refused().await;
    assert_eq!(
        refusal(&error),
        Some(ConnectReturnCode::ClientIdentifierNotValid)
    );
}

#[tokio::test]
async fn a_will_is_refused_since_no_rule_would_be_asked_about_it() {
    let (broker, _shutdown) = usual().await;
    let mut options = peer::options(broker.plain, "maker/a", "maker/a", "secret");
    let qos = rumqttc::v5::mqttbytes::QoS::AtLeastOnce;
    options.set_last_will(LastWill::new(
        capture("maker/b"),
        "forged",
        qos,
        false,
        None,
    ));
    let error = Peer::start(options).refused().await;
    assert_eq!(refusal(&error), Some(ConnectReturnCode::NotAuthorized));
}

#[tokio::test]
async fn mqtt_before_5_is_refused() {
    let (broker, _shutdown) = usual().await;
    let mut options = rumqttc::MqttOptions::new("maker/a", "127.0.0.1", broker.plain.port());
    options.set_credentials("maker/a", "secret");
    let (_client, mut events) = rumqttc::AsyncClient::new(options, 1);
    let error = tokio::time::timeout(SOON, events.poll())
        .await
        .unwrap()
        .unwrap_err();
    assert!(
        matches!(error, rumqttc::ConnectionError::ConnectionRefused(_)),
        "{error}"
    );
}

#[tokio::test]
async fn a_foreign_topic_is_refused_and_reaches_nobody() {
    let (broker, _shutdown) = usual().await;
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let mut device = Peer::device(&broker, "maker/a").await;
    for topic in [capture("maker/b"), receipt("maker/a"), "anything".into()] {
        assert_eq!(
            device.published(&topic, b"forged").await,
            PubAckReason::NotAuthorized
        );
    }
    assert_eq!(
        device.published(&capture("maker/a"), b"true").await,
        PubAckReason::Success
    );
    assert_eq!(&ingest.delivery().await.payload[..], b"true");
}

#[tokio::test]
async fn qos_0_and_retained_captures_end_the_connection() {
    let (broker, _shutdown) = usual().await;
    let _ingest = Peer::ingest(&broker, "ingest", "").await;
    use rumqttc::v5::mqttbytes::QoS;
    for (qos, retain) in [(QoS::AtMostOnce, false), (QoS::AtLeastOnce, true)] {
        let mut device = Peer::device(&broker, "maker/a").await;
        device
            .client
            .publish(capture("maker/a"), qos, retain, "x")
            .await
            .unwrap();
        device.ended().await;
    }
}

#[tokio::test]
async fn wildcards_and_foreign_filters_are_refused() {
    let (broker, _shutdown) = usual().await;
    let mut device = Peer::device(&broker, "maker/a").await;
    let shared = format!("$share/x/{}", receipt("maker/a"));
    let foreign = receipt("maker/b");
    for filter in [
        "#",
        "+/#",
        "tracebond/v1/+/+/receipt",
        CAPTURES,
        &shared,
        &foreign,
    ] {
        let code = device.subscribed(filter).await;
        assert_ne!(code, SubscribeReasonCode::Success(peer::QOS), "{filter}");
    }
    let own = device.subscribed(&receipt("maker/a")).await;
    assert_eq!(own, SubscribeReasonCode::Success(peer::QOS));
    let mut ingest = Peer::ingest(&broker, "ingest", "").await;
    assert_ne!(
        ingest.subscribed("#").await,
        SubscribeReasonCode::Success(peer::QOS)
    );
}

#[tokio::test]
async fn a_receipt_reaches_its_device_also_when_that_was_away() {
    let (broker, _shutdown) = usual().await;
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let mut device = Peer::device(&broker, "maker/a").await;
    device.subscribed(&receipt("maker/a")).await;
    assert_eq!(
        ingest.published(&receipt("maker/a"), b"one").await,
        PubAckReason::Success
    );
    assert_eq!(&device.delivery().await.payload[..], b"one");
    device.cut();
    assert_eq!(
        ingest.published(&receipt("maker/a"), b"two").await,
        PubAckReason::Success
    );
    let mut device = Peer::device(&broker, "maker/a").await;
    // The first was not acknowledged. Both come, in any order: when the broker notices the cut is
    // its own affair.
    let mut left = BTreeSet::from([b"one".to_vec(), b"two".to_vec()]);
    while !left.is_empty() {
        left.remove(&device.delivery().await.payload.to_vec());
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_to_the_same_session() {
    let (broker, _shutdown) = usual().await;
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let mut device = Peer::device(&broker, "maker/a").await;
    for index in 0..10_u32 {
        device
            .published(&capture("maker/a"), &index.to_be_bytes())
            .await;
    }
    for _ in 0..4 {
        let delivery = ingest.delivery().await;
        ingest.client.ack(&delivery).await.unwrap();
    }
    ingest.until_acks_are_out(4).await;
    ingest.cut();
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    assert!(ingest.session_present);
    let mut left = BTreeSet::from_iter(4..10);
    while !left.is_empty() {
        assert!(
            left.remove(&number(&ingest.delivery().await)),
            "only what was left, once"
        );
    }
}

#[tokio::test]
async fn a_second_connection_with_the_same_id_takes_over() {
    let (broker, _shutdown) = usual().await;
    let mut first = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let mut device = Peer::device(&broker, "maker/a").await;
    device
        .published(&capture("maker/a"), &7_u32.to_be_bytes())
        .await;
    assert_eq!(number(&first.delivery().await), 7);
    let mut second = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    assert_eq!(number(&second.delivery().await), 7);
    match first.ended().await {
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            assert_eq!(reason_code, DisconnectReasonCode::SessionTakenOver);
        }
        ConnectionError::MqttState(_) => {}
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_largest_message_passes_and_a_larger_one_does_not() {
    let (broker, _shutdown) = usual().await;
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let longest = format!("{}/{}", "o".repeat(32), "d".repeat(32));
    let mut device = Peer::device(&broker, &longest).await;
    let largest = vec![7; schemas::statement::MESSAGE_MAX];
    assert_eq!(
        device.published(&capture(&longest), &largest).await,
        PubAckReason::Success
    );
    assert_eq!(ingest.delivery().await.payload.len(), largest.len());
    let larger = vec![7; MAX_PACKET + 1];
    device
        .client
        .publish(capture(&longest), peer::QOS, false, larger)
        .await
        .unwrap();
    device.ended().await;
}

#[tokio::test]
async fn twenty_thousand_messages_wait_for_a_slow_ingest_and_none_is_lost() {
    const MESSAGES: u32 = 20_000;
    // Room for 500 small messages: forty times fewer than are published.
    let (broker, _shutdown) = broker(Limits {
        backlog_kib: 1000,
        device_messages_per_s: 1_000_000,
        ..Limits::default()
    })
    .await;
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let device = Peer::device(&broker, "maker/a").await;
    let told = tokio::sync::watch::Sender::new(0);
    let mut accepted = told.subscribe();
    let publishing = device.publish_and_tell(capture("maker/a"), MESSAGES, told);
    let publishing = tokio::spawn(publishing);
    let mut seen = BTreeSet::new();
    let mut unacknowledged = Vec::new();
    while seen.len() < MESSAGES as usize {
        let delivery = ingest.delivery().await;
        seen.insert(number(&delivery));
        unacknowledged.push(delivery);
        if unacknowledged.len() < peer::INFLIGHT as usize && seen.len() < MESSAGES as usize {
            continue;
        }
        // Slower than the publisher: acknowledges only once the broker is full to the brim.
        let full = (seen.len() as u32 - unacknowledged.len() as u32 + 500).min(MESSAGES);
        accepted
            .wait_for(|accepted| *accepted >= full)
            .await
            .unwrap();
        assert!(
            *accepted.borrow() <= full,
            "never more than 500 are accepted and waiting"
        );
        for delivery in unacknowledged.drain(..) {
            ingest.client.ack(&delivery).await.unwrap();
        }
    }
    assert_eq!(
        publishing.await.unwrap(),
        MESSAGES,
        "every one was acknowledged as accepted"
    );
}

#[tokio::test]
async fn a_publisher_that_finds_no_room_is_disconnected_and_nothing_accepted_is_lost() {
    let patience = Duration::from_millis(300);
    let limits = Limits {
        backlog_kib: 1000,
        patience,
        ..Limits::default()
    };
    let (broker, _shutdown) = broker(limits).await;
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let device = Peer::device(&broker, "maker/a").await;
    let accepted = device.publish_until_refused(capture("maker/a")).await;
    assert!((450..=500).contains(&accepted), "{accepted} were accepted");
    let mut seen = BTreeSet::new();
    while seen.len() < accepted as usize {
        let delivery = ingest.delivery().await;
        ingest.client.ack(&delivery).await.unwrap();
        seen.insert(number(&delivery));
    }
}

#[tokio::test]
async fn without_an_ingest_a_publisher_is_held_and_then_refused() {
    let patience = Duration::from_millis(100);
    let (broker, _shutdown) = broker(Limits {
        patience,
        ..Limits::default()
    })
    .await;
    let device = Peer::device(&broker, "maker/a").await;
    assert_eq!(device.publish_until_refused(capture("maker/a")).await, 0);
}

#[tokio::test]
async fn an_ingest_that_dies_again_and_again_loses_nothing() {
    const MESSAGES: u32 = 3000;
    let (broker, _shutdown) = broker(Limits {
        backlog_kib: 500,
        ..Limits::default()
    })
    .await;
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let device = Peer::device(&broker, "maker/a").await;
    let publishing = tokio::spawn(device.publish_all(capture("maker/a"), MESSAGES));
    let mut acknowledged = BTreeSet::new();
    for life in 0.. {
        // Every other life takes the session over from a live connection.
        for _ in 0..200 {
            let delivery = ingest.delivery().await;
            ingest.client.ack(&delivery).await.unwrap();
            acknowledged.insert(number(&delivery));
            if acknowledged.len() == MESSAGES as usize {
                break;
            }
        }
        if acknowledged.len() == MESSAGES as usize {
            break;
        }
        if life % 2 == 0 {
            ingest.cut();
        }
        ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    }
    assert_eq!(publishing.await.unwrap(), MESSAGES);
}

#[tokio::test]
async fn a_session_thrown_away_does_not_throw_messages_away() {
    let (broker, _shutdown) = usual().await;
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let mut device = Peer::device(&broker, "maker/a").await;
    for index in 0..50_u32 {
        device
            .published(&capture("maker/a"), &index.to_be_bytes())
            .await;
    }
    ingest.delivery().await;
    let mut options = peer::options(broker.plain, "ingest", "ingest", "secret");
    options.set_clean_start(true);
    let mut ingest = Peer::start(options).connected().await;
    ingest
        .subscribed(&format!("$share/ingest/{CAPTURES}"))
        .await;
    let mut seen = BTreeSet::new();
    while seen.len() < 50 {
        let delivery = ingest.delivery().await;
        seen.insert(number(&delivery));
    }
}

#[tokio::test]
async fn workers_of_a_group_share_the_messages() {
    let (broker, _shutdown) = usual().await;
    let mut one = Peer::ingest(&broker, "ingest-1", "$share/ingest/").await;
    let mut two = Peer::ingest(&broker, "ingest-2", "$share/ingest/").await;
    let device = Peer::device(&broker, "maker/a").await;
    let publishing = tokio::spawn(device.publish_all(capture("maker/a"), 100));
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        assert!(seen.insert(number(&one.delivery().await)));
        assert!(seen.insert(number(&two.delivery().await)));
    }
    assert_eq!((seen.len(), publishing.await.unwrap()), (100, 100));
}

#[tokio::test]
async fn a_device_comes_over_tls() {
    use schemas::time::Clock;
    let dir = tempfile::tempdir().unwrap();
    let now = kit::clock::TokioClock.now();
    tls::create_ca(dir.path(), now).unwrap();
    let files = tls::issue_server(dir.path(), &["localhost"], now).unwrap();
    let listener = TlsListener {
        address: ([127, 0, 0, 1], 0).into(),
        certificate: files.certificate,
        key: files.key,
    };
    let shutdown = CancellationToken::new();
    let config = BrokerConfig {
        tls: Some(listener),
        ..BrokerConfig::default()
    };
    let broker = run(config, Arc::new(Known), shutdown.clone())
        .await
        .unwrap();
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;

    let mut options = peer::options(broker.tls.unwrap(), "maker/a", "maker/a", "secret");
    let ca = std::fs::read_to_string(dir.path().join("ca.pem")).unwrap();
    let config = tls::client_config(&ca).unwrap();
    options.set_transport(rumqttc::Transport::Tls(rumqttc::TlsConfiguration::Rustls(
        config,
    )));
    let mut device = Peer::start(options).connected().await;
    let large = vec![9; 200_000];
    assert_eq!(
        device.published(&capture("maker/a"), &large).await,
        PubAckReason::Success
    );
    assert_eq!(&ingest.delivery().await.payload[..], &large[..]);
    shutdown.cancel();
    broker.task.await.unwrap();
}

#[tokio::test]
async fn the_port_is_free_again_once_a_broker_has_ended() {
    let (broker, shutdown) = usual().await;
    let mut device = Peer::device(&broker, "maker/a").await;
    shutdown.cancel();
    device.ended().await;
    broker.task.await.unwrap();
    let config = BrokerConfig {
        plain: broker.plain,
        ..BrokerConfig::default()
    };
    let again = run(config, Arc::new(Known), CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(again.plain, broker.plain);
    Peer::device(&again, "maker/a").await;
}
