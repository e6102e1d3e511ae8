//! Alarms freeze draws, whoever else is at it.

use std::sync::Arc;

use credit::pledge::Pledging;
use credit::pledge::desk::PledgeError;
use credit::pledge::stage::{Act, Denied, State};
use credit::pledge::watch::{Limits, Noticed, Reading, Watch};
use credit::store::Tables;
use credit::store::pledge::{Stepped, Which};
use schemas::hash::{Hash, sha256};

use super::super::made::{at, cny};
use super::{Bank, act, key, offer, pledged, thing};
use crate::contract::ingest::join_all;

fn limits() -> Limits {
    let silence = std::time::Duration::from_secs(900);
    Limits::declared(2.into(), 8.into(), silence).unwrap()
}

fn reading(second: i64, value: i64) -> (Reading, Option<Hash>) {
    let reading = Reading::new(at(second), value.into()).unwrap();
    (reading, Some(sha256(b"leaf")))
}

pub async fn breach_freezes_and_a_restart_goes_on(bank: &Bank) {
    let store = &*bank.store;
    let pledging = Pledging::new(store);
    let waits = offer(store, "two", &thing("A2", vec![])).await.unwrap();
    let early = pledging.watch(&waits.pledge, "cold-1", limits(), at(0));
    assert!(matches!(
        early.await,
        Err(PledgeError::Denied(Denied::Stage(State::Offered)))
    ));
    let id = pledged(store, "one", &thing("A1", vec![])).await;
    pledging
        .watch(&id, "cold-1", limits(), at(0))
        .await
        .unwrap();
    let calm = pledging
        .reading(&id, "cold-1", reading(60, 5), at(61))
        .await;
    assert_eq!(calm.unwrap(), None);
    let second = bank.second().await;
    let other = Pledging::new(&*second);
    let alarm = other.reading(&id, "cold-1", reading(120, 9), at(121)).await;
    let alarm = alarm.unwrap().unwrap();
    assert!(matches!(
        alarm.noticed,
        Noticed::Breach { leaf: Some(_), .. }
    ));
    // Seen again, by whoever: one alarm.
    let again = pledging
        .reading(&id, "cold-1", reading(120, 9), at(122))
        .await;
    assert_eq!(again.unwrap(), None);
    let frozen = store.pledges(&Which::In(State::Frozen), 9).await.unwrap();
    assert_eq!(frozen[0].pledge, id);
    let draw = Act::Draw {
        disbursement: key("d-1"),
        amount: cny("1.00"),
    };
    let drawn = act(store, &id, "draw", "lin", draw).await;
    assert!(matches!(
        drawn,
        Err(PledgeError::Denied(Denied::Stage(State::Frozen)))
    ));
    assert!(
        pledging
            .look(&id, "cold-1", at(1020))
            .await
            .unwrap()
            .is_none()
    );
    let silent = pledging
        .look(&id, "cold-1", at(1021))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(silent.noticed, Noticed::Silence);
    assert!(other.look(&id, "cold-1", at(1022)).await.unwrap().is_none());
    let chain = store.pledge(&id).await.unwrap().unwrap();
    assert_eq!(chain.stage().life().alarms, [alarm, silent]);
    let thaw = Act::Thaw("goods inspected".into());
    assert_eq!(
        act(store, &id, "thaw", "lin", thaw).await.unwrap(),
        State::Pledged
    );
    assert_eq!(store.watched_streams(&id).await.unwrap(), ["cold-1"]);
    let unknown = pledging.look(&id, "cold-2", at(1)).await;
    assert!(matches!(unknown, Err(PledgeError::Unknown)));
}

pub async fn watch_is_kept_by_one_of_many(bank: &Bank) {
    let store = &*bank.store;
    let id = pledged(store, "one", &thing("A1", vec![])).await;
    let watch = Watch::begin("cold-1", limits(), at(0)).unwrap();
    let keep = |before| store.keep_watch(&id, before, &watch, None);
    assert_eq!(keep(0).await.unwrap(), Stepped::Kept);
    assert_eq!(keep(0).await.unwrap(), Stepped::Overtaken);
    assert_eq!(keep(1).await.unwrap(), Stepped::Kept);
    assert_eq!(keep(1).await.unwrap(), Stepped::Overtaken);
    let kept = store.watching(&id, "cold-1").await.unwrap().unwrap();
    assert_eq!((kept.version, kept.watch), (2, watch));
    // A breach and draws at once: behind the freeze nothing is drawn.
    let second = bank.second().await;
    let stores: [Arc<dyn Tables>; 2] = [bank.store.clone(), second];
    let tries = (0..12usize).map(|n| {
        let store = stores[n % 2].clone();
        async move {
            if n == 5 {
                let pledging = Pledging::new(&*store);
                let alarm = pledging.reading(&id, "cold-1", reading(60, 9), at(61));
                assert!(alarm.await.unwrap().is_some());
                return;
            }
            let draw = Act::Draw {
                disbursement: key(&format!("d-{n}")),
                amount: cny("10.00"),
            };
            let _ = act(&*store, &id, &format!("draw-{n}"), "lin", draw).await;
        }
    });
    join_all(tries).await;
    let chain = store.pledge(&id).await.unwrap().unwrap();
    let frozen = chain
        .steps()
        .iter()
        .position(|step| step.state == State::Frozen);
    let behind = &chain.steps()[frozen.unwrap() + 1..];
    assert!(
        behind
            .iter()
            .all(|step| !matches!(step.said.act, Act::Draw { .. }))
    );
}
