//! Whether it stays as fast and as small when it has much: `bench -- store --events N`.
//!
//! The whole way as in [`crate::ingest`], broker included, with anchoring; but what the devices say
//! is signed as it is sent, in this process, since so much would not fit into memory. Each tenth of
//! the events has its rate, from receipt to receipt, and the platform's memory. At the end the
//! platform's own query is asked for items with ten events, and for one with a thousand.

use std::fmt;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use kit::clock::TokioClock;
use platform::store::TraceStore;
use platform::store::postgres::PostgresStore;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::fleet::chain::{Items, LONG};
use crate::fleet::event;
use crate::fleet::play::{Pace, Until};
use crate::ingest::figures::{percentile_of, receipted};
use crate::ingest::{DEVICES, Ground, USUAL};
use crate::progress::Progress;
use crate::site::usage::Usage;

/// Windows of a run.
const WINDOWS: u64 = 10;
/// Events of the item with a long history.
const HISTORY: u64 = 1_000;
/// Events of a run are a multiple of this, so that items have as many events as they are said to.
pub const STEP: u64 = WINDOWS * HISTORY;
/// Items of ten events that are asked for.
const SHORT_QUERIES: u64 = 500;
/// Times that the long history is asked for.
const LONG_QUERIES: u64 = 100;
/// Most rows of an answer.
const ROWS: u32 = 10_000;

/// What was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Events stored.
    pub events: u64,
    /// Events a second of each tenth.
    pub rates: Vec<f64>,
    /// Resident memory of the platform in KiB: at the start, then after each tenth.
    pub rss_kib: Vec<u64>,
    /// Milliseconds to read an item with ten events: median, 99th percentile.
    pub short_ms: [f64; 2],
    /// An item with a thousand.
    pub long_ms: [f64; 2],
}

/// Measures with so many events, a multiple of [`STEP`].
///
/// # Errors
/// When a part cannot start or a statement is lost.
pub async fn measure(events: u64, progress: &mut Progress) -> Result<Measured> {
    ensure!(
        events > 0 && events.is_multiple_of(STEP),
        "a multiple of {STEP}"
    );
    let items = Items {
        items: events / 10,
        long_every: Some(events / HISTORY),
    };
    let mut ground = Ground::with_items(DEVICES, items).await?;
    progress.done(&format!("{events} events"));
    let platform = ground.site.platform_id().context("no platform")?;
    let receipted_now = ground.fleet.receipted.subscribe();
    let memory = tokio::spawn(watch_memory(platform, receipted_now, events / WINDOWS));
    let statements = ground.chains.saying(events, USUAL, &TokioClock);
    let played = ground.fleet.play(statements, Pace::FULL, Until::Inclusions);
    let played = played.await?;
    let lost = (played.without_receipt(), played.without_inclusion());
    ensure!(lost == (0, 0), "without receipt, inclusion: {lost:?}");
    ensure!(played.refused == 0, "{} events refused", played.refused);
    let rss_kib = memory.await??;
    ground.site.stop_platform()?;
    progress.done("queries");
    let url = ground.site.database().context("no PostgreSQL")?;
    let store = PostgresStore::open(&url.parse()?).await?;
    let short = (0..SHORT_QUERIES).map(|number| 1 + number * (events / 10 / SHORT_QUERIES));
    let short_ms = query(&store, short, 10).await?;
    let long_ms = query(&store, (0..LONG_QUERIES).map(|_| LONG), HISTORY).await?;
    store.close().await;
    Ok(Measured {
        events,
        rates: windows(&receipted(&played.ways), events),
        rss_kib,
        short_ms,
        long_ms,
    })
}

/// Events a second of each tenth of the events.
fn windows(steps: &[(f64, u64)], events: u64) -> Vec<f64> {
    let at = |taken: u64| {
        let place = steps.partition_point(|(_, until)| *until < taken);
        steps.get(place).map_or(f64::NAN, |(at, _)| *at)
    };
    let bounds =
        (0..WINDOWS).map(|window| (window * events / WINDOWS, (window + 1) * events / WINDOWS));
    let rate = |(from, to): (u64, u64)| {
        // The first window begins when the first was sent.
        let began = if from == 0 { 0.0 } else { at(from) };
        (to - from) as f64 / (at(to) - began)
    };
    bounds.map(rate).collect()
}

/// Memory now, and whenever so many more events have a receipt.
async fn watch_memory(
    platform: u32,
    mut receipted: watch::Receiver<u64>,
    every: u64,
) -> Result<Vec<u64>> {
    let mut kib = vec![Usage::of(platform)?.rss_kib];
    for window in 1..=WINDOWS {
        receipted.wait_for(|now| *now >= window * every).await?;
        kib.push(Usage::of(platform)?.rss_kib);
    }
    Ok(kib)
}

/// Milliseconds of the platform's query for each item, which must have so many events.
async fn query(
    store: &PostgresStore,
    items: impl Iterator<Item = u64>,
    events: u64,
) -> Result<[f64; 2]> {
    let mut times = Vec::new();
    for item in items {
        let name = [event::item(item)];
        let started = Instant::now();
        let found = store.events_of_items(&name, ROWS).await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        ensure!(
            found.len() as u64 == events,
            "{name:?} has {} events",
            found.len()
        );
    }
    Ok([50, 99].map(|percent| percentile_of(times.clone(), percent)))
}

impl Measured {
    /// The rate of the last tenth over that of the first.
    #[must_use]
    pub fn last_to_first(&self) -> f64 {
        match (self.rates.first(), self.rates.last()) {
            (Some(first), Some(last)) => last / first,
            _ => f64::NAN,
        }
    }

    /// One JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut all = Map::new();
        let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
        let round = |value: f64, unit: f64| json!((value * unit).round() / unit);
        put("events", json!(self.events));
        put("window_events", json!(self.events / WINDOWS));
        let rates = self.rates.iter();
        put(
            "events_per_second_by_window",
            rates.map(|rate| round(*rate, 1.0)).collect(),
        );
        put("last_to_first", round(self.last_to_first(), 1_000.0));
        let memory = self.rss_kib.iter();
        put(
            "platform_rss_mib_by_window",
            memory
                .map(|kib| round(*kib as f64 / 1_024.0, 10.0))
                .collect(),
        );
        put("trace_10_p50_ms", round(self.short_ms[0], 100.0));
        put("trace_10_p99_ms", round(self.short_ms[1], 100.0));
        put("trace_1000_p50_ms", round(self.long_ms[0], 100.0));
        put("trace_1000_p99_ms", round(self.long_ms[1], 100.0));
        Value::Object(all)
    }
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = self.events / WINDOWS;
        writeln!(f, "{} events through the whole way, anchored", self.events)?;
        let memory = self.rss_kib.iter().skip(1);
        for (number, (rate, kib)) in (1..).zip(self.rates.iter().zip(memory)) {
            let until = number * window;
            writeln!(
                f,
                "{until:>10}  {rate:>7.0} events/s  {:>6.0} MiB",
                *kib as f64 / 1_024.0
            )?;
        }
        writeln!(f, "last window over first   {:.2}", self.last_to_first())?;
        writeln!(
            f,
            "an item of 10 events     p50 {:.2} ms, p99 {:.2} ms",
            self.short_ms[0], self.short_ms[1]
        )?;
        write!(
            f,
            "an item of 1,000 events  p50 {:.2} ms, p99 {:.2} ms",
            self.long_ms[0], self.long_ms[1]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_the_rate_of_their_own_events() {
        // The second half is half as fast.
        let time = |n: u64| {
            if n <= 500 {
                n as f64
            } else {
                500.0 + 2.0 * (n - 500) as f64
            }
        };
        let steps: Vec<(f64, u64)> = (1..=1_000).map(|n| (time(n), n)).collect();
        let rates = windows(&steps, 1_000);
        assert_eq!(
            (rates[0], rates[4], rates[5], rates[9]),
            (1.0, 1.0, 0.5, 0.5)
        );
        let measured = Measured {
            events: 1_000,
            rates,
            rss_kib: Vec::new(),
            short_ms: [0.0; 2],
            long_ms: [0.0; 2],
        };
        assert_eq!(measured.last_to_first(), 0.5);
    }
}
