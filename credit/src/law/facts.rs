//! What is known about one receivable. Every fact may be missing.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::acceptance::Receipt;
use crate::schedule::Rate;

/// What is known. Whoever fills it in answers for each field; what nobody knows stays `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// What the loan rests on.
    pub basis: Option<Basis>,
    /// When the contract between buyer and supplier was made.
    pub contract_on: Option<NaiveDate>,
    /// What the buyer is, by its size when the contract was made (decree 802 article 3).
    pub buyer: Option<Buyer>,
    /// Whether the supplier is a small or medium-sized enterprise, by the same measure.
    pub supplier_is_sme: Option<bool>,
    /// Whether payment is by delivery or by settled periods, and when the period was settled.
    pub settlement: Option<Settlement>,
    /// Receiving and accepting events that evidence has proven; empty if there are none.
    pub receipts: Option<Vec<Receipt>>,
    /// What the contract says about inspection before payment.
    pub inspection: Option<Inspection>,
    /// The day that documents name as that of acceptance; `None` if they name none.
    pub claimed_acceptance: Option<NaiveDate>,
    /// The day on which it is judged.
    pub as_of: Option<NaiveDate>,
    /// What the contract says about when to pay.
    pub agreed_term: Option<AgreedTerm>,
    /// Whether a term above 60 days follows the norms of the trade: a person's answer.
    pub longer_term_is_customary: Option<bool>,
    /// Whether payment waits for, or goes in proportion to, a third party's payment.
    pub pay_when_paid: Option<bool>,
    /// What is paid by.
    pub instrument: Option<Instrument>,
    /// Whether the contract says so clearly.
    pub instrument_agreed: Option<bool>,
    /// Whether the supplier was made to take it.
    pub instrument_forced: Option<bool>,
    /// When the bill or certificate was issued.
    pub issued_on: Option<NaiveDate>,
    /// When it matures.
    pub matures_on: Option<NaiveDate>,
    /// Whether an instrument that matures after payment was due is a disguised extension: a
    /// person's answer.
    pub extends_the_term: Option<bool>,
    /// What the contract says about interest on late payment.
    pub late_rate: Option<LateRate>,
    /// The loan prime rate of one year when the contract was made.
    pub prime_rate_percent: Option<Rate>,
}

/// What a loan rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Goods delivered and not paid.
    Receivable,
    /// An order that is not delivered yet.
    Order,
    /// Goods in a warehouse.
    Stock,
}

/// Kinds of buyers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Buyer {
    /// A large enterprise.
    LargeEnterprise,
    /// A state organ or a public institution.
    PublicBody,
    /// A small or medium-sized enterprise, which decree 802 does not bind.
    SmallOrMedium,
}

/// What a term of payment runs from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settlement {
    /// From each delivery, or its acceptance.
    ByDelivery,
    /// From the settlement of a period or of progress, which both sides have not signed yet.
    Open,
    /// From a settlement that both sides signed on this day.
    On(NaiveDate),
}

/// What the contract says about inspection before payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inspection {
    /// Payment does not depend on it.
    NotAgreed,
    /// It depends on it, and there is no period to inspect in.
    WithoutPeriod,
    /// It depends on it, and the buyer has so many days from delivery.
    Days(u32),
}

/// What the contract says about when to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgreedTerm {
    /// Nothing: the law's own term is in force.
    NotAgreed,
    /// So many days from the start that [`super::start`] finds.
    Days(u32),
    /// By this day.
    Until(NaiveDate),
}

/// What is paid by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Instrument {
    /// Money.
    Transfer,
    /// A commercial bill, which has a law of its own.
    CommercialBill,
    /// An electronic certificate of a receivable.
    Certificate,
}

/// Interest on late payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LateRate {
    /// Nothing is agreed: 0.05 % a day by law.
    NotAgreed,
    /// So much a year.
    Percent(Rate),
}
