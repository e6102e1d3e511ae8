//! What the pages show: texts made from a decision and its facts, no markup.

mod told;

use std::collections::BTreeSet;

use kit::negotiate::Language;
use rust_decimal::Decimal;
use schemas::hash::Hash;
use schemas::time::Instant;

use super::words::{self, Words};
use crate::facts::Facts;
use crate::lateness::Promises;
use crate::loan::{Decision, Limit, Outcome};
use crate::money::Money;
use crate::sandbox::Sandbox;
use crate::score::{FactName, Points, Reason};

/// Gaps and episodes that a page lists; all of them are in the JSON.
const LINES_SHOWN: usize = 50;

/// A row of the list.
#[derive(Debug)]
pub struct Row {
    /// Decision id.
    pub id: String,
    /// When.
    pub decided_at: String,
    /// Application.
    pub application: String,
    /// Supplier.
    pub supplier: String,
    /// Requested amount.
    pub requested: String,
    /// Offered amount, or nothing.
    pub amount: String,
    /// `ok` or `bad`.
    pub tone: &'static str,
    /// The outcome in a word.
    pub outcome: &'static str,
    /// Points.
    pub total: i32,
    /// Grade.
    pub grade: String,
    /// Why, in one line.
    pub reason: String,
}

impl Row {
    /// The row of a decision.
    #[must_use]
    pub fn of(decision: &Decision, words: &'static Words) -> Self {
        let (tone, outcome, amount) = outcome(decision, words);
        Self {
            id: decision.decision_id.clone(),
            decided_at: minute(decision.decided_at),
            application: decision.application.application_id.to_string(),
            supplier: decision.application.supplier.to_string(),
            requested: decision.application.requested.to_string(),
            amount,
            tone,
            outcome,
            total: decision.score.total,
            grade: decision.score.grade.clone(),
            reason: headline(decision, words),
        }
    }
}

/// A bar with how much of a limit is taken.
#[derive(Debug)]
pub struct Gauge {
    /// What it shows.
    pub label: &'static str,
    /// The limit or part.
    pub amount: String,
    /// Used and free in words, or nothing.
    pub note: String,
    /// Filled part of the bar in percent, 0 to 100.
    pub percent: u8,
    /// `ok`, `warn` or `info`.
    pub tone: &'static str,
}

/// The gauges of a sandbox.
#[must_use]
pub fn sandbox_gauges(sandbox: &Sandbox, words: &'static Words) -> Vec<Gauge> {
    let free = sandbox
        .free()
        .map_or_else(|_| words.no_value.to_owned(), |free| free.to_string());
    let percent = percent(sandbox.used, sandbox.limits.outstanding);
    let per_loan = Gauge {
        label: words.per_loan,
        amount: sandbox.limits.per_loan.to_string(),
        note: String::new(),
        percent: 0,
        tone: "info",
    };
    let outstanding = Gauge {
        label: words.outstanding,
        amount: sandbox.limits.outstanding.to_string(),
        note: format!("{} {} · {} {free}", words.used, sandbox.used, words.free),
        percent,
        tone: if percent >= 80 { "warn" } else { "ok" },
    };
    vec![outstanding, per_loan]
}

/// One fact with its points and evidence.
#[derive(Debug)]
pub struct FactView {
    /// Its name in addresses, see [`fact_key`].
    pub anchor: &'static str,
    /// Its name.
    pub label: &'static str,
    /// Its value in words.
    pub value: String,
    /// Points of how many.
    pub points: String,
    /// `ok`, `warn` or `bad`.
    pub tone: &'static str,
    /// How many events there are.
    pub count: usize,
}

/// A reason in words.
#[derive(Debug)]
pub struct ReasonView {
    /// Its code.
    pub code: String,
    /// In words.
    pub text: &'static str,
    /// What would be different.
    pub counterfactual: String,
}

/// Everything on a decision's page.
#[derive(Debug)]
pub struct DecisionView {
    /// The row of the list.
    pub row: Row,
    /// Product.
    pub product: String,
    /// True for a replay.
    pub replay: bool,
    /// Heading of the reasons.
    pub reasons_heading: &'static str,
    /// Reasons.
    pub reasons: Vec<ReasonView>,
    /// Facts.
    pub facts: Vec<FactView>,
    /// Rules that fired.
    pub rules: Vec<String>,
    /// Parts of the limit.
    pub gauges: Vec<Gauge>,
    /// The limit.
    pub limit: Option<String>,
    /// Gaps in words.
    pub gaps: Vec<String>,
    /// Episodes in words.
    pub episodes: Vec<String>,
    /// Best possible points.
    pub best: i32,
    /// (label, value) of the record.
    pub record: Vec<(&'static str, String)>,
}

/// The view of a decision.
#[must_use]
pub fn decision(decision: &Decision, facts: &Facts, words: &'static Words) -> DecisionView {
    let language = words.language;
    let points = &decision.score.points;
    DecisionView {
        row: Row::of(decision, words),
        product: decision.application.product.to_string(),
        replay: decision.replay,
        reasons: decision
            .reasons
            .iter()
            .map(|one| reason(decision, one, language))
            .collect(),
        facts: points.iter().map(|one| fact(one, facts, words)).collect(),
        rules: decision.rules.clone(),
        gauges: decision
            .limit
            .as_ref()
            .map_or_else(Vec::new, |limit| gauges(limit, language)),
        limit: decision
            .limit
            .as_ref()
            .map(|limit| limit.amount.to_string()),
        reasons_heading: match decision.outcome {
            Outcome::Offer { .. } => words.short_of_best,
            Outcome::Decline => words.reasons,
        },
        gaps: lines(
            facts.gaps.iter().map(|gap| told::gap_text(gap, language)),
            words,
        ),
        episodes: lines(
            facts
                .excursions
                .episodes
                .iter()
                .map(|one| told::episode(one, language)),
            words,
        ),
        best: decision.score.best,
        record: record(decision, facts, words),
    }
}

/// The first lines, and how many there are beyond.
fn lines(all: impl ExactSizeIterator<Item = String>, words: &Words) -> Vec<String> {
    let more = all.len().saturating_sub(LINES_SHOWN);
    let rest = (more > 0).then(|| format!("{} {more}", words.more));
    all.take(LINES_SHOWN).chain(rest).collect()
}

fn outcome(decision: &Decision, words: &'static Words) -> (&'static str, &'static str, String) {
    match decision.outcome {
        Outcome::Offer { amount } => ("ok", words.offer, amount.to_string()),
        Outcome::Decline => ("bad", words.decline, String::new()),
    }
}

/// Of a decline its first reason, of an offer what it was limited by.
fn headline(decision: &Decision, words: &Words) -> String {
    let language = words.language;
    match (&decision.outcome, &decision.limit, decision.reasons.first()) {
        (Outcome::Offer { amount }, Some(limit), _)
            if *amount != decision.application.requested =>
        {
            format!("{} {}", words.cut_by, words::bound(limit.bound, language))
        }
        (Outcome::Offer { .. }, ..) => words.as_requested.to_owned(),
        (Outcome::Decline, _, Some(first)) => {
            let missing = value_of(decision, first.fact).is_none();
            words::reason(first.code, missing, language).to_owned()
        }
        (Outcome::Decline, _, None) => String::new(),
    }
}

fn value_of(decision: &Decision, fact: Option<FactName>) -> Option<Decimal> {
    let points = decision
        .score
        .points
        .iter()
        .find(|one| Some(one.fact) == fact)?;
    points.value
}

fn reason(decision: &Decision, one: &Reason, language: Language) -> ReasonView {
    let missing = value_of(decision, one.fact).is_none();
    let counterfactual = match one.fact {
        Some(fact) if one.points > 0 => {
            let name = words::fact(fact, language);
            match language {
                Language::En => {
                    format!(
                        "{name}: in its best range the total would be {} points higher.",
                        one.points
                    )
                }
                Language::ZhCn => format!("{name}：若处于最佳区间，总分将高 {} 分。", one.points),
            }
        }
        _ => String::new(),
    };
    let text = words::reason(one.code, missing, language);
    ReasonView {
        code: one.code.to_string(),
        text,
        counterfactual,
    }
}

fn fact(points: &Points, facts: &Facts, words: &'static Words) -> FactView {
    FactView {
        anchor: fact_key(points.fact),
        label: words::fact(points.fact, words.language),
        value: value(points, facts, words),
        points: format!("{} / {}", points.points, points.best),
        tone: match points.points {
            best if best == points.best => "ok",
            0 => "bad",
            _ => "warn",
        },
        count: leaves_of(points.fact, facts).len(),
    }
}

/// A fact's name in addresses.
#[must_use]
pub fn fact_key(name: FactName) -> &'static str {
    match name {
        FactName::OnTimeShare => "on-time",
        FactName::InspectionPassShare => "inspections",
        FactName::LongestExcursionMinutes => "longest-excursion",
        FactName::ExcursionMinutes => "excursions",
        FactName::Gaps => "gaps",
        FactName::MeasuredShare => "measured",
        FactName::ConfirmedDeliveries => "deliveries",
        FactName::ConfirmedTurnover => "turnover",
        FactName::Events => "events",
        FactName::KnownDeliveries => "known-deliveries",
        FactName::LateDeliveryProbability => "late-delivery",
        FactName::EvidenceWeight => "evidence-weight",
        FactName::AttestedInvoices => "attested-invoices",
        FactName::TaxArrears => "tax-arrears",
    }
}

/// The events that a fact was computed from.
#[must_use]
pub fn leaves_of(name: FactName, facts: &Facts) -> BTreeSet<Hash> {
    match name {
        FactName::OnTimeShare => facts.on_time.leaves.clone(),
        FactName::InspectionPassShare => facts.inspection.leaves.clone(),
        FactName::LongestExcursionMinutes | FactName::ExcursionMinutes => {
            let episodes = &facts.excursions.episodes;
            let outside: BTreeSet<Hash> = episodes
                .iter()
                .flat_map(|episode| episode.leaves.iter().copied())
                .collect();
            if outside.is_empty() {
                facts.excursions.leaves.clone()
            } else {
                outside
            }
        }
        FactName::ConfirmedDeliveries => facts.volume.leaves.clone(),
        FactName::ConfirmedTurnover => {
            let ordered = facts.promises.iter().flat_map(Promises::leaves);
            facts.volume.leaves.iter().copied().chain(ordered).collect()
        }
        FactName::MeasuredShare => facts.measured.leaves.clone(),
        FactName::Events => facts
            .sources
            .values()
            .flat_map(|share| share.leaves.iter().copied())
            .collect(),
        FactName::KnownDeliveries | FactName::LateDeliveryProbability => {
            let promises = facts.promises.as_ref();
            promises.map_or_else(BTreeSet::new, Promises::leaves)
        }
        FactName::EvidenceWeight => {
            let confirmed = facts.weights.as_ref().map(|one| one.confirmed.clone());
            confirmed.unwrap_or_default()
        }
        FactName::Gaps | FactName::AttestedInvoices | FactName::TaxArrears => BTreeSet::new(),
    }
}

fn value(points: &Points, facts: &Facts, words: &Words) -> String {
    let Some(value) = points.value else {
        return words.no_value.to_owned();
    };
    let of = |part: u64, whole: u64| format!("{} % ({part} / {whole})", hundredfold(value));
    match points.fact {
        FactName::OnTimeShare => of(facts.on_time.part, facts.on_time.whole),
        FactName::InspectionPassShare => of(facts.inspection.part, facts.inspection.whole),
        FactName::MeasuredShare => of(facts.measured.part, facts.measured.whole),
        FactName::LateDeliveryProbability | FactName::EvidenceWeight => {
            format!("{} %", hundredfold(value))
        }
        FactName::LongestExcursionMinutes | FactName::ExcursionMinutes => {
            minutes(value, words.language)
        }
        _ => value.normalize().to_string(),
    }
}

fn hundredfold(share: Decimal) -> Decimal {
    share.saturating_mul(Decimal::ONE_HUNDRED).normalize()
}

fn minutes(value: Decimal, language: Language) -> String {
    match language {
        Language::En if value == Decimal::ONE => "1 minute".to_owned(),
        Language::En => format!("{value} minutes"),
        Language::ZhCn => format!("{value} 分钟"),
    }
}

fn gauges(limit: &Limit, language: Language) -> Vec<Gauge> {
    let largest = limit
        .parts
        .iter()
        .map(|part| part.amount.fen())
        .max()
        .unwrap_or(0);
    let gauge = |part: &crate::loan::limit::Part| Gauge {
        label: words::bound(part.bound, language),
        amount: part.amount.to_string(),
        note: String::new(),
        percent: ratio(part.amount.fen(), largest),
        tone: if part.bound == limit.bound {
            "warn"
        } else {
            "info"
        },
    };
    limit.parts.iter().map(gauge).collect()
}

fn percent(used: Money, limit: Money) -> u8 {
    ratio(used.fen(), limit.fen())
}

fn ratio(part: i64, whole: i64) -> u8 {
    if whole <= 0 {
        return 0;
    }
    let percent = i128::from(part) * 100 / i128::from(whole);
    u8::try_from(percent.clamp(0, 100)).unwrap_or(100)
}

fn record(decision: &Decision, facts: &Facts, words: &Words) -> Vec<(&'static str, String)> {
    let model = format!("{} {}", decision.model.name, decision.model.version);
    vec![
        (words.as_of, minute(facts.as_of)),
        (words.anchored, minute(facts.anchored)),
        (words.log_size, decision.log_size.to_string()),
        (words.log_root, decision.root.to_string()),
        (words.policy, decision.policy.to_string()),
        (words.model, format!("{model} · {}", decision.model.hash)),
        (words.inputs, decision.inputs.to_string()),
    ]
}

/// `2026-11-22 01:02`.
fn minute(at: Instant) -> String {
    at.to_rfc3339()
        .get(..16)
        .unwrap_or_default()
        .replace('T', " ")
}
