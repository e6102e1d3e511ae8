//! `[[rule]]` as it is written: the fields of every type, because an internally tagged enum loses
//! the place of its fields.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

/// One `[[rule]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawRule {
    #[serde(rename = "type")]
    pub type_name: Spanned<String>,
    pub source: Option<Spanned<String>>,
    // window
    pub window_s: Option<Spanned<u64>>,
    pub report: Option<Spanned<Vec<Spanned<String>>>>,
    // dead_band
    pub band: Option<Spanned<f64>>,
    pub every_s: Option<Spanned<u64>>,
    // excursion
    pub begin_after: Option<Spanned<u64>>,
    pub end_after: Option<Spanned<u64>>,
    // scan, pack, unpack, recipe
    pub name: Option<Spanned<String>>,
    pub select: Option<Spanned<String>>,
    pub step: Option<Spanned<String>>,
    pub disposition: Option<Spanned<String>>,
    pub place: Option<Spanned<String>>,
    pub biz_location: Option<Spanned<String>>,
    pub presence: Option<Spanned<String>>,
    pub transaction: Option<Spanned<String>>,
    pub transaction_required: Option<Spanned<bool>>,
    pub transaction_gln: Option<Spanned<String>>,
    pub transaction_prefix: Option<Spanned<String>>,
    pub sources: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    pub destinations: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    // scan
    pub action: Option<Spanned<String>>,
    pub repeat_ms: Option<Spanned<u64>>,
    // pack, unpack, recipe
    pub close: Option<Spanned<String>>,
    pub cancel: Option<Spanned<String>>,
    pub count: Option<Spanned<u64>>,
    pub timeout_s: Option<Spanned<u64>>,
    // recipe
    pub inputs: Option<Spanned<Vec<Spanned<RawPart>>>>,
    pub outputs: Option<Spanned<Vec<Spanned<RawPart>>>>,
}

/// An input or output of a recipe.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawPart {
    pub item: Spanned<String>,
    pub quantity: Option<Spanned<f64>>,
    pub uom: Option<Spanned<String>>,
    pub required: Option<bool>,
}

/// Types that scans of bare codes are for.
pub(in crate::config) const OF_SCANS: &[&str] = &["scan", "pack", "unpack", "recipe"];
const OF_ENDINGS: &[&str] = &["pack", "unpack", "recipe"];

/// A field, where it is given, and the types that have it.
type Field = (&'static str, Option<Range<usize>>, &'static [&'static str]);

impl RawRule {
    /// The first field given that the rule's type does not have, and its place.
    pub(in crate::config) fn foreign(&self) -> Option<(&'static str, Range<usize>)> {
        let fields: [Field; 26] = [
            ("window_s", span(&self.window_s), &["window"]),
            ("report", span(&self.report), &["window"]),
            ("band", span(&self.band), &["dead_band"]),
            ("every_s", span(&self.every_s), &["dead_band"]),
            ("begin_after", span(&self.begin_after), &["excursion"]),
            ("end_after", span(&self.end_after), &["excursion"]),
            ("name", span(&self.name), OF_SCANS),
            ("select", span(&self.select), OF_SCANS),
            ("step", span(&self.step), OF_SCANS),
            ("disposition", span(&self.disposition), OF_SCANS),
            ("place", span(&self.place), OF_SCANS),
            ("biz_location", span(&self.biz_location), OF_SCANS),
            ("presence", span(&self.presence), OF_SCANS),
            ("transaction", span(&self.transaction), OF_SCANS),
            (
                "transaction_required",
                span(&self.transaction_required),
                OF_SCANS,
            ),
            ("transaction_gln", span(&self.transaction_gln), OF_SCANS),
            (
                "transaction_prefix",
                span(&self.transaction_prefix),
                OF_SCANS,
            ),
            ("sources", span(&self.sources), OF_SCANS),
            ("destinations", span(&self.destinations), OF_SCANS),
            ("action", span(&self.action), &["scan"]),
            ("repeat_ms", span(&self.repeat_ms), &["scan"]),
            ("close", span(&self.close), OF_ENDINGS),
            ("cancel", span(&self.cancel), OF_ENDINGS),
            ("count", span(&self.count), OF_ENDINGS),
            ("timeout_s", span(&self.timeout_s), OF_ENDINGS),
            (
                "inputs",
                span(&self.inputs).or(span(&self.outputs)),
                &["recipe"],
            ),
        ];
        let own = self.type_name.get_ref().as_str();
        fields
            .into_iter()
            .filter(|(_, _, types)| !types.contains(&own))
            .find_map(|(name, at, _)| Some((name, at?)))
    }
}

fn span<T>(field: &Option<Spanned<T>>) -> Option<Range<usize>> {
    field.as_ref().map(Spanned::span)
}
