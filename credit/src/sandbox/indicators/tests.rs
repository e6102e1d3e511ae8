use proptest::prelude::*;
use schemas::ids::Slug;

pub(crate) mod samples;

use samples::*;

use super::calculate::figures;
use super::*;
use crate::money::{Currency, Money};

fn read(rows: Vec<Row>) -> Rows {
    Rows::read(Currency::CNY, rows).unwrap()
}

fn value(month_of: &str, id: FigureId) -> (Value, String) {
    let figures = calculate(month(month_of), &read(story())).unwrap();
    let figure = figures.into_iter().find(|figure| figure.id == id).unwrap();
    let rows: Vec<_> = figure.rows.iter().map(Slug::as_str).collect();
    (figure.value, rows.join(" "))
}

#[test]
fn figures_are_those_of_the_story_and_open_their_rows() {
    use FigureId as F;
    let count = Value::Count;
    let amount = |fen| Value::Amount(cny(fen));
    for (month, id, expected, rows) in [
        ("2026-12", F::Loans, count(2), "d1 d2"),
        ("2026-12", F::Lent, amount(1_500), "d1 d2"),
        ("2026-12", F::Borrowers, count(2), "d1 d2"),
        ("2026-12", F::Repaid, amount(100), "r1"),
        ("2027-01", F::Repaid, amount(400), "r2"),
        ("2026-12", F::Outstanding, amount(1_400), "d1 d2 r1"),
        // 400 of l1 are due on the last day itself: not late yet.
        ("2026-12", F::Overdue, amount(400), "r1 s2"),
        (
            "2026-12",
            F::OverdueShare,
            Value::BasisPoints(2_858),
            "d1 d2 r1 s2",
        ),
        ("2027-01", F::Overdue, amount(700), "r1 r2 s1 s2 w1"),
        ("2027-02", F::WrittenOff, amount(0), ""),
        ("2027-01", F::WrittenOff, amount(300), "w1"),
        ("2027-02", F::Loss, amount(300), "w1"),
        (
            "2026-12",
            F::LargestBuyer,
            Value::BasisPoints(7_143),
            "d1 d2 r1",
        ),
        ("2026-11", F::OverdueShare, Value::Nothing, ""),
        ("2026-12", F::Applications, count(2), "a1 a3"),
        ("2026-12", F::Decisions, count(2), "a2 a4"),
        ("2026-12", F::Offers, count(1), "a2"),
        ("2026-12", F::DecidedInADay, count(1), "a1 a2"),
        ("2026-12", F::Complaints, count(2), "c1 c2"),
        ("2026-12", F::ComplaintsOpen, count(2), "c1 c2"),
        ("2027-01", F::ComplaintsOpen, count(1), "c2"),
        ("2027-01", F::ComplaintsAnswered, count(1), "c3"),
        ("2026-12", F::PrivacyComplaints, count(1), "c2"),
        ("2026-12", F::PrivacyIncidents, count(1), "i1"),
        ("2026-12", F::IncidentsOpen, count(1), "i3"),
        ("2026-12", F::IncidentsTreated, count(1), "i2"),
    ] {
        // l1 is 600 late of 600 in January, l2 is 100 late: 500 less what came and was given up.
        assert_eq!(
            value(month, id),
            (expected, rows.to_owned()),
            "{month} {id:?}"
        );
    }
}

#[test]
fn ninety_days_are_counted_from_the_last_day() {
    let rows = |on: &str| {
        read(vec![
            row("d", "2026-12-01T02:00:00Z", lent("l", "b", "x", 100)),
            row("s", "2026-12-01T02:00:00Z", due("l", &[(on, 100)])),
        ])
    };
    // 2027-03-31 less 90 days is 2026-12-31: due then it is exactly 90 days late.
    for (on, expected) in [("2026-12-30", 100), ("2026-12-31", 0)] {
        let figures = calculate(month("2027-03"), &rows(on)).unwrap();
        let bad = figures
            .iter()
            .find(|one| one.id == FigureId::OverdueAbove90);
        assert_eq!(bad.unwrap().value, Value::Amount(cny(expected)), "{on}");
    }
}

#[test]
fn the_last_schedule_of_a_loan_counts() {
    let mut rows = story();
    rows.push(row(
        "s3",
        "2026-12-19T02:00:00Z",
        due("l2", &[("2027-02-20", 500)]),
    ));
    let figures = calculate(month("2026-12"), &read(rows)).unwrap();
    let overdue = figures
        .iter()
        .find(|one| one.id == FigureId::Overdue)
        .unwrap();
    assert_eq!(overdue.value, Value::Amount(cny(0)));
}

#[test]
fn rows_that_do_not_fit_are_named() {
    let wrong = |more: Row| {
        let mut rows = story();
        rows.push(more);
        Rows::read(Currency::CNY, rows).unwrap_err().to_string()
    };
    let time = "2027-01-05T02:00:00Z";
    assert_eq!(
        wrong(row("r1", time, repaid("l2", 1))),
        "two different rows have the id `r1`"
    );
    assert_eq!(
        wrong(row("r9", time, repaid("l9", 1))),
        "row `r9`: the loan `l9` was never paid out"
    );
    assert_eq!(
        wrong(row("d9", time, lent("l1", "b", "x", 1))),
        "row `d9`: the loan `l1` was paid out before"
    );
    assert_eq!(
        wrong(row("r9", time, repaid("l1", 601))),
        "of the loan `l1` more is settled than was paid out"
    );
    let other = Money::zero("EUR".parse().unwrap());
    let fact = Fact::Repaid {
        loan: slug("l1"),
        amount: other,
    };
    assert_eq!(wrong(row("r9", time, fact)), "the amounts are refused");
}

#[test]
fn months_are_read_as_they_are_written() {
    for text in ["2026-11", "2028-02"] {
        assert_eq!(month(text).to_string(), text);
    }
    for text in [
        "",
        "2026-13",
        "2026-1",
        "2026-11-01",
        "26-11",
        "+2026-11",
        "2026-00",
    ] {
        assert!(text.parse::<Month>().is_err(), "{text}");
    }
    assert_eq!(month("2028-02").last(), day("2028-02-29"));
    assert_eq!(month("2026-12").next(), month("2027-01"));
    assert!(month("2026-12").holds(at("2026-12-31T15:59:59Z")));
    assert!(!month("2026-12").holds(at("2026-12-31T16:00:00Z")));
}

fn fen(figures: &[Figure], id: FigureId) -> i64 {
    let figure = figures.iter().find(|figure| figure.id == id).unwrap();
    match figure.value {
        Value::Amount(money) => money.fen(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// What was owed, and what was lent, repaid and given up since, make what is owed.
    #[test]
    fn months_join(rows in trials()) {
        let rows = read(rows);
        let (mut of, mut owed) = (month("2026-10"), 0);
        for _ in 0..9 {
            let figures = calculate(of, &rows).unwrap();
            let flow = fen(&figures, FigureId::Lent) - fen(&figures, FigureId::Repaid) - fen(&figures, FigureId::WrittenOff);
            owed += flow;
            prop_assert_eq!(owed, fen(&figures, FigureId::Outstanding));
            prop_assert!(fen(&figures, FigureId::Overdue) <= owed);
            prop_assert!(fen(&figures, FigureId::OverdueAbove90) <= fen(&figures, FigureId::Overdue));
            of = of.next();
        }
    }

    /// The rows of a figure alone give its value again, and all of them are known by then.
    #[test]
    fn each_figure_opens_all_of_its_rows(rows in trials(), later in 0u8..6) {
        let rows = read(rows);
        let of = (0..later).fold(month("2026-11"), |month, _| month.next());
        for figure in calculate(of, &rows).unwrap() {
            let own: Vec<_> = rows.all().iter().filter(|row| figure.rows.contains(&row.id)).collect();
            prop_assert_eq!(own.len(), figure.rows.len());
            prop_assert!(own.iter().all(|row| of.knows(row.at)));
            let again = figures(of, Currency::CNY, &own).unwrap();
            let again = again.into_iter().find(|one| one.id == figure.id).unwrap();
            prop_assert_eq!(again, figure);
        }
    }

    #[test]
    fn strange_months_never_panic(text in "\\PC{0,12}") {
        let _ = text.parse::<Month>();
    }
}
