//! Bins of one feature: where its values are cut, and what falls into which.
//!
//! Regular values are cut into many small pre-bins, at quantiles or, for categories, one each in the
//! order of their share of bad rows, rare ones together; [`optimum`] then joins neighbours into the
//! bins with the greatest information value under a monotone trend. Special values, missing values,
//! and categories that nobody had seen are bins of their own and take no part in the trend.

mod categories;
pub mod optimum;
mod quantiles;

use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Feature, Kind, Value};
use super::number::{NotFinite, Number};
use super::woe::{Counts, Reference};
use optimum::{Constraints, Direction};

/// Which way the share of bad rows may go along a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Rising or falling, whichever has the greater information value; rising at a tie.
    Automatic,
    /// More is worse.
    Rising,
    /// More is better.
    Falling,
    /// Worst in the middle.
    Peak,
    /// Best in the middle.
    Valley,
}

impl Trend {
    /// The trends that it stands for, and the phases of each.
    fn choices(self) -> &'static [(Self, &'static [Direction])] {
        use Direction::{Falling, Rising};
        match self {
            Self::Automatic => &[(Self::Rising, &[Rising]), (Self::Falling, &[Falling])],
            Self::Rising => &[(Self::Rising, &[Rising])],
            Self::Falling => &[(Self::Falling, &[Falling])],
            Self::Peak => &[(Self::Peak, &[Rising, Falling])],
            Self::Valley => &[(Self::Valley, &[Falling, Rising])],
        }
    }
}

/// How features are cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinningSettings {
    /// Pre-bins of a numeric feature at most.
    pub prebins_max: u32,
    /// Bins of regular values at most.
    pub bins_max: u32,
    /// Share of all rows that a bin of regular values has at least.
    pub least_share: Number,
    /// Weighted rows of each outcome in a bin of regular values at least.
    pub least_of_each: Number,
    /// Categories with a smaller share of all rows are put together.
    pub rare_share: Number,
    /// Weighted rows of a bin of missing or special values below which its WoE is zero.
    pub least_apart: Number,
    /// See [`super::woe`]; above zero.
    pub smoothing: Number,
    /// The trend of features that are not named in `trends`.
    pub trend: Trend,
    /// Trends that theory states, by name of the feature, in order of name.
    pub trends: Vec<(String, Trend)>,
}

impl BinningSettings {
    fn trend_of(&self, feature: &str) -> Trend {
        let stated = self.trends.iter().find(|(name, _)| name == feature);
        stated.map_or(self.trend, |(_, trend)| *trend)
    }
}

/// What falls into a bin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Range {
    /// Numbers.
    Interval {
        /// Where it begins, inclusive; absent for the first.
        from: Option<Number>,
        /// Where it ends, exclusive; absent for the last.
        below: Option<Number>,
    },
    /// Names.
    Categories {
        /// In order of name.
        names: Vec<String>,
        /// True if names that nobody had seen belong here, where rare ones do.
        others: bool,
    },
    /// One special value.
    Special {
        /// The value.
        value: Value,
        /// What it means.
        label: String,
    },
    /// No value.
    Missing,
    /// Names that nobody had seen, where there was no bin of rare ones: neutral.
    Unseen,
}

impl Range {
    /// True for what was told and can be better or worse: not missing, not unseen.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        !matches!(self, Self::Missing | Self::Unseen)
    }

    /// True for the bins that the trend is about.
    #[must_use]
    pub const fn is_regular(&self) -> bool {
        matches!(self, Self::Interval { .. } | Self::Categories { .. })
    }

    /// True if a value falls here; a special value is in its interval too, so special ones come first.
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Special { value: own, .. }, value) => own == value,
            (Self::Missing, Value::Missing) => true,
            (Self::Interval { from, below }, Value::Number(number)) => {
                from.is_none_or(|from| *number >= from) && below.is_none_or(|below| *number < below)
            }
            (Self::Categories { names, .. }, Value::Category(name)) => {
                names.binary_search(name).is_ok()
            }
            _ => false,
        }
    }
}

/// A bin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// What falls into it.
    pub range: Range,
    /// Weighted good rows.
    pub good: Number,
    /// Weighted bad rows.
    pub bad: Number,
    /// Weight of evidence.
    pub woe: Number,
    /// Information value.
    pub iv: Number,
}

/// A feature with its bins: regular ones in rising order of value or of share of bad rows, then
/// special ones, then missing, then unseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binned {
    /// The feature.
    pub feature: Feature,
    /// The trend that was found or stated; absent for categories, which their bad share orders.
    pub trend: Option<Trend>,
    /// The bins.
    pub bins: Vec<Bin>,
    /// Sum of their IV.
    pub iv: Number,
}

impl Binned {
    /// Position of the bin of a value; `None` for a value of another kind.
    #[must_use]
    pub fn place_of(&self, value: &Value) -> Option<usize> {
        place(
            self.bins.iter().map(|bin| &bin.range),
            self.feature.kind,
            value,
        )
    }
}

/// Position of the range that a value falls into: a special one, else the regular or missing one,
/// else that of others, else that of unseen ones.
pub(super) fn place<'a>(
    ranges: impl Iterator<Item = &'a Range> + Clone,
    kind: Kind,
    value: &Value,
) -> Option<usize> {
    if !value.fits(kind) {
        return None;
    }
    let position = |wanted: &dyn Fn(&Range) -> bool| ranges.clone().position(wanted);
    position(&|range| matches!(range, Range::Special { .. }) && range.holds(value))
        .or_else(|| position(&|range| range.holds(value)))
        .or_else(|| position(&|range| matches!(range, Range::Categories { others: true, .. })))
        .or_else(|| position(&|range| matches!(range, Range::Unseen)))
}

/// A small group of regular values, in the order along which bins are joined.
struct PreBin<T> {
    /// Its first value, or its names.
    of: T,
    counts: Counts,
}

/// Rows of one feature: value, outcome and weight.
type Cells<'a> = Vec<(&'a Value, bool, f64)>;

/// Cuts the feature at a position of the dataset.
///
/// # Errors
/// [`NotFinite`] if a weighted sum is too large for a number.
pub fn bin(data: &Dataset, at: usize, settings: &BinningSettings) -> Result<Binned, NotFinite> {
    let feature = &data.features()[at];
    let mut totals = Counts::default();
    for row in data.rows() {
        totals.add(row.bad, row.weight.get());
    }
    let reference = Reference {
        totals,
        smoothing: settings.smoothing.get(),
    };
    let is_special = |value: &Value| feature.special.iter().any(|one| one.value == *value);
    let (apart, regular): (Cells, Cells) = data
        .rows()
        .iter()
        .map(|row| (&row.values[at], row.bad, row.weight.get()))
        .partition(|(value, ..)| **value == Value::Missing || is_special(value));
    let (trend, mut ranges) = match feature.kind {
        Kind::Numeric => quantiles::ranges(&regular, reference, settings, &feature.name),
        Kind::Categorical => (None, categories::ranges(&regular, reference, settings)),
    };
    ranges.extend(ranges_apart(feature, &apart, &ranges));
    let bins: Result<Vec<Bin>, NotFinite> = ranges
        .into_iter()
        .map(|(range, counts)| weighed(range, counts, reference, settings))
        .collect();
    let bins = bins?;
    let iv = Number::rounded(bins.iter().map(|bin| bin.iv.get()).sum())?;
    Ok(Binned {
        feature: feature.clone(),
        trend,
        bins,
        iv,
    })
}

/// Bins of special, missing and unseen values.
fn ranges_apart(
    feature: &Feature,
    apart: &Cells<'_>,
    regular: &[(Range, Counts)],
) -> Vec<(Range, Counts)> {
    let counted = |wanted: &Value| {
        let mut counts = Counts::default();
        for (_, bad, weight) in apart.iter().filter(|(value, ..)| *value == wanted) {
            counts.add(*bad, *weight);
        }
        counts
    };
    let special = |one: &super::dataset::Special| {
        let range = Range::Special {
            value: one.value.clone(),
            label: one.label.clone(),
        };
        (range, counted(&one.value))
    };
    let mut ranges: Vec<_> = feature.special.iter().map(special).collect();
    ranges.push((Range::Missing, counted(&Value::Missing)));
    let takes_others = |(range, _): &(Range, Counts)| {
        matches!(
            range,
            Range::Interval { .. } | Range::Categories { others: true, .. }
        )
    };
    if !regular.iter().any(takes_others) {
        ranges.push((Range::Unseen, Counts::default()));
    }
    ranges
}

fn weighed(
    range: Range,
    counts: Counts,
    reference: Reference,
    settings: &BinningSettings,
) -> Result<Bin, NotFinite> {
    let told_too_little = !range.is_regular() && counts.all() < settings.least_apart.get();
    let woe = if told_too_little {
        0.0
    } else {
        reference.woe(counts)
    };
    Ok(Bin {
        range,
        good: Number::rounded(counts.good)?,
        bad: Number::rounded(counts.bad)?,
        woe: Number::rounded(woe)?,
        iv: Number::rounded(if told_too_little {
            0.0
        } else {
            reference.iv(counts)
        })?,
    })
}

/// Joins pre-bins under the first of some trends that has the greatest IV. Where not even one bin
/// is allowed, everything is one.
fn joined(
    counts: &[Counts],
    reference: Reference,
    settings: &BinningSettings,
    choices: &[(Trend, &[Direction])],
) -> (Trend, Vec<std::ops::Range<usize>>) {
    let mut best: Option<(Trend, optimum::Optimum)> = None;
    for (trend, phases) in choices {
        let constraints = Constraints {
            reference,
            phases,
            least_rows: settings.least_share.get() * reference.totals.all(),
            least_of_each: settings.least_of_each.get(),
            bins_max: settings.bins_max as usize,
        };
        let found = optimum::optimum(counts, constraints);
        if let Some(found) = found
            && best.as_ref().is_none_or(|(_, best)| found.iv > best.iv)
        {
            best = Some((*trend, found));
        }
    }
    best.map_or_else(
        || (choices[0].0, std::iter::once(0..counts.len()).collect()),
        |(trend, found)| (trend, found.bins),
    )
}
