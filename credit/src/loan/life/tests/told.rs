//! What any life of a loan tells the indicators comes to what the books say, after each act, act by act
//! and with days taken together.

use proptest::prelude::*;

use super::properties::{Try, any_try, attempt, products};
use super::*;
use crate::lending::rows::Named;
use crate::sandbox::indicators::{Fact, Row, Rows, Tally, readings};

/// Principal that was due before a day and is owed, by the loan itself.
fn overdue(loan: &Loan, before: NaiveDate) -> i64 {
    let slots = loan.position().unwrap().slots().iter();
    let late = slots.filter(|slot| slot.due < before);
    late.map(|slot| match &slot.stage {
        slot::SlotStage::Ahead(ahead) => ahead.principal.fen(),
        slot::SlotStage::Fallen(fallen) => fallen.unpaid.principal.fen(),
    })
    .sum()
}

/// Acts that are told together: days of the run, if they are.
fn parts(acts: &[Act], together: bool) -> Vec<Vec<Act>> {
    let mut parts: Vec<Vec<Act>> = Vec::new();
    for act in acts {
        let run = |act: &Act| together && act.deed.is_of_the_run();
        match parts.last_mut() {
            Some(last) if run(act) && run(&last[0]) => last.push(act.clone()),
            _ => parts.push(vec![act.clone()]),
        }
    }
    parts
}

/// Folds the loan and holds what it tells against it after each part; all rows.
fn told(story: &Story, together: bool) -> Vec<Row> {
    let (first, rest) = story.acts.split_first().unwrap();
    let id = story.loan.file().id();
    let named = Named::of(id, &slug("tea"), Some(&slug("buyer"))).unwrap();
    let mut loan = Loan::open(id.clone(), story.conditions.clone(), first.clone()).unwrap();
    let (mut tally, mut number) = (Tally::new(Currency::CNY), 1);
    let mut rows: Vec<Row> = Vec::new();
    for part in parts(rest, together) {
        let at = part[0].booked;
        let run = part[0].deed.is_of_the_run();
        number += u32::try_from(part.len()).unwrap();
        let step = |loan: Loan, act| loan.apply(act).unwrap().loan;
        let after = part.into_iter().fold(loan.clone(), step);
        // The daily run reads no file.
        let named = match run {
            true => named.clone(),
            false => named.clone().with_file(&after),
        };
        let new = named.rows((loan.position(), after.position()), number, at);
        for row in new.unwrap() {
            tally.add(&row).unwrap();
            rows.push(row);
        }
        loan = after;
        if let Some(position) = loan.position() {
            let Fact::Disbursed { loan: name, .. } = &rows[0].fact else {
                panic!("{:?}", rows[0]);
            };
            let owed = position.books().fen(Class::Principal);
            assert_eq!(tally.owed(name), Some(owed));
            for days in [0, 1, 40, 400] {
                let day = position.day() + chrono::Days::new(days);
                assert_eq!(tally.overdue(name, day), Some(overdue(&loan, day)));
            }
        }
    }
    rows
}

proptest! {
    #[test]
    fn what_is_told_is_what_the_books_say(
        tries in prop::collection::vec(any_try(), 1..14),
        instalments in 2u32..13,
        fen in 100_000i64..2_000_000,
        product in 0usize..4,
    ) {
        let text = products();
        let conditions = conditions(&text[product], "0.5");
        let mut story = Story::lent(conditions, fen, instalments, START);
        for try_ in &tries {
            // What is refused is no part of it.
            let _ = attempt(&mut story, try_);
        }
        let rows = told(&story, false);
        // A loan without instalments stays on its day, and acts come later.
        let day = story.today;
        let now = noon(day);
        // The order of rows by instant and id is that of the acts.
        let read = Rows::read(Currency::CNY, rows.iter().rev().cloned()).unwrap();
        prop_assert_eq!(read.all(), &rows[..]);
        let known = readings(now, &read, cny(0)).unwrap();
        let mut tally = Tally::new(Currency::CNY);
        for row in told(&story, true) {
            tally.add(&row).unwrap();
        }
        let debts = tally.debts(day).unwrap();
        prop_assert_eq!(known.outstanding, debts.outstanding);
        prop_assert_eq!(known.overdue, debts.overdue);
        prop_assert_eq!(known.loss, debts.loss);
    }
}

/// Lives reach every fact, so that what holds of them holds of something.
#[test]
fn lives_that_are_tried_tell_every_fact() {
    use std::collections::BTreeSet;

    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let lives = prop::collection::vec(any_try(), 1..14);
    // A recovery that was none is rare.
    let lost = [
        Try::Days(399),
        Try::Days(399),
        Try::WriteOff,
        Try::Recover(1_000),
        Try::Reverse(0),
    ];
    let mut facts = BTreeSet::new();
    for number in 0..600 {
        let tries = match number {
            0 => lost.to_vec(),
            _ => lives.new_tree(&mut runner).unwrap().current(),
        };
        let mut story = Story::plain();
        for try_ in &tries {
            // What is refused is no part of it.
            let _ = attempt(&mut story, try_);
        }
        facts.extend(told(&story, true).iter().map(|row| row.fact.word()));
    }
    let all = [
        "disbursed",
        "recovered",
        "repaid",
        "scheduled",
        "unpaid",
        "unrecovered",
        "written_off",
    ];
    assert!(facts.iter().copied().eq(all), "{facts:?}");
}
