//! The daily run: again, stopped, late; and how fast it is.

use super::*;

/// A loan of which something was late and something too much.
fn mixed() -> Story {
    let mut story = Story::lent(conditions(PLAIN, "0"), 1_200_000, 12, START);
    story.run("2026-02-20");
    story.pay(50_000);
    story.run("2026-03-15");
    story.pay(400_000);
    story
}

#[test]
fn a_day_that_was_run_gives_nothing_more() {
    let mut story = mixed();
    story.run("2026-07-20");
    let (loan, done) =
        super::super::day(story.loan.clone(), story.today, noon(story.today)).unwrap();
    assert_eq!((loan, done.len()), (story.loan.clone(), 0));
    // Nor do acts of the run that are sent again.
    let acts: Vec<_> = story
        .acts
        .iter()
        .filter(|act| act.deed.is_of_the_run())
        .cloned()
        .collect();
    assert!(acts.len() > 100);
    for act in acts {
        let applied = story.loan.clone().apply(act).unwrap();
        assert!(!applied.is_new && applied.entries.is_empty());
    }
    story.holds();
}

#[test]
fn one_by_one_stopped_anywhere_or_all_at_once_is_the_same() {
    let start = mixed();
    let end = date("2026-09-30");
    let booked = noon(end);
    let all = super::super::day(start.loan.clone(), end, booked).unwrap();
    let (mut by_day, mut days) = (start.loan.clone(), Vec::new());
    let mut at = start.today;
    while at < end {
        at = at.succ_opt().unwrap();
        let (loan, done) = super::super::day(by_day, at, booked).unwrap();
        by_day = loan;
        days.extend(done);
    }
    assert_eq!(all, (by_day, days));
    // Stopped after every single act, and read back from what was kept.
    let mut acts = start.acts.clone();
    let mut steps = Vec::new();
    let id = start.loan.file().id().clone();
    let mut loan = start.loan.clone();
    while let Some(act) = daily::next(&loan, end, booked) {
        let applied = loan.apply(act.clone()).unwrap();
        acts.push(act.clone());
        steps.push((act, applied.entries));
        loan = applied.loan;
        if steps.len() % 25 == 0 {
            loan = Loan::replay(id.clone(), start.conditions.clone(), acts.clone())
                .unwrap()
                .0;
        }
    }
    assert_eq!(all, (loan, steps));
}

#[test]
fn acts_are_written_and_read_again() {
    let mut story = mixed();
    story.run("2026-04-20");
    let (payment, reason) = (story.acts[4].key.clone(), reason());
    assert!(
        story
            .act(two(), Deed::PaymentReversed { payment, reason })
            .is_err()
    );
    for act in &story.acts {
        let written = serde_json::to_string(act).unwrap();
        assert_eq!(
            serde_json::from_str::<Act>(&written).unwrap(),
            *act,
            "{written}"
        );
    }
    let day = serde_json::to_value(story.acts.last().unwrap()).unwrap();
    assert_eq!(
        day,
        serde_json::json!({
            "key": "day/2026-04-20", "value": "2026-04-20",
            "booked": "2026-04-20T04:00:00.000000Z",
            "by": {"actor": "machine"}, "deed": {"deed": "day_opened"},
        })
    );
}

/// `cargo test --release -- --ignored --nocapture loans_a_second`
#[test]
#[ignore = "a measure, not a check"]
fn loans_a_second() {
    const LOANS: usize = 20_000;
    let on_time = {
        let mut story = Story::lent(conditions(PLAIN, "0"), 1_200_000, 12, START);
        story.run("2026-02-10");
        story
    };
    let mut late = on_time.clone();
    late.run("2026-05-02");
    let conditions = conditions(PLAIN, "0");
    for (name, story) in [("in time", on_time), ("late", late)] {
        let loans = vec![story.loan.clone(); LOANS];
        let next = story.today.succ_opt().unwrap();
        let begun = std::time::Instant::now();
        let mut entries = 0;
        for loan in loans {
            let (_, done) = super::super::day(loan, next, noon(next)).unwrap();
            entries += done.iter().map(|(_, entries)| entries.len()).sum::<usize>();
        }
        let took = begun.elapsed();
        println!("{name}: a day of {LOANS} loans in {took:?}, {entries} entries");
        let id = story.loan.file().id().clone();
        let begun = std::time::Instant::now();
        for _ in 0..1_000 {
            Loan::replay(id.clone(), conditions.clone(), story.acts.clone()).unwrap();
        }
        let took = begun.elapsed();
        println!(
            "{name}: 1,000 loans read back from {} acts in {took:?}",
            story.acts.len()
        );
    }
}
