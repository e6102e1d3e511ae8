//! Texts of a borrower's pages, made from decision, stage and loan.

use chrono::NaiveDate;
use kit::text::Text;
use schemas::hash::{Hash, sha256_parts};
use schemas::time::Instant;

use crate::http::desk::format::{exact, masked, money};
use crate::law::acceptance::china_day;
use crate::lending::view::{TokenState, TokenView};
use crate::lending::{Lending, Loaded};
use crate::loan::life::{Deed, FreezeCause};
use crate::loan::review::Act;
use crate::loan::taking::How;
use crate::loan::{Record, Stage};
use crate::money::Money;
use crate::schedule::Schedule;

/// A row of a schedule.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) due: String,
    pub(super) principal: String,
    pub(super) interest: String,
    pub(super) fees: String,
    pub(super) total: String,
    pub(super) is_due: bool,
}

/// An offer that may be accepted now.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) version: Hash,
    pub(super) instalments: u32,
    pub(super) choices: Vec<u32>,
    pub(super) rate: String,
    pub(super) until: String,
    pub(super) cost: String,
    pub(super) fee_first: String,
    pub(super) lines: Vec<Line>,
}

/// A token of a loan.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) id: Hash,
    pub(super) account: String,
    pub(super) amount: String,
    pub(super) expires: String,
    pub(super) state: &'static str,
    pub(super) is_open: bool,
}

/// A loan as its borrower sees it.
#[derive(Debug)]
pub(super) struct Lent {
    pub(super) pairs: Vec<(&'static str, String)>,
    pub(super) lines: Vec<Line>,
    pub(super) payments: Vec<(String, String)>,
    pub(super) frozen: Vec<&'static str>,
}

impl Lent {
    /// True before money is out: there is nothing to say of it yet.
    pub(super) const fn is_empty(&self) -> bool {
        let says = self.pairs.is_empty() && self.lines.is_empty();
        says && self.payments.is_empty() && self.frozen.is_empty()
    }
}

/// Where something stands: tone and key of its words.
pub(super) fn standing(
    stage: Option<&Stage>,
    (loan, end): (Option<&str>, Option<How>),
    until: Option<Instant>,
    now: Instant,
) -> (&'static str, String) {
    let key = |tone, word: &str| (tone, format!("my.state.{word}"));
    match end {
        Some(How::Declined) => return key("none", "turned-down"),
        Some(How::Untaken) => return key("none", "ran-out"),
        None => {}
    }
    // Accepted for the bank, by its people or by rule: it waits for the borrower, or did in vain.
    let accepted = |until: Option<Instant>, now| match until {
        Some(until) if now < until => key("ok", "offered"),
        _ => key("none", "ran-out"),
    };
    if let Some(word) = loan {
        let tone = match word {
            "delinquent" | "written_off" | "recovering" => "bad",
            "restructured" => "warn",
            "settled" | "closed" => "none",
            "active" => "ok",
            _ => "info",
        };
        return key(tone, word);
    }
    match stage {
        None => key("bad", "declined"),
        Some(Stage::Waiting(_) | Stage::Endorsed(_)) => key("info", "waiting"),
        Some(Stage::Settled(settled)) => match settled.last.act {
            Act::Refuse => key("bad", "refused"),
            Act::Lapse => key("none", "lapsed"),
            Act::Accept | Act::Pass => accepted(until, now),
        },
        Some(Stage::Passed(_)) => accepted(until, now),
    }
}

/// Until when an accepted offer is valid.
pub(super) fn until(stage: Option<&Stage>, valid: std::time::Duration) -> Option<Instant> {
    Some(stage?.accepted()?.at + valid)
}

/// Names exactly the conditions and the stage that were shown; none for a product without a file or
/// another count of instalments.
pub(super) fn version(
    lending: &Lending,
    record: &Record,
    stage: &Stage,
    instalments: u32,
) -> Option<Hash> {
    let conditions = lending
        .catalogue()
        .current(&record.decision.application.product)?;
    conditions.product.terms(instalments).ok()?;
    Some(sha256_parts(&[
        b"my offer\n",
        stage.version().as_bytes(),
        conditions.product.hash.as_bytes(),
        conditions.rules_hash().as_bytes(),
        &instalments.to_be_bytes(),
    ]))
}

/// The offer with its whole schedule, as if it were drawn today.
pub(super) fn offer(
    lending: &Lending,
    record: &Record,
    stage: &Stage,
    until: Instant,
    (wanted, now): (Option<u32>, Instant),
    t: Text,
) -> Option<Offer> {
    let product = &record.decision.application.product;
    let definition = &lending.catalogue().current(product)?.product;
    let (least, most) = (definition.instalments_min, definition.instalments_max);
    let instalments = wanted.unwrap_or(most).clamp(least, most);
    let calendar = lending.catalogue().calendar(definition);
    let amount = stage.offer().amount;
    let schedule = definition
        .schedule(amount, instalments, china_day(now), &calendar)
        .ok()?;
    let terms = definition.terms(instalments).ok()?;
    Some(Offer {
        version: version(lending, record, stage, instalments)?,
        instalments,
        choices: (least..=most).collect(),
        rate: terms.annual_rate.to_string(),
        until: exact(until),
        cost: money(cost(&schedule)?, t.language),
        fee_first: money(schedule.fees_at_disbursement, t.language),
        lines: planned(&schedule, t)?,
    })
}

fn cost(schedule: &Schedule) -> Option<Money> {
    let interest = schedule.interest().ok()?;
    let mut fees = schedule.instalments.iter().map(|one| one.fees);
    let first = interest.plus(schedule.fees_at_disbursement).ok()?;
    fees.try_fold(first, Money::plus).ok()
}

fn planned(schedule: &Schedule, t: Text) -> Option<Vec<Line>> {
    let shown = |amount| money(amount, t.language);
    let line = |one: &crate::schedule::Instalment| {
        let total = one.principal.plus(one.interest).ok()?;
        Some(Line {
            due: one.period.due.to_string(),
            principal: shown(one.principal),
            interest: shown(one.interest),
            fees: shown(one.fees),
            total: shown(total.plus(one.fees).ok()?),
            is_due: false,
        })
    };
    schedule.instalments.iter().map(line).collect()
}

/// The loan; nothing in it can fail but amounts that do not fit, which shows as nothing.
pub(super) fn lent(loaded: &Loaded, t: Text) -> Lent {
    let shown = |amount| money(amount, t.language);
    let mut pairs = Vec::new();
    if let Ok(Some(standing)) = loaded.standing() {
        pairs.push((t.get("my.owed"), shown(standing.principal)));
        pairs.push((t.get("my.due"), shown(standing.due)));
        if standing.days_past_due > 0 {
            let days = standing.days_past_due.to_string();
            pairs.push((t.get("my.late"), t.fill("my.days", &[("n", &days)])));
        }
        if standing.credit.fen() > 0 {
            pairs.push((t.get("my.credit"), shown(standing.credit)));
        }
    }
    if let Ok(Some(payoff)) = loaded.payoff() {
        pairs.push((t.get("my.payoff"), shown(payoff.total)));
    }
    let lines = loaded.schedule().unwrap_or_default();
    let line = |one: &crate::lending::view::Line| Line {
        due: one.due.to_string(),
        principal: shown(one.principal),
        interest: shown(one.interest),
        fees: shown(one.fees.plus(one.penalty).unwrap_or(one.fees)),
        total: shown(one.total),
        is_due: one.is_due,
    };
    let frozen = loaded.loan.file().frozen().iter().map(|cause| match cause {
        FreezeCause::Collateral => t.get("my.frozen.collateral"),
        FreezeCause::StopLoss => t.get("my.frozen.stop-loss"),
    });
    Lent {
        pairs,
        lines: lines.iter().map(line).collect(),
        payments: payments(loaded, t),
        frozen: frozen.collect(),
    }
}

fn payments(loaded: &Loaded, t: Text) -> Vec<(String, String)> {
    let paid = |act: &crate::loan::life::Act| match act.deed {
        Deed::Paid { amount } | Deed::RepaidEarly { amount } | Deed::Recovered { amount } => {
            let day: NaiveDate = act.value;
            Some((day.to_string(), money(amount, t.language)))
        }
        _ => None,
    };
    loaded.acts.iter().filter_map(paid).collect()
}

/// A token, its account masked.
pub(super) fn token(one: &TokenView, t: Text) -> Token {
    let state = match one.state {
        TokenState::Open => t.get("my.token.open"),
        TokenState::Expired => t.get("my.token.expired"),
        TokenState::Revoked => t.get("my.token.revoked"),
        TokenState::Used => t.get("my.token.used"),
    };
    Token {
        id: one.token,
        account: one.account.as_deref().map_or_else(String::new, masked),
        amount: money(one.amount, t.language),
        expires: exact(one.expires),
        state,
        is_open: one.state == TokenState::Open,
    }
}
