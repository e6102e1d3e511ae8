//! Dynamic programming against every partition there is.

use std::ops::Range;

use proptest::prelude::*;

use crate::scorecard::binning::optimum::{Constraints, Direction, optimum};
use crate::scorecard::woe::{Counts, Reference};

const TRENDS: [&[Direction]; 4] = [
    &[Direction::Rising],
    &[Direction::Falling],
    &[Direction::Rising, Direction::Falling],
    &[Direction::Falling, Direction::Rising],
];

fn sum(prebins: &[Counts], bin: &Range<usize>) -> Counts {
    let inside = prebins[bin.clone()].iter();
    inside.fold(Counts::default(), |sum, one| sum.plus(*one))
}

fn reference(prebins: &[Counts]) -> Reference {
    Reference {
        totals: sum(prebins, &(0..prebins.len())),
        smoothing: 0.5,
    }
}

/// Every partition of so many pre-bins: a bit says where a bin ends.
fn partitions(size: usize) -> impl Iterator<Item = Vec<Range<usize>>> {
    (0..1_u32 << (size - 1)).map(move |ends| {
        let mut bins = Vec::new();
        let mut start = 0;
        for place in 1..=size {
            if place == size || ends >> (place - 1) & 1 == 1 {
                bins.push(start..place);
                start = place;
            }
        }
        bins
    })
}

/// True if a bin sequence goes through the phases in their order, each step in its direction. Stated
/// apart from the code: by the smoothed shares alone.
fn obeys(counts: &[Counts], phases: &[Direction], reference: Reference) -> bool {
    let step = |pair: &[Counts]| {
        let share = |one: Counts| one.bad / one.all();
        let shares = share(pair[0]).total_cmp(&share(pair[1]));
        let woes = reference.woe(pair[1]).total_cmp(&reference.woe(pair[0]));
        let filled = pair.iter().all(|one| one.all() > 0.0);
        (filled && shares == woes && shares.is_ne()).then_some(if shares.is_lt() {
            Direction::Rising
        } else {
            Direction::Falling
        })
    };
    let mut phase = 0;
    for pair in counts.windows(2) {
        let Some(direction) = step(pair) else {
            return false;
        };
        // Only later phases: the first one may be left before anything followed it.
        match phases[phase..].iter().position(|one| *one == direction) {
            Some(further) => phase += further,
            None => return false,
        }
    }
    true
}

fn best(prebins: &[Counts], constraints: Constraints<'_>) -> Option<f64> {
    let allowed = partitions(prebins.len()).filter_map(|bins| {
        let counts: Vec<Counts> = bins.iter().map(|bin| sum(prebins, bin)).collect();
        let right = bins.len() <= constraints.bins_max
            && counts.iter().all(|bin| constraints.allows(*bin))
            && obeys(&counts, constraints.phases, constraints.reference);
        right.then(|| {
            counts
                .iter()
                .map(|bin| constraints.reference.iv(*bin))
                .sum::<f64>()
        })
    });
    allowed.max_by(f64::total_cmp)
}

fn some_prebins() -> impl Strategy<Value = Vec<Counts>> {
    let one = (0u8..12, 0u8..12).prop_map(|(good, bad)| Counts {
        good: f64::from(good),
        bad: f64::from(bad),
    });
    let both = |prebins: &Vec<Counts>| {
        let all = sum(prebins, &(0..prebins.len()));
        all.good > 0.0 && all.bad > 0.0
    };
    proptest::collection::vec(one, 1..9).prop_filter("both outcomes", both)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_partition_is_better_than_the_one_found(
        prebins in some_prebins(), trend in 0usize..4, bins_max in 1usize..9,
        least_rows in 0u8..15, least_of_each in 0u8..4,
    ) {
        let constraints = Constraints {
            reference: reference(&prebins),
            phases: TRENDS[trend],
            least_rows: f64::from(least_rows),
            least_of_each: f64::from(least_of_each),
            bins_max,
        };
        let found = optimum(&prebins, constraints);
        let expected = best(&prebins, constraints);
        prop_assert_eq!(found.is_some(), expected.is_some());
        if let (Some(found), Some(expected)) = (found, expected) {
            prop_assert!((found.iv - expected).abs() < 1e-12, "{found:?} {expected}");
            let counts: Vec<Counts> = found.bins.iter().map(|bin| sum(&prebins, bin)).collect();
            prop_assert!(obeys(&counts, constraints.phases, constraints.reference));
            prop_assert!(counts.iter().all(|bin| constraints.allows(*bin)));
            prop_assert!(found.bins.len() <= bins_max);
            let joins = found.bins.windows(2).all(|pair| pair[0].end == pair[1].start);
            prop_assert!(joins && found.bins[0].start == 0);
            prop_assert_eq!(found.bins[found.bins.len() - 1].end, prebins.len());
        }
    }

    #[test]
    fn information_value_never_falls_when_more_bins_are_allowed(
        prebins in some_prebins(), trend in 0usize..4,
    ) {
        let mut before = 0.0;
        for bins_max in 1..=prebins.len() {
            let constraints = Constraints {
                reference: reference(&prebins),
                phases: TRENDS[trend],
                least_rows: 0.0,
                least_of_each: 0.0,
                bins_max,
            };
            let iv = optimum(&prebins, constraints).unwrap().iv;
            prop_assert!(iv >= before);
            before = iv;
        }
    }
}
