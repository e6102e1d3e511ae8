//! The probability of late delivery in words: quality, calibration, and a table of all suppliers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use credit::lateness::Evaluation;
use credit::lateness::evaluation::{Quality, Standing};
use credit::lateness::metrics::Interval;
use rust_decimal::Decimal;

use super::{grouped, money};
use crate::check::Outcome;
use crate::folder::Decision;

/// Characters of a name that a line shows.
const NAME_CHARS: usize = 40;

/// Everything about the figure.
pub fn text(evaluation: &Evaluation, outcome: &Outcome) -> String {
    let mut text = quality(evaluation);
    text.push_str(&suppliers(evaluation, outcome));
    text
}

fn quality(evaluation: &Evaluation) -> String {
    let (tested, quality) = (&evaluation.tested_on, &evaluation.quality);
    let mut text = format!(
        "Probability of late delivery (historical replay), model {} {} {}\n",
        evaluation.model.name, evaluation.model.version, evaluation.model.hash
    );
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<22}{value}");
    };
    row(
        "out of time",
        format!(
            "{} deliveries promised from {} on, {} late; {} with too little known beforehand",
            grouped(tested.predicted),
            day(&evaluation.split.to_rfc3339()),
            tested.predicted_late,
            tested.insufficient
        ),
    );
    row("AUC", with_interval(quality.auc));
    row("Brier score", with_interval(quality.brier));
    row("calibration", calibration(quality));
    row(
        "intervals",
        format!(
            "95 %, {} draws of whole suppliers, seed {}",
            grouped(u64::from(evaluation.bootstrap.draws)),
            evaluation.bootstrap.seed
        ),
    );
    for one in &evaluation.alternatives {
        let better = evaluation.better.as_ref() == Some(&one.name);
        let kept = if better { ", better" } else { "" };
        row(&one.name, format!("AUC {}{kept}", with_interval(one.auc)));
    }
    text.push_str(&bins(quality));
    text
}

fn with_interval(found: Option<Interval>) -> String {
    found.map_or_else(
        || "none: one kind of outcome only".to_owned(),
        |one| format!("{:.4} ({:.4} to {:.4})", one.value, one.low, one.high),
    )
}

fn calibration(quality: &Quality) -> String {
    let shown =
        |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |one| format!("{one:.4}"));
    format!(
        "mean {} against {} observed, expected error {}, intercept {}, slope {}",
        shown(quality.mean_predicted),
        shown(quality.mean_observed),
        shown(quality.calibration_error),
        shown(quality.intercept),
        shown(quality.slope)
    )
}

fn bins(quality: &Quality) -> String {
    let mut text =
        String::from("  probability        deliveries  late  predicted  observed  95 % interval\n");
    for bin in &quality.calibration {
        let range = format!("{:.2} to {:.2}", bin.from, bin.below);
        let _ = writeln!(
            text,
            "  {range:<19}{:>10}{:>6}{:>11.4}{:>10.4}  {:.4} to {:.4}",
            grouped(bin.deliveries),
            bin.late,
            bin.predicted,
            bin.observed,
            bin.interval.0,
            bin.interval.1
        );
    }
    text
}

fn suppliers(evaluation: &Evaluation, outcome: &Outcome) -> String {
    let decisions = outcome.offers.iter().chain(&outcome.declined);
    let decided: BTreeMap<&str, &Decision> =
        decisions.map(|one| (one.supplier.as_str(), one)).collect();
    let rows = evaluation.by_probability();
    let mut text = format!(
        "Suppliers ({}), probability of late delivery (late / known)\n  {:<NAME_CHARS$}  {:<22}{:<22}offer\n",
        rows.len(),
        "",
        format!("at {}", day(&evaluation.split.to_rfc3339())),
        format!("at {}", day(&evaluation.end.to_rfc3339())),
    );
    for one in rows {
        let decision = decided.get(one.supplier.as_str());
        let name = decision.map_or(one.supplier.as_str(), |decision| &decision.name);
        let name: String = name
            .trim_end_matches(" (historical replay)")
            .chars()
            .take(NAME_CHARS)
            .collect();
        let _ = writeln!(
            text,
            "  {name:<NAME_CHARS$}  {:<22}{:<22}{}",
            standing(&one.at_split),
            standing(&one.at_end),
            offer(decision.copied())
        );
    }
    text
}

fn standing(standing: &Standing) -> String {
    let counts = format!("({} / {})", standing.late, standing.known);
    match standing.probability {
        Some(probability) => format!("{:>7.2} % {counts}", probability * Decimal::ONE_HUNDRED),
        None => format!("insufficient {counts}"),
    }
}

fn offer(decision: Option<&Decision>) -> String {
    match decision.map(|one| (one.offer_fen, one)) {
        Some((Some(fen), one)) => format!("{} {}", one.currency, money(fen)),
        Some((None, one)) => format!("none: {}", one.reasons.first().map_or("", String::as_str)),
        None => String::new(),
    }
}

/// The day of an RFC 3339 instant.
fn day(text: &str) -> &str {
    text.get(..10).unwrap_or_default()
}
