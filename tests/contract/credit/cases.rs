//! What cases use, what is said about parties, and offers that go straight through.

use credit::audit::Action;
use credit::loan::beside::{KeptUse, Use, Used};
use credit::loan::review::{Act, Passage, Review};
use credit::loan::warning::{Identifier, IdentifierKind, Invoice, Link};
use credit::loan::{Beside, Record};
use credit::money::Money;
use credit::store::{Recorded, Shelf, Step, Tables};
use schemas::ids::Slug;

use super::Bank;
use super::made::{at, cny, entry, hash, limits, offer, record, step, trial};
use crate::contract::ingest::join_all;

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

async fn begin(store: &dyn Tables) {
    let limits = limits(1, "700.00", "9000.00");
    store.declare(&limits, at(0)).await.unwrap();
}

/// The invoice of the tests, handed in with an application.
fn invoice(application: &str) -> Used {
    Used::Invoice(Invoice {
        application: application.parse().unwrap(),
        fingerprint: hash("invoice"),
        number: "17".to_owned(),
        seller: slug("qinghe"),
        amount: cny("800.00"),
    })
}

/// A record that uses the invoice in the places that follow.
async fn using(store: &dyn Tables, mut record: Record) -> Record {
    let used = invoice(record.decision.application.application_id.as_str());
    let places = store.last_places(&used.names()).await.unwrap();
    let names = used.names().into_iter().map(|name| Use {
        name,
        place: places.get(&name).copied().unwrap_or(0) + 1,
        used: used.clone(),
    });
    let mut uses: Vec<Use> = names.collect();
    uses.sort_by_key(|one| (one.name, one.place));
    record.beside.uses = uses;
    record
}

async fn kept(store: &dyn Tables) -> Vec<KeptUse> {
    let names = invoice("A-1").names();
    store.uses(&names[..1]).await.unwrap()
}

pub async fn place_of_an_invoice_is_taken_once(bank: &Bank) {
    let store = &*bank.store;
    begin(store).await;
    let one = using(store, offer("A-1", "100.00", 1)).await;
    let two = using(store, offer("A-2", "100.00", 2)).await;
    assert!(matches!(
        store.record(&trial(), &one).await.unwrap(),
        Recorded::New
    ));
    // The books have moved: nothing of the second is kept, no room is taken.
    let overtaken = store.record(&trial(), &two).await.unwrap();
    assert!(matches!(overtaken, Recorded::Overtaken), "{overtaken:?}");
    assert_eq!(store.lookup(&two.decision.decision_id).await.unwrap(), None);
    assert_eq!(store.sandbox(&trial()).await.unwrap().used, cny("100.00"));
    // It looks again, sees the first, and is declined.
    let two = using(store, record("A-2", None, 1, 2)).await;
    assert!(matches!(
        store.record(&trial(), &two).await.unwrap(),
        Recorded::New
    ));
    let kept = kept(store).await;
    let seen: Vec<_> = kept.iter().map(|one| (one.place, one.is_over)).collect();
    assert_eq!(seen, [(1, false), (2, true)]);
    assert_eq!(kept[0].used, invoice("A-1"));
    // An offer that is refused is over, too.
    let review = step(&one, 1, "lin", Act::Refuse, true);
    let row = entry("lin", Action::Refuse, &review.decision_id, review.at);
    assert_eq!(store.review(&review, &row).await.unwrap(), Step::Kept);
    assert!(self::kept(store).await.iter().all(|one| one.is_over));
}

pub async fn invoice_by_many_at_once_has_one_order(bank: &Bank) {
    begin(&*bank.store).await;
    let mut tasks = Vec::new();
    for n in 0..8 {
        let store = bank.second().await;
        tasks.push(async move {
            loop {
                let made = offer(&format!("A-{n}"), "100.00", n + 1);
                let made = using(&*store, made).await;
                match store.record(&trial(), &made).await.unwrap() {
                    Recorded::New => return made.beside.uses[0].place,
                    Recorded::Overtaken => {}
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    let mut places = join_all(tasks.into_iter()).await;
    places.sort_unstable();
    assert_eq!(places, (1..=8).collect::<Vec<i64>>());
    let kept: Vec<i64> = kept(&*bank.store)
        .await
        .iter()
        .map(|one| one.place)
        .collect();
    assert_eq!(kept, places);
    assert_eq!(
        bank.store.sandbox(&trial()).await.unwrap().used,
        cny("800.00")
    );
}

pub async fn said_about_parties_counts_where_they_or_the_applicant_said_it(bank: &Bank) {
    let store = &*bank.store;
    begin(store).await;
    let known = |party: &str, value: &str| Identifier {
        party: slug(party),
        kind: IdentifierKind::BankAccount,
        value: hash(value),
    };
    let link = |one: &str, other: &str| Link {
        one: slug(one),
        other: slug(other),
        kind: "shareholder".to_owned(),
    };
    let mut own = record("A-1", None, 1, 1);
    own.beside = Beside {
        identifiers: vec![known("market", "one"), known("qinghe", "two")],
        links: vec![link("market", "qinghe")],
        ..Beside::default()
    };
    let mut other = record("A-2", None, 1, 2);
    other.decision.application.supplier = slug("silk");
    other.beside = Beside {
        identifiers: vec![known("market", "a lie"), known("silk", "three")],
        links: vec![link("qinghe", "market"), link("silk", "market")],
        ..Beside::default()
    };
    for record in [&own, &other] {
        store.record(&trial(), record).await.unwrap();
    }
    let parties = [slug("market"), slug("qinghe"), slug("silk")];
    let found = store.identifiers(&parties, &slug("qinghe")).await.unwrap();
    let expected = [
        known("market", "one"),
        known("qinghe", "two"),
        known("silk", "three"),
    ];
    assert_eq!(found, expected);
    let links = store
        .links(&slug("qinghe"), &[slug("qinghe")])
        .await
        .unwrap();
    assert_eq!(links, [link("qinghe", "market")]);
    let none = store
        .links(&slug("qinghe"), &[slug("market")])
        .await
        .unwrap();
    assert_eq!(none, []);
}

/// An offer that goes straight through.
fn straight(id: &str, asked: Money) -> Record {
    let mut record = offer(id, "100.00", 1);
    let review = Review {
        act: Act::Pass,
        person: None,
        reason: Some(slug("straight-through-v1")),
        note: String::new(),
        ..step(&record, 1, "nobody", Act::Accept, true)
    };
    let row = entry("service", Action::Pass, &review.decision_id, review.at);
    let up_to = cny("100.00");
    let passage = Passage {
        review,
        asked,
        up_to,
    };
    record.beside.passed = Some((passage, row));
    record
}

pub async fn passage_is_kept_with_its_decision_and_nobody_decides_on_it(bank: &Bank) {
    let store = &*bank.store;
    begin(store).await;
    let one = straight("A-1", cny("100.00"));
    assert!(matches!(
        store.record(&trial(), &one).await.unwrap(),
        Recorded::New
    ));
    let id = &one.decision.decision_id;
    let (passage, row) = one.beside.passed.as_ref().unwrap();
    assert_eq!(
        store.history(id).await.unwrap(),
        std::slice::from_ref(&passage.review)
    );
    let shelf = async |which| store.shelf(which, 10).await.unwrap();
    assert!(shelf(Shelf::Open).await.is_empty());
    let settled = shelf(Shelf::Settled).await;
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].history, std::slice::from_ref(&passage.review));
    let trail = store.newest(None, Some(id.as_str()), 10).await.unwrap();
    assert_eq!(trail.len(), 1);
    assert_eq!(
        (&*trail[0].actor, &*trail[0].action),
        ("service", row.action.word())
    );
    // No officer's step comes after it.
    for act in [Act::Accept, Act::Refuse] {
        let late = step(&one, 1, "lin", act, true);
        let row = entry("lin", Action::Accept, id, late.at);
        assert_eq!(store.review(&late, &row).await.unwrap(), Step::Taken);
    }
    assert_eq!(store.history(id).await.unwrap().len(), 1);
    assert_eq!(store.sandbox(&trial()).await.unwrap().used, cny("100.00"));
}

pub async fn passage_beyond_its_line_is_refused_by_the_table(bank: &Bank) {
    let store = &*bank.store;
    begin(store).await;
    let much = straight("A-1", cny("100.01"));
    assert!(store.record(&trial(), &much).await.is_err());
    assert_eq!(
        store.lookup(&much.decision.decision_id).await.unwrap(),
        None
    );
    assert_eq!(store.sandbox(&trial()).await.unwrap().used, cny("0.00"));
}
