//! The write path: durable once, whatever comes again and from wherever.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Arc;

use platform::store::{NewStatement, QUARANTINE_ROWS, Store};
use schemas::hash::Hash;

use super::engine::Engine;
use super::made::{OWN, at, device, kept, rival, single, statement, unreadable};
use crate::world::events::LOT;

pub async fn statement_is_stored_once(engine: &Engine) {
    let mut line = device("qinghe/line-1");
    let one = statement(&mut line, &[1, 2], 0);
    let store = &engine.store;
    assert_eq!(store.commit(from_ref(&one), &[]).await.unwrap(), [true]);
    assert_eq!(store.commit(from_ref(&one), &[]).await.unwrap(), [false]);
    let two = single(&mut line, 3, 1);
    let fresh = store.commit(&[one.clone(), two], &[]).await.unwrap();
    assert_eq!(fresh, [false, true]);
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.statements, totals.events), (2, 3));
    assert_eq!(store.queued(&OWN, 10).await.unwrap().len(), 2);
    let found = store.statement(&one.id).await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.kid, found.bytes),
        (one.id, one.kid, one.bytes)
    );
    assert_eq!((&found.device, found.position), (&one.device, one.position));
    assert_eq!((found.received, found.registry_version), (at(0), 1));
    assert_eq!(found.batch, None);
    assert!(store.statement(&Hash([1; 32])).await.unwrap().is_none());
}

pub async fn equal_statements_of_one_call_are_one(engine: &Engine) {
    let one = single(&mut device("qinghe/line-1"), 1, 0);
    let twice = [one.clone(), one.clone(), one];
    let fresh = engine.store.commit(&twice, &[]).await.unwrap();
    assert_eq!(fresh, [true, false, false]);
    assert_eq!(engine.store.totals().await.unwrap().events, 1);
    assert_eq!(engine.store.chain_events(None).await.unwrap(), []);
}

pub async fn events_come_back_as_they_went_in(engine: &Engine) {
    let mut line = device("qinghe/line-1");
    let one = statement(&mut line, &[3, 1, 2], 0);
    engine.store.commit(from_ref(&one), &[]).await.unwrap();
    let found = engine.store.events_of_statement(&one.id).await.unwrap();
    assert_eq!(found.len(), 3);
    for (position, (found, sent)) in found.iter().zip(&one.events).enumerate() {
        assert_eq!(found.position, position as u64);
        assert_eq!((found.leaf, found.source), (sent.leaf, sent.source));
        let (bytes, salt) = found.content.clone().unwrap();
        assert_eq!((bytes, salt.0), (sent.bytes.clone(), sent.salt.0));
    }
    let note = kept(&line.note("still here"), 1);
    engine.store.commit(from_ref(&note), &[]).await.unwrap();
    let events = engine.store.events_of_statement(&note.id).await.unwrap();
    assert!(events.is_empty());
}

pub async fn refused_events_keep_their_leaf_and_name_nothing(engine: &Engine) {
    let mut one = statement(&mut device("qinghe/line-1"), &[1, 2, 3], 0);
    one.events[1].refused = Some("event-time".into());
    one.events[1].event_time = None;
    one.events[2].refused = Some("epcis".into());
    let store = &engine.store;
    store.commit(from_ref(&one), &[]).await.unwrap();
    let found = store.events_of_statement(&one.id).await.unwrap();
    let codes: Vec<_> = found.iter().map(|event| event.refused.as_deref()).collect();
    assert_eq!(codes, [None, Some("event-time"), Some("epcis")]);
    assert!(found[2].content.is_some());
    let named = store.events_of_items(&[LOT.into()], 10).await.unwrap();
    assert_eq!(named.len(), 1);
    let queued = store.queued(&OWN, 10).await.unwrap();
    assert_eq!((queued[0].accepted, queued[0].refused), (1, 2));
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.events, totals.refused), (1, 2));
}

pub async fn many_rows_of_one_call_keep_their_order(engine: &Engine) {
    let mut line = device("qinghe/line-1");
    let weights: Vec<u32> = (0..256).collect();
    let many: Vec<_> = (0..5).map(|n| statement(&mut line, &weights, n)).collect();
    let fresh = engine.store.commit(&many, &[]).await.unwrap();
    assert_eq!(fresh, [true; 5]);
    for sent in &many {
        let found = engine.store.events_of_statement(&sent.id).await.unwrap();
        let found: Vec<Hash> = found.iter().map(|event| event.leaf).collect();
        let sent: Vec<Hash> = sent.events.iter().map(|event| event.leaf).collect();
        assert_eq!(found, sent);
    }
    assert_eq!(engine.store.totals().await.unwrap().events, 1_280);
}

/// Commits in a task of its own; which were new.
async fn commit_in_task(store: Arc<dyn Store>, statements: Vec<NewStatement>) -> Vec<(Hash, bool)> {
    let task = tokio::spawn(async move {
        let fresh = store.commit(&statements, &[]).await.unwrap();
        let ids = statements.iter().map(|statement| statement.id);
        ids.zip(fresh).collect()
    });
    task.await.unwrap()
}

pub async fn same_statements_by_many_writers_are_each_new_once(engine: &Engine) {
    let mut line = device("qinghe/line-1");
    let all: Vec<_> = (0..40)
        .map(|n| statement(&mut line, &[n, n + 1], 0))
        .collect();
    let stores = [Arc::clone(&engine.store), engine.second().await];
    let writers = (0..8).map(|writer| {
        // Each in an order of its own, so that they meet in all ways.
        let mut mine = all.clone();
        mine.rotate_left(writer * 5);
        if writer % 2 == 1 {
            mine.reverse();
        }
        commit_in_task(Arc::clone(&stores[writer % 2]), mine)
    });
    let mut new: BTreeMap<Hash, u32> = BTreeMap::new();
    for outcome in join_all(writers).await {
        for (id, fresh) in outcome {
            *new.entry(id).or_default() += u32::from(fresh);
        }
    }
    assert_eq!(new.len(), 40);
    assert!(new.values().all(|times| *times == 1), "{new:?}");
    let totals = engine.store.totals().await.unwrap();
    assert_eq!((totals.statements, totals.events), (40, 80));
    assert_eq!(engine.store.queued(&OWN, 100).await.unwrap().len(), 40);
    assert_eq!(engine.store.chain_events(None).await.unwrap(), []);
}

/// Runs all at once.
pub(super) async fn join_all<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = work.map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

pub async fn two_statements_in_one_place_are_a_fork(engine: &Engine) {
    let store = &engine.store;
    let mut line = device("qinghe/line-1");
    store.commit(&[single(&mut line, 1, 0)], &[]).await.unwrap();
    let other = rival(&line, 3, 2);
    let one = single(&mut line, 2, 1);
    store.commit(from_ref(&one), &[]).await.unwrap();
    assert_eq!(store.chain_events(None).await.unwrap(), []);
    assert_eq!(store.commit(from_ref(&other), &[]).await.unwrap(), [true]);
    let events = store.chain_events(None).await.unwrap();
    let [fork] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((&*fork.kind, &fork.device), ("fork", &one.device));
    assert_eq!((fork.epoch, fork.from_seq, fork.to_seq), (0, 1, 1));
    assert_eq!(fork.at, at(2));
    // Again, from either side: the same row.
    store
        .commit(&[one.clone(), other.clone()], &[])
        .await
        .unwrap();
    assert_eq!(store.chain_events(None).await.unwrap(), events);
    let mut both = vec![one.id, other.id];
    both.sort();
    assert_eq!(store.ids_at(&one.device, one.position).await.unwrap(), both);
    assert_eq!(store.queued(&OWN, 10).await.unwrap().len(), 3);
}

pub async fn forks_by_two_writers_at_once_are_all_seen(engine: &Engine) {
    let mut line = device("qinghe/line-1");
    let mut pairs = Vec::new();
    for weight in 0..30 {
        pairs.push((
            rival(&line, 1_000 + weight, 0),
            single(&mut line, weight, 0),
        ));
    }
    let stores = [Arc::clone(&engine.store), engine.second().await];
    for (left, right) in pairs {
        let both = [
            commit_in_task(Arc::clone(&stores[0]), vec![left]),
            commit_in_task(Arc::clone(&stores[1]), vec![right]),
        ];
        join_all(both.into_iter()).await;
    }
    let events = engine.store.chain_events(None).await.unwrap();
    let mut places: Vec<u64> = events.iter().map(|event| event.from_seq).collect();
    places.sort_unstable();
    assert_eq!(places, (0..30).collect::<Vec<_>>());
}

pub async fn quarantine_keeps_each_message_once_and_to_its_limit(engine: &Engine) {
    let store = &engine.store;
    let one = unreadable("one", "not-cbor");
    store
        .commit(&[], &[one.clone(), one.clone()])
        .await
        .unwrap();
    store.commit(&[], &[one]).await.unwrap();
    assert_eq!(store.totals().await.unwrap().quarantined, 1);
    let mut rest = 1..QUARANTINE_ROWS + 10;
    while !rest.is_empty() {
        let messages: Vec<_> = rest
            .by_ref()
            .take(2_500)
            .map(|n| unreadable(&format!("message {n}"), "bad-signature"))
            .collect();
        store.commit(&[], &messages).await.unwrap();
    }
    let codes = store.quarantine_by_code().await.unwrap();
    let expected = [
        ("bad-signature".to_owned(), QUARANTINE_ROWS - 1),
        ("not-cbor".to_owned(), 1),
    ];
    assert_eq!(codes, expected);
    // A full quarantine stops nobody else.
    let good = single(&mut device("qinghe/line-1"), 1, 0);
    let late = unreadable("late", "bad-signature");
    assert_eq!(store.commit(&[good], &[late]).await.unwrap(), [true]);
    assert_eq!(store.totals().await.unwrap().quarantined, QUARANTINE_ROWS);
}

pub async fn null_character_does_not_stop_the_write_path(engine: &Engine) {
    let store = &engine.store;
    let mut one = single(&mut device("qinghe/line-1"), 1, 0);
    one.events[0].step = Some("https://example.org/\0".into());
    one.events[0].refused = Some("epcis".into());
    let mut message = unreadable("one", "not-cbor");
    message.detail = "a\0b".into();
    message.topic = "tracebond/\0".into();
    let fresh = store.commit(&[one], &[message]).await.unwrap();
    assert_eq!(fresh, [true]);
    assert_eq!(store.totals().await.unwrap().quarantined, 1);
    // What a stranger asks for is not there; that is no failure.
    let null = "https://id.gs1.org/01/\0".to_owned();
    assert!(store.events_of_items(&[null], 10).await.unwrap().is_empty());
    assert!(store.credential("a\0b").await.unwrap().is_none());
    assert!(store.enrolment("\0").await.unwrap().is_none());
}

pub async fn empty_commit_changes_nothing(engine: &Engine) {
    let fresh = engine.store.commit(&[], &[]).await.unwrap();
    assert!(fresh.is_empty());
    assert_eq!(engine.store.totals().await.unwrap(), Default::default());
}
