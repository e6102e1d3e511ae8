//! What people make of offers, and the trail of it.

use std::sync::Arc;

use credit::audit::{Action, Check};
use credit::loan::review::Act;
use credit::loan::{Record, RefusalReason, Review};
use credit::store::{Shelf, Step, Tables};
use schemas::hash::sha256;

use super::Bank;
use super::made::{at, cny, entry, hash, limits, offer, record, refusal, step, trial};
use crate::contract::ingest::join_all;

/// Limits that leave room, and these records.
async fn begin(store: &dyn Tables, records: &[&Record]) {
    store
        .declare(&limits(1, "700.00", "9000.00"), at(0))
        .await
        .unwrap();
    for record in records {
        store.record(&trial(), record).await.unwrap();
    }
}

/// Keeps a step and its row in the trail.
async fn review(store: &dyn Tables, review: &Review) -> Step {
    let actor = review
        .person
        .as_ref()
        .map_or("service", |person| person.as_str());
    let entry = entry(actor, Action::Accept, &review.decision_id, review.at);
    store.review(review, &entry).await.unwrap()
}

pub async fn evidence_is_kept_by_its_hash(bank: &Bank) {
    let store = &bank.store;
    let hash = sha256(b"bundle");
    assert_eq!(store.evidence(&hash).await.unwrap(), None);
    store.keep_evidence(&hash, b"bundle").await.unwrap();
    store.keep_evidence(&hash, b"bundle").await.unwrap();
    let kept = store.evidence(&hash).await.unwrap();
    assert_eq!(kept.as_deref(), Some(&b"bundle"[..]));
}

/// Ids of the decisions on a shelf.
async fn shelf(store: &dyn Tables, shelf: Shelf) -> Vec<String> {
    let reviewed = store.shelf(shelf, 10).await.unwrap();
    let id = |reviewed: credit::store::Reviewed| reviewed.decision.application.application_id;
    reviewed.into_iter().map(|r| id(r).to_string()).collect()
}

pub async fn offers_move_between_shelves(bank: &Bank) {
    let store = &*bank.store;
    let (one, two) = (offer("A-1", "100.00", 1), offer("A-2", "200.00", 2));
    let (three, none) = (offer("A-3", "300.00", 3), record("A-4", None, 1, 4));
    begin(store, &[&three, &one, &two, &none]).await;
    assert_eq!(shelf(store, Shelf::Open).await, ["A-1", "A-2", "A-3"]);
    assert!(shelf(store, Shelf::Settled).await.is_empty());
    assert_eq!(shelf(store, Shelf::Declined).await, ["A-4"]);
    let first = step(&two, 1, "lin", Act::Accept, false);
    assert_eq!(review(store, &first).await, Step::Kept);
    let refused = step(&one, 1, "lin", Act::Refuse, true);
    review(store, &refused).await;
    assert_eq!(shelf(store, Shelf::Open).await, ["A-2", "A-3"]);
    let second = step(&two, 2, "wang", Act::Accept, true);
    review(store, &second).await;
    assert_eq!(shelf(store, Shelf::Settled).await, ["A-2", "A-1"]);
    assert_eq!(shelf(store, Shelf::Open).await, ["A-3"]);
    let settled = store.shelf(Shelf::Settled, 1).await.unwrap();
    assert_eq!(settled[0].decision, two.decision);
    assert_eq!(settled[0].history, [first.clone(), second.clone()]);
    let history = store.history(&two.decision.decision_id).await.unwrap();
    assert_eq!(history, [first, second]);
    assert!(store.history("nothing").await.unwrap().is_empty());
}

pub async fn step_is_taken_once_and_by_no_person_twice(bank: &Bank) {
    let store = &*bank.store;
    let one = offer("A-1", "100.00", 1);
    begin(store, &[&one]).await;
    let first = step(&one, 1, "lin", Act::Accept, false);
    assert_eq!(review(store, &first).await, Step::Kept);
    assert_eq!(review(store, &first).await, Step::SamePerson);
    let quick = step(&one, 1, "wang", Act::Accept, false);
    assert_eq!(review(store, &quick).await, Step::Taken);
    let again = step(&one, 2, "lin", Act::Accept, true);
    assert_eq!(review(store, &again).await, Step::SamePerson);
    let mut second = step(&one, 2, "wang", Act::Accept, true);
    second.note = "a\0b".into();
    assert_eq!(review(store, &second).await, Step::Kept);
    let mut late = step(&one, 2, "zhao", Act::Lapse, true);
    late.person = None;
    assert_eq!(review(store, &late).await, Step::Taken);
    let trail = store.trail(0, 10).await.unwrap();
    assert_eq!(trail.len(), 2, "only kept steps stand in the trail");
    assert_eq!(store.sandbox(&trial()).await.unwrap().used, cny("100.00"));
}

pub async fn steps_of_many_officers_at_once_have_one_winner(bank: &Bank) {
    let stores = [Arc::clone(&bank.store), bank.second().await];
    let one = offer("A-1", "100.00", 1);
    begin(&*stores[0], &[&one]).await;
    let officers = (0..8).map(|n: usize| {
        let store = Arc::clone(&stores[n % 2]);
        let act = if n.is_multiple_of(3) {
            Act::Refuse
        } else {
            Act::Accept
        };
        let step = step(&one, 1, &format!("officer-{n}"), act, true);
        async move { review(&*store, &step).await }
    });
    let outcomes = join_all(officers).await;
    let kept = outcomes.iter().filter(|step| **step == Step::Kept).count();
    let taken = outcomes.iter().filter(|step| **step == Step::Taken).count();
    assert_eq!((kept, taken), (1, 7), "{outcomes:?}");
    let history = stores[0].history(&one.decision.decision_id).await.unwrap();
    assert_eq!(history.len(), 1);
    let released = history[0].act == Act::Refuse;
    let used = stores[1].sandbox(&trial()).await.unwrap().used;
    assert_eq!(used, cny(if released { "0.00" } else { "100.00" }));
    assert_eq!(stores[0].trail(0, 10).await.unwrap().len(), 1);
}

pub async fn refused_offer_gives_its_room_back_once(bank: &Bank) {
    let store = &*bank.store;
    let (one, two) = (offer("A-1", "100.00", 1), offer("A-2", "250.00", 2));
    begin(store, &[&one, &two]).await;
    let used = async || store.sandbox(&trial()).await.unwrap().used;
    assert_eq!(used().await, cny("350.00"));
    let refuse = step(&one, 1, "lin", Act::Refuse, true);
    assert_eq!(review(store, &refuse).await, Step::Kept);
    assert_eq!(used().await, cny("250.00"));
    let again = step(&one, 1, "wang", Act::Refuse, true);
    assert_eq!(review(store, &again).await, Step::Taken);
    assert_eq!(used().await, cny("250.00"));
    let mut lapse = step(&two, 1, "nobody", Act::Lapse, true);
    lapse.person = None;
    assert_eq!(review(store, &lapse).await, Step::Kept);
    assert_eq!(used().await, cny("0.00"));
    assert_eq!(store.history(&lapse.decision_id).await.unwrap(), [lapse]);
}

pub async fn undecided_applications_are_found_behind_decided_ones(bank: &Bank) {
    let store = &*bank.store;
    begin(store, &[]).await;
    // More decided ones than a page, all newer than those that wait.
    for n in 0..230 {
        let id = format!("D-{n}");
        store.refuse(&refusal(&id, 1_000 + n)).await.unwrap();
        let decline = record(&id, None, 1, 0);
        store.record(&trial(), &decline).await.unwrap();
    }
    for (id, second) in [("A-1", 5), ("A-2", 9), ("A-1", 7), ("A-3", 9), ("A-4", 1)] {
        store.refuse(&refusal(id, second)).await.unwrap();
    }
    let found = store.undecided(3).await.unwrap();
    let expected = [refusal("A-2", 9), refusal("A-3", 9), refusal("A-1", 7)];
    assert_eq!(found, expected);
    assert_eq!(store.undecided(100).await.unwrap().len(), 4);
    assert!(store.undecided(0).await.unwrap().is_empty());
}

fn reason(code: &str) -> RefusalReason {
    RefusalReason::new(code.parse().unwrap(), "too dear", "太贵").unwrap()
}

pub async fn reasons_are_added_and_retired_once(bank: &Bank) {
    let stores = [Arc::clone(&bank.store), bank.second().await];
    let store = &stores[0];
    store
        .seed_reasons(&[reason("price"), reason("age")])
        .await
        .unwrap();
    store.seed_reasons(&[reason("price")]).await.unwrap();
    let add = async |code: &str| {
        let entry = entry("wang", Action::AddReason, code, at(1));
        store.add_reason(&reason(code), &entry).await.unwrap()
    };
    assert!(!add("age").await);
    assert!(add("terms").await);
    let retire = (0..6).map(|n: usize| {
        let store = Arc::clone(&stores[n % 2]);
        let entry = entry("wang", Action::RetireReason, "price", at(2));
        async move {
            let code = "price".parse().unwrap();
            store.retire_reason(&code, &entry).await.unwrap()
        }
    });
    let retired = join_all(retire).await;
    assert_eq!(retired.iter().filter(|retired| **retired).count(), 1);
    let kept = store.reasons().await.unwrap();
    let kept: Vec<_> = kept
        .iter()
        .map(|kept| (kept.code.as_str(), kept.active))
        .collect();
    assert_eq!(kept, [("age", true), ("price", false), ("terms", true)]);
    let actions: Vec<String> = store
        .trail(0, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.action)
        .collect();
    assert_eq!(actions, ["add-reason", "retire-reason"]);
}

pub async fn trail_of_many_writers_has_no_gap(bank: &Bank) {
    let stores = [Arc::clone(&bank.store), bank.second().await];
    let writers = (0..10).map(|n: usize| {
        let store = Arc::clone(&stores[n % 2]);
        async move {
            for row in 0..10 {
                let actor = format!("writer-{n}");
                let entry = entry(&actor, Action::LogIn, &actor, at(row));
                store.note(&entry).await.unwrap();
            }
        }
    });
    join_all(writers).await;
    let rows = stores[0].trail(0, 500).await.unwrap();
    assert_eq!(rows.len(), 100);
    let mut check = Check::default();
    for row in rows {
        check.take(row).unwrap();
    }
    assert_eq!(check.head().map(|(number, _)| number), Some(100));
}

pub async fn trail_is_read_from_both_ends(bank: &Bank) {
    let store = &*bank.store;
    for n in 0..5 {
        let subject = if n % 2 == 0 { "even" } else { "odd" };
        let mut entry = entry("lin", Action::LogIn, subject, at(n));
        entry.detail = format!("a\0b {n}");
        store.note(&entry).await.unwrap();
    }
    let numbers =
        |rows: Vec<credit::audit::Row>| -> Vec<i64> { rows.iter().map(|row| row.seq).collect() };
    assert_eq!(numbers(store.trail(2, 2).await.unwrap()), [3, 4]);
    assert_eq!(numbers(store.newest(None, None, 2).await.unwrap()), [5, 4]);
    assert_eq!(
        numbers(store.newest(Some(4), None, 9).await.unwrap()),
        [3, 2, 1]
    );
    let even = store.newest(None, Some("even"), 9).await.unwrap();
    assert_eq!(numbers(even), [5, 3, 1]);
    assert!(store.newest(None, Some("\0"), 9).await.unwrap().is_empty());
    let mut check = Check::default();
    for row in store.trail(0, 9).await.unwrap() {
        assert_eq!(row.at, at(row.seq - 1), "to the microsecond");
        check.take(row).unwrap();
    }
    assert_ne!(hash("a"), hash("b"));
}
