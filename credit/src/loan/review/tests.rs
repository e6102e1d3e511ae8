use std::sync::LazyLock;

use super::*;
use crate::money::Currency;
use crate::testing::{COLD, application, at, decision_of, journey};

fn cny(text: &str) -> Money {
    Money::parse(text, Currency::CNY).unwrap()
}

fn rules(line: &str) -> ReviewRules {
    ReviewRules {
        second_officer_above: cny(line),
        offer_valid: Duration::from_secs(3600),
    }
}

/// An offer of 4,000 yuan, made at 24:00. One for all: salts differ from world to world.
static OFFER: LazyLock<Decision> =
    LazyLock::new(|| decision_of(&mut journey(&COLD), &application("A-1", "4000.00")).decision);

fn offer() -> Decision {
    OFFER.clone()
}

fn says(person: &str, choice: Choice) -> Verdict {
    Verdict {
        person: person.parse().unwrap(),
        choice,
        note: String::new(),
    }
}

fn refuse() -> Choice {
    Choice::Refuse("documents-missing".parse().unwrap())
}

fn stage(history: Vec<Review>, line: &str) -> Stage {
    Stage::read(&offer(), history, &rules(line)).unwrap()
}

fn first(line: &str, choice: Choice) -> Review {
    match stage(Vec::new(), line) {
        Stage::Waiting(waiting) => waiting.review(says("li-wei", choice), at(24, 1)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn at_the_line_one_officer_is_enough_and_above_it_two_are_needed() {
    assert!(first("4000.00", Choice::Accept).settles);
    assert!(!first("3999.99", Choice::Accept).settles);
    assert!(first("3999.99", refuse()).settles);
    let other = Money::parse("99999.00", "USD".parse().unwrap()).unwrap();
    let rules = ReviewRules {
        second_officer_above: other,
        ..rules("0.00")
    };
    assert!(rules.needs_two(cny("1.00")));
}

#[test]
fn the_second_officer_is_another_person() {
    let kept = vec![first("0.00", Choice::Accept)];
    let endorsed = || match stage(kept.clone(), "0.00") {
        Stage::Endorsed(endorsed) => endorsed,
        other => panic!("{other:?}"),
    };
    for choice in [Choice::Accept, refuse()] {
        assert_eq!(
            endorsed().review(says("li-wei", choice.clone()), at(24, 2)),
            Err(SamePerson)
        );
        let review = endorsed()
            .review(says("wang-fang", choice.clone()), at(24, 2))
            .unwrap();
        assert_eq!(
            (review.step, review.settles, review.act),
            (2, true, choice.act())
        );
        let settled = stage(vec![kept[0].clone(), review], "0.00");
        assert!(settled.is_settled() && settled.lapse(at(99, 0)).is_none());
    }
}

#[test]
fn every_step_and_every_offer_has_another_version() {
    let waiting = stage(Vec::new(), "0.00");
    let review = first("0.00", Choice::Accept);
    assert_eq!(review.version, waiting.version());
    let endorsed = stage(vec![review.clone()], "0.00");
    assert_ne!(waiting.version(), endorsed.version());
    let other = Review {
        note: "x".to_owned(),
        ..review
    };
    assert_ne!(stage(vec![other], "0.00").version(), endorsed.version());
}

#[test]
fn an_offer_lapses_when_its_time_is_over_and_not_before() {
    for history in [Vec::new(), vec![first("0.00", Choice::Accept)]] {
        let steps = u32::try_from(history.len()).unwrap();
        assert!(stage(history.clone(), "0.00").lapse(at(24, 59)).is_none());
        let lapsed = stage(history, "0.00").lapse(at(25, 0)).unwrap();
        assert_eq!(
            (lapsed.step, lapsed.act, lapsed.settles),
            (steps + 1, Act::Lapse, true)
        );
        assert_eq!(lapsed.person, None);
    }
}

#[test]
fn kept_steps_that_do_not_follow_are_no_stage() {
    let read = |history| Stage::read(&offer(), history, &rules("0.00")).unwrap_err();
    let step = first("0.00", Choice::Accept);
    let second = Review {
        step: 2,
        ..step.clone()
    };
    assert_eq!(read(vec![second.clone()]), NoStage::Broken);
    assert_eq!(read(vec![step.clone(), second.clone()]), NoStage::Broken);
    let settled = Review {
        settles: true,
        ..step
    };
    assert_eq!(read(vec![settled, second]), NoStage::Broken);
    let mut declined = offer();
    declined.outcome = Outcome::Decline;
    let none = Stage::read(&declined, Vec::new(), &rules("0.00")).unwrap_err();
    assert_eq!(none, NoStage::NoOffer);
}
