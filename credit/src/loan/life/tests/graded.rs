//! Buckets, classes, suspension, new terms, write-off and recovery.

use super::*;

#[test]
fn buckets_and_classes_change_on_the_day_after() {
    let rules = GradingRules::default();
    let table = [
        (0, Bucket::Current, Grade::Normal),
        (1, Bucket::UpTo30, Grade::SpecialMention),
        (30, Bucket::UpTo30, Grade::SpecialMention),
        (31, Bucket::UpTo60, Grade::SpecialMention),
        (61, Bucket::UpTo90, Grade::SpecialMention),
        (90, Bucket::UpTo90, Grade::SpecialMention),
        (91, Bucket::UpTo180, Grade::Substandard),
        (181, Bucket::UpTo360, Grade::Substandard),
        (270, Bucket::UpTo360, Grade::Substandard),
        (271, Bucket::UpTo360, Grade::Doubtful),
        (360, Bucket::UpTo360, Grade::Doubtful),
        (361, Bucket::Beyond360, Grade::Loss),
    ];
    let mut story = Story::plain();
    for (days, bucket, grade) in table {
        assert_eq!(
            (Bucket::of(days), rules.by_days(days)),
            (bucket, grade),
            "{days}"
        );
        story.run_to(date("2026-02-15") + chrono::Days::new(days.into()));
        let position = story.position();
        assert_eq!(
            (position.bucket(), position.grading().grade),
            (bucket, grade),
            "{days}"
        );
        assert_eq!(position.is_suspended(), days > 90);
    }
    story.holds();
}

#[test]
fn what_is_set_aside_follows_the_class() {
    let mut story = Story::plain();
    story.run("2026-01-16");
    // 1 percent of 3,000.00 and a day's interest of 1.00, rounded up.
    assert_eq!(story.on(Class::LossAllowance), 3_001);
    story.run("2026-05-17");
    // 91 days late: a quarter of the principal; the interest is suspended.
    assert_eq!(story.grade(), Grade::Substandard);
    assert_eq!(story.on(Class::LossAllowance), 75_000);
    assert_eq!(story.on(Class::InterestIncome), 0);
    assert_eq!(story.on(Class::PenaltyIncome), 0);
    story.run("2026-11-13");
    assert_eq!(
        (story.grade(), story.on(Class::LossAllowance)),
        (Grade::Doubtful, 150_000)
    );
    story.run("2027-02-11");
    assert_eq!(
        (story.grade(), story.on(Class::LossAllowance)),
        (Grade::Loss, 300_000)
    );
    story.holds();
}

#[test]
fn suspended_interest_is_earned_when_it_is_paid_and_the_class_stays() {
    let mut story = Story::plain();
    story.run("2026-05-26");
    let due = story.due();
    story.pay(due);
    // All three instalments: settled, and all of it is income now.
    assert_eq!(story.word(), "settled");
    assert_eq!(story.on(Class::InterestIncome), 6_000);
    assert_eq!(story.on(Class::SuspendedInterest), 0);
    story.holds();
    // With instalments ahead, the class stays until half a year is clean.
    let mut story = Story::lent(conditions(PLAIN, "0"), 3_600_000, 36, START);
    story.run("2026-05-26");
    story.pay(story.due());
    assert_eq!(
        (story.word(), story.grade()),
        ("active", Grade::Substandard)
    );
    clean(&mut story, "2026-11-25");
    assert_eq!(
        (story.grade(), story.position().is_suspended()),
        (Grade::Substandard, true)
    );
    clean(&mut story, "2026-11-26");
    assert_eq!(
        (story.grade(), story.position().is_suspended()),
        (Grade::Normal, false)
    );
    assert_eq!(story.on(Class::SuspendedInterest), 0);
    story.holds();
}

/// Pays whatever is due on the very day.
fn clean(story: &mut Story, until: &str) {
    while story.today < date(until) {
        story.run_to(story.today.succ_opt().unwrap());
        if story.due() > 0 {
            story.pay(story.due());
        }
    }
}

/// Two years of months from a day, at 6 percent.
fn new_terms(from: &str, months: u32) -> Deed {
    let start = date(from);
    let at = |month| start + chrono::Months::new(month);
    let period = |month| Span {
        start: at(month),
        end: at(month + 1),
        due: at(month + 1),
    };
    Deed::Restructured(NewTerms {
        periods: (0..months).map(period).collect(),
        annual_rate: crate::schedule::Rate::from_percent("6").unwrap(),
        repaid: Repaid::EqualPrincipal,
        reason: reason(),
    })
}

#[test]
fn new_terms_do_not_make_a_loan_good() {
    let mut story = Story::plain();
    story.run("2026-05-26");
    assert_eq!(story.position().grading().days, 100);
    let owed = story.due();
    story.act(two(), new_terms("2026-05-26", 24)).unwrap();
    let Loan::Restructured(loan) = &story.loan else {
        panic!("{}", story.word());
    };
    assert_eq!(loan.watch().days_carried, 100);
    assert_eq!(story.due(), 0);
    assert_eq!(
        (story.position().bucket(), story.grade()),
        (Bucket::UpTo180, Grade::Substandard)
    );
    story.run("2026-06-26");
    // 125.00 of principal, half a percent of 3,000.00, and what was owed beside principal.
    assert_eq!(story.due(), 12_500 + 1_500 + (owed - 300_000));
    story.pay(story.due());
    clean(&mut story, "2026-11-26");
    assert_eq!(
        (story.grade(), story.position().bucket()),
        (Grade::Substandard, Bucket::UpTo180)
    );
    clean(&mut story, "2026-11-27");
    assert_eq!(
        (story.grade(), story.position().bucket()),
        (Grade::SpecialMention, Bucket::Current)
    );
    clean(&mut story, "2027-06-25");
    let early = story.act(two(), Deed::WatchEnded { reason: reason() });
    assert_eq!(early, Err(Refused::Watched(Some(date("2027-06-26")))));
    clean(&mut story, "2027-06-26");
    assert_eq!(story.grade(), Grade::SpecialMention);
    story
        .act(two(), Deed::WatchEnded { reason: reason() })
        .unwrap();
    assert_eq!((story.word(), story.grade()), ("active", Grade::Normal));
    clean(&mut story, "2028-05-26");
    assert_eq!(story.word(), "settled");
    story.holds();
}

#[test]
fn a_missed_instalment_begins_the_watch_anew() {
    let mut story = Story::plain();
    story.run("2026-02-16");
    story.act(two(), new_terms("2026-02-16", 30)).unwrap();
    assert_eq!(story.grade(), Grade::SpecialMention);
    clean(&mut story, "2026-07-15");
    story.run("2026-07-20");
    let until = |story: &Story| {
        story
            .position()
            .grading()
            .watch_until(&GradingRules::default())
    };
    assert_eq!(until(&story), Some(date("2027-07-16")));
    story.pay(story.due());
    clean(&mut story, "2027-07-15");
    assert!(
        story
            .act(two(), Deed::WatchEnded { reason: reason() })
            .is_err()
    );
    clean(&mut story, "2027-07-16");
    story
        .act(two(), Deed::WatchEnded { reason: reason() })
        .unwrap();
    story.holds();
}

#[test]
fn new_terms_upon_new_terms_are_substandard() {
    let mut story = Story::plain();
    story.run("2026-02-20");
    story.act(two(), new_terms("2026-02-20", 12)).unwrap();
    story.run("2026-04-01");
    story.act(two(), new_terms("2026-04-01", 24)).unwrap();
    assert_eq!(story.grade(), Grade::Substandard);
    assert!(story.position().is_suspended());
    clean(&mut story, "2027-01-01");
    assert_eq!(story.grade(), Grade::Substandard);
    story.holds();
}

#[test]
fn only_a_loss_that_is_set_aside_is_written_off_and_then_recovered() {
    let mut story = Story::plain();
    let write_off = || Deed::WrittenOff { reason: reason() };
    story.run("2027-02-10");
    assert_eq!(
        story.act(two(), write_off()),
        Err(Refused::NoLoss(Grade::Doubtful))
    );
    story.run("2027-02-11");
    let owed = story.due();
    story.act(two(), write_off()).unwrap();
    assert_eq!(
        (story.word(), story.on(Class::Principal)),
        ("written_off", 0)
    );
    assert_eq!(story.on(Class::WrittenOffClaim), owed);
    assert_eq!(
        (
            story.on(Class::LossAllowance),
            story.on(Class::SuspendedInterest)
        ),
        (0, 0)
    );
    assert_eq!(story.on(Class::ProvisionExpense), 300_000);
    // No day does anything any more, and payments are recoveries.
    story.run("2027-03-01");
    let amount = cny(100_000);
    assert!(matches!(
        story.act(Actor::Bank, Deed::Paid { amount }),
        Err(Refused::State { .. })
    ));
    story.act(Actor::Bank, Deed::Recovered { amount }).unwrap();
    assert_eq!(
        (story.word(), story.on(Class::RecoveryIncome)),
        ("recovering", 100_000)
    );
    story
        .act(Actor::Bank, Deed::Recovered { amount: cny(owed) })
        .unwrap();
    assert_eq!(
        (story.word(), story.on(Class::BorrowerCredit)),
        ("settled", 100_000)
    );
    assert_eq!(story.on(Class::RecoveryIncome), owed);
    story.holds();
}

#[test]
fn people_see_more_than_the_calendar() {
    let graded = |at_least| Deed::Graded {
        at_least,
        reason: text("the borrower is bankrupt"),
    };
    let mut story = Story::plain();
    story.run("2026-01-25");
    assert!(story.act(one("li-wei"), graded(Grade::Loss)).is_err());
    story.act(two(), graded(Grade::Loss)).unwrap();
    assert_eq!((story.word(), story.grade()), ("active", Grade::Loss));
    // The ten days' interest is income no more.
    assert_eq!(
        (
            story.on(Class::InterestIncome),
            story.on(Class::SuspendedInterest)
        ),
        (0, 1_000)
    );
    let write_off = || Deed::WrittenOff { reason: reason() };
    let (provided, exposure) = (cny(3_010), cny(300_000));
    let unprovided = Refused::Unprovided { provided, exposure };
    assert_eq!(story.act(two(), write_off()), Err(unprovided));
    story.run("2026-01-26");
    let mut lifted = story.clone();
    story.act(two(), write_off()).unwrap();
    assert_eq!(story.on(Class::WrittenOffClaim), 301_100);
    story.holds();
    // What people have made non-performing is cured like any other: by time.
    lifted.act(two(), graded(Grade::Normal)).unwrap();
    assert_eq!(lifted.grade(), Grade::Substandard);
    lifted.holds();
}

#[test]
fn rules_laxer_than_the_regulators_are_refused() {
    let lax = |change: fn(&mut Rules)| {
        let mut rules = Rules::usual().unwrap();
        change(&mut rules);
        rules.check()
    };
    assert_eq!(lax(|_| ()), Ok(()));
    assert!(matches!(
        lax(|rules| rules.grading.substandard_after_days = 91),
        Err(RulesError::Lax {
            field: "substandard_after_days",
            ..
        })
    ));
    assert!(lax(|rules| rules.grading.watch_months = 11).is_err());
    assert!(lax(|rules| rules.grading.loss_after_days = 60).is_err());
    let zero = crate::schedule::Rate::ZERO;
    assert!(Rules::usual().is_ok_and(|mut rules| {
        rules.provisions.doubtful_percent = zero;
        rules.check() == Err(RulesError::Order("provisions"))
    }));
}
