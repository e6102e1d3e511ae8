//! A place with a device, a broker with the platform's side behind it, and a clock that only the test
//! moves.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use edge_agent::{Config, Handle, Status};
use schemas::time::{Clock, Instant, Sleep};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Faults};
use crate::platform::Platform;
use crate::world::{PLACE, SENSOR, World};

pub const START: i64 = 1_795_000_021;
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A clock that only the test moves.
pub struct TestClock(watch::Sender<Instant>);

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(watch::channel(Instant::from_seconds(START)).0))
    }

    pub fn advance(&self, seconds: u64) {
        self.0
            .send_modify(|now| *now = *now + Duration::from_secs(seconds));
    }

    /// Somebody sets it, forward or back.
    pub fn set(&self, seconds: i64) {
        self.0.send_replace(Instant::from_seconds(seconds));
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        *self.0.borrow()
    }

    fn sleep_until(&self, at: Instant) -> Sleep<'_> {
        let mut time = self.0.subscribe();
        Box::pin(async move {
            if time.wait_for(|now| *now >= at).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

pub struct Site {
    pub folder: tempfile::TempDir,
    pub broker: Broker,
    pub clock: Arc<TestClock>,
    pub sources: String,
    /// Lines of `[uplink]`.
    pub uplink: String,
}

impl Site {
    pub async fn new(world: World, faults: Faults) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let state = folder.path().join("state");
        let device = edge_agent::identity::load_or_make(&state, Default::default()).expect("key");
        let platform = Platform::new(world, device.public());
        let broker = Broker::start(platform, faults).await;
        let state = folder.path().join("state");
        broker.with(|shared| shared.platform.world.enrol(&state, &broker.url()));
        Self {
            folder,
            broker,
            clock: TestClock::new(),
            sources: String::new(),
            uplink: String::new(),
        }
    }

    pub fn scans(&self) -> PathBuf {
        self.folder.path().join("scans.jsonl")
    }

    pub fn add_scan(&mut self) {
        let path = self.scans();
        self.sources += &format!(
            "[[source]]\ntype = \"scan\"\npath = \"{}\"\nplace = \"{PLACE}\"\npoll_ms = 20\n",
            path.display()
        );
    }

    pub fn add_modbus(&mut self, address: std::net::SocketAddr, more: &str) {
        self.sources += &format!(
            "[[source]]\ntype = \"modbus\"\naddress = \"{address}\"\ninterval_s = 60\n\
             sensor = \"{SENSOR}\"\nmeasurement = \"Temperature\"\nuom = \"CEL\"\n\
             alarm_max = 8.0\nplace = \"{PLACE}\"\n{more}\n"
        );
    }

    pub fn config(&self) -> Config {
        let state = self.folder.path().join("state");
        let text = format!(
            "state = \"{}\"\n[uplink]\nback_off_min_ms = 5\nback_off_max_ms = 20\n\
             receipt_timeout_ms = 300\n{}{}",
            state.display(),
            self.uplink,
            self.sources
        );
        Config::parse("test.toml", &text).expect("config")
    }

    pub async fn start(&self) -> (Handle, CancellationToken) {
        let shutdown = CancellationToken::new();
        let run = edge_agent::run(self.config(), self.clock.clone(), shutdown.clone());
        (run.await.expect("running"), shutdown)
    }

    pub fn append(&self, lines: &[&str]) {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.scans())
            .expect("scan file");
        for line in lines {
            writeln!(file, "{line}").expect("written");
        }
    }
}

pub async fn until(handle: &Handle, what: impl FnMut(&Status) -> bool) -> Status {
    let mut status = handle.status();
    let waiting = tokio::time::timeout(DEADLINE, status.wait_for(what)).await;
    waiting
        .unwrap_or_else(|_| panic!("too late: {:?}", handle.snapshot()))
        .expect("open")
        .clone()
}

pub async fn taken_over(handle: &Handle) {
    let waiting = tokio::time::timeout(DEADLINE, handle.taken_over()).await;
    assert!(waiting.unwrap_or_else(|_| panic!("too late: {:?}", handle.snapshot())));
}

pub async fn stop(handle: Handle, shutdown: CancellationToken) {
    shutdown.cancel();
    tokio::time::timeout(DEADLINE, handle.join())
        .await
        .expect("in time")
        .expect("no panic");
}

pub fn storing(serial: u32) -> String {
    format!(r#"{{"step":"storing","items":["(01)09521001000017(21)S{serial}"]}}"#)
}
