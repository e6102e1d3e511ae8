//! What a load has found.

use std::fmt;

use serde::Serialize;

use super::Wish;
use crate::fleet::play::Played;
use crate::ingest::figures::percentile;

/// Times in milliseconds from the first sending; `None` where nothing came.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Times {
    /// Median.
    pub p50_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

impl Times {
    fn of(seconds: impl Iterator<Item = f32>) -> Times {
        let mut sorted: Vec<f64> = seconds.map(|one| f64::from(one) * 1_000.0).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |percent| {
            let value = percentile(&sorted, percent);
            value.is_finite().then_some((value * 10.0).round() / 10.0)
        };
        Times {
            p50_ms: at(50),
            p99_ms: at(99),
            max_ms: at(100),
        }
    }
}

/// The whole of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Devices that spoke.
    pub devices: usize,
    /// Events of a full statement.
    pub size: u32,
    /// Statements sent.
    pub statements: u64,
    /// Events sent.
    pub events: u64,
    /// Events a second that were asked for.
    pub wanted_events_per_second: f64,
    /// Events a second from the first sending to the last receipt.
    pub events_per_second: f64,
    /// Milliseconds by which a statement was sent after its time, at most: the platform was slower
    /// than the load, and the devices' windows were full.
    pub most_late_ms: f64,
    /// From sending to receipt.
    pub to_receipt: Times,
    /// From sending to the verified inclusion.
    pub to_inclusion: Times,
    /// Statements without receipt.
    pub without_receipt: u64,
    /// Statements without inclusion.
    pub without_inclusion: u64,
    /// Events that the platform refused.
    pub refused_events: u64,
    /// Statements that were sent again.
    pub sent_again: u64,
    /// Connections that were lost and made anew.
    pub reconnects: u64,
    /// Publications that the broker did not take.
    pub not_taken: u64,
}

impl Report {
    pub(super) fn of(wish: &Wish, devices: usize, played: &Played) -> Report {
        let seconds = played.seconds_to_receipts();
        let receipted = played.ways.iter().filter(|way| way.receipt.is_some());
        let receipted: u64 = receipted.map(|way| u64::from(way.events)).sum();
        let ways = played.ways.iter();
        let receipts = ways.clone().filter_map(|way| Some(way.receipt? - way.sent));
        let inclusions = ways.filter_map(|way| Some(way.included? - way.sent));
        Report {
            devices,
            size: wish.size,
            statements: played.ways.len() as u64,
            events: played.events(),
            wanted_events_per_second: wish.rate,
            events_per_second: if seconds > 0.0 {
                (receipted as f64 / seconds).round()
            } else {
                0.0
            },
            most_late_ms: (f64::from(played.late) * 1_000.0).round(),
            to_receipt: Times::of(receipts),
            to_inclusion: Times::of(inclusions),
            without_receipt: played.without_receipt(),
            without_inclusion: played.without_inclusion(),
            refused_events: played.refused,
            sent_again: played.again,
            reconnects: played.reconnects,
            not_taken: played.not_taken,
        }
    }

    /// Statements that are lost, by receipt or by inclusion.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.without_receipt.max(self.without_inclusion)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.p50_ms, self.p99_ms, self.max_ms) {
            (Some(p50), Some(p99), Some(max)) => {
                write!(f, "p50 {p50:.0} ms, p99 {p99:.0} ms, at most {max:.0} ms")
            }
            _ => f.write_str("nothing came"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "rate        {:.0} events/s of {:.0} wanted: {} events in {} statements of {} devices",
            self.events_per_second,
            self.wanted_events_per_second,
            self.events,
            self.statements,
            self.devices
        )?;
        writeln!(f, "receipt     {}", self.to_receipt)?;
        writeln!(f, "inclusion   {} (verified)", self.to_inclusion)?;
        writeln!(
            f,
            "lost        {} without receipt, {} without inclusion, {} events refused",
            self.without_receipt, self.without_inclusion, self.refused_events
        )?;
        write!(
            f,
            "trouble     {} sent again, {} connections lost, {} not taken by the broker, at most {:.0} ms late",
            self.sent_again, self.reconnects, self.not_taken, self.most_late_ms
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_nothing_are_none_and_not_zero() {
        let times = Times::of(std::iter::empty());
        assert_eq!((times.p50_ms, times.max_ms), (None, None));
        let times = Times::of([0.5, 0.25].into_iter());
        assert_eq!((times.p50_ms, times.max_ms), (Some(250.0), Some(500.0)));
        assert!(times.to_string().contains("at most 500 ms"));
    }
}
