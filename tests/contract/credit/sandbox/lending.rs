//! Room for loans, by many at once.

use std::time::Duration;

use credit::money::{MAX_AMOUNT_FEN, MoneyError};
use credit::sandbox::limits::{Charge, CounterKey, Exceeded, Limits, charges};
use credit::sandbox::stage::{Act, Capacity};
use credit::sandbox::stop_loss::Trip;
use credit::store::sandbox::{Counted, FAR, LendError, Plan, Refused, Repayment, Trials};

use super::trial::{cny, day, declared, noon, now, request, slug, step, wants, wide};
use super::{Bank, lending_trial, second};
use crate::contract::ingest::join_all;

pub async fn reservation_is_taken_once(bank: &Bank) {
    let (trials, trial) = lending_trial(bank, wide()).await;
    let other = second(bank).await;
    let work = (0..12_usize).map(|number| {
        let trials = [&trials, &other][number % 2].clone();
        let trial = trial.clone();
        async move {
            let one = request("r-1", "b", "v", 300, 1);
            trials.reserve(&trial, &one, now()).await.unwrap()
        }
    });
    let taken = join_all(work).await;
    assert!(taken.iter().all(|one| *one == taken[0]));
    let changed = request("r-1", "b", "v", 301, 1);
    let refused = trials.reserve(&trial, &changed, now()).await.unwrap_err();
    let expected = Refused::Limit(Exceeded::Id(slug("r-1")));
    assert!(
        matches!(&refused, LendError::Refused(why) if *why == expected),
        "{refused:?}"
    );
    let counters = bank.store.counters(&trial).await.unwrap();
    assert_eq!(counters[&("outstanding".to_owned(), String::new())], 300);
    let kept = bank.store.reservation(&trial, &slug("r-1")).await.unwrap();
    assert_eq!(kept.as_ref(), Some(&taken[0]));
    // Nothing that stands against lending now takes back the answer.
    let trips = vec![Trip::Complaints {
        complaints: 11,
        most: 10,
    }];
    trials.trip(&trial, trips, now()).await.unwrap();
    let again = other
        .reserve(&trial, &taken[0].request, now())
        .await
        .unwrap();
    assert_eq!(again, taken[0]);
    let nothing = trials.reserve(&slug("nothing"), &changed, now()).await;
    assert!(matches!(nothing, Err(LendError::NoTrial(_))), "{nothing:?}");
}

pub async fn refusals_are_kept_with_limit_use_and_request(bank: &Bank) {
    let limits = Limits {
        per_borrower: cny(500),
        ..wide()
    };
    let (trials, trial) = lending_trial(bank, limits).await;
    trials
        .reserve(&trial, &request("r-1", "b", "v", 300, 1), now())
        .await
        .unwrap();
    let asked = request("r-2", "b", "v", 201, 1);
    for _ in 0..2 {
        trials.reserve(&trial, &asked, now()).await.unwrap_err();
    }
    let kept = bank.store.refusals_of(&trial, &slug("r-2")).await.unwrap();
    assert_eq!(kept.len(), 1, "of one instant once");
    assert_eq!(
        (&*kept[0].reason, kept[0].numbers),
        ("per_borrower", Some([500, 300, 201]))
    );
    assert_eq!((&kept[0].request, kept[0].refused_at), (&asked, now()));
    assert_eq!(
        kept[0].detail,
        "per_borrower: ¥2.01 is asked for, ¥3.00 of ¥5.00 is used"
    );
    bank.store.keep_refusal(&trial, &kept[0]).await.unwrap();
    let mut far = request("r-3", "b", "v", 1, 1);
    far.region = "330200".parse().unwrap();
    trials.reserve(&trial, &far, now()).await.unwrap_err();
    let kept = bank.store.refusals_of(&trial, &slug("r-3")).await.unwrap();
    assert_eq!((&*kept[0].reason, kept[0].numbers), ("regions", None));
    // Room came back: the same request fits.
    let repayment = Repayment {
        id: slug("p-1"),
        reservation: slug("r-1"),
        amount: cny(1),
    };
    trials.release(&trial, &repayment, now()).await.unwrap();
    trials.reserve(&trial, &asked, now()).await.unwrap();
}

/// A borrower who comes in many times at once is one user; so many of them as may.
pub async fn borrower_is_one_user(bank: &Bank) {
    let (trials, trial) = lending_trial(bank, Limits { users: 3, ..wide() }).await;
    let other = second(bank).await;
    let work = (0..60_usize).map(|number| {
        let trials = [&trials, &other][number % 2].clone();
        let trial = trial.clone();
        let one = request(
            &format!("r-{number}"),
            &format!("b{}", number / 10),
            "v",
            1,
            1,
        );
        async move { trials.reserve(&trial, &one, now()).await.is_ok() }
    });
    let taken = join_all(work).await;
    assert_eq!(taken.iter().filter(|one| **one).count(), 30);
    let recount = bank.store.recount(&trial).await.unwrap();
    assert_eq!(recount.counted[&("users".to_owned(), String::new())], 3);
    assert_eq!(recount.differences(), []);
}

/// Repayments in between give room back; nothing is passed at any time, and nothing is left over.
pub async fn reservations_at_once_never_overshoot(bank: &Bank) {
    let limits = Limits {
        outstanding: cny(1_000),
        per_borrower: cny(400),
        ..wide()
    };
    let (trials, trial) = lending_trial(bank, limits).await;
    let other = second(bank).await;
    let work = (0..24_u32).map(|client| {
        let trials = [&trials, &other][client as usize % 2].clone();
        let trial = trial.clone();
        async move {
            for number in 0..8 {
                let (id, borrower) = (format!("r-{client}-{number}"), format!("b{}", client % 4));
                let one = request(&id, &borrower, "v", 100, 1);
                let taken = trials.reserve(&trial, &one, now()).await;
                if taken.is_ok() && number < 6 {
                    let repayment = Repayment {
                        id: slug(&format!("p-{client}-{number}")),
                        reservation: one.id,
                        amount: one.amount,
                    };
                    trials.release(&trial, &repayment, now()).await.unwrap();
                }
            }
        }
    });
    join_all(work).await;
    let recount = bank.store.recount(&trial).await.unwrap();
    assert_eq!(recount.differences(), []);
    let used = |kind: &str| recount.counted[&(kind.to_owned(), String::new())];
    assert_eq!((used("outstanding"), used("users")), (1_000, 4));
}

/// Whatever is reserved behind a change was decided on it, and the trip is the end.
pub async fn limits_and_stop_loss_change_in_the_race(bank: &Bank) {
    let (trials, trial) = lending_trial(bank, wide()).await;
    let other = second(bank).await;
    let (mine, name) = (trials.clone(), trial.clone());
    let changes = tokio::spawn(async move {
        for version in 2..8_u32 {
            let per_loan = if version % 2 == 0 {
                cny(50)
            } else {
                cny(1_000)
            };
            let motion = wants(version, Limits { per_loan, ..wide() }, now());
            let motion = mine.propose(&name, &motion, now()).await.unwrap();
            mine.approve_limits(&name, motion, &slug("wang"), now())
                .await
                .unwrap();
        }
        let trips = vec![Trip::Complaints {
            complaints: 11,
            most: 10,
        }];
        mine.trip(&name, trips, now()).await.unwrap();
        mine.store().counters(&name).await.unwrap()
    });
    let work = (0..16_u32).map(|client| {
        let trials = [&trials, &other][client as usize % 2].clone();
        let trial = trial.clone();
        async move {
            let mut number = 0;
            loop {
                let id = format!("r-{client}-{number}");
                let one = request(&id, "b", "v", 100, 1);
                match trials.reserve(&trial, &one, now()).await {
                    Err(LendError::Refused(Refused::Stopped(_))) => return number,
                    Ok(_) | Err(LendError::Refused(Refused::Limit(_))) => number += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    });
    let asked = join_all(work).await;
    let at_trip = changes.await.unwrap();
    let recount = bank.store.recount(&trial).await.unwrap();
    assert_eq!(recount.counted, at_trip, "nothing behind the trip");
    assert_eq!(recount.differences(), []);
    assert!(asked.iter().sum::<u32>() > 0);
}

/// Limits that begin later begin when any clock has been there, and a clock moved back brings back
/// neither them nor a day.
pub async fn clock_moved_back_brings_nothing_back(bank: &Bank) {
    let (trials, trial) = lending_trial(bank, wide()).await;
    let (hour, other) = (Duration::from_secs(3_600), second(bank).await);
    let later = now().plus(hour);
    let lower = Limits {
        per_loan: cny(50),
        ..wide()
    };
    let motion = trials
        .propose(&trial, &wants(2, lower, later), now())
        .await
        .unwrap();
    trials
        .approve_limits(&trial, motion, &slug("wang"), now())
        .await
        .unwrap();
    let mut count = 0;
    let mut reserve = async |trials: &Trials, fen, at| {
        count += 1;
        let one = request(&format!("r-{count}"), "b", "v", fen, 1);
        trials.reserve(&trial, &one, at).await
    };
    reserve(&trials, 100, later.minus(Duration::from_micros(1)))
        .await
        .unwrap();
    reserve(&other, 100, later).await.unwrap_err();
    reserve(&trials, 100, now()).await.unwrap();
    let before = trials.footing(&trial).await.unwrap().unwrap();
    // What is refused moves no clock; what is reserved does.
    reserve(&other, 50, later).await.unwrap();
    let back = reserve(&trials, 100, now()).await.unwrap_err();
    assert!(back.to_string().starts_with("per_loan"), "{back}");
    // Nor does a plan that was made before the other clock was seen.
    let (limits, until) = before.limits_at(now());
    let one = request("x-1", "b", "v", 100, 1);
    let plan = Plan {
        charges: charges(&limits.unwrap().proposal.limits, &one).unwrap(),
        request: one,
        guard: before.guard,
        until,
        at: now(),
    };
    assert_eq!(until, later);
    let counted = bank.store.take_room(&trial, &plan).await.unwrap();
    assert_eq!(counted, Counted::Moved);
    let next = noon("2026-12-02");
    let one = request("n-1", "b", "v", 50, 2);
    other.reserve(&trial, &one, next).await.unwrap();
    let over = reserve(&trials, 50, now()).await.unwrap_err();
    let expected = Refused::DayOver {
        day: day(1),
        today: day(2),
    };
    assert!(
        matches!(&over, LendError::Refused(why) if *why == expected),
        "{over:?}"
    );
    let early = trials
        .propose(&trial, &wants(3, wide(), later), now())
        .await
        .unwrap();
    let early = trials
        .approve_limits(&trial, early, &slug("wang"), now())
        .await;
    assert!(early.is_err(), "in force before the newest instant seen");
    let reason = "a look".to_owned();
    let suspend = step(Act::Suspend { reason }, "2026-12-01");
    trials.take_step(&trial, &suspend).await.unwrap();
    let footing = other.footing(&trial).await.unwrap().unwrap();
    assert_eq!(footing.trial.steps().last().unwrap().at, next);
}

pub async fn stage_that_does_not_lend_reserves_nothing(bank: &Bank) {
    let (trials, trial) = declared(bank.store.clone(), "trial-2", wide()).await;
    let one = request("r-1", "b", "v", 100, 1);
    let refused = trials.reserve(&trial, &one, now()).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("the trial is declared"),
        "{refused}"
    );
    let (trials, trial) = lending_trial(bank, wide()).await;
    let mut suspend = step(
        Act::Suspend {
            reason: "a look".to_owned(),
        },
        "2026-12-01",
    );
    suspend.capacity = Capacity::Risk;
    let footing = trials.footing(&trial).await.unwrap().unwrap();
    second(bank)
        .await
        .take_step(&trial, &suspend)
        .await
        .unwrap();
    let refused = trials.reserve(&trial, &one, now()).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("the trial is suspended"),
        "{refused}"
    );
    // A plan that was decided before the step does not commit behind it.
    let (limits, until) = footing.limits_at(now());
    let plan = Plan {
        charges: charges(&limits.unwrap().proposal.limits, &one).unwrap(),
        request: one,
        guard: footing.guard,
        until,
        at: now(),
    };
    let counted = bank.store.take_room(&trial, &plan).await.unwrap();
    assert_eq!(counted, Counted::Moved);
    assert_eq!(bank.store.counters(&trial).await.unwrap().len(), 0);
}

/// The largest amounts that there are, and counters at the end of what a number holds.
pub async fn amounts_at_the_end_of_the_number_pass_no_limit(bank: &Bank) {
    let most = cny(MAX_AMOUNT_FEN);
    let limits = Limits {
        per_loan: most,
        per_borrower: most,
        per_day: most,
        outstanding: most,
        ..wide()
    };
    let (trials, trial) = lending_trial(bank, limits.clone()).await;
    let reserve = async |id: &str, fen| {
        let one = request(id, "b", "v", fen, 1);
        trials.reserve(&trial, &one, now()).await
    };
    reserve("r-1", MAX_AMOUNT_FEN - 1).await.unwrap();
    let over = reserve("r-2", MAX_AMOUNT_FEN).await.unwrap_err();
    assert!(over.to_string().starts_with("per_borrower"), "{over}");
    reserve("r-3", 2).await.unwrap_err();
    reserve("r-4", 1).await.unwrap();
    reserve("r-5", 1).await.unwrap_err();
    let above = reserve("r-6", MAX_AMOUNT_FEN + 1).await.unwrap_err();
    let overflow = Refused::Limit(Exceeded::Money(MoneyError::Overflow));
    assert!(matches!(&above, LendError::Refused(why) if *why == overflow));
    let above = Limits {
        per_day: cny(MAX_AMOUNT_FEN + 1),
        ..limits
    };
    let above = wants(2, above, now());
    assert!(trials.propose(&trial, &above, now()).await.is_err());
    // Charges that no limit allows, as an engine must count them all the same.
    let footing = trials.footing(&trial).await.unwrap().unwrap();
    let charge = |add| Charge {
        key: CounterKey::Day(day(9)),
        add,
        cap: i64::MAX,
    };
    let plan = |id: &str, add| Plan {
        request: request(id, "b", "v", 1, 9),
        charges: vec![charge(add)],
        guard: footing.guard,
        until: FAR,
        at: now(),
    };
    let take = async |plan: Plan| bank.store.take_room(&trial, &plan).await.unwrap();
    let first = take(plan("x-1", i64::MAX - 1)).await;
    assert!(matches!(first, Counted::New(_)), "{first:?}");
    let full = take(plan("x-2", 2)).await;
    let (charge, used) = (charge(2), i64::MAX - 1);
    assert_eq!(full, Counted::Full { charge, used });
    let last = take(plan("x-3", 1)).await;
    assert!(matches!(last, Counted::New(_)), "{last:?}");
    let recount = bank.store.recount(&trial).await.unwrap();
    assert_eq!(recount.differences(), []);
}
