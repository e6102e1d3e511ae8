//! The outbox is nearly full, and full.

use std::time::Duration;

use edge_agent::outbox::{Outbox, OutboxError, ScanPosition};
use edge_agent::state::{State, states};
use schemas::statement::Note;

use crate::bench::{Bench, close, kill, reading, remark, rule, scan_batch, written_bytes};
use crate::broker::Faults;
use crate::site::{DEADLINE, Site, stop, storing, until};
use crate::world::World;

const MIB: u64 = 1024 * 1024;

/// Readings that come at the same time: they share commits.
async fn read_many(outbox: &Outbox, count: u64) -> u64 {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let outbox = outbox.clone();
        let value = f64::from(u32::try_from(number % 7).expect("small"));
        tasks.spawn(async move { outbox.reading(&rule(1).series(), reading(value)).await });
    }
    let mut refused = 0;
    while let Some(stored) = tasks.join_next().await {
        match stored.expect("joined") {
            Ok(()) => {}
            Err(OutboxError::Full(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    refused
}

fn lines(from: u64, count: u64) -> (ScanPosition, Vec<String>) {
    let position = ScanPosition {
        offset: from * 100,
        line: from,
        ..ScanPosition::default()
    };
    let line = |n| format!(r#"{{"step":"storing","items":["(01)09521001000017(21)S{n}"]}}"#);
    (position, (from..from + count).map(line).collect())
}

async fn scan(outbox: &Outbox, from: u64, count: u64) -> Result<(), OutboxError> {
    let (position, lines) = lines(from, count);
    let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    outbox.scan(scan_batch(&position, &texts)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_readings_are_thinned_with_a_signed_note_and_life_cycle_events_never() {
    let mut bench = Bench::new();
    bench.opening.rules = vec![rule(1)];
    bench.opening.bytes_max = Some(MIB);
    let mut open = bench.open().await;
    let (mut scanned, mut rounds) = (0, 0);
    while open.0.status().borrow().events_thinned < 500 {
        assert_eq!(read_many(&open.0, 128).await, 0, "readings had to wait");
        let stored = scan(&open.0, scanned, 2).await;
        assert!(stored.is_ok(), "{stored:?} {:?}", open.0.status().borrow());
        scanned += 2;
        rounds += 1;
        assert!(rounds < 200, "{:?}", open.0.status().borrow());
        if rounds == 8 {
            kill(open).await;
            open = bench.open().await;
        }
    }
    let status = open.0.status().borrow().clone();
    assert_eq!(status.held, "backlog");
    let made = status.events_made;
    // The platform is there again.
    let mut tries = 0;
    while open.0.status().borrow().bodies_waiting > 0 {
        for statement in bench.collect(&open.0).await {
            let receipt = bench.platform.receipt(&statement, Vec::new());
            open.0.reply(&receipt).await.expect("stored");
        }
        open.0.flush().await.expect("flushed");
        tries += 1;
        assert!(tries < 100, "{:?}", open.0.status().borrow());
    }
    bench.platform.check_chain();
    let events = bench.platform.events();
    let scans = events.iter().filter(|event| event["bizStep"] == "storing");
    assert_eq!(scans.count() as u64, scanned);
    let notes: Vec<u64> = bench
        .platform
        .messages
        .values()
        .filter_map(|message| match &message.statement.payload.note {
            Some(Note::Thinned { dropped, range, .. }) => {
                assert!(range.0 <= range.1);
                Some(*dropped)
            }
            _ => None,
        })
        .collect();
    let dropped: u64 = notes.iter().sum();
    assert_eq!(
        events.len() as u64 + dropped,
        made,
        "every event is told or counted"
    );
    let status = open.0.status().borrow().clone();
    assert_eq!((status.events_thinned, status.held.as_str()), (dropped, ""));
    close(open).await;
    assert_eq!(bench.audit().await.problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_quota_sources_wait_and_nothing_is_forgotten() {
    let mut bench = Bench::new();
    bench.opening.bytes_max = Some(MIB / 2);
    let open = bench.open().await;
    let mut scanned = 0;
    let full = loop {
        match scan(&open.0, scanned, 50).await {
            Ok(()) => scanned += 50,
            Err(error) => break error,
        }
        assert!(scanned < 5_000);
    };
    assert!(matches!(full, OutboxError::Full(_)), "{full}");
    let status = open.0.status().borrow().clone();
    assert!(status.trouble.contains("quota"));
    assert_eq!(status.outbox_quota, Some(MIB / 2));
    let states = states(&status);
    assert!(states.contains(&State::OutboxFull) && states.contains(&State::OutboxFilling));
    // A restart does not forget it.
    close(open).await;
    let open = bench.open().await;
    assert!(scan(&open.0, scanned, 50).await.is_err());
    let deliver = async {
        while open.0.status().borrow().bodies_waiting > 0 {
            for statement in bench.collect(&open.0).await {
                let receipt = bench.platform.receipt(&statement, Vec::new());
                open.0.reply(&receipt).await.expect("stored");
            }
            open.0.flush().await.expect("flushed");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), deliver)
        .await
        .expect("in time");
    assert_eq!(open.0.status().borrow().trouble, "");
    scan(&open.0, scanned, 50).await.expect("there is room");
    open.0.flush().await.expect("flushed");
    bench.collect(&open.0).await;
    assert_eq!(bench.platform.events().len() as u64, scanned + 50);
    bench.platform.check_chain();
    close(open).await;
}

/// A source that a full outbox keeps waiting must not keep the agent from ending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_while_the_outbox_is_full_ends_and_loses_nothing() {
    const LINES: u32 = 2_000;
    let faults = Faults {
        withhold: u64::MAX,
        ..Faults::default()
    };
    let mut site = Site::new(World::new(), faults).await;
    site.add_scan();
    site.uplink = "[outbox]\nmax_mib = 1\n".to_owned();
    let line = |number: u32| {
        let more = format!(
            r#","extra":{{"tb:remark":"{}"}}}}"#,
            remark(u64::from(number), 12)
        );
        storing(number).trim_end_matches('}').to_owned() + &more
    };
    let lines: Vec<String> = (0..LINES).map(line).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    site.append(&lines);
    let (handle, shutdown) = site.start().await;
    until(&handle, |status| {
        status.connected && states(status).contains(&State::OutboxFull)
    })
    .await;
    let stopping = handle.stop(&shutdown, Duration::from_millis(200));
    let left = tokio::time::timeout(DEADLINE, stopping)
        .await
        .expect("in time");
    let left = left.expect("stopped");
    assert!(left.events_made < u64::from(LINES), "it was full");

    site.broker.with(|shared| shared.faults.withhold = 0);
    let (handle, shutdown) = site.start().await;
    until(&handle, |status| {
        status.events_made == u64::from(LINES) && status.bodies_waiting == 0
    })
    .await;
    let events = site.broker.with(|shared| shared.platform.events());
    let items = events.iter().map(|event| event["epcList"][0].to_string());
    let items: std::collections::BTreeSet<String> = items.collect();
    assert_eq!(
        (events.len(), items.len()),
        (LINES as usize, LINES as usize)
    );
    stop(handle, shutdown).await;
}

/// What an SD card has to bear: events of 600 bytes, a hundred a second, each handed over alone,
/// receipts and inclusions as they come. Run by hand:
/// `cargo nextest run -p edge-agent --release --run-ignored only written_per_event --no-capture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of half a minute on a disk that is to be measured"]
async fn written_per_event() {
    const SECONDS: u64 = 23;
    const WARM: u64 = 300;
    let mut bench = Bench::new();
    bench.opening.rules = vec![rule(1)];
    let open = bench.open().await;
    let mut before = 0;
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let (mut answered, mut batch, mut events) = (0, Vec::new(), 0);
    for number in 0..SECONDS * 100 {
        tick.tick().await;
        if number == WARM {
            // What may come at once after a quiet time is over.
            (before, events) = (written_bytes(), 0);
        }
        let item = |part: u64| format!("\"(01)09521001000017(21)S{number}-{part}\"");
        let items = [0, 1, 2, 3].map(item).join(",");
        let line = format!(r#"{{"step":"storing","items":[{items}],"disposition":"active"}}"#);
        let position = ScanPosition {
            offset: number * 100,
            line: number,
            ..ScanPosition::default()
        };
        let outbox = open.0.clone();
        let scan = scan_batch(&position, &[&line]);
        events += scan.events[0].made.event.bytes().len();
        tokio::spawn(async move { outbox.scan(scan).await });
        for waiting in open.0.waiting(answered, 64).await.expect("waiting") {
            answered = waiting.position;
            let statement = bench.platform.take(&waiting.message);
            let receipt = bench.platform.receipt(&statement, Vec::new());
            open.0.reply_soon(&receipt).await.expect("taken");
            batch.push(statement.id());
        }
        if number % 100 == 99 && !batch.is_empty() {
            let inclusion = bench.platform.include(&std::mem::take(&mut batch), 3);
            open.0.reply_soon(&inclusion).await.expect("taken");
        }
    }
    let count = SECONDS * 100 - WARM;
    let written = written_bytes() - before;
    println!(
        "{} bytes written for each event of {} bytes",
        written / count,
        events as u64 / count
    );
    close(open).await;
}
