//! Bins of features and the signs of their coefficients.

use super::samples::{dataset, outcome};
use crate::scorecard::binning::{Bin, Binned, Range, Trend, bin};
use crate::scorecard::fit::DropReason;
use crate::scorecard::*;

fn number(value: f64) -> Value {
    Value::Number(Number::exact(value).unwrap())
}

fn binned(data: &Dataset) -> Vec<Binned> {
    let settings = Settings::usual().binning;
    let features = 0..data.features().len();
    features
        .map(|at| bin(data, at, &settings).unwrap())
        .collect()
}

/// Rows of given features from cells: values, good rows, bad rows.
fn rows(features: Vec<Feature>, cells: &[(&[Value], u32, u32)]) -> Dataset {
    let row = |values: &[Value], bad| Row {
        values: values.to_vec(),
        bad,
        weight: Number::ONE,
        groups: Vec::new(),
    };
    let mut rows = Vec::new();
    for (values, good, bad) in cells {
        rows.extend((0..*good).map(|_| row(values, false)));
        rows.extend((0..*bad).map(|_| row(values, true)));
    }
    Dataset::new(outcome(), features, Vec::new(), rows).unwrap()
}

#[test]
fn every_row_is_in_one_bin_and_bins_are_monotone() {
    let data = dataset(11, 3_000);
    for one in binned(&data) {
        let all: f64 = one
            .bins
            .iter()
            .map(|bin| bin.good.get() + bin.bad.get())
            .sum();
        assert_eq!(all, 3_000.0, "{}", one.feature.name);
        let regular: Vec<&Bin> = one
            .bins
            .iter()
            .filter(|bin| bin.range.is_regular())
            .collect();
        let falls = regular.windows(2).all(|pair| pair[0].woe > pair[1].woe);
        let rises = regular.windows(2).all(|pair| pair[0].woe < pair[1].woe);
        let right = match one.trend {
            None | Some(Trend::Rising) => falls,
            Some(_) => rises,
        };
        assert!(right, "{one:?}");
    }
}

#[test]
fn missing_special_rare_and_unseen_values_have_bins_of_their_own() {
    let data = dataset(12, 3_000);
    let all = binned(&data);
    let of = |at: usize, value: &Value| {
        let place = all[at].place_of(value).unwrap();
        all[at].bins[place].range.clone()
    };
    assert!(
        matches!(of(1, &number(-1.0)), Range::Special { label, .. } if label == "never traded")
    );
    assert_eq!(of(1, &Value::Missing), Range::Missing);
    assert!(matches!(
        of(1, &number(-2.0)),
        Range::Interval { from: None, .. }
    ));
    // Rare branches stand together, and those that nobody had seen stand with them.
    let nobody = Value::Category("never heard of".into());
    let rare = of(2, &Value::Category("rare-1".into()));
    assert!(matches!(&rare, Range::Categories { others: true, .. }));
    assert_eq!(of(2, &nobody), rare);
    assert_eq!(all[0].place_of(&nobody), None);
}

#[test]
fn without_rare_names_what_nobody_had_seen_is_neutral() {
    let name = |text: &str| [Value::Category(text.into())];
    let features = vec![Feature::new("branch", Kind::Categorical)];
    let data = rows(features, &[(&name("a"), 90, 10), (&name("b"), 60, 40)]);
    let one = &binned(&data)[0];
    let place = one.place_of(&Value::Category("c".into())).unwrap();
    assert_eq!(one.bins[place].range, Range::Unseen);
    assert_eq!(one.bins[place].woe, Number::ZERO);
    // Good 90 of 150, bad 10 of 50, and five rows of 200 added to each share.
    let woe = ((90.0_f64 / 150.0 + 0.025) / (10.0 / 50.0 + 0.025)).ln();
    assert_eq!(one.bins[0].woe, Number::rounded(woe).unwrap());
}

#[test]
fn too_few_missing_values_and_none_are_neutral() {
    let features = vec![Feature::new("share", Kind::Numeric)];
    let cells: &[(&[Value], u32, u32)] = &[
        (&[number(0.1)], 40, 60),
        (&[number(0.9)], 90, 10),
        (&[Value::Missing], 0, 19),
    ];
    let one = &binned(&rows(features.clone(), cells))[0];
    let place = one.place_of(&Value::Missing).unwrap();
    assert_eq!(
        (one.bins[place].woe, one.bins[place].iv),
        (Number::ZERO, Number::ZERO)
    );
    let one = &binned(&rows(features, &cells[..2]))[0];
    let place = one.place_of(&Value::Missing).unwrap();
    assert_eq!(one.bins[place].woe, Number::ZERO);
}

#[test]
fn a_stated_trend_holds_against_the_data() {
    let data = dataset(13, 3_000);
    let mut settings = Settings::usual().binning;
    settings.trends = vec![("on_time_share".into(), Trend::Rising)];
    let one = bin(&data, 0, &settings).unwrap();
    // More is better here, so that "more is worse" leaves one bin.
    assert_eq!(
        one.bins.iter().filter(|bin| bin.range.is_regular()).count(),
        1
    );
    settings.trends = vec![("on_time_share".into(), Trend::Peak)];
    assert!(bin(&data, 0, &settings).unwrap().bins.len() > 3);
}

/// `b` is common where `a` is, so alone it looks bad; with `a` known it speaks for a firm.
#[test]
fn sign_check_drops_what_speaks_against_theory_and_fits_again() {
    let features = vec![
        Feature::new("a", Kind::Numeric),
        Feature::new("b", Kind::Numeric),
    ];
    let data = rows(
        features,
        &[
            (&[number(0.0), number(0.0)], 720, 80),
            (&[number(0.0), number(1.0)], 190, 10),
            (&[number(1.0), number(0.0)], 60, 140),
            (&[number(1.0), number(1.0)], 400, 400),
        ],
    );
    let made = develop("two features", "1", &data, &Settings::usual()).unwrap();
    assert_eq!(made.table.characteristics.len(), 1);
    assert_eq!(made.table.characteristics[0].feature.name, "a");
    let [dropped] = &made.fit.dropped[..] else {
        panic!("{:?}", made.fit.dropped)
    };
    assert_eq!(
        (dropped.feature.as_str(), dropped.reason),
        ("b", DropReason::WrongSign)
    );
    assert!(dropped.figure < Number::ZERO && made.fit.iterations.len() == 2);
    assert!(made.table.characteristics[0].coefficient > Number::ZERO);
}

#[test]
fn what_tells_nothing_is_left_out() {
    let made = super::samples::artefact(&dataset(14, 4_000));
    let dropped: Vec<&str> = made
        .fit
        .dropped
        .iter()
        .map(|one| one.feature.as_str())
        .collect();
    assert_eq!(dropped, ["noise"]);
}

#[test]
fn rows_count_by_weight() {
    let features = || vec![Feature::new("share", Kind::Numeric)];
    let twice = rows(
        features(),
        &[(&[number(0.1)], 80, 120), (&[number(0.9)], 180, 20)],
    );
    let once = rows(
        features(),
        &[(&[number(0.1)], 40, 60), (&[number(0.9)], 90, 10)],
    );
    let weighed: Vec<Row> = once
        .rows()
        .iter()
        .map(|row| Row {
            weight: Number::from(2),
            ..row.clone()
        })
        .collect();
    let weighed = Dataset::new(outcome(), features(), Vec::new(), weighed).unwrap();
    assert_eq!(binned(&twice), binned(&weighed));
    let made = |data| develop("weights", "1", data, &Settings::usual()).unwrap();
    let (one, other) = (made(&twice), made(&weighed));
    assert_eq!((one.table, one.bands), (other.table, other.bands));
}
