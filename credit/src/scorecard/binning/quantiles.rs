//! Pre-bins of numbers: cut at quantiles, each cut being a value of the data.

use super::super::dataset::Value;
use super::super::number::Number;
use super::super::woe::{Counts, Reference};
use super::{BinningSettings, Cells, PreBin, Range, Trend, joined};

/// The bins of regular numbers with what is in them, in rising order, and their trend.
pub(super) fn ranges(
    cells: &Cells<'_>,
    reference: Reference,
    settings: &BinningSettings,
    feature: &str,
) -> (Option<Trend>, Vec<(Range, Counts)>) {
    let prebins = prebins(cells, settings.prebins_max);
    let counts: Vec<Counts> = prebins.iter().map(|one| one.counts).collect();
    let trend = settings.trend_of(feature);
    if prebins.is_empty() {
        let everything = Range::Interval {
            from: None,
            below: None,
        };
        return (
            Some(trend.choices()[0].0),
            vec![(everything, Counts::default())],
        );
    }
    let (trend, bins) = joined(&counts, reference, settings, trend.choices());
    let edge = |at: usize| {
        (at > 0)
            .then(|| prebins.get(at).map(|one| one.of))
            .flatten()
    };
    let ranges = bins.into_iter().map(|bin| {
        let range = Range::Interval {
            from: edge(bin.start),
            below: edge(bin.end),
        };
        let sum = counts[bin]
            .iter()
            .fold(Counts::default(), |sum, one| sum.plus(*one));
        (range, sum)
    });
    (Some(trend), ranges.collect())
}

/// A pre-bin ends at the first distinct value at which its share of the weight is reached. With no
/// more distinct values than pre-bins, each value is one.
fn prebins(cells: &Cells<'_>, most: u32) -> Vec<PreBin<Number>> {
    let distinct = distinct(cells);
    if distinct.len() <= most as usize {
        return distinct;
    }
    let all: f64 = distinct.iter().map(|one| one.counts.all()).sum();
    let step = all / f64::from(most);
    let mut prebins: Vec<PreBin<Number>> = Vec::new();
    let (mut reached, mut next) = (0.0, 0.0);
    for value in distinct {
        if reached >= next {
            while reached >= next {
                next += step;
            }
            prebins.push(PreBin {
                of: value.of,
                counts: Counts::default(),
            });
        }
        reached += value.counts.all();
        if let Some(last) = prebins.last_mut() {
            last.counts = last.counts.plus(value.counts);
        }
    }
    prebins
}

fn distinct(cells: &Cells<'_>) -> Vec<PreBin<Number>> {
    let number = |(value, bad, weight): &(&Value, bool, f64)| match value {
        Value::Number(number) => Some((*number, *bad, *weight)),
        _ => None,
    };
    let mut numbers: Vec<(Number, bool, f64)> = cells.iter().filter_map(number).collect();
    numbers.sort_by_key(|one| one.0);
    let mut distinct: Vec<PreBin<Number>> = Vec::new();
    for (of, bad, weight) in numbers {
        if distinct.last().is_none_or(|last| last.of != of) {
            let counts = Counts::default();
            distinct.push(PreBin { of, counts });
        }
        if let Some(last) = distinct.last_mut() {
            last.counts.add(bad, weight);
        }
    }
    distinct
}
