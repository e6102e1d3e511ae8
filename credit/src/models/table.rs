//! The points table that a scorecard gives, in the form that [`Model`] reads.
//!
//! Base, bins and points are the scorecard's, one by one. What a scorecard does not know is the
//! bank's: grades, what may be offered, reason codes, knock-outs; the settings state it and the
//! review sees it. Only facts of a decision can be in such a table: every feature bears the name of a
//! [`FactName`], and anything that the table's form cannot say exactly is refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rust_decimal::Decimal;
use schemas::hash::Hash;
use serde::{Deserialize, Serialize};

use crate::score::model::ModelError;
use crate::score::{FactName, Model, ReasonCode};
use crate::scorecard::binning::{Range, Trend};
use crate::scorecard::outcome::WATERMARK;
use crate::scorecard::points::Characteristic;
use crate::scorecard::{Artefact, Kind, Number};

/// Digits of a cut that compare alike as a decimal and as a binary float.
const DIGITS_MAX: usize = 15;

/// A grade and where it begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeTerms {
    /// Its name.
    pub name: String,
    /// The lowest total of it.
    pub at_least: i32,
}

/// A rule that declines whatever the total.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnockOutTerms {
    /// Its name.
    pub name: String,
    /// The fact; it must be in the table.
    pub fact: FactName,
    /// Fires above this.
    pub above: Option<Decimal>,
    /// Fires below this.
    pub below: Option<Decimal>,
    /// The reason given.
    pub code: ReasonCode,
}

/// What a bank decides by beside the points.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableTerms {
    /// From best to worst.
    pub grades: Vec<GradeTerms>,
    /// The lowest grade that may be offered anything.
    pub offer: String,
    /// Reason codes of facts, where another than the usual one is meant.
    #[serde(default)]
    pub reasons: BTreeMap<FactName, ReasonCode>,
    /// What declines by itself.
    #[serde(default)]
    pub knock_outs: Vec<KnockOutTerms>,
}

/// A scorecard that gives no points table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A feature is no fact of a decision.
    #[error("{0}: no fact of a decision bears this name")]
    NoFact(String),
    /// A feature's values are names.
    #[error("{0}: facts are numbers, this feature has names")]
    Names(String),
    /// A feature has special values, for which the table has no bins.
    #[error("{0}: the table has no bins for special values")]
    Special(String),
    /// A feature is best or worst in the middle.
    #[error("{0}: points must rise or fall along the fact, its trend is neither")]
    Trend(String),
    /// A cut has more digits than compare alike.
    #[error("{feature}: the cut {cut} has more than {DIGITS_MAX} digits; round the column")]
    Cut {
        /// The feature.
        feature: String,
        /// The cut.
        cut: String,
    },
    /// No reason code is usual for this fact.
    #[error("table.reasons: `{0}` needs a reason code")]
    Reason(String),
    /// What the settings state does not fit the points.
    #[error("table: {0}")]
    Model(#[from] ModelError),
}

/// The fact of a name; every fact is called as its rows in a points table are.
#[must_use]
pub fn fact_of(name: &str) -> Option<FactName> {
    FactName::ALL
        .into_iter()
        .find(|fact| word(fact).as_deref() == Some(name))
}

/// The name of a fact in files.
pub(super) fn word<T: Serialize>(of: &T) -> Option<String> {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => Some(word),
        _ => None,
    }
}

/// Facts of a scorecard's features, in the order of its table.
///
/// # Errors
/// [`TableError::NoFact`], [`TableError::Names`], naming the feature.
pub fn facts(artefact: &Artefact) -> Result<Vec<FactName>, TableError> {
    let fact = |one: &Characteristic| {
        let name = || one.feature.name.clone();
        if one.feature.kind == Kind::Categorical {
            return Err(TableError::Names(name()));
        }
        fact_of(&one.feature.name).ok_or_else(|| TableError::NoFact(name()))
    };
    artefact.table.characteristics.iter().map(fact).collect()
}

/// The text of the points table, which [`Model::parse`] reads.
///
/// # Errors
/// [`TableError`], naming the feature or what the settings state wrongly.
pub fn write(artefact: &Artefact, hash: Hash, terms: &TableTerms) -> Result<String, TableError> {
    let facts = facts(artefact)?;
    let mark = if artefact.outcome.simulated {
        format!(" ({WATERMARK})")
    } else {
        String::new()
    };
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "# The points of scorecard {hash}: {}{mark}.\n\
         # Nobody edits this file: the service compares it with what was promoted.\n\
         artefact = \"{hash}\"\nname = {}\nversion = {}\nbase = {}",
        artefact.figure.replace(|sign: char| sign.is_control(), " "),
        quoted(&format!("{}{mark}", artefact.name)),
        quoted(&artefact.version),
        artefact.table.base
    );
    if terms.knock_outs.is_empty() {
        // Before the first table in the file a list of none can stand as a member.
        text.push_str("knock_outs = []\n");
    }
    for grade in &terms.grades {
        let (name, least) = (quoted(&grade.name), grade.at_least);
        let _ = writeln!(text, "\n[[grades]]\nname = {name}\nat_least = {least}");
    }
    let _ = writeln!(text, "\n[offer]\ngrade = {}", quoted(&terms.offer));
    for (one, fact) in artefact.table.characteristics.iter().zip(facts) {
        let code = terms.reasons.get(&fact).copied().or(usual(fact));
        let code = code.ok_or_else(|| TableError::Reason(one.feature.name.clone()))?;
        text.push_str(&characteristic(one, code)?);
    }
    for rule in &terms.knock_outs {
        text.push_str(&knock_out(rule));
    }
    Model::parse("table", &text)?;
    Ok(text)
}

/// What is short of the best, as the built-in table says it; arrears of tax have no usual code.
const fn usual(fact: FactName) -> Option<ReasonCode> {
    Some(match fact {
        FactName::OnTimeShare | FactName::LateDeliveryProbability => ReasonCode::LateDelivery,
        FactName::InspectionPassShare => ReasonCode::InspectionFailures,
        FactName::LongestExcursionMinutes | FactName::ExcursionMinutes => {
            ReasonCode::ColdChainExcursion
        }
        FactName::Gaps => ReasonCode::EvidenceGap,
        FactName::ConfirmedDeliveries
        | FactName::ConfirmedTurnover
        | FactName::KnownDeliveries
        | FactName::AttestedInvoices => ReasonCode::LowVolume,
        FactName::MeasuredShare | FactName::Events | FactName::EvidenceWeight => {
            ReasonCode::InsufficientEvidence
        }
        FactName::TaxArrears => return None,
    })
}

fn characteristic(one: &Characteristic, code: ReasonCode) -> Result<String, TableError> {
    let name = || one.feature.name.clone();
    let direction = match one.trend {
        // The share of bad rows rises: more is worse.
        Some(Trend::Rising) => "lower_is_better",
        Some(Trend::Falling) => "higher_is_better",
        _ => return Err(TableError::Trend(name())),
    };
    let mut text = format!(
        "\n[[characteristics]]\nfact = {}\ncode = {}\ndirection = \"{direction}\"\nbins = [\n",
        quoted(&one.feature.name),
        quoted(&code.to_string())
    );
    let mut missing = 0;
    for bin in &one.bins {
        match &bin.range {
            Range::Missing => missing = bin.points,
            Range::Interval { below: None, .. } => {
                let _ = writeln!(text, "    {{ points = {} }},", bin.points);
            }
            Range::Interval {
                below: Some(below), ..
            } => {
                let (below, points) = (cut(&one.feature.name, *below)?, bin.points);
                let _ = writeln!(text, "    {{ below = \"{below}\", points = {points} }},");
            }
            _ => return Err(TableError::Special(name())),
        }
    }
    let nothing = quoted(&ReasonCode::InsufficientEvidence.to_string());
    let _ = writeln!(
        text,
        "]\nmissing = {{ points = {missing}, code = {nothing} }}"
    );
    Ok(text)
}

/// A cut as a decimal that stands between the same facts as the float.
fn cut(feature: &str, cut: Number) -> Result<Decimal, TableError> {
    let text = cut.to_string();
    let refused = || TableError::Cut {
        feature: feature.to_owned(),
        cut: text.clone(),
    };
    let read = text.parse().or_else(|_| Decimal::from_scientific(&text));
    let decimal: Decimal = read.map_err(|_| refused())?;
    let digits = decimal.normalize().mantissa().unsigned_abs().to_string();
    if digits.len() > DIGITS_MAX {
        return Err(refused());
    }
    Ok(decimal.normalize())
}

fn knock_out(rule: &KnockOutTerms) -> String {
    let mut text = format!(
        "\n[[knock_outs]]\nname = {}\nfact = {}\n",
        quoted(&rule.name),
        quoted(&word(&rule.fact).unwrap_or_default())
    );
    for (name, bound) in [("above", rule.above), ("below", rule.below)] {
        if let Some(bound) = bound {
            let _ = writeln!(text, "{name} = \"{bound}\"");
        }
    }
    let _ = writeln!(text, "code = {}", quoted(&rule.code.to_string()));
    text
}

/// A text as TOML: the escapes of JSON are among those of a basic string.
fn quoted(text: &str) -> String {
    let clean = text.replace('\u{7f}', " ");
    serde_json::to_string(&clean).unwrap_or_default()
}
