use proptest::prelude::*;
use schemas::time::Instant;

use super::*;
use crate::money::Currency;

fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 12, number).unwrap()
}

fn limits() -> Limits {
    Limits {
        users: 3,
        regions: ["310000", "330100"]
            .map(|code| code.parse().unwrap())
            .into(),
        groups: [slug("micro"), slug("small")].into(),
        per_loan: cny(500),
        per_borrower: cny(800),
        per_day: cny(1_000),
        outstanding: cny(2_001),
        // 3333 bp of 2001 are 666.93 fen: 666 fit, 667 do not.
        concentration_bp: 3_333,
        tenor_days: 180,
    }
}

fn request(id: &str, borrower: &str, buyer: &str, fen: i64, on: u32) -> Request {
    Request {
        id: slug(id),
        borrower: slug(borrower),
        buyer: slug(buyer),
        region: "310115".parse().unwrap(),
        group: slug("micro"),
        amount: cny(fen),
        tenor_days: 180,
        day: day(on),
    }
}

#[test]
fn each_limit_names_itself_what_is_used_and_what_was_asked() {
    let (limits, mut counters) = (limits(), Counters::default());
    let mut take = |request: Request| counters.reserve(&limits, &request);
    assert!(take(request("1", "a", "x", 500, 1)).is_ok());
    let exceeded = take(request("2", "a", "x", 167, 1)).unwrap_err();
    let expected = Exceeded::Amount {
        limit: LimitName::Concentration,
        value: cny(666),
        used: cny(500),
        asked: cny(167),
    };
    assert_eq!(exceeded, expected);
    assert_eq!(
        exceeded.to_string(),
        "concentration: ¥1.67 is asked for, ¥5.00 of ¥6.66 is used"
    );
    assert!(take(request("2", "a", "x", 166, 1)).is_ok());
    let limit = |taken: Result<Reservation, Exceeded>| taken.unwrap_err().limit();
    assert_eq!(
        limit(take(request("3", "a", "y", 135, 1))),
        Some(LimitName::PerBorrower)
    );
    assert_eq!(
        limit(take(request("3", "b", "y", 335, 1))),
        Some(LimitName::PerDay)
    );
    assert_eq!(
        limit(take(request("3", "b", "y", 501, 2))),
        Some(LimitName::PerLoan)
    );
    assert!(take(request("3", "b", "y", 334, 1)).is_ok());
    assert!(take(request("4", "c", "z", 500, 2)).is_ok());
    assert_eq!(
        limit(take(request("5", "d", "w", 1, 2))),
        Some(LimitName::Users)
    );
    assert!(take(request("5", "b", "w", 466, 2)).is_ok());
    assert_eq!(
        limit(take(request("6", "c", "u", 36, 3))),
        Some(LimitName::Outstanding)
    );
    assert!(take(request("6", "c", "u", 35, 3)).is_ok());
}

#[test]
fn no_limit_is_above_what_an_amount_may_be() {
    let mut limits = limits();
    limits.outstanding = cny(crate::money::MAX_AMOUNT_FEN);
    assert_eq!(limits.check(), Ok(()));
    limits.per_day = cny(crate::money::MAX_AMOUNT_FEN + 1);
    let wrong = limits.check().unwrap_err();
    assert_eq!(wrong.limit, LimitName::PerDay);
}

#[test]
fn region_group_tenor_and_currency_are_looked_at_first() {
    let (limits, counters) = (limits(), Counters::default());
    let refused = |change: fn(&mut Request)| {
        let mut one = request("1", "a", "x", 100, 1);
        change(&mut one);
        decide(&limits, &counters, &one).unwrap_err()
    };
    let wrong = refused(|one| one.region = "330200".parse().unwrap());
    assert_eq!(wrong.to_string(), "regions: `330200` does not take part");
    assert_eq!(
        refused(|one| one.group = slug("large")).limit(),
        Some(LimitName::Groups)
    );
    let wrong = refused(|one| one.tenor_days = 181);
    assert_eq!(
        wrong.to_string(),
        "tenor: 181 more is asked for, 0 of 180 is used"
    );
    assert_eq!(refused(|one| one.amount = cny(0)), Exceeded::Nothing);
    let other = refused(|one| one.amount = Money::zero("EUR".parse().unwrap()));
    assert!(matches!(other, Exceeded::Money(_)));
}

#[test]
fn the_same_request_is_taken_once_and_its_id_for_nothing_else() {
    let (limits, mut counters) = (limits(), Counters::default());
    let first = counters
        .reserve(&limits, &request("1", "a", "x", 300, 1))
        .unwrap();
    let again = counters
        .reserve(&limits, &request("1", "a", "x", 300, 1))
        .unwrap();
    assert_eq!(first, again);
    assert_eq!(counters.used(&CounterKey::Outstanding), 300);
    let other = counters.reserve(&limits, &request("1", "a", "x", 301, 1));
    assert_eq!(other, Err(Exceeded::Id(slug("1"))));
}

#[test]
fn repayment_gives_back_what_is_owed_and_neither_the_day_nor_the_user() {
    let (limits, mut counters) = (limits(), Counters::default());
    counters
        .reserve(&limits, &request("1", "a", "x", 300, 1))
        .unwrap();
    counters.release(&slug("1"), cny(100)).unwrap();
    assert_eq!(counters.left(&slug("1")), Some(cny(200)));
    let error = counters.release(&slug("1"), cny(201)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "¥2.01 is more than the ¥2.00 that is left of `1`"
    );
    counters.release(&slug("1"), cny(200)).unwrap();
    for (key, used) in [
        (CounterKey::Outstanding, 0),
        (CounterKey::Borrower(slug("a")), 0),
        (CounterKey::Buyer(slug("x")), 0),
        (CounterKey::Day(day(1)), 300),
        (CounterKey::Users, 1),
    ] {
        assert_eq!(counters.used(&key), used, "{key:?}");
    }
    let unknown = counters.release(&slug("2"), cny(1));
    assert_eq!(unknown, Err(ReleaseError::Unknown(slug("2"))));
}

#[test]
fn lower_limits_take_nothing_back_and_nothing_more() {
    let (mut lower, mut counters) = (limits(), Counters::default());
    counters
        .reserve(&lower, &request("1", "a", "x", 500, 1))
        .unwrap();
    lower.outstanding = cny(400);
    lower.concentration_bp = WHOLE_BP;
    let refused = counters
        .reserve(&lower, &request("2", "b", "y", 1, 2))
        .unwrap_err();
    assert_eq!(refused.limit(), Some(LimitName::Outstanding));
}

#[test]
fn limits_are_changed_by_two_people_and_never_in_the_past() {
    let at = Instant::from_seconds;
    let proposal = |version, from| Proposal {
        version,
        limits: limits(),
        valid_from: at(from),
        proposer: slug("li"),
        reason: "first trial".to_owned(),
    };
    let same = proposal(1, 100).approve(slug("li"), at(50), &[]);
    assert!(matches!(same, Err(VersionError::SamePerson)));
    let past = proposal(1, 100).approve(slug("wang"), at(101), &[]);
    assert!(matches!(past, Err(VersionError::Past { .. })));
    let first = proposal(1, 100)
        .approve(slug("wang"), at(100), &[])
        .unwrap();
    let versions = [first];
    let gap = proposal(3, 200).approve(slug("wang"), at(150), &versions);
    assert!(matches!(
        gap,
        Err(VersionError::Version { found: 3, next: 2 })
    ));
    let early = proposal(2, 99).approve(slug("wang"), at(60), &versions);
    assert!(matches!(early, Err(VersionError::Order(_))));
    let mut wrong = proposal(2, 200);
    wrong.limits.concentration_bp = 10_001;
    let wrong = wrong.approve(slug("wang"), at(150), &versions);
    assert!(matches!(wrong, Err(VersionError::Limits(_))));
    let second = proposal(2, 200)
        .approve(slug("wang"), at(150), &versions)
        .unwrap();
    let [first] = versions;
    let versions = [first, second];
    let number = |at_second| in_force(&versions, at(at_second)).map(|one| one.proposal.version);
    assert_eq!(
        (number(99), number(100), number(199), number(200)),
        (None, Some(1), Some(1), Some(2))
    );
    assert_ne!(versions[0].hash().unwrap(), versions[1].hash().unwrap());
}

#[derive(Clone, Debug)]
enum Op {
    Reserve(Request),
    Release(String, i64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let reserve = (0u32..40, 0u32..5, 0u32..4, 0i64..600, 1u32..4).prop_map(
        |(id, borrower, buyer, fen, on)| {
            let (borrower, buyer) = (format!("b{borrower}"), format!("x{buyer}"));
            Op::Reserve(request(&format!("r{id}"), &borrower, &buyer, fen, on))
        },
    );
    let release = (0u32..40, 0i64..600).prop_map(|(id, fen)| Op::Release(format!("r{id}"), fen));
    proptest::collection::vec(prop_oneof![3 => reserve, 2 => release], 0..120)
}

/// Adds everything up again from the operations that were taken.
fn recount(taken: &[Op]) -> std::collections::BTreeMap<CounterKey, i64> {
    let mut sums = std::collections::BTreeMap::new();
    let mut requests = std::collections::BTreeMap::new();
    let mut users = BTreeSet::new();
    for op in taken {
        match op {
            Op::Reserve(one) => {
                if requests.insert(one.id.to_string(), one.clone()).is_some() {
                    continue;
                }
                users.insert(one.borrower.clone());
                *sums.entry(CounterKey::Day(one.day)).or_default() += one.amount.fen();
                for key in owed(one) {
                    *sums.entry(key).or_default() += one.amount.fen();
                }
            }
            Op::Release(id, fen) => {
                for key in owed(&requests[id]) {
                    *sums.entry(key).or_default() -= fen;
                }
            }
        }
    }
    if !users.is_empty() {
        sums.insert(CounterKey::Users, users.len() as i64);
    }
    sums
}

fn owed(one: &Request) -> [CounterKey; 3] {
    [
        CounterKey::Borrower(one.borrower.clone()),
        CounterKey::Buyer(one.buyer.clone()),
        CounterKey::Outstanding,
    ]
}

fn holds(limits: &Limits, sums: &std::collections::BTreeMap<CounterKey, i64>) -> bool {
    sums.iter().all(|(key, sum)| {
        let within = match key {
            CounterKey::Users => *sum <= i64::from(limits.users),
            CounterKey::Borrower(_) => *sum <= limits.per_borrower.fen(),
            // The share itself, not the fen that it was turned into.
            CounterKey::Buyer(_) => {
                i128::from(*sum) * 10_000
                    <= i128::from(limits.concentration_bp) * i128::from(limits.outstanding.fen())
            }
            CounterKey::Day(_) => *sum <= limits.per_day.fen(),
            CounterKey::Outstanding => *sum <= limits.outstanding.fen(),
        };
        within && *sum >= 0
    })
}

proptest! {
    #[test]
    fn no_sequence_ever_goes_beyond_a_limit(ops in ops(), concentration in 0u32..=10_000, outstanding in 0i64..4_000) {
        let limits = Limits {
            concentration_bp: concentration,
            outstanding: cny(outstanding),
            ..limits()
        };
        let (mut counters, mut taken) = (Counters::default(), Vec::new());
        for op in ops {
            let before = counters.clone();
            let is_taken = match &op {
                Op::Reserve(request) => counters.reserve(&limits, request).is_ok(),
                Op::Release(id, fen) => counters.release(&slug(id), cny(*fen)).is_ok(),
            };
            if is_taken {
                taken.push(op);
            } else {
                prop_assert_eq!(&before, &counters);
            }
            let sums = recount(&taken);
            prop_assert_eq!(&sums, counters.all());
            prop_assert!(holds(&limits, &sums), "{:?}", sums);
        }
    }

    /// A charge that the model refuses a store refuses too: it looks at nothing but the charges.
    #[test]
    fn charges_alone_decide_like_the_model(ops in ops()) {
        let limits = limits();
        let mut counters = Counters::default();
        for op in ops {
            let Op::Reserve(request) = op else { continue };
            let known = counters.left(&request.id).is_some();
            let asked = charges(&limits, &request);
            let new = recount_new(&counters, &request);
            let fits = asked.is_ok_and(|all| all.iter().all(|one| {
                (one.key == CounterKey::Users && !new) || counters.used(&one.key) + one.add <= one.cap
            }));
            let taken = counters.reserve(&limits, &request).is_ok();
            prop_assert!(known || fits == taken);
        }
    }

    #[test]
    fn the_order_of_what_was_taken_does_not_matter(ops in ops(), seed in any::<u64>()) {
        let limits = limits();
        let (mut counters, mut taken) = (Counters::default(), Vec::new());
        for op in ops {
            if let Op::Reserve(request) = op
                && counters.left(&request.id).is_none()
                && counters.reserve(&limits, &request).is_ok()
            {
                taken.push(request);
            }
        }
        // Any order of what fits as a whole fits.
        let mut state = seed | 1;
        taken.sort_by_cached_key(|_| { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); state >> 33 });
        let mut again = Counters::default();
        for request in &taken {
            prop_assert!(again.reserve(&limits, request).is_ok());
        }
        prop_assert_eq!(again.all(), counters.all());
        prop_assert!(taken.iter().all(|one| again.left(&one.id) == counters.left(&one.id)));
    }
}

/// Whether the borrower would be a new user.
fn recount_new(counters: &Counters, request: &Request) -> bool {
    !counters
        .all()
        .contains_key(&CounterKey::Borrower(request.borrower.clone()))
}
