//! What a supplier of the story brings to the bank beside its records: its invoices, as its own
//! scanner wrote them on the shipments, and what the contract with its buyer says.

use anyhow::Context;
use chrono::{DateTime, Days, NaiveDate};
use credit::law::{AgreedTerm, Buyer, Inspection, Instrument, LateRate, Settlement};
use credit::loan::Declared;
use credit::loan::declared::{Contract, DeclaredInvoice};
use credit::loan::warning::{Identifier, IdentifierKind};
use credit::money::{Currency, Money};
use credit::pledge::invoice::{Invoice, Typed};
use schemas::attestation::SubjectCode;
use schemas::hash::{Hash, sha256};
use serde_json::Value;

use crate::scenario::{Deed, Organisation, Role};
use crate::script::Script;

/// Days from an invoice to its payment: the buyer is large, decree 802 allows it 60.
const TERM_DAYS: u32 = 45;
/// Days from the contract to the first shipment of the story.
const CONTRACT_DAYS_BEFORE: u64 = 60;

/// Everything that this supplier declares; nothing outside of the story, whose vendors have no papers.
///
/// # Errors
/// For a shipment that is not as the story writes them.
pub fn declared(script: &Script, supplier: &Organisation) -> anyhow::Result<Declared> {
    let retailer = |one: &&Organisation| one.role == Role::Retailer;
    let buyer = script.organisations().iter().find(retailer);
    let (Script::Story(_), Some(buyer)) = (script, buyer) else {
        return Ok(Declared::default());
    };
    let mut invoices = Vec::new();
    for action in script.actions() {
        let Deed::Scan(line) = &action.deed else {
            continue;
        };
        let line: Value = serde_json::from_str(line)?;
        if action.gateway.organisation == supplier.slug && line["step"] == "shipping" {
            invoices.push(invoice(&line, supplier, buyer)?);
        }
    }
    let first = invoices.iter().map(|invoice| invoice.issued).min();
    let contract_on = first.and_then(|day| day.checked_sub_days(Days::new(CONTRACT_DAYS_BEFORE)));
    Ok(Declared {
        buyers: Some(vec![buyer.slug.clone()]),
        invoices: Some(invoices),
        identifiers: Some([supplier, buyer].into_iter().flat_map(known_by).collect()),
        links: Some(Vec::new()),
        contract: Some(contract(contract_on)),
    })
}

fn contract(contract_on: Option<NaiveDate>) -> Contract {
    Contract {
        contract_on,
        buyer: Some(Buyer::LargeEnterprise),
        supplier_is_sme: Some(true),
        settlement: Some(Settlement::ByDelivery),
        inspection: Some(Inspection::NotAgreed),
        agreed_term: Some(AgreedTerm::Days(TERM_DAYS)),
        pay_when_paid: Some(false),
        instrument: Some(Instrument::Transfer),
        instrument_agreed: Some(true),
        instrument_forced: Some(false),
        late_rate: Some(LateRate::NotAgreed),
        ..Contract::default()
    }
}

/// The invoice that a shipment names.
fn invoice(
    line: &Value,
    seller: &Organisation,
    buyer: &Organisation,
) -> anyhow::Result<DeclaredInvoice> {
    let extra = &line["extra"];
    let papers = extra["bizTransactionList"].as_array();
    let paper = papers.and_then(|all| all.iter().find(|one| one["type"] == "inv"));
    let paper = paper.and_then(|one| one["bizTransaction"].as_str());
    let number = paper.and_then(|paper| paper.rsplit('/').next());
    let number = number.context("a shipment without an invoice")?;
    let total = extra["tb:invoiceAmount"].as_str();
    let total = total.context("an invoice without an amount")?;
    let time = line["time"].as_str().context("a shipment without a time")?;
    let issued = DateTime::parse_from_rfc3339(time)?.date_naive();
    let goods = line["items"].as_array().into_iter().flatten();
    let goods = goods.filter_map(Value::as_str).map(str::to_owned);
    Ok(DeclaredInvoice {
        number: number.to_owned(),
        seller: seller.slug.clone(),
        buyer: buyer.slug.clone(),
        amount: Money::parse(total, Currency::CNY)?,
        issued,
        due: issued.checked_add_days(Days::new(u64::from(TERM_DAYS))),
        accepted: None,
        fingerprint: fingerprint(seller, buyer, issued, total)?,
        goods: goods.collect(),
    })
}

/// The name of a fully digital invoice: 20 digits, the year first. A supplier of the story ships once
/// a day, so prefix and day tell its invoices apart.
fn fingerprint(
    seller: &Organisation,
    buyer: &Organisation,
    issued: NaiveDate,
    total: &str,
) -> anyhow::Result<Hash> {
    let digital = format!(
        "{}{}{}00001",
        issued.format("%y"),
        seller.prefix,
        issued.format("%y%m%d")
    );
    let typed = Typed {
        seller: credit_code(&seller.prefix)?,
        buyer: credit_code(&buyer.prefix)?,
        digital,
        date: issued.to_string(),
        total: total.to_owned(),
        ..Typed::default()
    };
    let names = Invoice::read(&typed)?.fingerprints();
    let name = names.first().context("an invoice without a name")?;
    Ok(Hash(*name.as_bytes()))
}

/// A made-up unified social credit code: a company of Shanghai by its GS1 prefix, with the one last
/// character that fits.
fn credit_code(prefix: &str) -> anyhow::Result<String> {
    let codes = ('0'..='9')
        .chain('A'..='Z')
        .map(|check| format!("91310115MA{prefix}{check}"));
    let mut codes = codes.filter(|code| code.parse::<SubjectCode>().is_ok());
    codes.next().context("a prefix that makes no credit code")
}

/// Account, telephone and address of a party, hashed; those of no two parties are the same.
fn known_by(party: &Organisation) -> Vec<Identifier> {
    let kinds = [
        (IdentifierKind::BankAccount, "account"),
        (IdentifierKind::Representative, "representative"),
        (IdentifierKind::Telephone, "telephone"),
        (IdentifierKind::Address, "address"),
    ];
    let identifier = |(kind, word)| Identifier {
        party: party.slug.clone(),
        kind,
        value: sha256(format!("{word} of {}", party.slug).as_bytes()),
    };
    kinds.map(identifier).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supplier_of_the_story_has_papers_that_a_bank_takes() {
        let script = Script::story(crate::scenario::DEFAULT_SEED);
        let requested = Money::parse("120000.00", Currency::CNY).unwrap();
        let mut fingerprints = std::collections::BTreeSet::new();
        for (supplier, _) in script.applicants() {
            let declared = declared(&script, supplier).unwrap();
            declared.check(&supplier.slug, requested).unwrap();
            let invoices = declared.invoices.unwrap();
            assert!(
                invoices.len() >= 8,
                "{} of {}",
                invoices.len(),
                supplier.slug
            );
            for invoice in invoices {
                assert!(!invoice.goods.is_empty(), "{}", invoice.number);
                assert!(
                    fingerprints.insert(invoice.fingerprint),
                    "{}",
                    invoice.number
                );
            }
        }
    }
}
