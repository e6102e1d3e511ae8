//! Points, reasons and the frozen scorecard.

use super::samples::{applicant, artefact, dataset, outcome, values};
use crate::scorecard::binning::Range;
use crate::scorecard::dataset::DatasetError;
use crate::scorecard::outcome::NameError;
use crate::scorecard::points::ScoreError;
use crate::scorecard::random::SplitMix;
use crate::scorecard::reasons::REASONS_MAX;
use crate::scorecard::refit::{RefitError, refit};
use crate::scorecard::*;

/// A value that falls into a range.
fn value_in(range: &Range) -> Value {
    match range {
        Range::Interval { from, below } => {
            let before = |end: Number| Number::exact(end.get().next_down()).unwrap();
            Value::Number(from.or(below.map(before)).unwrap_or_default())
        }
        Range::Categories { names, .. } => Value::Category(names[0].clone()),
        Range::Special { value, .. } => value.clone(),
        Range::Missing => Value::Missing,
        Range::Unseen => Value::Category("never heard of".into()),
    }
}

#[test]
fn reason_codes_true() {
    let made = artefact(&dataset(21, 4_000));
    let hash = made.hash().unwrap();
    let mut random = SplitMix::new(22);
    let mut named = 0;
    for _ in 0..10_000 {
        let applicant = applicant(&values(&mut random));
        let before = made.assess(hash, &applicant).unwrap();
        assert!(before.reasons.len() <= REASONS_MAX);
        let falling = before
            .reasons
            .windows(2)
            .all(|pair| pair[0].points >= pair[1].points);
        assert!(falling);
        for reason in &before.reasons {
            let mut moved = applicant.clone();
            moved.insert(reason.feature.clone(), value_in(&reason.best_bin));
            let after = made.assess(hash, &moved).unwrap();
            assert_eq!(after.score.total, before.score.total + reason.points);
            assert!(reason.points > 0);
            assert!(after.probability <= before.probability);
            assert!(
                after
                    .reasons
                    .iter()
                    .all(|other| other.feature != reason.feature)
            );
            named += 1;
        }
        // Nothing that costs more was left unsaid.
        let least = before.reasons.last().map_or(0, |reason| reason.points);
        let unsaid = before.score.given.iter().filter(|given| {
            before
                .reasons
                .iter()
                .all(|reason| reason.feature != given.feature)
        });
        for given in unsaid {
            let short = given.best - given.points;
            assert!(short == 0 || before.reasons.len() == REASONS_MAX && short <= least);
        }
    }
    assert!(named > 10_000, "{named}");
}

#[test]
fn a_total_is_the_sum_of_its_points_and_within_the_tables_ends() {
    let made = artefact(&dataset(23, 3_000));
    let (lowest, highest) = made.table.extremes();
    let mut random = SplitMix::new(24);
    for _ in 0..1_000 {
        let score = made.table.score(&applicant(&values(&mut random))).unwrap();
        let sum: i32 = score.given.iter().map(|given| given.points).sum();
        assert_eq!(score.total, made.table.base + sum);
        assert!((lowest..=highest).contains(&score.total));
    }
    let length = usize::try_from(highest - lowest + 1).unwrap();
    assert_eq!(
        (
            made.calibration.lowest,
            made.calibration.probabilities.len()
        ),
        (lowest, length)
    );
}

#[test]
fn points_double_the_odds_and_withholding_never_pays() {
    let data = dataset(25, 4_000);
    let made = artefact(&data);
    let scale = &made.settings.scale;
    assert!((scale.offset() + scale.factor() * 50_f64.ln() - 600.0).abs() < 1e-9);
    assert!((scale.factor() * 2_f64.ln() - 20.0).abs() < 1e-9);
    for one in &made.table.characteristics {
        let best = one.bins[one.best_place()].points;
        assert!(one.bins.iter().all(|bin| bin.points <= best), "{one:?}");
        for bin in one.bins.iter().filter(|bin| bin.range.is_told()) {
            let exact = scale.factor() * one.coefficient.get() * bin.woe.get();
            assert!((f64::from(bin.points) - exact).abs() <= 0.5);
        }
    }
}

#[test]
fn an_applicant_of_whom_a_feature_is_not_spoken_is_an_error() {
    let made = artefact(&dataset(26, 2_000));
    let mut one = applicant(&values(&mut SplitMix::new(1)));
    let share = "on_time_share".to_owned();
    one.insert(share.clone(), Value::Category("high".into()));
    assert_eq!(made.table.score(&one), Err(ScoreError::Kind(share.clone())));
    one.remove(&share);
    assert_eq!(made.table.score(&one), Err(ScoreError::Absent(share)));
}

#[test]
fn refit_identical() {
    let data = dataset(31, 2_500);
    let snapshot = data.to_bytes().unwrap();
    let made = artefact(&data);
    let bytes = made.to_bytes().unwrap();
    let read = Artefact::parse(&bytes).unwrap();
    assert_eq!(read, made);
    assert_eq!(refit(&read, &snapshot).unwrap(), bytes);

    // Another snapshot, and a table that somebody touched.
    let other = dataset(32, 2_500).to_bytes().unwrap();
    assert!(matches!(
        refit(&made, &other),
        Err(RefitError::OtherSnapshot { .. })
    ));
    let mut touched = made.clone();
    touched.table.characteristics[0].bins[0].points += 1;
    let member = "table";
    assert_eq!(
        refit(&touched, &snapshot),
        Err(RefitError::Different { member })
    );
    let mut touched = made;
    touched.calibration.probabilities[0] = Number::ONE;
    let member = "calibration";
    assert_eq!(
        refit(&touched, &snapshot),
        Err(RefitError::Different { member })
    );
}

#[test]
fn rows_have_one_text_and_any_change_shows_in_its_hash() {
    let data = dataset(33, 200);
    let bytes = data.to_bytes().unwrap();
    assert_eq!(Dataset::parse(&bytes).unwrap(), data);
    let mut spelt = bytes.clone();
    spelt.push(b'\n');
    assert!(matches!(Dataset::parse(&spelt), Err(DatasetError::Form(_))));
    let mut rows = data.rows().to_vec();
    rows[7].bad = !rows[7].bad;
    let groupings = data.groupings().to_vec();
    let changed = Dataset::new(outcome(), data.features().to_vec(), groupings, rows).unwrap();
    assert_ne!(changed.hash().unwrap(), data.hash().unwrap());
    let mut spelt = artefact(&dataset(1, 2_000)).to_bytes().unwrap();
    spelt.push(b' ');
    assert!(Artefact::parse(&spelt).is_err());
}

#[test]
fn rows_that_cannot_be_taken_are_named() {
    let row = |value, weight, bad| Row {
        values: vec![value],
        bad,
        weight,
        groups: Vec::new(),
    };
    let good = row(Value::Missing, Number::ONE, false);
    let try_with = |one: Row| {
        let feature = Feature::new("share", Kind::Numeric);
        let rows = vec![good.clone(), one];
        Dataset::new(outcome(), vec![feature], Vec::new(), rows).map_err(|error| error.to_string())
    };
    let error = |text: &str| Err(text.to_owned());
    let name = Value::Category("x".into());
    assert_eq!(
        try_with(row(name, Number::ONE, true)),
        error("row 1: share: the value is not of the feature's kind")
    );
    assert_eq!(
        try_with(row(Value::Missing, Number::ZERO, true)),
        error("row 1: weight: must be above zero")
    );
    assert_eq!(
        try_with(row(Value::Missing, Number::ONE, false)),
        error("bad: both outcomes must occur")
    );
}

#[test]
fn nothing_speaks_of_default_without_default_outcomes() {
    let data = dataset(34, 2_000);
    let named = |name| develop(name, "1", &data, &Settings::usual()).map(|made| made.figure);
    for name in ["Probability-of-Default", "违约概率"] {
        let refused = Err(DevelopError::Name(NameError::Default(name.to_owned())));
        assert_eq!(named(name), refused);
    }
    assert_eq!(
        named("points").unwrap(),
        "probability of late delivery (SIMULATED)"
    );
    let mut claimed = outcome();
    claimed.bad = "default".into();
    assert!(claimed.check().is_err());
    claimed.labels = Labels::Defaults;
    assert!(claimed.check().is_ok());
}

#[test]
fn a_setting_out_of_range_is_named() {
    let mut settings = Settings::usual();
    settings.binning.smoothing = Number::ZERO;
    assert_eq!(
        settings.check().unwrap_err().to_string(),
        "smoothing: must be above 0"
    );
    settings = Settings::usual();
    settings.binning.least_share = Number::ONE;
    let error = settings.check().unwrap_err();
    assert_eq!(error.to_string(), "least_share: must be from 0 to below 1");
}

#[test]
fn a_table_that_nobody_may_be_scored_by_is_refused() {
    let made = artefact(&dataset(35, 3_000));
    assert_eq!(made.table.check(), Ok(()));
    let place = |name: &str| {
        let names = made.table.characteristics.iter();
        names
            .clone()
            .position(|one| one.feature.name == name)
            .unwrap()
    };
    let (share, branch) = (place("on_time_share"), place("branch"));
    let refused = |change: &dyn Fn(&mut Artefact)| {
        let mut changed = made.clone();
        change(&mut changed);
        let error = Artefact::parse(&changed.to_bytes().unwrap()).unwrap_err();
        let text = error.to_string();
        text.split_once("v1: ").unwrap().1.to_owned()
    };
    let characteristic = |made: &mut Artefact, at: usize| made.table.characteristics[at].clone();
    assert_eq!(
        refused(&|one| {
            one.table.characteristics[share].bins.remove(1);
        }),
        "on_time_share: the bins do not hold every value once"
    );
    assert_eq!(
        refused(&|one| one.table.characteristics[branch].bins.truncate(1)),
        "branch: the bins do not hold every value once"
    );
    assert_eq!(
        refused(&|one| one.table.characteristics[share].bins[0].points = 500),
        "on_time_share: the points do not follow the trend"
    );
    assert_eq!(
        refused(&|one| {
            let bins = &mut one.table.characteristics[share].bins;
            let missing = bins.iter_mut().find(|bin| bin.range == Range::Missing);
            missing.unwrap().points = 500;
        }),
        "on_time_share: a missing or unseen value has more points than the best one"
    );
    assert_eq!(
        refused(&|one| {
            let again = characteristic(one, share);
            one.table.characteristics.push(again);
        }),
        "on_time_share: stands twice"
    );
    assert_eq!(
        refused(&|one| one.table.base = i32::MIN),
        "base: more than a million points"
    );
    assert_eq!(
        refused(&|one| one.calibration.lowest += 1),
        "calibration: not one probability for each total, never rising"
    );
    assert_eq!(refused(&|one| one.name = "Default".into()).as_str(), {
        "`Default` speaks of default, but the labels are no default outcomes"
    });
}
