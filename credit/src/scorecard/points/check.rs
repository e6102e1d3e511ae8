//! What must hold of a table that came from outside, before anybody is scored by it.

use std::collections::BTreeSet;

use super::super::binning::{Range, Trend};
use super::super::dataset::Kind;
use super::super::number::Number;
use super::{Characteristic, PointsTable};

/// Points of the base, or of a bin, at most; either sign.
pub(super) const POINTS_MAX: i32 = 1_000_000;

/// A table that nobody may be scored by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A feature stands twice.
    #[error("{0}: stands twice")]
    Twice(String),
    /// The bins do not cover every value exactly once.
    #[error("{0}: the bins do not hold every value once")]
    Cover(String),
    /// Points go up and down against the trend.
    #[error("{0}: the points do not follow the trend")]
    Trend(String),
    /// Withholding a value would give more points than any that can be told.
    #[error("{0}: a missing or unseen value has more points than the best one")]
    Withheld(String),
    /// A number of points is beyond every scale.
    #[error("{0}: more than a million points")]
    Points(String),
}

impl PointsTable {
    /// Checks the table.
    ///
    /// # Errors
    /// [`TableError`], naming the feature.
    pub fn check(&self) -> Result<(), TableError> {
        if self.base.unsigned_abs() > POINTS_MAX.unsigned_abs() {
            return Err(TableError::Points("base".to_owned()));
        }
        let mut seen = BTreeSet::new();
        for one in &self.characteristics {
            if !seen.insert(&one.feature.name) {
                return Err(TableError::Twice(one.feature.name.clone()));
            }
            one.check()?;
        }
        Ok(())
    }
}

impl Characteristic {
    fn check(&self) -> Result<(), TableError> {
        let name = || self.feature.name.clone();
        let rule = |right: bool, error: fn(String) -> TableError| {
            right.then_some(()).ok_or_else(|| error(name()))
        };
        let points = || self.bins.iter().map(|bin| bin.points);
        rule(self.covers(), TableError::Cover)?;
        let scaled = |points: i32| (-POINTS_MAX..=POINTS_MAX).contains(&points);
        rule(points().all(scaled), TableError::Points)?;
        rule(self.follows_trend(), TableError::Trend)?;
        let best = self.bins[self.best_place()].points;
        rule(points().all(|points| points <= best), TableError::Withheld)
    }

    /// True if every value of the feature's kind has exactly one bin.
    fn covers(&self) -> bool {
        let count =
            |wanted: fn(&Range) -> bool| self.bins.iter().filter(|bin| wanted(&bin.range)).count();
        let missing = count(|range| matches!(range, Range::Missing));
        let others = count(|range| {
            matches!(
                range,
                Range::Unseen | Range::Categories { others: true, .. }
            )
        });
        let intervals = count(|range| matches!(range, Range::Interval { .. }));
        let categories = count(|range| matches!(range, Range::Categories { .. }));
        missing == 1
            && match self.feature.kind {
                Kind::Numeric => others == 0 && categories == 0 && self.is_line(),
                Kind::Categorical => others == 1 && intervals == 0 && self.has_names_once(),
            }
    }

    /// True if the intervals follow each other from the lowest number to the highest.
    fn is_line(&self) -> bool {
        let ends = self.bins.iter().filter_map(|bin| match bin.range {
            Range::Interval { from, below } => Some((from, below)),
            _ => None,
        });
        let ends: Vec<(Option<Number>, Option<Number>)> = ends.collect();
        let joined = ends
            .windows(2)
            .all(|pair| pair[0].1.is_some() && pair[0].1 == pair[1].0);
        let rising = ends
            .iter()
            .all(|(from, below)| from.zip(*below).is_none_or(|(from, below)| from < below));
        let open = ends.first().is_some_and(|first| first.0.is_none())
            && ends.last().is_some_and(|last| last.1.is_none());
        joined && rising && open
    }

    /// True if names are in order within their bins, as looking them up needs, and stand once.
    fn has_names_once(&self) -> bool {
        let mut seen = BTreeSet::new();
        self.bins.iter().all(|bin| match &bin.range {
            Range::Categories { names, .. } => {
                names.is_sorted() && names.iter().all(|name| seen.insert(name))
            }
            _ => true,
        })
    }

    fn follows_trend(&self) -> bool {
        let regular = self.bins.iter().filter(|bin| bin.range.is_regular());
        let points: Vec<i32> = regular.map(|bin| bin.points).collect();
        let turn = |up_first: bool| {
            let climbs = |pair: &[i32]| (pair[0] <= pair[1]) == up_first || pair[0] == pair[1];
            let first = points.windows(2).take_while(|pair| climbs(pair)).count();
            points[first.min(points.len())..]
                .windows(2)
                .all(|pair| pair[0] == pair[1] || (pair[0] > pair[1]) == up_first)
        };
        match self.trend {
            // More is worse; categories stand from the best on.
            None | Some(Trend::Rising) => points.is_sorted_by(|one, next| one >= next),
            Some(Trend::Falling) => points.is_sorted(),
            Some(Trend::Peak) => turn(false),
            Some(Trend::Valley) => turn(true),
            Some(Trend::Automatic) => false,
        }
    }
}
