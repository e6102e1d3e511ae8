//! How far watched streams were read, and what was refused.

use credit::pledge::PledgeId;
use credit::pledge::stage::Act;
use credit::pledge::stream::{Heard, Progress, Stream};
use credit::store::pledge::{Refusal, Stepped};

use super::super::made::at;
use super::{Bank, act, key, offer, pledged, thing};

fn stream(name: &str) -> Stream {
    name.parse().unwrap()
}

pub async fn streams_of_pledges_in_force_are_followed(bank: &Bank) {
    let store = &*bank.store;
    let waits = offer(store, "two", &thing("A2", vec![])).await.unwrap();
    let id = pledged(store, "one", &thing("A1", vec![])).await;
    let mut progress = Progress::begin(7, None, at(1));
    for (pledge, name) in [
        (&waits.pledge, "qinghe/cold-1 a"),
        (&id, "qinghe/cold-1 b"),
        (&id, "qinghe/cold-1 a"),
    ] {
        let kept = store
            .keep_progress(pledge, 0, &stream(name), &progress)
            .await;
        assert_eq!(kept.unwrap(), Stepped::Kept);
        let again = store
            .keep_progress(pledge, 0, &stream(name), &progress)
            .await;
        assert_eq!(again.unwrap(), Stepped::Overtaken);
    }
    let names = |all: Vec<credit::store::pledge::Followed>| -> Vec<(PledgeId, String, i64)> {
        let line =
            |one: credit::store::pledge::Followed| (one.pledge, one.stream.name(), one.version);
        all.into_iter().map(line).collect()
    };
    let both = vec![
        (id, "qinghe/cold-1 a".to_owned(), 1),
        (id, "qinghe/cold-1 b".to_owned(), 1),
    ];
    assert_eq!(names(store.followed(9).await.unwrap()), both);
    assert_eq!(store.followed(1).await.unwrap().len(), 1);
    assert_eq!(store.followed_of(&waits.pledge).await.unwrap().len(), 1);

    // Another process goes on where this one was; whoever was overtaken keeps nothing.
    progress.from_size = 9;
    progress.note(Heard::Proven, at(2));
    let second = bank.second().await;
    let one = stream("qinghe/cold-1 b");
    let moved = second.keep_progress(&id, 1, &one, &progress).await.unwrap();
    assert_eq!(moved, Stepped::Kept);
    let late = store
        .keep_progress(&id, 1, &one, &Progress::begin(8, None, at(2)))
        .await;
    assert_eq!(late.unwrap(), Stepped::Overtaken);
    let kept = store.followed_of(&id).await.unwrap();
    assert_eq!((kept[1].version, &kept[1].progress), (2, &progress));

    // A pledge that ended is not watched any more.
    act(
        store,
        &waits.pledge,
        "gone",
        "lin",
        Act::Withdraw("a mistake".into()),
    )
    .await
    .unwrap();
    assert_eq!(store.followed_of(&waits.pledge).await.unwrap().len(), 1);
    assert_eq!(store.followed(9).await.unwrap().len(), 2);
}

pub async fn refusals_around_pledges_are_kept_once(bank: &Bank) {
    let store = &*bank.store;
    let refusal = |second: i64, class: &str, pledge: &str| Refusal {
        pledge: PledgeId::of(&key(pledge)),
        at: at(second),
        request: key("r-1"),
        person: "li-wei".into(),
        act: "pledge-offer".into(),
        class: class.into(),
        detail: "already pledged".into(),
    };
    let (first, second) = (refusal(1, "held", "one"), refusal(2, "field", "two"));
    for one in [&first, &first, &second] {
        store.refuse_pledge(one).await.unwrap();
    }
    assert_eq!(
        store.pledge_refusals(None, 9).await.unwrap(),
        [second, first.clone()]
    );
    let of_one = store.pledge_refusals(Some(&first.pledge), 9).await.unwrap();
    assert_eq!(of_one, [first]);
}

pub async fn steps_of_pledges_stand_in_the_trail(bank: &Bank) {
    let store = &*bank.store;
    let id = pledged(store, "one", &thing("A1", vec![])).await;
    // What was not done leaves nothing there.
    offer(store, "two", &thing("A1", vec![])).await.unwrap_err();
    let rows = store.trail(0, 99).await.unwrap();
    let words: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (&*row.action, &*row.subject))
        .collect();
    let id = id.to_string();
    assert_eq!(words, [("pledge-offer", &*id), ("pledge-accept", &*id)]);
}
