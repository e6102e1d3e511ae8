//! Rules that warn about an application: goods that go in a circle, an invoice that was used before,
//! one device under two suppliers, a buyer who is no stranger.
//!
//! [`judge`] is pure and asks every rule; each answers with the facts that it saw by name. A rule
//! never guesses: where its facts are missing it says which, and an officer looks. [`route`] says what
//! follows: refused, to an officer, or straight through if the amount is small.
//!
//! These rules see what they are given. That none of them warns proves nothing about what they were
//! not shown.

mod circle;
mod invoice;
mod party;

use std::fmt;

use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

use super::application::ApplicationId;
use crate::money::Money;

/// The most rows of one kind that a case has; more are for an officer, not for a longer wait.
pub const ROWS_MAX: usize = 5_000;

/// Sales of the same goods within so many days can be a circle.
pub const CIRCLE_DAYS: u32 = 180;

/// Goods that were sold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sale {
    /// Who sold.
    pub seller: Slug,
    /// Who bought.
    pub buyer: Slug,
    /// What, such as a GTIN with its lot.
    pub goods: String,
    /// When.
    pub on: NaiveDate,
}

/// An invoice that was handed in with an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    /// With which application.
    pub application: ApplicationId,
    /// SHA-256 of what was handed in.
    pub fingerprint: Hash,
    /// Its number.
    pub number: String,
    /// Who issued it.
    pub seller: Slug,
    /// Over how much.
    pub amount: Money,
}

/// An invoice that is pledged already.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pledged {
    /// Its fingerprint.
    pub fingerprint: Hash,
    /// The pledge that has it.
    pub pledge: String,
}

/// A device that signed for a supplier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceUse {
    /// Which: `organisation/device`, or the URI of a sensor.
    pub device: String,
    /// For whom.
    pub supplier: Slug,
    /// Whose it is, if the register says so.
    pub owner: Option<Slug>,
}

/// What two parties may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierKind {
    /// A bank account.
    BankAccount,
    /// The legal representative.
    Representative,
    /// A telephone number.
    Telephone,
    /// An address.
    Address,
}

/// Something that a party is known by. Only its hash is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    /// Whose.
    pub party: Slug,
    /// What kind.
    pub kind: IdentifierKind,
    /// SHA-256 of it.
    pub value: Hash,
}

/// A link between two parties that one of them declared, such as a shareholding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// One of them.
    pub one: Slug,
    /// The other.
    pub other: Slug,
    /// What links them.
    pub kind: String,
}

/// What is known when an application is looked at; what is `None` was not to be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The application.
    pub application: ApplicationId,
    /// Who wants to borrow.
    pub supplier: Slug,
    /// Who is to pay; nobody for goods in a warehouse.
    pub buyers: Option<Vec<Slug>>,
    /// Sales of the goods that are lent on, whoever made them.
    pub sales: Option<Vec<Sale>>,
    /// Invoices of this application and of all before it.
    pub invoices: Option<Vec<Invoice>>,
    /// Which of this application's invoices are pledged.
    pub pledged: Option<Vec<Pledged>>,
    /// Devices of the evidence, and for whom else they signed.
    pub devices: Option<Vec<DeviceUse>>,
    /// Identifiers of the supplier and the buyers.
    pub identifiers: Option<Vec<Identifier>>,
    /// Declared links of the supplier and the buyers.
    pub links: Option<Vec<Link>>,
}

/// Version of the four rules, kept with every finding.
pub const VERSION: u32 = 1;

/// Names of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleName {
    /// The same goods come back to who sold them.
    CircularTrade,
    /// An invoice was used before.
    DuplicateInvoice,
    /// One device signs under two suppliers.
    SharedDevice,
    /// Supplier and buyer are linked.
    RelatedParties,
}

impl fmt::Display for RuleName {
    /// As in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Names of facts, as [`Case`] has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactName {
    /// [`Case::buyers`].
    Buyers,
    /// [`Case::sales`].
    Sales,
    /// [`Case::invoices`].
    Invoices,
    /// [`Case::pledged`].
    Pledged,
    /// [`Case::devices`].
    Devices,
    /// [`Case::identifiers`].
    Identifiers,
    /// [`Case::links`].
    Links,
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What a warning leads to, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is kept beside the application.
    Note,
    /// An officer looks at it, however small the amount.
    ToOfficer,
    /// Nothing is lent.
    Refuse,
}

/// What a rule saw.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(tag = "saw", rename_all = "snake_case")]
pub enum Saw {
    /// Goods came back to who sold them.
    #[error("{goods} went {}, from {first} to {last}", .way.iter().map(Slug::as_str).collect::<Vec<_>>().join(" > "))]
    Circle {
        /// What.
        goods: String,
        /// Over whom; the first one is the last one.
        way: Vec<Slug>,
        /// The first sale.
        first: NaiveDate,
        /// The last one.
        last: NaiveDate,
    },
    /// The same bytes were handed in before.
    #[error("invoice {number} was handed in before, with {before}")]
    SameInvoice {
        /// Its number.
        number: String,
        /// The earlier application, or this one if it has it twice.
        before: ApplicationId,
    },
    /// Number, seller and amount are those of an invoice that was handed in before.
    #[error("an invoice with number, seller and amount of {number} was handed in with {before}")]
    SameNumberAndAmount {
        /// Its number.
        number: String,
        /// The earlier application, or this one if it has it twice.
        before: ApplicationId,
    },
    /// Number and seller are those of an invoice over another amount.
    #[error("an invoice with number and seller of {number}, over another amount, is in {before}")]
    SameNumber {
        /// Its number.
        number: String,
        /// The other application, or this one if it has it twice.
        before: ApplicationId,
    },
    /// A pledge has it.
    #[error("invoice {number} is pledged already, in {pledge}")]
    PledgedInvoice {
        /// Its number.
        number: String,
        /// The pledge.
        pledge: String,
    },
    /// A device signs for somebody else, too.
    #[error("{device} signs for {other}, too; its owner: {owner:?}")]
    Device {
        /// Which.
        device: String,
        /// The other supplier.
        other: Slug,
        /// Whose it is.
        owner: Option<Slug>,
    },
    /// A declared link.
    #[error("{buyer} is linked to the supplier: {kind}")]
    Linked {
        /// The buyer.
        buyer: Slug,
        /// By what.
        kind: String,
    },
    /// The buyer is the supplier.
    #[error("the buyer {buyer} is the supplier")]
    OwnBuyer {
        /// The buyer.
        buyer: Slug,
    },
    /// Something in common.
    #[error("{buyer} and the supplier have the same {kind:?}")]
    Shared {
        /// The buyer.
        buyer: Slug,
        /// What.
        kind: IdentifierKind,
    },
}

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Warning {
    /// What it leads to.
    pub severity: Severity,
    /// What was seen.
    pub saw: Saw,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// Nothing to warn about in what it was shown.
    Clear,
    /// Warnings, the worst first.
    Found {
        /// One at least.
        warnings: Vec<Warning>,
    },
    /// It cannot say.
    Unknown {
        /// For want of this.
        missing: FactName,
    },
    /// It was shown more than it looks at.
    TooMuch {
        /// Of this.
        fact: FactName,
    },
}

/// A rule with its finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Which rule.
    pub rule: RuleName,
    /// What it says.
    pub finding: Finding,
}

impl Finding {
    /// The worst that it leads to; what cannot be said is for an officer.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        match self {
            Self::Clear => None,
            Self::Found { warnings } => warnings.iter().map(|warning| warning.severity).max(),
            Self::Unknown { .. } | Self::TooMuch { .. } => Some(Severity::ToOfficer),
        }
    }

    /// A finding of warnings, each once.
    fn of(mut warnings: Vec<Warning>) -> Self {
        warnings.sort_by(|one, other| {
            let worse = other.severity.cmp(&one.severity);
            worse.then_with(|| one.saw.cmp(&other.saw))
        });
        warnings.dedup();
        if warnings.is_empty() {
            Self::Clear
        } else {
            Self::Found { warnings }
        }
    }
}

/// Where an application goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// No warning, and the amount is small.
    StraightThrough,
    /// An officer, and a second one above the line of [`super::review`].
    Officer,
    /// Refused.
    Refused,
}

/// A rule: from what is known to what it says.
type Rule = fn(&Case) -> Finding;

/// Asks every rule.
#[must_use]
pub fn judge(case: &Case) -> Vec<Judged> {
    let rules: [(RuleName, Rule); 4] = [
        (RuleName::CircularTrade, circle::rule),
        (RuleName::DuplicateInvoice, invoice::rule),
        (RuleName::SharedDevice, party::shared_device),
        (RuleName::RelatedParties, party::related_parties),
    ];
    let judged = rules.into_iter().map(|(rule, ask)| Judged {
        rule,
        finding: ask(case),
    });
    judged.collect()
}

/// Where an application over an amount goes; at most `straight_up_to` goes straight through. Another
/// currency goes to an officer.
#[must_use]
pub fn route(judged: &[Judged], amount: Money, straight_up_to: Money) -> Route {
    let worst = judged.iter().filter_map(|one| one.finding.severity()).max();
    let is_small = amount.common(straight_up_to).is_ok() && amount.fen() <= straight_up_to.fen();
    match worst {
        Some(Severity::Refuse) => Route::Refused,
        Some(Severity::ToOfficer) => Route::Officer,
        Some(Severity::Note) | None if is_small => Route::StraightThrough,
        Some(Severity::Note) | None => Route::Officer,
    }
}

/// The rows of a fact, or what a rule says without them.
fn rows<T>(fact: &Option<Vec<T>>, name: FactName) -> Result<&[T], Finding> {
    let rows = fact.as_deref().ok_or(Finding::Unknown { missing: name })?;
    if rows.len() > ROWS_MAX {
        return Err(Finding::TooMuch { fact: name });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
