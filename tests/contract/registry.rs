//! Keys and their records, credentials, the relay of enrolment.

use schemas::enrol::Verifier;
use std::sync::Arc;

use platform::store::{Enrolment, KeptRecord};

use super::engine::Engine;
use super::ingest::join_all;
use super::made::{append, at, hash, head, record};

pub async fn records_as_of_each_version(engine: &Engine) {
    let store = &*engine.store;
    assert!(store.newest_records().await.unwrap().is_empty());
    assert!(store.registry_head().await.unwrap().is_none());
    let fence = store.take_lease("log", "a", at(0), at(30)).await.unwrap();
    let versions = [
        vec![record("a", "qinghe", 1, 1), record("b", "qinghe", 1, 1)],
        vec![record("a", "qinghe", 2, 2), record("c", "yunda", 1, 2)],
        vec![record("b", "yunda", 2, 3)],
    ];
    for (index, records) in (0..).zip(versions) {
        let mut head_entry = append(fence.unwrap(), index, &["head"]);
        head_entry.registry = Some((records, head(index + 1, 2 + index), at(5)));
        store.append(&head_entry).await.unwrap();
    }
    let words = |records: &[KeptRecord]| -> Vec<String> {
        let word = |record: &KeptRecord| String::from_utf8(record.bytes.clone()).unwrap();
        let mut words: Vec<String> = records.iter().map(word).collect();
        words.sort();
        words
    };
    let newest = store.newest_records().await.unwrap();
    assert_eq!(words(&newest), ["a 2", "b 2", "c 1"]);
    assert!(newest.is_sorted_by_key(|record| record.kid));
    for (version, expected) in [(0, 0), (1, 2), (2, 3), (3, 3), (9, 3)] {
        let list = store.registry_list(version).await.unwrap();
        assert_eq!(list.len(), expected, "version {version}");
        assert!(list.is_sorted_by_key(|(kid, _)| *kid));
    }
    let list = store.registry_list(1).await.unwrap();
    assert!(list.contains(&(hash("a"), hash("record a 1"))));
    let list = store.registry_list(2).await.unwrap();
    assert!(list.contains(&(hash("a"), hash("record a 2"))));
    let of = async |key: &str, version| {
        let found = store.record_at(&hash(key), version).await.unwrap();
        found.map(|found| found.version)
    };
    assert_eq!(of("a", 1).await, Some(1));
    assert_eq!(of("a", 2).await, Some(2));
    assert_eq!(of("c", 1).await, None);
    let qinghe = store.records_of(&"qinghe".parse().unwrap()).await.unwrap();
    assert_eq!(
        words(&qinghe),
        ["a 2"],
        "the newest record says whose it is"
    );
    let yunda = store.records_of(&"yunda".parse().unwrap()).await.unwrap();
    assert_eq!(words(&yunda), ["b 2", "c 1"]);
    check_fields(&newest);
    versions_are_read_by_what_has_changed(store, words).await;
    assert_eq!(store.head_at(2).await.unwrap(), Some(head(2, 3)));
    assert_eq!(store.head_at(4).await.unwrap(), None);
    assert_eq!(store.registry_head().await.unwrap(), Some(head(3, 4)));
}

async fn versions_are_read_by_what_has_changed(
    store: &dyn platform::store::Store,
    words: impl Fn(&[KeptRecord]) -> Vec<String>,
) {
    let since = async |after, until, limit| {
        let records = store.records_since(after, until, limit).await.unwrap();
        assert!(records.is_sorted_by_key(|record| (record.head, record.kid)));
        words(&records)
    };
    assert_eq!(since(0, 3, 9).await, ["a 1", "a 2", "b 1", "b 2", "c 1"]);
    assert_eq!(since(1, 3, 9).await, ["a 2", "b 2", "c 1"]);
    assert_eq!(since(1, 2, 9).await, ["a 2", "c 1"]);
    assert_eq!(since(0, 3, 1).await, ["a 1", "b 1"], "never half a version");
    assert_eq!(since(0, 3, 3).await, ["a 1", "a 2", "b 1", "c 1"]);
    assert!(since(3, 3, 9).await.is_empty());
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = store.records_page(after.as_ref(), 2, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.kid);
        assert!(page.len() <= 2 && page.is_sorted_by_key(|record| record.kid));
        pages.extend(page);
    }
    assert_eq!(words(&pages), ["a 2", "b 1", "c 1"]);
    let mut before = store.records_before(1, 3).await.unwrap();
    before.sort();
    let mut expected = vec![
        (hash("a"), Some(hash("record a 1"))),
        (hash("b"), Some(hash("record b 1"))),
        (hash("c"), None),
    ];
    expected.sort();
    assert_eq!(before, expected);
    expected.retain(|(kid, _)| *kid != hash("b"));
    let mut before = store.records_before(1, 2).await.unwrap();
    before.sort();
    assert_eq!(before, expected);
}

fn check_fields(newest: &[KeptRecord]) {
    let found = newest.iter().find(|found| found.kid == hash("a")).unwrap();
    let sent = record("a", "qinghe", 2, 2);
    assert_eq!((found.version, found.role), (sent.version, sent.role));
    assert_eq!((found.hash, found.head), (sent.hash, sent.head));
    assert_eq!((&found.device, found.salt.0), (&sent.device, sent.salt.0));
    assert_eq!(found.organisation, sent.organisation);
}

pub async fn credentials_are_replaced(engine: &Engine) {
    let store = &*engine.store;
    assert_eq!(store.credential("a/b").await.unwrap(), None);
    let verifier = Verifier::of(&[7; 32]);
    let (known, none) = (Some(&verifier), None);
    for (name, password, verifier) in [
        ("a/b", "one", none),
        ("a/c", "other", known),
        ("a/b", "two", known),
        ("a/a", "third", known),
        ("a/a", "fourth", none),
    ] {
        let password = hash(password);
        let put = store.put_credential(name, &password, verifier);
        put.await.unwrap();
    }
    assert_eq!(store.credential("a/b").await.unwrap(), Some(hash("two")));
    assert_eq!(store.credential("a/c").await.unwrap(), Some(hash("other")));
    // A new password without a verifier has none, and not that of the one before.
    let kept = ["a/b", "a/c"].map(|name| (name.to_owned(), verifier));
    assert_eq!(store.verifiers().await.unwrap(), kept);
}

fn asked(claim: &str, request: &str) -> Enrolment {
    Enrolment {
        claim: claim.into(),
        request: request.as_bytes().to_vec(),
        draft: None,
        mac: None,
        consent: None,
    }
}

pub async fn enrolment_goes_one_step_at_a_time(engine: &Engine) {
    let store = &*engine.store;
    let add = async |claim: &str, request: &str| {
        let enrolment = asked(claim, request);
        store.add_enrolment(&enrolment, at(0), 2).await.unwrap()
    };
    assert!(add("one", "request").await);
    assert!(add("one", "request").await, "the device asks again");
    assert!(!add("one", "another").await, "the claim is used");
    assert!(add("two", "request").await);
    assert!(
        !add("three", "request").await,
        "two wait, which is the limit"
    );
    assert!(!store.set_consent("one", b"early").await.unwrap());
    assert!(store.set_draft("one", b"draft", "mac").await.unwrap());
    assert!(!store.set_draft("one", b"second", "mac").await.unwrap());
    assert!(store.set_consent("one", b"consent").await.unwrap());
    assert!(!store.set_consent("one", b"second").await.unwrap());
    assert!(!store.set_draft("none", b"draft", "mac").await.unwrap());
    let found = store.enrolment("one").await.unwrap().unwrap();
    assert_eq!((&*found.claim, &*found.request), ("one", &b"request"[..]));
    assert_eq!(found.draft.as_deref(), Some(&b"draft"[..]));
    assert_eq!(found.mac.as_deref(), Some("mac"));
    assert_eq!(found.consent.as_deref(), Some(&b"consent"[..]));
    let untouched = store.enrolment("two").await.unwrap().unwrap();
    assert_eq!((untouched.draft, untouched.consent), (None, None));
    assert!(store.enrolment("three").await.unwrap().is_none());
}

pub async fn enrolment_steps_have_one_winner(engine: &Engine) {
    let stores = [Arc::clone(&engine.store), engine.second().await];
    let won = |outcomes: Vec<bool>| outcomes.into_iter().filter(|won| *won).count();
    let requests = (0..6).map(|n: usize| {
        let store = Arc::clone(&stores[n % 2]);
        let enrolment = asked("one", &format!("request {n}"));
        async move { store.add_enrolment(&enrolment, at(0), 10).await.unwrap() }
    });
    assert_eq!(won(join_all(requests).await), 1);
    let drafts = (0..6).map(|n: usize| {
        let store = Arc::clone(&stores[n % 2]);
        async move { store.set_draft("one", &[n as u8], "mac").await.unwrap() }
    });
    assert_eq!(won(join_all(drafts).await), 1);
    let consents = (0..6).map(|n: usize| {
        let store = Arc::clone(&stores[n % 2]);
        async move { store.set_consent("one", &[n as u8]).await.unwrap() }
    });
    assert_eq!(won(join_all(consents).await), 1);
}
