//! A replay of deliveries, checked line by line: what the file says against what is proven, and the
//! bank's figures against the same calculation here.

use std::collections::BTreeMap;
use std::time::Duration;

use credit::evidence::verify;
use credit::evidence::verify::TrustedPolicy;
use credit::lateness::evaluation::BOOTSTRAP;
use credit::lateness::{self, Artefact, Evaluation, Order};
use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::proof::{Report, VerifiedEvent};
use schemas::time::Instant;
use serde_json::Value;

use super::claim::Claims;
use crate::folder::{Decision, Expected, Promise, Replayed};

/// Lines of the whole file. Only over all of them does the frozen model have to be found anew.
const WHOLE_FILE_LINES: usize = 4_920;

/// A receipt is anchored within this time after its system has exported it.
const ANCHORED_WITHIN: Duration = Duration::from_secs(3_600);

/// Reason code of the bank where too little is known.
const INSUFFICIENT: &str = "INSUFFICIENT_EVIDENCE";

/// What a proven event says of a line.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    by: String,
    step: String,
    goods: String,
    time: Option<Instant>,
    anchored: Instant,
    of_file: bool,
    promise: Option<Promise>,
}

/// What all bundles of a replay tell, and the orders that the bank's own code reads in them.
#[derive(Debug, Default)]
pub struct Book {
    told: BTreeMap<Hash, Told>,
    orders: BTreeMap<Slug, Vec<Order>>,
    origins: Vec<String>,
    trouble: Option<String>,
}

impl Book {
    /// Takes over what a bundle of chains proves, and reads it again as the bank of a supplier does.
    pub fn add(&mut self, report: &Report, organisation: &str, bundle: &[u8], policy: &[u8]) {
        for event in &report.events {
            if let Some(told) = told(report, event) {
                self.told.insert(event.leaf, told);
            }
        }
        if let Err(trouble) = self.read(organisation, bundle, policy) {
            self.trouble
                .get_or_insert(format!("{organisation}: {trouble}"));
        }
    }

    fn read(&mut self, organisation: &str, bundle: &[u8], policy: &[u8]) -> anyhow::Result<()> {
        let supplier: Slug = organisation.parse()?;
        let evidence = verify(bundle, &TrustedPolicy::parse(policy)?)?;
        let orders = lateness::read(&evidence, &supplier, evidence.anchored);
        self.orders.insert(supplier, orders);
        if !self.origins.contains(&evidence.origin) {
            self.origins.push(evidence.origin);
        }
        Ok(())
    }

    /// The same evaluation as the bank's, from these files.
    fn evaluation(&self, of_bank: &Evaluation) -> anyhow::Result<Evaluation> {
        let suppliers = of_bank.suppliers.iter().map(|one| one.supplier.clone());
        let orders = suppliers.map(|one| {
            let orders = self.orders.get(&one).cloned().unwrap_or_default();
            (one, orders)
        });
        let (origins, artefact) = (self.origins.clone(), Artefact::built_in()?);
        let made = lateness::evaluate(
            &orders.collect(),
            origins,
            &artefact,
            of_bank.end,
            BOOTSTRAP,
        );
        Ok(made.0)
    }
}

fn told(report: &Report, event: &VerifiedEvent) -> Option<Told> {
    let statement = report.statements.get(event.statement)?;
    let text = |name: &str| {
        event
            .value(name)
            .and_then(|value| value.as_str().map(str::to_owned))
    };
    let instant = |name: &str| text(name).and_then(|text| Instant::parse_rfc3339(&text));
    let goods = event.value("quantityList")?;
    let [one] = &goods.as_array()?[..] else {
        return None;
    };
    let promise = instant("tb:promisedDelivery").map(|due| Promise {
        due,
        quantity: one.get("quantity").and_then(Value::as_u64).unwrap_or(0),
        value: text("tb:orderAmount").unwrap_or_default(),
    });
    Some(Told {
        by: statement.statement.payload.device.organisation.to_string(),
        step: text("bizStep")?,
        goods: one.get("epcClass")?.as_str()?.to_owned(),
        time: instant("eventTime"),
        anchored: statement.anchored,
        of_file: event.source == Some(Source::File),
        promise,
    })
}

impl Claims {
    /// What a replay of deliveries claims.
    pub(super) fn about_deliveries(
        &mut self,
        expected: &Expected,
        replayed: &[Replayed],
        book: &Book,
    ) {
        self.lines(replayed, book);
        self.sources(replayed, book);
        let Some(of_bank) = &expected.late_delivery else {
            return self.add("the bank has evaluated its model", false, "it has not");
        };
        self.same_figures(of_bank, book);
        self.too_little(of_bank, &expected.decisions);
        if replayed.len() == WHOLE_FILE_LINES {
            let found = format!("{:?}", of_bank.parameters);
            self.add(
                "a new fit finds the frozen model",
                of_bank.frozen_is_fitted,
                found,
            );
        }
    }

    /// Each line is a promise of its vendor and a receipt of its client, with its own numbers.
    fn lines(&mut self, replayed: &[Replayed], book: &Book) {
        let mut by_goods: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
        for told in book.told.values() {
            by_goods.entry(&told.goods).or_default().push(told);
        }
        let wrong = replayed.iter().find(|line| {
            let told = by_goods.get(line.goods.as_str());
            !told.is_some_and(|told| is_told(line, told))
        });
        let found = match wrong {
            None => format!("{} lines, {} events", replayed.len(), book.told.len()),
            Some(line) => format!("not line {}", line.line),
        };
        let all = wrong.is_none() && book.told.len() == 2 * replayed.len();
        self.add(
            "every line of the file is proven, as a promise and as a receipt, and nothing else",
            all,
            found,
        );
    }

    fn sources(&mut self, replayed: &[Replayed], book: &Book) {
        let others = book.told.values().filter(|told| !told.of_file).count();
        self.add(
            "every event is of source file",
            others == 0,
            format!("{others} others"),
        );
        let known: BTreeMap<&str, Instant> = replayed
            .iter()
            .map(|line| (line.goods.as_str(), line.known))
            .collect();
        let receipts = book.told.values().filter(|told| told.promise.is_none());
        let off = receipts.filter(|told| {
            let known = known.get(told.goods.as_str());
            !known.is_some_and(|known| (*known..*known + ANCHORED_WITHIN).contains(&told.anchored))
        });
        let off = off.count();
        self.add(
            "no receipt was known before its recorded day, or after it",
            off == 0,
            format!("{off} were"),
        );
    }

    fn same_figures(&mut self, of_bank: &Evaluation, book: &Book) {
        let claim = "the bank's figures follow from these files";
        if let Some(trouble) = &book.trouble {
            return self.add(claim, false, trouble.clone());
        }
        match book.evaluation(of_bank) {
            Ok(here) => {
                let found = format!("{} suppliers", here.suppliers.len());
                self.add(claim, here == *of_bank, found);
            }
            Err(error) => self.add(claim, false, format!("{error:#}")),
        }
    }

    fn too_little(&mut self, of_bank: &Evaluation, decisions: &[Decision]) {
        let decided: BTreeMap<&str, &Decision> = decisions
            .iter()
            .map(|one| (one.supplier.as_str(), one))
            .collect();
        let least = u64::from(of_bank.minimum_known);
        let strangers = of_bank
            .suppliers
            .iter()
            .filter(|one| one.at_end.known < least);
        let (mut all, mut right) = (0, 0);
        for stranger in strangers {
            let decision = decided.get(stranger.supplier.as_str());
            let declined = decision.is_some_and(|one| {
                one.offer_fen.is_none() && one.reasons.iter().any(|code| code == INSUFFICIENT)
            });
            all += 1;
            right += u32::from(declined && stranger.at_end.probability.is_none());
        }
        self.add(
            "with too few known deliveries there is no figure and no offer",
            all == right && decisions.len() == of_bank.suppliers.len(),
            format!("{right} of {all} suppliers with fewer than {least}"),
        );
    }
}

fn is_told(line: &Replayed, told: &[&Told]) -> bool {
    let promised = |told: &&&Told| {
        told.by == line.vendor
            && told.step == "other"
            && told.promise.as_ref() == Some(&line.promised)
    };
    let received = |told: &&&Told| {
        told.by == line.client
            && told.step == "receiving"
            && told.promise.is_none()
            && told.time == Some(line.delivered)
    };
    told.iter().filter(promised).count() == 1 && told.iter().filter(received).count() == 1
}
