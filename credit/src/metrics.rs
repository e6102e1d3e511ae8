//! What the service counts; the same list is in `docs/metrics.md`, compared by a test.

use kit::metrics::{HTTP, Kind, Series};

/// Every series.
pub const ALL: [Series; 4] = [
    Series {
        name: "tracebond_decisions_total",
        kind: Kind::Counter,
        labels: &["outcome"],
        help: "Applications answered: `decided`, or `refused` without a decision",
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
