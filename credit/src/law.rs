//! Law as rules with names.
//!
//! Each rule is one item of [`RULES`]: its id, its title in Chinese and English, the source with
//! article and date, from when it is in force, and how much it binds. [`Rule::judge`] is a pure
//! function from [`Facts`] to a [`Finding`]. Nothing is guessed: a fact that is missing gives
//! [`Finding::Unknown`] with its name. A finding is not legal advice and decides nothing alone; the
//! bank's lawyers read it beside the contract.
//!
//! # What was read, and from where
//! Read in November 2026 through a library of stored public pages, not at the issuers' own sites:
//! - **Decree 802** (State Council, promulgated 2025-03-17, in force 2025-06-01): the head, date and
//!   articles 1 to 4 in the copy of gov.cn (`big5.www.gov.cn`, content_7015401); article 9 first and
//!   second sentence (30, 60 and 60 days) in a law firm's article; that its second paragraph forbids
//!   payment on a third party's payment in another firm's (article 9 by number); articles 11 to 16 in a
//!   reprint; the start at acceptance (article 10) and the late interest (LPR of one year, else
//!   0.05 % a day) in a university's notice that repeats them. The article number 17 of the late
//!   interest, the last paragraphs of article 9 (settlement by periods) and the second of article 10
//!   (a delayed inspection) are from memory: their text was not seen.
//! - **Yinfa \[2025\] 77** (PBoC and five others, dated 2025-04-26, in force 2025-06-15, 21 articles):
//!   number, issuers, date in force and "in principle within 6 months, at most 1 year" in reports
//!   (Xinhua, PBoC's answers to the press). The number of that article was not seen, so none is named.
//! - **Civil Code** articles 201 to 203 (counting of periods): text in Chinese and English.
//! - **Fashi \[2024\] 11** (Supreme People's Court, in force 2024-08-27): whole text; such a clause
//!   between a large and a smaller enterprise is void.
//!
//! # Where a rule reads the law more narrowly than it stands
//! - 60 days of a large enterprise are no hard limit: article 9 lets the parties agree otherwise if that
//!   follows the norms of the trade. A longer term is therefore `Unknown` until somebody answers for
//!   [`Facts::longer_term_is_customary`].
//! - Six months and one year are counted as 180 and 365 days. 180 days never go beyond six months,
//!   nor 365 beyond a year (a test tries every day of 400 years); up to four days, or one, are given away.
//! - Weekends count as statutory days of rest at the end of a term (Civil Code 203), as courts have it.

pub mod acceptance;
mod certificate;
pub mod facts;
pub mod finding;
mod payment;
mod rules;
pub mod term;

use chrono::NaiveDate;

pub use acceptance::{Receipt, Step, shown};
pub use facts::{AgreedTerm, Basis, Buyer, Facts, Inspection, Instrument, LateRate, Settlement};
pub use finding::{Breach, Excluded, FactName, Finding};
pub use rules::{RULES, RuleId};
pub use term::{Start, StartedBy, due, start};

use crate::schedule::Calendar;

/// How much a rule binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Law without exception.
    Must,
    /// Law "in principle": an exception needs a reason that somebody answers for.
    InPrinciple,
    /// The bank's own, stricter than law.
    House,
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its Chinese name and number.
    pub zh: &'static str,
    /// Its English name and number.
    pub en: &'static str,
    /// The article and paragraph; empty where its number is not known for certain.
    pub article: &'static str,
    /// The day that it is dated.
    pub dated: NaiveDate,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name for ever; fixtures, decisions and reports use it.
    pub id: RuleId,
    /// Its title in Chinese.
    pub zh: &'static str,
    /// Its title in English.
    pub en: &'static str,
    /// Where it stands.
    pub source: Source,
    /// The first day on which it is in force: of the contract, or of the certificate's issue.
    pub valid_from: NaiveDate,
    /// How much it binds.
    pub force: Force,
    judge: fn(&Rule, &Facts, &Calendar) -> Finding,
}

impl Rule {
    /// What the facts say about this rule. The calendar is that of public holidays in mainland China.
    #[must_use]
    pub fn judge(&self, facts: &Facts, calendar: &Calendar) -> Finding {
        (self.judge)(self, facts, calendar)
    }
}

/// The rule of an id.
#[must_use]
pub fn rule(id: RuleId) -> &'static Rule {
    &RULES[id as usize]
}

/// Every rule with its finding, in the order of [`RULES`].
#[must_use]
pub fn judge_all(facts: &Facts, calendar: &Calendar) -> Vec<(RuleId, Finding)> {
    let judged = |rule: &Rule| (rule.id, rule.judge(facts, calendar));
    RULES.iter().map(judged).collect()
}

#[cfg(test)]
mod tests;
