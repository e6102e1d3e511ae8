//! Numbers in files, the fit, and figures of somebody else's code.

use proptest::prelude::*;

use super::samples::dataset;
use crate::scorecard::calibration::{Calibration, Method, chi_square_above};
use crate::scorecard::logistic::Regression;
use crate::scorecard::metrics;
use crate::scorecard::stability::{Verdict, bands, psi};
use crate::scorecard::*;

proptest! {
    #[test]
    fn what_a_file_holds_is_read_back_to_the_same_bits(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        let Ok(number) = Number::exact(value) else {
            prop_assert!(!value.is_finite());
            return Ok(());
        };
        let text = serde_json::to_string(&number).unwrap();
        let again: Number = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(again.get().to_bits(), (value + 0.0).to_bits());
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }

    #[test]
    fn isotonic_probabilities_never_rise_and_keep_the_bad_share(
        rows in proptest::collection::vec((0i32..30, any::<bool>()), 1..80)
    ) {
        let rows: Vec<_> = rows.into_iter().map(|(total, bad)| (total, bad, 1.0)).collect();
        let table = Calibration::new(Method::Isotonic, &rows, (0, 29)).unwrap();
        let falls = table.probabilities.windows(2).all(|pair| pair[0] >= pair[1]);
        prop_assert!(falls);
        let predicted: f64 = rows.iter().map(|row| table.probability(row.0).get()).sum();
        let bad: f64 = rows.iter().map(|row| metrics::outcome(row.1)).sum();
        prop_assert!((predicted - bad).abs() < 1e-4);
    }
}

#[test]
fn a_number_is_finite_and_zero_has_one_sign() {
    assert!(Number::exact(f64::NAN).is_err() && "inf".parse::<Number>().is_err());
    assert_eq!(Number::exact(-0.0).unwrap().to_string(), "0");
    assert_eq!(
        Number::rounded(0.123_456_78).unwrap().to_string(),
        "0.123457"
    );
    assert_eq!(Number::rounded(1e300).unwrap().get(), 1e300);
}

fn near(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-7, "{one} {other}");
}

/// Against scikit-learn 1.x: `LogisticRegression(C=1 / ridge, tol=1e-14, solver="newton-cholesky")`
/// with these sample weights.
#[test]
fn the_regression_is_that_of_somebody_elses_code() {
    let columns = [
        vec![0.5, 1.5, -0.75, 0.0, 2.0, -1.25, 0.25, -2.0, 1.0, -0.5],
        vec![-1.0, 0.25, 2.0, 0.0, -0.5, 1.0, 0.75, -1.5, 1.0, -0.25],
    ];
    let positive = [1, 1, 0, 1, 1, 0, 0, 0, 1, 1].map(|one| one == 1);
    let weights = [1.0, 2.0, 1.0, 0.5, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0];
    let expected = [
        (1.0, [0.078_514_73, 1.166_771_06, -0.787_063_4]),
        (4.0, [0.052_156_41, 0.605_200_9, -0.337_480_3]),
    ];
    for (ridge, [intercept, first, second]) in expected {
        let regression = Regression {
            columns: &columns,
            positive: &positive,
            weights: &weights,
            ridge,
        };
        let found = regression.fit().unwrap();
        near(found.intercept, intercept);
        near(found.slopes[0], first);
        near(found.slopes[1], second);
    }
}

#[test]
fn a_regression_without_a_single_answer_has_none() {
    let columns = [vec![-1.0, -0.5, 0.5, 1.0]];
    let positive = [false, false, true, true];
    let regression = |ridge| Regression {
        columns: &columns,
        positive: &positive,
        weights: &[1.0; 4],
        ridge,
    };
    assert_eq!(regression(0.0).fit(), None);
    assert!(regression(0.1).fit().is_some());
}

/// Against SciPy: `chi2.sf` and `ks_2samp`.
#[test]
fn tails_and_distances_are_those_of_somebody_elses_code() {
    let tails = [
        (3.84, 1, 0.050_043_521_248_705_19),
        (15.507, 8, 0.050_005_219_283_280_78),
        (20.0, 7, 0.005_569_683_072_945_574),
        (0.5, 3, 0.918_891_411_654_675_8),
        (9.0, 9, 0.437_274_188_913_866_93),
        (30.0, 5, 1.474_858_103_844_307_3e-5),
    ];
    for (value, degrees, above) in tails {
        let found = chi_square_above(value, degrees);
        assert!((found - above).abs() < 1e-11, "{value} {degrees}: {found}");
    }
    let probabilities = [
        0.01, 0.02, 0.02, 0.03, 0.05, 0.05, 0.08, 0.1, 0.15, 0.15, 0.2, 0.3, 0.3, 0.4, 0.6, 0.9,
    ];
    let outcomes = [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1].map(|bad| bad == 1);
    let pairs: Vec<_> = probabilities.into_iter().zip(outcomes).collect();
    near(metrics::ks(&pairs).unwrap(), 0.418_181_818_181_818_15);
    assert_eq!(metrics::ks(&[(0.1, false)]), None);
}

#[test]
fn populations_that_are_the_same_do_not_shift() {
    assert_eq!(psi(&[10.0, 20.0, 30.0], &[10.0, 20.0, 30.0]), 0.0);
    // (0.1 - 0.5) ln(0.1 / 0.5) + (0.9 - 0.5) ln(0.9 / 0.5), half a row being nothing here
    near(
        (psi(&[5e9, 5e9], &[1e9, 9e9]) * 1e6).round() / 1e6,
        0.878_89,
    );
    assert!(psi(&[10.0, 0.0], &[0.0, 10.0]).is_finite());
    let verdicts = [0.09, 0.1, 0.25].map(Verdict::of);
    assert_eq!(
        verdicts,
        [Verdict::Stable, Verdict::Watch, Verdict::Shifted]
    );
    let totals: Vec<(i32, f64)> = (0..100).map(|total| (total / 5, 1.0)).collect();
    let bands = bands(&totals, 10);
    assert_eq!(bands.len(), 10);
    assert!(bands.iter().all(|band| band.rows == Number::from(10)));
}

#[test]
fn probabilities_fit_the_rows_that_they_were_made_from() {
    let data = dataset(3, 4_000);
    let made = super::samples::artefact(&data);
    let rows = artefact::scored(&made.table, &data).unwrap();
    for method in [Method::Logistic, Method::Isotonic] {
        let table = Calibration::new(method, &rows, made.table.extremes()).unwrap();
        let falls = table
            .probabilities
            .windows(2)
            .all(|pair| pair[0] >= pair[1]);
        assert!(falls, "{method:?}");
        let fit = table.fit(&rows, true);
        assert_eq!(fit.bins.iter().map(|bin| bin.rows).sum::<u64>(), 4_000);
        assert!(fit.calibration_error.unwrap().get() < 0.03, "{fit:?}");
        assert!(fit.p_value.unwrap().get() > 0.001, "{fit:?}");
    }
}
