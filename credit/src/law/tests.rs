use std::collections::BTreeSet;

use chrono::{Days, Months};
use proptest::prelude::*;
use schemas::config;
use serde::Deserialize;

use super::*;

const CASES: &str = include_str!("../../fixtures/law.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: RuleId,
    name: String,
    facts: Facts,
    finding: String,
    why: Option<String>,
}

fn cases() -> Vec<Case> {
    let file: File = config::parse("law.toml", CASES).unwrap();
    file.case
}

fn cn() -> Calendar {
    let text = include_str!("../../products/calendars/cn.toml");
    Calendar::parse("cn.toml", text).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The reason's name: of a reason with values, the name of its variant.
fn why(finding: &Finding) -> Option<String> {
    let json = serde_json::to_value(finding).unwrap();
    let why = json.get("why")?;
    let name = why
        .as_str()
        .map(str::to_owned)
        .or_else(|| why.as_object()?.keys().next().cloned());
    Some(name.unwrap())
}

#[test]
fn every_case_is_found_as_it_says() {
    let calendar = cn();
    for case in cases() {
        let finding = rule(case.rule).judge(&case.facts, &calendar);
        let at = format!("{}: {}: {finding:?}", case.rule, case.name);
        assert_eq!(finding.word(), case.finding, "{at}");
        assert_eq!(why(&finding), case.why, "{at}");
    }
}

#[test]
fn every_rule_has_cases_of_every_finding_and_every_case_a_name_of_its_own() {
    let cases = cases();
    for rule in &RULES {
        for finding in ["holds", "broken", "not-applicable", "unknown"] {
            let has = |case: &&Case| case.rule == rule.id && case.finding == finding;
            assert!(cases.iter().any(|case| has(&case)), "{} {finding}", rule.id);
        }
    }
    let names: BTreeSet<_> = cases
        .iter()
        .map(|case| (case.rule, case.name.as_str()))
        .collect();
    assert_eq!(names.len(), cases.len());
    let unknown = CASES.replacen("rule = \"yinfa77-180\"", "rule = \"yinfa77-181\"", 1);
    let error = config::parse::<File>("law.toml", &unknown).err().unwrap();
    let error = error.to_string();
    assert!(error.contains("there is no rule `yinfa77-181`"), "{error}");
}

#[test]
fn every_rule_is_where_its_id_says_and_says_where_it_comes_from() {
    let ids: BTreeSet<_> = RULES.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids.len(), RULES.len());
    for one in &RULES {
        assert_eq!(rule(one.id).id, one.id);
        assert!(!one.zh.is_empty() && !one.en.is_empty());
        assert!(!one.source.zh.is_empty() && !one.source.en.is_empty());
        // Not the fallback of `rules::day`, and in force no earlier than dated.
        assert!(one.source.dated <= one.valid_from && one.valid_from < day("2100-01-01"));
    }
}

#[test]
fn nothing_known_is_unknown_everywhere() {
    for (id, finding) in judge_all(&Facts::default(), &cn()) {
        assert_eq!(finding.word(), "unknown", "{id}");
    }
}

#[test]
fn counted_days_are_never_more_than_counted_months() {
    let mut from = day("2000-01-01");
    while from < day("2400-01-01") {
        let half = from.checked_add_months(Months::new(6)).unwrap();
        let year = from.checked_add_months(Months::new(12)).unwrap();
        let days = |days| from.checked_add_days(Days::new(days)).unwrap();
        assert!(days(180) <= half && half <= days(184), "{from}");
        assert!(days(365) <= year && year <= days(366), "{from}");
        from = days(1);
    }
}

#[test]
fn the_term_begins_on_the_day_that_events_show() {
    let facts: Facts = config::parse(
        "facts.toml",
        r#"
        settlement = "by-delivery"
        inspection = { days = 7 }
        receipts = [
          { step = "receiving", by = "buyer-device", at = "2026-03-02T02:00:00Z", anchored_at = "2026-03-02T02:00:09Z" },
          { step = "accepting", by = "buyer-device", at = "2026-03-20T02:00:00Z", anchored_at = "2026-03-20T02:00:09Z" },
        ]
        "#,
    )
    .unwrap();
    let start = start(&facts, &cn()).unwrap();
    assert_eq!(
        (start.on, start.by),
        (day("2026-03-09"), StartedBy::InspectionOver)
    );
}

#[test]
fn findings_read_as_sentences() {
    let breach = Breach::TooLong { days: 61, most: 60 };
    assert_eq!(
        breach.to_string(),
        "61 days are agreed, at most 60 are allowed"
    );
    assert_eq!(FactName::AgreedTerm.to_string(), "agreed_term");
}

proptest! {
    /// More knowledge never turns one certain finding into another.
    #[test]
    fn a_missing_fact_never_makes_the_opposite_finding(index in 0..cases().len(), dropped in 0usize..6) {
        let (calendar, case) = (cn(), cases().swap_remove(index));
        let whole = rule(case.rule).judge(&case.facts, &calendar);
        let mut facts = case.facts;
        match dropped {
            0 => facts.contract_on = None,
            1 => facts.supplier_is_sme = None,
            2 => facts.receipts = None,
            3 => facts.agreed_term = None,
            4 => facts.instrument = None,
            _ => facts.matures_on = None,
        }
        let less = rule(case.rule).judge(&facts, &calendar);
        let either = matches!(less, Finding::Unknown(_)) || less.word() == whole.word();
        prop_assert!(either, "{:?} became {:?}", whole, less);
    }

    /// A term of so many days and the same by its date are judged alike.
    #[test]
    fn days_and_dates_agree(offset in 0u64..200, days in 1u32..120) {
        let calendar = Calendar::every_day();
        let delivered = day("2026-02-01").checked_add_days(Days::new(offset)).unwrap();
        let mut facts = Facts {
            contract_on: Some(day("2026-01-05")),
            supplier_is_sme: Some(true),
            buyer: Some(Buyer::PublicBody),
            settlement: Some(Settlement::On(delivered)),
            agreed_term: Some(AgreedTerm::Days(days)),
            ..Facts::default()
        };
        let by_days = rule(RuleId::D802Public60).judge(&facts, &calendar);
        let until = due(&facts, &calendar).unwrap();
        facts.agreed_term = Some(AgreedTerm::Until(until));
        let by_date = rule(RuleId::D802Public60).judge(&facts, &calendar);
        prop_assert_eq!(by_days.word(), by_date.word());
    }
}
