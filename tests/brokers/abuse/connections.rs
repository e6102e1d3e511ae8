//! Connections in great number, silent ones, slow ones, and sessions of one device.

use std::time::Duration;

use anyhow::{Result, ensure};
use platform::broker::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Counts, Honest, PATIENCE, connect, until};
use crate::brokers::site::{Kind, Site, password};
use crate::brokers::wire::{Hello, Wire};

/// Ends when the other side has closed.
async fn closed(mut stream: TcpStream) -> Result<()> {
    let mut bytes = [0; 256];
    let end = async { while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {} };
    Ok(timeout(PATIENCE, end).await?)
}

/// Connections that say nothing: few of one address are kept, not for long, and others come in.
#[tokio::test]
async fn silent_connections_are_few_and_short_lived_at_the_embedded_broker() {
    const FLOOD: usize = 150;
    const PENDING: usize = 40;
    let counts = Counts::begin().unwrap();
    let limits = Limits {
        pending_per_address: PENDING,
        greeting: Duration::from_secs(4),
        ..Limits::default()
    };
    let site = Site::with_limits(Kind::Embedded, limits).await.unwrap();
    let mut honest = Honest::at(&site).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..FLOOD {
        open.push(connect(site.devices).await.unwrap());
    }
    let refused = || counts.refusals("pending-of-address") >= (FLOOD - PENDING) as f64;
    until("the rest is refused", refused).await.unwrap();
    honest.is_unaffected().await.unwrap();
    // Somebody else's device is let in meanwhile.
    let mut other = site.device("other/a").await.unwrap().0;
    other.heard().await.unwrap();
    for stream in open {
        closed(stream).await.unwrap();
    }
    until("silence is counted", || {
        counts.refusals("silent") >= PENDING as f64
    })
    .await
    .unwrap();
    // And the abuser itself, once it behaves.
    let again = connect(site.devices).await.unwrap();
    let mut again = site.over(again).await.unwrap();
    let hello = Hello::of("maker/a", &password("maker/a"));
    assert_eq!(again.hello(&hello).await.unwrap().1, 0);
}

/// A TLS session that then says nothing, or its CONNECT byte by byte, or is no TLS at all.
#[tokio::test]
async fn a_greeting_takes_only_so_long_at_the_embedded_broker() {
    let counts = Counts::begin().unwrap();
    let limits = Limits {
        greeting: Duration::from_secs(3),
        ..Limits::default()
    };
    let site = Site::with_limits(Kind::Embedded, limits).await.unwrap();
    let mut honest = Honest::at(&site).await.unwrap();
    let mut silent = site
        .over(connect(site.devices).await.unwrap())
        .await
        .unwrap();
    let mut dripping = site
        .over(connect(site.devices).await.unwrap())
        .await
        .unwrap();
    let drip = tokio::spawn(async move {
        // Longer than the greeting may take, if each byte bought time.
        for byte in Hello::of("maker/a", &password("maker/a")).packet() {
            if dripping.send(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        dripping.ended().await
    });
    let mut plain = connect(site.devices).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    honest.is_unaffected().await.unwrap();
    closed(plain).await.unwrap();
    silent.ended().await.unwrap();
    drip.await.unwrap().unwrap();
    until("each is counted", || {
        counts.refusals("silent") >= 2.0 && counts.refusals("handshake") >= 1.0
    })
    .await
    .unwrap();
    honest.is_unaffected().await.unwrap();
}

/// Logged in or not: so many connections of one address.
#[tokio::test]
async fn one_address_has_only_so_many_connections_at_the_embedded_broker() {
    let counts = Counts::begin().unwrap();
    let limits = Limits {
        connections_per_address: 3,
        ..Limits::default()
    };
    let site = Site::with_limits(Kind::Embedded, limits).await.unwrap();
    let mut honest = Honest::at(&site).await.unwrap();
    let mut open = Vec::new();
    for number in 0..3 {
        let mut peer = site
            .over(connect(site.devices).await.unwrap())
            .await
            .unwrap();
        let hello = Hello {
            client: format!("maker/a/{number}"),
            ..Hello::of("maker/a", &password("maker/a"))
        };
        assert_eq!(peer.hello(&hello).await.unwrap().1, 0);
        open.push(peer);
    }
    closed(connect(site.devices).await.unwrap()).await.unwrap();
    let counted = || counts.refusals("connections-of-address") >= 1.0;
    until("it is counted", counted).await.unwrap();
    honest.is_unaffected().await.unwrap();
    drop(open);
    let comes_in = async {
        loop {
            let stream = connect(site.devices).await.unwrap();
            if site.over(stream).await.is_ok() {
                break;
            }
        }
    };
    timeout(PATIENCE, comes_in).await.unwrap();
}

/// With names of its own choice a device could fill the broker's sessions by itself.
#[tokio::test]
async fn a_device_has_only_so_many_sessions_at_the_embedded_broker() {
    let counts = Counts::begin().unwrap();
    let site = Site::start(Kind::Embedded).await.unwrap();
    let most = Limits::default().device_sessions;
    let connect = async |client: String| {
        let hello = Hello {
            client,
            ..Hello::of("maker/a", &password("maker/a"))
        };
        let mut peer: Wire = site.connect().await.unwrap();
        let (present, reason) = peer.hello(&hello).await.unwrap();
        (present, reason)
    };
    for number in 0..most {
        assert_eq!(connect(format!("maker/a/{number}")).await, (false, 0));
    }
    assert_eq!(connect("maker/a".into()).await.1, 0x87);
    assert_eq!(counts.refusals("sessions-of-device"), 1.0);
    assert_eq!(connect("maker/a/0".into()).await, (true, 0));
    site.device("maker/b").await.unwrap();
}

/// Mosquitto keeps silent connections a while, and serves the others.
#[tokio::test]
async fn silent_connections_harm_nobody_at_mosquitto() {
    let told = async {
        if Kind::Mosquitto.skip() {
            return Ok(());
        }
        let site = Site::start(Kind::Mosquitto).await?;
        let mut honest = Honest::at(&site).await?;
        let mut open = Vec::new();
        for _ in 0..300 {
            open.push(connect(site.devices).await?);
        }
        honest.is_unaffected().await?;
        let mut other = site.device("other/a").await?.0;
        ensure!(other.heard().await?.is_empty());
        drop(open);
        Ok::<_, anyhow::Error>(())
    };
    told.await.unwrap();
}
