use std::collections::BTreeSet;
use std::sync::Arc;

use schemas::hash::Hash;

use super::*;
use crate::loan::decide;
use crate::score::Model;
use crate::testing::*;

async fn open(folder: &tempfile::TempDir) -> Sqlite {
    Sqlite::open(&folder.path().join("credit.sqlite"))
        .await
        .unwrap()
}

fn cny(text: &str) -> Money {
    Money::parse(text, Currency::CNY).unwrap()
}

fn record(id: &str, amount: &str, sandbox: &Sandbox, facts: &crate::facts::Facts) -> Record {
    let model = Model::built_in().unwrap();
    decide(
        &application(id, amount),
        facts,
        Hash::ZERO,
        &model,
        &product(),
        sandbox,
        at(24, 0),
    )
    .unwrap()
}

/// Decides and records until the store takes it or the decision is no offer any more.
async fn offer(store: Sqlite, id: String, facts: Arc<crate::facts::Facts>) -> Outcome {
    let sandbox = slug("trial-1");
    loop {
        let now = store.sandbox(&sandbox).await.unwrap();
        let record = record(&id, "700.00", &now, &facts);
        match store.record(&sandbox, &record).await.unwrap() {
            Recorded::New => return record.decision.outcome,
            Recorded::Before(before) => return before.decision.outcome,
            Recorded::OverLimit | Recorded::Overtaken => {}
        }
    }
}

fn sum(outcomes: &[Outcome]) -> i64 {
    let fen = |outcome: &Outcome| match outcome {
        Outcome::Offer { amount } => amount.fen(),
        Outcome::Decline => 0,
    };
    outcomes.iter().map(fen).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_offers_at_once_over_two_pools_never_overshoot() {
    let folder = tempfile::tempdir().unwrap();
    let pools = [open(&folder).await, open(&folder).await];
    // 14 whole offers of 700.00 fit, then one of 200.00, then nothing.
    pools[0]
        .declare(&limits(1, "700.00", "10000.00"), at(0, 0))
        .await
        .unwrap();
    let facts = Arc::new(facts_of(&mut journey(&COLD)));
    let tasks: Vec<_> = (0..50)
        .map(|n| offer(pools[n % 2].clone(), format!("A-{n}"), Arc::clone(&facts)))
        .map(tokio::spawn)
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    let sandbox = pools[1].sandbox(&slug("trial-1")).await.unwrap();
    assert_eq!(sandbox.used, cny("10000.00"));
    assert_eq!(sum(&outcomes), sandbox.used.fen());
    let reserved: i64 = sqlx::query_scalar("SELECT SUM(amount_fen) FROM reservations")
        .fetch_one(&pools[0].pool)
        .await
        .unwrap();
    assert_eq!(reserved, sandbox.used.fen());
    assert_eq!(pools[0].list(0, 200).await.unwrap().len(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stale_view_of_the_limits_cannot_reserve() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store
        .declare(&limits(1, "700.00", "1000.00"), at(0, 0))
        .await
        .unwrap();
    let facts = facts_of(&mut journey(&COLD));
    let id = slug("trial-1");
    let stale = store.sandbox(&id).await.unwrap();
    let first = store
        .record(&id, &record("A-1", "700.00", &stale, &facts))
        .await
        .unwrap();
    assert!(matches!(first, Recorded::New));
    let second = store
        .record(&id, &record("A-2", "700.00", &stale, &facts))
        .await
        .unwrap();
    assert!(matches!(second, Recorded::OverLimit));
    assert_eq!(
        store.of_application(&"A-2".parse().unwrap()).await.unwrap(),
        None
    );
    store
        .declare(&limits(2, "200.00", "900.00"), at(1, 0))
        .await
        .unwrap();
    let third = store
        .record(&id, &record("A-3", "150.00", &stale, &facts))
        .await
        .unwrap();
    assert!(matches!(third, Recorded::OverLimit));
    assert_eq!(store.sandbox(&id).await.unwrap().used, cny("700.00"));
}

#[tokio::test]
async fn the_same_application_is_decided_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store
        .declare(&limits(1, "700.00", "1000.00"), at(0, 0))
        .await
        .unwrap();
    let facts = facts_of(&mut journey(&COLD));
    let id = slug("trial-1");
    let sandbox = store.sandbox(&id).await.unwrap();
    let one = record("A-1", "300.00", &sandbox, &facts);
    store.record(&id, &one).await.unwrap();
    let Recorded::Before(before) = store.record(&id, &one).await.unwrap() else {
        panic!("new")
    };
    assert_eq!(*before, one);
    assert_eq!(store.sandbox(&id).await.unwrap().used, cny("300.00"));
    assert_eq!(
        store.lookup(&one.decision.decision_id).await.unwrap(),
        Some(one)
    );
    assert_eq!(store.lookup("nothing").await.unwrap(), None);
}

#[tokio::test]
async fn limits_only_change_with_a_higher_version() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let declare = async |limits: Limits| store.declare(&limits, at(0, 0)).await;
    assert!(matches!(
        store.sandbox(&slug("trial-1")).await,
        Err(StoreError::NoLimits(_))
    ));
    declare(limits(1, "700.00", "1000.00")).await.unwrap();
    declare(limits(1, "700.00", "1000.00")).await.unwrap();
    let changed = declare(limits(1, "800.00", "1000.00")).await;
    assert!(matches!(
        changed,
        Err(StoreError::LimitsVersion {
            kept: 1,
            given: 1,
            ..
        })
    ));
    declare(limits(3, "800.00", "1000.00")).await.unwrap();
    let back = declare(limits(2, "700.00", "1000.00")).await;
    assert!(matches!(
        back,
        Err(StoreError::LimitsVersion {
            kept: 3,
            given: 2,
            ..
        })
    ));
    assert_eq!(
        store
            .sandbox(&slug("trial-1"))
            .await
            .unwrap()
            .limits
            .per_loan,
        cny("800.00")
    );
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = Refusal {
        application_id: "A-9".parse().unwrap(),
        supplier: slug("qinghe"),
        refused_at: at(1, 0),
        class: "batch-path".into(),
        detail: "the path does not lead to the root".into(),
    };
    let store = open(&folder).await;
    store
        .declare(&limits(1, "700.00", "1000.00"), at(0, 0))
        .await
        .unwrap();
    store.refuse(&refusal).await.unwrap();
    store.refuse(&refusal).await.unwrap();
    store.close().await;
    let store = open(&folder).await;
    assert_eq!(
        store.refusals(&refusal.application_id).await.unwrap(),
        [refusal]
    );
    assert_eq!(
        store
            .sandbox(&slug("trial-1"))
            .await
            .unwrap()
            .limits
            .version,
        1
    );
}

/// The append-only tables are only ever inserted into, and statements stay portable.
#[test]
fn no_statement_changes_what_was_decided() {
    let source = include_str!("../sqlite.rs").to_uppercase();
    let changed: BTreeSet<&str> = source
        .split("UPDATE ")
        .skip(1)
        .filter_map(|rest| rest.split_whitespace().next())
        .filter(|word| *word != "SET")
        .collect();
    assert_eq!(changed, BTreeSet::from(["SANDBOX_USE"]));
    assert!(!source.contains("DELETE FROM"));
}
