//! Packets that are none.

use anyhow::{Result, ensure};

use super::{Honest, connect};
use crate::brokers::site::{Kind, Site, greet, password};
use crate::brokers::wire::{self, Hello, Wire, packet, text};

const OWN: &str = "tracebond/v1/maker/a/capture";

/// A PUBLISH whose body is put together by hand.
fn publish(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    packet(first, &parts.concat())
}

/// What may not be answered with anything but the end of the connection.
const ENDS: [&str; 4] = [
    "a second CONNECT",
    "the longest packet",
    "a message larger than a packet may be",
    "QoS 3",
];

/// What is said after a good CONNECT; it ends the connection, or is passed over.
fn after_connect() -> Vec<(&'static str, Vec<u8>)> {
    let own = text(OWN);
    let many: Vec<u8> = (0..20_000)
        .flat_map(|number| [text(&format!("t/{number}")), vec![1]].concat())
        .collect();
    vec![
        ("a reserved type", vec![0x00, 0]),
        ("a second CONNECT", Hello::of("maker/a", "x").packet()),
        ("a CONNACK", vec![0x20, 3, 0, 0, 0]),
        (
            "a length without end",
            vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ),
        (
            "the longest packet",
            [vec![0x32, 0xFF, 0xFF, 0xFF, 0x7F], own.clone()].concat(),
        ),
        (
            "a message larger than a packet may be",
            wire::publish(OWN, &vec![7; platform::broker::MAX_PACKET + 1], 1, false, 1),
        ),
        ("QoS 3", publish(0x36, &[&own, &[0, 1], &[0], b"x"])),
        ("packet id 0", publish(0x32, &[&own, &[0, 0], &[0], b"x"])),
        ("no packet id", publish(0x32, &[&own])),
        (
            "a topic longer than its packet",
            publish(0x32, &[&[0xFF, 0xFF], b"t"]),
        ),
        (
            "a topic that is no UTF-8",
            publish(0x32, &[&[0, 2, 0xC3, 0x28], &[0, 1], &[0], b"x"]),
        ),
        (
            "a property that nobody knows",
            publish(0x32, &[&own, &[0, 1], &[2, 0x7E, 0], b"x"]),
        ),
        (
            "a topic alias",
            publish(0x32, &[&own, &[0, 1], &[3, 0x23, 0, 9], b"x"]),
        ),
        ("no filters", packet(0x82, &[0, 1, 0])),
        (
            "a filter without options",
            packet(0x82, &[&[0, 1, 0][..], &text("t")].concat()),
        ),
        (
            "20,000 filters",
            packet(0x82, &[&[0, 1, 0][..], &many].concat()),
        ),
        (
            "wrong flags",
            packet(0x80, &[&[0, 1, 0][..], &text("t"), &[1]].concat()),
        ),
        ("an unexpected AUTH", vec![0xF0, 2, 0x18, 0]),
    ]
}

/// What is said instead of a CONNECT.
fn before_connect() -> Vec<(&'static str, Vec<u8>)> {
    let hello = Hello::of("maker/a", &password("maker/a"));
    let mut long = hello.clone();
    long.client = format!("maker/a/{}", "x".repeat(60_000));
    let mut level = hello.packet();
    level[8] = 99;
    vec![
        ("a PUBLISH first", wire::publish(OWN, b"x", 1, false, 1)),
        ("a PINGREQ first", vec![0xC0, 0]),
        (
            "another protocol",
            packet(0x10, &[text("HTTP"), vec![5, 2, 0, 60, 0, 0, 0]].concat()),
        ),
        ("another level", level),
        ("a client id of 60,000", long.packet()),
        (
            "a CONNECT of 256 MiB",
            vec![0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4],
        ),
        ("noise", (0..=255).collect()),
    ]
}

async fn said(site: &Site, bytes: &[u8], hello: Option<&Hello>) -> Result<Wire> {
    let open = async || site.over(connect(site.devices).await?).await;
    let mut peer = match hello {
        None => open().await?,
        Some(hello) => {
            let (peer, _, reason) = greet(hello, open).await?;
            ensure!(reason == 0, "{reason:#x}");
            peer
        }
    };
    // It may be closed while we are still talking.
    let _ = peer.send(bytes).await;
    Ok(peer)
}

/// Each ends its own connection and nothing else.
async fn no_packets(kind: Kind) -> Result<()> {
    if kind.skip() {
        return Ok(());
    }
    let limits = platform::broker::Limits {
        greeting: std::time::Duration::from_secs(3),
        ..Default::default()
    };
    let site = Site::with_limits(kind, limits).await?;
    let mut honest = Honest::at(&site).await?;
    let hello = Hello::of("maker/a", &password("maker/a"));
    let mut open = Vec::new();
    for (what, bytes) in before_connect() {
        // Mosquitto gives everybody their own name, and waits for what will never come.
        let waits = ["a client id of 60,000", "a CONNECT of 256 MiB"].contains(&what);
        let mut peer = said(&site, &bytes, None).await?;
        if !(waits && kind == Kind::Mosquitto) && peer.ended().await.is_err() {
            open.push(what);
        }
    }
    for (what, bytes) in after_connect() {
        let mut peer = said(&site, &bytes, Some(&hello)).await?;
        let closed = ENDS.contains(&what);
        let alive = !closed && peer.heard().await.is_ok();
        if !alive && peer.ended().await.is_err() {
            open.push(what);
        }
    }
    honest.is_unaffected().await?;
    let mut after = site.device("maker/a").await?.0;
    ensure!(after.publish(OWN, b"whole").await? == 0);
    ensure!(open.is_empty(), "left open after {open:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_no_packet_ends_its_own_connection_at_the_embedded_broker() {
    no_packets(Kind::Embedded).await.unwrap();
}

#[tokio::test]
async fn what_is_no_packet_ends_its_own_connection_at_mosquitto() {
    no_packets(Kind::Mosquitto).await.unwrap();
}
