//! Why a score is not higher: at most four factors, each with exactly the points that it costs.
//!
//! A reason is true without explanation: had this factor been in its best bin and nothing else
//! changed, the total would be higher by exactly the points named. Points add up and every factor has
//! one bin, so nothing has to be approximated; a test moves 10,000 applicants.

use serde::{Deserialize, Serialize};

use super::binning::Range;
use super::points::{PointsTable, Score};

/// Most reasons that are named.
pub const REASONS_MAX: usize = 4;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The factor.
    pub feature: String,
    /// What the applicant's value fell into.
    pub bin: Range,
    /// What would have been best.
    pub best_bin: Range,
    /// By how many points the total would be higher; above zero.
    pub points: i32,
}

/// What costs most first, in the order of the table at a tie.
#[must_use]
pub fn reasons(table: &PointsTable, score: &Score) -> Vec<Reason> {
    let of = |(at, one): (usize, &super::points::Given)| {
        let bins = &table.characteristics.get(at)?.bins;
        Some(Reason {
            feature: one.feature.clone(),
            bin: bins.get(one.bin)?.range.clone(),
            best_bin: bins.get(one.best_bin)?.range.clone(),
            points: one.best - one.points,
        })
    };
    let given = score.given.iter().enumerate();
    let mut reasons: Vec<Reason> = given.filter_map(of).filter(|one| one.points > 0).collect();
    reasons.sort_by_key(|one| std::cmp::Reverse(one.points));
    reasons.truncate(REASONS_MAX);
    reasons
}
