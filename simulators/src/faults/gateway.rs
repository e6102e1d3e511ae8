//! A gateway: a real outbox on files of its own, the lines of its scan file, its sensor, and the
//! uplink's own choice of what leaves next.

mod line;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use edge_agent::compose::line::{LineContext, compose};
use edge_agent::compose::sensor::Reading;
use edge_agent::config::{SensorRule, Telemetry};
use edge_agent::outbox::{
    self, DATABASE_FILE, Fault, HEAD_FILE, Opening, Outbox, OutboxError, ScanBatch, Waiting,
};
use edge_agent::trust::Trust;
use edge_agent::uplink::sending::Sending;
use schemas::event::Source;
use schemas::key::SecretKey;
use schemas::statement::{ClockState, Message as Wire, Position};
use schemas::time::{Clock, Instant};
use tokio::task::JoinHandle;

use super::ground::{Ground, PLACE, SCAN_STEP, SENSOR_STEP};
use super::ledger::Made;
use super::network::Client;
use super::time::{DeviceClock, HandClock};

/// Readings that make an event.
const READINGS_PER_EVENT: usize = 3;
/// Statements without a receipt are sent again after this.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages without the broker's acknowledgement.
const IN_FLIGHT: usize = 16;
/// Statements looked at, at once.
const PAGE: u32 = 64;

/// What outlives the process: the disk.
pub struct Gateway {
    /// Its name in the trace.
    pub name: String,
    /// Number of its device.
    pub device: usize,
    /// Its place in the network.
    pub client: Client,
    /// What it believes the time to be.
    pub clock: Arc<DeviceClock>,
    /// What it says of its clock.
    pub clock_state: ClockState,
    /// It learns the time at this step.
    pub clock_lost_until: Option<usize>,
    /// Its sensor does not answer since then, until this step.
    pub sensor_gone_until: Option<(Instant, usize)>,
    /// Starts again at this step.
    pub down_until: usize,
    /// The outbox may have so many pages.
    pub pages_max: Option<u32>,
    /// It has room again at this step.
    pub full_until: usize,
    /// Lines of its scan file.
    pub lines: u64,
    /// The outbox's folder; another one after each kill.
    pub state: PathBuf,
    /// Numbers its readings.
    readings: u64,
    true_time: Arc<HandClock>,
    base: tokio::time::Instant,
    key: SecretKey,
    trust: Trust,
    process: Option<Process>,
}

struct Process {
    outbox: Outbox,
    writer: JoinHandle<()>,
    sending: Sending,
    next_packet: u16,
    /// Newest statement that the ledger has.
    noted: i64,
}

/// What a step has done.
#[derive(Debug, PartialEq, Eq)]
pub enum Did<T> {
    /// It is durable.
    Done(T),
    /// The outbox could not write; nothing is stored.
    Refused,
}

fn done<T>(result: Result<T, OutboxError>) -> Result<Did<T>> {
    match result {
        Ok(value) => Ok(Did::Done(value)),
        Err(OutboxError::Store(_)) => Ok(Did::Refused),
        Err(other) => Err(other.into()),
    }
}

impl Gateway {
    /// A gateway of a device, not started.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn new(
        ground: &Ground,
        device: usize,
        client: Client,
        state: PathBuf,
        true_time: &Arc<HandClock>,
    ) -> Result<Gateway> {
        edge_agent::identity::make_state_directory(&state)?;
        Ok(Gateway {
            name: format!("a{client}"),
            device,
            client,
            clock: DeviceClock::right(Arc::clone(true_time)),
            clock_state: ClockState::Synced,
            clock_lost_until: None,
            sensor_gone_until: None,
            down_until: 0,
            pages_max: None,
            full_until: 0,
            lines: 0,
            state,
            readings: 0,
            true_time: Arc::clone(true_time),
            base: tokio::time::Instant::now(),
            key: ground.devices[device].key.clone(),
            trust: ground.trust(device)?,
            process: None,
        })
    }

    /// A copy of its disk as a gateway of its own, with the same key.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn cloned(&self, client: Client, state: PathBuf) -> Result<Gateway> {
        edge_agent::identity::make_state_directory(&state)?;
        image(&self.state, &state)?;
        Ok(Gateway {
            name: format!("a{client}"),
            device: self.device,
            client,
            clock: DeviceClock::right(Arc::clone(&self.true_time)),
            clock_state: ClockState::Synced,
            clock_lost_until: None,
            sensor_gone_until: None,
            down_until: 0,
            pages_max: None,
            full_until: 0,
            lines: self.lines,
            state,
            // Its sensor is another one.
            readings: self.readings + 1_000_000,
            true_time: Arc::clone(&self.true_time),
            base: self.base,
            key: self.key.clone(),
            trust: self.trust.clone(),
            process: None,
        })
    }

    /// True while it runs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Starts on what its disk has.
    ///
    /// # Errors
    /// [`OutboxError`] that an agent does not start with; `Refused` where the disk is full.
    pub async fn start(&mut self) -> Result<Did<()>> {
        let opening = Opening {
            state: self.state.clone(),
            key: Arc::new(self.key.clone()),
            trust: self.trust.clone(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            clock_state: edge_agent::clock::fixed(self.clock_state),
            rules: vec![self.rule()],
            time_zone_minutes: 480,
            pages_max: self.pages_max,
            paced: false,
            bytes_max: None,
            known: None,
        };
        let (outbox, writer) = match done(outbox::open(opening).await)? {
            Did::Done(opened) => opened,
            Did::Refused => return Ok(Did::Refused),
        };
        self.process = Some(Process {
            outbox,
            writer,
            sending: Sending::new(IN_FLIGHT),
            next_packet: 0,
            noted: 0,
        });
        Ok(Did::Done(()))
    }

    /// kill -9, with what its disk has at this moment in another folder.
    ///
    /// # Errors
    /// When the file system refuses.
    pub async fn kill(&mut self, to: PathBuf) -> Result<()> {
        edge_agent::identity::make_state_directory(&to)?;
        image(&self.state, &to)?;
        if let Some(process) = self.process.take() {
            process.writer.abort();
            // Its end is the abort.
            let _ = process.writer.await;
        }
        self.state = to;
        Ok(())
    }

    fn process(&self) -> Result<&Process> {
        self.process.as_ref().context("the agent does not run")
    }

    /// The outbox of the running agent.
    ///
    /// # Errors
    /// When it does not run.
    pub fn outbox(&self) -> Result<&Outbox> {
        Ok(&self.process()?.outbox)
    }

    fn rule(&self) -> SensorRule {
        SensorRule {
            sensor: format!("https://id.gs1.org/8004/9521001COLD{}", self.client),
            measurement: "Temperature".to_owned(),
            uom: "CEL".to_owned(),
            component: None,
            reference_system: None,
            alarm_min: None,
            alarm_max: None,
            readings_per_event: READINGS_PER_EVENT,
            place: PLACE.to_owned(),
            biz_location: None,
            step: SENSOR_STEP.to_owned(),
            assumption: None,
            interval: None,
            telemetry: Telemetry::Batch,
            excursion: None,
        }
    }

    /// Takes a reading; its number, once it is durable.
    ///
    /// # Errors
    /// When the agent does not run.
    pub async fn measure(&mut self) -> Result<Did<String>> {
        let (number, series) = (self.readings, self.rule().series());
        self.readings += 1;
        let reading = Reading {
            time: self.clock.now(),
            value: Some(number as f64),
            suspect: false,
        };
        let taken = self.outbox()?.reading(&series, reading).await;
        let name = super::ledger::reading_name(self.client, number);
        Ok(match done(taken)? {
            Did::Done(()) => Did::Done(name),
            Did::Refused => Did::Refused,
        })
    }

    /// Lines come into its scan file.
    pub fn lines_come(&mut self, lines: u64) {
        self.lines += lines;
    }

    /// Reads its scan file from where its outbox stands to its end; what the lines name.
    ///
    /// # Errors
    /// When the agent does not run.
    pub async fn scan(&mut self) -> Result<Did<Vec<String>>> {
        let outbox = self.outbox()?;
        let from = match done(outbox.scan_position("scans"))? {
            Did::Done(position) => position,
            Did::Refused => return Ok(Did::Refused),
        };
        let mut to = from.clone();
        to.line = self.lines;
        to.offset = to.line;
        let items: Vec<String> = (from.line..to.line)
            .map(|line| super::ledger::item_name(self.client, line))
            .collect();
        if items.is_empty() {
            return Ok(Did::Done(items));
        }
        let context = LineContext {
            place: PLACE,
            biz_location: None,
            time_zone_minutes: 480,
            now: self.clock.now(),
        };
        let compose = |item: &String| {
            let line = serde_json::json!({ "step": SCAN_STEP, "items": [item] }).to_string();
            compose(line.as_bytes(), context)
        };
        let events = items.iter().map(compose).collect::<Result<_, _>>()?;
        let batch = ScanBatch {
            path: "scans".to_owned(),
            from,
            to,
            source: Source::Scan,
            events,
            bad_lines: 0,
            kept: None,
        };
        Ok(match done(outbox.scan(batch).await)? {
            Did::Done(()) => Did::Done(items),
            Did::Refused => Did::Refused,
        })
    }

    /// Closes the open statement; readings that wait become events, too, where `all`.
    ///
    /// # Errors
    /// When the agent does not run.
    pub async fn flush(&self, all: bool) -> Result<Did<()>> {
        let outbox = self.outbox()?;
        done(if all {
            outbox.drain().await
        } else {
            outbox.flush().await
        })
    }

    /// Signs a note about its sensor, over a time where that is over.
    ///
    /// # Errors
    /// When the agent does not run.
    pub async fn say(&self, text: &str, range: Option<(Instant, Instant)>) -> Result<Did<()>> {
        let fault = Fault {
            sensor: "cold-1".to_owned(),
            text: text.to_owned(),
            range,
        };
        done(self.outbox()?.fault(fault).await)
    }

    /// Statements that were made since the last look.
    ///
    /// # Errors
    /// When the agent does not run, or has made what cannot be read.
    pub async fn made(&mut self) -> Result<Vec<Made>> {
        let mut made = Vec::new();
        loop {
            let process = self.process()?;
            let page = process.outbox.waiting(process.noted, PAGE).await?;
            let Some(last) = page.last().map(|one| one.position) else {
                return Ok(made);
            };
            for one in &page {
                made.push(self.read(one)?);
            }
            if let Some(process) = &mut self.process {
                process.noted = last;
            }
        }
    }

    fn read(&self, waiting: &Waiting) -> Result<Made> {
        let message = Wire::decode(&waiting.message)?;
        let payload = &message.statement.payload;
        let contents = message.events.iter().map(|one| one.event.bytes());
        Ok(Made {
            gateway: self.client,
            device: self.device,
            place: payload.position,
            prev: payload.prev,
            id: waiting.id,
            events: message.events.len(),
            contents: contents.flat_map(super::ledger::names_in).collect(),
            lost: false,
        })
    }

    /// What an audit of its files finds.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn audit(&self) -> Result<Vec<String>> {
        let found = outbox::audit::audit(&self.state, &self.trust).await?;
        Ok(found.problems)
    }

    /// Pages of its database now.
    ///
    /// # Errors
    /// When the file is not there.
    pub fn pages(&self) -> Result<u32> {
        let bytes = std::fs::metadata(self.database())?.len();
        Ok(u32::try_from(bytes / 4_096)?)
    }

    /// File of the outbox.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.state.join(DATABASE_FILE)
    }

    /// File of the head.
    #[must_use]
    pub fn head_file(&self) -> PathBuf {
        self.state.join(HEAD_FILE)
    }

    /// Positions without a receipt, by statement place.
    ///
    /// # Errors
    /// When the agent does not run.
    pub async fn unreceipted(&self) -> Result<BTreeMap<schemas::hash::Hash, Position>> {
        let mut all = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = self.outbox()?.waiting(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            after = last.position;
            for one in &page {
                let position = Wire::decode(&one.message)?.statement.payload.position;
                all.insert(one.id, position);
            }
        }
    }
}

/// The files of an outbox as they are now.
fn image(from: &Path, to: &Path) -> Result<()> {
    for file in [
        DATABASE_FILE.to_owned(),
        format!("{DATABASE_FILE}-wal"),
        HEAD_FILE.to_owned(),
    ] {
        let source = from.join(&file);
        if source.exists() {
            std::fs::copy(&source, to.join(&file)).with_context(|| file)?;
        }
    }
    Ok(())
}
