//! `CaptureStore`: a document, its job, its statements and the chain's step, together or not at all.

use platform::store::captures::{CapturedEvent, ChainMove, KeptCapture, NewCapture};
use schemas::hash::Hash;

use super::engine::Engine;
use super::made::{OWN, at, device, hash, statement};
use crate::world::events::LOT;
use crate::world::people::Device;

/// A job over one statement of two events that goes on from `before`.
fn job(signer: &mut Device, id: &str, before: Option<Hash>) -> NewCapture {
    let made = statement(signer, &[1, 2], 5);
    let place = |position| CapturedEvent {
        place: 3 + position,
        statement: made.id,
        position,
    };
    NewCapture {
        pass: None,
        kept: KeptCapture {
            id: id.to_owned(),
            capturer: "erp".parse().unwrap(),
            organisation: "qinghe".parse().unwrap(),
            document: hash(id),
            attempt: 0,
            media_type: "application/ld+json".into(),
            behaviour: "proceed".into(),
            registry_version: 1,
            received: at(5),
            events: 5,
            captured: 2,
            errors: r#"[{"path":"epcisBody.eventList[0]"}]"#.into(),
            warnings: "[]".into(),
        },
        document: id.as_bytes().to_vec(),
        chain: Some(ChainMove {
            device: made.device.clone(),
            before,
            position: made.position,
            id: made.id,
        }),
        places: vec![place(0), place(1)],
        statements: vec![made],
    }
}

/// What is kept comes back, for its caller only.
pub async fn capture_is_kept_whole(engine: &Engine) {
    let store = &engine.store;
    let mut signer = device("operator/erp");
    let new = job(&mut signer, "one", None);
    assert!(store.add_capture(&new).await.unwrap());
    let (caller, other) = ("erp".parse().unwrap(), "other".parse().unwrap());
    let kept = store.capture(&caller, "one").await.unwrap();
    assert_eq!(kept.as_ref(), Some(&new.kept));
    assert_eq!(store.capture(&other, "one").await.unwrap(), None);
    let newest = store.newest_capture(&caller, &hash("one")).await.unwrap();
    assert_eq!(newest, kept);
    assert_eq!(
        store.newest_capture(&other, &hash("one")).await.unwrap(),
        None
    );
    let bytes = store.capture_document(&caller, &hash("one")).await.unwrap();
    assert_eq!(bytes.as_deref(), Some(&b"one"[..]));
    assert_eq!(
        store.capture_document(&other, &hash("one")).await.unwrap(),
        None
    );
    assert_eq!(
        store.capture_events(&caller, "one").await.unwrap(),
        new.places
    );
    assert_eq!(store.capture_events(&other, "one").await.unwrap(), []);
    let last = &new.statements[0];
    let chain = store.capture_chain(&last.device).await.unwrap();
    assert_eq!(chain, Some((last.position, last.id)));
    // The statement is one like any other, and is known to be somebody else's words.
    assert_eq!(store.queued(&OWN, 10).await.unwrap().len(), 1);
    let events = store.events_of_items(&[LOT.into()], 10).await.unwrap();
    assert_eq!(events.len(), 2);
    for event in events {
        assert_eq!(event.captured_for.as_ref().unwrap().as_str(), "qinghe");
        assert_eq!(event.organisation().as_str(), "qinghe");
    }
}

/// A chain that has moved, or an id that is taken, keeps nothing of the capture.
pub async fn capture_that_came_second_keeps_nothing(engine: &Engine) {
    let store = &engine.store;
    let mut signer = device("operator/erp");
    let mut stale = signer.clone();
    let first = job(&mut signer, "one", None);
    assert!(store.add_capture(&first).await.unwrap());
    let caller = "erp".parse().unwrap();
    for before in [None, Some(hash("another statement"))] {
        stale.salt();
        let late = job(&mut stale.clone(), "two", before);
        assert!(!store.add_capture(&late).await.unwrap());
    }
    assert!(!store.add_capture(&first).await.unwrap());
    assert_eq!(store.capture(&caller, "two").await.unwrap(), None);
    assert_eq!(
        store.capture_document(&caller, &hash("two")).await.unwrap(),
        None
    );
    assert_eq!(store.totals().await.unwrap().statements, 1);
    let next = job(&mut signer, "two", Some(first.statements[0].id));
    assert!(store.add_capture(&next).await.unwrap());
    assert_eq!(store.totals().await.unwrap().statements, 2);
}

/// Of many at once on one chain exactly one goes on.
pub async fn captures_at_once_have_one_winner(engine: &Engine) {
    let mut signer = device("operator/erp");
    let jobs: Vec<NewCapture> = (0..8)
        .map(|n| {
            signer.salt();
            job(&mut signer.clone(), &format!("job {n}"), None)
        })
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for one in jobs {
        let store = std::sync::Arc::clone(&engine.store);
        tasks.spawn(async move { store.add_capture(&one).await.unwrap() });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|kept| **kept).count(), 1);
    assert_eq!(engine.store.totals().await.unwrap().statements, 1);
}

/// A document that was judged again has a newer attempt.
pub async fn newest_attempt_counts(engine: &Engine) {
    let store = &engine.store;
    let mut signer = device("operator/erp");
    let mut before = None;
    for attempt in 0..3 {
        let mut again = job(&mut signer, &format!("attempt {attempt}"), before);
        again.kept.document = hash("document");
        again.kept.attempt = attempt;
        before = again.chain.as_ref().map(|chain| chain.id);
        assert!(store.add_capture(&again).await.unwrap());
    }
    let caller = "erp".parse().unwrap();
    let newest = store
        .newest_capture(&caller, &hash("document"))
        .await
        .unwrap();
    assert_eq!(newest.unwrap().id, "attempt 2");
}
