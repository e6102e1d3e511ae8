//! Pledges: no thing twice, no lot beyond what is shown, no moment without cover.

mod life;
mod lots;
mod streams;
mod watches;

use credit::money::Money;
use credit::pledge::claim::{Goods, Part, Shown};
use credit::pledge::desk::{Done, PledgeError};
use credit::pledge::quantity::{Measure, Quantity};
use credit::pledge::stage::{Act, Offer, Said, Settled, State, Way};
use credit::pledge::{Chain, Claims, Fingerprint, Key, PledgeId, Pledging};
use credit::store::Tables;
use credit::store::pledge::{Stepped, Taken, Which};
use schemas::gs1::Identifier;
use schemas::hash::sha256;
use schemas::time::Instant;

use super::Bank;
use super::made::{at, cny};
use crate::contract::ingest::join_all;

pub use life::{
    changed_row_shows_and_stops_everything, step_is_taken_by_one_of_many,
    substitute_covers_at_once_or_not_at_all, substitute_that_moved_meanwhile_releases_nothing,
};
pub use lots::{
    lot_by_many_at_once_is_never_beyond_what_is_shown, lot_is_pledged_up_to_what_is_shown,
};
pub use streams::{
    refusals_around_pledges_are_kept_once, steps_of_pledges_stand_in_the_trail,
    streams_of_pledges_in_force_are_followed,
};
pub use watches::{breach_freezes_and_a_restart_goes_on, watch_is_kept_by_one_of_many};

const GTIN: &str = "09521234543213";

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn serial(text: &str) -> Identifier {
    Identifier::from_serial(GTIN, text).unwrap()
}

fn lot() -> Identifier {
    Identifier::from_lot(GTIN, "L1").unwrap()
}

fn pallet() -> Identifier {
    Identifier::from_sscc("095212345432100010").unwrap()
}

fn pieces(count: i64) -> Quantity {
    Quantity::new(Measure::Pieces, count).unwrap()
}

fn shown(count: i64, log_size: u64) -> Shown {
    let quantity = pieces(count);
    Shown { quantity, log_size }
}

fn thing(text: &str, around: Vec<Identifier>) -> Goods {
    Goods::Thing {
        thing: serial(text),
        lot: None,
        around,
    }
}

fn of_lot(count: i64, shown: Shown) -> Goods {
    Goods::Lot {
        lot: lot(),
        taken: pieces(count),
        shown,
    }
}

fn unit(serials: &[&str]) -> Goods {
    let part = |text: &&str| Part::Thing(serial(text), None);
    Goods::Unit {
        unit: pallet(),
        parts: serials.iter().map(part).collect(),
        around: vec![],
    }
}

fn name(text: &str) -> Fingerprint {
    Fingerprint::of_thing(&serial(text)).unwrap()
}

fn offer_of(goods: &Goods, loan: &str, value: Money) -> Offer {
    Offer {
        borrower: "qinghe".parse().unwrap(),
        loan: key(loan),
        what: "goods".into(),
        lending_value: value,
        details: None,
        worth: None,
        evidence: None,
        claims: Claims::of(goods).unwrap(),
    }
}

async fn offer(store: &dyn Tables, request: &str, goods: &Goods) -> Result<Done, PledgeError> {
    let offer = offer_of(goods, "loan-1", cny("1000.00"));
    let pledging = Pledging::new(store);
    let person = "lin".parse().unwrap();
    pledging.offer(key(request), person, offer, at(0)).await
}

async fn act(
    store: &dyn Tables,
    pledge: &PledgeId,
    request: &str,
    person: &str,
    act: Act,
) -> Result<State, PledgeError> {
    let (request, person) = (key(request), person.parse().unwrap());
    let pledging = Pledging::new(store);
    let done = pledging.act(pledge, request, person, act, at(1)).await?;
    Ok(done.state)
}

/// A pledge that is in force.
async fn pledged(store: &dyn Tables, request: &str, goods: &Goods) -> PledgeId {
    let id = offer(store, request, goods).await.unwrap().pledge;
    let request = format!("{request}.accept");
    act(store, &id, &request, "wang", Act::Accept)
        .await
        .unwrap();
    id
}

fn paid() -> Way {
    let settled = Settled::of(key("loan-1"), cny("0.00"), sha256(b"posting"));
    Way::Paid(settled.unwrap())
}

async fn release(store: &dyn Tables, pledge: &PledgeId) {
    let propose = Act::Propose(paid());
    act(store, pledge, "propose", "lin", propose).await.unwrap();
    let confirm = act(store, pledge, "confirm", "wang", Act::Confirm(paid())).await;
    assert_eq!(confirm.unwrap(), State::Released);
}

fn is_held(found: &Result<Done, PledgeError>) -> bool {
    matches!(found, Err(PledgeError::Held(_)))
}

async fn pledged_pieces(store: &dyn Tables) -> i64 {
    let name = Fingerprint::of_lot(&lot()).unwrap();
    let found = store.pledged_lot(&name).await.unwrap();
    found.map_or(0, |lot| lot.pledged)
}

pub async fn thing_is_pledged_once_until_it_is_released(bank: &Bank) {
    let store = &*bank.store;
    let first = pledged(store, "one", &thing("A1", vec![])).await;
    let second = offer(store, "two", &thing("A1", vec![])).await;
    assert!(matches!(second, Err(PledgeError::Held(found)) if found == name("A1")));
    assert_eq!(store.pledge_holder(&name("A1")).await.unwrap(), Some(first));
    let two = PledgeId::of(&key("two"));
    assert!(
        store.pledge(&two).await.unwrap().is_none(),
        "nothing is kept of it"
    );
    release(store, &first).await;
    assert_eq!(store.pledge_holder(&name("A1")).await.unwrap(), None);
    let second = offer(store, "two", &thing("A1", vec![])).await.unwrap();
    assert_eq!(
        store.pledge_holder(&name("A1")).await.unwrap(),
        Some(second.pledge)
    );
    let lines = store
        .pledges(&Which::OfLoan(key("loan-1")), 9)
        .await
        .unwrap();
    assert_eq!(lines.len(), 2);
    let released = store.pledges(&Which::In(State::Released), 9).await.unwrap();
    assert_eq!(released[0].pledge, first);
    assert!(
        store
            .pledges(&Which::In(State::Frozen), 9)
            .await
            .unwrap()
            .is_empty()
    );
}

pub async fn thing_offered_by_many_at_once_is_pledged_once(bank: &Bank) {
    let stores = [bank.store.clone(), bank.second().await];
    let offers = (0..40).map(|n| {
        let store = stores[n % 2].clone();
        async move { offer(&*store, &format!("r-{n}"), &thing("A1", vec![])).await }
    });
    let found = join_all(offers).await;
    assert_eq!(found.iter().filter(|done| done.is_ok()).count(), 1);
    assert_eq!(found.iter().filter(|done| is_held(done)).count(), 39);
}

pub async fn request_is_answered_again_and_says_one_thing(bank: &Bank) {
    let store = &*bank.store;
    let first = offer(store, "one", &thing("A1", vec![])).await.unwrap();
    assert!(!first.before);
    let again = offer(store, "one", &thing("A1", vec![])).await.unwrap();
    assert_eq!((again.pledge, again.before), (first.pledge, true));
    let other = offer(store, "one", &thing("A2", vec![])).await;
    assert!(matches!(other, Err(PledgeError::OtherRequest(_))));
    assert_eq!(store.pledge_holder(&name("A2")).await.unwrap(), None);
    let id = first.pledge;
    let accept = || act(store, &id, "accept", "wang", Act::Accept);
    assert_eq!(accept().await.unwrap(), State::Pledged);
    // It would not follow any more: it is answered because it was done.
    assert_eq!(accept().await.unwrap(), State::Pledged);
    let other = act(store, &id, "accept", "zhao", Act::Accept).await;
    assert!(matches!(other, Err(PledgeError::OtherRequest(_))));
    let chain = store.pledge(&id).await.unwrap().unwrap();
    assert_eq!(chain.steps().len(), 2);
    let offers = (0..16).map(|_| {
        let store = bank.store.clone();
        async move { offer(&*store, "many", &thing("A3", vec![])).await.unwrap() }
    });
    let found = join_all(offers).await;
    assert_eq!(found.iter().filter(|done| !done.before).count(), 1);
}

pub async fn pallet_and_what_is_on_it_are_not_pledged_apart(bank: &Bank) {
    let store = &*bank.store;
    // The pallet first: its contents are taken, by their own names.
    let whole = pledged(store, "pallet", &unit(&["A1", "A2"])).await;
    assert!(is_held(&offer(store, "a1", &thing("A1", vec![])).await));
    // What was packed later is held while evidence shows it there.
    assert!(is_held(
        &offer(store, "a3", &thing("A3", vec![pallet()])).await
    ));
    release(store, &whole).await;
    // A part first: the pallet cannot be taken, even by evidence that shows nothing of the part.
    let part = pledged(store, "part", &thing("A1", vec![pallet()])).await;
    let other = pledged(store, "other", &thing("A2", vec![pallet()])).await;
    assert!(is_held(
        &offer(store, "pallet-2", &unit(&["A1", "A2"])).await
    ));
    assert!(is_held(&offer(store, "pallet-3", &unit(&["A9"])).await));
    assert_eq!(store.pledge_holder(&name("A9")).await.unwrap(), None);
    release(store, &part).await;
    assert!(is_held(&offer(store, "pallet-4", &unit(&["A9"])).await));
    release(store, &other).await;
    offer(store, "pallet-5", &unit(&["A1", "A2", "A9"]))
        .await
        .unwrap();
}

pub async fn pallet_and_its_parts_by_many_at_once(bank: &Bank) {
    let stores = [bank.store.clone(), bank.second().await];
    let offers = (0..40).map(|n| {
        let store = stores[n % 2].clone();
        let goods = match n % 4 {
            0 => unit(&["A1", "A2", "A3"]),
            k => thing(&format!("A{k}"), vec![pallet()]),
        };
        async move { (n % 4, offer(&*store, &format!("r-{n}"), &goods).await) }
    });
    let found = join_all(offers).await;
    let kept: Vec<usize> = found.iter().filter(|f| f.1.is_ok()).map(|f| f.0).collect();
    let mut sorted = kept.clone();
    sorted.sort_unstable();
    assert!(sorted == [0] || sorted == [1, 2, 3], "{kept:?}");
    assert!(found.iter().all(|(_, done)| done.is_ok() || is_held(done)));
}

pub async fn refused_offer_leaves_nothing(bank: &Bank) {
    let store = &*bank.store;
    offer(store, "lot", &of_lot(9, shown(10, 7))).await.unwrap();
    let goods = Goods::Unit {
        unit: pallet(),
        parts: vec![
            Part::Thing(serial("A1"), None),
            Part::Lot(lot(), pieces(2), shown(10, 7)),
        ],
        around: vec![],
    };
    let refused = offer(store, "pallet", &goods).await;
    assert!(matches!(refused, Err(PledgeError::NotShown(_))));
    assert_eq!(pledged_pieces(store).await, 9);
    offer(store, "a1", &thing("A1", vec![pallet()]))
        .await
        .unwrap();
}

pub async fn pledge_of_unknown_request_is_nothing(bank: &Bank) {
    let store = &*bank.store;
    let id = PledgeId::of(&key("never"));
    assert!(store.pledge(&id).await.unwrap().is_none());
    let accepted = act(store, &id, "accept", "lin", Act::Accept).await;
    assert!(matches!(accepted, Err(PledgeError::Unknown)));
    let goods = thing("A1", vec![]);
    let said = Said {
        request: key("one"),
        person: Some("lin".parse().unwrap()),
        act: Act::Offer(Box::new(offer_of(&goods, "loan-1", cny("1.00")))),
    };
    let first = Chain::begin(said, Instant::from_seconds(0)).unwrap();
    assert_eq!(store.offer_pledge(&first).await.unwrap(), Taken::Kept);
    assert_eq!(store.offer_pledge(&first).await.unwrap(), Taken::Before);
    // A step of a pledge that is nowhere changes nothing.
    let mut nowhere = first.clone();
    nowhere.step.pledge = id;
    nowhere.step.number = 2;
    assert_eq!(
        store.step_pledge(&nowhere).await.unwrap(),
        Stepped::Overtaken
    );
}
