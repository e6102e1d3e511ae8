//! How the model's numbers were found: the written grids, and the pair with the smallest log loss.
//!
//! Two forms compete, and both are fitted in the same way on the same deliveries: **whole history**,
//! where every delivery weighs the same, and **recent history**, where a delivery weighs half after
//! its half life. The mean is the share of late ones among the deliveries fitted on. A grid instead
//! of an optimiser: every number that was tried can be read here, and the result does not depend on
//! where a search began or when it stopped.

use super::history::Order;
use super::model::{Known, Parameters};
use schemas::time::Instant;

/// Half lives that are tried, in days.
pub const HALF_LIVES: [u32; 6] = [30, 60, 90, 180, 365, 730];

/// Strengths that are tried, in deliveries.
pub const STRENGTHS: [u32; 5] = [5, 10, 20, 40, 80];

/// A delivery to be predicted: what became of it, and what was known before.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Position of its supplier among all.
    pub supplier: usize,
    /// Its goods.
    pub goods: String,
    /// Until when it was promised.
    pub due: Instant,
    /// Whether it came after that.
    pub late: bool,
    /// What was known of the supplier `horizon` before it was due.
    pub known: Vec<Known>,
}

/// A form of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Every delivery weighs the same.
    Whole,
    /// A delivery weighs half after its half life.
    Recent,
}

/// What a fit found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fitted {
    /// The numbers.
    pub parameters: Parameters,
    /// Mean log loss over the deliveries fitted on, in nats.
    pub log_loss: f64,
}

/// The cases of one supplier's orders that were received, each with what was known `horizon` before
/// it was due.
#[must_use]
pub fn cases(supplier: usize, orders: &[Order], horizon: std::time::Duration) -> Vec<Case> {
    let end = Instant::from_micros(i64::MAX);
    let case = |order: &Order| {
        let cut = order.due - horizon;
        let known = orders.iter().filter_map(|other| other.known_as_of(cut));
        Some(Case {
            supplier,
            goods: order.goods.clone(),
            due: order.due,
            late: order.late_as_of(end)?,
            known: known.collect(),
        })
    };
    orders.iter().filter_map(case).collect()
}

/// Share of late ones in parts in a million, rounded down; at least one and less than a million.
#[must_use]
pub fn mean_ppm(late: u64, all: u64) -> u32 {
    let share = u128::from(late) * 1_000_000 / u128::from(all.max(1));
    u32::try_from(share.clamp(1, 999_999)).unwrap_or(1)
}

/// The best pair of the grid of a form: the smallest log loss, the earlier pair at a tie; `None`
/// without cases.
#[must_use]
pub fn fit(cases: &[&Case], mean_ppm: u32, form: Form) -> Option<Fitted> {
    let half_lives: Vec<Option<u32>> = match form {
        Form::Whole => vec![None],
        Form::Recent => HALF_LIVES.into_iter().map(Some).collect(),
    };
    let mut best: Option<Fitted> = None;
    for half_life_days in half_lives {
        for strength in STRENGTHS {
            let parameters = Parameters {
                half_life_days,
                strength,
                mean_ppm,
            };
            let log_loss = super::metrics::log_loss(&predict(cases, &parameters))?;
            if best.is_none_or(|best| log_loss < best.log_loss) {
                best = Some(Fitted {
                    parameters,
                    log_loss,
                });
            }
        }
    }
    best
}

/// Probability and outcome of each case.
#[must_use]
pub fn predict(cases: &[&Case], parameters: &Parameters) -> Vec<(f64, bool)> {
    let one = |case: &&Case| {
        (
            parameters.probability(case.known.iter().copied()),
            case.late,
        )
    };
    cases.iter().map(one).collect()
}
