//! What is refused says why, and changes nothing.

use super::*;

fn is_refused(story: &mut Story, by: Actor, deed: Deed, expected: &str) {
    let before = story.loan.clone();
    let refused = story.act(by, deed).unwrap_err();
    assert_eq!(refused.to_string(), expected);
    assert_eq!(story.loan, before);
}

#[test]
fn maker_is_not_checker_by_any_route() {
    let stands_in = |name: &str, of: &str| Person {
        name: slug(name),
        in_the_name_of: Some(slug(of)),
    };
    let same = [
        (person("li-wei"), person("li-wei")),
        (person("li-wei"), stands_in("wang-fang", "li-wei")),
        (stands_in("wang-fang", "li-wei"), person("li-wei")),
        (stands_in("wang-fang", "boss"), stands_in("li-wei", "boss")),
        (stands_in("li-wei", "boss"), stands_in("li-wei", "other")),
    ];
    for (maker, checker) in same {
        let written = serde_json::json!({"maker": maker, "checker": checker});
        assert!(TwoPeople::new(maker, checker).is_err(), "{written}");
        assert!(serde_json::from_value::<TwoPeople>(written).is_err());
    }
    let made = TwoPeople::new(person("li-wei"), stands_in("wang-fang", "boss")).unwrap();
    let again = serde_json::from_value(serde_json::to_value(&made).unwrap()).unwrap();
    assert_eq!(made, again);
}

#[test]
fn not_everybody_does_everything() {
    let mut story = Story::plain();
    let paid = || Deed::Paid { amount: cny(1) };
    is_refused(
        &mut story,
        borrower(),
        paid(),
        "the borrower cannot do this: paid",
    );
    is_refused(
        &mut story,
        one("li-wei"),
        Deed::WrittenOff { reason: reason() },
        "one person of the bank cannot do this: written_off",
    );
    is_refused(
        &mut story,
        Actor::Two {
            people: TwoPeople::new(person("li-wei"), person("tea")).unwrap(),
        },
        paid(),
        "tea borrows and does not act for the bank",
    );
    let supplier = slug("silk");
    let mut drawable = Story::opened(conditions(PLAIN, "0"), 300_000, 3, START);
    drawable.issue(300_000).unwrap();
    is_refused(
        &mut drawable,
        Actor::Borrower { supplier },
        Deed::TokenRevoked,
        "the loan is another borrower's",
    );
}

#[test]
fn the_clock_does_not_go_back_and_days_are_in_order() {
    let mut story = Story::plain();
    story.run("2026-02-15");
    story.today = date("2026-02-14");
    is_refused(
        &mut story,
        Actor::Bank,
        Deed::Paid { amount: cny(1) },
        "booked at 2026-02-14T04:00:00.000000Z, before the act before it \
         (2026-02-15T04:00:00.000000Z): was the clock moved back?",
    );
    story.today = date("2026-02-16");
    is_refused(
        &mut story,
        Actor::Bank,
        Deed::Paid { amount: cny(1) },
        "value date 2026-02-16 is after the business day 2026-02-15: run the day first",
    );
    // No day of the run is tomorrow.
    let tomorrow = super::super::day(story.loan.clone(), date("2026-02-17"), noon(story.today));
    assert!(matches!(tomorrow, Err(Refused::Future { .. })));
    let written_off = Deed::WrittenOff { reason: reason() };
    story.run("2026-02-16");
    assert!(matches!(
        story.act_on(date("2026-02-15"), two(), written_off),
        Err(Refused::Past { .. })
    ));
}

#[test]
fn nothing_happens_to_the_money_while_a_day_is_half_run() {
    let mut story = Story::plain();
    story.run("2026-02-14");
    story.today = date("2026-02-15");
    let act = daily::next(&story.loan, story.today, noon(story.today)).unwrap();
    assert_eq!(act.deed, Deed::DayOpened);
    story.send(act).unwrap();
    is_refused(
        &mut story,
        Actor::Bank,
        Deed::Paid { amount: cny(1) },
        "the daily run of 2026-02-15 is not finished",
    );
    let act = daily::next(&story.loan, story.today, noon(story.today)).unwrap();
    assert_eq!(act.deed, Deed::InstalmentDue { number: 1 });
    story.send(act).unwrap();
    story.pay(1);
    story.holds();
}

#[test]
fn a_key_names_one_act() {
    let mut story = Story::plain();
    let paid = |fen| Act {
        key: "p-1".parse().unwrap(),
        value: date(START),
        booked: noon(date(START)),
        by: Actor::Bank,
        deed: Deed::Paid { amount: cny(fen) },
    };
    story.send(paid(5)).unwrap();
    let (acts, loan) = (story.acts.len(), story.loan.clone());
    story.send(paid(5)).unwrap();
    assert_eq!((story.acts.len(), &story.loan), (acts, &loan));
    assert!(matches!(story.send(paid(6)), Err(Refused::KeyReused(_))));
    let day = Act {
        key: "day/2026-01-16".parse().unwrap(),
        ..paid(5)
    };
    assert!(matches!(story.send(day), Err(Refused::RunKey(_))));
    for wrong in ["", "a b", "茶", &"x".repeat(33)] {
        assert!(wrong.parse::<Key>().is_err(), "{wrong}");
    }
    story.holds();
}

#[test]
fn nothing_negative_overflowing_or_without_reason() {
    assert!(Money::from_fen(-1, Currency::CNY).is_err());
    let mut story = Story::plain();
    let paid = |amount| Deed::Paid { amount };
    is_refused(
        &mut story,
        Actor::Bank,
        paid(cny(0)),
        "an amount above zero is needed",
    );
    assert!(story.act(Actor::Bank, paid(cny(i64::MAX))).is_err());
    let eur = Money::from_fen(5, "EUR".parse().unwrap()).unwrap();
    assert!(matches!(
        story.act(Actor::Bank, paid(eur)),
        Err(Refused::Money(_))
    ));
    let given = Deed::WrittenOff { reason: reason() };
    is_refused(
        &mut story,
        two(),
        given,
        "the loan is normal, only a loss is written off",
    );
    story.run("2026-02-16");
    let reason = text("  ");
    is_refused(
        &mut story,
        two(),
        Deed::WrittenOff { reason },
        "a reason is needed",
    );
    story.holds();
}

#[test]
fn a_frozen_loan_is_only_repaid() {
    let cause = FreezeCause::StopLoss;
    let frozen = "the loan is frozen (the stop-loss of the trial): only repayment is possible";
    let mut story = Story::opened(conditions(PLAIN, "0"), 300_000, 3, START);
    story.issue(300_000).unwrap();
    story.act(Actor::Machine, Deed::Frozen { cause }).unwrap();
    let used = Deed::TokenUsed {
        token: SECRET.hash(),
        payee: story.payee(),
        amount: cny(300_000),
    };
    is_refused(&mut story, borrower(), used, frozen);
    story.act(borrower(), Deed::TokenRevoked).unwrap();
    assert_eq!(story.issue(300_000), Err(Refused::Frozen(cause)));
    let other = FreezeCause::Collateral;
    assert_eq!(
        story.act(two(), Deed::Thawed { cause: other }),
        Err(Refused::NotFrozen)
    );
    assert!(matches!(
        story.act(Actor::Machine, Deed::Thawed { cause }),
        Err(Refused::Actor { .. })
    ));
    story.act(two(), Deed::Thawed { cause }).unwrap();
    story.issue(300_000).unwrap();
    story.draw(300_000).unwrap();
    // The bank may have paid: what it says is kept, frozen or not.
    story
        .act(Actor::Machine, Deed::Frozen { cause: other })
        .unwrap();
    story.disbursed();
    story.run("2026-02-15");
    let period = Span {
        start: story.today,
        end: date("2026-03-15"),
        due: date("2026-03-15"),
    };
    let new = Deed::Restructured(NewTerms {
        periods: vec![period],
        annual_rate: crate::schedule::Rate::ZERO,
        repaid: Repaid::Bullet,
        reason: reason(),
    });
    assert_eq!(story.act(two(), new), Err(Refused::Frozen(other)));
    story.pay(103_000);
    story.holds();
}

#[test]
fn a_loan_lives_under_the_conditions_that_it_names() {
    let story = Story::plain();
    let id = story.loan.file().id().clone();
    for other in [
        conditions(PLAIN, "1"),
        conditions(&PLAIN.replace("18", "17"), "0"),
    ] {
        let replayed = Loan::replay(id.clone(), other, story.acts.clone());
        assert!(matches!(replayed, Err(Refused::Conditions { .. })));
    }
    let no_opening = Loan::replay(id, story.conditions.clone(), story.acts[1..].to_vec());
    assert_eq!(no_opening, Err(Refused::Opening));
}

#[test]
fn names_of_entries_fit_however_long_their_parts_are() {
    use super::super::books::{Booking, Cause, Correction};
    let booking = Booking {
        cause: Cause::Act("k".repeat(act::KEY_MAX).parse().unwrap()),
        kind: EntryKind::InterestResumption,
        value: date(START),
        lines: vec![
            (Class::Cash, crate::ledger::Side::Debit, cny(1)),
            (Class::Principal, crate::ledger::Side::Credit, cny(1)),
        ],
    };
    let loan: LoanId = "L"
        .repeat(crate::ledger::account::LOAN_ID_MAX)
        .parse()
        .unwrap();
    let by = Correction {
        number: 999_999,
        before: 999_998,
        replaces: true,
    };
    let entry = booking.entry(&loan, Some(by)).unwrap();
    let reversal = booking.reversal(&loan, 999_999, 1_000_000).unwrap();
    assert!(reversal.takes_back(&entry));
}
