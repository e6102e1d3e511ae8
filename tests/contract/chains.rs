//! What the follower of chains reads and writes.

use platform::store::ChainEvent;
use platform::store::chains::{ChainAdvance, ChainHead, MISSING};
use schemas::hash::Hash;
use schemas::statement::Position;

use super::engine::Engine;
use super::made::{anchor, at, device, hash, single};

fn chain_head(device: &str, epoch: u64, seq: u64, second: i64) -> ChainHead {
    ChainHead {
        device: device.parse().unwrap(),
        position: Position { epoch, seq },
        id: hash(&format!("{device} {epoch} {seq}")),
        heard: Some(at(second)),
        silent: false,
        ended: false,
    }
}

pub async fn chain_heads_move_and_say_who_is_silent(engine: &Engine) {
    let store = &*engine.store;
    let advance = async |events: Vec<ChainEvent>, heads: Vec<ChainHead>, read| {
        let advance = ChainAdvance {
            events,
            heads,
            read,
        };
        store.advance_chains(&advance).await.unwrap();
    };
    assert_eq!(store.chains_read().await.unwrap(), None);
    let all = [
        chain_head("a/b", 0, 4, 1),
        chain_head("a/c", 0, 0, 2),
        chain_head("b/a", 2, 7, 3),
    ];
    advance(Vec::new(), all.to_vec(), Some(8)).await;
    // One that another process has moved on already changes nothing, neither does what it had read.
    advance(Vec::new(), vec![chain_head("b/a", 1, 9, 9)], Some(3)).await;
    assert_eq!(store.chains_read().await.unwrap(), Some(8));
    assert_eq!(store.heads_after(None, 9).await.unwrap(), all);
    assert_eq!(store.heads_after(None, 2).await.unwrap(), all[..2]);
    let behind = store.heads_after(Some(&all[0].device), 9).await.unwrap();
    assert_eq!(behind, all[1..]);
    let moved = chain_head("a/b", 1, 0, 5);
    advance(Vec::new(), vec![moved.clone()], Some(9)).await;
    let asked = [moved.device.clone(), "no/body".parse().unwrap()];
    assert_eq!(
        store.chain_heads(&asked).await.unwrap(),
        std::slice::from_ref(&moved)
    );
    let row = |kind: &str| ChainEvent {
        device: moved.device.clone(),
        kind: kind.into(),
        epoch: 1,
        from_seq: 0,
        to_seq: 0,
        at: at(7),
        detail: "of the head".into(),
    };
    for (kind, silent, ended) in [("silent", true, false), ("silence-ended", true, true)] {
        advance(vec![row(kind), row(kind)], Vec::new(), None).await;
        let found = store.chain_heads(&asked).await.unwrap();
        assert_eq!((found[0].silent, found[0].ended), (silent, ended));
        assert_eq!(store.heads_after(None, 1).await.unwrap(), found);
    }
    assert_eq!(store.chain_events(None).await.unwrap().len(), 2);
}

pub async fn links_are_read_in_the_order_of_the_log(engine: &Engine) {
    let store = &*engine.store;
    let (mut line, mut other) = (device("qinghe/line-1"), device("yunda/van-1"));
    let mut all: Vec<_> = (0..3).map(|n| single(&mut line, n, n.into())).collect();
    all.push(single(&mut other, 7, 7));
    store.commit(&all, &[]).await.unwrap();
    let fence = store.take_lease("log", "a", at(0), at(30)).await.unwrap();
    let ids: Vec<Hash> = all.iter().map(|statement| statement.id).collect();
    for (index, of) in (0..).zip([[ids[3], ids[1]], [ids[2], ids[0]]]) {
        anchor(store, fence.unwrap(), index, index, &of).await;
    }
    let logged = async |from, batches| -> Vec<(u64, Hash)> {
        let links = store.links_logged(from, batches).await.unwrap();
        links
            .iter()
            .map(|one| (one.log_index, one.link.id))
            .collect()
    };
    let expected = [(0, ids[3]), (0, ids[1]), (1, ids[2]), (1, ids[0])];
    assert_eq!(logged(0, 9).await, expected);
    assert_eq!(logged(0, 1).await, expected[..2]);
    assert_eq!(logged(1, 9).await, expected[2..]);
    assert!(logged(2, 9).await.is_empty());
    let first = store.links_logged(0, 1).await.unwrap().swap_remove(0);
    assert_eq!(
        (first.device, first.link.prev),
        (all[3].device.clone(), all[3].prev)
    );
    assert_eq!(
        (first.link.received, first.link.bytes),
        (at(7), all[3].bytes.clone())
    );
    let devices = [
        all[0].device.clone(),
        all[3].device.clone(),
        "no/body".parse().unwrap(),
    ];
    let mut behind = store.behind(&devices).await.unwrap();
    behind.sort();
    assert_eq!(behind, devices[..2]);
    let heads = vec![
        chain_head("qinghe/line-1", 0, 1, 1),
        chain_head("yunda/van-1", 0, 0, 1),
    ];
    let advance = ChainAdvance {
        heads,
        ..ChainAdvance::default()
    };
    store.advance_chains(&advance).await.unwrap();
    assert_eq!(store.behind(&devices).await.unwrap(), devices[..1]);
}

pub async fn open_gaps_are_found(engine: &Engine) {
    let store = &*engine.store;
    let row = |device: &str, kind: &str, from_seq, to_seq, detail: &str| ChainEvent {
        device: device.parse().unwrap(),
        kind: kind.into(),
        epoch: 1,
        from_seq,
        to_seq,
        at: at(1),
        detail: detail.into(),
    };
    let events = vec![
        row("a/b", "gap-opened", 0, 0, "the device began a new epoch"),
        row("a/b", "gap-opened", 0, 3, MISSING),
        row("a/b", "gap-opened", 5, 6, MISSING),
        row("a/b", "gap-closed", 5, 6, "filled"),
        row("a/b", "gap-opened", 9, 12, MISSING),
        row("a/c", "gap-opened", 2, 2, MISSING),
    ];
    let open: Vec<ChainEvent> = [1, 4, 5].map(|at: usize| events[at].clone()).to_vec();
    let advance = ChainAdvance {
        events,
        ..ChainAdvance::default()
    };
    store.advance_chains(&advance).await.unwrap();
    let device = "a/b".parse().unwrap();
    for (from, to, expected) in [
        (0, 0, vec![(0, 3)]),
        (3, 10, vec![(0, 3), (9, 12)]),
        (4, 8, vec![]),
        (11, 11, vec![(9, 12)]),
        (13, 99, vec![]),
    ] {
        let found = store.open_gaps(&device, 1, from, to).await.unwrap();
        assert_eq!(found, expected, "{from} to {to}");
    }
    assert!(store.open_gaps(&device, 0, 0, 99).await.unwrap().is_empty());
    assert_eq!(store.open_gaps_after(None, 9).await.unwrap(), open);
    assert_eq!(store.open_gaps_after(None, 1).await.unwrap(), open[..1]);
    let rest = store.open_gaps_after(Some(&open[0]), 9).await.unwrap();
    assert_eq!(rest, open[1..]);
}
