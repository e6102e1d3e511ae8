//! A hundred events a second: processor, memory, and what goes to the disk.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::ground::{Ground, Uplink};
use super::outbox::Peek;
use crate::site::usage::Usage;

/// Lines a second, each an event.
const RATE: u32 = 100;
/// Seconds of the run.
const SECONDS: u32 = 30;
/// Time between two lines.
const PACE: Duration = Duration::from_millis(1_000 / RATE as u64);
/// How often memory is looked at.
const LOOK: u32 = RATE / 2;

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steady {
    pub(super) rss_mib: f64,
    pub(super) threads: u64,
    pub(super) core_percent: f64,
    pub(super) bytes_written_per_event: f64,
    pub(super) event_bytes: f64,
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Steady> {
    let agent = ground.start(Uplink::Platform)?;
    agent.connected().await?;
    let mut peek = Peek::open(&ground.state()).await?;
    ground.receipted(&mut peek).await?;
    let id = agent.id();
    let (began, used, written) = (Instant::now(), Usage::of(id)?, written(id)?);
    let (mut rss_kib, mut event_bytes) = (0, None);
    let mut pace = tokio::time::interval(PACE);
    for number in 0..RATE * SECONDS {
        pace.tick().await;
        ground.scan(1, 'R')?;
        if number % LOOK == LOOK - 1 {
            rss_kib = rss_kib.max(Usage::of(id)?.rss_kib);
            event_bytes = peek.event_bytes().await?.or(event_bytes);
        }
    }
    let spent = Usage::of(id)? - used;
    let seconds = began.elapsed().as_secs_f64();
    // What receipts delete is written too.
    ground.read(&mut peek).await?;
    ground.receipted(&mut peek).await?;
    let bytes = self::written(id)? - written;
    let threads = field(id, "status", "Threads:")?;
    agent.stop().await?;
    Ok(Steady {
        rss_mib: rss_kib as f64 / 1_024.0,
        threads,
        core_percent: spent.cpu_us as f64 / 1e4 / seconds,
        bytes_written_per_event: bytes as f64 / f64::from(RATE * SECONDS),
        event_bytes: event_bytes.context("no event waited at any look")?,
    })
}

/// Bytes that a process has caused to be written to disks, by proc(5).
fn written(id: u32) -> Result<u64> {
    field(id, "io", "write_bytes:")
}

/// The first number behind a name.
fn field(id: u32, file: &str, name: &str) -> Result<u64> {
    let path = format!("/proc/{id}/{file}");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("{path} has no {name}"))
}

/// The largest resident memory of a process until now, in MiB.
pub(super) fn peak_mib(id: u32) -> Result<f64> {
    Ok(field(id, "status", "VmHWM:")? as f64 / 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_threads_and_no_other_field() {
        let id = std::process::id();
        assert!(peak_mib(id).unwrap() > 0.5);
        assert!(field(id, "status", "Threads:").unwrap() >= 1);
        assert!(written(id).is_ok());
        assert!(field(id, "status", "Nothing:").is_err());
    }
}
