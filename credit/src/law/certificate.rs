//! The rules of Yinfa \[2025\] 77 on electronic certificates of receivables.

use super::Rule;
use super::facts::{Facts, Instrument};
use super::finding::{Breach, Excluded, FactName, Finding};
use super::term::{gates, known};
use crate::schedule::Calendar;

/// "In principle within six months", in days.
pub const USUAL_MAX_DAYS: u32 = 180;
/// "At most one year", in days.
pub const MAX_DAYS: u32 = 365;

/// Rule `yinfa77-180`.
pub(super) fn usual(rule: &Rule, facts: &Facts, _: &Calendar) -> Finding {
    tenor(rule, facts, USUAL_MAX_DAYS)
}

/// Rule `yinfa77-365`.
pub(super) fn longest(rule: &Rule, facts: &Facts, _: &Calendar) -> Finding {
    tenor(rule, facts, MAX_DAYS)
}

fn tenor(rule: &Rule, facts: &Facts, most: u32) -> Finding {
    let certificate = known(facts.instrument, FactName::Instrument, |instrument| {
        (instrument != Instrument::Certificate).then_some(Excluded::Instrument)
    });
    let issued = known(facts.issued_on, FactName::IssuedOn, |issued| {
        (issued < rule.valid_from).then_some(Excluded::BeforeInForce)
    });
    if let Err(finding) = gates(&[certificate, issued]) {
        return finding;
    }
    let (Some(issued), Some(matures)) = (facts.issued_on, facts.matures_on) else {
        return Finding::Unknown(FactName::MaturesOn);
    };
    match u32::try_from((matures - issued).num_days()) {
        Err(_) => Finding::Broken(Breach::BeforeIssue { issued, matures }),
        Ok(days) if days > most => Finding::Broken(Breach::TooLong { days, most }),
        Ok(_) => Finding::Holds,
    }
}
