use proptest::prelude::*;

use super::*;
use crate::money::Currency;
use crate::sandbox::indicators::Row;
use crate::sandbox::indicators::tests::samples::{at, cny, day, month, slug, story, trials};
use crate::sandbox::stop_loss::{Rule, Trip};

fn about(of: &str) -> About {
    About {
        project: slug("trial-1"),
        month: month(of),
        declaration: Hash([1; 32]),
        limits: Some(Hash([2; 32])),
        previous: None,
    }
}

fn problem(id: &str, found: &str) -> Problem {
    Problem {
        id: slug(id),
        found_at: at(found),
        found_by: slug("li"),
        figure: Some(FigureId::OverdueShare),
        words: "one buyer pays late".to_owned(),
        treatments: Vec::new(),
        closed_at: None,
    }
}

fn treated(mut problem: Problem, id: &str, when: &str) -> Problem {
    problem.treatments.push(Treatment {
        id: slug(id),
        at: at(when),
        by: slug("wang"),
        words: "the buyer was called".to_owned(),
    });
    problem
}

fn made(of: &str, rows: Vec<Row>, problems: &[Problem]) -> Report {
    let rows = Rows::read(Currency::CNY, rows).unwrap();
    Report::make(about(of), &rows, problems, day("2027-06-01")).unwrap()
}

#[test]
fn the_same_month_gives_the_same_bytes_again_even_when_more_is_known() {
    let first = treated(
        problem("q1", "2026-12-05T02:00:00Z"),
        "t1",
        "2026-12-06T02:00:00Z",
    );
    let before: Vec<_> = story()
        .into_iter()
        .filter(|row| month("2026-12").knows(row.at))
        .collect();
    let report = made("2026-12", before, std::slice::from_ref(&first));
    // A month later: more rows, another treatment, the problem is over, a new one was found.
    let mut later = treated(first, "t2", "2027-01-06T02:00:00Z");
    later.closed_at = Some(at("2027-01-07T02:00:00Z"));
    let mut rows = story();
    rows.reverse();
    let again = made(
        "2026-12",
        rows,
        &[problem("q2", "2027-01-02T02:00:00Z"), later],
    );
    assert_eq!(report.to_bytes().unwrap(), again.to_bytes().unwrap());
    assert_eq!(report.hash().unwrap(), again.hash().unwrap());
}

#[test]
fn a_report_is_canonical_json_that_names_its_rows() {
    let report = made("2026-12", story(), &[]);
    let text = String::from_utf8(report.to_bytes().unwrap()).unwrap();
    assert!(
        text.starts_with(r#"{"format":"sandbox-report/v1","project":"trial-1","month":"2026-12""#)
    );
    let lent = r#"{"id":"lent","group":"risk","value":{"amount":{"amount":"15.00","currency":"CNY"}},"rows":["d1","d2"]}"#;
    assert!(text.contains(lent), "{text}");
    assert_eq!(report.figures().len(), FigureId::ALL.len());
    for id in FigureId::ALL {
        assert!(report.figure(*id).is_some() && !id.zh().is_empty() && !id.en().is_empty());
    }
}

#[test]
fn problems_of_the_month_stand_with_what_was_done_by_its_end() {
    let found = problem("q1", "2026-12-05T02:00:00Z");
    let late = treated(found, "t1", "2027-01-06T02:00:00Z");
    let mut over = treated(
        problem("q0", "2026-11-05T02:00:00Z"),
        "t0",
        "2026-11-06T02:00:00Z",
    );
    over.closed_at = Some(at("2026-11-30T02:00:00Z"));
    let problems = [late, over];
    let ids = |of: &str| {
        let report = made(of, story(), &problems);
        let ids: Vec<_> = report
            .problems()
            .iter()
            .map(|one| one.id.to_string())
            .collect();
        (ids.join(" "), report.untreated().len())
    };
    assert_eq!(ids("2026-11"), ("q0".to_owned(), 0));
    assert_eq!(ids("2026-12"), ("q1".to_owned(), 1));
    assert_eq!(ids("2027-01"), ("q1".to_owned(), 0));
}

#[test]
fn problems_that_contradict_themselves_are_named() {
    let wrong = |problems: &[Problem]| {
        let rows = Rows::read(Currency::CNY, story()).unwrap();
        let made = Report::make(about("2026-12"), &rows, problems, day("2027-06-01"));
        match made.unwrap_err() {
            ReportError::Problem(error) => error.to_string(),
            other => panic!("{other}"),
        }
    };
    let found = || problem("q1", "2026-12-05T02:00:00Z");
    assert_eq!(wrong(&[found(), found()]), "the id `q1` stands twice");
    let early = treated(found(), "t1", "2026-12-04T02:00:00Z");
    assert!(wrong(&[early]).contains("before it was found"));
    let mut closed = found();
    closed.closed_at = Some(at("2026-12-06T02:00:00Z"));
    assert!(wrong(&[closed]).contains("nothing was done"));
    let mut silent = found();
    silent.words = " ".to_owned();
    assert!(wrong(&[silent]).contains("words are missing"));
}

#[test]
fn a_month_that_is_not_over_has_no_report() {
    let rows = Rows::read(Currency::CNY, story()).unwrap();
    let on = |today: &str| Report::make(about("2026-12"), &rows, &[], day(today));
    assert_eq!(
        on("2026-12-31").unwrap_err().to_string(),
        "2026-12 is not over"
    );
    assert!(on("2027-01-01").is_ok());
}

#[test]
fn problems_are_kept_as_json() {
    let mut one = treated(
        problem("q1", "2026-12-05T02:00:00Z"),
        "t1",
        "2026-12-06T02:00:00Z",
    );
    for closed in [None, Some(at("2026-12-07T02:00:00Z"))] {
        one.closed_at = closed;
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&json).unwrap(), one);
    }
}

#[test]
fn the_stop_loss_reads_the_report() {
    let readings = made("2026-12", story(), &[]).readings(cny(100)).unwrap();
    let rule = Rule {
        overdue_bp_max: 2_857,
        loss_max: cny(0),
        complaints_max: 2,
        privacy_incidents_max: 1,
        compensation_min: cny(100),
    };
    // 400 of 1400 are 2857.14 basis points.
    let trips = rule.trips(&readings).unwrap();
    assert!(matches!(trips[..], [Trip::Overdue { .. }]), "{trips:?}");
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_of_rows_changes_a_byte(rows in trials(), turn in 0usize..40) {
        let report = made("2026-12", rows.clone(), &[]).to_bytes().unwrap();
        let mut other = rows.clone();
        let turn = turn % other.len().max(1);
        other.rotate_left(turn);
        other.extend(rows.into_iter().take(turn));
        other.reverse();
        prop_assert_eq!(made("2026-12", other, &[]).to_bytes().unwrap(), report);
    }
}
