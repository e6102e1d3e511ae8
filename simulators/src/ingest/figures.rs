//! Arithmetic of measurements: pure.

use crate::fleet::play::Way;

/// The smallest value that at least `percent` of the sorted values do not exceed; NaN of none.
#[must_use]
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// The same of values in any order; their median is at 50.
#[must_use]
pub fn percentile_of(values: impl IntoIterator<Item = f64>, percent: usize) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    percentile(&sorted, percent)
}

/// (seconds, events receipted until then), by time.
#[must_use]
pub fn receipted(ways: &[Way]) -> Vec<(f64, u64)> {
    let each = ways.iter();
    let each = each.filter_map(|way| Some((f64::from(way.receipt?), u64::from(way.events))));
    let mut steps: Vec<(f64, u64)> = each.collect();
    steps.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut all = 0;
    for step in &mut steps {
        all += step.1;
        step.1 = all;
    }
    steps
}

/// Events a second between the receipts at `skip` seconds and the last one: without the start, in
/// which nothing has a receipt yet. NaN where it is too short.
#[must_use]
pub fn steady_rate(ways: &[Way], skip: f64) -> f64 {
    let steps = receipted(ways);
    let first = steps.iter().find(|(at, _)| *at >= skip);
    match (first, steps.last()) {
        (Some(first), Some(last)) if last.0 > first.0 => {
            (last.1 - first.1) as f64 / (last.0 - first.0)
        }
        _ => f64::NAN,
    }
}

/// Rates of the thirds of a run by events, each from its own first receipt on: how steady it was.
#[must_use]
pub fn thirds(ways: &[Way]) -> [f64; 3] {
    let steps = receipted(ways);
    let at = |part: usize| steps.get((steps.len() * part / 3).min(steps.len().max(1) - 1));
    [0, 1, 2].map(|part| match (at(part), at(part + 1)) {
        (Some(from), Some(to)) if to.0 > from.0 => (to.1 - from.1) as f64 / (to.0 - from.0),
        _ => f64::NAN,
    })
}

/// A backlog that is caught up with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CatchUp {
    /// Seconds from the first receipt until less than a second of the live load waited.
    pub seconds: f64,
    /// Events a second that were taken in that time.
    pub rate: f64,
}

/// How a backlog of so many events, on which a live load came at a rate until all was sent, was
/// caught up with; `None` of nothing.
#[must_use]
pub fn catch_up(ways: &[Way], backlog: u64, live: f64) -> Option<CatchUp> {
    let steps = receipted(ways);
    let (begin, all) = (steps.first()?.0, steps.last()?.1);
    let caught = |&&(at, taken): &&(f64, u64)| {
        let due = (backlog as f64 + live * at).min(all as f64);
        due - taken as f64 <= live
    };
    let (at, taken) = *steps.iter().find(caught)?;
    let seconds = at - begin;
    Some(CatchUp {
        seconds,
        rate: taken as f64 / seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(events: u32, receipt: f32) -> Way {
        Way {
            events,
            sent: 0.0,
            receipt: Some(receipt),
            included: None,
        }
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(
            (percentile(&values, 50), percentile(&values, 99)),
            (100.0, 198.0)
        );
        assert_eq!(percentile(&values[..1], 99), 1.0);
        assert!(percentile(&[], 50).is_nan());
        assert_eq!(percentile_of([3.0, 1.0, 2.0], 50), 2.0);
    }

    #[test]
    fn a_steady_rate_leaves_the_start_out() {
        // Nothing for two seconds, then ten events each half second, out of order.
        let ways = [way(10, 3.0), way(10, 2.0), way(10, 2.5), way(10, 3.5)];
        assert_eq!(steady_rate(&ways, 2.0), 20.0);
        assert!(steady_rate(&ways, 3.5).is_nan());
        assert!(steady_rate(&[], 0.0).is_nan());
    }

    #[test]
    fn thirds_show_a_run_that_slows_down() {
        let ways: Vec<Way> = (0..30).map(|n| way(1, (n * n) as f32)).collect();
        let [first, second, third] = thirds(&ways);
        assert!(first > second && second > third);
        assert!(thirds(&[])[0].is_nan());
    }

    #[test]
    fn a_backlog_is_caught_up_when_less_than_a_second_of_live_load_waits() {
        // 100 events stand, 10 come each second, 50 are taken each second from 1 s on.
        let ways: Vec<Way> = (1..=5).map(|n| way(50, n as f32)).collect();
        let caught = catch_up(&ways, 100, 10.0).unwrap();
        assert_eq!((caught.seconds, caught.rate), (2.0, 75.0));
        // What is not caught up with before all was sent counts with all that was taken.
        let never = catch_up(&ways, 250, 10.0).unwrap();
        assert_eq!((never.seconds, never.rate), (4.0, 62.5));
        assert_eq!(catch_up(&[], 1, 10.0), None);
    }
}
