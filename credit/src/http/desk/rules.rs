//! Rules that warn ([`crate::loan::warning`]) and rules of law ([`crate::law`]), asked with what an
//! application carries. What they cannot say for want of a fact stands there with that fact: a rule
//! that was not asked never looks like one that is kept.

use chrono::NaiveDate;
use kit::negotiate::Language;
use kit::text::Text;
use schemas::time::Instant;

use crate::law::{self, Finding as Law};
use crate::loan::Decision;
use crate::loan::warning::{Case, Finding, RuleName, Severity, judge};
use crate::schedule::Calendar;

/// A rule with what it says.
#[derive(Debug)]
pub(super) struct RuleLine {
    pub(super) title: String,
    pub(super) tone: &'static str,
    pub(super) says: String,
    /// The fact that is missing, by its name in the rule.
    pub(super) lacks: String,
    /// Where it stands; empty for the bank's own.
    pub(super) source: String,
}

/// Every rule, and how many of them could say something.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) lines: Vec<RuleLine>,
    pub(super) judged: usize,
}

/// Asks every rule about a decision as of an instant.
pub(super) fn rules(decision: &Decision, now: Instant, t: Text) -> Rules {
    let application = &decision.application;
    let case = Case {
        application: application.application_id.clone(),
        supplier: application.supplier.clone(),
        buyers: Vec::new(),
        sales: None,
        invoices: None,
        devices: None,
        identifiers: None,
        links: None,
    };
    let warnings = judge(&case).into_iter();
    let mut lines: Vec<RuleLine> = warnings
        .map(|one| warning(one.rule, &one.finding, t))
        .collect();
    let facts = law::Facts {
        as_of: day(now),
        ..law::Facts::default()
    };
    let found = law::judge_all(&facts, &Calendar::default());
    lines.extend(
        found
            .iter()
            .map(|(id, finding)| of_law(law::rule(*id), finding, t)),
    );
    let judged = lines.iter().filter(|line| line.tone != "none").count();
    Rules { lines, judged }
}

fn day(now: Instant) -> Option<NaiveDate> {
    let text = now.to_rfc3339();
    text.get(..10)?.parse().ok()
}

fn warning(rule: RuleName, finding: &Finding, t: Text) -> RuleLine {
    let title = match rule {
        RuleName::CircularTrade => "rule.circular-trade",
        RuleName::DuplicateInvoice => "rule.duplicate-invoice",
        RuleName::SharedDevice => "rule.shared-device",
        RuleName::RelatedParties => "rule.related-parties",
    };
    let (tone, says) = match finding {
        Finding::Clear => ("ok", t.get("rule.clear").to_owned()),
        Finding::Found { warnings } => {
            let worst = finding.severity() == Some(Severity::Refuse);
            let seen = warnings.iter().map(|one| one.saw.to_string());
            let tone = if worst { "bad" } else { "warn" };
            (tone, seen.collect::<Vec<_>>().join("; "))
        }
        Finding::Unknown { .. } => ("none", t.get("rule.unknown").to_owned()),
        Finding::TooMuch { fact } => {
            let fact = fact.to_string();
            ("warn", t.fill("rule.too-much", &[("fact", &fact)]))
        }
    };
    RuleLine {
        title: t.get(title).to_owned(),
        lacks: match finding {
            Finding::Unknown { missing } => missing.to_string(),
            _ => String::new(),
        },
        tone,
        says,
        source: String::new(),
    }
}

fn of_law(rule: &law::Rule, finding: &Law, t: Text) -> RuleLine {
    let zh = t.language == Language::ZhCn;
    let (tone, says) = match finding {
        Law::Holds => ("ok", t.get("rule.holds").to_owned()),
        Law::Broken(breach) => ("bad", breach.to_string()),
        Law::NotApplicable(_) => ("ok", t.get("rule.not-applicable").to_owned()),
        Law::Unknown(_) => ("none", t.get("rule.unknown").to_owned()),
    };
    let source = if zh { rule.source.zh } else { rule.source.en };
    RuleLine {
        title: if zh { rule.zh } else { rule.en }.to_owned(),
        lacks: match finding {
            Law::Unknown(missing) => missing.to_string(),
            _ => String::new(),
        },
        tone,
        says,
        source: format!("{source} {}", rule.source.article)
            .trim()
            .to_owned(),
    }
}
