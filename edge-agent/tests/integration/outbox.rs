//! The outbox: durable, chained, forgetting only what it may.

use std::time::Duration;

use edge_agent::SystemClock;
use edge_agent::outbox::{self, Outbox, OutboxError, ScanPosition};
use schemas::statement::Note;
use schemas::time::{Clock, Instant};

use crate::bench::{Bench, change_bodies, close, kill, read, rule, scan_batch, with_word};

#[tokio::test]
async fn readings_survive_a_kill_and_become_one_event_each_two() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0, 9.0]).await;
    kill(open).await;
    let open = bench.open().await;
    read(&open.0, &[4.0]).await;
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    let events = bench.platform.events();
    assert_eq!(events.len(), 2);
    assert_eq!(
        events[1]["sensorElementList"][0]["sensorReport"][0]["value"],
        9.0
    );
    bench.platform.check_chain();
    let status = open.0.status().borrow().clone();
    assert_eq!(
        (
            status.readings,
            status.events_made,
            status.readings_beyond_limits
        ),
        (4, 2, 1)
    );
    close(open).await;
    assert_eq!(bench.audit().await.problems, Vec::<String>::new());
}

#[tokio::test]
async fn statements_close_at_64_events_and_are_kept_byte_for_byte() {
    let mut bench = Bench::new();
    bench.opening.rules = vec![rule(1)];
    let open = bench.open().await;
    read(&open.0, &[5.0; 130]).await;
    open.0.flush().await.expect("flush");
    let first = open.0.waiting(0, 100).await.expect("waiting");
    let counts: u64 = bench
        .collect(&open.0)
        .await
        .iter()
        .map(|s| s.payload.count)
        .sum();
    assert_eq!(counts, 130);
    assert!(
        bench
            .platform
            .messages
            .values()
            .all(|message| message.events.len() <= 64)
    );
    kill(open).await;
    let open = bench.open().await;
    let again = open.0.waiting(0, 100).await.expect("waiting");
    let bytes =
        |list: &[outbox::Waiting]| list.iter().map(|w| w.message.clone()).collect::<Vec<_>>();
    assert_eq!(bytes(&first), bytes(&again));
    close(open).await;
}

#[tokio::test]
async fn statements_close_before_48_kib_of_events() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    let filler = "x".repeat(11_000);
    let line = format!(
        r#"{{"step":"storing","items":["(01)09521001000017(21)S1"],"extra":{{"tb:remark":"{filler}"}}}}"#
    );
    let batch = scan_batch(&ScanPosition::default(), &[line.as_str(); 10]);
    open.0.scan(batch).await.expect("stored");
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    let sizes: Vec<usize> = bench
        .platform
        .messages
        .values()
        .map(|message| {
            message
                .events
                .iter()
                .map(|event| event.event.bytes().len())
                .sum()
        })
        .collect();
    assert_eq!(sizes.len(), 3);
    assert!(
        sizes
            .iter()
            .all(|size| *size <= schemas::statement::CLOSE_BYTES),
        "{sizes:?}"
    );
    close(open).await;
}

#[tokio::test]
async fn an_open_statement_closes_by_itself() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0]).await;
    let mut newest = open.0.newest();
    let closed = newest.wait_for(|position| *position > 0);
    tokio::time::timeout(Duration::from_secs(10), closed)
        .await
        .expect("in time")
        .expect("open");
    assert_eq!(bench.collect(&open.0).await.len(), 1);
    close(open).await;
}

#[tokio::test]
async fn bodies_go_on_the_receipt_and_statements_on_the_verified_inclusion() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0]).await;
    open.0.flush().await.expect("flush");
    let statement = bench.collect(&open.0).await.remove(0);
    let status = |outbox: &Outbox| outbox.status().borrow().clone();

    let refusal = vec![(0, 0, "place-not-allowed".to_owned())];
    let receipt = bench.platform.receipt(&statement, refusal);
    let mut forged = receipt.clone();
    *forged.last_mut().expect("byte") ^= 1;
    open.0.reply(&forged).await.expect("stored");
    let forgery = status(&open.0);
    assert_eq!((forgery.bodies_waiting, forgery.alarms), (1, 1));
    assert_eq!(forgery.unverified, 1);

    for _ in 0..2 {
        open.0.reply(&receipt).await.expect("stored");
    }
    let after = status(&open.0);
    assert_eq!(
        (
            after.bodies_waiting,
            after.receipts_waiting,
            after.inclusions_waiting
        ),
        (0, 0, 1)
    );
    assert_eq!(after.events_refused, 1);
    assert!(open.0.waiting(0, 10).await.expect("waiting").is_empty());

    let unwitnessed = bench.platform.include(&[statement.id()], 2);
    open.0.reply(&unwitnessed).await.expect("stored");
    assert_eq!(
        (status(&open.0).inclusions_waiting, status(&open.0).alarms),
        (1, 2)
    );
    let included = bench.platform.include(&[statement.id()], 3);
    open.0.reply(&included).await.expect("stored");
    assert!(status(&open.0).is_drained());
    assert_eq!(status(&open.0).seen_size, Some(3));

    // The next statement says what the device has seen, and the chain goes on.
    read(&open.0, &[1.0, 2.0]).await;
    open.0.flush().await.expect("flush");
    let next = bench.collect(&open.0).await.remove(0);
    assert_eq!(next.payload.seen.map(|(size, _)| size), Some(3));
    bench.platform.check_chain();
    close(open).await;
    assert_eq!(bench.audit().await.problems, Vec::<String>::new());
}

#[tokio::test]
async fn an_inclusion_before_its_receipt_keeps_the_bodies() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0]).await;
    open.0.flush().await.expect("flush");
    let statement = bench.collect(&open.0).await.remove(0);
    let included = bench.platform.include(&[statement.id()], 4);
    open.0.reply(&included).await.expect("stored");
    assert_eq!(open.0.status().borrow().bodies_waiting, 1);
    assert_eq!(open.0.waiting(0, 10).await.expect("waiting").len(), 1);
    let receipt = bench.platform.receipt(&statement, Vec::new());
    open.0.reply(&receipt).await.expect("stored");
    assert!(open.0.status().borrow().is_drained());
    close(open).await;
}

#[tokio::test]
async fn a_missed_anchor_deadline_is_an_alarm_until_the_inclusion() {
    let mut bench = Bench::new();
    bench.platform.deadline = Instant::from_seconds(1);
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0]).await;
    open.0.flush().await.expect("flush");
    let statement = bench.collect(&open.0).await.remove(0);
    let receipt = bench.platform.receipt(&statement, Vec::new());
    open.0.reply(&receipt).await.expect("stored");
    let mut status = open.0.status();
    let alarmed = status.wait_for(|status| status.alarms == 1);
    drop(
        tokio::time::timeout(Duration::from_secs(10), alarmed)
            .await
            .expect("in time"),
    );
    let included = bench.platform.include(&[statement.id()], 3);
    open.0.reply(&included).await.expect("stored");
    assert_eq!(open.0.status().borrow().alarms, 0);
    close(open).await;
}

#[tokio::test]
async fn a_repeated_batch_of_lines_counts_once() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    let line = r#"{"step":"storing","items":["(01)09521001000017(21)S1"]}"#;
    let from = ScanPosition::default();
    for _ in 0..2 {
        open.0
            .scan(scan_batch(&from, &[line, line]))
            .await
            .expect("stored");
    }
    let position = open.0.scan_position("/scans").expect("position");
    assert_eq!((position.offset, position.line), (200, 2));
    // Goods that are in are named in what the sensor says later, across a kill.
    kill(open).await;
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0, 3.0]).await;
    let out = r#"{"step":"shipping","items":["(01)09521001000017(21)S1"]}"#;
    open.0
        .scan(scan_batch(&position, &[out]))
        .await
        .expect("stored");
    read(&open.0, &[4.0, 5.0]).await;
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    let events = bench.platform.events();
    let steps: Vec<_> = events
        .iter()
        .map(|event| event["bizStep"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(steps[..2], ["storing", "storing"]);
    // The odd third reading was taken with the goods there, and is said before they leave.
    assert_eq!(
        steps[2..],
        [
            "sensor_reporting",
            "sensor_reporting",
            "shipping",
            "sensor_reporting"
        ]
    );
    assert!(events[2].get("epcList").is_some() && events[3].get("epcList").is_some());
    assert!(events[5].get("epcList").is_none());
    close(open).await;
}

#[tokio::test]
async fn a_lost_outbox_begins_a_new_epoch_that_names_the_last_statement() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0]).await;
    open.0.flush().await.expect("flush");
    let last = bench.collect(&open.0).await.remove(0);
    close(open).await;
    std::fs::write(
        bench.state().join(outbox::DATABASE_FILE),
        b"no database at all, far from it",
    )
    .expect("written");
    let open = bench.open().await;
    let first = bench.collect(&open.0).await.remove(0);
    assert_eq!(first.payload.position.epoch, 1);
    assert_eq!(first.payload.prev, last.id());
    assert!(matches!(&first.payload.note, Some(Note::EpochStart { id, .. }) if *id == last.id()));
    bench.platform.check_chain();
    close(open).await;
    let aside = std::fs::read_dir(bench.state())
        .expect("folder")
        .filter_map(Result::ok);
    let kept = aside
        .filter(|file| file.file_name().to_string_lossy().contains("damaged"))
        .count();
    assert!(kept >= 1, "the damaged file is kept");
}

#[tokio::test]
async fn an_older_copy_of_the_outbox_does_not_fork_the_chain() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0]).await;
    open.0.flush().await.expect("flush");
    close(open).await;
    let database = bench.state().join(outbox::DATABASE_FILE);
    let copy = bench.state().join("copy.db");
    std::fs::copy(&database, &copy).expect("copied");
    let open = bench.open().await;
    read(&open.0, &[3.0, 4.0]).await;
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    close(open).await;
    std::fs::copy(&copy, &database).expect("restored");
    let open = bench.open().await;
    read(&open.0, &[5.0, 6.0]).await;
    open.0.flush().await.expect("flush");
    bench.collect(&open.0).await;
    bench.platform.check_chain();
    let epochs: Vec<u64> = bench
        .platform
        .messages
        .keys()
        .map(|(epoch, _)| *epoch)
        .collect();
    assert_eq!(epochs, [0, 0, 1, 1]);
    close(open).await;
}

#[tokio::test]
async fn a_device_that_knows_nothing_of_its_chain_does_not_start_another() {
    let bench = Bench::new();
    let open = bench.open().await;
    open.0.heartbeat(SystemClock.now()).await.expect("stored");
    close(open).await;
    std::fs::remove_file(bench.state().join(outbox::DATABASE_FILE)).expect("removed");
    std::fs::write(bench.state().join(outbox::HEAD_FILE), "torn").expect("written");
    for _ in 0..2 {
        let refused = outbox::open(bench.opening.clone()).await.err();
        assert!(
            matches!(refused, Some(OutboxError::NothingKnown)),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn two_agents_on_one_state_directory_are_refused() {
    let bench = Bench::new();
    let open = bench.open().await;
    let second = outbox::open(bench.opening.clone()).await.err();
    assert!(matches!(second, Some(OutboxError::Locked(_))), "{second:?}");
    close(open).await;
}

#[tokio::test]
async fn an_audit_finds_a_changed_body() {
    let bench = Bench::new();
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0]).await;
    open.0.flush().await.expect("flush");
    close(open).await;
    change_bodies(bench.state(), |stored| with_word(stored, "2.0", "7.0")).await;
    let audit = bench.audit().await;
    assert_eq!(audit.problems.len(), 1, "{:?}", audit.problems);
}

#[tokio::test]
async fn a_heartbeat_is_said_only_into_silence() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    open.0.heartbeat(SystemClock.now()).await.expect("stored");
    let said = open.0.status().borrow().last_said.expect("said");
    open.0
        .heartbeat(said.minus(Duration::from_secs(60)))
        .await
        .expect("stored");
    let statements = bench.collect(&open.0).await;
    assert_eq!(statements.len(), 1);
    assert!(matches!(
        statements[0].payload.note,
        Some(Note::Heartbeat { .. })
    ));
    close(open).await;
}
