//! The store beside the model: the same outcomes, the same counters.

use std::collections::BTreeMap;

use credit::sandbox::limits::{Counters, Limits, ReleaseError, Request};
use credit::store::sandbox::{LendError, Refused, Released, Repayment, ReturnError, counter_name};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::trial::{cny, now, request, slug, wants, wide};
use super::{Bank, lending_trial};

/// Steps of one sequence.
const STEPS: u32 = 150;

/// Limits of which each refuses something.
fn small(rng: &mut StdRng) -> Limits {
    Limits {
        users: rng.random_range(2..6),
        per_loan: cny(450),
        per_borrower: cny(rng.random_range(500..900)),
        per_day: cny(rng.random_range(600..1_500)),
        outstanding: cny(rng.random_range(1_000..2_500)),
        concentration_bp: rng.random_range(3_000..7_000),
        ..wide()
    }
}

fn drawn(rng: &mut StdRng, number: u32) -> Request {
    // Sometimes an id again, with the same or another request.
    let id = if rng.random_bool(0.2) {
        rng.random_range(0..=number)
    } else {
        number
    };
    let (borrower, buyer) = (rng.random_range(0..7), rng.random_range(0..3));
    let (fen, day) = (rng.random_range(0..5) * 100, rng.random_range(1..4));
    let mut one = request(
        &format!("r-{id}"),
        &format!("b{borrower}"),
        &format!("v{buyer}"),
        fen,
        day,
    );
    match rng.random_range(0..20) {
        0 => one.region = "330200".parse().unwrap(),
        1 => one.tenor_days = 181,
        2 => one.group = slug("large"),
        _ => {}
    }
    one
}

/// Counters of the model, as the tables have them.
fn named(counters: &Counters) -> BTreeMap<(String, String), i64> {
    let all = counters.all().iter();
    all.map(|(key, used)| {
        let (kind, name) = counter_name(key);
        ((kind.to_owned(), name), *used)
    })
    .collect()
}

/// Random reservations, repayments and changes of limits, one after another.
pub async fn reservations_are_counted_like_the_model(bank: &Bank) {
    let mut rng = StdRng::seed_from_u64(20_261_201);
    let mut limits = small(&mut rng);
    let (trials, trial) = lending_trial(bank, limits.clone()).await;
    let (mut model, mut version) = (Counters::default(), 1);
    let mut reasons = BTreeMap::<String, u32>::new();
    for number in 0..STEPS {
        let at = now().plus(std::time::Duration::from_secs(number.into()));
        if rng.random_bool(0.05) {
            (limits, version) = (small(&mut rng), version + 1);
            let motion = wants(version, limits.clone(), at);
            let motion = trials.propose(&trial, &motion, at).await.unwrap();
            trials
                .approve_limits(&trial, motion, &slug("wang"), at)
                .await
                .unwrap();
        }
        if rng.random_bool(0.3) {
            let reservation = slug(&format!("r-{}", rng.random_range(0..=number)));
            let (id, amount) = (
                slug(&format!("p-{number}")),
                cny(rng.random_range(0..3) * 100),
            );
            let expected = model.release(&reservation, amount);
            let repayment = Repayment {
                id,
                reservation,
                amount,
            };
            let found = trials.release(&trial, &repayment, at).await;
            match (expected, found) {
                (Ok(()), Ok(())) => {}
                (Err(expected), Err(ReturnError::Release(found))) => assert_eq!(expected, found),
                other => panic!("{number}: {other:?}"),
            }
        } else {
            let request = drawn(&mut rng, number);
            let expected = model.reserve(&limits, &request);
            let found = trials.reserve(&trial, &request, at).await;
            match (expected, found) {
                (Ok(expected), Ok(found)) => assert_eq!(expected, found),
                (Err(expected), Err(LendError::Refused(Refused::Limit(found)))) => {
                    *reasons
                        .entry(
                            found
                                .limit()
                                .map_or_else(String::new, |one| one.to_string()),
                        )
                        .or_default() += 1;
                    assert_eq!(expected, found);
                }
                other => panic!("{number}: {other:?}"),
            }
        }
    }
    let mut counters = bank.store.counters(&trial).await.unwrap();
    let loans: Vec<_> = counters
        .extract_if(.., |(kind, _), _| kind == "loan")
        .collect();
    assert_eq!(counters, named(&model));
    for ((_, loan), left) in loans {
        assert_eq!(model.left(&slug(&loan)), Some(cny(left)), "{loan}");
    }
    assert_eq!(bank.store.recount(&trial).await.unwrap().differences(), []);
    let counted = [
        "users",
        "per_borrower",
        "concentration",
        "per_day",
        "outstanding",
    ];
    assert!(
        counted.iter().all(|name| reasons.contains_key(*name)),
        "{reasons:?}"
    );
}

pub async fn repayment_is_counted_once(bank: &Bank) {
    let (trials, trial) = lending_trial(bank, wide()).await;
    let loan = request("r-1", "b", "v", 500, 1);
    trials.reserve(&trial, &loan, now()).await.unwrap();
    let repayment = |id: &str, fen| Repayment {
        id: slug(id),
        reservation: slug("r-1"),
        amount: cny(fen),
    };
    let release = async |one: Repayment| trials.release(&trial, &one, now()).await;
    release(repayment("p-1", 200)).await.unwrap();
    release(repayment("p-1", 200)).await.unwrap();
    let other = release(repayment("p-1", 100)).await;
    assert!(matches!(other, Err(ReturnError::Id(_))), "{other:?}");
    let much = release(repayment("p-2", 301)).await.unwrap_err();
    let left = cny(300);
    assert!(
        matches!(&much, ReturnError::Release(ReleaseError::TooMuch { left: of, .. }) if *of == left),
        "{much:?}"
    );
    let mut unknown = repayment("p-3", 1);
    unknown.reservation = slug("nothing");
    let unknown = release(unknown).await;
    assert!(matches!(
        unknown,
        Err(ReturnError::Release(ReleaseError::Unknown(_)))
    ));
    let kept = bank.store.reservation(&trial, &slug("r-1")).await.unwrap();
    let (kept, first) = (kept.unwrap(), repayment("p-1", 200));
    let again = bank.store.give_back(&trial, &kept, &first, now()).await;
    assert_eq!(again.unwrap(), Released::Before(first));
    // What was refused took no id.
    release(repayment("p-2", 300)).await.unwrap();
    let counters = bank.store.counters(&trial).await.unwrap();
    let used = |kind: &str, name: &str| counters[&(kind.to_owned(), name.to_owned())];
    assert_eq!(
        (
            used("outstanding", ""),
            used("borrower", "b"),
            used("buyer", "v")
        ),
        (0, 0, 0)
    );
    assert_eq!(
        (
            used("users", ""),
            used("day", "2026-12-01"),
            used("loan", "r-1")
        ),
        (1, 500, 0)
    );
}
