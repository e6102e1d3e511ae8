//! The trial in words.

use kit::negotiate::Language;
use kit::text::Text;
use schemas::ids::Slug;

use crate::http::desk::format::{exact, money};
use crate::sandbox::indicators::{Fact, Row, Value};
use crate::sandbox::limits::{LimitName, Limits};
use crate::sandbox::stage::{Act, Step};
use crate::sandbox::stop_loss::{Rule, Trip};
use crate::store::sandbox::Motion;

/// A label and what stands beside it.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) label: String,
    pub(super) value: String,
}

pub(super) fn pair(t: Text, key: &str, value: impl Into<String>) -> Pair {
    Pair {
        label: t.find(key).unwrap_or(key).to_owned(),
        value: value.into(),
    }
}

/// A text by a key that is made of a fixed part and a word; the word itself if there is none.
pub(super) fn word(t: Text, part: &str, word: &str) -> String {
    let key = format!("{part}.{word}");
    t.find(&key).unwrap_or(word).to_owned()
}

pub(super) fn limit(t: Text, name: LimitName) -> String {
    word(t, "limit", &name.to_string())
}

/// Basis points as percent with two places.
pub(super) fn percent(bp: u64) -> String {
    format!("{}.{:02} %", bp / 100, bp % 100)
}

pub(super) fn limits(limits: &Limits, t: Text, language: Language) -> Vec<Pair> {
    let list = |items: Vec<String>| items.join(", ");
    let regions = limits.regions.iter().map(ToString::to_string).collect();
    let groups = limits.groups.iter().map(ToString::to_string).collect();
    let days = usize::try_from(limits.tenor_days).unwrap_or(usize::MAX);
    let label = |name, value: String| Pair {
        label: limit(t, name),
        value,
    };
    vec![
        label(LimitName::PerLoan, money(limits.per_loan, language)),
        label(LimitName::PerBorrower, money(limits.per_borrower, language)),
        label(LimitName::PerDay, money(limits.per_day, language)),
        label(LimitName::Outstanding, money(limits.outstanding, language)),
        label(
            LimitName::Concentration,
            percent(u64::from(limits.concentration_bp)),
        ),
        label(LimitName::Users, limits.users.to_string()),
        label(LimitName::Tenor, t.count("time.days", days)),
        label(LimitName::Regions, list(regions)),
        label(LimitName::Groups, list(groups)),
    ]
}

pub(super) fn rule(rule: &Rule, t: Text, language: Language) -> Vec<Pair> {
    vec![
        pair(t, "rule.overdue", percent(u64::from(rule.overdue_bp_max))),
        pair(t, "rule.loss", money(rule.loss_max, language)),
        pair(t, "rule.complaints", rule.complaints_max.to_string()),
        pair(t, "rule.privacy", rule.privacy_incidents_max.to_string()),
        pair(
            t,
            "rule.compensation",
            money(rule.compensation_min, language),
        ),
    ]
}

pub(super) fn trip(trip: &Trip, t: Text, language: Language) -> String {
    let money = |amount| money(amount, language);
    match trip {
        Trip::Overdue {
            overdue,
            outstanding,
            most_bp,
        } => t.fill(
            "trip.overdue",
            &[
                ("overdue", &money(*overdue)),
                ("outstanding", &money(*outstanding)),
                ("most", &percent(u64::from(*most_bp))),
            ],
        ),
        Trip::Loss { loss, most } => t.fill(
            "trip.loss",
            &[("loss", &money(*loss)), ("most", &money(*most))],
        ),
        Trip::Complaints { complaints, most } => t.fill(
            "trip.complaints",
            &[
                ("count", &complaints.to_string()),
                ("most", &most.to_string()),
            ],
        ),
        Trip::PrivacyIncidents { incidents, most } => t.fill(
            "trip.privacy",
            &[
                ("count", &incidents.to_string()),
                ("most", &most.to_string()),
            ],
        ),
        Trip::Compensation {
            compensation,
            least,
        } => t.fill(
            "trip.compensation",
            &[("there", &money(*compensation)), ("least", &money(*least))],
        ),
    }
}

/// What a step says beside its act.
pub(super) fn act(act: &Act) -> String {
    match act {
        Act::Suspend { reason } | Act::Stop { reason } | Act::Withdraw { reason } => reason.clone(),
        Act::Resume { remedy, .. } => remedy.clone(),
        Act::Publish { comments_until, .. } => format!("≤ {comments_until}"),
        Act::Register { number, .. } => number.clone(),
        Act::Extend { until, .. } => format!("≤ {until}"),
        Act::Amend { .. } | Act::Begin(_) | Act::Exit { .. } => String::new(),
    }
}

/// A step as a line.
#[derive(Debug)]
pub(super) struct StepLine {
    pub(super) what: String,
    pub(super) at: String,
    pub(super) by: String,
    pub(super) detail: String,
}

pub(super) fn step(step: &Step, t: Text) -> StepLine {
    let second = step.second.as_ref();
    let second = second.map_or_else(String::new, |second| format!(" + {second}"));
    StepLine {
        what: word(t, "act", step.act.word()),
        at: exact(step.at),
        by: format!("{}{second}", step.by),
        detail: act(&step.act),
    }
}

/// What a motion is, why, and what it says.
pub(super) fn motion(motion: &Motion, t: Text, language: Language) -> (String, String, Vec<Pair>) {
    match motion {
        Motion::Limits(one) => {
            let mut pairs = limits(&one.limits, t, language);
            let from = exact(one.valid_from);
            pairs.insert(0, pair(t, "trial.valid-from", from));
            let version = one.version.to_string();
            let title = t.fill("motion.limits", &[("version", &version)]);
            (title, one.reason.clone(), pairs)
        }
        Motion::Rule(one) => {
            let version = one.version.to_string();
            let title = t.fill("motion.rule", &[("version", &version)]);
            (title, one.reason.clone(), rule(&one.rule, t, language))
        }
        Motion::Lift(one) => {
            let title = t.get("motion.lift").to_owned();
            (title, one.reason.clone(), Vec::new())
        }
        Motion::Step(one) => {
            let act_word = word(t, "act", one.act.word());
            let title = t.fill("motion.step", &[("act", &act_word)]);
            (title, act(&one.act), Vec::new())
        }
    }
}

pub(super) fn value(value: Value, t: Text, language: Language) -> String {
    match value {
        Value::Count(count) => count.to_string(),
        Value::Amount(amount) => money(amount, language),
        Value::BasisPoints(bp) => percent(bp),
        Value::Nothing => t.get("report.nothing").to_owned(),
    }
}

/// Where a loan is shown.
fn of_loan(loan: &Slug) -> String {
    format!("/loans/{loan}")
}

/// What a row says, and where its subject is shown.
pub(super) fn fact(row: &Row, t: Text, language: Language) -> (String, String, Option<String>) {
    let kind = word(t, "fact", row.fact.word());
    let (detail, href) = match &row.fact {
        Fact::Applied { application } => (application.to_string(), None),
        Fact::Decided {
            application,
            offered,
        } => {
            let word = if *offered {
                "fact.offer"
            } else {
                "fact.decline"
            };
            let href = format!("/decisions/{application}");
            (t.get(word).to_owned(), Some(href))
        }
        Fact::Disbursed {
            loan,
            borrower,
            buyer,
            amount,
        } => {
            let amount = money(*amount, language);
            let detail = format!("{loan} · {borrower} → {buyer} · {amount}");
            (detail, Some(of_loan(loan)))
        }
        Fact::Scheduled { loan, due } => {
            let parts = due.iter();
            let parts = parts.map(|one| format!("{} {}", one.on, money(one.amount, language)));
            let parts: Vec<String> = parts.collect();
            let detail = format!("{loan} · {}", parts.join(", "));
            (detail, Some(of_loan(loan)))
        }
        Fact::Repaid { loan, amount }
        | Fact::Unpaid { loan, amount }
        | Fact::WrittenOff { loan, amount }
        | Fact::Recovered { loan, amount }
        | Fact::Unrecovered { loan, amount } => {
            let detail = format!("{loan} · {}", money(*amount, language));
            (detail, Some(of_loan(loan)))
        }
        Fact::Complained { privacy, .. } | Fact::Incident { privacy } => {
            let word = if *privacy {
                "fact.privacy"
            } else {
                "fact.other"
            };
            (t.get(word).to_owned(), None)
        }
        Fact::Answered { complaint: of } | Fact::Treated { incident: of } => (of.to_string(), None),
        Fact::Problem { by, words, .. } => (format!("{by}: {words}"), None),
        Fact::Treatment { problem, by, words } => (format!("{problem} · {by}: {words}"), None),
        Fact::Closed { problem, by } => (format!("{problem} · {by}"), None),
    };
    (kind, detail, href)
}
