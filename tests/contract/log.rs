//! The lease, the fence, and what is appended under it.

use std::slice::from_ref;
use std::sync::Arc;

use platform::store::{KeptCheckpoint, Pass, Store, StoreError};
use schemas::time::Instant;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::engine::Engine;
use super::ingest::join_all;
use super::made::{append, at, device, hash, head, made, placed, record, single};
use crate::kill::process::DEADLINE;

const LOG: &str = "log";

/// Takes the lease on the log from a second on, for half a minute.
pub async fn take(store: &dyn Store, holder: &str, second: i64) -> Option<u64> {
    store
        .take_lease(LOG, holder, at(second), at(second + 30))
        .await
        .unwrap()
}

pub async fn lease_is_held_renewed_and_taken_over(engine: &Engine) {
    let store = &*engine.store;
    assert_eq!(take(store, "a", 0).await, Some(1));
    assert_eq!(take(store, "b", 1).await, None);
    assert_eq!(take(store, "a", 20).await, Some(1));
    assert_eq!(take(store, "b", 31).await, None, "it was renewed");
    assert_eq!(take(store, "b", 50).await, None, "until its very end");
    assert_eq!(take(store, "b", 51).await, Some(2));
    assert_eq!(take(store, "a", 52).await, None);
    assert_eq!(
        take(store, "b", 500).await,
        Some(2),
        "nobody else wanted it"
    );
    let other = store.take_lease("other", "c", at(0), at(1)).await.unwrap();
    assert_eq!(other, Some(1), "names do not touch each other");
}

pub async fn lease_is_given_to_one_of_many(engine: &Engine) {
    let stores = [Arc::clone(&engine.store), engine.second().await];
    for round in 0..5 {
        let takers = (0..8).map(|taker: usize| {
            let store = Arc::clone(&stores[taker % 2]);
            let holder = format!("{taker} in round {round}");
            async move { take(&*store, &holder, round * 100).await }
        });
        let fences = join_all(takers).await;
        let given: Vec<u64> = fences.into_iter().flatten().collect();
        assert_eq!(given, [round.unsigned_abs() + 1]);
    }
}

pub async fn lease_that_was_given_back_is_free(engine: &Engine) {
    let store = &*engine.store;
    assert_eq!(take(store, "a", 0).await, Some(1));
    store.release_lease(LOG, "b").await.unwrap();
    assert_eq!(take(store, "b", 1).await, None, "it was another's");
    store.release_lease(LOG, "a").await.unwrap();
    let given_back = store.append(&append(1, 0, &["a"])).await;
    assert!(given_back.is_ok(), "nobody has taken it: {given_back:?}");
    assert_eq!(take(store, "b", 1).await, Some(2));
    store.release_lease(LOG, "a").await.unwrap();
    assert_eq!(take(store, "a", 2).await, None, "it is not a's any more");
}

pub async fn leases_are_listed_and_end_with_their_holder(engine: &Engine) {
    let store = &*engine.store;
    for (name, holder) in [("log", "a"), ("shard-0", "a"), ("shard-1", "b")] {
        let taken = store.take_lease(name, holder, at(0), at(30)).await;
        assert_eq!(taken.unwrap(), Some(1));
    }
    store.release_leases("a").await.unwrap();
    let mut leases = store.leases().await.unwrap();
    leases.sort();
    let over = Instant::default();
    let expected = [("log", over), ("shard-0", over), ("shard-1", at(30))];
    assert_eq!(
        leases,
        expected.map(|(name, until)| (name.to_owned(), until))
    );
}

pub async fn stale_ingest_adds_nothing(engine: &Engine) {
    let (old, new) = (&*engine.store, engine.second().await);
    let mut line = device("qinghe/line-1");
    let (first, second) = (single(&mut line, 1, 0), single(&mut line, 2, 0));
    let bad = super::made::unreadable("bad", "cbor");
    let no_lease = old.commit_behind(&pass(1, 1), from_ref(&first), &[]).await;
    assert!(matches!(no_lease, Err(StoreError::Fenced)), "{no_lease:?}");
    let fence = take(old, "old", 0).await.unwrap();
    let closed = old
        .commit_behind(&pass(fence, 1), from_ref(&first), &[])
        .await;
    assert!(matches!(closed, Err(StoreError::Fenced)), "{closed:?}");
    old.open_gate(fence, 1).await.unwrap();
    let fresh = old
        .commit_behind(&pass(fence, 1), from_ref(&first), &[])
        .await;
    assert_eq!(fresh.unwrap(), [true]);
    let next = take(&*new, "new", 100).await.unwrap();
    assert!(matches!(
        old.open_gate(fence, 1).await,
        Err(StoreError::Fenced)
    ));
    let stale = old
        .commit_behind(&pass(fence, 1), from_ref(&second), &[bad])
        .await;
    assert!(matches!(stale, Err(StoreError::Fenced)), "{stale:?}");
    let totals = new.totals().await.unwrap();
    assert_eq!((totals.statements, totals.quarantined), (1, 0));
    new.open_gate(next, 1).await.unwrap();
    let fresh = new
        .commit_behind(&pass(next, 1), &[first, second], &[])
        .await;
    assert_eq!(fresh.unwrap(), [false, true]);
}

/// A leader's, for what was checked against a registry version.
pub fn pass(fence: u64, version: u64) -> Pass {
    Pass {
        version,
        fence: Some(fence),
        now: at(0),
        shard: 0,
    }
}

/// A process that does not lead stores while somebody does, at the registry version in force.
pub async fn worker_stores_while_somebody_leads(engine: &Engine) {
    let (leader, worker) = (&*engine.store, engine.second().await);
    let mut line = device("qinghe/line-1");
    let mut one = |second| single(&mut line, second, 0);
    let beside = |version, second| Pass {
        version,
        fence: None,
        now: at(second),
        shard: 1,
    };
    let alone = worker.commit_behind(&beside(1, 0), &[one(1)], &[]).await;
    assert!(matches!(alone, Err(StoreError::Fenced)), "{alone:?}");
    let fence = take(leader, "leader", 0).await.unwrap();
    assert!(
        !worker.is_led(at(1)).await.unwrap(),
        "it has confirmed nothing yet"
    );
    leader.open_gate(fence, 1).await.unwrap();
    assert!(worker.is_led(at(1)).await.unwrap());
    let stored = worker.commit_behind(&beside(1, 1), &[one(2)], &[]).await;
    assert_eq!(stored.unwrap(), [true]);
    let old = worker.commit_behind(&beside(0, 1), &[one(3)], &[]).await;
    assert!(matches!(old, Err(StoreError::Stale)), "{old:?}");
    let mut moved = append(fence, 0, &["head 2"]);
    moved.registry = Some((vec![record("a", "qinghe", 1, 2)], head(2, 1), at(0)));
    leader.append(&moved).await.unwrap();
    let before = worker.commit_behind(&beside(1, 1), &[one(4)], &[]).await;
    assert!(matches!(before, Err(StoreError::Stale)), "{before:?}");
    let stored = worker.commit_behind(&beside(2, 1), &[one(5)], &[]).await;
    assert_eq!(stored.unwrap(), [true]);
    assert!(!worker.is_led(at(31)).await.unwrap());
    let over = worker.commit_behind(&beside(2, 31), &[one(6)], &[]).await;
    assert!(matches!(over, Err(StoreError::Fenced)), "{over:?}");
    assert_eq!(leader.totals().await.unwrap().statements, 2);
}

/// Waits until a writer has come so far, which it must before it ends.
async fn until_written(writer: &JoinHandle<u64>, is_enough: impl AsyncFn() -> bool) {
    let enough = async {
        while !is_enough().await {
            assert!(!writer.is_finished(), "the writer has ended by itself");
            tokio::task::yield_now().await;
        }
    };
    let in_time = timeout(DEADLINE, enough).await;
    in_time.expect("the writer writes too slowly");
}

/// What a writer says in the end.
async fn ended(writer: JoinHandle<u64>) -> u64 {
    let in_time = timeout(DEADLINE, writer).await;
    in_time.expect("the writer does not end").unwrap()
}

/// After a take-over nothing comes that was checked before it.
pub async fn take_over_waits_for_ingest_or_ingest_fails(engine: &Engine) {
    let (old, new) = (Arc::clone(&engine.store), engine.second().await);
    let fence = take(&*old, "old", 0).await.unwrap();
    old.open_gate(fence, 1).await.unwrap();
    let writing = tokio::spawn(async move {
        let mut line = device("qinghe/line-1");
        for written in 0_u64.. {
            let one = single(&mut line, 1, 0);
            match old
                .commit_behind(&pass(fence, 1), from_ref(&one), &[])
                .await
            {
                Ok(_) => {}
                Err(StoreError::Fenced) => return written,
                Err(error) => panic!("{error:?}"),
            }
        }
        0
    });
    let statements = async || new.totals().await.unwrap().statements;
    until_written(&writing, async || statements().await >= 10).await;
    assert_eq!(take(&*new, "new", 100).await, Some(2));
    new.open_gate(2, 1).await.unwrap();
    let then = statements().await;
    assert_eq!(ended(writing).await, then);
    assert_eq!(statements().await, then);
}

pub async fn stale_writer_fails_at_insert(engine: &Engine) {
    let (old, new) = (&*engine.store, engine.second().await);
    let no_lease = old.append(&append(1, 0, &["a"])).await;
    assert!(matches!(no_lease, Err(StoreError::Fenced)), "{no_lease:?}");
    let fence = take(old, "old", 0).await.unwrap();
    old.append(&append(fence, 0, &["a", "b"])).await.unwrap();
    let next = take(&*new, "new", 100).await.unwrap();
    let stale = old.append(&append(fence, 2, &["stale"])).await;
    assert!(matches!(stale, Err(StoreError::Fenced)), "{stale:?}");
    let ahead = old.append(&append(next + 1, 2, &["invented"])).await;
    assert!(matches!(ahead, Err(StoreError::Fenced)), "{ahead:?}");
    assert_eq!(old.log_head().await.unwrap(), Some((2, hash("root at 2"))));
    new.append(&append(next, 2, &["c"])).await.unwrap();
    let entries = old.entries(0, 10).await.unwrap();
    assert_eq!(entries, [b"a", b"b", b"c"]);
}

/// Appends entry after entry until the lease is lost; how many were written.
async fn append_until_fenced(store: Arc<dyn Store>, fence: u64) -> u64 {
    for position in 0.. {
        match store.append(&append(fence, position, &["old"])).await {
            Ok(()) => {}
            Err(StoreError::Fenced) => return position,
            Err(error) => panic!("{error:?}"),
        }
    }
    0
}

pub async fn take_over_and_append_do_not_mix(engine: &Engine) {
    let (old, new) = (Arc::clone(&engine.store), engine.second().await);
    let fence = take(&*old, "old", 0).await.unwrap();
    let writer = tokio::spawn(append_until_fenced(Arc::clone(&old), fence));
    let size = async || new.log_head().await.unwrap().map_or(0, |(size, _)| size);
    until_written(&writer, async || size().await >= 20).await;
    let next = take(&*new, "new", 100).await.unwrap();
    // From here on the size is the new writer's alone.
    let (size, _) = new.log_head().await.unwrap().unwrap();
    new.append(&append(next, size, &["new"])).await.unwrap();
    let written = ended(writer).await;
    assert_eq!(written, size);
    let last = old.entries(size - 1, 10).await.unwrap();
    assert_eq!(last, [b"old", b"new"]);
}

pub async fn one_of_two_appends_at_one_position_wins(engine: &Engine) {
    let stores = [Arc::clone(&engine.store), engine.second().await];
    let fence = take(&*stores[0], "both", 0).await.unwrap();
    for position in 0..10 {
        let writers = (0..4).map(|writer: usize| {
            let store = Arc::clone(&stores[writer % 2]);
            let entry = format!("entry {position} of {writer}");
            async move {
                store
                    .append(&append(fence, position, &[&entry]))
                    .await
                    .is_ok()
            }
        });
        let won = join_all(writers).await;
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    }
    assert_eq!(stores[1].entries(0, 100).await.unwrap().len(), 10);
}

pub async fn failed_append_leaves_nothing(engine: &Engine) {
    let store = &*engine.store;
    let fence = take(store, "a", 0).await.unwrap();
    let mut first = append(fence, 0, &["head 1"]);
    first.registry = Some((vec![record("a", "qinghe", 1, 1)], head(1, 1), at(0)));
    store.append(&first).await.unwrap();
    let one = single(&mut device("qinghe/line-1"), 1, 0);
    store.commit(from_ref(&one), &[]).await.unwrap();
    // The registry version is taken, so neither the entry nor the batch may stay.
    let waiting = made(0, &[one.id]);
    assert!(store.make_batch(&waiting).await.unwrap());
    let mut again = placed(fence, 1, &waiting);
    again.registry = first.registry.clone();
    let failed = store.append(&again).await;
    assert!(matches!(failed, Err(StoreError::Database(_))), "{failed:?}");
    assert_eq!(store.entries(0, 10).await.unwrap().len(), 1);
    assert_eq!(store.log_head().await.unwrap().unwrap().0, 1);
    assert!(store.batch(0, 0).await.unwrap().is_none());
    assert_eq!(store.made_batches(10).await.unwrap().len(), 1);
    assert!(store.inclusions_due(10, 10).await.unwrap().is_empty());
}

pub async fn entries_heads_and_roots(engine: &Engine) {
    let store = &*engine.store;
    assert_eq!(store.log_head().await.unwrap(), None);
    assert!(store.entries(0, 10).await.unwrap().is_empty());
    let fence = take(store, "a", 0).await.unwrap();
    let many: Vec<String> = (0..1_500).map(|n| format!("entry {n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    store.append(&append(fence, 0, &many)).await.unwrap();
    store
        .append(&append(fence, 1_500, &["last"]))
        .await
        .unwrap();
    let page = store.entries(1_498, 2).await.unwrap();
    assert_eq!(page, [b"entry 1498", b"entry 1499"]);
    assert_eq!(store.entries(1_500, 2).await.unwrap(), [b"last"]);
    assert_eq!(
        store.log_head().await.unwrap(),
        Some((1_501, hash("root at 1501")))
    );
    let root = store.root_at(1_500).await.unwrap();
    assert_eq!(root, Some(hash("root at 1500")));
    assert_eq!(store.root_at(700).await.unwrap(), None);
}

pub async fn checkpoints_first_note_of_a_size_stays(engine: &Engine) {
    let store = &*engine.store;
    assert!(store.newest_checkpoint().await.unwrap().is_none());
    let keep = async |size, note: &str, second| {
        let checkpoint = KeptCheckpoint {
            size,
            note: note.as_bytes().to_vec(),
            anchored: at(second),
        };
        store.put_checkpoint(&checkpoint).await.unwrap();
    };
    keep(5, "five", 1).await;
    keep(9, "nine", 2).await;
    keep(5, "five again", 3).await;
    let covering = async |position| {
        let found = store.checkpoint_covering(position).await.unwrap();
        found.map(|found| (found.size, found.note, found.anchored))
    };
    assert_eq!(covering(0).await, Some((5, b"five".to_vec(), at(1))));
    assert_eq!(covering(4).await.unwrap().0, 5);
    assert_eq!(covering(5).await, Some((9, b"nine".to_vec(), at(2))));
    assert_eq!(covering(9).await, None);
    assert_eq!(store.newest_checkpoint().await.unwrap().unwrap().size, 9);
}

pub async fn handover_is_kept_once(engine: &Engine) {
    let store = &*engine.store;
    assert_eq!(store.handover(7).await.unwrap(), None);
    store.put_handover(7, b"first").await.unwrap();
    store.put_handover(7, b"second").await.unwrap();
    store.put_handover(9, b"other").await.unwrap();
    assert_eq!(
        store.handover(7).await.unwrap().as_deref(),
        Some(&b"first"[..])
    );
    assert_eq!(store.handover(8).await.unwrap(), None);
}
