//! Consent documents are kept by supplier, bank and number, and wait for the log.

use platform::store::consents::KeptConsent;
use platform::store::{Append, NewLogged};
use schemas::hash::sha256;

use super::engine::Engine;
use super::made::{append, at};

fn document(supplier: &str, bank: &str, number: u64, said: &str) -> KeptConsent {
    let bytes = format!("{supplier} {bank} {number} {said}").into_bytes();
    KeptConsent {
        supplier: supplier.parse().unwrap(),
        bank: bank.parse().unwrap(),
        number,
        hash: sha256(&bytes),
        bytes,
        received: at(i64::try_from(number).unwrap()),
    }
}

pub async fn consents_are_kept_once_by_their_number(engine: &Engine) {
    let store = &*engine.store;
    let chain = [1, 2].map(|number| document("qinghe", "first-bank", number, "this"));
    let others = [
        document("qinghe", "other-bank", 1, "this"),
        document("northroad", "first-bank", 1, "this"),
    ];
    for kept in chain.iter().chain(&others) {
        assert!(store.add_consent(kept).await.unwrap());
        assert!(!store.add_consent(kept).await.unwrap(), "taken");
    }
    let fork = document("qinghe", "first-bank", 2, "that");
    assert!(!store.add_consent(&fork).await.unwrap(), "taken");
    let (supplier, bank) = (&chain[0].supplier, &chain[0].bank);
    assert_eq!(store.consents(supplier, bank).await.unwrap(), chain);
    let nobody = "nobody".parse().unwrap();
    assert_eq!(store.consents(&nobody, bank).await.unwrap(), []);
}

pub async fn consents_wait_for_the_log(engine: &Engine) {
    let store = &*engine.store;
    let kept = document("qinghe", "first-bank", 1, "this");
    store.add_consent(&kept).await.unwrap();
    let unlogged = store.unlogged().await.unwrap();
    assert_eq!(unlogged.len(), 1);
    let one = &unlogged[0];
    assert_eq!((one.kind, one.hash, one.count), ("consent", kept.hash, 1));
    let fence = store.take_lease("log", "a", at(0), at(30)).await.unwrap();
    let append = Append {
        logged: vec![NewLogged {
            kind: one.kind,
            hash: one.hash,
            log_index: 0,
        }],
        ..append(fence.unwrap(), 0, &["\u{3}document"])
    };
    store.append(&append).await.unwrap();
    assert_eq!(store.unlogged().await.unwrap(), []);
}
