//! What has changed since the borrower's last score, point by point.

use schemas::time::Instant;

use crate::loan::Decision;
use crate::score::{FactName, Points};

/// One characteristic then and now; absent where that points table did not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub fact: FactName,
    /// Its points in the score before.
    pub before: Option<Points>,
    /// Its points now.
    pub now: Option<Points>,
}

impl Change {
    /// By how many points it moved the total.
    #[must_use]
    pub fn difference(&self) -> i32 {
        let points = |one: &Option<Points>| one.as_ref().map_or(0, |one| one.points);
        points(&self.now) - points(&self.before)
    }

    /// True if value or points are others.
    #[must_use]
    pub fn is_other(&self) -> bool {
        let read = |one: &Option<Points>| one.as_ref().map(|one| (one.value, one.points));
        read(&self.before) != read(&self.now)
    }
}

/// A score beside the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Id of the decision before.
    pub decision_id: String,
    /// Its application.
    pub application: String,
    /// When it was decided.
    pub decided_at: Instant,
    /// Its total and grade.
    pub total: (i32, String),
    /// This total less that one.
    pub difference: i32,
    /// Difference that no characteristic explains: another base. The changes and this sum to
    /// [`Self::difference`].
    pub base: i32,
    /// True if another points table was used: points then and now are not the same measure.
    pub other_table: bool,
    /// Every characteristic of either, in the order of this score and then of the other.
    pub changes: Vec<Change>,
}

impl Comparison {
    /// Of a decision with the one before it.
    #[must_use]
    pub fn of(now: &Decision, before: &Decision) -> Self {
        let find =
            |points: &[Points], fact: FactName| points.iter().find(|one| one.fact == fact).cloned();
        let (new, old) = (&now.score.points, &before.score.points);
        let gone = old.iter().filter(|one| find(new, one.fact).is_none());
        let changes: Vec<Change> = new
            .iter()
            .chain(gone)
            .map(|one| Change {
                fact: one.fact,
                before: find(old, one.fact),
                now: find(new, one.fact),
            })
            .collect();
        let difference = now.score.total - before.score.total;
        let explained: i32 = changes.iter().map(Change::difference).sum();
        Self {
            decision_id: before.decision_id.clone(),
            application: before.application.application_id.to_string(),
            decided_at: before.decided_at,
            total: (before.score.total, before.score.grade.clone()),
            difference,
            base: difference - explained,
            other_table: now.model.hash != before.model.hash,
            changes,
        }
    }
}
