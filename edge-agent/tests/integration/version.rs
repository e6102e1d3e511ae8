//! Outboxes that programs of versions 1 to 3 have left: everything in them goes on.

use edge_agent::compose::desk::{Kept, KeptCodes};
use edge_agent::outbox::{DATABASE_FILE, ScanPosition, body};
use edge_agent::status::Status;
use schemas::time::Instant;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::bench::{Bench, change_bodies, close, read, scan_batch, with_word};

const VERSION_1: &str = include_str!("outbox-1.sql");
const CHAIN_3: &str = include_str!("outbox-3-chain.sql");
const STEP_2: &str = include_str!("../../src/outbox/step_2.sql");

/// Rows of the present form in the form of version 1.
const BACK: &str = "
INSERT INTO receipts (number, time, bytes) SELECT number, time, bytes FROM new.receipts;
INSERT INTO statements (position, epoch, seq, id, bytes, receipt, deadline, included)
    SELECT position, epoch, seq, id, bytes, receipt,
           (SELECT deadline FROM new.receipts r WHERE r.number = s.receipt), included
    FROM new.statements s;
INSERT INTO events (number, statement, source, salt, bytes)
    SELECT number, (SELECT position FROM new.statements s
                    WHERE e.number BETWEEN s.first AND s.last), source, salt, bytes
    FROM new.events e;
INSERT INTO head SELECT 1, epoch, seq, id, made FROM new.chain;
INSERT INTO counters SELECT 1, counts FROM new.chain;
INSERT INTO scans SELECT * FROM new.scans;
INSERT INTO presence SELECT * FROM new.presence;
INSERT INTO readings SELECT * FROM new.readings;
PRAGMA user_version = 1;
";

/// What version 2 has beside that.
const BACK_2: &str = "
UPDATE events SET life_cycle = (SELECT life_cycle FROM new.events e WHERE e.number = events.number);
INSERT INTO series SELECT * FROM new.series;
INSERT INTO scanned SELECT * FROM new.scanned;
PRAGMA user_version = 2;
";

/// What version 3 has otherwise than the present one.
const BACK_3_BEFORE: &str = "ALTER TABLE chain RENAME TO chain_4";
const BACK_3: &str = "
UPDATE chain SET (epoch, seq, id, made, position, signed, newest, counts) =
    (SELECT epoch, seq, id, made, position, signed, newest, counts FROM chain_4);
DROP TABLE chain_4;
PRAGMA user_version = 3;
";

async fn to_version(state: &std::path::Path, version: u64) {
    if version == 3 {
        return to_version_3(state).await;
    }
    let (new, file) = (state.join("new.db"), state.join(DATABASE_FILE));
    std::fs::rename(&file, &new).expect("renamed");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut db = SqliteConnection::connect(&url).await.expect("open");
    let attach = format!("ATTACH '{}' AS new", new.display());
    let first = [VERSION_1, &attach, BACK];
    let second = [STEP_2, BACK_2];
    let second = second.into_iter().filter(|_| version == 2);
    for text in first.into_iter().chain(second) {
        let done = sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
            .execute(&mut db)
            .await;
        done.expect("done");
    }
    db.close().await.expect("closed");
    unpack_bodies(state).await;
}

/// A program of before packed no body.
async fn unpack_bodies(state: &std::path::Path) {
    let unpack = |stored| body::unpack(stored).expect("a body");
    assert!(change_bodies(state, unpack).await > 0);
}

/// The file in the form of version 3.
async fn to_version_3(state: &std::path::Path) {
    unpack_bodies(state).await;
    let url = format!("sqlite://{}", state.join(DATABASE_FILE).display());
    let mut db = SqliteConnection::connect(&url).await.expect("open");
    for text in [BACK_3_BEFORE, CHAIN_3, BACK_3] {
        sqlx::raw_sql(text).execute(&mut db).await.expect("done");
    }
    db.close().await.expect("closed");
}

/// Another page size makes another size of the file.
fn without_bytes(status: &Status) -> Status {
    Status {
        outbox_bytes: 0,
        ..status.clone()
    }
}

/// A code of a packing that is open.
fn kept() -> Kept {
    Kept {
        number: 1,
        line: 2,
        time: Instant::from_seconds(1_795_000_000),
        text: "(00)095210010000000013".to_owned(),
    }
}

async fn life_cycles(bench: &Bench) -> Vec<bool> {
    let url = format!("sqlite://{}", bench.state().join(DATABASE_FILE).display());
    let mut db = SqliteConnection::connect(&url).await.expect("open");
    let rows = sqlx::query_scalar("SELECT life_cycle FROM events ORDER BY number");
    let rows = rows.fetch_all(&mut db).await.expect("rows");
    db.close().await.expect("closed");
    rows
}

async fn goes_on(version: u64) {
    let mut bench = Bench::new();
    let open = bench.open().await;
    let line = r#"{"step":"storing","items":["(01)09521001000017(21)S1"]}"#;
    let mut batch = scan_batch(&ScanPosition::default(), &[line, line]);
    batch.kept = Some(KeptCodes {
        gone: Vec::new(),
        new: vec![kept()],
    });
    open.0.scan(batch).await.expect("stored");
    open.0.flush().await.expect("flushed");
    read(&open.0, &[1.0, 2.0, 3.0]).await;
    open.0.flush().await.expect("flushed");
    // One with its receipt, one without, and a reading that no event holds yet.
    let before = open.0.waiting(0, 10).await.expect("waiting");
    let statements = bench.collect(&open.0).await;
    let receipt = bench.platform.receipt(&statements[0], Vec::new());
    open.0.reply(&receipt).await.expect("stored");
    let status = without_bytes(&open.0.status().borrow());
    close(open).await;
    to_version(bench.state(), version).await;

    let open = bench.open().await;
    assert_eq!(without_bytes(&open.0.status().borrow()), status);
    // What version 1 did not tell apart counts as of the goods' life.
    assert_eq!(life_cycles(&bench).await, [version == 1]);
    let codes = open.0.kept_codes("/scans").await.expect("read");
    assert_eq!(codes, Vec::from_iter((version >= 2).then(kept)));
    let waiting = open.0.waiting(0, 10).await.expect("waiting");
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].message, before[1].message);
    let included = bench.platform.include(&[statements[0].id()], 3);
    open.0.reply(&included).await.expect("stored");
    assert_eq!(open.0.status().borrow().inclusions_waiting, 1);
    read(&open.0, &[4.0]).await;
    open.0.flush().await.expect("flushed");
    bench.collect(&open.0).await;
    bench.platform.check_chain();
    assert_eq!(bench.platform.events().len(), 4);
    close(open).await;
    assert_eq!(bench.audit().await.problems, Vec::<String>::new());
}

#[tokio::test]
async fn an_outbox_of_version_1_goes_on_where_it_was() {
    goes_on(1).await;
}

#[tokio::test]
async fn an_outbox_of_version_2_goes_on_where_it_was() {
    goes_on(2).await;
}

#[tokio::test]
async fn an_outbox_of_version_3_goes_on_where_it_was() {
    goes_on(3).await;
}

/// Overwrites the index over the events' statements: no row is on that page.
async fn damage_index(state: &std::path::Path) {
    let file = state.join(DATABASE_FILE);
    let url = format!("sqlite://{}", file.display());
    let mut db = SqliteConnection::connect(&url).await.expect("open");
    let (page, size): (i64, i64) = sqlx::query_as(
        "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size
         WHERE name = 'events_statement'",
    )
    .fetch_one(&mut db)
    .await
    .expect("a page");
    db.close().await.expect("closed");
    let (page, size) = (usize::try_from(page), usize::try_from(size));
    let (page, size) = (page.expect("small"), size.expect("small"));
    let mut bytes = std::fs::read(&file).expect("read");
    bytes[(page - 1) * size..page * size].fill(0);
    std::fs::write(&file, bytes).expect("written");
}

async fn is_saved(version: u64, is_changed: bool) {
    let mut bench = Bench::new();
    let open = bench.open().await;
    let line = r#"{"step":"storing","items":["(01)09521001000017(21)S1"]}"#;
    let mut batch = scan_batch(&ScanPosition::default(), &[line, line]);
    batch.kept = Some(KeptCodes {
        gone: Vec::new(),
        new: vec![kept()],
    });
    open.0.scan(batch).await.expect("stored");
    open.0.flush().await.expect("flushed");
    read(&open.0, &[1.0, 2.0, 3.0]).await;
    open.0.flush().await.expect("flushed");
    let before = open.0.waiting(0, 10).await.expect("waiting");
    let statements = bench.collect(&open.0).await;
    let receipt = bench.platform.receipt(&statements[0], Vec::new());
    open.0.reply(&receipt).await.expect("stored");
    let made = open.0.status().borrow().events_made;
    close(open).await;
    to_version(bench.state(), version).await;
    if is_changed {
        let other = |stored| body::unpack(with_word(stored, "CEL", "KEL")).expect("a body");
        assert_eq!(change_bodies(bench.state(), other).await, 1);
    }
    damage_index(bench.state()).await;

    let open = bench.open().await;
    let waiting = open.0.waiting(0, 10).await.expect("waiting");
    let is_there = waiting.iter().any(|one| one.message == before[1].message);
    assert_eq!(is_there, !is_changed);
    let status = open.0.status().borrow().clone();
    assert_eq!((status.damages, status.events_made), (1, made));
    assert_eq!(status.events_damaged, u64::from(is_changed));
    let position = open.0.scan_position("/scans").expect("position");
    assert_eq!(position.line, 2);
    let codes = open.0.kept_codes("/scans").await.expect("read");
    assert_eq!(codes, Vec::from_iter((version >= 2).then(kept)));
    // With the reading that waited.
    read(&open.0, &[4.0]).await;
    open.0.flush().await.expect("flushed");
    bench.collect(&open.0).await;
    assert_eq!(bench.platform.events().len(), 4);
    close(open).await;
    assert_eq!(bench.audit().await.problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_damaged_outbox_of_a_version_before_is_saved_as_it_is() {
    for version in [1, 2] {
        is_saved(version, false).await;
        is_saved(version, true).await;
    }
}
