//! What was said while there was no connection goes to the platform, while new events are made.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::ground::{Ground, Uplink, first_item};
use super::outbox::Peek;
use super::steady::peak_mib;
use crate::ingest::figures::percentile_of;
use crate::progress::Progress;

/// Lines that wait.
pub(super) const WAITING: u32 = 60_000;
/// Lines that are written at once, so that the file grows as by a person in a hurry.
const CHUNK: u32 = 2_000;
/// Time between two live events.
const LIVE: Duration = Duration::from_millis(50);
/// How often the platform is asked.
const LOOK: Duration = Duration::from_millis(50);
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// What the items of live events begin with.
const MARK: char = 'L';

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct CaughtUp {
    /// Events a second from CONNACK until the platform has committed as many as waited.
    pub(super) rate: f64,
    /// Milliseconds from the line of a live event until its receipt is stored: 99th percentile.
    pub(super) live_p99_ms: f64,
    /// Live events among them.
    pub(super) live: usize,
    /// The most memory that the agent has had.
    pub(super) peak_mib: f64,
}

/// Lets so many lines pile up in the outbox of an agent without connection.
pub(super) async fn pile_up(ground: &mut Ground) -> Result<()> {
    let agent = ground.start(Uplink::Nowhere)?;
    let mut peek = Peek::open(&ground.state()).await?;
    for _ in 0..WAITING / CHUNK {
        ground.scan(CHUNK, 'B')?;
    }
    ground.read(&mut peek).await?;
    agent.stop().await
}

pub(super) async fn to_platform(ground: &mut Ground, progress: &mut Progress) -> Result<CaughtUp> {
    pile_up(ground).await?;
    let mut peek = Peek::open(&ground.state()).await?;
    let counts = peek.counts().await?;
    let (waiting, before) = (u64::try_from(counts.events)?, ground.stored().await?);
    let agent = ground.start(Uplink::Platform)?;
    let connected = agent.connected().await?;
    let mut live = Live::new(counts.newest);
    let mut done = None;
    while done.is_none() || !live.is_done() {
        ensure!(connected.elapsed() < PATIENCE, "{live:?} {waiting} waited");
        if done.is_none() {
            live.speak(ground)?;
            let stored = ground.stored().await? - before;
            progress.step(|| format!("{stored} of {waiting} events"));
            if stored >= waiting {
                done = Some(stored as f64 / connected.elapsed().as_secs_f64());
            }
        }
        live.look(&mut peek).await?;
        tokio::time::sleep(LOOK / 2).await;
    }
    ground.receipted(&mut peek).await?;
    let peak_mib = peak_mib(agent.id())?;
    agent.stop().await?;
    Ok(CaughtUp {
        rate: done.context("not caught up")?,
        live_p99_ms: percentile_of(live.took.iter().copied(), 99),
        live: live.took.len(),
        peak_mib,
    })
}

/// Events that are made while others wait.
#[derive(Debug)]
struct Live {
    /// Number of the last event that was made before.
    after: i64,
    spoke: Option<Instant>,
    /// By first item: when it was written, and whether it was seen in the outbox.
    waiting: HashMap<String, (Instant, bool)>,
    /// Milliseconds of each that has its receipt.
    took: Vec<f64>,
}

impl Live {
    fn new(after: i64) -> Live {
        Live {
            after,
            spoke: None,
            waiting: HashMap::new(),
            took: Vec::new(),
        }
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes a line when one is due.
    fn speak(&mut self, ground: &mut Ground) -> Result<()> {
        if self.spoke.is_none_or(|spoke| spoke.elapsed() >= LIVE) {
            let item = first_item(MARK, ground.lines());
            ground.scan(1, MARK)?;
            let now = Instant::now();
            self.spoke = Some(now);
            self.waiting.insert(item, (now, false));
        }
        Ok(())
    }

    /// What was in the outbox and is no more has its receipt.
    async fn look(&mut self, peek: &mut Peek) -> Result<()> {
        let events = peek.after(self.after).await?;
        self.see(&events, Instant::now());
        Ok(())
    }

    fn see(&mut self, events: &[Vec<u8>], now: Instant) {
        let texts: Vec<_> = events
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes))
            .collect();
        let took = &mut self.took;
        self.waiting.retain(|item, (written, seen)| {
            let quoted = format!("\"{item}\"");
            let here = texts.iter().any(|text| text.contains(&quoted));
            *seen |= here;
            if *seen && !here {
                took.push((now - *written).as_secs_f64() * 1_000.0);
                return false;
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_counts_from_its_line_until_it_is_gone_from_the_outbox() {
        let written = Instant::now();
        let mut live = Live::new(7);
        live.waiting.insert("a".to_owned(), (written, false));
        live.see(&[], written + LOOK);
        assert!(!live.is_done(), "not read yet");
        live.see(&[b"{\"epcList\":[\"a\"]}".to_vec()], written + LOOK * 2);
        assert!(!live.is_done() && live.took.is_empty());
        live.see(&[b"{\"epcList\":[\"ab\"]}".to_vec()], written + LOOK * 3);
        assert!(live.is_done());
        assert!((live.took[0] - 150.0).abs() < 1e-6);
    }
}
