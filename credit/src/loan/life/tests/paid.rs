//! Paid in time, late, too much, early. Amounts by hand: 3,000.00 at 1 percent a month in three equal
//! parts is 1,030.00 on 15 February, 1,020.00 on 15 March, 1,010.00 on 15 April.

use super::*;

#[test]
fn a_loan_that_is_paid_in_time() {
    let mut story = Story::plain();
    assert_eq!(story.word(), "active");
    for (day, fen) in [
        ("2026-02-15", 103_000),
        ("2026-03-15", 102_000),
        ("2026-04-15", 101_000),
    ] {
        story.run(day);
        assert_eq!(story.due(), fen);
        story.pay(fen);
        assert_eq!((story.due(), story.grade()), (0, Grade::Normal));
    }
    assert_eq!(story.word(), "settled");
    assert_eq!(story.on(Class::InterestIncome), 6_000);
    assert_eq!(story.on(Class::Cash), 6_000);
    let open = [
        Class::Principal,
        Class::InterestReceivable,
        Class::LossAllowance,
        Class::BorrowerCredit,
        Class::ProvisionExpense,
    ];
    assert!(open.iter().all(|class| story.on(*class) == 0));
    story.holds();
    story.act(Actor::Machine, Deed::Closed).unwrap();
    assert_eq!(story.word(), "closed");
    story.holds();
}

#[test]
fn interest_of_days_sums_to_the_schedules() {
    let mut story = Story::plain();
    story.run("2026-01-25");
    // Ten of thirty days of 30.00.
    assert_eq!(story.on(Class::InterestReceivable), 1_000);
    story.run("2026-04-20");
    let accrued = story
        .entries
        .iter()
        .filter(is_kind(EntryKind::InterestAccrual));
    let sum: i64 = accrued.map(|entry| entry.postings()[0].amount.fen()).sum();
    let terms = story.conditions.product.terms(3).unwrap();
    let made = crate::schedule::calculate(&terms, cny(300_000), date(START), &calendar()).unwrap();
    assert_eq!((sum, made.interest().unwrap().fen()), (6_000, 6_000));
    story.holds();
}

#[test]
fn lateness_costs_by_the_day_and_is_paid_first() {
    let mut story = Story::plain();
    story.run("2026-02-15");
    assert_eq!(story.word(), "active");
    story.run("2026-02-16");
    assert_eq!((story.word(), story.due()), ("delinquent", 103_052));
    story.run("2026-03-02");
    // 1,030.00 at 18 percent over 360, 15 days: 7.725, half up.
    assert_eq!(story.due(), 103_773);
    let Loan::Delinquent(late) = &story.loan else {
        panic!("{}", story.word());
    };
    assert_eq!(late.bucket(), Bucket::UpTo30);
    assert_eq!(story.grade(), Grade::SpecialMention);
    story.pay(773);
    assert_eq!(story.on(Class::PenaltyReceivable), 0);
    assert_eq!(story.word(), "delinquent");
    story.pay(103_000);
    assert_eq!((story.word(), story.due()), ("active", 0));
    assert_eq!(story.on(Class::PenaltyIncome), 773);
    story.holds();
}

#[test]
fn what_is_paid_too_much_is_the_borrowers_and_pays_what_falls_due() {
    let mut story = Story::plain();
    story.run("2026-02-15");
    story.pay(200_000);
    assert_eq!(story.on(Class::BorrowerCredit), 97_000);
    story.run("2026-03-15");
    // 1,020.00 less 970.00.
    assert_eq!((story.on(Class::BorrowerCredit), story.due()), (0, 5_000));
    story.pay(5_000);
    story.run("2026-04-10");
    story.pay(150_000);
    let amount = cny(40_000);
    story.act(two(), Deed::Refunded { amount }).unwrap();
    assert_eq!(story.on(Class::BorrowerCredit), 110_000);
    let too_much = story.act(
        two(),
        Deed::Refunded {
            amount: cny(110_001),
        },
    );
    assert!(matches!(too_much, Err(Refused::TooMuch { .. })));
    story.run("2026-04-15");
    assert_eq!(
        (story.word(), story.on(Class::BorrowerCredit)),
        ("settled", 9_000)
    );
    let early = story.act(Actor::Machine, Deed::Closed);
    assert_eq!(early, Err(Refused::CreditLeft(cny(9_000))));
    story
        .act(two(), Deed::Refunded { amount: cny(9_000) })
        .unwrap();
    story.act(Actor::Machine, Deed::Closed).unwrap();
    assert_eq!(story.on(Class::Cash), 6_000);
    story.holds();
}

#[test]
fn early_repayment_costs_what_is_earned_and_the_fee() {
    for (percent, fee) in [("0", 0), ("1", 2_000)] {
        let mut story = Story::lent(conditions(PLAIN, percent), 300_000, 3, START);
        story.run("2026-02-15");
        story.pay(103_000);
        story.run("2026-03-01");
        // 16 of 30 days of 20.00, rounded down.
        let payoff = story.position().payoff(&story.conditions).unwrap();
        assert_eq!(payoff.earned.interest, cny(1_066));
        assert_eq!((payoff.principal, payoff.fee), (cny(200_000), cny(fee)));
        assert_eq!(payoff.total, cny(201_066 + fee));
        let amount = cny(payoff.total.fen() + 10);
        story
            .act(Actor::Bank, Deed::RepaidEarly { amount })
            .unwrap();
        assert_eq!(
            (story.word(), story.on(Class::BorrowerCredit)),
            ("settled", 10)
        );
        assert_eq!(story.on(Class::FeeIncome), fee);
        assert_eq!(story.on(Class::InterestIncome), 3_000 + 1_066);
        story.holds();
    }
}

#[test]
fn a_part_repaid_early_lowers_what_follows() {
    let mut story = Story::plain();
    story.run("2026-02-15");
    // What is due first, then half of what is left.
    let amount = cny(103_000 + 100_000);
    story
        .act(Actor::Bank, Deed::RepaidEarly { amount })
        .unwrap();
    let rows = |story: &Story| {
        let slots = story.position().slots().iter();
        let ahead = slots.filter_map(slot::Slot::ahead);
        let row = |one: &slot::Ahead| (one.principal.fen(), one.interest.fen());
        ahead.map(row).collect::<Vec<_>>()
    };
    assert_eq!(rows(&story), [(50_000, 1_000), (50_000, 500)]);
    story.run("2026-03-15");
    assert_eq!(story.due(), 51_000);
    story.pay(51_000);
    story.run("2026-04-15");
    story.pay(50_500);
    assert_eq!(
        (story.word(), story.on(Class::InterestIncome)),
        ("settled", 4_500)
    );
    story.holds();
    // With a fee of 1 percent, 1,010.00 repay 1,000.00.
    let mut story = Story::lent(conditions(PLAIN, "1"), 300_000, 3, START);
    story.run("2026-02-15");
    let amount = cny(103_000 + 101_000);
    story
        .act(Actor::Bank, Deed::RepaidEarly { amount })
        .unwrap();
    assert_eq!(rows(&story), [(50_000, 1_000), (50_000, 500)]);
    assert_eq!(story.on(Class::FeeIncome), 1_000);
    story.holds();
}

#[test]
fn too_little_to_reach_the_principal_waits_as_credit() {
    let mut story = Story::plain();
    story.run("2026-01-25");
    story
        .act(Actor::Bank, Deed::RepaidEarly { amount: cny(900) })
        .unwrap();
    assert_eq!(story.on(Class::BorrowerCredit), 900);
    assert_eq!(story.on(Class::Principal), 300_000);
    story.holds();
}

#[test]
fn fees_and_interest_put_off_are_asked_for_when_they_are_due() {
    let text = include_str!("../../../../products/purchase-order.toml");
    let mut story = Story::lent(conditions(text, "0"), 10_000_000, 3, "2026-03-02");
    // 50.00 for the inspection, at once.
    assert_eq!((story.due(), story.on(Class::FeeIncome)), (5_000, 5_000));
    story.pay(5_000);
    let terms = story.conditions.product.terms(3).unwrap();
    let made = crate::schedule::calculate(&terms, cny(10_000_000), date("2026-03-02"), &calendar());
    let made = made.unwrap();
    // Nothing with the first one; its interest is earned all the same.
    assert_eq!(made.instalments[0].due().total().unwrap(), cny(0));
    let second = &made.instalments[1];
    story.run("2026-04-01");
    let earned = story.on(Class::InterestReceivable);
    assert!(earned * 2 > second.interest.fen() * 9 / 10, "{earned}");
    for one in &made.instalments[1..] {
        story.run_to(one.period.due);
        assert_eq!(story.position().due().unwrap(), one.due());
        story.pay(one.due().total().unwrap().fen());
    }
    assert_eq!(story.word(), "settled");
    assert_eq!(
        story.on(Class::InterestIncome),
        made.interest().unwrap().fen()
    );
    story.holds();
}

#[test]
fn fees_of_each_instalment_follow_the_schedule() {
    let text = include_str!("../../../../products/pledged-stock.toml");
    let mut story = Story::lent(conditions(text, "0"), 12_345_678, 5, "2026-01-31");
    let terms = story.conditions.product.terms(5).unwrap();
    let made = crate::schedule::calculate(&terms, cny(12_345_678), date("2026-01-31"), &calendar());
    for one in &made.unwrap().instalments {
        story.run_to(one.period.due);
        assert_eq!(story.position().due().unwrap(), one.due());
        story.pay(one.due().total().unwrap().fen());
    }
    assert_eq!(story.word(), "settled");
    story.holds();
}
