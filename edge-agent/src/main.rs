//! `edge-agent`: the gateway program. Everything it does is in the library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use edge_agent::arguments::{self, Asked, Command};
use edge_agent::clock::ThisMachine;
use edge_agent::config::TEMPLATE;
use edge_agent::led::Light;
use edge_agent::outbox::{self, OutboxError};
use edge_agent::page::Page;
use edge_agent::state::states;
use edge_agent::systemd::Notify;
use edge_agent::trust::Enrolment;
use edge_agent::{Config, Handle, RunError, SystemClock, doctor, enrol, telemetry};
use schemas::ids::Slug;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::Targets;

/// The heap of the package (see the feature `packaged`).
#[cfg(feature = "packaged")]
#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// How often systemd is told that the agent is starting still.
const START_LOOK: Duration = Duration::from_secs(10);
/// A start that takes longer is no start.
const START_MAX: Duration = Duration::from_secs(3_600);
/// The end may take this long; what is not stored by then was not taken over from its source either.
const STOP_MAX: Duration = Duration::from_secs(20);
/// Of it, how long receipts are waited for while there is a connection.
const RECEIPTS_MAX: Duration = Duration::from_secs(3);

/// Exit code where the words on the command line ask for nothing that there is.
const WRONG_WORDS: u8 = 2;

fn main() -> ExitCode {
    let command = match arguments::read(std::env::args_os().skip(1)) {
        Ok(Asked::Command(command)) => command,
        Ok(Asked::Text(text)) => return print(&text),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(WRONG_WORDS);
        }
    };
    match runtime().and_then(|runtime| runtime.block_on(execute(command))) {
        Ok(code) => code,
        Err(error) => {
            // One line with its causes: a person reads this, not a debugger.
            eprintln!("edge-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// For somebody who may read the beginning only.
fn print(text: &str) -> ExitCode {
    use std::io::Write;
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn runtime() -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().context("no runtime")
}

async fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run { config } => run(&config).await?,
        Command::Enrol {
            claim,
            config,
            name,
        } => enrol_device(&claim, &config, name).await?,
        Command::Rotate { claim, config } => match claim {
            Some(claim) => rotate(&claim, &config).await?,
            None => cancel_rotation(&config)?,
        },
        Command::Init { config } => init(&config)?,
        Command::Preview {
            config,
            stdin,
            seconds,
            json,
        } => preview(&config, stdin, seconds, json).await?,
        Command::Audit { config, json } => audit(&config, json).await?,
        Command::Doctor { config, json } => return Ok(look(&config, json).await),
    }
    Ok(ExitCode::SUCCESS)
}

fn load(path: &Path) -> Result<Config> {
    let config = Config::load_with(path, std::env::vars())?;
    let asked = std::env::var("RUST_LOG").ok();
    let asked = asked.and_then(|text| text.parse::<Targets>().ok());
    let filter = match asked {
        Some(filter) => filter,
        None => config.log_level.parse().context("log level")?,
    };
    telemetry::begin(filter);
    Ok(config)
}

async fn run(path: &Path) -> Result<()> {
    let config = load(path)?;
    // First of all: who is asked to end while it starts ends like everybody.
    let mut asked = EndAsked::listen()?;
    let notify = Notify::from_environment();
    let (page, led) = (config.page, config.led.clone());
    let shutdown = CancellationToken::new();
    let machine = Arc::new(ThisMachine::default());
    let starting = edge_agent::run_on_device(config, machine, shutdown.clone());
    let starting = patiently(starting, &notify);
    let handle = tokio::select! {
        started = starting => started?,
        // What it was doing is done again by the next start, as after a power cut.
        () = asked.received() => {
            tracing::info!("asked to end before it ran");
            return Ok(());
        }
    };
    tracing::info!(device = %handle.device(), version = env!("CARGO_PKG_VERSION"), "running");
    let beside = CancellationToken::new();
    let mut shown = JoinSet::new();
    if let Some(address) = page {
        show_page(&handle, address, &beside, &mut shown).await;
    }
    if let Some(folder) = led {
        show_light(&handle, folder, &beside, &mut shown);
    }
    notify.ready(sentence(&handle));
    tell_until_stopped(&handle, &notify, &mut asked).await?;
    notify.stopping(STOP_MAX);
    tracing::info!("stopping: what is open is closed and stored");
    let ended = tokio::time::timeout(STOP_MAX, handle.stop(&shutdown, RECEIPTS_MAX)).await;
    beside.cancel();
    while shown.join_next().await.is_some() {}
    let left =
        ended.context("the agent did not end in time; what it had taken over is stored")??;
    tracing::info!(
        bodies_waiting = left.bodies_waiting,
        inclusions_waiting = left.inclusions_waiting,
        "stopped"
    );
    Ok(())
}

/// Keeps systemd waiting while the agent starts: a damaged outbox of a gigabyte is saved for minutes.
async fn patiently<T>(starting: impl Future<Output = T>, notify: &Notify) -> T {
    let mut starting = std::pin::pin!(starting);
    let begun = tokio::time::Instant::now();
    loop {
        match tokio::time::timeout(START_LOOK, &mut starting).await {
            Ok(started) => return started,
            Err(_) if begun.elapsed() < START_MAX => notify.starting(START_LOOK * 3),
            Err(_) => {}
        }
    }
}

/// The page is a comfort: an address that is taken is said and no reason not to run.
async fn show_page(
    handle: &Handle,
    address: std::net::SocketAddr,
    beside: &CancellationToken,
    shown: &mut JoinSet<()>,
) {
    let page = Page {
        device: handle.device().clone(),
        status: handle.status(),
        sources: handle.sources(),
        clock: handle.clock(),
    };
    match Page::bind(address).await {
        Ok(listener) => {
            tracing::info!(%address, "the status page answers");
            shown.spawn(page.run(listener, beside.clone()));
        }
        Err(error) => tracing::error!(%address, %error, "there is no status page"),
    }
}

fn show_light(
    handle: &Handle,
    folder: PathBuf,
    beside: &CancellationToken,
    shown: &mut JoinSet<()>,
) {
    let (status, beside) = (handle.status(), beside.clone());
    shown.spawn(async move {
        let shown = match Light::open(folder.clone()) {
            Ok(light) => light.run(status, beside).await,
            Err(error) => Err(error),
        };
        if let Err(error) = shown {
            tracing::warn!(folder = %folder.display(), %error, "the light shows nothing");
        }
    });
}

fn sentence(handle: &Handle) -> &'static str {
    // As the page has it: what systemd is told must not be ahead of what can be read.
    let states = states(&handle.status().borrow());
    states.first().map_or("", |state| state.sentence().en)
}

/// Tells systemd how it goes, and feeds its watchdog only while the outbox answers.
async fn tell_until_stopped(handle: &Handle, notify: &Notify, asked: &mut EndAsked) -> Result<()> {
    let mut status = handle.status();
    let every = notify.watchdog().unwrap_or(Duration::from_secs(3_600));
    let mut tick = tokio::time::interval(every);
    let mut said = "";
    loop {
        tokio::select! {
            () = asked.received() => return Ok(()),
            _ = tick.tick() => if handle.is_alive().await { notify.alive() },
            changed = status.changed() => {
                if changed.is_err() {
                    bail!("the agent has ended by itself");
                }
                let now = sentence(handle);
                if std::mem::replace(&mut said, now) != now {
                    notify.status(now);
                }
            }
        }
    }
}

/// SIGTERM and SIGINT, from the moment on in which somebody listens.
struct EndAsked {
    terminate: Signal,
    interrupt: Signal,
}

impl EndAsked {
    fn listen() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn enrol_device(claim: &str, path: &Path, name: Option<Slug>) -> Result<()> {
    let config = load(path)?;
    let claim = enrol::read_claim(claim)?;
    let name = name
        .or(config.device.name)
        .context("no name: give --name or set device.name")?;
    let tell = |stage: &str| println!("{stage}");
    tokio::select! {
        enrolled = enrol::enrol_as(&config.state, &name, config.device.key, &claim, tell) => {
            enrolled?;
        }
        () = interrupted() => bail!("interrupted; run it again with the same claim to go on"),
    }
    Ok(())
}

/// Leaves the wish for the agent, or is the agent until it is fulfilled.
async fn rotate(claim: &str, path: &Path) -> Result<()> {
    let config = load(path)?;
    let claim = enrol::read_claim(claim)?;
    let state = config.state.clone();
    let next = enrol::rotate::ask(&state, &claim, config.device.key)?;
    println!("next key {next}");
    let shutdown = CancellationToken::new();
    let machine = Arc::new(ThisMachine::default());
    let running = match edge_agent::run_on_device(config, machine, shutdown.clone()).await {
        Ok(handle) => Some(handle),
        Err(RunError::Outbox(OutboxError::Locked(_))) => None,
        Err(error) => return Err(error.into()),
    };
    println!("waiting for the organisation, which must see the same key");
    let ended = tokio::select! {
        ended = enrol::rotate::followed(&state, &next) => ended.map_err(Into::into),
        () = interrupted() => Err(anyhow::anyhow!("interrupted; the agent goes on with it")),
    };
    shutdown.cancel();
    if let Some(handle) = running {
        handle.join().await?;
    }
    ended?;
    println!("the next key is in force");
    Ok(())
}

/// Leaves the word for the agent, which ends the rotation within a second of running.
fn cancel_rotation(path: &Path) -> Result<()> {
    let config = load(path)?;
    if !enrol::rotate::cancel(&config.state)? {
        bail!("no change of the key is under way");
    }
    println!("the agent goes on with the present key; have the organisation refuse the claim too");
    Ok(())
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn init(path: &Path) -> Result<()> {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| format!("{} is not written", path.display()))?;
    file.write_all(TEMPLATE.as_bytes())?;
    println!("wrote {}", path.display());
    Ok(())
}

async fn preview(path: &Path, stdin: bool, seconds: Option<u64>, json: bool) -> Result<()> {
    use std::io::Write;
    let config = load(path)?;
    let shutdown = CancellationToken::new();
    let ended = shutdown.clone();
    let mut asked = EndAsked::listen()?;
    tokio::spawn(async move {
        let time = async {
            match seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = asked.received() => {}
            () = time => {}
        }
        ended.cancel();
    });
    let gone = shutdown.clone();
    let mut show = move |shown: edge_agent::preview::Shown| {
        let text = if json {
            serde_json::to_string(&shown).unwrap_or_default()
        } else {
            shown.text()
        };
        // Nobody reads any more: the preview is over.
        if writeln!(std::io::stdout(), "{text}").is_err() {
            gone.cancel();
        }
    };
    let input = stdin.then(std::io::stdin);
    let clock = Arc::new(SystemClock);
    edge_agent::preview::preview(config, clock, input, shutdown, &mut show).await?;
    Ok(())
}

async fn audit(path: &Path, json: bool) -> Result<()> {
    let config = load(path)?;
    edge_agent::identity::load(&config.state)?.context("no device key")?;
    let enrolment = Enrolment::load(&config.state)?.context("not enrolled")?;
    let trust = enrolment.trust_by_itself()?;
    let audit = outbox::audit::audit(&config.state, &trust).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&audit)?);
    } else {
        println!(
            "{} statements, {} notes, {} events, {} receipts verified",
            audit.statements, audit.notes, audit.events, audit.receipts
        );
        for problem in &audit.problems {
            println!("problem: {problem}");
        }
    }
    if audit.problems.is_empty() {
        Ok(())
    } else {
        bail!("{} problems", audit.problems.len())
    }
}

/// A configuration that cannot be read is the first thing that a doctor finds.
async fn look(path: &Path, json: bool) -> ExitCode {
    let report = match Config::load_with(path, std::env::vars()) {
        Ok(config) => doctor::examine(&config, Arc::new(ThisMachine::default())).await,
        Err(error) => doctor::Report::unreadable(&error),
    };
    if json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    ExitCode::from(report.code())
}
