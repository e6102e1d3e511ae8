//! Back-dated acts, reversed and corrected payments: the books are what they would have been.

use super::*;

/// Both have the same position and the same balances.
fn same(one: &Story, other: &Story) {
    assert_eq!(one.position(), other.position());
    for class in Class::ALL {
        assert_eq!(one.on(class), other.on(class), "{class:?}");
    }
    one.holds();
}

#[test]
fn a_payment_that_was_booked_late_counts_from_its_day() {
    let mut in_time = Story::plain();
    in_time.run("2026-02-15");
    in_time.pay(103_000);
    in_time.run("2026-03-02");
    let mut late = Story::plain();
    late.run("2026-03-02");
    let before = late.entries.len();
    assert_eq!(late.due(), 103_773);
    let amount = cny(103_000);
    late.act_on(date("2026-02-15"), Actor::Bank, Deed::Paid { amount })
        .unwrap();
    assert_eq!((late.word(), late.due()), ("active", 0));
    same(&late, &in_time);
    // Each reversal names what it takes back, on the day that it had.
    let new = &late.entries[before..];
    assert!(!new.is_empty());
    for entry in new.iter().filter(is_kind(EntryKind::Reversal)) {
        let reversed = late
            .entries
            .iter()
            .find(|old| Some(old.key()) == entry.corrects());
        let reversed = reversed.unwrap();
        assert!(entry.takes_back(reversed));
        assert_eq!(entry.booked(), reversed.booked());
    }
    let penalties = new.iter().filter(is_kind(EntryKind::PenaltyCharge));
    assert_eq!(penalties.count(), 0);
}

#[test]
fn a_payment_that_was_none_is_as_if_it_never_came() {
    let mut never = Story::plain();
    never.run("2026-03-02");
    let mut bounced = Story::plain();
    bounced.run("2026-02-15");
    bounced.pay(103_000);
    let payment = bounced.last_key();
    bounced.run("2026-03-02");
    let reverse = |payment: &Key| Deed::PaymentReversed {
        payment: payment.clone(),
        reason: reason(),
    };
    bounced.act(two(), reverse(&payment)).unwrap();
    same(&bounced, &never);
    assert_eq!(
        bounced.act(two(), reverse(&payment)),
        Err(Refused::NoPayment(payment))
    );
}

#[test]
fn a_payment_is_corrected_again_and_again() {
    let mut right = Story::plain();
    right.run("2026-02-20");
    right.pay(103_258);
    right.run("2026-03-10");
    let mut story = Story::plain();
    story.run("2026-02-15");
    story.pay(50_000);
    let payment = story.last_key();
    story.run("2026-03-10");
    let correct = |fen, on: &str| Deed::PaymentCorrected {
        payment: payment.clone(),
        amount: cny(fen),
        on: date(on),
        reason: reason(),
    };
    story.act(two(), correct(70_000, "2026-02-16")).unwrap();
    story.act(two(), correct(103_258, "2026-02-20")).unwrap();
    same(&story, &right);
    let reversed = story.act(
        two(),
        Deed::PaymentReversed {
            payment: payment.clone(),
            reason: reason(),
        },
    );
    reversed.unwrap();
    let mut never = Story::plain();
    never.run("2026-03-10");
    same(&story, &never);
}

#[test]
fn a_settled_loan_comes_back_when_its_payment_was_none() {
    let mut story = Story::plain();
    story.run("2026-02-15");
    let total = story.position().payoff(&story.conditions).unwrap().total;
    story
        .act(Actor::Bank, Deed::RepaidEarly { amount: total })
        .unwrap();
    assert_eq!(story.word(), "settled");
    let payment = story.last_key();
    story.run("2026-03-20");
    assert_eq!(story.word(), "settled");
    let reversed = Deed::PaymentReversed {
        payment,
        reason: reason(),
    };
    story.act(two(), reversed).unwrap();
    let mut never = Story::plain();
    never.run("2026-03-20");
    same(&story, &never);
    assert_eq!(story.word(), "delinquent");
}

#[test]
fn a_correction_that_makes_a_later_act_impossible_is_refused() {
    let mut story = Story::plain();
    story.run("2027-02-11");
    story
        .act(two(), Deed::WrittenOff { reason: reason() })
        .unwrap();
    let written_off = story.last_key();
    let before = story.clone();
    let amount = cny(110_000);
    let refused = story.act_on(date("2026-02-15"), Actor::Bank, Deed::Paid { amount });
    let Err(Refused::Later { act, why, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(act, written_off);
    assert!(matches!(*why, Refused::NoLoss(_)));
    assert_eq!(story.loan, before.loan);
}

#[test]
fn nothing_is_dated_before_the_money_or_after_today() {
    let mut story = Story::plain();
    story.run("2026-02-15");
    let amount = cny(100);
    let paid = |day| (date(day), Actor::Bank, Deed::Paid { amount });
    let (day, by, deed) = paid("2026-01-14");
    assert!(matches!(
        story.act_on(day, by, deed),
        Err(Refused::BeforeDisbursement { .. })
    ));
    let (day, by, deed) = paid("2026-02-16");
    assert!(matches!(
        story.act_on(day, by, deed),
        Err(Refused::Future { .. })
    ));
    story.pay(100);
    let payment = story.last_key();
    for on in ["2026-01-14", "2026-02-16"] {
        let correction = Deed::PaymentCorrected {
            payment: payment.clone(),
            amount,
            on: date(on),
            reason: reason(),
        };
        assert!(story.act(two(), correction).is_err(), "{on}");
    }
}
