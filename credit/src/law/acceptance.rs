//! The day of delivery or acceptance, as anchored events show it.

use std::time::Duration;

use chrono::NaiveDate;
use schemas::time::Instant;
use serde::Deserialize;

use super::facts::{Basis, Facts, Inspection, Settlement};
use super::finding::{Breach, Excluded, FactName, Finding};
use super::term;
use super::{Rule, StartedBy};
use crate::schedule::Calendar;

/// An event that was anchored later than this shows no day: anybody could have dated it back. The
/// same 48 hours as in [`crate::facts`].
pub const ANCHORED_WITHIN: Duration = Duration::from_secs(48 * 3600);

/// How far a device's clock may be ahead of the log's before its event shows no day.
pub const CLOCK_AHEAD: Duration = Duration::from_secs(300);

/// China has one time all year, eight hours east of UTC.
pub const CHINA_SECONDS_EAST: i32 = 8 * 3600;

/// What happened to the goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// They came (`receiving`).
    Receiving,
    /// They were taken as right (`accepting`, or an inspection that they passed).
    Accepting,
}

/// Who said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// A device of the buyer.
    BuyerDevice,
    /// The buyer, by a declaration and no device.
    BuyerDeclared,
    /// Anybody else, the supplier among them.
    Other,
}

/// One event whose proof held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// What happened.
    pub step: Step,
    /// Who says so.
    pub by: By,
    /// When, by the device.
    #[serde(deserialize_with = "crate::rfc3339::deserialize")]
    pub at: Instant,
    /// When it was in the log at the latest.
    #[serde(deserialize_with = "crate::rfc3339::deserialize")]
    pub anchored_at: Instant,
}

impl Receipt {
    /// The day in China that this event shows; `None` if it shows none.
    #[must_use]
    pub fn day(&self) -> Option<NaiveDate> {
        let in_time = self.at <= self.anchored_at.plus(CLOCK_AHEAD)
            && self.anchored_at <= self.at.plus(ANCHORED_WITHIN);
        let counts = in_time && self.by == By::BuyerDevice;
        // What is in the log has happened, whatever a clock ahead says.
        counts.then(|| china_day(self.at.min(self.anchored_at)))
    }
}

/// The day in China at an instant.
#[must_use]
pub fn china_day(at: Instant) -> NaiveDate {
    at.at_offset(CHINA_SECONDS_EAST).date_naive()
}

/// The first day on which the events show this step. Accepted goods were received.
#[must_use]
pub fn shown(receipts: &[Receipt], step: Step) -> Option<NaiveDate> {
    let counts = |one: &&Receipt| step == Step::Receiving || one.step == step;
    receipts
        .iter()
        .filter(counts)
        .filter_map(Receipt::day)
        .min()
}

/// Rule `acceptance-anchored`.
pub(super) fn anchored(_: &Rule, facts: &Facts, calendar: &Calendar) -> Finding {
    let basis = term::known(facts.basis, FactName::Basis, |basis| {
        (basis != Basis::Receivable).then_some(Excluded::NoReceivable)
    });
    let settlement = term::known(facts.settlement, FactName::Settlement, |settlement| {
        (settlement != Settlement::ByDelivery).then_some(Excluded::Settlement)
    });
    if let Err(finding) = term::gates(&[basis, settlement]) {
        return finding;
    }
    match judge(facts, calendar) {
        Ok(finding) => finding,
        Err(missing) => Finding::Unknown(missing),
    }
}

fn judge(facts: &Facts, calendar: &Calendar) -> Result<Finding, FactName> {
    let receipts = facts.receipts.as_deref().ok_or(FactName::Receipts)?;
    let inspection = facts.inspection.ok_or(FactName::Inspection)?;
    if shown(receipts, Step::Receiving).is_none() {
        return Ok(Finding::Broken(Breach::NotShown));
    }
    let accepted = shown(receipts, Step::Accepting);
    if inspection == Inspection::WithoutPeriod && accepted.is_none() {
        return Ok(Finding::Broken(Breach::NotShown));
    }
    let start = term::start(facts, calendar)?;
    let compared = start.by != StartedBy::InspectionOver;
    match facts.claimed_acceptance.filter(|_| compared) {
        Some(claimed) if claimed != start.on => Ok(Finding::Broken(Breach::OtherDay {
            claimed,
            shown: start.on,
        })),
        _ => Ok(Finding::Holds),
    }
}
