//! Somebody who scans: lines at the end of a file, whether anybody reads them or not.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::processes::process::DEADLINE;

/// Time between two bursts of lines.
const PACE: Duration = Duration::from_millis(5);
/// Most lines of a burst.
const BURST: u32 = 4;

/// What serial numbers begin with.
pub const MARK: char = 'S';

/// The item that line `number` names, as it is signed.
pub fn item(number: u32) -> String {
    item_of(MARK, number)
}

/// The same of another scanner.
pub fn item_of(mark: char, number: u32) -> String {
    format!("https://id.gs1.org/01/09521001000017/21/{mark}{number}")
}

/// Goods go on at once, so that no reading of a sensor names them all.
fn line(mark: char, number: u32) -> String {
    let item = format!("(01)09521001000017(21){mark}{number}");
    format!("{{\"step\":\"storing\",\"items\":[\"{item}\"],\"presence\":\"out\"}}\n")
}

/// Writes lines up to a number that the story raises.
pub struct Scanner {
    allowed: watch::Sender<u32>,
    written: watch::Receiver<u32>,
    task: JoinHandle<Result<()>>,
}

impl Scanner {
    /// Will write `total` lines to `path`.
    pub fn start(path: &Path, total: u32, seed: u64) -> Result<Scanner> {
        Self::start_as((MARK, PACE), path, total, seed)
    }

    /// The same with serial numbers that begin otherwise, and another time between two bursts.
    pub fn start_as(
        (mark, pace): (char, Duration),
        path: &Path,
        total: u32,
        seed: u64,
    ) -> Result<Scanner> {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)?;
        let (allowed, until) = watch::channel(0);
        let (told, written) = watch::channel(0);
        let task = tokio::spawn(scan((mark, pace), file, total, seed, until, told));
        Ok(Scanner {
            allowed,
            written,
            task,
        })
    }

    /// Lets it write until there are `lines`; returns at once.
    pub fn allow(&self, lines: u32) {
        self.allowed.send_replace(lines);
    }

    /// Waits until there are `lines`.
    pub async fn written(&self, lines: u32) -> Result<()> {
        let mut written = self.written.clone();
        let enough = written.wait_for(|written| *written >= lines);
        let waited = tokio::time::timeout(DEADLINE, enough).await;
        waited.context("too late: lines")?.context("no scanner")?;
        Ok(())
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn scan(
    (mark, pace): (char, Duration),
    mut file: std::fs::File,
    total: u32,
    seed: u64,
    mut allowed: watch::Receiver<u32>,
    told: watch::Sender<u32>,
) -> Result<()> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut pace = tokio::time::interval(pace);
    let mut written = 0;
    while written < total {
        let allowed = *allowed.wait_for(|allowed| *allowed > written).await?;
        let burst = chance.random_range(1..=BURST).min(allowed - written);
        let lines: String = (written..written + burst)
            .map(|number| line(mark, number))
            .collect();
        // A line is not always written in one piece.
        let (first, second) = lines.split_at(chance.random_range(0..lines.len()));
        file.write_all(first.as_bytes())?;
        pace.tick().await;
        file.write_all(second.as_bytes())?;
        written += burst;
        told.send_replace(written);
    }
    Ok(())
}
