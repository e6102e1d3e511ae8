//! Lots are pledged in parts.

use credit::pledge::Fingerprint;
use credit::pledge::claim::{Goods, Shown};
use credit::pledge::desk::PledgeError;
use credit::pledge::quantity::{Measure, Quantity};

use super::{Bank, lot, of_lot, offer, pieces, pledged, pledged_pieces, release, serial, shown};
use crate::contract::ingest::join_all;

pub async fn lot_is_pledged_up_to_what_is_shown(bank: &Bank) {
    let store = &*bank.store;
    let first = pledged(store, "one", &of_lot(6, shown(10, 100))).await;
    let beyond = offer(store, "two", &of_lot(5, shown(10, 100))).await;
    assert!(matches!(beyond, Err(PledgeError::NotShown(_))));
    offer(store, "three", &of_lot(4, shown(10, 100)))
        .await
        .unwrap();
    assert_eq!(pledged_pieces(store).await, 10);
    release(store, &first).await;
    assert_eq!(pledged_pieces(store).await, 4);
    // Newer evidence counts, older is refused, and of two at one size the smaller figure.
    let stale = offer(store, "four", &of_lot(1, shown(10, 99))).await;
    assert!(matches!(stale, Err(PledgeError::NotShown(_))));
    offer(store, "five", &of_lot(1, shown(6, 101)))
        .await
        .unwrap();
    let larger = offer(store, "six", &of_lot(2, shown(9, 101))).await;
    assert!(matches!(larger, Err(PledgeError::NotShown(_))));
    let shrunk = offer(store, "seven", &of_lot(1, shown(5, 102))).await;
    assert!(matches!(shrunk, Err(PledgeError::NotShown(_))));
    offer(store, "eight", &of_lot(1, shown(9, 103)))
        .await
        .unwrap();
    let lot_name = Fingerprint::of_lot(&lot()).unwrap();
    let found = store.pledged_lot(&lot_name).await.unwrap().unwrap();
    assert_eq!(
        (found.pledged, found.shown, found.log_size),
        (6, pieces(9), 103)
    );
    let kilograms = Quantity::new(Measure::Mass, 1_000_000).unwrap();
    let otherwise = Goods::Lot {
        lot: lot(),
        taken: kilograms,
        shown: Shown {
            quantity: kilograms,
            log_size: 200,
        },
    };
    let otherwise = offer(store, "nine", &otherwise).await;
    assert!(matches!(otherwise, Err(PledgeError::NotShown(_))));
}

pub async fn lot_by_many_at_once_is_never_beyond_what_is_shown(bank: &Bank) {
    let stores = [bank.store.clone(), bank.second().await];
    let offers = (0..60usize).map(|n| {
        let store = stores[n % 2].clone();
        let count = i64::try_from(n % 5).unwrap() + 1;
        // A serial of the lot is a piece of it, too.
        let goods = match n % 5 {
            0 => Goods::Thing {
                thing: serial(&format!("S{n}")),
                lot: Some((lot(), shown(50, 7))),
                around: vec![],
            },
            _ => of_lot(count, shown(50, 7)),
        };
        async move {
            let done = offer(&*store, &format!("r-{n}"), &goods).await;
            assert!(
                matches!(done, Ok(_) | Err(PledgeError::NotShown(_))),
                "{done:?}"
            );
            if done.is_ok() { count } else { 0 }
        }
    });
    let taken: i64 = join_all(offers).await.into_iter().sum();
    assert_eq!(pledged_pieces(&*bank.store).await, taken);
    assert!((46..=50).contains(&taken), "{taken}");
}
