//! What comes of a rule: it holds, is broken, does not apply, or cannot be known yet.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::schedule::Rate;

/// What the facts say about a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", content = "why", rename_all = "kebab-case")]
pub enum Finding {
    /// It is kept.
    Holds,
    /// It is not.
    Broken(Breach),
    /// It is not about this case.
    NotApplicable(Excluded),
    /// This fact is missing.
    Unknown(FactName),
}

impl Finding {
    /// Its word in fixtures and reports.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Broken(_) => "broken",
            Self::NotApplicable(_) => "not-applicable",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// How a rule is broken. Its `Display` is one English sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Breach {
    /// No event of the buyer's own device, anchored in time, shows it.
    #[error("no anchored event of the buyer's own device shows it")]
    NotShown,
    /// The documents name another day than the events show.
    #[error("the documents say {claimed}, the events show {shown}")]
    OtherDay {
        /// What the documents say.
        claimed: NaiveDate,
        /// What the events show.
        shown: NaiveDate,
    },
    /// A term of more days than the rule allows.
    #[error("{days} days are agreed, at most {most} are allowed")]
    TooLong {
        /// As agreed.
        days: u32,
        /// As allowed.
        most: u32,
    },
    /// Payment on a day after the last one.
    #[error("{until} is agreed, {last} is the last day")]
    TooLate {
        /// As agreed.
        until: NaiveDate,
        /// As allowed.
        last: NaiveDate,
    },
    /// Payment depends on a third party's payment.
    #[error("payment waits for a third party's payment")]
    PayWhenPaid,
    /// The contract does not say that it is paid by paper.
    #[error("the contract does not name the bill or certificate as means of payment")]
    PaperNotAgreed,
    /// The supplier had no choice.
    #[error("the supplier was made to take a bill or certificate")]
    PaperForced,
    /// Somebody who answers for it has found a disguised extension.
    #[error("the bill or certificate matures on {matures}, payment was due on {due}")]
    Extension {
        /// When it matures.
        matures: NaiveDate,
        /// When payment was due.
        due: NaiveDate,
    },
    /// Less interest on late payment than the law's least.
    #[error("{agreed} a year is agreed for late payment, at least {least} is due")]
    LateRate {
        /// As agreed.
        agreed: Percent,
        /// The prime rate of one year when the contract was made.
        least: Percent,
    },
    /// A maturity before the issue.
    #[error("it matures on {matures}, before its issue on {issued}")]
    BeforeIssue {
        /// When it was issued.
        issued: NaiveDate,
        /// When it matures.
        matures: NaiveDate,
    },
}

/// A rate that is shown with its sign. In JSON it is the percentage as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(pub Rate);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a rule is not about a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Excluded {
    /// The contract or the certificate is older than the rule.
    #[error("it was made before the rule was in force")]
    BeforeInForce,
    /// The rule protects small and medium-sized suppliers only.
    #[error("the supplier is no small or medium-sized enterprise")]
    SupplierNotSmall,
    /// The rule binds another kind of buyer.
    #[error("the rule binds another kind of buyer")]
    Buyer,
    /// Nothing is owed by a buyer.
    #[error("the loan rests on no receivable")]
    NoReceivable,
    /// The term runs from the settlement of a period, not from goods received.
    #[error("the term runs from a settlement")]
    Settlement,
    /// Money is paid as money, or by another instrument.
    #[error("it is not paid by this instrument")]
    Instrument,
}

/// Names of facts, as fixtures and forms write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactName {
    /// [`super::Facts::basis`].
    Basis,
    /// [`super::Facts::contract_on`].
    ContractOn,
    /// [`super::Facts::buyer`].
    Buyer,
    /// [`super::Facts::supplier_is_sme`].
    SupplierIsSme,
    /// [`super::Facts::settlement`].
    Settlement,
    /// [`super::Facts::receipts`], or none of them counts.
    Receipts,
    /// [`super::Facts::inspection`].
    Inspection,
    /// [`super::Facts::as_of`].
    AsOf,
    /// An acceptance that may still come in time.
    Acceptance,
    /// [`super::Facts::agreed_term`].
    AgreedTerm,
    /// [`super::Facts::longer_term_is_customary`].
    LongerTermIsCustomary,
    /// [`super::Facts::pay_when_paid`].
    PayWhenPaid,
    /// [`super::Facts::instrument`].
    Instrument,
    /// [`super::Facts::instrument_agreed`].
    InstrumentAgreed,
    /// [`super::Facts::instrument_forced`].
    InstrumentForced,
    /// [`super::Facts::issued_on`].
    IssuedOn,
    /// [`super::Facts::matures_on`].
    MaturesOn,
    /// [`super::Facts::extends_the_term`].
    ExtendsTheTerm,
    /// [`super::Facts::late_rate`].
    LateRate,
    /// [`super::Facts::prime_rate_percent`].
    PrimeRatePercent,
    /// The holidays of the year in which a term ends.
    Holidays,
    /// A date that can be calculated with.
    Date,
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The same word as in JSON, which serde has by the type's own attribute.
        self.serialize(f)
    }
}
