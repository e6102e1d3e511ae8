//! What people keep beside decisions.

use credit::audit::Action;
use credit::desk::item::{Item, Media, What, assignment_key};
use credit::loan::review::Act;
use schemas::hash::sha256;

use super::Bank;
use super::made::{at, cny, entry, limits, offer, record, step, trial};
use crate::contract::ingest::join_all;

fn item(decision_id: &str, key: &str, what: What, second: i64) -> Item {
    Item {
        decision_id: decision_id.to_owned(),
        key: key.to_owned(),
        what,
        by: "lin".parse().unwrap(),
        at: at(second),
    }
}

fn assigned(officer: Option<&str>) -> What {
    What::Assignment {
        officer: officer.map(|officer| officer.parse().unwrap()),
        reason: "because".to_owned(),
    }
}

fn task(second: i64) -> What {
    What::Task {
        what: "合同 'x'".to_owned(),
        who: "wang".parse().unwrap(),
        until: at(second),
    }
}

/// Adds a row; whether it is new.
async fn add(bank: &Bank, item: &Item, file: Option<&[u8]>) -> bool {
    let entry = entry("lin", Action::AddNote, &item.decision_id, item.at);
    bank.store.add_item(item, file, &entry).await.unwrap()
}

pub async fn rows_beside_a_decision_are_added_once_with_their_row_in_the_trail(bank: &Bank) {
    let text = "one\n\u{0}two";
    let note = What::Note {
        text: text.to_owned(),
    };
    let rows = [
        item("d-1", "a", note, 1),
        item("d-1", "a", task(9), 2),
        item("d-1", "a", What::Done, 3),
        item("d-2", "a", task(9), 4),
    ];
    for row in &rows {
        assert!(add(bank, row, None).await);
        assert!(!add(bank, row, None).await);
    }
    assert_eq!(bank.store.items("d-1").await.unwrap(), rows[..3]);
    assert_eq!(bank.store.items("nothing").await.unwrap(), []);
    assert_eq!(bank.store.trail(0, 10).await.unwrap().len(), 4);
}

pub async fn newest_assignment_counts(bank: &Bank) {
    for (number, officer) in [(1, Some("lin")), (2, Some("wang"))] {
        let row = item("d-1", &assignment_key(number), assigned(officer), 1);
        assert!(add(bank, &row, None).await);
    }
    for (number, officer) in [(1, Some("lin")), (2, None)] {
        let row = item("d-2", &assignment_key(number), assigned(officer), 1);
        assert!(add(bank, &row, None).await);
    }
    let read = bank.store.assigned(&["d-1", "d-2", "d-3"]).await.unwrap();
    let read: Vec<_> = read.iter().map(|(id, who)| (&**id, who.as_str())).collect();
    assert_eq!(read, [("d-1", "wang")]);
    assert!(bank.store.assigned(&[]).await.unwrap().is_empty());
}

pub async fn assignment_by_many_at_once_is_taken_by_one(bank: &Bank) {
    let names = ["an", "bo", "cai", "deng", "er"];
    let tries = names.map(|name| {
        let store = bank.store.clone();
        let row = item("d-1", &assignment_key(1), assigned(Some(name)), 1);
        let said = entry("lin", Action::Assign, "d-1", at(1));
        async move { store.add_item(&row, None, &said).await.unwrap() }
    });
    let taken = join_all(tries.into_iter()).await;
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    assert_eq!(bank.store.items("d-1").await.unwrap().len(), 1);
    assert_eq!(bank.store.trail(0, 10).await.unwrap().len(), 1);
}

pub async fn open_tasks_are_those_that_nobody_has_done(bank: &Bank) {
    for row in [
        item("d-1", "a", task(9), 1),
        item("d-1", "b", task(9), 2),
        item("d-2", "a", task(9), 3),
        item("d-1", "a", What::Done, 4),
    ] {
        add(bank, &row, None).await;
    }
    let keys = |person: &'static str, take| async move {
        let tasks = bank.store.open_tasks(&person.parse().unwrap(), take).await;
        let key = |one: Item| format!("{} {}", one.decision_id, one.key);
        tasks.unwrap().into_iter().map(key).collect::<Vec<_>>()
    };
    assert_eq!(keys("wang", 10).await, ["d-1 b", "d-2 a"]);
    assert_eq!(keys("wang", 1).await, ["d-1 b"]);
    assert!(keys("lin", 10).await.is_empty());
}

pub async fn documents_come_back_byte_by_byte_where_they_were_put(bank: &Bank) {
    let content: Vec<u8> = (0..=255).collect();
    let hash = sha256(&content);
    let document = What::Document {
        name: "合同.pdf".to_owned(),
        media: Media::Pdf,
        bytes: 256,
    };
    let row = item("d-1", &hash.to_string(), document, 1);
    assert!(add(bank, &row, Some(&content)).await);
    assert!(!add(bank, &row, Some(&content)).await);
    let kept = bank.store.file("d-1", &hash).await.unwrap();
    assert_eq!(kept.as_deref(), Some(&*content));
    assert_eq!(bank.store.file("d-2", &hash).await.unwrap(), None);
}

pub async fn decision_before_and_what_was_offered(bank: &Bank) {
    let store = &*bank.store;
    store
        .declare(&limits(1, "700.00", "9000.00"), at(0))
        .await
        .unwrap();
    let (one, two) = (offer("A-1", "100.00", 1), offer("A-2", "200.00", 2));
    let none = record("A-3", None, 1, 3);
    for record in [&two, &none, &one] {
        store.record(&trial(), record).await.unwrap();
    }
    let before = |of: &credit::loan::Record| {
        let decision = of.decision.clone();
        async move { store.decision_before(&decision).await.unwrap() }
    };
    assert_eq!(before(&none).await, Some(two.decision.clone()));
    assert_eq!(before(&two).await, Some(one.decision.clone()));
    assert_eq!(before(&one).await, None);
    let supplier = one.decision.application.supplier.clone();
    let offered = || async { store.offered_to(&supplier).await.unwrap() };
    assert_eq!(offered().await, [cny("300.00")]);
    let refused = step(&one, 1, "lin", Act::Refuse, true);
    let said = entry("lin", Action::Refuse, "d", at(4));
    store.review(&refused, &said).await.unwrap();
    assert_eq!(offered().await, [cny("200.00")]);
    let nobody = "nobody".parse().unwrap();
    assert_eq!(store.offered_to(&nobody).await.unwrap(), []);
}
