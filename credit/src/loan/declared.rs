//! What an application says beside who wants how much: who pays, the invoices that it rests on, what
//! the parties are known by, what links them, and what the contract says.
//!
//! All of it is the applicant's word and optional: what is not said is `None`, and a rule that needs
//! it says so. [`Declared::check`] holds it against the limits below; every refusal names the field by
//! its path, such as `invoices[2].due`.

use chrono::NaiveDate;
use schemas::hash::Hash;
use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

use super::warning::{Identifier, Link};
use crate::law::{AgreedTerm, Buyer, Inspection, Instrument, LateRate, Settlement};
use crate::money::Money;

/// Most buyers of one application.
pub const BUYERS_MAX: usize = 8;
/// Most invoices of one application.
pub const INVOICES_MAX: usize = 20;
/// Most things that one invoice names.
pub const GOODS_MAX: usize = 32;
/// Most identifiers of one application.
pub const IDENTIFIERS_MAX: usize = 64;
/// Most links of one application.
pub const LINKS_MAX: usize = 16;
/// Longest number of an invoice in characters; a fully digital one has 20.
pub const NUMBER_MAX: usize = 40;
/// Longest word for a link in characters.
pub const LINK_KIND_MAX: usize = 60;
/// Longest name of a thing in characters.
pub const GOODS_NAME_MAX: usize = 256;
/// Longest term of an inspection or a payment in days: more is a slip of the pen.
pub const DAYS_MAX: u32 = 3_660;

/// A field that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct BadField {
    /// Where it stands, such as `invoices[2].due`.
    pub path: String,
    /// What is wrong and what was expected.
    pub problem: String,
}

fn bad(path: impl Into<String>, problem: impl Into<String>) -> BadField {
    BadField {
        path: path.into(),
        problem: problem.into(),
    }
}

/// An invoice that an application rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredInvoice {
    /// Its number as it is printed.
    pub number: String,
    /// Who issued it: the applicant.
    pub seller: Slug,
    /// Who pays: one of the application's buyers.
    pub buyer: Slug,
    /// Total with tax, above zero, in the application's currency.
    pub amount: Money,
    /// Day of issue.
    pub issued: NaiveDate,
    /// Day on which payment is due; absent if the invoice names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<NaiveDate>,
    /// Day of delivery or acceptance that the papers name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<NaiveDate>,
    /// Its name as [`crate::pledge::invoice::Invoice::fingerprints`] makes it.
    pub fingerprint: Hash,
    /// The things that it is over, as shipping events name them: GS1 keys in any form, or other URIs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goods: Vec<String>,
}

/// What the contract between buyer and supplier says, as the applicant declares it. Each member is the
/// fact of the same name of [`crate::law::Facts`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contract {
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_on: Option<NaiveDate>,
    /// What the buyer is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Buyer>,
    /// Whether the supplier is a small or medium-sized enterprise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier_is_sme: Option<bool>,
    /// What the term of payment runs from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement: Option<Settlement>,
    /// What it says about inspection before payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspection: Option<Inspection>,
    /// When to pay; the invoice's due day where nothing is said here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreed_term: Option<AgreedTerm>,
    /// Whether payment waits for a third party's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_when_paid: Option<bool>,
    /// What is paid by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrument: Option<Instrument>,
    /// Whether it says so clearly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrument_agreed: Option<bool>,
    /// Whether the supplier was made to take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrument_forced: Option<bool>,
    /// When the bill or certificate was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_on: Option<NaiveDate>,
    /// When it matures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matures_on: Option<NaiveDate>,
    /// Interest on late payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_rate: Option<LateRate>,
}

/// What an application declares. Nothing at all is an application as they were before there was this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Who pays; empty where nobody does, such as for goods in a warehouse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyers: Option<Vec<Slug>>,
    /// The invoices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoices: Option<Vec<DeclaredInvoice>>,
    /// What supplier and buyers are known by, hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifiers: Option<Vec<Identifier>>,
    /// What links supplier and buyers; empty where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<Link>>,
    /// What the contract says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
}

impl Declared {
    /// The one who pays most: the only buyer, or the one with the largest sum of invoices, the first by
    /// name of those with the same; `None` where that is nobody's.
    #[must_use]
    pub fn payer(&self) -> Option<&Slug> {
        let buyers = self.buyers.as_deref()?;
        if let [only] = buyers {
            return Some(only);
        }
        let owed = |buyer: &Slug| {
            let invoices = self.invoices.iter().flatten();
            let own = invoices.filter(|invoice| invoice.buyer == *buyer);
            own.map(|invoice| invoice.amount.fen())
                .fold(0_i64, i64::saturating_add)
        };
        let owing = buyers.iter().filter(|buyer| owed(buyer) > 0);
        owing.max_by(|one, other| owed(one).cmp(&owed(other)).then_with(|| other.cmp(one)))
    }

    /// Holds everything against the limits and against itself.
    ///
    /// # Errors
    /// [`BadField`] of the first field that does not fit.
    pub fn check(&self, supplier: &Slug, requested: Money) -> Result<(), BadField> {
        let buyers = self.buyers.as_deref().unwrap_or_default();
        within("buyers", buyers.len(), BUYERS_MAX)?;
        for (n, buyer) in buyers.iter().enumerate() {
            if buyers[..n].contains(buyer) {
                return Err(bad(
                    format!("buyers[{n}]"),
                    format!("`{buyer}` stands twice"),
                ));
            }
        }
        let invoices = self.invoices.as_deref().unwrap_or_default();
        within("invoices", invoices.len(), INVOICES_MAX)?;
        for (n, invoice) in invoices.iter().enumerate() {
            let path = format!("invoices[{n}]");
            invoice.check(&path, supplier, buyers, requested)?;
        }
        self.check_parties(supplier, buyers)?;
        self.contract.as_ref().map_or(Ok(()), Contract::check)
    }

    fn check_parties(&self, supplier: &Slug, buyers: &[Slug]) -> Result<(), BadField> {
        let is_party = |name: &Slug| name == supplier || buyers.contains(name);
        let identifiers = self.identifiers.as_deref().unwrap_or_default();
        within("identifiers", identifiers.len(), IDENTIFIERS_MAX)?;
        for (n, one) in identifiers.iter().enumerate() {
            if !is_party(&one.party) {
                let problem = format!(
                    "`{}` is neither the supplier nor one of the buyers",
                    one.party
                );
                return Err(bad(format!("identifiers[{n}].party"), problem));
            }
        }
        let links = self.links.as_deref().unwrap_or_default();
        within("links", links.len(), LINKS_MAX)?;
        for (n, link) in links.iter().enumerate() {
            if !is_party(&link.one) && !is_party(&link.other) {
                let problem = "neither end is the supplier or one of the buyers";
                return Err(bad(format!("links[{n}].one"), problem));
            }
            if link.one == link.other {
                return Err(bad(format!("links[{n}].other"), "it is the same party"));
            }
            let path = format!("links[{n}].kind");
            printable(&path, &link.kind, LINK_KIND_MAX)?;
        }
        Ok(())
    }
}

impl DeclaredInvoice {
    fn check(
        &self,
        path: &str,
        supplier: &Slug,
        buyers: &[Slug],
        requested: Money,
    ) -> Result<(), BadField> {
        let at = |field: &str| format!("{path}.{field}");
        printable(&at("number"), &self.number, NUMBER_MAX)?;
        if self.seller != *supplier {
            let problem = format!("`{}` is not the applicant", self.seller);
            return Err(bad(at("seller"), problem));
        }
        if !buyers.contains(&self.buyer) {
            let problem = format!("`{}` is not one of the buyers", self.buyer);
            return Err(bad(at("buyer"), problem));
        }
        if self.amount.common(requested).is_err() {
            let currency = requested.currency();
            return Err(bad(
                at("amount"),
                format!("the application is in {currency}"),
            ));
        }
        if self.amount.fen() == 0 {
            return Err(bad(at("amount"), "more than nothing was expected"));
        }
        if let Some(due) = self.due.filter(|due| *due < self.issued) {
            let problem = format!("{due} is before the day of issue");
            return Err(bad(at("due"), problem));
        }
        within(&at("goods"), self.goods.len(), GOODS_MAX)?;
        for (n, goods) in self.goods.iter().enumerate() {
            printable(&at(&format!("goods[{n}]")), goods, GOODS_NAME_MAX)?;
        }
        Ok(())
    }
}

impl Contract {
    fn check(&self) -> Result<(), BadField> {
        let days = |path: &str, days: u32| {
            let problem = format!("at most {DAYS_MAX} days are possible");
            if days > DAYS_MAX {
                Err(bad(path, problem))
            } else {
                Ok(())
            }
        };
        if let Some(Inspection::Days(count)) = self.inspection {
            days("contract.inspection.days", count)?;
        }
        if let Some(AgreedTerm::Days(count)) = self.agreed_term {
            days("contract.agreed_term.days", count)?;
        }
        match (self.issued_on, self.matures_on) {
            (Some(issued), Some(matures)) if matures < issued => Err(bad(
                "contract.matures_on",
                format!("{matures} is before its issue on {issued}"),
            )),
            _ => Ok(()),
        }
    }
}

fn within(path: &str, count: usize, most: usize) -> Result<(), BadField> {
    if count > most {
        Err(bad(
            path,
            format!("{count} entries, at most {most} are possible"),
        ))
    } else {
        Ok(())
    }
}

/// Text without white space around it and without control characters.
fn printable(path: &str, text: &str, most: usize) -> Result<(), BadField> {
    let fits = (1..=most).contains(&text.chars().count());
    if fits && text.trim() == text && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        let problem = format!("1 to {most} characters without spaces around them were expected");
        Err(bad(path, problem))
    }
}

#[cfg(test)]
mod tests;
