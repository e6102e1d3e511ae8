//! Hashes that readers hand over are kept once, counted by reader, and wait for the log.

use platform::handed::{self, DAY, KINDS, PER_DAY, RefusedDocument};
use platform::store::erasure::Unlogged;
use platform::store::handed::HandedDocument;
use platform::store::{Append, NewLogged};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;

use super::engine::Engine;
use super::made::{append, at};

fn hash(text: &str) -> Hash {
    sha256(text.as_bytes())
}

fn reader(name: &str) -> Slug {
    name.parse().unwrap()
}

pub async fn handed_documents_are_kept_once(engine: &Engine) {
    let store = &*engine.store;
    let bank = reader("first-bank");
    let (report, now) = (hash("report"), at(10));
    let take = |kind, now| handed::take(store, &bank, kind, report, now);
    assert!(take("sandbox-report", now).await.unwrap());
    assert!(!take("sandbox-report", at(11)).await.unwrap(), "the same");
    let kept = HandedDocument {
        hash: report,
        kind: "sandbox-report",
        reader: bank.clone(),
        received: now,
    };
    assert_eq!(store.handed(&report).await.unwrap(), Some(kept));
    assert_eq!(store.handed(&hash("nothing")).await.unwrap(), None);
    let other = take("model-card", now).await.unwrap_err();
    assert!(matches!(other, RefusedDocument::Taken("sandbox-report")));
    for ours in ["consent", "verifier-script", "", "Sandbox-report"] {
        let refused = take(ours, now).await.unwrap_err();
        assert!(matches!(refused, RefusedDocument::Kind), "{ours}");
    }
}

pub async fn handed_documents_wait_for_the_log(engine: &Engine) {
    let store = &*engine.store;
    let bank = reader("first-bank");
    for (second, kind) in (0..).zip(KINDS) {
        let taken = handed::take(store, &bank, kind, hash(kind), at(second)).await;
        assert!(taken.unwrap());
    }
    let waiting = KINDS.map(|kind| Unlogged {
        kind,
        hash: hash(kind),
        count: 1,
    });
    assert_eq!(store.unlogged().await.unwrap(), waiting);
    let fence = store.take_lease("log", "a", at(0), at(30)).await.unwrap();
    let append = Append {
        logged: vec![NewLogged {
            kind: KINDS[0],
            hash: hash(KINDS[0]),
            log_index: 0,
        }],
        ..append(fence.unwrap(), 0, &["\u{3}document"])
    };
    store.append(&append).await.unwrap();
    assert_eq!(store.unlogged().await.unwrap(), waiting[1..]);
}

pub async fn readers_hand_over_so_many_a_day(engine: &Engine) {
    let store = &*engine.store;
    let (bank, other) = (reader("first-bank"), reader("other-bank"));
    let kind = "sandbox-report";
    for number in 0..PER_DAY {
        let taken = handed::take(store, &bank, kind, hash(&number.to_string()), at(1)).await;
        assert!(taken.unwrap());
    }
    let one_more = hash("one more");
    let full = handed::take(store, &bank, kind, one_more, at(2)).await;
    assert!(matches!(full, Err(RefusedDocument::Full)));
    let again = handed::take(store, &bank, kind, hash("0"), at(2)).await;
    assert!(!again.unwrap(), "what is there is answered all the same");
    let others = handed::take(store, &other, kind, hash("another"), at(2)).await;
    assert!(others.unwrap());
    let tomorrow = at(1).plus(DAY);
    let taken = handed::take(store, &bank, kind, one_more, tomorrow).await;
    assert!(taken.unwrap());
}
