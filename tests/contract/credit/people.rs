//! Accounts and sessions.

use kit::people::{Account, FactorNoted, KeptSession, Noted};
use schemas::hash::Hash;
use schemas::ids::Slug;

use super::Bank;
use super::made::{at, hash};

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

fn account(name: &str) -> Account {
    Account {
        organisation: slug("bank"),
        name: slug(name),
        role: slug("officer"),
        password_hash: "$argon2id$...".into(),
        created: at(1),
        disabled: None,
    }
}

pub async fn accounts_are_made_once(bank: &Bank) {
    let store = &bank.store;
    assert!(store.add_account(&account("wang")).await.unwrap());
    assert!(store.add_account(&account("lin")).await.unwrap());
    assert!(!store.add_account(&account("lin")).await.unwrap());
    let (bank, lin, nobody) = (slug("bank"), slug("lin"), slug("nobody"));
    let names = async || -> Vec<String> {
        let accounts = store.accounts(&bank).await.unwrap();
        accounts
            .iter()
            .map(|account| account.name.to_string())
            .collect()
    };
    assert_eq!(names().await, ["lin", "wang"]);
    assert!(store.accounts(&slug("other")).await.unwrap().is_empty());
    assert!(store.set_password(&bank, &lin, "another").await.unwrap());
    assert!(!store.set_password(&bank, &nobody, "another").await.unwrap());
    assert!(store.set_disabled(&bank, &lin, Some(at(7))).await.unwrap());
    assert!(!store.set_disabled(&bank, &nobody, None).await.unwrap());
    let kept = store.account(&bank, &lin).await.unwrap().unwrap();
    assert_eq!((kept.created, kept.disabled), (at(1), Some(at(7))));
    assert_eq!(
        (&*kept.password_hash, kept.role),
        ("another", slug("officer"))
    );
    store.set_disabled(&bank, &lin, None).await.unwrap();
    let kept = store.account(&bank, &lin).await.unwrap().unwrap();
    assert_eq!(kept.disabled, None);
    assert!(store.account(&bank, &nobody).await.unwrap().is_none());
    store
        .noted(&bank, &lin, Noted::LoggedIn, at(9))
        .await
        .unwrap();
    let by = slug("wang");
    store
        .noted_factor(&bank, &lin, FactorNoted::Reset { by }, at(10))
        .await
        .unwrap();
    let trail = store.trail(0, 9).await.unwrap();
    let said = |at: usize| (&*trail[at].actor, &*trail[at].action, &*trail[at].subject);
    assert_eq!(trail.len(), 2);
    assert_eq!(said(0), ("lin", "log-in", "lin"));
    assert_eq!(said(1), ("wang", "reset-factor", "lin"));
}

pub async fn sessions_end(bank: &Bank) {
    let store = &bank.store;
    let add = async |name: &str, created, seen| {
        let session = KeptSession {
            token: hash(name),
            data: "{}".into(),
            created: at(created),
            seen: at(seen),
        };
        store.add_session(&session).await.unwrap();
    };
    let of = async |name: &str| {
        let found = store.session(&hash(name)).await.unwrap();
        found.map(|found| (found.data, found.created, found.seen))
    };
    add("one", 10, 10).await;
    add("old", 1, 99).await;
    add("idle", 50, 51).await;
    assert_eq!(of("one").await, Some(("{}".into(), at(10), at(10))));
    store
        .change_session(&hash("one"), "{\"a\":1}")
        .await
        .unwrap();
    store.touch_session(&hash("one"), at(60)).await.unwrap();
    assert_eq!(of("one").await, Some(("{\"a\":1}".into(), at(10), at(60))));
    store.end_sessions(at(5), at(55)).await.unwrap();
    assert!(of("one").await.is_some());
    assert_eq!((of("old").await, of("idle").await), (None, None));
    store.end_session(&hash("one")).await.unwrap();
    assert_eq!(of("one").await, None);
    store.change_session(&hash("one"), "{}").await.unwrap();
    store.touch_session(&hash("one"), at(70)).await.unwrap();
    assert_eq!(of("one").await, None, "what has ended stays ended");
    assert!(store.session(&Hash::ZERO).await.unwrap().is_none());
}
