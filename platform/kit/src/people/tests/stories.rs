//! What every engine must do, told once and run on both.

use std::collections::BTreeSet;

use super::super::client::{Client, Credential, KeptToken};
use super::super::factor::KeptFactor;
use super::super::*;
use super::engine::{Postgres, Sqlite};
use crate::idempotency::{Answer, AnswerStore, Place};

/// Everything that a store must be.
trait Store: FactorStore + ClientStore + IdentityStore + AnswerStore + PeopleStore {}
impl<T: FactorStore + ClientStore + IdentityStore + AnswerStore + PeopleStore> Store for T {}

/// Requests that come at once.
const AT_ONCE: i64 = 24;

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

fn at(seconds: i64) -> Instant {
    Instant::from_micros(1_700_000_000_000_000 + seconds * 1_000_000 + 7)
}

fn factor() -> KeptFactor {
    KeptFactor {
        secret: vec![1, 2, 3],
        enrolled: at(0),
        last_step: 7,
        wrong: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stories_on_sqlite() {
    let file = Sqlite::new().await;
    run([Arc::new(file.open().await), Arc::new(file.open().await)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stories_on_postgresql() {
    if let Some(server) = Postgres::new().await {
        run([Arc::new(server.open().await), Arc::new(server.open().await)]).await;
    }
}

/// Two stores on one database, as two processes have them.
async fn run<S: Store>(stores: [Arc<S>; 2]) {
    factors(&*stores[0]).await;
    of_two_with_one_code_one_wins(&stores).await;
    of_two_with_one_recovery_code_one_wins(&stores).await;
    clients(&*stores[0]).await;
    of_two_with_one_assertion_one_wins(&stores).await;
    identities(&*stores[0]).await;
    answers(&*stores[0]).await;
    of_many_with_one_key_one_runs(&stores).await;
}

async fn factors(store: &impl Store) {
    let (bank, li, wang) = (slug("bank"), slug("li"), slug("wang"));
    assert_eq!(store.factor(&bank, &li).await.unwrap(), None);
    assert!(!store.use_step(&bank, &li, 1).await.unwrap());
    let codes = [Hash([1; 32]), Hash([2; 32])];
    assert!(
        store
            .add_factor(&bank, &li, &factor(), &codes)
            .await
            .unwrap()
    );
    let other = KeptFactor {
        last_step: 99,
        ..factor()
    };
    assert!(!store.add_factor(&bank, &li, &other, &[]).await.unwrap());
    assert_eq!(store.factor(&bank, &li).await.unwrap(), Some(factor()));
    store.count_wrong(&bank, &li).await.unwrap();
    store.count_wrong(&bank, &li).await.unwrap();
    assert_eq!(store.factor(&bank, &li).await.unwrap().unwrap().wrong, 2);
    assert!(
        !store.use_step(&bank, &li, 7).await.unwrap(),
        "the step of the enrolment"
    );
    assert!(store.use_step(&bank, &li, 8).await.unwrap());
    let kept = store.factor(&bank, &li).await.unwrap().unwrap();
    assert_eq!((kept.last_step, kept.wrong), (8, 0));
    store.count_wrong(&bank, &li).await.unwrap();
    assert!(
        !store
            .use_recovery(&bank, &wang, &codes[0], at(1))
            .await
            .unwrap()
    );
    assert!(
        store
            .use_recovery(&bank, &li, &codes[0], at(1))
            .await
            .unwrap()
    );
    assert!(
        !store
            .use_recovery(&bank, &li, &codes[0], at(2))
            .await
            .unwrap()
    );
    assert_eq!(store.factor(&bank, &li).await.unwrap().unwrap().wrong, 0);
    assert!(store.remove_factor(&bank, &li).await.unwrap());
    assert!(!store.remove_factor(&bank, &li).await.unwrap());
    assert!(
        !store
            .use_recovery(&bank, &li, &codes[1], at(3))
            .await
            .unwrap()
    );
    assert!(
        store
            .add_factor(&bank, &li, &factor(), &codes)
            .await
            .unwrap()
    );
}

/// How many of [`AT_ONCE`] tasks on both stores were told true.
async fn winners<S, F, W>(stores: &[Arc<S>; 2], work: W) -> usize
where
    S: Store,
    F: Future<Output = bool> + Send + 'static,
    W: Fn(Arc<S>, i64) -> F,
{
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let store = Arc::clone(&stores[usize::from(number % 2 == 0)]);
            tokio::spawn(work(store, number))
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    won
}

async fn of_two_with_one_code_one_wins<S: Store>(stores: &[Arc<S>; 2]) {
    for step in 20..25 {
        let use_it = move |store: Arc<S>, _| async move {
            store
                .use_step(&slug("bank"), &slug("li"), step)
                .await
                .unwrap()
        };
        assert_eq!(winners(stores, use_it).await, 1, "step {step}");
    }
}

async fn of_two_with_one_recovery_code_one_wins<S: Store>(stores: &[Arc<S>; 2]) {
    let use_it = |store: Arc<S>, _| async move {
        let code = Hash([2; 32]);
        let (bank, li) = (slug("bank"), slug("li"));
        store.use_recovery(&bank, &li, &code, at(1)).await.unwrap()
    };
    assert_eq!(winners(stores, use_it).await, 1);
}

fn client(name: &str, credential: Credential) -> Client {
    Client {
        organisation: slug("bank"),
        name: slug(name),
        credential,
        scopes: BTreeSet::from([slug("read"), slug("write")]),
        created: at(0),
        disabled: None,
    }
}

async fn clients(store: &impl Store) {
    let bank = slug("bank");
    let portal = client("portal", Credential::Secret(Hash([1; 32])));
    let ledger = client("ledger", Credential::PublicKey([2; 32]));
    assert!(store.add_client(&portal).await.unwrap());
    assert!(store.add_client(&ledger).await.unwrap());
    assert!(!store.add_client(&portal).await.unwrap());
    assert_eq!(
        store.client(&bank, &slug("portal")).await.unwrap(),
        Some(portal.clone())
    );
    assert_eq!(
        store.client(&slug("other"), &slug("portal")).await.unwrap(),
        None
    );
    assert_eq!(store.clients(&bank).await.unwrap(), [ledger, portal]);
    let name = slug("portal");
    let close = store.set_client_disabled(&bank, &name, Some(at(5)));
    assert!(close.await.unwrap());
    let closed = store.client(&bank, &slug("portal")).await.unwrap().unwrap();
    assert_eq!(closed.disabled, Some(at(5)));
    assert!(
        !store
            .set_client_disabled(&bank, &slug("nobody"), None)
            .await
            .unwrap()
    );
    let token = KeptToken {
        token: Hash([9; 32]),
        organisation: bank.clone(),
        client: slug("portal"),
        scopes: BTreeSet::from([slug("read")]),
        issued: at(0),
        expires: at(10),
    };
    store.add_token(&token).await.unwrap();
    assert_eq!(
        store.token(&token.token).await.unwrap(),
        Some(token.clone())
    );
    store
        .end_token(&bank, &slug("ledger"), &token.token)
        .await
        .unwrap();
    store.end_what_ran_out(at(10)).await.unwrap();
    assert!(store.token(&token.token).await.unwrap().is_some());
    store.end_what_ran_out(at(11)).await.unwrap();
    assert_eq!(store.token(&token.token).await.unwrap(), None);
    store.add_token(&token).await.unwrap();
    store
        .end_token(&bank, &slug("portal"), &token.token)
        .await
        .unwrap();
    assert_eq!(store.token(&token.token).await.unwrap(), None);
}

async fn of_two_with_one_assertion_one_wins<S: Store>(stores: &[Arc<S>; 2]) {
    let use_it = |store: Arc<S>, _| async move {
        let (bank, ledger) = (slug("bank"), slug("ledger"));
        let shown = store.use_assertion(&bank, &ledger, &Hash([3; 32]), at(9));
        shown.await.unwrap()
    };
    assert_eq!(winners(stores, use_it).await, 1);
}

async fn identities(store: &impl Store) {
    let (bank, li, wang) = (slug("bank"), slug("li"), slug("wang"));
    let issuer = "https://login.example";
    assert!(store.link(&bank, issuer, "7", &li, at(0)).await.unwrap());
    assert!(!store.link(&bank, issuer, "7", &wang, at(1)).await.unwrap());
    assert_eq!(
        store.identity(&bank, issuer, "7").await.unwrap(),
        Some(li.clone())
    );
    for (organisation, issuer, subject) in [
        ("other", issuer, "7"),
        ("bank", "https://login.example/", "7"),
        ("bank", issuer, "07"),
    ] {
        let found = store.identity(&slug(organisation), issuer, subject).await;
        assert_eq!(found.unwrap(), None);
    }
    assert!(store.link(&bank, issuer, "8", &li, at(0)).await.unwrap());
    assert_eq!(store.unlink(&bank, &li).await.unwrap(), 2);
    assert_eq!(store.unlink(&bank, &li).await.unwrap(), 0);
}

fn place(number: u8) -> Place {
    Place {
        actor: "machine/portal".to_owned(),
        key: Hash([number; 32]),
    }
}

async fn answers(store: &impl Store) {
    let (place, request) = (place(1), Hash([5; 32]));
    assert_eq!(store.begin(&place, &request, at(0)).await.unwrap(), None);
    let kept = store
        .begin(&place, &Hash([6; 32]), at(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (kept.request, kept.began, kept.answer),
        (request, at(0), None)
    );
    assert!(!store.take_over(&place, at(1), at(2)).await.unwrap());
    assert!(store.take_over(&place, at(0), at(2)).await.unwrap());
    let answer = Answer {
        status: 201,
        headers: vec![("location".to_owned(), "/云\"".to_owned())],
        body: vec![0, 255],
    };
    // Who lost the place changes nothing in it.
    store.finish(&place, at(0), &answer).await.unwrap();
    store.free(&place, at(0)).await.unwrap();
    let kept = store.begin(&place, &request, at(3)).await.unwrap().unwrap();
    assert_eq!((kept.began, kept.answer), (at(2), None));
    store.finish(&place, at(2), &answer).await.unwrap();
    let kept = store.begin(&place, &request, at(3)).await.unwrap().unwrap();
    assert_eq!(kept.answer, Some(answer));
    assert!(!store.take_over(&place, at(2), at(4)).await.unwrap());
    store.end_answers(at(2)).await.unwrap();
    assert!(
        store
            .begin(&place, &request, at(3))
            .await
            .unwrap()
            .is_some()
    );
    store.end_answers(at(3)).await.unwrap();
    assert_eq!(store.begin(&place, &request, at(9)).await.unwrap(), None);
    store.free(&place, at(9)).await.unwrap();
    assert_eq!(store.begin(&place, &request, at(10)).await.unwrap(), None);
}

async fn of_many_with_one_key_one_runs<S: Store>(stores: &[Arc<S>; 2]) {
    let begin = |store: Arc<S>, number| async move {
        let begun = store.begin(&place(2), &Hash([5; 32]), at(number)).await;
        begun.unwrap().is_none()
    };
    assert_eq!(winners(stores, begin).await, 1);
}
