//! 64 clients with 200 requests each, over two real processes on PostgreSQL: no limit of a trial is
//! ever passed, and the room is used as far as the requests allow. A process that is killed leaves
//! the books right; a stop-loss in the middle is followed by no reservation.

pub mod trial;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use credit::sandbox::limits::{Limits, charges};
use credit::sandbox::stop_loss::{StopLoss, Trip};
use credit::store::Postgres;
use credit::store::sandbox::{Repayment, TrialStore, counter_name};
use simulators::parts::Part;

use crate::contract::engine::Database;
use trial::{cny, lending, now, slug, wide};
use worker::{COURSES, Worker};

/// Clients of the race.
const CLIENTS: u32 = 64;

/// The one limit of each trial that is tight, and its counters at the end: 64 borrowers with 32
/// loans of 100 fen, 8 buyers, 5 days.
fn tight(trial: &str) -> Limits {
    let limits = wide();
    match trial {
        "users" => Limits {
            users: 40,
            ..limits
        },
        // 25 loans of a borrower's 32, and half of another one.
        "borrower" => Limits {
            per_borrower: cny(2_550),
            ..limits
        },
        // A hundredth of the whole: 200 loans of a buyer's 256.
        "buyer" => Limits {
            outstanding: cny(2_000_000),
            concentration_bp: 100,
            ..limits
        },
        // 300 loans of the 384 or more of a day.
        "day" => Limits {
            per_day: cny(30_000),
            ..limits
        },
        "outstanding" => Limits {
            outstanding: cny(99_999),
            ..limits
        },
        _ => mixed(),
    }
}

/// Everything is tight.
fn mixed() -> Limits {
    Limits {
        users: 50,
        per_loan: cny(850),
        per_borrower: cny(9_000),
        per_day: cny(80_000),
        outstanding: cny(380_000),
        concentration_bp: 1_200,
        ..wide()
    }
}

type Counters = BTreeMap<(String, String), i64>;

/// Values of the counters of a kind.
fn values(counters: &Counters, kind: &str) -> Vec<i64> {
    let of_kind = counters.iter().filter(|((of, _), _)| of == kind);
    of_kind.map(|(_, used)| *used).collect()
}

/// The trial's one tight limit is used to the last fen that the requests allow.
fn assert_full(trial: &str, counters: &Counters) {
    let used = |kind| values(counters, kind);
    match trial {
        "users" => {
            assert_eq!(used("users"), [40]);
            assert_eq!(used("outstanding"), [40 * 32 * 100]);
        }
        "borrower" => assert_eq!(used("borrower"), [2_500; CLIENTS as usize]),
        "buyer" => assert_eq!(used("buyer"), [20_000; 8]),
        "day" => assert_eq!(used("day"), [30_000; 5]),
        "outstanding" => assert_eq!(used("outstanding"), [99_900]),
        _ => {}
    }
}

/// Whatever was refused does not fit at the end either: counters only grow here, so anything else
/// was refused wrongly. Every limit has refused something.
async fn assert_refusals_right(store: &Postgres, counters: &Counters) {
    let (trial, limits, mut reasons) = (slug("mixed"), mixed(), BTreeSet::new());
    let course = COURSES
        .iter()
        .find(|course| course.trial == "mixed")
        .unwrap();
    for client in 0..CLIENTS {
        for number in 0..course.requests {
            let request = (course.request)(client, number);
            if store
                .reservation(&trial, &request.id)
                .await
                .unwrap()
                .is_some()
            {
                continue;
            }
            let kept = store.refusals_of(&trial, &request.id).await.unwrap();
            reasons.extend(kept.iter().map(|one| one.reason.clone()));
            assert!(!kept.is_empty(), "{request:?} was refused without a trace");
            let Ok(charges) = charges(&limits, &request) else {
                continue;
            };
            let beyond = charges.iter().any(|charge| {
                let (kind, name) = counter_name(&charge.key);
                let used = counters.get(&(kind.to_owned(), name)).copied();
                used.unwrap_or(0) + charge.add > charge.cap
            });
            assert!(beyond, "{request:?} would have fit");
        }
    }
    let expected = [
        "concentration",
        "groups",
        "per_loan",
        "regions",
        "tenor",
        "users",
    ];
    assert!(
        expected.iter().all(|name| reasons.contains(*name)),
        "{reasons:?}"
    );
}

async fn prepare(database: &Database) -> Arc<Postgres> {
    let store = Arc::new(Postgres::open(&database.service).await.unwrap());
    for course in &COURSES {
        lending(store.clone(), course.trial, tight(course.trial)).await;
    }
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_race() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::of_the_bank().await;
    let store = prepare(&database).await;
    let halves = [0..CLIENTS / 2, CLIENTS / 2..CLIENTS];
    let mut workers = halves.map(|half| Worker::start(&database.service_text, half));
    let began = Instant::now();
    for worker in &mut workers {
        worker.go("go");
    }
    let ended = workers.map(Worker::end);
    let took = began.elapsed();
    let (taken, refused) = (ended[0].0 + ended[1].0, ended[0].1 + ended[1].1);
    assert_eq!(taken + refused, CLIENTS * 200);
    let rate = f64::from(taken + refused) / took.as_secs_f64();
    println!("{taken} reserved, {refused} refused in {took:?}: {rate:.0} requests a second");
    for course in &COURSES {
        let trial = slug(course.trial);
        let recount = store.recount(&trial).await.unwrap();
        assert_eq!(recount.differences(), [], "{trial}");
        assert_full(course.trial, &recount.counted);
        let limits = tight(course.trial);
        let caps = [
            ("users", i64::from(limits.users)),
            ("borrower", limits.per_borrower.fen()),
            ("buyer", limits.per_buyer_fen()),
            ("day", limits.per_day.fen()),
            ("outstanding", limits.outstanding.fen()),
        ];
        for (kind, cap) in caps {
            assert!(
                values(&recount.counted, kind)
                    .iter()
                    .all(|used| *used <= cap),
                "{kind}"
            );
        }
        if course.trial == "mixed" {
            assert_refusals_right(&store, &recount.counted).await;
        }
    }
}

/// One process is killed in the middle, twice, and asks for the same again: each request counts once.
#[tokio::test(flavor = "multi_thread")]
async fn limits_race_with_a_killed_process() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::of_the_bank().await;
    let store = prepare(&database).await;
    let (trial, url) = (slug("borrower"), &database.service_text);
    let mut other = Worker::start(url, CLIENTS / 2..CLIENTS);
    other.go("borrower");
    for groups in [3, 40] {
        let mut killed = Worker::start(url, 0..CLIENTS / 2);
        killed.go("borrower");
        killed.went(groups);
        killed.kill9();
        let recount = store.recount(&trial).await.unwrap();
        assert_eq!(recount.differences(), []);
    }
    let mut again = Worker::start(url, 0..CLIENTS / 2);
    again.go("borrower");
    let (taken, refused) = again.end();
    assert_eq!((taken, refused), (CLIENTS / 2 * 25, CLIENTS / 2 * 7));
    other.end();
    let recount = store.recount(&trial).await.unwrap();
    assert_eq!(recount.differences(), []);
    assert_full("borrower", &recount.counted);
}

/// Tripped in the middle of the race: what is reserved by then is all that ever is, and what is owed
/// comes back.
#[tokio::test(flavor = "multi_thread")]
async fn stop_loss() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::of_the_bank().await;
    let store = Arc::new(Postgres::open(&database.service).await.unwrap());
    let (trials, trial) = lending(store.clone(), "users", wide()).await;
    let halves = [0..CLIENTS / 2, CLIENTS / 2..CLIENTS];
    let mut workers = halves.map(|half| Worker::start(&database.service_text, half));
    for worker in &mut workers {
        worker.go("users");
    }
    workers[0].went(40);
    let trips = vec![Trip::Complaints {
        complaints: 11,
        most: 10,
    }];
    let state = trials.trip(&trial, trips, now()).await.unwrap();
    assert!(matches!(state, StopLoss::Tripped(_)), "{state:?}");
    let at_trip = store.counters(&trial).await.unwrap();
    let ended = workers.map(Worker::end);
    let at_end = store.counters(&trial).await.unwrap();
    assert_eq!(at_trip, at_end, "nothing was reserved behind the trip");
    let (taken, refused) = (ended[0].0 + ended[1].0, ended[0].1 + ended[1].1);
    assert_eq!(values(&at_end, "outstanding"), [i64::from(taken) * 100]);
    assert!(taken >= 160 && refused > 0, "{taken} {refused}");
    let loans = at_end.iter().filter(|((kind, _), _)| kind == "loan");
    for ((_, loan), left) in loans {
        let repayment = Repayment {
            id: slug(&format!("p-{loan}")),
            reservation: slug(loan),
            amount: cny(*left),
        };
        trials.release(&trial, &repayment, now()).await.unwrap();
    }
    let recount = store.recount(&trial).await.unwrap();
    assert_eq!(recount.differences(), []);
    assert_eq!(values(&recount.counted, "outstanding"), [0]);
}
