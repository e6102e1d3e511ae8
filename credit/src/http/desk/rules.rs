//! Rules that warn ([`crate::loan::warning`]) and rules of law ([`crate::law`]), as they were asked when
//! the decision was made. Of an old decision, which keeps no such answers, they are asked now, with
//! what it carries. What they cannot say for want of a fact stands there with that fact: a rule that
//! was not asked never looks like one that is kept.

use kit::negotiate::Language;
use kit::text::Text;
use schemas::time::Instant;

use crate::facts::trade::Trade;
use crate::law::acceptance::china_day;
use crate::law::{self, Finding as Law};
use crate::loan::brief::LawJudged;
use crate::loan::warning::{Finding, Route, RuleName, Severity};
use crate::loan::{Books, Decision, Judgement};

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
    /// When and by which version they were asked.
    pub(super) when: String,
    /// Where the application went by them; empty of an old decision.
    pub(super) route: String,
}

/// What every rule said about a decision; of an old one what it says now.
pub(super) fn rules(decision: &Decision, now: Instant, t: Text) -> Rules {
    let asked_now;
    let (judgement, when, route) = match &decision.judged {
        Some(kept) => (kept, then(kept, decision, t), route(kept.route, t)),
        None => {
            let (trade, books, day) = (Trade::default(), Books::default(), china_day(now));
            asked_now = Judgement::of(&decision.application, &trade, &books, day, None);
            (&asked_now, t.get("rule.now").to_owned(), String::new())
        }
    };
    let warnings = judgement.warnings.iter();
    let mut lines: Vec<RuleLine> = warnings
        .map(|one| warning(one.rule, &one.finding, t))
        .collect();
    lines.extend(judgement.law.iter().map(|one| of_law(one, t)));
    let judged = lines.iter().filter(|line| line.tone != "none").count();
    Rules {
        lines,
        judged,
        when,
        route,
    }
}

fn then(kept: &Judgement, decision: &Decision, t: Text) -> String {
    let day = china_day(decision.decided_at).to_string();
    let version = kept.version.to_string();
    t.fill("rule.then", &[("day", &day), ("version", &version)])
}

fn route(route: Route, t: Text) -> String {
    let key = match route {
        Route::StraightThrough => "rule.route.straight",
        Route::Officer => "rule.route.officer",
        Route::Refused => "rule.route.refused",
    };
    t.get(key).to_owned()
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

fn of_law(judged: &LawJudged, t: Text) -> RuleLine {
    let (rule, finding) = (law::rule(judged.rule), &judged.finding);
    let zh = t.language == Language::ZhCn;
    let (tone, says) = match finding {
        Law::Holds => ("ok", t.get("rule.holds").to_owned()),
        Law::Broken(breach) => ("bad", breach.to_string()),
        Law::NotApplicable(_) => ("ok", t.get("rule.not-applicable").to_owned()),
        Law::Unknown(_) => ("none", t.get("rule.unknown").to_owned()),
    };
    let says = match &judged.invoice {
        Some(number) => t.fill("rule.invoice", &[("number", number), ("says", &says)]),
        None => says,
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
