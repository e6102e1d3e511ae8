//! What the operator and an organisation's people read of a store.

use platform::store::ChainEvent;

use super::engine::Engine;
use super::made::{at, device, hash, single, unreadable};

/// The queue with its oldest statement, and the gaps that nobody has filled.
pub async fn waiting_tells_queue_and_open_gaps(engine: &Engine) {
    let store = &engine.store;
    let none = store.waiting().await.unwrap();
    assert_eq!((none.statements, none.oldest, none.gaps), (0, None, 0));
    let mut line = device("qinghe/line-1");
    let statements = [single(&mut line, 1, 9), single(&mut line, 2, 5)];
    store.commit(&statements, &[]).await.unwrap();
    let gap = |kind: &str, seq| ChainEvent {
        device: line.address.clone(),
        kind: kind.into(),
        epoch: 0,
        from_seq: seq,
        to_seq: seq,
        at: at(7),
        detail: "statements are missing".into(),
    };
    for event in [
        gap("gap-opened", 3),
        gap("gap-opened", 5),
        gap("gap-closed", 3),
    ] {
        store.add_chain_event(&event).await.unwrap();
    }
    let now = store.waiting().await.unwrap();
    assert_eq!((now.statements, now.oldest, now.gaps), (2, Some(at(5)), 1));
}

/// An organisation sees what came on topics of its own devices, newest first, and no other's.
pub async fn quarantine_is_read_by_its_organisation_only(engine: &Engine) {
    let store = &engine.store;
    let on = |name: &str, topic: &str, second| {
        let mut message = unreadable(name, "malformed");
        message.topic = topic.into();
        message.received = at(second);
        message
    };
    let messages = [
        on("first", "tracebond/v1/qinghe/line-1/capture", 1),
        on("second", "tracebond/v1/qinghe/store-1/capture", 2),
        on("other", "tracebond/v1/qinghe-b/line-1/capture", 3),
        on("posted", "https", 4),
    ];
    store.commit(&[], &messages).await.unwrap();
    let (own, other) = ("qinghe".parse().unwrap(), "qinghe-b".parse().unwrap());
    let found = store.quarantine_of(&own, 10).await.unwrap();
    let ids: Vec<_> = found.iter().map(|one| one.id).collect();
    assert_eq!(ids, [hash("second"), hash("first")]);
    assert_eq!((found[0].size, found[0].received), (6, at(2)));
    assert_eq!(store.quarantine_of(&own, 1).await.unwrap().len(), 1);
    let bytes = store.quarantined_bytes(&own, &hash("first")).await.unwrap();
    assert_eq!(bytes.as_deref(), Some(&b"first"[..]));
    assert_eq!(
        store
            .quarantined_bytes(&other, &hash("first"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        store
            .quarantined_bytes(&own, &hash("posted"))
            .await
            .unwrap(),
        None
    );
}
