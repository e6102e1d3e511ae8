//! Any life of a loan: the books balance, nobody pays too much, and late booking changes nothing.
//! `PROPTEST_CASES=5000` tries more of them.

use proptest::prelude::*;

use super::*;
use crate::ledger::Side;

/// Something that is tried; what is refused changes nothing.
#[derive(Clone, Debug)]
pub(super) enum Try {
    Days(u32),
    Pay(i64),
    PayDue,
    Early(i64),
    BackDated(u32, i64),
    Reverse(usize),
    Correct(usize, u32, i64),
    Restructure(u32),
    WriteOff,
    Recover(i64),
    Refund(i64),
    EndWatch,
    Graded(Grade),
}

pub(super) fn any_try() -> impl Strategy<Value = Try> {
    let fen = 1i64..400_000;
    prop_oneof![
        4 => (1u32..45).prop_map(Try::Days),
        1 => (100u32..400).prop_map(Try::Days),
        3 => fen.clone().prop_map(Try::Pay),
        3 => Just(Try::PayDue),
        1 => fen.clone().prop_map(Try::Early),
        3 => (0u32..60, fen.clone()).prop_map(|(days, fen)| Try::BackDated(days, fen)),
        2 => (0usize..8).prop_map(Try::Reverse),
        2 => (0usize..8, 0u32..60, fen.clone()).prop_map(|(n, days, fen)| Try::Correct(n, days, fen)),
        1 => (2u32..14).prop_map(Try::Restructure),
        1 => Just(Try::WriteOff),
        1 => fen.clone().prop_map(Try::Recover),
        1 => fen.prop_map(Try::Refund),
        1 => Just(Try::EndWatch),
        1 => prop::sample::select(vec![Grade::Normal, Grade::Substandard, Grade::Loss])
            .prop_map(Try::Graded),
    ]
}

fn payment(story: &Story, number: usize) -> Option<Key> {
    let paid = story.acts.iter().filter(|act| {
        matches!(
            act.deed,
            Deed::Paid { .. } | Deed::RepaidEarly { .. } | Deed::Recovered { .. }
        )
    });
    paid.map(|act| act.key.clone()).nth(number)
}

/// What was tried, or why not.
pub(super) fn attempt(story: &mut Story, try_: &Try) -> Result<(), Refused> {
    let ago = |story: &Story, days: u32| story.today - chrono::Days::new(days.into());
    let reason = reason();
    match try_ {
        Try::Days(days) => {
            story.run_to(story.today + chrono::Days::new((*days).into()));
            Ok(())
        }
        Try::Pay(fen) => pay(story, *fen),
        Try::PayDue => match story.due() {
            0 => Ok(()),
            due => pay(story, due),
        },
        Try::Early(fen) => story.act(Actor::Bank, Deed::RepaidEarly { amount: cny(*fen) }),
        Try::BackDated(days, fen) => {
            let amount = cny(*fen);
            story.act_on(ago(story, *days), Actor::Bank, Deed::Paid { amount })
        }
        Try::Reverse(number) => match payment(story, *number) {
            None => Ok(()),
            Some(payment) => story.act(two(), Deed::PaymentReversed { payment, reason }),
        },
        Try::Correct(number, days, fen) => match payment(story, *number) {
            None => Ok(()),
            Some(payment) => {
                let (amount, on) = (cny(*fen), ago(story, *days));
                let deed = Deed::PaymentCorrected {
                    payment,
                    amount,
                    on,
                    reason,
                };
                story.act(two(), deed)
            }
        },
        Try::Restructure(months) => story.act(two(), new_terms(story.today, *months)),
        Try::WriteOff => story.act(two(), Deed::WrittenOff { reason }),
        Try::Recover(fen) => story.act(Actor::Bank, Deed::Recovered { amount: cny(*fen) }),
        Try::Refund(fen) => story.act(two(), Deed::Refunded { amount: cny(*fen) }),
        Try::EndWatch => story.act(two(), Deed::WatchEnded { reason }),
        Try::Graded(at_least) => {
            let at_least = *at_least;
            story.act(two(), Deed::Graded { at_least, reason })
        }
    }
}

/// A payment takes what is due and not a fen more.
fn pay(story: &mut Story, fen: i64) -> Result<(), Refused> {
    let (due, credit) = (story.due(), story.on(Class::BorrowerCredit));
    story.act(Actor::Bank, Deed::Paid { amount: cny(fen) })?;
    assert_eq!(story.on(Class::BorrowerCredit), credit + (fen - due).max(0));
    assert_eq!(story.due(), (due - fen).max(0));
    Ok(())
}

fn new_terms(start: NaiveDate, months: u32) -> Deed {
    let at = |month| start + chrono::Months::new(month);
    let period = |month| Span {
        start: at(month),
        end: at(month + 1),
        due: at(month + 1),
    };
    Deed::Restructured(NewTerms {
        periods: (0..months).map(period).collect(),
        annual_rate: crate::schedule::Rate::from_percent("7.3").unwrap(),
        repaid: Repaid::EqualInstalments,
        reason: reason(),
    })
}

/// The acts of a story as they would have come in time: corrected, and on their days.
fn in_time(story: &Story) -> Story {
    let mut acts: Vec<Act> = Vec::new();
    for act in story.acts.iter().filter(|act| !act.deed.is_of_the_run()) {
        match &act.deed {
            Deed::PaymentReversed { payment, .. } => acts.retain(|other| other.key != *payment),
            Deed::PaymentCorrected {
                payment,
                amount: right,
                on,
                ..
            } => {
                let wrong = acts.iter_mut().find(|other| other.key == *payment).unwrap();
                wrong.value = *on;
                match &mut wrong.deed {
                    Deed::Paid { amount }
                    | Deed::RepaidEarly { amount }
                    | Deed::Recovered { amount } => *amount = *right,
                    other => panic!("{other:?}"),
                }
            }
            _ => acts.push(act.clone()),
        }
    }
    acts.sort_by_key(|act| act.value);
    let opened = story.loan.file().opened();
    let mut again = Story::opened(
        story.conditions.clone(),
        opened.approved.fen(),
        opened.instalments,
        START,
    );
    for mut act in acts.into_iter().skip(1) {
        again.run_to(act.value);
        act.booked = noon(act.value);
        again.send(act).unwrap();
    }
    again.run_to(story.position().day());
    again
}

/// Of a loan without instalments only acts say what day it is.
fn on_day(position: &Position, day: NaiveDate) -> Position {
    let mut position = position.clone();
    position.pass_until(day);
    position
}

/// Principal is what was paid out less what came back and what was given up, from the entries alone.
fn principal_is_conserved(story: &Story) {
    let mut sum = 0;
    for entry in &story.entries {
        for posting in entry.postings() {
            if posting.account.class() == Class::Principal {
                let fen = posting.amount.fen();
                sum += if posting.side == Side::Debit {
                    fen
                } else {
                    -fen
                };
            }
        }
    }
    let slots = story.position().slots().iter();
    let owed: i64 = slots
        .map(|slot| match &slot.stage {
            slot::SlotStage::Ahead(ahead) => ahead.principal.fen(),
            slot::SlotStage::Fallen(fallen) => fallen.unpaid.principal.fen(),
        })
        .sum();
    assert_eq!(sum, owed);
}

/// Products that differ in whatever a loan's life depends on.
pub(super) fn products() -> [String; 4] {
    let by_days = PLAIN
        .replace("equal-principal", "equal-instalments")
        .replace("30/360", "act/365")
        .replace("equal-periods", "by-days");
    let lenient = PLAIN
        .replace("grace_days = 0", "grace_days = 5")
        .replace("oldest-instalment", "component")
        .replace("principal-and-interest", "principal");
    let late = r#"
[grace]
principal = 1
interest = 1
[[fees]]
name = "watching"
percent = "0.05"
of = "balance"
when = "each-instalment"
[[fees]]
name = "inspection"
amount = "50.00"
when = "disbursement"
"#;
    [PLAIN.to_owned(), by_days, lenient, format!("{PLAIN}{late}")]
}

proptest! {
    #[test]
    fn any_life_balances_and_late_booking_changes_nothing(
        tries in prop::collection::vec(any_try(), 1..14),
        instalments in 2u32..13,
        fen in 100_000i64..2_000_000,
        product in 0usize..4,
    ) {
        let text = products();
        let conditions = conditions(&text[product], "0.5");
        let mut story = Story::lent(conditions, fen, instalments, START);
        for try_ in &tries {
            let before = story.loan.clone();
            if attempt(&mut story, try_).is_err() {
                prop_assert_eq!(&before, &story.loan);
            }
            principal_is_conserved(&story);
        }
        story.holds();
        let again = in_time(&story);
        let day = story.position().day();
        prop_assert_eq!(story.position(), &on_day(again.position(), day));
        for class in Class::ALL {
            prop_assert_eq!(story.on(class), again.on(class), "{:?}", class);
        }
    }

    #[test]
    fn interest_of_any_schedule_is_earned_to_the_fen(
        fen in 100_000i64..5_000_000, instalments in 2u32..13, offset in 0u64..400,
    ) {
        for product in [
            PLAIN.to_owned(),
            PLAIN.replace("30/360", "act/act").replace("equal-periods", "by-days"),
            PLAIN.replace("declining-balance", "flat"),
        ] {
            let conditions = conditions(&product, "0");
            let start = date(START) + chrono::Days::new(offset);
            let mut story = Story::lent(conditions, fen, instalments, &start.to_string());
            let terms = story.conditions.product.terms(instalments).unwrap();
            let made = crate::schedule::calculate(&terms, cny(fen), start, &calendar()).unwrap();
            for one in &made.instalments {
                story.run_to(one.period.due);
                prop_assert_eq!(story.position().due().unwrap(), one.due());
                story.pay(one.due().total().unwrap().fen());
            }
            prop_assert_eq!(story.word(), "settled");
            prop_assert_eq!(story.on(Class::InterestIncome), made.interest().unwrap().fen());
        }
    }
}

/// The lives that are tried come everywhere, so that what holds of them holds of something.
#[test]
fn lives_that_are_tried_reach_every_state_and_deed() {
    use std::collections::BTreeSet;

    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let lives = prop::collection::vec(any_try(), 1..14);
    let (mut states, mut deeds) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..600 {
        let tries = lives.new_tree(&mut runner).unwrap().current();
        let mut story = Story::plain();
        for try_ in &tries {
            // What is refused is no part of it.
            let _ = attempt(&mut story, try_);
            states.insert(story.word());
        }
        deeds.extend(story.acts.iter().map(|act| act.deed.word()));
    }
    let reached = [
        "active",
        "delinquent",
        "recovering",
        "restructured",
        "settled",
        "written_off",
    ];
    assert!(states.iter().copied().eq(reached), "{states:?}");
    let done = [
        "graded",
        "paid",
        "payment_corrected",
        "payment_reversed",
        "recovered",
        "refunded",
        "repaid_early",
        "restructured",
        "written_off",
    ];
    let missing: Vec<_> = done.iter().filter(|deed| !deeds.contains(*deed)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
