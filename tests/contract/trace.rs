//! What is read: journeys, chains, scans, totals.

use std::slice::from_ref;
use std::sync::Arc;

use platform::store::{ChainEvent, KeptCheckpoint, NewStatement};
use schemas::statement::Position;
use schemas::time::Instant;

use super::engine::Engine;
use super::ingest::join_all;
use super::made::{
    OWN, SCAN, anchor, append, at, device, hash, made, place_of, placed, single, statement,
    unreadable,
};
use crate::world::events::LOT;

const OTHER: &str = "https://id.gs1.org/01/09521001000017/10/QH-0712";

/// Names a thing in each event instead of the lot.
fn naming(mut statement: NewStatement, item: &str) -> NewStatement {
    for event in &mut statement.events {
        event.items = vec![(item.into(), "epc")];
    }
    statement
}

pub async fn events_of_items_in_order_with_their_anchor(engine: &Engine) {
    let store = &*engine.store;
    let mut line = device("qinghe/line-1");
    let late = statement(&mut line, &[1, 2], 100);
    let early = single(&mut line, 3, 0);
    let other = naming(single(&mut line, 4, 50), OTHER);
    let mut both = single(&mut line, 5, 60);
    // Named twice in one role and once in another: one event all the same.
    let names = [
        (LOT, "quantity"),
        (LOT, "quantity"),
        (LOT, "epc"),
        (OTHER, "epc"),
    ];
    both.events[0].items = names.map(|(item, role)| (item.into(), role)).to_vec();
    let all = [late.clone(), early.clone(), other.clone(), both.clone()];
    store.commit(&all, &[]).await.unwrap();
    let named = async |items: &[&str], limit| {
        let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
        store.events_of_items(&items, limit).await.unwrap()
    };
    let leaves = async |items: &[&str], limit| -> Vec<_> {
        let found = named(items, limit).await;
        found.iter().map(|event| event.leaf).collect()
    };
    let leaf = |statement: &NewStatement, n: usize| statement.events[n].leaf;
    let (first, last) = (leaf(&early, 0), [leaf(&late, 0), leaf(&late, 1)]);
    let (middle, shared) = (leaf(&other, 0), leaf(&both, 0));
    assert_eq!(leaves(&[LOT], 10).await, [first, shared, last[0], last[1]]);
    assert_eq!(leaves(&[OTHER], 10).await, [middle, shared]);
    assert_eq!(
        leaves(&[LOT, OTHER], 10).await,
        [first, middle, shared, last[0], last[1]]
    );
    assert_eq!(leaves(&[LOT, OTHER], 2).await, [first, middle]);
    assert!(leaves(&["https://example.org/none"], 10).await.is_empty());
    assert!(leaves(&[], 10).await.is_empty());
    let found = named(&[LOT], 10).await;
    assert_eq!(
        (found[0].device.to_string().as_str(), found[0].kid),
        ("qinghe/line-1", early.kid)
    );
    assert_eq!((found[0].source, found[0].received), (SCAN, at(0)));
    assert_eq!(found[0].made, Instant::from_seconds(1_783_720_800));
    assert_eq!((found[3].statement, found[3].index), (late.id, 1));
    assert_eq!(found[3].bytes, late.events[1].bytes);
    assert!(found[0].anchor.is_none());

    let fence = store.take_lease("log", "a", at(0), at(30)).await.unwrap();
    let fence = fence.unwrap();
    store.append(&append(fence, 0, &["policy"])).await.unwrap();
    anchor(store, fence, 1, 0, &[other.id, early.id]).await;
    anchor(store, fence, 2, 1, &[late.id]).await;
    for (size, second) in [(1, 9), (2, 10), (3, 20)] {
        let (note, anchored) = (b"note".to_vec(), at(second));
        let checkpoint = KeptCheckpoint {
            size,
            note,
            anchored,
        };
        store.put_checkpoint(&checkpoint).await.unwrap();
    }
    let found = named(&[LOT], 10).await;
    let anchor = found[0].anchor.clone().unwrap();
    assert_eq!(
        (anchor.log_index, anchor.shard, anchor.batch_seq),
        (1, 0, 0)
    );
    assert_eq!(anchor.batch_index, 1);
    assert_eq!(
        (anchor.checkpoint_size, anchor.anchored),
        (Some(2), Some(at(10)))
    );
    assert!(found[1].anchor.is_none(), "its statement still waits");
    let anchor = found[2].anchor.clone().unwrap();
    assert_eq!(
        (anchor.checkpoint_size, anchor.anchored),
        (Some(3), Some(at(20)))
    );
}

pub async fn statement_in_two_batches_counts_at_the_earlier(engine: &Engine) {
    let store = &*engine.store;
    let one = single(&mut device("qinghe/line-1"), 1, 0);
    store.commit(from_ref(&one), &[]).await.unwrap();
    let fence = store.take_lease("log", "a", at(0), at(30)).await.unwrap();
    let fence = fence.unwrap();
    let two = single(&mut device("qinghe/line-2"), 2, 0);
    store.commit(from_ref(&two), &[]).await.unwrap();
    let mut elsewhere = made(7, &[two.id, one.id]);
    elsewhere.shard = 3;
    assert!(store.make_batch(&elsewhere).await.unwrap());
    store.append(&placed(fence, 0, &elsewhere)).await.unwrap();
    // The queue gives a statement to one batch only; a log of before may have it in two.
    store
        .append(&placed(fence, 1, &made(0, &[])))
        .await
        .unwrap();
    let again = "INSERT INTO batch_statements (statement, shard, seq, position)
                 SELECT statement, 0, 0, 0 FROM batch_statements WHERE shard = 3 AND position = 1";
    engine.restore(again).await;
    let devices = store.devices_of(&[one.id, hash("none")]).await.unwrap();
    assert_eq!(
        devices.into_iter().collect::<Vec<_>>(),
        [(one.id, one.device.clone())]
    );
    let place = place_of(store, &one.id).await.unwrap();
    assert_eq!(
        (place.log_index, place.shard, place.seq, place.position),
        (0, 3, 7, 1)
    );
    let mut found = store.events_of_items(&[LOT.into()], 10).await.unwrap();
    found.retain(|event| event.statement == one.id);
    assert_eq!(found.len(), 1);
    let anchor = found[0].anchor.clone().unwrap();
    assert_eq!(
        (anchor.log_index, anchor.shard, anchor.batch_seq),
        (0, 3, 7)
    );
    assert_eq!(store.totals().await.unwrap().anchored, 2);
}

pub async fn items_devices_and_products(engine: &Engine) {
    let store = &*engine.store;
    let commissioned = |mut statement: NewStatement, item: &str| {
        statement = naming(statement, item);
        statement.events[0].step = Some("commissioning".into());
        statement
    };
    let (mut line, mut truck) = (device("qinghe/line-1"), device("yunda/truck-7"));
    let first = commissioned(single(&mut line, 1, 0), LOT);
    let second = commissioned(single(&mut line, 2, 10), OTHER);
    let pallet = commissioned(
        single(&mut line, 3, 20),
        "https://id.gs1.org/00/195210010000000014",
    );
    let again = commissioned(single(&mut line, 4, 30), LOT);
    let carried = single(&mut truck, 5, 40);
    let both = naming(single(&mut truck, 6, 50), OTHER);
    let all = [first, second, pallet, again, carried.clone(), both.clone()];
    store.commit(&all, &[]).await.unwrap();
    assert_eq!(store.products(10).await.unwrap(), [OTHER, LOT]);
    assert_eq!(store.products(1).await.unwrap(), [OTHER]);
    let (qinghe, yunda) = ("qinghe".parse().unwrap(), "yunda".parse().unwrap());
    assert_eq!(store.items_of(&yunda, 10).await.unwrap(), [LOT, OTHER]);
    assert_eq!(store.items_of(&qinghe, 10).await.unwrap().len(), 3);
    assert_eq!(store.items_of(&qinghe, 2).await.unwrap().len(), 2);
    assert!(
        store
            .items_of(&"nobody".parse().unwrap(), 9)
            .await
            .unwrap()
            .is_empty()
    );
    let items = [LOT.to_owned(), OTHER.to_owned()];
    let mut expected = vec![carried.id, both.id];
    expected.sort();
    let others = store.statements_naming(&items, &qinghe).await.unwrap();
    assert_eq!(others, expected);
    let others = store.statements_naming(&items[..1], &yunda).await.unwrap();
    assert_eq!(others.len(), 2);
    let devices = |found: Vec<schemas::ids::DeviceAddress>| -> Vec<String> {
        found.iter().map(ToString::to_string).collect()
    };
    let found = devices(store.devices(None).await.unwrap());
    assert_eq!(found, ["qinghe/line-1", "yunda/truck-7"]);
    let found = devices(store.devices(Some(&yunda)).await.unwrap());
    assert_eq!(found, ["yunda/truck-7"]);
    assert_eq!(
        store.chain(&carried.device).await.unwrap(),
        [carried.id, both.id]
    );
}

pub async fn text_sorts_by_bytes(engine: &Engine) {
    let store = &*engine.store;
    let mut line = device("qinghe/line-1");
    let items = [
        "urn:a:b",
        "urn:a:B",
        "urn:A:c",
        "urn:a-:a",
        "urn:a:桃",
        "urn:a:_",
    ];
    for (n, item) in (0..).zip(items) {
        let one = naming(single(&mut line, n, 0), item);
        store.commit(&[one], &[]).await.unwrap();
    }
    let mut expected = items.to_vec();
    expected.sort_unstable();
    let found = store
        .items_of(&"qinghe".parse().unwrap(), 10)
        .await
        .unwrap();
    assert_eq!(found, expected);
}

pub async fn chain_is_read_in_order(engine: &Engine) {
    let store = &*engine.store;
    let mut line = device("qinghe/line-1");
    let mut all: Vec<_> = (0..5).map(|n| single(&mut line, n, n.into())).collect();
    line.next = Position { epoch: 1, seq: 0 };
    all.push(single(&mut line, 9, 9));
    let missing = all.remove(3);
    let mut shuffled = all.clone();
    shuffled.reverse();
    store.commit(&shuffled, &[]).await.unwrap();
    let address = &all[0].device;
    let ids: Vec<_> = all.iter().map(|statement| statement.id).collect();
    assert_eq!(store.chain(address).await.unwrap(), ids);
    let after = async |after: Option<(u64, u64)>, limit| -> Vec<_> {
        let after = after.map(|(epoch, seq)| Position { epoch, seq });
        let links = store.links_after(address, after, limit).await.unwrap();
        links.iter().map(|link| link.id).collect()
    };
    assert_eq!(after(None, 10).await, ids);
    assert_eq!(after(None, 2).await, ids[..2]);
    assert_eq!(after(Some((0, 1)), 10).await, ids[2..]);
    assert_eq!(after(Some((0, u64::MAX)), 10).await, ids[4..]);
    assert!(after(Some((1, 0)), 10).await.is_empty());
    let links = store.links_after(address, None, 2).await.unwrap();
    assert_eq!(
        (links[1].position, links[1].prev),
        (all[1].position, ids[0])
    );
    assert_eq!(links[1].received, at(1));
    assert_eq!(store.present(address, 0, 0, 4).await.unwrap(), 4);
    assert_eq!(store.present(address, 0, 3, 3).await.unwrap(), 0);
    store.commit(from_ref(&missing), &[]).await.unwrap();
    assert_eq!(store.present(address, 0, 0, 4).await.unwrap(), 5);
    assert_eq!(
        store.ids_at(address, missing.position).await.unwrap(),
        [missing.id]
    );
    assert_eq!(store.last_heard(address).await.unwrap(), Some(at(9)));
    let unknown = "nobody/none".parse().unwrap();
    assert_eq!(store.last_heard(&unknown).await.unwrap(), None);
    assert!(store.chain(&unknown).await.unwrap().is_empty());
    assert_eq!(store.newest_of(address).await.unwrap(), ids.last().copied());
    assert_eq!(store.newest_of(&unknown).await.unwrap(), None);
}

pub async fn chain_events_are_kept_once(engine: &Engine) {
    let store = &*engine.store;
    let event = |device: &str, kind: &str, from_seq, second| ChainEvent {
        device: device.parse().unwrap(),
        kind: kind.into(),
        epoch: 0,
        from_seq,
        to_seq: from_seq + 1,
        at: at(second),
        detail: format!("noticed in second {second}"),
    };
    let first = event("a/b", "gap-opened", 3, 5);
    store.add_chain_event(&first).await.unwrap();
    store
        .add_chain_event(&event("a/b", "gap-opened", 3, 9))
        .await
        .unwrap();
    let closed = event("a/b", "gap-closed", 3, 7);
    store.add_chain_event(&closed).await.unwrap();
    let other = event("a/c", "silent", 1, 1);
    store.add_chain_event(&other).await.unwrap();
    let of = store.chain_events(Some(&first.device)).await.unwrap();
    assert_eq!(of, [first.clone(), closed.clone()]);
    let all = store.chain_events(None).await.unwrap();
    assert_eq!(all, [other, first, closed]);
    assert_eq!(store.totals().await.unwrap().gaps, 1);
}

pub async fn scans_are_counted_one_by_one(engine: &Engine) {
    let stores = [Arc::clone(&engine.store), engine.second().await];
    let first = stores[0].count_scan(LOT, at(0)).await.unwrap();
    assert_eq!((first.first, first.total), (at(0), 1));
    let scans = (0..40).map(|n: usize| {
        let store = Arc::clone(&stores[n % 2]);
        async move { store.count_scan(LOT, at(n as i64)).await.unwrap() }
    });
    let counts = join_all(scans).await;
    assert!(counts.iter().all(|count| count.first == at(0)));
    let mut totals: Vec<u64> = counts.iter().map(|count| count.total).collect();
    totals.sort_unstable();
    assert_eq!(totals, (2..=41).collect::<Vec<_>>());
    let other = stores[0].count_scan(OTHER, at(1)).await.unwrap();
    assert_eq!(other.total, 1);
}

pub async fn times_are_kept_to_the_microsecond(engine: &Engine) {
    let store = &*engine.store;
    let times = [
        "0001-01-01T00:00:00.000001Z",
        "1969-12-31T23:59:59.999999Z",
        "1999-12-31T23:59:59.999999Z",
        "2026-11-22T01:02:03.000001Z",
        "2026-11-22T01:02:03.000002Z",
        "9999-12-31T23:59:59.999999Z",
    ];
    let times = times.map(|text| Instant::parse_rfc3339(text).unwrap());
    let mut line = device("qinghe/line-1");
    let mut all = Vec::new();
    for (weight, time) in (0..).zip(times) {
        let mut one = single(&mut line, weight, 0);
        one.received = time;
        one.events[0].event_time = Some(time);
        all.push(one);
    }
    let mut shuffled = all.clone();
    shuffled.reverse();
    store.commit(&shuffled, &[]).await.unwrap();
    let found = store.events_of_items(&[LOT.into()], 10).await.unwrap();
    let received: Vec<Instant> = found.iter().map(|event| event.received).collect();
    assert_eq!(
        received, times,
        "in order of event time, to the microsecond"
    );
    for (sent, queued) in all.iter().zip(store.queued(&OWN, 10).await.unwrap()) {
        assert_eq!((queued.id, queued.received), (sent.id, sent.received));
    }
    let heard = store.last_heard(&all[0].device).await.unwrap();
    assert_eq!(heard, times.last().copied());
}

pub async fn totals_count_everything(engine: &Engine) {
    let store = &*engine.store;
    let mut line = device("qinghe/line-1");
    let mut one = statement(&mut line, &[1, 2, 3], 0);
    one.events[0].refused = Some("epcis".into());
    let two = single(&mut line, 4, 1);
    let bad = unreadable("bad", "not-cbor");
    store.commit(&[one.clone(), two], &[bad]).await.unwrap();
    let fence = store.take_lease("log", "a", at(0), at(30)).await.unwrap();
    anchor(store, fence.unwrap(), 0, 0, &[one.id]).await;
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (totals.statements, totals.events, totals.refused),
        (2, 3, 1)
    );
    assert_eq!(
        (totals.anchored, totals.quarantined, totals.gaps),
        (2, 1, 0)
    );
    assert_eq!(totals.log_size, 1);
}
