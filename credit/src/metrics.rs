//! What the service counts; the same list is in `docs/metrics.md`, compared by a test.

use kit::metrics::{HTTP, Kind, Series};

/// Every series.
pub const ALL: [Series; 9] = [
    Series {
        name: "tracebond_decisions_total",
        kind: Kind::Counter,
        labels: &["outcome"],
        help: "Applications answered: `decided`, or `refused` without a decision",
    },
    Series {
        name: "tracebond_watched_streams",
        kind: Kind::Gauge,
        labels: &[],
        help: "Sensors of pledged goods that are watched",
    },
    Series {
        name: "tracebond_watch_answers_total",
        kind: Kind::Counter,
        labels: &["outcome"],
        help: "Answers about a watched device's chain: `verified`, `nothing` new, `refused` by verification, `unreachable`",
    },
    Series {
        name: "tracebond_watch_readings_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Verified readings that were judged, once for each pledge that they are watched for",
    },
    Series {
        name: "tracebond_pledge_alarms_total",
        kind: Kind::Counter,
        labels: &["kind"],
        help: "Alarms that froze draws, or found them frozen: `breach` or `silence`",
    },
    Series {
        name: "tracebond_freeze_seconds",
        kind: Kind::Histogram,
        labels: &[],
        help: "Time from a reading out of its limits, by its device's clock, until draws were frozen",
    },
    HTTP[0],
    HTTP[1],
    HTTP[2],
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_document_lists_every_series() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        let text = std::fs::read_to_string(file).unwrap();
        assert!(
            text.contains(&kit::metrics::table(&ALL)),
            "{}",
            kit::metrics::table(&ALL)
        );
    }
}
