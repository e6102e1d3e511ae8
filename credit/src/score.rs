//! Points for facts: a frozen table that a model-risk department can read with its eyes.
//!
//! The total is the base plus one bin's points for each characteristic, so each reason is true
//! without explanation: had this fact been in its best bin and nothing else changed, the total
//! would be higher by exactly the points named. The total is no probability: there were no labels.

pub mod model;

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use schemas::attestation::Kind;
use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::facts::sources::largest;
use crate::money::Currency;
pub use model::{Model, ModelError};

/// Most reasons that a decision names.
pub const REASONS_MAX: usize = 4;

/// A fact that points may be given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactName {
    /// Kept share of the promises that were due, 0 to 1.
    OnTimeShare,
    /// Passed share of the inspections with a result, 0 to 1.
    InspectionPassShare,
    /// Minutes of the longest episode outside temperature limits; missing without readings.
    LongestExcursionMinutes,
    /// Minutes of all episodes; missing without readings.
    ExcursionMinutes,
    /// Gaps in the chains.
    Gaps,
    /// Share of own events that were measured or scanned, 0 to 1.
    MeasuredShare,
    /// Deliveries that somebody else confirmed.
    ConfirmedDeliveries,
    /// Invoiced amount of confirmed shipments in whole units of the currency of the application.
    ConfirmedTurnover,
    /// Own events.
    Events,
    /// Promised orders whose receipt by others is known.
    KnownDeliveries,
    /// Probability of late delivery, 0 to 1; missing for insufficient evidence.
    LateDeliveryProbability,
    /// Mean weight of own events by their sources and confirmations, 0 to 1; missing where decisions
    /// are made without signed consents.
    EvidenceWeight,
    /// The largest amount that a tax office attests as invoiced, in whole units of the application's
    /// currency; missing without an attestation that counts.
    AttestedInvoices,
    /// The largest amount that a tax office attests as in arrears, likewise.
    TaxArrears,
}

impl FactName {
    /// Every name.
    pub const ALL: [Self; 14] = [
        Self::OnTimeShare,
        Self::InspectionPassShare,
        Self::LongestExcursionMinutes,
        Self::ExcursionMinutes,
        Self::Gaps,
        Self::MeasuredShare,
        Self::ConfirmedDeliveries,
        Self::ConfirmedTurnover,
        Self::Events,
        Self::KnownDeliveries,
        Self::LateDeliveryProbability,
        Self::EvidenceWeight,
        Self::AttestedInvoices,
        Self::TaxArrears,
    ];
}

/// Why a decision is not better than it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReasonCode {
    /// Goods were outside their temperature limits.
    ColdChainExcursion,
    /// Something is missing or withheld in the chains.
    EvidenceGap,
    /// Promised deliveries came late or not at all.
    LateDelivery,
    /// Inspections failed.
    InspectionFailures,
    /// Little was confirmed by others.
    LowVolume,
    /// There is too little to judge by.
    InsufficientEvidence,
    /// The sandbox's limit leaves no room.
    SandboxLimit,
    /// A rule before an offer refuses; which one is among the rules that fired.
    RuleRefuses,
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ColdChainExcursion => "COLD_CHAIN_EXCURSION",
            Self::EvidenceGap => "EVIDENCE_GAP",
            Self::LateDelivery => "LATE_DELIVERY",
            Self::InspectionFailures => "INSPECTION_FAILURES",
            Self::LowVolume => "LOW_VOLUME",
            Self::InsufficientEvidence => "INSUFFICIENT_EVIDENCE",
            Self::SandboxLimit => "SANDBOX_LIMIT",
            Self::RuleRefuses => "RULE_REFUSES",
        })
    }
}

/// Facts as numbers; `None` where a fact has no value.
pub type Measures = BTreeMap<FactName, Option<Decimal>>;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The code.
    pub code: ReasonCode,
    /// The fact that it is about; absent for a limit.
    pub fact: Option<FactName>,
    /// By how many points the total would be higher had the fact been in its best bin.
    pub points: i32,
}

/// Points of one characteristic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Points {
    /// The fact.
    pub fact: FactName,
    /// Its value; absent if missing.
    pub value: Option<Decimal>,
    /// Points of its bin.
    pub points: i32,
    /// Points of the best bin.
    pub best: i32,
    /// The reason code of what is short of the best.
    pub code: ReasonCode,
}

/// What the table says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Base and points.
    pub total: i32,
    /// The best total that this table can give.
    pub best: i32,
    /// Grade of the total.
    pub grade: String,
    /// True if the grade may be offered something.
    pub offerable: bool,
    /// Points by characteristic, in the order of the table.
    pub points: Vec<Points>,
    /// Names of the knock-out rules that fired, in the order of the table.
    pub knock_outs: Vec<String>,
    /// At most [`REASONS_MAX`]: those of knock-outs first, then by points.
    pub reasons: Vec<Reason>,
}

/// The numbers that the table reads. Turnover counts in the application's currency only.
#[must_use]
pub fn measures(facts: &Facts, currency: Currency) -> Measures {
    let excursions = &facts.excursions;
    let judged = |minutes: u64| (excursions.readings > 0).then(|| Decimal::from(minutes));
    let turnover_fen = facts.confirmed_fen(currency);
    let promises = facts.promises.as_ref();
    let attested = facts.attested.as_deref().unwrap_or_default();
    let value = |name| match name {
        FactName::OnTimeShare => facts.on_time.share,
        FactName::InspectionPassShare => facts.inspection.share,
        FactName::LongestExcursionMinutes => judged(excursions.longest_minutes),
        FactName::ExcursionMinutes => judged(excursions.minutes),
        FactName::Gaps => Some(Decimal::from(facts.gaps.len())),
        FactName::MeasuredShare => facts.measured.share,
        FactName::ConfirmedDeliveries => Some(Decimal::from(facts.volume.deliveries)),
        FactName::ConfirmedTurnover => turnover_fen.map(|fen| Decimal::new(fen, 2)),
        FactName::Events => Some(Decimal::from(facts.events)),
        FactName::KnownDeliveries => promises.map(|one| Decimal::from(one.known)),
        FactName::LateDeliveryProbability => promises.and_then(|one| one.probability),
        FactName::EvidenceWeight => facts.weights.as_ref().and_then(|one| one.mean),
        FactName::AttestedInvoices => largest(attested, Kind::TaxInvoices, currency),
        FactName::TaxArrears => largest(attested, Kind::TaxStanding, currency),
    };
    FactName::ALL
        .into_iter()
        .map(|name| (name, value(name)))
        .collect()
}

/// Scores the numbers by the table.
#[must_use]
pub fn score(model: &Model, measures: &Measures) -> Score {
    let points: Vec<Points> = model
        .characteristics
        .iter()
        .map(|one| one.points_for(measures.get(&one.fact).copied().flatten()))
        .collect();
    let total = model.base + points.iter().map(|one| one.points).sum::<i32>();
    let fired: Vec<_> = model
        .knock_outs
        .iter()
        .filter(|rule| rule.fires(measures))
        .collect();
    let grade = model.grade_of(total);
    Score {
        total,
        best: model.base + points.iter().map(|one| one.best).sum::<i32>(),
        grade: grade.to_owned(),
        offerable: fired.is_empty() && model.may_offer(total),
        reasons: reasons(&points, fired.iter().map(|rule| (rule.code, rule.fact))),
        knock_outs: fired.iter().map(|rule| rule.name.clone()).collect(),
        points,
    }
}

/// Reasons of knock-outs in their order, then what costs most, in the order of the table at a tie.
fn reasons(points: &[Points], fired: impl Iterator<Item = (ReasonCode, FactName)>) -> Vec<Reason> {
    let short = |fact| {
        points
            .iter()
            .find(|one| one.fact == fact)
            .map_or(0, |one| one.best - one.points)
    };
    let mut reasons: Vec<Reason> = fired
        .map(|(code, fact)| Reason {
            code,
            fact: Some(fact),
            points: short(fact),
        })
        .collect();
    let mut rest: Vec<&Points> = points.iter().filter(|one| one.best > one.points).collect();
    rest.sort_by_key(|one| std::cmp::Reverse(one.best - one.points));
    for one in rest {
        if reasons.iter().all(|reason| reason.fact != Some(one.fact)) {
            let points = one.best - one.points;
            reasons.push(Reason {
                code: one.code,
                fact: Some(one.fact),
                points,
            });
        }
    }
    reasons.truncate(REASONS_MAX);
    reasons
}

#[cfg(test)]
mod tests;
