//! The queue of statements, and the batches that are made of it.

use std::slice::from_ref;

use platform::store::{Pass, Whose};
use schemas::hash::Hash;

use super::engine::Engine;
use super::log::{pass, take};
use super::made::{OWN, anchor, at, device, made, place_of, placed, single};

/// Each process batches its own; a leader also what is left by others. A statement is in one batch,
/// and no header of a newer registry version goes before one of an older.
pub async fn batches_of_several_processes(engine: &Engine) {
    let (store, other) = (&*engine.store, engine.second().await);
    let fence = take(store, "a", 0).await.unwrap();
    store.open_gate(fence, 1).await.unwrap();
    let mut line = device("qinghe/line-1");
    let all: Vec<_> = (0..4).map(|n| single(&mut line, n, n.into())).collect();
    let (own, theirs) = all.split_at(2);
    store
        .commit_behind(&pass(fence, 1), own, &[])
        .await
        .unwrap();
    let beside = Pass {
        fence: None,
        shard: 1,
        ..pass(fence, 1)
    };
    other.commit_behind(&beside, theirs, &[]).await.unwrap();
    let ids = async |whose: Whose| -> Vec<Hash> {
        let queued = store.queued(&whose, 10).await.unwrap();
        queued.into_iter().map(|one| one.id).collect()
    };
    assert_eq!(ids(OWN).await, [all[0].id, all[1].id]);
    assert_eq!(ids(Whose { shard: 1, ..OWN }).await, [all[2].id, all[3].id]);
    let old = Whose {
        before: at(3),
        ..OWN
    };
    assert_eq!(ids(old).await, [all[0].id, all[1].id, all[2].id]);
    assert_eq!(ids(Whose { below: 2, ..OWN }).await.len(), 4);

    let first = made(0, &[all[0].id, all[2].id]);
    assert!(store.make_batch(&first).await.unwrap());
    let mut late = made(0, &[all[2].id, all[3].id]);
    late.shard = 1;
    assert!(
        !other.make_batch(&late).await.unwrap(),
        "one of them is taken"
    );
    assert_eq!(ids(Whose { shard: 1, ..OWN }).await, [all[3].id]);
    assert!(
        !store.make_batch(&made(0, &[all[1].id])).await.unwrap(),
        "the number is taken"
    );
    late.statements = vec![all[3].id];
    late.registry_version = 2;
    assert!(other.make_batch(&late).await.unwrap());
    let waiting = async || -> Vec<(u64, u64)> {
        let made = store.made_batches(10).await.unwrap();
        made.iter().map(|one| (one.shard, one.seq)).collect()
    };
    assert_eq!(
        waiting().await,
        [(0, 0)],
        "a statement of version 1 still waits"
    );
    assert!(store.make_batch(&made(1, &[all[1].id])).await.unwrap());
    assert_eq!(waiting().await, [(0, 0), (0, 1), (1, 0)]);
    assert_eq!(
        store.last_made(0).await.unwrap(),
        Some((1, b"header 1".to_vec()))
    );
    assert_eq!(place_of(store, &all[0].id).await, None);
    store.append(&placed(fence, 0, &first)).await.unwrap();
    assert_eq!(waiting().await, [(0, 1), (1, 0)]);
    let place = place_of(store, &all[2].id).await.unwrap();
    assert_eq!(
        (place.log_index, place.shard, place.seq, place.position),
        (0, 0, 0, 1)
    );
    assert_eq!(
        store.last_made(1).await.unwrap(),
        Some((0, b"header 0".to_vec()))
    );
    assert_eq!(store.last_made(2).await.unwrap(), None);
    let five = single(&mut line, 5, 5);
    store.commit(from_ref(&five), &[]).await.unwrap();
    assert!(
        !store.make_batch(&made(0, &[five.id])).await.unwrap(),
        "the number is in the log"
    );
}

pub async fn queue_gives_the_oldest_registry_version_in_order(engine: &Engine) {
    let store = &*engine.store;
    let mut line = device("qinghe/line-1");
    let mut newer = single(&mut line, 1, 0);
    newer.registry_version = 2;
    let late = single(&mut line, 2, 9);
    let same_time = [single(&mut line, 3, 5), single(&mut line, 4, 5)];
    let all = [
        newer.clone(),
        late.clone(),
        same_time[0].clone(),
        same_time[1].clone(),
    ];
    store.commit(&all, &[]).await.unwrap();
    let mut expected = vec![same_time[0].id, same_time[1].id];
    expected.sort();
    expected.push(late.id);
    let queued = store.queued(&OWN, 10).await.unwrap();
    let ids: Vec<Hash> = queued.iter().map(|queued| queued.id).collect();
    assert_eq!(ids, expected);
    assert_eq!((queued[2].received, queued[2].registry_version), (at(9), 1));
    assert_eq!(store.queued(&OWN, 2).await.unwrap().len(), 2);
    let fence = take(store, "a", 0).await.unwrap();
    anchor(store, fence, 0, 0, &ids).await;
    let next = store.queued(&OWN, 10).await.unwrap();
    let next: Vec<Hash> = next.iter().map(|queued| queued.id).collect();
    assert_eq!(next, [newer.id]);
}

pub async fn batch_takes_its_statements_from_the_queue(engine: &Engine) {
    let store = &*engine.store;
    let mut line = device("qinghe/line-1");
    let all: Vec<_> = (0..3).map(|n| single(&mut line, n, 0)).collect();
    store.commit(&all, &[]).await.unwrap();
    assert!(store.batch(0, 0).await.unwrap().is_none());
    let fence = take(store, "a", 0).await.unwrap();
    let order = [all[2].id, all[0].id];
    let mut first = made(0, &order);
    first.refused = Some(b"refused".to_vec());
    assert!(store.make_batch(&first).await.unwrap());
    store.append(&placed(fence, 0, &first)).await.unwrap();
    anchor(store, fence, 1, 1, &[all[1].id]).await;
    assert!(store.queued(&OWN, 10).await.unwrap().is_empty());
    let found = store.batch(0, 0).await.unwrap().unwrap();
    assert_eq!((found.shard, found.seq, found.log_index), (0, 0, 0));
    assert_eq!(
        (&*found.header, &found.statements[..]),
        (&b"header 0"[..], &order[..])
    );
    assert_eq!(found.refused.as_deref(), Some(&b"refused"[..]));
    let last = store.batch(0, 1).await.unwrap().unwrap();
    assert_eq!((last.seq, last.refused), (1, None));
    assert!(store.batch(0, 2).await.unwrap().is_none());
    assert!(store.batch(1, 0).await.unwrap().is_none());
    let place = place_of(store, &all[0].id).await.unwrap();
    assert_eq!((place.log_index, place.seq, place.position), (0, 0, 1));
    assert_eq!(store.inclusions_due(1, 10).await.unwrap(), [(0, 0)]);
    assert_eq!(store.inclusions_due(2, 10).await.unwrap(), [(0, 0), (0, 1)]);
    assert_eq!(store.inclusions_due(2, 1).await.unwrap(), [(0, 0)]);
    store.inclusion_sent(0, 0).await.unwrap();
    store.inclusion_sent(0, 0).await.unwrap();
    assert_eq!(store.inclusions_due(2, 10).await.unwrap(), [(0, 1)]);
}
