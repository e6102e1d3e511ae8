//! Limits and decisions.

use std::sync::Arc;

use credit::loan::Outcome;
use credit::money::{Currency, Money};
use credit::store::{Recorded, StoreError, Tables};

use super::Bank;
use super::made::{at, cny, limits, offer, record, refusal, trial};
use crate::contract::ingest::join_all;

/// Offers what is free, at most 700 yuan, until the store takes it; how much it became.
async fn decide(store: Arc<dyn Tables>, id: String) -> i64 {
    loop {
        let now = store.sandbox(&trial()).await.unwrap();
        let free = now.free().unwrap().fen().min(now.limits.per_loan.fen());
        let amount = (free > 0).then(|| Money::from_fen(free, Currency::CNY).unwrap());
        let record = record(&id, amount, now.limits.version, 0);
        match store.record(&trial(), &record).await.unwrap() {
            Recorded::New => return free,
            Recorded::Before(before) => panic!("{before:?}"),
            Recorded::OverLimit | Recorded::Overtaken => {}
        }
    }
}

pub async fn offers_at_once_never_overshoot(bank: &Bank) {
    let stores = [Arc::clone(&bank.store), bank.second().await];
    // 14 whole offers of 700 fit, then one of 200, then nothing.
    let declared = limits(1, "700.00", "10000.00");
    stores[0].declare(&declared, at(0)).await.unwrap();
    let tasks = (0..60).map(|n: usize| decide(Arc::clone(&stores[n % 2]), format!("A-{n}")));
    let amounts = join_all(tasks).await;
    let used = stores[1].sandbox(&trial()).await.unwrap().used;
    assert_eq!(used, cny("10000.00"));
    assert_eq!(amounts.iter().sum::<i64>(), used.fen());
    let kept = stores[0].list(0, 200).await.unwrap();
    let offered = |outcome: &Outcome| match outcome {
        Outcome::Offer { amount } => amount.fen(),
        Outcome::Decline => 0,
    };
    let offered: i64 = kept.iter().map(|kept| offered(&kept.outcome)).sum();
    assert_eq!((kept.len(), offered), (60, used.fen()));
}

pub async fn stale_view_of_the_limits_cannot_reserve(bank: &Bank) {
    let store = &bank.store;
    store
        .declare(&limits(1, "700.00", "1000.00"), at(0))
        .await
        .unwrap();
    let taken = async |record| store.record(&trial(), &record).await.unwrap();
    assert!(matches!(
        taken(offer("A-1", "700.00", 0)).await,
        Recorded::New
    ));
    let second = taken(offer("A-2", "700.00", 0)).await;
    assert!(matches!(second, Recorded::OverLimit));
    let kept = store.of_application(&"A-2".parse().unwrap()).await.unwrap();
    assert_eq!(kept, None, "nothing of it stays");
    let above = taken(offer("A-3", "700.01", 0)).await;
    assert!(matches!(above, Recorded::OverLimit));
    let usd = Money::from_fen(100, "USD".parse().unwrap()).unwrap();
    let foreign = taken(record("A-4", Some(usd), 1, 0)).await;
    assert!(matches!(foreign, Recorded::OverLimit));
    store
        .declare(&limits(2, "200.00", "500.00"), at(1))
        .await
        .unwrap();
    let stale = taken(offer("A-5", "150.00", 0)).await;
    assert!(matches!(stale, Recorded::OverLimit), "made under version 1");
    let lowered = taken(record("A-6", Some(cny("1.00")), 2, 0)).await;
    assert!(
        matches!(lowered, Recorded::OverLimit),
        "lowered below the use"
    );
    assert!(matches!(
        taken(record("A-7", None, 2, 0)).await,
        Recorded::New
    ));
    let now = store.sandbox(&trial()).await.unwrap();
    assert_eq!((now.used, now.limits.version), (cny("700.00"), 2));
}

pub async fn application_is_decided_once(bank: &Bank) {
    let store = &bank.store;
    store
        .declare(&limits(1, "700.00", "1000.00"), at(0))
        .await
        .unwrap();
    let one = offer("A-1", "300.00", 5);
    assert!(matches!(
        store.record(&trial(), &one).await.unwrap(),
        Recorded::New
    ));
    let other = offer("A-1", "400.00", 6);
    let Recorded::Before(before) = store.record(&trial(), &other).await.unwrap() else {
        panic!("it was decided again");
    };
    assert_eq!(*before, one);
    assert_eq!(store.sandbox(&trial()).await.unwrap().used, cny("300.00"));
    let found = store.lookup(&one.decision.decision_id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&one));
    let found = store.of_application(&"A-1".parse().unwrap()).await.unwrap();
    assert_eq!(found.as_ref(), Some(&one));
    assert_eq!(store.lookup("nothing").await.unwrap(), None);
    assert_eq!(store.lookup("a\0b").await.unwrap(), None);
}

pub async fn application_by_many_at_once_is_decided_once(bank: &Bank) {
    let stores = [Arc::clone(&bank.store), bank.second().await];
    stores[0]
        .declare(&limits(1, "700.00", "1000.00"), at(0))
        .await
        .unwrap();
    let tasks = (0..12).map(|n: usize| {
        let store = Arc::clone(&stores[n % 2]);
        let record = offer("A-1", &format!("{}.00", 100 + n), 0);
        async move {
            match store.record(&trial(), &record).await.unwrap() {
                Recorded::New => (true, record),
                Recorded::Before(before) => (false, *before),
                Recorded::OverLimit | Recorded::Overtaken => panic!("there is room"),
            }
        }
    });
    let outcomes = join_all(tasks).await;
    assert_eq!(outcomes.iter().filter(|(new, _)| *new).count(), 1);
    let (_, kept) = &outcomes[0];
    assert!(outcomes.iter().all(|(_, record)| record == kept));
    let Outcome::Offer { amount } = kept.decision.outcome else {
        panic!("{kept:?}");
    };
    assert_eq!(stores[1].sandbox(&trial()).await.unwrap().used, amount);
}

pub async fn limits_only_change_with_a_higher_version(bank: &Bank) {
    let store = &bank.store;
    let declare = async |version, per_loan| {
        let limits = limits(version, per_loan, "1000.00");
        store.declare(&limits, at(0)).await
    };
    let none = store.sandbox(&trial()).await;
    assert!(matches!(none, Err(StoreError::NoLimits(_))), "{none:?}");
    declare(1, "700.00").await.unwrap();
    declare(1, "700.00").await.unwrap();
    let changed = declare(1, "800.00").await;
    assert!(matches!(
        changed,
        Err(StoreError::LimitsVersion {
            kept: 1,
            given: 1,
            ..
        })
    ));
    declare(3, "800.00").await.unwrap();
    let back = declare(2, "700.00").await;
    assert!(matches!(
        back,
        Err(StoreError::LimitsVersion {
            kept: 3,
            given: 2,
            ..
        })
    ));
    let now = store.sandbox(&trial()).await.unwrap();
    assert_eq!(now.limits, limits(3, "800.00", "1000.00"));
}

pub async fn limits_declared_by_many_at_once(bank: &Bank) {
    let stores = [Arc::clone(&bank.store), bank.second().await];
    let same = (0..8).map(|n: usize| {
        let store = Arc::clone(&stores[n % 2]);
        async move {
            store
                .declare(&limits(1, "1.00", "2.00"), at(0))
                .await
                .is_ok()
        }
    });
    assert_eq!(join_all(same).await, [true; 8]);
    let rising = (2..10).map(|version: u32| {
        let store = Arc::clone(&stores[version as usize % 2]);
        async move {
            match store.declare(&limits(version, "1.00", "2.00"), at(0)).await {
                Ok(()) | Err(StoreError::LimitsVersion { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    join_all(rising).await;
    let now = stores[0].sandbox(&trial()).await.unwrap();
    assert_eq!(now.limits.version, 9, "the highest is never refused");
}

pub async fn decisions_are_listed_newest_first(bank: &Bank) {
    let store = &bank.store;
    store
        .declare(&limits(1, "700.00", "1000.00"), at(0))
        .await
        .unwrap();
    for (id, second) in [("A-1", 5), ("A-2", 9), ("A-3", 7), ("A-4", 7)] {
        let record = record(id, None, 1, second);
        store.record(&trial(), &record).await.unwrap();
    }
    let times = async |skip, take| -> Vec<_> {
        let kept = store.list(skip, take).await.unwrap();
        kept.iter().map(|decision| decision.decided_at).collect()
    };
    assert_eq!(times(0, 10).await, [at(9), at(7), at(7), at(5)]);
    assert_eq!(times(1, 2).await, [at(7), at(7)]);
    let same: Vec<String> = store
        .list(1, 2)
        .await
        .unwrap()
        .into_iter()
        .map(|decision| decision.decision_id)
        .collect();
    assert!(same.is_sorted(), "of one time by their ids");
    assert!(times(4, 10).await.is_empty());
}

pub async fn refusals_are_kept_once(bank: &Bank) {
    let store = &bank.store;
    let (first, mut second) = (refusal("A-1", 1), refusal("A-1", 2));
    second.detail = "a\0b".into();
    for refusal in [&second, &first, &first] {
        store.refuse(refusal).await.unwrap();
    }
    store.refuse(&refusal("A-2", 0)).await.unwrap();
    let kept = store.refusals(&first.application_id).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0], first);
    assert_eq!(kept[1].refused_at, at(2));
    store.close().await;
    assert!(store.refusals(&first.application_id).await.is_err());
    let again = bank.second().await;
    assert_eq!(again.refusals(&first.application_id).await.unwrap(), kept);
}
