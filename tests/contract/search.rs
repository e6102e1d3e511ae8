//! Looking for events.

use platform::store::NewStatement;
use platform::store::search::{NamedPlace, Span};
use schemas::hash::Hash;

use super::engine::Engine;
use super::made::{at, device, single, statement};
use crate::world::events::LOT;

const ALL: Span = Span {
    from: None,
    until: None,
};

async fn named(engine: &Engine, span: Span, after: Option<&NamedPlace>, limit: u32) -> Vec<Hash> {
    let places = engine.store.places_naming(LOT, &span, after, limit).await;
    places.unwrap().iter().map(|at| at.statement).collect()
}

pub async fn things_are_found_in_order_of_time(engine: &Engine) {
    let mut line = device("qinghe/line-1");
    let all: Vec<NewStatement> = [120, 60, 180]
        .into_iter()
        .enumerate()
        .map(|(n, second)| single(&mut line, u32::try_from(n).unwrap(), second))
        .collect();
    engine.store.commit(&all, &[]).await.unwrap();
    let (second, first, third) = (all[0].id, all[1].id, all[2].id);
    assert_eq!(named(engine, ALL, None, 9).await, [first, second, third]);
    assert_eq!(named(engine, ALL, None, 2).await, [first, second]);
    // Event times are a minute before arrival; the end of a span is not in it.
    let span = Span {
        from: Some(at(60)),
        until: Some(at(120)),
    };
    assert_eq!(named(engine, span, None, 9).await, [second]);
    let after = engine.store.places_naming(LOT, &ALL, None, 1).await;
    let after = after.unwrap()[0];
    assert_eq!((after.time, after.place), (at(0), 0));
    assert_eq!(named(engine, ALL, Some(&after), 9).await, [second, third]);
    let other = engine
        .store
        .places_naming("https://example.org/x", &ALL, None, 9);
    assert_eq!(other.await.unwrap(), []);
}

/// Two statements in one place of a chain are both found, wherever a page ends.
pub async fn chain_is_read_on_after_any_place(engine: &Engine) {
    let mut line = device("qinghe/line-1");
    let first = single(&mut line, 1, 0);
    let rival = super::made::rival(&line, 3, 2);
    let second = single(&mut line, 2, 1);
    let mut other = device("qinghe/line-2");
    let elsewhere = single(&mut other, 4, 3);
    let all = [first.clone(), second.clone(), rival.clone(), elsewhere];
    engine.store.commit(&all, &[]).await.unwrap();
    let (mut after, mut read) = (None, Vec::new());
    loop {
        let page = engine.store.chain_after(&first.device, after.as_ref(), 1);
        let Some(place) = page.await.unwrap().pop() else {
            break;
        };
        read.push(place.statement);
        after = Some(place);
    }
    let mut fork = [second.id, rival.id];
    fork.sort_unstable();
    assert_eq!(read, [first.id, fork[0], fork[1]]);
}

pub async fn accepted_events_of_statements_come_with_their_facts(engine: &Engine) {
    let mut line = device("qinghe/line-1");
    let mut two = statement(&mut line, &[1, 2], 60);
    two.events[0].refused = Some("epcis".into());
    engine.store.commit(&[two.clone()], &[]).await.unwrap();
    let found = engine.store.events_in(&[two.id, two.id]).await.unwrap();
    let [event] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!((event.statement, event.place), (two.id, 1));
    assert_eq!(
        (event.leaf, event.source),
        (two.events[1].leaf, two.events[1].source)
    );
    assert_eq!((&event.device, event.time), (&two.device, Some(at(0))));
    assert_eq!(
        (event.step.as_deref(), event.is_erased),
        (Some("inspecting"), false)
    );
    assert_eq!(engine.store.events_in(&[]).await.unwrap(), []);
}
