//! The case of an application: what it declares, what verified evidence shows, and what the bank's
//! books hold, put together for the rules that warn ([`super::warning`]) and for those of law
//! ([`crate::law`]).
//!
//! The three are kept apart. What is declared stands in the application, what is verified in
//! [`Facts::trade`](crate::facts::Facts), and what the books said when it was decided in [`Books`],
//! which the decision's inputs keep. So a decision made again puts the same case together, whatever
//! the books say by then.
//!
//! Nothing is guessed: a fact that none of the three has is `None`, and the rule that needs it names
//! it. Which is which:
//!
//! | fact | known if |
//! |---|---|
//! | buyers | the application names them; for a receivable at least one |
//! | sales | evidence withholds none of their members and shows one of the supplier's, to each buyer that is named |
//! | invoices | the application carries them; none at all only where the product lends on no receivable |
//! | pledged | the books were asked about each invoice |
//! | devices | evidence was read |
//! | identifiers | one at least of the supplier and of each buyer, declared now or before |
//! | links | declared now, if only as none, or before |

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Application;
use super::declared::{Contract, DeclaredInvoice};
use super::warning::{
    self, Case, DeviceUse, Identifier, Invoice, Judged, Link, Pledged, Route, judge, route,
};
use crate::facts::trade::{Arrival, Taken, Trade};
use crate::law::acceptance::By;
use crate::law::{self, AgreedTerm, Basis, Finding, Receipt, RuleId, Step, shown};
use crate::money::Money;
use crate::schedule::Calendar;

/// Version of how a case is put together and judged; decisions name it.
pub const VERSION: u32 = 1;

/// Name of the rule by which an offer goes straight through, with its version.
pub const STRAIGHT_THROUGH: &str = "straight-through-v1";

/// What the bank's books said about a case when it was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Books {
    /// Invoices of open applications before this one that share a fingerprint, or number and seller,
    /// with one of this application's.
    pub invoices: Vec<Invoice>,
    /// Which of this application's invoices are pledged.
    pub pledged: Vec<Pledged>,
    /// Devices of this evidence that sign for other suppliers, too.
    pub devices: Vec<DeviceUse>,
    /// Identifiers of the parties that the supplier, or the party itself, declared before.
    pub identifiers: Vec<Identifier>,
    /// Links that one of the parties declared before.
    pub links: Vec<Link>,
    /// What the product lends on; absent where no file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Public holidays, by the product's calendar; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays: Option<Calendar>,
}

/// A rule of law with its finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LawJudged {
    /// Which rule.
    pub rule: RuleId,
    /// What it says.
    pub finding: Finding,
    /// About which invoice; absent where there is none or all are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
}

/// What the rules said when an application was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// [`VERSION`] by which it was made.
    pub version: u32,
    /// The rules that warn.
    pub warnings: Vec<Judged>,
    /// The rules of law, each with the worst that it says about any invoice.
    pub law: Vec<LawJudged>,
    /// Where the application goes by them.
    pub route: Route,
}

impl Judgement {
    /// Asks every rule about a case as of a day. Straight through goes what no rule has anything to
    /// say about, if no more than `straight_up_to` is asked for: a rule that cannot say is for an
    /// officer, and so is a rule of law that is broken.
    #[must_use]
    pub fn of(
        application: &Application,
        trade: &Trade,
        books: &Books,
        as_of: NaiveDate,
        straight_up_to: Option<Money>,
    ) -> Self {
        let warnings = judge(&case(application, trade, books));
        let law = of_law(application, trade, books, as_of);
        let asked = application.requested;
        let most = straight_up_to.unwrap_or(Money::zero(asked.currency()));
        let route = match route(&warnings, asked, most) {
            Route::StraightThrough if !law.iter().all(is_settled) => Route::Officer,
            route => route,
        };
        Self {
            version: VERSION,
            warnings,
            law,
            route,
        }
    }

    /// Names of the rules that fired: those that warn, and those of law that are broken.
    #[must_use]
    pub fn fired(&self) -> Vec<String> {
        let warned = self.warnings.iter().filter(|one| {
            let found = matches!(one.finding, warning::Finding::Found { .. });
            found || matches!(one.finding, warning::Finding::TooMuch { .. })
        });
        let warned = warned.map(|one| one.rule.to_string());
        let broken = self.law.iter();
        let broken = broken.filter(|one| matches!(one.finding, Finding::Broken(_)));
        warned
            .chain(broken.map(|one| one.rule.to_string()))
            .collect()
    }
}

fn is_settled(one: &LawJudged) -> bool {
    matches!(one.finding, Finding::Holds | Finding::NotApplicable(_))
}

/// The case that the rules which warn are asked about.
#[must_use]
pub fn case(application: &Application, trade: &Trade, books: &Books) -> Case {
    let buyers = buyers(application, books);
    Case {
        application: application.application_id.clone(),
        supplier: application.supplier.clone(),
        sales: sales(application, trade),
        invoices: invoices(application, books),
        pledged: application
            .declared
            .invoices
            .as_ref()
            .map(|_| books.pledged.clone()),
        devices: Some(devices(trade, books)),
        identifiers: identifiers(application, books),
        links: links(application, books),
        buyers,
    }
}

/// Somebody owes, or the product lends on what nobody owes.
fn lends_on_receivable(books: &Books) -> bool {
    books.basis.is_none_or(|basis| basis == Basis::Receivable)
}

fn buyers(application: &Application, books: &Books) -> Option<Vec<schemas::ids::Slug>> {
    let named = application.declared.buyers.clone();
    named.filter(|buyers| !buyers.is_empty() || !lends_on_receivable(books))
}

fn sales(application: &Application, trade: &Trade) -> Option<Vec<warning::Sale>> {
    let sales = trade.sales.as_ref()?;
    let own = sales
        .iter()
        .filter(|sale| sale.seller == application.supplier);
    let bought: BTreeSet<_> = own.map(|sale| &sale.buyer).collect();
    let buyers = application.declared.buyers.iter().flatten();
    let all = buyers.into_iter().all(|buyer| bought.contains(buyer));
    (all && !bought.is_empty()).then(|| sales.iter().cloned().collect())
}

fn invoices(application: &Application, books: &Books) -> Option<Vec<Invoice>> {
    let declared = application.declared.invoices.as_ref()?;
    if declared.is_empty() && lends_on_receivable(books) {
        return None;
    }
    let own = declared.iter().map(|one| as_handed_in(application, one));
    Some(books.invoices.iter().cloned().chain(own).collect())
}

/// An invoice of an application as the rules compare it.
#[must_use]
pub fn as_handed_in(application: &Application, invoice: &DeclaredInvoice) -> Invoice {
    Invoice {
        application: application.application_id.clone(),
        fingerprint: invoice.fingerprint,
        number: invoice.number.clone(),
        seller: invoice.seller.clone(),
        amount: invoice.amount,
    }
}

fn devices(trade: &Trade, books: &Books) -> Vec<DeviceUse> {
    let all = trade.devices.iter().chain(&books.devices);
    all.collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

fn identifiers(application: &Application, books: &Books) -> Option<Vec<Identifier>> {
    let said = application.declared.identifiers.iter().flatten();
    let all: BTreeSet<&Identifier> = said.chain(&books.identifiers).collect();
    let buyers = application.declared.buyers.iter().flatten();
    let mut parties = buyers.chain([&application.supplier]);
    let known = parties.all(|party| all.iter().any(|one| one.party == *party));
    known.then(|| all.into_iter().cloned().collect())
}

fn links(application: &Application, books: &Books) -> Option<Vec<Link>> {
    let said = application.declared.links.as_ref();
    let all: BTreeSet<&Link> = said.into_iter().flatten().chain(&books.links).collect();
    (said.is_some() || !all.is_empty()).then(|| all.into_iter().cloned().collect())
}

/// Every rule of law, about each invoice; of a rule the worst that it says.
fn of_law(
    application: &Application,
    trade: &Trade,
    books: &Books,
    as_of: NaiveDate,
) -> Vec<LawJudged> {
    let unknown = Calendar::unknown();
    let holidays = books.holidays.as_ref().unwrap_or(&unknown);
    let contract = application.declared.contract.clone().unwrap_or_default();
    let base = of_contract(&contract, books.basis, as_of);
    let invoices = application.declared.invoices.as_deref().unwrap_or_default();
    let mut worst: BTreeMap<RuleId, LawJudged> = BTreeMap::new();
    let mut say = |facts: &law::Facts, invoice: Option<&DeclaredInvoice>| {
        for (rule, finding) in law::judge_all(facts, holidays) {
            let invoice = invoice.filter(|_| invoices.len() > 1);
            let said = LawJudged {
                rule,
                finding,
                invoice: invoice.map(|one| one.number.clone()),
            };
            let kept = worst.get(&rule);
            if kept.is_none_or(|kept| weight(&said.finding) > weight(&kept.finding)) {
                worst.insert(rule, said);
            }
        }
    };
    if invoices.is_empty() {
        say(&base, None);
    }
    for invoice in invoices {
        say(&of_invoice(&base, invoice, trade), Some(invoice));
    }
    worst.into_values().collect()
}

/// A broken rule is worse than one that cannot say, and that is worse than one that is kept.
const fn weight(finding: &Finding) -> u8 {
    match finding {
        Finding::NotApplicable(_) => 0,
        Finding::Holds => 1,
        Finding::Unknown(_) => 2,
        Finding::Broken(_) => 3,
    }
}

/// What the contract says, as it is declared, and what the product lends on.
fn of_contract(contract: &Contract, basis: Option<Basis>, as_of: NaiveDate) -> law::Facts {
    law::Facts {
        basis,
        contract_on: contract.contract_on,
        buyer: contract.buyer,
        supplier_is_sme: contract.supplier_is_sme,
        settlement: contract.settlement,
        inspection: contract.inspection,
        as_of: Some(as_of),
        agreed_term: contract.agreed_term,
        pay_when_paid: contract.pay_when_paid,
        instrument: contract.instrument,
        instrument_agreed: contract.instrument_agreed,
        instrument_forced: contract.instrument_forced,
        issued_on: contract.issued_on,
        matures_on: contract.matures_on,
        late_rate: contract.late_rate,
        ..law::Facts::default()
    }
}

/// The same with what is known about one invoice.
fn of_invoice(base: &law::Facts, invoice: &DeclaredInvoice, trade: &Trade) -> law::Facts {
    law::Facts {
        receipts: receipts(invoice, trade),
        claimed_acceptance: invoice.accepted,
        agreed_term: base.agreed_term.or(invoice.due.map(AgreedTerm::Until)),
        ..base.clone()
    }
}

/// Receipts of the thing of an invoice that came last; none at all if something of it never came to
/// the buyer. `None` where neither the invoice nor a shipment says what it is over.
fn receipts(invoice: &DeclaredInvoice, trade: &Trade) -> Option<Vec<Receipt>> {
    let named = invoice
        .goods
        .iter()
        .map(|key| crate::facts::event::canonical(key));
    let shipped = trade.invoiced.get(&invoice.number).into_iter().flatten();
    let goods: BTreeSet<String> = named.chain(shipped.cloned()).collect();
    let mut last: Option<(NaiveDate, Vec<Receipt>)> = None;
    for key in goods {
        let came = trade.arrivals.iter().filter(|one| one.goods == key);
        let came: Vec<Receipt> = came.map(|one| receipt(one, invoice)).collect();
        let Some(day) = shown(&came, Step::Receiving) else {
            return Some(Vec::new());
        };
        if last.as_ref().is_none_or(|(latest, _)| day > *latest) {
            last = Some((day, came));
        }
    }
    last.map(|(_, came)| came)
}

fn receipt(arrival: &Arrival, invoice: &DeclaredInvoice) -> Receipt {
    let by = match (arrival.by == invoice.buyer, arrival.declared) {
        (true, false) => By::BuyerDevice,
        (true, true) => By::BuyerDeclared,
        (false, _) => By::Other,
    };
    Receipt {
        step: match arrival.taken {
            Taken::Received => Step::Receiving,
            Taken::Accepted => Step::Accepting,
        },
        by,
        at: arrival.at,
        anchored_at: arrival.anchored,
    }
}

#[cfg(test)]
mod tests;
