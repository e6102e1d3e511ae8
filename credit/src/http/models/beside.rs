//! What scorecards that decide nothing say beside a decision, on the offer's page.

use kit::text::Text;
use schemas::hash::Hash;

use super::super::desk::format::short;
use super::view::{feature_name, percent};
use crate::store::models::ShadowRow;

/// What one scorecard says.
#[derive(Debug)]
pub(in crate::http) struct ShadowLine {
    /// The scorecard.
    pub(in crate::http) artefact: Hash,
    /// Its first and last digits.
    pub(in crate::http) short: String,
    /// Total, figure and probability; why not, where it could not score.
    pub(in crate::http) says: String,
    /// Reasons.
    pub(in crate::http) reasons: Vec<String>,
}

/// A shadow score in words.
pub(in crate::http) fn shadow_line(row: &ShadowRow, t: Text) -> ShadowLine {
    let (says, reasons) = match &row.body.said {
        Err(error) => (format!("{} {error}", t.get("shadow.failed")), Vec::new()),
        Ok(said) => {
            let (total, share) = (said.score.total, percent(said.probability));
            let reasons = said.reasons.iter().map(|one| {
                let values = [
                    ("feature", feature_name(&one.feature, t)),
                    ("points", one.points.to_string()),
                ];
                let values = values.each_ref().map(|(key, value)| (*key, value.as_str()));
                t.fill("shadow.better", &values)
            });
            (
                format!("{total} · {} {share}", said.figure),
                reasons.collect(),
            )
        }
    };
    ShadowLine {
        artefact: row.artefact,
        short: short(&row.artefact),
        says,
        reasons,
    }
}
