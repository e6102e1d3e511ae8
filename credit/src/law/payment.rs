//! The rules of decree 802: terms, third parties, paper, interest on late payment.

use super::Rule;
use super::facts::{AgreedTerm, Basis, Buyer, Facts, Instrument, LateRate};
use super::finding::{Breach, Excluded, FactName, Finding, Percent};
use super::term::{self, Gate, LARGE_DAYS, PUBLIC_MAX_DAYS, gates, known};
use crate::schedule::Calendar;
use crate::schedule::calendar::CLOSED_MAX_DAYS;

/// Whom decree 802 binds and protects: a contract made while it is in force, a small or medium-sized
/// supplier, one of these buyers.
fn scope(rule: &Rule, facts: &Facts, buyers: &[Buyer]) -> [Gate; 3] {
    [
        known(facts.contract_on, FactName::ContractOn, |made| {
            (made < rule.valid_from).then_some(Excluded::BeforeInForce)
        }),
        known(facts.supplier_is_sme, FactName::SupplierIsSme, |small| {
            (!small).then_some(Excluded::SupplierNotSmall)
        }),
        known(facts.buyer, FactName::Buyer, |buyer| {
            (!buyers.contains(&buyer)).then_some(Excluded::Buyer)
        }),
    ]
}

const BOUND: &[Buyer] = &[Buyer::LargeEnterprise, Buyer::PublicBody];

/// Turns "a fact is missing" into the finding that says so.
fn finding(judged: Result<Finding, FactName>) -> Finding {
    judged.unwrap_or_else(Finding::Unknown)
}

/// How an agreed term breaks a number of days; `None` if it does not.
fn beyond(facts: &Facts, most: u32, calendar: &Calendar) -> Result<Option<Breach>, FactName> {
    match facts.agreed_term.ok_or(FactName::AgreedTerm)? {
        AgreedTerm::NotAgreed => Ok(None),
        AgreedTerm::Days(days) => Ok((days > most).then_some(Breach::TooLong { days, most })),
        AgreedTerm::Until(until) => {
            let start = term::start(facts, calendar)?;
            if until <= term::after(start.on, most)? {
                return Ok(None);
            }
            // Only days of rest at the end can save it, and there are never so many of them.
            let days = u32::try_from((until - start.on).num_days()).unwrap_or(u32::MAX);
            if days.saturating_sub(most) as usize > CLOSED_MAX_DAYS {
                return Ok(Some(Breach::TooLong { days, most }));
            }
            let last = term::last_day(start.on, most, calendar)?;
            Ok((until > last).then_some(Breach::TooLate { until, last }))
        }
    }
}

/// Rule `d802-9-public-60`.
pub(super) fn public(rule: &Rule, facts: &Facts, calendar: &Calendar) -> Finding {
    if let Err(finding) = gates(&scope(rule, facts, &[Buyer::PublicBody])) {
        return finding;
    }
    let broken = beyond(facts, PUBLIC_MAX_DAYS, calendar);
    finding(broken.map(|breach| breach.map_or(Finding::Holds, Finding::Broken)))
}

/// Rule `d802-9-large-60`: more may be agreed where the trade has it so.
pub(super) fn large(rule: &Rule, facts: &Facts, calendar: &Calendar) -> Finding {
    if let Err(finding) = gates(&scope(rule, facts, &[Buyer::LargeEnterprise])) {
        return finding;
    }
    let judged = beyond(facts, LARGE_DAYS, calendar);
    finding(
        judged.map(|breach| match (breach, facts.longer_term_is_customary) {
            (None, _) | (Some(_), Some(true)) => Finding::Holds,
            (Some(breach), Some(false)) => Finding::Broken(breach),
            (Some(_), None) => Finding::Unknown(FactName::LongerTermIsCustomary),
        }),
    )
}

/// Rule `d802-9-pay-when-paid`.
pub(super) fn pay_when_paid(rule: &Rule, facts: &Facts, _: &Calendar) -> Finding {
    match gates(&scope(rule, facts, &[Buyer::LargeEnterprise])) {
        Ok(()) => clause(facts),
        Err(finding) => finding,
    }
}

/// Rule `no-pay-when-paid`: nothing is lent on such a receivable or order, whoever the buyer is.
pub(super) fn never_pay_when_paid(_: &Rule, facts: &Facts, _: &Calendar) -> Finding {
    let basis = known(facts.basis, FactName::Basis, |basis| {
        (basis == Basis::Stock).then_some(Excluded::NoReceivable)
    });
    match gates(&[basis]) {
        Ok(()) => clause(facts),
        Err(finding) => finding,
    }
}

fn clause(facts: &Facts) -> Finding {
    match facts.pay_when_paid {
        None => Finding::Unknown(FactName::PayWhenPaid),
        Some(true) => Finding::Broken(Breach::PayWhenPaid),
        Some(false) => Finding::Holds,
    }
}

/// Whether it is paid by paper, and article 11 therefore applies.
fn paper(rule: &Rule, facts: &Facts) -> Result<(), Finding> {
    let [made, supplier, buyer] = scope(rule, facts, BOUND);
    let paper = known(facts.instrument, FactName::Instrument, |instrument| {
        (instrument == Instrument::Transfer).then_some(Excluded::Instrument)
    });
    gates(&[made, supplier, buyer, paper])
}

/// Rule `d802-11-agreed`.
pub(super) fn paper_agreed(rule: &Rule, facts: &Facts, _: &Calendar) -> Finding {
    match (paper(rule, facts), facts.instrument_agreed) {
        (Err(finding), _) => finding,
        (Ok(()), None) => Finding::Unknown(FactName::InstrumentAgreed),
        (Ok(()), Some(true)) => Finding::Holds,
        (Ok(()), Some(false)) => Finding::Broken(Breach::PaperNotAgreed),
    }
}

/// Rule `d802-11-not-forced`.
pub(super) fn paper_not_forced(rule: &Rule, facts: &Facts, _: &Calendar) -> Finding {
    match (paper(rule, facts), facts.instrument_forced) {
        (Err(finding), _) => finding,
        (Ok(()), None) => Finding::Unknown(FactName::InstrumentForced),
        (Ok(()), Some(false)) => Finding::Holds,
        (Ok(()), Some(true)) => Finding::Broken(Breach::PaperForced),
    }
}

/// Rule `d802-11-no-extension`: whether a later maturity is a disguised extension is a person's
/// answer; an earlier one is none.
pub(super) fn no_extension(rule: &Rule, facts: &Facts, calendar: &Calendar) -> Finding {
    match paper(rule, facts) {
        Ok(()) => finding(extension(facts, calendar)),
        Err(finding) => finding,
    }
}

fn extension(facts: &Facts, calendar: &Calendar) -> Result<Finding, FactName> {
    let matures = facts.matures_on.ok_or(FactName::MaturesOn)?;
    let due = term::due(facts, calendar)?;
    match facts.extends_the_term {
        _ if matures <= due => Ok(Finding::Holds),
        None => Err(FactName::ExtendsTheTerm),
        Some(false) => Ok(Finding::Holds),
        Some(true) => Ok(Finding::Broken(Breach::Extension { matures, due })),
    }
}

/// Rule `d802-17-late-interest`.
pub(super) fn late_interest(rule: &Rule, facts: &Facts, _: &Calendar) -> Finding {
    match gates(&scope(rule, facts, BOUND)) {
        Ok(()) => finding(late_rate(facts)),
        Err(finding) => finding,
    }
}

fn late_rate(facts: &Facts) -> Result<Finding, FactName> {
    let LateRate::Percent(agreed) = facts.late_rate.ok_or(FactName::LateRate)? else {
        return Ok(Finding::Holds);
    };
    let least = facts.prime_rate_percent.ok_or(FactName::PrimeRatePercent)?;
    let (agreed, is_enough) = (Percent(agreed), agreed >= least);
    let least = Percent(least);
    Ok(if is_enough {
        Finding::Holds
    } else {
        Finding::Broken(Breach::LateRate { agreed, least })
    })
}
