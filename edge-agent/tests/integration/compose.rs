//! Rules in the running agent: windows, excursions, packings and recipes through kills and stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use edge_agent::compose::desk::Desk;
use edge_agent::compose::sensor::Reading;
use edge_agent::config::{
    Ending, ExcursionRule, Figure, ScanKind, ScanRule, SensorRule, Telemetry, WindowRule,
};
use edge_agent::outbox::{Outbox, ScanBatch, ScanPosition};
use schemas::event::Source;
use schemas::time::{Clock, Instant, Sleep};
use serde_json::Value;

use crate::bench::{Bench, close, kill, rule};
use crate::world::PLACE;

/// A full hour.
const START: i64 = 1_599_998_400;

/// A clock that only the test moves.
struct Hand(AtomicI64);

impl Hand {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(START)))
    }
}

impl Clock for Hand {
    fn now(&self) -> Instant {
        Instant::from_seconds(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::pending())
    }
}

fn windowed() -> SensorRule {
    SensorRule {
        interval: Some(Duration::from_secs(60)),
        telemetry: Telemetry::Window(WindowRule {
            length: Duration::from_secs(600),
            figures: vec![Figure::Mean, Figure::Min, Figure::Max],
        }),
        excursion: Some(ExcursionRule {
            begin_after: 1,
            end_after: 1,
        }),
        ..rule(1)
    }
}

async fn read(outbox: &Outbox, minute: i64, value: f64) {
    let reading = Reading {
        time: Instant::from_seconds(START + minute * 60),
        value: Some(value),
        suspect: false,
    };
    let stored = outbox.reading(&windowed().series(), reading).await;
    stored.expect("stored");
}

/// A cold store that warms up in the second window and cools down in the third.
fn value(minute: i64) -> f64 {
    match minute {
        14..=22 => 9.0 + f64::from(u8::try_from(minute).expect("minute") % 3),
        _ => 4.0,
    }
}

async fn story(restarts: impl Fn(i64) -> bool) -> Vec<Value> {
    let mut bench = Bench::new();
    bench.opening.rules = vec![windowed()];
    bench.opening.clock = Hand::new();
    let mut open = bench.open().await;
    for minute in 0..35 {
        if restarts(minute) {
            kill(open).await;
            open = bench.open().await;
        }
        read(&open.0, minute, value(minute)).await;
    }
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    bench.platform.check_chain();
    close(open).await;
    assert_eq!(bench.audit().await.problems, Vec::<String>::new());
    bench.platform.events()
}

#[tokio::test]
async fn windows_and_excursions_survive_kills_and_come_out_the_same() {
    let whole = story(|_| false).await;
    let report = |event: &Value| event["sensorElementList"][0]["sensorReport"][0].clone();
    let counts: Vec<u64> = whole
        .iter()
        .map(|event| report(event)["tb:readings"].as_u64().unwrap_or(1))
        .collect();
    // Minutes 0-9; 10-13; the one reading that begins it; the excursion 14-22; 15-19; 20-29.
    assert_eq!(counts, [10, 4, 1, 5, 9, 10]);
    let excursion = report(&whole[4]);
    assert_eq!(
        (&excursion["tb:excursion"], &excursion["maxValue"]),
        (&"end".into(), &11.0.into())
    );
    assert_eq!(excursion["tb:durationSeconds"], 540.0);
    assert_eq!(story(|_| true).await, whole);
    assert_eq!(story(|minute| minute % 7 == 3).await, whole);
}

#[tokio::test]
async fn a_window_of_a_sensor_that_fell_silent_is_told_when_its_time_is_over() {
    let mut bench = Bench::new();
    bench.opening.rules = vec![windowed()];
    let clock = Hand::new();
    bench.opening.clock = clock.clone();
    let open = bench.open().await;
    read(&open.0, 0, 4.0).await;
    // The window's end and what readings on their way are given.
    clock.0.fetch_add(600 + 30, Ordering::SeqCst);
    let mut status = open.0.status();
    let told = status.wait_for(|status| status.events_made == 1);
    tokio::time::timeout(Duration::from_secs(20), told)
        .await
        .expect("in time")
        .expect("open");
    close(open).await;
}

#[tokio::test]
async fn stopping_does_not_cut_a_window() {
    let mut bench = Bench::new();
    bench.opening.rules = vec![windowed()];
    bench.opening.clock = Hand::new();
    let open = bench.open().await;
    for minute in 0..5 {
        read(&open.0, minute, 4.0).await;
    }
    open.0.drain().await.expect("drained");
    close(open).await;
    let open = bench.open().await;
    for minute in 5..11 {
        read(&open.0, minute, 4.0).await;
    }
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    let events = bench.platform.events();
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0]["sensorElementList"][0]["sensorReport"][0]["tb:readings"],
        10
    );
    close(open).await;
}

#[tokio::test]
async fn another_count_of_time_cuts_windows_and_begins_them_anew() {
    let mut bench = Bench::new();
    bench.opening.rules = vec![windowed()];
    bench.opening.clock = Hand::new();
    let open = bench.open().await;
    // Two windows are told, and the third is open; then the time becomes known, and is earlier.
    for minute in 20..45 {
        read(&open.0, minute, 4.0).await;
    }
    open.0.end_count_of_time().await.expect("ended");
    let status = open.0.status().borrow().clone();
    assert_eq!((status.events_made, status.held.as_str()), (3, ""));
    bench.collect(&open.0).await;
    assert_eq!(bench.platform.events().len(), 3, "all of it is signed");
    for minute in 5..11 {
        read(&open.0, minute, 4.0).await;
    }
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    let counts: Vec<Value> = bench.platform.events().iter().map(readings_of).collect();
    assert_eq!(counts, [10, 10, 5, 5]);
    close(open).await;
}

fn readings_of(event: &Value) -> Value {
    event["sensorElementList"][0]["sensorReport"][0]["tb:readings"].clone()
}

fn packing() -> ScanRule {
    ScanRule {
        name: "pack".to_owned(),
        select: None,
        step: "packing".to_owned(),
        disposition: None,
        place: PLACE.to_owned(),
        biz_location: None,
        presence: None,
        transaction: None,
        parties: Vec::new(),
        kind: ScanKind::Packing {
            unpacks: false,
            ending: Ending {
                count: Some(3),
                ..Ending::default()
            },
        },
    }
}

/// One code as the source of a scan file hands it over.
async fn scan(outbox: &Outbox, code: &str, second: i64) {
    let from = outbox.scan_position("/scans").expect("position");
    let before = outbox.kept_codes("/scans").await.expect("kept");
    let mut desk = Desk::new(vec![packing()], 0);
    assert!(desk.restore(before.clone()).events.is_empty());
    let taken = desk.take(from.line + 1, code, Instant::from_seconds(START + second));
    assert_eq!(taken.refused, []);
    let to = ScanPosition {
        offset: from.offset + code.len() as u64 + 1,
        line: from.line + 1,
        ..from.clone()
    };
    let batch = ScanBatch {
        path: "/scans".to_owned(),
        from,
        to,
        source: Source::Scan,
        events: taken.events,
        bad_lines: 0,
        kept: desk.changes(&before),
    };
    outbox.scan(batch).await.expect("stored");
}

/// A commit can last although its answer was a failure: the source hands the same over again.
#[tokio::test]
async fn a_case_that_timed_out_is_one_event_however_often_it_is_handed_over() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    scan(&open.0, "(00)095210010000000017", 0).await;
    scan(&open.0, "(01)09521001000017(21)C1", 1).await;
    let at = open.0.scan_position("/scans").expect("position");
    let before = open.0.kept_codes("/scans").await.expect("kept");
    let mut rule = packing();
    let ending = Ending {
        timeout: Some(Duration::from_secs(60)),
        ..Ending::default()
    };
    rule.kind = ScanKind::Packing {
        unpacks: false,
        ending,
    };
    let mut desk = Desk::new(vec![rule], 0);
    desk.restore(before.clone());
    let expired = desk.expire(Instant::from_seconds(START + 100));
    for _ in 0..2 {
        let batch = ScanBatch {
            path: "/scans".to_owned(),
            from: at.clone(),
            to: at.clone(),
            source: Source::Scan,
            events: expired.events.clone(),
            bad_lines: 0,
            kept: desk.changes(&before),
        };
        open.0.scan(batch).await.expect("stored");
    }
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    assert_eq!(bench.platform.events().len(), 1);
    assert!(open.0.kept_codes("/scans").await.expect("kept").is_empty());
    close(open).await;
}

#[tokio::test]
async fn a_half_packed_case_survives_a_kill_at_every_code() {
    let mut bench = Bench::new();
    let mut open = bench.open().await;
    for case in 0..4 {
        let mut codes = vec![format!("(00)0952100100000{case:04}{}", [0, 7, 4, 1][case])];
        codes.extend((0..3).map(|child| format!("(01)09521001000017(21)C{case}N{child}")));
        for (index, code) in codes.iter().enumerate() {
            scan(&open.0, code, (case * 4 + index) as i64).await;
            kill(open).await;
            open = bench.open().await;
        }
    }
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    let events = bench.platform.events();
    assert_eq!(events.len(), 4);
    for (case, event) in events.iter().enumerate() {
        let children = event["childEPCs"].as_array().expect("children");
        let expected: Vec<String> = (0..3)
            .map(|child| format!("https://id.gs1.org/01/09521001000017/21/C{case}N{child}"))
            .collect();
        assert_eq!(children, &expected);
    }
    assert!(open.0.kept_codes("/scans").await.expect("kept").is_empty());
    close(open).await;
}
