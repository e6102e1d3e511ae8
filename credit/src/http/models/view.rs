//! What a scorecard's page shows: texts and coordinates, no markup.

use kit::text::Text;

use crate::http::desk::format::exact;
use crate::http::pages::words;
use crate::models::life::{Life, ModelStep};
use crate::models::shadow::{Comparison, FEW};
use crate::models::table::fact_of;
use crate::scorecard::binning::Range;
use crate::scorecard::calibration::Fit;
use crate::scorecard::card::{Fairness, GroupFigures, Measured, ModelCard, NOT_KNOWN, Performance};
use crate::scorecard::points::Characteristic;
use crate::scorecard::stability::{Shift, Verdict};
use crate::scorecard::{Artefact, Number, Value};

/// Side of the chart's square in units of its view box.
const SIDE: f64 = 280.0;
/// Room left and below the square.
const MARGIN: f64 = 44.0;
/// Room above and right of it.
const RIM: f64 = 26.0;

/// A feature with its bins.
#[derive(Debug)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) iv: String,
    /// Range, good rows, bad rows, weight of evidence, points.
    pub(super) bins: Vec<[String; 5]>,
}

/// The feature's name: a fact's words where it is one.
pub(super) fn feature_name(name: &str, t: Text) -> String {
    fact_of(name).map_or_else(
        || name.to_owned(),
        |fact| words::fact(fact, t.language).to_owned(),
    )
}

pub(super) fn features(artefact: &Artefact, t: Text) -> Vec<Feature> {
    let feature = |one: &Characteristic| Feature {
        name: feature_name(&one.feature.name, t),
        iv: three(one.iv),
        bins: one
            .bins
            .iter()
            .map(|bin| {
                [
                    range(&bin.range, t),
                    bin.good.to_string(),
                    bin.bad.to_string(),
                    three(bin.woe),
                    bin.points.to_string(),
                ]
            })
            .collect(),
    };
    artefact.table.characteristics.iter().map(feature).collect()
}

/// What falls into a bin, in words.
pub(super) fn range(range: &Range, t: Text) -> String {
    let named = |value: &Value, label: &str| match value {
        Value::Number(number) => format!("{number} ({label})"),
        Value::Category(name) => format!("{name} ({label})"),
        Value::Missing => label.to_owned(),
    };
    match range {
        Range::Interval { from, below } => match (from, below) {
            (None, None) => t.get("model.any").to_owned(),
            (Some(from), None) => format!("≥ {from}"),
            (None, Some(below)) => format!("< {below}"),
            (Some(from), Some(below)) => format!("{from} – < {below}"),
        },
        Range::Categories { names, others } => {
            let more = if *others { t.get("model.others") } else { "" };
            format!("{} {more}", names.join(", ")).trim().to_owned()
        }
        Range::Special { value, label } => named(value, label),
        Range::Missing => t.get("model.missing").to_owned(),
        Range::Unseen => t.get("model.unseen").to_owned(),
    }
}

fn three(number: Number) -> String {
    format!("{:.3}", number.get())
}

/// A share as a percentage.
pub(super) fn percent(share: Number) -> String {
    format!("{:.1} %", share.get() * 100.0)
}

/// Label, value and interval of each figure.
pub(super) fn figures(performance: &Performance, t: Text) -> Vec<(&'static str, String)> {
    let interval = |one: &Option<Measured>| {
        one.as_ref().map_or_else(
            || t.get("model.none").to_owned(),
            |one| {
                format!(
                    "{} ({} – {})",
                    three(one.value),
                    three(one.low),
                    three(one.high)
                )
            },
        )
    };
    let volume = &performance.volume;
    let brier = performance.brier;
    vec![
        (
            t.get("model.rows"),
            format!("{} / {}", volume.rows, volume.bad),
        ),
        (t.get("model.auc"), interval(&performance.auc)),
        (t.get("model.ks"), interval(&performance.ks)),
        (
            t.get("model.brier"),
            brier.map_or_else(|| t.get("model.none").to_owned(), three),
        ),
    ]
}

/// What the card states, by label.
pub(super) fn statement(card: &ModelCard, t: Text) -> Vec<(&'static str, String)> {
    let said = &card.statement;
    vec![
        (t.get("model.purpose"), said.purpose.clone()),
        (t.get("model.source"), said.source.clone()),
        (t.get("model.sampling"), said.sampling.clone()),
        (t.get("model.exit"), said.exit.clone()),
        (t.get("model.approval"), said.approval_from.to_string()),
        (t.get("model.operator"), said.operator.to_string()),
        (t.get("model.code"), said.code_version.clone()),
        (t.get("model.environment"), said.environment.clone()),
        (t.get("model.iterations"), format!("{:?}", card.iterations)),
    ]
}

/// A step in words.
#[derive(Debug)]
pub(super) struct StepView {
    pub(super) act: String,
    pub(super) person: String,
    pub(super) at: String,
    pub(super) words: String,
}

pub(super) fn steps(life: &Life, t: Text) -> Vec<StepView> {
    let step = |step: &ModelStep| StepView {
        act: t.get(&format!("model.did.{}", step.act.word())).to_owned(),
        person: step.person.to_string(),
        at: exact(step.at),
        words: step.words.clone(),
    };
    life.steps.iter().map(step).collect()
}

/// Name, index and verdict of each shift, with its tone.
#[derive(Debug)]
pub(super) struct ShiftView {
    pub(super) of: String,
    pub(super) psi: String,
    pub(super) tone: &'static str,
    pub(super) says: &'static str,
}

pub(super) fn shifts(shifts: &[Shift], t: Text) -> Vec<ShiftView> {
    let view = |one: &Shift| {
        let (tone, key) = match one.verdict {
            Verdict::Stable => ("ok", "model.stable"),
            Verdict::Watch => ("warn", "model.watch"),
            Verdict::Shifted => ("bad", "model.shifted"),
        };
        ShiftView {
            of: if one.of == "total" {
                t.get("model.total").to_owned()
            } else {
                feature_name(&one.of, t)
            },
            psi: three(one.psi),
            tone,
            says: t.get(key),
        }
    };
    shifts.iter().map(view).collect()
}

/// Groups of firms by what the scorecard makes of them.
#[derive(Debug)]
pub(super) struct FairnessView {
    pub(super) title: String,
    /// Group, rows, share of bad ones, share approved, ratio to the best group's, its tone.
    pub(super) groups: Vec<([String; 5], &'static str)>,
}

/// What is known of groups; a grouping of which no row says anything is left out.
pub(super) fn fairness(card: &ModelCard, t: Text) -> Vec<FairnessView> {
    let known = |one: &&Fairness| one.groups.iter().any(|group| group.group != NOT_KNOWN);
    let view = |one: &Fairness| FairnessView {
        title: t
            .find(&format!("model.by.{}", one.grouping))
            .unwrap_or(&one.grouping)
            .to_owned(),
        groups: one.groups.iter().map(|group| of_group(group, t)).collect(),
    };
    card.fairness.iter().filter(known).map(view).collect()
}

fn of_group(group: &GroupFigures, t: Text) -> ([String; 5], &'static str) {
    let name = match group.group.as_str() {
        NOT_KNOWN => t.get("model.group-unknown"),
        name => name,
    };
    let none = || t.get("model.none").to_owned();
    let cells = [
        name.to_owned(),
        group.rows.to_string(),
        percent(group.bad_share),
        percent(group.approval_rate),
        group.approval_ratio.map_or_else(none, three),
    ];
    let tone = if group.below_four_fifths {
        "warn"
    } else {
        "ok"
    };
    (cells, tone)
}

/// A scorecard beside the decisions.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) lines: Vec<(&'static str, String)>,
    pub(super) shifts: Vec<ShiftView>,
    pub(super) few: bool,
}

pub(super) fn beside(found: &Comparison, t: Text) -> Option<Beside> {
    let scored = found.decisions - found.failed;
    (found.decisions > 0).then(|| Beside {
        lines: vec![
            (t.get("model.decisions"), found.decisions.to_string()),
            (t.get("model.failed"), found.failed.to_string()),
            (t.get("model.agree"), format!("{} / {scored}", found.agree)),
            (
                t.get("model.correlation"),
                found
                    .correlation
                    .map_or_else(|| t.get("model.none").to_owned(), three),
            ),
        ],
        shifts: shifts(&found.shifts, t),
        few: scored < FEW,
    })
}

/// The calibration chart and its table.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) size: String,
    pub(super) left: String,
    pub(super) top: String,
    pub(super) right: String,
    pub(super) bottom: String,
    pub(super) middle: String,
    /// Place on the horizontal axis, place on the vertical one, text.
    pub(super) marks: Vec<(String, String, String)>,
    /// Place, then both ends of the interval.
    pub(super) points: Vec<[String; 4]>,
    pub(super) description: String,
    /// Totals, rows, predicted, observed, interval.
    pub(super) rows: Vec<[String; 5]>,
}

pub(super) fn chart(fit: &Fit, t: Text) -> Chart {
    let place = |at: f64| format!("{at:.1}");
    let x = |share: f64| place(MARGIN + share * SIDE);
    let y = |share: f64| place(RIM + SIDE - share * SIDE);
    let marks = [0.0, 0.25, 0.5, 0.75, 1.0];
    let said = fit
        .bins
        .iter()
        .map(|bin| format!("{}: {}", percent(bin.predicted), percent(bin.observed)));
    let said: Vec<String> = said.collect();
    Chart {
        size: place(MARGIN + SIDE + RIM),
        left: x(0.0),
        top: y(1.0),
        right: x(1.0),
        bottom: y(0.0),
        middle: x(0.5),
        marks: marks
            .map(|share| (x(share), y(share), format!("{:.0} %", share * 100.0)))
            .to_vec(),
        points: fit
            .bins
            .iter()
            .map(|bin| {
                let (low, high) = bin.interval;
                let shares = [bin.observed, low, high].map(|one| y(one.get()));
                let [middle, low, high] = shares;
                [x(bin.predicted.get()), middle, low, high]
            })
            .collect(),
        description: format!("{}: {}", t.get("model.calibration"), said.join("; ")),
        rows: fit
            .bins
            .iter()
            .map(|bin| {
                [
                    format!("{} – {}", bin.from, bin.to),
                    bin.rows.to_string(),
                    percent(bin.predicted),
                    percent(bin.observed),
                    format!("{} – {}", percent(bin.interval.0), percent(bin.interval.1)),
                ]
            })
            .collect(),
    }
}
