//! What people decide.

use credit::sandbox::stage::{Act, End, Stage};
use credit::sandbox::stop_loss::{NotReleased, StopLoss, Trip};
use credit::store::sandbox::{
    Added, Kind, LiftProposal, Motion, OfficeError, Record, RuleProposal, StepError,
};
use schemas::hash::Hash;

use super::trial::{
    declaration, declared, first_steps, noon, now, request, rule, slug, step, wants, wide,
};
use super::{Bank, lending_trial, second};
use crate::contract::ingest::join_all;

pub async fn declarations_are_kept_once_in_their_order(bank: &Bank) {
    let (trials, trial) = declared(bank.store.clone(), "trial-1", wide()).await;
    let (li, at) = (slug("li"), noon("2026-10-05"));
    let first = declaration("trial-1");
    let again = format!("# read again\n{first}");
    let entry = trials.declare("d.toml", &again, &li, at).await.unwrap();
    assert_eq!(entry.kind, "sandbox-declaration");
    assert_eq!(entry.time, noon("2026-10-01"), "the first one stays");
    let kept = trials.all(&trial, Kind::Declaration).await.unwrap();
    assert_eq!(kept[0].body, first.as_bytes());
    let other = first.replace("Li Wei", "Li Na");
    let differs = trials.declare("d.toml", &other, &li, at).await;
    assert!(
        matches!(differs, Err(OfficeError::Differs { .. })),
        "{differs:?}"
    );
    let next = |hash: Hash| {
        let version = format!("version = 2\nprevious = \"{hash}\"");
        other.replace("version = 1", &version)
    };
    let wrong = trials.declare("d.toml", &next(Hash::ZERO), &li, at).await;
    assert!(matches!(wrong, Err(OfficeError::Follow(_))), "{wrong:?}");
    let entry = trials
        .declare("d.toml", &next(entry.hash), &li, at)
        .await
        .unwrap();
    let versions = second(bank).await.declarations(&trial).await.unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[1].hash().unwrap(), entry.hash);
    let alone = next(entry.hash).replace("trial-1", "trial-2");
    let alone = trials.declare("d.toml", &alone, &li, at).await;
    assert!(matches!(alone, Err(OfficeError::NoTrial(_))), "{alone:?}");
    let logged = trials.log_entries(&trial).await.unwrap();
    let kinds: Vec<&str> = logged.iter().map(|entry| &*entry.kind).collect();
    let documents = ["declaration", "declaration", "limits", "stop-loss-rule"];
    assert_eq!(kinds, documents.map(|kind| format!("sandbox-{kind}")));
}

pub async fn limits_need_two_people(bank: &Bank) {
    let (trials, trial) = declared(bank.store.clone(), "trial-1", wide()).await;
    let (li, wang, at) = (slug("li"), slug("wang"), noon("2026-10-03"));
    let motion = trials
        .propose(&trial, &wants(2, wide(), at), at)
        .await
        .unwrap();
    let alone = trials.approve_limits(&trial, motion, &li, at).await;
    assert!(matches!(alone, Err(OfficeError::Version(_))), "{alone:?}");
    trials
        .approve_limits(&trial, motion, &wang, at)
        .await
        .unwrap();
    let again = trials.approve_limits(&trial, motion, &wang, at).await;
    assert!(matches!(again, Err(OfficeError::Version(_))), "{again:?}");
    let unknown = trials.approve_limits(&trial, Hash::ZERO, &wang, at).await;
    assert!(
        matches!(unknown, Err(OfficeError::NoMotion(_))),
        "{unknown:?}"
    );
    let wanted = Motion::Rule(RuleProposal {
        version: 2,
        rule: rule(),
        proposer: li.clone(),
        reason: "again".to_owned(),
    });
    let motion = trials.propose(&trial, &wanted, at).await.unwrap();
    let alone = trials.approve_rule(&trial, motion, &li, at).await;
    assert!(matches!(alone, Err(OfficeError::SamePerson)), "{alone:?}");
    trials
        .approve_rule(&trial, motion, &wang, at)
        .await
        .unwrap();
    let late = trials.approve_rule(&trial, motion, &wang, at).await;
    assert!(
        matches!(late, Err(OfficeError::Next { next: 3, .. })),
        "{late:?}"
    );
    // The database says it too.
    for kind in [Kind::Limits, Kind::Rule, Kind::Lift, Kind::Step] {
        let people = (li.clone(), Some(li.clone()));
        let record = Record::of(kind, "000009".to_owned(), &(), people, at).unwrap();
        assert!(
            bank.store.add_record(&trial, &record).await.is_err(),
            "{kind:?}"
        );
    }
    for kind in [Kind::Limits, Kind::Rule, Kind::Lift] {
        let record = Record::of(kind, "000009".to_owned(), &(), (li.clone(), None), at).unwrap();
        assert!(
            bank.store.add_record(&trial, &record).await.is_err(),
            "{kind:?}"
        );
    }
}

/// Of several at once, each version has one approval, and none is lost.
pub async fn limits_approved_at_once_come_one_after_another(bank: &Bank) {
    let (trials, trial) = declared(bank.store.clone(), "trial-1", wide()).await;
    let (at, other) = (noon("2026-10-03"), second(bank).await);
    let work = (0..8_u32).map(|number| {
        let trials = [&trials, &other][number as usize % 2].clone();
        let (trial, mut limits) = (trial.clone(), wide());
        limits.users = number;
        async move {
            let motion = trials
                .propose(&trial, &wants(2, limits, at), at)
                .await
                .unwrap();
            let approver = slug("wang");
            trials
                .approve_limits(&trial, motion, &approver, at)
                .await
                .is_ok()
        }
    });
    let approved = join_all(work).await;
    assert_eq!(approved.iter().filter(|one| **one).count(), 1);
    let footing = trials.footing(&trial).await.unwrap().unwrap();
    assert_eq!((footing.guard.limits, footing.limits.len()), (2, 2));
}

pub async fn steps_obey_their_guards(bank: &Bank) {
    let (trials, trial) = declared(bank.store.clone(), "trial-1", wide()).await;
    let [publish, register, begin] = first_steps(&trials, &trial).await;
    let early = trials.take_step(&trial, &begin).await;
    assert!(matches!(early, Err(StepError::Refused(_))), "{early:?}");
    trials.take_step(&trial, &publish).await.unwrap();
    trials.take_step(&trial, &register).await.unwrap();
    let mut claims = begin.clone();
    if let Act::Begin(ready) = &mut claims.act {
        ready.limits = Some(Hash::ZERO);
    }
    let wrong = trials.take_step(&trial, &claims).await;
    assert!(
        matches!(wrong, Err(StepError::Claim("limits"))),
        "{wrong:?}"
    );
    let mut alone = begin.clone();
    alone.second = None;
    let alone = trials.take_step(&trial, &alone).await;
    assert!(matches!(alone, Err(StepError::Refused(_))), "{alone:?}");
    let stage = second(bank).await.take_step(&trial, &begin).await.unwrap();
    assert!(matches!(stage, Stage::Testing { .. }), "{stage:?}");
    trials
        .reserve(&trial, &request("r-1", "b", "v", 100, 1), now())
        .await
        .unwrap();
    let stop = Act::Stop {
        reason: "enough".to_owned(),
    };
    let mut stop = step(stop, "2026-12-02");
    stop.capacity = credit::sandbox::stage::Capacity::Risk;
    trials.take_step(&trial, &stop).await.unwrap();
    let exit = |outstanding_fen| {
        let act = Act::Exit {
            end: End::RunOff,
            evaluation: Some(Hash([7; 32])),
            outstanding_fen,
            complaints_open: 0,
        };
        step(act, "2026-12-03")
    };
    let owed = trials.take_step(&trial, &exit(100)).await;
    assert!(matches!(owed, Err(StepError::Refused(_))), "{owed:?}");
    let lie = trials.take_step(&trial, &exit(0)).await;
    assert!(
        matches!(lie, Err(StepError::Claim("outstanding_fen"))),
        "{lie:?}"
    );
    let footing = second(bank).await.footing(&trial).await.unwrap().unwrap();
    assert_eq!(footing.trial.stage(), &Stage::Stopped);
}

pub async fn stop_loss_stays_until_two_people_release_it(bank: &Bank) {
    let (trials, trial) = lending_trial(bank, wide()).await;
    let other = second(bank).await;
    assert_eq!(
        trials.trip(&trial, Vec::new(), now()).await.unwrap(),
        StopLoss::Armed
    );
    let trip = |complaints| Trip::Complaints {
        complaints,
        most: 10,
    };
    let work = (11..19_u32).map(|complaints| {
        let trials = [&trials, &other][complaints as usize % 2].clone();
        let trial = trial.clone();
        async move {
            trials
                .trip(&trial, vec![trip(complaints)], now())
                .await
                .unwrap()
        }
    });
    let states = join_all(work).await;
    assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
    let refused = other
        .reserve(&trial, &request("r-1", "b", "v", 100, 1), now())
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("stop-loss is tripped")
    );
    let kept = bank.store.refusals_of(&trial, &slug("r-1")).await.unwrap();
    assert_eq!((kept.len(), &*kept[0].reason), (1, "stop_loss"));
    let lift = Motion::Lift(LiftProposal {
        trip: 1,
        proposer: slug("li"),
        reason: "the complaints were one, counted often".to_owned(),
    });
    let motion = trials.propose(&trial, &lift, now()).await.unwrap();
    let approve = async |by: &str, trips: &[Trip]| {
        other
            .approve_lift(&trial, motion, &slug(by), trips, now())
            .await
    };
    let alone = approve("li", &[]).await;
    let same = NotReleased::SamePerson;
    assert!(matches!(alone, Err(OfficeError::Lift(why)) if why == same));
    let still = approve("wang", &[trip(11)]).await;
    assert!(
        matches!(still, Err(OfficeError::Lift(NotReleased::Still(_)))),
        "{still:?}"
    );
    approve("wang", &[]).await.unwrap();
    let again = approve("zhao", &[]).await;
    assert!(matches!(again, Err(OfficeError::NotTripped)), "{again:?}");
    trials
        .reserve(&trial, &request("r-1", "b", "v", 100, 1), now())
        .await
        .unwrap();
    let state = trials.trip(&trial, vec![trip(12)], now()).await.unwrap();
    assert!(matches!(state, StopLoss::Tripped(_)), "it trips again");
    let late = approve("zhao", &[]).await;
    assert!(
        matches!(late, Err(OfficeError::NotTripped)),
        "that was the first trip"
    );
}

/// Records of one name: the first stays, whatever comes after it.
pub async fn records_are_kept_once_and_read_in_pages(bank: &Bank) {
    let (trials, trial) = declared(bank.store.clone(), "trial-1", wide()).await;
    let record = |name: &str, value: &str| {
        let people = (slug("li"), None);
        Record::of(Kind::Row, name.to_owned(), &value, people, now()).unwrap()
    };
    for number in 0..25 {
        let one = record(&format!("x-{number:02}"), "first");
        let added = bank.store.add_record(&trial, &one).await.unwrap();
        assert_eq!(added, Added::New);
    }
    let (first, later) = (record("x-07", "first"), record("x-07", "later"));
    let added = bank.store.add_record(&trial, &later).await.unwrap();
    assert_eq!(added, Added::Before(Box::new(first)));
    let page = bank
        .store
        .records(&trial, Kind::Row, "x-09", 3)
        .await
        .unwrap();
    let names: Vec<&str> = page.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["x-10", "x-11", "x-12"]);
    let guard = bank.store.trial_guard(&trial).await.unwrap().unwrap();
    let first = trials.all(&trial, Kind::Declaration).await.unwrap();
    let again = bank.store.open_trial(&trial, &first[0]).await.unwrap();
    assert_eq!(again, Added::Before(Box::new(first[0].clone())));
    assert_eq!(bank.store.trial_guard(&trial).await.unwrap(), Some(guard));
    let nothing = bank.store.trial_guard(&slug("nothing")).await.unwrap();
    assert_eq!(nothing, None);
    let stale = credit::store::sandbox::Guard {
        steps: guard.steps + 1,
        ..guard
    };
    let late = record("y", "late");
    let moved = bank.store.advance(&trial, &stale, &guard, &late, None);
    assert!(!moved.await.unwrap());
    let kept = trials.all(&trial, Kind::Row).await.unwrap();
    assert_eq!(kept.len(), 25);
}
