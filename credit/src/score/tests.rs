use proptest::prelude::*;

use super::model::Characteristic;
use super::*;

fn model() -> Model {
    Model::built_in().unwrap()
}

/// A value in the best bin of a characteristic: just below the first bound, or at the last one.
fn best_value(one: &Characteristic) -> Decimal {
    let bounds: Vec<Decimal> = one.bins.iter().filter_map(|bin| bin.below).collect();
    let last = *bounds.last().unwrap();
    let candidates = [Decimal::ZERO, last, last + Decimal::ONE];
    let is_best = |value: &&Decimal| one.points_for(Some(**value)).points == one.best();
    *candidates.iter().find(is_best).unwrap()
}

fn any_measures() -> impl Strategy<Value = Measures> {
    let share = prop::option::of((0i64..=10_000).prop_map(|share| Decimal::new(share, 4)));
    let count = prop::option::of((0i64..200).prop_map(Decimal::from));
    let values = FactName::ALL.map(|name| match name {
        FactName::OnTimeShare | FactName::InspectionPassShare | FactName::MeasuredShare => {
            share.clone().boxed()
        }
        _ => count.clone().boxed(),
    });
    values
        .to_vec()
        .prop_map(|values| FactName::ALL.into_iter().zip(values).collect())
}

fn measures(of: &[(FactName, &str)]) -> Measures {
    of.iter()
        .map(|(name, value)| (*name, Some(value.parse().unwrap())))
        .collect()
}

fn spotless() -> Measures {
    measures(&[
        (FactName::OnTimeShare, "1"),
        (FactName::InspectionPassShare, "1"),
        (FactName::LongestExcursionMinutes, "0"),
        (FactName::ExcursionMinutes, "0"),
        (FactName::Gaps, "0"),
        (FactName::MeasuredShare, "1"),
        (FactName::ConfirmedDeliveries, "12"),
        (FactName::Events, "100"),
    ])
}

proptest! {
    #[test]
    fn every_reason_is_counterfactually_true(measures in any_measures()) {
        let model = model();
        let before = score(&model, &measures);
        prop_assert!(before.reasons.len() <= REASONS_MAX);
        for reason in &before.reasons {
            let fact = reason.fact.unwrap();
            let one = model.characteristics.iter().find(|one| one.fact == fact).unwrap();
            let mut moved = measures.clone();
            moved.insert(fact, Some(best_value(one)));
            let after = score(&model, &moved);
            prop_assert_eq!(after.total, before.total + reason.points);
            prop_assert!(reason.points > 0);
        }
    }

    #[test]
    fn the_total_stays_between_base_and_best(measures in any_measures()) {
        let model = model();
        let score = score(&model, &measures);
        prop_assert!((model.base..=score.best).contains(&score.total));
        prop_assert_eq!(score.reasons.is_empty(), score.total == score.best);
    }
}

#[test]
fn a_spotless_supplier_has_no_reason_and_the_best_grade() {
    let score = score(&model(), &spotless());
    assert_eq!((score.total, score.grade.as_str()), (score.best, "A"));
    assert!(score.offerable && score.reasons.is_empty() && score.knock_outs.is_empty());
}

#[test]
fn a_broken_cold_chain_declines_with_that_reason_first() {
    let mut measures = spotless();
    measures.insert(FactName::LongestExcursionMinutes, Some(Decimal::from(40)));
    measures.insert(FactName::ExcursionMinutes, Some(Decimal::from(40)));
    measures.insert(FactName::OnTimeShare, Some(Decimal::ZERO));
    let score = score(&model(), &measures);
    assert!(!score.offerable);
    assert_eq!(score.knock_outs, ["cold-chain-broken"]);
    assert_eq!(score.reasons[0].code, ReasonCode::ColdChainExcursion);
}

#[test]
fn an_excursion_within_the_tolerance_costs_points_only() {
    let mut measures = spotless();
    measures.insert(FactName::LongestExcursionMinutes, Some(Decimal::from(10)));
    let score = score(&model(), &measures);
    assert!(score.offerable);
    assert_eq!(score.reasons[0].points, 25);
}

#[test]
fn one_gap_declines_with_that_reason_first() {
    let mut measures = spotless();
    measures.insert(FactName::Gaps, Some(Decimal::ONE));
    let score = score(&model(), &measures);
    assert_eq!(score.knock_outs, ["chain-with-gaps"]);
    assert_eq!(score.reasons[0].code, ReasonCode::EvidenceGap);
}

#[test]
fn a_table_that_goes_up_and_down_is_refused() {
    let text = include_str!("../../models/scorecard-1.toml");
    let parse = |text: &str| Model::parse("x.toml", text);
    let bad = text.replace(
        "{ below = \"11\", points = 35 }",
        "{ below = \"11\", points = 65 }",
    );
    let wrong = ModelError::Bins(FactName::LongestExcursionMinutes);
    assert_eq!(parse(&bad).unwrap_err(), wrong);
    let bad = text.replace("below = \"31\"", "below = \"5\"");
    assert_eq!(parse(&bad).unwrap_err(), wrong);
    let bad = text.replace("grade = \"C\"", "grade = \"Z\"");
    assert_eq!(parse(&bad).unwrap_err(), ModelError::Grades);
    let bad = text.replace("base = 300", "base = \"many\"");
    assert!(
        parse(&bad)
            .unwrap_err()
            .to_string()
            .starts_with("x.toml:11: base")
    );
}
