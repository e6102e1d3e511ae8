//! The way from a gateway to the witnessed log, measured.
//!
//! Two parts. On the real clock, with the platform's default of one batch a second: how many
//! events a second three gateways get anchored, and how long a single one takes. Then a story on
//! the virtual clock until its first journey is finished: how large its bundle and its page are,
//! and how long this machine takes to verify an event.

pub(crate) mod copy;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use edge_agent::SystemClock;
use futures_util::future::try_join_all;
use platform::config::AnchorSection;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::proof;
use serde::Serialize;
use serde_json::json;

use self::copy::Copied;
use crate::ingest::figures::percentile;
use crate::progress::Progress;
use crate::scenario::{DEFAULT_SEED, lot_uri, sscc, sscc_uri};
use crate::script::Script;
use crate::stack::Stack;
use crate::stack::door::Door;
use crate::stack::engines::Engines;
use crate::stack::post::Post;
use crate::tour::Tour;

/// Events that each gateway is given at once.
const EVENTS_EACH: u32 = 5_000;

/// Rounds of single events over all gateways.
const ROUNDS: u32 = 8;

/// How often a bundle is verified.
const VERIFICATIONS: u32 = 20;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Events in the load.
    pub events: u64,
    /// Gateways that sent them at the same time.
    pub gateways: u64,
    /// Seconds from the first written line to the last verified inclusion.
    pub seconds: f64,
    /// Events a second from gateway to witnessed log.
    pub events_per_second: f64,
    /// Single events that were timed.
    pub singles: u64,
    /// Milliseconds from the written line to the inclusion that the gateway has verified: median.
    pub single_p50_ms: f64,
    /// The same: 99th percentile.
    pub single_p99_ms: f64,
    /// Milliseconds between two batches, part of every single event's time.
    pub batch_ms: u64,
    /// Events in the bundle of a finished journey.
    pub bundle_events: u64,
    /// Its bytes.
    pub bundle_bytes: u64,
    /// Microseconds to verify one of its events, everything included.
    pub verify_us_per_event: f64,
    /// Bytes of the product page without its style sheet.
    pub page_bytes: u64,
    /// Database and broker, in words.
    pub engines: String,
    /// COPY of the same rows, where the database is a server.
    pub copy: Option<Copied>,
    /// The rate as a share of that of COPY.
    pub share_of_copy: Option<f64>,
}

/// Measures everything on the given engines.
///
/// # Errors
/// When a part cannot start or an event does not arrive.
pub async fn measure(engines: &Engines, progress: &mut Progress) -> anyhow::Result<Measured> {
    let script = Script::story(DEFAULT_SEED);
    let root = tempfile::tempdir()?;
    let batch_ms = AnchorSection::default().batch_ms;
    let stack = Stack::start(
        root.path(),
        &script,
        Door::any(),
        engines,
        batch_ms,
        Arc::new(SystemClock),
    )
    .await?;
    progress.done("measuring the rate");
    let load = load(&stack).await?;
    progress.done("measuring single events");
    let mut singles = singles(&stack).await?;
    let copy = end_and_copy(stack, progress).await?;
    progress.done("measuring bundle, verification and page");
    let journey = journey(&script, engines, progress).await?;
    singles.sort_by(f64::total_cmp);
    let rate = load.events as f64 / load.seconds;
    Ok(Measured {
        events: load.events,
        gateways: load.gateways,
        seconds: load.seconds,
        events_per_second: rate,
        singles: singles.len() as u64,
        single_p50_ms: percentile(&singles, 50),
        single_p99_ms: percentile(&singles, 99),
        batch_ms,
        bundle_events: journey.events,
        bundle_bytes: journey.bytes,
        verify_us_per_event: journey.verify_us,
        page_bytes: journey.page,
        engines: engines.to_string(),
        share_of_copy: copy.as_ref().map(|copy| rate / copy.events_per_second),
        copy,
    })
}

/// Ends everything but the database, and copies what is in it.
async fn end_and_copy(stack: Stack, progress: &mut Progress) -> anyhow::Result<Option<Copied>> {
    let from = stack.database.clone();
    let (ended, mut databases) = stack.end().await;
    ended?;
    let copied = match (from, databases.make("copy").await?) {
        (Some(from), Some(to)) => {
            progress.done("measuring COPY of the same rows");
            Some(copy::copy(&from, &to).await?)
        }
        _ => None,
    };
    databases.remove().await;
    Ok(copied)
}

struct Load {
    events: u64,
    gateways: u64,
    seconds: f64,
}

/// Three gateways get their lines at once and hand them over.
async fn load(stack: &Stack) -> anyhow::Result<Load> {
    let lines = stack
        .posts
        .values()
        .filter(|post| post.address().device.as_str() == "line");
    let posts: Vec<&Post> = lines.collect();
    let before = stack.operator.stored().await?.events;
    let started = Instant::now();
    try_join_all(posts.iter().map(|post| async move {
        let lines: Vec<String> = (0..EVENTS_EACH).map(inspection).collect();
        post.scan_unhurried(&lines.join("\n"), u64::from(EVENTS_EACH))
            .await
    }))
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    let events = stack.operator.stored().await?.events - before;
    Ok(Load {
        events,
        gateways: posts.len() as u64,
        seconds,
    })
}

fn inspection(number: u32) -> String {
    let item = lot_uri("09521001000017", &format!("B{number}"));
    let items = json!([{ "id": item, "quantity": 480 }]);
    json!({ "step": "inspecting", "items": items, "disposition": "conformant" }).to_string()
}

/// Single events at random moments, in milliseconds each.
async fn singles(stack: &Stack) -> anyhow::Result<Vec<f64>> {
    let timed = stack
        .posts
        .values()
        .zip(0_u64..)
        .map(|(post, number)| async move {
            let mut chance = StdRng::seed_from_u64(number);
            let mut times = Vec::new();
            for round in 0..ROUNDS {
                tokio::time::sleep(Duration::from_millis(chance.random_range(0..1_000))).await;
                times.push(single(post, round).await?);
            }
            anyhow::Ok(times)
        });
    Ok(try_join_all(timed).await?.into_iter().flatten().collect())
}

async fn single(post: &Post, round: u32) -> anyhow::Result<f64> {
    let gateway = post.gateway();
    let step = gateway
        .steps
        .iter()
        .find(|step| **step != "sensor_reporting");
    let step = step.context("a gateway without steps")?;
    let pallet = sscc_uri(&sscc("9521001", 900_000 + round));
    let line = json!({ "step": step, "items": [pallet], "action": "OBSERVE", "presence": "out" });
    let started = Instant::now();
    post.scan_unhurried(&line.to_string(), 1).await?;
    Ok(started.elapsed().as_secs_f64() * 1_000.0)
}

struct Journey {
    events: u64,
    bytes: u64,
    verify_us: f64,
    page: u64,
}

async fn journey(
    script: &Script,
    engines: &Engines,
    progress: &mut Progress,
) -> anyhow::Result<Journey> {
    let mut tour = Tour::start(script, Door::any(), engines, progress).await?;
    let (finished, item) = script.first_journey();
    tour.play_until(finished, progress).await?;
    let operator = &tour.stack.operator;
    let bundle = operator.product_bundle(&item).await?;
    let path = item
        .strip_prefix("https://id.gs1.org")
        .context("not a canonical key")?;
    let page = operator.get(path, &[]).await?.len() as u64;
    tour.stop().await?;
    let started = Instant::now();
    let mut events = 0;
    for _ in 0..VERIFICATIONS {
        events = proof::verify(&bundle, None)?.events.len() as u64;
    }
    let micros = started.elapsed().as_secs_f64() * 1e6 / f64::from(VERIFICATIONS);
    let verify_us = micros / events.max(1) as f64;
    Ok(Journey {
        events,
        bytes: bundle.len() as u64,
        verify_us,
        page,
    })
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "on        {}", self.engines)?;
        writeln!(
            f,
            "rate      {:.0} events/s from gateway to witnessed log ({} events, {} gateways, {:.1} s)",
            self.events_per_second, self.events, self.gateways, self.seconds
        )?;
        if let (Some(copy), Some(share)) = (&self.copy, self.share_of_copy) {
            writeln!(
                f,
                "copy      {:.0} events/s by COPY of the same rows into empty tables ({} events, {} rows, {} transactions, {:.1} s): the way reaches {:.2} of it",
                copy.events_per_second,
                copy.events,
                copy.rows,
                copy.transactions,
                copy.seconds,
                share
            )?;
        }
        writeln!(
            f,
            "single    p50 {:.0} ms, p99 {:.0} ms to the verified inclusion ({} events, a batch each {} ms)",
            self.single_p50_ms, self.single_p99_ms, self.singles, self.batch_ms
        )?;
        writeln!(
            f,
            "bundle    {} bytes for a journey of {} events ({} bytes an event)",
            self.bundle_bytes,
            self.bundle_events,
            self.bundle_bytes / self.bundle_events.max(1)
        )?;
        writeln!(
            f,
            "verify    {:.0} us an event, everything included",
            self.verify_us_per_event
        )?;
        write!(
            f,
            "page      {} bytes of HTML, uncompressed",
            self.page_bytes
        )
    }
}
