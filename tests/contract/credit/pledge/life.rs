//! Steps, substitution, and rows that somebody changed.

use credit::pledge::Pledging;
use credit::pledge::desk::PledgeError;
use credit::pledge::stage::{Act, Denied, Said, State, Way};
use credit::store::StoreError;
use credit::store::pledge::Stepped;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::super::Place;
use super::super::made::{at, cny};
use super::{Bank, act, key, name, offer, pledged, thing};
use crate::contract::ingest::join_all;

pub async fn step_is_taken_by_one_of_many(bank: &Bank) {
    let store = &*bank.store;
    let id = pledged(store, "one", &thing("A1", vec![])).await;
    let chain = store.pledge(&id).await.unwrap().unwrap();
    let draw = |n: usize| Act::Draw {
        disbursement: key(&format!("d-{n}")),
        amount: cny("300.00"),
    };
    let said = |n: usize| Said {
        request: key(&format!("draw-{n}")),
        person: Some("lin".parse().unwrap()),
        act: draw(n),
    };
    let one = chain.next(said(1), at(2)).unwrap();
    let two = chain.next(said(2), at(2)).unwrap();
    assert_eq!(store.step_pledge(&one).await.unwrap(), Stepped::Kept);
    assert_eq!(store.step_pledge(&two).await.unwrap(), Stepped::Overtaken);
    // 300 of 1,000 are drawn; of many more draws at once two fit.
    let stores = [bank.store.clone(), bank.second().await];
    let draws = (10..22).map(|n| {
        let store = stores[n % 2].clone();
        async move { act(&*store, &id, &format!("draw-{n}"), "lin", draw(n)).await }
    });
    let found = join_all(draws).await;
    assert_eq!(found.iter().filter(|done| done.is_ok()).count(), 2);
    let denied = |done: &Result<State, PledgeError>| {
        matches!(done, Err(PledgeError::Denied(Denied::NotCovered { .. })))
    };
    assert_eq!(found.iter().filter(|done| denied(done)).count(), 10);
    let chain = store.pledge(&id).await.unwrap().unwrap();
    assert_eq!(chain.stage().life().drawn, cny("900.00"));
}

pub async fn substitute_covers_at_once_or_not_at_all(bank: &Bank) {
    let store = &*bank.store;
    let pledging = Pledging::new(store);
    let old = pledged(store, "old", &thing("A1", vec![])).await;
    let draw = Act::Draw {
        disbursement: key("d-1"),
        amount: cny("700.00"),
    };
    act(store, &old, "draw", "lin", draw).await.unwrap();
    let new = offer(store, "new", &thing("A2", vec![]))
        .await
        .unwrap()
        .pledge;
    let way = Way::Substituted { by: new };
    act(store, &old, "propose", "lin", Act::Propose(way.clone()))
        .await
        .unwrap();
    let confirm = |person: &str| {
        let person = person.parse().unwrap();
        pledging.substitute(&old, &new, key("confirm"), person, at(3))
    };
    // One that nobody has accepted covers nothing.
    let early = confirm("wang").await;
    assert!(matches!(
        early,
        Err(PledgeError::Denied(Denied::Stage(State::Offered)))
    ));
    act(store, &new, "accept", "wang", Act::Accept)
        .await
        .unwrap();
    let alone = confirm("lin").await;
    assert!(matches!(
        alone,
        Err(PledgeError::Denied(Denied::SamePerson))
    ));
    let around = act(store, &old, "around", "wang", Act::Confirm(way)).await;
    assert!(matches!(
        around,
        Err(PledgeError::Denied(Denied::NotProposed))
    ));
    assert_eq!(store.pledge_holder(&name("A1")).await.unwrap(), Some(old));
    assert_eq!(confirm("wang").await.unwrap().state, State::Released);
    assert!(confirm("wang").await.unwrap().before);
    assert_eq!(store.pledge_holder(&name("A1")).await.unwrap(), None);
    assert_eq!(store.pledge_holder(&name("A2")).await.unwrap(), Some(new));
    let chain = store.pledge(&new).await.unwrap().unwrap();
    assert_eq!(chain.stage().life().drawn, cny("700.00"));
}

pub async fn substitute_that_moved_meanwhile_releases_nothing(bank: &Bank) {
    let store = &*bank.store;
    let old = pledged(store, "old", &thing("A1", vec![])).await;
    let new = pledged(store, "new", &thing("A2", vec![])).await;
    let way = Way::Substituted { by: new };
    act(store, &old, "propose", "lin", Act::Propose(way.clone()))
        .await
        .unwrap();
    let said = |act| Said {
        request: key("confirm"),
        person: Some("wang".parse().unwrap()),
        act,
    };
    let (from, to) = (
        store.pledge(&old).await.unwrap(),
        store.pledge(&new).await.unwrap(),
    );
    let cover = Act::Cover {
        instead_of: old,
        drawn: cny("0.00"),
    };
    let cover = to.unwrap().next(said(cover), at(3)).unwrap();
    let release = from.unwrap().next(said(Act::Confirm(way)), at(3)).unwrap();
    // The substitute is called before both are kept.
    act(store, &new, "call", "lin", Act::Call("late".into()))
        .await
        .unwrap();
    let stepped = store.substitute_pledge(&cover, &release).await.unwrap();
    assert_eq!(stepped, Stepped::Overtaken);
    assert_eq!(store.pledge_holder(&name("A1")).await.unwrap(), Some(old));
    let chain = store.pledge(&old).await.unwrap().unwrap();
    assert_eq!(chain.stage().state(), State::Pledged);
}

/// Changes rows behind the service's back, as the owner.
async fn tamper(bank: &Bank, sql: &'static str) {
    let sql = AssertSqlSafe(sql);
    match &bank.place {
        Place::File(folder) => {
            let file = folder.path().join("credit.sqlite");
            let options = SqliteConnectOptions::new().filename(file);
            let mut connection = options.connect().await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        Place::Server(database) => {
            let mut connection = database.as_owner().await;
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
    }
}

pub async fn changed_row_shows_and_stops_everything(bank: &Bank) {
    let store = &*bank.store;
    let id = pledged(store, "one", &thing("A1", vec![])).await;
    tamper(bank, "DELETE FROM pledge_steps WHERE step = 2").await;
    let read = store.pledge(&id).await;
    assert!(matches!(read, Err(StoreError::Row { what: "pledge" })));
    let accepted = act(store, &id, "again", "zhao", Act::Accept).await;
    assert!(matches!(accepted, Err(PledgeError::Store(_))));
    let id = pledged(store, "two", &thing("A2", vec![])).await;
    tamper(bank, "DELETE FROM pledge_heads WHERE step = 2").await;
    assert!(store.pledge(&id).await.is_err());
}
