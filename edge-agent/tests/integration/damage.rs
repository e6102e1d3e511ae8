//! Disks that do not keep what was written: bits flip, tails are torn, cards are restored from a
//! copy. What is whole is delivered, nothing is delivered that was not stated, and what is missing
//! is said.

use std::collections::BTreeMap;
use std::path::Path;

use edge_agent::outbox::{self, DATABASE_FILE, HEAD_FILE, Opening};
use edge_agent::state::{State, states};
use edge_agent::status::Head;
use schemas::statement::Note;

use crate::bench::{Bench, change_bodies, close, kill, remark, scan_batch, with_word};
use crate::platform::Platform;
use crate::world::World;

/// Lines that the outbox holds when its files are damaged.
const LINES: u64 = 96;
/// Ways in which they are damaged.
const SEEDS: u64 = 48;
const FILES: [&str; 3] = [DATABASE_FILE, "outbox.db-wal", HEAD_FILE];

fn line(serial: u64) -> String {
    let remark = remark(serial, 4);
    format!(
        r#"{{"step":"storing","items":["(01)09521001000017(21)S{serial}"],"extra":{{"tb:remark":"{remark}"}}}}"#
    )
}

/// Scans lines `from..until`, `each` a batch, every batch a statement of its own; they are behind
/// whatever the file had before.
async fn scan(outbox: &outbox::Outbox, from: u64, until: u64, each: u64) {
    let mut next = from;
    while next < until {
        let end = (next + each).min(until);
        let lines: Vec<String> = (next..end).map(line).collect();
        let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
        let position = outbox.scan_position("/scans").expect("position");
        outbox
            .scan(scan_batch(&position, &texts))
            .await
            .expect("stored");
        outbox.flush().await.expect("flushed");
        next = end;
    }
}

/// splitmix64: the damage of a seed is the same on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("small")
    }
}

fn damage(file: &Path, chance: &mut Chance) {
    let Ok(mut bytes) = std::fs::read(file) else {
        return;
    };
    if bytes.is_empty() {
        return;
    }
    match chance.below(3) {
        0 => bytes.truncate(chance.below(bytes.len())),
        1 => {
            // A page that was never written.
            let at = chance.below(bytes.len() / 1_024) * 1_024;
            let end = (at + 1_024).min(bytes.len());
            bytes[at..end].fill(0);
        }
        _ => {
            for _ in 0..=chance.below(3) {
                let at = chance.below(bytes.len());
                bytes[at] ^= 1 << chance.below(8);
            }
        }
    }
    std::fs::write(file, bytes).expect("written");
}

fn copy(from: &Path, to: &Path) {
    edge_agent::identity::make_state_directory(to).expect("folder");
    for name in FILES {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).expect("copied");
        }
    }
}

/// Events by the serial that they name, how often each was delivered.
fn delivered(platform: &Platform) -> BTreeMap<String, Vec<serde_json::Value>> {
    let mut found: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for event in platform.events() {
        let name = event["epcList"][0].as_str().expect("an item").to_owned();
        found.entry(name).or_default().push(event);
    }
    found
}

async fn deliver_all(open: &outbox::Outbox, platform: &mut Platform) {
    // What is found damaged on the way is said again behind: until nothing is new.
    let mut before = usize::MAX;
    while before != platform.messages.len() {
        before = platform.messages.len();
        for waiting in open.waiting(0, 10_000).await.expect("waiting") {
            platform.take(&waiting.message);
        }
        open.flush().await.expect("flushed");
    }
}

/// A state directory to be damaged, and the events that it holds.
struct Template {
    state: std::path::PathBuf,
    made: BTreeMap<String, Vec<serde_json::Value>>,
}

/// Two of them: closed in order, and as a power cut leaves it, its newest third in the write-ahead
/// log alone.
async fn templates(bench: &Bench) -> [Template; 2] {
    let mut platform = Platform::new(World::new(), bench.opening.key.public());
    let open = bench.open().await;
    scan(&open.0, 0, LINES * 2 / 3, 6).await;
    deliver_all(&open.0, &mut platform).await;
    close(open).await;
    let closed = Template {
        state: bench.state().join("closed"),
        made: delivered(&platform),
    };
    copy(bench.state(), &closed.state);
    let open = bench.open().await;
    scan(&open.0, LINES * 2 / 3, LINES, 6).await;
    deliver_all(&open.0, &mut platform).await;
    let cut = Template {
        state: bench.state().join("cut"),
        made: delivered(&platform),
    };
    copy(bench.state(), &cut.state);
    close(open).await;
    assert_eq!(cut.made.len() as u64, LINES);
    [closed, cut]
}

/// Opens what is left and says three lines more; all that the platform gets.
async fn go_on(bench: &Bench, state: &Path, seed: u64) -> Platform {
    let opening = Opening {
        state: state.to_owned(),
        ..bench.opening.clone()
    };
    let open = outbox::open(opening).await;
    let open = open.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let from = open.0.scan_position("/scans").expect("position");
    let lines: Vec<String> = (LINES..LINES + 3).map(line).collect();
    let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    open.0
        .scan(scan_batch(&from, &texts))
        .await
        .expect("stored");
    open.0.flush().await.expect("flushed");
    let mut platform = Platform::new(World::new(), bench.opening.key.public());
    deliver_all(&open.0, &mut platform).await;
    kill(open).await;
    platform
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_cost_what_stood_there_and_never_a_false_word() {
    let bench = Bench::new();
    let templates = templates(&bench).await;
    let (mut saved, mut all, mut epochs) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut chance = Chance(seed);
        let template = &templates[chance.below(2)];
        let state = bench.state().join(format!("seed-{seed}"));
        copy(&template.state, &state);
        let file = FILES[chance.below(2)];
        damage(&state.join(file), &mut chance);
        let platform = go_on(&bench, &state, seed).await;
        let found = delivered(&platform);
        for (name, events) in &found {
            // The same event may be in an old statement and in a new one; it is the same event.
            let same = template
                .made
                .get(name)
                .is_none_or(|made| events.iter().all(|event| event == &made[0]));
            assert!(same, "seed {seed}: {name} is not what was stated");
        }
        let missing = template
            .made
            .keys()
            .filter(|name| !found.contains_key(*name));
        let missing = missing.count();
        let said = platform.messages.values().any(|message| {
            matches!(
                message.statement.payload.note,
                Some(Note::EpochStart { .. })
            )
        });
        assert!(
            missing == 0 || said,
            "seed {seed}: {missing} events are missing without a word"
        );
        let new = (LINES..LINES + 3).filter(|serial| {
            found
                .keys()
                .any(|name| name.ends_with(&format!("S{serial}")))
        });
        assert_eq!(new.count(), 3, "seed {seed}: what came after is lost");
        saved += template.made.len() - missing;
        all += template.made.len();
        epochs += usize::from(said);
    }
    println!("{saved} of {all} events were saved, {epochs} of {SEEDS} began a new epoch");
    assert!(saved * 10 >= all * 7, "{saved} of {all} events were saved");
    assert!(epochs > 0);
}

#[tokio::test]
async fn an_event_damaged_after_it_was_signed_is_left_out_and_the_rest_is_said_again() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    scan(&open.0, 0, 12, 4).await;
    let changed = change_bodies(bench.state(), |stored| with_word(stored, "S5", "S7")).await;
    assert_eq!(changed, 1);
    deliver_all(&open.0, &mut bench.platform).await;
    let found = delivered(&bench.platform);
    assert_eq!(found.len(), 11, "{:?}", found.keys());
    assert!(found.values().all(|events| events.len() == 1));
    let notes: Vec<String> = bench
        .platform
        .messages
        .values()
        .filter_map(|message| message.statement.payload.note.as_ref())
        .map(|note| note.text().to_owned())
        .collect();
    assert_eq!(
        notes,
        ["statement 0/1 was damaged on disk; 1 events are lost"]
    );
    let status = open.0.status().borrow().clone();
    assert_eq!((status.events_damaged, status.alarms), (1, 1));
    assert_eq!(states(&status), [State::OutboxDamaged, State::Starting]);
    close(open).await;
}

#[tokio::test]
async fn an_unsigned_event_that_is_damaged_waits_for_the_platform_no_more() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    let next = schemas::hash::sha256(b"next");
    open.0.say_last_word(next).await.expect("said");
    // More than the next statement holds: the others are on the disk only.
    scan(&open.0, 0, 70, 7).await;
    let url = format!("sqlite://{}", bench.state().join(DATABASE_FILE).display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("pool");
    let changed = sqlx::query("UPDATE events SET mark = mark + 1 WHERE number = 70");
    changed.execute(&pool).await.expect("changed");
    pool.close().await;
    open.0.go_on_as_before().await.expect("goes on");
    for statement in bench.collect(&open.0).await {
        let receipt = bench.platform.receipt(&statement, Vec::new());
        open.0.reply(&receipt).await.expect("stored");
    }
    assert_eq!(delivered(&bench.platform).len(), 69);
    let status = open.0.status().borrow().clone();
    assert_eq!((status.bodies_waiting, status.events_damaged), (0, 1));
    close(open).await;
}

/// An outbox of twelve lines whose first event is gone.
async fn broken(bench: &Bench) {
    let open = bench.open().await;
    scan(&open.0, 0, 12, 4).await;
    close(open).await;
    let url = format!("sqlite://{}", bench.state().join(DATABASE_FILE).display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("pool");
    let gone = sqlx::query("DELETE FROM events WHERE number = 1");
    gone.execute(&pool).await.expect("deleted");
    pool.close().await;
}

/// All but that event are delivered, in the old epoch or the new one, and the scan file is not read
/// again.
async fn goes_on_with_eleven(bench: &mut Bench) {
    let open = bench.open().await;
    let position = open.0.scan_position("/scans").expect("position");
    assert_eq!(position.line, 12);
    deliver_all(&open.0, &mut bench.platform).await;
    close(open).await;
    let found = delivered(&bench.platform);
    assert_eq!(found.len(), 11, "{:?}", found.keys());
    assert!(found.values().all(|events| events.len() == 1));
    let epochs = bench.platform.messages.keys().map(|(epoch, _)| *epoch);
    assert_eq!(epochs.max(), Some(1));
    assert_eq!(bench.audit().await.problems, Vec::<String>::new());
    assert!(bench.state().join("outbox.db.damaged-0").exists());
    assert!(!bench.state().join("outbox.db.new").exists());
}

#[tokio::test]
async fn a_disk_that_is_full_while_a_damaged_outbox_is_saved_loses_nothing() {
    let mut bench = Bench::new();
    broken(&bench).await;
    // Room for the tables and not for what is saved.
    for pages in [1, 2, 3] {
        bench.opening.pages_max = Some(pages);
        let opened = outbox::open(bench.opening.clone()).await;
        assert!(opened.is_err(), "{pages} pages are too many for this test");
        assert!(bench.state().join(DATABASE_FILE).exists());
    }
    bench.opening.pages_max = None;
    goes_on_with_eleven(&mut bench).await;
}

#[tokio::test]
async fn a_power_cut_between_the_names_of_a_saved_outbox_is_noticed() {
    let mut bench = Bench::new();
    broken(&bench).await;
    let open = bench.open().await;
    close(open).await;
    let (file, new) = (
        bench.state().join(DATABASE_FILE),
        bench.state().join("outbox.db.new"),
    );
    std::fs::rename(&file, &new).expect("renamed");
    std::fs::write(bench.state().join("outbox.db-wal"), "of the old file").expect("written");
    goes_on_with_eleven(&mut bench).await;
    let log = std::fs::read(bench.state().join("outbox.db.damaged-0-wal"));
    assert_eq!(log.expect("aside"), b"of the old file");
}

#[tokio::test]
async fn a_saved_outbox_that_is_not_whole_is_made_again_or_left() {
    let mut bench = Bench::new();
    broken(&bench).await;
    let new = bench.state().join("outbox.db.new");
    std::fs::write(&new, "the power went").expect("written");
    goes_on_with_eleven(&mut bench).await;
    std::fs::write(&new, "the power went").expect("written");
    close(bench.open().await).await;
    assert!(!new.exists());
    // Somebody has taken the outbox away: what was not whole is not it.
    std::fs::remove_file(bench.state().join(DATABASE_FILE)).expect("removed");
    std::fs::write(&new, "the power went").expect("written");
    let open = bench.open().await;
    assert!(!new.exists());
    assert_eq!(open.0.status().borrow().head.expect("a head").epoch, 2);
    close(open).await;
}

/// The whole state directory is an older copy: nothing in it can tell.
#[tokio::test]
async fn a_restored_card_goes_on_behind_what_the_platform_has() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    scan(&open.0, 0, 4, 2).await;
    let copied = bench.state().join("copied");
    copy(bench.state(), &copied);
    scan(&open.0, 4, 8, 2).await;
    let statements = bench.collect(&open.0).await;
    close(open).await;

    let opening = Opening {
        state: copied,
        ..bench.opening.clone()
    };
    let open = outbox::open(opening).await.expect("open");
    // It has gone on before it could ask: these would be a fork.
    scan(&open.0, 8, 12, 2).await;
    let last = statements.last().expect("statements");
    let theirs = Head {
        epoch: 0,
        seq: last.payload.position.seq,
        id: last.id(),
    };
    assert!(!open.0.follows(theirs).await.expect("read"));
    for statement in &statements[..2] {
        let receipt = bench.platform.receipt(statement, Vec::new());
        open.0.reply(&receipt).await.expect("stored");
    }
    open.0.known_head(theirs).await.expect("compared");
    deliver_all(&open.0, &mut bench.platform).await;
    bench.platform.check_chain();
    let found = delivered(&bench.platform);
    assert_eq!(found.len(), 12);
    assert!(found.values().all(|events| events.len() == 1));
    let first = bench.platform.messages.get(&(1, 0)).expect("a new epoch");
    assert_eq!(first.statement.payload.prev, last.id());
    assert_eq!(open.0.status().borrow().strangers, 1);
    // Asked again, nothing changes.
    let head = open.0.status().borrow().head.expect("a head");
    assert!(open.0.follows(head).await.expect("read"));
    assert!(open.0.follows(theirs).await.expect("read"));
    close(open).await;
}

#[tokio::test]
async fn receipts_for_what_was_not_made_here_show_a_copied_key() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    scan(&open.0, 0, 4, 2).await;
    let copied = bench.state().join("copied");
    copy(bench.state(), &copied);
    let opening = Opening {
        state: copied,
        ..bench.opening.clone()
    };
    let other = outbox::open(opening).await.expect("the copy");
    scan(&other.0, 4, 8, 2).await;
    let theirs = other.0.waiting(0, 10).await.expect("waiting");
    scan(&open.0, 8, 10, 2).await;
    bench.collect(&open.0).await;
    // (0, 2) is in both, (0, 3) in the copy alone.
    let foreign = Platform::new(World::new(), bench.opening.key.public());
    for (waiting, strangers) in theirs.iter().zip([0, 0, 1, 2]) {
        let message = schemas::statement::Message::decode(&waiting.message).expect("message");
        let receipt = foreign.receipt(&message.statement, Vec::new());
        open.0.reply(&receipt).await.expect("stored");
        assert_eq!(open.0.status().borrow().strangers, strangers);
    }
    close(other).await;
    close(open).await;
}

/// The platform signs with another key from some day on; what it signed before still stands.
#[tokio::test]
async fn a_receipt_of_a_key_that_signs_no_more_is_verified_and_saved_and_no_new_one_taken() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    scan(&open.0, 0, 12, 6).await;
    let statements = bench.collect(&open.0).await;
    let receipts = [0, 1].map(|at| bench.platform.receipt(&statements[at], Vec::new()));
    open.0.reply(&receipts[0]).await.expect("stored");
    close(open).await;
    let trust = &mut bench.opening.trust;
    let other = schemas::key::SecretKey::from_seed(&[99; 32]);
    let before = std::mem::replace(&mut trust.receipt_key, other.public());
    assert_eq!(bench.audit().await.problems.len(), 1, "nobody's receipt");
    bench.opening.trust.former_receipt_keys = vec![before];
    assert_eq!(bench.audit().await.problems, Vec::<String>::new());

    // One event of the statement without a receipt is gone: what is whole is saved.
    let url = format!("sqlite://{}", bench.state().join(DATABASE_FILE).display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("pool");
    let gone = sqlx::query("DELETE FROM events WHERE number = 12");
    gone.execute(&pool).await.expect("deleted");
    pool.close().await;
    let open = bench.open().await;
    open.0.reply(&receipts[1]).await.expect("looked at");
    let status = open.0.status().borrow().clone();
    assert_eq!((status.damages, status.unverified), (1, 1));
    close(open).await;
    let audit = bench.audit().await;
    assert_eq!((audit.receipts, audit.problems), (1, Vec::new()));
}
