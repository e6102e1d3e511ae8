//! Attestations are held once; what was seen of consents only rises.

use credit::evidence::consent::Remembered;
use credit::store::papers::{HeldPaper, PaperKept, PaperKind};
use schemas::consent::Mark;
use schemas::hash::{Hash, sha256};
use schemas::time::Instant;

use super::Bank;

fn at(seconds: i64) -> Instant {
    Instant::from_seconds(1_783_720_800 + seconds)
}

fn paper(supplier: &str, said: &str, kind: PaperKind) -> HeldPaper {
    let bytes = format!("{supplier} {said}").into_bytes();
    HeldPaper {
        supplier: supplier.parse().unwrap(),
        hash: sha256(&bytes),
        kind,
        id: sha256(said.as_bytes()),
        issuer: "tax-office".parse().unwrap(),
        bytes,
        received: at(0),
    }
}

pub async fn attestations_are_held_once_and_found_by_id(bank: &Bank) {
    let store = &*bank.store;
    let one = paper("qinghe", "one", PaperKind::Attestation);
    let two = paper("qinghe", "two", PaperKind::Revocation);
    let other = paper("northroad", "three", PaperKind::Attestation);
    for held in [&one, &two, &other] {
        assert_eq!(store.hold(held).await.unwrap(), PaperKept::New);
        assert_eq!(store.hold(held).await.unwrap(), PaperKept::Before);
    }
    let mut own = vec![one.clone(), two.clone()];
    own.sort_by_key(|held| held.hash);
    assert_eq!(store.held(&one.supplier).await.unwrap(), own);
    assert_eq!(store.attestation(&one.id).await.unwrap(), Some(one));
    assert_eq!(store.attestation(&two.id).await.unwrap(), None);
    assert_eq!(store.attestation(&Hash::ZERO).await.unwrap(), None);
}

pub async fn what_was_seen_of_a_consent_never_falls(bank: &Bank) {
    let store = &*bank.store;
    let (supplier, first) = ("qinghe".parse().unwrap(), "first-bank".parse().unwrap());
    let nothing = store.remembered(&supplier, &first).await.unwrap();
    assert_eq!(nothing, Remembered::default());
    store.remember(&supplier, &first, &nothing).await.unwrap();
    let seen = |number: u64, seconds: i64| Remembered {
        mark: Some(Mark {
            number,
            id: Hash([u8::try_from(number).unwrap(); 32]),
        }),
        seen: Some(at(seconds)),
    };
    let unmarked = Remembered {
        mark: None,
        seen: Some(at(1)),
    };
    let steps = [
        (unmarked, unmarked),
        (seen(2, 5), seen(2, 5)),
        (seen(1, 3), seen(2, 5)),
        (seen(1, 9), seen(2, 9)),
        (unmarked, seen(2, 9)),
        (seen(3, 4), seen(3, 9)),
    ];
    for (given, kept) in steps {
        store.remember(&supplier, &first, &given).await.unwrap();
        assert_eq!(store.remembered(&supplier, &first).await.unwrap(), kept);
    }
    let other = "other-bank".parse().unwrap();
    let nothing = store.remembered(&supplier, &other).await.unwrap();
    assert_eq!(nothing, Remembered::default());
}
