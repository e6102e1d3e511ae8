//! Sessions over TLS that outlive their connections, at both brokers alike: what was acknowledged
//! arrives once the other side is there again, and receipts wait for a device that is away.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use simulators::proxy::{Line, Link};

use super::site::{Kind, Site, greet, password};
use super::wire::{Hello, Wire};

const CAPTURE: &str = "tracebond/v1/maker/a/capture";
const RECEIPT: &str = "tracebond/v1/maker/a/receipt";
/// Messages of one life.
const SOME: u32 = 40;

async fn number(wire: &mut Wire) -> Result<u32> {
    let message = wire.message().await?;
    wire.acknowledge(&message).await?;
    Ok(u32::from_be_bytes(message.payload[..4].try_into()?))
}

async fn publish(wire: &mut Wire, topic: &str, numbers: std::ops::Range<u32>) -> Result<()> {
    for number in numbers {
        let reason = wire.publish(topic, &number.to_be_bytes()).await?;
        ensure!(matches!(reason, 0 | 0x10), "{number}: {reason:#x}");
    }
    Ok(())
}

async fn collect(wire: &mut Wire, wanted: std::ops::Range<u32>) -> Result<()> {
    let mut left = BTreeSet::from_iter(wanted);
    while !left.is_empty() {
        left.remove(&number(wire).await?);
    }
    Ok(())
}

/// A device is cut off with messages of both directions on their way.
async fn device_comes_back(kind: Kind) -> Result<()> {
    if kind.skip() {
        return Ok(());
    }
    let site = Site::start(kind).await?;
    let line = Link::start(site.devices).await?;
    let (mut ingest, _) = site.ingest().await?;
    let hello = Hello::of("maker/a", &password("maker/a"));
    let mut device = site.connect_at(line.address()).await?;
    ensure!(device.hello(&hello).await? == (false, 0));
    ensure!(device.subscribe(RECEIPT).await? <= 2);
    publish(&mut device, CAPTURE, 0..SOME).await?;
    // Receipts that reach it and that it never gets to acknowledge.
    publish(&mut ingest, RECEIPT, 0..SOME).await?;
    device.message().await?;
    line.set(Line::Cut);
    publish(&mut ingest, RECEIPT, SOME..2 * SOME).await?;
    line.set(Line::Up);
    let opened = greet(&hello, async || site.connect_at(line.address()).await);
    let (mut device, present, reason) = opened.await?;
    ensure!((present, reason) == (true, 0), "its session is gone");
    if matches!(kind, Kind::Embedded) {
        // Receipts that were on their way may be lost with the connection there; who misses one
        // sends its statement again and is answered again.
        publish(&mut ingest, RECEIPT, 0..2 * SOME).await?;
    }
    // Without subscribing again: the session knows.
    collect(&mut device, 0..2 * SOME).await?;
    publish(&mut device, CAPTURE, SOME..2 * SOME).await?;
    collect(&mut ingest, 0..2 * SOME).await
}

/// The ingest goes with half of its messages acknowledged, and comes again.
async fn ingest_comes_back(kind: Kind) -> Result<()> {
    if kind.skip() {
        return Ok(());
    }
    let site = Site::start(kind).await?;
    let (mut ingest, _) = site.ingest().await?;
    let (mut device, _) = site.device("maker/a").await?;
    publish(&mut device, CAPTURE, 0..SOME).await?;
    let mut acknowledged = BTreeSet::new();
    for _ in 0..SOME / 2 {
        acknowledged.insert(number(&mut ingest).await?);
    }
    // The broker has read the acknowledgements before the connection ends.
    ingest.heard().await?;
    drop(ingest);
    publish(&mut device, CAPTURE, SOME..2 * SOME).await?;
    let (mut ingest, present) = site.ingest().await?;
    ensure!(present, "its session is gone");
    let mut left = BTreeSet::from_iter((0..2 * SOME).filter(|n| !acknowledged.contains(n)));
    while !left.is_empty() {
        let number = number(&mut ingest).await?;
        ensure!(left.remove(&number), "{number} was acknowledged before");
    }
    Ok(())
}

/// A connection with the same name takes the session over: the first is closed with the reason,
/// and the second goes on where it was.
async fn second_takes_over(kind: Kind) -> Result<()> {
    if kind.skip() {
        return Ok(());
    }
    let site = Site::start(kind).await?;
    let (mut ingest, _) = site.ingest().await?;
    let (mut first, _) = site.device("maker/a").await?;
    ensure!(first.subscribe(RECEIPT).await? <= 2);
    publish(&mut ingest, RECEIPT, 0..1).await?;
    first.message().await?;
    let (mut second, present) = site.device("maker/a").await?;
    ensure!(present);
    let reason = first.ended().await?;
    ensure!(reason.is_none_or(|reason| reason == 0x8E), "{reason:?}");
    collect(&mut second, 0..1).await?;
    publish(&mut second, CAPTURE, 0..1).await?;
    collect(&mut ingest, 0..1).await
}

#[tokio::test]
async fn a_device_finds_its_receipts_at_the_embedded_broker() {
    device_comes_back(Kind::Embedded).await.unwrap();
}

#[tokio::test]
async fn a_device_finds_its_receipts_at_mosquitto() {
    device_comes_back(Kind::Mosquitto).await.unwrap();
}

#[tokio::test]
async fn an_ingest_finds_what_it_left_at_the_embedded_broker() {
    ingest_comes_back(Kind::Embedded).await.unwrap();
}

#[tokio::test]
async fn an_ingest_finds_what_it_left_at_mosquitto() {
    ingest_comes_back(Kind::Mosquitto).await.unwrap();
}

#[tokio::test]
async fn the_second_of_one_name_takes_over_at_the_embedded_broker() {
    second_takes_over(Kind::Embedded).await.unwrap();
}

#[tokio::test]
async fn the_second_of_one_name_takes_over_at_mosquitto() {
    second_takes_over(Kind::Mosquitto).await.unwrap();
}
