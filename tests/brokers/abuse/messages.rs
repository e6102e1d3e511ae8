//! Devices with good credentials that send too much, or never read.

use std::time::Duration;

use anyhow::{Result, ensure};
use platform::broker::Limits;
use tokio::time::{Instant, sleep};

use super::{Counts, Honest, connect, until};
use crate::brokers::site::{Kind, Site, greet, password};
use crate::brokers::wire::{self, Hello, Wire};

const CAPTURE: &str = "tracebond/v1/maker/a/capture";
const RECEIPT: &str = "tracebond/v1/maker/a/receipt";

async fn abuser(site: &Site) -> Result<Wire> {
    let hello = Hello::of("maker/a", &password("maker/a"));
    let opened = greet(&hello, async || {
        site.over(connect(site.devices).await?).await
    });
    let (wire, _, reason) = opened.await?;
    ensure!(reason == 0, "{reason:#x}");
    Ok(wire)
}

/// Held back to its rate: nothing of it is refused, nothing lost, and nobody else waits.
#[tokio::test]
async fn a_device_far_above_its_rate_is_held_back_and_nobody_else() {
    const RATE: u32 = 100;
    const SENT: u16 = 500;
    let counts = Counts::begin().unwrap();
    let limits = Limits {
        device_messages_per_s: RATE,
        device_burst: RATE,
        ..Limits::default()
    };
    let site = Site::with_limits(Kind::Embedded, limits).await.unwrap();
    let mut honest = Honest::at(&site).await.unwrap();
    let mut abuser = abuser(&site).await.unwrap();
    let began = Instant::now();
    let all: Vec<u8> = (1..=SENT)
        .flat_map(|id| wire::publish(CAPTURE, b"too much", 1, false, id))
        .collect();
    let flood = tokio::spawn(async move {
        abuser.send(&all).await?;
        for id in 1..=SENT {
            let reason = abuser.answer(id).await?;
            ensure!(reason == 0, "message {id}: {reason:#x}");
        }
        Ok(())
    });
    until("it is held back", || counts.held_back("rate") > 10.0)
        .await
        .unwrap();
    honest.is_unaffected().await.unwrap();
    flood.await.unwrap().unwrap();
    let least = Duration::from_secs(1) * (u32::from(SENT) - RATE - 1) / RATE;
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
}

/// A device whose messages nobody takes fills its own share and no more; then it is disconnected
/// with the reason.
#[tokio::test]
async fn a_device_fills_its_own_share_of_the_backlog_only() {
    let counts = Counts::begin().unwrap();
    let limits = Limits {
        device_backlog_kib: 300,
        patience: Duration::from_secs(2),
        ..Limits::default()
    };
    let site = Site::with_limits(Kind::Embedded, limits).await.unwrap();
    let mut honest = Honest::at(&site).await.unwrap();
    let mut abuser = abuser(&site).await.unwrap();
    let all: Vec<u8> = (1..=300)
        .flat_map(|id| wire::publish(CAPTURE, b"hold this", 1, false, id))
        .collect();
    abuser.send(&all).await.unwrap();
    until("its share is full", || counts.held_back("share") > 0.0)
        .await
        .unwrap();
    honest.is_unaffected().await.unwrap();
    let mut accepted = 0;
    for id in 1..=300 {
        match abuser.answer(id).await {
            Ok(0) => accepted += 1,
            // No room: the acknowledgement, or the farewell, says it.
            Ok(reason) => {
                assert_eq!(reason, 0x97);
                break;
            }
            Err(_) => break,
        }
    }
    assert_eq!(accepted, 150, "300 KiB, two each");
    until("it is counted", || counts.refusals("no-room") > 0.0)
        .await
        .unwrap();
    assert!(counts.of("tracebond_broker_backlog_bytes") <= 310.0 * 1024.0);
    honest.is_unaffected().await.unwrap();
}

/// Somebody who never reads what it is sent: closed, what waits for it stays within its limit.
async fn never_reads(kind: Kind) -> Result<()> {
    const RECEIPTS: usize = 50;
    if kind.skip() {
        return Ok(());
    }
    let counts = Counts::begin()?;
    let limits = Limits {
        receipts: RECEIPTS,
        stall: Duration::from_secs(1),
        ..Limits::default()
    };
    let site = Site::with_limits(kind, limits).await?;
    let mut honest = Honest::at(&site).await?;
    let mut abuser = abuser(&site).await?;
    ensure!(abuser.subscribe(RECEIPT).await? <= 2);
    let hello = Hello {
        client: "tracebond-ingest-1".into(),
        ..site.ingest_hello()
    };
    let more = more_receipts(site.ingest_as(&hello).await?);
    if kind == Kind::Embedded {
        let closed = || counts.refusals("slow-reader") > 0.0;
        let dropped = || counts.of("tracebond_broker_receipts_dropped_total") > 0.0;
        honest.is_unaffected().await?;
        until("it is closed", closed).await?;
        until("what it does not read is dropped", dropped).await?;
    }
    honest.is_unaffected().await?;
    more.abort();
    // It may come again, and finds the newest; others have not lost anything.
    let mut again = site.device("maker/a").await?.0;
    again.message().await?;
    honest.is_unaffected().await
}

/// The largest receipts, without end.
fn more_receipts(mut ingest: Wire) -> tokio::task::JoinHandle<Result<()>> {
    tokio::spawn(async move {
        let receipt = vec![b'r'; 60_000];
        loop {
            ingest.publish(RECEIPT, &receipt).await?;
            sleep(Duration::from_millis(2)).await;
        }
    })
}

#[tokio::test]
async fn a_device_that_never_reads_is_closed_at_the_embedded_broker() {
    never_reads(Kind::Embedded).await.unwrap();
}

#[tokio::test]
async fn a_device_that_never_reads_harms_nobody_at_mosquitto() {
    never_reads(Kind::Mosquitto).await.unwrap();
}

/// Refusals at full speed cost others nothing, and each is counted.
async fn refused_at_full_speed(kind: Kind) -> Result<()> {
    const SENT: u16 = 3_000;
    if kind.skip() {
        return Ok(());
    }
    let counts = Counts::begin()?;
    let site = Site::start(kind).await?;
    let mut honest = Honest::at(&site).await?;
    let mut abuser = abuser(&site).await?;
    let flood = tokio::spawn(async move {
        for id in 1..=SENT {
            let foreign = "tracebond/v1/maker/b/capture";
            abuser
                .send(&wire::publish(foreign, b"forged", 1, false, id))
                .await?;
            let reason = abuser.answer(id).await?;
            ensure!(reason == 0x87, "message {id}: {reason:#x}");
            if id % 10 == 0 {
                abuser.subscribe("#").await?;
            }
        }
        Ok(())
    });
    honest.is_unaffected().await?;
    flood.await??;
    if kind == Kind::Embedded {
        ensure!(counts.refusals("publish") >= f64::from(SENT));
        ensure!(counts.refusals("subscribe") >= f64::from(SENT / 10));
    }
    honest.is_unaffected().await
}

#[tokio::test]
async fn refusals_at_full_speed_harm_nobody_at_the_embedded_broker() {
    refused_at_full_speed(Kind::Embedded).await.unwrap();
}

#[tokio::test]
async fn refusals_at_full_speed_harm_nobody_at_mosquitto() {
    refused_at_full_speed(Kind::Mosquitto).await.unwrap();
}
