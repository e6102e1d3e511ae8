//! The key changes in the middle of a chain, as the outbox sees it. The whole way with an
//! organisation and a platform is in the workspace's own tests.

use std::sync::Arc;

use edge_agent::enrol::rotate;
use edge_agent::outbox::{DATABASE_FILE, Opening, Outbox, open};
use edge_agent::status::Head;
use edge_agent::trust::Enrolment;
use schemas::hash::{Hash, sha256};
use schemas::key::{P256SecretKey, Signer};
use schemas::statement::{Note, Statement};

use crate::bench::{Bench, close, kill, read};
use crate::broker::Faults;
use crate::enrol::claim;
use crate::site::{Site, stop, until};
use crate::world::World;

fn statement(bytes: &[u8]) -> Statement {
    schemas::statement::Message::decode(bytes)
        .expect("message")
        .statement
}

#[tokio::test]
async fn the_chain_goes_on_with_the_next_key_from_wherever_the_power_went() {
    let bench = Bench::new();
    let old = bench.opening.key.clone();
    let next: Arc<dyn Signer> = Arc::new(P256SecretKey::generate().expect("randomness"));
    let opened = bench.open().await;
    read(&opened.0, &[1.0, 2.0]).await;
    opened.0.flush().await.expect("flushed");
    read(&opened.0, &[3.0, 4.0]).await;
    for _ in 0..2 {
        opened.0.say_last_word(next.kid()).await.expect("said");
    }
    // Said, and not yet at the platform.
    let (last, has_receipt) = opened
        .0
        .last_word(&next.kid())
        .await
        .expect("read")
        .expect("a last word");
    assert!(!has_receipt);
    read(&opened.0, &[5.0, 6.0]).await;
    let fault = edge_agent::outbox::Fault {
        sensor: "cold-1".to_owned(),
        text: "no answer".to_owned(),
        range: None,
    };
    opened.0.fault(fault).await.expect("kept");
    opened.0.flush().await.expect("flushed");
    assert_eq!(opened.0.status().borrow().held, "rotation");
    assert_eq!(opened.0.status().borrow().head.expect("head"), last);
    kill(opened).await;

    // Not in force yet: the old key does not speak again.
    let opened = bench.open().await;
    read(&opened.0, &[7.0, 8.0]).await;
    opened.0.flush().await.expect("flushed");
    assert_eq!(opened.0.status().borrow().head.expect("head"), last);
    opened.0.stranger("for a test").await.expect("counted");
    assert!(opened.0.status().borrow().copied_key);
    kill(opened).await;

    // In force: the power went before the agent could say so to its outbox.
    let mut trust = bench.opening.trust.clone();
    trust.former.push(trust.record.key.clone());
    trust.record.key = next.public();
    let opening = Opening {
        key: next.clone(),
        trust,
        ..bench.opening.clone()
    };
    let opened = open(opening.clone()).await.expect("open");
    let status = opened.0.status().borrow().clone();
    assert!(status.strangers == 1 && !status.copied_key, "the old key");
    read(&opened.0, &[9.0, 10.0]).await;
    opened.0.flush().await.expect("flushed");
    let waiting = opened.0.waiting(0, 100).await.expect("waiting");
    let chain: Vec<Statement> = waiting.iter().map(|one| statement(&one.message)).collect();
    for (before, after) in chain.iter().zip(&chain[1..]) {
        assert_eq!(after.payload.prev, before.id());
        assert_eq!(after.payload.position.seq, before.payload.position.seq + 1);
        assert_eq!(after.payload.position.epoch, 0);
    }
    let at = chain
        .iter()
        .position(|one| one.id() == last.id)
        .expect("the last word");
    let note = chain[at].payload.note.as_ref().and_then(Note::next_key);
    assert_eq!(note, Some(next.kid()));
    let by = |key: &Arc<dyn Signer>, list: &[Statement]| {
        list.iter().all(|one| one.verify(&key.public()).is_ok())
    };
    assert!(by(&old, &chain[..=at]) && by(&next, &chain[at + 1..]));
    let events: u64 = chain.iter().map(|one| one.payload.count).sum();
    assert_eq!(events, 5, "one event each two readings");
    let faults = chain[at..]
        .iter()
        .filter(|one| matches!(one.payload.note, Some(Note::SensorFault { .. })));
    assert_eq!(faults.count(), 1);
    close(opened).await;
    let audit = edge_agent::outbox::audit::audit(bench.state(), &opening.trust).await;
    assert_eq!(audit.expect("audit").problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_rotation_that_comes_to_nothing_leaves_the_present_key_at_work() {
    let mut bench = Bench::new();
    let opened = bench.open().await;
    opened
        .0
        .say_last_word(schemas::hash::sha256(b"next"))
        .await
        .expect("said");
    read(&opened.0, &[1.0, 2.0]).await;
    opened.0.go_on_as_before().await.expect("goes on");
    opened.0.flush().await.expect("flushed");
    assert_eq!(bench.collect(&opened.0).await.len(), 2);
    bench.platform.check_chain();
    assert_eq!(opened.0.status().borrow().held, "");
    close(opened).await;
}

async fn last_word(outbox: &Outbox, next: &Hash) -> (Head, bool) {
    let said = outbox.last_word(next).await.expect("read");
    said.expect("a last word")
}

/// The last word is the newest statement, behind the note of a new epoch, and has the platform's
/// receipt only when that has come.
async fn ends_with_it(bench: &mut Bench, outbox: &Outbox, next: &Hash) {
    let (last, has_receipt) = last_word(outbox, next).await;
    assert_eq!(outbox.status().borrow().head, Some(last));
    assert!(last.epoch > 0 && !has_receipt);
    let statements = bench.collect(outbox).await;
    let newest = statements.last().expect("statements");
    let note = newest.payload.note.as_ref().and_then(Note::next_key);
    assert_eq!((newest.id(), note), (last.id, Some(*next)));
    for statement in &statements {
        let receipt = bench.platform.receipt(statement, Vec::new());
        outbox.reply(&receipt).await.expect("stored");
    }
    assert_eq!(last_word(outbox, next).await, (last, true));
    let included = bench.platform.include(&[last.id], 3);
    outbox.reply(&included).await.expect("stored");
    assert_eq!(last_word(outbox, next).await, (last, true));
}

#[tokio::test]
async fn a_last_word_is_said_again_behind_a_statement_that_was_damaged() {
    let mut bench = Bench::new();
    let next = sha256(b"next");
    let opened = bench.open().await;
    read(&opened.0, &[1.0, 2.0, 3.0, 4.0]).await;
    opened.0.say_last_word(next).await.expect("said");
    read(&opened.0, &[5.0, 6.0]).await;
    let url = format!("sqlite://{}", bench.state().join(DATABASE_FILE).display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("pool");
    let changed = sqlx::query("UPDATE events SET mark = mark + 1 WHERE number = 1");
    changed.execute(&pool).await.expect("changed");
    let changed = sqlx::query("UPDATE events SET bytes = zeroblob(9) WHERE number = 1");
    changed.execute(&pool).await.expect("changed");
    pool.close().await;
    opened.0.waiting(0, 100).await.expect("found damaged");
    ends_with_it(&mut bench, &opened.0, &next).await;
    assert_eq!(opened.0.status().borrow().held, "rotation");
    close(opened).await;
}

#[tokio::test]
async fn a_last_word_that_is_taken_back_is_not_at_the_platform_and_is_said_again() {
    let mut bench = Bench::new();
    let next = sha256(b"next");
    let opened = bench.open().await;
    read(&opened.0, &[1.0, 2.0]).await;
    opened.0.say_last_word(next).await.expect("said");
    let (said, _) = last_word(&opened.0, &next).await;
    let theirs = Head {
        epoch: 0,
        seq: said.seq + 1,
        id: sha256(b"another agent's"),
    };
    opened.0.known_head(theirs).await.expect("compared");
    ends_with_it(&mut bench, &opened.0, &next).await;
    close(opened).await;
}

#[tokio::test]
async fn a_last_word_is_said_again_where_the_outbox_was_older_than_its_head_file() {
    let mut bench = Bench::new();
    let next = sha256(b"next");
    let opened = bench.open().await;
    read(&opened.0, &[1.0, 2.0]).await;
    opened.0.say_last_word(next).await.expect("said");
    let (said, _) = last_word(&opened.0, &next).await;
    close(opened).await;
    bench.opening.known = Some(Head {
        epoch: 0,
        seq: said.seq + 1,
        id: sha256(b"another agent's"),
    });
    let opened = bench.open().await;
    ends_with_it(&mut bench, &opened.0, &next).await;
    close(opened).await;
}

#[tokio::test]
async fn a_last_word_outlives_a_damaged_outbox() {
    let mut bench = Bench::new();
    let next = sha256(b"next");
    let opened = bench.open().await;
    read(&opened.0, &[1.0, 2.0]).await;
    opened.0.say_last_word(next).await.expect("said");
    read(&opened.0, &[3.0, 4.0]).await;
    close(opened).await;
    // The page that says how far the chain is.
    let url = format!("sqlite://{}", bench.state().join(DATABASE_FILE).display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("pool");
    let changed = sqlx::query("UPDATE chain SET counts = 'x'");
    changed.execute(&pool).await.expect("changed");
    pool.close().await;
    let opened = bench.open().await;
    let status = opened.0.status().borrow().clone();
    assert_eq!((status.damages, status.held.as_str()), (1, "rotation"));
    ends_with_it(&mut bench, &opened.0, &next).await;
    close(opened).await;
}

#[tokio::test]
async fn after_the_change_receipts_of_another_key_count() {
    let mut bench = Bench::new();
    let opened = bench.open().await;
    read(&opened.0, &[1.0, 2.0]).await;
    opened.0.flush().await.expect("flushed");
    let statement = bench.collect(&opened.0).await.remove(0);
    // The platform has another key for receipts since this device was enrolled.
    bench.platform.world.receipt = schemas::key::SecretKey::from_seed(&[99; 32]);
    let receipt = bench.platform.receipt(&statement, Vec::new());
    opened.0.reply(&receipt).await.expect("taken");
    assert_eq!(opened.0.status().borrow().receipts_waiting, 1);
    let mut trust = bench.opening.trust.clone();
    trust.receipt_key = bench.platform.world.receipt.public();
    opened.0.believe(trust);
    opened.0.reply(&receipt).await.expect("taken");
    assert_eq!(opened.0.status().borrow().receipts_waiting, 0);
    close(opened).await;
}

/// A site whose device has said its last word for a next key.
async fn site_in_a_rotation(next: &Hash) -> Site {
    let site = Site::new(World::new(), Faults::default()).await;
    let state = site.folder.path().join("state");
    let enrolment = Enrolment::load(&state).expect("read").expect("enrolled");
    let key = edge_agent::identity::load(&state).expect("read");
    let opening = Opening {
        key: key.expect("a key"),
        trust: enrolment.trust_by_itself().expect("trust"),
        state,
        ..Bench::new().opening
    };
    let opened = open(opening).await.expect("open");
    opened.0.say_last_word(*next).await.expect("said");
    assert_eq!(opened.0.status().borrow().held, "rotation");
    close(opened).await;
    site
}

#[tokio::test]
async fn a_last_word_for_which_there_is_no_wish_is_taken_back() {
    let site = site_in_a_rotation(&sha256(b"next")).await;
    let (handle, shutdown) = site.start().await;
    until(&handle, |status| status.held.is_empty()).await;
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn a_rotation_that_nobody_answers_is_ended_by_hand() {
    let world = World::new();
    // Nobody is there.
    let claim = claim(&world, "http://127.0.0.1:1", "");
    let folder = tempfile::tempdir().expect("folder");
    assert!(!rotate::cancel(folder.path()).expect("nothing to cancel"));
    let key = P256SecretKey::generate().expect("randomness").kid();
    let site = site_in_a_rotation(&key).await;
    let state = site.folder.path().join("state");
    let next = rotate::ask(&state, &claim, Default::default()).expect("asked");
    let (handle, shutdown) = site.start().await;
    assert_eq!(handle.snapshot().held, "rotation");
    assert!(rotate::cancel(&state).expect("cancelled"));
    until(&handle, |status| status.held.is_empty()).await;
    let refused = rotate::followed(&state, &next)
        .await
        .expect_err("cancelled");
    assert!(
        refused.to_string().contains("cancelled at the device"),
        "{refused}"
    );
    assert!(
        !rotate::cancel(&state).expect("over"),
        "nothing is left of it"
    );
    stop(handle, shutdown).await;
}
