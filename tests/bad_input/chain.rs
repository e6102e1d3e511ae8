//! Repeated, skipped and forked places of a device's chain.

use std::time::Duration;

use platform::store::TraceStore as _;
use schemas::hash::sha256;
use schemas::receipt::IDS_MAX;
use schemas::statement::{Message, Note, Position};

use crate::world::World;
use crate::world::events::{commissioned, inspected};

/// (kind, from, to) of what happened to the chain of line 1.
async fn happened(world: &World) -> Vec<(String, u64, u64)> {
    let row = |event: platform::store::ChainEvent| (event.kind, event.from_seq, event.to_seq);
    let mut rows: Vec<_> = world
        .chain_events("qinghe/line-1")
        .await
        .into_iter()
        .map(row)
        .collect();
    rows.sort();
    rows
}

fn event(kind: &str, from: u64, to: u64) -> (String, u64, u64) {
    (kind.to_owned(), from, to)
}

#[tokio::test]
async fn repeated_statement_is_stored_once_and_answered_again() {
    let mut world = World::with_line_1().await;
    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    let first = world.deliver_message(&message).await;
    let again = world.deliver_message(&message).await;
    assert_eq!((first.word(), again.word()), ("stored", "known"));
    assert_eq!(first.receipts[0].ids, again.receipts[0].ids);
    world.anchor().await;
    assert_eq!(world.deliver_message(&message).await.word(), "known");
    let size = world.notary.tree.read(schemas::tlog::LogTree::size);
    world.anchor().await;
    assert_eq!(world.notary.tree.read(schemas::tlog::LogTree::size), size);
    let totals = world.store.totals().await.unwrap();
    assert_eq!(
        (totals.statements, totals.events, totals.anchored),
        (1, 1, 1)
    );
    assert_eq!(happened(&world).await, []);
}

#[tokio::test]
async fn twice_in_one_transaction_is_one_row_too() {
    let mut world = World::with_line_1().await;
    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    let (address, bytes) = (message.statement.payload.device.clone(), message.encode());
    let sent = world.deliver_all(&address, &[&bytes, &bytes]).await;
    assert_eq!((sent[0].word(), sent[1].word()), ("stored", "known"));
    assert_eq!(world.store.totals().await.unwrap().statements, 1);
}

#[tokio::test]
async fn skipped_seq_is_a_gap_after_the_grace_and_closed_when_it_is_filled() {
    let mut world = World::with_line_1().await;
    let device = world.device("qinghe/line-1");
    let messages: Vec<_> = (1..=4).map(|n| device.say(&[inspected(n)])).collect();
    world.deliver_message(&messages[0]).await;
    world.deliver_message(&messages[3]).await;
    assert_eq!(happened(&world).await, []);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(happened(&world).await, [event("gap-opened", 1, 2)]);
    world.deliver_message(&messages[1]).await;
    assert_eq!(happened(&world).await, [event("gap-opened", 1, 2)]);
    world.deliver_message(&messages[2]).await;
    // The row that opened it stays.
    assert_eq!(
        happened(&world).await,
        [event("gap-closed", 1, 2), event("gap-opened", 1, 2)]
    );
}

#[tokio::test]
async fn reordered_statements_within_the_grace_are_no_gap() {
    let mut world = World::with_line_1().await;
    let device = world.device("qinghe/line-1");
    let messages: Vec<_> = (1..=4).map(|n| device.say(&[inspected(n)])).collect();
    for index in [2, 0, 3, 1] {
        world.deliver_message(&messages[index]).await;
        assert_eq!(happened(&world).await, []);
    }
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(happened(&world).await, []);
}

/// The disk was lost before anything of it came. That stays said: nothing can fill it.
#[tokio::test]
async fn first_word_in_a_later_epoch_is_a_gap_that_stays_open() {
    let mut world = World::with_line_1().await;
    let device = world.device("qinghe/line-1");
    device.next = Position { epoch: 2, seq: 0 };
    device.prev = sha256(b"lost with the disk");
    let mut payload = device.payload();
    payload.note = Some(Note::EpochStart {
        text: "the outbox was damaged".to_owned(),
        last: Position { epoch: 1, seq: 7 },
        id: device.prev,
    });
    let statement = device.sign(payload);
    let events = Vec::new();
    world.deliver_message(&Message { statement, events }).await;
    world.send("qinghe/line-1", &[inspected(1)]).await;
    assert_eq!(happened(&world).await, []);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(happened(&world).await, [event("gap-opened", 0, 0)]);
    assert_eq!(happened(&world).await, [event("gap-opened", 0, 0)]);
}

#[tokio::test]
async fn silent_device_is_noted_once() {
    let mut world = World::with_line_1().await;
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.clock.advance(Duration::from_secs(3_601));
    assert_eq!(happened(&world).await, [event("silent", 0, 0)]);
    world.clock.advance(Duration::from_secs(3_601));
    assert_eq!(happened(&world).await, [event("silent", 0, 0)]);
}

/// Both are kept and anchored, each gets a receipt of its own, and there is an alarm.
#[tokio::test]
async fn fork_of_a_device_keeps_both_and_alarms() {
    let mut world = World::with_line_1().await;
    world.send("qinghe/line-1", &[commissioned()]).await;
    let mut copy = world.device("qinghe/line-1").clone();
    let one = world.device("qinghe/line-1").say(&[inspected(1)]);
    let other = copy.say(&[inspected(2)]);
    let address = one.statement.payload.device.clone();
    let sent = world
        .deliver_all(&address, &[&one.encode(), &other.encode()])
        .await;
    assert_eq!((sent[0].word(), sent[1].word()), ("stored", "stored"));
    let named: Vec<_> = sent[0]
        .receipts
        .iter()
        .map(|receipt| receipt.ids.clone())
        .collect();
    assert_eq!(
        named,
        [vec![one.statement.id()], vec![other.statement.id()]]
    );
    assert_eq!(happened(&world).await, [event("fork", 1, 1)]);
    world.anchor().await;
    let report = world
        .verify(
            &world
                .bundle(&[one.statement.id(), other.statement.id()])
                .await,
        )
        .unwrap();
    assert_eq!(report.statements.len(), 2);
    assert_eq!(
        report.statements[0].statement.payload.position,
        report.statements[1].statement.payload.position
    );
    assert_eq!(world.monitor().await, Vec::<String>::new());
}

/// A copied device speaks long after the real one has gone on.
#[tokio::test]
async fn late_fork_of_a_device_alarms_too() {
    let mut world = World::with_line_1().await;
    let mut copy = world.device("qinghe/line-1").clone();
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.send("qinghe/line-1", &[inspected(1)]).await;
    assert_eq!(happened(&world).await, []);
    let other = copy.say(&[inspected(2)]);
    assert_eq!(world.deliver_message(&other).await.word(), "stored");
    assert_eq!(happened(&world).await, [event("fork", 0, 0)]);
}

/// Seqs without a gap whose links do not fit: somebody continued another history.
#[tokio::test]
async fn link_that_names_another_statement_is_a_fork() {
    let mut world = World::with_line_1().await;
    world.send("qinghe/line-1", &[commissioned()]).await;
    world.device("qinghe/line-1").prev = schemas::hash::sha256(b"never sent");
    world.send("qinghe/line-1", &[inspected(1)]).await;
    assert_eq!(happened(&world).await, [event("fork", 1, 1)]);
}

/// The same when the statement between comes only after its neighbours.
#[tokio::test]
async fn link_that_names_another_statement_is_a_fork_when_a_gap_is_filled_too() {
    let mut world = World::with_line_1().await;
    let device = world.device("qinghe/line-1");
    let first = device.say(&[commissioned()]);
    let mut copy = device.clone();
    device.say(&[inspected(1)]);
    let third = device.say(&[inspected(2)]);
    let other = copy.say(&[inspected(3)]);
    world.deliver_message(&first).await;
    world.deliver_message(&third).await;
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(happened(&world).await, [event("gap-opened", 1, 1)]);
    world.deliver_message(&other).await;
    let found = happened(&world).await;
    assert!(found.contains(&event("fork", 2, 2)), "{found:?}");
}

/// The device resends everything for ever if it cannot read its receipts.
#[tokio::test]
async fn receipts_can_be_read_however_the_statements_come() {
    let mut world = World::with_line_1().await;
    let device = world.device("qinghe/line-1");
    let address = device.address.clone();
    let messages: Vec<Vec<u8>> = (0..700).map(|_| device.note("").encode()).collect();
    // Every second one: as many ranges as statements.
    let every_second: Vec<&[u8]> = messages.iter().step_by(2).map(Vec::as_slice).collect();
    let sent = world.deliver_all(&address, &every_second).await;
    let named: usize = sent[0]
        .receipts
        .iter()
        .map(|receipt| receipt.ids.len())
        .sum();
    assert_eq!(named, every_second.len());
    assert!(every_second.len() < IDS_MAX);
}

/// A gateway whose place is configured wrongly: each of its events is refused.
#[tokio::test]
async fn receipts_can_be_read_when_every_event_is_refused() {
    let mut world = World::with_line_1().await;
    let mut wrong = inspected(1);
    wrong["readPoint"] = serde_json::json!({"id": "https://id.gs1.org/414/9521003000015"});
    let device = world.device("qinghe/line-1");
    let address = device.address.clone();
    let events = vec![wrong; 64];
    let messages: Vec<Vec<u8>> = (0..50).map(|_| device.say(&events).encode()).collect();
    let payloads: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let sent = world.deliver_all(&address, &payloads).await;
    let refused: usize = sent[0]
        .receipts
        .iter()
        .map(|receipt| receipt.refused.len())
        .sum();
    assert_eq!(refused, 50 * 64);
}
