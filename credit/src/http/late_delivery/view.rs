//! What the page shows: texts and coordinates made from an evaluation, no markup.

use rust_decimal::Decimal;

use super::texts::Texts;
use crate::lateness::evaluation::{Alternative, Counts, Quality, Standing};
use crate::lateness::metrics::{Bin, Interval};
use crate::lateness::{Evaluation, Parameters};
use schemas::time::Instant;

/// Side of the chart's square in units of its view box.
const SIDE: f64 = 280.0;
/// Room left and below the square.
const MARGIN: f64 = 44.0;
/// Room above and right of it.
const RIM: f64 = 14.0;
/// The axes end at a multiple of this.
const STEP: f64 = 0.05;

/// Everything on the page.
#[derive(Debug)]
pub(super) struct View {
    pub replay: bool,
    pub origins: String,
    pub split: String,
    pub end: String,
    /// (label, value, remark) of each figure of quality.
    pub quality: Vec<(&'static str, String, String)>,
    /// (label, deliveries, late, with a figure, late of these, insufficient).
    pub counts: Vec<[String; 6]>,
    pub bins: Vec<[String; 6]>,
    pub chart: Chart,
    pub forms: Vec<FormRow>,
    pub suppliers: Vec<SupplierRow>,
    pub model: String,
    pub parameters: String,
    pub minimum: u32,
    pub horizon: u32,
    pub draws: u32,
    pub agrees: bool,
}

/// A form of the model.
#[derive(Debug)]
pub(super) struct FormRow {
    pub name: &'static str,
    pub parameters: String,
    pub auc: String,
    pub log_loss: String,
    pub better: bool,
}

/// A supplier.
#[derive(Debug)]
pub(super) struct SupplierRow {
    pub name: String,
    /// At the split and at the end.
    pub cells: [Cell; 2],
}

/// A supplier's figure at a date.
#[derive(Debug)]
pub(super) struct Cell {
    /// Percent, or nothing for insufficient evidence.
    pub probability: Option<String>,
    pub known: String,
}

/// The calibration chart.
#[derive(Debug)]
pub(super) struct Chart {
    pub width: String,
    pub height: String,
    pub left: String,
    pub top: String,
    pub right: String,
    pub bottom: String,
    /// Place of the x axis' name.
    pub middle: String,
    /// (x, y of the horizontal axis' text, text) of each mark.
    pub marks_x: Vec<(String, String)>,
    pub marks_y: Vec<(String, String)>,
    pub points: Vec<Point>,
    /// What the chart shows, in a sentence.
    pub description: String,
}

/// A bin in the chart.
#[derive(Debug)]
pub(super) struct Point {
    pub x: String,
    pub y: String,
    pub low: String,
    pub high: String,
}

impl View {
    /// The view of an evaluation.
    pub fn of(evaluation: &Evaluation, texts: &'static Texts) -> Self {
        let quality = &evaluation.quality;
        let better = |one: &Alternative| evaluation.better.as_ref() == Some(&one.name);
        let suppliers = evaluation.by_probability();
        Self {
            replay: evaluation.is_replay(),
            origins: evaluation.origins.join(", "),
            split: day(evaluation.split),
            end: day(evaluation.end),
            quality: figures(quality, texts),
            counts: vec![
                counts(texts.fitted_on, evaluation.split, &evaluation.fitted_on),
                counts(texts.tested_on, evaluation.split, &evaluation.tested_on),
            ],
            bins: quality.calibration.iter().map(bin).collect(),
            chart: Chart::of(&quality.calibration, texts),
            forms: evaluation
                .alternatives
                .iter()
                .map(|one| form(one, better(one), texts))
                .collect(),
            suppliers: suppliers
                .into_iter()
                .map(|one| SupplierRow {
                    name: one.supplier.to_string(),
                    cells: [cell(&one.at_split), cell(&one.at_end)],
                })
                .collect(),
            model: format!(
                "{} {} · {}",
                evaluation.model.name, evaluation.model.version, evaluation.model.hash
            ),
            parameters: parameters(&evaluation.parameters, texts),
            minimum: evaluation.minimum_known,
            horizon: evaluation.horizon_days,
            draws: evaluation.bootstrap.draws,
            agrees: evaluation.frozen_is_fitted,
        }
    }
}

fn figures(quality: &Quality, texts: &'static Texts) -> Vec<(&'static str, String, String)> {
    let plain = |figure: Option<f64>| figure.map_or_else(|| texts.none.to_owned(), four);
    let both = match (quality.intercept, quality.slope) {
        (Some(intercept), Some(slope)) => format!("{intercept:.2} · {slope:.2}"),
        _ => texts.none.to_owned(),
    };
    let remark = |figure: Option<Interval>| {
        figure.map_or_else(String::new, |one| {
            format!("{} {} – {}", texts.interval, four(one.low), four(one.high))
        })
    };
    let value = |figure: Option<Interval>| plain(figure.map(|one| one.value));
    let share = |figure: Option<f64>| figure.map_or_else(|| texts.none.to_owned(), percent);
    vec![
        (texts.auc, value(quality.auc), remark(quality.auc)),
        (texts.brier, value(quality.brier), remark(quality.brier)),
        (texts.log_loss, plain(quality.log_loss), String::new()),
        (
            texts.predicted,
            share(quality.mean_predicted),
            String::new(),
        ),
        (texts.observed, share(quality.mean_observed), String::new()),
        (
            texts.calibration_error,
            plain(quality.calibration_error),
            String::new(),
        ),
        (texts.recalibration, both, String::new()),
    ]
}

fn counts(label: &str, split: Instant, counts: &Counts) -> [String; 6] {
    let numbers = [
        counts.deliveries,
        counts.late,
        counts.predicted,
        counts.predicted_late,
        counts.insufficient,
    ];
    let [all, late, predicted, predicted_late, insufficient] =
        numbers.map(|number| number.to_string());
    [
        format!("{label} {}", day(split)),
        all,
        late,
        predicted,
        predicted_late,
        insufficient,
    ]
}

fn bin(bin: &Bin) -> [String; 6] {
    [
        format!("{} – {}", percent(bin.from), percent(bin.below)),
        bin.deliveries.to_string(),
        bin.late.to_string(),
        percent(bin.predicted),
        percent(bin.observed),
        format!("{} – {}", percent(bin.interval.0), percent(bin.interval.1)),
    ]
}

fn form(one: &Alternative, better: bool, texts: &'static Texts) -> FormRow {
    let auc = one.auc.map_or_else(
        || texts.none.to_owned(),
        |auc| {
            format!(
                "{} ({} – {})",
                four(auc.value),
                four(auc.low),
                four(auc.high)
            )
        },
    );
    FormRow {
        name: match one.parameters.half_life_days {
            None => texts.whole,
            Some(_) => texts.recent,
        },
        parameters: parameters(&one.parameters, texts),
        auc,
        log_loss: one.log_loss.map_or_else(|| texts.none.to_owned(), four),
        better,
    }
}

fn parameters(parameters: &Parameters, texts: &Texts) -> String {
    let half_life = parameters.half_life_days;
    let half_life =
        half_life.map_or_else(String::new, |days| format!("{} {days} · ", texts.half_life));
    format!(
        "{half_life}{} {} · {} {}",
        texts.strength,
        parameters.strength,
        texts.mean,
        percent(parameters.mean())
    )
}

fn cell(standing: &Standing) -> Cell {
    let shown = |share: Decimal| format!("{:.2} %", share * Decimal::ONE_HUNDRED);
    Cell {
        probability: standing.probability.map(shown),
        known: format!("{} / {}", standing.late, standing.known),
    }
}

impl Chart {
    fn of(bins: &[Bin], texts: &Texts) -> Self {
        let most = bins
            .iter()
            .map(|bin| bin.predicted.max(bin.interval.1))
            .fold(STEP, f64::max);
        let end = ((most / STEP).ceil() * STEP).min(1.0);
        let x = |share: f64| text(MARGIN + share / end * SIDE);
        let y = |share: f64| text(RIM + SIDE - share / end * SIDE);
        let every = if end > 0.3 { 0.1 } else { STEP };
        let marks = (0..=20)
            .map(|mark| f64::from(mark) * every)
            .take_while(|mark| *mark <= end + 1e-9);
        let marks: Vec<f64> = marks.collect();
        let said: Vec<String> = bins
            .iter()
            .map(|bin| format!("{}: {}", percent(bin.predicted), percent(bin.observed)))
            .collect();
        Self {
            width: text(MARGIN + SIDE + RIM),
            height: text(RIM + SIDE + MARGIN),
            left: text(MARGIN),
            top: text(RIM),
            right: text(MARGIN + SIDE),
            bottom: text(RIM + SIDE),
            middle: text(MARGIN + SIDE / 2.0),
            marks_x: marks
                .iter()
                .map(|mark| (x(*mark), format!("{:.0} %", mark * 100.0)))
                .collect(),
            marks_y: marks
                .iter()
                .map(|mark| (y(*mark), format!("{:.0} %", mark * 100.0)))
                .collect(),
            points: bins
                .iter()
                .map(|bin| Point {
                    x: x(bin.predicted),
                    y: y(bin.observed),
                    low: y(bin.interval.0),
                    high: y(bin.interval.1),
                })
                .collect(),
            description: format!(
                "{} → {}: {}",
                texts.chart_axis_x,
                texts.chart_axis_y,
                said.join("; ")
            ),
        }
    }
}

fn text(place: f64) -> String {
    format!("{place:.1}")
}

fn four(figure: f64) -> String {
    format!("{figure:.4}")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `2013-07-01`.
fn day(at: Instant) -> String {
    at.to_rfc3339().get(..10).unwrap_or_default().to_owned()
}
