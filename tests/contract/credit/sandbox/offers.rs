//! Offers with their room, what was open before there was a trial, and payments that were none.

use credit::audit::Action;
use credit::law::acceptance::china_day;
use credit::loan::Record;
use credit::loan::review::Act;
use credit::sandbox::limits::{Limits, Request};
use credit::store::Recorded;
use credit::store::sandbox::{Carried, Counted, Offer, Offered, Repayment, Trials};
use schemas::ids::Slug;

use super::super::made::{at, cny as yuan, entry, limits as configured, offer, record, step};
use super::trial::{self, cny, now, slug, wide};
use super::{Bank, lending_trial, second};
use crate::contract::ingest::join_all;

/// What an offer asks of the limits.
fn asks(record: &Record, fen: i64) -> Request {
    let id = record.decision.decision_id.as_str();
    trial::request(id, "qinghe", "market", fen, 1)
}

async fn offered(trials: &Trials, name: &Slug, record: &Record, fen: i64) -> Offer {
    let footing = trials.footing(name).await.unwrap().unwrap();
    let plan = footing.plan(&asks(record, fen), now()).unwrap();
    trials.offer(name, &plan, record).await.unwrap()
}

async fn used(trials: &Trials, name: &Slug) -> i64 {
    let store = trials.store();
    store.counter(name, "outstanding", "").await.unwrap()
}

async fn assert_books(trials: &Trials, name: &Slug) {
    let recount = trials.store().recount(name).await.unwrap();
    assert_eq!(recount.differences(), []);
}

pub async fn offer_of_a_trial_is_kept_with_its_room_or_not_at_all(bank: &Bank) {
    let limits = Limits {
        outstanding: cny(50_000),
        ..wide()
    };
    let (trials, name) = lending_trial(bank, limits).await;
    let first = offer("A-1", "300.00", 0);
    assert_eq!(offered(&trials, &name, &first, 30_000).await, Offer::New);
    let kept = bank.store.lookup(&first.decision.decision_id).await;
    assert_eq!(kept.unwrap().as_ref(), Some(&first));
    let again = offered(&second(bank).await, &name, &first, 30_000).await;
    assert_eq!(again, Offer::Before(Box::new(first.clone())));
    let above = offer("A-2", "300.00", 0);
    assert_eq!(offered(&trials, &name, &above, 30_000).await, Offer::Again);
    let kept = bank.store.lookup(&above.decision.decision_id).await;
    assert_eq!(kept.unwrap(), None, "no decision without its room");
    assert_eq!(used(&trials, &name).await, 30_000);
    // Refused by a person: the room is free again, and the books are right.
    let refused = step(&first, 1, "li-wei", Act::Refuse, true);
    let note = entry("li-wei", Action::Refuse, &first.decision.decision_id, at(1));
    bank.store.review(&refused, &note).await.unwrap();
    assert_eq!(used(&trials, &name).await, 0);
    assert_books(&trials, &name).await;
    let footing = trials.footing(&name).await.unwrap().unwrap();
    let plan = footing.plan(&asks(&above, 30_000), now()).unwrap();
    let Offered::Room(room) = trials
        .store()
        .keep_offer(&name, &plan, &above)
        .await
        .unwrap()
    else {
        panic!("it was decided before");
    };
    assert!(matches!(*room, Counted::New(_)), "it fits now: {room:?}");
}

/// Offers 700 fen at once until nothing of it fits; what it took.
async fn take(trials: Trials, name: Slug, id: String) -> i64 {
    let record = offer(&id, "7.00", 0);
    loop {
        match offered(&trials, &name, &record, 700).await {
            Offer::New => return 700,
            Offer::Before(before) => panic!("{before:?}"),
            Offer::Again if used(&trials, &name).await + 700 > 10_000 => return 0,
            Offer::Again => {}
        }
    }
}

pub async fn offers_of_a_trial_at_once_never_overshoot(bank: &Bank) {
    let limits = Limits {
        outstanding: cny(10_000),
        ..wide()
    };
    let (one, name) = lending_trial(bank, limits).await;
    let other = second(bank).await;
    let tasks = (0..40).map(|n: usize| {
        let trials = if n.is_multiple_of(2) { &one } else { &other };
        take(trials.clone(), name.clone(), format!("A-{n}"))
    });
    let taken: i64 = join_all(tasks).await.iter().sum();
    assert_eq!(taken, 14 * 700);
    assert_eq!(used(&one, &name).await, taken);
    assert_eq!(bank.store.list(0, 200).await.unwrap().len(), 14);
    assert_books(&one, &name).await;
}

pub async fn what_was_open_before_a_trial_is_carried_over_once(bank: &Bank) {
    let store = &bank.store;
    let before = configured(1, "700.00", "1000.00");
    store.declare(&before, at(0)).await.unwrap();
    let (open, gone) = (offer("A-1", "300.00", 0), offer("A-2", "200.00", 0));
    for one in [&open, &gone] {
        let kept = store.record(&before.id, one).await.unwrap();
        assert!(matches!(kept, Recorded::New), "{kept:?}");
    }
    let refuse = async |one: &Record| {
        let id = &one.decision.decision_id;
        let note = entry("li-wei", Action::Refuse, id, at(1));
        let refused = step(one, 1, "li-wei", Act::Refuse, true);
        bank.store.review(&refused, &note).await.unwrap();
    };
    refuse(&gone).await;
    let (trials, name) = lending_trial(bank, wide()).await;
    let request = |carried: &Carried| {
        let day = china_day(carried.decided_at);
        let fen = carried.amount.fen();
        let made = trial::request(carried.decision.as_str(), "x", "unnamed", fen, 1);
        Request {
            borrower: carried.supplier.clone(),
            day,
            ..made
        }
    };
    let carried = trials.carry_over(&name, &request, now()).await.unwrap();
    assert_eq!(carried, 1, "what was refused is not open");
    let again = second(bank).await.carry_over(&name, &request, now()).await;
    assert_eq!(again.unwrap(), 0);
    assert_eq!(used(&trials, &name).await, 30_000);
    assert_books(&trials, &name).await;
    let old = record("A-3", Some(yuan("1.00")), 1, 0);
    let old = store.record(&before.id, &old).await.unwrap();
    assert!(
        matches!(old, Recorded::OverLimit),
        "nothing is offered beside the trial"
    );
    refuse(&open).await;
    assert_eq!(used(&trials, &name).await, 0);
    assert_books(&trials, &name).await;
}

pub async fn room_is_taken_again_for_a_payment_that_was_none(bank: &Bank) {
    let limits = Limits {
        outstanding: cny(30_000),
        ..wide()
    };
    let (trials, name) = lending_trial(bank, limits).await;
    let request = trial::request("l-1", "qinghe", "market", 30_000, 1);
    trials.reserve(&name, &request, now()).await.unwrap();
    let back = |id: &str, fen| Repayment {
        id: slug(id),
        reservation: slug("l-1"),
        amount: cny(fen),
    };
    trials
        .release(&name, &back("p-1", 10_000), now())
        .await
        .unwrap();
    let other = trial::request("l-2", "qinghe", "market", 10_000, 1);
    trials.reserve(&name, &other, now()).await.unwrap();
    for _ in 0..2 {
        trials
            .take_again(&name, &back("p-1-back", 10_000), now())
            .await
            .unwrap();
    }
    // Owed whatever the limit says; nothing new is lent above it.
    assert_eq!(used(&trials, &name).await, 40_000);
    assert_books(&trials, &name).await;
    let third = trial::request("l-3", "qinghe", "market", 1, 1);
    assert!(trials.reserve(&name, &third, now()).await.is_err());
    let differs = trials.take_again(&name, &back("p-1-back", 1), now()).await;
    assert!(differs.is_err(), "{differs:?}");
    trials
        .release(&name, &back("p-2", 30_000), now())
        .await
        .unwrap();
    assert_books(&trials, &name).await;
}
