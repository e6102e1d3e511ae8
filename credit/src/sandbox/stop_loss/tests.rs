use proptest::prelude::*;

use super::*;
use crate::money::Currency;

fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

fn rule() -> Rule {
    Rule {
        overdue_bp_max: 500,
        loss_max: cny(10_000),
        complaints_max: 3,
        privacy_incidents_max: 0,
        compensation_min: cny(50_000),
    }
}

fn calm() -> Readings {
    Readings {
        outstanding: cny(20_001),
        overdue: cny(1_000),
        loss: cny(10_000),
        complaints: 3,
        privacy_incidents: 0,
        compensation: cny(50_000),
    }
}

#[test]
fn exactly_at_the_limit_does_not_trip_and_one_beyond_does() {
    assert_eq!(rule().trips(&calm()), Ok(Vec::new()));
    let trips = |change: fn(&mut Readings)| {
        let mut readings = calm();
        change(&mut readings);
        let trips = rule().trips(&readings).unwrap();
        assert_eq!(trips.len(), 1);
        trips[0].to_string()
    };
    // 5 % of 200.01 are 10.0005: one fen more is beyond.
    let overdue = trips(|now| now.overdue = cny(1_001));
    assert_eq!(
        overdue,
        "¥10.01 of ¥200.01 is overdue, more than 500 basis points"
    );
    assert_eq!(
        trips(|now| now.loss = cny(10_001)),
        "¥100.01 is lost, more than ¥100.00"
    );
    assert_eq!(trips(|now| now.complaints = 4), "4 complaints, more than 3");
    let incidents = trips(|now| now.privacy_incidents = 1);
    assert_eq!(incidents, "1 incidents with personal data, more than 0");
    let least = trips(|now| now.compensation = cny(49_999));
    assert_eq!(
        least,
        "¥499.99 is there to compensate users, less than ¥500.00"
    );
}

#[test]
fn nothing_outstanding_is_nothing_overdue_and_currencies_never_meet() {
    let mut readings = calm();
    (readings.outstanding, readings.overdue) = (cny(0), cny(0));
    assert_eq!(rule().trips(&readings), Ok(Vec::new()));
    readings.compensation = Money::zero("EUR".parse().unwrap());
    assert!(rule().trips(&readings).is_err());
}

fn tripped() -> Tripped {
    let trips = vec![Trip::Complaints {
        complaints: 4,
        most: 3,
    }];
    match StopLoss::Armed.after(trips, Instant::from_seconds(100)) {
        StopLoss::Tripped(tripped) => tripped,
        StopLoss::Armed => panic!("not tripped"),
    }
}

#[test]
fn once_tripped_only_what_makes_debts_smaller_passes() {
    let state = StopLoss::Tripped(tripped());
    let passes = |state: &StopLoss| {
        let mut all = Operation::ALL.into_iter();
        let passing = all.by_ref().filter(|one| state.allows(*one).is_ok());
        passing.collect::<Vec<_>>()
    };
    use Operation::{Collect, Compensate, LowerLimit, ReleasePledge, Repay, WriteOff};
    let expected = [
        Repay,
        Collect,
        WriteOff,
        ReleasePledge,
        LowerLimit,
        Compensate,
    ];
    assert_eq!(passes(&state), expected);
    assert_eq!(passes(&StopLoss::Armed), Operation::ALL);
    let error = state.allows(Operation::Disburse).unwrap_err();
    assert_eq!(error.since, Instant::from_seconds(100));
}

#[test]
fn it_stays_tripped_until_two_people_release_it() {
    let state = StopLoss::Tripped(tripped());
    let same = state.clone().after(Vec::new(), Instant::from_seconds(200));
    assert_eq!(same, state);
    assert_eq!(tripped().propose(slug("li"), " "), Err(NotReleased::Reason));
    let proposal = tripped()
        .propose(slug("li"), "the cause is removed")
        .unwrap();
    let at = Instant::from_seconds(300);
    let alone = proposal.clone().approve(slug("li"), &[], at);
    assert_eq!(alone, Err(NotReleased::SamePerson));
    let still = Trip::Complaints {
        complaints: 5,
        most: 3,
    };
    let early = proposal
        .clone()
        .approve(slug("wang"), std::slice::from_ref(&still), at);
    assert_eq!(early, Err(NotReleased::Still(still)));
    let release = proposal.approve(slug("wang"), &[], at).unwrap();
    assert_eq!(
        (release.proposer, release.approver),
        (slug("li"), slug("wang"))
    );
    assert_eq!(release.tripped, tripped());
}

#[test]
fn states_are_kept_as_json() {
    for state in [StopLoss::Armed, StopLoss::Tripped(tripped())] {
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<StopLoss>(&json).unwrap(), state);
    }
}

proptest! {
    #[test]
    fn more_overdue_never_trips_less(overdue in 0i64..30_000, more in 0i64..30_000, bp in 0u32..=10_000) {
        let rule = Rule { overdue_bp_max: bp, ..rule() };
        let at = |fen| {
            let readings = Readings { outstanding: cny(60_000), overdue: cny(fen), ..calm() };
            rule.trips(&readings).unwrap().len()
        };
        prop_assert!(at(overdue) <= at(overdue + more));
    }
}
