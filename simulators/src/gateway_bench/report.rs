//! What was measured, beside what it should be.

use std::fmt;

use serde::Serialize;

use super::backlog::CaughtUp;
use super::program::Sizes;
use super::starts::Starts;
use super::steady::Steady;

/// Bytes of a megabyte, as disks and packages count.
const MB: f64 = 1e6;

/// Everything that is measured of one gateway.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Largest resident memory at 100 events a second with three sources, TLS and outbox, in MiB.
    pub rss_mib: f64,
    /// Megabytes of the stripped program.
    pub binary_mb: f64,
    /// Megabytes of its Debian package; none where cargo-deb is not installed.
    pub deb_mb: Option<f64>,
    /// Share of one core at 100 events a second.
    pub core_percent_at_100: f64,
    /// Milliseconds from the start of the process to its first durable event, median.
    pub start_to_durable_ms: f64,
    /// To the broker's CONNACK over TLS, median.
    pub start_to_tls_ms: f64,
    /// Events a second to the platform's commit, of a backlog, while live events are made.
    pub catch_up_events_per_s: f64,
    /// Bytes that went to the disk for each event at 100 events a second, receipts included.
    pub bytes_written_per_event: f64,
    /// Mean bytes of these events.
    pub event_bytes: f64,
    /// The same rate to a broker alone.
    pub catch_up_to_broker_events_per_s: f64,
    /// Milliseconds from the line of a live event to its stored receipt while catching up, 99th
    /// percentile.
    pub live_p99_ms: f64,
    /// How many live events these were.
    pub live_events: usize,
    /// Largest resident memory while catching up, in MiB.
    pub catch_up_rss_mib: f64,
    /// Threads of the process.
    pub threads: u64,
    /// Events in all; each is at the platform once.
    pub events: u64,
}

impl Measured {
    pub(super) fn new(
        sizes: Sizes,
        starts: Starts,
        steady: Steady,
        caught_up: CaughtUp,
        to_broker: f64,
        events: u64,
    ) -> Measured {
        Measured {
            rss_mib: steady.rss_mib,
            binary_mb: sizes.program as f64 / MB,
            deb_mb: sizes.package.map(|bytes| bytes as f64 / MB),
            core_percent_at_100: steady.core_percent,
            start_to_durable_ms: starts.to_durable,
            start_to_tls_ms: starts.to_tls,
            catch_up_events_per_s: caught_up.rate,
            bytes_written_per_event: steady.bytes_written_per_event,
            event_bytes: steady.event_bytes,
            catch_up_to_broker_events_per_s: to_broker,
            live_p99_ms: caught_up.live_p99_ms,
            live_events: caught_up.live,
            catch_up_rss_mib: caught_up.peak_mib,
            threads: steady.threads,
            events,
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: f64, unit: &str, aim: &str| {
            writeln!(f, "{name:<26} {value:>10.1} {unit:<9} {aim}")
        };
        row("memory", self.rss_mib, "MiB", "aim: 6, better 5")?;
        row("while catching up", self.catch_up_rss_mib, "MiB", "")?;
        row("program", self.binary_mb, "MB", "aim: 4")?;
        if let Some(package) = self.deb_mb {
            row("package", package, "MB", "aim: 2")?;
        }
        row(
            "at 100 events/s",
            self.core_percent_at_100,
            "% of core",
            "aim: 3",
        )?;
        row(
            "start to durable event",
            self.start_to_durable_ms,
            "ms",
            "aim: 100",
        )?;
        row(
            "start to CONNACK on TLS",
            self.start_to_tls_ms,
            "ms",
            "aim: 150",
        )?;
        row(
            "catching up",
            self.catch_up_events_per_s,
            "events/s",
            "aim: 15,000",
        )?;
        row(
            "to a broker alone",
            self.catch_up_to_broker_events_per_s,
            "events/s",
            "",
        )?;
        row(
            "live events meanwhile, p99",
            self.live_p99_ms,
            "ms",
            "aim: 2,000",
        )?;
        row(
            "written for an event",
            self.bytes_written_per_event,
            "bytes",
            "aim: 1,500",
        )?;
        row("of", self.event_bytes, "bytes", "")?;
        write!(
            f,
            "{} events, each at the platform once; {} threads",
            self.events, self.threads
        )
    }
}
