use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;
use schemas::event::Source;
use schemas::time::Instant;

use super::fit::{self, Form};
use super::metrics::{self, Bootstrap};
use super::model::Known;
use super::samples::{order, orders as story};
use super::*;
use crate::evidence::verify;
use crate::testing::{HoldBack, World, at, slug};

const GOODS: &str = "https://id.gs1.org/01/09521001000017/10/LINE1";
const DEVICES: [(&str, u64); 3] = [
    ("vendor/orders", 0),
    ("vendor/dock", 0),
    ("client/receipts", 0),
];

fn event(step: &str, time: Instant, extra: &str) -> (Source, String) {
    let text = format!(
        r#"{{"type":"ObjectEvent","eventTime":"{}","eventTimeZoneOffset":"+00:00","action":"OBSERVE","bizStep":"{step}","quantityList":[{{"epcClass":"{GOODS}"}}]{extra}}}"#,
        time.to_rfc3339()
    );
    (Source::File, text)
}

fn promising(time: Instant, due: Instant) -> (Source, String) {
    let extra = format!(
        r#","tb:promisedDelivery":"{}","tb:orderAmount":"19.90","tb:orderCurrency":"USD""#,
        due.to_rfc3339()
    );
    event("other", time, &extra)
}

fn receiving(time: Instant) -> (Source, String) {
    event("receiving", time, "")
}

fn orders_of(world: &mut World, as_of: Instant) -> Vec<Order> {
    let trusted = world.trusted();
    let bundle = world
        .bundle(at(1_000, 0), &HoldBack::default())
        .to_json()
        .unwrap();
    read(&verify(&bundle, &trusted).unwrap(), &slug("vendor"), as_of)
}

fn artefact() -> Artefact {
    Artefact::built_in().unwrap()
}

fn day(text: &str) -> Instant {
    Instant::parse_rfc3339(&format!("{text}T00:00:00Z")).unwrap()
}

#[test]
fn the_frozen_model_can_be_read_and_a_broken_one_is_refused() {
    let artefact = artefact();
    assert_eq!((artefact.minimum_known, artefact.horizon_days), (5, 30));
    assert_eq!(artefact.split, day("2013-07-01"));
    let text = include_str!("../../models/late-delivery-1.toml");
    for (from, to, problem) in [
        (
            "strength = 10",
            "strength = 0",
            "the model's strength is out of range",
        ),
        (
            "mean_ppm = 64601",
            "mean_ppm = 1000000",
            "the model's mean_ppm is out of range",
        ),
        (
            "minimum_known = 5",
            "minimum_known = 0",
            "the model's minimum_known is out of range",
        ),
    ] {
        let error = Artefact::parse("x.toml", &text.replace(from, to)).unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
    let changed = Artefact::parse("x.toml", &text.replace("strength = 10", "strength = 11"));
    assert_ne!(changed.unwrap().hash, artefact.hash);
}

#[test]
fn an_order_and_its_receipt_by_somebody_else_are_a_delivery() {
    let mut world = World::new(&DEVICES);
    world.say("vendor/orders", at(1, 0), &[promising(at(1, 0), at(48, 0))]);
    world.say_later(
        "client/receipts",
        at(40, 0),
        at(90, 0),
        &[receiving(at(40, 0))],
    );
    let orders = orders_of(&mut world, at(100, 0));
    let [order] = &orders[..] else {
        panic!("{orders:?}")
    };
    let receipt = order.receipt.as_ref().unwrap();
    assert_eq!((receipt.delivered, receipt.known), (at(40, 0), at(90, 0)));
    assert_eq!(order.value.unwrap().to_string(), "USD 19.90");
    // Received in time, but nobody else knew until the record was anchored.
    assert_eq!(order.late_as_of(at(89, 0)), None);
    assert_eq!(order.late_as_of(at(90, 0)), Some(false));
    assert!(orders_of(&mut world, at(89, 0))[0].receipt.is_none());
}

#[test]
fn received_after_the_promised_time_is_late_and_at_it_is_not() {
    for (hours, minutes, late) in [(48, 0, false), (48, 1, true)] {
        let mut world = World::new(&DEVICES);
        world.say("vendor/orders", at(1, 0), &[promising(at(1, 0), at(48, 0))]);
        let received = at(hours, minutes);
        world.say("client/receipts", received, &[receiving(received)]);
        assert_eq!(
            orders_of(&mut world, at(100, 0))[0].late_as_of(at(100, 0)),
            Some(late)
        );
    }
}

#[test]
fn a_supplier_confirms_nothing_to_itself_and_promises_nothing_afterwards() {
    let mut world = World::new(&DEVICES);
    world.say("vendor/orders", at(1, 0), &[promising(at(1, 0), at(48, 0))]);
    world.say("vendor/dock", at(30, 0), &[receiving(at(30, 0))]);
    assert!(orders_of(&mut world, at(100, 0))[0].receipt.is_none());

    // A second promise, made when the first was broken, changes nothing.
    world.say("client/receipts", at(60, 0), &[receiving(at(60, 0))]);
    world.say(
        "vendor/orders",
        at(61, 0),
        &[promising(at(61, 0), at(72, 0))],
    );
    let orders = orders_of(&mut world, at(100, 0));
    assert_eq!((orders.len(), orders[0].due), (1, at(48, 0)));
    assert_eq!(orders[0].late_as_of(at(100, 0)), Some(true));

    // A promise that came into the log after the goods had come is none that they kept.
    let mut world = World::new(&DEVICES);
    world.say("client/receipts", at(20, 0), &[receiving(at(20, 0))]);
    world.say(
        "vendor/orders",
        at(21, 0),
        &[promising(at(1, 0), at(48, 0))],
    );
    assert!(orders_of(&mut world, at(100, 0))[0].receipt.is_none());
}

#[test]
fn facts_name_known_late_and_overdue_and_stay_as_they_were_without_orders() {
    use crate::facts::{Facts, Rules};
    let mut world = World::new(&DEVICES);
    world.say("vendor/orders", at(1, 0), &[promising(at(1, 0), at(48, 0))]);
    let trusted = world.trusted();
    let bundle = world
        .bundle(at(1_000, 0), &HoldBack::default())
        .to_json()
        .unwrap();
    let evidence = verify(&bundle, &trusted).unwrap();
    let facts = |supplier: &str| {
        Facts::read(&evidence, &slug(supplier), at(60, 0), Rules::default()).unwrap()
    };
    let promises = facts("vendor").promises.unwrap();
    assert_eq!((promises.known, promises.late, promises.overdue), (0, 0, 1));
    assert_eq!(promises.probability, None);
    let text = String::from_utf8(facts("client").to_bytes().unwrap()).unwrap();
    assert!(!text.contains("promises"), "{text}");
}

#[test]
fn with_fewer_than_five_known_deliveries_there_is_no_figure() {
    let known = Known {
        age_days: 0,
        late: false,
    };
    assert_eq!(artefact().figure(&[known; 4]), None);
    // (10 * 0.064601 + 0) / (10 + 5)
    assert_eq!(
        artefact().figure(&[known; 5]),
        Some("0.0431".parse::<Decimal>().unwrap())
    );
}

#[test]
fn a_delivery_weighs_half_after_its_half_life() {
    let parameters = artefact().parameters();
    let late = |age_days| {
        [Known {
            age_days,
            late: true,
        }]
    };
    // (0.64601 + 1) / 11 and (0.64601 + 0.5) / 10.5
    assert!((parameters.probability(late(0)) - 0.149_637_27).abs() < 1e-8);
    assert!((parameters.probability(late(90)) - 0.109_143_81).abs() < 1e-8);
    let whole = Parameters {
        half_life_days: None,
        ..parameters
    };
    assert!((whole.probability(late(9_000)) - 0.149_637_27).abs() < 1e-8);
}

#[test]
fn only_what_was_recorded_thirty_days_before_is_known() {
    let due = day("2013-08-31");
    // Delivered in time on 1 August; recorded that day, and a day later.
    for (recorded_days, known) in [(0, 1), (1, 0)] {
        let before = order(1, day("2013-08-01"), 0, recorded_days);
        let cases = fit::cases(
            0,
            &[before, order(2, due, 0, 0)],
            Duration::from_secs(30 * 86_400),
        );
        assert_eq!(cases[1].known.len(), known);
    }
}

#[test]
fn an_evaluation_is_the_same_each_time_and_never_looks_ahead() {
    let how = Bootstrap { draws: 50, seed: 7 };
    let (end, origins) = (day("2014-08-01"), vec!["x/replay".to_owned()]);
    let (first, scored) = evaluate(&story(), origins.clone(), &artefact(), end, how);
    let (second, again) = evaluate(&story(), origins.clone(), &artefact(), end, how);
    assert_eq!((&first, &scored), (&second, &again));
    assert!(first.is_replay());
    let counted = |counts: evaluation::Counts| counts.predicted + counts.insufficient;
    assert_eq!(
        first.fitted_on.deliveries + first.tested_on.deliveries,
        8 * 104 + 1
    );
    assert_eq!(counted(first.tested_on), first.tested_on.deliveries);
    assert!(first.fitted_on.insufficient > 0 && first.tested_on.insufficient == 0);
    assert_eq!(first.alternatives.len(), 2);

    // What comes after a delivery was due does not change what was predicted of it.
    let mut changed = story();
    for order in changed.values_mut().flatten() {
        if order.due > day("2014-03-01") {
            order.receipt.as_mut().unwrap().delivered = order.due + Duration::from_secs(9 * 86_400);
        }
    }
    let (_, changed) = evaluate(&changed, origins, &artefact(), end, how);
    for (one, other) in scored
        .iter()
        .zip(&changed)
        .filter(|(one, _)| one.due.as_str() < "2014-03-31")
    {
        assert_eq!(one.probability, other.probability);
    }
}

#[test]
fn the_better_pair_of_a_grid_is_found() {
    // Late in the first year only: what is recent tells more.
    let start = day("2011-07-02");
    let orders: Vec<Order> = (0..100)
        .map(|number| {
            order(
                number,
                start + Duration::from_secs(number * 7 * 86_400),
                u64::from(number < 50),
                0,
            )
        })
        .collect();
    let cases = fit::cases(0, &orders, Duration::from_secs(30 * 86_400));
    let cases: Vec<&fit::Case> = cases.iter().filter(|case| case.known.len() >= 5).collect();
    let (whole, recent) = (
        fit::fit(&cases, 500_000, Form::Whole).unwrap(),
        fit::fit(&cases, 500_000, Form::Recent).unwrap(),
    );
    assert!(recent.log_loss < whole.log_loss);
    assert_eq!(recent.parameters.half_life_days, Some(30));
    assert_eq!(fit::fit(&[], 500_000, Form::Whole), None);
}

/// Against scikit-learn 1.9.1 (`pip install scikit-learn`): `roc_auc_score`, `brier_score_loss`,
/// `log_loss`, and `LogisticRegression(penalty=None, tol=1e-12, max_iter=10000)` on
/// `log(p / (1 - p))`, each of `y, p` below. `tests/late_delivery.py` does the same for a whole run.
#[test]
fn figures_are_those_of_somebody_elses_code() {
    let probabilities = [
        0.01, 0.02, 0.02, 0.03, 0.05, 0.05, 0.08, 0.1, 0.15, 0.15, 0.2, 0.3, 0.3, 0.4, 0.6, 0.9,
    ];
    let outcomes = [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1].map(|late| late == 1);
    let pairs: Vec<_> = probabilities.into_iter().zip(outcomes).collect();
    let near = |one: f64, other: f64| assert!((one - other).abs() < 1e-8, "{one} {other}");
    near(metrics::auc(&pairs).unwrap(), 0.690_909_090_909_091);
    near(metrics::brier(&pairs).unwrap(), 0.198_637_5);
    near(metrics::log_loss(&pairs).unwrap(), 0.656_753_730_298_289_9);
    let (intercept, slope) = metrics::recalibration(&pairs).unwrap();
    near(intercept, 0.012_100_895);
    near(slope, 0.465_963_596);
}

#[test]
fn wilsons_interval_is_the_known_one() {
    // Newcombe 1998, method 3: 81 of 263 and 0 of 20.
    let (low, high) = metrics::wilson(81, 263);
    assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5);
    let (low, high) = metrics::wilson(0, 20);
    assert!(low == 0.0 && (high - 0.1611).abs() < 5e-5);
}

#[test]
fn a_figure_without_both_outcomes_has_no_auc_and_no_interval() {
    let pairs = [(0, (0.1, false)), (1, (0.2, false))];
    let how = Bootstrap { draws: 10, seed: 1 };
    assert!(metrics::bootstrap(&pairs, how, metrics::auc).is_none());
    assert!(metrics::bootstrap(&pairs, how, metrics::brier).is_some());
    assert_eq!(metrics::recalibration(&[(0.1, false), (0.2, false)]), None);
    assert!(metrics::calibration(&[]).is_empty() && metrics::calibration_error(&[]).is_none());
}

#[test]
fn whole_suppliers_are_drawn() {
    // Two suppliers, each of one kind: half of the resamples have only one kind and no AUC.
    let pairs: Vec<_> = (0..40)
        .map(|number| {
            (
                number % 2,
                (
                    0.1 + 0.5 * f64::from(u8::from(number % 2 == 1)),
                    number % 2 == 1,
                ),
            )
        })
        .collect();
    let how = Bootstrap {
        draws: 400,
        seed: 3,
    };
    let found = metrics::bootstrap(&pairs, how, metrics::auc).unwrap();
    assert!((150..250).contains(&found.draws), "{found:?}");
}

fn some_known() -> impl Strategy<Value = Vec<Known>> {
    let one = (0u32..4_000, any::<bool>()).prop_map(|(age_days, late)| Known { age_days, late });
    proptest::collection::vec(one, 0..60)
}

proptest! {
    #[test]
    fn a_probability_is_between_zero_and_one_and_a_late_delivery_never_lowers_it(
        known in some_known(), strength in 1u32..200, mean_ppm in 1u32..1_000_000, half_life in 1u32..2_000, age_days in 0u32..4_000,
    ) {
        let parameters = Parameters { half_life_days: Some(half_life), strength, mean_ppm };
        let before = parameters.probability(known.clone());
        prop_assert!(before > 0.0 && before < 1.0);
        let mut more = known.clone();
        more.push(Known { age_days, late: true });
        prop_assert!(parameters.probability(more) >= before - 1e-12);
        let mut more = known;
        more.push(Known { age_days, late: false });
        prop_assert!(parameters.probability(more) <= before + 1e-12);
    }

    #[test]
    fn auc_is_the_share_of_pairs_in_the_right_order(pairs in proptest::collection::vec((0u8..20, any::<bool>()), 0..40)) {
        let pairs: Vec<(f64, bool)> = pairs.into_iter().map(|(score, late)| (f64::from(score) / 20.0, late)).collect();
        let (mut wins, mut all) = (0.0, 0.0);
        for (late, _) in pairs.iter().filter(|pair| pair.1) {
            for (punctual, _) in pairs.iter().filter(|pair| !pair.1) {
                all += 1.0;
                wins += if late > punctual { 1.0 } else if late == punctual { 0.5 } else { 0.0 };
            }
        }
        match metrics::auc(&pairs) {
            Some(auc) => prop_assert!((auc - wins / all).abs() < 1e-12),
            None => prop_assert_eq!(all, 0.0),
        }
    }

    #[test]
    fn bins_hold_every_pair_once(pairs in proptest::collection::vec((0.0f64..=1.0, any::<bool>()), 0..80)) {
        let bins = metrics::calibration(&pairs);
        prop_assert_eq!(bins.iter().map(|bin| bin.deliveries).sum::<u64>(), pairs.len() as u64);
        for bin in bins {
            prop_assert!(bin.interval.0 <= bin.observed + 1e-12 && bin.observed <= bin.interval.1 + 1e-12);
            prop_assert!(bin.from <= bin.predicted + 1e-12 && bin.predicted <= bin.below + 1e-12);
        }
    }
}
