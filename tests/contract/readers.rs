//! Reports and look-ups.

use std::time::Duration;

use platform::report::{Added, Draft, Limits, NONCE_BYTES, NewReport, Sent, State, Step};
use platform::trace::Item;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::engine::Engine;

const NOW: Instant = Instant::from_micros(1_783_720_800_000_000);

fn limits(of_item: u64, in_all: u64) -> Limits {
    Limits {
        of_item,
        in_all,
        ..Limits::at(NOW)
    }
}

fn report(lot: &str, nonce: u8, contact: &str) -> NewReport {
    let sent = Sent {
        kind: "seal_broken".to_owned(),
        text: "盖子是开的 <script>\u{0}".to_owned(),
        contact: contact.to_owned(),
        nonce: hex::encode([nonce; NONCE_BYTES]),
    };
    let item = Item::parse(&format!("(01)09521001000017(10){lot}")).unwrap();
    let maker: Slug = "qinghe".parse().unwrap();
    Draft::read(&sent).unwrap().about(&item, Some(maker), NOW)
}

pub async fn report_is_kept_once_and_comes_back(engine: &Engine) {
    let (store, new) = (&engine.store, report("L1", 1, "a@b"));
    for _ in 0..2 {
        // A limit of one: the second sending of the same form is not counted against it.
        let added = store.add_report(&new, &limits(1, 1)).await.unwrap();
        assert_eq!(added, Added::Kept);
    }
    let kept = store.report(&new.number).await.unwrap().unwrap();
    assert_eq!(kept.text, "盖子是开的 <script>");
    assert_eq!((&kept.item, kept.kind), (&new.item, new.kind));
    assert_eq!(
        (&kept.organisation, kept.received),
        (&new.organisation, NOW)
    );
    assert_eq!((kept.state(), kept.has_contact), (State::Received, true));
    let of = store
        .reports_of(new.organisation.as_ref(), 9)
        .await
        .unwrap();
    assert_eq!(of, [kept]);
    assert_eq!(store.reports_of(None, 9).await.unwrap(), []);
    let other = report("L1", 2, "").number;
    assert_eq!(store.report(&other).await.unwrap(), None);
}

pub async fn reports_have_limits_by_item_and_in_all(engine: &Engine) {
    let store = &engine.store;
    let add = async |lot, nonce, limits| {
        let added = store.add_report(&report(lot, nonce, "x"), &limits).await;
        added.unwrap()
    };
    assert_eq!(add("L1", 1, limits(1, 9)).await, Added::Kept);
    assert_eq!(add("L1", 2, limits(1, 9)).await, Added::Limited);
    assert_eq!(add("L2", 3, limits(1, 9)).await, Added::Kept);
    assert_eq!(add("L3", 4, limits(9, 2)).await, Added::Limited);
    let refused = report("L1", 2, "x").number;
    assert_eq!(store.report(&refused).await.unwrap(), None);
    assert_eq!(store.contact_of(&refused).await.unwrap(), None);
    let later = Limits {
        since: NOW + Duration::from_secs(1),
        ..limits(1, 1)
    };
    assert_eq!(add("L1", 5, later).await, Added::Kept);
}

pub async fn contact_is_kept_apart_and_erased(engine: &Engine) {
    let (store, new) = (&engine.store, report("L1", 1, "138 0000 0000"));
    store.add_report(&new, &limits(9, 9)).await.unwrap();
    let contact = async || store.contact_of(&new.number).await.unwrap();
    assert_eq!(contact().await.as_deref(), Some("138 0000 0000"));
    assert!(store.erase_contact(&new.number).await.unwrap());
    assert!(!store.erase_contact(&new.number).await.unwrap());
    assert_eq!(contact().await, None);
    // Sending the same form again does not bring it back.
    store.add_report(&new, &limits(9, 9)).await.unwrap();
    assert_eq!(contact().await, None);
    assert!(
        !store
            .report(&new.number)
            .await
            .unwrap()
            .unwrap()
            .has_contact
    );
}

pub async fn steps_of_a_report_have_one_winner_each(engine: &Engine) {
    let (store, new) = (&engine.store, report("L1", 1, ""));
    store.add_report(&new, &limits(9, 9)).await.unwrap();
    let step = |state, person: &str| Step {
        state,
        person: person.parse().unwrap(),
        at: NOW,
    };
    let add = async |before, step: Step| {
        let added = store.add_report_step(&new.number, before, &step).await;
        added.unwrap()
    };
    assert!(add(0, step(State::Read, "li")).await);
    assert!(!add(0, step(State::Closed, "wang")).await);
    assert!(add(1, step(State::Closed, "wang")).await);
    let kept = store.report(&new.number).await.unwrap().unwrap();
    assert_eq!(kept.state(), State::Closed);
    assert_eq!(kept.steps[0], step(State::Read, "li"));
}

pub async fn scans_are_counted_and_unknown_codes_are_limited(engine: &Engine) {
    let store = &engine.store;
    assert!(store.scans_of("a").await.unwrap().is_none());
    store.count_scan("a", NOW).await.unwrap();
    let later = NOW + Duration::from_secs(5);
    store.count_scan("a", later).await.unwrap();
    let scans = store.scans_of("a").await.unwrap().unwrap();
    assert_eq!((scans.first, scans.total), (NOW, 2));
    let unknown = async |item| {
        let count = store.count_unknown_scan(item, later, 2).await.unwrap();
        count.map(|count| count.total)
    };
    assert_eq!(unknown("a").await, Some(1));
    assert_eq!(unknown("b").await, Some(1));
    assert_eq!(unknown("c").await, None);
    assert_eq!(unknown("a").await, Some(2));
    assert!(store.unknown_scans_of("c").await.unwrap().is_none());
    let known = store.unknown_scans_of("a").await.unwrap().unwrap();
    assert_eq!((known.first, known.total), (later, 2));
}
