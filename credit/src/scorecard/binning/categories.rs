//! Pre-bins of names: one each, rare ones together, in rising order of the share of bad rows.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::super::dataset::Value;
use super::super::woe::{Counts, Reference};
use super::optimum::Direction;
use super::{BinningSettings, Cells, PreBin, Range, Trend, joined};

/// Names of a pre-bin, and whether it is that of the rare ones.
type Names = (Vec<String>, bool);

/// The bins of regular names with what is in them, from the smallest share of bad rows up.
pub(super) fn ranges(
    cells: &Cells<'_>,
    reference: Reference,
    settings: &BinningSettings,
) -> Vec<(Range, Counts)> {
    let prebins = prebins(cells, settings.rare_share.get() * reference.totals.all());
    if prebins.is_empty() {
        return Vec::new();
    }
    let counts: Vec<Counts> = prebins.iter().map(|one| one.counts).collect();
    let rising: &[(Trend, &[Direction])] = &[(Trend::Rising, &[Direction::Rising])];
    let (_, bins) = joined(&counts, reference, settings, rising);
    bins.into_iter().map(|bin| range(&prebins[bin])).collect()
}

fn range(prebins: &[PreBin<Names>]) -> (Range, Counts) {
    let mut names: Vec<String> = prebins.iter().flat_map(|one| one.of.0.clone()).collect();
    names.sort();
    let others = prebins.iter().any(|one| one.of.1);
    let sum = prebins
        .iter()
        .fold(Counts::default(), |sum, one| sum.plus(one.counts));
    (Range::Categories { names, others }, sum)
}

fn prebins(cells: &Cells<'_>, least: f64) -> Vec<PreBin<Names>> {
    let mut by_name: BTreeMap<&str, Counts> = BTreeMap::new();
    for (value, bad, weight) in cells {
        if let Value::Category(name) = value {
            by_name.entry(name).or_default().add(*bad, *weight);
        }
    }
    let (common, rare): (Vec<_>, Vec<_>) = by_name
        .into_iter()
        .partition(|(_, counts)| counts.all() >= least);
    let mut prebins: Vec<PreBin<Names>> = common
        .into_iter()
        .map(|(name, counts)| PreBin {
            of: (vec![name.to_owned()], false),
            counts,
        })
        .collect();
    if !rare.is_empty() {
        let counts = rare
            .iter()
            .fold(Counts::default(), |sum, one| sum.plus(one.1));
        let names = rare.into_iter().map(|(name, _)| name.to_owned()).collect();
        prebins.push(PreBin {
            of: (names, true),
            counts,
        });
    }
    // Stable: of equal shares, that with the earlier name first, the rare ones last.
    prebins.sort_by(|one, other| by_share(one.counts, other.counts));
    prebins
}

/// By quotient: the same for equal shares, and a total order, which products are not.
fn by_share(one: Counts, other: Counts) -> Ordering {
    (one.bad / one.all()).total_cmp(&(other.bad / other.all()))
}
