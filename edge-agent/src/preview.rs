//! A dry run: the sources and rules of a configuration run as they are, and the events that they
//! make are shown instead of being sent.
//!
//! The agent's own sources, rules and outbox run here, on a scratch outbox with a key made for the
//! moment, which goes when the preview ends: what is shown is what would be signed. Nothing of the
//! device is touched: not its outbox, its position in scan files, its rejects; nothing is sent.
//! Scan files are read from their end. A named pipe or a scanner is not read: a line or code read
//! here would be missing in the running agent. What a scanner would send can be given.

use std::io::{Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::key::SecretKey;
use schemas::log::Policy;
use schemas::registry::{Record, Role, State};
use schemas::statement::{Message, Note};
use schemas::time::{Clock, Instant};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::agent::{rules, settle, start_sources};
use crate::config::{BrokerAddress, Config, ScannerConfig, ScannerInput, SourceConfig};
use crate::follow::Followed;
use crate::identity::{IdentityError, make_state_directory};
use crate::outbox::{self, Opening, Outbox, OutboxError, ScanBatch, ScanPosition};
use crate::source::scan::end_of_file;
use crate::trust::Trust;

/// Statements looked at, at once.
const PAGE: u32 = 64;
/// File of lines from standard input in the scratch folder.
const INPUT_FILE: &str = "input.lines";

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The scratch outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The scratch folder.
    #[error(transparent)]
    Folder(#[from] IdentityError),
    /// A file.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No key of the moment.
    #[error(transparent)]
    Randomness(#[from] schemas::random::NoRandomness),
    /// Lines come, and no source takes lines.
    #[error(
        "lines were given, and the configuration has no source of type scan, file, serial or evdev"
    )]
    NoLines,
    /// Something of the agent's own is not as it should be.
    #[error("the preview contradicts itself: {0}")]
    Broken(String),
}

/// What is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Shown {
    /// An event that would be signed.
    Event {
        /// `sensor`, `scan` or `file`.
        source: &'static str,
        /// The event.
        event: serde_json::Value,
    },
    /// A sensor that gives no usable reading: a signed note.
    Fault {
        /// The sensor.
        sensor: String,
        /// What is wrong.
        text: String,
    },
    /// A source that is not read here.
    NotRead {
        /// Its path.
        path: PathBuf,
        /// Why.
        text: &'static str,
    },
}

impl Shown {
    /// For a person: one line, and the event below it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Event { source, event } => {
                let word = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
                let (kind, time, step) = (word("type"), word("eventTime"), word("bizStep"));
                let pretty = serde_json::to_string_pretty(event).unwrap_or_default();
                format!("{time} {kind} {step} (source: {source})\n{pretty}")
            }
            Self::Fault { sensor, text } => format!("no usable reading of {sensor}: {text}"),
            Self::NotRead { path, text } => format!("{} is not read: {text}", path.display()),
        }
    }
}

/// Shows what the configuration makes of live readings and of scan lines until `shutdown`, then
/// what the readings that still wait for more of their kind would come to.
///
/// `input`, where there is one, stands for the first source of lines, or where there is none for
/// the first scanner, one code a line: its file or device is left alone, and the preview ends with
/// the input.
///
/// # Errors
/// [`PreviewError`].
pub async fn preview(
    mut config: Config,
    clock: Arc<dyn Clock>,
    input: Option<impl Read + Send + 'static>,
    shutdown: CancellationToken,
    show: &mut (dyn FnMut(Shown) + Send),
) -> Result<(), PreviewError> {
    let scratch = Scratch::new()?;
    let opening = opening(&config, scratch.0.join("state"), &clock)?;
    let (outbox, writer) = outbox::open(opening).await?;
    let ended = match input {
        Some(input) => Some(take_input(&mut config, &scratch.0, input)?),
        None => None,
    };
    set_aside(&mut config, &scratch.0, show);
    begin_at_the_end(&config, &outbox).await?;
    let ends = shutdown.child_token();
    let started = start_sources(&config, &outbox, &clock, &ends);
    let mut screen = Screen {
        outbox: outbox.clone(),
        position: 0,
        show,
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = is_over(ended) => {}
        shown = screen.follow() => shown?,
    }
    if !shutdown.is_cancelled() {
        // The input is over: what it has brought is on its way.
        settle(&started.catch_up).await;
    }
    ends.cancel();
    for source in started.tasks {
        source.await.map_err(broken)?;
    }
    outbox.drain().await?;
    screen.show_new().await?;
    drop((screen, outbox, started.catch_up));
    writer.await.map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> PreviewError {
    PreviewError::Broken(error.to_string())
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> PreviewError {
    let path = path.to_owned();
    move |source| PreviewError::Io { path, source }
}

/// A folder that goes with the preview.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, PreviewError> {
        let name = hex::encode(SecretKey::generate()?.public_bytes());
        let path = std::env::temp_dir().join(format!("edge-agent-preview-{name:.16}"));
        make_state_directory(&path.join("state"))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the preview's folder stays");
        }
    }
}

/// An outbox of nobody: whatever the configuration says is allowed.
fn opening(
    config: &Config,
    state: PathBuf,
    clock: &Arc<dyn Clock>,
) -> Result<Opening, PreviewError> {
    let key = SecretKey::generate()?;
    let slug = |text: &str| text.parse::<Slug>().map_err(broken);
    let device = DeviceAddress {
        organisation: slug("preview")?,
        device: slug("preview")?,
    };
    let policy = Policy {
        log: Hash::ZERO,
        origin: "preview.invalid/preview".parse().map_err(broken)?,
        log_key: key.public(),
        witnesses: Vec::new(),
        quorum: 1,
        registrars: Vec::new(),
        prev: None,
        time: Instant::from_seconds(0),
    };
    let record = Record {
        log: Hash::ZERO,
        version: 1,
        organisation: device.organisation.clone(),
        device: Some(device.device.clone()),
        key: key.public(),
        role: Role::Capture,
        places: Vec::new(),
        steps: Vec::new(),
        sources: Vec::new(),
        heartbeat: 0,
        state: State::Active,
        prev: Hash::ZERO,
        consent: None,
    };
    let broker: BrokerAddress = "mqtt://preview.invalid:1".parse().map_err(broken)?;
    Ok(Opening {
        state,
        trust: Trust {
            log: Hash::ZERO,
            device,
            record,
            receipt_key: key.public(),
            policies: Followed::only(policy),
            broker,
            former: Vec::new(),
            former_receipt_keys: Vec::new(),
        },
        key: Arc::new(key),
        clock: clock.clone(),
        clock_state: crate::clock::fixed(config.device.clock.stated()),
        rules: rules(config),
        time_zone_minutes: config.device.time_zone_minutes,
        pages_max: None,
        paced: false,
        bytes_max: None,
        known: None,
    })
}

/// Bad lines go to the scratch folder; pipes are not read.
fn set_aside(config: &mut Config, scratch: &Path, show: &mut (dyn FnMut(Shown) + Send)) {
    config.sources.retain(|source| {
        let lines = match source {
            SourceConfig::Lines(lines) => lines,
            SourceConfig::Scanner(ScannerConfig {
                input: ScannerInput::Given { .. },
                ..
            }) => return true,
            SourceConfig::Scanner(scanner) => {
                show(Shown::NotRead {
                    path: scanner.path().to_owned(),
                    text: "a scanner's codes would be missing in the running agent; give some on \
                           standard input with --stdin",
                });
                return false;
            }
            // Reading a folder moves its files.
            SourceConfig::Folder(folder) => {
                show(Shown::NotRead {
                    path: folder.folder.clone(),
                    text: "what the preview takes would be missing in the running agent",
                });
                return false;
            }
            SourceConfig::Modbus(_) | SourceConfig::Sysfs(_) | SourceConfig::Gpsd(_) => {
                return true;
            }
        };
        let found = std::fs::metadata(&lines.path);
        let is_pipe = found.is_ok_and(|found| found.file_type().is_fifo());
        if is_pipe {
            show(Shown::NotRead {
                path: lines.path.clone(),
                text: "a pipe's lines would be missing in the running agent; give some on \
                       standard input with --stdin",
            });
        }
        !is_pipe
    });
    for (number, source) in config.sources.iter_mut().enumerate() {
        if let SourceConfig::Lines(lines) = source {
            lines.rejects = scratch.join(format!("rejects-{number}"));
        }
    }
}

/// Puts the input into a file that a source follows; tells when it is over.
fn take_input(
    config: &mut Config,
    scratch: &Path,
    mut input: impl Read + Send + 'static,
) -> Result<oneshot::Receiver<std::io::Result<u64>>, PreviewError> {
    let path = scratch.join(INPUT_FILE);
    follow_input(config, scratch, &path)?;
    let mut file = std::fs::File::create(&path).map_err(io(&path))?;
    let (over, ended) = oneshot::channel();
    // A thread of its own: a terminal may never end, and is not waited for.
    std::thread::spawn(move || {
        let copied = std::io::copy(&mut input, &mut file);
        let copied = copied.and_then(|bytes| file.write_all(b"\n").map(|()| bytes));
        // Whoever waited may have gone.
        let _ = over.send(copied);
    });
    Ok(ended)
}

/// The first source of lines follows the input, else the first scanner.
fn follow_input(config: &mut Config, scratch: &Path, path: &Path) -> Result<(), PreviewError> {
    let lines = config.sources.iter_mut().find_map(|source| match source {
        SourceConfig::Lines(lines) => Some(lines),
        _ => None,
    });
    if let Some(lines) = lines {
        lines.path = path.to_owned();
        return Ok(());
    }
    let scanner = config.sources.iter_mut().find_map(|source| match source {
        SourceConfig::Scanner(scanner) => Some(scanner),
        _ => None,
    });
    let scanner = scanner.ok_or(PreviewError::NoLines)?;
    scanner.input = ScannerInput::Given {
        path: path.to_owned(),
    };
    scanner.rejects = Some(scratch.join("rejects"));
    // The input's codes have no time of a device by which they could be a stutter.
    scanner.repeat = std::time::Duration::ZERO;
    Ok(())
}

async fn is_over(ended: Option<oneshot::Receiver<std::io::Result<u64>>>) {
    match ended {
        Some(ended) => {
            if let Ok(Err(error)) = ended.await {
                tracing::error!(%error, "the input cannot be read");
            }
        }
        None => std::future::pending().await,
    }
}

/// What is in the scan files already has been said by the agent.
async fn begin_at_the_end(config: &Config, outbox: &Outbox) -> Result<(), PreviewError> {
    for source in &config.sources {
        let SourceConfig::Lines(lines) = source else {
            continue;
        };
        if lines.path.ends_with(INPUT_FILE) {
            continue;
        }
        let to = match end_of_file(&lines.path) {
            Ok(to) => to,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io(&lines.path)(error)),
        };
        let batch = ScanBatch {
            path: lines.path.display().to_string(),
            from: ScanPosition::default(),
            to,
            source: lines.source,
            events: Vec::new(),
            bad_lines: 0,
            kept: None,
        };
        outbox.scan(batch).await?;
    }
    Ok(())
}

/// Shows what the outbox has closed.
struct Screen<'a> {
    outbox: Outbox,
    position: i64,
    show: &'a mut (dyn FnMut(Shown) + Send),
}

impl Screen<'_> {
    async fn follow(&mut self) -> Result<(), PreviewError> {
        let mut newest = self.outbox.newest();
        loop {
            let shown = self.position;
            if newest.wait_for(|position| *position > shown).await.is_err() {
                return Ok(());
            }
            self.show_new().await?;
        }
    }

    async fn show_new(&mut self) -> Result<(), PreviewError> {
        loop {
            let page = self.outbox.waiting(self.position, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            for waiting in page {
                self.position = waiting.position;
                self.show_message(&Message::decode(&waiting.message).map_err(broken)?)?;
            }
        }
    }

    fn show_message(&mut self, message: &Message) -> Result<(), PreviewError> {
        if let Some(Note::SensorFault { text, sensor, .. }) = &message.statement.payload.note {
            (self.show)(Shown::Fault {
                sensor: sensor.clone(),
                text: text.clone(),
            });
        }
        for wire in &message.events {
            let event = serde_json::from_slice(wire.event.bytes()).map_err(broken)?;
            let source = wire.source.word();
            (self.show)(Shown::Event { source, event });
        }
        Ok(())
    }
}
