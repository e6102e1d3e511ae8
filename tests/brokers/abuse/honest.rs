//! A device that says something, waits for its receipt, and says something again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::brokers::site::Site;
use crate::brokers::wire::Wire;

/// The honest device.
const NAME: &str = "maker/b";
/// Its answers before and during the abuse.
const ROUNDS: u32 = 25;
/// How much slower its answers may become: so many times, and so much more.
const TIMES: u32 = 20;
const MORE: Duration = Duration::from_millis(1_500);

/// Somebody who answers for the ingest: every capture of the honest device is returned as its
/// receipt. What others say is acknowledged unless it begins with `hold`.
pub fn answer(mut ingest: Wire) -> JoinHandle<Result<()>> {
    tokio::spawn(async move {
        loop {
            let message = ingest.message_in(Duration::from_secs(600)).await?;
            if message.payload.starts_with(b"hold") {
                continue;
            }
            ingest.acknowledge(&message).await?;
            if message.topic.contains(NAME) {
                let topic = format!("tracebond/v1/{NAME}/receipt");
                let id = ingest.id();
                let sent = crate::brokers::wire::publish(&topic, &message.payload, 1, false, id);
                ingest.send(&sent).await?;
            }
        }
    })
}

/// The device with what it has seen before the abuse.
pub struct Honest {
    wire: Wire,
    said: u32,
    before: Duration,
    ingest: JoinHandle<Result<()>>,
}

impl Drop for Honest {
    fn drop(&mut self) {
        self.ingest.abort();
    }
}

impl Honest {
    /// Begins and measures how long a receipt takes in peace.
    pub async fn at(site: &Site) -> Result<Honest> {
        let ingest = answer(site.ingest().await?.0);
        let (mut wire, _) = site.device(NAME).await?;
        let reason = wire
            .subscribe(&format!("tracebond/v1/{NAME}/receipt"))
            .await?;
        ensure!(reason <= 2, "{reason:#x}");
        let mut honest = Honest {
            wire,
            said: 0,
            before: Duration::ZERO,
            ingest,
        };
        honest.before = honest.median().await?;
        Ok(honest)
    }

    /// One round: the time from a statement to its receipt.
    async fn round(&mut self) -> Result<Duration> {
        self.said += 1;
        let word = self.said.to_be_bytes();
        let began = Instant::now();
        let reason = self
            .wire
            .publish(&format!("tracebond/v1/{NAME}/capture"), &word)
            .await?;
        ensure!(reason == 0, "{reason:#x}");
        loop {
            let message = self.wire.message().await.context("no receipt")?;
            self.wire.acknowledge(&message).await?;
            if message.payload == word {
                return Ok(began.elapsed());
            }
        }
    }

    async fn median(&mut self) -> Result<Duration> {
        let mut all = Vec::new();
        for _ in 0..ROUNDS {
            all.push(self.round().await?);
        }
        all.sort();
        Ok(all[all.len() / 2])
    }

    /// Its receipts come as before.
    pub async fn is_unaffected(&mut self) -> Result<()> {
        let during = self.median().await?;
        println!(
            "receipt after {:?} in peace, {during:?} during abuse",
            self.before
        );
        let bound = self.before * TIMES + MORE;
        ensure!(during <= bound, "{during:?}, before {:?}", self.before);
        Ok(())
    }
}
