//! An outbox alone, with a platform to hand its statements to.

use std::path::Path;
use std::sync::Arc;

use edge_agent::SystemClock;
use edge_agent::compose::line::{LineContext, compose};
use edge_agent::compose::sensor::Reading;
use edge_agent::config::{SensorRule, Telemetry};
use edge_agent::outbox::{
    self, DATABASE_FILE, Opening, Outbox, ScanBatch, ScanPosition, audit, body,
};
use schemas::event::Source;
use schemas::statement::{ClockState, Statement};
use schemas::time::Clock;
use sqlx::{Connection, SqliteConnection};
use tokio::task::JoinHandle;

use crate::platform::Platform;
use crate::world::{PLACE, SENSOR, World};

pub fn rule(readings_per_event: usize) -> SensorRule {
    SensorRule {
        sensor: SENSOR.to_owned(),
        measurement: "Temperature".to_owned(),
        uom: "CEL".to_owned(),
        component: None,
        reference_system: None,
        alarm_min: None,
        alarm_max: Some(8.0),
        readings_per_event,
        place: PLACE.to_owned(),
        biz_location: None,
        step: "sensor_reporting".to_owned(),
        assumption: None,
        interval: None,
        telemetry: Telemetry::Batch,
        excursion: None,
    }
}

pub struct Bench {
    _folder: tempfile::TempDir,
    pub opening: Opening,
    pub platform: Platform,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let world = World::new();
        let state = folder.path().join("state");
        let (key, trust) = world.enrol(&state, "mqtt://127.0.0.1:1");
        let public = key.public();
        let opening = Opening {
            state,
            key,
            trust,
            clock: Arc::new(SystemClock),
            clock_state: edge_agent::clock::fixed(ClockState::Synced),
            rules: vec![rule(2)],
            time_zone_minutes: 0,
            pages_max: None,
            paced: true,
            bytes_max: None,
            known: None,
        };
        let platform = Platform::new(world, public);
        Self {
            _folder: folder,
            opening,
            platform,
        }
    }

    pub async fn open(&self) -> (Outbox, JoinHandle<()>) {
        outbox::open(self.opening.clone()).await.expect("open")
    }

    pub fn state(&self) -> &Path {
        &self.opening.state
    }

    /// Takes everything that waits over; the statements.
    pub async fn collect(&mut self, outbox: &Outbox) -> Vec<Statement> {
        let waiting = outbox.waiting(0, 10_000).await.expect("waiting");
        waiting
            .iter()
            .map(|statement| self.platform.take(&statement.message))
            .collect()
    }

    pub async fn audit(&self) -> audit::Audit {
        let audited = audit::audit(self.state(), &self.opening.trust);
        audited.await.expect("audit")
    }
}

pub fn reading(value: f64) -> Reading {
    Reading {
        time: SystemClock.now(),
        value: Some(value),
        suspect: false,
    }
}

pub async fn read(outbox: &Outbox, values: &[f64]) {
    for value in values {
        outbox
            .reading(&rule(2).series(), reading(*value))
            .await
            .expect("stored");
    }
}

pub async fn close((outbox, writer): (Outbox, JoinHandle<()>)) {
    drop(outbox);
    writer.await.expect("writer");
}

/// The writer is cut off without any farewell, as by kill -9: what was not committed is gone.
pub async fn kill((outbox, writer): (Outbox, JoinHandle<()>)) {
    writer.abort();
    let _ = writer.await;
    drop(outbox);
}

/// Bytes that this process has handed to the storage below the page cache.
pub fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").expect("/proc/self/io");
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    line.expect("write_bytes").parse().expect("a number")
}

pub fn scan_batch(from: &ScanPosition, texts: &[&str]) -> ScanBatch {
    let context = LineContext {
        place: PLACE,
        biz_location: None,
        time_zone_minutes: 0,
        now: SystemClock.now(),
    };
    let events = texts
        .iter()
        .map(|text| compose(text.as_bytes(), context).expect("line"))
        .collect();
    let mut to = from.clone();
    to.offset += 100 * texts.len() as u64;
    to.line += texts.len() as u64;
    ScanBatch {
        path: "/scans".to_owned(),
        from: from.clone(),
        to,
        source: Source::Scan,
        events,
        bad_lines: 0,
        kept: None,
    }
}

/// Text of so many hashes, which no packing makes shorter.
pub fn remark(number: u64, hashes: u64) -> String {
    let hash = |part: u64| schemas::hash::sha256(format!("{number} {part}").as_bytes());
    (0..hashes).map(|part| hash(part).to_string()).collect()
}

/// Bodies of stored events, as `change` makes them of what they are; how many became others.
pub async fn change_bodies(state: &Path, change: impl Fn(Vec<u8>) -> Vec<u8>) -> u64 {
    let url = format!("sqlite://{}", state.join(DATABASE_FILE).display());
    let mut db = SqliteConnection::connect(&url).await.expect("open");
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT number, bytes FROM events")
        .fetch_all(&mut db)
        .await
        .expect("rows");
    let mut changed = 0;
    for (number, stored) in rows {
        let other = change(stored.clone());
        changed += u64::from(other != stored);
        sqlx::query("UPDATE events SET bytes = $2 WHERE number = $1")
            .bind(number)
            .bind(other)
            .execute(&mut db)
            .await
            .expect("changed");
    }
    db.close().await.expect("closed");
    changed
}

/// A stored body in which one word is another.
pub fn with_word(stored: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let event = String::from_utf8(body::unpack(stored).expect("a body")).expect("text");
    body::pack(event.replace(from, to).as_bytes())
}
